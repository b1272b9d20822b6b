//! Writes the rows of its input to a table.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int8Type, SchemaRef, UInt64Type};
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
use futures::{StreamExt, TryStreamExt, stream};

use crate::catalog::Relation;
use crate::error::{PgError, SqlState};
use crate::executor::write::{Collision, WriteTarget, second_update};
use crate::planner::node::{EachRow, RowAction, TableWrite, WriteKind};
use crate::types::RowId;

/// Reads all of its input, writes it, and gives the affected rows.
///
/// Holds the whole input, reserved from the pool, so that a statement never sees its own changes.
pub struct TableWriteExec {
    relation: Arc<Relation>,
    kind: WriteKind,
    carried: usize,
    ends_statement: bool,
    input: Arc<dyn ExecutionPlan>,
    target: Arc<dyn WriteTarget>,
    properties: Arc<PlanProperties>,
}

impl TableWriteExec {
    /// The name of the table, and what is done to it: `Insert`, `Update`, `Delete`, `Merge`.
    pub fn target(&self) -> (&str, &'static str) {
        let operation = match self.kind {
            WriteKind::Insert => "Insert",
            WriteKind::Update { .. } => "Update",
            WriteKind::Delete => "Delete",
            WriteKind::Each(_) => "Merge",
        };
        (&self.relation.name, operation)
    }

    /// Writes `input` as `node` says.
    pub fn new(
        node: &TableWrite,
        input: Arc<dyn ExecutionPlan>,
        target: Arc<dyn WriteTarget>,
    ) -> Self {
        let schema: SchemaRef = Arc::clone(node.schema().inner());
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Self {
            relation: Arc::clone(&node.relation),
            kind: node.kind.clone(),
            carried: node.carried,
            ends_statement: node.ends_statement,
            input,
            target,
            properties,
        }
    }
}

impl fmt::Debug for TableWriteExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableWriteExec({})", self.relation.name)
    }
}

impl DisplayAs for TableWriteExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableWriteExec: {} {}", self.kind.verb(), self.relation.name)
    }
}

/// Where things are in the columns of an input batch.
#[derive(Debug)]
struct Layout {
    kind: WriteKind,
    carried: usize,
    width: usize,
    /// The table's columns, all nullable, as NOT NULL is the target's check.
    table_schema: SchemaRef,
    /// As what RETURNING sees, all nullable.
    output_schema: SchemaRef,
}

/// Writes a few rows that are here, as [`TableWriteExec`] writes those of its input. Made once for a statement.
#[derive(Debug)]
pub struct RowWriter {
    relation: Arc<Relation>,
    collision: Collision,
    layout: Layout,
    ends_statement: bool,
    /// Of what RETURNING sees.
    schema: SchemaRef,
}

impl RowWriter {
    /// Writes rows of so many columns as `node` says.
    ///
    /// # Errors
    /// `XX000` if it writes to something that is not a table.
    pub fn new(node: &TableWrite, width: usize) -> Result<Self> {
        let schema: SchemaRef = Arc::clone(node.schema().inner());
        let relation = Arc::clone(&node.relation);
        let layout = Layout::of(&relation, node.kind.clone(), node.carried, width, &schema)?;
        let collision = collision_of(&node.kind);
        Ok(Self { relation, collision, layout, ends_statement: node.ends_statement, schema })
    }

    /// The table it writes to.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// Whether it adds the rows it is given.
    pub fn adds(&self) -> bool {
        matches!(self.layout.kind, WriteKind::Insert)
    }

    /// Whether it replaces rows by those it is given.
    pub fn replaces(&self) -> bool {
        matches!(self.layout.kind, WriteKind::Update { .. })
    }

    /// Where the table's columns begin in its input.
    pub fn first_column(&self) -> usize {
        self.layout.carried + self.layout.kind.leading()
    }

    /// The table's columns as they come, all nullable.
    pub fn arriving(&self) -> &SchemaRef {
        &self.layout.table_schema
    }

    /// Writes the rows and gives what RETURNING sees.
    ///
    /// # Errors
    /// Those of the target.
    pub async fn write(
        &self,
        rows: &RecordBatch,
        target: &dyn WriteTarget,
    ) -> Result<Vec<RecordBatch>> {
        let mut collected = Collected::default();
        collected.take(rows, &self.layout, &self.relation, target)?;
        self.finish(collected, target).await
    }

