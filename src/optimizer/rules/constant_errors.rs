//! Calls on constants that fail, fail the statement, as in PostgreSQL: however many rows there are to ask about.
//!
//! ```text
//! SELECT * FROM empty WHERE 1 / 0 = 1        22012
//! ```
//!
//! DataFusion computes calls on constants too, and leaves one as it is whose computation fails. What is in a CASE or a
//! `coalesce` is not looked at: it may never be asked.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::functions::scalar::ResolvedFunction;

/// Raises what such a call says.
///
/// # Errors
/// Theirs.
pub fn constant_errors(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Case(_) => return Ok(TreeNodeRecursion::Jump),
                    Expr::ScalarFunction(call) if call.func.short_circuits() => {
                        return Ok(TreeNodeRecursion::Jump);
                    }
                    Expr::ScalarFunction(call) if is_constant(call) => compute(state, expr)?,
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(plan)
}

/// Whether nothing but the call itself says what it gives.
fn is_constant(call: &ScalarFunction) -> bool {
    call.func.inner().downcast_ref::<ResolvedFunction>().is_some()
        && call.func.signature().volatility == Volatility::Immutable
        && call.args.iter().all(|arg| matches!(arg, Expr::Literal(..)))
}

fn compute(state: &SessionState, expr: &Expr) -> Result<()> {
    let physical = state.create_physical_expr(expr.clone(), &DFSchema::empty())?;
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &one_row)?;
    physical.evaluate(&batch).map(|_| ())
}
