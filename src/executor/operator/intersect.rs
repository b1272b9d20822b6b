//! Several hops at once to one new vertex.

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
use super::hops::{HopSet, Hops};
use crate::executor::graph::Guards;
use crate::types::ElementRef;

/// Extends each input row by the vertices that several of its vertices have as a common neighbor.
///
/// ```text
/// in   [n]  …, source 1: UInt64, …, source k: UInt64, …
/// out  [m]  …, edge 1: UInt64, … edge k: UInt64, target: UInt64
/// ```
///
/// For each row the source with the fewest neighbors leads, and its neighbors are looked up in the sorted lists of the
/// others: the time is the shortest list's length times the logarithm of the others', however long those are. Neither two
/// hops out and a join, nor the other way round, has that bound.
///
/// Source: worst-case optimal joins; Ngo, Porat, Ré, Rudra, "Worst-case Optimal Join Algorithms", PODS 2012.
#[derive(Debug)]
pub struct Intersect {
    /// Columns of the vertices it starts from, each with the hops from there to wanted tables. Two or more.
    pub sources: Vec<(usize, HopSet)>,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl GraphOperator for Intersect {
    fn name(&self) -> &'static str {
        "IntersectExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (source, hops)) in self.sources.iter().enumerate() {
            let and = if at == 0 { "" } else { " and " };
            write!(f, "{and}from {} along {hops}", names.of(*source))?;
        }
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        self.sources.first().map(|(_, hops)| &hops.guards)
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let (sources, checks) = (self.sources.clone(), self.checks.clone());
        async move {
            let mut loaded = Vec::with_capacity(sources.len());
            for (source, hops) in &sources {
                loaded.push((*source, hops.load(&context.task).await?));
            }
            let slicer: Box<dyn Slicer> = Box::new(IntersectSlicer {
                schema: context.schema,
                batch_rows: context.batch_rows,
                found: Found::new(loaded.len()),
                sources: loaded,
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
        columns.extend(self.sources.iter().map(|(source, _)| *source));
        Some(columns)
    }
}

/// How far the input batch is done: the row, the leading source's hop, and the neighbor in its list.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    row: usize,
    hop: usize,
    offset: usize,
}

/// A common neighbor, and the edges to it from each source: every combination of them is a match.
struct Found {
    row: usize,
    target: u64,
    edges: Vec<Vec<u64>>,
    combinations: usize,
    emitted: usize,
}

impl Found {
    fn new(sources: usize) -> Self {
        Self { row: 0, target: 0, edges: vec![vec![]; sources], combinations: 0, emitted: 0 }
    }
}

struct IntersectSlicer {
    schema: SchemaRef,
    batch_rows: usize,
    sources: Vec<(usize, Hops)>,
    checks: Checks,
    input: Option<RecordBatch>,
    at: Place,
    found: Found,
}

impl IntersectSlicer {
    /// The vertices of a row, or none if one of them is null.
    fn vertices(&self, input: &RecordBatch, row: usize) -> Result<Option<Vec<ElementRef>>> {
        let mut vertices = Vec::with_capacity(self.sources.len());
        for (source, _) in &self.sources {
            let column = refs(input, *source)?;
            if column.is_null(row) {
                return Ok(None);
            }
            vertices.push(ElementRef(column.value(row)));
        }
        Ok(Some(vertices))
    }

    /// Finds the next common neighbor at or after the current place; gives up after some steps or at the end.
    fn advance(&mut self, input: &RecordBatch, steps: &mut usize) -> Result<()> {
        while *steps > 0 && self.at.row < input.num_rows() {
            *steps -= 1;
            let row = self.at.row;
            let Some(vertices) = self.vertices(input, row)? else {
                self.at = Place { row: row + 1, ..Place::default() };
                continue;
            };
            let degree = |at: &usize| self.sources[*at].1.degree(vertices[*at]);
            let lead = (0..vertices.len()).min_by_key(degree).unwrap_or(0);
            if self.scan_row(&vertices, lead, steps) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Goes on with the current row until a common neighbor is found.
    fn scan_row(&mut self, vertices: &[ElementRef], lead: usize, steps: &mut usize) -> bool {
        let leader = vertices[lead];
        while *steps > 0 {
            let Some(hop) = self.sources[lead].1.from(leader).get(self.at.hop) else {
                self.at = Place { row: self.at.row + 1, ..Place::default() };
                return false;
            };
            let (neighbors, edges) = hop.neighbors(leader);
            let offset = self.at.offset;
            let Some(neighbor) = neighbors.get(offset).copied() else {
                self.at = Place { hop: self.at.hop + 1, offset: 0, ..self.at };
                continue;
            };
            *steps -= 1;
            self.at.offset += 1;
            if !hop.follows(leader, neighbor, edges[offset]) {
                continue;
            }
            let (target, edge) = (hop.target(neighbor), hop.edge(edges[offset]).0);
            if self.look_up(vertices, lead, target) {
                self.found.edges[lead] = vec![edge];
                self.found.row = self.at.row;
                self.found.target = target.0;
                self.found.combinations = self.found.edges.iter().map(Vec::len).product();
                self.found.emitted = 0;
                return true;
            }
        }
        false
    }

    /// Finds the other sources' edges to a vertex; whether each has one.
    fn look_up(&mut self, vertices: &[ElementRef], lead: usize, target: ElementRef) -> bool {
        for (at, vertex) in vertices.iter().enumerate().filter(|(at, _)| *at != lead) {
            let found = &mut self.found.edges[at];
            found.clear();
            for hop in self.sources[at].1.from(*vertex) {
                if hop.hop.to == target.table() {
                    let edges = hop.edges_between(*vertex, target);
                    found.extend(edges.map(|edge| hop.edge(edge).0));
                }
            }
            if found.is_empty() {
                return false;
            }
        }
        true
    }

    /// Adds combinations of edges to the output, as many as fit.
    fn emit(&mut self, rows: &mut Vec<u32>, edges: &mut [Vec<u64>], targets: &mut Vec<u64>) {
        let found = &mut self.found;
        while found.emitted < found.combinations && rows.len() < self.batch_rows {
            let mut rest = found.emitted;
            for (column, choices) in edges.iter_mut().zip(&found.edges) {
                column.push(choices[rest % choices.len()]);
                rest /= choices.len();
            }
            rows.push(found.row as u32);
            targets.push(found.target);
            found.emitted += 1;
        }
    }
}

impl Slicer for IntersectSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.at = Place::default();
        self.found.combinations = 0;
        self.found.emitted = 0;
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        let mut edges = vec![Vec::new(); self.sources.len()];
        let mut steps = PAUSE_STEPS;
        loop {
            self.emit(&mut rows, &mut edges, &mut targets);
            if rows.len() >= self.batch_rows || steps == 0 || self.at.row >= input.num_rows() {
                break;
            }
            self.advance(&input, &mut steps)?;
        }
        if rows.is_empty() {
            let more = self.at.row < input.num_rows();
            return Ok(if more { Progress::Pause } else { Progress::Done });
        }
        let columns = edges
            .into_iter()
            .chain([targets])
            .map(|values| Arc::new(UInt64Array::from(values)) as ArrayRef);
        let batch = append(&self.schema, &input, rows, columns)?;
        Ok(Progress::Batch(self.checks.apply(batch)?))
    }
}
