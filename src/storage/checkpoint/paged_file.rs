//! A chunk's Parquet file, read as far as it is asked for. Every byte is checked before it is used.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{SchemaRef, UInt64Type};
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::reader::{ChunkReader, Length};

use super::chunk_store::ChunkStore;
use super::chunk_write::CRC_KEY;
use super::stored_type::reinterpret;
use crate::storage::cache::{BufferCache, Cached, Slots};
use crate::storage::error::StorageError;
use crate::storage::manifest::{FileChecks, StoredFile, StoredHashes, StoredKey};
use crate::storage::reading::may_read;
use crate::storage::table::key_pages::{self, PAGE_BYTES};

const MAGIC: &[u8] = b"PAR1";

/// A chunk's file. It is not removed for as long as this is there.
#[derive(Debug)]
pub(crate) struct PagedFile {
    store: Arc<ChunkStore>,
    pub(crate) stored: StoredFile,
    /// The table's columns when it was written; names and nullability may have changed.
    schema: SchemaRef,
    rows: usize,
    /// Whether row ids are its first column.
    has_ids: bool,
    footer: Arc<Slots<Arc<Footer>>>,
}

/// A file's description of itself.
#[derive(Debug)]
pub(super) struct Footer {
    metadata: ArrowReaderMetadata,
    /// Checksums of columns, group by group.
    crcs: Vec<u32>,
}

impl Cached for Arc<Footer> {
    fn bytes(&self) -> usize {
        self.metadata.metadata().memory_size() + size_of_val(self.crcs.as_slice())
    }

    fn references(&self) -> usize {
        Arc::strong_count(self)
    }
}

/// Bytes of a file from an offset on, as far as they were read.
struct Window {
    offset: u64,
    bytes: Bytes,
    length: u64,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.length
    }
}

impl Window {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF("bytes that were not read".to_owned());
        let from = start.checked_sub(self.offset).ok_or_else(outside)? as usize;
        if from > self.bytes.len() { Err(outside()) } else { Ok(self.bytes.slice(from..)) }
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("bytes that were not read".to_owned()));
        }
        Ok(bytes.slice(..length))
    }
}

impl PagedFile {
    pub(super) fn new(
        store: Arc<ChunkStore>,
        stored: StoredFile,
        schema: SchemaRef,
        rows: usize,
        has_ids: bool,
    ) -> Self {
        Self { store, stored, schema, rows, has_ids, footer: Slots::empty(1) }
    }

    /// Where what is read of it is kept.
    pub(in crate::storage) fn cache(&self) -> &Arc<BufferCache> {
        &self.store.cache
    }

    /// Rows that are read together.
    pub(in crate::storage) fn block_rows(&self) -> usize {
        match &self.stored.checks {
            FileChecks::Columns { .. } => self.rows,
            FileChecks::Footer { block_rows, .. } => *block_rows,
        }
        .max(1)
    }

    fn corrupt(&self, reason: &str) -> StorageError {
        StorageError::corrupt(&self.store.path(self.stored.number), reason)
    }

    fn read(&self, offset: u64, length: u64) -> Result<Bytes, StorageError> {
        let end = offset.checked_add(length).filter(|end| *end <= self.stored.length);
        let (Some(_), Ok(length)) = (end, usize::try_from(length)) else {
            return Err(self.corrupt("something is not inside of it"));
        };
        if length == 0 {
            return Ok(Bytes::new());
        }
        may_read()?;
        self.store.read(self.stored.number, offset, length)
    }

    /// One block of a column, as its field's type.
    ///
    /// # Errors
    /// `XX001` if it is not what was written.
    pub(in crate::storage) fn read_block(
        &self,
        column: usize,
        block: usize,
    ) -> Result<ArrayRef, StorageError> {
        let values = self.read_column(column + usize::from(self.has_ids), block)?;
        reinterpret(&values, self.schema.field(column).data_type())
    }

