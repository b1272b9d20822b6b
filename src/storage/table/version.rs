//! One immutable version of a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, BooleanBufferBuilder, RecordBatch, UInt64Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::chunk::{Chunk, RowIds};
use super::compact::compact;
use super::key_entry::KeyLookup;
use super::key_index::EncodedKeys;
use super::merge::{chunk_rows, merge_own};
use super::sought_keys::SoughtKeys;
use super::widen::widen_rows;
use crate::types::{Oid, RowId};

/// Rows in memory take about so many times their bytes in a compressed file.
const EXPANSION: u64 = 4;
/// From so many keys on, indexes are read as a whole.
const MANY_KEYS: usize = 256;

static NEXT_STAMP: AtomicU64 = AtomicU64::new(1);

/// Chunks of a version with their indexes of some columns: see [`TableVersion::probe`].
pub struct KeyProbe<'a> {
    chunks: Vec<(&'a Chunk, u64, KeyLookup)>,
}

impl KeyProbe<'_> {
    /// Gives position and id of each live row with this encoded key.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub fn find(&self, key: &[u8], mut found: impl FnMut(u64, RowId)) -> Result<(), ArrowError> {
        let mut offsets = Vec::new();
        for (chunk, start, lookup) in &self.chunks {
            offsets.clear();
            lookup.find(key, |offset| offsets.push(offset))?;
            for offset in offsets.iter().copied().filter(|offset| chunk.is_live(*offset)) {
                found(start + offset as u64, chunk.row_id(offset)?);
            }
        }
        Ok(())
    }
}

/// A table's rows at one moment.
#[derive(Debug, Clone)]
pub struct TableVersion {
    /// The table.
    pub table: Oid,
    /// Unique over all versions of all tables in the process: what caches are keyed by.
    pub stamp: u64,
    /// Its columns.
    pub schema: SchemaRef,
    chunks: Vec<Arc<Chunk>>,
    /// Position of each chunk's first row.
    starts: Vec<u64>,
    positions: u64,
    /// How many of the chunks, from the first, are part of a version that all see.
    shared: usize,
    next_row: Arc<AtomicU64>,
}

impl TableVersion {
    /// A table with no rows.
    pub fn empty(table: Oid, schema: SchemaRef) -> Self {
        Self::of(table, schema, Vec::new(), Arc::default())
    }

    fn of(
        table: Oid,
        schema: SchemaRef,
        chunks: Vec<Arc<Chunk>>,
        next_row: Arc<AtomicU64>,
    ) -> Self {
        let mut starts = Vec::with_capacity(chunks.len());
        let mut positions = 0u64;
        for chunk in &chunks {
            starts.push(positions);
            positions += chunk.len() as u64;
        }
        let stamp = NEXT_STAMP.fetch_add(1, Ordering::Relaxed);
        Self { table, stamp, schema, chunks, starts, positions, shared: 0, next_row }
    }

    /// These chunks, of rows that keep their ids, under a schema.
    pub(super) fn reshaped(&self, schema: SchemaRef, chunks: Vec<Arc<Chunk>>) -> Self {
        Self::of(self.table, schema, chunks, Arc::clone(&self.next_row))
    }

    /// The same table without rows, under a schema. New rows in it get ids that no row of the table has.
    #[must_use]
    pub fn emptied(&self, schema: SchemaRef) -> Self {
        self.reshaped(schema, Vec::new())
    }

    /// A table as it was stored.
    pub(in crate::storage) fn restore(
        table: Oid,
        schema: SchemaRef,
        chunks: Vec<Arc<Chunk>>,
        next_row: u64,
    ) -> Self {
        Self::of(table, schema, chunks, Arc::new(AtomicU64::new(next_row)))
    }

    /// The id that the next new row will get.
    pub(in crate::storage) fn next_row(&self) -> u64 {
        self.next_row.load(Ordering::Relaxed)
    }

    /// Takes all ids below `end`, as they were given before.
    pub(in crate::storage) fn give_no_id_below(&self, end: RowId) {
        self.next_row.fetch_max(end.0, Ordering::Relaxed);
    }

    /// The chunks, in order of position.
    pub fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// Position of each chunk's first row; as long as [`Self::chunks`].
    pub fn chunk_starts(&self) -> &[u64] {
        &self.starts
    }

