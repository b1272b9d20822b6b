//! Rows made of JSON: `json_to_record`, `json_to_recordset`, `json_populate_record`, `json_populate_recordset` and their
//! jsonb twins, before any other pass.
//!
//! | PostgreSQL | becomes |
//! |---|---|
//! | `jsonb_to_recordset(x) AS t(a int)` | `(SELECT json_field(e.value, 'a', NULL::int)::int AS a FROM jsonb_array_elements(x) e(value)) AS t` |
//! | `jsonb_to_record(x) AS t(a int)` | `(SELECT json_field(x, 'a', NULL::int)::int AS a) AS t` |
//! | `jsonb_populate_record(NULL::r, x)` | `json_value(x, NULL::r)::r`, in FROM its fields |

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, Query, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor,
    Value, VisitMut, VisitorMut,
};

use super::names::fold;
use super::rewrite::{call, cast_to};
use crate::error::{PgError, SqlState};
use crate::parser::sql::ALL_FIELDS;

/// The name elements have in the queries that are written here.
const ELEMENT: &str = "json element";

/// The functions of `functions::lib::json_records`; no name of PostgreSQL's, so that nobody's own is hidden.
const FIELD: &str = "graphwire_json_field";
/// See [`FIELD`].
const VALUE: &str = "graphwire_json_value";

/// Rewrites a tree in place.
///
/// # Errors
/// `42601` where columns are missing, `0A000` for a row to fill that is no NULL of a type.
pub(super) fn rewrite(tree: &mut impl VisitMut) -> Result<(), PgError> {
    match tree.visit(&mut Records) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Records;

impl VisitorMut for Records {
    type Break = PgError;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<PgError> {
        match records(factor) {
            Ok(Some(rewritten)) => *factor = rewritten,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let FunctionArguments::List(list) = &function.args else {
            return ControlFlow::Continue(());
        };
        let Some((Kind { populates: true, set: false }, _)) = kind(&function.name) else {
            return ControlFlow::Continue(());
        };
        match arguments(&list.args).and_then(|args| populated(&function.name, &args)) {
            Ok(value) => *expr = value,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

struct Kind {
    populates: bool,
    set: bool,
}

/// What a name stands for, and `json` or `jsonb`.
fn kind(name: &ObjectName) -> Option<(Kind, &'static str)> {
    let last = match name.0.as_slice() {
        [ObjectNamePart::Identifier(last)] => fold(last),
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(last)]
            if fold(schema) == "pg_catalog" =>
        {
            fold(last)
        }
        _ => return None,
    };
    let (family, rest) = match last.strip_prefix("jsonb_") {
        Some(rest) => ("jsonb", rest),
        None => ("json", last.strip_prefix("json_")?),
    };
    let kind = match rest {
        "to_record" => Kind { populates: false, set: false },
        "to_recordset" => Kind { populates: false, set: true },
        "populate_record" => Kind { populates: true, set: false },
        "populate_recordset" => Kind { populates: true, set: true },
        _ => return None,
    };
    Some((kind, family))
}

fn arguments(args: &[FunctionArg]) -> Result<Vec<Expr>, PgError> {
    let plain = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        _ => Err(PgError::unsupported(
            "named arguments of this function are not supported",
            "Give the arguments in their order.",
        )),
    });
    plain.collect()
}

fn records(factor: &TableFactor) -> Result<Option<TableFactor>, PgError> {
    let (name, args, alias, lateral) = match factor {
        TableFactor::Table { name, alias, args: Some(args), with_ordinality: false, .. } => {
            (name, &args.args, alias, true)
        }
        TableFactor::Function { lateral, name, args, alias, with_ordinality: false } => {
            (name, args, alias, *lateral)
        }
        _ => return Ok(None),
    };
    let Some((kind, family)) = kind(name) else { return Ok(None) };
    let args = arguments(args)?;
    let source = match (kind.populates, args.as_slice()) {
        (true, [_, source, ..]) | (false, [source]) => in_family(source, family),
        _ => return Err(no_such_call(name, args.len())),
    };
    let value = match kind.set {
        true => Expr::CompoundIdentifier(vec![
            Ident::with_quote('"', ELEMENT),
            Ident::with_quote('"', "value"),
        ]),
        false => source.clone(),
    };
    let mut query = crate::parser::stored::parse_query("SELECT 1")?;
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(None) };
    let columns = alias.as_ref().map(|alias| alias.columns.as_slice()).unwrap_or_default();
    select.projection = match kind.populates {
        true => {
            let mut args = args;
            if let Some(source) = args.get_mut(1) {
                *source = value;
            }
            vec![SelectItem::UnnamedExpr(Expr::CompoundFieldAccess {
                root: Box::new(Expr::Nested(Box::new(populated(name, &args)?))),
                access_chain: vec![AccessExpr::Dot(Expr::Identifier(Ident::new(ALL_FIELDS)))],
            })]
        }
        false => columns.iter().map(|column| field(column, &value)).collect::<Result<_, _>>()?,
    };
    if select.projection.is_empty() {
        let message = "a column definition list is required for functions returning \"record\"";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    if kind.set {
        select.from = elements(family, source)?;
    }
    let alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: name.0.last().and_then(ObjectNamePart::as_ident).cloned().unwrap_or(Ident::new("t")),
        columns: Vec::new(),
        at: None,
    });
    let kept = |column: &TableAliasColumnDef| column.data_type.is_none();
    let alias = TableAlias {
        columns: alias.columns.iter().filter(|one| kept(one)).cloned().collect(),
        ..alias
    };
    let lateral = lateral && has_names(&mut query);
    Ok(Some(TableFactor::Derived {
        lateral,
        subquery: Box::new(query),
        alias: Some(alias),
        sample: None,
    }))
}

