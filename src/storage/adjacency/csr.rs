//! Compressed sparse rows: the neighbors of every vertex along one edge table in one direction.

use super::ends::{CancelFlag, DANGLING, EdgeEnds};
use crate::storage::StorageError;

/// Which end of the edges the lists are by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Orientation {
    /// From source to destination.
    Out,
    /// From destination to source.
    In,
}

/// Neighbors by vertex position.
///
/// ```text
/// offsets   [V + 1]  list of vertex v is offsets[v] .. offsets[v + 1]
/// neighbors [E]      position in the vertex table at the other end, ascending in each list
/// edges     [E]      position in the edge table, ascending among equal neighbors
/// ```
///
/// Source: compressed sparse rows, ordered by two stable counting sorts (time and memory O(V + E)).
#[derive(Debug)]
pub struct Adjacency {
    offsets: Vec<u32>,
    neighbors: Vec<u32>,
    edges: Vec<u32>,
}

impl Adjacency {
    /// Builds the lists of one orientation. `from_count` and `to_count` are the positions of the two vertex tables,
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
        let (from, to) = match orientation {
            Orientation::Out => (&ends.source, &ends.destination),
            Orientation::In => (&ends.destination, &ends.source),
        };
        cancel.check()?;
        let (_, by_neighbor) = counting_sort(to, to_count, |place| {
            for (edge, to) in to.iter().enumerate().filter(|(_, to)| **to != DANGLING) {
                place(*to, edge as u32);
            }
        });
        cancel.check()?;
        let (offsets, edges) = counting_sort(from, from_count, |place| {
            for edge in &by_neighbor {
                place(from[*edge as usize], *edge);
            }
        });
        cancel.check()?;
        let neighbors = edges.iter().map(|edge| to[*edge as usize]).collect();
        Ok(Self { offsets, neighbors, edges })
    }

    pub(super) fn from_parts(offsets: Vec<u32>, neighbors: Vec<u32>, edges: Vec<u32>) -> Self {
        Self { offsets, neighbors, edges }
    }

    /// Neighbors of the vertex at a position and the edges that lead to them, side by side. Empty past the end.
    pub fn neighbors(&self, vertex: u32) -> (&[u32], &[u32]) {
        let vertex = vertex as usize;
        match (self.offsets.get(vertex), self.offsets.get(vertex + 1)) {
            (Some(start), Some(end)) => {
                let range = *start as usize..*end as usize;
                (&self.neighbors[range.clone()], &self.edges[range])
            }
            _ => (&[], &[]),
        }
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
        self.edges.len()
    }

    /// Whether there are no edges.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.offsets.capacity() + self.neighbors.capacity() + self.edges.capacity())
            * size_of::<u32>()
    }
}

/// Places the values that `visit` gives under their keys: offsets by key, and the values in stable order.
fn counting_sort(
    keys: &[u32],
    key_count: usize,
    visit: impl FnOnce(&mut dyn FnMut(u32, u32)),
) -> (Vec<u32>, Vec<u32>) {
    let mut offsets = vec![0u32; key_count + 1];
    for key in keys.iter().filter(|key| **key != DANGLING) {
        offsets[*key as usize + 1] += 1;
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

    fn build(source: &[u32], destination: &[u32], orientation: Orientation) -> Adjacency {
        let ends =
            EdgeEnds { source: source.to_vec(), destination: destination.to_vec(), unresolved: 0 };
        Adjacency::build(&ends, orientation, 4, 4, &CancelFlag::default()).unwrap()
    }

    #[test]
    fn lists_are_sorted_and_skip_dangling_edges() {
        let source = [0, 2, 0, DANGLING, 0, 2];
        let destination = [3, 1, 1, DANGLING, 1, 2];
        let out = build(&source, &destination, Orientation::Out);
        assert_eq!(out.neighbors(0), (&[1, 1, 3][..], &[2, 4, 0][..]));
        assert_eq!(out.neighbors(1), (&[][..], &[][..]));
        assert_eq!(out.neighbors(2), (&[1, 2][..], &[1, 5][..]));
        assert_eq!(out.neighbors(9), (&[][..], &[][..]));
        assert_eq!(out.edges_between(0, 1), &[2, 4]);
        assert_eq!(out.edges_between(0, 2), &[] as &[u32]);
        let back = build(&source, &destination, Orientation::In);
        assert_eq!(back.neighbors(1), (&[0, 0, 2][..], &[2, 4, 1][..]));
        assert_eq!(back.len(), 5);
    }
}
