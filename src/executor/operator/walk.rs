//! Depth-first enumeration of the walks that a quantified edge matches from one vertex.

use arrow::array::RecordBatch;
use datafusion::common::{HashSet, Result};

use super::distances::Distances;
use super::edge_filter::EdgeFilter;
use super::edge_list::EdgeLists;
use super::group::GroupRows;
use super::hops::Hops;
use crate::planner::PathMode;
use crate::types::ElementRef;

/// How many edges of a list are learned of at a time.
const LEARN_EDGES: usize = 4_096;
/// Up to this many elements are searched one by one, more by hash.
const LINEAR_SEARCH_MAX: usize = 64;

/// Which walks are wanted.
#[derive(Debug, Clone)]
pub(super) struct WalkBounds {
    pub(super) min: u32,
    /// `u32::MAX` for none; the mode bounds the walk then.
    pub(super) max: u32,
    pub(super) mode: PathMode,
    /// Vertex tables a walk may end in.
    pub(super) end_tables: Vec<u16>,
    /// The walk goes from the right element to the left one.
    pub(super) reverse: bool,
}

/// A vertex on the current walk, and how far its neighbors were tried.
struct Frame {
    vertex: u64,
    hop: usize,
    offset: usize,
}

/// Elements of the current walk, for finding repetitions.
#[derive(Default)]
struct Used {
    list: Vec<u64>,
    /// The elements past [`LINEAR_SEARCH_MAX`].
    rest: HashSet<u64>,
}

impl Used {
    fn push(&mut self, element: u64) {
        if self.list.len() >= LINEAR_SEARCH_MAX {
            self.rest.insert(element);
        }
        self.list.push(element);
    }

    /// Elements must be different where `contains` is to be right after a pop.
    fn pop(&mut self) {
        if let Some(element) = self.list.pop()
            && self.list.len() >= LINEAR_SEARCH_MAX
        {
            self.rest.remove(&element);
        }
    }

    fn contains(&self, element: u64) -> bool {
        let head = self.list.len().min(LINEAR_SEARCH_MAX);
        self.list[..head].contains(&element) || self.rest.contains(&element)
    }

    fn clear(&mut self) {
        self.list.clear();
        self.rest.clear();
    }
}

/// Elements inside the steps of a walk, and how many of them each step brought.
#[derive(Default)]
struct Inner {
    edges: Used,
    vertices: Used,
    counts: Vec<(usize, usize)>,
}

impl Inner {
    fn clear(&mut self) {
        self.edges.clear();
        self.vertices.clear();
        self.counts.clear();
    }

    /// Adds a step if its elements may follow those before; `Some(true)` if it closes a simple path.
    fn push(
        &mut self,
        group: &GroupRows,
        row: u64,
        start: u64,
        bounds: &WalkBounds,
    ) -> Option<bool> {
        let (mut edges, mut vertices, mut closes) = (Vec::new(), Vec::new(), false);
        match bounds.mode {
            PathMode::Walk => {}
            PathMode::Trail => edges.extend(group.edges_of(row)),
            PathMode::Acyclic | PathMode::Simple => {
                vertices.extend(group.vertices_of(row));
                if bounds.reverse {
                    vertices.reverse();
                }
                // The first is the last of the step before.
                vertices.remove(0);
                if bounds.mode == PathMode::Simple && vertices.last() == Some(&start) {
                    closes = true;
                    vertices.pop();
                }
            }
        }
        let twice = |list: &[u64]| (1..list.len()).any(|at| list[..at].contains(&list[at]));
        let fits = !twice(&edges)
            && !twice(&vertices)
            && !edges.iter().any(|edge| self.edges.contains(*edge))
            && !vertices.iter().any(|it| *it == start || self.vertices.contains(*it));
        if !fits {
            return None;
        }
        self.counts.push((edges.len(), vertices.len()));
        edges.into_iter().for_each(|edge| self.edges.push(edge));
        vertices.into_iter().for_each(|vertex| self.vertices.push(vertex));
        Some(closes)
    }

    fn pop(&mut self) {
        let (edges, vertices) = self.counts.pop().unwrap_or_default();
        (0..edges).for_each(|_| self.edges.pop());
        (0..vertices).for_each(|_| self.vertices.pop());
    }
}

/// The walk being tried. Memory is that of the longest one.
#[derive(Default)]
pub(super) struct Walker {
    frames: Vec<Frame>,
    edges: Used,
    vertices: Used,
    /// What the steps consist of, where they are matches of a pattern: all edges, and all vertices but the first of each.
    inner: Inner,
    target: Option<u64>,
    /// Walks given out; for the caller to set back.
    pub(super) found: usize,
}

