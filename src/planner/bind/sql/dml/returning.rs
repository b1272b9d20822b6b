//! RETURNING.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::SelectItem;

use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::fold;
use crate::planner::bind::sql::query::bind_expression;
use crate::planner::bind::sql::rewrite;
use crate::planner::node::EXCLUDED;

/// The RETURNING list over the written rows; without one, the rows as they are (they are only counted).
pub(super) fn returning_plan(
    context: &BindContext,
    write: LogicalPlan,
    returning: Option<&[SelectItem]>,
    alias: &str,
) -> Result<LogicalPlan, PgError> {
    let Some(items) = returning else { return Ok(write) };
    let mut items = items.to_vec();
    rewrite::name_returning(&mut items);
    let schema = Arc::clone(write.schema());
    let bind = |expr| {
        bind_expression(context, expr, &schema).map_err(|error| invalid_reference(error, EXCLUDED))
    };
    let mut exprs = Vec::new();
    for item in &items {
        match item {
            SelectItem::UnnamedExpr(expr) => exprs.push(bind(expr)?),
            SelectItem::ExprWithAlias { expr, alias } => {
                exprs.push(bind(expr)?.alias(fold(alias)));
            }
            SelectItem::Wildcard(_) => {
                // The target comes first, whatever FROM or USING adds.
                let columns = schema.columns().into_iter();
                let (own, others): (Vec<_>, Vec<_>) = columns.partition(|column| {
                    column.relation.as_ref().is_some_and(|relation| relation.table() == alias)
                });
                exprs.extend(own.into_iter().chain(others).map(Expr::Column));
            }
            SelectItem::QualifiedWildcard(kind, _) => {
                let name = kind.to_string();
                let name = name.trim_end_matches(".*").trim_matches('"');
                let of: Vec<_> = schema
                    .columns()
                    .into_iter()
                    .filter(|column| {
                        column.relation.as_ref().is_some_and(|relation| relation.table() == name)
                    })
                    .collect();
                if of.is_empty() {
                    return Err(PgError::new(
                        SqlState::UNDEFINED_TABLE,
                        format!("missing FROM-clause entry for table \"{name}\""),
                    ));
                }
                exprs.extend(of.into_iter().map(Expr::Column));
            }
            SelectItem::ExprWithAliases { .. } => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("RETURNING of \"{alias}\" has several names"),
                ));
            }
        }
    }
    Ok(LogicalPlanBuilder::from(write).project(exprs)?.build()?)
}

/// An error about a column of `table` that is not there, for a table that is there and cannot be seen from here.
pub(super) fn invalid_reference(error: PgError, table: &str) -> PgError {
    let is_its = error.code() == SqlState::UNDEFINED_COLUMN
        && error.fields().message.starts_with(&format!("column {table}."));
    if !is_its {
        return error;
    }
    PgError::new(
        SqlState::UNDEFINED_TABLE,
        format!("invalid reference to FROM-clause entry for table \"{table}\""),
    )
    .hint(format!(
        "There is an entry for table \"{table}\", but it cannot be referenced from this part of the query."
    ))
    .or_at(error.fields().offset)
}
