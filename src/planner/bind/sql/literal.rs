//! The place of a literal that could not be read.
//!
//! DataFusion's expressions have no places, so the error names the literal, and the statement is searched for it.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Statement, Value, ValueWithSpan, Visit, Visitor};

use super::names::offset_of;
use crate::error::PgError;

/// The error with the offset of the literal it is about, if the statement has that literal once.
pub fn at_literal(error: PgError, statement: &Statement) -> PgError {
    let Some(text) = error.fields().literal.clone() else { return error };
    let mut found = Literals { text: &text, offsets: Vec::new() };
    let ControlFlow::Continue(()) = statement.visit(&mut found);
    match found.offsets[..] {
        [offset] => error.or_at(Some(offset)),
        _ => error,
    }
}

struct Literals<'a> {
    text: &'a str,
    offsets: Vec<usize>,
}

impl Literals<'_> {
    fn take(&mut self, value: &ValueWithSpan) {
        let text = match &value.value {
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::UnicodeStringLiteral(text)
            | Value::Number(text, _) => text,
            Value::DollarQuotedString(quoted) => &quoted.value,
            _ => return,
        };
        if text == self.text {
            self.offsets.extend(offset_of(value.span));
        }
    }
}

impl Visitor for Literals<'_> {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Value(value) => self.take(value),
            Expr::TypedString(typed) => self.take(&typed.value),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
