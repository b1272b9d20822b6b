//! Rows as values: made, taken apart, ordered.

mod field;
mod key;
mod make;
mod null_test;

pub use field::{any_field, field_of};
pub(crate) use field::{is_any_field, no_field, resolve_field};
pub(crate) use key::sort_key;
pub use make::{
    NAMED_ROW, NULLABLE_NAMED_ROW, NULLABLE_ROW, convert_row, row_function, row_of, unresolved_row,
};
pub(crate) use make::{is_row_call, resolve_row};
pub(crate) use null_test::null_test;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;

use crate::error::PgError;

/// Stored rows.
fn rows_of(array: &ArrayRef) -> Result<BinaryViewArray, PgError> {
    match array.as_binary_view_opt() {
        Some(rows) => Ok(rows.clone()),
        None => {
            let rows = arrow::compute::cast(array, &arrow::datatypes::DataType::BinaryView)?;
            rows.as_binary_view_opt().cloned().ok_or_else(|| PgError::internal("rows are no bytes"))
        }
    }
}

/// The only argument, and whether it is one value.
fn only(args: Vec<ColumnarValue>) -> DfResult<(ArrayRef, bool)> {
    match args.into_iter().next() {
        Some(ColumnarValue::Array(array)) => Ok((array, false)),
        Some(ColumnarValue::Scalar(value)) => Ok((value.to_array()?, true)),
        None => Err(PgError::internal("a row function without an argument").into()),
    }
}

/// A result of the shape its argument had.
fn shaped(array: ArrayRef, is_scalar: bool) -> DfResult<ColumnarValue> {
    Ok(match is_scalar {
        true => ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?),
        false => ColumnarValue::Array(array),
    })
}
