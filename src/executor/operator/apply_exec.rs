//! Runs a subquery for each distinct combination of the values it reads of an input row.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
    reset_plan_states,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet};
use datafusion::physical_plan::metrics::{MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, PlanProperties,
};
use futures::{StreamExt, stream};

use super::keyed_rows_exec::KeptRows;
use crate::error::PgError;
use crate::executor::apply::Cells;
use crate::functions::single_value::several_rows;
use crate::planner::node::ApplyKind;

/// A dependent join; see [`crate::planner::node::Apply`].
///
/// ```text
/// in   [n]  input columns
/// out  [n]  input columns, value                      scalar, EXISTS
/// out  [m]  input columns, the subplan's columns      rows: m = Σ rows of the subplan, in the input's order
/// ```
///
/// Answers are kept by key, as long as the pool has memory for them. The subplan is no child in DataFusion's sense: it is
/// planned as it is, on one partition, and runs many times, one after the other.
#[derive(Debug)]
pub struct ApplyExec {
    input: Arc<dyn ExecutionPlan>,
    parts: ApplyExecParts,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What an [`ApplyExec`] is made of beside its input.
#[derive(Debug, Clone)]
pub struct ApplyExecParts {
    /// The subquery's operators.
    pub subplan: Arc<dyn ExecutionPlan>,
    /// The rows that its answer depends on, if a row without any gets the answer that all such rows get, and by which key.
    pub all: Option<(Arc<KeptRows>, usize)>,
    /// What they read.
    pub cells: Arc<Cells>,
    /// The values of the cells, over the input.
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Rows for which it is not true do not ask.
    pub guard: Option<Arc<dyn PhysicalExpr>>,
    /// What becomes of the subquery's rows.
    pub kind: ApplyKind,
    /// The output.
    pub schema: SchemaRef,
}

impl ApplyExec {
    /// An operator over one partition of input.
    pub fn new(input: Arc<dyn ExecutionPlan>, parts: ApplyExecParts) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&parts.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let metrics = ExecutionPlanMetricsSet::new();
        Self { input, parts, properties: Arc::new(properties), metrics }
    }
}

impl ApplyExec {
    /// The subquery's operators, which are no children.
    pub fn subplan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.parts.subplan
    }
}

impl DisplayAs for ApplyExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApplyExec: {:?}", self.parts.kind)?;
        let keys: Vec<String> = self.parts.keys.iter().map(ToString::to_string).collect();
        write!(f, " for each [{}]", keys.join(", "))?;
        if let Some(guard) = &self.parts.guard {
            write!(f, " where {guard}")?;
        }
        // The subplan on one line, the last step first, as plans are read.
        let mut plan = Some(Arc::clone(&self.parts.subplan));
        f.write_str(" run ")?;
        let mut first = true;
        while let Some(step) = plan {
            if !first {
                f.write_str(" <- ")?;
            }
            first = false;
            step.fmt_as(DisplayFormatType::Default, f)?;
            plan = step.children().last().map(|child| Arc::clone(child));
        }
        Ok(())
    }
}

impl ExecutionPlan for ApplyExec {
    fn name(&self) -> &str {
        "ApplyExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expr in self.parts.keys.iter().chain(&self.parts.guard) {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.parts.clone()))),
            _ => Err(PgError::internal("an apply has one input").into()),
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
        let reservation = MemoryConsumer::new("ApplyExec answers").register(context.memory_pool());
        let running = Running {
            parts: self.parts.clone(),
            input: self.input.execute(partition, Arc::clone(&context))?,
            rows_max: context.session_config().batch_size(),
            context,
            converter: None,
            answers: HashMap::new(),
            for_none: None,
            reservation,
            current: None,
            runs: MetricBuilder::new(&self.metrics).counter("runs", partition),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let rows = stream::try_unfold(running, |mut running| async move {
            Ok(running.next().await?.map(|batch| (batch, running)))
        });
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.parts.schema), rows.boxed());
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What the subquery gave for a key.
#[derive(Debug, Clone)]
enum Answer {
    Value(ScalarValue),
    Rows(RecordBatch),
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Value(value) => value.size(),
            Self::Rows(rows) => rows.get_array_memory_size(),
        }
    }
}

