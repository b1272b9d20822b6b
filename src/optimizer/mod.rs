//! Rewrites admitted plans without changing what they mean.

pub mod rules;

use std::sync::Arc;

use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;

use crate::access::Admitted;
use crate::error::PgError;

/// Applies DataFusion's analyzer and optimizer rules, and ours among them.
///
/// # Errors
/// What a rule finds wrong with the plan; `XX000` if a rule widened what the plan touches.
pub fn optimize(
    state: &SessionState,
    plan: Admitted<LogicalPlan>,
) -> Result<Admitted<LogicalPlan>, PgError> {
    // Ours come last: DataFusion's have brought conditions down to the patterns by then.
    let own = Optimizer::with_rules(vec![Arc::new(rules::PushDownPattern)]);
    plan.rewritten(|plan| {
        let plan = own.optimize(state.optimize(&plan)?, state, |_, _| {})?;
        Ok(rules::refuse_correlated(plan)?)
    })
}
