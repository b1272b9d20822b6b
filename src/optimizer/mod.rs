//! Rewrites admitted plans without changing what they mean.

use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::access::Admitted;
use crate::error::PgError;

/// Applies DataFusion's analyzer and optimizer rules, and ours among them.
///
/// # Errors
/// What a rule finds wrong with the plan; `XX000` if a rule widened what the plan touches.
pub fn optimize(state: &SessionState, plan: Admitted<LogicalPlan>) -> Result<Admitted<LogicalPlan>, PgError> {
    plan.rewritten(|plan| Ok(state.optimize(&plan)?))
}
