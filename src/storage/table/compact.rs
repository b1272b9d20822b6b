//! Texts and byte strings without what others left in their buffers.
//!
//! An array of views keeps all buffers of the array that it was taken from: a row that is changed would keep the texts of
//! its whole chunk, and a chunk of rows that came one by one has a buffer for each of them. What is kept for long is
//! copied first, where there is something to gain.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericByteViewArray, ListArray, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ByteViewType, DataType};
use arrow::error::ArrowError;

/// Bytes that may be kept without being used.
const SLACK_BYTES: usize = 4096;
/// Buffers of an array, which each read of it passes through or counts references to.
const BUFFERS_MAX: usize = 16;

/// The same rows, whose arrays hold little else.
///
/// # Errors
/// None are expected.
pub(super) fn compact(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(compacted).collect();
    if columns.iter().zip(batch.columns()).all(|(now, then)| Arc::ptr_eq(now, then)) {
        return Ok(batch);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &rows)
}

fn compacted(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => views(array, array.as_string_view()),
        DataType::BinaryView => views(array, array.as_binary_view()),
        DataType::List(field) if has_views(field.data_type()) => list(array, array.as_list()),
        _ => Arc::clone(array),
    }
}

fn has_views(ty: &DataType) -> bool {
    match ty {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(field) => has_views(field.data_type()),
        _ => false,
    }
}

fn views<T: ByteViewType>(array: &ArrayRef, views: &GenericByteViewArray<T>) -> ArrayRef {
    let buffers = views.data_buffers();
    if buffers.is_empty() {
        return Arc::clone(array);
    }
    let held: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    let fits = held <= SLACK_BYTES
        || held <= 2 * views.total_buffer_bytes_used().saturating_add(SLACK_BYTES);
    if fits && buffers.len() <= BUFFERS_MAX {
        return Arc::clone(array);
    }
    Arc::new(views.gc())
}

fn list(array: &ArrayRef, list: &ListArray) -> ArrayRef {
    let offsets = list.value_offsets();
    let (Some(from), Some(to)) = (offsets.first().copied(), offsets.last().copied()) else {
        return Arc::clone(array);
    };
    let all = list.values();
    let own = all.slice(from as usize, (to - from) as usize);
    let values = compacted(&own);
    if Arc::ptr_eq(&values, &own) {
        return Arc::clone(array);
    }
    let DataType::List(field) = list.data_type() else { return Arc::clone(array) };
    let offsets: Vec<i32> = offsets.iter().map(|offset| offset - from).collect();
    let offsets = OffsetBuffer::new(offsets.into());
    match ListArray::try_new(Arc::clone(field), offsets, values, list.nulls().cloned()) {
        Ok(list) => Arc::new(list),
        Err(_) => Arc::clone(array),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use arrow::compute::concat;

    use super::*;

    const TEXT: &str = "a text that does not fit into a view";

    fn buffers(array: &ArrayRef) -> (usize, usize) {
        let buffers = array.as_string_view().data_buffers();
        (buffers.len(), buffers.iter().map(|buffer| buffer.len()).sum())
    }

    #[test]
    fn one_row_of_many_holds_its_own_text() {
        let texts = (0..5000).map(|at| format!("{TEXT} {at}"));
        let all: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let batch = RecordBatch::try_from_iter([("t", all.slice(4000, 1))]).unwrap();
        let kept = compact(batch.clone()).unwrap();
        assert_eq!(kept, batch);
        assert!(buffers(kept.column(0)).1 < 100, "{:?}", buffers(kept.column(0)));
    }

    #[test]
    fn rows_that_came_one_by_one_share_a_buffer() {
        let parts: Vec<ArrayRef> = (0..1000)
            .map(|at| Arc::new(StringViewArray::from(vec![format!("{TEXT} {at}")])) as ArrayRef)
            .collect();
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let all = concat(&parts).unwrap();
        assert_eq!(buffers(&all).0, 1000);
        let batch = RecordBatch::try_from_iter([("t", all)]).unwrap();
        let kept = compact(batch.clone()).unwrap();
        assert_eq!(kept, batch);
        assert!(buffers(kept.column(0)).0 <= BUFFERS_MAX);
    }

    #[test]
    fn what_is_compact_is_not_copied() {
        let texts = (0..5000).map(|at| format!("{TEXT} {at}"));
        let all: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let all: ArrayRef = Arc::new(all.as_string_view().gc());
        assert!(Arc::ptr_eq(&compacted(&all), &all));
    }

    #[test]
    fn elements_of_lists_are_texts_too() {
        let mut builder = arrow::array::ListBuilder::new(arrow::array::StringViewBuilder::new());
        for at in 0..3000 {
            builder.values().append_value(format!("{TEXT} {at}"));
            builder.append(at % 5 != 0);
        }
        let all: ArrayRef = Arc::new(builder.finish());
        let one = all.slice(1001, 2);
        let kept = compacted(&one);
        assert_eq!(&kept, &one);
        let values = kept.as_list::<i32>().values();
        assert!(buffers(values).1 < 200, "{:?}", buffers(values));
    }
}