fn no_such_call(name: &ObjectName, count: usize) -> PgError {
    let message = format!("function {name} with {count} arguments does not exist");
    PgError::new(SqlState::UNDEFINED_FUNCTION, message)
}

/// Whether the query may read columns of what stands before it in FROM.
fn has_names(query: &mut Query) -> bool {
    struct Names;
    impl VisitorMut for Names {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let found = match expr {
                Expr::Identifier(name) => name.value != ALL_FIELDS,
                Expr::CompoundIdentifier(names) => {
                    names.first().is_some_and(|first| first.value != ELEMENT)
                }
                _ => false,
            };
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    query.visit(&mut Names).is_break()
}

/// `FROM jsonb_array_elements(source) AS "json element"(value)`.
fn elements(family: &str, source: Expr) -> Result<Vec<sqlparser::ast::TableWithJoins>, PgError> {
    let text = format!("SELECT 1 FROM {family}_array_elements(1) AS \"{ELEMENT}\"(value)");
    let mut query = crate::parser::stored::parse_query(&text)?;
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(Vec::new()) };
    if let Some(from) = select.from.first_mut()
        && let TableFactor::Table { args: Some(args), .. } = &mut from.relation
    {
        args.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(source))];
    }
    Ok(std::mem::take(&mut select.from))
}

/// `json_field(value, 'name', NULL::type)::type AS name`.
fn field(column: &TableAliasColumnDef, value: &Expr) -> Result<SelectItem, PgError> {
    let Some(ty) = &column.data_type else {
        let message = "a column definition list is required for functions returning \"record\"";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    };
    let key = Expr::value(Value::SingleQuotedString(fold(&column.name)));
    let text = call(FIELD, vec![value.clone(), key, cast_to(Expr::value(Value::Null), ty.clone())]);
    Ok(SelectItem::ExprWithAlias { expr: cast_to(text, ty.clone()), alias: column.name.clone() })
}

/// `json_value(value, NULL::type)::type`.
fn populated(name: &ObjectName, args: &[Expr]) -> Result<Expr, PgError> {
    let [base, value, ..] = args else { return Err(no_such_call(name, args.len())) };
    let Expr::Cast { expr, data_type, .. } = base else { return Err(no_base()) };
    if !matches!(expr.as_ref(), Expr::Value(value) if value.value == Value::Null) {
        return Err(no_base());
    }
    let family = kind(name).map_or("jsonb", |(_, family)| family);
    let value = in_family(value, family);
    Ok(cast_to(call(VALUE, vec![value, base.clone()]), data_type.clone()))
}

fn no_base() -> PgError {
    PgError::unsupported(
        "a row to fill other than NULL::type is not supported",
        "Write json_populate_record(NULL::type, …), and coalesce() its fields with the row's.",
    )
}

/// The source as `json` or `jsonb`, which a literal and a parameter do not say.
fn in_family(source: &Expr, family: &str) -> Expr {
    cast_to(source.clone(), DataType::Custom(Ident::new(family).into(), Vec::new()))
}
