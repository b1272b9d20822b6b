//! Runs the clauses of a Cypher statement that writes: each is planned when those before it are done, over what they left.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::physical::{Statement, plan_part};
use super::runtime::Runtime;
use super::write::WriteTarget;
use crate::error::PgError;
use crate::planner::node::{CheckKind, GraphCheck, GraphWrite, WithWrites};

/// Runs stages in order, each of which sees what those before it wrote, and gives the rows of the last.
///
/// Operators of a stage are made when it begins. Until then, and for EXPLAIN, there are those it would have now.
pub(super) struct StagesExec {
    with: WithWrites,
    statement: Arc<Statement>,
    state: Arc<SessionState>,
    serial: Arc<SessionState>,
    shown: Vec<Arc<dyn ExecutionPlan>>,
    /// The operators that ran.
    ran: Arc<OnceLock<Vec<Arc<dyn ExecutionPlan>>>>,
    properties: Arc<PlanProperties>,
}

/// Makes the operator of a statement with stages.
///
/// # Errors
/// As [`super::physical::plan_physical`].
pub(super) async fn plan(
    runtime: &Runtime,
    statement: &Arc<Statement>,
    with: &WithWrites,
) -> std::result::Result<Arc<dyn ExecutionPlan>, PgError> {
    let state = Arc::new(runtime.state().clone());
    let serial = Arc::clone(runtime.serial_state());
    let mut shown = Vec::new();
    if statement.explains {
        for plan in &with.plans {
            shown.push(plan_part(&state, &serial, statement, plan).await?);
        }
    }
    let schema: SchemaRef = Arc::clone(UserDefinedLogicalNodeCore::schema(with).inner());
    let properties = PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Final,
        Boundedness::Bounded,
    );
    Ok(Arc::new(StagesExec {
        with: with.clone(),
        statement: Arc::clone(statement),
        state,
        serial,
        shown,
        ran: Arc::default(),
        properties: Arc::new(properties),
    }))
}

impl fmt::Debug for StagesExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StagesExec({})", self.with.plans.len())
    }
}

impl DisplayAs for StagesExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StagesExec: {} in order", self.with.plans.len())
    }
}

