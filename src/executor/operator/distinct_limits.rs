//! A physical rewriting: limits that DISTINCT was given and cannot keep any more are taken off it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

/// DataFusion lets an unordered DISTINCT below a LIMIT stop early, and runs it as one that is ordered, which fails for
/// want of a direction, if a later rule found an order in its input. Such a DISTINCT gives all its rows instead; the
/// LIMIT above it is still there.
#[derive(Debug, Default)]
pub struct DistinctLimits;

impl PhysicalOptimizerRule for DistinctLimits {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rewritten = plan.transform_up(|plan| {
            let stuck = plan.downcast_ref::<AggregateExec>().filter(|aggregate| {
                aggregate.limit_options().is_some_and(|limit| limit.descending().is_none())
                    && aggregate.get_minmax_desc().is_none()
                    && !aggregate.is_unordered_unfiltered_group_by_distinct()
            });
            let unlimited = stuck.map(|aggregate| aggregate.with_new_limit_options(None));
            Ok(match unlimited {
                Some(aggregate) => Transformed::yes(Arc::new(aggregate) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(plan),
            })
        });
        rewritten.data()
    }

    fn name(&self) -> &str {
        "distinct_limits"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
