//! Row policies above scans.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, Result as PlanResult, TableReference};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, Extension, Filter, Join, LogicalPlan, SubqueryAlias, TableScan, TableScanBuilder,
};

use super::applies::{Binder, Selected, row_security_applies, row_security_refused};
use crate::access::require::Needs;
use crate::catalog::{PolicyCommand, Relation, RoleSet, RowLabels, RowSecurity};
use crate::error::{PgError, SqlState};
use crate::planner::bind::BindContext;
use crate::planner::node::{GraphWrite, LockRows, MatchPattern, RowPolicy, TableWrite};
use crate::planner::source::{RelationSource, ViewSource, expand_views};
use crate::types::Oid;

/// What a statement does with the rows of a scan, which decides the policies that count for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// They are read.
    Read,
    /// They are read and locked.
    Lock,
    /// They are changed or removed by one command, and perhaps read too.
    Write(PolicyCommand, bool),
    /// MERGE asks about them; it reads them, or else sees all and holds each row it changes against policies.
    Merge(bool),
}

/// A plan with the policies in their places, and the queries that these ask; `None` if no policy can apply. `touched` is what the plan touches itself.
pub(in crate::access) fn place(
    plan: LogicalPlan,
    touched: &Needs,
    context: &BindContext,
) -> Result<(LogicalPlan, Option<Vec<LogicalPlan>>), PgError> {
    let has_policies = |oid: Oid| {
        context.catalog.relation(oid).and_then(|relation| relation.table()).is_some_and(|table| {
            table.row_security.enabled || RowLabels::of(&table.options).is_some()
        })
    };
    if !touched.iter().any(|(oid, _, _)| has_policies(oid)) {
        return Ok((plan, None));
    }
    let placing = Placing {
        context,
        numbers: Cell::new(0),
        asked: RefCell::default(),
        active: RefCell::default(),
    };
    let plan = placing.plan(plan, None)?;
    Ok((plan, Some(placing.asked.into_inner())))
}

/// Whether a part of a plan scans a table with the ids of its rows, as the target of a write is scanned.
fn gives_rows_of(plan: &LogicalPlan, table: Oid) -> bool {
    if let LogicalPlan::TableScan(scan) = plan
        && let Some(source) = scan.source.downcast_ref::<RelationSource>()
    {
        return source.with_row_id && source.relation.oid == table;
    }
    plan.inputs().into_iter().any(|input| gives_rows_of(input, table))
}

pub(super) struct Placing<'a> {
    pub(super) context: &'a BindContext,
    numbers: Cell<u32>,
    /// Queries inside conditions of policies.
    asked: RefCell<Vec<LogicalPlan>>,
    /// Tables whose policies' subqueries are being placed now, with whose rights.
    active: RefCell<Vec<Oid>>,
}

