//! What is inside SQL's literals: escapes and numbers.

use std::string::FromUtf8Error;

use crate::error::SqlState;
use crate::parser::error::ParseError;
use crate::parser::span::Span;

const INVALID_ESCAPE_SEQUENCE: SqlState = SqlState("22025");

/// One backslash escape at the start of `text`: its bytes (`None` if it is no legal escape) and its length.
///
/// `None` where the text ends within it.
pub(super) fn backslash_escape(text: &str) -> Option<(Option<Vec<u8>>, usize)> {
    let mut characters = text.chars();
    characters.next()?;
    let kind = characters.next()?;
    let behind = text.get(1..).unwrap_or("");
    let simple = |byte: u8| Some((Some(vec![byte]), 2));
    match kind {
        'b' => simple(8),
        'f' => simple(12),
        'n' => simple(b'\n'),
        'r' => simple(b'\r'),
        't' => simple(b'\t'),
        '0'..='7' => {
            let (code, length) = leading_digits(behind, 8, 3);
            // PostgreSQL keeps the low eight bits of \777.
            let byte = u8::try_from(code & 0xFF).unwrap_or(0);
            Some(((byte != 0).then(|| vec![byte]), 1 + length))
        }
        'x' => match leading_digits(behind.get(1..).unwrap_or(""), 16, 2) {
            (_, 0) => simple(b'x'),
            (code, length) => {
                let byte = u8::try_from(code).unwrap_or(0);
                Some(((byte != 0).then(|| vec![byte]), 2 + length))
            }
        },
        'u' => Some(utf16_escape(text)),
        'U' => {
            let (code, length) = leading_digits(behind.get(1..).unwrap_or(""), 16, 8);
            Some((utf8(code).filter(|_| length == 8), 2 + length))
        }
        other => {
            let mut bytes = [0; 4];
            Some((Some(other.encode_utf8(&mut bytes).as_bytes().to_vec()), 1 + other.len_utf8()))
        }
    }
}

/// `\uXXXX`, or two of them that make one character.
fn utf16_escape(text: &str) -> (Option<Vec<u8>>, usize) {
    let (code, length) = leading_digits(text.get(2..).unwrap_or(""), 16, 4);
    if length < 4 {
        return (None, 2 + length);
    }
    let second = text.get(6..).and_then(|rest| rest.strip_prefix("\\u"));
    if let (0xD800..0xDC00, Some(second)) = (code, second) {
        let (low, low_length) = leading_digits(second, 16, 4);
        let is_low = (0xDC00..0xE000).contains(&low) && low_length == 4;
        let bytes =
            is_low.then(|| 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)).and_then(utf8);
        return (bytes, 8 + low_length);
    }
    (utf8(code), 6)
}

fn utf8(code: u32) -> Option<Vec<u8>> {
    let character = char::from_u32(code).filter(|c| *c != '\0')?;
    let mut bytes = [0; 4];
    Some(character.encode_utf8(&mut bytes).as_bytes().to_vec())
}

/// The value of up to `digits_max` digits at the start of `text`, and how many there are.
fn leading_digits(text: &str, radix: u32, digits_max: usize) -> (u32, usize) {
    let mut value = 0u32;
    let mut length = 0;
    for digit in text.chars().take(digits_max).map_while(|c| c.to_digit(radix)) {
        value = value.wrapping_mul(radix).wrapping_add(digit);
        length += 1;
    }
    (value, length)
}

/// Resolves `\XXXX` and `\+XXXXXX` of a `U&` string; `None` if one is not legal.
pub(super) fn unicode(raw: &str, escape: char) -> Option<String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut high = None;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        if c != escape {
            value.push(c);
            continue;
        }
        if let Some(behind) = rest.strip_prefix(escape) {
            value.push(escape);
            rest = behind;
            continue;
        }
        let (digits, skipped) = if rest.starts_with('+') { (6, 1) } else { (4, 0) };
        let (code, length) = leading_digits(rest.get(skipped..)?, 16, digits);
        if length < digits {
            return None;
        }
        rest = rest.get(skipped + digits..)?;
        match (high.take(), code) {
            (None, 0xD800..0xDC00) => high = Some(code),
            (None, _) => value.push(char::from_u32(code).filter(|c| *c != '\0')?),
            (Some(high), 0xDC00..0xE000) => {
                value.push(char::from_u32(0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00))?);
            }
            (Some(_), _) => return None,
        }
    }
    high.is_none().then_some(value)
}

