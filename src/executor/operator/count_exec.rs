//! Counting matches: rows with weights, and their sum. See [`super::CountMatches`].

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, HashMap, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{FutureExt, StreamExt, stream};

use super::expand::{PAUSE_STEPS, refs};
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{HopSet, Hops};
use crate::error::PgError;
use crate::executor::graph::Guards;
use crate::types::ElementRef;

/// Least and greatest number of hops of a walk, and the tables of vertices it may end at.
pub(super) type Walks = (u32, u32, Vec<u16>);

/// Multiplies each row's weight by the number of rows that a step would make of it; drops rows of which none.
///
/// ```text
/// in   [n]  …, source: UInt64, … [, weight: UInt64]
/// out  [m]  the same with weight: UInt64               m ≤ n
/// ```
///
/// For walks it counts level by level how many lead to each vertex: as much work as there are edges around the vertices
/// within the greatest distance, not as there are walks.
#[derive(Debug)]
pub(super) struct Weigh {
    pub(super) source: usize,
    /// Place of the weights.
    pub(super) weight: usize,
    /// Whether the input has them.
    pub(super) known: bool,
    pub(super) hops: HopSet,
    pub(super) walks: Option<Walks>,
}

impl GraphOperator for Weigh {
    fn name(&self) -> &'static str {
        "WeighExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by steps from {} along {}", names.of(self.source), self.hops)?;
        match &self.walks {
            Some((min, max, _)) => write!(f, " {{{min},{max}}}"),
            None => Ok(()),
        }
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        Some(&self.hops.guards)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn start(&self, context: SliceContext) -> Starting {
        let (hops, walks) = (self.hops.clone(), self.walks.clone());
        let (source, weight, known) = (self.source, self.weight, self.known);
        async move {
            let slicer: Box<dyn Slicer> = Box::new(WeighSlicer {
                hops: hops.load(&context.task).await?,
                schema: context.schema,
                reservation: context.reservation,
                source,
                weight,
                known,
                walks,
                input: None,
                row: 0,
                counts: Vec::new(),
            });
            Ok(slicer)
        }
        .boxed()
    }

    fn input_columns(&self, _needed: &[usize]) -> Option<Vec<usize>> {
        None
    }
}

struct WeighSlicer {
    schema: SchemaRef,
    reservation: MemoryReservation,
    hops: Hops,
    source: usize,
    weight: usize,
    known: bool,
    walks: Option<Walks>,
    input: Option<RecordBatch>,
    row: usize,
    /// Of the rows done.
    counts: Vec<u64>,
}

impl WeighSlicer {
    /// Rows the step would make of one with this source, and about how much work it was to find out.
    fn count(&self, source: ElementRef) -> (u64, usize) {
        let Some((min, max, tables)) = &self.walks else {
            return (self.hops.steps(source) as u64, 1);
        };
        let mut level: HashMap<u64, u64> = HashMap::from_iter([(source.0, 1)]);
        let (mut total, mut work) = (0u64, 1);
        for length in 0..=*max {
            if length >= *min {
                let ends =
                    level.iter().filter(|(at, _)| tables.contains(&ElementRef(**at).table()));
                total = ends.fold(total, |total, (_, count)| total.saturating_add(*count));
            }
            if length == *max {
                break;
            }
            let mut next: HashMap<u64, u64> = HashMap::with_capacity(level.len());
            for (vertex, count) in level {
                let vertex = ElementRef(vertex);
                for hop in self.hops.from(vertex) {
                    let (neighbors, edges) = hop.neighbors(vertex);
                    work += neighbors.len();
                    let steps = neighbors.iter().zip(edges);
                    for (neighbor, _) in steps.filter(|(to, by)| hop.follows(vertex, **to, **by)) {
                        let to = next.entry(hop.target(*neighbor).0).or_default();
                        *to = to.saturating_add(count);
                    }
                }
            }
            level = next;
        }
        (total, work)
    }
}

impl Slicer for WeighSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.row = 0;
        self.counts.clear();
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let sources = refs(&input, self.source)?;
        let mut steps = 0;
        while self.row < sources.len() && steps < PAUSE_STEPS {
            let (count, work) = match sources.is_null(self.row) {
                true => (0, 1),
                false => self.count(ElementRef(sources.value(self.row))),
            };
            self.counts.push(count);
            self.reservation.try_resize(16 * work)?;
            steps += work;
            self.row += 1;
        }
        if self.row < sources.len() {
            return Ok(Progress::Pause);
        }
        self.input = None;
        let counts = std::mem::take(&mut self.counts);
        let counts: Vec<u64> = match self.known {
            true => {
                let weights = refs(&input, self.weight)?.values();
                weights.iter().zip(counts).map(|(a, b)| a.saturating_mul(b)).collect()
            }
            false => counts,
        };
        let kept: Vec<u32> =
            (0u32..).zip(&counts).filter(|(_, n)| **n > 0).map(|(at, _)| at).collect();
        let batch = weighted(&input, &self.schema, (self.weight, self.known), counts)?;
        Ok(Progress::Batch(take_record_batch(&batch, &UInt32Array::from(kept))?))
    }
}

