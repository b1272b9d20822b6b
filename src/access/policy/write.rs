//! Rows to be written, held against policies.
//!
//! ```text
//! INSERT            TableWrite ─ check: INSERT [, SELECT] ─ rows
//! … DO NOTHING      TableWrite ─ ConflictLookup ─ check: INSERT [, SELECT] ─ rows
//! … DO UPDATE       TableWrite ─ check of the new row: UPDATE [, SELECT] ─ new row ─ check of the old row: UPDATE [, SELECT]
//!                              ─ action ─ ConflictLookup ─ check: INSERT [, SELECT] ─ rows
//! UPDATE            TableWrite ─ check: UPDATE [, SELECT] ─ new row ─ scan below a barrier: UPDATE [, SELECT]
//! DELETE            TableWrite ─ scan below a barrier: DELETE [, SELECT]
//! MERGE             TableWrite ─ check by action ─ new row ─ check of the old row by action ─ clause ─ scan [: SELECT]
//! ```
//!
//! SELECT policies count where the statement reads columns of the table: in WHERE, RETURNING, …

use std::sync::Arc;

use datafusion::common::{Column, Result as PlanResult, TableReference};
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, Projection, lit, when,
};

use super::applies::{Binder, Selected};
use super::place::{Placing, Use};
use crate::catalog::{PolicyCommand, Relation, RoleSet, RowSecurity};
use crate::error::PgError;
use crate::planner::bind::sql::ACTION;
use crate::planner::node::{
    CheckKind, ConflictLookup, EachRow, PolicyCheck, RowAction, RowTest, TableWrite, WriteKind,
};
use crate::planner::source::ROW_ID;
use crate::types::Oid;

/// A test of rows, before its column has a name.
struct Test {
    /// Over the table's columns by the name that `Write` gives them.
    condition: Expr,
    kind: CheckKind,
    policy: Option<String>,
}

/// A write to a table whose policies apply.
struct Guarded<'a, 'b> {
    placing: &'b Placing<'a>,
    /// Whose rights count: the owner of the view it is written through; `None` is the caller.
    as_role: Option<Oid>,
    relation: &'b Arc<Relation>,
    security: &'b RowSecurity,
    role: &'b RoleSet,
    /// Whether the statement reads columns of the table.
    reads: bool,
}

impl Placing<'_> {
    pub(super) fn write(&self, write: &TableWrite) -> PlanResult<LogicalPlan> {
        let relation = Arc::clone(&write.relation);
        let role = self.role(write.as_role);
        let reads = !write.reads.is_empty();
        let target = |what| Some((relation.oid, what));
        let security = self.security(&relation, &role)?;
        let Some(security) = security else {
            let node = Extension { node: Arc::new(write.clone()) };
            return self.inside(LogicalPlan::Extension(node), None);
        };
        let guarded = Guarded {
            placing: self,
            as_role: write.as_role,
            relation: &relation,
            security,
            role: &role,
            reads,
        };
        let input = write.input.as_ref().clone();
        let input = match &write.kind {
            WriteKind::Insert => guarded.insert(self.plan(input, None)?)?,
            WriteKind::Update { .. } => {
                let what = Use::Write(PolicyCommand::Update, reads);
                let rows = self.plan(input, target(what))?;
                let tests = guarded.new_row(PolicyCommand::Update, None)?;
                guarded.check_last(rows, tests)?
            }
            WriteKind::Delete => {
                self.plan(input, target(Use::Write(PolicyCommand::Delete, reads)))?
            }
            WriteKind::Each(each) if each.on_conflict => {
                guarded.on_conflict(self.plan(input, None)?)?
            }
            WriteKind::Each(each) => {
                let rows = self.plan(input, target(Use::Merge(reads)))?;
                guarded.merge(rows, each)?
            }
        };
        let write = write.with_input(input);
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(write) }))
    }
}

/// What conditions call a column of the row: no column of the write may have the same name, qualified or not.
fn row_column(row: &TableReference, name: &str) -> Column {
    Column::new(Some(row.clone()), format!("{}.{name}", row.table()))
}

/// `test` where the action is this one, true elsewhere.
fn only(action: &Expr, which: RowAction, test: Expr) -> PlanResult<Expr> {
    when(action.clone().eq(lit(which.code())), test).otherwise(lit(true))
}

fn internal(what: &str) -> datafusion::common::DataFusionError {
    PgError::internal(format!("{what} has another shape than was expected")).into()
}

impl Guarded<'_, '_> {
    /// The name under which conditions know the row that they are about.
    fn qualifier(&self) -> TableReference {
        TableReference::bare(format!("graphwire.row{}", self.placing.next_number()))
    }

