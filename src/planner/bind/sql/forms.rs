//! PostgreSQL's forms that DataFusion's planner has under another name, before any other pass.
//!
//! | PostgreSQL | becomes |
//! |---|---|
//! | `a EXCEPT ALL b`, `a INTERSECT ALL b` | a table function of both queries, which `relations` plans |
//! | `(a, b) OVERLAPS (c, d)` | `overlaps(a, b, c, d)` |
//! | `1e10::int4` | `1e10::numeric::int4` |
//! | `make_interval(days => 10)` | `make_interval(0, 0, 0, 10)` |

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, DuplicateTreatment, ExactNumberInfo, Expr,
    Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArguments, ObjectNamePart, OrderByExpr, OrderByOptions, Query, SetExpr, SetOperator,
    SetQuantifier, Subscript, TableFactor, Value, VisitMut, VisitorMut,
};

use super::names::fold;
use super::rewrite::call;
use crate::error::{PgError, SqlState};

/// The table functions that `EXCEPT ALL` and `INTERSECT ALL` become.
pub(super) const EXCEPT_ALL: &str = "\u{2}except all";
/// See [`EXCEPT_ALL`].
pub(super) const INTERSECT_ALL: &str = "\u{2}intersect all";

/// Arguments of functions that may be named, in their order.
const NAMED: [(&str, &[&str]); 1] =
    [("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"])];

/// Rewrites a tree in place.
///
/// # Errors
/// `42883` for a named argument that the function does not have.
pub(super) fn rewrite(tree: &mut impl VisitMut) -> Result<(), PgError> {
    match tree.visit(&mut Forms) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Forms;

impl VisitorMut for Forms {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        match set_operations(query.body.as_mut()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        match settled(expr) {
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

fn set_operations(body: &mut SetExpr) -> Result<(), PgError> {
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

fn settled(expr: &mut Expr) -> Result<Option<Expr>, PgError> {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } => {
            let (Expr::Tuple(one), Expr::Tuple(other)) = (left.as_mut(), right.as_mut()) else {
                return Ok(None);
            };
            let ends: Vec<Expr> = one.iter_mut().chain(other).map(take).collect();
            Ok(Some(call("overlaps", ends)))
        }
        Expr::Cast { kind: CastKind::DoubleColon | CastKind::Cast, expr, data_type, .. } => {
            if is_integer(data_type) && is_exponent(expr) {
                let number = take(expr);
                **expr = cast(number, DataType::Numeric(ExactNumberInfo::None));
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
            let is_named = |arg: &FunctionArg| !matches!(arg, FunctionArg::Unnamed(_));
            if !list.args.iter().any(is_named) {
                return Ok(None);
            }
            let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
            let known = NAMED.iter().find(|(known, _)| name.as_deref() == Some(*known));
            if let Some((name, names)) = known {
                list.args = positional(name, names, &list.args)?;
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

/// Arguments in order; those that are left out are 0.
fn positional(
    function: &str,
    names: &[&str],
    args: &[FunctionArg],
) -> Result<Vec<FunctionArg>, PgError> {
    let zero = || Expr::value(Value::Number("0".to_owned(), false));
    let mut values: Vec<FunctionArg> =
        names.iter().map(|_| FunctionArg::Unnamed(FunctionArgExpr::Expr(zero()))).collect();
    for (at, argument) in args.iter().enumerate() {
        let (at, value) = match argument {
            FunctionArg::Unnamed(value) => (Some(at), value),
            FunctionArg::Named {
                name,
                arg,
                operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
            } => (names.iter().position(|known| *known == fold(name)), arg),
            FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } => (None, arg),
        };
        let slot = at.and_then(|at| values.get_mut(at)).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("function {function} has no argument \"{argument}\""),
            )
        })?;
        *slot = FunctionArg::Unnamed(value.clone());
    }
    Ok(values)
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
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
