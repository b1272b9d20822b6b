//! PageRank, betweenness and degree.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};

use super::parameters::Parameters;
use super::progress::Progress;
use super::projection::{Lists, Orientation, Projection, check_every};
use crate::error::PgError;

/// Scores that sum up to 1; what a vertex without edges has goes to all alike.
///
/// Source: Page, Brin, Motwani, Winograd, "The PageRank Citation Ranking", 1999; dangling vertices as in LDBC
/// Graphalytics.
pub(super) fn page_rank(
    graph: &Projection,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<f64>, PgError> {
    let (iterations, damping) = (parameters.iterations(20)?, parameters.damping()?);
    let tolerance = parameters.tolerance()?;
    let orientation = parameters.orientation(Orientation::Natural)?;
    let out = graph.lists(orientation);
    let n = graph.len() as f64;
    let sums: Vec<f64> =
        out.vertices().map(|vertex| out.weighted(vertex).map(|(_, weight)| weight).sum()).collect();
    let mut scores = vec![1.0 / n; graph.len()];
    progress.expect(iterations);
    for _ in 0..iterations {
        progress.step()?;
        let mut next = vec![0.0; scores.len()];
        let mut dangling = 0.0;
        for vertex in out.vertices() {
            let (score, sum) = (scores[vertex as usize], sums[vertex as usize]);
            if sum <= 0.0 {
                dangling += score;
                continue;
            }
            for (neighbor, weight) in out.weighted(vertex) {
                next[neighbor as usize] += score * weight / sum;
            }
        }
        let base = (1.0 - damping) / n + damping * dangling / n;
        let mut change = 0.0;
        for (score, next) in scores.iter_mut().zip(next) {
            let next = base + damping * next;
            change += (next - *score).abs();
            *score = next;
        }
        if tolerance.is_some_and(|tolerance| change < tolerance) {
            break;
        }
    }
    Ok(scores)
}

/// Shortest paths through each vertex, by Brandes' algorithm, from all vertices or a sample of them.
///
/// A sample of k from n sources estimates a vertex's score with a standard error that shrinks as `1/sqrt(k)`: with
/// probability 1 - 2/n^2 the normalized error is below `sqrt(ln(n) / k)` (Brandes and Pich, after Hoeffding).
///
/// Source: Brandes, "A Faster Algorithm for Betweenness Centrality", 2001; Brandes, Pich, "Centrality Estimation in
/// Large Networks", 2007.
pub(super) fn betweenness(
    graph: &Projection,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<f64>, PgError> {
    let orientation = parameters.orientation(Orientation::Natural)?;
    // Parallel edges are one: paths are told apart by their vertices.
    let lists = distinct(graph, orientation);
    let n = graph.len();
    let sources: Vec<u32> = match parameters.sample_size()? {
        Some(size) if size < n => {
            let mut random = StdRng::seed_from_u64(parameters.seed()?);
            sample(&mut random, n, size).into_iter().map(|at| at as u32).collect()
        }
        _ => lists.vertices().collect(),
    };
    let mut scores = vec![0.0; n];
    let mut search = Brandes::new(n);
    progress.expect(sources.len());
    for source in &sources {
        progress.step()?;
        search.run(&lists, *source, &mut scores);
    }
    let mut scale = n as f64 / sources.len().max(1) as f64;
    if parameters.normalized()? {
        scale *= if n > 2 { 1.0 / ((n - 1) as f64 * (n - 2) as f64) } else { 1.0 };
    } else if orientation == Orientation::Undirected {
        // Each pair was seen from both ends.
        scale /= 2.0;
    }
    scores.iter_mut().for_each(|score| *score *= scale);
    Ok(scores)
}

/// Neighbor lists without parallel edges and loops.
fn distinct(graph: &Projection, orientation: Orientation) -> Lists {
    if orientation == Orientation::Undirected {
        return graph.simple();
    }
    let mut pairs: Vec<(u32, u32)> = graph
        .edges
        .iter()
        .filter(|edge| edge.0 != edge.1)
        .map(|edge| match orientation {
            Orientation::Reverse => (edge.1, edge.0),
            Orientation::Natural | Orientation::Undirected => (edge.0, edge.1),
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    Lists::of(graph.len(), pairs.into_iter().map(|(from, to)| (from, to, 1.0)))
}

struct Brandes {
    paths: Vec<f64>,
    distances: Vec<u32>,
    dependencies: Vec<f64>,
    order: Vec<u32>,
    queue: VecDeque<u32>,
}

impl Brandes {
    fn new(vertices: usize) -> Self {
        Self {
            paths: vec![0.0; vertices],
            distances: vec![u32::MAX; vertices],
            dependencies: vec![0.0; vertices],
            order: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    /// Adds what the shortest paths from one source say of each vertex.
    fn run(&mut self, lists: &Lists, source: u32, scores: &mut [f64]) {
        self.paths.fill(0.0);
        self.distances.fill(u32::MAX);
        self.dependencies.fill(0.0);
        self.order.clear();
        (self.paths[source as usize], self.distances[source as usize]) = (1.0, 0);
        self.queue.push_back(source);
        while let Some(vertex) = self.queue.pop_front() {
            self.order.push(vertex);
            let next = self.distances[vertex as usize] + 1;
            for neighbor in lists.neighbors(vertex) {
                let at = *neighbor as usize;
                if self.distances[at] == u32::MAX {
                    self.distances[at] = next;
                    self.queue.push_back(*neighbor);
                }
                if self.distances[at] == next {
                    self.paths[at] += self.paths[vertex as usize];
                }
            }
        }
        for vertex in self.order.iter().rev() {
            let own = *vertex as usize;
            for neighbor in lists.neighbors(*vertex) {
                let at = *neighbor as usize;
                if self.distances[at] == self.distances[own] + 1 {
                    let share = self.paths[own] / self.paths[at];
                    self.dependencies[own] += share * (1.0 + self.dependencies[at]);
                }
            }
            if *vertex != source {
                scores[own] += self.dependencies[own];
            }
        }
    }
}

/// Sums of the weights of edges, which are 1 where there is no weight.
pub(super) fn degree(
    graph: &Projection,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<f64>, PgError> {
    let orientation = parameters.orientation(Orientation::Natural)?;
    let mut degrees = vec![0.0; graph.len()];
    progress.check()?;
    for (from, to, weight) in &graph.edges {
        if orientation != Orientation::Reverse {
            degrees[*from as usize] += weight;
        }
        if orientation != Orientation::Natural {
            degrees[*to as usize] += weight;
        }
    }
    Ok(degrees)
}

/// A vertex order drawn by lot.
pub(super) fn shuffled(vertices: usize, random: &mut StdRng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..vertices as u32).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.random_range(0..=at));
    }
    order
}

/// How often a loop over vertices looks whether it is to stop.
pub(super) fn checked(progress: &Progress, vertex: u32) -> Result<(), PgError> {
    check_every(progress, vertex)
}
