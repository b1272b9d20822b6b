//! Which columns a statement reads, as PostgreSQL counts them: each column that an expression of the statement names, at
//! any level of it, and not those that are only carried along to be written back.
//!
//! Looked at only where a role may not read a table as a whole, on the plan as it was bound: the optimizer drops what a
//! statement names and does not need.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery, UserDefinedLogicalNode};

use super::require::{AsRole, Need, Needs, Right, require_expression, require_pattern};
use crate::catalog::Relation;
use crate::planner::node::{ConflictLookup, MatchPattern, TableWrite, WriteKind};
use crate::planner::source::{RelationSource, ViewSource};
use crate::types::Oid;

/// Columns read of each relation, by whose right they are read. A relation that is read without naming a column is here
/// with none; the target of a write that names none is not here.
pub(super) type UsedColumns = BTreeMap<(AsRole, Oid), Used>;

/// What is read of a relation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Positions of columns.
    pub(super) columns: BTreeSet<usize>,
    /// All there are, and those that come later.
    pub(super) whole: bool,
}

/// The columns that a bound plan reads.
pub(super) fn used_columns(plan: &LogicalPlan) -> UsedColumns {
    let mut walk = Walk::default();
    let output = walk.plan(plan, None, false);
    walk.mark_all(&output);
    let mut used = UsedColumns::new();
    for scan in walk.scans {
        if scan.is_target && scan.columns.is_empty() {
            continue;
        }
        used.entry((scan.as_role, scan.relation)).or_default().columns.extend(scan.columns);
    }
    for (as_role, relation, right, need) in walk.elements.iter_as() {
        debug_assert!(matches!(right, Right::Match(_)), "a pattern only reads");
        let one = used.entry((as_role, relation)).or_default();
        match need {
            Need::Whole => one.whole = true,
            Need::Columns(columns) => one.columns.extend(columns),
        }
    }
    used
}

/// Where a column of a plan's output comes from unchanged: a scan, and the position in it.
type Origin = Option<(usize, usize)>;

struct Scan {
    as_role: AsRole,
    relation: Oid,
    columns: BTreeSet<usize>,
    is_target: bool,
}

/// The columns an expression may name.
struct Scope<'a> {
    schema: &'a DFSchema,
    origins: &'a [Origin],
    outer: Option<&'a Self>,
}

impl Scope<'_> {
    fn origin(&self, column: &Column) -> Option<Origin> {
        let at = self.schema.maybe_index_of_column(column)?;
        Some(self.origins.get(at).copied().flatten())
    }
}

#[derive(Default)]
struct Walk {
    scans: Vec<Scan>,
    /// What graph patterns read.
    elements: Needs,
    /// Whose right it must be: the owner of the view that is walked.
    as_role: AsRole,
}

/// Stack left before more is taken, and how much then: plans may be as high as a statement has operators.
const STACK_RESERVE_BYTES: usize = 128 * 1024;
const STACK_CHUNK_BYTES: usize = 2 * 1024 * 1024;

impl Walk {
    fn mark(&mut self, origin: Origin) {
        if let Some((scan, column)) = origin
            && let Some(scan) = self.scans.get_mut(scan)
        {
            scan.columns.insert(column);
        }
    }

    fn mark_all(&mut self, origins: &[Origin]) {
        origins.iter().for_each(|origin| self.mark(*origin));
    }

    fn scan(&mut self, as_role: AsRole, relation: &Relation, is_target: bool) -> Vec<Origin> {
        let scan = self.scans.len();
        let columns = relation.columns().len();
        self.scans.push(Scan {
            as_role,
            relation: relation.oid,
            columns: BTreeSet::new(),
            is_target,
        });
        (0..columns).map(|column| Some((scan, column))).collect()
    }

    /// Walks a plan and gives the origins of its output. `carries`: it stands under a write, and what its projections
    /// only pass on is not read.
    fn plan(
        &mut self,
        plan: &LogicalPlan,
        outer: Option<&Scope<'_>>,
        carries: bool,
    ) -> Vec<Origin> {
        stacker::maybe_grow(STACK_RESERVE_BYTES, STACK_CHUNK_BYTES, || {
            let mut origins = self.node(plan, outer, carries);
            origins.resize(plan.schema().fields().len(), None);
            origins
        })
    }

