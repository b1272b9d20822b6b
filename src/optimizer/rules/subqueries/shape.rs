//! Which correlated subqueries DataFusion's rules join with the right answer.
//!
//! They pull conditions that name outer columns up through the subquery and join by them. That keeps the meaning through
//! projections, inner joins and, for equalities, groupings; not through LIMIT, windows, set operations or outer joins.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Distinct, Expr, FetchType, LogicalPlan, Operator, SkipType,
};

use super::references::{free, mentions_outer};
use crate::planner::node::{Apply, is_subquery};

/// What a subquery is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Whether there is a row, or one equal to a value.
    Membership,
    /// The value of an aggregate.
    Value,
}

/// Whether the subquery reads nothing of the rows around it and holds no [`Apply`].
pub(super) fn is_plain(plan: &LogicalPlan) -> Result<bool> {
    Ok(free(plan)?.is_empty() && !holds_apply(plan)?)
}

/// Whether DataFusion joins a subquery of a node over `outer`.
pub(super) fn joins(plan: &LogicalPlan, outer: &DFSchema, asked: Asked) -> Result<bool> {
    let references = free(plan)?;
    let own = references.iter().all(|(_, column)| outer.has_column(column));
    if !own
        || holds_apply(plan)?
        || hides(plan, &references.iter().map(|r| &r.1).collect::<Vec<_>>())?
    {
        return Ok(false);
    }
    match asked {
        Asked::Membership => pulls(plan, asked, false),
        Asked::Value => joins_value(plan),
    }
}

fn joins_value(plan: &LogicalPlan) -> Result<bool> {
    match plan {
        LogicalPlan::Projection(projection) => {
            Ok(all_inner(&projection.expr, projection.input.schema())?
                && joins_value(&projection.input)?)
        }
        LogicalPlan::SubqueryAlias(alias) => joins_value(&alias.input),
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => {
            let ordered = |expr: &Expr| match expr {
                Expr::AggregateFunction(call) => !call.params.order_by.is_empty(),
                _ => false,
            };
            let mut plain = true;
            for expr in aggr_expr {
                expr.apply(|expr| {
                    plain &= !ordered(expr);
                    Ok(TreeNodeRecursion::Continue)
                })?;
            }
            Ok(plain
                && group_expr.is_empty()
                && all_inner(aggr_expr, input.schema())?
                && pulls(input, Asked::Value, true)?)
        }
        _ => Ok(false),
    }
}

/// Whether conditions with outer columns can be pulled up to the top of a plan.
fn pulls(plan: &LogicalPlan, asked: Asked, equalities: bool) -> Result<bool> {
    if free(plan)?.is_empty() {
        return Ok(true);
    }
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            for conjunct in split_conjunction(&filter.predicate) {
                if !pulls_condition(conjunct, filter.input.schema(), equalities)? {
                    return Ok(false);
                }
            }
            pulls(&filter.input, asked, equalities)?
        }
        LogicalPlan::Projection(projection) => {
            let volatile = projection.expr.iter().any(Expr::is_volatile);
            !volatile
                && all_inner(&projection.expr, projection.input.schema())?
                && pulls(&projection.input, asked, equalities)?
        }
        LogicalPlan::SubqueryAlias(alias) => pulls(&alias.input, asked, equalities)?,
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            let exprs: Vec<Expr> = plan.expressions();
            all_inner(&exprs, &join.schema)?
                && pulls(&join.left, asked, equalities)?
                && pulls(&join.right, asked, equalities)?
        }
        LogicalPlan::Distinct(Distinct::All(input)) if asked == Asked::Membership => {
            pulls(input, asked, equalities)?
        }
        LogicalPlan::Aggregate(aggregate)
            if asked == Asked::Membership && !aggregate.group_expr.is_empty() =>
        {
            all_inner(&plan.expressions(), aggregate.input.schema())?
                && pulls(&aggregate.input, asked, true)?
        }
        _ => false,
    })
}

fn pulls_condition(conjunct: &Expr, schema: &DFSchema, equalities: bool) -> Result<bool> {
    if !mentions_outer(conjunct, schema)? {
        return Ok(true);
    }
    let asks = conjunct.exists(|expr| Ok(is_subquery(expr)))?;
    Ok(!asks && !conjunct.is_volatile() && (!equalities || is_equality(conjunct)))
}

/// `inner column = outer value`, or the other way around.
fn is_equality(conjunct: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = conjunct else {
        return false;
    };
    let inner = |expr: &Expr| match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Column(_)),
        _ => false,
    };
    let outer = |expr: &Expr| expr.contains_outer() && !expr.any_column_refs();
    (inner(left) && outer(right)) || (outer(left) && inner(right))
}

fn all_inner(exprs: &[Expr], schema: &DFSchema) -> Result<bool> {
    for expr in exprs {
        if mentions_outer(expr, schema)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether any part of a plan holds an apply.
pub(super) fn holds_apply(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && extension.node.as_any().is::<Apply>()
        {
            found = true;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether a name of an outer column means another column inside: joined, the two would be mixed up.
fn hides(plan: &LogicalPlan, outer: &[&Column]) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= outer.iter().any(|column| node.schema().has_column(column));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// The plan without what makes no difference to whether there are rows: an order, a LIMIT of at least one.
pub(super) fn for_membership(plan: &LogicalPlan, exists: bool) -> LogicalPlan {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => for_membership(&sort.input, exists),
        LogicalPlan::Limit(limit) if exists => {
            let some =
                matches!(limit.get_fetch_type(), Ok(FetchType::Literal(fetch)) if fetch != Some(0));
            let all = matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)));
            if some && all { for_membership(&limit.input, exists) } else { plan.clone() }
        }
        other => other.clone(),
    }
}
