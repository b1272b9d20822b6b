//! What hides elements of a pattern, where it is conditions on rows and nothing else, is out of the way of the other rules.
//!
//! There is nothing in it for them: its place is below a barrier, and its conditions are evaluated as they are. For a look
//! at a few elements, taking the policies of three tables through each rule took longer than everything else.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, TableScan, TableScanBuilder};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::planner::MatchPattern;
use crate::planner::node::{ElementGuard, conditions_on_scan};
use crate::planner::source::ROW_ID;

/// The plan with such guards apart, done with.
///
/// # Errors
/// What the analyzer finds wrong with a condition.
pub fn guards_apart(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    MatchPattern::set_apart(plan, |guard| {
        let mut conditions = Vec::new();
        if conditions_on_scan(&guard.plan, &mut conditions).is_none() {
            return Ok(guard);
        }
        let plan = settled(state, guard.plan.as_ref().clone(), &conditions)?;
        Ok(ElementGuard { apart: true, ..ElementGuard::new(guard.element, plan) })
    })
}

/// The plan with all guards among the inputs of their patterns again, where what follows looks for them.
///
/// # Errors
/// `XX000`: our own defect.
pub fn guards_back(plan: LogicalPlan) -> Result<LogicalPlan> {
    MatchPattern::set_apart(plan, |guard| Ok(ElementGuard { apart: false, ..guard }))
}

/// Conditions on a scan with what the rules would make of them: types that fit, constants computed, columns that are read.
fn settled(state: &SessionState, plan: LogicalPlan, conditions: &[Expr]) -> Result<LogicalPlan> {
    let read: HashSet<&str> =
        conditions.iter().flat_map(Expr::column_refs).map(|column| column.name()).collect();
    let done = plan.transform_up(|node| match node {
        LogicalPlan::TableScan(scan) => Ok(Transformed::yes(narrowed(scan, &read)?)),
        LogicalPlan::Filter(filter) => Ok(Transformed::yes(simplified(state, filter)?)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(done.data)
}

fn narrowed(scan: TableScan, read: &HashSet<&str>) -> Result<LogicalPlan> {
    let fields = scan.source.schema();
    let fields = fields.fields().iter().enumerate();
    let read =
        fields.filter(|(_, field)| field.name() == ROW_ID || read.contains(field.name().as_str()));
    let columns = read.map(|(at, _)| at).collect();
    let scan = TableScanBuilder::new(scan.table_name, scan.source).with_projection(Some(columns));
    Ok(LogicalPlan::TableScan(scan.build()?))
}

fn simplified(state: &SessionState, filter: Filter) -> Result<LogicalPlan> {
    let schema = Arc::clone(filter.input.schema());
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(&schema))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplifier = ExprSimplifier::new(context);
    let predicate = simplifier.simplify(simplifier.coerce(filter.predicate, &schema)?)?;
    if let Expr::Literal(ScalarValue::Boolean(Some(true)), _) = predicate {
        return Ok(Arc::unwrap_or_clone(filter.input));
    }
    Ok(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?))
}
