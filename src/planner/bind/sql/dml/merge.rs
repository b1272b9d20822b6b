//! MERGE.
//!
//! ```text
//! TableWrite (each)
//!   Projection   action, row id, the row          by the clause
//!     Projection   clause: the first WHEN that holds, else null
//!       source LEFT JOIN target ON …              an inner join without WHEN NOT MATCHED
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, DFSchema};
use datafusion::logical_expr::{Case, Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::scalar::ScalarValue;
use sqlparser::ast::{
    Expr as SqlExpr, Ident, Join, JoinConstraint, JoinOperator, Merge, MergeAction, MergeClause,
    MergeClauseKind, MergeInsertExpr, MergeInsertKind, MergeUpdateExpr, ObjectName, ObjectNamePart,
    Query, SetExpr, TableWithJoins, Values,
};

use super::super::column_value::{
    Overriding, default_in_values, given_columns, is_default, with_generated,
};
use super::super::query::{bind_expression, plan_query};
use super::conflict::{ACTION, condition};
use super::returning::invalid_reference;
use super::{Target, assign, check_width, insert_columns, wildcard_query, write};
use crate::error::{PgError, SqlState};
use crate::parser::MergeMark;
use crate::parser::pgq::GraphTable;
use crate::planner::bind::context::BindContext;
use crate::planner::node::{EachRow, RowAction, WriteKind};
use crate::planner::source::ROW_ID;

/// Name of the column that says which clause holds for a row.
const CLAUSE: &str = "graphwire.clause";

/// What a WHEN clause does.
enum Then<'a> {
    Nothing,
    Delete,
    Update(&'a MergeUpdateExpr),
    Insert(&'a MergeInsertExpr),
    /// INSERT DEFAULT VALUES
    InsertDefaults,
}

impl<'a> Then<'a> {
    fn of(clause: &'a MergeClause) -> Result<Self, PgError> {
        let refuse = |what: &str| {
            Err(PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{what}\"")))
        };
        match &clause.action {
            MergeAction::Delete { .. } => Ok(Self::Delete),
            MergeAction::Update(update) => {
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return refuse("WHERE");
                }
                let mark = update.assignments.first().and_then(|assignment| {
                    MergeMark::of(&assignment.target.to_string().replace('"', ""))
                });
                match mark {
                    Some(MergeMark::Nothing) => Ok(Self::Nothing),
                    Some(MergeMark::Defaults | MergeMark::System | MergeMark::User) | None => {
                        Ok(Self::Update(update))
                    }
                }
            }
            MergeAction::Insert(insert) => {
                if insert.insert_predicate.is_some() {
                    return refuse("WHERE");
                }
                match lone_mark(insert) {
                    Some(MergeMark::Nothing) => Ok(Self::Nothing),
                    Some(MergeMark::Defaults) => Ok(Self::InsertDefaults),
                    Some(MergeMark::System | MergeMark::User) | None => Ok(Self::Insert(insert)),
                }
            }
        }
    }

    fn action(&self) -> RowAction {
        match self {
            Self::Nothing => RowAction::Nothing,
            Self::Delete => RowAction::Delete,
            Self::Update(_) => RowAction::Update,
            Self::Insert(_) | Self::InsertDefaults => RowAction::Insert,
        }
    }
}

/// The mark that the parser left as the only value.
fn lone_mark(insert: &MergeInsertExpr) -> Option<MergeMark> {
    let MergeInsertKind::Values(values) = &insert.kind else { return None };
    match values.rows.as_slice() {
        [row] => match row.content.as_slice() {
            [SqlExpr::Identifier(ident)] => MergeMark::of(&ident.value),
            _ => None,
        },
        _ => None,
    }
}

/// The plan of MERGE.
///
/// # Errors
/// As PostgreSQL's.
pub(super) fn merge_plan(
    context: &BindContext,
    merge: &Merge,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    if !merge.into || merge.output.is_some() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in MERGE"));
    }
    check_reachable(&merge.clauses)?;
    let target = Target::new(context, &merge.table, "update")?;
    if let Some(view) = &target.view {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("cannot execute MERGE on relation \"{}\"", view.view.name),
        )
        .detail("This operation is not supported for views.".to_owned()));
    }
    let rows = joined(context, &target, merge, graphs)?;
    let mut reads = target.read().conditions(&rows)?;
    let schema = Arc::clone(rows.schema());
    let (source, _, _) = target.split(rows.schema());
    let source_schema = Arc::new(DFSchema::new_with_metadata(
        schema
            .iter()
            .take(source.len())
            .map(|(name, field)| (name.cloned(), Arc::clone(field)))
            .collect(),
        Default::default(),
    )?);
    let scope = Scope { context, target: &target, all: &schema, source: &source_schema };
    let rows = scope.with_clause(rows, &merge.clauses)?;
    reads.extend(scope.clause_reads(&rows)?);
    let thens = merge.clauses.iter().map(Then::of).collect::<Result<Vec<_>, PgError>>()?;
    let (rows, assigned) = scope.with_rows(rows, &thens, &mut reads)?;
    let rows = with_generated(context, rows, &target.table, 2)?;
    let does = |action| thens.iter().any(|then| then.action() == action);
    let each = EachRow {
        on_conflict: false,
        inserts: does(RowAction::Insert),
        assigned,
        deletes: does(RowAction::Delete),
    };
    let write = write(&target.relation, WriteKind::Each(each), rows, 0, &target.alias)?;
    Ok(target.read().note(write, reads)?)
}

