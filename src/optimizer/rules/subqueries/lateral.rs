//! Joins whose right side reads columns of the left, and join conditions that ask subqueries.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, Result};
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, Values,
};

use super::quantified::outward;
use super::references::{free, is_lateral};
use super::shape::{Asked, joins};
use super::{Pass, asks};
use crate::error::{PgError, SqlState};
use crate::planner::node::ApplyKind;

impl Pass {
    /// A lateral join that DataFusion does not join becomes an apply.
    pub(super) fn lateral(&self, join: Join) -> Result<Transformed<LogicalPlan>> {
        if !is_lateral(&join)? {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let optional = match join.join_type {
            JoinType::Inner => false,
            JoinType::Left => true,
            _ => {
                return Err(PgError::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    "invalid reference to a FROM-clause entry",
                )
                .detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
                .into());
            }
        };
        let condition = condition(&join);
        let asking = match &condition {
            Some(condition) => super::asks_expr(condition)?,
            None => false,
        };
        let right = without_boundary(&join.right);
        let schema = join.left.schema();
        if self.decorrelate && !asking && is_plain_side(&join.right) {
            let inner = strip_alias(&right);
            let rows = joins(inner, schema, Asked::Membership)? && !groups(inner);
            if rows || (!optional && joins(inner, schema, Asked::Value)?) {
                return Ok(Transformed::no(LogicalPlan::Join(join)));
            }
        }
        self.apply_rows(&join.left, right, condition, optional).map(Transformed::yes)
    }

    fn apply_rows(
        &self,
        left: &LogicalPlan,
        right: LogicalPlan,
        condition: Option<Expr>,
        optional: bool,
    ) -> Result<LogicalPlan> {
        let right = match condition {
            None => right,
            Some(condition) => {
                let predicate = outward(condition, left.schema())?;
                let filter = Filter::try_new(predicate, right.into())?;
                match asks(&LogicalPlan::Filter(filter.clone()))? {
                    true => self.filter(filter)?,
                    false => LogicalPlan::Filter(filter),
                }
            }
        };
        let mut plan = left.clone();
        self.apply(right, ApplyKind::Rows { optional }, None, &mut plan)?;
        Ok(plan)
    }

    /// A join on a condition that asks subqueries.
    pub(super) fn join_condition(&self, join: Join) -> Result<Transformed<LogicalPlan>> {
        let Some(predicate) = condition(&join) else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        if !super::asks_expr(&predicate)? {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let plan = match join.join_type {
            JoinType::Inner => {
                let crossed = LogicalPlanBuilder::from(join.left.as_ref().clone())
                    .cross_join(join.right.as_ref().clone())?
                    .build()?;
                self.filter(Filter::try_new(predicate, crossed.into())?)?
            }
            JoinType::Left => {
                self.apply_rows(&join.left, join.right.as_ref().clone(), Some(predicate), true)?
            }
            JoinType::Right => {
                let columns = join.schema.columns().into_iter().map(Expr::Column);
                let left = join.left.as_ref().clone();
                let plan = self.apply_rows(&join.right, left, Some(predicate), true)?;
                LogicalPlanBuilder::from(plan).project(columns)?.build()?
            }
            _ => {
                return Err(PgError::unsupported(
                    "a subquery in the condition of a FULL JOIN is not supported",
                    "Compute its value in a derived table, and join that.",
                )
                .into());
            }
        };
        Ok(Transformed::yes(plan))
    }
}

/// Equalities and the rest of a join's condition, null or true left out.
fn condition(join: &Join) -> Option<Expr> {
    let equalities = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    conjunction(equalities.chain(join.filter.clone()))
}

/// Takes marks of lateral sides off a node's inputs where they mark nothing: the first table of a FROM list.
pub(super) fn strip(node: LogicalPlan) -> Result<LogicalPlan> {
    let keeps = match &node {
        LogicalPlan::Join(join) => is_lateral(join)?,
        LogicalPlan::SubqueryAlias(_) => true,
        _ => false,
    };
    if keeps {
        return Ok(node);
    }
    Ok(node
        .map_children(|child| {
            Ok(if is_marked(&child) {
                Transformed::yes(without_boundary(&child))
            } else {
                Transformed::no(child)
            })
        })?
        .data)
}

fn is_marked(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_marked(&alias.input),
        LogicalPlan::Projection(projection) => is_marked(&projection.input),
        _ => false,
    }
}

/// Whether DataFusion's rule looks at a lateral side at all.
fn is_plain_side(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => matches!(*alias.input, LogicalPlan::Subquery(_)),
        _ => false,
    }
}

/// The plan without the node that marks where a lateral side begins.
fn without_boundary(plan: &LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Subquery(subquery) => subquery.subquery.as_ref().clone(),
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = without_boundary(&alias.input);
            match SubqueryAlias::try_new(inner.into(), alias.alias.clone()) {
                Ok(alias) => LogicalPlan::SubqueryAlias(alias),
                Err(_) => plan.clone(),
            }
        }
        LogicalPlan::Projection(projection) => {
            let inner = without_boundary(&projection.input);
            match plan.with_new_exprs(projection.expr.clone(), vec![inner]) {
                Ok(plan) => plan,
                Err(_) => plan.clone(),
            }
        }
        other => other.clone(),
    }
}

fn strip_alias(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => strip_alias(&alias.input),
        other => other,
    }
}

/// Whether rows are put together anywhere, which a lateral join by equality would do across outer rows.
fn groups(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The closure never fails.
    let _ = plan.apply(|node| {
        found |= matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

/// VALUES are computed when a statement is planned, and can neither name a row's columns, nor ask a subquery, nor wait
/// as `pg_sleep` does; a union of single rows can.
pub(super) fn values_as_union(values: Values) -> Result<Transformed<LogicalPlan>> {
    let plan = LogicalPlan::Values(values);
    if free(&plan)?.is_empty() && !super::asks(&plan)? && !waits(&plan)? {
        return Ok(Transformed::no(plan));
    }
    let LogicalPlan::Values(values) = plan else { return Ok(Transformed::no(plan)) };
    let empty = DFSchema::empty();
    let rows = values
        .values
        .into_iter()
        .map(|row| {
            let row = row
                .into_iter()
                .zip(values.schema.fields())
                .map(|(expr, field)| {
                    let cast = datafusion::logical_expr::ExprSchemable::cast_to(
                        expr,
                        field.data_type(),
                        &empty,
                    )?;
                    Ok(cast.alias(field.name()))
                })
                .collect::<Result<Vec<Expr>>>()?;
            LogicalPlanBuilder::empty(true).project(row)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut rows = rows.into_iter();
    let Some(mut union) = rows.next() else {
        return Err(PgError::internal("VALUES without a row").into());
    };
    for row in rows {
        union = union.union(row.build()?)?;
    }
    Ok(Transformed::yes(union.build()?))
}

/// Whether a function that waits is called in a plan's expressions.
fn waits(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        expr.apply(|expr| {
            found |= matches!(expr, Expr::ScalarFunction(call)
                if call.func.inner().is::<AsyncScalarUDF>());
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}
