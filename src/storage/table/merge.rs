//! Chunks put together: small ones at the end while rows come in, all others in the background.
//!
//! ```text
//! append      a transaction keeps the tail of its own chunks short: eight of a size become one of the next, so a row is
//!             copied a logarithmic number of times
//! commit      the same for the tail of all, as far as it is quickly done: others wait
//! background  runs of small chunks, and chunks with many deleted rows, are written as one, without what is deleted
//! ```
//!
//! Rows keep their ids, so nothing that runs can tell; positions change, so it is another version.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBufferBuilder, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::{concat_batches, interleave, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::chunk::{Chunk, RowIds};
use super::compact::compact;
use super::version::TableVersion;
use crate::storage::cache::array_bytes;
use crate::types::RowId;

/// A chunk has at most so many rows.
pub(in crate::storage) const CHUNK_ROWS_MAX: usize = 131_072;
/// A chunk of wide rows has fewer: about so many bytes of them.
const CHUNK_BYTES_SOFT: usize = 32 << 20;
/// Fresh chunks below this are merged with their neighbors when the tail grows.
const SMALL_CHUNK_ROWS: usize = 65_536;
/// A commit merges chunks below this.
const COMMIT_CHUNK_ROWS: usize = 4096;
/// So many small chunks next to each other are merged.
const SMALL_CHUNKS_MAX: usize = 8;

/// Chunks of a version that become one: see [`TableVersion::merges`].
#[derive(Debug)]
pub struct Merge {
    from: Vec<Arc<Chunk>>,
    /// `None` if no row is left.
    to: Option<Arc<Chunk>>,
}

/// How many rows of a batch make a chunk.
pub(super) fn chunk_rows(batch: &RecordBatch) -> usize {
    if batch.num_rows() <= 1024 {
        return CHUNK_ROWS_MAX;
    }
    let bytes: usize = batch.columns().iter().map(|column| array_bytes(column.as_ref())).sum();
    let row = (bytes / batch.num_rows()).max(1);
    (CHUNK_BYTES_SOFT / row).clamp(1024, CHUNK_ROWS_MAX)
}

/// Keeps the tail of chunks that a transaction made short. Those before `own` are all's: each transaction would merge
/// them for itself.
pub(super) fn merge_own(
    chunks: &mut Vec<Arc<Chunk>>,
    own: usize,
    schema: &SchemaRef,
) -> Result<(), ArrowError> {
    merge_tail(chunks, own, SMALL_CHUNK_ROWS, schema)
}

/// Where the chunks begin that commits merge.
fn commit_tail(chunks: &[Arc<Chunk>]) -> usize {
    let is_small = |chunk: &&Arc<Chunk>| chunk.len() < COMMIT_CHUNK_ROWS && !chunk.is_stored();
    chunks.len() - chunks.iter().rev().take_while(is_small).count()
}

/// Merges eight fresh chunks of a size at the tail into one of the next, as long as there are so many, and drops deleted
/// rows: each row is copied once for each size. Chunks before `first`, and of `small_rows` or more, stay.
fn merge_tail(
    chunks: &mut Vec<Arc<Chunk>>,
    first: usize,
    small_rows: usize,
    schema: &SchemaRef,
) -> Result<(), ArrowError> {
    loop {
        let size = chunks.last().map_or(0, |chunk| size_class(chunk.len()));
        let mut rows = 0;
        // What is stored is merged in the background: a commit does not read files.
        let is_of_run = |chunk: &&Arc<Chunk>| {
            rows += chunk.len();
            let is_small = chunk.len() < small_rows && !chunk.is_stored();
            is_small && size_class(chunk.len()) <= size && rows <= CHUNK_ROWS_MAX
        };
        let run = chunks.iter().skip(first).rev().take_while(is_of_run).count();
        if run < SMALL_CHUNKS_MAX {
            return Ok(());
        }
        let tail: Vec<Arc<Chunk>> = chunks.drain(chunks.len() - run..).collect();
        chunks.extend(merge(&tail, schema)?.map(Arc::new));
    }
}

