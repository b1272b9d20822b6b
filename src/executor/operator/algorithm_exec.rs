//! Runs a graph algorithm on the subgraph that two plans give.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::{PgError, SqlState};
use crate::executor::graph::GraphSnapshot;
use crate::executor::graph::algorithm::{Parameters, Progress, Projection, Results, run};
use crate::planner::node::Algorithm;

/// For each row of the first input, one row for each vertex of the second that the algorithm says something of.
///
/// ```text
/// rows      [k]  …
/// vertices  [n]  vertex: UInt64
/// edges     [m]  source: UInt64, target: UInt64 [, weight: Float64]
/// out  [k × n]   …, node: UInt64, result
/// ```
///
/// The subgraph is read once and reserved whole, with room for what an algorithm keeps beside it. The work is done on a
/// blocking thread, which stops when nobody waits for it any more.
#[derive(Debug)]
pub struct AlgorithmExec {
    /// The session that runs it.
    pid: i32,
    algorithm: Algorithm,
    graph: Arc<GraphSnapshot>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    parameters: Arc<dyn PhysicalExpr>,
    properties: Arc<PlanProperties>,
}

/// The subgraph in one execution.
struct Loaded {
    pid: i32,
    algorithm: Algorithm,
    graph: Arc<GraphSnapshot>,
    projection: Arc<Projection>,
    _reservation: MemoryReservation,
}

impl AlgorithmExec {
    /// `pid` is the session's. `inputs` are rows, vertices and edges; `parameters` gives JSON text over the rows.
    ///
    /// # Errors
    /// `XX000` for another number of inputs.
    pub fn try_new(
        pid: i32,
        (algorithm, graph): (Algorithm, Arc<GraphSnapshot>),
        inputs: &[Arc<dyn ExecutionPlan>],
        parameters: Arc<dyn PhysicalExpr>,
        schema: SchemaRef,
    ) -> Result<Self> {
        if inputs.len() != 3 {
            return Err(PgError::internal("a graph algorithm has three inputs").into());
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let inputs = inputs.iter().map(single).collect();
        Ok(Self { pid, algorithm, graph, inputs, parameters, properties: Arc::new(properties) })
    }
}

fn single(plan: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    match plan.output_partitioning().partition_count() {
        1 => Arc::clone(plan),
        _ => Arc::new(CoalescePartitionsExec::new(Arc::clone(plan))),
    }
}

impl DisplayAs for AlgorithmExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlgorithmExec: {} with {}", self.algorithm.name(), self.parameters)
    }
}

impl ExecutionPlan for AlgorithmExec {
    fn name(&self) -> &str {
        "AlgorithmExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.parameters)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::try_new(
            self.pid,
            (self.algorithm, Arc::clone(&self.graph)),
            &children,
            Arc::clone(&self.parameters),
            self.schema(),
        )?))
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
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let streams = self
            .inputs
            .iter()
            .map(|input| input.execute(0, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let [rows, vertices, edges]: [SendableRecordBatchStream; 3] = streams
            .try_into()
            .map_err(|_| PgError::internal("a graph algorithm has three inputs"))?;
        let reservation = MemoryConsumer::new("graph algorithm").register(context.memory_pool());
        let (pid, algorithm, graph) = (self.pid, self.algorithm, Arc::clone(&self.graph));
        let (parameters, schema) = (Arc::clone(&self.parameters), self.schema());
        let batch_rows = context.session_config().batch_size().max(1);
        let output = stream::once(async move {
            let projection = load(pid, (vertices, edges), &reservation).await?;
            let projection = Arc::new(projection);
            let loaded =
                Arc::new(Loaded { pid, algorithm, graph, projection, _reservation: reservation });
            Ok::<_, DataFusionError>(
                rows.map_ok(move |batch| {
                    let single = (0..batch.num_rows())
                        .map(move |row| Ok::<_, DataFusionError>((batch.clone(), row)));
                    let (loaded, parameters) = (Arc::clone(&loaded), Arc::clone(&parameters));
                    let schema = Arc::clone(&schema);
                    stream::iter(single).and_then(move |(batch, row)| {
                        one_row(
                            Arc::clone(&loaded),
                            Arc::clone(&parameters),
                            (batch, row),
                            Arc::clone(&schema),
                            batch_rows,
                        )
                    })
                })
                .try_flatten(),
            )
        })
        .try_flatten()
        .map_ok(|batches| stream::iter(batches.into_iter().map(Ok::<_, DataFusionError>)))
        .try_flatten();
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), output.boxed()))))
    }
}

