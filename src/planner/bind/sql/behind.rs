//! Calls of functions that stand behind operators, casts and types, by their own names: `int4pl(1, 2)`, `float8(x)`.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Value,
    visit_expressions_mut,
};

use super::names::fold;
use super::rewrite::cast_to;
use crate::catalog::pg::describe::function_form;
use crate::functions::registry::registry;
use crate::functions::syntax::desugar;
use crate::parser::stored::{parse_expression, parse_type};
use crate::planner::bind::context::BindContext;

/// The operator or cast that a call means, if no function of graphwire's or of the user's has its name.
pub(super) fn meaning(function: &Function, context: &BindContext) -> Option<Expr> {
    let plain = function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none();
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let name = fold(name);
    let FunctionArguments::List(list) = &function.args else { return None };
    if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let form = function_form(&name, list.args.len())?;
    let is_known = registry().scalar(&name, &None).is_some()
        || registry().aggregate(&name).is_some()
        || registry().window(&name).is_some()
        || context.catalog.functions.values().any(|made| made.name == name);
    if is_known {
        return None;
    }
    let arguments = list.args.iter().enumerate().map(|(at, argument)| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
            let ty = form.arguments.as_ref().and_then(|types| types.get(at));
            Some(typed(expr.clone(), ty.map(String::as_str)))
        }
        _ => None,
    });
    let arguments: Vec<Expr> = arguments.collect::<Option<_>>()?;
    let mut expr = parse_expression(&form.text).ok()?;
    let _ = visit_expressions_mut(&mut expr, |part| {
        if let Expr::Value(value) = part
            && let Value::Placeholder(number) = &value.value
            && let Some(argument) = number
                .strip_prefix('$')
                .and_then(|number| number.parse::<usize>().ok())
                .and_then(|number| arguments.get(number.checked_sub(1)?))
        {
            *part = Expr::Nested(Box::new(argument.clone()));
        }
        ControlFlow::<()>::Continue(())
    });
    desugar(&mut expr).ok()?;
    Some(expr)
}

/// A literal without a type takes that of the parameter.
fn typed(expr: Expr, ty: Option<&str>) -> Expr {
    let untyped = matches!(&expr, Expr::Value(value)
        if matches!(value.value, Value::SingleQuotedString(_) | Value::Null | Value::Placeholder(_)));
    match ty.and_then(|ty| parse_type(ty).ok()) {
        Some(ty) if untyped => cast_to(expr, ty),
        _ => expr,
    }
}
