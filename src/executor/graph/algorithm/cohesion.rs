//! Triangles, clustering and cores, of the undirected graph without parallel edges and loops.

use super::progress::Progress;
use super::projection::{Lists, Projection};
use crate::error::PgError;

/// Triangles through each vertex: for each edge towards the end of greater degree, the common neighbors further on.
///
/// Source: Chiba, Nishizeki, "Arboricity and subgraph listing algorithms", 1985.
pub(super) fn triangles(graph: &Projection, progress: &Progress) -> Result<Vec<i64>, PgError> {
    let lists = graph.simple();
    let rank = |vertex: u32| (lists.degree(vertex), vertex);
    let forward: Vec<Vec<u32>> = lists
        .vertices()
        .map(|vertex| {
            let further = lists.neighbors(vertex).iter().copied();
            further.filter(|neighbor| rank(*neighbor) > rank(vertex)).collect()
        })
        .collect();
    let mut counts = vec![0; lists.len()];
    progress.expect(lists.len());
    for vertex in lists.vertices() {
        progress.step()?;
        let own = &forward[vertex as usize];
        for neighbor in own {
            for common in common(own, &forward[*neighbor as usize]) {
                for corner in [vertex, *neighbor, common] {
                    counts[corner as usize] += 1;
                }
            }
        }
    }
    Ok(counts)
}

/// What two ascending lists have in common.
fn common<'a>(left: &'a [u32], right: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    std::iter::from_fn(move || {
        loop {
            let (one, other) = (*left.peek()?, *right.peek()?);
            if one <= other {
                left.next();
            }
            if other <= one {
                right.next();
            }
            if one == other {
                return Some(one);
            }
        }
    })
}

/// Part of the pairs of a vertex's neighbors that are neighbors themselves; 0 for fewer than two neighbors.
pub(super) fn clustering(graph: &Projection, progress: &Progress) -> Result<Vec<f64>, PgError> {
    let triangles = triangles(graph, progress)?;
    let lists = graph.simple();
    Ok(triangles
        .into_iter()
        .zip(lists.vertices())
        .map(|(triangles, vertex)| match lists.degree(vertex) {
            0 | 1 => 0.0,
            degree => 2.0 * triangles as f64 / (degree as f64 * (degree - 1) as f64),
        })
        .collect())
}

/// The greatest k for which a vertex is in a subgraph where each has k neighbors.
///
/// Source: Batagelj, Zaversnik, "An O(m) algorithm for cores decomposition of networks", 2003.
pub(super) fn cores(graph: &Projection, progress: &Progress) -> Result<Vec<i64>, PgError> {
    let lists = graph.simple();
    let mut degrees: Vec<usize> = lists.vertices().map(|vertex| lists.degree(vertex)).collect();
    let (mut order, mut places, mut starts) = by_degree(&lists, &degrees);
    progress.expect(lists.len());
    for at in 0..order.len() {
        progress.step()?;
        let vertex = order[at];
        for neighbor in lists.neighbors(vertex) {
            let other = *neighbor as usize;
            if degrees[other] <= degrees[vertex as usize] {
                continue;
            }
            // The neighbor becomes the first of its degree, and then the last of the one below.
            let (place, first) = (places[other], starts[degrees[other]]);
            let swapped = order[first];
            order.swap(place, first);
            (places[other], places[swapped as usize]) = (first, place);
            starts[degrees[other]] += 1;
            degrees[other] -= 1;
        }
    }
    Ok(degrees.into_iter().map(|degree| degree as i64).collect())
}

/// Vertices by degree, where each is, and where each degree begins.
fn by_degree(lists: &Lists, degrees: &[usize]) -> (Vec<u32>, Vec<usize>, Vec<usize>) {
    let most = degrees.iter().max().copied().unwrap_or(0);
    let mut starts = vec![0; most + 2];
    for degree in degrees {
        starts[degree + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let (mut order, mut places) = (vec![0; degrees.len()], vec![0; degrees.len()]);
    for vertex in lists.vertices() {
        let slot = &mut next[degrees[vertex as usize]];
        order[*slot] = vertex;
        places[vertex as usize] = *slot;
        *slot += 1;
    }
    (order, places, starts)
}
