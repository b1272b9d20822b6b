//! Reads one version of a table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream, Statistics,
};
use futures::{TryStreamExt, stream};

use super::join_keys::JoinKeys;
use crate::storage::reading::in_memory_only;
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
    /// Columns of the table of which each has an index of its own.
    indexed: Vec<usize>,
    /// What joins above tell of the rows they want.
    keys: Option<Arc<JoinKeys>>,
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
        Self {
            name,
            version,
            projection,
            pieces,
            fetch,
            guard: None,
            all,
            indexed: Vec::new(),
            keys: None,
            properties,
        }
    }

    /// The same scan, below the row policy with this number.
    #[must_use]
    pub fn guarded(self, guard: Option<u32>) -> Self {
        Self { guard, ..self }
    }

    /// The same scan of a table in which these columns have indexes of their own.
    #[must_use]
    pub fn indexed(self, indexed: Vec<usize>) -> Self {
        Self { indexed, ..self }
    }

    /// The same scan, with what joins tell it.
    fn with_keys(&self, keys: Option<JoinKeys>) -> Self {
        Self {
            name: self.name.clone(),
            version: Arc::clone(&self.version),
            projection: self.projection.clone(),
            pieces: self.pieces.clone(),
            fetch: self.fetch,
            guard: self.guard,
            all: self.all,
            indexed: self.indexed.clone(),
            keys: keys.map(Arc::new),
            properties: Arc::clone(&self.properties),
        }
    }

    /// The rows of some pieces.
    fn scan(&self, mut pieces: Vec<Piece>, batch_rows: usize) -> SendableRecordBatchStream {
        let schema = self.schema();
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
                    blocking(move || read_piece(&chunk, &schema, &projection, from, rows)).await?
                };
                let fetch = fetch.map(|fetch| fetch.saturating_sub(batch.num_rows()));
                Ok(Some((batch, (pieces, version, projection, schema, fetch))))
            },
        );
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    /// The row policy that must stand above it.
    pub fn guard(&self) -> Option<u32> {
        self.guard
    }
}

/// Reads on a thread that may wait for files.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let read = SpawnedTask::spawn_blocking(read).join().await;
    read.map_err(|error| DataFusionError::Internal(format!("could not read rows: {error}")))?
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
        if let Some(fetch) = self.fetch {
            write!(f, ", fetch={fetch}")?;
        }
        if self.keys.is_some() {
            f.write_str(", by keys of a join if they are few")?;
        }
        Ok(())
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
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in self.keys.iter().flat_map(|keys| keys.filters()) {
            if f(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    /// Joins tell the keys they want when they know them. The answer is always that all other rows may come too.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let known = self.keys.iter().flat_map(|keys| keys.filters()).cloned();
        let told = result.parent_filters.iter().map(|it| Arc::clone(&it.filter));
        let keys = match phase {
            FilterPushdownPhase::Post if self.fetch.is_none() => JoinKeys::new(
                (&self.version, &self.schema()),
                (&self.projection, &self.indexed),
                known.chain(told),
            ),
            _ => None,
        };
        let answer = FilterPushdownPropagation::all_unsupported(result);
        Ok(match keys {
            Some(keys) => answer.with_updated_node(Arc::new(self.with_keys(Some(keys)))),
            None => answer,
        })
    }

    /// What joins told is of the execution that is over.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(if self.keys.is_some() { Arc::new(self.with_keys(None)) } else { self })
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
        let pieces = self.pieces.get(partition).cloned().unwrap_or_default();
        let Some(keys) = self.keys.clone() else { return Ok(self.scan(pieces, batch_rows)) };
        let scan = self.scan(pieces, batch_rows);
        let rows = async move {
            let rows = match in_memory_only(|| keys.rows()) {
                Some(rows) => rows?,
                None => blocking(move || keys.rows()).await?,
            };
            // The first partition gives the rows of all.
            Ok::<_, DataFusionError>(match rows {
                None => scan,
                Some(rows) => {
                    let rows = if partition == 0 { rows } else { rows.slice(0, 0) };
                    let starts = (0..rows.num_rows()).step_by(batch_rows.max(1));
                    let slices: Vec<_> = starts
                        .map(|at| Ok(rows.slice(at, batch_rows.min(rows.num_rows() - at))))
                        .collect();
                    Box::pin(RecordBatchStreamAdapter::new(rows.schema(), stream::iter(slices)))
                }
            })
        };
        let batches = stream::once(rows).try_flatten();
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
