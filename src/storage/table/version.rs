//! One immutable version of a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, BooleanBufferBuilder, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, interleave, take};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::chunk::{Chunk, RowIds};
use super::key_index::{EncodedKeys, KeyIndex};
use super::widen::widen_rows;
use crate::types::{Oid, RowId};

/// Chunks below this are merged with their neighbors when the tail grows.
const SMALL_CHUNK_ROWS: usize = 65_536;
/// How many small chunks may stand at the tail before they are merged.
const SMALL_CHUNKS_MAX: usize = 8;

static NEXT_STAMP: AtomicU64 = AtomicU64::new(1);

/// Chunks of a version with their indexes of some columns: see [`TableVersion::probe`].
pub struct KeyProbe<'a> {
    chunks: Vec<(&'a Chunk, u64, Arc<KeyIndex>)>,
}

impl KeyProbe<'_> {
    /// Gives position and id of each live row with this encoded key.
    pub fn find(&self, key: &[u8], mut found: impl FnMut(u64, RowId)) {
        for (chunk, start, index) in &self.chunks {
            index.find(key, |offset| {
                if chunk.is_live(offset) {
                    found(start + offset as u64, chunk.row_id(offset));
                }
            });
        }
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
        Self { table, stamp, schema, chunks, starts, positions, next_row }
    }

    /// These chunks, of rows that keep their ids, under a schema.
    pub(super) fn with_chunks(&self, schema: SchemaRef, chunks: Vec<Arc<Chunk>>) -> Self {
        Self::of(self.table, schema, chunks, Arc::clone(&self.next_row))
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
        match self.chunks.as_slice() {
            [] => Ok(arrow::array::new_empty_array(self.schema.field(column).data_type())),
            [only] => take(only.batch.column(column), &UInt64Array::from(positions.to_vec()), None),
            many => {
                let arrays: Vec<&dyn arrow::array::Array> =
                    many.iter().map(|chunk| chunk.batch.column(column).as_ref()).collect();
                let places: Vec<(usize, usize)> =
                    positions.iter().map(|position| self.locate(*position)).collect();
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
        let batch = widen_rows(&batch, &self.schema)?;
        let mut chunks = self.chunks.clone();
        chunks.push(Arc::new(Chunk::with_rows(batch, ids, None)));
        merge_tail(&mut chunks, &self.schema)?;
        Ok(Self::of(self.table, Arc::clone(&self.schema), chunks, Arc::clone(&self.next_row)))
    }

    /// This version without the given rows. `None` if one of them is not there or already deleted.
    pub fn delete(&self, rows: &[RowId]) -> Option<Self> {
        let mut builders: Vec<Option<BooleanBufferBuilder>> =
            (0..self.chunks.len()).map(|_| None).collect();
        for row in rows {
            let (at, offset) = self.find_row(*row)?;
            let chunk = &self.chunks[at];
            let builder = builders[at].get_or_insert_with(|| {
                let mut builder = BooleanBufferBuilder::new(chunk.len());
                match &chunk.deleted {
                    Some(deleted) => builder.append_buffer(deleted),
                    None => builder.append_n(chunk.len(), false),
                }
                builder
            });
            if builder.get_bit(offset) {
                return None;
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
        Some(Self::of(self.table, Arc::clone(&self.schema), chunks, Arc::clone(&self.next_row)))
    }

    /// Chunk and offset of a row by its id, deleted or not.
    pub fn find_row(&self, row: RowId) -> Option<(usize, usize)> {
        self.chunks
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, chunk)| chunk.offset_of(row).map(|offset| (at, offset)))
    }

    /// Live rows whose key columns equal the given encoded key (see [`EncodedKeys`]), as positions.
    pub fn find_key(&self, columns: &[usize], key: &[u8]) -> Result<Vec<u64>, ArrowError> {
        self.find_in(key, |chunk| chunk.key_index(columns))
    }

    /// As [`Self::find_key`] for a key with nulls, each equal to another null (see [`EncodedKeys::encoded`]).
    pub fn find_key_with_nulls(
        &self,
        columns: &[usize],
        key: &[u8],
    ) -> Result<Vec<u64>, ArrowError> {
        self.find_in(key, |chunk| chunk.key_index_with_nulls(columns))
    }

    fn find_in(
        &self,
        key: &[u8],
        index: impl Fn(&Chunk) -> Result<Arc<KeyIndex>, ArrowError>,
    ) -> Result<Vec<u64>, ArrowError> {
        let mut found = Vec::new();
        for (chunk, start) in self.chunks.iter().zip(&self.starts) {
            index(chunk)?.find(key, |offset| {
                if chunk.is_live(offset) {
                    found.push(start + offset as u64);
                }
            });
        }
        Ok(found)
    }

    /// Finds many keys: the indexes of the chunks where any of `keys` can be.
    pub fn probe(&self, columns: &[usize], keys: &EncodedKeys) -> Result<KeyProbe<'_>, ArrowError> {
        self.probe_between(columns, keys.range())
    }

    /// As [`Self::probe`], for encoded keys between two.
    pub fn probe_between(
        &self,
        columns: &[usize],
        range: Option<(&[u8], &[u8])>,
    ) -> Result<KeyProbe<'_>, ArrowError> {
        let mut chunks = Vec::new();
        if let Some((least, greatest)) = range {
            for (chunk, start) in self.chunks.iter().zip(&self.starts) {
                let index = chunk.key_index(columns)?;
                if index.meets(least, greatest) {
                    chunks.push((chunk.as_ref(), *start, index));
                }
            }
        }
        Ok(KeyProbe { chunks })
    }

    /// The same rows in as few chunks as hold them, without those that are deleted; `None` if there is nothing to gain.
    ///
    /// Rows keep their ids.
    pub fn compacted(&self) -> Result<Option<Self>, ArrowError> {
        const CHUNK_ROWS: usize = 1 << 20;
        let dead = self.positions() - self.live_rows();
        let small = self.chunks.iter().filter(|chunk| chunk.len() < SMALL_CHUNK_ROWS).count();
        if dead == 0 && small < 2 {
            return Ok(None);
        }
        let mut chunks = Vec::new();
        let mut run: Vec<Arc<Chunk>> = Vec::new();
        let mut rows = 0;
        for chunk in &self.chunks {
            if rows > 0 && rows + chunk.live_rows() > CHUNK_ROWS {
                chunks.push(Arc::new(merge(&std::mem::take(&mut run), &self.schema)?));
                rows = 0;
            }
            rows += chunk.live_rows();
            run.push(Arc::clone(chunk));
        }
        if rows > 0 {
            chunks.push(Arc::new(merge(&run, &self.schema)?));
        }
        Ok(Some(Self::of(self.table, Arc::clone(&self.schema), chunks, Arc::clone(&self.next_row))))
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
                if chunk.deleted.is_none() {
                    let batch = reshape(&chunk.batch)?;
                    return Ok(Arc::new(Chunk::with_rows(batch, chunk.rows.clone(), None)));
                }
                let ids: Vec<RowId> = (0..chunk.len())
                    .filter(|offset| chunk.is_live(*offset))
                    .map(|offset| chunk.row_id(offset))
                    .collect();
                let batch = reshape(&chunk.live_batch(&chunk.batch)?)?;
                Ok(Arc::new(Chunk::with_rows(batch, RowIds::of(&ids), None)))
            })
            .collect::<Result<_, ArrowError>>()?;
        Ok(Self::of(self.table, schema, chunks, Arc::clone(&self.next_row)))
    }
}

