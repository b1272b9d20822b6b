//! Looks for the rows an INSERT … ON CONFLICT would conflict with.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, stream};

use crate::catalog::Relation;
use crate::executor::write::{ConflictSearch, WriteTarget};
use crate::planner::node::ConflictLookup;
use crate::types::Oid;

/// Streams the rows of its input as [`ConflictLookup`] says: without those that conflict, or beside the rows they
/// conflict with.
///
/// Remembers the keys of the rows that passed, as the next one may conflict with them.
pub struct ConflictLookupExec {
    relation: Arc<Relation>,
    arbiters: Vec<Oid>,
    skips: bool,
    input: Arc<dyn ExecutionPlan>,
    target: Arc<dyn WriteTarget>,
    properties: Arc<PlanProperties>,
}

impl ConflictLookupExec {
    /// Looks `input` up as `node` says.
    pub fn new(
        node: &ConflictLookup,
        input: Arc<dyn ExecutionPlan>,
        target: Arc<dyn WriteTarget>,
    ) -> Self {
        let schema: SchemaRef = Arc::clone(node.schema().inner());
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self {
            relation: Arc::clone(&node.relation),
            arbiters: node.arbiters.clone(),
            skips: node.skips,
            input,
            target,
            properties,
        }
    }
}

impl fmt::Debug for ConflictLookupExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConflictLookupExec({})", self.relation.name)
    }
}

impl DisplayAs for ConflictLookupExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = if self.skips { "do nothing" } else { "do update" };
        write!(f, "ConflictLookupExec: {}, {action}", self.relation.name)
    }
}

impl ExecutionPlan for ConflictLookupExec {
    fn name(&self) -> &str {
        "ConflictLookupExec"
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
            relation: Arc::clone(&self.relation),
            arbiters: self.arbiters.clone(),
            skips: self.skips,
            input,
            target: Arc::clone(&self.target),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(0, context)?;
        let schema = self.schema();
        let (relation, target, skips) =
            (Arc::clone(&self.relation), Arc::clone(&self.target), self.skips);
        let search = ConflictSearch::new(self.arbiters.clone(), skips);
        let out = Arc::clone(&schema);
        let state = (input, search, target, relation, out);
        let batches = stream::try_unfold(state, move |mut state| async move {
            let (input, search, target, relation, out) = &mut state;
            let Some(batch) = input.next().await else { return Ok(None) };
            let batch = batch?;
            let found = target.conflicts(relation, search, &batch).await?;
            let kept = take_record_batch(&batch, &found.kept)?;
            let mut columns: Vec<ArrayRef> = kept.columns().to_vec();
            if !skips {
                columns.extend(found.existing.columns().iter().cloned());
                columns.push(Arc::new(found.row_ids));
            }
            let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
            let batch = RecordBatch::try_new_with_options(Arc::clone(out), columns, &options)?;
            Ok(Some((batch, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}
