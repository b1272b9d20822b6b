//! The last step of a pattern: columns in the logical node's order, under its schema.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};

/// Takes some columns of its input, in a given order.
#[derive(Debug)]
pub struct Arrange {
    /// Input columns, in output order.
    pub columns: Vec<usize>,
}

impl GraphOperator for Arrange {
    fn name(&self) -> &'static str {
        "ArrangeExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = (0..self.columns.len()).map(|at| names.of(at)).collect::<Vec<_>>();
        write!(f, "{}", columns.join(", "))
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let columns = self.columns.clone();
        let slicer: Box<dyn Slicer> =
            Box::new(ArrangeSlicer { schema: context.schema, columns, input: None });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        needed.iter().map(|column| self.columns.get(*column).copied()).collect()
    }
}

struct ArrangeSlicer {
    schema: SchemaRef,
    columns: Vec<usize>,
    input: Option<RecordBatch>,
}

impl Slicer for ArrangeSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.take() else { return Ok(Progress::Done) };
        let arrays = self.columns.iter().map(|column| Arc::clone(input.column(*column))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(input.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        Ok(Progress::Batch(batch))
    }
}
