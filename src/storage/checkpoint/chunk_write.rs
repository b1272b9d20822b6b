//! A chunk as a Parquet file.
//!
//! ```text
//! "PAR1"
//! row groups    of as many rows each, a column's bytes one after the other
//! key indexes   of keys that do not ascend with the rows: pages (see `key_pages`); Parquet readers pass over them
//! footer        Parquet's own, with a checksum for each column of each group under the name `graphwire.crc32`:
//!               eight hexadecimal digits each, group by group
//! ```
//!
//! The columns are the table's, after a column `graphwire.row_id` where the ids are not consecutive (or there is no
//! column at all). The manifest has the footer's place and checksum, so every byte is checked before it is used.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::stored_type::{reinterpret, stored_type};
use crate::storage::batch::put_batch;
use crate::storage::cache::array_bytes;
use crate::storage::error::StorageError;
use crate::storage::manifest::{FileChecks, StoredFile, StoredHashes, StoredKey, StoredZones};
use crate::storage::table::{Chunk, EncodedKeys, KeyIndex, key_pages};

const ROW_ID_COLUMN: &str = "graphwire.row_id";
pub(super) const CRC_KEY: &str = "graphwire.crc32";
/// Rows that are read together at most.
const BLOCK_ROWS_MAX: usize = 16_384;
/// Bytes of a column that are read together, about, where values are wide.
const BLOCK_BYTES_SOFT: usize = 4 << 20;
/// A text or byte string longer than this is not kept as a bound.
const BOUND_BYTES_MAX: usize = 64;

/// A chunk as it is to be stored.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) file: StoredFile,
    pub(super) keys: Vec<StoredKey>,
    pub(super) zones: StoredZones,
}

/// Makes the file of a chunk, with indexes of `keys`. All files of a store hash keys with one seed, so that many keys have
/// one order in all of them.
///
/// # Errors
/// An Arrow error for types that are not stored; those of reading the rows, if they are in a file.
pub(super) fn encode_chunk(
    (number, seed): (u64, u64),
    chunk: &Chunk,
    schema: &SchemaRef,
    keys: &[Vec<usize>],
) -> Result<Written, StorageError> {
    let batch = chunk.batch()?;
    let keys = keys.iter().filter(|columns| {
        let known = columns.iter().all(|column| *column < batch.num_columns());
        known && columns.iter().all(|at| KeyIndex::supports(batch.column(*at).data_type()))
    });
    let block_rows = block_rows(&batch);
    let (bytes, footer, keys) =
        write(seed, chunk, &batch, schema, (block_rows, keys.cloned().collect()))?;
    let crc = crc32fast::hash(bytes.get(footer..).unwrap_or_default());
    let checks = FileChecks::Footer { offset: footer as u64, crc, block_rows };
    let file = StoredFile { number, length: bytes.len() as u64, checks };
    Ok(Written { bytes, file, keys, zones: zones(&batch, schema)? })
}

fn of_parquet(error: ParquetError) -> StorageError {
    StorageError::Arrow(ArrowError::ParquetError(error.to_string()))
}

/// Whether the ids are a column of the file.
pub(super) fn has_ids(schema: &SchemaRef, consecutive: bool) -> bool {
    schema.fields().is_empty() || !consecutive
}

fn block_rows(batch: &RecordBatch) -> usize {
    let rows = batch.num_rows().max(1);
    let widest = batch.columns().iter().map(|column| array_bytes(column.as_ref()) / rows).max();
    (BLOCK_BYTES_SOFT / widest.unwrap_or(1).max(1)).clamp(64, BLOCK_ROWS_MAX)
}

