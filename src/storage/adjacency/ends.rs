//! Which vertex each edge starts and ends at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use datafusion::common::HashMap;

use super::charge::Charged;
use super::numbers::{Numbers, live_offsets};
use crate::storage::StorageError;
use crate::storage::table::{EncodedKeys, TableVersion};
use crate::types::MemoryBranch;

/// Stands for "no vertex": the edge is deleted, or its key is null or not found.
pub const DANGLING: u32 = u32::MAX;

/// How often long loops look at their [`CancelFlag`], in rows.
const CANCEL_CHECK_ROWS: usize = 65_536;

/// Set when nobody waits for a build any more.
#[derive(Debug, Default)]
pub struct CancelFlag(AtomicBool);

impl CancelFlag {
    /// Asks the build to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// `57014` once [`Self::cancel`] was called.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        if self.0.load(Ordering::Relaxed) { Err(StorageError::Canceled) } else { Ok(()) }
    }
}

/// The columns by which one end of an edge table finds its vertex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndColumns {
    /// Positions in the edge table.
    pub edge: Vec<usize>,
    /// Positions in the vertex table, pairwise equal to `edge`.
    pub vertex: Vec<usize>,
}

/// Vertex numbers of both ends of every edge, by edge number.
///
/// An edge with one dangling end has two: half an edge is none.
#[derive(Debug, Clone)]
pub struct EdgeEnds {
    base: Arc<Charged<Vec<[u32; 2]>>>,
    /// What counts instead.
    changed: HashMap<u32, [u32; 2]>,
    /// Live edges of which an end was not found.
    pub(super) unresolved: usize,
}

/// More changes than this, and than an eighth of all, are written into the array.
const CHANGED_MAX: usize = 4_096;

impl EdgeEnds {
    /// Ends by edge number; [`DANGLING`] twice for none.
    pub(super) fn of(ends: Vec<[u32; 2]>, unresolved: usize) -> Self {
        Self { base: Arc::new(Charged::new(ends)), changed: HashMap::new(), unresolved }
    }

    /// Resolves both ends. Time and memory are linear in the rows of the three tables, whose numbers are given in the
    /// same order.
    ///
    /// # Errors
    /// `54000` for a table with too many rows, `57014` when canceled.
    pub(super) fn resolve(
        [edges, sources, destinations]: [&TableVersion; 3],
        [edge_numbers, source_numbers, destination_numbers]: [&Numbers; 3],
        [source, destination]: [&EndColumns; 2],
        cancel: &CancelFlag,
    ) -> Result<Self, StorageError> {
        let from = resolve_end(edges, (sources, source_numbers), source, cancel)?;
        let to = resolve_end(edges, (destinations, destination_numbers), destination, cancel)?;
        let mut ends = vec![[DANGLING; 2]; edge_numbers.count(edges)? as usize];
        let mut unresolved = 0;
        for (chunk, start) in edges.chunks().iter().zip(edges.chunk_starts()) {
            for offset in live_offsets(chunk) {
                let at = *start as usize + offset;
                let (from, to) = (from[at], to[at]);
                if from == DANGLING || to == DANGLING {
                    unresolved += 1;
                    continue;
                }
                let number = edge_numbers.number(chunk.row_id(offset)?);
                if let Some(slot) = number.and_then(|number| ends.get_mut(number as usize)) {
                    *slot = [from, to];
                }
            }
        }
        Ok(Self::of(ends, unresolved))
    }

    /// Source and destination of an edge.
    pub(super) fn get(&self, edge: u32) -> [u32; 2] {
        if !self.changed.is_empty()
            && let Some(ends) = self.changed.get(&edge)
        {
            return *ends;
        }
        self.base.get(edge as usize).copied().unwrap_or([DANGLING; 2])
    }

    /// The ends of all numbers there may be.
    pub(super) fn iter(&self) -> impl Iterator<Item = [u32; 2]> + '_ {
        let last = self.changed.keys().max().map_or(0, |edge| *edge as usize + 1);
        (0..self.base.len().max(last) as u32).map(|edge| self.get(edge))
    }

    /// The same with some ends changed.
    #[must_use]
    pub(super) fn changed_by(
        &self,
        changes: impl IntoIterator<Item = (u32, [u32; 2])>,
        unresolved: usize,
    ) -> Self {
        let mut changed = self.changed.clone();
        changed.extend(changes);
        if changed.len() <= CHANGED_MAX.max(self.base.len() / 8) {
            return Self { base: Arc::clone(&self.base), changed, unresolved };
        }
        let ends = Self { base: Arc::clone(&self.base), changed, unresolved };
        Self::of(ends.iter().collect(), unresolved)
    }

    /// Charges for the shared array.
    pub(super) fn charge(&self, memory: &Arc<MemoryBranch>) {
        self.base.charge(memory, self.base_bytes().1);
    }

    /// The address of the shared array, to count it once, and its bytes.
    pub(super) fn base_bytes(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.base) as usize, self.base.capacity() * size_of::<[u32; 2]>())
    }

    /// Bytes of the changes alone.
    pub(super) fn delta_bytes(&self) -> usize {
        self.changed.capacity() * 16
    }
}

/// The vertex number of one end for each edge position.
fn resolve_end(
    edges: &TableVersion,
    vertices: (&TableVersion, &Numbers),
    columns: &EndColumns,
    cancel: &CancelFlag,
) -> Result<Vec<u32>, StorageError> {
    match columns.vertex.as_slice() {
        [vertex] if is_integer(vertices.0.schema.field(*vertex).data_type()) => {
            let index = IntegerIndex::build(vertices, *vertex, cancel)?;
            resolve_integers(edges, columns.edge[0], &index, cancel)
        }
        _ => resolve_encoded(edges, vertices, columns, cancel),
    }
}

