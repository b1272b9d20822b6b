//! Writes to a property graph for the rows of its input.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, stream};
use parking_lot::Mutex;

use crate::executor::graph::GraphSnapshot;
use crate::executor::graph::write::{Writer, Written};
use crate::executor::write::WriteTarget;
use crate::planner::node::{GraphCheck, GraphWrite};

/// Reads all of its input, writes what the clause says for each row, and gives the rows with the new elements.
///
/// Holds the whole input, reserved from the pool: a clause never sees its own writes.
pub struct GraphWriteExec {
    node: GraphWrite,
    input: Arc<dyn ExecutionPlan>,
    graph: Arc<GraphSnapshot>,
    target: Arc<dyn WriteTarget>,
    checks: Arc<GraphWriteChecks>,
    properties: Arc<PlanProperties>,
}

/// What a clause's rows are held against.
#[derive(Default)]
pub struct GraphWriteChecks {
    /// What policies say of rows as they were before, with the operators that find those that pass.
    pub(crate) before: Vec<(GraphCheck, Arc<dyn ExecutionPlan>)>,
    /// Where to say which rows were written, for what policies say of them afterwards.
    pub(crate) written: Arc<Mutex<Written>>,
}

impl GraphWriteExec {
    /// Writes for `input` as `node` says; elements in the input are of `graph`.
    pub fn new(
        node: &GraphWrite,
        input: Arc<dyn ExecutionPlan>,
        graph: Arc<GraphSnapshot>,
        target: Arc<dyn WriteTarget>,
        checks: GraphWriteChecks,
    ) -> Self {
        let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(node).inner());
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Self { node: node.clone(), input, graph, target, checks: Arc::new(checks), properties }
    }
}

impl fmt::Debug for GraphWriteExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphWriteExec({})", self.node)
    }
}

impl DisplayAs for GraphWriteExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphWriteExec: {}", self.node)
    }
}

impl ExecutionPlan for GraphWriteExec {
    fn name(&self) -> &str {
        "GraphWriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
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

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self {
            node: self.node.clone(),
            input,
            graph: Arc::clone(&self.graph),
            target: Arc::clone(&self.target),
            checks: Arc::clone(&self.checks),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut input = self.input.execute(0, Arc::clone(&context))?;
        let (node, graph) = (self.node.clone(), Arc::clone(&self.graph));
        let (target, schema) = (Arc::clone(&self.target), self.schema());
        let reservation = MemoryConsumer::new("GraphWriteExec").register(context.memory_pool());
        let (output, checks) = (Arc::clone(&schema), Arc::clone(&self.checks));
        let work = async move {
            let arriving = input.schema();
            let mut batches: Vec<RecordBatch> = Vec::new();
            while let Some(batch) = input.next().await {
                let batch = batch?;
                reservation.try_grow(batch.get_array_memory_size())?;
                batches.push(batch);
            }
            let rows = match batches.as_slice() {
                [only] => only.clone(),
                many => concat_batches(&arriving, many)?,
            };
            let written = if rows.num_rows() == 0 {
                RecordBatch::new_empty(output)
            } else {
                let (rows, written) = Writer::run(target, &graph, &node, rows, &output).await?;
                for (check, plan) in &checks.before {
                    if written.concerns(check) {
                        written.hold(check, plan, &context).await?;
                    }
                }
                checks.written.lock().extend(written);
                rows
            };
            drop(reservation);
            Ok::<_, DataFusionError>(written)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(work))))
    }
}
