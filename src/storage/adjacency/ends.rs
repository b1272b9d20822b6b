//! Which vertex each edge starts and ends at.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use datafusion::common::HashMap;

use crate::storage::StorageError;
use crate::storage::table::{EncodedKeys, TableVersion};

/// Stands for "no vertex" in [`EdgeEnds`]: the edge is deleted, or its key is null or not found.
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

/// Vertex positions of both ends of every row of an edge table.
///
/// Both have one entry for each position of the edge table. An edge with one dangling end has two: half an edge is
/// none.
#[derive(Debug)]
pub struct EdgeEnds {
    /// Position in the source vertex table, or [`DANGLING`].
    pub source: Vec<u32>,
    /// Position in the destination vertex table, or [`DANGLING`].
    pub destination: Vec<u32>,
    /// Live edges of which an end was not found.
    pub unresolved: usize,
}

impl EdgeEnds {
    /// Resolves both ends. Time and memory are linear in the rows of the three tables.
    ///
    /// # Errors
    /// `54000` for a table with too many rows, `57014` when canceled.
    pub fn resolve(
        edges: &TableVersion,
        source: (&TableVersion, &EndColumns),
        destination: (&TableVersion, &EndColumns),
        cancel: &CancelFlag,
    ) -> Result<Self, StorageError> {
        for table in [edges, source.0, destination.0] {
            if table.positions() >= u64::from(DANGLING) {
                return Err(StorageError::TooManyRows);
            }
        }
        let mut from = resolve_end(edges, source.0, source.1, cancel)?;
        let mut to = resolve_end(edges, destination.0, destination.1, cancel)?;
        let mut resolved = 0;
        for (from, to) in from.iter_mut().zip(&mut to) {
            if *from == DANGLING || *to == DANGLING {
                (*from, *to) = (DANGLING, DANGLING);
            } else {
                resolved += 1;
            }
        }
        let unresolved = edges.live_rows() as usize - resolved;
        Ok(Self { source: from, destination: to, unresolved })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.source.capacity() + self.destination.capacity()) * size_of::<u32>()
    }
}

/// The vertex position of one end for each edge position.
fn resolve_end(
    edges: &TableVersion,
    vertices: &TableVersion,
    columns: &EndColumns,
    cancel: &CancelFlag,
) -> Result<Vec<u32>, StorageError> {
    match columns.vertex.as_slice() {
        [vertex] if is_integer(vertices.schema.field(*vertex).data_type()) => {
            let index = IntegerIndex::build(vertices, *vertex, cancel)?;
            resolve_integers(edges, columns.edge[0], &index, cancel)
        }
        _ => resolve_encoded(edges, vertices, columns, cancel),
    }
}

fn is_integer(ty: &DataType) -> bool {
    matches!(ty, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32)
}

/// Vertex positions by integer key: an array where keys are dense, else a hash map.
enum IntegerIndex {
    Dense { first: i64, positions: Vec<u32> },
    Sparse(HashMap<i64, u32>),
}

impl IntegerIndex {
    fn build(
        vertices: &TableVersion,
        column: usize,
        cancel: &CancelFlag,
    ) -> Result<Self, StorageError> {
        let mut keys = Vec::with_capacity(vertices.live_rows() as usize);
        for (chunk, start) in vertices.chunks().iter().zip(vertices.chunk_starts()) {
            cancel.check()?;
            let values = cast(&chunk.column(column)?, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            keys.extend(
                (0..chunk.len())
                    .filter(|at| chunk.is_live(*at) && values.is_valid(*at))
                    .map(|at| (values.value(at), (*start + at as u64) as u32)),
            );
        }
        let first = keys.iter().map(|(key, _)| *key).min().unwrap_or(0);
        let last = keys.iter().map(|(key, _)| *key).max().unwrap_or(0);
        let span = i128::from(last) - i128::from(first) + 1;
        if span <= 4 * keys.len() as i128 + 1024 {
            let mut positions = vec![DANGLING; span as usize];
            for (key, position) in keys.iter().rev() {
                positions[(key - first) as usize] = *position;
            }
            return Ok(Self::Dense { first, positions });
        }
        let mut map = HashMap::with_capacity(keys.len());
        for (key, position) in keys {
            map.entry(key).or_insert(position);
        }
        Ok(Self::Sparse(map))
    }

    fn find(&self, key: i64) -> u32 {
        match self {
            Self::Dense { first, positions } => key
                .checked_sub(*first)
                .and_then(|at| usize::try_from(at).ok())
                .and_then(|at| positions.get(at))
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
    vertices: &TableVersion,
    columns: &EndColumns,
    cancel: &CancelFlag,
) -> Result<Vec<u32>, StorageError> {
    let types: Vec<DataType> = columns
        .vertex
        .iter()
        .map(|column| vertices.schema.field(*column).data_type().clone())
        .collect();
    let encoded = vertices
        .chunks()
        .iter()
        .map(|chunk| Ok(encode_keys(&chunk.project(&columns.vertex)?, &types)?))
        .collect::<Result<Vec<_>, StorageError>>()?;
    let mut index: HashMap<&[u8], u32> = HashMap::with_capacity(vertices.live_rows() as usize);
    for ((chunk, start), keys) in
        vertices.chunks().iter().zip(vertices.chunk_starts()).zip(&encoded)
    {
        for at in (0..chunk.len()).filter(|at| chunk.is_live(*at)) {
            if at % CANCEL_CHECK_ROWS == 0 {
                cancel.check()?;
            }
            if let Some(key) = keys.get(at) {
                index.entry(key).or_insert((*start + at as u64) as u32);
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
