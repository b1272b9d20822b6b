//! PostgreSQL's forms that DataFusion's planner has under another name, before any other pass.
//!
//! | PostgreSQL | becomes |
//! |---|---|
//! | `a EXCEPT ALL b`, `a INTERSECT ALL b` | a table function of both queries, which `relations` plans |
//! | `(a, b) OVERLAPS (c, d)` | `overlaps(a, b, c, d)` |
//! | `1e10::int4` | `1e10::numeric::int4` |
//! | `SELECT (a + 1, b)`, `(a + 1, b)::t`, `f((a, b))` | `ROW(a + 1, b)` |
//! | `make_interval(days => 10)` | `make_interval(0, 0, 0, 10)` |

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, DuplicateTreatment, ExactNumberInfo, Expr,
    Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArguments, ObjectName, ObjectNamePart, OrderByExpr, OrderByOptions, Query, Select,
    SelectItem, SetExpr, SetOperator, SetQuantifier, Subscript, TableFactor, Value, VisitMut,
    VisitorMut,
};

use super::names::{fold, qualified_name};
use super::rewrite::{call, cast_to};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;

/// The table functions that `EXCEPT ALL` and `INTERSECT ALL` become.
pub(super) const EXCEPT_ALL: &str = "\u{2}except all";
/// See [`EXCEPT_ALL`].
pub(super) const INTERSECT_ALL: &str = "\u{2}intersect all";

/// A parameter's name, and what stands for it where a call leaves it out.
type Parameter = (&'static str, Option<&'static str>);

/// Arguments of built-in functions that may be named, in their order, with what stands for those that are left out.
const NAMED: &[(&str, &[Parameter])] = &[
    (
        "make_interval",
        &[
            ("years", Some("0")),
            ("months", Some("0")),
            ("weeks", Some("0")),
            ("days", Some("0")),
            ("hours", Some("0")),
            ("mins", Some("0")),
            ("secs", Some("0")),
        ],
    ),
    ("make_date", &[("year", None), ("month", None), ("day", None)]),
    ("make_time", &[("hour", None), ("min", None), ("sec", None)]),
    ("parse_ident", &[("str", None), ("strict", Some("true"))]),
    ("pg_terminate_backend", &[("pid", None), ("timeout", Some("0"))]),
    (
        "jsonb_set",
        &[
            ("jsonb_in", None),
            ("path", None),
            ("replacement", None),
            ("create_if_missing", Some("true")),
        ],
    ),
    (
        "jsonb_insert",
        &[
            ("jsonb_in", None),
            ("path", None),
            ("replacement", None),
            ("insert_after", Some("false")),
        ],
    ),
    ("jsonb_path_exists", JSON_PATH),
    ("jsonb_path_match", JSON_PATH),
    ("jsonb_path_query", JSON_PATH),
    ("jsonb_path_query_array", JSON_PATH),
    ("jsonb_path_query_first", JSON_PATH),
];

const JSON_PATH: &[Parameter] =
    &[("target", None), ("path", None), ("vars", Some("'{}'")), ("silent", Some("false"))];

/// Rewrites a tree in place.
///
/// # Errors
/// `42883` for a named argument that the function does not have.
pub(super) fn rewrite(tree: &mut impl VisitMut, context: &BindContext) -> Result<(), PgError> {
    match tree.visit(&mut Forms { context }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Forms<'a> {
    context: &'a BindContext,
}

impl VisitorMut for Forms<'_> {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        match set_operations(query.body.as_mut()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        match settled(expr, self.context) {
            Ok(Some(rewritten)) => *expr = rewritten,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

/// `(a, b)` is a row where a value is meant, as `ROW(a, b)`; comparisons take it as it is.
fn tuple_as_row(expr: &mut Expr) {
    if let Expr::Tuple(values) = expr {
        *expr = call("row", std::mem::take(values));
    }
}

fn rows_selected(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            tuple_as_row(expr);
        }
    }
}

