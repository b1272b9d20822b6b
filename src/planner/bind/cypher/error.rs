//! The errors of Cypher's binder: SQLSTATE, openCypher's word, and the place (WIRE.md §6).

use crate::error::{PgError, SqlState};
use crate::parser::Span;

fn at(code: SqlState, message: impl Into<String>, word: &'static str, span: Span) -> PgError {
    PgError::new(code, message.into()).routine(word).at(span.start as usize)
}

pub(super) fn undefined_variable(name: &str, span: Span) -> PgError {
    at(
        SqlState::UNDEFINED_COLUMN,
        format!("variable \"{name}\" is not defined"),
        "UndefinedVariable",
        span,
    )
}

pub(super) fn already_bound(name: &str, span: Span) -> PgError {
    at(
        SqlState::DUPLICATE_ALIAS,
        format!("variable \"{name}\" is already bound"),
        "VariableAlreadyBound",
        span,
    )
}

pub(super) fn wrong_type(message: impl Into<String>, span: Span) -> PgError {
    at(SqlState::DATATYPE_MISMATCH, message, "InvalidArgumentType", span)
}

pub(super) fn column_conflict(name: &str, span: Span) -> PgError {
    at(
        SqlState::DUPLICATE_COLUMN,
        format!("column \"{name}\" is named more than once"),
        "ColumnNameConflict",
        span,
    )
}

pub(super) fn no_alias(span: Span) -> PgError {
    at(
        SqlState::SYNTAX_ERROR,
        "an expression in WITH needs a name: AS name",
        "NoExpressionAlias",
        span,
    )
}

pub(super) fn no_variables(span: Span) -> PgError {
    at(
        SqlState::SYNTAX_ERROR,
        "there are no variables that * could stand for",
        "NoVariablesInScope",
        span,
    )
}

pub(super) fn unknown_function(name: &str, span: Span) -> PgError {
    at(
        SqlState::UNDEFINED_FUNCTION,
        format!("function {name} does not exist"),
        "UnknownFunction",
        span,
    )
}

pub(super) fn argument_count(name: &str, expected: &str, found: usize, span: Span) -> PgError {
    at(
        SqlState::UNDEFINED_FUNCTION,
        format!("function {name} takes {expected} arguments, not {found}"),
        "InvalidNumberOfArguments",
        span,
    )
}

pub(super) fn invalid_aggregation(place: &str, span: Span) -> PgError {
    at(
        SqlState::GROUPING_ERROR,
        format!("aggregate functions are not allowed in {place}"),
        "InvalidAggregation",
        span,
    )
}

pub(super) fn nested_aggregation(span: Span) -> PgError {
    at(
        SqlState::GROUPING_ERROR,
        "aggregate function calls cannot be nested",
        "NestedAggregation",
        span,
    )
}

pub(super) fn ambiguous_aggregation(span: Span) -> PgError {
    at(
        SqlState::GROUPING_ERROR,
        "an expression with an aggregate may only use grouping keys beside it: variables or properties that are \
         columns of their own",
        "AmbiguousAggregationExpression",
        span,
    )
}

pub(super) fn not_constant(clause: &str, span: Span) -> PgError {
    at(
        SqlState::SYNTAX_ERROR,
        format!("the argument of {clause} cannot use variables"),
        "NonConstantExpression",
        span,
    )
}

pub(super) fn random_in_aggregate(span: Span) -> PgError {
    at(
        SqlState::SYNTAX_ERROR,
        "the argument of an aggregate function cannot be random",
        "NonConstantExpression",
        span,
    )
}

pub(super) fn unsupported(what: impl std::fmt::Display, span: Span) -> PgError {
    PgError::unsupported(
        format!("{what} is not supported yet"),
        "See docs/compat.md for the Cypher that is.",
    )
    .at(span.start as usize)
}
