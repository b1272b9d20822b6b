//! Rows of many stored batches gathered into one: what replay does with commits of a row or two.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, BinaryViewBuilder, BooleanBufferBuilder, NullBufferBuilder,
    RecordBatch, RecordBatchOptions, StringViewBuilder, make_array, new_null_array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::{
    CLASS_NULL, Class, HAS_NULLS, ROWS_MAX, class_of, read_bits, read_column, read_lengths,
};
use crate::storage::checkpoint::nullable;
use crate::storage::codec::{Malformed, Reader};

/// Rows as they come in, column by column.
#[derive(Debug)]
pub(crate) struct RowsBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
struct ColumnBuilder {
    data_type: DataType,
    values: Values,
}

enum Values {
    Boolean(BooleanBufferBuilder, NullBufferBuilder),
    Fixed(usize, Vec<u8>, NullBufferBuilder),
    Text(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    Lists(Vec<ArrayRef>),
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

impl RowsBuilder {
    /// Rows of this schema, none yet.
    ///
    /// # Errors
    /// An Arrow error for a type that is not stored.
    pub(crate) fn new(schema: &SchemaRef) -> Result<Self, ArrowError> {
        let columns = schema.fields().iter().map(|field| {
            let values = match class_of(field.data_type())? {
                Class::Boolean => {
                    Values::Boolean(BooleanBufferBuilder::new(0), NullBufferBuilder::new(0))
                }
                Class::Fixed(width) => Values::Fixed(width, Vec::new(), NullBufferBuilder::new(0)),
                Class::Text => Values::Text(StringViewBuilder::new()),
                Class::Bytes => Values::Bytes(BinaryViewBuilder::new()),
                Class::List => Values::Lists(Vec::new()),
            };
            Ok(ColumnBuilder { data_type: field.data_type().clone(), values })
        });
        let columns = columns.collect::<Result<_, ArrowError>>()?;
        Ok(Self { schema: Arc::clone(schema), columns, rows: 0, bytes: 0 })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that were read.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in the rows of a batch; how many.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no batch of the schema.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<usize, Malformed> {
        let before = reader.remaining();
        let rows = usize::try_from(reader.varint()?).map_err(|_| reader.malformed())?;
        if rows > ROWS_MAX {
            return Err(reader.malformed());
        }
        for column in &mut self.columns {
            column.read(reader, rows)?;
        }
        self.rows += rows;
        self.bytes += before - reader.remaining();
        Ok(rows)
    }

    /// All rows, in the order they came in.
    ///
    /// # Errors
    /// An Arrow error if they do not fit the schema.
    pub(crate) fn finish(self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.into_iter().map(ColumnBuilder::finish);
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let fits = self.schema.fields().iter().zip(&columns);
        let fits = fits
            .into_iter()
            .all(|(field, column)| field.is_nullable() || column.logical_null_count() == 0);
        // An image that was replaced later may have had nulls that a NOT NULL forbids now.
        let schema = if fits { self.schema } else { nullable(&self.schema) };
        RecordBatch::try_new_with_options(schema, columns, &options)
    }
}

impl ColumnBuilder {
    fn read(&mut self, reader: &mut Reader<'_>, rows: usize) -> Result<(), Malformed> {
        if let Values::Lists(lists) = &mut self.values {
            lists.push(read_column(reader, &self.data_type, rows)?);
            return Ok(());
        }
        let tag = reader.u8()?;
        if tag == CLASS_NULL {
            self.nulls(rows);
            return Ok(());
        }
        let class = class_of(&self.data_type).map_err(|_| reader.malformed())?;
        if tag & !HAS_NULLS != class.tag() {
            return Err(reader.malformed());
        }
        let valid = match tag & HAS_NULLS {
            0 => None,
            _ => Some(read_bits(reader, rows)?),
        };
        let is_valid = |row: usize| valid.as_ref().is_none_or(|valid| valid.value(row));
        let validity = |nulls: &mut NullBufferBuilder| match &valid {
            None => nulls.append_n_non_nulls(rows),
            Some(valid) => valid.iter().for_each(|valid| nulls.append(valid)),
        };
        match &mut self.values {
            Values::Boolean(values, nulls) => {
                values.append_buffer(&read_bits(reader, rows)?);
                validity(nulls);
            }
            Values::Fixed(width, bytes, nulls) => {
                if reader.varint()? != *width as u64 {
                    return Err(reader.malformed());
                }
                let length = rows.checked_mul(*width).ok_or(reader.malformed())?;
                bytes.extend_from_slice(reader.take(length)?);
                validity(nulls);
            }
            Values::Text(values) => {
                for (row, length) in read_lengths(reader, rows)?.into_iter().enumerate() {
                    let value = std::str::from_utf8(reader.take(length)?);
                    let value = value.map_err(|_| reader.malformed())?;
                    values.append_option(is_valid(row).then_some(value));
                }
            }
            Values::Bytes(values) => {
                for (row, length) in read_lengths(reader, rows)?.into_iter().enumerate() {
                    let value = reader.take(length)?;
                    values.append_option(is_valid(row).then_some(value));
                }
            }
            Values::Lists(_) => {}
        }
        Ok(())
    }

    fn nulls(&mut self, rows: usize) {
        match &mut self.values {
            Values::Boolean(values, nulls) => {
                values.append_n(rows, false);
                nulls.append_n_nulls(rows);
            }
            Values::Fixed(width, bytes, nulls) => {
                bytes.resize(bytes.len() + rows * *width, 0);
                nulls.append_n_nulls(rows);
            }
            Values::Text(values) => (0..rows).for_each(|_| values.append_null()),
            Values::Bytes(values) => (0..rows).for_each(|_| values.append_null()),
            Values::Lists(lists) => lists.push(new_null_array(&self.data_type, rows)),
        }
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let data = ArrayData::builder(self.data_type.clone());
        let data = match self.values {
            Values::Boolean(mut values, mut nulls) => {
                let values = values.finish();
                data.len(values.len()).nulls(nulls.finish()).add_buffer(values.into_inner())
            }
            Values::Fixed(width, bytes, mut nulls) => {
                let rows = bytes.len().checked_div(width).unwrap_or(0);
                // Copied, as numbers are aligned and bytes are not.
                data.len(rows).nulls(nulls.finish()).add_buffer(Buffer::from_slice_ref(&bytes))
            }
            Values::Text(mut values) => return Ok(Arc::new(values.finish())),
            Values::Bytes(mut values) => return Ok(Arc::new(values.finish())),
            Values::Lists(lists) => {
                let parts: Vec<&dyn Array> = lists.iter().map(AsRef::as_ref).collect();
                return match parts.as_slice() {
                    [] => Ok(arrow::array::new_empty_array(&self.data_type)),
                    parts => arrow::compute::concat(parts),
                };
            }
        };
        Ok(make_array(data.build()?))
    }
}
