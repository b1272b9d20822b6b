//! Which algorithm runs.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt64Array};

use super::parameters::Parameters;
use super::progress::Progress;
use super::projection::Projection;
use super::{centrality, cohesion, community, components, louvain, search};
use crate::error::{PgError, SqlState};
use crate::planner::node::Algorithm;

/// What an algorithm says of vertices.
#[derive(Debug)]
pub struct Results {
    /// Element references.
    pub vertices: ArrayRef,
    /// One value for each.
    pub values: ArrayRef,
}

/// Runs an algorithm. `source` is the element reference of the vertex that a search starts from.
///
/// # Errors
/// `22023` for parameters, `57014` when canceled.
pub fn run(
    algorithm: Algorithm,
    graph: &Projection,
    parameters: &Parameters,
    source: Option<u64>,
    progress: &Progress,
) -> Result<Results, PgError> {
    let from = || {
        let reference = source.ok_or_else(no_source)?;
        let at = graph.refs.binary_search(&reference).map_err(|_| no_source())?;
        Ok::<u32, PgError>(at as u32)
    };
    match algorithm {
        Algorithm::PageRank => {
            Ok(floats(graph, centrality::page_rank(graph, parameters, progress)?))
        }
        Algorithm::Betweenness => {
            Ok(floats(graph, centrality::betweenness(graph, parameters, progress)?))
        }
        Algorithm::Degree => Ok(floats(graph, centrality::degree(graph, parameters, progress)?)),
        Algorithm::ClusteringCoefficient => {
            Ok(floats(graph, cohesion::clustering(graph, progress)?))
        }
        Algorithm::Wcc => Ok(integers(graph, components::weak(graph, progress)?)),
        Algorithm::Scc => Ok(integers(graph, components::strong(graph, progress)?)),
        Algorithm::TriangleCount => Ok(integers(graph, cohesion::triangles(graph, progress)?)),
        Algorithm::KCore => Ok(integers(graph, cohesion::cores(graph, progress)?)),
        Algorithm::LabelPropagation => {
            Ok(integers(graph, community::labels(graph, parameters, progress)?))
        }
        Algorithm::Louvain => {
            Ok(integers(graph, louvain::communities(graph, parameters, progress)?))
        }
        Algorithm::Bfs => {
            let levels = search::levels(graph, from()?, parameters, progress)?;
            let (vertices, levels) = reached(graph, levels);
            Ok(Results { vertices, values: Arc::new(Int64Array::from(levels)) })
        }
        Algorithm::Sssp => {
            let distances = search::distances(graph, from()?, parameters, progress)?;
            let (vertices, distances) = reached(graph, distances);
            Ok(Results { vertices, values: Arc::new(Float64Array::from(distances)) })
        }
    }
}

fn no_source() -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        "the source of the search is not a vertex of the subgraph",
    )
}

fn all(graph: &Projection) -> ArrayRef {
    Arc::new(UInt64Array::from(graph.refs.clone()))
}

fn floats(graph: &Projection, values: Vec<f64>) -> Results {
    Results { vertices: all(graph), values: Arc::new(Float64Array::from(values)) }
}

fn integers(graph: &Projection, values: Vec<i64>) -> Results {
    Results { vertices: all(graph), values: Arc::new(Int64Array::from(values)) }
}

fn reached<T>(graph: &Projection, values: Vec<Option<T>>) -> (ArrayRef, Vec<T>) {
    let (mut vertices, mut found) = (Vec::new(), Vec::new());
    for (vertex, value) in graph.refs.iter().zip(values) {
        if let Some(value) = value {
            vertices.push(*vertex);
            found.push(value);
        }
    }
    (Arc::new(UInt64Array::from(vertices)), found)
}
