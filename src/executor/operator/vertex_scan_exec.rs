//! Where a pattern starts: the vertices of some tables.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::checks::Checks;
use super::graph_exec::Names;
use crate::error::PgError;
use crate::executor::graph::{GraphSnapshot, Guards, Masks};
use crate::planner::node::Element;
use crate::storage::TableVersion;
use crate::types::ElementRef;

/// A key that the wanted vertices of a table have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLookup {
    /// Columns of the table.
    pub columns: Vec<usize>,
    /// Their encoded values (see [`crate::storage::table::EncodedKeys`]).
    pub key: Vec<u8>,
}

/// A table to be scanned.
#[derive(Debug, Clone)]
pub struct ScanTable {
    /// Index in the graph's vertex tables.
    pub table: u16,
    /// Only rows with this key, where it is known.
    pub lookup: Option<KeyLookup>,
}

/// The vertices of one or more tables: one `UInt64` column, ascending in each partition.
///
/// Predicates are evaluated on runs of consecutive rows, for which reading a property is a slice of its column. With a
/// key, rows are found by the table's key index instead.
#[derive(Debug)]
pub struct VertexScanExec {
    graph: Arc<GraphSnapshot>,
    tables: Vec<ScanTable>,
    guards: Arc<Guards>,
    checks: Checks,
    partitions: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// A run of rows of one chunk, or rows with a key.
enum Run {
    Rows { table: u16, version: Arc<TableVersion>, chunk: usize, from: usize, to: usize },
    Key { table: u16, version: Arc<TableVersion>, lookup: KeyLookup },
}

impl VertexScanExec {
    /// Scans `tables`; `schema` has one column. At most `partitions_max` partitions, fewer for few rows.
    ///
    /// # Errors
    /// `XX000` for a table that is not in the graph.
    pub fn try_new(
        (graph, guards): (Arc<GraphSnapshot>, Arc<Guards>),
        tables: Vec<ScanTable>,
        checks: Checks,
        schema: SchemaRef,
        partitions_max: usize,
    ) -> Result<Self> {
        /// Rows that are worth a partition of their own.
        const PARTITION_ROWS: u64 = 32_768;
        let mut rows = 0;
        for table in tables.iter().filter(|table| table.lookup.is_none()) {
            // What is hidden must not show in how many streams there are.
            rows += match guards.has(Element::Vertex(table.table)) {
                true => PARTITION_ROWS * partitions_max as u64,
                false => graph.version(false, table.table)?.positions(),
            };
        }
        let partitions = ((rows / PARTITION_ROWS) as usize).clamp(1, partitions_max.max(1));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            graph,
            tables,
            guards,
            checks,
            partitions,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// Which of its vertices there are.
    pub fn guards(&self) -> &Arc<Guards> {
        &self.guards
    }

    /// How many vertices it gives at most, if each is looked up by a key and it is known which of them are hidden.
    pub fn looked_up(&self) -> Option<usize> {
        let by_key = self.tables.iter().all(|table| table.lookup.is_some());
        (by_key && self.guards.are_remembered()).then_some(self.tables.len())
    }

    /// What one partition reads: every so-many-th run of all.
    fn runs(&self, partition: usize, batch_rows: usize) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        let mut count = 0;
        let mut mine = || {
            count += 1;
            (count - 1) % self.partitions == partition
        };
        for ScanTable { table, lookup } in &self.tables {
            let version = self.graph.version(false, *table)?;
            if let Some(lookup) = lookup {
                if mine() {
                    let (version, lookup) = (Arc::clone(version), lookup.clone());
                    runs.push(Run::Key { table: *table, version, lookup });
                }
                continue;
            }
            for (chunk, rows) in version.chunks().iter().map(|chunk| chunk.len()).enumerate() {
                for from in (0..rows).step_by(batch_rows) {
                    if mine() {
                        let (version, to) = (Arc::clone(version), rows.min(from + batch_rows));
                        runs.push(Run::Rows { table: *table, version, chunk, from, to });
                    }
                }
            }
        }
        Ok(runs)
    }
}

impl Run {
    fn refs(&self, masks: &Masks) -> Result<UInt64Array> {
        let shown = |element: &u64| masks.shows(ElementRef(*element));
        match self {
            Self::Rows { table, version, chunk, from, to } => {
                let (Some(rows), Some(start)) =
                    (version.chunks().get(*chunk), version.chunk_starts().get(*chunk))
                else {
                    return Ok(UInt64Array::from(Vec::<u64>::new()));
                };
                Ok((*from..*to)
                    .filter(|offset| rows.is_live(*offset))
                    .map(|offset| ElementRef::new(*table, start + offset as u64).0)
                    .filter(shown)
                    .collect::<Vec<_>>()
                    .into())
            }
            Self::Key { table, version, lookup } => {
                let found = version.find_key(&lookup.columns, &lookup.key)?;
                let refs = found.into_iter().map(|position| ElementRef::new(*table, position).0);
                Ok(UInt64Array::from_iter_values(refs.filter(shown)))
            }
        }
    }
}

impl DisplayAs for VertexScanExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VertexScanExec: ")?;
        for (at, table) in self.tables.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let element = self.graph.graph.vertices.get(usize::from(table.table));
            let alias = element.map_or("?", |element| element.alias.as_str());
            let by = if table.lookup.is_some() { " by key" } else { "" };
            write!(f, "{comma}{alias}{by}")?;
        }
        self.checks.describe(&Names(&self.schema()), f)
    }
}

impl ExecutionPlan for VertexScanExec {
    fn name(&self) -> &str {
        "VertexScanExec"
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
        for expression in &self.checks.predicates {
            if f(expression)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            return Ok(self);
        }
        Err(PgError::internal("a vertex scan has no input").into())
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
        let runs = self.runs(partition, context.session_config().batch_size().max(1))?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let checks = self.checks.clone();
        let output = Arc::clone(&schema);
        let guards = Arc::clone(&self.guards);
        let tables: Vec<u16> = self.tables.iter().map(|table| table.table).collect();
        let masks = async move { Masks::of_vertices(&guards, tables, &context).await };
        let batch_of = Arc::new(move |run: Run, masks: &Masks| {
            let timer = metrics.elapsed_compute().timer();
            let refs: ArrayRef = Arc::new(run.refs(masks)?);
            let batch = RecordBatch::try_new(Arc::clone(&output), vec![refs])?;
            let batch = checks.apply(batch)?;
            timer.done();
            metrics.record_output(batch.num_rows());
            Ok(batch)
        });
        let mut runs = runs;
        let batches = stream::once(masks).map_ok(move |masks| {
            let batch_of = Arc::clone(&batch_of);
            stream::iter(std::mem::take(&mut runs)).map(move |run| batch_of(run, &masks))
        });
        let stream = RecordBatchStreamAdapter::new(schema, batches.try_flatten().boxed());
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        _arguments: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        let mut rows = 0;
        for table in &self.tables {
            if self.guards.has(Element::Vertex(table.table)) {
                return Ok(Arc::new(statistics));
            }
            rows += match table.lookup {
                Some(_) => 1,
                None => self.graph.version(false, table.table)?.live_rows() as usize,
            };
        }
        statistics.num_rows = Precision::Inexact(rows);
        Ok(Arc::new(statistics))
    }
}
