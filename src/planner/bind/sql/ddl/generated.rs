//! Generated columns: what their expressions may be.

use std::sync::Arc;

use datafusion::common::DFSchema;

use crate::catalog::{Column, ColumnDefault};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::query::bind_expression;
use crate::planner::bind::sql::{resolve, stored};

/// The generation expressions among a table's columns must be immutable and name no generated column.
///
/// # Errors
/// `42P17`, `42703`, `42804`, `0A000` as PostgreSQL's.
pub(super) fn check(context: &BindContext, table: &str, columns: &[Column]) -> Result<(), PgError> {
    let generated: Vec<(&Column, &String)> = columns
        .iter()
        .filter_map(|column| match &column.default {
            Some(ColumnDefault::Generated(text)) => Some((column, text)),
            Some(ColumnDefault::Expression(_) | ColumnDefault::Identity { .. }) | None => None,
        })
        .collect();
    if generated.is_empty() {
        return Ok(());
    }
    let fields = columns
        .iter()
        .map(|column| (Some(table.into()), Arc::new(column.ty.field(&column.name, true))));
    let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
    for (column, text) in &generated {
        for name in stored::columns_in(text)? {
            if generated.iter().any(|(other, _)| other.name == name) {
                return Err(PgError::new(
                    SqlState::INVALID_OBJECT_DEFINITION,
                    format!(
                        "cannot use generated column \"{name}\" in column generation expression"
                    ),
                )
                .detail("A generated column cannot reference another generated column."));
            }
        }
        check_expression(context, column, text, &schema)?;
    }
    Ok(())
}

fn check_expression(
    context: &BindContext,
    column: &Column,
    text: &str,
    schema: &DFSchema,
) -> Result<(), PgError> {
    let expr = crate::parser::stored::parse_expression(text)?;
    let bound = bind_expression(context, &expr, schema)?;
    let from = crate::planner::bind::sql::query::type_of(&bound, schema)?;
    let bound = resolve::assign(context, bound, &column.ty, schema).map_err(|error| {
        if !matches!(error.code(), SqlState::CANNOT_COERCE | SqlState::DATATYPE_MISMATCH) {
            return error;
        }
        PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "column \"{}\" is of type {} but default expression is of type {}",
                column.name,
                column.ty.without_modifier().name(),
                from.without_modifier().name()
            ),
        )
        .hint("You will need to rewrite or cast the expression.")
    })?;
    if !stored::is_immutable(&bound, schema) {
        return Err(PgError::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            "generation expression is not immutable",
        ));
    }
    Ok(())
}
