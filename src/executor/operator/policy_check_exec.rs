//! Holds rows that are to be written against policies.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use crate::error::PgError;
use crate::planner::node::{PolicyCheck, RowTest};

/// Runs a [`PolicyCheck`].
///
/// # Errors
/// `42501` at the first row for which a test is not true.
#[derive(Debug)]
pub struct PolicyCheckExec {
    table: Arc<str>,
    tests: Arc<[RowTest]>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl PolicyCheckExec {
    /// The operator for a node over the operators of its input.
    pub fn new(node: &PolicyCheck, input: Arc<dyn ExecutionPlan>) -> Self {
        let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(node).inner());
        Self::over(node.table.as_str().into(), node.tests.as_slice().into(), input, schema)
    }

    fn over(
        table: Arc<str>,
        tests: Arc<[RowTest]>,
        input: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
    ) -> Self {
        // Columns that are left stay where they are.
        let mut equivalence = EquivalenceProperties::new(schema);
        if let Some(ordering) = input.output_ordering() {
            equivalence.add_ordering(ordering.clone());
        }
        let properties = PlanProperties::new(
            equivalence,
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { table, tests, input, properties: Arc::new(properties) }
    }
}

/// The batch without the columns of the tests, all of which must be true.
fn admitted(
    batch: &RecordBatch,
    tests: &[RowTest],
    table: &str,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let kept = schema.fields().len();
    // Row by row, as a client is told of the first row that fails, and of the first policy that it fails.
    let mut first: Option<(usize, &RowTest)> = None;
    for (test, answers) in tests.iter().zip(batch.columns().iter().skip(kept)) {
        let answers = answers
            .as_boolean_opt()
            .ok_or_else(|| PgError::internal("a policy's answer is not boolean"))?;
        let fails = |row: &usize| answers.is_null(*row) || !answers.value(*row);
        let before = first.map_or(answers.len(), |(row, _)| row);
        if let Some(row) = (0..before).find(fails) {
            first = Some((row, test));
        }
    }
    if let Some((_, test)) = first {
        return Err(test.kind.violation(test.policy.as_deref(), table).into());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().iter().take(kept).cloned().collect();
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

impl DisplayAs for PolicyCheckExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyCheckExec: {}", self.table)
    }
}

impl ExecutionPlan for PolicyCheckExec {
    fn name(&self) -> &str {
        "PolicyCheckExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
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
        let Some(input) = children.pop() else {
            return Err(PgError::internal("a policy check has one input").into());
        };
        let (table, tests) = (Arc::clone(&self.table), Arc::clone(&self.tests));
        Ok(Arc::new(Self::over(table, tests, input, self.schema())))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (table, tests) = (Arc::clone(&self.table), Arc::clone(&self.tests));
        let schema = self.schema();
        let output = Arc::clone(&schema);
        let rows = self
            .input
            .execute(partition, context)?
            .map(move |batch| admitted(&batch?, &tests, &table, &output));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