    async fn finish(
        &self,
        collected: Collected,
        target: &dyn WriteTarget,
    ) -> Result<Vec<RecordBatch>> {
        let output = collected.write(&self.relation, target, self.collision).await?;
        if self.ends_statement {
            target.finish().await?;
        }
        let declared = |batch: RecordBatch| -> Result<RecordBatch> {
            let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &count)?)
        };
        output.into_iter().map(declared).collect()
    }
}

fn collision_of(kind: &WriteKind) -> Collision {
    match kind {
        WriteKind::Each(EachRow { on_conflict: false, .. }) => Collision::Merge,
        WriteKind::Each(_) | WriteKind::Insert | WriteKind::Update { .. } | WriteKind::Delete => {
            Collision::Write
        }
    }
}

impl Layout {
    fn of(
        relation: &Relation,
        kind: WriteKind,
        carried: usize,
        width: usize,
        output: &SchemaRef,
    ) -> Result<Self> {
        let declared = relation.table().map(|table| arriving(&table.schema));
        let Some(table_schema) = declared else {
            let error = PgError::internal("a write to something that is not a table");
            return Err(DataFusionError::from(error));
        };
        Ok(Self { kind, carried, width, table_schema, output_schema: arriving(output) })
    }

    fn row_ids<'a>(&self, batch: &'a RecordBatch) -> Option<&'a UInt64Array> {
        let at = match self.kind {
            WriteKind::Insert => return None,
            WriteKind::Update { .. } | WriteKind::Delete => self.carried,
            WriteKind::Each(_) => self.carried + 1,
        };
        Some(batch.column(at).as_primitive::<UInt64Type>())
    }

    fn project(
        &self,
        batch: &RecordBatch,
        schema: &SchemaRef,
        columns: impl Iterator<Item = usize>,
    ) -> Result<RecordBatch> {
        let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = columns.map(|at| batch.column(at).clone()).collect();
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &count)?)
    }

    /// The table's columns.
    fn rows(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let first = self.carried + self.kind.leading();
        self.project(batch, &self.table_schema, first..self.width)
    }

    /// The carried columns and the table's.
    fn output(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let first = self.carried + self.kind.leading();
        self.project(batch, &self.output_schema, (0..self.carried).chain(first..self.width))
    }
}

/// What the input asks for, and the batches RETURNING sees.
#[derive(Default)]
struct Collected {
    deleted: Vec<RowId>,
    updated: Vec<RowId>,
    updates: Vec<RecordBatch>,
    inserts: Vec<RecordBatch>,
    output: Vec<RecordBatch>,
    /// What `updated` holds, where a row that is left alone may not be among it.
    conflicting: HashSet<RowId>,
}

impl Collected {
    /// Takes the rows of a batch, each row id once: a row that joins several others is changed by the first.
    fn take(
        &mut self,
        batch: &RecordBatch,
        layout: &Layout,
        relation: &Relation,
        target: &dyn WriteTarget,
    ) -> Result<()> {
        if let WriteKind::Each(each) = &layout.kind {
            return self.take_each(batch, layout, each, relation, target);
        }
        let mut batch = batch.clone();
        if let Some(ids) = layout.row_ids(&batch) {
            let ids: Vec<RowId> = ids.values().iter().copied().map(RowId).collect();
            let first = target.claim(relation, &ids);
            let claimed = ids.iter().zip(&first).filter(|(_, first)| **first).map(|(id, _)| *id);
            match layout.kind {
                WriteKind::Delete => self.deleted.extend(claimed),
                _ => self.updated.extend(claimed),
            }
            if first.iter().any(|first| !first) {
                batch = filter_record_batch(&batch, &first.into())?;
            }
        }
        match layout.kind {
            WriteKind::Insert => self.inserts.push(layout.rows(&batch)?),
            WriteKind::Update { .. } => self.updates.push(layout.rows(&batch)?),
            WriteKind::Delete | WriteKind::Each(_) => {}
        }
        self.output.push(layout.output(&batch)?);
        Ok(())
    }

