//! Values that a statement does not give: defaults, identity columns, generated columns.
//!
//! INSERT, UPDATE, MERGE and COPY ask here what a column gets, and whether a value may be given at all.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{Expr as SqlExpr, Query, SqliteOnConflict, Value};

use super::query::bind_expression;
use super::{resolve, rewrite, stored};
use crate::catalog::{Column, ColumnDefault, Table};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;

/// `INSERT … OVERRIDING …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overriding {
    /// Not said.
    No,
    /// SYSTEM VALUE: values may be given for columns that are GENERATED ALWAYS AS IDENTITY.
    System,
    /// USER VALUE: values given for identity columns are ignored.
    User,
}

impl Overriding {
    /// What the parser made of the words (see `parser::sql::rewrite`); `None` for other forms of `INSERT OR …`.
    pub(crate) fn of(or: Option<&SqliteOnConflict>) -> Option<Self> {
        match or {
            None => Some(Self::No),
            Some(SqliteOnConflict::Rollback) => Some(Self::System),
            Some(SqliteOnConflict::Abort) => Some(Self::User),
            Some(SqliteOnConflict::Fail | SqliteOnConflict::Ignore | SqliteOnConflict::Replace) => {
                None
            }
        }
    }
}

/// Whether an expression is the word DEFAULT.
pub(crate) fn is_default(expr: &SqlExpr) -> bool {
    matches!(expr, SqlExpr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// What a column gets that is not given. A generated column's null is replaced by [`with_generated`].
pub(crate) fn default_of(context: &BindContext, column: &Column) -> Result<SqlExpr, PgError> {
    let of_type = || context.catalog.type_default(column.declared()).map(str::to_owned);
    let text = match &column.default {
        Some(ColumnDefault::Expression(text)) => text.clone(),
        Some(ColumnDefault::Identity { sequence, .. }) => stored::next_value(*sequence),
        Some(ColumnDefault::Generated(_)) => return Ok(SqlExpr::value(Value::Null)),
        None => match of_type() {
            Some(text) => text,
            None => return Ok(SqlExpr::value(Value::Null)),
        },
    };
    crate::parser::stored::parse_expression(&text).map_err(|error| {
        PgError::internal(format!("default of \"{}\" cannot be read: {error}", column.name))
    })
}

/// What DEFAULT stands for in a VALUES list: null where [`given_columns`] leaves the column out, so that a sequence is
/// not asked twice.
pub(crate) fn default_in_values(
    context: &BindContext,
    column: &Column,
    overriding: Overriding,
) -> Result<SqlExpr, PgError> {
    let identity = matches!(column.default, Some(ColumnDefault::Identity { .. }));
    if refusal(column, overriding).is_some() || (identity && overriding == Overriding::User) {
        return Ok(SqlExpr::value(Value::Null));
    }
    default_of(context, column)
}

/// Why no value may be given for a column; `None` if one may.
fn refusal(column: &Column, overriding: Overriding) -> Option<(String, Option<&'static str>)> {
    match &column.default {
        Some(ColumnDefault::Generated(_)) => {
            Some((format!("Column \"{}\" is a generated column.", column.name), None))
        }
        Some(ColumnDefault::Identity { always: true, .. }) if overriding == Overriding::No => {
            let detail = format!(
                "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
                column.name
            );
            Some((detail, Some("Use OVERRIDING SYSTEM VALUE to override.")))
        }
        Some(ColumnDefault::Identity { .. } | ColumnDefault::Expression(_)) | None => None,
    }
}

/// Which of the columns an INSERT names really get its values: not those that are given DEFAULT in every row and may be
/// given nothing else, nor identity columns under OVERRIDING USER VALUE. One flag for each column.
///
/// # Errors
/// `428C9` for a value that may not be given.
pub(crate) fn given_columns(
    table: &Table,
    columns: &[usize],
    query: Option<&Query>,
    overriding: Overriding,
) -> Result<Vec<bool>, PgError> {
    if query.is_none() {
        return Ok(vec![false; columns.len()]);
    }
    let mut query = query.cloned();
    let rows = query.as_mut().and_then(rewrite::values_mut);
    let mut given = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let Some(column) = table.columns.get(*column) else { continue };
        let identity = matches!(column.default, Some(ColumnDefault::Identity { .. }));
        if identity && overriding == Overriding::User {
            given.push(false);
            continue;
        }
        let Some((detail, hint)) = refusal(column, overriding) else {
            given.push(true);
            continue;
        };
        let all_default = rows.as_ref().is_some_and(|values| {
            values.rows.iter().all(|row| row.content.get(at).is_none_or(is_default))
        });
        if !all_default {
            let error = PgError::new(
                SqlState::GENERATED_ALWAYS,
                format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name),
            )
            .detail(detail);
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        given.push(false);
    }
    Ok(given)
}

/// Whether `UPDATE … SET column = value` is allowed.
///
/// # Errors
/// `428C9`
pub(crate) fn check_assigned(column: &Column, value: &SqlExpr) -> Result<(), PgError> {
    match refusal(column, Overriding::No) {
        Some((detail, _)) if !is_default(value) => Err(PgError::new(
            SqlState::GENERATED_ALWAYS,
            format!("column \"{}\" can only be updated to DEFAULT", column.name),
        )
        .detail(detail)),
        Some(_) | None => Ok(()),
    }
}

/// Rows with their generated columns computed. The table's columns are those of `plan` from `first` on, in order; what
/// stands in the generated ones is replaced.
///
/// # Errors
/// `XX000` for an expression that cannot be bound any more: a defect.
pub(crate) fn with_generated(
    context: &BindContext,
    plan: LogicalPlan,
    table: &Table,
    first: usize,
) -> Result<LogicalPlan, PgError> {
    let is_generated =
        |column: &Column| matches!(column.default, Some(ColumnDefault::Generated(_)));
    if !table.columns.iter().any(is_generated) {
        return Ok(plan);
    }
    let schema = Arc::clone(plan.schema());
    let own = schema.iter().skip(first).take(table.columns.len());
    let own: Vec<_> = own.map(|(name, field)| (name.cloned(), Arc::clone(field))).collect();
    let own = DFSchema::new_with_metadata(own, Default::default())?;
    let exprs = schema
        .columns()
        .into_iter()
        .enumerate()
        .map(|(at, column)| {
            let wanted = at.checked_sub(first).and_then(|at| table.columns.get(at));
            let Some(ColumnDefault::Generated(text)) =
                wanted.and_then(|wanted| wanted.default.as_ref())
            else {
                return Ok(Expr::Column(column));
            };
            let ty = wanted.map_or(crate::types::pg_type::PgType::Text, |wanted| wanted.ty.clone());
            let expr = crate::parser::stored::parse_expression(text)?;
            let expr = bind_expression(context, &expr, &own)?;
            let expr = resolve::assign(context, expr, &ty, &own)?;
            Ok(expr.alias_qualified(column.relation.clone(), column.name))
        })
        .collect::<Result<Vec<_>, PgError>>()?;
    Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
}
