//! Random patterns on random graphs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::col;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::brute_force::{Conditions, Match, matches, search_of};
use super::fixture::{Fixture, random_graph};
use super::{input_plan, plan, rows};
use crate::executor::operator::DistinctEnds;
use crate::planner::{
    BoundPattern, Direction, EdgeRule, GraphFunction, GraphFunctionKind, MatchPattern, PathMode,
    PathSearch, PatternEdge, PatternElement, PatternPath, PatternVertex, Quantifier,
};
use crate::types::ElementRef;
use crate::types::pg_type::PgType;

pub(super) fn property(fixture: &Fixture, name: &str, edge: bool, variable: &str) -> Expr {
    let kind = GraphFunctionKind::Property { name: name.to_owned(), ty: PgType::Int8, edge };
    GraphFunction::call(&fixture.snapshot.graph, kind, col(variable))
}

fn subset(random: &mut StdRng, count: u16) -> Vec<u16> {
    if random.random_bool(0.5) {
        return (0..count).collect();
    }
    (0..count).filter(|_| random.random_bool(0.6)).collect()
}

fn random_edge(random: &mut StdRng, at: usize, vertices: usize, quantified: bool) -> PatternEdge {
    let min = random.random_range(0..3);
    let quantifier = quantified.then(|| Quantifier {
        min,
        max: if random.random_bool(0.2) { None } else { Some(min + random.random_range(0..3)) },
    });
    let bounded = quantifier.is_none_or(|quantifier| quantifier.max.is_some());
    let modes = [PathMode::Trail, PathMode::Acyclic, PathMode::Simple, PathMode::Walk];
    PatternEdge {
        variable: format!("e{at}"),
        left: random.random_range(0..vertices),
        right: random.random_range(0..vertices),
        direction: [Direction::Right, Direction::Left, Direction::Any][random.random_range(0..3)],
        tables: subset(random, 3),
        predicate: None,
        quantifier,
        mode: modes[random.random_range(0..if bounded { 4 } else { 3 })],
        bound: false,
        optional: false,
        group: None,
    }
}

/// A pattern of a few elements; how many of its vertices the input gives.
pub(super) fn random_pattern(
    random: &mut StdRng,
    fixture: &Fixture,
    bound: usize,
) -> (BoundPattern, Conditions) {
    let mut conditions = Conditions::default();
    let triangle = random.random_bool(0.2);
    let count = if triangle { 3 } else { random.random_range(1.max(bound)..4usize) };
    let mut vertices: Vec<PatternVertex> = (0..count)
        .map(|at| PatternVertex {
            variable: format!("v{at}"),
            tables: subset(random, 2),
            predicate: None,
            bound: at < bound,
        })
        .collect();
    for (at, vertex) in vertices.iter_mut().enumerate() {
        if random.random_bool(0.3) {
            vertex.predicate =
                Some(property(fixture, "x", false, &vertex.variable).gt_eq(lit(2i64)));
            conditions.vertices.insert(at, 2);
        }
    }
    let mut edges: Vec<PatternEdge> = (0..random.random_range(0..4usize))
        .map(|at| {
            let quantified = random.random_bool(0.35);
            random_edge(random, at, count, quantified)
        })
        .collect();
    if triangle {
        edges = (0..3).map(|at| random_edge(random, at, count, false)).collect();
        for (at, edge) in edges.iter_mut().enumerate() {
            (edge.left, edge.right, edge.tables) = (at, (at + 1) % 3, vec![0, 1, 2]);
        }
    }
    let mut paths = Vec::new();
    for (at, edge) in edges.iter_mut().enumerate() {
        if random.random_bool(0.3) {
            edge.predicate = Some(property(fixture, "w", true, &edge.variable).gt_eq(lit(1i64)));
            conditions.edges.insert(at, 1);
        }
        if edge.quantifier.is_none() || random.random_bool(0.5) {
            continue;
        }
        let min = random.random_range(0..2);
        let max = if random.random_bool(0.5) { None } else { Some(random.random_range(1..4)) };
        edge.quantifier = Some(Quantifier { min, max });
        edge.mode = if max.is_some() { edge.mode } else { PathMode::Trail };
        let any = random.random_bool(0.5);
        paths.push(PatternPath {
            variable: random.random_bool(0.5).then(|| format!("p{at}")),
            elements: vec![
                PatternElement::Vertex(edge.left),
                PatternElement::Edge(at),
                PatternElement::Vertex(edge.right),
            ],
            search: if any { PathSearch::AnyShortest } else { PathSearch::AllShortest },
            mode: PathMode::Walk,
            condition: None,
        });
    }
    let rule = if random.random_bool(0.5) { EdgeRule::Distinct } else { EdgeRule::Repeat };
    let pattern = BoundPattern {
        graph: Arc::clone(&fixture.snapshot.graph),
        vertices,
        edges,
        paths,
        edge_rule: rule,
        open: None,
    };
    (pattern, conditions)
}

