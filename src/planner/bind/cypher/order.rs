//! The order in which rows come to a list: `WITH x ORDER BY x RETURN collect(x)`.
//!
//! Rows are aggregated in several streams, so a sort below the aggregation says nothing; the lists themselves are sorted.

use std::sync::Arc;

use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Sort as SortKey};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, Projection, Sort};

/// Takes the sort off the top of a plan, and gives its keys; the rows may have more columns then. A plan that is not sorted
/// stays as it is.
pub(super) fn take_order(plan: LogicalPlan) -> (LogicalPlan, Vec<SortKey>) {
    let sorted = match &plan {
        // It hides the columns that were only sorted by.
        LogicalPlan::Projection(Projection { expr, input, .. })
            if expr.iter().all(|expr| matches!(expr, PlanExpr::Column(_))) =>
        {
            input.as_ref()
        }
        plan => plan,
    };
    match (keys(sorted), sorted) {
        (None, _) => (plan, Vec::new()),
        (Some(keys), LogicalPlan::Sort(Sort { input, fetch: None, .. })) => {
            (Arc::unwrap_or_clone(Arc::clone(input)), keys)
        }
        // What is cut off or filtered after the sort needs it.
        (Some(keys), sorted) => (sorted.clone(), keys),
    }
}

fn keys(plan: &LogicalPlan) -> Option<Vec<SortKey>> {
    match plan {
        LogicalPlan::Sort(sort) => Some(sort.expr.clone()),
        LogicalPlan::Limit(limit) => keys(&limit.input),
        LogicalPlan::Filter(filter) => keys(&filter.input),
        _ => None,
    }
}

/// The list of a value over rows in an order.
pub(super) fn list_of(value: PlanExpr, order_by: Vec<SortKey>) -> PlanExpr {
    let params = AggregateFunctionParams {
        args: vec![value],
        distinct: false,
        filter: None,
        order_by,
        null_treatment: None,
    };
    PlanExpr::AggregateFunction(AggregateFunction { func: array_agg_udaf(), params })
}

/// A list among aggregates, with its rows in an order; other aggregates do not ask for one.
pub(super) fn in_order(aggregate: PlanExpr, order: &[SortKey]) -> PlanExpr {
    match aggregate {
        PlanExpr::AggregateFunction(mut call) if call.func == array_agg_udaf() => {
            call.params.order_by = order.to_vec();
            PlanExpr::AggregateFunction(call)
        }
        aggregate => aggregate,
    }
}
