//! Matching by trying everything: slow, and simple enough to be believed.

use std::collections::BTreeMap;

use super::fixture::{Edge, Fixture};
use crate::planner::{
    BoundPattern, Direction, EdgeRule, PathMode, PathSearch, PatternEdge, PatternElement,
    Quantifier,
};
use crate::types::ElementRef;

/// Conditions that the test puts on elements: `x` or `w` at least so much, by index in the pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    pub(super) vertices: BTreeMap<usize, i64>,
    pub(super) edges: BTreeMap<usize, i64>,
    /// Two vertices of equal `x`.
    pub(super) equal: Option<(usize, usize)>,
}

/// A match: vertices, then the edges of each query edge.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub(super) vertices: Vec<u64>,
    pub(super) edges: Vec<Vec<u64>>,
}

/// The search along an edge, if there is one.
pub(super) fn search_of(pattern: &BoundPattern, edge: usize) -> Option<PathSearch> {
    pattern
        .paths
        .iter()
        .find(|path| {
            path.search != PathSearch::All && path.elements.contains(&PatternElement::Edge(edge))
        })
        .map(|path| path.search)
}

/// All matches; for a search of any shortest path, all shortest ones (the caller picks).
pub(super) fn matches(
    fixture: &Fixture,
    pattern: &BoundPattern,
    conditions: &Conditions,
    bound: &BTreeMap<usize, u64>,
) -> Vec<Match> {
    let mut found = Vec::new();
    let mut vertices = Vec::new();
    assign(fixture, pattern, conditions, bound, &mut vertices, &mut found);
    found
}

fn assign(
    fixture: &Fixture,
    pattern: &BoundPattern,
    conditions: &Conditions,
    bound: &BTreeMap<usize, u64>,
    vertices: &mut Vec<u64>,
    found: &mut Vec<Match>,
) {
    let at = vertices.len();
    if at == pattern.vertices.len() {
        if let Some((left, right)) = conditions.equal {
            let x = |vertex: u64| fixture.vertices.iter().find(|(id, _)| *id == vertex).unwrap().1;
            if x(vertices[left]) != x(vertices[right]) {
                return;
            }
        }
        let mut edges = Vec::new();
        assign_edges(fixture, pattern, conditions, vertices, &mut edges, found);
        return;
    }
    for (vertex, x) in &fixture.vertices {
        let fits = pattern.vertices[at].tables.contains(&ElementRef(*vertex).table())
            && conditions.vertices.get(&at).is_none_or(|least| x >= least)
            && bound.get(&at).is_none_or(|bound| bound == vertex);
        if fits {
            vertices.push(*vertex);
            assign(fixture, pattern, conditions, bound, vertices, found);
            vertices.pop();
        }
    }
}

fn assign_edges(
    fixture: &Fixture,
    pattern: &BoundPattern,
    conditions: &Conditions,
    vertices: &[u64],
    edges: &mut Vec<Vec<u64>>,
    found: &mut Vec<Match>,
) {
    let at = edges.len();
    let Some(edge) = pattern.edges.get(at) else {
        found.push(Match { vertices: vertices.to_vec(), edges: edges.clone() });
        return;
    };
    let least = conditions.edges.get(&at).copied();
    let mut walks = walks(fixture, pattern.edge_rule, edge, least, vertices[edge.left]);
    walks.retain(|(_, end)| *end == vertices[edge.right]);
    if search_of(pattern, at).is_some() {
        let shortest = walks.iter().map(|(walk, _)| walk.len()).min();
        walks.retain(|(walk, _)| Some(walk.len()) == shortest);
    }
    for (walk, _) in walks {
        let repeats = edges.iter().flatten().any(|edge| walk.contains(edge));
        if pattern.edge_rule == EdgeRule::Repeat || !repeats {
            edges.push(walk);
            assign_edges(fixture, pattern, conditions, vertices, edges, found);
            edges.pop();
        }
    }
}

/// Edges that leave a vertex as a query edge allows, with where they lead.
fn steps<'a>(
    fixture: &'a Fixture,
    edge: &'a PatternEdge,
    least: Option<i64>,
    from: u64,
) -> impl Iterator<Item = (u64, u64)> + 'a {
    fixture
        .edges
        .iter()
        .filter(move |it| edge.tables.contains(&ElementRef(it.id).table()))
        .filter(move |it| least.is_none_or(|least| it.weight >= least))
        .filter_map(move |Edge { id, source, target, .. }| {
            let right = (*source == from).then_some((*id, *target));
            let left = (*target == from).then_some((*id, *source));
            match edge.direction {
                Direction::Right => right,
                Direction::Left => left,
                Direction::Any => right.or(left),
            }
        })
}

/// The walks of a query edge from a vertex: their edges and where they end.
fn walks(
    fixture: &Fixture,
    rule: EdgeRule,
    edge: &PatternEdge,
    least: Option<i64>,
    from: u64,
) -> Vec<(Vec<u64>, u64)> {
    let Some(Quantifier { min, max }) = edge.quantifier else {
        return steps(fixture, edge, least, from).map(|(id, to)| (vec![id], to)).collect();
    };
    let mode = match (rule, edge.mode) {
        (EdgeRule::Distinct, PathMode::Walk) => PathMode::Trail,
        (_, mode) => mode,
    };
    let mut complete = Vec::new();
    let mut open = vec![(Vec::new(), vec![from])];
    while let Some((edges, vertices)) = open.pop() {
        let end = *vertices.last().unwrap();
        let closed = !edges.is_empty() && end == from;
        if edges.len() >= min as usize {
            complete.push((edges.clone(), end));
        }
        if max.is_some_and(|max| edges.len() >= max as usize)
            || (mode == PathMode::Simple && closed)
        {
            continue;
        }
        for (id, to) in steps(fixture, edge, least, end) {
            let allowed = match mode {
                PathMode::Walk => true,
                PathMode::Trail => !edges.contains(&id),
                PathMode::Acyclic => !vertices.contains(&to),
                PathMode::Simple => !vertices[1..].contains(&to),
            };
            if allowed {
                let (mut edges, mut vertices) = (edges.clone(), vertices.clone());
                edges.push(id);
                vertices.push(to);
                open.push((edges, vertices));
            }
        }
    }
    complete
}