/// A match as the texts of the node's columns. For a search of any path, only what all shortest ones have in common.
fn expected_row(pattern: &BoundPattern, found: &Match) -> Vec<String> {
    let mut row = Vec::new();
    for (vertex, value) in pattern.vertices.iter().zip(&found.vertices) {
        if !vertex.bound {
            row.push(value.to_string());
        }
    }
    for (at, (edge, value)) in pattern.edges.iter().zip(&found.edges).enumerate() {
        row.push(match (edge.quantifier, search_of(pattern, at)) {
            (None, _) => value[0].to_string(),
            (Some(_), Some(PathSearch::AnyShortest)) => format!("length {}", value.len()),
            (Some(_), _) => format!("{value:?}"),
        });
    }
    row
}

/// The plan's rows in the same form; paths are checked by [`check_path`].
fn actual_row(
    fixture: &Fixture,
    pattern: &BoundPattern,
    skip: usize,
    row: &[String],
) -> Vec<String> {
    let own = pattern.vertices.iter().filter(|vertex| !vertex.bound).count();
    let mut texts = row[skip..skip + own + pattern.edges.len()].to_vec();
    for (at, text) in texts[own..].iter_mut().enumerate() {
        if search_of(pattern, at) == Some(PathSearch::AnyShortest) && text != "null" {
            *text = format!("length {}", numbers(text).len());
        }
    }
    let named = pattern.paths.iter().filter(|path| path.variable.is_some());
    for (path, text) in named.zip(&row[skip + own + pattern.edges.len()..]) {
        let PatternElement::Edge(edge) = path.elements[1] else { panic!("no edge") };
        if text != "null" {
            check_path(fixture, text, &row[skip + own + edge]);
        }
    }
    texts
}

fn numbers(text: &str) -> Vec<u64> {
    text.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect()
}

/// A path's edges are those of the list, and each connects the vertices beside it.
fn check_path(fixture: &Fixture, path: &str, edges: &str) {
    let edges = numbers(edges);
    let all = numbers(path);
    let (vertices, walked) = all.split_at(edges.len() + 1);
    assert_eq!(walked, edges);
    for (at, id) in edges.iter().enumerate() {
        let edge = fixture.edges.iter().find(|edge| edge.id == *id).unwrap();
        let ends = (vertices[at], vertices[at + 1]);
        assert!(ends == (edge.source, edge.target) || ends == (edge.target, edge.source));
    }
}

/// Sorted, and for searches of any shortest path without what only the other shortest paths add.
fn bag(pattern: &BoundPattern, mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    let any = |path: &PatternPath| path.search == PathSearch::AnyShortest;
    if pattern.paths.iter().any(any) {
        rows.dedup();
    }
    rows
}

/// With the rule of distinct edges, which shortest path was picked decides whether others fit beside it.
fn depends_on_choice(pattern: &BoundPattern) -> bool {
    pattern.edge_rule == EdgeRule::Distinct
        && pattern.edges.len() > 1
        && pattern.paths.iter().any(|path| path.search == PathSearch::AnyShortest)
}

#[tokio::test]
async fn patterns_agree_with_brute_force() {
    let mut tally = Tally::default();
    for seed in 0..2200 {
        let fixture = random_graph(seed);
        let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
        let (pattern, mut conditions) = random_pattern(&mut random, &fixture, 0);
        if depends_on_choice(&pattern) {
            continue;
        }
        let mut filter = None;
        if pattern.vertices.len() > 1 && random.random_bool(0.3) {
            let x = |name| property(&fixture, "x", false, name);
            filter = Some(x("v0").eq(x("v1")));
            conditions.equal = Some((0, 1));
        }
        let expected = matches(&fixture, &pattern, &conditions, &BTreeMap::new());
        tally.count(&pattern, &expected);
        let expected: Vec<_> = expected.iter().map(|it| expected_row(&pattern, it)).collect();
        let node = MatchPattern::try_new(None, pattern.clone(), filter, false).unwrap();
        let shown = format!("seed {seed}: {pattern} {pattern:?}");
        let plan = plan(node, None, &fixture.snapshot);
        let explained = displayable(plan.as_ref()).indent(false).to_string();
        let met = explained.contains("IntersectExec") && !expected.is_empty();
        tally.intersections += usize::from(met);
        let actual = rows(plan, random.random_range(1..9)).await;
        let actual = actual.iter().map(|row| actual_row(&fixture, &pattern, 0, row)).collect();
        assert_eq!(bag(&pattern, actual), bag(&pattern, expected), "{shown}");
    }
    tally.check();
}