    fn tests(
        &self,
        command: PolicyCommand,
        force_using: bool,
        kind: CheckKind,
        qualifier: &TableReference,
    ) -> Result<Vec<Test>, PgError> {
        let context = self.placing.as_role(self.as_role);
        let known_as = |name: &str| row_column(qualifier, name);
        let binder = Binder { context: &context, relation: self.relation, known_as: &known_as };
        let checks =
            Selected::of(self.security, command, self.role).checks(&binder, force_using)?;
        let test = |(condition, policy)| Test { condition, kind, policy };
        Ok(checks.into_iter().map(test).collect())
    }

    /// What the row that a command writes must satisfy, in the cases that an action decides.
    fn new_row(
        &self,
        command: PolicyCommand,
        action: Option<(&Expr, RowAction)>,
    ) -> PlanResult<Tests> {
        let qualifier = self.qualifier();
        let mut tests = self.tests(command, false, CheckKind::New, &qualifier)?;
        if self.reads {
            tests.extend(self.tests(PolicyCommand::Select, true, CheckKind::New, &qualifier)?);
        }
        limited(tests, qualifier, action)
    }

    /// What the row that is there already must satisfy for a command.
    fn old_row(
        &self,
        command: PolicyCommand,
        kind: CheckKind,
        with_select: bool,
        action: (&Expr, RowAction),
    ) -> PlanResult<Tests> {
        let qualifier = self.qualifier();
        let mut tests = self.tests(command, true, kind, &qualifier)?;
        if with_select {
            tests.extend(self.tests(PolicyCommand::Select, true, kind, &qualifier)?);
        }
        limited(tests, qualifier, Some(action))
    }

    fn insert(&self, rows: LogicalPlan) -> PlanResult<LogicalPlan> {
        // COPY, whose rows come from elsewhere, and which is refused where policies apply.
        if rows.schema().fields().is_empty() {
            return Ok(rows);
        }
        let lookup = match &rows {
            LogicalPlan::Extension(extension) => {
                extension.node.as_any().downcast_ref::<ConflictLookup>().cloned()
            }
            _ => None,
        };
        match lookup {
            None => self.check_last(rows, self.new_row(PolicyCommand::Insert, None)?),
            Some(lookup) => self.lookup(lookup),
        }
    }

