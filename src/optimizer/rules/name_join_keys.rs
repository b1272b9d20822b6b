//! Names for join keys that are computed.
//!
//! DataFusion computes them in a projection beside the columns. A cast has the name of what it casts, which a column has
//! already; so each key gets a name of its own.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Runs after all other rules: the names mean nothing to them.
///
/// # Errors
/// What rebuilding a node says.
pub fn name_join_keys(plan: LogicalPlan) -> Result<LogicalPlan> {
    let named = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(mut join) = node else { return Ok(Transformed::no(node)) };
        let mut number = 0;
        let mut name = |key: Expr| match key {
            key @ (Expr::Column(_) | Expr::Cast(_) | Expr::Alias(_)) => key,
            key => {
                number += 1;
                key.alias(format!("graphwire.key{number}"))
            }
        };
        join.on = join.on.into_iter().map(|(left, right)| (name(left), name(right))).collect();
        Ok(if number > 0 {
            Transformed::yes(LogicalPlan::Join(join))
        } else {
            Transformed::no(LogicalPlan::Join(join))
        })
    })?;
    Ok(named.data)
}
