//! A physical rewriting: operators that make many rows of few give way to other tasks, and to cancellation, between
//! batches.
//!
//! DataFusion's operators give way where they read a leaf; a cross join may not come to one for minutes.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// Wraps joins and unnestings in DataFusion's cooperative operator.
#[derive(Debug, Default)]
pub struct GiveWay;

impl PhysicalOptimizerRule for GiveWay {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|plan| {
            let grows = matches!(
                plan.name(),
                "CrossJoinExec"
                    | "NestedLoopJoinExec"
                    | "HashJoinExec"
                    | "SortMergeJoinExec"
                    | "PiecewiseMergeJoin"
                    | "UnnestExec"
            );
            Ok(if grows {
                Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _)
            } else {
                Transformed::no(plan)
            })
        })?;
        Ok(wrapped.data)
    }

    fn name(&self) -> &str {
        "give_way"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
