//! Communities by modularity.

use datafusion::common::HashMap;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::centrality::{checked, shuffled};
use super::components::numbered;
use super::parameters::Parameters;
use super::progress::Progress;
use super::projection::Projection;
use crate::error::{PgError, SqlState};

/// A gain in modularity below this is none, but the rounding of sums.
const GAIN_MIN: f64 = 1e-12;
/// Orders of vertices that are tried, at least and (in small graphs) at most; the best partition counts.
const TRIES: (usize, usize) = (4, 32);
/// How often coarsening and moving single vertices may take turns.
const ROUNDS_MAX: usize = 16;
/// So many edges are worth one more try.
const TRY_EDGES: usize = 1 << 20;

/// A graph of communities: edges to other communities in both directions, and twice the weight within.
struct Level {
    neighbors: Vec<Vec<(u32, f64)>>,
    within: Vec<f64>,
    /// Sum of the weights at each vertex.
    degrees: Vec<f64>,
    /// Twice the sum of all weights.
    total: f64,
}

/// Communities of an undirected weighted graph, numbered from 0 in the order of their first vertices.
///
/// Source: Blondel, Guillaume, Lambiotte, Lefebvre, "Fast unfolding of communities in large networks", 2008; that single
/// vertices move again afterwards: Rotta, Noack, "Multilevel local search algorithms for modularity clustering", 2011.
pub(super) fn communities(
    graph: &Projection,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<i64>, PgError> {
    if graph.edges.iter().any(|(_, _, weight)| *weight < 0.0) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "modularity needs weights that are not negative",
        ));
    }
    let mut random = StdRng::seed_from_u64(parameters.seed()?);
    let first = Level::of(graph);
    let mut best: Option<(f64, Vec<u32>)> = None;
    let tries = (TRY_EDGES / (graph.edges.len() + 1)).clamp(TRIES.0, TRIES.1);
    progress.expect(tries);
    for _ in 0..tries {
        progress.step()?;
        let groups = one_try(&first, graph.len(), &mut random, progress)?;
        let modularity = first.modularity(&groups);
        if best.as_ref().is_none_or(|(known, _)| modularity > *known) {
            best = Some((modularity, groups));
        }
    }
    Ok(numbered(&best.map(|(_, groups)| groups).unwrap_or_default()))
}

/// Communities from one order of vertices: made coarser until that gains nothing, then single vertices move between what
/// came out, and again, as long as either gains.
fn one_try(
    first: &Level,
    vertices: usize,
    random: &mut StdRng,
    progress: &Progress,
) -> Result<Vec<u32>, PgError> {
    let mut groups = coarsened(first, (0..vertices as u32).collect(), random, progress)?;
    for _ in 0..ROUNDS_MAX {
        let (moved, any) = first.local_moves(groups.clone(), random, progress)?;
        if !any {
            break;
        }
        let dense = dense(&moved);
        let level = first.contracted(&dense);
        groups = coarsened(&level, dense, random, progress)?;
    }
    Ok(groups)
}

/// Merges the communities of a level, which has one vertex for each group, until no merging gains.
fn coarsened(
    level: &Level,
    mut groups: Vec<u32>,
    random: &mut StdRng,
    progress: &Progress,
) -> Result<Vec<u32>, PgError> {
    let mut own: Option<Level> = None;
    loop {
        let current = own.as_ref().unwrap_or(level);
        let alone = (0..current.degrees.len() as u32).collect();
        let (moved, any) = current.local_moves(alone, random, progress)?;
        if !any {
            return Ok(groups);
        }
        let dense = dense(&moved);
        let next = current.contracted(&dense);
        for group in &mut groups {
            *group = dense[*group as usize];
        }
        own = Some(next);
    }
}

/// Groups numbered from 0.
fn dense(groups: &[u32]) -> Vec<u32> {
    numbered(groups).into_iter().map(|group| group as u32).collect()
}