    fn node(
        &mut self,
        plan: &LogicalPlan,
        outer: Option<&Scope<'_>>,
        carries: bool,
    ) -> Vec<Origin> {
        match plan {
            LogicalPlan::TableScan(scan) => self.table_scan(scan, outer),
            LogicalPlan::Projection(projection) => {
                let input = self.plan(&projection.input, outer, carries);
                let scope = Scope { schema: projection.input.schema(), origins: &input, outer };
                projection.expr.iter().map(|expr| self.output(expr, &scope, carries)).collect()
            }
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input, outer, false),
            LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
                self.same_columns(plan, outer)
            }
            LogicalPlan::Subquery(Subquery { subquery, .. }) => self.plan(subquery, outer, false),
            LogicalPlan::Extension(extension) => {
                self.extension(plan, extension.node.as_ref(), outer)
            }
            // Their expressions name columns of their inputs; their output carries those on by name.
            _ => self.by_name(plan, outer),
        }
    }

    fn table_scan(
        &mut self,
        scan: &datafusion::logical_expr::TableScan,
        outer: Option<&Scope<'_>>,
    ) -> Vec<Origin> {
        let source = scan.source.as_ref();
        let all = if let Some(source) = source.downcast_ref::<RelationSource>() {
            self.scan(source.as_role, &source.relation, source.with_row_id)
        } else if let Some(view) = source.downcast_ref::<ViewSource>() {
            let is_view = view.relation.view();
            let inside = view.inner_role();
            let outside = std::mem::replace(&mut self.as_role, inside);
            let inner = self.plan(&view.plan, None, false);
            self.as_role = outside;
            match is_view {
                Some(_) => {
                    self.mark_all(&inner);
                    self.scan(view.as_role, &view.relation, false)
                }
                // A table whose columns a view knows by other names.
                None => inner,
            }
        } else {
            return Vec::new();
        };
        let schema = scan.source.schema();
        if let Ok(schema) = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &schema) {
            let mut origins = all.clone();
            origins.resize(schema.fields().len(), None);
            let scope = Scope { schema: &schema, origins: &origins, outer };
            scan.filters.iter().for_each(|filter| self.expression(filter, &scope));
        }
        match &scan.projection {
            Some(columns) => columns.iter().map(|at| all.get(*at).copied().flatten()).collect(),
            None => all,
        }
    }

    /// A node whose output is its input's.
    fn same_columns(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Vec<Origin> {
        let Some(input) = plan.inputs().first().copied() else { return Vec::new() };
        let origins = self.plan(input, outer, false);
        let scope = Scope { schema: input.schema(), origins: &origins, outer };
        self.expressions(plan, &scope);
        origins
    }

    fn by_name(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Vec<Origin> {
        let inputs = plan.inputs();
        let origins: Vec<Vec<Origin>> =
            inputs.iter().map(|input| self.plan(input, outer, false)).collect();
        if let LogicalPlan::Union(_) | LogicalPlan::RecursiveQuery(_) | LogicalPlan::Distinct(_) =
            plan
        {
            // What is compared, or comes from several places, is read.
            origins.iter().for_each(|origins| self.mark_all(origins));
        }
        for (input, origins) in inputs.iter().zip(&origins) {
            let scope = Scope { schema: input.schema(), origins, outer };
            self.expressions(plan, &scope);
        }
        let named = |(qualifier, field): (Option<&_>, &std::sync::Arc<_>)| {
            let column = Column::from((qualifier, field));
            let mut known = inputs.iter().zip(&origins);
            known.find_map(|(input, origins)| {
                let at = input.schema().maybe_index_of_column(&column)?;
                origins.get(at).copied().flatten()
            })
        };
        plan.schema().iter().map(named).collect()
    }

    fn extension(
        &mut self,
        plan: &LogicalPlan,
        node: &dyn UserDefinedLogicalNode,
        outer: Option<&Scope<'_>>,
    ) -> Vec<Origin> {
        if let Some(write) = node.as_any().downcast_ref::<TableWrite>() {
            return self.write(write, outer);
        }
        if let Some(pattern) = node.as_any().downcast_ref::<MatchPattern>() {
            let as_role = pattern.as_role.or(self.as_role);
            require_pattern(pattern, as_role, &mut self.elements);
        }
        if let Some(lookup) = node.as_any().downcast_ref::<ConflictLookup>() {
            let input = self.plan(&lookup.input, outer, true);
            let arbiters = self.scan(None, &lookup.relation, true);
            for at in &lookup.reads {
                self.mark(arbiters.get(*at).copied().flatten());
            }
            if lookup.skips {
                return input;
            }
            // What was to be inserted is nobody's to refuse; the rows that are there already are.
            let width = lookup.relation.columns().len();
            let mut origins = vec![None; width];
            origins.extend(arbiters);
            return origins;
        }
        self.by_name(plan, outer)
    }

    fn write(&mut self, write: &TableWrite, outer: Option<&Scope<'_>>) -> Vec<Origin> {
        let carries = !matches!(write.kind, WriteKind::Insert);
        let input = self.plan(&write.input, outer, carries);
        let mut output: Vec<Origin> = input.iter().take(write.carried).copied().collect();
        let rows = input.get(write.carried + write.kind.leading()..).unwrap_or_default();
        if let WriteKind::Update { assigned } = &write.kind {
            // `SET a = b` reads b.
            for at in assigned {
                self.mark(rows.get(*at).copied().flatten());
            }
        }
        // RETURNING reads the table.
        output.extend(self.scan(write.as_role, &write.relation, true));
        output
    }

    /// An expression of a projection: what it reads, and the origin if it is a column.
    fn output(&mut self, expr: &Expr, scope: &Scope<'_>, carries: bool) -> Origin {
        let mut bare = expr;
        while let Expr::Alias(alias) = bare {
            bare = &alias.expr;
        }
        match bare {
            Expr::Column(column) => {
                let origin = scope.origin(column).flatten();
                if !carries {
                    self.mark(origin);
                }
                origin
            }
            // A row of MERGE or DO UPDATE: by what is done, the new value or the old.
            Expr::Case(case) if carries => {
                let parts = case.when_then_expr.iter();
                let conditions = parts.clone().map(|(when, _)| when);
                let values = parts.map(|(_, then)| then).chain(&case.else_expr);
                let values = values.filter(|value| !matches!(value.as_ref(), Expr::Column(_)));
                for part in case.expr.iter().chain(conditions).chain(values) {
                    self.expression(part, scope);
                }
                None
            }
            other => {
                self.expression(other, scope);
                None
            }
        }
    }

    fn expressions(&mut self, plan: &LogicalPlan, scope: &Scope<'_>) {
        let mut found = Vec::new();
        // Nothing in it can fail.
        let _ = plan.apply_expressions(|expr| {
            found.push(expr.clone());
            Ok(TreeNodeRecursion::Continue)
        });
        found.iter().for_each(|expr| self.expression(expr, scope));
    }

    /// Marks what an expression reads, its subqueries included.
    fn expression(&mut self, expr: &Expr, scope: &Scope<'_>) {
        let _ = expr.apply(|expr| {
            match expr {
                Expr::Column(column) => self.mark(scope.origin(column).flatten()),
                Expr::OuterReferenceColumn(_, column) => {
                    let mut outer = scope.outer;
                    while let Some(one) = outer {
                        if let Some(origin) = one.origin(column) {
                            self.mark(origin);
                            break;
                        }
                        outer = one.outer;
                    }
                }
                Expr::ScalarSubquery(query) => self.subquery(query, scope),
                Expr::Exists(exists) => self.subquery(&exists.subquery, scope),
                Expr::InSubquery(one) => self.subquery(&one.subquery, scope),
                Expr::SetComparison(one) => self.subquery(&one.subquery, scope),
                Expr::ScalarFunction(_) => {
                    require_expression(expr, self.as_role, &mut self.elements);
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }

    fn subquery(&mut self, query: &Subquery, scope: &Scope<'_>) {
        let origins = self.plan(&query.subquery, Some(scope), false);
        self.mark_all(&origins);
    }
}
