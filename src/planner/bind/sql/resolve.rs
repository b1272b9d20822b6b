//! Literals, casts and operators by PostgreSQL's rules, on the plan DataFusion's planner made.
//!
//! DataFusion reads `1` as a 64-bit integer and leaves a quoted literal a string wherever it stands. PostgreSQL reads
//! the first as `integer` and the second as *unknown*: it takes the type of what it is compared with or assigned to.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Case, Cast, Expr, LogicalPlan, Operator};

use super::query::type_of;
use crate::error::PgError;
use crate::functions::plan_cast;
use crate::planner::bind::context::BindContext;
use crate::types::pg_type::PgType;

/// Applies the rules to every expression of a plan.
pub(super) fn resolve_plan(plan: LogicalPlan, context: &BindContext) -> std::result::Result<LogicalPlan, PgError> {
    let plan = plan.transform_up_with_subqueries(|node| resolve_node(node, context))?.data;
    Ok(plan)
}

/// Applies the rules to one expression over `schema`.
pub(super) fn resolve_expression(
    expr: Expr,
    schema: &DFSchema,
    context: &BindContext,
) -> std::result::Result<Expr, PgError> {
    let expr = expr.transform_up(|expr| resolve(expr, schema, context))?.data;
    Ok(expr)
}

fn resolve_node(node: LogicalPlan, context: &BindContext) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Limit(_) = node {
        return Ok(Transformed::no(node));
    }
    let mut schema = merge_schema(&node.inputs());
    if let LogicalPlan::TableScan(scan) = &node {
        schema.merge(&scan.projected_schema);
    }
    let keep_names = matches!(
        node,
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_)
    );
    let transformed = node.map_expressions(|expr| {
        let name = keep_names.then(|| expr.qualified_name());
        let resolved = expr.transform_up(|expr| resolve(expr, &schema, context))?;
        Ok(match name {
            // What is above refers to this expression by the name it had.
            Some((qualifier, name)) if resolved.transformed => {
                resolved.update_data(|expr| restore_name(expr, qualifier, &name))
            }
            _ => resolved,
        })
    })?;
    if !transformed.transformed {
        return transformed.map_data(LogicalPlan::recompute_schema);
    }
    transformed.map_data(|plan| match plan {
        LogicalPlan::Values(values) => {
            let rows = values.values;
            datafusion::logical_expr::LogicalPlanBuilder::values(rows)?.build()
        }
        other => other.recompute_schema(),
    })
}

fn restore_name(expr: Expr, qualifier: Option<datafusion::common::TableReference>, name: &str) -> Expr {
    let (now_qualifier, now) = expr.qualified_name();
    if now == name && now_qualifier == qualifier {
        return expr;
    }
    match qualifier {
        Some(qualifier) => expr.alias_qualified(Some(qualifier), name),
        None => expr.alias(name),
    }
}

fn resolve(expr: Expr, schema: &DFSchema, context: &BindContext) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), None) => match i32::try_from(value) {
            Ok(small) => Ok(Transformed::yes(Expr::Literal(ScalarValue::Int32(Some(small)), None))),
            Err(_) => Ok(Transformed::no(Expr::Literal(ScalarValue::Int64(Some(value)), None))),
        },
        Expr::Cast(Cast { expr, field }) => {
            if let Expr::Placeholder(mut placeholder) = *expr {
                // `$1::type` declares the parameter.
                if placeholder.field.as_ref().is_none_or(|known| known.data_type().is_null()) {
                    placeholder.field = Some(field);
                    return Ok(Transformed::yes(Expr::Placeholder(placeholder)));
                }
                let inner = Expr::Placeholder(placeholder);
                return cast(inner, &PgType::from_field(&field), schema, context).map(Transformed::yes);
            }
            cast(*expr, &PgType::from_field(&field), schema, context).map(Transformed::yes)
        }
        Expr::BinaryExpr(binary) => resolve_binary(binary, schema, context),
        Expr::InList(InList { expr, list, negated }) => {
            let list = unify_unknown(&expr, list, schema, context)?;
            Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let mut bounds = unify_unknown(&expr, vec![*low, *high], schema, context)?.into_iter();
            match (bounds.next(), bounds.next()) {
                (Some(low), Some(high)) => {
                    let between = Between { expr, negated, low: Box::new(low), high: Box::new(high) };
                    Ok(Transformed::yes(Expr::Between(between)))
                }
                _ => Err(PgError::internal("BETWEEN lost a bound").into()),
            }
        }
        Expr::Case(case) => resolve_case(case, schema, context),
        other => Ok(Transformed::no(other)),
    }
}

