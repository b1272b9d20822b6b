//! RETURNING.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::SelectItem;

use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::fold;
use crate::planner::bind::sql::query::bind_expression;
use crate::planner::bind::sql::rewrite;

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
    let mut exprs = Vec::new();
    for item in &items {
        match item {
            SelectItem::UnnamedExpr(expr) => exprs.push(bind_expression(context, expr, &schema)?),
            SelectItem::ExprWithAlias { expr, alias } => {
                exprs.push(bind_expression(context, expr, &schema)?.alias(fold(alias)));
            }
            SelectItem::Wildcard(_) => exprs.extend(schema.columns().into_iter().map(Expr::Column)),
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
