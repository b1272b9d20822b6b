//! The logical node above a scan whose rows policies may hide.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchemaRef, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, TableScan, UserDefinedLogicalNodeCore,
};

use super::is_subquery;
use crate::error::PgError;

/// Passes on the rows of its input, which are those that the policies on a table let through, and lets nothing that was
/// written above it below.
///
/// ```text
/// Filter   what the user asks                    never merged with the one below, never evaluated on a hidden row
///   RowPolicy 3
///     Filter   what the policies say             may become joins, and may skip chunks of the scan
///       TableScan (guard: 3)
/// ```
///
/// DataFusion's rules do not push a condition on columns or a limit through a node that they do not know. A condition
/// without columns they do push; it is kept here, in `above`, and evaluated on what the policies left.
#[derive(Debug, Clone)]
pub struct RowPolicy {
    /// Which scan it stands above: [`crate::planner::source::RelationSource::guard`].
    pub number: u32,
    /// Conditions from above without columns.
    pub above: Vec<Expr>,
    /// The rows that are let through.
    pub input: Arc<LogicalPlan>,
}

impl RowPolicy {
    /// A barrier above `input`, the part of a plan that applies the policies on the scan with this number.
    pub fn new(number: u32, input: LogicalPlan) -> Self {
        Self { number, above: Vec::new(), input: Arc::new(input) }
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialEq for RowPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.above == other.above && self.input == other.input
    }
}

impl Eq for RowPolicy {}

impl Hash for RowPolicy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
        self.above.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for RowPolicy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RowPolicy {
    fn name(&self) -> &str {
        "RowPolicy"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.above.clone()
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowPolicy")
    }

    fn with_exprs_and_inputs(
        &self,
        exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let Some(input) = inputs.pop() else {
            return Err(PgError::internal("a row policy has one input").into());
        };
        let mut above = exprs;
        let input = match input {
            // A condition that DataFusion pushed: back above what the policies say.
            LogicalPlan::Filter(filter) if filter.input == self.input => {
                above.push(filter.predicate);
                filter.input
            }
            other => Arc::new(other),
        };
        Ok(Self { number: self.number, above, input })
    }
}

/// The scan that a plan is filters on, without subqueries, and the filters, the lowest first; barriers may stand between.
pub fn conditions_on_scan<'a>(
    plan: &'a LogicalPlan,
    found: &mut Vec<Expr>,
) -> Option<&'a TableScan> {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.as_slice() {
            [Expr::Column(_)] | [Expr::Alias(_)] => conditions_on_scan(&projection.input, found),
            _ => None,
        },
        LogicalPlan::SubqueryAlias(_) => None,
        LogicalPlan::Filter(filter) => {
            let scan = conditions_on_scan(&filter.input, found)?;
            let subquery = |expr: &Expr| {
                let waits = matches!(expr, Expr::OuterReferenceColumn(..) | Expr::Placeholder(_));
                Ok(waits || is_subquery(expr))
            };
            if filter.predicate.exists(subquery).unwrap_or(true) {
                return None;
            }
            found.extend(split_conjunction(&filter.predicate).into_iter().cloned());
            Some(scan)
        }
        LogicalPlan::Extension(extension) => {
            let policy = extension.node.as_any().downcast_ref::<RowPolicy>()?;
            if policy.above.is_empty() { conditions_on_scan(&policy.input, found) } else { None }
        }
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => Some(scan),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};
    use datafusion::prelude::{col, random};

    use super::*;

    /// What DataFusion's rules make of a query above a row policy.
    fn optimized(query: impl FnOnce(LogicalPlanBuilder) -> LogicalPlanBuilder) -> String {
        let rows = vec![vec![lit(1i64), lit(2i64)], vec![lit(3i64), lit(4i64)]];
        let rows = LogicalPlanBuilder::values(rows).unwrap();
        let allowed = rows.filter(col("column1").gt(lit(2i64))).unwrap().build().unwrap();
        let plan = RowPolicy::new(1, allowed).into_plan();
        let plan = query(LogicalPlanBuilder::from(plan)).build().unwrap();
        let state = SessionStateBuilder::new().with_default_features().build();
        state.optimize(&plan).unwrap().display_indent().to_string()
    }

    #[test]
    fn conditions_stay_above() {
        let text = optimized(|plan| plan.filter(lit(1i64).eq(lit(4i64) / col("column2"))).unwrap());
        insta::assert_snapshot!(text, @r"
        Filter: Int64(1) = Int64(4) / column2
          RowPolicy
            Filter: column1 > Int64(2)
              Values: (Int64(1), Int64(2)), (Int64(3), Int64(4))
        ");
    }

    #[test]
    fn conditions_without_columns_stay_above() {
        let plan = optimized(|plan| plan.filter(random().lt(lit(0.5))).unwrap());
        insta::assert_snapshot!(plan, @r"
        RowPolicy
          Filter: column1 > Int64(2)
            Values: (Int64(1), Int64(2)), (Int64(3), Int64(4))
        ");
    }

    #[test]
    fn limits_stay_above() {
        let plan = optimized(|plan| plan.limit(0, Some(1)).unwrap());
        insta::assert_snapshot!(plan, @r"
        Limit: skip=0, fetch=1
          RowPolicy
            Filter: column1 > Int64(2)
              Values: (Int64(1), Int64(2)), (Int64(3), Int64(4))
        ");
    }
}
