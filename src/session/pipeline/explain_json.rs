//! A plan as the JSON document of `EXPLAIN (FORMAT JSON)`.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use serde_json::{Map, Value, json};

use crate::executor::operator::{RowsExec, ScanExec, TableWriteExec};

/// The document: a list of one plan. Operators below a row policy are not shown, as in the other form.
pub(super) fn document(
    operators: &Arc<dyn ExecutionPlan>,
    logical: Option<&str>,
    analyze: bool,
) -> Value {
    let mut plan = node(operators.as_ref(), logical.is_some(), analyze, None);
    if let (Some(logical), Some(node)) = (logical, plan.as_object_mut()) {
        let lines: Vec<&str> = super::explain::shown(logical).collect();
        node.insert("Logical Plan".to_owned(), json!(lines));
    }
    json!([{ "Plan": plan }])
}

/// One operator and those it reads, with PostgreSQL's keys where there is one for the thing.
fn node(
    plan: &dyn ExecutionPlan,
    verbose: bool,
    analyze: bool,
    relationship: Option<&'static str>,
) -> Value {
    let mut shown = Map::new();
    shown.insert("Node Type".to_owned(), json!(plan.name()));
    if let Some(relationship) = relationship {
        shown.insert("Parent Relationship".to_owned(), json!(relationship));
    }
    let join = join_type(plan);
    if let Some(join) = join {
        shown.insert("Join Type".to_owned(), json!(join_word(join)));
    }
    if let Some((relation, operation)) = target(plan) {
        if let Some(operation) = operation {
            shown.insert("Operation".to_owned(), json!(operation));
        }
        shown.insert("Relation Name".to_owned(), json!(relation));
    }
    let line = DisplayableExecutionPlan::new(plan).one_line().to_string();
    shown.insert("Details".to_owned(), json!(line.trim_end()));
    if verbose {
        let schema = plan.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        shown.insert("Output".to_owned(), json!(names));
    }
    if line.starts_with("RowPolicy") {
        return Value::Object(shown);
    }
    if analyze && let Some(metrics) = plan.metrics() {
        if let Some(rows) = metrics.output_rows() {
            shown.insert("Actual Rows".to_owned(), json!(rows));
        }
        if let Some(nanoseconds) = metrics.elapsed_compute() {
            shown.insert("Actual Total Time".to_owned(), json!(nanoseconds as f64 / 1e6));
        }
    }
    let children = plan.children();
    if !children.is_empty() {
        let inner = inner_side(join);
        let plans: Vec<Value> = children
            .into_iter()
            .enumerate()
            .map(|(at, child)| {
                let side = if at == inner && at < 2 { "Inner" } else { "Outer" };
                node(child.as_ref(), verbose, analyze, Some(side))
            })
            .collect();
        shown.insert("Plans".to_owned(), Value::Array(plans));
    }
    Value::Object(shown)
}

/// The relation that an operator reads, or writes and what it does to it. Operators that filter or compute rows of one
/// relation have its name too: PostgreSQL does that in the scan itself.
fn target(plan: &dyn ExecutionPlan) -> Option<(&str, Option<&'static str>)> {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return Some((scan.relation(), None));
    }
    if let Some(rows) = plan.downcast_ref::<RowsExec>() {
        return Some((rows.relation(), None));
    }
    if let Some(write) = plan.downcast_ref::<TableWriteExec>() {
        let (relation, operation) = write.target();
        return Some((relation, Some(operation)));
    }
    let in_scan = plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<RepartitionExec>();
    let input = plan.children().into_iter().next().filter(|_| in_scan)?;
    target(input.as_ref()).filter(|(_, operation)| operation.is_none())
}

/// The input of a join that PostgreSQL calls the inner one: that whose rows may be missing in an outer join, by which
/// clients tell what may be null.
fn inner_side(join: Option<JoinType>) -> usize {
    match join {
        None => usize::MAX,
        Some(JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark) => {
            0
        }
        Some(
            JoinType::Inner
            | JoinType::Left
            | JoinType::Full
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark,
        ) => 1,
    }
}

fn join_type(plan: &dyn ExecutionPlan) -> Option<JoinType> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return Some(*join.join_type());
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        return Some(*join.join_type());
    }
    plan.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type)
}

fn join_word(join: JoinType) -> &'static str {
    match join {
        JoinType::Inner => "Inner",
        JoinType::Left | JoinType::Right => "Left",
        JoinType::Full => "Full",
        JoinType::LeftSemi | JoinType::RightSemi => "Semi",
        JoinType::LeftAnti | JoinType::RightAnti => "Anti",
        JoinType::LeftMark | JoinType::RightMark => "Mark",
    }
}