fn is_matched(clause: &MergeClause) -> Result<bool, PgError> {
    match clause.clause_kind {
        MergeClauseKind::Matched => Ok(true),
        MergeClauseKind::NotMatched => Ok(false),
        MergeClauseKind::NotMatchedByTarget | MergeClauseKind::NotMatchedBySource => {
            Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"BY\""))
        }
    }
}

fn check_reachable(clauses: &[MergeClause]) -> Result<(), PgError> {
    let mut always = [false; 2];
    for clause in clauses {
        let seen = &mut always[usize::from(is_matched(clause)?)];
        if *seen {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "unreachable WHEN clause specified after unconditional WHEN clause",
            ));
        }
        *seen = clause.predicate.is_none();
    }
    Ok(())
}

/// Source rows, each beside the rows of the target it matches.
fn joined(
    context: &BindContext,
    target: &Target,
    merge: &Merge,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    let on = JoinConstraint::On(merge.on.as_ref().clone());
    let mut inserts = false;
    for clause in &merge.clauses {
        inserts |= !is_matched(clause)?;
    }
    let join = Join {
        relation: target.factor(),
        global: false,
        join_operator: if inserts { JoinOperator::LeftOuter(on) } else { JoinOperator::Inner(on) },
    };
    let mut query = wildcard_query()?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.from = vec![TableWithJoins { relation: merge.source.clone(), joins: vec![join] }];
    }
    plan_query(context, &query, graphs)
}

/// What expressions of WHEN clauses see.
struct Scope<'a> {
    context: &'a BindContext,
    target: &'a Target,
    /// Source and target: in WHEN MATCHED.
    all: &'a Arc<DFSchema>,
    /// The source alone: in WHEN NOT MATCHED.
    source: &'a Arc<DFSchema>,
}

/// `CASE WHEN … THEN … END`, null where nothing holds.
fn case(branches: Vec<(Expr, Expr)>, or_else: Option<Expr>) -> Option<Expr> {
    if branches.is_empty() {
        return or_else;
    }
    let branches = branches.into_iter().map(|(when, then)| (Box::new(when), Box::new(then)));
    Some(Expr::Case(Case::new(None, branches.collect(), or_else.map(Box::new))))
}

fn clause_is(number: usize) -> Expr {
    Expr::Column(PlanColumn::from_name(CLAUSE)).eq(lit(number as i32))
}