/// Merges the small chunks at the tail into one when there are too many, dropping deleted rows.
///
/// Sizes grow by doubling, so a row is copied a logarithmic number of times.
fn merge_tail(chunks: &mut Vec<Arc<Chunk>>, schema: &SchemaRef) -> Result<(), ArrowError> {
    let small = chunks.iter().rev().take_while(|chunk| chunk.len() < SMALL_CHUNK_ROWS).count();
    if small <= SMALL_CHUNKS_MAX {
        return Ok(());
    }
    // Merge the shortest run at the end in which the new chunk is not dwarfed by what it is merged with.
    let mut from = chunks.len() - 1;
    let mut rows = chunks[from].len();
    while from > chunks.len() - small && chunks[from - 1].len() <= 2 * rows {
        from -= 1;
        rows += chunks[from].len();
    }
    if from == chunks.len() - 1 {
        from = chunks.len() - 2;
    }
    let tail: Vec<Arc<Chunk>> = chunks.drain(from..).collect();
    chunks.push(Arc::new(merge(&tail, schema)?));
    Ok(())
}

fn merge(tail: &[Arc<Chunk>], schema: &SchemaRef) -> Result<Chunk, ArrowError> {
    let mut ids = Vec::new();
    let mut batches = Vec::with_capacity(tail.len());
    for chunk in tail {
        batches.push(chunk.live_batch(&chunk.batch)?);
        ids.extend(
            (0..chunk.len())
                .filter(|offset| chunk.is_live(*offset))
                .map(|offset| chunk.row_id(offset).0),
        );
    }
    let batch = concat_batches(schema, &batches)?;
    if ids.is_sorted() {
        return Ok(Chunk::with_rows(batch, RowIds::of_numbers(ids), None));
    }
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by_key(|at| ids[*at as usize]);
    let sorted: Vec<u64> = order.iter().map(|at| ids[*at as usize]).collect();
    let batch = arrow::compute::take_record_batch(&batch, &arrow::array::UInt32Array::from(order))?;
    Ok(Chunk::with_rows(batch, RowIds::of_numbers(sorted), None))
}

impl TableVersion {
    /// The live rows of a chunk under a filter on row ids, used by tests and checks.
    pub fn live_batches(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        self.chunks.iter().map(|chunk| chunk.live_batch(&chunk.batch)).collect()
    }

    /// The keys of all live rows, for checking a new constraint.
    pub fn live_keys(&self, columns: &[usize]) -> Result<Vec<EncodedKeys>, ArrowError> {
        self.live_batches()?.iter().map(|batch| EncodedKeys::encode(batch, columns)).collect()
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