/// Sizes of chunks, each up to [`SMALL_CHUNKS_MAX`] times the one before.
fn size_class(rows: usize) -> u32 {
    rows.max(1).ilog(SMALL_CHUNKS_MAX)
}

/// The live rows of some chunks, in order of their ids.
fn merge(tail: &[Arc<Chunk>], schema: &SchemaRef) -> Result<Option<Chunk>, ArrowError> {
    if tail.iter().map(|chunk| chunk.len()).sum::<usize>() <= COMMIT_CHUNK_ROWS {
        return merge_few(tail, schema);
    }
    let mut ids = Vec::new();
    let mut batches = Vec::with_capacity(tail.len());
    for chunk in tail.iter().filter(|chunk| chunk.live_rows() > 0) {
        batches.push(chunk.live_batch()?);
        ids.extend(chunk.live_ids()?);
    }
    if ids.is_empty() {
        return Ok(None);
    }
    let batch = compact(concat_batches(schema, &batches)?)?;
    if ids.is_sorted() {
        return Ok(Some(Chunk::with_rows(batch, RowIds::of_numbers(ids), None)));
    }
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by_key(|at| ids[*at as usize]);
    let sorted: Vec<u64> = order.iter().map(|at| ids[*at as usize]).collect();
    let batch = take_record_batch(&batch, &UInt32Array::from(order))?;
    Ok(Some(Chunk::with_rows(batch, RowIds::of_numbers(sorted), None)))
}

/// As [`merge`], row by row: for few rows that is quicker than array by array.
fn merge_few(tail: &[Arc<Chunk>], schema: &SchemaRef) -> Result<Option<Chunk>, ArrowError> {
    let mut live = Vec::new();
    let mut rows = Vec::new();
    for chunk in tail.iter().filter(|chunk| chunk.live_rows() > 0) {
        for offset in (0..chunk.len()).filter(|offset| chunk.is_live(*offset)) {
            rows.push((chunk.row_id(offset)?.0, (live.len(), offset)));
        }
        live.push(chunk);
    }
    if rows.is_empty() {
        return Ok(None);
    }
    rows.sort_unstable_by_key(|(id, _)| *id);
    let (ids, places): (Vec<u64>, Vec<(usize, usize)>) = rows.into_iter().unzip();
    let gather = |column| {
        let parts: Vec<ArrayRef> =
            live.iter().map(|chunk| chunk.column(column)).collect::<Result<_, _>>()?;
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        interleave(&parts, &places)
    };
    let columns = (0..schema.fields().len()).map(gather).collect::<Result<_, ArrowError>>()?;
    let count = RecordBatchOptions::new().with_row_count(Some(ids.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &count)?;
    Ok(Some(Chunk::with_rows(compact(batch)?, RowIds::of_numbers(ids), None)))
}

/// What makes merging worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eagerness {
    /// Many small chunks in a row, or a good part of a chunk deleted.
    Worth,
    /// Anything that can be gained.
    All,
}

impl TableVersion {
    /// The version that a commit shows to all: its tail is short, and no transaction merges its chunks for itself.
    ///
    /// # Errors
    /// None are expected: what is merged is in memory.
    pub fn published(self) -> Result<Self, ArrowError> {
        let (table, mut chunks) = self.into_chunks();
        // A row that is updated again and again leaves a chunk behind each time.
        chunks.retain(|chunk| chunk.live_rows() > 0 || chunk.is_stored());
        merge_tail(&mut chunks, 0, COMMIT_CHUNK_ROWS, &table.schema)?;
        Ok(table.with_chunks(chunks).shared())
    }

    /// What background merging would do to this version, one after the other: each reads the rows that move.
    pub fn merges(&self) -> impl Iterator<Item = Result<Merge, ArrowError>> {
        self.plan(Eagerness::Worth).into_iter().map(|run| self.merge_run(run))
    }

    /// As [`Self::merges`], for all that can be gained: VACUUM.
    pub fn all_merges(&self) -> impl Iterator<Item = Result<Merge, ArrowError>> {
        self.plan(Eagerness::All).into_iter().map(|run| self.merge_run(run))
    }

    /// Whether background merging has something to do.
    pub fn wants_merging(&self) -> bool {
        !self.plan(Eagerness::Worth).is_empty()
    }

