//! Expressions on their way into the catalog, as texts that renaming a relation does not change.

use std::ops::ControlFlow;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, Volatility};
use sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, Value, visit_expressions_mut,
};

use super::names::fold;
use super::query::type_of;
use super::types::sql_type;
use crate::catalog::stored_text;
use crate::error::PgError;
use crate::functions::cast::is_immutable_cast;
use crate::functions::context::RegKind;
use crate::planner::bind::context::BindContext;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Functions whose first argument is a `regclass`, and literals there names of relations.
const OF_RELATIONS: [&str; 3] = ["nextval", "currval", "setval"];

/// The text of an expression over `table`, or over no columns: relations by number, columns without the table's name.
///
/// # Errors
/// `42P01` for the name of a relation that does not exist.
pub fn stored_expression(
    context: &BindContext,
    expr: &SqlExpr,
    table: Option<&str>,
) -> Result<String, PgError> {
    let mut expr = expr.clone();
    let done = visit_expressions_mut(&mut expr, |expr| match store(context, expr, table) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match done {
        ControlFlow::Continue(()) => Ok(expr.to_string()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// An expression without the parentheses around the whole of it: `pg_get_constraintdef` writes its own.
pub fn bare(expr: &SqlExpr) -> &SqlExpr {
    match expr {
        SqlExpr::Nested(inner) => bare(inner),
        expr => expr,
    }
}

fn store(context: &BindContext, expr: &mut SqlExpr, table: Option<&str>) -> Result<(), PgError> {
    match expr {
        SqlExpr::Cast { expr: inner, data_type, kind, .. } if is_regclass(data_type) => {
            if let Some(reference) = reference(context, inner)? {
                **inner = reference;
                *kind = CastKind::DoubleColon;
                *data_type = plain_type("regclass");
            }
        }
        SqlExpr::Cast { data_type, .. } => store_type(context, data_type)?,
        SqlExpr::TypedString(typed) => store_type(context, &mut typed.data_type)?,
        SqlExpr::Function(function) => store_call(context, function)?,
        SqlExpr::CompoundIdentifier(parts) => {
            if let [qualifier, column] = parts.as_slice()
                && table == Some(fold(qualifier).as_str())
            {
                *expr = SqlExpr::Identifier(column.clone());
            }
        }
        _ => {}
    }
    Ok(())
}

/// A type under the name that is shown for it.
fn plain_type(name: &str) -> DataType {
    DataType::Custom(ObjectName::from(vec![Ident::new(name)]), Vec::new())
}

/// The text of a column's default: as [`stored_expression`], with the type behind a literal, as PostgreSQL shows it.
///
/// # Errors
/// As [`stored_expression`].
pub fn stored_default(
    context: &BindContext,
    expr: &SqlExpr,
    ty: &PgType,
) -> Result<String, PgError> {
    let is_text = matches!(expr, SqlExpr::Value(value) if matches!(
        value.value,
        Value::SingleQuotedString(_) | Value::EscapedStringLiteral(_)
    ));
    if !is_text || !shows_its_type(ty) {
        return stored_expression(context, expr, None);
    }
    let typed = SqlExpr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr.clone()),
        data_type: match ty.element().unwrap_or(ty) {
            PgType::Enum(_) | PgType::Hstore => type_by_number(ty),
            _ => plain_type(&ty.without_modifier().name()),
        },
        array: false,
        format: None,
    };
    Ok(typed.to_string())
}

/// Whether a literal of the type is shown as it was given, in quotes and with the type behind it.
fn shows_its_type(ty: &PgType) -> bool {
    match ty {
        PgType::Array(element) => shows_its_type(element),
        PgType::Text
        | PgType::Varchar(_)
        | PgType::Bpchar(_)
        | PgType::Name
        | PgType::Json
        | PgType::Jsonb
        | PgType::Jsonpath
        | PgType::Uuid
        | PgType::Bytea
        | PgType::Inet
        | PgType::Range(_)
        | PgType::Multirange(_)
        | PgType::Hstore
        | PgType::Enum(_) => true,
        _ => false,
    }
}

fn is_regclass(data_type: &DataType) -> bool {
    *data_type == DataType::Regclass || data_type.to_string().eq_ignore_ascii_case("regclass")
}

/// A type of the database's own by number.
fn store_type(context: &BindContext, data_type: &mut DataType) -> Result<(), PgError> {
    let own = |ty: &PgType| context.catalog.types.contains_key(&Oid(ty.oid()));
    let ty = sql_type(context.types(), data_type)?;
    let is_own = match &ty {
        PgType::Array(element) => own(element),
        ty => own(ty),
    };
    if is_own {
        *data_type = type_by_number(&ty);
    }
    Ok(())
}

fn type_by_number(ty: &PgType) -> DataType {
    let (oid, is_array) = match ty {
        PgType::Array(element) => (element.oid(), true),
        ty => (ty.oid(), false),
    };
    let name = Ident::with_quote('"', stored_text::type_reference(Oid(oid)));
    let ty = DataType::Custom(ObjectName::from(vec![name]), Vec::new());
    match is_array {
        true => DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(ty), None)),
        false => ty,
    }
}

