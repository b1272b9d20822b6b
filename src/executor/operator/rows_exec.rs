//! Rows that are known when a statement is planned: those of a system relation, or the ones a key names.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream, Statistics,
};
use futures::stream;

/// Gives one batch, in slices of the session's batch size.
#[derive(Debug)]
pub struct RowsExec {
    /// What EXPLAIN says of them: `ScanExec: pg_class`, `KeyLookupExec: item, key=item_pkey`.
    title: String,
    relation: String,
    rows: RecordBatch,
    guard: Option<u32>,
    properties: Arc<PlanProperties>,
}

impl RowsExec {
    /// An operator that gives `rows` of a relation, shown as `title`.
    pub fn new(title: String, relation: &str, rows: RecordBatch) -> Self {
        let properties = properties(&rows, 1);
        Self { title, relation: relation.to_owned(), rows, guard: None, properties }
    }

    /// The name of the relation whose rows they are.
    pub fn relation(&self) -> &str {
        &self.relation
    }

    /// The same rows, below the row policy with this number, if there is one: as many streams as a scan would have, as
    /// nothing above may tell how they were found.
    #[must_use]
    pub fn guarded(self, guard: Option<u32>, streams: usize) -> Self {
        if guard.is_none() {
            return self;
        }
        Self { guard, properties: properties(&self.rows, streams), ..self }
    }

    /// The row policy that must stand above it.
    pub fn guard(&self) -> Option<u32> {
        self.guard
    }
}

fn properties(rows: &RecordBatch, streams: usize) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(rows.schema()),
        Partitioning::UnknownPartitioning(streams),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for RowsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl ExecutionPlan for RowsExec {
    fn name(&self) -> &str {
        "RowsExec"
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
        let batch_rows = context.session_config().batch_size().max(1);
        let rows = if partition == 0 { self.rows.clone() } else { self.rows.slice(0, 0) };
        let batches = stream::unfold((rows, 0), move |(rows, at)| async move {
            let left = rows.num_rows().saturating_sub(at);
            if left == 0 {
                return None;
            }
            tokio::task::consume_budget().await;
            let length = left.min(batch_rows);
            let slice = rows.slice(at, length);
            Some((Ok(slice), (rows, at + length)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if self.guard.is_none() {
            statistics.num_rows = Precision::Exact(self.rows.num_rows());
        }
        Ok(Arc::new(statistics))
    }
}
