//! Shortest paths along a quantified edge, by breadth-first search.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::checks::Checks;
use super::distances::Distances;
use super::edge_filter::{EdgeFilter, EdgePredicate};
use super::edge_list::EdgeLists;
use super::expand::{PAUSE_STEPS, refs};
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{HopSet, Hops};
use super::search_side::{Chain, SearchSide};
use super::var_expand::VarEnd;
use super::walk::{WalkBounds, WalkRow, Walker};
use crate::executor::graph::Guards;
use crate::planner::PathMode;
use crate::types::ElementRef;

/// How many of the shortest paths between two vertices are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortest {
    /// One of them.
    Any,
    /// All of them.
    All,
}

/// Extends each input row by the shortest walks along a quantified edge.
///
/// ```text
/// in   [n]  …, source: UInt64, …
/// out  [m]  …, edges: List<UInt64>, end: UInt64 (unless bound)
/// ```
///
/// Towards a bound end it searches from both sides, the smaller one first; otherwise from the source alone, giving each
/// level as it is found. Memory is that of the vertices and edges seen, reserved as it grows.
///
/// From a vertex to itself, with at least one edge: the shortest cycle through it, in which no edge repeats.
#[derive(Debug, Clone)]
pub struct ShortestPath {
    /// The source's column.
    pub source: usize,
    /// Where paths end.
    pub end: VarEnd,
    /// The hops of each step.
    pub hops: HopSet,
    /// The same hops backwards.
    pub back: HopSet,
    /// 0 or 1.
    pub min: u32,
    /// `None` for no limit.
    pub max: Option<u32>,
    /// Whether one or all are wanted.
    pub shortest: Shortest,
    /// What may repeat; matters only from a vertex to itself.
    pub mode: PathMode,
    /// Whether edges may be walked both ways.
    pub any_direction: bool,
    /// What each edge must satisfy.
    pub predicate: Option<EdgePredicate>,
    /// The search goes from the right element to the left one: lists are turned around.
    pub reverse: bool,
    /// Conditions on output rows.
    pub checks: Checks,
}

/// How a way back to the start is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// Not at all.
    Never,
    /// As to any other vertex: edges point one way (or may repeat), so the shortest way back repeats none.
    Search,
    /// By trying out cycles of growing length.
    Cycle,
}

impl ShortestPath {
    fn closed(&self) -> Closed {
        match self.mode {
            _ if self.min == 0 => Closed::Never,
            PathMode::Acyclic => Closed::Never,
            PathMode::Trail if self.any_direction => Closed::Cycle,
            PathMode::Trail | PathMode::Walk | PathMode::Simple => Closed::Search,
        }
    }
}

impl GraphOperator for ShortestPath {
    fn name(&self) -> &'static str {
        "ShortestPathExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {}", self.shortest, names.of(self.source))?;
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

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        Some(&self.hops.guards)
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let search = self.clone();
        async move {
            let filter = EdgeFilter::new(search.predicate.clone(), context.reservation.new_empty());
            let slicer: Box<dyn Slicer> = Box::new(ShortestSlicer {
                schema: context.schema,
                reservation: context.reservation,
                hops: search.hops.load(&context.task).await?,
                back: search.back.load(&context.task).await?,
                filter,
                out: EdgeLists::new(context.batch_rows),
                closed: search.closed(),
                search,
                input: None,
                row: 0,
                phase: Phase::NextRow,
                forward: SearchSide::default(),
                backward: SearchSide::default(),
                chains: (Chain::default(), Chain::default()),
                walker: Walker::default(),
                distances: None,
                length: 0,
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

/// Where the work on the current input row is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    NextRow,
    /// From both sides.
    Meet {
        target: u64,
        forward: bool,
    },
    /// Giving out the paths through the vertex `at` of the frontier that was completed last.
    Join {
        forward: bool,
        at: usize,
        started: bool,
    },
    /// From the source alone, to every end.
    Levels,
    /// Giving out the paths to the vertex `at` of the frontier.
    Level {
        at: usize,
        started: bool,
    },
    /// Cycles through the source: distances to it first, then by length.
    Distances {
        source: u64,
    },
    Cycles {
        source: u64,
    },
}

struct ShortestSlicer {
    schema: SchemaRef,
    reservation: MemoryReservation,
    hops: Hops,
    back: Hops,
    filter: EdgeFilter,
    out: EdgeLists,
    closed: Closed,
    search: ShortestPath,
    input: Option<RecordBatch>,
    row: usize,
    phase: Phase,
    forward: SearchSide,
    backward: SearchSide,
    chains: (Chain, Chain),
    walker: Walker,
    distances: Option<Distances>,
    /// Length of the cycles being tried.
    length: u32,
}

impl Slicer for ShortestSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.row = 0;
        self.phase = Phase::NextRow;
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let mut steps = PAUSE_STEPS;
        while steps > 0 && !self.out.is_full() {
            if matches!(self.phase, Phase::NextRow) && self.row == input.num_rows() {
                self.input = None;
                break;
            }
            steps -= 1;
            self.step(&input, &mut steps)?;
        }
        self.reservation.try_resize(
            self.forward.bytes()
                + self.backward.bytes()
                + self.distances.as_ref().map_or(0, Distances::bytes),
        )?;
        if self.out.is_empty() {
            return Ok(if self.input.is_some() { Progress::Pause } else { Progress::Done });
        }
        let with_end = matches!(self.search.end, VarEnd::New(_));
        let batch = self.out.finish(&self.schema, &input, with_end)?;
        Ok(Progress::Batch(self.search.checks.apply(batch)?))
    }
}

