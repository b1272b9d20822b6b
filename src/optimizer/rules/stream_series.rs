//! `generate_series` with bounds that no row gives is read row by row, not made as a list first.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;

use crate::planner::node::Series;

/// Runs before DataFusion's rules, which would compute the list while they plan.
///
/// # Errors
/// What rebuilding a node says.
pub fn stream_series(plan: LogicalPlan) -> Result<LogicalPlan> {
    let streamed = plan.transform_up_with_subqueries(|node| {
        Ok(match &node {
            LogicalPlan::Unnest(unnest) => match Series::of_unnest(unnest) {
                Some(series) => Transformed::yes(series.into_plan()),
                None => Transformed::no(node),
            },
            _ => Transformed::no(node),
        })
    })?;
    Ok(streamed.data)
}
