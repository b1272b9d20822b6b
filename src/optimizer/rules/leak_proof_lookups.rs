//! A condition above a row policy that tells nothing lets the scan below skip rows.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};

use crate::access::policy::is_leak_proof;
use crate::planner::node::RowPolicy;
use crate::planner::source::RelationSource;

/// Gives a guarded scan the conditions above its barrier that are leak-proof, to find rows by key and to skip chunks.
///
/// ```text
/// Filter id = 7 AND 1 / x > 0                    Filter id = 7 AND 1 / x > 0
///   RowPolicy                           ──►        RowPolicy
///     Filter owner = 'ann'                           Filter owner = 'ann'
///       TableScan                                      TableScan filters: id = 7
/// ```
///
/// The conditions stay where they are: a scan that is given them gives all rows for which they are true, and perhaps more.
pub fn leak_proof_lookups(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::Filter(mut filter) = node else { return Ok(Transformed::no(node)) };
        let conditions: Vec<Expr> = split_conjunction(&filter.predicate)
            .into_iter()
            .filter(|condition| is_leak_proof(condition) && condition.any_column_refs())
            .cloned()
            .collect();
        if conditions.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Filter(filter)));
        }
        match below_barrier(&filter.input, &conditions)? {
            Some(input) => {
                filter.input = Arc::new(input);
                Ok(Transformed::yes(LogicalPlan::Filter(filter)))
            }
            None => Ok(Transformed::no(LogicalPlan::Filter(filter))),
        }
    })?;
    Ok(plan.data)
}

/// A barrier whose scan is given the conditions; `None` if the plan is none. There may be a choice of columns above it:
/// those that only the policy reads end there.
fn below_barrier(plan: &LogicalPlan, conditions: &[Expr]) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Projection(projection)
            if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) =>
        {
            let Some(input) = below_barrier(&projection.input, conditions)? else {
                return Ok(None);
            };
            let mut projection = projection.clone();
            projection.input = Arc::new(input);
            Ok(Some(LogicalPlan::Projection(projection)))
        }
        LogicalPlan::Extension(Extension { node }) => {
            let Some(policy) = node.as_any().downcast_ref::<RowPolicy>() else { return Ok(None) };
            let below = given(policy.input.as_ref().clone(), policy.number, conditions)?;
            Ok(Some(RowPolicy { input: Arc::new(below), ..policy.clone() }.into_plan()))
        }
        _ => Ok(None),
    }
}

/// The plan below a barrier with conditions for the scan of this number.
fn given(plan: LogicalPlan, number: u32, conditions: &[Expr]) -> Result<LogicalPlan> {
    let plan = plan.transform_down(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let source = scan.source.downcast_ref::<RelationSource>();
        if source.and_then(|source| source.guard) != Some(number) {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        }
        let own = |condition: &&Expr| {
            let columns = condition.column_refs();
            columns.iter().all(|column| scan.projected_schema.has_column(column))
        };
        let new: Vec<Expr> = conditions.iter().filter(own).cloned().collect();
        scan.filters.extend(new);
        let plan = LogicalPlan::TableScan(scan);
        Ok(Transformed::new(plan, true, TreeNodeRecursion::Stop))
    })?;
    Ok(plan.data)
}
