//! Locks the rows its input stands for.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, stream};

use crate::error::PgError;
use crate::executor::write::StatementLocks;
use crate::planner::node::{LockRows, LockStrength, LockWait, LockedTable};
use crate::storage::locks::WhenHeld;
use crate::storage::{RowLock, StoreSnapshot};
use crate::types::RowId;

/// Locks rows in the order they come and passes on those that it locked.
///
/// Where something above may stop asking, rows are taken, locked and given one at a time, so that a LIMIT locks no more
/// than it gives (and those that OFFSET leaves out).
///
/// # Errors
/// `55P03`, `40P01`; `40001` if a row moved, which makes the statement run again where it may.
pub struct LockRowsExec {
    tables: Vec<LockedTable>,
    is_limited: bool,
    input: Arc<dyn ExecutionPlan>,
    locks: Arc<StatementLocks>,
    snapshot: StoreSnapshot,
    /// The order of the rows, which is that of the result and of the locks.
    ordering: Option<LexOrdering>,
    properties: Arc<PlanProperties>,
}

impl LockRowsExec {
    /// Locks what `node` says; the rows were found at `snapshot`.
    pub fn new(
        node: &LockRows,
        input: Arc<dyn ExecutionPlan>,
        locks: Arc<StatementLocks>,
        snapshot: StoreSnapshot,
    ) -> Self {
        let properties = properties(&input);
        Self {
            tables: node.tables.clone(),
            is_limited: node.is_limited,
            ordering: input.output_ordering().cloned(),
            input,
            locks,
            snapshot,
            properties,
        }
    }
}

fn properties(input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
    let mut equivalence = EquivalenceProperties::new(input.schema());
    if let Some(ordering) = input.output_ordering() {
        equivalence.add_ordering(ordering.clone());
    }
    Arc::new(PlanProperties::new(
        equivalence,
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl fmt::Debug for LockRowsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockRowsExec({})", self.tables.len())
    }
}

impl DisplayAs for LockRowsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.tables.iter().map(|table| table.relation.name.as_str()).collect();
        write!(f, "LockRowsExec: {}", names.join(", "))
    }
}

fn row_lock(strength: LockStrength) -> RowLock {
    match strength {
        LockStrength::KeyShare => RowLock::KeyShare,
        LockStrength::Share => RowLock::Share,
        LockStrength::NoKeyUpdate => RowLock::NoKeyUpdate,
        LockStrength::Update => RowLock::Update,
    }
}

fn when_held(wait: LockWait) -> WhenHeld {
    match wait {
        LockWait::Wait => WhenHeld::Wait,
        LockWait::Skip => WhenHeld::Skip,
        LockWait::Fail => WhenHeld::Fail,
    }
}

/// What locking needs, apart from the rows.
struct Locking {
    tables: Vec<LockedTable>,
    locks: Arc<StatementLocks>,
    snapshot: StoreSnapshot,
}

impl Locking {
    /// Locks the rows of a batch; those of its rows that are locked.
    async fn lock(&self, mut batch: RecordBatch) -> Result<RecordBatch> {
        for table in &self.tables {
            let Some(ids) = batch.column(table.column).as_primitive_opt::<UInt64Type>().cloned()
            else {
                return Err(PgError::internal("row ids of another type").into());
            };
            let rows: Vec<RowId> = ids.iter().flatten().map(RowId).collect();
            let (lock, wait) = (row_lock(table.strength), when_held(table.wait));
            let skipped =
                self.locks.lock_rows(&table.relation, &rows, lock, wait, &self.snapshot).await?;
            if skipped.is_empty() {
                continue;
            }
            let skipped: HashSet<u64> = skipped.into_iter().map(|row| row.0).collect();
            let kept: BooleanArray = (0..ids.len())
                .map(|row| Some(ids.is_null(row) || !skipped.contains(&ids.value(row))))
                .collect();
            batch = filter_record_batch(&batch, &kept)?;
        }
        Ok(batch)
    }
}

impl ExecutionPlan for LockRowsExec {
    fn name(&self) -> &str {
        "LockRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.ordering.clone().map(OrderingRequirements::from)]
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
            tables: self.tables.clone(),
            is_limited: self.is_limited,
            properties: properties(&input),
            ordering: self.ordering.clone(),
            input,
            locks: Arc::clone(&self.locks),
            snapshot: self.snapshot.clone(),
        }))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(0, context)?;
        let locking = Locking {
            tables: self.tables.clone(),
            locks: Arc::clone(&self.locks),
            snapshot: self.snapshot.clone(),
        };
        let one_by_one = self.is_limited;
        let state = (input, VecDeque::new(), locking);
        let rows = stream::try_unfold(state, move |(mut input, mut waiting, locking)| async move {
            loop {
                let batch: RecordBatch = match waiting.pop_front() {
                    Some(batch) => batch,
                    None => match input.next().await.transpose()? {
                        None => return Ok(None),
                        Some(batch) if one_by_one => {
                            waiting.extend((0..batch.num_rows()).map(|row| batch.slice(row, 1)));
                            continue;
                        }
                        Some(batch) => batch,
                    },
                };
                let locked = locking.lock(batch).await?;
                if locked.num_rows() > 0 {
                    return Ok(Some((locked, (input, waiting, locking))));
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
