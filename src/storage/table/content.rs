//! The rows of a chunk: in memory while they are in no file, then in a file and, as far as there is room, in memory.
//!
//! ```text
//! fresh    whole columns in slots that cannot go
//! stored   whole columns in slots that can; behind them blocks of rows of a column, read when asked for
//! ```

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parking_lot::RwLock;

use super::chunk::{ComputedIndex, RowIds};
use super::key_entry::KeyEntry;
use super::number_keys::NumberSpan;
use super::zones::Zones;
use crate::storage::cache::{Cached, Slots, array_bytes};
use crate::storage::checkpoint::{PagedFile, StoredKey};
use crate::types::RowId;

/// An index over expressions, and its rows in this chunk.
/// Keys that were computed, by what they are computed of.
type ComputedOf = (u64, Arc<Slots<Arc<ComputedIndex>>>);

/// What all versions of a chunk share: its rows, and what was worked out of them.
#[derive(Debug)]
pub(super) struct Content {
    rows: usize,
    pub(super) schema: SchemaRef,
    ids: Ids,
    /// By column.
    whole: Arc<Slots<ArrayRef>>,
    stored: OnceLock<Stored>,
    pub(super) keys: RwLock<Vec<Arc<KeyEntry>>>,
    computed: RwLock<Vec<ComputedOf>>,
    fresh_bytes: OnceLock<usize>,
    /// Of the key column of whole numbers that was asked for first.
    pub(super) numbers: OnceLock<NumberSpan>,
    /// Set when the rows are in a file.
    pub(super) zones: OnceLock<Zones>,
}

/// Row ids, ascending.
#[derive(Debug)]
enum Ids {
    Range(u64),
    /// The least and the greatest, where they are known, and all.
    Listed(OnceLock<(u64, u64)>, Arc<Slots<Arc<[u64]>>>),
}

#[derive(Debug)]
struct Stored {
    file: Arc<PagedFile>,
    /// By column, then by block.
    blocks: Arc<Slots<ArrayRef>>,
}

/// What is known of a stored chunk's row ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoredIds {
    /// Consecutive from this one.
    Range(u64),
    /// In the file; the least and the greatest, if it was written down.
    Listed(Option<(u64, u64)>),
}

impl Content {
    pub(super) fn fresh(batch: RecordBatch, ids: RowIds) -> Self {
        let ids = match ids {
            RowIds::Range(first) => Ids::Range(first),
            RowIds::Sorted(list) => {
                let range = (list.first().copied().unwrap_or(0), list.last().copied().unwrap_or(0));
                Ids::Listed(range.into(), Slots::of([list]))
            }
        };
        let (rows, schema) = (batch.num_rows(), batch.schema());
        let whole = Slots::of(batch.columns().iter().cloned());
        Self {
            rows,
            schema,
            ids,
            whole,
            stored: OnceLock::new(),
            keys: RwLock::default(),
            computed: RwLock::default(),
            fresh_bytes: OnceLock::new(),
            numbers: OnceLock::new(),
            zones: OnceLock::new(),
        }
    }