    /// All row ids, if they are in it.
    ///
    /// # Errors
    /// `XX001` if they are not what was written.
    pub(in crate::storage) fn read_ids(&self) -> Result<Arc<[u64]>, StorageError> {
        if !self.has_ids {
            return Err(self.corrupt("it has no row ids"));
        }
        let mut ids = Vec::with_capacity(self.rows);
        for block in 0..self.rows.div_ceil(self.block_rows()) {
            let values = self.read_column(0, block)?;
            let values = values.as_primitive_opt::<UInt64Type>();
            let values = values.ok_or_else(|| self.corrupt("it has no row ids"))?;
            ids.extend_from_slice(values.values());
        }
        if ids.len() != self.rows || !ids.is_sorted() {
            return Err(self.corrupt("its row ids are not in order"));
        }
        Ok(ids.into())
    }

    /// Some pages of an index that is stored in it.
    ///
    /// # Errors
    /// `XX001` if they are not what was written.
    pub(in crate::storage) fn read_pages(
        &self,
        hashes: StoredHashes,
        page: usize,
        count: usize,
    ) -> Result<Arc<[u8]>, StorageError> {
        let offset = hashes.offset + (page * PAGE_BYTES) as u64;
        let bytes = self.read(offset, (count * PAGE_BYTES) as u64)?;
        if bytes.chunks(PAGE_BYTES).all(key_pages::is_whole) {
            Ok(bytes.as_ref().into())
        } else {
            Err(self.corrupt("the checksum of a page of a key index does not match"))
        }
    }

    /// A column of the file, ids among them, in one of its groups of rows.
    fn read_column(&self, column: usize, group: usize) -> Result<ArrayRef, StorageError> {
        let footer = self.footer()?;
        let parquet = footer.metadata.metadata();
        let missing = || self.corrupt("it does not have the columns that the manifest says");
        let rows = parquet.row_groups().get(group).ok_or_else(missing)?;
        let place = rows.columns().get(column).ok_or_else(missing)?;
        let (offset, length) = place.byte_range();
        let bytes = self.read(offset, length)?;
        let crc = footer.crcs.get(group * rows.columns().len() + column);
        if crc != Some(&crc32fast::hash(&bytes)) {
            return Err(self.corrupt(&format!(
                "the checksum of column {column}, rows {group}, does not match"
            )));
        }
        let window = Window { offset, bytes, length: self.stored.length };
        let count = usize::try_from(rows.num_rows()).unwrap_or(0);
        let values = decode(window, &footer.metadata, column, group, count)
            .map_err(|error| self.corrupt(&error.to_string()))?;
        let expected = self.block_rows().min(self.rows.saturating_sub(group * self.block_rows()));
        if values.len() != expected {
            return Err(self.corrupt("it does not have the rows that the manifest says"));
        }
        Ok(values)
    }

    fn footer(&self) -> Result<Arc<Footer>, StorageError> {
        self.cache().get_or_read(&self.footer, 0, || Ok(Arc::new(self.read_footer()?)))
    }

    fn read_footer(&self) -> Result<Footer, StorageError> {
        may_read()?;
        let length = self.store.length(self.stored.number)?;
        if length != self.stored.length {
            let reason = format!("it has {length} bytes, not {}", self.stored.length);
            return Err(self.corrupt(&reason));
        }
        let offset = self.footer_offset();
        let bytes = self.read(offset, length.saturating_sub(offset))?;
        self.check_footer(&bytes)?;
        let window = Window { offset, bytes, length };
        let read = || {
            let parquet = ParquetMetaDataReader::new().parse_and_finish(&window)?;
            ArrowReaderMetadata::try_new(Arc::new(parquet), ArrowReaderOptions::new())
        };
        let metadata = read().map_err(|error| self.corrupt(&error.to_string()))?;
        let crcs = match &self.stored.checks {
            FileChecks::Columns { columns, .. } => {
                columns.iter().map(|column| column.crc).collect()
            }
            FileChecks::Footer { .. } => {
                crcs_of(&metadata).ok_or_else(|| self.corrupt("it has no checksums"))?
            }
        };
        Ok(Footer { metadata, crcs })
    }