impl Placing<'_> {
    /// `target`: the table that the write or lock around this part of the plan is about, and how.
    pub(super) fn plan(
        &self,
        plan: LogicalPlan,
        target: Option<(Oid, Use)>,
    ) -> PlanResult<LogicalPlan> {
        match &plan {
            LogicalPlan::TableScan(scan) if scan.source.downcast_ref::<ViewSource>().is_some() => {
                return self.plan(expand_views(plan.clone())?, None);
            }
            LogicalPlan::TableScan(scan) => return self.scan(scan, target),
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                if let Some(write) = node.downcast_ref::<TableWrite>() {
                    return self.write(write);
                }
                if let Some(pattern) = node.downcast_ref::<MatchPattern>() {
                    return self.pattern(pattern);
                }
                if let Some(write) = node.downcast_ref::<GraphWrite>() {
                    return self.graph_write(write);
                }
                if let Some(lock) = node.downcast_ref::<LockRows>() {
                    return self.lock(lock);
                }
            }
            _ => {}
        }
        self.inside(plan, target)
    }

    /// Everything below a node and in its expressions: its subqueries, then its inputs. PostgreSQL's order is seen where
    /// policies go in a circle, as the first table to come back is the one that is named.
    pub(super) fn inside(
        &self,
        plan: LogicalPlan,
        target: Option<(Oid, Use)>,
    ) -> PlanResult<LogicalPlan> {
        use datafusion::common::tree_node::TreeNode as _;
        let plan =
            plan.map_subqueries(|subquery| Ok(Transformed::yes(self.plan(subquery, None)?)))?.data;
        if let LogicalPlan::Join(join) = &plan
            && target.is_some_and(|(table, _)| gives_rows_of(&join.right, table))
        {
            // What is written comes before what it is joined with.
            let right = Arc::new(self.plan(join.right.as_ref().clone(), target)?);
            let left = Arc::new(self.plan(join.left.as_ref().clone(), target)?);
            return Ok(LogicalPlan::Join(Join { left, right, ..join.clone() }));
        }
        Ok(plan.map_children(|child| Ok(Transformed::yes(self.plan(child, target)?)))?.data)
    }

    fn lock(&self, lock: &LockRows) -> PlanResult<LogicalPlan> {
        // Scans that give row ids are those of the tables that are locked.
        let tables: Vec<Oid> = lock.tables.iter().map(|table| table.relation.oid).collect();
        let input = self.locked(lock.input.as_ref().clone(), &tables)?;
        let lock = LockRows { input: Arc::new(input), ..lock.clone() };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(lock) }))
    }

    fn locked(&self, plan: LogicalPlan, tables: &[Oid]) -> PlanResult<LogicalPlan> {
        use datafusion::common::tree_node::TreeNode as _;
        if let LogicalPlan::TableScan(scan) = &plan
            && let Some(source) = scan.source.downcast_ref::<RelationSource>()
            && source.with_row_id
            && tables.contains(&source.relation.oid)
        {
            return self.scan(scan, Some((source.relation.oid, Use::Lock)));
        }
        if matches!(&plan, LogicalPlan::TableScan(_) | LogicalPlan::Extension(_)) {
            return self.plan(plan, None);
        }
        let plan =
            plan.map_children(|child| Ok(Transformed::yes(self.locked(child, tables)?)))?.data;
        Ok(plan.map_subqueries(|sub| Ok(Transformed::yes(self.plan(sub, None)?)))?.data)
    }

    fn scan(&self, scan: &TableScan, target: Option<(Oid, Use)>) -> PlanResult<LogicalPlan> {
        let unchanged = || LogicalPlan::TableScan(scan.clone());
        let Some(source) = scan.source.downcast_ref::<RelationSource>() else {
            return Ok(unchanged());
        };
        let what = match target {
            Some((table, what)) if source.with_row_id && table == source.relation.oid => what,
            _ => Use::Read,
        };
        let role = self.role(source.as_role);
        let Some(security) = self.security(&source.relation, &role)? else {
            return Ok(unchanged());
        };
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(PgError::internal("a scan has conditions before it was admitted").into());
        }
        let plan = self.guarded(source, scan.projection.clone(), |qualifier| {
            self.conditions(source, security, &role, what, qualifier)
        })?;
        let alias = SubqueryAlias::try_new(Arc::new(plan), scan.table_name.clone())?;
        Ok(LogicalPlan::SubqueryAlias(alias))
    }

    /// The role behind a reference: the owner of the view it came through, or the caller.
    pub(super) fn role(&self, as_role: Option<Oid>) -> Arc<RoleSet> {
        self.context.catalog.role_set(as_role.unwrap_or(self.context.role))
    }

    /// The policies of a table, if they apply.
    ///
    /// # Errors
    /// `42501` if the session says that they must not.
    pub(super) fn security<'a>(
        &self,
        relation: &'a Relation,
        role: &RoleSet,
    ) -> Result<Option<&'a RowSecurity>, PgError> {
        let Some(security) = row_security_applies(relation, role) else { return Ok(None) };
        if !self.context.row_security {
            return Err(row_security_refused(relation, role));
        }
        Ok(Some(security))
    }

    /// A scan below conditions below their barrier. The conditions are made for the name that they know the table by.
    pub(super) fn guarded(
        &self,
        source: &RelationSource,
        projection: Option<Vec<usize>>,
        conditions: impl FnOnce(&TableReference) -> Result<Vec<Expr>, PgError>,
    ) -> PlanResult<LogicalPlan> {
        let number = self.numbers.get() + 1;
        self.numbers.set(number);
        let qualifier = TableReference::bare(format!("graphwire.policy{number}"));
        let conditions = conditions(&qualifier)?;
        let scan = TableScanBuilder::new(qualifier, Arc::new(source.guarded(number)))
            .with_projection(projection)
            .build()?;
        let mut plan = LogicalPlan::TableScan(scan);
        if let Some(condition) = conjunction(conditions) {
            let filter = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?);
            plan = self.subqueries(filter, source)?;
        }
        Ok(RowPolicy::new(number, plan).into_plan())
    }

    /// Policies on what the conditions in a node's expressions, which are policies on a table, read in their turn.
    ///
    /// # Errors
    /// `42P17` if they come back to the table.
    pub(super) fn subqueries(
        &self,
        plan: LogicalPlan,
        source: &RelationSource,
    ) -> PlanResult<LogicalPlan> {
        self.subqueries_of(plan, &source.relation)
    }

    pub(super) fn subqueries_of(
        &self,
        plan: LogicalPlan,
        relation: &Relation,
    ) -> PlanResult<LogicalPlan> {
        let mut asks = false;
        plan.apply_subqueries(|subquery| {
            asks = true;
            self.asked.borrow_mut().push(subquery.clone());
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !asks {
            return Ok(plan);
        }
        if self.active.borrow().contains(&relation.oid) {
            return Err(PgError::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                format!("infinite recursion detected in policy for relation \"{}\"", relation.name),
            )
            .into());
        }
        self.active.borrow_mut().push(relation.oid);
        let placed =
            plan.map_subqueries(|subquery| Ok(Transformed::yes(self.plan(subquery, None)?)));
        self.active.borrow_mut().pop();
        Ok(placed?.data)
    }

    fn conditions(
        &self,
        source: &RelationSource,
        security: &RowSecurity,
        role: &RoleSet,
        what: Use,
        qualifier: &TableReference,
    ) -> Result<Vec<Expr>, PgError> {
        let context = self.as_role(source.as_role);
        let known_as = |name: &str| Column::new(Some(qualifier.clone()), name);
        let binder = Binder { context: &context, relation: &source.relation, known_as: &known_as };
        let commands = match what {
            Use::Read | Use::Merge(true) => vec![PolicyCommand::Select],
            Use::Lock => vec![PolicyCommand::Update, PolicyCommand::Select],
            Use::Write(command, false) => vec![command],
            Use::Write(command, true) => vec![PolicyCommand::Select, command],
            Use::Merge(false) => Vec::new(),
        };
        let mut conditions = Vec::new();
        for command in commands {
            for condition in Selected::of(security, command, role).using(&binder)? {
                if !conditions.contains(&condition) {
                    conditions.push(condition);
                }
            }
        }
        Ok(conditions)
    }

    /// The context in which policies are bound that apply to a reference with a role's rights.
    pub(super) fn as_role(&self, as_role: Option<Oid>) -> BindContext {
        BindContext { as_role, ..self.context.clone() }
    }

    pub(super) fn next_number(&self) -> u32 {
        let number = self.numbers.get() + 1;
        self.numbers.set(number);
        number
    }
}
