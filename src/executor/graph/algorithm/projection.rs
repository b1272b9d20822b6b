//! The subgraph an algorithm runs on.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, UInt64Type};
use datafusion::common::HashMap;

use super::progress::Progress;
use crate::error::{PgError, SqlState};

/// Which way edges count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orientation {
    /// From source to target.
    Natural,
    /// From target to source.
    Reverse,
    /// Both ways.
    Undirected,
}

/// Vertices `0..n` in the order of their references, and the edges between them.
#[derive(Debug, Default)]
pub struct Projection {
    /// Element references, ascending.
    pub refs: Vec<u64>,
    /// Source, target and weight of each edge.
    pub edges: Vec<(u32, u32, f64)>,
}

/// Neighbors of each vertex with the weights of the edges to them, sorted by neighbor.
#[derive(Debug, Default)]
pub(super) struct Lists {
    offsets: Vec<usize>,
    neighbors: Vec<u32>,
    weights: Vec<f64>,
}

impl Projection {
    /// The subgraph of some vertices, and those of some edges whose ends are among them.
    ///
    /// # Errors
    /// `22004` for a null weight, `22003` for one that is no number, `54000` for too many vertices.
    pub fn read(vertices: &[RecordBatch], edges: &[RecordBatch]) -> Result<Self, PgError> {
        let wrong = || PgError::internal("a subgraph has columns of elements");
        let mut refs: Vec<u64> = Vec::new();
        for batch in vertices {
            let column = batch.columns().first().ok_or_else(wrong)?;
            let column = column.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            refs.extend(column.values());
        }
        refs.sort_unstable();
        refs.dedup();
        if refs.len() >= u32::MAX as usize {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "a graph algorithm has too many vertices",
            ));
        }
        let numbers: HashMap<u64, u32> = refs.iter().copied().zip(0..).collect();
        let mut projection = Self { refs, edges: Vec::new() };
        for batch in edges {
            let [from, to, weights @ ..] = batch.columns() else { return Err(wrong()) };
            let from = from.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            let to = to.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            let weights = match weights {
                [] => None,
                [weights, ..] => Some(weights.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?),
            };
            for row in 0..batch.num_rows() {
                let ends = (numbers.get(&from.value(row)), numbers.get(&to.value(row)));
                let (Some(from), Some(to)) = ends else { continue };
                let weight = match weights {
                    None => 1.0,
                    Some(weights) if weights.is_null(row) => {
                        return Err(PgError::new(
                            SqlState::NULL_VALUE_NOT_ALLOWED,
                            "the weight of an edge is null",
                        )
                        .hint("Leave such edges out with relationshipFilter."));
                    }
                    Some(weights) => weights.value(row),
                };
                if weight.is_nan() {
                    return Err(PgError::new(
                        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                        "the weight of an edge is not a number",
                    ));
                }
                projection.edges.push((*from, *to, weight));
            }
        }
        Ok(projection)
    }

    /// Number of vertices.
    pub(super) fn len(&self) -> usize {
        self.refs.len()
    }

    /// Bytes it holds, and an algorithm beside it at most about.
    pub fn bytes(&self) -> usize {
        self.refs.len() * 96 + self.edges.len() * 64
    }

    /// Neighbor lists; parallel edges stay.
    pub(super) fn lists(&self, orientation: Orientation) -> Lists {
        let turned = |edge: &(u32, u32, f64)| (edge.1, edge.0, edge.2);
        let edges = self.edges.iter();
        match orientation {
            Orientation::Natural => Lists::of(self.len(), edges.copied()),
            Orientation::Reverse => Lists::of(self.len(), edges.map(turned)),
            Orientation::Undirected => {
                let back = self.edges.iter().filter(|edge| edge.0 != edge.1).map(turned);
                Lists::of(self.len(), edges.copied().chain(back))
            }
        }
    }

    /// Each pair of vertices with an edge between them in whichever direction once, loops left out.
    pub(super) fn simple(&self) -> Lists {
        let mut pairs: Vec<(u32, u32)> = self
            .edges
            .iter()
            .filter(|edge| edge.0 != edge.1)
            .flat_map(|edge| [(edge.0, edge.1), (edge.1, edge.0)])
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        Lists::of(self.len(), pairs.into_iter().map(|(from, to)| (from, to, 1.0)))
    }
}

impl Lists {
    pub(super) fn of(
        vertices: usize,
        edges: impl Iterator<Item = (u32, u32, f64)> + Clone,
    ) -> Self {
        let mut offsets = vec![0; vertices + 1];
        for (from, _, _) in edges.clone() {
            offsets[from as usize + 1] += 1;
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut next = offsets.clone();
        let mut pairs = vec![(0, 0.0); offsets[vertices]];
        for (from, to, weight) in edges {
            pairs[next[from as usize]] = (to, weight);
            next[from as usize] += 1;
        }
        for vertex in 0..vertices {
            pairs[offsets[vertex]..offsets[vertex + 1]].sort_by_key(|pair| pair.0);
        }
        let neighbors = pairs.iter().map(|pair| pair.0).collect();
        let weights = pairs.iter().map(|pair| pair.1).collect();
        Self { offsets, neighbors, weights }
    }

    /// Number of vertices.
    pub(super) fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub(super) fn neighbors(&self, vertex: u32) -> &[u32] {
        &self.neighbors[self.range(vertex)]
    }

    pub(super) fn weighted(&self, vertex: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = self.range(vertex);
        self.neighbors[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    pub(super) fn degree(&self, vertex: u32) -> usize {
        self.range(vertex).len()
    }

    pub(super) fn vertices(&self) -> std::ops::Range<u32> {
        0..self.len() as u32
    }

    fn range(&self, vertex: u32) -> std::ops::Range<usize> {
        self.offsets[vertex as usize]..self.offsets[vertex as usize + 1]
    }
}

/// Looks at cancellation now and then.
pub(super) fn check_every(progress: &Progress, vertex: u32) -> Result<(), PgError> {
    if vertex.is_multiple_of(1024) { progress.check() } else { Ok(()) }
}
