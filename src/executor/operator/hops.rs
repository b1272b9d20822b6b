//! The adjacency lists of one step, by the table it starts from.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::TaskContext;

use super::group::{GroupHops, GroupRows};

use crate::executor::graph::{GraphSnapshot, Hop};
use crate::storage::adjacency::Neighborhood;
use crate::types::ElementRef;

/// The hops of a step, before their lists are there.
#[derive(Debug, Clone)]
pub struct HopSet {
    /// The graph they are in.
    pub graph: Arc<GraphSnapshot>,
    /// In any order.
    pub hops: Vec<Hop>,
    /// Matches of a repeated pattern, which are the steps instead of `hops`.
    pub group: Option<GroupHops>,
}

impl HopSet {
    /// Gets (and where needed builds) the lists.
    pub(super) async fn load(&self, task: &Arc<TaskContext>) -> Result<Hops> {
        if let Some(group) = &self.group {
            return group.load(task).await;
        }
        let tables = self.graph.vertices.len();
        let mut by_from: Vec<Vec<LoadedHop>> = (0..tables).map(|_| Vec::new()).collect();
        for hop in &self.hops {
            let lists = self.graph.adjacency(hop.edge_table, hop.orientation).await?;
            if let Some(from) = by_from.get_mut(usize::from(hop.from)) {
                from.push(LoadedHop { hop: *hop, lists });
            }
        }
        Ok(Hops { by_from: by_from.into(), group: None })
    }
}

impl fmt::Display for HopSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_some() {
            return f.write_str("a repeated pattern");
        }
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

/// A hop with its lists. Neighbors and edges are given as numbers; [`Self::target`] and [`Self::edge`] find them.
#[derive(Debug, Clone)]
pub(super) struct LoadedHop {
    pub(super) hop: Hop,
    pub(super) lists: Neighborhood,
}

/// The hops of a step by the vertex table they start from. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Hops {
    by_from: Arc<[Vec<LoadedHop>]>,
    group: Option<Arc<GroupRows>>,
}

impl Hops {
    /// The steps along a repeated pattern.
    pub(super) fn of_group(by_from: Vec<Vec<LoadedHop>>, group: Arc<GroupRows>) -> Self {
        Self { by_from: by_from.into(), group: Some(group) }
    }

    /// What the steps consist of, where they are matches of a pattern.
    pub(super) fn group(&self) -> Option<&GroupRows> {
        self.group.as_deref()
    }

    /// The hops that leave a vertex.
    pub(super) fn from(&self, vertex: ElementRef) -> &[LoadedHop] {
        self.by_from.get(usize::from(vertex.table())).map_or(&[], Vec::as_slice)
    }

    /// Number of steps that leave a vertex (loops may be counted twice).
    pub(super) fn degree(&self, vertex: ElementRef) -> usize {
        self.from(vertex).iter().map(|hop| hop.degree(vertex)).sum()
    }
}

impl LoadedHop {
    /// Numbers of the neighbors of a vertex, and of the edges to them.
    pub(super) fn neighbors(&self, vertex: ElementRef) -> (&[u32], &[u32]) {
        self.lists.lists.neighbors(self.number(vertex))
    }

    /// How many there are.
    pub(super) fn degree(&self, vertex: ElementRef) -> usize {
        self.lists.lists.degree(self.number(vertex))
    }

    /// Numbers of the edges from a vertex to one of the table this hop leads to.
    pub(super) fn edges_between(&self, vertex: ElementRef, target: ElementRef) -> &[u32] {
        let target = self.lists.to.number(position(target));
        self.lists.lists.edges_between(self.number(vertex), target)
    }

    /// The reference to a neighbor.
    pub(super) fn target(&self, number: u32) -> ElementRef {
        ElementRef::new(self.hop.to, u64::from(self.lists.to.position(number)))
    }

    /// The reference to an edge.
    pub(super) fn edge(&self, number: u32) -> ElementRef {
        ElementRef::new(self.hop.edge_table, u64::from(self.lists.edges.position(number)))
    }

    /// Whether a step is one that the hop in the other orientation has already.
    pub(super) fn skips(&self, vertex: ElementRef, neighbor: u32) -> bool {
        self.hop.skip_loops && self.number(vertex) == neighbor
    }

    /// Whether a step to a vertex of the table this hop leads to is one that the other orientation has already.
    pub(super) fn skips_to(&self, vertex: ElementRef, target: ElementRef) -> bool {
        self.hop.skip_loops && vertex.position() == target.position()
    }

    fn number(&self, vertex: ElementRef) -> u32 {
        self.lists.from.number(position(vertex))
    }
}

/// A vertex position as adjacency lists have it: they refuse tables where it does not fit.
fn position(vertex: ElementRef) -> u32 {
    u32::try_from(vertex.position()).unwrap_or(u32::MAX)
}
