//! One hop between two vertices that are both known.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::append::append;
use super::checks::Checks;
use super::expand::{PAUSE_STEPS, refs};
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{HopSet, Hops, LoadedHop};
use crate::executor::graph::Guards;
use crate::types::ElementRef;

/// Closes a cycle: gives each input row once for every edge between two of its vertices.
///
/// ```text
/// in   [n]  …, source: UInt64, …, target: UInt64, …
/// out  [m]  …, edge: UInt64
/// ```
///
/// Looks in the shorter of the two vertices' lists by binary search, so a row costs O(log degree).
#[derive(Debug)]
pub struct ExpandInto {
    /// Column of the vertex it starts from.
    pub source: usize,
    /// Column of the vertex it must reach.
    pub target: usize,
    /// The hops from source to target.
    pub hops: HopSet,
    /// The same hops from target to source.
    pub back: HopSet,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl GraphOperator for ExpandInto {
    fn name(&self) -> &'static str {
        "ExpandIntoExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, target) = (names.of(self.source), names.of(self.target));
        write!(f, "from {source} to {target} along {}", self.hops)?;
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
        let (hops, back) = (self.hops.clone(), self.back.clone());
        let (source, target, checks) = (self.source, self.target, self.checks.clone());
        async move {
            let slicer: Box<dyn Slicer> = Box::new(IntoSlicer {
                schema: context.schema,
                batch_rows: context.batch_rows,
                hops: hops.load(&context.task).await?,
                back: back.load(&context.task).await?,
                source,
                target,
                checks,
                input: None,
                row: 0,
                found: Vec::new(),
                emitted: 0,
            });
            Ok(slicer)
        }
        .boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        columns.extend([self.source, self.target]);
        Some(columns)
    }
}

struct IntoSlicer {
    schema: SchemaRef,
    batch_rows: usize,
    hops: Hops,
    back: Hops,
    source: usize,
    target: usize,
    checks: Checks,
    input: Option<RecordBatch>,
    row: usize,
    /// Edges of the current row, and how many of them are out.
    found: Vec<u64>,
    emitted: usize,
}

impl IntoSlicer {
    /// The edges between two vertices.
    fn find(&mut self, source: ElementRef, target: ElementRef) {
        self.found.clear();
        self.emitted = 0;
        let forward = self.hops.degree(source) <= self.back.degree(target);
        let (hops, from, to) =
            if forward { (&self.hops, source, target) } else { (&self.back, target, source) };
        let fits = |hop: &&LoadedHop| hop.hop.to == to.table();
        for hop in hops.from(from).iter().filter(fits) {
            let edges = hop.edges_between(from, to);
            self.found.extend(edges.map(|edge| hop.edge(edge).0));
        }
    }
}

impl Slicer for IntoSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        (self.row, self.emitted) = (0, 0);
        self.found.clear();
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let (sources, targets) = (refs(&input, self.source)?, refs(&input, self.target)?);
        let (mut rows, mut edges) = (Vec::new(), Vec::new());
        let mut steps = 0;
        while rows.len() < self.batch_rows && steps < PAUSE_STEPS {
            steps += 1;
            if self.emitted < self.found.len() {
                // Edges found belong to the row before `row`.
                let end = self.found.len().min(self.emitted + self.batch_rows - rows.len());
                edges.extend_from_slice(&self.found[self.emitted..end]);
                rows.resize(edges.len(), self.row as u32 - 1);
                self.emitted = end;
                continue;
            }
            if self.row == sources.len() {
                break;
            }
            if sources.is_valid(self.row) && targets.is_valid(self.row) {
                let (source, target) = (sources.value(self.row), targets.value(self.row));
                self.find(ElementRef(source), ElementRef(target));
            }
            self.row += 1;
        }
        if rows.is_empty() {
            let more = self.row < sources.len() || self.emitted < self.found.len();
            return Ok(if more { Progress::Pause } else { Progress::Done });
        }
        let column: ArrayRef = Arc::new(UInt64Array::from(edges));
        let batch = append(&self.schema, &input, rows, [column])?;
        Ok(Progress::Batch(self.checks.apply(batch)?))
    }
}
