//! Reads one version of a table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream, Statistics,
};
use futures::stream;

use crate::executor::row_conditions::RowConditions;
use crate::storage::{Chunk, TableVersion};

/// Streams the live rows of a [`TableVersion`], some columns of them, chunks divided among partitions.
///
/// ```text
/// out  projected columns; a column index one past the table's last is the row id (UInt64)
/// ```
///
/// Slices share the chunks' memory; rows are copied only where some are deleted. Rows that are in a file and not in
/// memory are read on a thread that may block.
pub struct ScanExec {
    name: String,
    version: Arc<TableVersion>,
    projection: Vec<usize>,
    pieces: Vec<Vec<Piece>>,
    fetch: Option<usize>,
    guard: Option<u32>,
    /// Conditions on rows; others are left out.
    conditions: Option<Arc<RowConditions>>,
    /// Whether all chunks are read.
    all: bool,
    properties: Arc<PlanProperties>,
}

/// How much of a table is read, and in how many streams.
pub struct ScanRange {
    /// At most so many streams.
    pub partitions: usize,
    /// No more rows than these.
    pub fetch: Option<usize>,
    /// For each chunk, whether it is read; all are if this is not given.
    pub keep: Option<Vec<bool>>,
}

/// A run of rows of one chunk.
#[derive(Debug, Clone, Copy)]
struct Piece {
    chunk: usize,
    offset: usize,
    rows: usize,
}

impl ScanExec {
    /// The name of the table that is read.
    pub fn relation(&self) -> &str {
        &self.name
    }

    /// A scan of `version` giving `projection` under `schema`.
    pub fn new(
        name: String,
        version: Arc<TableVersion>,
        schema: SchemaRef,
        projection: Vec<usize>,
        ScanRange { partitions, fetch, keep }: ScanRange,
    ) -> Self {
        let pieces = divide(&version, partitions.max(1), keep.as_deref());
        let all = keep.is_none();
        let properties = properties(schema, pieces.len());
        Self {
            name,
            version,
            projection,
            pieces,
            fetch,
            guard: None,
            conditions: None,
            all,
            properties,
        }
    }

    /// The same scan, below the row policy with this number, if there is one: in so many streams, as nothing above may
    /// tell how many rows are hidden.
    #[must_use]
    pub fn guarded(mut self, guard: Option<u32>, streams: usize) -> Self {
        if guard.is_none() {
            return self;
        }
        self.pieces.resize_with(streams.max(self.pieces.len()), Vec::new);
        let properties = properties(self.schema(), self.pieces.len());
        Self { guard, properties, ..self }
    }

    /// The same scan of the rows that satisfy conditions. They are asked of a chunk's rows all at once.
    #[must_use]
    pub(in crate::executor) fn restricted(&self, conditions: Arc<RowConditions>) -> Self {
        Self {
            name: self.name.clone(),
            version: Arc::clone(&self.version),
            projection: self.projection.clone(),
            pieces: self.pieces.clone(),
            fetch: self.fetch,
            guard: self.guard,
            conditions: Some(conditions),
            all: false,
            properties: Arc::clone(&self.properties),
        }
    }

    /// The row policy that must stand above it.
    pub fn guard(&self) -> Option<u32> {
        self.guard
    }
}

fn properties(schema: SchemaRef, streams: usize) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(streams),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// Divides the chunks into runs of nearly equal length, in order.
fn divide(version: &TableVersion, partitions: usize, keep: Option<&[bool]>) -> Vec<Vec<Piece>> {
    const ROWS_MIN: usize = 16_384;
    let is_kept = |chunk: usize| keep.is_none_or(|keep| keep.get(chunk).copied().unwrap_or(true));
    let chunks = || version.chunks().iter().enumerate().filter(|(at, _)| is_kept(*at));
    let total: usize = chunks().map(|(_, chunk)| chunk.len()).sum();
    let wanted = total.div_ceil(partitions).max(ROWS_MIN);
    let mut result = vec![Vec::new()];
    let mut room = wanted;
    for (chunk, content) in chunks() {
        let mut offset = 0;
        while offset < content.len() {
            if room == 0 {
                result.push(Vec::new());
                room = wanted;
            }
            let rows = room.min(content.len() - offset);
            if let Some(last) = result.last_mut() {
                last.push(Piece { chunk, offset, rows });
            }
            offset += rows;
            room -= rows;
        }
    }
    result
}