/// A quoted literal whose type nothing has said yet.
pub(super) fn is_unknown(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Utf8View(_), None) => true,
        Expr::Alias(alias) => is_unknown(&alias.expr),
        _ => false,
    }
}

fn cast(expr: Expr, to: &PgType, schema: &DFSchema, context: &BindContext) -> Result<Expr> {
    let from = if is_unknown(&expr) { PgType::Unknown } else { type_of(&expr, schema)? };
    Ok(plan_cast(expr, &from, to, true, &context.functions)?)
}

fn resolve_binary(binary: BinaryExpr, schema: &DFSchema, context: &BindContext) -> Result<Transformed<Expr>> {
    let BinaryExpr { left, op, right } = binary;
    let compares = matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    );
    let arithmetic = matches!(
        op,
        Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo
    );
    let (left, right, changed) = match (is_unknown(&left), is_unknown(&right)) {
        (true, false) if compares || arithmetic => {
            (Box::new(assume(*left, &right, schema, context)?), right, true)
        }
        (false, true) if compares || arithmetic => {
            let right = assume(*right, &left, schema, context)?;
            (left, Box::new(right), true)
        }
        _ => (left, right, false),
    };
    let expr = Expr::BinaryExpr(BinaryExpr { left, op, right });
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// Gives an unknown literal the type of what it meets.
fn assume(literal: Expr, other: &Expr, schema: &DFSchema, context: &BindContext) -> Result<Expr> {
    let ty = type_of(other, schema)?;
    if matches!(ty, PgType::Unknown | PgType::Text | PgType::Void) {
        return Ok(literal);
    }
    let ty = ty.without_modifier();
    Ok(plan_cast(literal, &PgType::Unknown, &ty, false, &context.functions)?)
}

fn unify_unknown(
    expr: &Expr,
    list: Vec<Expr>,
    schema: &DFSchema,
    context: &BindContext,
) -> Result<Vec<Expr>> {
    list.into_iter()
        .map(|item| if is_unknown(&item) && !is_unknown(expr) { assume(item, expr, schema, context) } else { Ok(item) })
        .collect()
}

/// Branches of a CASE that are unknown literals take the type of one that is not; so do its WHEN values.
fn resolve_case(case: Case, schema: &DFSchema, context: &BindContext) -> Result<Transformed<Expr>> {
    let Case { expr, when_then_expr, else_expr } = case;
    let known = when_then_expr
        .iter()
        .map(|(_, then)| then.as_ref())
        .chain(else_expr.as_deref())
        .find(|branch| !is_unknown(branch) && !matches!(branch, Expr::Literal(ScalarValue::Null, _)))
        .cloned();
    let branch = |branch: Box<Expr>| -> Result<Box<Expr>> {
        match &known {
            Some(known) if is_unknown(&branch) => Ok(Box::new(assume(*branch, known, schema, context)?)),
            _ => Ok(branch),
        }
    };
    let when_then_expr = when_then_expr
        .into_iter()
        .map(|(when, then)| {
            let when = match &expr {
                Some(operand) if is_unknown(&when) && !is_unknown(operand) => {
                    Box::new(assume(*when, operand, schema, context)?)
                }
                _ => when,
            };
            Ok((when, branch(then)?))
        })
        .collect::<Result<_>>()?;
    let else_expr = else_expr.map(branch).transpose()?;
    Ok(Transformed::yes(Expr::Case(Case { expr, when_then_expr, else_expr })))
}

/// Casts for assignment (INSERT, UPDATE, DEFAULT): what PostgreSQL allows without being asked.
pub(super) fn assign(
    expr: Expr,
    to: &PgType,
    schema: &DFSchema,
    context: &BindContext,
) -> std::result::Result<Expr, PgError> {
    let from = if is_unknown(&expr) { PgType::Unknown } else { type_of(&expr, schema)? };
    if from == *to {
        return Ok(expr);
    }
    if let Expr::Placeholder(mut placeholder) = expr {
        if placeholder.field.as_ref().is_none_or(|known| known.data_type().is_null()) {
            placeholder.field = Some(Arc::new(to.without_modifier().field("", true)));
        }
        return plan_cast(Expr::Placeholder(placeholder), &to.without_modifier(), to, false, &context.functions);
    }
    plan_cast(expr, &from, to, false, &context.functions)
}
