//! A batch of rows as bytes, column by column: what the log holds, and the manifest's smallest and largest values.
//!
//! ```text
//! batch    rows:varint  column for each field of the table's schema, in order
//! column   class:u8  [validity]  body
//!          class & 0x80: validity follows, ⌈rows/8⌉ bytes, lowest bit first, a set bit is a value that is not null
//!
//! class    body
//!   0      nothing: every value is null
//!   1      boolean      ⌈rows/8⌉ bytes, lowest bit first
//!   2      fixed width  width:varint, rows × width bytes, little-endian; a null value has any bytes
//!   3      bytes        rows × length:varint, then the bytes of all values; a null value has length 0
//!   4      list         rows × length:varint, then a column of the elements of all lists
//! ```
//!
//! The schema is not part of it: the reader must have the one it was written with.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryViewBuilder, RecordBatch, RecordBatchOptions,
    StringViewBuilder, make_array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

mod builder;

pub(crate) use builder::RowsBuilder;

use super::codec::{Malformed, Reader, put_varint};

/// More rows than any batch that is written has.
const ROWS_MAX: usize = 1 << 20;

const CLASS_NULL: u8 = 0;
const CLASS_BOOLEAN: u8 = 1;
const CLASS_FIXED: u8 = 2;
const CLASS_BYTES: u8 = 3;
const CLASS_LIST: u8 = 4;
const HAS_NULLS: u8 = 0x80;

/// Appends a batch of at most 2^20 rows. Columns of another representation than the schema's are cast first.
///
/// # Errors
/// An Arrow error if a column cannot be cast to its field's type, or the type is not one graphwire stores.
pub(crate) fn put_batch(
    out: &mut Vec<u8>,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<(), ArrowError> {
    if batch.num_columns() != schema.fields().len() || batch.num_rows() > ROWS_MAX {
        return Err(ArrowError::InvalidArgumentError("batch does not fit its table".to_owned()));
    }
    put_varint(out, batch.num_rows() as u64);
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if column.data_type() == field.data_type() {
            put_column(out, column)?;
        } else {
            put_column(out, &cast(column, field.data_type())?)?;
        }
    }
    Ok(())
}

fn put_column(out: &mut Vec<u8>, column: &ArrayRef) -> Result<(), ArrowError> {
    let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    if nulls.as_ref().is_some_and(|nulls| nulls.null_count() == column.len()) {
        out.push(CLASS_NULL);
        return Ok(());
    }
    let flag = if nulls.is_some() { HAS_NULLS } else { 0 };
    let class = class_of(column.data_type())?;
    out.push(class.tag() | flag);
    if let Some(nulls) = &nulls {
        put_bits(out, nulls.inner());
    }
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    match class {
        Class::Boolean => put_bits(out, column.as_boolean().values()),
        Class::Fixed(width) => {
            put_varint(out, width as u64);
            let data = column.to_data();
            let from = data.offset() * width;
            let bytes = data.buffers().first().map_or(&[][..], |buffer| buffer.as_slice());
            out.extend_from_slice(&bytes[from..from + data.len() * width]);
        }
        Class::Text => {
            let values = column.as_string_view();
            put_values(out, column.len(), |row| {
                if is_null(row) { &[] } else { values.value(row).as_bytes() }
            });
        }
        Class::Bytes => {
            let values = column.as_binary_view();
            put_values(out, column.len(), |row| if is_null(row) { &[] } else { values.value(row) });
        }
        Class::List => {
            let lists = column.as_list::<i32>();
            let mut elements = Vec::new();
            for row in 0..lists.len() {
                if is_null(row) {
                    put_varint(out, 0);
                } else {
                    let list = lists.value(row);
                    put_varint(out, list.len() as u64);
                    elements.push(list);
                }
            }
            let parts: Vec<&dyn Array> = elements.iter().map(AsRef::as_ref).collect();
            let all = match parts.as_slice() {
                [] => arrow::array::new_empty_array(&lists.value_type()),
                parts => arrow::compute::concat(parts)?,
            };
            put_varint(out, all.len() as u64);
            put_column(out, &all)?;
        }
    }
    Ok(())
}

fn put_bits(out: &mut Vec<u8>, bits: &BooleanBuffer) {
    let packed = bits.sliced();
    let start = out.len();
    out.extend_from_slice(&packed.as_slice()[..bits.len().div_ceil(8)]);
    // The bits past the end belong to nobody; equal batches must give equal bytes.
    if !bits.len().is_multiple_of(8)
        && let Some(last) = out[start..].last_mut()
    {
        *last &= (1 << (bits.len() % 8)) - 1;
    }
}

fn put_values<'a>(out: &mut Vec<u8>, rows: usize, value: impl Fn(usize) -> &'a [u8]) {
    for row in 0..rows {
        put_varint(out, value(row).len() as u64);
    }
    for row in 0..rows {
        out.extend_from_slice(value(row));
    }
}

/// How the values of a type are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Boolean,
    Fixed(usize),
    Text,
    Bytes,
    List,
}

impl Class {
    fn tag(self) -> u8 {
        match self {
            Self::Boolean => CLASS_BOOLEAN,
            Self::Fixed(_) => CLASS_FIXED,
            Self::Text | Self::Bytes => CLASS_BYTES,
            Self::List => CLASS_LIST,
        }
    }
}