/// How often something was really matched: a test on empty answers would prove nothing.
#[derive(Debug, Default)]
struct Tally {
    single: usize,
    quantified: usize,
    searched: usize,
    cycles: usize,
    intersections: usize,
    rows: usize,
}

impl Tally {
    fn count(&mut self, pattern: &BoundPattern, found: &[Match]) {
        if found.is_empty() {
            return;
        }
        self.rows += found.len();
        for (at, edge) in pattern.edges.iter().enumerate() {
            match (edge.quantifier, search_of(pattern, at)) {
                (None, _) => self.single += 1,
                (Some(_), None) => self.quantified += 1,
                (Some(_), Some(_)) => self.searched += 1,
            }
        }
        self.cycles += usize::from(pattern.edges.len() >= pattern.vertices.len());
    }

    fn check(&self) {
        let least = self.single.min(self.quantified).min(self.searched).min(self.cycles);
        assert!(self.intersections > 20, "{self:?}");
        assert!(least > 50 && self.rows > 5_000, "{self:?}");
    }
}

/// Input rows of one bound vertex (or null) with a number beside it.
fn input_rows(random: &mut StdRng, fixture: &Fixture) -> RecordBatch {
    let count = random.random_range(1..5usize);
    let vertices: UInt64Array = (0..count)
        .map(|_| {
            let at = random.random_range(0..fixture.vertices.len() + 1);
            fixture.vertices.get(at).map(|(vertex, _)| *vertex)
        })
        .collect();
    let numbers = UInt64Array::from_iter_values(0..count as u64);
    let columns: [(&str, ArrayRef); 2] = [("v0", Arc::new(vertices)), ("n", Arc::new(numbers))];
    let columns = columns.into_iter().map(|(name, values)| (name, values, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[tokio::test]
async fn bound_and_optional_patterns_agree_with_brute_force() {
    for seed in 0..2200 {
        let fixture = random_graph(seed);
        if fixture.vertices.is_empty() {
            continue;
        }
        let mut random = StdRng::seed_from_u64(seed ^ 0xb0cad);
        let (pattern, mut conditions) = random_pattern(&mut random, &fixture, 1);
        if depends_on_choice(&pattern) {
            continue;
        }
        let mut filter = None;
        if pattern.vertices.len() > 1 && random.random_bool(0.3) {
            let x = |name| property(&fixture, "x", false, name);
            filter = Some(x("v0").eq(x("v1")));
            conditions.equal = Some((0, 1));
        }
        let optional = random.random_bool(0.6);
        let input = input_rows(&mut random, &fixture);
        let mut expected = Vec::new();
        for row in super::texts(&input) {
            let bound = row[0].parse().map(|vertex: u64| BTreeMap::from([(0, vertex)]));
            let found = match &bound {
                Ok(bound) => matches(&fixture, &pattern, &conditions, bound),
                Err(_) => Vec::new(),
            };
            let with = |own: Vec<String>| row.iter().cloned().chain(own).collect::<Vec<_>>();
            if found.is_empty() && optional {
                let own = pattern.vertices.len() - 1 + pattern.edges.len();
                expected.push(with(vec!["null".to_owned(); own]));
            }
            expected.extend(found.iter().map(|it| with(expected_row(&pattern, it))));
        }
        let node =
            MatchPattern::try_new(Some(input_plan(&input)), pattern.clone(), filter, optional);
        let plan = plan(node.unwrap(), Some(&input), &fixture.snapshot);
        let actual = rows(plan, random.random_range(1..9)).await;
        let actual = actual
            .iter()
            .map(|row| {
                let own = actual_row(&fixture, &pattern, 2, row);
                row[..2].iter().cloned().chain(own).collect()
            })
            .collect();
        let shown = format!("seed {seed} optional {optional}: {pattern} {pattern:?}");
        assert_eq!(bag(&pattern, actual), bag(&pattern, expected), "{shown}");
    }
}

#[tokio::test]
async fn a_bound_edge_gives_its_vertices() {
    for seed in 0..300 {
        let fixture = random_graph(seed);
        let mut random = StdRng::seed_from_u64(seed);
        let mut edge = random_edge(&mut random, 0, 2, false);
        (edge.left, edge.right, edge.tables, edge.bound) = (0, 1, vec![0, 1, 2], true);
        let vertex = |at: usize, random: &mut StdRng| PatternVertex {
            variable: format!("v{at}"),
            tables: subset(random, 2),
            predicate: None,
            bound: false,
        };
        let pattern = BoundPattern {
            graph: Arc::clone(&fixture.snapshot.graph),
            vertices: vec![vertex(0, &mut random), vertex(1, &mut random)],
            edges: vec![edge],
            paths: vec![],
            edge_rule: EdgeRule::Distinct,
            open: None,
        };
        let ids = UInt64Array::from_iter_values(fixture.edges.iter().map(|edge| edge.id));
        let input = RecordBatch::try_from_iter([("e0", Arc::new(ids) as ArrayRef)]).unwrap();
        let found = matches(&fixture, &pattern, &Conditions::default(), &BTreeMap::new());
        let mut expected: Vec<Vec<String>> = found
            .iter()
            .map(|it| {
                [it.edges[0][0], it.vertices[0], it.vertices[1]].map(|id| id.to_string()).to_vec()
            })
            .collect();
        expected.sort();
        let node =
            MatchPattern::try_new(Some(input_plan(&input)), pattern.clone(), None, false).unwrap();
        let actual = rows(plan(node, Some(&input), &fixture.snapshot), 3).await;
        assert_eq!(actual, expected, "seed {seed}: {pattern}");
        assert!(fixture.edges.iter().all(|edge| ElementRef(edge.id).table() < 3));
    }
}

/// The distinct values of some columns of a plan.
fn distinct(
    plan: Arc<dyn ExecutionPlan>,
    columns: impl IntoIterator<Item = usize>,
) -> Arc<dyn ExecutionPlan> {
    let schema = plan.schema();
    let groups = columns
        .into_iter()
        .map(|at| {
            let name = schema.field(at).name();
            (Arc::new(Column::new(name, at)) as Arc<dyn PhysicalExpr>, name.clone())
        })
        .collect();
    let groups = PhysicalGroupBy::new_single(groups);
    let mode = AggregateMode::Single;
    Arc::new(AggregateExec::try_new(mode, groups, vec![], vec![], plan, schema).unwrap())
}

#[tokio::test]
async fn distinct_ends_are_those_of_all_walks() {
    let mut fired = 0;
    for seed in 0..2000 {
        let fixture = random_graph(seed);
        let mut random = StdRng::seed_from_u64(seed ^ 0xd157);
        let (mut pattern, _) = random_pattern(&mut random, &fixture, 0);
        if pattern.paths.iter().any(|path| path.search == PathSearch::AnyShortest) {
            continue;
        }
        if pattern.vertices.len() > 1 {
            let mut edge = random_edge(&mut random, 9, 2, true);
            (edge.left, edge.right) = (0, 1);
            edge.quantifier = edge.quantifier.map(|it| Quantifier { min: it.min % 2, ..it });
            pattern.edges.truncate(1);
            pattern.edges.push(edge);
            pattern.paths.clear();
        }
        let vertices = pattern.vertices.len();
        let shown = format!("seed {seed}: {pattern} {pattern:?}");
        let node = MatchPattern::try_new(None, pattern, None, false).unwrap();
        let plain = distinct(plan(node, None, &fixture.snapshot), 0..vertices);
        let fast = DistinctEnds.optimize(Arc::clone(&plain), &ConfigOptions::new()).unwrap();
        let explained = displayable(fast.as_ref()).indent(false).to_string();
        fired += usize::from(explained.contains("distinct ends"));
        let batch_rows = random.random_range(1..9);
        assert_eq!(rows(fast, batch_rows).await, rows(plain, batch_rows).await, "{shown}");
    }
    assert!(fired > 100, "the rewriting was done {fired} times");
}