impl ShortestSlicer {
    fn max(&self) -> u32 {
        self.search.max.unwrap_or(u32::MAX)
    }

    fn end_row(&mut self) {
        self.row += 1;
        self.phase = Phase::NextRow;
    }

    /// Does a part of the work, taking off `steps` what it took.
    fn step(&mut self, input: &RecordBatch, steps: &mut usize) -> Result<()> {
        match self.phase {
            Phase::NextRow => self.next_row(input),
            Phase::Meet { target, forward } => self.meet(input, target, forward, steps),
            Phase::Join { forward, at, started } => {
                let length = self.join(forward, at, started);
                *steps = steps.saturating_sub(length);
                Ok(())
            }
            Phase::Levels => self.levels(input, steps),
            Phase::Level { at, started } => {
                let length = self.level(at, started);
                *steps = steps.saturating_sub(length);
                Ok(())
            }
            Phase::Distances { source } => self.find_distances(input, source, steps),
            Phase::Cycles { source } => self.cycles(input, source, steps),
        }
    }

    fn next_row(&mut self, input: &RecordBatch) -> Result<()> {
        let sources = refs(input, self.search.source)?;
        let target = match self.search.end {
            VarEnd::New(_) => None,
            VarEnd::Bound(column) => Some(refs(input, column)?),
        };
        if sources.is_null(self.row) || target.is_some_and(|target| target.is_null(self.row)) {
            self.end_row();
            return Ok(());
        }
        let source = sources.value(self.row);
        self.filter.start_row();
        match target.map(|target| target.value(self.row)) {
            None => {
                self.forward.start(source, self.closed != Closed::Search);
                if self.search.min == 0 {
                    self.push_empty(source);
                }
                self.phase = Phase::Levels;
            }
            Some(target) if target == source && self.search.min == 0 => {
                self.push_empty(source);
                self.end_row();
            }
            Some(target) if target == source && self.closed != Closed::Search => {
                self.start_cycles(source);
            }
            Some(target) => {
                self.forward.start(source, target != source);
                self.backward.start(target, true);
                // The first level is the source's: its way back to itself is found by its neighbors.
                self.phase = Phase::Meet { target, forward: true };
            }
        }
        Ok(())
    }

    fn ends_at(&self, vertex: u64) -> bool {
        match &self.search.end {
            VarEnd::New(tables) => tables.contains(&ElementRef(vertex).table()),
            VarEnd::Bound(_) => true,
        }
    }

    fn push_empty(&mut self, source: u64) {
        if self.ends_at(source) {
            self.out.push(self.row, std::iter::empty(), false, source);
        }
    }

    /// Completes one more level of one side, and sees whether the sides meet.
    fn meet(
        &mut self,
        input: &RecordBatch,
        target: u64,
        forward: bool,
        steps: &mut usize,
    ) -> Result<()> {
        let reached = self.forward.depth.saturating_add(self.backward.depth);
        if reached >= self.max() {
            self.end_row();
            return Ok(());
        }
        let all = self.search.shortest == Shortest::All;
        let place = (input, self.row);
        let (side, other, hops) = if forward {
            (&mut self.forward, &self.backward, &self.hops)
        } else {
            (&mut self.backward, &self.forward, &self.back)
        };
        if !side.run(hops, &mut self.filter, place, all, steps)? {
            return Ok(());
        }
        let meets = |vertex: &u64| other.depth_of(*vertex) == Some(other.depth);
        if side.frontier.iter().any(meets) {
            self.phase = Phase::Join { forward, at: 0, started: false };
        } else if side.frontier.is_empty() {
            self.end_row();
        } else {
            let forward = self.forward.frontier.len() <= self.backward.frontier.len();
            self.phase = Phase::Meet { target, forward };
        }
        Ok(())
    }

    /// Gives out the next path through the sides' common vertices.
    fn join(&mut self, forward: bool, at: usize, started: bool) -> usize {
        let side = if forward { &self.forward } else { &self.backward };
        let Some(vertex) = side.frontier.get(at).copied() else {
            self.end_row();
            return 1;
        };
        let (near, far) = &mut self.chains;
        if !started {
            let depths = (self.forward.depth, self.backward.depth);
            let meets = self.forward.depth_of(vertex) == Some(depths.0)
                && self.backward.depth_of(vertex) == Some(depths.1);
            if !meets {
                self.phase = Phase::Join { forward, at: at + 1, started: false };
                return 1;
            }
            near.start(&self.forward, vertex, depths.0);
            far.start(&self.backward, vertex, depths.1);
        } else if !far.advance(&self.backward) {
            if !near.advance(&self.forward) {
                self.phase = Phase::Join { forward, at: at + 1, started: false };
                return 1;
            }
            far.start(&self.backward, vertex, self.backward.depth);
        }
        let edges = near.edges(&self.forward).rev().chain(far.edges(&self.backward));
        self.out.push(self.row, edges, self.search.reverse, vertex);
        self.phase = Phase::Join { forward, at, started: true };
        let length = (self.forward.depth + self.backward.depth) as usize;
        if self.search.shortest == Shortest::Any {
            self.end_row();
        }
        length + 1
    }

