//! Rewrites admitted plans without changing what they mean.

pub mod rules;

use std::sync::Arc;

use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;

use crate::access::Admitted;
use crate::error::PgError;

/// What a session decides about the optimizer.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerOptions {
    /// Whether correlated subqueries become joins where they can; else each is run for every distinct row around it.
    pub decorrelate: bool,
}

impl Default for OptimizerOptions {
    fn default() -> Self {
        Self { decorrelate: true }
    }
}

/// Applies DataFusion's analyzer and optimizer rules, and ours among them.
///
/// # Errors
/// What a rule finds wrong with the plan; `XX000` if a rule widened what the plan touches.
pub fn optimize(
    state: &SessionState,
    plan: Admitted<LogicalPlan>,
    options: OptimizerOptions,
) -> Result<Admitted<LogicalPlan>, PgError> {
    plan.rewritten(|plan| {
        let asked = rules::is_settled(&plan)?;
        let first = rewrite(state, plan.clone(), options.decorrelate);
        if asked || !options.decorrelate {
            return first.and_then(settled);
        }
        match first {
            Ok(plan) if rules::is_settled(&plan)? => Ok(plan),
            // A rule that could not join a subquery after all.
            Ok(_) => rewrite(state, plan, false).and_then(settled),
            Err(error) => rewrite(state, plan, false).and_then(settled).map_err(|_| error),
        }
    })
}

fn rewrite(
    state: &SessionState,
    plan: LogicalPlan,
    decorrelate: bool,
) -> Result<LogicalPlan, PgError> {
    let plan = rules::settle_limits(state, plan)?;
    let plan = rules::apply_subqueries(rules::stream_series(plan)?, decorrelate)?;
    // Ours come last: DataFusion's have brought conditions down to the patterns by then.
    let own = Optimizer::with_rules(vec![Arc::new(rules::PushDownPattern)]);
    let (plan, on_scans) = rules::policies_apart(state, plan)?;
    let plan = own.optimize(state.optimize(&plan)?, state, |_, _| {})?;
    let plan = if on_scans { rules::policies_back(plan)? } else { plan };
    let plan = rules::constant_errors(state, plan)?;
    let plan = rules::leak_proof_lookups(plan)?;
    Ok(rules::name_join_keys(plan)?)
}

fn settled(plan: LogicalPlan) -> Result<LogicalPlan, PgError> {
    if rules::is_settled(&plan)? {
        return Ok(plan);
    }
    Err(PgError::unsupported(
        "this form of subquery is not supported",
        "Write it as a join, or with LATERAL.",
    ))
}
