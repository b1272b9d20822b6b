//! Window frames by value over types whose values DataFusion does not count with.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits};

use crate::error::{PgError, SqlState};
use crate::functions::operators::expr_type;

/// A frame `RANGE` without offsets is from peers to peers, as `GROUPS` has it for values of any type.
///
/// # Errors
/// `0A000` for an offset from a value of such a type.
pub(crate) fn by_peers(mut window: WindowFunction, schema: &DFSchema) -> DfResult<WindowFunction> {
    let frame = &window.params.window_frame;
    let (WindowFrameUnits::Range, Some(key)) = (frame.units, window.params.order_by.first()) else {
        return Ok(window);
    };
    // What has no type yet is found wanting one later.
    if key.expr.get_type(schema).map_or(true, |ty| counts(&ty)) {
        return Ok(window);
    }
    let is_offset = |bound: &WindowFrameBound| {
        !bound.is_unbounded() && !matches!(bound, WindowFrameBound::CurrentRow)
    };
    if is_offset(&frame.start_bound) || is_offset(&frame.end_bound) {
        let ty = expr_type(&key.expr, schema)?;
        let message = format!(
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
            ty.name()
        );
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).into());
    }
    let (start, end) = (frame.start_bound.clone(), frame.end_bound.clone());
    window.params.window_frame = WindowFrame::new_bounds(WindowFrameUnits::Groups, start, end);
    Ok(window)
}

/// Whether DataFusion plans a frame by value over such a column.
fn counts(ty: &DataType) -> bool {
    ty.is_numeric()
        || ty.is_string()
        || ty.is_null()
        || matches!(
            ty,
            DataType::Boolean | DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _)
        )
}