    fn merge_run(&self, from: Vec<Arc<Chunk>>) -> Result<Merge, ArrowError> {
        let to = merge(&from, &self.schema)?.map(Arc::new);
        Ok(Merge { from, to })
    }

    /// Runs of chunks that are to become one each.
    fn plan(&self, eagerness: Eagerness) -> Vec<Vec<Arc<Chunk>>> {
        let small_max = if eagerness == Eagerness::All { 2 } else { SMALL_CHUNKS_MAX };
        let mut runs = Vec::new();
        let mut run: Vec<Arc<Chunk>> = Vec::new();
        let mut rows = 0;
        let mut close = |run: &mut Vec<Arc<Chunk>>| {
            let run = std::mem::take(run);
            let dead: usize = run.iter().map(|chunk| chunk.len() - chunk.live_rows()).sum();
            let all: usize = run.iter().map(|chunk| chunk.len()).sum();
            let much_dead = match eagerness {
                Eagerness::Worth => dead >= 1024 && dead * 4 >= all,
                Eagerness::All => dead > 0,
            };
            if run.len() >= small_max || much_dead || (all > 0 && dead == all) {
                runs.push(run);
            }
        };
        let commits = commit_tail(self.chunks());
        for (at, chunk) in self.chunks().iter().enumerate() {
            // What commits merge may be other chunks by the time that this is done; the others do not depend on it.
            if at == commits && eagerness == Eagerness::Worth {
                close(&mut run);
                rows = 0;
            }
            let live = chunk.live_rows();
            let stays = live >= SMALL_CHUNK_ROWS && live * 4 >= chunk.len() * 3;
            let stays = stays && (eagerness == Eagerness::Worth || live == chunk.len());
            if stays || rows + live > CHUNK_ROWS_MAX {
                close(&mut run);
                rows = 0;
            }
            if !stays {
                rows += live;
                run.push(Arc::clone(chunk));
            }
        }
        close(&mut run);
        runs
    }

    /// This version with merges of an earlier one, as far as their chunks are still here. `None` if none is.
    pub fn with_merges(&self, merges: &[Merge]) -> Result<Option<Self>, ArrowError> {
        let mut chunks = self.chunks().to_vec();
        let mut changed = false;
        for merge in merges {
            let Some(first) = merge.from.first() else { continue };
            let Some(at) = chunks.iter().position(|chunk| chunk.has_rows_of(first)) else {
                continue;
            };
            let end = at + merge.from.len();
            let Some(run) = chunks.get(at..end) else { continue };
            if !run.iter().zip(&merge.from).all(|(now, then)| now.has_rows_of(then)) {
                continue;
            }
            let Some(to) = merge.less_deleted(run)? else { continue };
            chunks.splice(at..end, to);
            changed = true;
        }
        Ok(changed.then(|| self.with_chunks(chunks).shared()))
    }
}

impl Merge {
    /// The merged chunk without rows that were deleted since; `None` if rows came back, as in an older version.
    fn less_deleted(&self, now: &[Arc<Chunk>]) -> Result<Option<Option<Arc<Chunk>>>, ArrowError> {
        let mut gone: Vec<RowId> = Vec::new();
        for (then, now) in self.from.iter().zip(now).filter(|(then, now)| !Arc::ptr_eq(then, now)) {
            for offset in 0..now.len() {
                match (then.is_live(offset), now.is_live(offset)) {
                    (true, false) => gone.push(now.row_id(offset)?),
                    (false, true) => return Ok(None),
                    (true, true) | (false, false) => {}
                }
            }
        }
        let Some(to) = &self.to else { return Ok(Some(None)) };
        if gone.is_empty() {
            return Ok(Some(Some(Arc::clone(to))));
        }
        let mut deleted = BooleanBufferBuilder::new(to.len());
        deleted.append_n(to.len(), false);
        for row in gone {
            let Some(offset) = to.offset_of(row)? else { return Ok(None) };
            deleted.set_bit(offset, true);
        }
        Ok(Some(Some(Arc::new(to.with_deleted(deleted.finish())))))
    }
}