/// An input batch on its way through.
struct Current {
    batch: RecordBatch,
    keys: Vec<ArrayRef>,
    encoded: Option<arrow::row::Rows>,
    asks: Option<BooleanArray>,
    row: usize,
}

struct Running {
    parts: ApplyExecParts,
    input: SendableRecordBatchStream,
    context: Arc<TaskContext>,
    rows_max: usize,
    converter: Option<RowConverter>,
    answers: HashMap<Option<OwnedRow>, Answer>,
    /// What a row gets for which there are no rows.
    for_none: Option<Answer>,
    reservation: MemoryReservation,
    current: Option<Current>,
    runs: Count,
    metrics: BaselineMetrics,
}

impl Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(current) = self.current.take() else {
                let Some(batch) = self.input.next().await.transpose()? else { return Ok(None) };
                if batch.num_rows() > 0 {
                    self.current = Some(self.begin(batch)?);
                }
                continue;
            };
            let batch = match self.parts.kind {
                ApplyKind::Scalar | ApplyKind::Exists => self.values(current).await?,
                ApplyKind::Rows { optional } => self.rows(current, optional).await?,
            };
            if batch.num_rows() > 0 {
                self.metrics.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
        }
    }

    fn begin(&mut self, batch: RecordBatch) -> Result<Current> {
        let rows = batch.num_rows();
        let keys = self
            .parts
            .keys
            .iter()
            .map(|key| key.evaluate(&batch)?.into_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let asks = match &self.parts.guard {
            Some(guard) => {
                let asks = guard.evaluate(&batch)?.into_array(rows)?;
                let asks = asks.as_boolean_opt().cloned();
                Some(asks.ok_or_else(|| PgError::internal("a guard that is no condition"))?)
            }
            None => None,
        };
        let encoded = if keys.is_empty() {
            None
        } else {
            if self.converter.is_none() {
                let fields: Vec<SortField> =
                    keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
                self.converter = Some(RowConverter::new(fields)?);
            }
            match &self.converter {
                Some(converter) => Some(converter.convert_columns(&keys)?),
                None => None,
            }
        };
        Ok(Current { batch, keys, encoded, asks, row: 0 })
    }

    /// What the subquery says for a row; `None` if the row does not ask.
    async fn answer(&mut self, current: &Current, row: usize) -> Result<Option<Answer>> {
        if let Some(asks) = &current.asks
            && !(asks.is_valid(row) && asks.value(row))
        {
            return Ok(None);
        }
        let key = current.encoded.as_ref().map(|encoded| encoded.row(row).owned());
        if let Some(known) = self.answers.get(&key) {
            return Ok(Some(known.clone()));
        }
        let values = current
            .keys
            .iter()
            .map(|key| ScalarValue::try_from_array(key, row))
            .collect::<Result<Vec<_>>>()?;
        let is_none = match &self.parts.all {
            Some((rows, at)) => values.get(*at).map_or(Ok(false), |key| rows.lack(key))?,
            None => false,
        };
        if is_none && let Some(answer) = &self.for_none {
            return Ok(Some(answer.clone()));
        }
        self.parts.cells.set(values);
        let answer = self.run().await?;
        if is_none {
            self.for_none = Some(answer.clone());
            return Ok(Some(answer));
        }
        let key_bytes = key.as_ref().map_or(0, |key| key.as_ref().len());
        let bytes = answer.bytes() + key_bytes + size_of::<(Option<OwnedRow>, Answer)>();
        if self.reservation.try_grow(bytes).is_err() {
            // Without memory for what was asked before, the next is asked anew.
            self.answers = HashMap::new();
            self.reservation.free();
            self.reservation.try_grow(bytes)?;
        }
        self.answers.insert(key, answer.clone());
        Ok(Some(answer))
    }

    async fn run(&mut self) -> Result<Answer> {
        self.runs.add(1);
        let subplan = reset_plan_states(Arc::clone(&self.parts.subplan))?;
        let schema = subplan.schema();
        let mut rows = subplan.execute(0, Arc::clone(&self.context))?;
        let mut batches = Vec::new();
        let held = self.reservation.new_empty();
        let mut count = 0;
        while let Some(batch) = rows.next().await.transpose()? {
            if batch.num_rows() == 0 {
                continue;
            }
            count += batch.num_rows();
            match self.parts.kind {
                ApplyKind::Exists => break,
                ApplyKind::Scalar if count > 1 => return Err(several_rows().into()),
                ApplyKind::Scalar | ApplyKind::Rows { .. } => {
                    held.try_grow(batch.get_array_memory_size())?;
                    batches.push(batch);
                }
            }
        }
        Ok(match self.parts.kind {
            ApplyKind::Exists => Answer::Value(ScalarValue::Boolean(Some(count > 0))),
            ApplyKind::Scalar => Answer::Value(match batches.first() {
                Some(batch) => ScalarValue::try_from_array(batch.column(0), 0)?,
                None => ScalarValue::try_from(schema.field(0).data_type())?,
            }),
            ApplyKind::Rows { .. } => Answer::Rows(concat_batches(&schema, &batches)?),
        })
    }

    async fn values(&mut self, current: Current) -> Result<RecordBatch> {
        let schema = Arc::clone(&self.parts.schema);
        let rows = current.batch.num_rows();
        let Some(field) = schema.fields().last() else {
            return Err(PgError::internal("an apply without a value").into());
        };
        let null = ScalarValue::try_from(field.data_type())?;
        let mut values = Vec::with_capacity(rows);
        for row in 0..rows {
            values.push(match self.answer(&current, row).await? {
                Some(Answer::Value(value)) => value,
                _ => null.clone(),
            });
        }
        let value = if values.is_empty() {
            new_null_array(field.data_type(), 0)
        } else {
            ScalarValue::iter_to_array(values)?
        };
        let mut columns = current.batch.columns().to_vec();
        columns.push(value);
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// The next output rows of a batch; what is left of it goes back to its place.
    async fn rows(&mut self, mut current: Current, optional: bool) -> Result<RecordBatch> {
        let schema = Arc::clone(&self.parts.schema);
        let inner = self.parts.subplan.schema();
        let mut outer_rows: Vec<u32> = Vec::new();
        let mut parts: Vec<RecordBatch> = Vec::new();
        while current.row < current.batch.num_rows() && outer_rows.len() < self.rows_max {
            let row = current.row;
            current.row += 1;
            let part = match self.answer(&current, row).await? {
                Some(Answer::Rows(rows)) if rows.num_rows() > 0 => rows,
                _ if optional => null_row(&inner)?,
                _ => continue,
            };
            outer_rows.extend(std::iter::repeat_n(row as u32, part.num_rows()));
            parts.push(part);
        }
        let count = outer_rows.len();
        let outer = take_record_batch(&current.batch, &UInt32Array::from(outer_rows))?;
        if current.row < current.batch.num_rows() {
            self.current = Some(current);
        }
        let mut columns = outer.columns().to_vec();
        columns.extend(together(&inner, &parts)?);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

fn null_row(schema: &SchemaRef) -> Result<RecordBatch> {
    let columns =
        schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(nullable(schema), columns, &options)?)
}

fn together(schema: &SchemaRef, parts: &[RecordBatch]) -> Result<Vec<ArrayRef>> {
    (0..schema.fields().len())
        .map(|column| {
            let arrays: Vec<&dyn Array> =
                parts.iter().map(|part| part.column(column).as_ref()).collect();
            if arrays.is_empty() {
                return Ok(new_null_array(schema.field(column).data_type(), 0));
            }
            Ok(arrow::compute::concat(&arrays)?)
        })
        .collect()
}
