//! `unnest(multirange)`: the rows are the ranges of a list that a function of our own makes.
//!
//! DataFusion's `unnest` takes lists alone, and what is a column's type is not known yet where calls are rewritten. So a
//! multirange is known by how it is written: a cast, a constructor, an aggregate, or an operator between such.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use super::syntax::{call, function_name, take};

/// The function that makes the list.
const RANGES: &str = "graphwire_ranges";

/// Makes the argument of `unnest` a list where it is written as a multirange.
pub(super) fn rows_of_argument(unnest: &mut Function) {
    if let FunctionArguments::List(list) = &mut unnest.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
    {
        rows_of(argument);
    }
}

/// As [`rows_of_argument`], for one argument.
pub(super) fn rows_of(argument: &mut Expr) {
    if is_multirange(argument) {
        let multirange = take(argument);
        *argument = call(RANGES, vec![multirange]);
    }
}

fn is_multirange(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_multirange(inner),
        Expr::BinaryOp { left, right, .. } => is_multirange(left) || is_multirange(right),
        Expr::Cast { data_type: DataType::Custom(name, _), .. } => {
            function_name(name).is_some_and(|name| name.ends_with("multirange"))
        }
        Expr::Function(function) => function_name(&function.name)
            .is_some_and(|name| name.ends_with("multirange") || name == "range_agg"),
        _ => false,
    }
}
