//! Algorithms on small graphs whose answers are known, and against slow ones on random graphs.

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Parameters, Progress, Projection, run};
use crate::error::SqlState;
use crate::planner::node::Algorithm;

fn graph(vertices: u64, edges: &[(u32, u32)]) -> Projection {
    let edges = edges.iter().map(|(from, to)| (*from, *to, 1.0)).collect();
    Projection { refs: (0..vertices).collect(), edges }
}

fn results(
    algorithm: Algorithm,
    graph: &Projection,
    parameters: &str,
) -> Result<super::Results, crate::error::PgError> {
    let parameters = Parameters::parse(parameters).unwrap();
    let progress = Progress::start(0, "test", (0, 0));
    run(algorithm, graph, &parameters, Some(0), &progress)
}

fn integers(algorithm: Algorithm, graph: &Projection, parameters: &str) -> Vec<i64> {
    let results = results(algorithm, graph, parameters).unwrap();
    results.values.as_primitive::<Int64Type>().values().to_vec()
}

fn floats(algorithm: Algorithm, graph: &Projection, parameters: &str) -> Vec<f64> {
    let results = results(algorithm, graph, parameters).unwrap();
    results.values.as_primitive::<Float64Type>().values().to_vec()
}

fn random_graph(random: &mut StdRng) -> Projection {
    let vertices = random.random_range(1..20u32);
    let edges = random.random_range(0..50);
    let edges: Vec<(u32, u32)> = (0..edges)
        .map(|_| (random.random_range(0..vertices), random.random_range(0..vertices)))
        .collect();
    graph(u64::from(vertices), &edges)
}

/// Which vertices each vertex reaches, itself among them.
fn reachable(graph: &Projection, both_ways: bool) -> Vec<Vec<bool>> {
    let n = graph.refs.len();
    let mut reach = vec![vec![false; n]; n];
    (0..n).for_each(|vertex| reach[vertex][vertex] = true);
    for (from, to, _) in &graph.edges {
        reach[*from as usize][*to as usize] = true;
        reach[*to as usize][*from as usize] |= both_ways;
    }
    for middle in 0..n {
        for from in 0..n {
            for to in 0..n {
                reach[from][to] |= reach[from][middle] && reach[middle][to];
            }
        }
    }
    reach
}

#[test]
fn components_are_what_can_be_reached() {
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..200 {
        let graph = random_graph(&mut random);
        let n = graph.refs.len();
        for (algorithm, both_ways) in [(Algorithm::Wcc, true), (Algorithm::Scc, false)] {
            let components = integers(algorithm, &graph, "");
            let reach = reachable(&graph, both_ways);
            for from in 0..n {
                for to in 0..n {
                    let same = reach[from][to] && reach[to][from];
                    assert_eq!(components[from] == components[to], same, "{algorithm:?} {graph:?}");
                }
            }
        }
    }
}

#[test]
fn triangles_and_cores_by_counting() {
    let mut random = StdRng::seed_from_u64(8);
    for _ in 0..200 {
        let graph = random_graph(&mut random);
        let n = graph.refs.len();
        let mut linked = vec![vec![false; n]; n];
        for (from, to, _) in graph.edges.iter().filter(|edge| edge.0 != edge.1) {
            linked[*from as usize][*to as usize] = true;
            linked[*to as usize][*from as usize] = true;
        }
        let triangles = integers(Algorithm::TriangleCount, &graph, "");
        for (vertex, triangles) in triangles.iter().enumerate() {
            let pairs = (0..n).flat_map(|a| (0..a).map(move |b| (a, b)));
            let count = pairs
                .filter(|(a, b)| linked[vertex][*a] && linked[vertex][*b] && linked[*a][*b])
                .count();
            assert_eq!(*triangles, count as i64);
        }
        let cores = integers(Algorithm::KCore, &graph, "");
        for k in 0..=n as i64 {
            let mut members: Vec<bool> = vec![true; n];
            loop {
                let degree = |vertex: usize| {
                    (0..n).filter(|other| members[*other] && linked[vertex][*other]).count() as i64
                };
                let weak: Vec<usize> =
                    (0..n).filter(|vertex| members[*vertex] && degree(*vertex) < k).collect();
                if weak.is_empty() {
                    break;
                }
                weak.into_iter().for_each(|vertex| members[vertex] = false);
            }
            let expected: Vec<bool> = cores.iter().map(|core| *core >= k).collect();
            assert_eq!(members, expected, "{k}-core of {graph:?}");
        }
    }
}

