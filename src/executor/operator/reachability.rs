//! The vertices a quantified edge reaches, each once, without enumerating the walks.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{HashMap, Result};
use datafusion::execution::memory_pool::MemoryReservation;

use super::checks::Checks;
use super::edge_filter::EdgeFilter;
use super::edge_list::EdgeLists;
use super::expand::{PAUSE_STEPS, refs};
use super::graph_exec::{Progress, SliceContext, Slicer};
use super::hops::Hops;
use super::var_expand::{VarEnd, VarExpand};
use crate::planner::PathMode;
use crate::types::ElementRef;

/// Bytes of a vertex found, as reserved.
const FOUND_BYTES: usize = 40;

/// What brings the walk back to where it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Return {
    /// Nothing: the mode forbids it, or the start is among the ends already.
    Never,
    /// Any edge into the start.
    AnyEdge,
    /// A cycle of different edges, some of them perhaps walked against their direction.
    Cycle,
}

/// A vertex found.
#[derive(Debug, Clone, Copy)]
struct Found {
    vertex: u64,
    depth: u32,
    /// The first edge of the walk to it: two neighbors with different ones close a cycle through the start.
    branch: u64,
}

/// Breadth-first search from each input row's source.
///
/// The shortest walk to another vertex repeats nothing, so for a minimum of 0 or 1 edges the ends of trails, acyclic and
/// simple walks are the vertices within the maximum distance. The start itself is an end only by a cycle through it.
pub(super) struct ReachabilitySlicer {
    schema: SchemaRef,
    reservation: MemoryReservation,
    hops: Hops,
    filter: EdgeFilter,
    source: usize,
    end_tables: Vec<u16>,
    include_start: bool,
    returns: Return,
    max: u32,
    checks: Checks,
    out: EdgeLists,
    input: Option<RecordBatch>,
    row: usize,
    /// In order of distance; `at` is the next to be left.
    queue: Vec<Found>,
    at: usize,
    seen: HashMap<u64, usize>,
    returned: bool,
}

impl ReachabilitySlicer {
    pub(super) fn boxed(context: SliceContext, hops: Hops, expand: VarExpand) -> Box<dyn Slicer> {
        let include_start = expand.quantifier.min == 0;
        let returns = match expand.mode {
            _ if include_start => Return::Never,
            PathMode::Acyclic => Return::Never,
            PathMode::Trail if expand.any_direction => Return::Cycle,
            PathMode::Trail | PathMode::Walk | PathMode::Simple => Return::AnyEdge,
        };
        let filter = EdgeFilter::new(expand.predicate, context.reservation.new_empty());
        Box::new(Self {
            schema: context.schema,
            reservation: context.reservation,
            hops,
            filter,
            source: expand.source,
            end_tables: match expand.end {
                VarEnd::New(tables) => tables,
                VarEnd::Bound(_) => Vec::new(),
            },
            include_start,
            returns,
            max: expand.quantifier.max.unwrap_or(u32::MAX),
            checks: expand.checks,
            out: EdgeLists::new(context.batch_rows),
            input: None,
            row: 0,
            queue: Vec::new(),
            at: 0,
            seen: HashMap::new(),
            returned: false,
        })
    }

    fn emit(&mut self, end: u64) {
        if self.end_tables.contains(&ElementRef(end).table()) {
            self.out.push(self.row, std::iter::empty(), false, end);
        }
    }

    fn start_row(&mut self, source: u64) {
        self.filter.start_row();
        self.queue.clear();
        self.seen.clear();
        self.at = 0;
        self.returned = false;
        self.queue.push(Found { vertex: source, depth: 0, branch: 0 });
        self.seen.insert(source, 0);
        if self.include_start {
            self.emit(source);
        }
    }

    /// Follows all edges of the next vertex in the queue; the number of them.
    fn leave_next(&mut self, input: &RecordBatch) -> Result<usize> {
        let Some(from) = self.queue.get(self.at).copied() else { return Ok(0) };
        self.at += 1;
        if from.depth >= self.max {
            return Ok(1);
        }
        let hops = self.hops.clone();
        let mut steps = 1;
        for hop in hops.from(ElementRef(from.vertex)) {
            let (neighbors, edges) = hop.neighbors(ElementRef(from.vertex));
            steps += neighbors.len();
            self.filter.learn(input, self.row, hop, (neighbors, edges))?;
            for (neighbor, edge) in neighbors.iter().zip(edges) {
                let shown = hop.shows(*neighbor, *edge);
                let edge = hop.edge(*edge).0;
                if shown && self.filter.passes(edge) {
                    self.reach(from, edge, hop.target(*neighbor).0);
                }
            }
        }
        self.reservation.try_resize(self.queue.capacity() * FOUND_BYTES)?;
        Ok(steps)
    }

    fn reach(&mut self, from: Found, edge: u64, to: u64) {
        let start = self.queue[0].vertex;
        let branch = if from.depth == 0 { edge } else { from.branch };
        match self.seen.get(&to) {
            None => {
                self.seen.insert(to, self.queue.len());
                self.queue.push(Found { vertex: to, depth: from.depth + 1, branch });
                self.emit(to);
            }
            Some(_) if self.returned => {}
            Some(at) => {
                let known = self.queue[*at];
                let closes = match self.returns {
                    Return::Never => false,
                    Return::AnyEdge => to == start,
                    // Back by another edge than the one it left by, or a loop at the start.
                    Return::Cycle if to == start => {
                        from.vertex == start || (from.branch != edge && from.depth == 1)
                    }
                    Return::Cycle if from.vertex == start => {
                        // A second edge to a neighbor: there and back.
                        known.depth == 1 && known.branch != edge && self.max >= 2
                    }
                    Return::Cycle => {
                        let length = u64::from(from.depth) + u64::from(known.depth) + 1;
                        from.branch != known.branch && length <= u64::from(self.max)
                    }
                };
                if closes {
                    self.returned = true;
                    self.emit(start);
                }
            }
        }
    }
}

impl Slicer for ReachabilitySlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.row = 0;
        self.queue.clear();
        self.at = 0;
        self.input = Some(input);
        // The first row starts as every other one does: after the one before it.
        self.begin_rows()
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let mut steps = 0;
        while steps < PAUSE_STEPS && !self.out.is_full() {
            if self.at == self.queue.len() {
                self.row += 1;
                if self.row >= input.num_rows() {
                    self.input = None;
                    break;
                }
                self.begin_rows()?;
                steps += 1;
                continue;
            }
            steps += self.leave_next(&input)?;
        }
        if self.out.is_empty() {
            return Ok(if self.input.is_some() { Progress::Pause } else { Progress::Done });
        }
        let batch = self.out.finish(&self.schema, &input, true)?;
        Ok(Progress::Batch(self.checks.apply(batch)?))
    }
}

impl ReachabilitySlicer {
    /// Starts the current row, unless its source is null.
    fn begin_rows(&mut self) -> Result<()> {
        let Some(input) = &self.input else { return Ok(()) };
        let sources = refs(input, self.source)?;
        if sources.is_valid(self.row) {
            let source = sources.value(self.row);
            self.start_row(source);
        } else {
            self.queue.clear();
            self.at = 0;
        }
        Ok(())
    }
}
