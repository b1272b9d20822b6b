//! A chunk as a Parquet file of one row group.
//!
//! The columns are the table's, after a column `graphwire.row_id` where the ids are not consecutive (or there is no
//! column at all). Types that Parquet has not, intervals and decimals with unusual scales, are stored as fixed-width
//! bytes. The manifest has a checksum for each column's bytes and one for all others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, ListArray, RecordBatch, UInt64Array, make_array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::storage::error::StorageError;
use crate::storage::fs::FileSystem;
use crate::storage::manifest::{StoredColumn, StoredFile};
use crate::storage::table::{Chunk, RowIds};

/// What chunk files are called, after their number.
pub(crate) const CHUNK_SUFFIX: &str = ".parquet";
const ROW_ID_COLUMN: &str = "graphwire.row_id";

/// The path of a chunk file.
pub(crate) fn chunk_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(crate::storage::recovery::CHUNKS_DIR).join(format!("{number}{CHUNK_SUFFIX}"))
}

/// How a column's type is stored.
fn stored_type(data_type: &DataType) -> DataType {
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
fn reinterpret(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, StorageError> {
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

fn row_id_field() -> Field {
    Field::new(ROW_ID_COLUMN, DataType::UInt64, false)
}

/// Writes a chunk's columns to a new file and syncs it; its name is durable when the directory is synced.
///
/// # Errors
/// `53100` if there is no room.
pub(crate) fn write_chunk(
    fs: &dyn FileSystem,
    dir: &Path,
    number: u64,
    chunk: &Chunk,
    schema: &SchemaRef,
) -> Result<StoredFile, StorageError> {
    let (bytes, metadata) = encode(chunk, schema).map_err(|error| of_parquet(&error))?;
    let mut columns = Vec::new();
    let mut rest = crc32fast::Hasher::new();
    let mut at = 0;
    let group = metadata.row_groups().first();
    for column in group.map_or(&[][..], |group| group.columns()) {
        let (offset, length) = column.byte_range();
        let (start, end) = (offset as usize, (offset + length) as usize);
        rest.update(&bytes[at..start]);
        let crc = crc32fast::hash(&bytes[start..end]);
        columns.push(StoredColumn { offset, length, crc, nulls: 0, bounds: Vec::new() });
        at = end;
    }
    rest.update(&bytes[at..]);
    let ids = usize::from(has_ids(chunk, schema));
    for (stored, column) in columns.iter_mut().skip(ids).zip(chunk.batch.columns()) {
        stored.nulls = column.logical_null_count() as u64;
    }
    let file = fs.create(&chunk_path(dir, number))?;
    file.write_at(0, &bytes)?;
    file.sync()?;
    let length = bytes.len() as u64;
    Ok(StoredFile { number, length, rest_crc: rest.finalize(), columns })
}

fn of_parquet(error: &ParquetError) -> StorageError {
    StorageError::Arrow(arrow::error::ArrowError::ParquetError(error.to_string()))
}

/// Whether the ids are a column of the file.
fn has_ids(chunk: &Chunk, schema: &SchemaRef) -> bool {
    schema.fields().is_empty() || matches!(chunk.rows, RowIds::Sorted(_))
}

fn encode(chunk: &Chunk, schema: &SchemaRef) -> Result<(Vec<u8>, ParquetMetaData), ParquetError> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    if has_ids(chunk, schema) {
        fields.push(row_id_field());
        columns.push(Arc::new(chunk.row_id_array()));
    }
    for (field, column) in schema.fields().iter().zip(chunk.batch.columns()) {
        let ty = stored_type(field.data_type());
        let stored =
            reinterpret(column, &ty).map_err(|error| ParquetError::General(error.to_string()))?;
        // NOT NULL is the catalog's business, and may come and go.
        fields.push(Field::new(field.name(), ty, true));
        columns.push(stored);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    let metadata = writer.close()?;
    Ok((bytes, metadata))
}

/// Reads a chunk file and checks every byte of it against the checksums.
///
/// # Errors
/// `XX001` if it is not what was written.
pub(crate) fn read_chunk(
    fs: &dyn FileSystem,
    dir: &Path,
    file: &StoredFile,
    first: Option<u64>,
    schema: &SchemaRef,
    rows: usize,
) -> Result<(RecordBatch, RowIds), StorageError> {
    let path = chunk_path(dir, file.number);
    let corrupt = |reason: &str| StorageError::corrupt(&path, reason);
    let bytes = fs.read(&path)?;
    check(&bytes, file).map_err(|reason| corrupt(&reason))?;
    let batch = decode(Bytes::from(bytes)).map_err(|error| corrupt(&error.to_string()))?;
    let ids = usize::from(first.is_none() || schema.fields().is_empty());
    if batch.num_rows() != rows || batch.num_columns() != schema.fields().len() + ids {
        return Err(corrupt("it does not have the rows and columns that the manifest says"));
    }
    let row_ids = match first {
        Some(first) => RowIds::Range(first),
        None => {
            let column = batch.column(0).as_any().downcast_ref::<UInt64Array>();
            let values = column.ok_or_else(|| corrupt("it has no row ids"))?.values();
            if !values.is_sorted() {
                return Err(corrupt("its row ids are not in order"));
            }
            RowIds::of_numbers(values.to_vec())
        }
    };
    let columns = schema
        .fields()
        .iter()
        .zip(&batch.columns()[ids..])
        .map(|(field, column)| reinterpret(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    // Deleted rows may have nulls that a later NOT NULL forbids.
    let is_fit = |(field, column): (&Arc<Field>, &ArrayRef)| {
        field.is_nullable() || column.logical_null_count() == 0
    };
    let schema = if schema.fields().iter().zip(&columns).all(is_fit) {
        Arc::clone(schema)
    } else {
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    let batch = RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| corrupt(&error.to_string()))?;
    Ok((batch, row_ids))
}

fn check(bytes: &[u8], file: &StoredFile) -> Result<(), String> {
    if bytes.len() as u64 != file.length {
        return Err(format!("it has {} bytes, not {}", bytes.len(), file.length));
    }
    let mut rest = crc32fast::Hasher::new();
    let mut at = 0;
    for (number, column) in file.columns.iter().enumerate() {
        let start = usize::try_from(column.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(column.length).unwrap_or(usize::MAX));
        let (Some(between), Some(content)) = (bytes.get(at..start), bytes.get(start..end)) else {
            return Err(format!("column {number} is not inside of it"));
        };
        rest.update(between);
        if crc32fast::hash(content) != column.crc {
            return Err(format!("the checksum of column {number} does not match"));
        }
        at = end;
    }
    rest.update(bytes.get(at..).unwrap_or_default());
    if rest.finalize() == file.rest_crc {
        Ok(())
    } else {
        Err("the checksum of its description does not match".to_owned())
    }
}

fn decode(bytes: Bytes) -> Result<RecordBatch, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let schema = Arc::clone(builder.schema());
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let reader = builder.with_batch_size(rows.max(1)).build()?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    match batches.as_slice() {
        [only] => Ok(only.clone()),
        many => Ok(arrow::compute::concat_batches(&schema, many)?),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Decimal128Array, Int32Array, IntervalMonthDayNanoArray, StringViewArray,
        new_null_array,
    };
    use arrow::datatypes::IntervalMonthDayNano;

    use super::*;
    use crate::storage::fs::simulated::SimulatedFileSystem;

    fn rows(rows: usize) -> RecordBatch {
        let numbers = 0..rows as i32;
        let interval = |at: i32| (at % 3 != 0).then(|| IntervalMonthDayNano::new(at, -at, 7));
        let intervals: ArrayRef =
            Arc::new(IntervalMonthDayNanoArray::from_iter(numbers.clone().map(interval)));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths(vec![1; rows]);
        let element = Arc::new(Field::new_list_field(intervals.data_type().clone(), true));
        let lists = ListArray::new(element, offsets, Arc::clone(&intervals), None);
        let decimals = Decimal128Array::from_iter(numbers.clone().map(|at| Some(i128::from(at))));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter(numbers.clone().map(|at| (at != 1).then_some(at)))),
            Arc::new(StringViewArray::from_iter_values(numbers.clone().map(|at| format!("{at}")))),
            intervals,
            Arc::new(lists),
            Arc::new(decimals.with_precision_and_scale(10, -2).unwrap()),
            Arc::new(BooleanArray::from_iter(numbers.map(|at| Some(at % 2 == 0)))),
            new_null_array(&DataType::Utf8View, rows),
        ];
        let named = columns.into_iter().enumerate();
        RecordBatch::try_from_iter_with_nullable(
            named.map(|(at, column)| (format!("c{at}"), column, true)),
        )
        .unwrap()
    }

    fn round_trip(chunk: &Chunk) {
        let (fs, dir) = (SimulatedFileSystem::new(1), Path::new("/data"));
        let schema = chunk.batch.schema();
        let file = write_chunk(&fs, dir, 1, chunk, &schema).unwrap();
        let first = match &chunk.rows {
            RowIds::Range(first) => Some(*first),
            RowIds::Sorted(_) => None,
        };
        let (batch, ids) = read_chunk(&fs, dir, &file, first, &schema, chunk.len()).unwrap();
        assert_eq!(batch, chunk.batch);
        let read = Chunk::with_rows(batch, ids, None);
        assert_eq!(read.row_id_array(), chunk.row_id_array());
    }

    #[test]
    fn chunks_come_back() {
        let rows = rows(1000);
        let ids = |count| RowIds::of_numbers((0..count).map(|at| at * 3).collect());
        round_trip(&Chunk::with_rows(rows.clone(), RowIds::Range(7), None));
        round_trip(&Chunk::with_rows(rows.clone(), ids(1000), None));
        round_trip(&Chunk::with_rows(rows.slice(13, 100), ids(100), None));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(5));
        let schema = Arc::new(Schema::empty());
        let no_columns = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
        round_trip(&Chunk::with_rows(no_columns.clone(), ids(5), None));
        round_trip(&Chunk::with_rows(no_columns, RowIds::Range(9), None));
    }
}
