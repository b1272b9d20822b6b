//! One side of a breadth-first search, level by level, with all ways back to where it started.

use arrow::array::RecordBatch;
use datafusion::common::{HashMap, Result};

use super::edge_filter::EdgeFilter;
use super::hops::Hops;
use crate::types::ElementRef;

/// No further parent.
const NONE: u32 = u32::MAX;

/// A vertex found.
struct Node {
    depth: u32,
    /// First of its parents, in [`SearchSide::parents`].
    first: u32,
}

/// A last step of a shortest way to a vertex.
struct Parent {
    edge: u64,
    vertex: u64,
    next: u32,
}

/// The vertices within some distance of a start, and the shortest ways to them.
#[derive(Default)]
pub(super) struct SearchSide {
    found: HashMap<u64, Node>,
    parents: Vec<Parent>,
    /// Vertices at distance `depth`.
    pub(super) frontier: Vec<u64>,
    next: Vec<u64>,
    at: usize,
    pub(super) depth: u32,
}

impl SearchSide {
    /// Starts over. `keep_start`: the start counts as found, so that no way back to it is looked for.
    pub(super) fn start(&mut self, start: u64, keep_start: bool) {
        self.found.clear();
        self.parents.clear();
        self.next.clear();
        self.frontier.clear();
        self.frontier.push(start);
        (self.at, self.depth) = (0, 0);
        if keep_start {
            self.found.insert(start, Node { depth: 0, first: NONE });
        }
    }

    /// Distance of a vertex, if it was found.
    pub(super) fn depth_of(&self, vertex: u64) -> Option<u32> {
        self.found.get(&vertex).map(|node| node.depth)
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.found.capacity() * 24
            + self.parents.capacity() * size_of::<Parent>()
            + (self.frontier.capacity() + self.next.capacity()) * 8
    }

    /// Works on the next level until about `steps` edges are followed; whether the level is complete. `all`: keeps every shortest way
    /// and not only the first.
    pub(super) fn run(
        &mut self,
        hops: &Hops,
        filter: &mut EdgeFilter,
        (input, row): (&RecordBatch, usize),
        all: bool,
        steps: &mut usize,
    ) -> Result<bool> {
        while let Some(vertex) = self.frontier.get(self.at).copied() {
            if *steps == 0 {
                return Ok(false);
            }
            *steps -= 1;
            self.at += 1;
            for hop in hops.from(ElementRef(vertex)) {
                let (neighbors, edges) = hop.neighbors(ElementRef(vertex));
                filter.learn(input, row, hop, (neighbors, edges))?;
                for (neighbor, edge) in neighbors.iter().zip(edges) {
                    if !hop.follows(ElementRef(vertex), *neighbor, *edge) {
                        continue;
                    }
                    let edge = hop.edge(*edge).0;
                    if filter.passes(edge) {
                        self.reach(vertex, edge, hop.target(*neighbor).0, all);
                    }
                }
                *steps = steps.saturating_sub(neighbors.len());
            }
        }
        self.frontier = std::mem::take(&mut self.next);
        self.at = 0;
        self.depth += 1;
        Ok(true)
    }

    fn reach(&mut self, from: u64, edge: u64, to: u64, all: bool) {
        let parent = self.parents.len() as u32;
        let depth = self.depth + 1;
        let next = match self.found.get_mut(&to) {
            None => {
                self.found.insert(to, Node { depth, first: parent });
                self.next.push(to);
                NONE
            }
            Some(node) if all && node.depth == depth => std::mem::replace(&mut node.first, parent),
            Some(_) => return,
        };
        self.parents.push(Parent { edge, vertex: from, next });
    }
}

/// The shortest ways from one vertex back to the start of a side, one after the other.
#[derive(Default)]
pub(super) struct Chain {
    /// One parent for each step, the vertex's own first.
    steps: Vec<u32>,
    length: usize,
}

impl Chain {
    /// The first way back from a vertex at this distance.
    pub(super) fn start(&mut self, side: &SearchSide, vertex: u64, depth: u32) {
        self.steps.clear();
        self.length = depth as usize;
        self.fill(side, vertex);
    }

    /// The next way back; `false` when there is none.
    pub(super) fn advance(&mut self, side: &SearchSide) -> bool {
        while let Some(step) = self.steps.pop() {
            let Some(next) = side.parents.get(step as usize).map(|parent| parent.next) else {
                return false;
            };
            if let Some(parent) = side.parents.get(next as usize) {
                self.steps.push(next);
                self.fill(side, parent.vertex);
                return true;
            }
        }
        false
    }

    fn fill(&mut self, side: &SearchSide, mut vertex: u64) {
        while self.steps.len() < self.length {
            let Some(node) = side.found.get(&vertex) else { return };
            let Some(parent) = side.parents.get(node.first as usize) else { return };
            self.steps.push(node.first);
            vertex = parent.vertex;
        }
    }

    /// The edges of the way, from the vertex back.
    pub(super) fn edges<'a>(
        &'a self,
        side: &'a SearchSide,
    ) -> impl DoubleEndedIterator<Item = u64> + 'a {
        self.steps
            .iter()
            .filter_map(|step| side.parents.get(*step as usize))
            .map(|parent| parent.edge)
    }
}
