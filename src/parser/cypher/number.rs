//! Cypher's number literals.

use crate::error::SqlState;
use crate::parser::error::{ParseError, SyntaxDetail};
use crate::parser::span::Span;
use crate::parser::token::TokenKind;

/// 2^63, the magnitude of the smallest integer.
const MAGNITUDE_MAX: u64 = 1 << 63;

/// How many bytes of `text`, which starts with a digit or with `.` and a digit, belong to the number.
///
/// A dot counts only before a digit, so that `1..3` is a range and `1.x` an access.
pub(super) fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize, test: fn(&u8) -> bool| {
        while bytes
            .get(at)
            .is_some_and(|b| test(b) || (*b == b'_' && bytes.get(at + 1).is_some_and(test)))
        {
            at += 1;
        }
        at
    };
    if let [b'0', b'x' | b'X', ..] = bytes {
        return digits(2, u8::is_ascii_hexdigit);
    }
    if let [b'0', b'o' | b'O', ..] = bytes {
        return digits(2, u8::is_ascii_digit);
    }
    let mut at = digits(0, u8::is_ascii_digit);
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at = digits(at + 1, u8::is_ascii_digit);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign, u8::is_ascii_digit);
        }
    }
    at
}

/// The token of a number; `lexeme` is what [`length`] measured.
pub(super) fn value(lexeme: &str, span: Span) -> Result<TokenKind, ParseError> {
    let digits: String = lexeme.chars().filter(|c| *c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return integer(lexeme, hex, 16, "hexadecimal", span);
    }
    if let Some(octal) = lower.strip_prefix("0o") {
        return integer(lexeme, octal, 8, "octal", span);
    }
    if lower.bytes().all(|b| b.is_ascii_digit()) {
        return integer(lexeme, &lower, 10, "decimal", span);
    }
    match lower.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(TokenKind::Float(value)),
        _ => Err(ParseError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("\"{lexeme}\" is out of range for type double precision"),
            span,
        )
        .with_detail(SyntaxDetail::FloatingPointOverflow)),
    }
}

fn integer(
    lexeme: &str,
    digits: &str,
    radix: u32,
    kind: &str,
    span: Span,
) -> Result<TokenKind, ParseError> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        let message = format!("invalid {kind} integer at or near \"{lexeme}\"");
        return Err(
            ParseError::syntax(message, span).with_detail(SyntaxDetail::InvalidNumberLiteral)
        );
    }
    match u64::from_str_radix(digits, radix) {
        Ok(magnitude) if magnitude <= MAGNITUDE_MAX => Ok(TokenKind::Integer(magnitude)),
        _ => Err(overflow(lexeme, span)),
    }
}

/// The integer a magnitude and a sign stand for.
pub(super) fn signed(magnitude: u64, negative: bool) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// `22003`: an integer of more than 64 bits.
pub(super) fn overflow(lexeme: &str, span: Span) -> ParseError {
    ParseError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("value \"{lexeme}\" is out of range for type bigint"),
        span,
    )
    .with_detail(SyntaxDetail::IntegerOverflow)
}

/// A number with letters behind it.
pub(super) fn junk(lexeme: &str, span: Span) -> ParseError {
    ParseError::syntax(format!("trailing junk after numeric literal at or near \"{lexeme}\""), span)
        .with_detail(SyntaxDetail::InvalidNumberLiteral)
}
