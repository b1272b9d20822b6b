//! Reads label expressions: `A|B`, `A&!B`, `%`, `(A|B)&C`, and Cypher's `A:B` and `A|:B`.

use super::error::ParseError;
use super::pattern::LabelExpr;
use super::span::Span;
use super::token::Cursor;

/// A label expression; the `:` or `IS` in front has been read.
pub(super) fn label_expression(
    cursor: &mut Cursor<'_>,
    is_cypher: bool,
) -> Result<LabelExpr, ParseError> {
    cursor.enter()?;
    let start = cursor.peek().span;
    let mut parts = vec![conjunction(cursor, is_cypher)?];
    while cursor.eat_symbol("|") {
        // openCypher's older form repeats the colon: `:A|:B`.
        if is_cypher {
            cursor.eat_symbol(":");
        }
        parts.push(conjunction(cursor, is_cypher)?);
    }
    cursor.leave();
    Ok(joined(parts, cursor.span_from(start), LabelExpr::Or))
}

/// A label expression without a `|` outside parentheses, for places where a bar ends it.
pub(super) fn conjunction(
    cursor: &mut Cursor<'_>,
    is_cypher: bool,
) -> Result<LabelExpr, ParseError> {
    let start = cursor.peek().span;
    let mut parts = vec![factor(cursor, is_cypher)?];
    while cursor.eat_symbol("&") || (is_cypher && cursor.eat_symbol(":")) {
        parts.push(factor(cursor, is_cypher)?);
    }
    Ok(joined(parts, cursor.span_from(start), LabelExpr::And))
}

fn joined(
    mut parts: Vec<LabelExpr>,
    span: Span,
    join: fn(Vec<LabelExpr>, Span) -> LabelExpr,
) -> LabelExpr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            join(parts, span)
        }
    }
}

fn factor(cursor: &mut Cursor<'_>, is_cypher: bool) -> Result<LabelExpr, ParseError> {
    let start = cursor.peek().span;
    if cursor.eat_symbol("!") {
        cursor.enter()?;
        let negated = factor(cursor, is_cypher)?;
        cursor.leave();
        return Ok(LabelExpr::Not(Box::new(negated), cursor.span_from(start)));
    }
    if cursor.eat_symbol("%") {
        return Ok(LabelExpr::Wildcard(start));
    }
    if cursor.eat_symbol("(") {
        let inner = label_expression(cursor, is_cypher)?;
        cursor.expect_symbol(")")?;
        return Ok(inner);
    }
    if is_cypher && is_dynamic(cursor) {
        let message = "labels computed from an expression are not supported";
        return Err(ParseError::unsupported(message, start).with_hint("Write the label itself."));
    }
    if cursor.is_name_at(0) {
        return Ok(LabelExpr::Label(cursor.name()?));
    }
    Err(cursor.unexpected(&["a label"]))
}

/// `$(expr)` or `$parameter` in place of a label. (`$(` is no token, so the lexer has refused it before.)
fn is_dynamic(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek().kind, super::token::TokenKind::Parameter(_))
}