fn is_integer(ty: &DataType) -> bool {
    matches!(ty, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32)
}

/// Vertex numbers by integer key: an array where keys are dense, else a hash map.
enum IntegerIndex {
    Dense { first: i64, numbers: Vec<u32> },
    Sparse(HashMap<i64, u32>),
}

impl IntegerIndex {
    fn build(
        (vertices, numbers): (&TableVersion, &Numbers),
        column: usize,
        cancel: &CancelFlag,
    ) -> Result<Self, StorageError> {
        let mut keys = Vec::with_capacity(vertices.live_rows() as usize);
        for chunk in vertices.chunks() {
            cancel.check()?;
            let values = cast(&chunk.column(column)?, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            for at in live_offsets(chunk).filter(|at| values.is_valid(*at)) {
                if let Some(number) = numbers.number(chunk.row_id(at)?) {
                    keys.push((values.value(at), number));
                }
            }
        }
        let first = keys.iter().map(|(key, _)| *key).min().unwrap_or(0);
        let last = keys.iter().map(|(key, _)| *key).max().unwrap_or(0);
        let span = i128::from(last) - i128::from(first) + 1;
        if span <= 4 * keys.len() as i128 + 1024 {
            let mut by_key = vec![DANGLING; span as usize];
            for (key, number) in keys.iter().rev() {
                by_key[(key - first) as usize] = *number;
            }
            return Ok(Self::Dense { first, numbers: by_key });
        }
        let mut map = HashMap::with_capacity(keys.len());
        for (key, number) in keys {
            map.entry(key).or_insert(number);
        }
        Ok(Self::Sparse(map))
    }

    fn find(&self, key: i64) -> u32 {
        match self {
            Self::Dense { first, numbers } => key
                .checked_sub(*first)
                .and_then(|at| usize::try_from(at).ok())
                .and_then(|at| numbers.get(at))
                .copied()
                .unwrap_or(DANGLING),
            Self::Sparse(map) => map.get(&key).copied().unwrap_or(DANGLING),
        }
    }
}

fn resolve_integers(
    edges: &TableVersion,
    column: usize,
    index: &IntegerIndex,
    cancel: &CancelFlag,
) -> Result<Vec<u32>, StorageError> {
    let mut found = Vec::with_capacity(edges.positions() as usize);
    for chunk in edges.chunks() {
        cancel.check()?;
        // A value that does not fit becomes null, and so finds nothing.
        let values = cast(&chunk.column(column)?, &DataType::Int64)?;
        let values = values.as_primitive::<Int64Type>();
        found.extend((0..chunk.len()).map(|at| {
            if chunk.is_live(at) && values.is_valid(at) {
                index.find(values.value(at))
            } else {
                DANGLING
            }
        }));
    }
    Ok(found)
}

/// The general way: keys of any type and number of columns, compared in the row format.
fn resolve_encoded(
    edges: &TableVersion,
    (vertices, numbers): (&TableVersion, &Numbers),
    columns: &EndColumns,
    cancel: &CancelFlag,
) -> Result<Vec<u32>, StorageError> {
    let types = key_types(vertices, columns);
    let encoded = vertices
        .chunks()
        .iter()
        .map(|chunk| Ok(encode_keys(&chunk.project(&columns.vertex)?, &types)?))
        .collect::<Result<Vec<_>, StorageError>>()?;
    let mut index: HashMap<&[u8], u32> = HashMap::with_capacity(vertices.live_rows() as usize);
    for (chunk, keys) in vertices.chunks().iter().zip(&encoded) {
        for at in live_offsets(chunk) {
            if at % CANCEL_CHECK_ROWS == 0 {
                cancel.check()?;
            }
            if let (Some(key), Some(number)) = (keys.get(at), numbers.number(chunk.row_id(at)?)) {
                index.entry(key).or_insert(number);
            }
        }
    }
    let mut found = Vec::with_capacity(edges.positions() as usize);
    for chunk in edges.chunks() {
        let keys = encode_keys(&chunk.project(&columns.edge)?, &types)?;
        for at in 0..chunk.len() {
            if at % CANCEL_CHECK_ROWS == 0 {
                cancel.check()?;
            }
            let key = if chunk.is_live(at) { keys.get(at) } else { None };
            found.push(key.and_then(|key| index.get(key)).copied().unwrap_or(DANGLING));
        }
    }
    Ok(found)
}

/// The types of a vertex table's key columns.
pub(super) fn key_types(vertices: &TableVersion, columns: &EndColumns) -> Vec<DataType> {
    let types = columns.vertex.iter();
    types.map(|column| vertices.schema.field(*column).data_type().clone()).collect()
}

/// Encodes key columns as `types`; a value that does not fit becomes null, which is no key.
pub(super) fn encode_keys(
    rows: &RecordBatch,
    types: &[DataType],
) -> Result<EncodedKeys, ArrowError> {
    let mut fields = Vec::with_capacity(types.len());
    let mut arrays = Vec::with_capacity(types.len());
    for (column, ty) in rows.columns().iter().zip(types) {
        fields.push(Field::new(format!("k{}", fields.len()), ty.clone(), true));
        arrays.push(cast(column, ty)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let batch = RecordBatch::try_new_with_options(Schema::new(fields).into(), arrays, &options)?;
    EncodedKeys::encode(&batch, &(0..types.len()).collect::<Vec<_>>())
}
