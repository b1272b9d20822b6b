//! One hop to a new vertex.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::append::append;
use super::checks::Checks;
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{HopSet, Hops};
use crate::error::PgError;
use crate::executor::graph::Guards;
use crate::types::ElementRef;

/// Extends each input row by one hop along one or more edge tables.
///
/// ```text
/// in   [n]  …, source: UInt64 (vertex), …
/// out  [m]  …, edge: UInt64, target: UInt64        m = Σ degree(source), less what the checks drop
/// ```
///
/// Input order is kept. A row with a null source has no hop. Time O(n + m); holds one output batch, so a vertex with a
/// million neighbors comes out in slices.
///
/// Source: compressed sparse rows; Gupta, Mhedhbi, Salihoglu, "Columnar Storage and List-based Processing for Graph
/// Database Management Systems", PVLDB 14(11), 2021.
#[derive(Debug)]
pub struct Expand {
    /// The source's column.
    pub source: usize,
    /// Where one can go; only hops to wanted target tables.
    pub hops: HopSet,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl GraphOperator for Expand {
    fn name(&self) -> &'static str {
        "ExpandExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} along {}", names.of(self.source), self.hops)?;
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        Some(&self.hops.guards)
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let (hops, source, checks) = (self.hops.clone(), self.source, self.checks.clone());
        async move {
            let slicer: Box<dyn Slicer> = Box::new(ExpandSlicer {
                schema: context.schema,
                batch_rows: context.batch_rows,
                hops: hops.load(&context.task).await?,
                source,
                checks,
                input: None,
                at: Place::default(),
            });
            Ok(slicer)
        }
        .boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        columns.push(self.source);
        Some(columns)
    }
}

/// How far the input batch is done.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    row: usize,
    hop: usize,
    offset: usize,
}

struct ExpandSlicer {
    schema: SchemaRef,
    batch_rows: usize,
    hops: Hops,
    source: usize,
    checks: Checks,
    input: Option<RecordBatch>,
    at: Place,
}

/// The element references of a column.
pub(super) fn refs(batch: &RecordBatch, column: usize) -> Result<&UInt64Array> {
    let values =
        batch.columns().get(column).and_then(|values| values.as_primitive_opt::<UInt64Type>());
    Ok(values.ok_or_else(|| PgError::internal("a graph operator got no column of elements"))?)
}

/// Steps without output after which an operator pauses.
pub(super) const PAUSE_STEPS: usize = 65_536;

impl Slicer for ExpandSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.at = Place::default();
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = &self.input else { return Ok(Progress::Done) };
        let sources = refs(input, self.source)?;
        let (mut rows, mut edges, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = self.at;
        let mut steps = 0;
        while at.row < sources.len() && rows.len() < self.batch_rows && steps < PAUSE_STEPS {
            steps += 1;
            let source = ElementRef(sources.value(at.row));
            let hops = if sources.is_null(at.row) { &[] } else { self.hops.from(source) };
            let Some(hop) = hops.get(at.hop) else {
                at = Place { row: at.row + 1, hop: 0, offset: 0 };
                continue;
            };
            let (neighbors, by) = hop.neighbors(source);
            let end = neighbors.len().min(at.offset + (self.batch_rows - rows.len()));
            for (neighbor, edge) in neighbors[at.offset..end].iter().zip(&by[at.offset..end]) {
                if hop.follows(source, *neighbor, *edge) {
                    rows.push(at.row as u32);
                    edges.push(hop.edge(*edge).0);
                    targets.push(hop.target(*neighbor).0);
                }
            }
            at.offset = end;
            if end == neighbors.len() {
                at = Place { row: at.row, hop: at.hop + 1, offset: 0 };
            }
        }
        self.at = at;
        if rows.is_empty() {
            return Ok(if at.row < sources.len() { Progress::Pause } else { Progress::Done });
        }
        let columns: [arrow::array::ArrayRef; 2] =
            [Arc::new(UInt64Array::from(edges)), Arc::new(UInt64Array::from(targets))];
        let batch = append(&self.schema, input, rows, columns)?;
        Ok(Progress::Batch(self.checks.apply(batch)?))
    }
}
