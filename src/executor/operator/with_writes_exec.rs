//! Runs the queries of WITH that write, and gives their rows to whoever reads them.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use crate::error::PgError;
use crate::executor::write::WriteTarget;

/// Where the rows of one query are kept: nothing until it is done.
pub type RowSlot = Arc<Mutex<Option<Vec<RecordBatch>>>>;

/// Runs its first children in order, keeps their rows for [`WrittenRowsTable`], and then gives the rows of the last one.
///
/// Holds all rows, reserved from the pool: the statement must be done, and its foreign keys hold, before any are given.
pub struct WithWritesExec {
    slots: Vec<RowSlot>,
    plans: Vec<Arc<dyn ExecutionPlan>>,
    target: Arc<dyn WriteTarget>,
    properties: Arc<PlanProperties>,
}

impl WithWritesExec {
    /// Runs `plans`, one more than `slots`, each of one partition.
    pub fn new(
        slots: Vec<RowSlot>,
        plans: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        target: Arc<dyn WriteTarget>,
    ) -> Self {
        let properties = properties(schema, EmissionType::Final);
        Self { slots, plans, target, properties }
    }
}

fn properties(schema: SchemaRef, emission: EmissionType) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        emission,
        Boundedness::Bounded,
    ))
}

impl fmt::Debug for WithWritesExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithWritesExec({})", self.slots.len())
    }
}

impl DisplayAs for WithWritesExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithWritesExec: {} that write", self.slots.len())
    }
}

impl ExecutionPlan for WithWritesExec {
    fn name(&self) -> &str {
        "WithWritesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.plans.iter().collect()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            slots: self.slots.clone(),
            plans: children,
            target: Arc::clone(&self.target),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (slots, plans) = (self.slots.clone(), self.plans.clone());
        let target = Arc::clone(&self.target);
        let reservation = MemoryConsumer::new("WithWritesExec").register(context.memory_pool());
        let work = async move {
            let mut last = Vec::new();
            let slots = slots.iter().map(Some).chain([None]);
            for (plan, slot) in plans.iter().zip(slots) {
                // Each starts only now, as it may read the rows of those before it.
                let mut rows = plan.execute(0, Arc::clone(&context))?;
                let mut batches = Vec::new();
                while let Some(batch) = rows.next().await {
                    let batch = batch?;
                    reservation.try_grow(batch.get_array_memory_size())?;
                    batches.push(batch);
                }
                match slot {
                    Some(slot) => *slot.lock() = Some(batches),
                    None => last = batches,
                }
            }
            target.finish().await?;
            drop(reservation);
            Ok::<_, DataFusionError>(stream::iter(last.into_iter().map(Ok)))
        };
        let rows = stream::once(work).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// The rows of a query that wrote, as a table.
#[derive(Debug)]
pub struct WrittenRowsTable {
    /// Filled when the query is done.
    pub slot: RowSlot,
    /// Its RETURNING list.
    pub schema: SchemaRef,
}

#[async_trait]
impl TableProvider for WrittenRowsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let width = self.schema.fields().len();
        let projection = projection.cloned().unwrap_or_else(|| (0..width).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        Ok(Arc::new(WrittenRowsExec {
            slot: Arc::clone(&self.slot),
            projection,
            properties: properties(schema, EmissionType::Incremental),
        }))
    }
}

/// Streams the rows of a query that wrote.
struct WrittenRowsExec {
    slot: RowSlot,
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for WrittenRowsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrittenRowsExec")
    }
}

impl DisplayAs for WrittenRowsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrittenRowsExec")
    }
}

impl ExecutionPlan for WrittenRowsExec {
    fn name(&self) -> &str {
        "WrittenRowsExec"
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
        _partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (slot, projection) = (Arc::clone(&self.slot), self.projection.clone());
        let rows = async move {
            let Some(batches) = slot.lock().clone() else {
                let error = PgError::internal("a query of WITH was read before it was done");
                return Err(DataFusionError::from(error));
            };
            let batches = batches.into_iter().map(move |batch| Ok(batch.project(&projection)?));
            Ok(stream::iter(batches))
        };
        let rows = stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
