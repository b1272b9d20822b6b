//! The shortest walks between vertices, more than one length of them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{HashMap, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::checks::Checks;
use super::edge_filter::{EdgeFilter, EdgePredicate};
use super::edge_list::EdgeLists;
use super::expand::{PAUSE_STEPS, refs};
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{HopSet, Hops};
use super::var_expand::VarEnd;
use crate::executor::graph::Guards;
use crate::types::ElementRef;

/// How many walks to one end are given at most: those that a selector needs are among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fewest {
    /// So many of the shortest.
    Walks(u32),
    /// All of so many least lengths.
    Lengths(u32),
}

/// Extends each input row by the shortest walks along a quantified edge, edges repeating freely.
///
/// ```text
/// in   [n]  …, source: UInt64, …
/// out  [m]  …, edges: List<UInt64>, end: UInt64 (unless bound)
/// ```
///
/// Walks grow length by length. To be among the first k of its end, a walk must be among the first k of each vertex it
/// comes through (counted from the minimum length on, and at each length below it), so no vertex is left more often.
/// Memory is that of the walks kept.
///
/// Source: the observation behind Eppstein's and Yen's algorithms for loops that are allowed; here without weights.
#[derive(Debug, Clone)]
pub struct ShortestK {
    /// The source's column.
    pub source: usize,
    /// Where walks end.
    pub end: VarEnd,
    /// The hops of each step.
    pub hops: HopSet,
    /// At least so many edges.
    pub min: u32,
    /// `None` for no limit.
    pub max: Option<u32>,
    /// How many are wanted.
    pub fewest: Fewest,
    /// What each edge must satisfy.
    pub predicate: Option<EdgePredicate>,
    /// The walk goes from the right element to the left one: lists are turned around.
    pub reverse: bool,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl GraphOperator for ShortestK {
    fn name(&self) -> &'static str {
        "ShortestKExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {}", self.fewest, names.of(self.source))?;
        if let VarEnd::Bound(column) = self.end {
            write!(f, " to {}", names.of(column))?;
        }
        let max = self.max.map_or_else(String::new, |max| max.to_string());
        write!(f, " along {} {{{},{max}}}", self.hops, self.min)?;
        for predicate in self.predicate.iter().flat_map(|predicate| &predicate.predicates) {
            write!(f, " [each {predicate}]")?;
        }
        self.checks.describe(names, f)
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        Some(&self.hops.guards)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let search = self.clone();
        async move {
            let hops = search.hops.load(&context.task).await?;
            let filter = EdgeFilter::new(search.predicate.clone(), context.reservation.new_empty());
            let slicer: Box<dyn Slicer> = Box::new(KSlicer {
                schema: context.schema,
                reservation: context.reservation,
                hops,
                filter,
                out: EdgeLists::new(context.batch_rows),
                search,
                input: None,
                row: 0,
                walks: Vec::new(),
                level: 0..0,
                at: 0,
                depth: 0,
                counts: HashMap::new(),
                target: None,
                active: false,
            });
            Ok(slicer)
        }
        .boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        columns.push(self.source);
        if let VarEnd::Bound(column) = self.end {
            columns.push(column);
        }
        if let Some(predicate) = &self.predicate
            && predicate.whole_row
        {
            columns.extend(0..predicate.schema.fields().len() - 1);
        }
        Some(columns)
    }
}

/// The last step of a walk, and which walk it goes on from.
struct Step {
    vertex: u64,
    edge: u64,
    before: usize,
}

/// Walks kept to a vertex, and the last length there was one of.
#[derive(Default, Clone, Copy)]
struct Count {
    walks: u32,
    lengths: u32,
    last: Option<u32>,
}

struct KSlicer {
    schema: SchemaRef,
    reservation: MemoryReservation,
    hops: Hops,
    filter: EdgeFilter,
    out: EdgeLists,
    search: ShortestK,
    input: Option<RecordBatch>,
    row: usize,
    /// All walks kept for the row, by length.
    walks: Vec<Step>,
    /// Those of the current length, and the next to go on from.
    level: std::ops::Range<usize>,
    at: usize,
    depth: u32,
    counts: HashMap<u64, Count>,
    target: Option<u64>,
    active: bool,
}

