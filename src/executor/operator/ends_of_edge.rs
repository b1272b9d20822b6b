//! From an edge that is known to its two vertices.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::append::append;
use super::checks::Checks;
use super::expand::refs;
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use crate::executor::graph::GraphSnapshot;
use crate::planner::Direction;

/// Adds the two vertices of an edge, in the order in which the pattern has them.
///
/// ```text
/// in   [n]  …, edge: UInt64, …
/// out  [m]  …, left: UInt64, right: UInt64       m ≤ n, or ≤ 2 n if the edge may point either way
/// ```
#[derive(Debug)]
pub struct EndsOfEdge {
    /// The graph.
    pub graph: Arc<GraphSnapshot>,
    /// The edge's column.
    pub edge: usize,
    /// Which way it points, seen from the left vertex.
    pub direction: Direction,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl GraphOperator for EndsOfEdge {
    fn name(&self) -> &'static str {
        "EndsOfEdgeExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", names.of(self.edge), self.direction)?;
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> = Box::new(EndsSlicer {
            schema: context.schema,
            graph: Arc::clone(&self.graph),
            edge: self.edge,
            direction: self.direction,
            checks: self.checks.clone(),
            input: None,
        });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        columns.push(self.edge);
        Some(columns)
    }
}

struct EndsSlicer {
    schema: SchemaRef,
    graph: Arc<GraphSnapshot>,
    edge: usize,
    direction: Direction,
    checks: Checks,
    input: Option<RecordBatch>,
}

impl Slicer for EndsSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.take() else { return Ok(Progress::Done) };
        let edges = refs(&input, self.edge)?;
        let starts = self.graph.end_points(false, edges)?;
        let ends = self.graph.end_points(true, edges)?;
        let (mut rows, mut left, mut right) = (Vec::new(), Vec::new(), Vec::new());
        for row in (0..edges.len()).filter(|row| starts.is_valid(*row) && ends.is_valid(*row)) {
            let (start, end) = (starts.value(row), ends.value(row));
            if self.direction != Direction::Left {
                rows.push(row as u32);
                left.push(start);
                right.push(end);
            }
            if self.direction == Direction::Left
                || (self.direction == Direction::Any && start != end)
            {
                rows.push(row as u32);
                left.push(end);
                right.push(start);
            }
        }
        let columns: [ArrayRef; 2] =
            [Arc::new(UInt64Array::from(left)), Arc::new(UInt64Array::from(right))];
        let batch = append(&self.schema, &input, rows, columns)?;
        Ok(Progress::Batch(self.checks.apply(batch)?))
    }
}