impl Scope<'_> {
    /// An error about a column of the target where the target cannot be seen.
    fn out_of_sight(&self, error: PgError, matched: bool) -> PgError {
        if matched { error } else { invalid_reference(error, &self.target.alias) }
    }

    /// Adds the number of the first clause that holds for a row.
    fn with_clause(
        &self,
        rows: LogicalPlan,
        clauses: &[MergeClause],
    ) -> Result<LogicalPlan, PgError> {
        let row_id = Expr::Column(PlanColumn::from_name(ROW_ID));
        let mut branches = Vec::with_capacity(clauses.len());
        for (number, clause) in clauses.iter().enumerate() {
            let matched = is_matched(clause)?;
            let mut when =
                if matched { row_id.clone().is_not_null() } else { row_id.clone().is_null() };
            if let Some(predicate) = &clause.predicate {
                let schema = if matched { self.all } else { self.source };
                let predicate = condition(self.context, predicate, schema, "WHEN");
                when = when.and(predicate.map_err(|error| self.out_of_sight(error, matched))?);
            }
            branches.push((when, lit(number as i32)));
        }
        let clause = case(branches, None).unwrap_or(lit(ScalarValue::Int32(None))).alias(CLAUSE);
        let all = rows.schema().columns().into_iter().map(Expr::Column).chain([clause]);
        Ok(LogicalPlanBuilder::from(rows).project(all)?.build()?)
    }

    /// Columns of the target that the conditions of WHEN clauses read, which [`Self::with_clause`] put last.
    fn clause_reads(&self, rows: &LogicalPlan) -> Result<BTreeSet<usize>, PgError> {
        let mut reads = BTreeSet::new();
        if let LogicalPlan::Projection(projection) = rows
            && let Some(clause) = projection.expr.last()
        {
            self.target.read().expression(clause, &mut reads)?;
        }
        Ok(reads)
    }

    /// Action, row id, and the table's columns as each row's clause has them; and which columns clauses assign.
    fn with_rows(
        &self,
        rows: LogicalPlan,
        thens: &[Then<'_>],
        reads: &mut BTreeSet<usize>,
    ) -> Result<(LogicalPlan, Vec<usize>), PgError> {
        let table = &self.target.table;
        let (_, _, old) = self.target.split(self.all);
        let mut actions = Vec::new();
        let mut values: Vec<Vec<(Expr, Expr)>> = vec![Vec::new(); table.columns.len()];
        let mut assigned = Vec::new();
        for (number, then) in thens.iter().enumerate() {
            actions.push((clause_is(number), lit(then.action().code())));
            let row = match then {
                Then::Nothing | Then::Delete => continue,
                Then::Update(update) => self.updated(update, &mut assigned)?,
                Then::Insert(insert) => self.inserted(insert)?,
                Then::InsertDefaults => self.defaults()?,
            };
            for (column, value) in values.iter_mut().zip(row) {
                if let Some(value) = value {
                    self.target.read().expression(&value, reads)?;
                    column.push((clause_is(number), value));
                }
            }
        }
        let nothing = lit(RowAction::Nothing.code());
        let action = case(actions, Some(nothing.clone())).unwrap_or(nothing).alias(ACTION);
        let mut exprs = vec![action, Expr::Column(PlanColumn::from_name(ROW_ID))];
        for ((branches, old), column) in values.into_iter().zip(old).zip(&table.columns) {
            let value =
                case(branches, Some(Expr::Column(old.clone()))).unwrap_or(Expr::Column(old));
            exprs.push(value.alias_qualified(Some(self.target.alias.as_str()), &column.name));
        }
        assigned.sort_unstable();
        assigned.dedup();
        Ok((LogicalPlanBuilder::from(rows).project(exprs)?.build()?, assigned))
    }

    /// For each column what UPDATE sets it to; `None` where it stays.
    fn updated(
        &self,
        update: &MergeUpdateExpr,
        assigned: &mut Vec<usize>,
    ) -> Result<Vec<Option<Expr>>, PgError> {
        let table = &self.target.table;
        let values = assign::assignments(&self.target.relation, table, &update.assignments)?;
        let mut row = vec![None; table.columns.len()];
        for (at, value) in values {
            let column = &table.columns[at];
            row[at] = Some(assign::bind_value(self.context, &value, column, self.all)?);
            assigned.push(at);
        }
        Ok(row)
    }

    fn defaults(&self) -> Result<Vec<Option<Expr>>, PgError> {
        let columns = &self.target.table.columns;
        columns.iter().map(|column| assign::bind_default(self.context, column).map(Some)).collect()
    }

    /// For each column what INSERT gives it.
    fn inserted(&self, insert: &MergeInsertExpr) -> Result<Vec<Option<Expr>>, PgError> {
        let (table, relation) = (&self.target.table, &self.target.relation);
        let MergeInsertKind::Values(values) = &insert.kind else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"ROW\""));
        };
        let [row] = values.rows.as_slice() else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \",\""));
        };
        let (names, overriding) = overriding_of(&insert.columns);
        let columns = insert_columns(relation, table, &names)?;
        check_width(row.content.len(), columns.len(), names.is_empty())?;
        let columns = columns.get(..row.content.len()).unwrap_or(&columns);
        let given = given_columns(table, columns, Some(&values_query(values)?), overriding)?;
        let mut new = Vec::with_capacity(table.columns.len());
        for (at, column) in table.columns.iter().enumerate() {
            let from = columns.iter().position(|given| *given == at).filter(|from| given[*from]);
            new.push(Some(match from {
                None => assign::bind_default(self.context, column)?,
                Some(from) => {
                    let mut value = row.content[from].clone();
                    if is_default(&value) {
                        value = default_in_values(self.context, column, overriding)?;
                    }
                    assign::type_parameter(&mut value, column);
                    let value = bind_expression(self.context, &value, self.source)
                        .map_err(|error| self.out_of_sight(error, false))?;
                    assign::cast_to_column(self.context, value, column, self.source)?
                }
            }));
        }
        Ok(new)
    }
}

/// The columns that are named, without the mark for OVERRIDING that the parser put among them.
fn overriding_of(columns: &[ObjectName]) -> (Vec<ObjectName>, Overriding) {
    let mut overriding = Overriding::No;
    let mut names = Vec::with_capacity(columns.len());
    for name in columns {
        let ident = name.0.last().and_then(ObjectNamePart::as_ident);
        match ident.and_then(|ident: &Ident| MergeMark::of(&ident.value)) {
            Some(MergeMark::System) => overriding = Overriding::System,
            Some(MergeMark::User) => overriding = Overriding::User,
            Some(MergeMark::Nothing | MergeMark::Defaults) | None => names.push(name.clone()),
        }
    }
    (names, overriding)
}

fn values_query(values: &Values) -> Result<Query, PgError> {
    let mut query = wildcard_query()?;
    *query.body = SetExpr::Values(values.clone());
    Ok(query)
}