/// A batch with a column of weights put in, or in the place of the one it has.
fn weighted(
    input: &RecordBatch,
    schema: &SchemaRef,
    (weight, known): (usize, bool),
    weights: Vec<u64>,
) -> Result<RecordBatch> {
    let mut columns = input.columns().to_vec();
    let weights: ArrayRef = Arc::new(UInt64Array::from(weights));
    match columns.get_mut(weight) {
        Some(column) if known => *column = weights,
        _ => columns.push(weights),
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// One row for all rows that agree in one column of elements, with the sum of their weights. What stands in other columns
/// is that of one of them. Holds one row for each element.
#[derive(Debug)]
pub(super) struct Collapse {
    pub(super) key: usize,
    /// Place of the weights.
    pub(super) weight: usize,
    /// Whether the input has them.
    pub(super) known: bool,
}

impl GraphOperator for Collapse {
    fn name(&self) -> &'static str {
        "CollapseExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}", names.of(self.key))
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn start(&self, context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> = Box::new(CollapseSlicer {
            schema: context.schema,
            batch_rows: context.batch_rows,
            reservation: context.reservation,
            key: self.key,
            weight: self.weight,
            known: self.known,
            places: HashMap::new(),
            weights: Vec::new(),
            rows: Vec::new(),
            output: None,
            at: 0,
        });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, _needed: &[usize]) -> Option<Vec<usize>> {
        None
    }
}

struct CollapseSlicer {
    schema: SchemaRef,
    batch_rows: usize,
    reservation: MemoryReservation,
    key: usize,
    weight: usize,
    known: bool,
    /// Which of the rows kept has a key.
    places: HashMap<u64, usize>,
    weights: Vec<u64>,
    /// The first row of each key, in the order of their places.
    rows: Vec<RecordBatch>,
    output: Option<RecordBatch>,
    at: usize,
}

impl Slicer for CollapseSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        let keys = refs(&input, self.key)?;
        let known = match self.known {
            true => Some(refs(&input, self.weight)?),
            false => None,
        };
        let mut fresh: Vec<u32> = Vec::new();
        for (row, key) in keys.values().iter().enumerate() {
            let weight = known.map_or(1, |weights| weights.value(row));
            match self.places.get(key) {
                Some(place) => {
                    self.weights[*place] = self.weights[*place].saturating_add(weight);
                }
                None => {
                    self.places.insert(*key, self.weights.len());
                    self.weights.push(weight);
                    fresh.push(row as u32);
                }
            }
        }
        if !fresh.is_empty() {
            let rows = take_record_batch(&input, &UInt32Array::from(fresh))?;
            self.reservation.try_grow(rows.get_array_memory_size() + 32 * rows.num_rows())?;
            self.rows.push(rows);
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(output) = &self.output else { return Ok(Progress::Done) };
        let count = self.batch_rows.min(output.num_rows() - self.at);
        if count == 0 {
            return Ok(Progress::Done);
        }
        let batch = output.slice(self.at, count);
        self.at += count;
        Ok(Progress::Batch(batch))
    }

    fn finish(&mut self) -> Result<()> {
        let Some(first) = self.rows.first() else { return Ok(()) };
        let rows = concat_batches(&first.schema(), &self.rows)?;
        let weights = std::mem::take(&mut self.weights);
        self.output = Some(weighted(&rows, &self.schema, (self.weight, self.known), weights)?);
        self.rows.clear();
        self.places.clear();
        Ok(())
    }
}

/// The sum of all weights, in each of its columns.
#[derive(Debug)]
pub(super) struct CountExec {
    input: Arc<dyn ExecutionPlan>,
    weight: usize,
    properties: Arc<PlanProperties>,
}

impl CountExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, weight: usize, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self { input, weight, properties: Arc::new(properties) }
    }
}

impl DisplayAs for CountExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountExec: matches")
    }
}

impl ExecutionPlan for CountExec {
    fn name(&self) -> &str {
        "CountExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.weight, self.schema()))),
            _ => Err(PgError::internal("a count has one input").into()),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (mut input, weight) = (self.input.execute(partition, context)?, self.weight);
        let schema = self.schema();
        let output = Arc::clone(&schema);
        let counted = stream::once(async move {
            let mut total = 0u64;
            while let Some(batch) = input.next().await {
                let batch = batch?;
                let weights = batch.columns().get(weight);
                let weights = weights.and_then(|it| it.as_primitive_opt::<UInt64Type>());
                let weights = weights.ok_or_else(|| PgError::internal("a count needs weights"))?;
                total = weights.values().iter().fold(total, |sum, one| sum.saturating_add(*one));
            }
            let total = i64::try_from(total).unwrap_or(i64::MAX);
            let column: ArrayRef = Arc::new(Int64Array::from(vec![total]));
            let columns = vec![column; output.fields().len()];
            Ok::<_, DataFusionError>(RecordBatch::try_new(output, columns)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}
