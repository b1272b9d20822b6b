//! A run of rows stored column by column.

use std::sync::{Arc, OnceLock, Weak};

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch, UInt64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::content::{Content, StoredIds};
use super::key_entry::{KeyEntry, KeyLookup};
use super::key_index::KeyIndex;
use super::zones::Zones;
use crate::storage::cache::{Cached, array_bytes};
use crate::storage::checkpoint::{PagedFile, StoredKey};
use crate::types::RowId;

/// The row ids of a chunk, ascending.
#[derive(Debug, Clone)]
pub enum RowIds {
    /// `start`, `start + 1`, …
    Range(u64),
    /// One for each row, sorted.
    Sorted(Arc<[u64]>),
}

impl RowIds {
    /// Of ascending ids.
    pub fn of(ids: &[RowId]) -> Self {
        match (ids.first(), ids.last()) {
            (Some(first), Some(last)) if last.0 - first.0 + 1 == ids.len() as u64 => {
                Self::Range(first.0)
            }
            _ => Self::Sorted(ids.iter().map(|id| id.0).collect()),
        }
    }

    /// Where an id stands, of so many rows.
    pub(super) fn offset_of(&self, row: RowId, rows: usize) -> Option<usize> {
        match self {
            Self::Range(start) => {
                let offset = row.0.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
                offset.filter(|offset| *offset < rows)
            }
            Self::Sorted(ids) => ids.binary_search(&row.0).ok(),
        }
    }

    /// The least and the greatest, of so many rows.
    pub(super) fn range(&self, rows: usize) -> (u64, u64) {
        match self {
            Self::Range(start) => (*start, start.saturating_add(rows.saturating_sub(1) as u64)),
            Self::Sorted(ids) => {
                (ids.first().copied().unwrap_or(0), ids.last().copied().unwrap_or(0))
            }
        }
    }

    /// Those of some rows.
    pub(super) fn slice(&self, from: usize, count: usize) -> Self {
        match self {
            Self::Range(start) => Self::Range(start + from as u64),
            Self::Sorted(ids) => {
                Self::of_numbers(ids.get(from..from + count).unwrap_or_default().to_vec())
            }
        }
    }

    /// Of ascending numbers.
    pub(in crate::storage) fn of_numbers(ids: Vec<u64>) -> Self {
        match (ids.first(), ids.last()) {
            (Some(first), Some(last)) if last - first + 1 == ids.len() as u64 => {
                Self::Range(*first)
            }
            _ => Self::Sorted(ids.into()),
        }
    }
}

/// Rows of a table: columns, their ids, and which of them are deleted.
///
/// The rows may be in a file and not in memory: what reads them may read the file, and give its errors as
/// [`ArrowError::ExternalError`]. Number of rows, deleted ones and consecutive ids are always known.
#[derive(Debug)]
pub struct Chunk {
    /// A set bit is a deleted row; `None` where nothing is.
    pub deleted: Option<BooleanBuffer>,
    /// Shared by all versions of these rows, as deletion does not change them.
    content: Arc<Content>,
    live: OnceLock<usize>,
}

/// The rows of a chunk, whichever of them are deleted; they may be gone.
#[derive(Debug, Clone)]
pub struct RowsRef(Weak<Content>);

impl RowsRef {
    /// Whether these are the rows of a chunk.
    pub fn is_of(&self, chunk: &Chunk) -> bool {
        self.0.strong_count() > 0 && self.0.as_ptr() == Arc::as_ptr(&chunk.content)
    }