    fn levels(&mut self, input: &RecordBatch, steps: &mut usize) -> Result<()> {
        if self.forward.depth >= self.max() || self.forward.frontier.is_empty() {
            match (self.closed, input_source(input, self.search.source, self.row)?) {
                (Closed::Cycle, source) => self.start_cycles(source),
                (Closed::Never | Closed::Search, _) => self.end_row(),
            }
            return Ok(());
        }
        let all = self.search.shortest == Shortest::All;
        let place = (input, self.row);
        if self.forward.run(&self.hops, &mut self.filter, place, all, steps)? {
            self.phase = Phase::Level { at: 0, started: false };
        }
        Ok(())
    }

    /// Gives out the next path to the last level's vertices.
    fn level(&mut self, at: usize, started: bool) -> usize {
        let Some(vertex) = self.forward.frontier.get(at).copied() else {
            self.phase = Phase::Levels;
            return 1;
        };
        let next = Phase::Level { at: at + 1, started: false };
        if !self.ends_at(vertex) {
            self.phase = next;
            return 1;
        }
        let chain = &mut self.chains.0;
        if !started {
            chain.start(&self.forward, vertex, self.forward.depth);
        } else if !chain.advance(&self.forward) {
            self.phase = next;
            return 1;
        }
        let edges = chain.edges(&self.forward).rev();
        self.out.push(self.row, edges, self.search.reverse, vertex);
        self.phase = match self.search.shortest {
            Shortest::Any => next,
            Shortest::All => Phase::Level { at, started: true },
        };
        self.forward.depth as usize + 1
    }

    /// Looks for the shortest cycles through the source, if the mode has any.
    fn start_cycles(&mut self, source: u64) {
        if self.closed != Closed::Cycle || !self.ends_at(source) {
            return self.end_row();
        }
        self.distances = Some(Distances::new(ElementRef(source), self.max()));
        self.length = 1;
        self.phase = Phase::Distances { source };
    }

    fn find_distances(
        &mut self,
        input: &RecordBatch,
        source: u64,
        steps: &mut usize,
    ) -> Result<()> {
        if let Some(distances) = &mut self.distances {
            let place = (input, self.row);
            if !distances.run(&self.back, &mut self.filter, place, steps)? {
                return Ok(());
            }
        }
        self.try_length(input, source);
        Ok(())
    }

    fn cycle_bounds(&self) -> WalkBounds {
        WalkBounds {
            min: self.length,
            max: self.length,
            mode: PathMode::Trail,
            end_tables: Vec::new(),
            reverse: self.search.reverse,
        }
    }

    /// Starts with the cycles of the current length.
    fn try_length(&mut self, input: &RecordBatch, source: u64) {
        let bounds = self.cycle_bounds();
        let mut walk = WalkRow {
            input,
            row: self.row,
            hops: &self.hops,
            filter: &mut self.filter,
            bounds: &bounds,
            distances: self.distances.as_ref(),
            out: &mut self.out,
        };
        self.walker.start(source, Some(source), &mut walk);
        self.walker.found = 0;
        self.phase = Phase::Cycles { source };
    }

    fn cycles(&mut self, input: &RecordBatch, source: u64, steps: &mut usize) -> Result<()> {
        let bounds = self.cycle_bounds();
        let one = self.search.shortest == Shortest::Any;
        let mut walk = WalkRow {
            input,
            row: self.row,
            hops: &self.hops,
            filter: &mut self.filter,
            bounds: &bounds,
            distances: self.distances.as_ref(),
            out: &mut self.out,
        };
        // Step by step where one cycle is enough.
        let complete = match one {
            true => self.walker.run(&mut walk, &mut 1)?,
            false => self.walker.run(&mut walk, steps)?,
        };
        if self.walker.found > 0 && (one || complete) {
            self.end_row();
        } else if complete {
            // A shortest cycle goes out and back on shortest ways, with one edge between.
            let farthest = self.distances.as_ref().map_or(0, Distances::farthest);
            let longest = self.max().min(farthest.saturating_mul(2).saturating_add(1));
            if self.length >= longest {
                self.end_row();
            } else {
                self.length += 1;
                self.try_length(input, source);
            }
        }
        Ok(())
    }
}

fn input_source(input: &RecordBatch, column: usize, row: usize) -> Result<u64> {
    Ok(refs(input, column)?.value(row))
}