impl Level {
    fn of(graph: &Projection) -> Self {
        let mut within = vec![0.0; graph.len()];
        let mut sums: Vec<HashMap<u32, f64>> = vec![HashMap::new(); graph.len()];
        for (from, to, weight) in &graph.edges {
            if from == to {
                within[*from as usize] += 2.0 * weight;
            } else {
                *sums[*from as usize].entry(*to).or_default() += weight;
                *sums[*to as usize].entry(*from).or_default() += weight;
            }
        }
        Self::from_sums(sums, within)
    }

    fn from_sums(sums: Vec<HashMap<u32, f64>>, within: Vec<f64>) -> Self {
        let neighbors: Vec<Vec<(u32, f64)>> = sums
            .into_iter()
            .map(|sums| {
                let mut list: Vec<(u32, f64)> = sums.into_iter().collect();
                list.sort_by_key(|(neighbor, _)| *neighbor);
                list
            })
            .collect();
        let degrees: Vec<f64> = neighbors
            .iter()
            .zip(&within)
            .map(|(list, within)| list.iter().map(|(_, weight)| weight).sum::<f64>() + within)
            .collect();
        let total = degrees.iter().sum();
        Self { neighbors, within, degrees, total }
    }

    /// From some communities on, moves vertices to the neighboring one that gains most, until none does; the communities,
    /// and whether any vertex moved.
    fn local_moves(
        &self,
        mut groups: Vec<u32>,
        random: &mut StdRng,
        progress: &Progress,
    ) -> Result<(Vec<u32>, bool), PgError> {
        let mut sums = vec![0.0; groups.len()];
        for (group, degree) in groups.iter().zip(&self.degrees) {
            sums[*group as usize] += degree;
        }
        let order = shuffled(groups.len(), random);
        let mut links: HashMap<u32, f64> = HashMap::new();
        let (mut any, mut moved) = (false, self.total > 0.0);
        while moved {
            moved = false;
            for vertex in &order {
                checked(progress, *vertex)?;
                let (at, degree) = (*vertex as usize, self.degrees[*vertex as usize]);
                links.clear();
                for (neighbor, weight) in &self.neighbors[at] {
                    *links.entry(groups[*neighbor as usize]).or_default() += weight;
                }
                let own = groups[at];
                sums[own as usize] -= degree;
                let gain = |group: u32| {
                    let linked = links.get(&group).copied().unwrap_or(0.0);
                    linked - sums[group as usize] * degree / self.total
                };
                let mut best = (own, gain(own));
                let mut candidates: Vec<u32> = links.keys().copied().collect();
                candidates.sort_unstable();
                for group in candidates {
                    let gained = gain(group);
                    if gained > best.1 + GAIN_MIN * self.total {
                        best = (group, gained);
                    }
                }
                sums[best.0 as usize] += degree;
                if best.0 != own {
                    groups[at] = best.0;
                    (any, moved) = (true, true);
                }
            }
        }
        Ok((groups, any))
    }

    /// The graph whose vertices are the communities.
    fn contracted(&self, groups: &[u32]) -> Self {
        let count = groups.iter().max().map_or(0, |last| *last as usize + 1);
        let mut within = vec![0.0; count];
        let mut sums: Vec<HashMap<u32, f64>> = vec![HashMap::new(); count];
        for (vertex, group) in groups.iter().enumerate() {
            let group = *group as usize;
            within[group] += self.within[vertex];
            for (neighbor, weight) in &self.neighbors[vertex] {
                let other = groups[*neighbor as usize] as usize;
                if other == group {
                    within[group] += weight;
                } else {
                    *sums[group].entry(other as u32).or_default() += weight;
                }
            }
        }
        Self::from_sums(sums, within)
    }

    fn modularity(&self, groups: &[u32]) -> f64 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let mut sums = vec![0.0; groups.len()];
        let mut inside = 0.0;
        for (vertex, group) in groups.iter().enumerate() {
            sums[*group as usize] += self.degrees[vertex];
            inside += self.within[vertex];
            for (neighbor, weight) in &self.neighbors[vertex] {
                if groups[*neighbor as usize] == *group {
                    inside += weight;
                }
            }
        }
        let expected: f64 = sums.iter().map(|sum| (sum / self.total).powi(2)).sum();
        inside / self.total - expected
    }
}
