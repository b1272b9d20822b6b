//! Long searches give way, and memory is asked for before it is used.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use futures::{FutureExt, StreamExt};

use super::fixture::{element, snapshot, version};
use super::plan;
use crate::catalog::{EdgeTable, EndPoint, PropertyGraph};
use crate::executor::graph::GraphSnapshot;
use crate::planner::{
    BoundPattern, Direction, EdgeRule, GraphFunction, GraphFunctionKind, MatchPattern, PathMode,
    PathSearch, PatternEdge, PatternElement, PatternPath, PatternVertex, Quantifier,
};
use crate::types::pg_type::PgType;
use datafusion::logical_expr::lit;
use datafusion::prelude::col;

/// `count` vertices with an edge from each to each.
fn complete_graph(count: i64) -> Arc<GraphSnapshot> {
    let ints = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let pairs = || (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
    let end = |column| EndPoint { vertex: 0, edge_columns: vec![column], vertex_columns: vec![0] };
    let graph = PropertyGraph {
        open: None,
        label_rules: Vec::new(),
        oid: crate::types::Oid(1),
        name: "g".to_owned(),
        vertices: vec![element("V", 1, &[("id", PgType::Int8, 0)])],
        edges: vec![EdgeTable {
            element: element("E", 2, &[]),
            source: end(1),
            destination: end(2),
        }],
    };
    let edges = vec![
        ("id", ints((0..count * count).collect())),
        ("a", ints(pairs().map(|(from, _)| from).collect())),
        ("b", ints(pairs().map(|(_, to)| to).collect())),
    ];
    snapshot(graph, vec![version(1, vec![("id", ints((0..count).collect()))]), version(2, edges)])
}

/// `(a {id: 0})-[e *min..max]->(b)`, where `b` must satisfy `id >= least`.
fn walks(
    graph: &Arc<GraphSnapshot>,
    max: Option<u32>,
    least: i64,
    search: PathSearch,
) -> Arc<dyn ExecutionPlan> {
    let id = |variable: &str| {
        let ty = PgType::Int8;
        let kind = GraphFunctionKind::Property { name: "id".into(), ty, edge: false };
        GraphFunction::call(&graph.graph, kind, col(variable))
    };
    let vertex = |variable: &str, predicate| PatternVertex {
        variable: variable.to_owned(),
        tables: vec![0],
        predicate: Some(predicate),
        bound: false,
    };
    let pattern = BoundPattern {
        graph: Arc::clone(&graph.graph),
        vertices: vec![vertex("a", id("a").eq(lit(0i64))), vertex("b", id("b").gt_eq(lit(least)))],
        edges: vec![PatternEdge {
            variable: "e".to_owned(),
            left: 0,
            right: 1,
            direction: Direction::Right,
            tables: vec![0],
            predicate: None,
            quantifier: Some(Quantifier { min: 1, max }),
            mode: PathMode::Trail,
            bound: false,
            optional: false,
            group: None,
        }],
        paths: vec![PatternPath {
            variable: None,
            elements: vec![
                PatternElement::Vertex(0),
                PatternElement::Edge(0),
                PatternElement::Vertex(1),
            ],
            search,
            mode: PathMode::Walk,
            condition: None,
        }],
        edge_rule: EdgeRule::Distinct,
        open: None,
    };
    plan(MatchPattern::try_new(None, pattern, None, false).unwrap(), None, graph)
}

#[tokio::test]
async fn an_endless_search_gives_way() {
    let graph = complete_graph(30);
    // No vertex is far enough, so it never has a row to give.
    let plan = walks(&graph, None, 1_000, PathSearch::All);
    let mut rows = plan.execute(0, Arc::new(TaskContext::default())).unwrap();
    // Adjacency lists are built on another thread; each poll must come back in any case.
    for _ in 0..200 {
        assert!(rows.next().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_search_asks_for_its_memory() {
    let graph = complete_graph(100);
    let pool = |bytes| {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)))
            .build_arc()
            .unwrap();
        Arc::new(TaskContext::default().with_runtime(runtime))
    };
    let plan = || walks(&graph, None, 0, PathSearch::AllShortest);
    let error = collect(plan(), pool(2_000)).await.unwrap_err();
    let error = crate::error::PgError::from(error);
    assert_eq!(error.code(), crate::error::SqlState::OUT_OF_MEMORY);
    assert!(collect(plan(), pool(1 << 20)).await.is_ok());
}

#[test]
fn explain_names_elements() {
    let graph = complete_graph(30);
    let plan = walks(&graph, Some(3), 1, PathSearch::All);
    insta::assert_snapshot!(displayable(plan.as_ref()).indent(false), @r"
    ArrangeExec: a, b, e
      VarExpandExec: from a along ->E {1,3} Trail [id(b@2) >= 1]
        VertexScanExec: V by key [id(a@0) = 0]
    ");
}
