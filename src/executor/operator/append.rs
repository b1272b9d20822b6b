//! Building output batches: input rows, some of them repeated, with new columns beside them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

/// The rows of `input` at `rows`, followed by `columns`, as a batch of `schema`.
pub(super) fn append(
    schema: &SchemaRef,
    input: &RecordBatch,
    rows: Vec<u32>,
    columns: impl IntoIterator<Item = ArrayRef>,
) -> Result<RecordBatch> {
    let count = rows.len();
    let rows = UInt32Array::from(rows);
    let mut arrays = Vec::with_capacity(schema.fields().len());
    for column in input.columns() {
        arrays.push(take(column, &rows, None)?);
    }
    arrays.extend(columns);
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}