/// Reads the subgraph.
async fn load(
    pid: i32,
    (vertices, edges): (SendableRecordBatchStream, SendableRecordBatchStream),
    reservation: &MemoryReservation,
) -> Result<Projection> {
    let mut parts = [Vec::new(), Vec::new()];
    for (mut stream, part) in [vertices, edges].into_iter().zip(&mut parts) {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            reservation.try_grow(batch.get_array_memory_size())?;
            part.push(batch);
        }
    }
    let [vertices, edges] = parts;
    let projection = blocking(Progress::start(pid, "projection", (0, 0)), move |_| {
        Projection::read(&vertices, &edges)
    })
    .await?;
    reservation.try_resize(projection.bytes())?;
    Ok(projection)
}

/// The results for one input row.
async fn one_row(
    loaded: Arc<Loaded>,
    parameters: Arc<dyn PhysicalExpr>,
    (batch, row): (RecordBatch, usize),
    schema: SchemaRef,
    batch_rows: usize,
) -> Result<Vec<RecordBatch>> {
    let batch = batch.slice(row, 1);
    let text = parameters.evaluate(&batch)?.into_array(1)?;
    let text = cast(&text, &DataType::Utf8)?;
    let text = text.as_string::<i32>();
    let parameters = Parameters::parse(if text.is_null(0) { "" } else { text.value(0) })?;
    let source = match loaded.algorithm {
        Algorithm::Bfs | Algorithm::Sssp => Some(find(&loaded, &parameters.source()?)?),
        _ => None,
    };
    let projection = &loaded.projection;
    let size = (projection.refs.len() as u64, projection.edges.len() as u64);
    let progress = Progress::start(loaded.pid, loaded.algorithm.name(), size);
    let results = blocking(progress, {
        let loaded = Arc::clone(&loaded);
        move |progress| run(loaded.algorithm, &loaded.projection, &parameters, source, progress)
    })
    .await?;
    let Results { vertices, values } = results;
    let mut batches = Vec::new();
    for start in (0..vertices.len()).step_by(batch_rows) {
        let count = batch_rows.min(vertices.len() - start);
        let same = UInt32Array::from(vec![0; count]);
        let mut columns = batch
            .columns()
            .iter()
            .map(|column| take(column, &same, None))
            .collect::<Result<Vec<_>, _>>()?;
        columns.push(vertices.slice(start, count));
        columns.push(values.slice(start, count));
        batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    Ok(batches)
}

/// The vertex of an identifier (`alias:key`), or of a key that only one vertex of the subgraph has.
fn find(loaded: &Loaded, source: &str) -> Result<u64> {
    let refs = &loaded.projection.refs;
    let ids = loaded.graph.element_ids(false, &UInt64Array::from(refs.clone()))?;
    let by = |fits: &dyn Fn(&str) -> bool| -> Vec<u64> {
        let named = refs.iter().zip(&ids);
        named.filter(|(_, id)| id.as_deref().is_some_and(fits)).map(|(vertex, _)| *vertex).collect()
    };
    let mut found = by(&|id| id == source);
    if found.is_empty() {
        found = by(&|id| id.split_once(':').is_some_and(|(_, key)| key == source));
    }
    match found.as_slice() {
        [vertex] => Ok(*vertex),
        [] => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("the subgraph has no vertex \"{source}\""),
        )
        .into()),
        _ => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("the subgraph has several vertices with key \"{source}\""),
        )
        .hint("Write the identifier, as elementId(n) gives it.")
        .into()),
    }
}

/// Cancels a run when it is dropped.
struct CancelOnDrop(Arc<Progress>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn blocking<T: Send + 'static>(
    progress: Arc<Progress>,
    work: impl FnOnce(&Progress) -> std::result::Result<T, PgError> + Send + 'static,
) -> Result<T> {
    let _guard = CancelOnDrop(Arc::clone(&progress));
    match tokio::task::spawn_blocking(move || work(&progress)).await {
        Ok(result) => Ok(result?),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            // The runtime is going down.
            Err(_) => Err(PgError::internal("the server is shutting down").into()),
        },
    }
}