    fn footer_offset(&self) -> u64 {
        match &self.stored.checks {
            FileChecks::Columns { columns, .. } => {
                let ends = columns.iter().map(|column| column.offset.saturating_add(column.length));
                ends.max().unwrap_or(MAGIC.len() as u64)
            }
            FileChecks::Footer { offset, .. } => *offset,
        }
    }

    fn check_footer(&self, bytes: &[u8]) -> Result<(), StorageError> {
        let expected = match &self.stored.checks {
            FileChecks::Footer { crc, .. } => {
                if crc32fast::hash(bytes) == *crc {
                    return Ok(());
                }
                None
            }
            // Format 1 has one checksum for all that is in no column.
            FileChecks::Columns { rest_crc, columns } => {
                let mut rest = crc32fast::Hasher::new();
                let mut at = 0;
                for column in columns {
                    rest.update(&self.read(at, column.offset.saturating_sub(at))?);
                    at = column.offset.saturating_add(column.length);
                }
                rest.update(bytes);
                Some(rest.finalize() == *rest_crc)
            }
        };
        match expected {
            Some(true) => Ok(()),
            Some(false) | None => {
                Err(self.corrupt("the checksum of its description does not match"))
            }
        }
    }

    /// Reads all of it and checks that every byte is what was written.
    ///
    /// # Errors
    /// `XX001` if one is not.
    pub(crate) fn verify(&self, keys: &[StoredKey]) -> Result<(), StorageError> {
        let footer = self.footer()?;
        let groups = footer.metadata.metadata().row_groups();
        let mut covered = MAGIC.len() as u64 + (self.stored.length - self.footer_offset());
        if matches!(self.stored.checks, FileChecks::Footer { .. })
            && self.read(0, MAGIC.len() as u64)? != MAGIC
        {
            return Err(self.corrupt("it does not begin as a Parquet file"));
        }
        for (group, rows) in groups.iter().enumerate() {
            for column in 0..rows.columns().len() {
                self.read_column(column, group)?;
            }
            covered += rows.columns().iter().map(|column| column.byte_range().1).sum::<u64>();
        }
        for hashes in keys.iter().filter_map(|key| key.hashes) {
            self.read_pages(hashes, 0, hashes.pages)?;
            covered += (hashes.pages * PAGE_BYTES) as u64;
        }
        if matches!(self.stored.checks, FileChecks::Footer { .. }) && covered != self.stored.length
        {
            return Err(self.corrupt("it has bytes that belong to nothing"));
        }
        if self.has_ids {
            self.read_ids()?;
        }
        Ok(())
    }
}

fn crcs_of(metadata: &ArrowReaderMetadata) -> Option<Vec<u32>> {
    let pairs = metadata.metadata().file_metadata().key_value_metadata()?;
    let text = pairs.iter().find(|pair| pair.key == CRC_KEY)?.value.as_deref()?;
    let words = text.as_bytes().chunks(8);
    words.map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()).collect()
}

fn decode(
    window: Window,
    metadata: &ArrowReaderMetadata,
    column: usize,
    group: usize,
    rows: usize,
) -> Result<ArrayRef, ParquetError> {
    let mask = ProjectionMask::leaves(metadata.parquet_schema(), [column]);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(window, metadata.clone());
    let builder = builder.with_row_groups(vec![group]).with_projection(mask);
    let reader = builder.with_batch_size(rows.max(1)).build()?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<&ArrayRef> = batches.iter().filter_map(|one| one.columns().first()).collect();
    match columns.as_slice() {
        [only] => Ok(Arc::clone(only)),
        many => {
            let parts: Vec<&dyn Array> = many.iter().map(|column| column.as_ref()).collect();
            Ok(arrow::compute::concat(&parts)?)
        }
    }
}
