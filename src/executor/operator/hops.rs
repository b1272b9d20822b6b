//! The adjacency lists of one step, by the table it starts from.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;

use crate::executor::graph::{GraphSnapshot, Hop};
use crate::storage::Adjacency;
use crate::types::ElementRef;

/// The hops of a step, before their lists are there.
#[derive(Debug, Clone)]
pub struct HopSet {
    /// The graph they are in.
    pub graph: Arc<GraphSnapshot>,
    /// In any order.
    pub hops: Vec<Hop>,
}

impl HopSet {
    /// Gets (and where needed builds) the lists.
    pub(super) async fn load(&self) -> Result<Hops> {
        let tables = self.graph.vertices.len();
        let mut by_from: Vec<Vec<LoadedHop>> = (0..tables).map(|_| Vec::new()).collect();
        for hop in &self.hops {
            let lists = self.graph.adjacency(hop.edge_table, hop.orientation).await?;
            if let Some(from) = by_from.get_mut(usize::from(hop.from)) {
                from.push(LoadedHop { hop: *hop, lists });
            }
        }
        Ok(Hops { by_from: by_from.into() })
    }
}

impl fmt::Display for HopSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, hop) in self.hops.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let alias = match self.graph.edge_table(hop.edge_table) {
                Ok(edge) => edge.element.alias.as_str(),
                Err(_) => "?",
            };
            let arrow = match hop.orientation {
                crate::storage::Orientation::Out => "->",
                crate::storage::Orientation::In => "<-",
            };
            write!(f, "{comma}{arrow}{alias}")?;
        }
        Ok(())
    }
}

/// A hop with its lists.
#[derive(Debug, Clone)]
pub(super) struct LoadedHop {
    pub(super) hop: Hop,
    pub(super) lists: Arc<Adjacency>,
}

/// The hops of a step by the vertex table they start from. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Hops {
    by_from: Arc<[Vec<LoadedHop>]>,
}

impl Hops {
    /// The hops that leave a vertex.
    pub(super) fn from(&self, vertex: ElementRef) -> &[LoadedHop] {
        self.by_from.get(usize::from(vertex.table())).map_or(&[], Vec::as_slice)
    }

    /// Number of steps that leave a vertex (loops may be counted twice).
    pub(super) fn degree(&self, vertex: ElementRef) -> usize {
        self.from(vertex).iter().map(|hop| hop.lists.degree(position(vertex))).sum()
    }
}

impl LoadedHop {
    /// Positions of the neighbors of a vertex, and of the edges to them.
    pub(super) fn neighbors(&self, vertex: ElementRef) -> (&[u32], &[u32]) {
        self.lists.neighbors(position(vertex))
    }

    /// The reference to a neighbor at a position.
    pub(super) fn target(&self, position: u32) -> ElementRef {
        ElementRef::new(self.hop.to, u64::from(position))
    }

    /// The reference to an edge at a position.
    pub(super) fn edge(&self, position: u32) -> ElementRef {
        ElementRef::new(self.hop.edge_table, u64::from(position))
    }

    /// Whether a step is one that the hop in the other orientation has already.
    pub(super) fn skips(&self, vertex: ElementRef, neighbor: u32) -> bool {
        self.hop.skip_loops && position(vertex) == neighbor
    }
}

/// A vertex position as adjacency lists have it: they refuse tables where it does not fit.
pub(super) fn position(vertex: ElementRef) -> u32 {
    u32::try_from(vertex.position()).unwrap_or(u32::MAX)
}