    /// Takes a batch that says for each row what is done about it.
    fn take_each(
        &mut self,
        batch: &RecordBatch,
        layout: &Layout,
        each: &EachRow,
        relation: &Relation,
        target: &dyn WriteTarget,
    ) -> Result<()> {
        let actions = batch.column(layout.carried).as_primitive::<Int8Type>();
        let actions: Vec<RowAction> = actions.iter().map(RowAction::of).collect();
        let ids: Vec<Option<RowId>> = match layout.row_ids(batch) {
            Some(ids) => ids.iter().map(|id| id.map(RowId)).collect(),
            None => vec![None; actions.len()],
        };
        for (action, id) in actions.iter().zip(&ids) {
            match (action, id) {
                (RowAction::Update | RowAction::Delete, Some(id)) => {
                    if target.claim(relation, &[*id]) != [true] {
                        let error = if each.on_conflict { second_update() } else { second_merge() };
                        return Err(error.into());
                    }
                    let claimed = match action {
                        RowAction::Delete => &mut self.deleted,
                        _ => &mut self.updated,
                    };
                    claimed.push(*id);
                    if each.on_conflict {
                        self.conflicting.insert(*id);
                    }
                }
                // A row whose WHERE is not true is not updated, but nor may it have been before.
                (RowAction::Nothing, Some(id))
                    if each.on_conflict && self.conflicting.contains(id) =>
                {
                    return Err(second_update().into());
                }
                _ => {}
            }
        }
        let only = |wanted: &[RowAction]| -> Result<RecordBatch> {
            let mask: BooleanArray =
                actions.iter().map(|action| Some(wanted.contains(action))).collect();
            Ok(filter_record_batch(batch, &mask)?)
        };
        self.inserts.push(layout.rows(&only(&[RowAction::Insert])?)?);
        self.updates.push(layout.rows(&only(&[RowAction::Update])?)?);
        let done = only(&[RowAction::Insert, RowAction::Update, RowAction::Delete])?;
        self.output.push(layout.output(&done)?);
        Ok(())
    }

    /// Writes what was collected and gives what RETURNING sees.
    async fn write(
        self,
        relation: &Arc<Relation>,
        target: &dyn WriteTarget,
        collision: Collision,
    ) -> Result<Vec<RecordBatch>> {
        let Self { deleted, updated, updates, inserts, output, conflicting: _ } = self;
        if !deleted.is_empty() {
            target.delete(relation, &deleted).await?;
        }
        if !updated.is_empty() {
            target.update(relation, &updated, updates).await?;
        }
        if inserts.iter().any(|rows| rows.num_rows() > 0) {
            target.insert(relation, inserts, collision).await?;
        }
        Ok(output)
    }
}

fn second_merge() -> PgError {
    PgError::new(SqlState::CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time")
        .hint("Ensure that not more than one source row matches any one target row.")
}

/// The schema rows arrive in: the table's columns, all nullable, as NOT NULL is the target's check.
fn arriving(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

impl ExecutionPlan for TableWriteExec {
    fn name(&self) -> &str {
        "TableWriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    /// Rows are written, and given, in the order they come: `INSERT … SELECT … ORDER BY` means its order.
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
            kind: self.kind.clone(),
            carried: self.carried,
            ends_statement: self.ends_statement,
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
        let mut input = self.input.execute(0, Arc::clone(&context))?;
        let target = Arc::clone(&self.target);
        let schema = self.schema();
        let writer = RowWriter {
            relation: Arc::clone(&self.relation),
            collision: collision_of(&self.kind),
            layout: Layout::of(
                &self.relation,
                self.kind.clone(),
                self.carried,
                self.input.schema().fields().len(),
                &schema,
            )?,
            ends_statement: self.ends_statement,
            schema: Arc::clone(&schema),
        };
        let reservation = MemoryConsumer::new("TableWriteExec").register(context.memory_pool());
        let work = async move {
            let mut collected = Collected::default();
            while let Some(batch) = input.next().await {
                let batch = batch?;
                reservation.try_grow(batch.get_array_memory_size())?;
                collected.take(&batch, &writer.layout, &writer.relation, target.as_ref())?;
            }
            let output = writer.finish(collected, target.as_ref()).await?;
            drop(reservation);
            Ok::<_, DataFusionError>(stream::iter(output.into_iter().map(Ok::<_, DataFusionError>)))
        };
        let rows = stream::once(work).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
