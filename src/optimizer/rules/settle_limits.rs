//! Row counts of LIMIT and OFFSET: computed once, as DataFusion wants constants, and not negative.
//!
//! ```text
//! Limit: skip=toInteger(rand() * 9)    becomes    Limit: skip=4
//! ```

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{ColumnarValue, Expr, ExprSchemable, LogicalPlan, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use std::sync::Arc;

use crate::error::{PgError, SqlState};

/// Computes them, once for each node.
///
/// # Errors
/// What computing them says; `2201W` and `2201X` for negative ones.
pub fn settle_limits(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Limit(mut limit) = node else { return Ok(Transformed::no(node)) };
        let mut changed = false;
        for (count, code, word) in [
            (&mut limit.skip, SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET"),
            (&mut limit.fetch, SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT"),
        ] {
            let Some(expr) = count else { continue };
            if is_open(expr)? {
                continue;
            }
            let rows = match expr.as_ref() {
                Expr::Literal(rows, _) => rows.clone(),
                expr => match settled(state, expr) {
                    // DataFusion says what is wrong with it.
                    Err(_) if !expr.is_volatile() => continue,
                    rows => rows?,
                },
            };
            if let ScalarValue::Int64(Some(..0)) = rows {
                return Err(PgError::new(code, format!("{word} must not be negative"))
                    .routine("NegativeIntegerArgument")
                    .into());
            }
            if !matches!(expr.as_ref(), Expr::Literal(..)) {
                **expr = lit(rows);
                changed = true;
            }
        }
        let node = LogicalPlan::Limit(limit);
        Ok(if changed { Transformed::yes(node) } else { Transformed::no(node) })
    })
    .data()
}

/// Whether it cannot be computed yet: for what stands in a row, and parameters without a value.
fn is_open(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
                | Expr::ScalarSubquery(_)
        ))
    })
}

fn settled(state: &SessionState, expr: &Expr) -> Result<ScalarValue> {
    let schema = DFSchema::empty();
    let expr = expr.clone().cast_to(&DataType::Int64, &schema)?;
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .build();
    let expr = ExprSimplifier::new(context).simplify(expr)?;
    let physical = state.create_physical_expr(expr, &schema)?;
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &one_row)?;
    match physical.evaluate(&batch)? {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(values) => ScalarValue::try_from_array(&values, 0),
    }
}
