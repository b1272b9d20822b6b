//! Compressed sparse rows: the neighbors of every vertex along one edge table in one direction, and a delta over them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::common::HashMap;

use super::charge::Charged;
use super::ends::{CancelFlag, DANGLING, EdgeEnds};
use crate::storage::StorageError;
use crate::types::MemoryBranch;

/// Lists that differ from the base, before they are merged into a new one.
const CHANGED_MAX: usize = 4_096;

/// Which end of the edges the lists are by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Orientation {
    /// From source to destination.
    Out,
    /// From destination to source.
    In,
}

/// The neighbors of one vertex.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) neighbors: Vec<u32>,
    pub(super) edges: Vec<u32>,
}

type Changed = HashMap<u32, Arc<List>>;

/// The arrays that many versions share.
///
/// ```text
/// offsets   [V + 1]  list of vertex v is offsets[v] .. offsets[v + 1]
/// neighbors [E]      number of the vertex at the other end, ascending in each list
/// edges     [E]      number of the edge, ascending among equal neighbors
/// ```
#[derive(Debug)]
struct Base {
    offsets: Vec<u32>,
    neighbors: Vec<u32>,
    edges: Vec<u32>,
    /// Set once these lists with some changes are being merged.
    merging: AtomicBool,
    /// What they were merged into, and with which changes.
    successor: OnceLock<(Arc<Charged<Base>>, Changed)>,
}

/// Neighbors by vertex number (see [`super::Places`]): lists of a base, and whole lists that count instead.
///
/// Source: compressed sparse rows, ordered by two stable counting sorts (time and memory O(V + E)).
#[derive(Debug, Clone)]
pub struct Adjacency {
    base: Arc<Charged<Base>>,
    changed: Changed,
    edges: usize,
}

/// An edge that came or went, in the orientation of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ListEdge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) edge: u32,
}

impl Adjacency {
    /// Builds the lists of one orientation. `from_count` and `to_count` are how many numbers the two vertex tables have,
    /// seen in that orientation.
    ///
    /// # Errors
    /// `57014` when canceled.
    pub fn build(
        ends: &EdgeEnds,
        orientation: Orientation,
        from_count: usize,
        to_count: usize,
        cancel: &CancelFlag,
    ) -> Result<Self, StorageError> {
        let side = |end: [u32; 2]| match orientation {
            Orientation::Out => end,
            Orientation::In => [end[1], end[0]],
        };
        let ends: Vec<[u32; 2]> = ends.iter().map(side).collect();
        cancel.check()?;
        let (_, by_neighbor) = counting_sort(ends.iter().map(|end| end[1]), to_count, |place| {
            for (edge, end) in ends.iter().enumerate().filter(|(_, end)| end[1] != DANGLING) {
                place(end[1], edge as u32);
            }
        });
        cancel.check()?;
        let (offsets, edges) = counting_sort(ends.iter().map(|end| end[0]), from_count, |place| {
            for edge in &by_neighbor {
                place(ends[*edge as usize][0], *edge);
            }
        });
        cancel.check()?;
        let neighbors = edges.iter().map(|edge| ends[*edge as usize][1]).collect();
        Ok(Self::of(Base::of(offsets, neighbors, edges)))
    }

    /// Lists from edges given as (from, to) vertices; an edge's number is its place among them.
    pub fn of_pairs(pairs: &[(u32, u32)], from_count: usize, to_count: usize) -> Self {
        let (_, by_neighbor) = counting_sort(pairs.iter().map(|(_, to)| *to), to_count, |place| {
            pairs.iter().enumerate().for_each(|(edge, (_, to))| place(*to, edge as u32));
        });
        let (offsets, edges) =
            counting_sort(pairs.iter().map(|(from, _)| *from), from_count, |place| {
                by_neighbor.iter().for_each(|edge| place(pairs[*edge as usize].0, *edge));
            });
        let neighbors = edges.iter().map(|edge| pairs[*edge as usize].1).collect();
        Self::of(Base::of(offsets, neighbors, edges))
    }

    fn of(base: Base) -> Self {
        let edges = base.edges.len();
        Self { base: Arc::new(Charged::new(base)), changed: Changed::new(), edges }
    }

    /// Neighbors of the vertex of a number and the edges that lead to them, side by side. Empty past the end.
    pub fn neighbors(&self, vertex: u32) -> (&[u32], &[u32]) {
        if !self.changed.is_empty()
            && let Some(list) = self.changed.get(&vertex)
        {
            return (&list.neighbors, &list.edges);
        }
        self.base.neighbors(vertex)
    }

    /// The edges from one vertex to another.
    pub fn edges_between(&self, vertex: u32, neighbor: u32) -> &[u32] {
        let (neighbors, edges) = self.neighbors(vertex);
        let start = neighbors.partition_point(|at| *at < neighbor);
        let count = neighbors[start..].partition_point(|at| *at == neighbor);
        &edges[start..start + count]
    }

