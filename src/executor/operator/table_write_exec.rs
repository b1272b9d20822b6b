//! Writes the rows of its input to a table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};
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
use crate::error::PgError;
use crate::executor::write::WriteTarget;
use crate::planner::node::{TableWrite, WriteKind};
use crate::types::RowId;

/// Reads all of its input, writes it, and gives the affected rows.
///
/// Holds the whole input, reserved from the pool, so that a statement never sees its own changes.
pub struct TableWriteExec {
    relation: Arc<Relation>,
    kind: WriteKind,
    carried: usize,
    input: Arc<dyn ExecutionPlan>,
    target: Arc<dyn WriteTarget>,
    properties: Arc<PlanProperties>,
}

impl TableWriteExec {
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
        let verb = match &self.kind {
            WriteKind::Insert => "Insert on",
            WriteKind::Update { .. } => "Update on",
            WriteKind::Delete => "Delete on",
        };
        write!(f, "TableWriteExec: {verb} {}", self.relation.name)
    }
}

/// Splits an input batch into carried columns, row ids and table columns.
struct Split {
    carried: Vec<usize>,
    row_id: Option<usize>,
    table: Vec<usize>,
}

impl Split {
    fn new(kind: &WriteKind, carried: usize, width: usize) -> Self {
        let with_row_id = !matches!(kind, WriteKind::Insert);
        let first = carried + usize::from(with_row_id);
        Self {
            carried: (0..carried).collect(),
            row_id: with_row_id.then_some(carried),
            table: (first..width).collect(),
        }
    }
}

/// Rows of the input as the target takes them, and the batches RETURNING sees.
#[derive(Default)]
struct Collected {
    rows: Vec<RecordBatch>,
    ids: Vec<RowId>,
    output: Vec<RecordBatch>,
}

impl Collected {
    /// Takes the rows of a batch, each row id once: a row that joins several others is changed by the first.
    fn take(
        &mut self,
        batch: &RecordBatch,
        split: &Split,
        seen: &mut std::collections::HashSet<u64>,
        schemas: (&SchemaRef, &SchemaRef),
    ) -> Result<()> {
        let mut batch = batch.clone();
        if let Some(row_id) = split.row_id {
            let ids = batch.column(row_id).as_primitive::<UInt64Type>();
            let first: Vec<bool> = ids.values().iter().map(|id| seen.insert(*id)).collect();
            if first.iter().any(|first| !first) {
                batch = arrow::compute::filter_record_batch(&batch, &first.into())?;
            }
            self.ids.extend(
                batch
                    .column(row_id)
                    .as_primitive::<UInt64Type>()
                    .values()
                    .iter()
                    .copied()
                    .map(RowId),
            );
        }
        let (table_schema, output_schema) = schemas;
        let count = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = split.table.iter().map(|at| batch.column(*at).clone()).collect();
        self.rows.push(RecordBatch::try_new_with_options(
            Arc::clone(table_schema),
            columns,
            &count,
        )?);
        let columns = split
            .carried
            .iter()
            .chain(&split.table)
            .map(|at| batch.column(*at).clone())
            .collect::<Vec<_>>();
        self.output.push(RecordBatch::try_new_with_options(
            Arc::clone(output_schema),
            columns,
            &count,
        )?);
        Ok(())
    }
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
        let split = Split::new(&self.kind, self.carried, self.input.schema().fields().len());
        let (kind, relation, target) =
            (self.kind.clone(), Arc::clone(&self.relation), Arc::clone(&self.target));
        let schema = self.schema();
        let output_schema = arriving(&schema);
        let declared = relation.table().map(|table| Arc::clone(&table.schema));
        let reservation = MemoryConsumer::new("TableWriteExec").register(context.memory_pool());
        let result_schema = Arc::clone(&schema);
        let work = async move {
            let Some(declared) = declared else {
                let error = PgError::internal("a write to something that is not a table");
                return Err(DataFusionError::from(error));
            };
            let table_schema = arriving(&declared);
            let mut collected = Collected::default();
            let mut seen = std::collections::HashSet::new();
            while let Some(batch) = input.next().await {
                let batch = batch?;
                reservation.try_grow(batch.get_array_memory_size())?;
                collected.take(&batch, &split, &mut seen, (&table_schema, &output_schema))?;
            }
            let Collected { rows, ids, output } = collected;
            match kind {
                WriteKind::Insert => target.insert(&relation, rows).await?,
                WriteKind::Update { .. } => target.update(&relation, &ids, rows).await?,
                WriteKind::Delete => target.delete(&relation, &ids).await?,
            }
            let output: Vec<Result<RecordBatch>> = output
                .into_iter()
                .map(|batch| {
                    let count = arrow::array::RecordBatchOptions::new()
                        .with_row_count(Some(batch.num_rows()));
                    let columns = batch.columns().to_vec();
                    Ok(RecordBatch::try_new_with_options(
                        Arc::clone(&result_schema),
                        columns,
                        &count,
                    )?)
                })
                .collect();
            drop(reservation);
            Ok(stream::iter(output))
        };
        let rows = stream::once(work).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