impl Slicer for KSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        (self.row, self.active) = (0, false);
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let mut steps = PAUSE_STEPS;
        while steps > 0 && !self.out.is_full() {
            steps -= 1;
            if !self.active {
                if self.row == input.num_rows() {
                    self.input = None;
                    break;
                }
                self.start_row(&input)?;
            } else {
                steps = steps.saturating_sub(self.leave_next(&input)?);
            }
        }
        self.reservation
            .try_resize(self.walks.capacity() * size_of::<Step>() + self.counts.capacity() * 32)?;
        if self.out.is_empty() {
            return Ok(if self.input.is_some() { Progress::Pause } else { Progress::Done });
        }
        let with_end = matches!(self.search.end, VarEnd::New(_));
        let batch = self.out.finish(&self.schema, &input, with_end)?;
        Ok(Progress::Batch(self.search.checks.apply(batch)?))
    }
}

impl KSlicer {
    fn start_row(&mut self, input: &RecordBatch) -> Result<()> {
        let sources = refs(input, self.search.source)?;
        self.target = None;
        if let VarEnd::Bound(column) = self.search.end {
            let targets = refs(input, column)?;
            if targets.is_null(self.row) {
                self.row += 1;
                return Ok(());
            }
            self.target = Some(targets.value(self.row));
        }
        if sources.is_null(self.row) {
            self.row += 1;
            return Ok(());
        }
        self.filter.start_row();
        self.walks.clear();
        self.counts.clear();
        (self.at, self.depth, self.active) = (0, 0, true);
        let source = sources.value(self.row);
        self.reach(source, 0, usize::MAX);
        if self.search.min > 0 {
            self.counts.clear();
        }
        self.level = 0..self.walks.len();
        Ok(())
    }

    /// Goes on from the next walk by every edge; how many edges there were.
    fn leave_next(&mut self, input: &RecordBatch) -> Result<usize> {
        if self.at == self.level.end {
            self.level = self.level.end..self.walks.len();
            self.depth += 1;
            if self.depth < self.search.min {
                self.counts.clear();
            }
            let longest = self.search.max.unwrap_or(u32::MAX);
            if self.level.is_empty() || self.depth >= longest {
                self.active = false;
                self.row += 1;
            }
            return Ok(1);
        }
        let (walk, vertex) = (self.at, ElementRef(self.walks[self.at].vertex));
        self.at += 1;
        let hops = self.hops.clone();
        let mut steps = 1;
        for hop in hops.from(vertex) {
            let (neighbors, edges) = hop.neighbors(vertex);
            steps += neighbors.len();
            self.filter.learn(input, self.row, hop, (neighbors, edges))?;
            for (neighbor, edge) in neighbors.iter().zip(edges) {
                if !hop.follows(vertex, *neighbor, *edge) {
                    continue;
                }
                let edge = hop.edge(*edge).0;
                if self.filter.passes(edge) {
                    self.depth += 1;
                    self.reach(hop.target(*neighbor).0, edge, walk);
                    self.depth -= 1;
                }
            }
        }
        Ok(steps)
    }

    /// Keeps a walk of the length `depth`, unless enough are known to its end.
    fn reach(&mut self, vertex: u64, edge: u64, before: usize) {
        let count = self.counts.entry(vertex).or_default();
        let enough = match self.search.fewest {
            Fewest::Walks(most) => count.walks >= most,
            Fewest::Lengths(most) => count.lengths >= most && count.last != Some(self.depth),
        };
        if enough {
            return;
        }
        count.walks += 1;
        if count.last != Some(self.depth) {
            (count.lengths, count.last) = (count.lengths + 1, Some(self.depth));
        }
        self.walks.push(Step { vertex, edge, before });
        let ends = match (&self.search.end, self.target) {
            (VarEnd::New(tables), _) => tables.contains(&ElementRef(vertex).table()),
            (VarEnd::Bound(_), target) => target == Some(vertex),
        };
        if self.depth >= self.search.min && ends {
            let mut edges = Vec::with_capacity(self.depth as usize);
            let mut at = self.walks.len() - 1;
            while let Some(step) = self.walks.get(at).filter(|step| step.before != usize::MAX) {
                edges.push(step.edge);
                at = step.before;
            }
            self.out.push(self.row, edges.into_iter().rev(), self.search.reverse, vertex);
        }
    }
}