fn set_operations(body: &mut SetExpr) -> Result<(), PgError> {
    if let SetExpr::Select(select) = body {
        rows_selected(select);
    }
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    set_operations(left)?;
    set_operations(right)?;
    let name = match (&op, &set_quantifier) {
        (SetOperator::Except, SetQuantifier::All) => EXCEPT_ALL,
        (SetOperator::Intersect, SetQuantifier::All) => INTERSECT_ALL,
        _ => return Ok(()),
    };
    let parse = |text: &str| {
        crate::parser::stored::parse_query(text)
            .map_err(|error| PgError::internal(error.to_string()))
    };
    let side = |side: &SetExpr| -> Result<FunctionArg, PgError> {
        let mut subquery = Box::new(parse("SELECT 1")?);
        *subquery.body = side.clone();
        // A form that takes queries of several columns.
        let query = Expr::Exists { subquery, negated: false };
        Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(query)))
    };
    let sides = vec![side(left)?, side(right)?];
    let mut query = parse(&format!("SELECT * FROM \"{name}\"(1)"))?;
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(TableFactor::Table { args: Some(arguments), .. }) =
            select.from.first_mut().map(|from| &mut from.relation)
    {
        arguments.args = sides;
    }
    *body = *query.body;
    Ok(())
}

fn settled(expr: &mut Expr, context: &BindContext) -> Result<Option<Expr>, PgError> {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } => {
            let (Expr::Tuple(one), Expr::Tuple(other)) = (left.as_mut(), right.as_mut()) else {
                return Ok(None);
            };
            let ends: Vec<Expr> = one.iter_mut().chain(other).map(take).collect();
            Ok(Some(call("overlaps", ends)))
        }
        Expr::Cast { kind: CastKind::DoubleColon | CastKind::Cast, expr, data_type, .. } => {
            tuple_as_row(expr);
            if is_integer(data_type) && is_exponent(expr) {
                let number = take(expr);
                **expr = cast_to(number, DataType::Numeric(ExactNumberInfo::None));
            }
            Ok(None)
        }
        Expr::CompoundFieldAccess { access_chain, .. } => {
            for access in access_chain {
                if let AccessExpr::Subscript(Subscript::Slice {
                    lower_bound, upper_bound, ..
                }) = access
                {
                    let number = |text: &str| Expr::value(Value::Number(text.to_owned(), false));
                    lower_bound.get_or_insert_with(|| number("1"));
                    // No array is longer.
                    upper_bound.get_or_insert_with(|| number("2147483647"));
                }
            }
            Ok(None)
        }
        Expr::Function(function) => {
            sort_distinct(function);
            let FunctionArguments::List(list) = &mut function.args else { return Ok(None) };
            list.args.iter_mut().for_each(name_assigned);
            for argument in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                    tuple_as_row(expr);
                }
            }
            let is_named = |arg: &FunctionArg| !matches!(arg, FunctionArg::Unnamed(_));
            if !list.args.iter().any(is_named) {
                return Ok(None);
            }
            if let Some(parameters) = parameters(&function.name, &list.args, context)? {
                list.args = positional(&function.name, &parameters, &list.args)?;
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// `array_agg(DISTINCT x)` gives its values in order, as PostgreSQL's does by the way it works.
fn sort_distinct(function: &mut Function) {
    let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
    if name.as_deref() != Some("array_agg") {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else { return };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
        && list.clauses.is_empty()
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] = list.args.as_slice()
    {
        let key = OrderByExpr {
            expr: value.clone(),
            options: OrderByOptions { asc: None, nulls_first: None },
            with_fill: None,
        };
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![key]));
    }
}

/// `name := value`, which the parser takes for an operator.
pub(super) fn name_assigned(argument: &mut FunctionArg) {
    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp {
        left,
        op: BinaryOperator::Assignment,
        right,
    })) = argument
        && let Expr::Identifier(name) = left.as_ref()
    {
        *argument = FunctionArg::Named {
            name: name.clone(),
            arg: FunctionArgExpr::Expr(take(right)),
            operator: FunctionArgOperator::Assignment,
        };
    }
}

/// The names of a function's parameters, with what stands for those that a call leaves out.
type NamedParameters = Vec<(String, Option<Expr>)>;

