//! Patterns on random graphs, against a matcher that tries everything.

mod brute_force;
mod fixture;
mod functions;
mod limits;
mod planned;
mod random;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{EmptyRelation, Extension, LogicalPlan};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;

use super::{GraphSnapshot, bind_graph_functions, lower_match};
use crate::planner::MatchPattern;

/// Plans a pattern over `input`, if it has one.
pub(super) fn plan(
    node: MatchPattern,
    input: Option<&RecordBatch>,
    graph: &Arc<GraphSnapshot>,
) -> Arc<dyn ExecutionPlan> {
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    let plan = bind_graph_functions(plan, &|_| Ok(Arc::clone(graph))).unwrap();
    let LogicalPlan::Extension(Extension { node }) = plan else { panic!("not a pattern") };
    let node = node.as_any().downcast_ref::<MatchPattern>().unwrap();
    let input = input.map(|batch| {
        let batches = [vec![batch.clone()]];
        MemorySourceConfig::try_new_exec(&batches, batch.schema(), None).unwrap()
            as Arc<dyn ExecutionPlan>
    });
    let properties = ExecutionProps::new();
    let context = PhysicalPlanningContext::default();
    lower_match(
        node,
        (input, &[]),
        (graph, super::Guards::default()),
        &|expr, schema| create_physical_expr(expr, schema, &properties, &context),
        2,
    )
    .unwrap()
}

/// The rows of a plan, each as texts by column, sorted.
pub(super) async fn rows(plan: Arc<dyn ExecutionPlan>, batch_rows: usize) -> Vec<Vec<String>> {
    let config = SessionConfig::new().with_batch_size(batch_rows);
    let context = Arc::new(TaskContext::default().with_session_config(config));
    let batches = collect(plan, context).await.unwrap();
    let mut rows: Vec<Vec<String>> = batches.iter().flat_map(texts).collect();
    rows.sort();
    rows
}

fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| text(column, row)).collect())
        .collect()
}

fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    if let Some(values) = column.as_primitive_opt::<UInt64Type>() {
        return values.value(row).to_string();
    }
    if let Some(lists) = column.as_list_opt::<i32>() {
        let values = lists.value(row);
        let values = values.as_primitive::<UInt64Type>().values().to_vec();
        return format!("{values:?}");
    }
    let fields = column.as_struct();
    let parts = fields.columns().iter().map(|part| text(part, row)).collect::<Vec<_>>();
    format!("{{{}}}", parts.join(" "))
}

/// A logical plan that stands for rows of this schema.
pub(super) fn input_plan(batch: &RecordBatch) -> Arc<LogicalPlan> {
    let schema = datafusion::common::DFSchema::try_from(batch.schema()).unwrap();
    Arc::new(LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(schema),
    }))
}