    pub(super) fn stored(
        file: Arc<PagedFile>,
        schema: SchemaRef,
        rows: usize,
        ids: StoredIds,
        keys: Vec<KeyEntry>,
    ) -> Self {
        let ids = match ids {
            StoredIds::Range(first) => Ids::Range(first),
            StoredIds::Listed(range) => {
                let range = range.map_or_else(OnceLock::new, OnceLock::from);
                Ids::Listed(range, Slots::empty(1))
            }
        };
        let whole = Slots::empty(schema.fields().len());
        let keys = RwLock::new(keys.into_iter().map(Arc::new).collect());
        let stored = OnceLock::from(Stored::new(file, schema.fields().len(), rows));
        Self {
            rows,
            schema,
            ids,
            whole,
            stored,
            keys,
            computed: RwLock::default(),
            fresh_bytes: OnceLock::from(0),
            numbers: OnceLock::new(),
            zones: OnceLock::new(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn file(&self) -> Option<&Arc<PagedFile>> {
        self.stored.get().map(|stored| &stored.file)
    }

    /// The rows are in a file from now on, so they need not stay in memory. The first word counts, and is given back.
    pub(super) fn store(&self, file: Arc<PagedFile>, keys: &[StoredKey]) -> Arc<PagedFile> {
        if self.stored.get().is_none() {
            self.learn(keys);
        }
        let stored =
            self.stored.get_or_init(|| Stored::new(file, self.schema.fields().len(), self.rows));
        let cache = stored.file.cache();
        cache.adopt(&self.whole);
        if let Ids::Listed(_, list) = &self.ids {
            cache.adopt(list);
        }
        self.keys.read().iter().for_each(|entry| cache.adopt(&entry.index));
        self.computed.read().iter().for_each(|(_, slot)| cache.adopt(slot));
        Arc::clone(&stored.file)
    }

    /// Bytes of memory that only a file would free.
    pub(super) fn fresh_bytes(&self) -> usize {
        if self.stored.get().is_some() {
            return 0;
        }
        *self.fresh_bytes.get_or_init(|| {
            let columns = (0..self.whole.len()).filter_map(|column| self.whole.get(column));
            columns.map(|column| array_bytes(column.as_ref())).sum()
        })
    }

    /// All values of a column, if they are in memory.
    pub(super) fn in_memory(&self, column: usize) -> Option<ArrayRef> {
        self.whole.get(column)
    }

    /// How many rows are read together.
    fn block_rows(&self) -> usize {
        self.stored.get().map_or(self.rows, |stored| stored.file.block_rows()).max(1)
    }

    /// The rows that are read with the one at `offset`.
    pub(super) fn block_of(&self, offset: usize) -> usize {
        offset / self.block_rows()
    }

    /// Values of a column with that of `offset` among them, and the offset of the first.
    pub(super) fn part(
        &self,
        column: usize,
        offset: usize,
    ) -> Result<(usize, ArrayRef), ArrowError> {
        if let Some(whole) = self.whole.get(column) {
            return Ok((0, whole));
        }
        if column >= self.whole.len() {
            return Err(no_column(column));
        }
        let block = self.block_of(offset);
        Ok((block * self.block_rows(), self.block(column, block)?))
    }

    fn block(&self, column: usize, block: usize) -> Result<ArrayRef, ArrowError> {
        let missing = || ArrowError::InvalidArgumentError("rows outside of their chunk".to_owned());
        let stored = self.stored.get().ok_or_else(missing)?;
        let blocks = self.rows.div_ceil(self.block_rows());
        if block >= blocks {
            return Err(missing());
        }
        let (at, read) = (column * blocks + block, || stored.file.read_block(column, block));
        Ok(stored.file.cache().get_or_read(&stored.blocks, at, read)?)
    }

    /// Some rows of a column.
    pub(super) fn slice(
        &self,
        column: usize,
        offset: usize,
        rows: usize,
    ) -> Result<ArrayRef, ArrowError> {
        let (start, first) = self.part(column, offset)?;
        let from = offset - start;
        if from + rows <= first.len() {
            return Ok(first.slice(from, rows));
        }
        let mut parts = vec![first.slice(from, first.len() - from)];
        let mut have = first.len() - from;
        while have < rows {
            let (start, next) = self.part(column, offset + have)?;
            let from = offset + have - start;
            let length = (next.len().saturating_sub(from)).min(rows - have);
            if length == 0 {
                return Err(ArrowError::InvalidArgumentError("a column is too short".to_owned()));
            }
            parts.push(next.slice(from, length));
            have += length;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&parts)
    }

    /// Whether a block of some columns can be had without reading a file.
    pub(super) fn is_in_memory(&self, columns: &[usize], offset: usize) -> bool {
        let Some(stored) = self.stored.get() else { return true };
        let block = self.block_of(offset);
        let blocks = self.rows.div_ceil(self.block_rows());
        columns.iter().all(|column| {
            if *column < self.whole.len() {
                let at = column * blocks + block;
                return self.whole.is_filled(*column) || stored.blocks.is_filled(at);
            }
            match &self.ids {
                Ids::Range(_) => true,
                Ids::Listed(_, list) => list.is_filled(0),
            }
        })
    }

    /// Some rows, all columns.
    pub(super) fn slice_batch(
        &self,
        offset: usize,
        rows: usize,
    ) -> Result<RecordBatch, ArrowError> {
        let columns = (0..self.whole.len())
            .map(|column| self.slice(column, offset, rows))
            .collect::<Result<Vec<_>, _>>()?;
        batch_of(&self.schema, columns, rows)
    }

    /// Some columns of all rows.
    pub(super) fn project(&self, columns: &[usize]) -> Result<RecordBatch, ArrowError> {
        let fields: Vec<_> =
            columns.iter().map(|column| self.schema.field(*column).clone()).collect();
        let arrays = columns
            .iter()
            .map(|column| self.slice(*column, 0, self.rows))
            .collect::<Result<Vec<_>, _>>()?;
        batch_of(&Arc::new(Schema::new(fields)), arrays, self.rows)
    }

    fn listed(
        &self,
        range: &OnceLock<(u64, u64)>,
        list: &Arc<Slots<Arc<[u64]>>>,
    ) -> Result<Arc<[u64]>, ArrowError> {
        let ids = match (list.get(0), self.stored.get()) {
            (Some(ids), _) => ids,
            (None, Some(stored)) => {
                stored.file.cache().get_or_read(list, 0, || stored.file.read_ids())?
            }
            (None, None) => Arc::default(),
        };
        range.get_or_init(|| (ids.first().copied().unwrap_or(0), ids.last().copied().unwrap_or(0)));
        Ok(ids)
    }

    pub(super) fn ids(&self) -> Result<RowIds, ArrowError> {
        match &self.ids {
            Ids::Range(first) => Ok(RowIds::Range(*first)),
            Ids::Listed(range, list) => Ok(RowIds::Sorted(self.listed(range, list)?)),
        }
    }

    /// What a manifest says of the ids.
    pub(super) fn stored_ids(&self) -> Result<StoredIds, ArrowError> {
        match &self.ids {
            Ids::Range(first) => Ok(StoredIds::Range(*first)),
            Ids::Listed(range, list) => {
                if range.get().is_none() {
                    self.listed(range, list)?;
                }
                Ok(StoredIds::Listed(range.get().copied()))
            }
        }
    }

    /// The first id, if they are consecutive.
    pub(super) fn first_id(&self) -> Option<u64> {
        match &self.ids {
            Ids::Range(first) => Some(*first),
            Ids::Listed(..) => None,
        }
    }

    /// All ids, if any of them can be between these two.
    pub(super) fn ids_between(
        &self,
        first: RowId,
        last: RowId,
    ) -> Result<Option<RowIds>, ArrowError> {
        let known = match &self.ids {
            Ids::Range(start) => {
                let end = start.saturating_add(self.rows as u64).checked_sub(1);
                end.map(|end| (*start, end))
            }
            Ids::Listed(range, _) => range.get().copied(),
        };
        if known.is_some_and(|(least, greatest)| last.0 < least || greatest < first.0) {
            return Ok(None);
        }
        self.ids().map(Some)
    }

    pub(super) fn offset_of(&self, row: RowId) -> Result<Option<usize>, ArrowError> {
        let ids = self.ids_between(row, row)?;
        Ok(ids.and_then(|ids| ids.offset_of(row, self.rows)))
    }

    pub(super) fn row_id_array(
        &self,
        offset: usize,
        rows: usize,
    ) -> Result<UInt64Array, ArrowError> {
        Ok(match self.ids()? {
            RowIds::Range(start) => {
                let from = start + offset as u64;
                UInt64Array::from_iter_values(from..from + rows as u64)
            }
            RowIds::Sorted(ids) => {
                let ids = ids.get(offset..offset + rows).unwrap_or_default();
                UInt64Array::from_iter_values(ids.iter().copied())
            }
        })
    }

    /// The rows in an index over expressions; `build` makes it of them if it is not there.
    pub(super) fn computed_index<E: From<ArrowError>>(
        &self,
        index: u64,
        build: impl FnOnce(&RecordBatch) -> Result<ComputedIndex, E>,
    ) -> Result<Arc<ComputedIndex>, E> {
        let known = |computed: &[ComputedOf]| {
            computed.iter().find(|(known, _)| *known == index).map(|(_, slot)| Arc::clone(slot))
        };
        let found = known(&self.computed.read());
        let slot = found.unwrap_or_else(|| {
            let mut computed = self.computed.write();
            known(&computed).unwrap_or_else(|| {
                let slot = Slots::empty(1);
                computed.push((index, Arc::clone(&slot)));
                slot
            })
        });
        self.worked_out(&slot, || {
            let batch = self.slice_batch(0, self.rows)?;
            Ok(Arc::new(build(&batch)?))
        })
    }

    /// A value that can be made again: kept for good while the rows are in no file.
    pub(super) fn worked_out<V: Cached, E>(
        &self,
        slot: &Arc<Slots<V>>,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some(stored) = self.stored.get() {
            return stored.file.cache().get_or_read(slot, 0, make);
        }
        if let Some(value) = slot.get(0) {
            return Ok(value);
        }
        let value = make()?;
        slot.keep(0, value.clone());
        // The rows may have come into a file meanwhile.
        if let Some(stored) = self.stored.get() {
            stored.file.cache().adopt(slot);
        }
        Ok(value)
    }
}

impl Stored {
    fn new(file: Arc<PagedFile>, columns: usize, rows: usize) -> Self {
        let blocks = columns * rows.div_ceil(file.block_rows().max(1));
        Self { file, blocks: Slots::empty(blocks) }
    }
}

fn no_column(column: usize) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("there is no column {column}"))
}

/// Columns under a schema. Deleted rows may have nulls that a later NOT NULL forbids.
fn batch_of(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let is_fit =
        |(field, column): (&Arc<Field>, &ArrayRef)| field.is_nullable() || column.null_count() == 0;
    let schema = if schema.fields().iter().zip(&columns).all(is_fit) {
        Arc::clone(schema)
    } else {
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    RecordBatch::try_new_with_options(schema, columns, &options)
}
