//! The execution plan around a graph operator with one input.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};

use crate::error::PgError;
use crate::executor::graph::Guards;

/// What [`Slicer::next`] came to.
pub(super) enum Progress {
    /// Output rows, at least one.
    Batch(RecordBatch),
    /// Nothing yet; others should have their turn before it goes on.
    Pause,
    /// The input batch is used up.
    Done,
}

/// Turns one input batch after the other into slices of output.
pub(super) trait Slicer: Send {
    /// Takes the next input batch; the one before it is done.
    fn start(&mut self, input: RecordBatch) -> Result<()>;

    /// Does a bounded amount of work.
    fn next(&mut self) -> Result<Progress>;

    /// There is no more input. What is left to be given comes from [`Self::next`].
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What an operator gets when it starts.
pub(super) struct SliceContext {
    /// Schema of the output.
    pub(super) schema: SchemaRef,
    /// Rows an output batch should have at most.
    pub(super) batch_rows: usize,
    /// Empty; to be grown before the operator keeps state.
    pub(super) reservation: MemoryReservation,
    /// What it runs in.
    pub(super) task: Arc<TaskContext>,
}

/// The future that prepares a [`Slicer`], above all by getting adjacency lists.
pub(super) type Starting = BoxFuture<'static, Result<Box<dyn Slicer>>>;

/// An operator on graph patterns: from rows to rows with more columns.
pub trait GraphOperator: fmt::Debug + Send + Sync + Any {
    /// Its name in `EXPLAIN`.
    fn name(&self) -> &'static str;

    /// Its parameters in `EXPLAIN`; `names` has the names of its output columns.
    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The expressions it evaluates, over its output columns.
    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>>;

    /// The guards of the elements it follows, if it follows any.
    fn guards(&self) -> Option<&Arc<Guards>> {
        None
    }

    /// Prepares the work of one partition.
    #[expect(private_interfaces, reason = "only this module calls it")]
    fn start(&self, context: SliceContext) -> Starting;

    /// Given the output columns that the operators above need, the columns it needs of its input. `None` if it
    /// may not be told duplicates from one another, that is if repeating an input row could change more than the number
    /// of times output rows are repeated.
    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>>;

    /// A cheaper form that may leave out repeated output rows, where only the columns `needed` are looked at.
    fn deduplicated(&self, needed: &[usize]) -> Option<Arc<dyn GraphOperator>> {
        let _ = needed;
        None
    }
}

/// Names of columns, for `EXPLAIN`.
pub struct Names<'a>(pub(super) &'a Schema);

impl Names<'_> {
    /// The name of a column.
    pub(super) fn of(&self, column: usize) -> &str {
        self.0.fields().get(column).map_or("?", |field| field.name().as_str())
    }
}

/// Runs a [`GraphOperator`] on each partition of its input.
#[derive(Debug)]
pub struct GraphExec {
    input: Arc<dyn ExecutionPlan>,
    operator: Arc<dyn GraphOperator>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl GraphExec {
    /// `operator` over `input`, with output columns `schema`.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        operator: Arc<dyn GraphOperator>,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            datafusion::physical_expr::Partitioning::UnknownPartitioning(
                input.output_partitioning().partition_count(),
            ),
            EmissionType::Incremental,
            input.boundedness(),
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            input,
            operator,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// What it runs.
    pub fn operator(&self) -> &Arc<dyn GraphOperator> {
        &self.operator
    }

    /// What it runs on.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    /// The same place in the plan with another operator of the same output.
    #[must_use]
    pub fn with_operator(&self, operator: Arc<dyn GraphOperator>) -> Self {
        Self::new(Arc::clone(&self.input), operator, self.schema())
    }
}

impl DisplayAs for GraphExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "{}: ", self.operator.name())?;
                self.operator.describe(&Names(&self.schema()), f)
            }
            DisplayFormatType::TreeRender => self.operator.describe(&Names(&self.schema()), f),
        }
    }
}

impl ExecutionPlan for GraphExec {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Most patterns start from few rows; a scan of many has partitions of its own.
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expression in self.operator.expressions() {
            if f(expression)? == TreeNodeRecursion::Stop {
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
            (Some(input), true) => {
                Ok(Arc::new(Self::new(input, Arc::clone(&self.operator), self.schema())))
            }
            _ => Err(PgError::internal("a graph operator has one input").into()),
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
        let consumer = MemoryConsumer::new(format!("{}[{partition}]", self.operator.name()));
        let slices = SliceContext {
            schema: self.schema(),
            batch_rows: context.session_config().batch_size().max(1),
            reservation: consumer.register(context.memory_pool()),
            task: Arc::clone(&context),
        };
        let stream = SlicedStream {
            schema: self.schema(),
            starting: Some(self.operator.start(slices)),
            input: self.input.execute(partition, context)?,
            slicer: None,
            busy: false,
            finished: false,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The stream of one partition.
struct SlicedStream {
    schema: SchemaRef,
    starting: Option<Starting>,
    input: SendableRecordBatchStream,
    slicer: Option<Box<dyn Slicer>>,
    /// Whether the slicer is inside an input batch.
    busy: bool,
    /// Whether the input has ended.
    finished: bool,
    metrics: BaselineMetrics,
}

impl SlicedStream {
    fn poll_slices(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        if let Some(starting) = &mut self.starting {
            self.slicer = Some(ready!(starting.poll_unpin(cx))?);
            self.starting = None;
        }
        let Some(slicer) = &mut self.slicer else { return Poll::Ready(None) };
        loop {
            if !self.busy {
                if self.finished {
                    return Poll::Ready(None);
                }
                match ready!(self.input.poll_next_unpin(cx)) {
                    Some(Ok(batch)) if batch.num_rows() == 0 => continue,
                    Some(Ok(batch)) => {
                        slicer.start(batch)?;
                        self.busy = true;
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        slicer.finish()?;
                        (self.finished, self.busy) = (true, true);
                    }
                }
            }
            let timer = self.metrics.elapsed_compute().timer();
            let progress = slicer.next();
            timer.done();
            match progress? {
                Progress::Batch(batch) if batch.num_rows() == 0 => {}
                Progress::Batch(batch) => return Poll::Ready(Some(Ok(batch))),
                Progress::Pause => {}
                Progress::Done => {
                    self.busy = false;
                    continue;
                }
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
    }
}

impl Stream for SlicedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let poll = self.poll_slices(cx);
        self.metrics.record_poll(poll)
    }
}

impl RecordBatchStream for SlicedStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