#[test]
fn ranks_of_a_known_graph() {
    // Two vertices point at a third, which points at nothing.
    let scores =
        floats(Algorithm::PageRank, &graph(3, &[(0, 2), (1, 2)]), r#"{"iterations": 100}"#);
    assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!((scores[0] - scores[1]).abs() < 1e-12 && scores[2] > 2.0 * scores[0]);
    // In a cycle all are alike.
    let scores = floats(Algorithm::PageRank, &graph(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]), "");
    assert!(scores.iter().all(|score| (score - 0.25).abs() < 1e-12));
}

#[test]
fn paths_levels_and_betweenness() {
    let path = graph(4, &[(0, 1), (1, 2), (2, 3)]);
    assert_eq!(integers(Algorithm::Bfs, &path, ""), [0, 1, 2, 3]);
    assert_eq!(integers(Algorithm::Bfs, &path, r#"{"maxDepth": 1}"#), [0, 1]);
    assert_eq!(integers(Algorithm::Bfs, &path, r#"{"orientation": "reverse"}"#), [0]);
    assert_eq!(floats(Algorithm::Betweenness, &path, ""), [0.0, 2.0, 2.0, 0.0]);
    let undirected = r#"{"orientation": "UNDIRECTED"}"#;
    assert_eq!(floats(Algorithm::Betweenness, &path, undirected), [0.0, 2.0, 2.0, 0.0]);
    let weighted =
        Projection { refs: vec![0, 1, 2], edges: vec![(0, 1, 5.0), (0, 2, 1.0), (2, 1, 1.5)] };
    assert_eq!(floats(Algorithm::Sssp, &weighted, ""), [0.0, 2.5, 1.0]);
    assert_eq!(floats(Algorithm::Degree, &weighted, ""), [6.0, 0.0, 1.5]);
}

#[test]
fn two_cliques_are_two_communities() {
    let mut edges = vec![(3, 4)];
    for (from, to) in (0..4).flat_map(|from| (0..from).map(move |to| (from, to))) {
        edges.extend([(from, to), (from + 4, to + 4)]);
    }
    let graph = graph(8, &edges);
    assert_eq!(integers(Algorithm::Louvain, &graph, ""), [0, 0, 0, 0, 1, 1, 1, 1]);
    let labels = integers(Algorithm::LabelPropagation, &graph, "");
    assert_eq!(labels[..3], [0, 0, 0]);
    assert!((floats(Algorithm::ClusteringCoefficient, &graph, "")[0] - 1.0).abs() < 1e-12);
}

#[test]
fn what_is_wrong_is_said() {
    let code = |algorithm, parameters: &str| {
        results(algorithm, &graph(2, &[(0, 1)]), parameters).unwrap_err().code()
    };
    let wrong = SqlState::INVALID_PARAMETER_VALUE;
    assert_eq!(code(Algorithm::PageRank, r#"{"damping": 2}"#), wrong);
    assert_eq!(code(Algorithm::PageRank, r#"{"iterations": 0}"#), wrong);
    assert_eq!(code(Algorithm::Degree, r#"{"orientation": "sideways"}"#), wrong);
    assert_eq!(Parameters::parse("[]").unwrap_err().code(), wrong);
    assert_eq!(Parameters::parse(r#"{"dumping": 1}"#).unwrap_err().code(), wrong);
    let negative = Projection { refs: vec![0, 1], edges: vec![(0, 1, -1.0)] };
    assert_eq!(results(Algorithm::Sssp, &negative, "").unwrap_err().code(), wrong);
    // An empty graph has nothing to say.
    assert!(floats(Algorithm::PageRank, &graph(0, &[]), "").is_empty());
    assert!(integers(Algorithm::Louvain, &graph(0, &[]), "").is_empty());
    assert!(integers(Algorithm::KCore, &graph(0, &[]), "").is_empty());
}

#[test]
fn a_run_stops_when_it_is_canceled() {
    let progress = Progress::start(0, "test", (0, 0));
    progress.cancel();
    let parameters = Parameters::default();
    let error = run(Algorithm::PageRank, &graph(1, &[]), &parameters, None, &progress).unwrap_err();
    assert_eq!(error.code(), SqlState::QUERY_CANCELED);
}