fn class_of(data_type: &DataType) -> Result<Class, ArrowError> {
    match data_type {
        DataType::Boolean => Ok(Class::Boolean),
        DataType::Utf8View => Ok(Class::Text),
        DataType::BinaryView => Ok(Class::Bytes),
        DataType::List(_) => Ok(Class::List),
        DataType::FixedSizeBinary(width) => usize::try_from(*width)
            .map(Class::Fixed)
            .map_err(|_| ArrowError::SchemaError(format!("cannot store {data_type}"))),
        other => other
            .primitive_width()
            .map(Class::Fixed)
            .ok_or_else(|| ArrowError::SchemaError(format!("cannot store {other}"))),
    }
}

/// Reads a batch of this schema.
///
/// # Errors
/// [`Malformed`] if the bytes are not what [`put_batch`] writes for the schema.
pub(crate) fn read_batch(
    reader: &mut Reader<'_>,
    schema: &SchemaRef,
) -> Result<RecordBatch, Malformed> {
    let rows = usize::try_from(reader.varint()?).map_err(|_| reader.malformed())?;
    if rows > ROWS_MAX {
        return Err(reader.malformed());
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| read_column(reader, field.data_type(), rows))
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|_| reader.malformed())
}

fn read_column(
    reader: &mut Reader<'_>,
    data_type: &DataType,
    rows: usize,
) -> Result<ArrayRef, Malformed> {
    let tag = reader.u8()?;
    if tag == CLASS_NULL {
        return Ok(new_null_array(data_type, rows));
    }
    let class = class_of(data_type).map_err(|_| reader.malformed())?;
    if tag & !HAS_NULLS != class.tag() {
        return Err(reader.malformed());
    }
    let nulls = match tag & HAS_NULLS {
        0 => None,
        _ => Some(NullBuffer::new(read_bits(reader, rows)?)),
    };
    let data = ArrayData::builder(data_type.clone()).len(rows).nulls(nulls.clone());
    let data = match class {
        Class::Boolean => data.add_buffer(read_bits(reader, rows)?.into_inner()),
        Class::Fixed(width) => {
            let stored = reader.varint()?;
            if stored != width as u64 {
                return Err(reader.malformed());
            }
            let bytes = rows.checked_mul(width).ok_or(reader.malformed())?;
            data.add_buffer(Buffer::from_slice_ref(reader.take(bytes)?))
        }
        Class::Text => return read_text(reader, rows, nulls.as_ref()),
        Class::Bytes => return read_bytes(reader, rows, nulls.as_ref()),
        Class::List => {
            let DataType::List(element) = data_type else { return Err(reader.malformed()) };
            let (offsets, elements) = read_elements(reader, element.data_type(), rows)?;
            data.add_buffer(offsets).add_child_data(elements.to_data())
        }
    };
    data.build().map(make_array).map_err(|_| reader.malformed())
}

fn read_bits(reader: &mut Reader<'_>, rows: usize) -> Result<BooleanBuffer, Malformed> {
    let bytes = reader.take(rows.div_ceil(8))?;
    Ok(BooleanBuffer::new(Buffer::from_slice_ref(bytes), 0, rows))
}

fn read_lengths(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<usize>, Malformed> {
    if rows > reader.remaining() {
        return Err(reader.malformed());
    }
    (0..rows).map(|_| usize::try_from(reader.varint()?).map_err(|_| reader.malformed())).collect()
}

fn read_text(
    reader: &mut Reader<'_>,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<ArrayRef, Malformed> {
    let lengths = read_lengths(reader, rows)?;
    let mut builder = StringViewBuilder::with_capacity(rows);
    for (row, length) in lengths.into_iter().enumerate() {
        let value = std::str::from_utf8(reader.take(length)?).map_err(|_| reader.malformed())?;
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            builder.append_null();
        } else {
            builder.try_append_value(value).map_err(|_| reader.malformed())?;
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn read_bytes(
    reader: &mut Reader<'_>,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<ArrayRef, Malformed> {
    let lengths = read_lengths(reader, rows)?;
    let mut builder = BinaryViewBuilder::with_capacity(rows);
    for (row, length) in lengths.into_iter().enumerate() {
        let value = reader.take(length)?;
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            builder.append_null();
        } else {
            builder.try_append_value(value).map_err(|_| reader.malformed())?;
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Offsets of lists, and the elements of all of them.
fn read_elements(
    reader: &mut Reader<'_>,
    element: &DataType,
    rows: usize,
) -> Result<(Buffer, ArrayRef), Malformed> {
    let lengths = read_lengths(reader, rows)?;
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut end = 0i32;
    offsets.push(end);
    for length in lengths {
        let length = i32::try_from(length).map_err(|_| reader.malformed())?;
        end = end.checked_add(length).ok_or(reader.malformed())?;
        offsets.push(end);
    }
    let count = reader.varint()?;
    let end = usize::try_from(end).map_err(|_| reader.malformed())?;
    if count != end as u64 {
        return Err(reader.malformed());
    }
    let elements = read_column(reader, element, end)?;
    Ok((ScalarBuffer::from(offsets).into_inner(), elements))
}

#[cfg(test)]
mod tests;
