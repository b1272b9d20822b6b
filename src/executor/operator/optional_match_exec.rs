//! `OPTIONAL MATCH`: input rows without a match come once, with nulls.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;

use crate::error::PgError;

/// The batch that the inner plan of an [`OptionalMatchExec`] works on: a leaf whose rows change from one execution to
/// the next.
///
/// ```text
/// output  the columns of the outer input, then row: UInt32, the row's number in the batch
/// ```
///
/// The batch travels in the task context's extensions, so that one plan serves any number of executions at once.
#[derive(Debug)]
pub struct ArgumentExec {
    properties: Arc<PlanProperties>,
}

/// The rows of an [`ArgumentExec`] in one execution.
struct Argument(Mutex<Option<RecordBatch>>);

impl ArgumentExec {
    /// A leaf of this schema.
    pub fn new(schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self { properties: Arc::new(properties) }
    }
}

impl DisplayAs for ArgumentExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentExec")
    }
}

impl ExecutionPlan for ArgumentExec {
    fn name(&self) -> &str {
        "ArgumentExec"
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

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let argument = context.session_config().get_extension::<Argument>();
        let batch = argument.and_then(|argument| argument.0.lock().take());
        let batch =
            batch.ok_or_else(|| PgError::internal("an inner plan was run without its rows"))?;
        let stream = RecordBatchStreamAdapter::new(self.schema(), stream::iter([Ok(batch)]));
        Ok(Box::pin(cooperative(stream)))
    }
}

/// For each batch of the input, runs `inner` on it and adds the rows that it gave nothing for.
///
/// ```text
/// in     [n]  input columns
/// inner  [m]  output columns, then row: UInt32
/// out         the inner plan's rows, then unmatched input rows with nulls; a batch of input at a time
/// ```
///
/// `inner` is not a child in DataFusion's sense: it is planned as it is, on one partition, and runs many times.
#[derive(Debug)]
pub struct OptionalMatchExec {
    input: Arc<dyn ExecutionPlan>,
    inner: Arc<dyn ExecutionPlan>,
    /// For each output column, the input column it is, if it is one.
    from_input: Vec<Option<usize>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl OptionalMatchExec {
    /// `inner` has one column more than `schema`; see the type's documentation.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        inner: Arc<dyn ExecutionPlan>,
        from_input: Vec<Option<usize>>,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            input.boundedness(),
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            input,
            inner,
            from_input,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for OptionalMatchExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OptionalMatchExec: ")?;
        // The inner plan on one line, the last step first, as plans are read.
        let mut plan = Some(Arc::clone(&self.inner));
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

impl ExecutionPlan for OptionalMatchExec {
    fn name(&self) -> &str {
        "OptionalMatchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
            (Some(input), true) => Ok(Arc::new(Self::new(
                input,
                Arc::clone(&self.inner),
                self.from_input.clone(),
                self.schema(),
            ))),
            _ => Err(PgError::internal("an optional match has one input").into()),
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
        let stream = OptionalStream {
            schema: self.schema(),
            input: self.input.execute(partition, Arc::clone(&context))?,
            inner: Arc::clone(&self.inner),
            from_input: self.from_input.clone(),
            context,
            current: None,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The inner plan's run on one batch.
struct Current {
    batch: RecordBatch,
    unmatched: Vec<bool>,
    rows: SendableRecordBatchStream,
}

struct OptionalStream {
    schema: SchemaRef,
    input: SendableRecordBatchStream,
    inner: Arc<dyn ExecutionPlan>,
    from_input: Vec<Option<usize>>,
    context: Arc<TaskContext>,
    current: Option<Current>,
    metrics: BaselineMetrics,
}

impl OptionalStream {
    /// Runs the inner plan on a batch.
    fn begin(&self, batch: RecordBatch) -> Result<Current> {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.push(Arc::new(UInt32Array::from_iter_values(0..batch.num_rows() as u32)));
        let schema = leaf_schema(&self.inner);
        let argument = RecordBatch::try_new(schema, columns)?;
        let config = self
            .context
            .session_config()
            .clone()
            .with_extension(Arc::new(Argument(Mutex::new(Some(argument)))));
        let context = TaskContext::new(
            self.context.task_id(),
            self.context.session_id(),
            config,
            self.context.scalar_functions().clone(),
            self.context.higher_order_functions().clone(),
            self.context.aggregate_functions().clone(),
            self.context.window_functions().clone(),
            self.context.runtime_env(),
        );
        let rows = self.inner.execute(0, Arc::new(context))?;
        Ok(Current { unmatched: vec![true; batch.num_rows()], batch, rows })
    }

    fn poll_rows(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        loop {
            let Some(current) = &mut self.current else {
                match ready!(self.input.poll_next_unpin(cx)) {
                    Some(Ok(batch)) if batch.num_rows() == 0 => continue,
                    Some(Ok(batch)) => self.current = Some(self.begin(batch)?),
                    other => return Poll::Ready(other),
                }
                continue;
            };
            match ready!(current.rows.poll_next_unpin(cx)) {
                Some(batch) => {
                    let batch = batch?;
                    if batch.num_rows() > 0 {
                        let matched = mark(&mut current.unmatched, &batch, &self.schema)?;
                        return Poll::Ready(Some(Ok(matched)));
                    }
                }
                None => {
                    let batch = self.unmatched()?;
                    self.current = None;
                    if batch.num_rows() > 0 {
                        return Poll::Ready(Some(Ok(batch)));
                    }
                }
            }
        }
    }

    /// The rows of the current batch that had no match, with nulls.
    fn unmatched(&self) -> Result<RecordBatch> {
        let Some(current) = &self.current else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let keep = BooleanArray::from(current.unmatched.clone());
        let rest = filter_record_batch(&current.batch, &keep)?;
        let count = rest.num_rows();
        let columns = self
            .from_input
            .iter()
            .zip(self.schema.fields())
            .map(|(from, field)| match from {
                Some(column) => Arc::clone(rest.column(*column)),
                None => new_null_array(field.data_type(), count),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// Notes which rows a batch of matches belongs to, and takes off the column that says so.
fn mark(unmatched: &mut [bool], batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let no_rows = || PgError::internal("an inner plan gave no row numbers");
    let (rows, columns) = batch.columns().split_last().ok_or_else(no_rows)?;
    for row in rows.as_primitive_opt::<UInt32Type>().ok_or_else(no_rows)?.values() {
        if let Some(unmatched) = unmatched.get_mut(*row as usize) {
            *unmatched = false;
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns.to_vec(), &options)?)
}

/// Schema of the plan's [`ArgumentExec`].
fn leaf_schema(plan: &Arc<dyn ExecutionPlan>) -> SchemaRef {
    find_argument(plan).unwrap_or_else(|| plan.schema())
}

fn find_argument(plan: &Arc<dyn ExecutionPlan>) -> Option<SchemaRef> {
    if plan.downcast_ref::<ArgumentExec>().is_some() {
        return Some(plan.schema());
    }
    plan.children().into_iter().find_map(find_argument)
}

impl Stream for OptionalStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let poll = self.poll_rows(cx);
        self.metrics.record_poll(poll)
    }
}

impl RecordBatchStream for OptionalStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
