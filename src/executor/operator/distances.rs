//! How far vertices are from a given one, by breadth-first search.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use datafusion::common::{HashMap, Result};

use super::edge_filter::EdgeFilter;
use super::hops::Hops;
use crate::types::ElementRef;

/// Distances to (or from) one vertex, as far as they were asked for.
pub(super) struct Distances {
    found: HashMap<u64, u32>,
    queue: VecDeque<u64>,
    depth_max: u32,
}

impl Distances {
    /// Distances up to `depth_max` along hops from `origin`; [`Self::run`] computes them.
    pub(super) fn new(origin: ElementRef, depth_max: u32) -> Self {
        Self {
            found: HashMap::from_iter([(origin.0, 0)]),
            queue: VecDeque::from([origin.0]),
            depth_max,
        }
    }

    /// Goes on until about `steps` edges are followed; whether it is complete.
    pub(super) fn run(
        &mut self,
        hops: &Hops,
        filter: &mut EdgeFilter,
        (input, row): (&RecordBatch, usize),
        steps: &mut usize,
    ) -> Result<bool> {
        while *steps > 0
            && let Some(vertex) = self.queue.pop_front()
        {
            let depth = self.found.get(&vertex).copied().unwrap_or(0);
            *steps -= 1;
            if depth >= self.depth_max {
                continue;
            }
            let vertex = ElementRef(vertex);
            for hop in hops.from(vertex) {
                let (neighbors, edges) = hop.neighbors(vertex);
                filter.learn(input, row, hop, (neighbors, edges))?;
                for (neighbor, edge) in neighbors.iter().zip(edges) {
                    let shown = hop.shows(*neighbor, *edge);
                    let neighbor = hop.target(*neighbor).0;
                    if shown
                        && filter.passes(hop.edge(*edge).0)
                        && !self.found.contains_key(&neighbor)
                    {
                        self.found.insert(neighbor, depth + 1);
                        self.queue.push_back(neighbor);
                    }
                }
                *steps = steps.saturating_sub(neighbors.len() + 1);
            }
        }
        Ok(self.queue.is_empty())
    }

    /// The distance, if it is at most the limit.
    pub(super) fn get(&self, vertex: u64) -> Option<u32> {
        self.found.get(&vertex).copied()
    }

    /// The largest distance found.
    pub(super) fn farthest(&self) -> u32 {
        self.found.values().copied().max().unwrap_or(0)
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.found.capacity() * 16 + self.queue.capacity() * 8
    }
}
