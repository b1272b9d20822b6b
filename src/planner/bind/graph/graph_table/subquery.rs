//! Conditions and columns that ask other queries: they stay over columns named as in the text, which are made below them,
//! so that references from inside the queries find them.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Projection};

use super::scope::SqlScope;
use crate::error::PgError;
use crate::planner::node::has_subquery;

/// The rows that satisfy conditions which ask other queries.
pub(super) fn filtered(
    plan: LogicalPlan,
    scope: &SqlScope<'_, '_>,
    conditions: Vec<Expr>,
) -> Result<LogicalPlan, PgError> {
    let Some(condition) = conditions.into_iter().reduce(Expr::and) else { return Ok(plan) };
    let own: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let plan = with_columns(plan, scope, std::slice::from_ref(&condition))?;
    let plan = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?);
    Ok(LogicalPlan::Projection(Projection::try_new(own, Arc::new(plan))?))
}

/// The output columns over a plan.
pub(super) fn projected(
    plan: LogicalPlan,
    scope: &SqlScope<'_, '_>,
    outputs: Vec<(Expr, String)>,
) -> Result<LogicalPlan, PgError> {
    let asking: Vec<Expr> =
        outputs.iter().map(|(expr, _)| expr).filter(|expr| has_subquery(expr)).cloned().collect();
    let plan = with_columns(plan, scope, &asking)?;
    let outputs: Vec<Expr> = outputs.into_iter().map(|(expr, name)| expr.alias(name)).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(outputs, Arc::new(plan))?))
}

/// A plan with the columns beside its own that some expressions read by the names of the text.
fn with_columns(
    plan: LogicalPlan,
    scope: &SqlScope<'_, '_>,
    expressions: &[Expr],
) -> Result<LogicalPlan, PgError> {
    let mut read: Vec<Column> = Vec::new();
    for expr in expressions {
        expr.apply(|expr| {
            let outer = match expr {
                Expr::Column(column) => {
                    read.push(column.clone());
                    return Ok(TreeNodeRecursion::Continue);
                }
                Expr::Exists(exists) => &exists.subquery.outer_ref_columns,
                Expr::InSubquery(query) => &query.subquery.outer_ref_columns,
                Expr::ScalarSubquery(query) => &query.outer_ref_columns,
                Expr::SetComparison(query) => &query.subquery.outer_ref_columns,
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            for column in outer {
                if let Expr::OuterReferenceColumn(_, column) = column {
                    read.push(column.clone());
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    read.sort_unstable();
    read.dedup();
    let mut columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    for column in read {
        if scope.schema.has_column(&column) {
            let table = column.relation.as_ref().map_or("", TableReference::table).to_owned();
            let value = scope.resolved(Expr::Column(column.clone()), None)?;
            columns.push(value.alias_qualified(Some(table), column.name));
        }
    }
    if columns.len() == plan.schema().fields().len() {
        return Ok(plan);
    }
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}
