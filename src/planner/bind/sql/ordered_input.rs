//! `SELECT json_agg(x) FROM (SELECT … ORDER BY a) t`: the values come in the order of the subquery, on which clients count,
//! though the standard promises it for an ORDER BY in the call alone. So the subquery's keys go up to the call.
//!
//! ```text
//! Aggregate json_agg(t.x)                     Aggregate json_agg(t.x ORDER BY t.__carried_0)
//!   SubqueryAlias t                             SubqueryAlias t
//!     Projection x                                Projection x, __carried_0
//!       Sort a                         →            Projection …, a AS __carried_0
//!         …                                           …
//! ```

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, Result as DfResult};
use datafusion::logical_expr::expr::Sort as SortExpr;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, SubqueryAlias};
use sqlparser::ast::{
    Expr as SqlExpr, FunctionArgumentClause, FunctionArguments, ObjectNamePart, Query,
    visit_expressions,
};

use super::names::fold;

/// Aggregate functions whose value depends on the order of their input.
const ORDERED: [&str; 6] =
    ["array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"];

/// Whether a query calls such a function without an ORDER BY of its own.
pub(super) fn counts_on_order(query: &Query) -> bool {
    let found = visit_expressions(query, |expr| match expr {
        SqlExpr::Function(function) if is_unordered(function) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn is_unordered(function: &sqlparser::ast::Function) -> bool {
    let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
    let FunctionArguments::List(list) = &function.args else { return false };
    name.is_some_and(|name| ORDERED.contains(&name.as_str()))
        && !list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
}

/// Carries the keys of sorted subqueries up to the calls that count on them, and drops what sorts for nobody.
pub(super) fn carry(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(ordered).data()?;
    plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::SubqueryAlias(alias) => {
            let input = Arc::new(unsorted(Arc::unwrap_or_clone(alias.input))?);
            let alias = SubqueryAlias::try_new(input, alias.alias)?;
            Ok(Transformed::yes(LogicalPlan::SubqueryAlias(alias)))
        }
        other => Ok(Transformed::no(other)),
    })
    .data()
}

/// A derived table less its ORDER BY, which is of no use where nothing limits the rows.
fn unsorted(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => Ok(Arc::unwrap_or_clone(sort.input)),
        LogicalPlan::Projection(projection) => {
            let input = unsorted(Arc::unwrap_or_clone(projection.input))?;
            Ok(LogicalPlan::Projection(Projection::try_new(projection.expr, Arc::new(input))?))
        }
        other => Ok(other),
    }
}

fn ordered(node: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
    if !aggregate.aggr_expr.iter().any(wants_order) {
        return Ok(Transformed::no(node));
    }
    let Some((input, keys)) = carried(&aggregate.input)? else { return Ok(Transformed::no(node)) };
    let calls = aggregate.aggr_expr.iter().map(|call| in_order(call, &keys)).collect();
    let group = aggregate.group_expr.clone();
    let aggregate = Aggregate::try_new(Arc::new(input), group, calls)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

fn wants_order(call: &Expr) -> bool {
    match call {
        Expr::Alias(alias) => wants_order(&alias.expr),
        Expr::AggregateFunction(call) => {
            ORDERED.contains(&call.func.name())
                && call.params.order_by.is_empty()
                && !call.params.distinct
        }
        _ => false,
    }
}

/// The call with an ORDER BY, under the name that it had without.
fn in_order(call: &Expr, keys: &[SortExpr]) -> Expr {
    if !wants_order(call) {
        return call.clone();
    }
    let name = call.schema_name().to_string();
    let mut inner = call.clone().unalias();
    if let Expr::AggregateFunction(function) = &mut inner {
        function.params.order_by = keys.to_vec();
    }
    inner.alias(name)
}

/// The plan with the keys it is sorted by as further columns; `None` if it is not sorted, or not so that it shows.
fn carried(plan: &LogicalPlan) -> DfResult<Option<(LogicalPlan, Vec<SortExpr>)>> {
    match plan {
        LogicalPlan::Sort(sort) => {
            let input = match sort.fetch {
                None => Arc::clone(&sort.input),
                Some(_) => Arc::new(plan.clone()),
            };
            let columns = sort.input.schema().columns().into_iter().map(Expr::Column).collect();
            projected(columns, input, &sort.expr).map(Some)
        }
        LogicalPlan::Projection(projection) => {
            let Some((input, keys)) = carried(&projection.input)? else { return Ok(None) };
            projected(projection.expr.clone(), Arc::new(input), &keys).map(Some)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let Some((input, keys)) = carried(&alias.input)? else { return Ok(None) };
            let keys = (0..keys.len()).zip(keys).map(|(at, key)| SortExpr {
                expr: Expr::Column(Column::new(Some(alias.alias.clone()), name_of(at))),
                ..key
            });
            let keys = keys.collect();
            let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            Ok(Some((LogicalPlan::SubqueryAlias(alias), keys)))
        }
        LogicalPlan::Filter(_) | LogicalPlan::Limit(_) => {
            let Some(input) = plan.inputs().first().copied() else { return Ok(None) };
            // A limit keeps the rows that its sorted input has first.
            if let (LogicalPlan::Limit(_), LogicalPlan::Sort(sort)) = (plan, input) {
                let columns = plan.schema().columns().into_iter().map(Expr::Column).collect();
                return projected(columns, Arc::new(plan.clone()), &sort.expr).map(Some);
            }
            if matches!(plan, LogicalPlan::Limit(_)) {
                return Ok(None);
            }
            let Some((input, keys)) = carried(input)? else { return Ok(None) };
            Ok(Some((plan.with_new_exprs(plan.expressions(), vec![input])?, keys)))
        }
        _ => Ok(None),
    }
}

fn name_of(at: usize) -> String {
    format!("__carried_{at}")
}

fn projected(
    mut columns: Vec<Expr>,
    input: Arc<LogicalPlan>,
    keys: &[SortExpr],
) -> DfResult<(LogicalPlan, Vec<SortExpr>)> {
    let mut carried = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        columns.push(key.expr.clone().alias(name_of(at)));
        let column = Expr::Column(Column::from_name(name_of(at)));
        carried.push(SortExpr { expr: column, ..key.clone() });
    }
    let plan = LogicalPlan::Projection(Projection::try_new(columns, input)?);
    Ok((plan, carried))
}
