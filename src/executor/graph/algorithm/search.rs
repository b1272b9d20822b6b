//! Breadth-first levels and least distances.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::parameters::Parameters;
use super::progress::Progress;
use super::projection::{Orientation, Projection, check_every};
use crate::error::{PgError, SqlState};

/// Number of edges on a shortest path from the source; `None` where there is none.
pub(super) fn levels(
    graph: &Projection,
    source: u32,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<Option<i64>>, PgError> {
    let lists = graph.lists(parameters.orientation(Orientation::Natural)?);
    let deepest = parameters.max_depth()?.unwrap_or(i64::MAX);
    let mut levels = vec![None; graph.len()];
    let mut queue = VecDeque::from([(source, 0)]);
    levels[source as usize] = Some(0);
    progress.expect(graph.len());
    while let Some((vertex, level)) = queue.pop_front() {
        progress.step()?;
        if level >= deepest {
            continue;
        }
        for neighbor in lists.neighbors(vertex) {
            let known = &mut levels[*neighbor as usize];
            if known.is_none() {
                *known = Some(level + 1);
                queue.push_back((*neighbor, level + 1));
            }
        }
    }
    Ok(levels)
}

/// A vertex at a distance, the nearest first.
#[derive(PartialEq)]
struct Reached {
    distance: f64,
    vertex: u32,
}

impl Eq for Reached {}

impl Ord for Reached {
    fn cmp(&self, other: &Self) -> Ordering {
        other.distance.total_cmp(&self.distance).then(other.vertex.cmp(&self.vertex))
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Sums of weights along least paths from the source; `None` where there is no path.
///
/// Source: Dijkstra, "A note on two problems in connexion with graphs", 1959.
pub(super) fn distances(
    graph: &Projection,
    source: u32,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<Option<f64>>, PgError> {
    if graph.edges.iter().any(|(_, _, weight)| *weight < 0.0) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "least distances need weights that are not negative",
        ));
    }
    let lists = graph.lists(parameters.orientation(Orientation::Natural)?);
    let mut distances: Vec<Option<f64>> = vec![None; graph.len()];
    let mut queue = BinaryHeap::from([Reached { distance: 0.0, vertex: source }]);
    distances[source as usize] = Some(0.0);
    progress.expect(graph.len());
    let mut steps = 0u32;
    while let Some(Reached { distance, vertex }) = queue.pop() {
        steps = steps.wrapping_add(1);
        check_every(progress, steps)?;
        if distances[vertex as usize].is_some_and(|known| known < distance) {
            continue;
        }
        progress.step()?;
        for (neighbor, weight) in lists.weighted(vertex) {
            let total = distance + weight;
            let known = &mut distances[neighbor as usize];
            if known.is_none_or(|known| total < known) {
                *known = Some(total);
                queue.push(Reached { distance: total, vertex: neighbor });
            }
        }
    }
    Ok(distances)
}
