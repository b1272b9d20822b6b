//! Patterns as part of larger plans, through all of DataFusion's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNode, lit,
};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::prelude::{SessionConfig, col};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::brute_force::matches;
use super::fixture::random_graph;
use super::random::{property, random_pattern};
use crate::executor::graph::{GraphSnapshot, Guards, bind_graph_functions, lower_match};
use crate::executor::operator::{CountMatches, DistinctEnds};
use crate::planner::{MatchPattern, PathMode, PathSearch, Quantifier};

struct Extensions(Arc<GraphSnapshot>);

#[async_trait]
impl ExtensionPlanner for Extensions {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(pattern) = node.as_any().downcast_ref::<MatchPattern>() else { return Ok(None) };
        let create =
            |expr: &_, schema: &_| planner.create_physical_expr(expr, schema, session, context);
        let input = physical_inputs.first().cloned();
        let guards = Guards::default();
        lower_match(pattern, (input, &[]), (&self.0, guards), &create, 4).map(Some)
    }
}

fn state() -> SessionState {
    SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(4).with_batch_size(7))
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(DistinctEnds))
        .with_physical_optimizer_rule(Arc::new(CountMatches))
        .build()
}

async fn run(plan: LogicalPlan, graph: &Arc<GraphSnapshot>) -> (String, Vec<RecordBatch>) {
    let state = state();
    let plan = state.optimize(&plan).unwrap();
    let plan = bind_graph_functions(plan, &|_| Ok(Arc::clone(graph))).unwrap();
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Extensions(
        Arc::clone(graph),
    ))]);
    let plan = planner.create_physical_plan(&plan, &state).await.unwrap();
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    (shown, collect(plan, state.task_ctx()).await.unwrap())
}

fn number(batches: &[RecordBatch], column: usize) -> i64 {
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    batch.column(column).as_primitive::<Int64Type>().value(0)
}

#[tokio::test]
async fn counts_through_the_whole_planner() {
    let (mut distinct_ends, mut counted) = (0, 0);
    for seed in 0..100 {
        let fixture = random_graph(seed);
        let mut random = StdRng::seed_from_u64(seed ^ 0x91a7);
        let (mut pattern, conditions) = random_pattern(&mut random, &fixture, 0);
        if pattern.paths.iter().any(|path| path.search == PathSearch::AnyShortest) {
            continue;
        }
        if let Some(edge) = pattern.edges.first_mut().filter(|edge| edge.quantifier.is_some()) {
            edge.quantifier = Some(Quantifier { min: 1, max: Some(3) });
            edge.mode = PathMode::Trail;
        }
        let found = matches(&fixture, &pattern, &conditions, &BTreeMap::new());
        let x = |vertex: u64| fixture.vertices.iter().find(|(id, _)| *id == vertex).unwrap().1;
        let total = found.len() as i64;
        let found = found.iter().filter(|it| x(it.vertices[0]) >= 1);
        let firsts: Vec<u64> = found.map(|it| it.vertices[0]).collect();
        let node = MatchPattern::try_new(None, pattern.clone(), None, false).unwrap();
        let node = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let none: [datafusion::logical_expr::Expr; 0] = [];
        let bare = LogicalPlanBuilder::from(node.clone());
        let bare = bare.aggregate(none.clone(), [count(lit(1i64))]).unwrap().build().unwrap();
        let (shown, batches) = run(bare, &fixture.snapshot).await;
        assert_eq!(number(&batches, 0), total, "seed {seed} {pattern:?}\n{shown}");
        counted += usize::from(shown.contains("CountExec"));
        let rows = LogicalPlanBuilder::from(node)
            .filter(property(&fixture, "x", false, "v0").gt_eq(lit(1i64)))
            .unwrap();
        let all =
            rows.clone().aggregate(none.clone(), [count(lit(1i64))]).unwrap().build().unwrap();
        let (shown, batches) = run(all, &fixture.snapshot).await;
        assert_eq!(number(&batches, 0), firsts.len() as i64, "seed {seed} {pattern:?}\n{shown}");
        let distinct = rows.aggregate(none, [count_distinct(col("v0"))]).unwrap().build().unwrap();
        let (shown, batches) = run(distinct, &fixture.snapshot).await;
        let expected = firsts.iter().collect::<std::collections::HashSet<_>>().len();
        assert_eq!(number(&batches, 0), expected as i64, "seed {seed} {pattern:?}\n{shown}");
        distinct_ends += usize::from(shown.contains("distinct ends"));
    }
    assert!(distinct_ends > 0 && counted > 0, "{distinct_ends} {counted}");
}