/// What walks of one row are along and what becomes of them.
pub(super) struct WalkRow<'a> {
    pub(super) input: &'a RecordBatch,
    pub(super) row: usize,
    pub(super) hops: &'a Hops,
    pub(super) filter: &'a mut EdgeFilter,
    pub(super) bounds: &'a WalkBounds,
    /// Distances to the target, where there is one.
    pub(super) distances: Option<&'a Distances>,
    pub(super) out: &'a mut EdgeLists,
}

impl Walker {
    /// Starts at a vertex; with a `target`, only walks that end there are given.
    pub(super) fn start(&mut self, source: u64, target: Option<u64>, walk: &mut WalkRow<'_>) {
        self.frames.clear();
        self.edges.clear();
        self.vertices.clear();
        self.inner.clear();
        self.target = target;
        if walk.distances.is_some_and(|to| to.get(source).is_none_or(|to| to > walk.bounds.max)) {
            return;
        }
        self.frames.push(Frame { vertex: source, hop: 0, offset: 0 });
        self.vertices.push(source);
        self.emit(source, walk);
    }

    /// Gives the current walk if it is long enough and ends well.
    fn emit(&mut self, end: u64, walk: &mut WalkRow<'_>) {
        let depth = self.edges.list.len() as u64;
        let fits = match self.target {
            Some(target) => target == end,
            None => walk.bounds.end_tables.contains(&ElementRef(end).table()),
        };
        if depth >= u64::from(walk.bounds.min) && depth <= u64::from(walk.bounds.max) && fits {
            let edges = self.edges.list.iter().copied();
            walk.out.push(walk.row, edges, walk.bounds.reverse, end);
            self.found += 1;
        }
    }

    /// Goes on until `steps` edges are tried, or the output is full; whether all walks are done.
    pub(super) fn run(&mut self, walk: &mut WalkRow<'_>, steps: &mut usize) -> Result<bool> {
        while *steps > 0 {
            *steps -= 1;
            if walk.out.is_full() {
                return Ok(false);
            }
            let Some(frame) = self.frames.last_mut() else { return Ok(true) };
            let vertex = ElementRef(frame.vertex);
            let full = self.edges.list.len() as u64 >= u64::from(walk.bounds.max);
            let hop = if full { None } else { walk.hops.from(vertex).get(frame.hop) };
            let Some(hop) = hop else {
                self.frames.pop();
                self.edges.pop();
                self.inner.pop();
                self.vertices.pop();
                continue;
            };
            let (neighbors, edges) = hop.neighbors(vertex);
            let Some(neighbor) = neighbors.get(frame.offset) else {
                (frame.hop, frame.offset) = (frame.hop + 1, 0);
                continue;
            };
            if frame.offset.is_multiple_of(LEARN_EDGES) {
                let end = edges.len().min(frame.offset + LEARN_EDGES);
                let next = (&neighbors[frame.offset..end], &edges[frame.offset..end]);
                walk.filter.learn(walk.input, walk.row, hop, next)?;
            }
            let follows = hop.follows(vertex, *neighbor, edges[frame.offset]);
            let edge = hop.edge(edges[frame.offset]).0;
            frame.offset += 1;
            if follows && walk.filter.passes(edge) {
                self.step(edge, hop.target(*neighbor).0, walk);
            }
        }
        Ok(false)
    }

    /// Tries to make the walk longer by one edge.
    fn step(&mut self, edge: u64, to: u64, walk: &mut WalkRow<'_>) {
        let depth = self.edges.list.len() as u64 + 1;
        if let Some(distances) = walk.distances {
            let left = distances.get(to).map(|left| depth + u64::from(left));
            if left.is_none_or(|total| total > u64::from(walk.bounds.max)) {
                return;
            }
        }
        let closes = match walk.bounds.mode {
            _ if let Some(group) = walk.hops.group() => {
                let start = self.vertices.list.first().copied().unwrap_or(to);
                match self.inner.push(group, edge, start, walk.bounds) {
                    Some(closes) => closes,
                    None => return,
                }
            }
            PathMode::Walk => false,
            PathMode::Trail if self.edges.contains(edge) => return,
            PathMode::Trail => false,
            PathMode::Acyclic if self.vertices.contains(to) => return,
            PathMode::Acyclic => false,
            PathMode::Simple if self.vertices.list.first() == Some(&to) => true,
            PathMode::Simple if self.vertices.contains(to) => return,
            PathMode::Simple => false,
        };
        self.edges.push(edge);
        self.emit(to, walk);
        if closes || depth >= u64::from(walk.bounds.max) {
            self.edges.pop();
            self.inner.pop();
            return;
        }
        self.vertices.push(to);
        self.frames.push(Frame { vertex: to, hop: 0, offset: 0 });
    }
}
