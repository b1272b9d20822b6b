//! The adjacency lists of one step, by the table it starts from.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::TaskContext;

use super::group::{GroupHops, GroupRows};
use crate::executor::graph::{GraphSnapshot, Guards, Hop, Mask};
use crate::planner::node::Element;
use crate::storage::adjacency::Neighborhood;
use crate::types::ElementRef;

/// The hops of a step, before their lists are there.
#[derive(Debug, Clone)]
pub struct HopSet {
    /// The graph they are in.
    pub graph: Arc<GraphSnapshot>,
    /// In any order.
    pub hops: Vec<Hop>,
    /// Which elements there are.
    pub guards: Arc<Guards>,
    /// Matches of a repeated pattern, which are the steps instead of `hops`. Its own plan has guards of its own.
    pub group: Option<GroupHops>,
}

impl HopSet {
    /// Gets (and where needed builds) the lists, and finds out which of their elements there are.
    pub(super) async fn load(&self, context: &Arc<TaskContext>) -> Result<Hops> {
        if let Some(group) = &self.group {
            return group.load(context).await;
        }
        let tables = self.graph.vertices.len();
        let mut by_from: Vec<Vec<LoadedHop>> = (0..tables).map(|_| Vec::new()).collect();
        for hop in &self.hops {
            let lists = self.graph.adjacency(hop.edge_table, hop.orientation).await?;
            let some = |mask: &Arc<Mask>| !mask.shows_all();
            let edges = self.guards.mask(Element::Edge(hop.edge_table), context).await?;
            let targets = self.guards.mask(Element::Vertex(hop.to), context).await?;
            let (edges, targets) = (edges.filter(some), targets.filter(some));
            if let Some(from) = by_from.get_mut(usize::from(hop.from)) {
                from.push(LoadedHop { hop: *hop, lists, edges, targets });
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
    lists: Neighborhood,
    /// The edges and the vertices they lead to that there are, where not all can be seen.
    edges: Option<Arc<Mask>>,
    targets: Option<Arc<Mask>>,
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

    /// Number of steps to take from a vertex: those that are [`LoadedHop::follows`].
    pub(super) fn steps(&self, vertex: ElementRef) -> usize {
        self.from(vertex).iter().map(|hop| hop.steps(vertex)).sum()
    }
}

impl LoadedHop {
    /// A hop along matches of a repeated pattern, which are all there.
    pub(super) fn of_group(hop: Hop, lists: Neighborhood) -> Self {
        Self { hop, lists, edges: None, targets: None }
    }

    /// Number of steps that leave a vertex; hidden ones do not count, or what is done first would depend on them.
    fn degree(&self, vertex: ElementRef) -> usize {
        if self.edges.is_none() && self.targets.is_none() {
            return self.lists.lists.degree(self.number(vertex));
        }
        let (neighbors, edges) = self.neighbors(vertex);
        neighbors.iter().zip(edges).filter(|(to, by)| self.shows(**to, **by)).count()
    }

    fn steps(&self, vertex: ElementRef) -> usize {
        if !self.hop.skip_loops {
            return self.degree(vertex);
        }
        let (neighbors, edges) = self.neighbors(vertex);
        neighbors.iter().zip(edges).filter(|(to, by)| self.follows(vertex, **to, **by)).count()
    }

    /// Numbers of the neighbors of a vertex, and of the edges to them, those among them that are not [`Self::follows`].
    pub(super) fn neighbors(&self, vertex: ElementRef) -> (&[u32], &[u32]) {
        self.lists.lists.neighbors(self.number(vertex))
    }

    /// The reference to a neighbor.
    pub(super) fn target(&self, number: u32) -> ElementRef {
        ElementRef::new(self.hop.to, u64::from(self.lists.to.position(number)))
    }

    /// The reference to an edge.
    pub(super) fn edge(&self, number: u32) -> ElementRef {
        ElementRef::new(self.hop.edge_table, u64::from(self.lists.edges.position(number)))
    }

    /// Numbers of the edges from a vertex to one of the table this hop leads to, as far as they can be followed.
    pub(super) fn edges_between(
        &self,
        vertex: ElementRef,
        target: ElementRef,
    ) -> impl Iterator<Item = u32> {
        let neighbor = self.lists.to.number(position(target));
        let edges = self.lists.lists.edges_between(self.number(vertex), neighbor);
        edges.iter().copied().filter(move |edge| self.follows(vertex, neighbor, *edge))
    }

    /// Whether an edge and the vertex it leads to are there.
    pub(super) fn shows(&self, neighbor: u32, edge: u32) -> bool {
        self.edges.as_ref().is_none_or(|mask| mask.shows(self.edge(edge).position()))
            && self.targets.as_ref().is_none_or(|mask| mask.shows(self.target(neighbor).position()))
    }

    /// Whether a step is one to take: it is there, and the hop in the other orientation does not have it already.
    pub(super) fn follows(&self, vertex: ElementRef, neighbor: u32, edge: u32) -> bool {
        !(self.hop.skip_loops && self.number(vertex) == neighbor) && self.shows(neighbor, edge)
    }

    fn number(&self, vertex: ElementRef) -> u32 {
        self.lists.from.number(position(vertex))
    }
}

/// A vertex position as adjacency lists have it: they refuse tables where it does not fit.
fn position(vertex: ElementRef) -> u32 {
    u32::try_from(vertex.position()).unwrap_or(u32::MAX)
}
