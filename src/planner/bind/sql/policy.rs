//! Conditions of policies: on their way into the catalog, and bound where they are applied.
//!
//! A condition is bound as the WHERE of a query on its table, so that its subqueries see the table's columns, and with the
//! search path and the names it was made with, as a view is.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result as PlanResult, TableReference};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use parking_lot::Mutex;
use sqlparser::ast::{Expr as SqlExpr, Query, SetExpr};

use super::ddl::view_reads;
use super::query::plan_query;
use super::stored::stored_expression;
use crate::catalog::pg::describe::quote_identifier;
use crate::catalog::{PolicyExpression, Relation};
use crate::error::PgError;
use crate::planner::bind::context::{BindContext, Parameters};
use crate::types::Oid;

/// Checks a condition and gives what is kept of it.
///
/// # Errors
/// `42804` if it is not boolean; whatever binding it says.
pub(super) fn policy_expression(
    context: &BindContext,
    relation: &Relation,
    expr: &SqlExpr,
) -> Result<PolicyExpression, PgError> {
    let tracking = BindContext { parameters: Parameters::default(), ..context.tracking() };
    let query = query_on(&tracking, relation, &relation.name, expr)?;
    let plan = plan_query(&tracking, &query, &Arc::default()).map_err(about_policies)?;
    let reads = view_reads(context, &tracking, &plan);
    Ok(PolicyExpression {
        text: stored_expression(context, expr, None)?,
        search_path: context.search_path.clone(),
        reads,
    })
}

/// Conditions that were bound before in a session, by policy and whether it is USING. Only those without subqueries, which
/// depend on nothing but the table.
#[derive(Debug, Default)]
pub struct PolicyCache(Mutex<HashMap<(Oid, bool), Known>>);

#[derive(Debug)]
struct Known {
    relation: Arc<Relation>,
    expression: PolicyExpression,
    bound: Expr,
}

/// Conditions that are remembered at most.
const KNOWN_MAX: usize = 1024;

/// A condition over the columns of its table, as `known_as` calls each by its name; inside its subqueries too. `key` is the
/// policy, and whether it is its USING.
///
/// # Errors
/// What binding it says: what it names may have changed.
pub fn bind_policy(
    context: &BindContext,
    relation: &Arc<Relation>,
    expression: &PolicyExpression,
    key: (Oid, bool),
    known_as: &dyn Fn(&str) -> Column,
) -> Result<Expr, PgError> {
    let general = TableReference::bare("graphwire.policy");
    let rename = |column: &Column| {
        let own = column.relation.as_ref() == Some(&general);
        own.then(|| known_as(&column.name))
    };
    if let Some(known) = context.policies.0.lock().get(&key)
        && Arc::ptr_eq(&known.relation, relation)
        && known.expression == *expression
    {
        return Ok(requalified(known.bound.clone(), &rename)?);
    }
    let bound = bind(context, relation, expression, &general)?;
    if expression.reads.iter().all(|read| read.relation == relation.oid) {
        let mut known = context.policies.0.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let (relation, expression) = (Arc::clone(relation), expression.clone());
        known.insert(key, Known { relation, expression, bound: bound.clone() });
    }
    Ok(requalified(bound, &rename)?)
}

fn bind(
    context: &BindContext,
    relation: &Relation,
    expression: &PolicyExpression,
    qualifier: &TableReference,
) -> Result<Expr, PgError> {
    let expr = crate::parser::stored::parse_expression(&expression.text)?;
    let own = expression.reads.iter().find(|read| read.relation == relation.oid);
    let name = own.map_or(relation.name.as_str(), |read| read.name.as_str());
    let context = context.for_policy(expression)?;
    let schema = own.and_then(|read| read.schema.as_deref());
    let query = query_named(schema, name, expr)?;
    let plan = plan_query(&context, &query, &Arc::default())?;
    let predicate = condition_of(&plan)
        .ok_or_else(|| PgError::internal("the condition of a policy is gone"))?
        .clone();
    // What the columns were called when the policy was made.
    let current = |then: &str| -> String {
        let attnum = own.and_then(|read| read.columns.iter().find(|column| column.name == then));
        let now = attnum.and_then(|known| {
            relation.columns().iter().find(|column| column.attnum == known.attnum)
        });
        now.map_or(then, |column| column.name.as_str()).to_owned()
    };
    let from = TableReference::bare(name);
    let requalify = |column: &Column| -> Option<Column> {
        (column.relation.as_ref() == Some(&from))
            .then(|| Column::new(Some(qualifier.clone()), current(&column.name)))
    };
    Ok(requalified(predicate, &requalify)?)
}