/// Some columns of a slice of a chunk, of those rows only that `live` has, if it is given.
fn read_piece(
    chunk: &Chunk,
    schema: &SchemaRef,
    projection: &[usize],
    (offset, rows): (usize, usize),
    live: Option<&BooleanBuffer>,
) -> Result<RecordBatch> {
    let columns = projection
        .iter()
        .map(|column| {
            if *column < chunk.num_columns() {
                Ok(chunk.slice(*column, offset, rows)?)
            } else {
                Ok(Arc::new(chunk.row_id_array(offset, rows)?) as ArrayRef)
            }
        })
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    match live.map(|live| live.slice(offset, rows)) {
        Some(live) if live.count_set_bits() < rows => {
            Ok(filter_record_batch(&batch, &BooleanArray::new(live, None))?)
        }
        Some(_) | None => Ok(batch),
    }
}

/// What is read of a table.
struct Reader {
    version: Arc<TableVersion>,
    projection: Vec<usize>,
    schema: SchemaRef,
    conditions: Option<Arc<RowConditions>>,
}

impl Reader {
    /// Some rows of a piece, without those that are deleted or left out.
    async fn read(self: &Arc<Self>, piece: Piece, rows: usize) -> Result<RecordBatch> {
        let Some(chunk) = self.version.chunks().get(piece.chunk) else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let known = self.known_live(chunk);
        if chunk.is_in_memory(&self.projection, piece.offset)
            && (known.is_some() || !chunk.is_stored())
        {
            return self.read_now(chunk, piece.offset, rows, known);
        }
        let (reader, chunk) = (Arc::clone(self), Arc::clone(chunk));
        let read = move || reader.read_now(&chunk, piece.offset, rows, known);
        SpawnedTask::spawn_blocking(read)
            .join()
            .await
            .map_err(|error| DataFusionError::Internal(format!("could not read rows: {error}")))?
    }

    /// Which rows of a chunk are read, as far as it is known without reading a file; `Some(None)` for all.
    fn known_live(&self, chunk: &Chunk) -> Option<Option<BooleanBuffer>> {
        match &self.conditions {
            None => Some(chunk.deleted.as_ref().map(|deleted| !deleted)),
            Some(conditions) => conditions.known(chunk).map(Some),
        }
    }

    fn read_now(
        &self,
        chunk: &Chunk,
        offset: usize,
        rows: usize,
        known: Option<Option<BooleanBuffer>>,
    ) -> Result<RecordBatch> {
        let live = match (known, &self.conditions) {
            (Some(live), _) => live,
            (None, Some(conditions)) => Some(conditions.of_chunk(chunk)?),
            (None, None) => None,
        };
        read_piece(chunk, &self.schema, &self.projection, (offset, rows), live.as_ref())
    }
}

impl fmt::Debug for ScanExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec({})", self.name)
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self
            .properties
            .eq_properties
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        write!(f, "ScanExec: {}, columns=[{}]", self.name, columns.join(", "))?;
        if let Some(conditions) = &self.conditions {
            write!(f, ", rows=[{conditions}]")?;
        }
        match self.fetch {
            Some(fetch) => write!(f, ", fetch={fetch}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let batch_rows = context.session_config().batch_size();
        let mut pieces = self.pieces.get(partition).cloned().unwrap_or_default();
        pieces.reverse();
        let reader = Arc::new(Reader {
            version: Arc::clone(&self.version),
            projection: self.projection.clone(),
            schema: Arc::clone(&schema),
            conditions: self.conditions.clone(),
        });
        let state = (pieces, reader, self.fetch);
        let batches = stream::try_unfold(state, move |(mut pieces, reader, fetch)| async move {
            // One scan of a long table must not keep a worker from everything else.
            tokio::task::consume_budget().await;
            let Some(piece) = pieces.pop() else { return Ok(None) };
            if fetch == Some(0) {
                return Ok(None);
            }
            let rows = piece.rows.min(batch_rows);
            if rows < piece.rows {
                pieces.push(Piece {
                    offset: piece.offset + rows,
                    rows: piece.rows - rows,
                    ..piece
                });
            }
            let batch = reader.read(piece, rows).await?;
            let fetch = fetch.map(|fetch| fetch.saturating_sub(batch.num_rows()));
            Ok(Some((batch, (pieces, reader, fetch))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if partition.is_none() && self.fetch.is_none() && self.guard.is_none() {
            let rows = self.pieces.iter().flatten().map(|piece| piece.rows).sum();
            statistics.num_rows = match self.all {
                true => Precision::Exact(self.version.live_rows() as usize),
                false => Precision::Inexact(rows),
            };
        }
        Ok(Arc::new(statistics))
    }
}
