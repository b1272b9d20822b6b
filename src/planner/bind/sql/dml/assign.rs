//! SET: which columns are assigned, and what to them.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable};
use sqlparser::ast::{
    Assignment, AssignmentTarget, Expr as SqlExpr, ObjectName, ObjectNamePart, Query, Select,
    SelectItem, SetExpr, Value,
};

use super::{ident_offset, undefined_column};
use crate::catalog::{Column, Relation, Table};
use crate::error::{PgError, SqlState};
use crate::functions::cast::depth;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::column_value::{check_assigned, default_of, is_default};
use crate::planner::bind::sql::names::fold;
use crate::planner::bind::sql::query::bind_expression;
use crate::planner::bind::sql::{resolve, rewrite};
use crate::types::pg_type::PgType;

/// The columns that `SET` names, by position, each with what it is set to.
///
/// # Errors
/// `42703` for a column that is not there, `42601` for one that is named twice or a list of another length.
pub(super) fn assignments(
    relation: &Relation,
    table: &Table,
    assignments: &[Assignment],
) -> Result<Vec<(usize, SqlExpr)>, PgError> {
    let mut values: Vec<(usize, SqlExpr)> = Vec::new();
    for assignment in assignments {
        let (names, given) = match &assignment.target {
            AssignmentTarget::ColumnName(name) => {
                (std::slice::from_ref(name), vec![assignment.value.clone()])
            }
            AssignmentTarget::Tuple(names) => {
                (names.as_slice(), row_values(&assignment.value, names.len())?)
            }
        };
        for (name, value) in names.iter().zip(given) {
            values.push((assigned(relation, table, name, &values)?, value));
        }
    }
    Ok(values)
}

fn assigned(
    relation: &Relation,
    table: &Table,
    name: &ObjectName,
    before: &[(usize, SqlExpr)],
) -> Result<usize, PgError> {
    // `SET t.a = …` would assign a field of a column `t`.
    let Some(ident) = name.0.first().and_then(ObjectNamePart::as_ident) else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("improper column name: {name}")));
    };
    let at = table
        .position(&fold(ident))
        .filter(|_| name.0.len() == 1)
        .ok_or_else(|| undefined_column(relation, ident))?;
    if before.iter().any(|(other, _)| *other == at) {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("multiple assignments to same column \"{}\"", fold(ident)),
        )
        .or_at(ident_offset(ident)));
    }
    Ok(at)
}

/// The values of `(a, b) = (1, 2)`, `= ROW(1, 2)` and `= (SELECT 1, 2)`.
fn row_values(value: &SqlExpr, wanted: usize) -> Result<Vec<SqlExpr>, PgError> {
    let values = match value {
        SqlExpr::Tuple(values) => values.clone(),
        SqlExpr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            row_arguments(function)?
        }
        SqlExpr::Subquery(query) => return columns_of_query(query, wanted),
        _ => {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            ));
        }
    };
    if values.len() != wanted {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "number of columns does not match number of values",
        ));
    }
    Ok(values)
}

fn row_arguments(function: &sqlparser::ast::Function) -> Result<Vec<SqlExpr>, PgError> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr, FunctionArguments};
    let FunctionArguments::List(list) = &function.args else { return Ok(Vec::new()) };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
            other => Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("syntax error at or near \"{other}\""),
            )),
        })
        .collect()
}

/// A query of several columns as one for each column.
fn columns_of_query(query: &Query, wanted: usize) -> Result<Vec<SqlExpr>, PgError> {
    let plain = |select: &Select| {
        select.projection.iter().all(|item| {
            matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
        })
    };
    let disagree = || {
        PgError::new(SqlState::SYNTAX_ERROR, "number of columns does not match number of values")
    };
    match query.body.as_ref() {
        SetExpr::Select(select) if plain(select) && select.distinct.is_none() => {
            if select.projection.len() != wanted {
                return Err(disagree());
            }
            Ok((0..wanted)
                .map(|at| {
                    if let Some(expr) = lone_value(query, at) {
                        return SqlExpr::Nested(Box::new(expr));
                    }
                    let mut query = query.clone();
                    if let SetExpr::Select(select) = query.body.as_mut() {
                        let item = select.projection.swap_remove(at);
                        select.projection = vec![item];
                    }
                    SqlExpr::Subquery(Box::new(query))
                })
                .collect())
        }
        _ => (0..wanted).map(|at| column_of_query(query, at, wanted)).collect(),
    }
}

/// The value of `(SELECT a, b)`, which reads nothing.
fn lone_value(query: &Query, at: usize) -> Option<SqlExpr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let plain = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none();
    match select.projection.get(at).filter(|_| plain)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }
            if !rewrite::aggregates(expr) =>
        {
            Some(expr.clone())
        }
        _ => None,
    }
}