/// The columns as Parquet has them.
fn stored_batch(
    chunk: &Chunk,
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, StorageError> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    if has_ids(schema, chunk.first_id().is_some()) {
        fields.push(Field::new(ROW_ID_COLUMN, DataType::UInt64, false));
        columns.push(Arc::new(chunk.row_id_array(0, chunk.len())?));
    }
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let ty = stored_type(field.data_type());
        columns.push(reinterpret(column, &ty)?);
        // NOT NULL is the catalog's business, and may come and go.
        fields.push(Field::new(field.name(), ty, true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The bytes of the file, where its footer begins, and the indexes in it.
fn write(
    seed: u64,
    chunk: &Chunk,
    batch: &RecordBatch,
    schema: &SchemaRef,
    (block_rows, keys): (usize, Vec<Vec<usize>>),
) -> Result<(Vec<u8>, usize, Vec<StoredKey>), StorageError> {
    let stored = stored_batch(chunk, batch, schema)?;
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(of_parquet)?))
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, stored.schema(), Some(properties)).map_err(of_parquet)?;
    let mut crcs = String::new();
    for from in (0..stored.num_rows()).step_by(block_rows) {
        let rows = stored.slice(from, block_rows.min(stored.num_rows() - from));
        writer.write(&rows).map_err(of_parquet)?;
        writer.flush().map_err(of_parquet)?;
        writer.sync().map_err(|error| of_parquet(error.into()))?;
        let columns = writer.flushed_row_groups().last().map_or(&[][..], |group| group.columns());
        for column in columns {
            let (offset, length) = column.byte_range();
            let content = writer.inner().get(offset as usize..(offset + length) as usize);
            let crc = crc32fast::hash(content.unwrap_or_default());
            crcs.push_str(&format!("{crc:08x}"));
        }
    }
    let mut stored_keys = Vec::with_capacity(keys.len());
    let mut at = writer.bytes_written() as u64;
    for columns in keys {
        let (key, pages) = stored_key(batch, columns, seed, at)?;
        writer.write_all(&pages).map_err(|error| of_parquet(error.into()))?;
        at += pages.len() as u64;
        stored_keys.push(key);
    }
    writer.append_key_value_metadata(KeyValue::new(CRC_KEY.to_owned(), crcs));
    writer.close().map_err(of_parquet)?;
    Ok((bytes, at as usize, stored_keys))
}

/// What is stored of a key, and the pages of its index; none if the keys ascend, as they can be searched then.
fn stored_key(
    batch: &RecordBatch,
    columns: Vec<usize>,
    seed: u64,
    offset: u64,
) -> Result<(StoredKey, Vec<u8>), StorageError> {
    let encoded = EncodedKeys::encode(batch, &columns)?;
    let range = encoded.range().map(|(least, greatest)| (least.into(), greatest.into()));
    let mut pages = Vec::new();
    let ascend = (1..encoded.len()).all(|row| encoded.encoded(row - 1) <= encoded.encoded(row));
    let hashes = (!ascend).then(|| {
        let count =
            key_pages::put_pages(&mut pages, seed, encoded.len(), |row| encoded.encoded(row));
        StoredHashes { offset, pages: count, seed }
    });
    Ok((StoredKey { columns, range, hashes }, pages))
}

/// The least and the greatest value of each column, and how many are null.
fn zones(batch: &RecordBatch, schema: &SchemaRef) -> Result<StoredZones, StorageError> {
    let nulls = batch.columns().iter().map(|column| column.logical_null_count() as u64).collect();
    let bounds = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        let bounds = bounds_of(column)?;
        match bounds.data_type() == field.data_type() {
            true => Ok(bounds),
            false => arrow::compute::cast(&bounds, field.data_type()),
        }
    });
    let bounds = bounds.collect::<Result<Vec<_>, ArrowError>>()?;
    let schema = nullable(schema);
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(2));
    let bounds = RecordBatch::try_new_with_options(Arc::clone(&schema), bounds, &options)?;
    let mut bytes = Vec::new();
    put_batch(&mut bytes, &schema, &bounds)?;
    Ok(StoredZones { nulls, bounds: bytes })
}

/// The same columns, all of which may be null.
pub(crate) fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Two values: the least and the greatest that are not null; null where nothing is known.
fn bounds_of(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let unknown = || arrow::array::new_null_array(column.data_type(), 2);
    if matches!(column.data_type(), DataType::List(_) | DataType::Interval(_)) {
        return Ok(unknown());
    }
    let first = |descending| {
        let options = SortOptions { descending, nulls_first: false };
        sort_to_indices(column, Some(options), Some(1))
    };
    let (Ok(least), Ok(greatest)) = (first(false), first(true)) else { return Ok(unknown()) };
    let (Some(least), Some(greatest)) = (least.values().first(), greatest.values().first()) else {
        return Ok(unknown());
    };
    let bounds = take(column, &UInt32Array::from(vec![*least, *greatest]), None)?;
    let is_short = |row| array_bytes(bounds.slice(row, 1).as_ref()) <= BOUND_BYTES_MAX + 16;
    Ok(if is_short(0) && is_short(1) { bounds } else { unknown() })
}
