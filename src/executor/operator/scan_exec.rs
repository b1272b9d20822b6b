//! Reads one version of a table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
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
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(pieces.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { name, version, projection, pieces, fetch, guard: None, all, properties }
    }

    /// The same scan, below the row policy with this number.
    #[must_use]
    pub fn guarded(self, guard: Option<u32>) -> Self {
        Self { guard, ..self }
    }

    /// The row policy that must stand above it.
    pub fn guard(&self) -> Option<u32> {
        self.guard
    }
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

/// Some columns of a slice of a chunk, without its deleted rows.
pub(crate) fn read_piece(
    chunk: &Chunk,
    schema: &SchemaRef,
    projection: &[usize],
    offset: usize,
    rows: usize,
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
    match &chunk.deleted {
        None => Ok(batch),
        Some(deleted) => {
            let live = BooleanArray::new(!&deleted.slice(offset, rows), None);
            Ok(filter_record_batch(&batch, &live)?)
        }
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
        let state = (
            pieces,
            Arc::clone(&self.version),
            self.projection.clone(),
            Arc::clone(&schema),
            self.fetch,
        );
        let batches = stream::try_unfold(
            state,
            move |(mut pieces, version, projection, schema, fetch)| async move {
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
                let Some(chunk) = version.chunks().get(piece.chunk) else { return Ok(None) };
                let batch = if chunk.is_in_memory(&projection, piece.offset) {
                    read_piece(chunk, &schema, &projection, piece.offset, rows)?
                } else {
                    let (chunk, schema) = (Arc::clone(chunk), Arc::clone(&schema));
                    let (projection, from) = (projection.clone(), piece.offset);
                    let read = move || read_piece(&chunk, &schema, &projection, from, rows);
                    SpawnedTask::spawn_blocking(read).join().await.map_err(|error| {
                        DataFusionError::Internal(format!("could not read rows: {error}"))
                    })??
                };
                let fetch = fetch.map(|fetch| fetch.saturating_sub(batch.num_rows()));
                Ok(Some((batch, (pieces, version, projection, schema, fetch))))
            },
        );
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if partition.is_none() && self.fetch.is_none() {
            let rows = self.pieces.iter().flatten().map(|piece| piece.rows).sum();
            statistics.num_rows = match self.all {
                true => Precision::Exact(self.version.live_rows() as usize),
                false => Precision::Inexact(rows),
            };
        }
        Ok(Arc::new(statistics))
    }
}