/// `(SELECT c1 FROM (query) AS q (c0, c1, …))`
fn column_of_query(query: &Query, at: usize, wanted: usize) -> Result<SqlExpr, PgError> {
    let column_names: Vec<String> = (0..wanted).map(|at| format!("c{at}")).collect();
    let text = format!("(SELECT c{at} FROM ({query}) AS q ({}))", column_names.join(", "));
    Ok(crate::parser::stored::parse_expression(&text)?)
}

/// What is assigned to a column, over the columns of `schema`.
pub(super) fn bind_value(
    context: &BindContext,
    value: &SqlExpr,
    column: &Column,
    schema: &DFSchema,
) -> Result<Expr, PgError> {
    check_assigned(column, value)?;
    let mut value = if is_default(value) { default_of(context, column)? } else { value.clone() };
    type_parameter(&mut value, column);
    if let SqlExpr::Subquery(query) = &mut value
        && let SetExpr::Select(select) = query.body.as_mut()
        && let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
            select.projection.as_mut_slice()
    {
        type_parameter(expr, column);
    }
    let expr = bind_expression(context, &value, schema)?;
    cast_to_column(context, expr, column, schema)
}

/// The default of a column, over no columns.
///
/// # Errors
/// `XX000` if its text cannot be read.
pub fn bind_default(context: &BindContext, column: &Column) -> Result<Expr, PgError> {
    let empty = DFSchema::empty();
    let default = bind_expression(context, &default_of(context, column)?, &empty)?;
    cast_to_column(context, default, column, &empty)
}

/// `$1`, a quoted literal or NULL in the place of a column has the column's type.
pub(super) fn type_parameter(expr: &mut SqlExpr, column: &Column) {
    use Value as V;
    let is_untyped = matches!(expr, SqlExpr::Value(value) if matches!(
        value.value,
        V::Placeholder(_) | V::SingleQuotedString(_) | V::EscapedStringLiteral(_) | V::DollarQuotedString(_) | V::Null
    ));
    let is_row = |expr: &SqlExpr| match expr {
        SqlExpr::Tuple(_) => true,
        SqlExpr::Function(call) => call.name.to_string().eq_ignore_ascii_case("row"),
        _ => false,
    };
    let is_row = matches!(column.ty, PgType::Row(_)) && is_row(expr);
    let is_array = matches!(column.ty, PgType::Array(_)) && matches!(expr, SqlExpr::Array(_));
    if (is_untyped || is_row || is_array)
        && let Ok(data_type) = crate::parser::stored::parse_type(&type_text(&column.ty))
    {
        let inner = std::mem::replace(expr, SqlExpr::value(Value::Null));
        *expr = SqlExpr::Cast {
            kind: sqlparser::ast::CastKind::DoubleColon,
            expr: Box::new(inner),
            data_type,
            array: false,
            format: None,
        };
    }
}

/// The name of a column's type, with as many brackets as it was declared with.
fn type_text(ty: &PgType) -> String {
    let plain = ty.without_modifier();
    let (mut brackets, mut inner) = (String::new(), &plain);
    while let PgType::Array(element) = inner {
        brackets.push_str("[]");
        inner = element;
    }
    // Whatever the search path: by number.
    if let PgType::Enum(_) | PgType::Domain(_) | PgType::Hstore = inner {
        let number = crate::types::Oid(inner.oid());
        return format!("\"{}\"{brackets}", crate::catalog::stored_text::type_reference(number));
    }
    format!("{}{brackets}", inner.name())
}

/// An expression as a value of a column, by the rules of assignment.
pub(super) fn cast_to_column(
    context: &BindContext,
    expr: Expr,
    column: &Column,
    schema: &DFSchema,
) -> Result<Expr, PgError> {
    let expr = resolve::assign(context, expr, &column.ty, schema);
    if let (Ok(expr), PgType::Array(_)) = (&expr, &column.ty)
        && let Ok(found) = expr.get_type(schema)
        && depth(&found) > depth(&column.ty.arrow())
    {
        return Err(PgError::unsupported(
            "arrays of more dimensions than the column was declared with are not supported",
            "Declare the column with as many brackets: integer[][].",
        ));
    }
    expr.map_err(|error| {
        if error.code() == SqlState::CANNOT_COERCE {
            let from = error.fields().message.to_string();
            let from =
                from.strip_prefix("cannot cast type ").and_then(|rest| rest.split(" to ").next());
            return PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{}\" is of type {} but expression is of type {}",
                    column.name,
                    column.declared().without_modifier().name(),
                    from.unwrap_or("another type")
                ),
            )
            .hint("You will need to rewrite or cast the expression.");
        }
        error
    })
}
