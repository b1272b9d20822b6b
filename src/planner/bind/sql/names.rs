//! Identifiers as PostgreSQL folds them, and the names of columns that have none.

use sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Ident, ObjectName, ObjectNamePart, Select, SelectItem,
    SetExpr,
};

use crate::catalog::QualifiedName;
use crate::error::{PgError, SqlState};
use crate::types::pg_type::PgType;

/// Separates a column's name from a number that makes it unique inside a plan; cut off before a client sees it.
const DUPLICATE_MARK: char = '\u{1}';

/// An identifier as stored: folded to lower case unless quoted.
pub fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// Byte offset of a node of the syntax tree in the client's text.
pub(crate) fn offset_of(span: sqlparser::tokenizer::Span) -> Option<usize> {
    crate::parser::sql::byte_span(span).map(|span| span.start as usize)
}

/// A name of one or two parts (or three, the first being the database's own name).
///
/// # Errors
/// `42601` for more parts or parts that are not identifiers.
pub fn qualified_name(name: &ObjectName) -> Result<QualifiedName, PgError> {
    let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(fold)).collect();
    match parts.as_deref() {
        Some([name]) => Ok(QualifiedName { schema: None, name: name.clone() }),
        Some([schema, name]) | Some([_, schema, name]) => {
            Ok(QualifiedName { schema: Some(schema.clone()), name: name.clone() })
        }
        _ => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("improper qualified name (too many dotted names): {name}"),
        )),
    }
}

/// A name made unique in its select list.
pub(super) fn unique_name(name: &str, number: usize) -> String {
    format!("{name}{DUPLICATE_MARK}{number}")
}

/// The name a client sees.
pub(crate) fn visible_name(name: &str) -> &str {
    name.split(DUPLICATE_MARK).next().unwrap_or(name)
}

/// The name PostgreSQL gives an unnamed result column (`FigureColname`).
pub(super) fn column_name(expr: &Expr) -> String {
    inferred_name(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// The name and how strong it is: a cast's type name gives way to a name from inside.
fn inferred_name(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(ident) => Some((fold(ident), true)),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| (fold(ident), true)),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(sqlparser::ast::AccessExpr::Dot(Expr::Identifier(field))) => {
                Some((fold(field), true))
            }
            _ => inferred_name(root),
        },
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => inferred_name(inner),
        Expr::Function(function) => match function.name.0.last()? {
            ObjectNamePart::Identifier(ident) => Some((fold(ident), true)),
            ObjectNamePart::Function(_) => None,
        },
        Expr::Cast { expr, data_type, .. } => inferred_name(expr)
            .filter(|(_, strong)| *strong)
            .or_else(|| Some((type_name(data_type), false))),
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), false)),
        Expr::Interval(_) => Some(("interval".to_owned(), false)),
        Expr::Case { else_result, .. } => else_result
            .as_deref()
            .and_then(inferred_name)
            .filter(|(_, strong)| *strong)
            .or_else(|| Some(("case".to_owned(), false))),
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Subquery(query) => match first_select(&query.body)?.projection.first()? {
            SelectItem::UnnamedExpr(expr) => inferred_name(expr),
            SelectItem::ExprWithAlias { alias, .. } => Some((fold(alias), true)),
            _ => None,
        },
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(sqlparser::ast::TrimWhereField::Leading) => "ltrim",
            Some(sqlparser::ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        _ => None,
    }
}

/// The SELECT that names the columns of a query: the leftmost of a UNION.
fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

fn type_name(ty: &DataType) -> String {
    let built_in = super::types::TypeScope { catalog: None, search_path: &[] };
    match (super::types::sql_type(built_in, ty), ty) {
        // An array's cast is named after its elements.
        (Ok(PgType::Array(element)), _) => element.without_modifier().typname(),
        (Ok(ty), _) => ty.without_modifier().typname(),
        (Err(_), DataType::Custom(name, _)) => {
            qualified_name(name).map_or_else(|_| name.to_string(), |name| name.name)
        }
        (Err(_), DataType::Array(ArrayElemTypeDef::SquareBracket(element, _))) => {
            type_name(element)
        }
        (Err(_), _) => ty.to_string().to_lowercase(),
    }
}