    /// Number of neighbors of a vertex, with multiplicity.
    pub fn degree(&self, vertex: u32) -> usize {
        self.neighbors(vertex).0.len()
    }

    /// Number of edges.
    pub fn len(&self) -> usize {
        self.edges
    }

    /// Whether there are no edges.
    pub fn is_empty(&self) -> bool {
        self.edges == 0
    }

    /// Bytes of the delta alone.
    pub(super) fn delta_bytes(&self) -> usize {
        self.changed.values().map(|list| 64 + 8 * list.edges.capacity()).sum()
    }

    /// The address of the shared arrays, to count them once, and their bytes.
    pub(super) fn base_bytes(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.base) as usize, self.base.bytes())
    }

    /// Charges for the shared arrays.
    pub(super) fn charge(&self, memory: &Arc<MemoryBranch>) {
        self.base.charge(memory, self.base.bytes());
    }

    /// These lists without some edges and with others. Costs as much as the delta and the lists that change.
    ///
    /// When the delta has grown, a new base is made on another thread; what is derived later builds on that.
    pub(super) fn changed_by(&self, mut gone: Vec<ListEdge>, mut came: Vec<ListEdge>) -> Self {
        let mut new = self.on_newest_base();
        gone.sort_unstable();
        came.sort_unstable();
        let mut vertices: Vec<u32> = gone.iter().chain(&came).map(|edge| edge.from).collect();
        vertices.sort_unstable();
        vertices.dedup();
        for vertex in vertices {
            let own = |edges: &[ListEdge]| -> std::ops::Range<usize> {
                let start = edges.partition_point(|edge| edge.from < vertex);
                start..edges.partition_point(|edge| edge.from <= vertex)
            };
            let (gone, came) = (&gone[own(&gone)], &came[own(&came)]);
            let list = new.list_changed_by(vertex, gone, came);
            new.edges = new.edges + list.edges.len() - new.degree(vertex);
            new.changed.insert(vertex, Arc::new(list));
        }
        new.merge_in_background();
        new
    }

    fn list_changed_by(&self, vertex: u32, gone: &[ListEdge], came: &[ListEdge]) -> List {
        let (neighbors, edges) = self.neighbors(vertex);
        let kept = neighbors.iter().zip(edges).map(|(to, edge)| (*to, *edge));
        let is_gone = |at: &(u32, u32)| {
            gone.binary_search(&ListEdge { from: vertex, to: at.0, edge: at.1 }).is_ok()
        };
        let mut list = List::default();
        let mut came = came.iter().map(|edge| (edge.to, edge.edge)).peekable();
        for old in kept.filter(|at| !is_gone(at)) {
            while let Some((to, edge)) = came.next_if(|new| *new < old) {
                list.neighbors.push(to);
                list.edges.push(edge);
            }
            list.neighbors.push(old.0);
            list.edges.push(old.1);
        }
        for (to, edge) in came {
            list.neighbors.push(to);
            list.edges.push(edge);
        }
        list
    }

    /// The same lists over the base that this one's base was merged into, if it was.
    fn on_newest_base(&self) -> Self {
        let mut newest = self.clone();
        while let Some((base, merged)) = newest.base.successor.get() {
            let differs = |vertex: &u32, list: &Arc<List>| {
                merged.get(vertex).is_none_or(|merged| !Arc::ptr_eq(merged, list))
            };
            // A list that was merged and is the base's again here would be the wrong one there.
            let back: Vec<u32> = merged
                .keys()
                .filter(|vertex| !newest.changed.contains_key(*vertex))
                .copied()
                .collect();
            let mut changed: Changed = newest
                .changed
                .iter()
                .filter(|(vertex, list)| differs(vertex, list))
                .map(|(vertex, list)| (*vertex, Arc::clone(list)))
                .collect();
            for vertex in back {
                let (neighbors, edges) = newest.base.neighbors(vertex);
                let list = List { neighbors: neighbors.to_vec(), edges: edges.to_vec() };
                changed.insert(vertex, Arc::new(list));
            }
            newest = Self { base: Arc::clone(base), changed, edges: newest.edges };
        }
        newest
    }

    fn merge_in_background(&self) {
        if self.changed.len() <= CHANGED_MAX || self.base.merging.swap(true, Ordering::Relaxed) {
            return;
        }
        let lists = self.clone();
        let merge = move || {
            let merged = Arc::new(Charged::new(lists.merged()));
            if let Some(memory) = lists.base.memory() {
                merged.charge(memory, merged.bytes());
            }
            // Only one merge of a base is ever begun.
            let _ = lists.base.successor.set((merged, lists.changed));
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(merge)),
            Err(_) => merge(),
        }
    }

    /// One base with all changes.
    fn merged(&self) -> Base {
        let counted = self.base.offsets.len().saturating_sub(1);
        let changed = self.changed.keys().max().map_or(0, |vertex| *vertex as usize + 1);
        let mut offsets = Vec::with_capacity(counted.max(changed) + 1);
        let mut neighbors = Vec::with_capacity(self.edges);
        let mut edges = Vec::with_capacity(self.edges);
        offsets.push(0);
        for vertex in 0..counted.max(changed) as u32 {
            let list = self.neighbors(vertex);
            neighbors.extend_from_slice(list.0);
            edges.extend_from_slice(list.1);
            offsets.push(edges.len() as u32);
        }
        Base::of(offsets, neighbors, edges)
    }
}