    /// Whether no version of the table has them any more.
    pub fn are_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Chunk {
    /// A chunk of fresh rows with ids from `first`.
    pub fn new(batch: RecordBatch, first: RowId) -> Self {
        Self::with_rows(batch, RowIds::Range(first.0), None)
    }

    /// A chunk with given ids and deletions.
    pub fn with_rows(batch: RecordBatch, rows: RowIds, deleted: Option<BooleanBuffer>) -> Self {
        Self::of(Content::fresh(batch, rows), deleted)
    }

    /// A chunk whose rows are in a file.
    pub(in crate::storage) fn stored(
        file: Arc<PagedFile>,
        (schema, rows): (SchemaRef, usize),
        ids: StoredIds,
        keys: &[StoredKey],
        deleted: Option<BooleanBuffer>,
    ) -> Self {
        let keys = keys.iter().map(KeyEntry::of_stored).collect();
        Self::of(Content::stored(file, schema, rows, ids, keys), deleted)
    }

    fn of(content: Content, deleted: Option<BooleanBuffer>) -> Self {
        Self { deleted, content: Arc::new(content), live: OnceLock::new() }
    }

    /// The file its rows are stored in.
    pub(in crate::storage) fn file(&self) -> Option<&Arc<PagedFile>> {
        self.content.file()
    }

    /// Says where the rows are stored; the first word counts, and is given back. They need not stay in memory from then
    /// on.
    pub(in crate::storage) fn set_file(
        &self,
        file: Arc<PagedFile>,
        keys: &[StoredKey],
        zones: Zones,
    ) -> Arc<PagedFile> {
        self.set_zones(zones);
        self.content.store(file, keys)
    }

    pub(in crate::storage) fn set_zones(&self, zones: Zones) {
        // They are the same if they are there.
        let _ = self.content.zones.set(zones);
    }

    /// What is known of its values without reading them, once they are in a file.
    pub fn zones(&self) -> Option<&Zones> {
        self.content.zones.get()
    }

    /// Whether the rows are in a file.
    pub fn is_stored(&self) -> bool {
        self.content.file().is_some()
    }

    /// Bytes that its rows take: of the file if they are in one, else of memory.
    pub fn bytes(&self) -> u64 {
        match self.content.file() {
            Some(file) => file.stored.length,
            None => self.content.fresh_bytes() as u64,
        }
    }

    /// Bytes of memory that a checkpoint would make free for others.
    pub fn fresh_bytes(&self) -> usize {
        self.content.fresh_bytes()
    }

    /// The same for all versions of the same rows, whichever of them are deleted, and for no other chunk in use.
    pub fn rows_key(&self) -> usize {
        Arc::as_ptr(&self.content) as usize
    }

    /// A reference to its rows that does not keep them.
    pub fn rows_ref(&self) -> RowsRef {
        RowsRef(Arc::downgrade(&self.content))
    }

    /// Whether both have the same rows, whichever of them are deleted.
    pub fn same_rows(&self, other: &Self) -> bool {
        self.rows_key() == other.rows_key()
    }

    /// Gives the offset of each row that is deleted here or in a later chunk of the same rows, but not in both, and
    /// whether it is live in the later one.
    pub fn differing(&self, later: &Self, mut give: impl FnMut(usize, bool)) {
        let words = |deleted: &Option<BooleanBuffer>| -> Vec<u64> {
            match deleted {
                Some(deleted) => deleted.bit_chunks().iter_padded().collect(),
                None => vec![0; self.len().div_ceil(64)],
            }
        };
        if self.deleted.is_none() && later.deleted.is_none() {
            return;
        }
        let (before, after) = (words(&self.deleted), words(&later.deleted));
        for (at, (before, after)) in before.into_iter().zip(after).enumerate() {
            let mut differ = before ^ after;
            while differ != 0 {
                let bit = differ.trailing_zeros() as usize;
                differ &= differ - 1;
                let offset = at * 64 + bit;
                if offset < self.len() {
                    give(offset, after >> bit & 1 == 0);
                }
            }
        }
    }

    /// Rows, deleted ones included.
    pub fn len(&self) -> usize {
        self.content.rows()
    }

    /// Whether it holds no rows at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of columns.
    pub fn num_columns(&self) -> usize {
        self.content.schema.fields().len()
    }

    /// Rows that are not deleted.
    pub fn live_rows(&self) -> usize {
        *self.live.get_or_init(|| {
            self.len() - self.deleted.as_ref().map_or(0, BooleanBuffer::count_set_bits)
        })
    }

    /// Whether the row at `offset` is not deleted.
    pub fn is_live(&self, offset: usize) -> bool {
        self.deleted.as_ref().is_none_or(|deleted| !deleted.value(offset))
    }

    /// Whether the two hold the same rows, whatever is deleted in them.
    pub fn has_rows_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.content, &other.content)
    }

    /// The id of the row at `offset`.
    pub fn row_id(&self, offset: usize) -> Result<RowId, ArrowError> {
        Ok(match self.content.ids()? {
            RowIds::Range(start) => RowId(start + offset as u64),
            RowIds::Sorted(ids) => RowId(ids.get(offset).copied().ok_or_else(outside)?),
        })
    }

    /// The ids of all rows, ascending.
    pub fn row_ids(&self) -> Result<RowIds, ArrowError> {
        self.content.ids()
    }

    /// The ids of rows that are not deleted, ascending.
    pub fn live_ids(&self) -> Result<Vec<u64>, ArrowError> {
        let live = (0..self.len()).filter(|offset| self.is_live(*offset));
        Ok(match self.content.ids()? {
            RowIds::Range(start) => live.map(|offset| start + offset as u64).collect(),
            RowIds::Sorted(ids) => live.filter_map(|offset| ids.get(offset).copied()).collect(),
        })
    }

    /// The first id if they are consecutive.
    pub(in crate::storage) fn first_id(&self) -> Option<u64> {
        self.content.first_id()
    }

    pub(in crate::storage) fn stored_ids(&self) -> Result<StoredIds, ArrowError> {
        self.content.stored_ids()
    }

    /// Indexes that are stored with the rows.
    pub(in crate::storage) fn stored_keys(&self) -> Vec<StoredKey> {
        self.content.keys.read().iter().filter_map(|entry| entry.to_stored()).collect()
    }

    /// Where the row of this id is, if it is in this chunk (deleted or not).
    pub fn offset_of(&self, row: RowId) -> Result<Option<usize>, ArrowError> {
        self.content.offset_of(row)
    }

    /// The same for a chunk whose ids follow one another; none otherwise.
    pub(super) fn offset_of_next(&self, row: RowId) -> Option<usize> {
        let offset = row.0.checked_sub(self.content.first_id()?)?;
        (offset < self.len() as u64).then_some(offset as usize)
    }

    /// The ids of all rows, if one of them can be among these two and what is between them; what is known without them is
    /// asked first.
    pub(super) fn row_ids_between(
        &self,
        first: RowId,
        last: RowId,
    ) -> Result<Option<RowIds>, ArrowError> {
        self.content.ids_between(first, last)
    }

    /// Which rows are deleted, to be changed.
    pub(super) fn deleted_rows(&self) -> BooleanBufferBuilder {
        let mut builder = BooleanBufferBuilder::new(self.len());
        match &self.deleted {
            Some(deleted) => builder.append_buffer(deleted),
            None => builder.append_n(self.len(), false),
        }
        builder
    }

    /// The same rows with one more set of deletions.
    #[must_use]
    pub fn with_deleted(&self, deleted: BooleanBuffer) -> Self {
        let content = Arc::clone(&self.content);
        Self { deleted: Some(deleted), content, live: OnceLock::new() }
    }

    /// The same rows with one more deleted, which was not.
    pub(super) fn without_row(&self, offset: usize) -> Self {
        let mut deleted = self.deleted_rows();
        deleted.set_bit(offset, true);
        let live = OnceLock::from(self.live_rows().saturating_sub(1));
        Self { deleted: Some(deleted.finish()), content: Arc::clone(&self.content), live }
    }

    /// A column of all rows.
    pub fn column(&self, column: usize) -> Result<ArrayRef, ArrowError> {
        self.content.slice(column, 0, self.len())
    }

    /// Some rows of a column.
    pub fn slice(&self, column: usize, offset: usize, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.content.slice(column, offset, rows)
    }

    /// Whether some columns of a row can be had without reading a file.
    pub fn is_in_memory(&self, columns: &[usize], offset: usize) -> bool {
        self.content.is_in_memory(columns, offset)
    }

    /// Values of a column that are read together with the one at `offset`, and the offset of the first of them.
    pub fn part(&self, column: usize, offset: usize) -> Result<(usize, ArrayRef), ArrowError> {
        self.content.part(column, offset)
    }

    /// Which of the groups of rows that are read together a row is in.
    pub fn part_number(&self, offset: usize) -> usize {
        self.content.block_of(offset)
    }

    /// All rows, deleted ones included.
    pub fn batch(&self) -> Result<RecordBatch, ArrowError> {
        self.content.slice_batch(0, self.len())
    }

    /// Some columns of all rows, deleted ones included.
    pub fn project(&self, columns: &[usize]) -> Result<RecordBatch, ArrowError> {
        self.content.project(columns)
    }

    /// The rows that are not deleted.
    pub fn live_batch(&self) -> Result<RecordBatch, ArrowError> {
        let batch = self.batch()?;
        match &self.deleted {
            None => Ok(batch),
            Some(deleted) => {
                arrow::compute::filter_record_batch(&batch, &BooleanArray::new(!deleted, None))
            }
        }
    }

    /// The ids of some rows, as an array.
    pub fn row_id_array(&self, offset: usize, rows: usize) -> Result<UInt64Array, ArrowError> {
        self.content.row_id_array(offset, rows)
    }

    /// What all versions of it share.
    pub(super) fn content(&self) -> &Arc<Content> {
        &self.content
    }

    /// How to find rows by key columns whose encoded key is between two; `None` if there are none.
    pub(super) fn key_lookup(
        &self,
        columns: &[usize],
        with_nulls: bool,
        range: (&[u8], &[u8]),
    ) -> Result<Option<KeyLookup>, ArrowError> {
        self.content.key_lookup(columns, with_nulls, range)
    }

    /// The rows of this chunk in an index whose keys are computed; `build` makes it of the batch at first use. `index` says
    /// what they are computed of, not which index it is: the number of one that was rolled back is given again.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn computed_index<E: From<ArrowError>>(
        &self,
        index: u64,
        build: impl FnOnce(&RecordBatch) -> Result<ComputedIndex, E>,
    ) -> Result<Arc<ComputedIndex>, E> {
        self.content.computed_index(index, build)
    }
}