fn store_call(context: &BindContext, function: &mut Function) -> Result<(), PgError> {
    let name = function.name.0.last().and_then(|part| part.as_ident()).map(fold);
    if !name.is_some_and(|name| OF_RELATIONS.contains(&name.as_str())) {
        return Ok(());
    }
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut()
        && let Some(reference) = reference(context, first)?
    {
        *first = SqlExpr::Cast {
            kind: CastKind::DoubleColon,
            expr: Box::new(reference),
            data_type: plain_type("regclass"),
            array: false,
            format: None,
        };
    }
    Ok(())
}

/// The number of the relation that a literal names, as a literal; `None` for anything else.
fn reference(context: &BindContext, expr: &SqlExpr) -> Result<Option<SqlExpr>, PgError> {
    let SqlExpr::Value(value) = expr else { return Ok(None) };
    let (Value::SingleQuotedString(name) | Value::EscapedStringLiteral(name)) = &value.value else {
        return Ok(None);
    };
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let Some(session) = context.functions.session() else { return Ok(None) };
    let oid = session.catalog().reg_lookup(RegKind::Class, name)?.ok_or_else(|| {
        PgError::new(
            crate::error::SqlState::UNDEFINED_TABLE,
            format!("relation \"{name}\" does not exist"),
        )
    })?;
    Ok(Some(SqlExpr::value(Value::SingleQuotedString(oid.to_string()))))
}

/// The call that gives a sequence's next value, as it is stored.
pub fn next_value(sequence: crate::types::Oid) -> String {
    format!("nextval({})", stored_text::reference(sequence))
}

/// A stored text after one of its columns was renamed.
///
/// # Errors
/// `42601` if the text cannot be read: a defect.
pub fn renamed(text: &str, from: &str, to: &str) -> Result<String, PgError> {
    let mut expr = crate::parser::stored::parse_expression(text)?;
    let mut found = false;
    let _ = visit_expressions_mut(&mut expr, |expr| {
        if let SqlExpr::Identifier(ident) = expr
            && fold(ident) == from
        {
            found = true;
            *ident = Ident::new(to);
            if fold(ident) != to || crate::catalog::pg::describe::quote_identifier(to) != to {
                *ident = Ident::with_quote('"', to);
            }
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(if found { expr.to_string() } else { text.to_owned() })
}

/// Columns that a stored text names.
///
/// # Errors
/// `42601` if the text cannot be read: a defect.
pub fn columns_in(text: &str) -> Result<Vec<String>, PgError> {
    let mut expr = crate::parser::stored::parse_expression(text)?;
    let mut names = Vec::new();
    let _ = visit_expressions_mut(&mut expr, |expr| {
        if let SqlExpr::Identifier(ident) = expr {
            names.push(fold(ident));
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(names)
}

/// Whether the same columns always give the same value.
pub fn is_immutable(expr: &Expr, schema: &DFSchema) -> bool {
    let mut immutable = true;
    let _ = expr.apply(|expr| {
        if let Expr::ScalarFunction(call) = expr {
            let from = call.args.first().and_then(|arg| type_of(arg, schema).ok());
            let cast = from.and_then(|from| is_immutable_cast(call, &from));
            immutable &=
                cast.unwrap_or_else(|| call.func.signature().volatility == Volatility::Immutable);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    immutable
}