impl ExecutionPlan for StagesExec {
    fn name(&self) -> &str {
        "StagesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.ran.get().unwrap_or(&self.shown).iter().collect()
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
            with: self.with.clone(),
            statement: Arc::clone(&self.statement),
            state: Arc::clone(&self.state),
            serial: Arc::clone(&self.serial),
            shown: children,
            ran: Arc::clone(&self.ran),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (with, first) = (self.with.clone(), Arc::clone(&self.statement));
        let (state, serial) = (Arc::clone(&self.state), Arc::clone(&self.serial));
        let Some(target) = first.target.clone() else {
            let error = PgError::internal("a write in a read-only statement");
            return Err(DataFusionError::from(error));
        };
        let ran = Arc::clone(&self.ran);
        let reservation = MemoryConsumer::new("StagesExec").register(context.memory_pool());
        let work = async move {
            let mut last: Vec<RecordBatch> = Vec::new();
            let mut operators = Vec::with_capacity(with.plans.len());
            let numbers = with.numbers.iter().copied().map(Some).chain([None]);
            let mut statement = first;
            for (at, (plan, number)) in with.plans.iter().zip(numbers).enumerate() {
                if at > 0 {
                    statement = Arc::new(statement.after_writes(target.as_ref()));
                }
                let round = number.and_then(|number| with.rounds.get(&number));
                let rounds = match round {
                    Some((rows, column)) => Rounds::of(&statement, *rows, column)?,
                    None => Rounds::default(),
                };
                let mut batches = Vec::new();
                for (at, round) in rounds.parts().enumerate() {
                    if at > 0 {
                        statement = Arc::new(statement.after_writes(target.as_ref()));
                    }
                    rounds.put(&statement, round);
                    let operator = plan_part(&state, &serial, &statement, plan).await?;
                    operators.push(Arc::clone(&operator));
                    let mut rows = operator.execute(0, Arc::clone(&context))?;
                    while let Some(batch) = rows.next().await {
                        let batch = batch?;
                        reservation.try_grow(batch.get_array_memory_size())?;
                        batches.push(batch);
                    }
                    hold(&statement, &target, (state.as_ref(), &serial), plan, &context).await?;
                }
                rounds.put_all(&statement);
                match number {
                    Some(number) => *statement.slot(number).lock() = Some(batches),
                    None => last = batches,
                }
            }
            target.finish().await?;
            // Set once: a statement runs once.
            let _ = ran.set(operators);
            drop(reservation);
            Ok::<_, DataFusionError>(stream::iter(last.into_iter().map(Ok)))
        };
        let rows = stream::once(work).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// Holds the rows that a step wrote against what policies say of new rows, over what the step left.
///
/// # Errors
/// `42501` for a row that must not be written.
async fn hold(
    statement: &Statement,
    target: &Arc<dyn WriteTarget>,
    (state, serial): (&SessionState, &Arc<SessionState>),
    step: &LogicalPlan,
    context: &Arc<TaskContext>,
) -> Result<()> {
    let written = std::mem::take(&mut *statement.written.lock());
    let mut checks: Vec<GraphCheck> = Vec::new();
    step.apply(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(write) = extension.node.as_any().downcast_ref::<GraphWrite>()
        {
            let about =
                |check: &&GraphCheck| check.kind == CheckKind::New && written.concerns(check);
            checks.extend(write.checks.iter().filter(about).cloned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if checks.is_empty() {
        return Ok(());
    }
    let after = Arc::new(statement.after_writes(target.as_ref()));
    for check in &checks {
        let plan = plan_part(state, serial, &after, &check.plan).await?;
        written.hold(check, &plan, context).await?;
    }
    Ok(())
}

/// The rows a step reads, in parts in each of which an element comes once.
#[derive(Default)]
struct Rounds {
    slot: Option<usize>,
    all: Vec<RecordBatch>,
    parts: Vec<RecordBatch>,
}

impl Rounds {
    fn of(statement: &Statement, slot: usize, column: &str) -> Result<Self> {
        let all = statement.slot(slot).lock().clone().unwrap_or_default();
        let Some(first) = all.first() else { return Ok(Self::default()) };
        let rows = concat_batches(&first.schema(), &all)?;
        let elements =
            rows.column_by_name(column).and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let Some(elements) = elements else { return Ok(Self::default()) };
        let mut times: HashMap<u64, usize> = HashMap::new();
        let mut parts: Vec<Vec<u32>> = Vec::new();
        for (row, element) in elements.iter().enumerate() {
            // About null nothing is done.
            let time = match element {
                None => 0,
                Some(element) => {
                    let time = times.entry(element).or_default();
                    *time += 1;
                    *time - 1
                }
            };
            if parts.len() <= time {
                parts.resize(time + 1, Vec::new());
            }
            if let Some(part) = parts.get_mut(time) {
                part.push(row as u32);
            }
        }
        if parts.len() < 2 {
            return Ok(Self::default());
        }
        let parts = parts
            .into_iter()
            .map(|rows_of_part| Ok(take_record_batch(&rows, &UInt32Array::from(rows_of_part))?));
        Ok(Self { slot: Some(slot), all, parts: parts.collect::<Result<_>>()? })
    }

    /// Each part; one that stands for all rows where none comes again.
    fn parts(&self) -> impl Iterator<Item = Option<&RecordBatch>> {
        let whole = self.parts.is_empty().then_some(None);
        self.parts.iter().map(Some).chain(whole)
    }

    fn put(&self, statement: &Statement, part: Option<&RecordBatch>) {
        if let (Some(slot), Some(part)) = (self.slot, part) {
            *statement.slot(slot).lock() = Some(vec![part.clone()]);
        }
    }

    fn put_all(&self, statement: &Statement) {
        if let Some(slot) = self.slot {
            *statement.slot(slot).lock() = Some(self.all.clone());
        }
    }
}