/// `SELECT 1 FROM table AS table WHERE condition`
fn query_on(
    context: &BindContext,
    relation: &Relation,
    name: &str,
    condition: &SqlExpr,
) -> Result<Query, PgError> {
    let schema = context.catalog.schemas.get(&relation.schema);
    query_named(schema.map(|schema| schema.name.as_str()), name, condition.clone())
}

fn query_named(schema: Option<&str>, name: &str, condition: SqlExpr) -> Result<Query, PgError> {
    let name = quote_always(name);
    let schema = schema.map_or_else(String::new, |schema| format!("{}.", quote_always(schema)));
    let text = format!("SELECT 1 FROM {schema}{name} AS {name}");
    let mut query = crate::parser::stored::parse_query(&text)?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.selection = Some(condition);
    }
    Ok(query)
}

fn quote_always(name: &str) -> String {
    match quote_identifier(name) {
        quoted if quoted.starts_with('"') => quoted,
        plain => format!("\"{plain}\""),
    }
}

/// PostgreSQL's words for a condition that is a policy's.
fn about_policies(error: PgError) -> PgError {
    let message = error.fields().message.clone();
    let changed = if message.starts_with("argument of WHERE") {
        message.replace("argument of WHERE", "argument of POLICY")
    } else if message.ends_with("are not allowed in WHERE") {
        message.replace("in WHERE", "in policy expressions")
    } else {
        return error;
    };
    let offset = error.fields().offset;
    PgError::new(error.code(), changed).or_at(offset)
}

fn condition_of(plan: &LogicalPlan) -> Option<&Expr> {
    match plan {
        LogicalPlan::Filter(filter) => Some(&filter.predicate),
        LogicalPlan::Projection(projection) => condition_of(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => condition_of(&alias.input),
        _ => None,
    }
}

/// An expression whose columns, those that its subqueries read around them too, have other names.
fn requalified(expr: Expr, rename: &dyn Fn(&Column) -> Option<Column>) -> PlanResult<Expr> {
    let inside = |subquery: Subquery| -> PlanResult<Subquery> {
        let outer = |expr: Expr| {
            expr.transform(|expr| match expr {
                Expr::OuterReferenceColumn(field, column) => Ok(match rename(&column) {
                    Some(column) => Transformed::yes(Expr::OuterReferenceColumn(field, column)),
                    None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
                }),
                other => Ok(Transformed::no(other)),
            })
        };
        let plan = subquery.subquery.as_ref().clone().transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            let changed = node.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(outer(expr)?.update_data(|expr| name.restore(expr)))
            })?;
            changed.map_data(LogicalPlan::recompute_schema)
        })?;
        let columns = subquery.outer_ref_columns.into_iter().map(|expr| Ok(outer(expr)?.data));
        Ok(Subquery {
            subquery: Arc::new(plan.data),
            outer_ref_columns: columns.collect::<PlanResult<_>>()?,
            spans: subquery.spans,
        })
    };
    let changed = expr.transform_up(|expr| {
        Ok(match expr {
            Expr::Column(column) => match rename(&column) {
                Some(column) => Transformed::yes(Expr::Column(column)),
                None => Transformed::no(Expr::Column(column)),
            },
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(inside(subquery)?))
            }
            Expr::Exists(Exists { subquery, negated }) => {
                Transformed::yes(Expr::Exists(Exists { subquery: inside(subquery)?, negated }))
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let subquery = inside(subquery)?;
                Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated }))
            }
            Expr::SetComparison(comparison) => {
                let subquery = inside(comparison.subquery)?;
                Transformed::yes(Expr::SetComparison(SetComparison { subquery, ..comparison }))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(changed.data)
}
