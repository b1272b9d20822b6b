//! Communities by label propagation.

use datafusion::common::HashMap;

use super::parameters::Parameters;
use super::progress::Progress;
use super::projection::{Orientation, Projection};
use crate::error::PgError;

/// Each vertex begins with its own number and takes, all at once, the label most of its neighbors have; the least of
/// those if there are several. In a directed graph a neighbor by edges both ways counts twice.
///
/// Source: the LDBC Graphalytics benchmark, algorithm CDLP; Raghavan, Albert, Kumara, 2007.
pub(super) fn labels(
    graph: &Projection,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Vec<i64>, PgError> {
    let iterations = parameters.iterations(10)?;
    let lists = match parameters.orientation(Orientation::Undirected)? {
        // Both ends of each edge count for each other.
        Orientation::Undirected => graph.lists(Orientation::Undirected),
        // What points at a vertex has its say.
        Orientation::Natural => graph.lists(Orientation::Reverse),
        Orientation::Reverse => graph.lists(Orientation::Natural),
    };
    let mut labels: Vec<u32> = lists.vertices().collect();
    let mut counts: HashMap<u32, usize> = HashMap::new();
    progress.expect(iterations);
    for _ in 0..iterations {
        progress.step()?;
        let mut next = Vec::with_capacity(labels.len());
        for vertex in lists.vertices() {
            counts.clear();
            for neighbor in lists.neighbors(vertex) {
                *counts.entry(labels[*neighbor as usize]).or_default() += 1;
            }
            let best = counts.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
            next.push(best.map_or(labels[vertex as usize], |(label, _)| *label));
        }
        let settled = next == labels;
        labels = next;
        if settled {
            break;
        }
    }
    Ok(labels.into_iter().map(i64::from).collect())
}