    /// Rows, deleted ones included: one more than the largest position.
    pub fn positions(&self) -> u64 {
        self.positions
    }

    /// Rows that are not deleted.
    pub fn live_rows(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.live_rows() as u64).sum()
    }

    /// Chunk index and offset in it of a position.
    ///
    /// The position must be below [`Self::positions`]; a larger one gives an offset past the last chunk's end.
    pub fn locate(&self, position: u64) -> (usize, usize) {
        let chunk = self.starts.partition_point(|start| *start <= position).saturating_sub(1);
        let start = self.starts.get(chunk).copied().unwrap_or(0);
        (chunk, (position - start) as usize)
    }

    /// Whether the row at a position is not deleted.
    pub fn is_live(&self, position: u64) -> bool {
        let (chunk, offset) = self.locate(position);
        self.chunks.get(chunk).is_some_and(|chunk| offset < chunk.len() && chunk.is_live(offset))
    }

    /// Values of one column at many positions, in their order.
    ///
    /// Positions must be below [`Self::positions`] (`ArrowError` otherwise).
    pub fn gather(&self, column: usize, positions: &[u64]) -> Result<ArrayRef, ArrowError> {
        let outside = || ArrowError::InvalidArgumentError("a row outside of its table".to_owned());
        if let [only] = positions {
            let (chunk, offset) = self.locate(*only);
            return self.chunks.get(chunk).ok_or_else(outside)?.slice(column, offset, 1);
        }
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut known: HashMap<(usize, usize), (usize, usize)> = HashMap::new();
        let mut last = ((usize::MAX, 0), (0, 0));
        let mut places = Vec::with_capacity(positions.len());
        for position in positions {
            let (at, offset) = self.locate(*position);
            let chunk = self.chunks.get(at).ok_or_else(outside)?;
            let group = (at, chunk.part_number(offset));
            if group != last.0 {
                let part = match known.get(&group) {
                    Some(part) => *part,
                    None => {
                        let (start, values) = chunk.part(column, offset)?;
                        parts.push(values);
                        known.insert(group, (parts.len() - 1, start));
                        (parts.len() - 1, start)
                    }
                };
                last = (group, part);
            }
            let (part, start) = last.1;
            places.push((part, offset.checked_sub(start).ok_or_else(outside)?));
        }
        match parts.as_slice() {
            [] => Ok(arrow::array::new_empty_array(self.schema.field(column).data_type())),
            [only] => {
                let offsets = places.iter().map(|(_, offset)| *offset as u64);
                take(only, &UInt64Array::from_iter_values(offsets), None)
            }
            many => {
                let arrays: Vec<&dyn Array> = many.iter().map(AsRef::as_ref).collect();
                interleave(&arrays, &places)
            }
        }
    }

    /// This version with `batch` appended, and the id of its first row.
    pub fn append(&self, batch: RecordBatch) -> Result<(Self, RowId), ArrowError> {
        let first = self.take_ids(batch.num_rows() as u64);
        Ok((self.append_with_ids(batch, first)?, first))
    }

    /// Takes ids for new rows of this table; they are never given again.
    pub fn take_ids(&self, rows: u64) -> RowId {
        RowId(self.next_row.fetch_add(rows, Ordering::Relaxed))
    }

    /// This version with `batch` appended under ids that were taken from this table before.
    pub fn append_with_ids(&self, batch: RecordBatch, first: RowId) -> Result<Self, ArrowError> {
        self.append_rows(batch, RowIds::Range(first.0))
    }

    /// This version with `batch` appended under the given ids. A row with the same id must be deleted already. Columns
    /// that the batch lacks at its end are null.
    pub fn append_rows(&self, batch: RecordBatch, ids: RowIds) -> Result<Self, ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(self.clone());
        }
        let mut chunks = self.chunks.clone();
        self.push_rows(&mut chunks, batch, ids)?;
        Ok(self.with_chunks(chunks))
    }

    fn push_rows(
        &self,
        chunks: &mut Vec<Arc<Chunk>>,
        batch: RecordBatch,
        ids: RowIds,
    ) -> Result<(), ArrowError> {
        let rows = batch.num_rows();
        let batch = match widen_rows(&batch, &self.schema)? {
            Cow::Owned(wide) => wide,
            Cow::Borrowed(_) => batch,
        };
        let batch = compact(batch)?;
        let most = chunk_rows(&batch);
        if rows <= most {
            chunks.push(Arc::new(Chunk::with_rows(batch, ids, None)));
        } else {
            for from in (0..rows).step_by(most) {
                let count = most.min(rows - from);
                let ids = ids.slice(from, count);
                chunks.push(Arc::new(Chunk::with_rows(batch.slice(from, count), ids, None)));
            }
        }
        merge_own(chunks, self.shared, &self.schema)
    }

    /// This version with rows replaced by others under the same ids, which are ascending. `None` if one of them is not
    /// there or deleted.
    ///
    /// # Errors
    /// `XX001`, `58030` if row ids could not be read.
    pub fn replace(&self, rows: &[RowId], batch: RecordBatch) -> Result<Option<Self>, ArrowError> {
        let Some(mut chunks) = self.chunks_without(rows)? else { return Ok(None) };
        if batch.num_rows() > 0 {
            self.push_rows(&mut chunks, batch, RowIds::of(rows))?;
        }
        Ok(Some(self.with_chunks(chunks)))
    }

    /// Its chunks, to be changed.
    pub(super) fn into_chunks(mut self) -> (Self, Vec<Arc<Chunk>>) {
        let chunks = std::mem::take(&mut self.chunks);
        (self, chunks)
    }

    /// Other chunks of the same table.
    pub(super) fn with_chunks(&self, chunks: Vec<Arc<Chunk>>) -> Self {
        let next_row = Arc::clone(&self.next_row);
        let other = Self::of(self.table, Arc::clone(&self.schema), chunks, next_row);
        Self { shared: self.shared, ..other }
    }

    /// The same, for all to see.
    pub(super) fn shared(self) -> Self {
        Self { shared: self.chunks.len(), ..self }
    }

    /// This version without the given rows. `None` if one of them is not there or already deleted.
    ///
    /// # Errors
    /// `XX001`, `58030` if row ids could not be read.
    pub fn delete(&self, rows: &[RowId]) -> Result<Option<Self>, ArrowError> {
        Ok(self.chunks_without(rows)?.map(|chunks| self.with_chunks(chunks)))
    }

    fn chunks_without(&self, rows: &[RowId]) -> Result<Option<Vec<Arc<Chunk>>>, ArrowError> {
        if let [row] = rows {
            let Some((at, offset)) = self.find_row(*row)? else { return Ok(None) };
            let mut chunks = self.chunks.clone();
            let Some(chunk) = chunks.get_mut(at).filter(|chunk| chunk.is_live(offset)) else {
                return Ok(None);
            };
            *chunk = Arc::new(chunk.without_row(offset));
            return Ok(Some(chunks));
        }
        let mut builders: Vec<Option<BooleanBufferBuilder>> =
            (0..self.chunks.len()).map(|_| None).collect();
        for place in self.find_rows(rows)? {
            let Some((at, offset)) = place else { return Ok(None) };
            let chunk = &self.chunks[at];
            let builder = builders[at].get_or_insert_with(|| chunk.deleted_rows());
            if builder.get_bit(offset) {
                return Ok(None);
            }
            builder.set_bit(offset, true);
        }
        let chunks = self
            .chunks
            .iter()
            .zip(builders)
            .map(|(chunk, builder)| match builder {
                Some(mut builder) => Arc::new(chunk.with_deleted(builder.finish())),
                None => Arc::clone(chunk),
            })
            .collect();
        Ok(Some(chunks))
    }

    /// Chunk and offset of a row by its id, deleted or not: where it is now, or was last.
    ///
    /// # Errors
    /// `XX001`, `58030` if row ids could not be read.
    pub fn find_row(&self, row: RowId) -> Result<Option<(usize, usize)>, ArrowError> {
        // Most rows are where they came first, whose ids follow one another.
        for (at, chunk) in self.chunks.iter().enumerate() {
            if let Some(offset) = chunk.offset_of_next(row).filter(|offset| chunk.is_live(*offset))
            {
                return Ok(Some((at, offset)));
            }
        }
        for (at, chunk) in self.chunks.iter().enumerate().rev() {
            if let Some(offset) = chunk.offset_of(row)? {
                return Ok(Some((at, offset)));
            }
        }
        Ok(None)
    }

    /// As [`Self::find_row`], for many: the ids of a chunk are read once, however many of them are asked for.
    ///
    /// # Errors
    /// `XX001`, `58030` if row ids could not be read.
    pub fn find_rows(&self, rows: &[RowId]) -> Result<Vec<Option<(usize, usize)>>, ArrowError> {
        if let [row] = rows {
            return Ok(vec![self.find_row(*row)?]);
        }
        let mut places = vec![None; rows.len()];
        let mut missing: Vec<usize> = (0..rows.len()).collect();
        missing.sort_by_key(|at| rows.get(*at));
        for (at, chunk) in self.chunks.iter().enumerate().rev() {
            let (Some(first), Some(last)) = (missing.first(), missing.last()) else { break };
            let (Some(first), Some(last)) = (rows.get(*first), rows.get(*last)) else { break };
            let Some(ids) = chunk.row_ids_between(*first, *last)? else { continue };
            let (least, greatest) = ids.range(chunk.len());
            let id = |row: &usize| rows.get(*row).map_or(0, |row| row.0);
            let from = missing.partition_point(|row| id(row) < least);
            let to = missing.partition_point(|row| id(row) <= greatest);
            let mut elsewhere = Vec::new();
            for row in missing.get(from..to).unwrap_or_default() {
                match ids.offset_of(RowId(id(row)), chunk.len()) {
                    Some(offset) => places[*row] = Some((at, offset)),
                    None => elsewhere.push(*row),
                }
            }
            missing.splice(from..to.max(from), elsewhere);
        }
        Ok(places)
    }

    /// Position of a row by its id; `None` if it is not there, or deleted.
    ///
    /// # Errors
    /// `XX001`, `58030` if row ids could not be read.
    pub fn find_live(&self, row: RowId) -> Result<Option<u64>, ArrowError> {
        let place = self.find_row(row)?;
        let live = place.filter(|(chunk, offset)| self.chunks[*chunk].is_live(*offset));
        Ok(live.map(|(chunk, offset)| self.starts[chunk] + offset as u64))
    }

    /// The id of the row at a position.
    ///
    /// # Errors
    /// `XX001`, `58030` if row ids could not be read; an Arrow error past the last position.
    pub fn row_id(&self, position: u64) -> Result<RowId, ArrowError> {
        let (chunk, offset) = self.locate(position);
        let outside = || ArrowError::InvalidArgumentError("a row outside of its table".to_owned());
        self.chunks.get(chunk).ok_or_else(outside)?.row_id(offset)
    }

    /// Live rows whose key columns equal the given encoded key (see [`EncodedKeys`]), as positions.
    pub fn find_key(&self, columns: &[usize], key: &[u8]) -> Result<Vec<u64>, ArrowError> {
        self.find_in(columns, false, key)
    }

    /// Chunk and offset of the first of them.
    ///
    /// # Errors
    /// As [`Self::find_key`].
    pub fn find_first_key(
        &self,
        columns: &[usize],
        key: &[u8],
    ) -> Result<Option<(usize, usize)>, ArrowError> {
        for (at, chunk) in self.chunks.iter().enumerate() {
            let Some(lookup) = chunk.key_lookup(columns, false, (key, key))? else { continue };
            let mut first = None;
            lookup.find(key, |offset| {
                if first.is_none() && chunk.is_live(offset) {
                    first = Some((at, offset));
                }
            })?;
            if first.is_some() {
                return Ok(first);
            }
        }
        Ok(None)
    }

    /// As [`Self::find_key`] for a key with nulls, each equal to another null (see [`EncodedKeys::encoded`]).
    pub fn find_key_with_nulls(
        &self,
        columns: &[usize],
        key: &[u8],
    ) -> Result<Vec<u64>, ArrowError> {
        self.find_in(columns, true, key)
    }

    fn find_in(
        &self,
        columns: &[usize],
        with_nulls: bool,
        key: &[u8],
    ) -> Result<Vec<u64>, ArrowError> {
        let mut found = Vec::new();
        for (chunk, start) in self.chunks.iter().zip(&self.starts) {
            let Some(lookup) = chunk.key_lookup(columns, with_nulls, (key, key))? else { continue };
            lookup.find(key, |offset| {
                if chunk.is_live(offset) {
                    found.push(start + offset as u64);
                }
            })?;
        }
        Ok(found)
    }

    /// Finds the keys of `rows`, which are rows of `keys`: gives the row, position and id of each live row that has one of
    /// them, in no order. Keys with a null in them are not looked for. Indexes are passed through one after the other, each
    /// once for all keys, as a key here and a key there of each would have each of them in the processor's caches anew.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub fn find_keys(
        &self,
        columns: &[usize],
        keys: &EncodedKeys,
        rows: impl Iterator<Item = usize>,
        mut found: impl FnMut(usize, u64, RowId),
    ) -> Result<(), ArrowError> {
        let mut sought = SoughtKeys::new(keys, rows);
        let are_many = sought.len() >= MANY_KEYS;
        let mut places = Vec::new();
        for (chunk, start, lookup) in self.probe_between(columns, sought.range())?.chunks {
            let lookup = if are_many { lookup.for_many()? } else { lookup };
            places.clear();
            lookup.find_many(&mut sought, |row, offset| places.push((row, offset)))?;
            for (row, offset) in places.iter().copied() {
                if chunk.is_live(offset) {
                    found(row, start + offset as u64, chunk.row_id(offset)?);
                }
            }
        }
        Ok(())
    }

    /// Finds many keys: the indexes of the chunks where any of `keys` can be.
    pub fn probe(&self, columns: &[usize], keys: &EncodedKeys) -> Result<KeyProbe<'_>, ArrowError> {
        let probe = self.probe_between(columns, keys.range())?;
        if keys.len() < MANY_KEYS {
            return Ok(probe);
        }
        let many =
            |(chunk, start, lookup): (_, _, KeyLookup)| Ok((chunk, start, lookup.for_many()?));
        let chunks = probe.chunks.into_iter().map(many).collect::<Result<_, ArrowError>>()?;
        Ok(KeyProbe { chunks })
    }

    /// As [`Self::probe`], for encoded keys between two.
    pub fn probe_between(
        &self,
        columns: &[usize],
        range: Option<(&[u8], &[u8])>,
    ) -> Result<KeyProbe<'_>, ArrowError> {
        let mut chunks = Vec::new();
        if let Some(range) = range {
            for (chunk, start) in self.chunks.iter().zip(&self.starts) {
                if let Some(lookup) = chunk.key_lookup(columns, false, range)? {
                    chunks.push((chunk.as_ref(), *start, lookup));
                }
            }
        }
        Ok(KeyProbe { chunks })
    }

    /// The same rows under another schema: columns are taken from `map` in its order, `None` being a new all-null or
    /// constant column given by `fill`.
    ///
    /// Deleted rows are left out: they may hold values that `reshape` would refuse.
    pub fn reshape(
        &self,
        schema: SchemaRef,
        mut reshape: impl FnMut(&RecordBatch) -> Result<RecordBatch, ArrowError>,
    ) -> Result<Self, ArrowError> {
        let chunks = self
            .chunks
            .iter()
            .map(|chunk| {
                let ids = match chunk.deleted {
                    None => chunk.row_ids()?,
                    Some(_) => RowIds::of_numbers(chunk.live_ids()?),
                };
                Ok(Arc::new(Chunk::with_rows(reshape(&chunk.live_batch()?)?, ids, None)))
            })
            .collect::<Result<_, ArrowError>>()?;
        Ok(Self::of(self.table, schema, chunks, Arc::clone(&self.next_row)))
    }

    /// The live rows, chunk by chunk: each is read when it is asked for.
    pub fn live_batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.chunks.iter().map(|chunk| chunk.live_batch())
    }

    /// Bytes of memory that a checkpoint would make free for others.
    pub fn fresh_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.fresh_bytes()).sum()
    }

    /// About how many bytes its rows would take if all of them were in memory.
    pub fn bytes_in_memory(&self) -> u64 {
        let chunks = self.chunks.iter();
        chunks.map(|chunk| chunk.bytes() * if chunk.is_stored() { EXPANSION } else { 1 }).sum()
    }

    /// Bytes of its rows, in files and in memory.
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.bytes()).sum()
    }

    /// Rows at the given positions with all columns.
    pub fn rows_at(&self, positions: &[u64]) -> Result<RecordBatch, ArrowError> {
        let columns = (0..self.schema.fields().len())
            .map(|column| self.gather(column, positions))
            .collect::<Result<_, _>>()?;
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(positions.len())),
        )
    }
}