/// How many bytes of `text`, which starts with a digit or with `.` and a digit, belong to a number.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is = |at: usize, test: fn(&u8) -> bool| bytes.get(at).is_some_and(test);
    let digits = |mut at: usize, test: fn(&u8) -> bool| {
        while is(at, test) || (bytes.get(at) == Some(&b'_') && is(at + 1, test)) {
            at += 1;
        }
        at
    };
    if let [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', next, ..] = bytes
        && next.is_ascii_hexdigit()
    {
        return digits(2, u8::is_ascii_hexdigit);
    }
    let mut at = digits(0, u8::is_ascii_digit);
    // `1..2` is a range in PL/pgSQL: its dots are none of the number.
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1) != Some(&b'.') {
        at = digits(at + 1, u8::is_ascii_digit);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if is(at + 1 + sign, u8::is_ascii_digit) {
            at = digits(at + 1 + sign, u8::is_ascii_digit);
        }
    }
    at
}

/// The number in decimal digits; `None` for digits that its radix does not have.
pub(super) fn number(lexeme: &str) -> Option<String> {
    let digits: String = lexeme.chars().filter(|c| *c != '_').collect();
    let radix = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => return Some(digits),
    };
    u128::from_str_radix(digits.get(2..)?, radix).ok().map(|value| value.to_string())
}

/// `22021`: bytes given by escapes that are no UTF-8.
pub(super) fn invalid_bytes(error: &FromUtf8Error, span: Span) -> ParseError {
    let first = error.as_bytes().get(error.utf8_error().valid_up_to()).copied().unwrap_or(0);
    let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{first:02x}");
    ParseError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message, span)
}

/// `22025`: an escape in `E'…'` that stands for no character.
pub(super) fn invalid_backslash_escape(span: Span) -> ParseError {
    ParseError::new(INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape", span)
        .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
}

/// An escape that stands for no character.
pub(super) fn invalid_escape(span: Span) -> ParseError {
    ParseError::syntax("invalid Unicode escape", span)
        .with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_postgresql_ends_them() {
        let length = |text: &str| number_length(text);
        assert_eq!(length("1..2"), 1);
        assert_eq!(length("1.e"), 2);
        assert_eq!(length("1.5e-3x"), 6);
        assert_eq!(length("1e"), 1);
        assert_eq!(length(".5)"), 2);
        assert_eq!(length("0x1F "), 4);
        assert_eq!(length("1_000_"), 5);
        assert_eq!(number("0x1F"), Some("31".to_owned()));
        assert_eq!(number("0o9"), None);
        assert_eq!(number("1_000.5"), Some("1000.5".to_owned()));
    }

    #[test]
    fn escapes_give_their_bytes() {
        let escape = |text: &str| backslash_escape(text).unwrap();
        assert_eq!(escape("\\n"), (Some(vec![10]), 2));
        assert_eq!(escape("\\1234"), (Some(vec![0o123]), 4));
        assert_eq!(escape("\\x41g"), (Some(vec![0x41]), 4));
        assert_eq!(escape("\\q"), (Some(vec![b'q']), 2));
        assert_eq!(escape("\\u00e9"), (Some("é".into()), 6));
        assert_eq!(escape("\\ud83d\\ude00"), (Some("😀".into()), 12));
        assert_eq!(escape("\\ud83dx"), (None, 6));
        assert_eq!(escape("\\0"), (None, 2));
        assert_eq!(backslash_escape("\\"), None);
        assert_eq!(unicode("d\\0061t\\+000061", '\\').unwrap(), "data");
        assert_eq!(unicode("d!0061!!", '!').unwrap(), "da!");
        assert_eq!(unicode("\\006", '\\'), None);
    }
}
