//! A run of rows stored column by column.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, BooleanArray, RecordBatch, UInt64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::error::ArrowError;
use parking_lot::Mutex;

use super::key_index::KeyIndex;
use crate::storage::manifest::StoredFile;
use crate::types::{Oid, RowId};

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

/// Key columns, whether keys with nulls are in it, and the index over them.
type KeyedIndex = (Vec<usize>, bool, Arc<KeyIndex>);

/// An index and its values.
type ComputedOf = (Oid, Arc<ComputedIndex>);

/// Rows of a table: a batch, their ids, and which of them are deleted.
#[derive(Debug)]
pub struct Chunk {
    /// The columns, in the table's order.
    pub batch: RecordBatch,
    /// Ascending.
    pub rows: RowIds,
    /// A set bit is a deleted row; `None` where nothing is.
    pub deleted: Option<BooleanBuffer>,
    /// Shared by all versions of this batch, as deletion does not change keys.
    indexes: Arc<Mutex<Vec<KeyedIndex>>>,
    /// Where the batch is stored, once it is; shared as the indexes are.
    file: Arc<OnceLock<Arc<StoredFile>>>,
    /// By index; shared as well.
    computed: Arc<Mutex<Vec<ComputedOf>>>,
    live: OnceLock<usize>,
}

impl Chunk {
    /// A chunk of fresh rows with ids from `first`.
    pub fn new(batch: RecordBatch, first: RowId) -> Self {
        Self::with_rows(batch, RowIds::Range(first.0), None)
    }

    /// A chunk with given ids and deletions.
    pub fn with_rows(batch: RecordBatch, rows: RowIds, deleted: Option<BooleanBuffer>) -> Self {
        Self {
            batch,
            rows,
            deleted,
            indexes: Arc::default(),
            computed: Arc::default(),
            file: Arc::default(),
            live: OnceLock::new(),
        }
    }

    /// The file its batch is stored in.
    pub(in crate::storage) fn file(&self) -> Option<Arc<StoredFile>> {
        self.file.get().cloned()
    }

    /// Says where the batch is stored; the first word counts, and is given back.
    pub(in crate::storage) fn set_file(&self, file: Arc<StoredFile>) -> Arc<StoredFile> {
        Arc::clone(self.file.get_or_init(|| file))
    }

    /// The same for all versions of the same rows, whichever of them are deleted, and for no other chunk in use.
    pub fn rows_key(&self) -> usize {
        Arc::as_ptr(&self.indexes) as usize
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
        self.batch.num_rows()
    }

    /// Whether it holds no rows at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// The id of the row at `offset`.
    pub fn row_id(&self, offset: usize) -> RowId {
        match &self.rows {
            RowIds::Range(start) => RowId(start + offset as u64),
            RowIds::Sorted(ids) => RowId(ids[offset]),
        }
    }

    /// Where the row of this id is, if it is in this chunk (deleted or not).
    pub fn offset_of(&self, row: RowId) -> Option<usize> {
        match &self.rows {
            RowIds::Range(start) => {
                let offset = usize::try_from(row.0.checked_sub(*start)?).ok()?;
                (offset < self.len()).then_some(offset)
            }
            RowIds::Sorted(ids) => ids.binary_search(&row.0).ok(),
        }
    }

    /// The same rows with one more set of deletions.
    #[must_use]
    pub fn with_deleted(&self, deleted: BooleanBuffer) -> Self {
        Self {
            batch: self.batch.clone(),
            rows: self.rows.clone(),
            deleted: Some(deleted),
            indexes: Arc::clone(&self.indexes),
            file: Arc::clone(&self.file),
            computed: Arc::clone(&self.computed),
            live: OnceLock::new(),
        }
    }

    /// Keeps the rows of `batch` (columns of this chunk, in any projection) that are not deleted.
    pub fn live_batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        match &self.deleted {
            None => Ok(batch.clone()),
            Some(deleted) => {
                arrow::compute::filter_record_batch(batch, &BooleanArray::new(!deleted, None))
            }
        }
    }

    /// The ids of all rows, as an array.
    pub fn row_id_array(&self) -> UInt64Array {
        match &self.rows {
            RowIds::Range(start) => {
                UInt64Array::from_iter_values(*start..start + self.len() as u64)
            }
            RowIds::Sorted(ids) => UInt64Array::from_iter_values(ids.iter().copied()),
        }
    }

    /// The hash index of these key columns, built at first use and kept with the batch.
    pub fn key_index(&self, columns: &[usize]) -> Result<Arc<KeyIndex>, ArrowError> {
        self.index(columns, false)
    }

    /// As [`Self::key_index`], with the keys that have nulls.
    pub fn key_index_with_nulls(&self, columns: &[usize]) -> Result<Arc<KeyIndex>, ArrowError> {
        self.index(columns, true)
    }

    /// The rows of this chunk in an index whose keys are expressions; `build` makes it of the batch at first use.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn computed_index<E>(
        &self,
        index: Oid,
        build: impl FnOnce(&RecordBatch) -> Result<ComputedIndex, E>,
    ) -> Result<Arc<ComputedIndex>, E> {
        let known = |computed: &[(Oid, Arc<ComputedIndex>)]| {
            computed.iter().find(|(known, _)| *known == index).map(|(_, keys)| Arc::clone(keys))
        };
        if let Some(keys) = known(&self.computed.lock()) {
            return Ok(keys);
        }
        let keys = Arc::new(build(&self.batch)?);
        let mut computed = self.computed.lock();
        if let Some(keys) = known(&computed) {
            return Ok(keys);
        }
        computed.push((index, Arc::clone(&keys)));
        Ok(keys)
    }

    fn index(&self, columns: &[usize], with_nulls: bool) -> Result<Arc<KeyIndex>, ArrowError> {
        let is_it = |(key, nulls, _): &&KeyedIndex| key == columns && *nulls == with_nulls;
        if let Some((_, _, index)) = self.indexes.lock().iter().find(is_it) {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(KeyIndex::build(&self.batch, columns, with_nulls)?);
        let mut indexes = self.indexes.lock();
        if !indexes.iter().any(|known| is_it(&known)) {
            indexes.push((columns.to_vec(), with_nulls, Arc::clone(&index)));
        }
        Ok(index)
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