    /// The rows of ON CONFLICT are held against INSERT's policies before they are looked up.
    fn lookup(&self, lookup: ConflictLookup) -> PlanResult<LogicalPlan> {
        let rows = lookup.input.as_ref().clone();
        let rows = self.check_last(rows, self.new_row(PolicyCommand::Insert, None)?)?;
        let lookup = lookup.with_input(rows);
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(lookup) }))
    }

    fn on_conflict(&self, rows: LogicalPlan) -> PlanResult<LogicalPlan> {
        let rows = replace(rows, &|plan| self.found(plan))?;
        let action = Expr::Column(Column::from_name(ACTION));
        let action = Some((&action, RowAction::Update));
        let tests = self.new_row(PolicyCommand::Update, action)?;
        self.check_last(rows, tests)
    }

    /// At the projection that adds the action to the rows that were looked up.
    fn found(&self, plan: &LogicalPlan) -> PlanResult<Option<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = plan else { return Ok(None) };
        let LogicalPlan::Extension(extension) = projection.input.as_ref() else { return Ok(None) };
        let Some(lookup) = extension.node.as_any().downcast_ref::<ConflictLookup>() else {
            return Ok(None);
        };
        let width = self.relation.columns().len();
        // excluded.*, the row that is there, its id.
        let there: Vec<Column> =
            projection.input.schema().columns().into_iter().skip(width).take(width).collect();
        let found = self.lookup(lookup.clone())?;
        // A WHERE that can tell of the row by an error must not see it before policies have.
        let asks = projection.expr.last().is_some_and(|action| !super::is_leak_proof(action));
        let action = Expr::Column(Column::from_name(ACTION));
        let is_there = when(
            Expr::Column(Column::from_name(ROW_ID)).is_not_null(),
            lit(RowAction::Update.code()),
        )
        .otherwise(lit(RowAction::Insert.code()))?;
        let tests = |action: &Expr| {
            let action = (action, RowAction::Update);
            self.old_row(PolicyCommand::Update, CheckKind::Conflicting, self.reads, action)
        };
        if asks {
            let found = self.check(found, &there, tests(&is_there)?)?;
            let projection = Projection::try_new(projection.expr.clone(), Arc::new(found))?;
            return Ok(Some(LogicalPlan::Projection(projection)));
        }
        let projection = Projection::try_new(projection.expr.clone(), Arc::new(found))?;
        self.check(LogicalPlan::Projection(projection), &there, tests(&action)?).map(Some)
    }

    fn merge(&self, rows: LogicalPlan, each: &EachRow) -> PlanResult<LogicalPlan> {
        let rows = replace(rows, &|plan| self.matched(plan, each))?;
        let action = Expr::Column(Column::from_name(ACTION));
        let mut plan = rows;
        if !each.assigned.is_empty() {
            let action = Some((&action, RowAction::Update));
            plan = self.check_last(plan, self.new_row(PolicyCommand::Update, action)?)?;
        }
        if each.inserts {
            let qualifier = self.qualifier();
            let tests = self.tests(PolicyCommand::Insert, false, CheckKind::New, &qualifier)?;
            let tests = limited(tests, qualifier, Some((&action, RowAction::Insert)))?;
            plan = self.check_last(plan, tests)?;
        }
        Ok(plan)
    }

    /// At the projection of MERGE that says what is done with each row and makes the new one.
    fn matched(&self, plan: &LogicalPlan, each: &EachRow) -> PlanResult<Option<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = plan else { return Ok(None) };
        let Some(Expr::Alias(alias)) = projection.expr.first() else { return Ok(None) };
        if alias.name != ACTION {
            return Ok(None);
        }
        let input = projection.input.as_ref().clone();
        let there = self.target_columns(&input)?;
        let action = alias.expr.as_ref();
        let mut rows = input;
        if !each.assigned.is_empty() {
            let is = (action, RowAction::Update);
            let tests = self.old_row(PolicyCommand::Update, CheckKind::Target, false, is)?;
            rows = self.check(rows, &there, tests)?;
        }
        if each.deletes {
            let is = (action, RowAction::Delete);
            let tests = self.old_row(PolicyCommand::Delete, CheckKind::Target, false, is)?;
            rows = self.check(rows, &there, tests)?;
        }
        let projection = Projection::try_new(projection.expr.clone(), Arc::new(rows))?;
        Ok(Some(LogicalPlan::Projection(projection)))
    }

    /// The target's columns among those of MERGE's rows: they stand before the row id, which stands before the clause.
    fn target_columns(&self, rows: &LogicalPlan) -> PlanResult<Vec<Column>> {
        let columns = rows.schema().columns();
        let row_id = columns.iter().rposition(|column| column.name == ROW_ID);
        let width = self.relation.columns().len();
        let first = row_id.and_then(|at| at.checked_sub(width)).ok_or_else(|| internal("MERGE"))?;
        Ok(columns.into_iter().skip(first).take(width).collect())
    }

    /// Checks rows whose last columns are the table's.
    fn check_last(&self, rows: LogicalPlan, tests: Tests) -> PlanResult<LogicalPlan> {
        let mut columns = rows.schema().columns();
        let width = self.relation.columns().len();
        let first = columns.len().checked_sub(width).ok_or_else(|| internal("a write"))?;
        let row = columns.split_off(first);
        self.check(rows, &row, tests)
    }

    /// Checks rows in which the table's columns are these.
    fn check(&self, rows: LogicalPlan, row: &[Column], tests: Tests) -> PlanResult<LogicalPlan> {
        let Tests { tests, qualifier } = tests;
        if tests.is_empty() {
            return Ok(rows);
        }
        let kept: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
        let named = row.iter().zip(self.relation.columns()).map(|(from, column)| {
            let known = row_column(&qualifier, &column.name);
            Expr::Column(from.clone()).alias_qualified(known.relation, known.name)
        });
        let both = kept.iter().cloned().chain(named);
        let plan = LogicalPlanBuilder::from(rows).project(both.collect::<Vec<_>>())?.build()?;
        let mut exprs = kept;
        let mut described = Vec::with_capacity(tests.len());
        for (at, test) in tests.into_iter().enumerate() {
            let column = format!("{}.{at}", qualifier.table());
            exprs.push(test.condition.alias(&column));
            described.push(RowTest { column, kind: test.kind, policy: test.policy });
        }
        let projection = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?);
        let plan = self.placing.subqueries_of(projection, self.relation)?;
        let name = self.relation.name.clone();
        Ok(PolicyCheck::try_new(name, described, Arc::new(plan))?.into_plan())
    }
}

/// Tests over columns that are known as `qualifier`.
struct Tests {
    tests: Vec<Test>,
    qualifier: TableReference,
}

fn limited(
    tests: Vec<Test>,
    qualifier: TableReference,
    action: Option<(&Expr, RowAction)>,
) -> PlanResult<Tests> {
    let tests = tests.into_iter().map(|test: Test| -> PlanResult<Test> {
        let condition = match action {
            None => test.condition,
            Some((action, which)) => only(action, which, test.condition)?,
        };
        Ok(Test { condition, ..test })
    });
    Ok(Tests { tests: tests.collect::<PlanResult<_>>()?, qualifier })
}

/// Replaces the first projection, from the top, for which `at` gives something else.
fn replace(
    plan: LogicalPlan,
    at: &dyn Fn(&LogicalPlan) -> PlanResult<Option<LogicalPlan>>,
) -> PlanResult<LogicalPlan> {
    if let Some(new) = at(&plan)? {
        return Ok(new);
    }
    match plan {
        LogicalPlan::Projection(projection) => {
            let input = replace(projection.input.as_ref().clone(), at)?;
            let projection = Projection::try_new(projection.expr, Arc::new(input))?;
            Ok(LogicalPlan::Projection(projection))
        }
        _ => Err(internal("a write")),
    }
}