fn outside() -> ArrowError {
    ArrowError::InvalidArgumentError("a row outside of its chunk".to_owned())
}

impl Cached for Arc<ComputedIndex> {
    fn bytes(&self) -> usize {
        let within = self.within.as_ref().map_or(0, |within| array_bytes(within));
        self.keys.bytes() + within
    }

    fn references(&self) -> usize {
        Arc::strong_count(self)
    }
}

/// Keys that were computed of a chunk's rows.
#[derive(Debug)]
pub struct ComputedIndex {
    keys: KeyIndex,
    within: Option<BooleanArray>,
}

impl ComputedIndex {
    /// An index over all columns of `keys`; rows for which `within` is not true are not in it.
    pub fn build(
        keys: &RecordBatch,
        within: Option<BooleanArray>,
        with_nulls: bool,
    ) -> Result<Self, ArrowError> {
        let columns: Vec<usize> = (0..keys.num_columns()).collect();
        Ok(Self { keys: KeyIndex::build(keys, &columns, with_nulls)?, within })
    }

    /// Offsets of the rows with an encoded key, deleted ones included.
    pub fn find(&self, key: &[u8], mut found: impl FnMut(usize)) {
        self.keys.find(key, |offset| {
            let within = self.within.as_ref();
            if within.is_none_or(|within| within.is_valid(offset) && within.value(offset)) {
                found(offset);
            }
        });
    }
}

/// Rows where any of the key's columns is null; such rows are in no unique index and have no edge.
pub(super) fn key_nulls(batch: &RecordBatch, columns: &[usize]) -> Option<NullBuffer> {
    columns
        .iter()
        .map(|column| batch.column(*column).logical_nulls())
        .fold(None, |all, one| NullBuffer::union(all.as_ref(), one.as_ref()))
}
