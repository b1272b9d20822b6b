//! Correlated scalar subqueries that DataFusion cannot join: those compared with the outer row by more than equality.
//!
//! ```text
//! SELECT a.x, (SELECT f(b.y) FROM b WHERE p(a.k, b)) FROM a
//!
//!   Projection a.x, q.value
//!     Left join  a.k IS NOT DISTINCT FROM q.k
//!       a
//!       q: Aggregate by k: single_value(f(b.y))
//!            Filter p(k, b)
//!              Cross join  (distinct k of a), b
//! ```
//!
//! Source: Seshadri, Pirahesh, Leung, "Complex Query Decorrelation", ICDE 1996 (magic decorrelation).

use std::cell::Cell;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Subquery,
};

use crate::functions::single_value::SINGLE_VALUE;

/// Rewrites every such subquery of a plan.
///
/// # Errors
/// What building the joins raises; a subquery of another form is left as it is.
pub(super) fn decorrelate(plan: LogicalPlan) -> Result<LogicalPlan> {
    let number = Cell::new(0usize);
    Ok(plan.transform_up_with_subqueries(|node| rewrite_node(node, &number))?.data)
}

fn rewrite_node(node: LogicalPlan, number: &Cell<usize>) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Projection(Projection { expr, input, schema, .. }) => {
            let mut plan = input.as_ref().clone();
            let mut changed = false;
            let exprs = expr
                .into_iter()
                .zip(schema.iter())
                .map(|(expr, (qualifier, field))| {
                    let joined = join_subqueries(expr, &mut plan, number)?;
                    changed |= joined.transformed;
                    Ok(if joined.transformed && !matches!(joined.data, Expr::Alias(_)) {
                        joined.data.alias_qualified(qualifier.cloned(), field.name())
                    } else {
                        joined.data
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            let projection = LogicalPlan::Projection(Projection::try_new(exprs, plan.into())?);
            Ok(if changed { Transformed::yes(projection) } else { Transformed::no(projection) })
        }
        LogicalPlan::Filter(filter) => {
            let columns: Vec<Expr> =
                filter.input.schema().columns().into_iter().map(Expr::Column).collect();
            let mut plan = filter.input.as_ref().clone();
            let joined = join_subqueries(filter.predicate.clone(), &mut plan, number)?;
            if !joined.transformed {
                return Ok(Transformed::no(LogicalPlan::Filter(filter)));
            }
            let plan =
                LogicalPlanBuilder::from(plan).filter(joined.data)?.project(columns)?.build()?;
            Ok(Transformed::yes(plan))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Joins `plan` with what the subqueries in `expr` compute, and puts columns in their places.
fn join_subqueries(
    expr: Expr,
    plan: &mut LogicalPlan,
    number: &Cell<usize>,
) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::ScalarSubquery(subquery) => match Correlated::of(&subquery) {
            Some(correlated) => {
                number.set(number.get() + 1);
                let column = correlated.join(plan, number.get())?;
                Ok(Transformed::yes(Expr::Column(column)))
            }
            None => Ok(Transformed::no(Expr::ScalarSubquery(subquery))),
        },
        other => Ok(Transformed::no(other)),
    })
}

/// A subquery of the form Projection over Aggregate (one `single_value` or `array_agg`) over Filter.
struct Correlated<'a> {
    outer: Vec<Column>,
    projection: &'a Expr,
    aggregate: &'a Expr,
    predicate: &'a Expr,
    input: &'a LogicalPlan,
}

impl<'a> Correlated<'a> {
    fn of(subquery: &'a Subquery) -> Option<Self> {
        let LogicalPlan::Projection(projection) = subquery.subquery.as_ref() else { return None };
        let LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) =
            projection.input.as_ref()
        else {
            return None;
        };
        let LogicalPlan::Filter(filter) = input.as_ref() else { return None };
        let ([projected], [], [aggregate]) =
            (projection.expr.as_slice(), group_expr.as_slice(), aggr_expr.as_slice())
        else {
            return None;
        };
        // Both give null for no row, which is what the outer join gives.
        let is_single = matches!(aggregate, Expr::AggregateFunction(call)
            if matches!(call.func.name(), SINGLE_VALUE | "array_agg"));
        let correlated_below = contains_outer_reference(&filter.input);
        // DataFusion does not join an aggregate with an order of its own.
        let ordered =
            matches!(aggregate, Expr::AggregateFunction(call) if !call.params.order_by.is_empty());
        let hard = ordered
            || split_conjunction(&filter.predicate).into_iter().any(|conjunct| !is_easy(conjunct));
        if !is_single
            || correlated_below
            || !hard
            || mentions_outer(aggregate)
            || mentions_outer(projected)
        {
            return None;
        }
        let mut outer = Vec::new();
        collect_outer(&filter.predicate, &mut outer);
        if outer.is_empty() {
            return None;
        }
        Some(Self {
            outer,
            projection: projected,
            aggregate,
            predicate: &filter.predicate,
            input: &filter.input,
        })
    }

    /// Joins `plan` with the subquery's values; the column that holds them.
    fn join(&self, plan: &mut LogicalPlan, number: usize) -> Result<Column> {
        let name = format!("graphwire.subquery{number}");
        let key = |at: usize| format!("key{at}");
        let keys: Vec<Expr> = self
            .outer
            .iter()
            .enumerate()
            .map(|(at, column)| Expr::Column(column.clone()).alias(key(at)))
            .collect();
        let distinct = LogicalPlanBuilder::from(plan.clone())
            .project(keys)?
            .distinct()?
            .alias(name.as_str())?
            .build()?;
        let key_column = |at: usize| Column::new(Some(name.as_str()), key(at));
        let predicate = self
            .predicate
            .clone()
            .transform_up(|expr| match expr {
                Expr::OuterReferenceColumn(_, ref column) => {
                    match self.outer.iter().position(|known| known == column) {
                        Some(at) => Ok(Transformed::yes(Expr::Column(key_column(at)))),
                        None => Ok(Transformed::no(expr)),
                    }
                }
                other => Ok(Transformed::no(other)),
            })?
            .data;
        let group: Vec<Expr> =
            (0..self.outer.len()).map(|at| Expr::Column(key_column(at))).collect();
        let value = self.projection.clone().unalias().alias("value");
        let mut output = group.clone();
        output.push(value);
        let values = LogicalPlanBuilder::from(distinct)
            .cross_join(self.input.clone())?
            .filter(predicate)?
            .aggregate(group, vec![self.aggregate.clone()])?
            .project(output)?
            .alias(name.as_str())?
            .build()?;
        let right: Vec<Column> = (0..self.outer.len()).map(key_column).collect();
        *plan = LogicalPlanBuilder::from(plan.clone())
            .join_detailed(
                values,
                JoinType::Left,
                (self.outer.clone(), right),
                None,
                NullEquality::NullEqualsNull,
            )?
            .build()?;
        Ok(Column::new(Some(name), "value"))
    }
}

/// A conjunct DataFusion can join by: one about inner columns alone, or an equality of an inner and an outer side.
fn is_easy(conjunct: &Expr) -> bool {
    if !mentions_outer(conjunct) {
        return true;
    }
    match conjunct {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let sides =
                [left, right].map(|side| (mentions_outer(side), !side.column_refs().is_empty()));
            matches!(sides, [(true, false), (false, true)] | [(false, true), (true, false)])
        }
        _ => false,
    }
}

fn mentions_outer(expr: &Expr) -> bool {
    let mut columns = Vec::new();
    collect_outer(expr, &mut columns);
    !columns.is_empty()
}

fn collect_outer(expr: &Expr, columns: &mut Vec<Column>) {
    // The closure never fails, and the walk has no other way to.
    let _ = expr.apply(|expr| {
        if let Expr::OuterReferenceColumn(_, column) = expr
            && !columns.contains(column)
        {
            columns.push(column.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
}

fn contains_outer_reference(plan: &LogicalPlan) -> bool {
    !plan.all_out_ref_exprs().is_empty()
}