impl Base {
    fn of(offsets: Vec<u32>, neighbors: Vec<u32>, edges: Vec<u32>) -> Self {
        let (merging, successor) = (AtomicBool::new(false), OnceLock::new());
        Self { offsets, neighbors, edges, merging, successor }
    }

    fn bytes(&self) -> usize {
        let numbers = self.offsets.capacity() + self.neighbors.capacity() + self.edges.capacity();
        numbers * size_of::<u32>()
    }

    fn neighbors(&self, vertex: u32) -> (&[u32], &[u32]) {
        let vertex = vertex as usize;
        match (self.offsets.get(vertex), self.offsets.get(vertex + 1)) {
            (Some(start), Some(end)) => {
                let range = *start as usize..*end as usize;
                (&self.neighbors[range.clone()], &self.edges[range])
            }
            _ => (&[], &[]),
        }
    }
}

/// Places the values that `visit` gives under their keys: offsets by key, and the values in stable order.
fn counting_sort(
    keys: impl Iterator<Item = u32>,
    key_count: usize,
    visit: impl FnOnce(&mut dyn FnMut(u32, u32)),
) -> (Vec<u32>, Vec<u32>) {
    let mut offsets = vec![0u32; key_count + 1];
    for key in keys.filter(|key| *key != DANGLING) {
        offsets[key as usize + 1] += 1;
    }
    for at in 1..offsets.len() {
        offsets[at] += offsets[at - 1];
    }
    let mut next = offsets.clone();
    let mut placed = vec![0u32; offsets[key_count] as usize];
    visit(&mut |key, value| {
        let slot = &mut next[key as usize];
        placed[*slot as usize] = value;
        *slot += 1;
    });
    (offsets, placed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(ends: &[[u32; 2]], orientation: Orientation) -> Adjacency {
        let ends = EdgeEnds::of(ends.to_vec(), 0);
        Adjacency::build(&ends, orientation, 4, 4, &CancelFlag::default()).unwrap()
    }

    #[test]
    fn lists_are_sorted_and_skip_dangling_edges() {
        let none = [DANGLING; 2];
        let ends = [[0, 3], [2, 1], [0, 1], none, [0, 1], [2, 2]];
        let out = build(&ends, Orientation::Out);
        assert_eq!(out.neighbors(0), (&[1, 1, 3][..], &[2, 4, 0][..]));
        assert_eq!(out.neighbors(1), (&[][..], &[][..]));
        assert_eq!(out.neighbors(2), (&[1, 2][..], &[1, 5][..]));
        assert_eq!(out.neighbors(9), (&[][..], &[][..]));
        assert_eq!(out.edges_between(0, 1), &[2, 4]);
        assert_eq!(out.edges_between(0, 2), &[] as &[u32]);
        let back = build(&ends, Orientation::In);
        assert_eq!(back.neighbors(1), (&[0, 0, 2][..], &[2, 4, 1][..]));
        assert_eq!(back.len(), 5);
    }

    #[test]
    fn changes_are_merged_and_later_lists_build_on_the_merged_ones() {
        let mut lists = Adjacency::of_pairs(&[(0, 1), (1, 0)], 2, 2);
        let before = lists.clone();
        for at in 0..3 * CHANGED_MAX as u32 {
            let came = ListEdge { from: at % 6_000, to: at / 6_000, edge: at + 2 };
            lists = lists.changed_by(vec![], vec![came]);
        }
        assert!(lists.changed.len() < CHANGED_MAX, "{} lists changed", lists.changed.len());
        assert_eq!(lists.len(), 2 + 3 * CHANGED_MAX);
        assert_eq!(lists.neighbors(0), (&[0, 1, 1, 2][..], &[2, 0, 6_002, 12_002][..]));
        assert_eq!(lists.neighbors(5_999), (&[0, 1][..], &[6_001, 12_001][..]));
        // A version from before the merge goes on from its own lists.
        let gone = ListEdge { from: 0, to: 1, edge: 0 };
        let other = before.changed_by(vec![gone], vec![]);
        assert_eq!(other.neighbors(0), (&[][..], &[][..]));
        assert_eq!(other.neighbors(1), (&[0][..], &[1][..]));
        assert_eq!(other.neighbors(5_999), (&[][..], &[][..]));
        assert_eq!(other.len(), 1);
    }
}
