//! Types that Parquet has not: intervals and decimals with unusual scales are stored as fixed-width bytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, ListArray, make_array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, IntervalUnit};

use crate::storage::error::StorageError;

/// How a column's type is stored.
pub(super) fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Interval(IntervalUnit::MonthDayNano) => DataType::FixedSizeBinary(16),
        DataType::Decimal128(precision, scale) if !is_usual(*precision, *scale) => {
            DataType::FixedSizeBinary(16)
        }
        DataType::Decimal256(precision, scale) if !is_usual(*precision, *scale) => {
            DataType::FixedSizeBinary(32)
        }
        DataType::List(element) => {
            DataType::List(Arc::new(Field::new_list_field(stored_type(element.data_type()), true)))
        }
        other => other.clone(),
    }
}

fn is_usual(precision: u8, scale: i8) -> bool {
    u8::try_from(scale).is_ok_and(|scale| scale <= precision)
}

/// The same bytes as another type of the same layout: of [`stored_type`], or back.
pub(super) fn reinterpret(
    array: &ArrayRef,
    data_type: &DataType,
) -> Result<ArrayRef, StorageError> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    if let (DataType::List(_), DataType::List(element)) = (array.data_type(), data_type) {
        let lists = array.as_list::<i32>();
        let elements = reinterpret(lists.values(), element.data_type())?;
        let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
        return Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, elements, nulls)?));
    }
    let fixed = matches!(array.data_type(), DataType::FixedSizeBinary(_))
        || matches!(data_type, DataType::FixedSizeBinary(_));
    if !fixed {
        return Ok(arrow::compute::cast(array, data_type)?);
    }
    let width = match (array.data_type(), data_type) {
        (DataType::FixedSizeBinary(width), _) | (_, DataType::FixedSizeBinary(width)) => *width,
        _ => 0,
    };
    let width = usize::try_from(width).unwrap_or(0);
    let data = array.to_data();
    let values = data.buffers().first().map_or(&[][..], |buffer| buffer.as_slice());
    let values = values.get(data.offset() * width..(data.offset() + data.len()) * width);
    // Copied, as numbers are aligned and bytes are not.
    let values = Buffer::from_slice_ref(values.unwrap_or_default());
    let data = ArrayData::builder(data_type.clone())
        .len(data.len())
        .nulls(data.nulls().cloned())
        .add_buffer(values)
        .build()?;
    Ok(make_array(data))
}