/// The parameters of the function that a call with named arguments means; `None` if none is known by name.
///
/// # Errors
/// What a stored default says.
pub(super) fn parameters(
    name: &ObjectName,
    args: &[FunctionArg],
    context: &BindContext,
) -> Result<Option<NamedParameters>, PgError> {
    let parse = |text: &str| Ok::<_, PgError>(crate::parser::stored::parse_expression(text)?);
    let last = name.0.last().and_then(ObjectNamePart::as_ident).map(fold).unwrap_or_default();
    if let Some((_, known)) = NAMED.iter().find(|(known, _)| *known == last) {
        let known = known
            .iter()
            .map(|(name, default)| Ok(((*name).to_owned(), default.map(parse).transpose()?)));
        return Ok(Some(known.collect::<Result<_, PgError>>()?));
    }
    let Ok(qualified) = qualified_name(name) else { return Ok(None) };
    let made = context.catalog.functions_named(&qualified, &context.search_path);
    let fits = |function: &&std::sync::Arc<crate::catalog::SqlFunction>| {
        args.iter().all(|arg| match arg {
            FunctionArg::Named { name, .. } => {
                let name = fold(name);
                function.arguments.iter().any(|one| one.name.as_ref() == Some(&name))
            }
            _ => true,
        })
    };
    let Some(function) = made.iter().find(fits) else {
        return match made.is_empty() {
            true => Ok(None),
            false => Err(no_such_names(name)),
        };
    };
    let known = function.arguments.iter().map(|one| {
        let default = one.default.as_deref().map(parse).transpose()?;
        Ok((one.name.clone().unwrap_or_default(), default))
    });
    Ok(Some(known.collect::<Result<_, PgError>>()?))
}

fn no_such_names(name: &ObjectName) -> PgError {
    let message = format!("function {name} with these argument names does not exist");
    PgError::new(SqlState::UNDEFINED_FUNCTION, message)
        .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

/// Arguments in order; those that are left out are their defaults.
///
/// # Errors
/// `42883` for a name that the function does not have and for an argument that is missing, `42601` for one given twice.
pub(super) fn positional(
    function: &ObjectName,
    parameters: &[(String, Option<Expr>)],
    args: &[FunctionArg],
) -> Result<Vec<FunctionArg>, PgError> {
    let none = |argument: &dyn std::fmt::Display| {
        let message = format!("function {function} has no argument \"{argument}\"");
        PgError::new(SqlState::UNDEFINED_FUNCTION, message)
    };
    let mut values: Vec<Option<FunctionArgExpr>> = vec![None; parameters.len()];
    for (at, argument) in args.iter().enumerate() {
        let (at, value) = match argument {
            FunctionArg::Unnamed(value) => (Some(at), value),
            FunctionArg::Named {
                name,
                arg,
                operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
            } => (parameters.iter().position(|(known, _)| *known == fold(name)), arg),
            FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } => (None, arg),
        };
        let slot = at.and_then(|at| values.get_mut(at)).ok_or_else(|| none(argument))?;
        if slot.replace(value.clone()).is_some() {
            let message = format!("argument name \"{argument}\" used more than once");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
    }
    let value = |(given, (name, default)): (Option<FunctionArgExpr>, &(String, Option<Expr>))| {
        let value = given.or_else(|| default.clone().map(FunctionArgExpr::Expr));
        value.map(FunctionArg::Unnamed).ok_or_else(|| {
            let message = format!("function {function} needs argument \"{name}\"");
            PgError::new(SqlState::UNDEFINED_FUNCTION, message)
        })
    };
    values.into_iter().zip(parameters).map(value).collect()
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::SmallInt(None)
            | DataType::Int2(None)
            | DataType::Int(None)
            | DataType::Integer(None)
            | DataType::Int4(None)
            | DataType::BigInt(None)
            | DataType::Int8(None)
    )
}

/// A number with an exponent, which no integer type reads as text.
fn is_exponent(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value)
        if matches!(&value.value, Value::Number(digits, _) if digits.contains(['e', 'E'])))
}
