//! The pair check: every scan that a policy guards is still below its barrier.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;

use crate::error::PgError;
use crate::planner::node::{MatchPattern, RowPolicy};
use crate::planner::source::RelationSource;

/// Whether every scan of a plan that policies guard stands below the [`RowPolicy`] with its number; the numbers of these.
///
/// # Errors
/// `XX000` if one does not: a rule moved or removed the barrier.
pub fn verify(plan: &LogicalPlan) -> Result<Vec<u32>, PgError> {
    let mut numbers = Vec::new();
    below(plan, &mut Vec::new(), &mut numbers)?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn below(plan: &LogicalPlan, above: &mut Vec<u32>, numbers: &mut Vec<u32>) -> Result<(), PgError> {
    let policy = match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<RowPolicy>(),
        LogicalPlan::TableScan(scan) => {
            let source = scan.source.downcast_ref::<RelationSource>();
            if let Some(number) = source.and_then(|source| source.guard) {
                if !above.contains(&number) {
                    return Err(PgError::internal("a scan lost its row policy"));
                }
                numbers.push(number);
            }
            None
        }
        _ => None,
    };
    above.extend(policy.map(|policy| policy.number));
    let mut error = None;
    let mut visit = |plan: &LogicalPlan| {
        if error.is_none() {
            error = below(plan, above, numbers).err();
        }
        Ok(TreeNodeRecursion::Continue)
    };
    if let Some(pattern) = MatchPattern::of(plan) {
        for guard in pattern.guards.iter().filter(|guard| guard.apart) {
            visit(&guard.plan)?;
        }
    }
    plan.apply_children(&mut visit)?;
    plan.apply_subqueries(&mut visit)?;
    if policy.is_some() {
        above.pop();
    }
    match error {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
