//! Reads JSON text: checks it for `json`, and brings it to PostgreSQL's normal form for `jsonb`.
//!
//! The normal form has one space after `:` and `,`; members sorted by the length of their names, then
//! by the names' bytes; the last of members with one name; numbers as `numeric` writes them.

use crate::types::error::{TypeError, lossy};

use super::render::append_string;

/// Nesting beyond this is refused, before the stack is in danger.
const DEPTH_MAX: usize = 512;

/// Checks that `text` is JSON.
///
/// # Errors
/// `22P02` with PostgreSQL's detail, `54001` for too deep nesting.
pub(crate) fn check_json(text: &str) -> Result<(), TypeError> {
    let mut parser = Parser::new(text, None);
    parser.document()
}

/// Appends the normal form of `text` to `out`.
///
/// # Errors
/// As [`check_json`]; `22P05` for an escaped NUL character, `22003` for a number too large.
pub(crate) fn append_jsonb(text: &str, out: &mut Vec<u8>) -> Result<(), TypeError> {
    let mut parser = Parser::new(text, Some(std::mem::take(out)));
    let result = parser.document();
    *out = parser.out.take().unwrap_or_default();
    result
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Where the normal form goes, if it is wanted.
    out: Option<Vec<u8>>,
    normalizes: bool,
}

/// What the parser was ready for when it met something else.
#[derive(Clone, Copy)]
enum Expected {
    Value,
    FirstElement,
    NextElement,
    FirstMember,
    Member,
    Colon,
    NextMember,
    End,
}

impl Expected {
    fn words(self) -> &'static str {
        match self {
            Self::Value => "JSON value",
            Self::FirstElement => "array element or \"]\"",
            Self::NextElement => "\",\" or \"]\"",
            Self::FirstMember => "string or \"}\"",
            Self::Member => "string",
            Self::Colon => "\":\"",
            Self::NextMember => "\",\" or \"}\"",
            Self::End => "end of input",
        }
    }
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, out: Option<Vec<u8>>) -> Self {
        Self { text, at: 0, depth: 0, normalizes: out.is_some(), out }
    }

    fn document(&mut self) -> Result<(), TypeError> {
        self.value(Expected::Value)?;
        self.skip_spaces();
        if self.at < self.text.len() {
            return Err(self.unexpected(Expected::End));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn put(&mut self, text: &[u8]) {
        if let Some(out) = &mut self.out {
            out.extend_from_slice(text);
        }
    }

    fn value(&mut self, expected: Expected) -> Result<(), TypeError> {
        self.skip_spaces();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => {
                let text = self.string()?;
                if let Some(out) = &mut self.out {
                    append_string(text.as_bytes(), out);
                }
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(expected),
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), TypeError>,
    ) -> Result<(), TypeError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(TypeError::new("54001", "stack depth limit exceeded")
                .with_detail(format!("JSON may be nested {DEPTH_MAX} deep.")));
        }
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), TypeError> {
        self.at += 1;
        self.put(b"[");
        self.skip_spaces();
        if self.accept(b']') {
            self.put(b"]");
            return Ok(());
        }
        let mut expected = Expected::FirstElement;
        loop {
            self.value(expected)?;
            expected = Expected::Value;
            self.skip_spaces();
            if self.accept(b']') {
                self.put(b"]");
                return Ok(());
            }
            if !self.accept(b',') {
                return Err(self.unexpected(Expected::NextElement));
            }
            self.put(b", ");
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn object(&mut self) -> Result<(), TypeError> {
        self.at += 1;
        // The members' normal forms, put in order when all are known.
        let outer = self.out.take();
        let mut members: Vec<(String, Vec<u8>)> = Vec::new();
        self.skip_spaces();
        if !self.accept(b'}') {
            let mut expected = Expected::FirstMember;
            loop {
                self.skip_spaces();
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected(expected));
                }
                expected = Expected::Member;
                let name = self.string()?;
                self.skip_spaces();
                if !self.accept(b':') {
                    return Err(self.unexpected(Expected::Colon));
                }
                self.out = outer.as_ref().map(|_| Vec::new());
                self.value(Expected::Value)?;
                if let Some(value) = self.out.take() {
                    members.push((name, value));
                }
                self.skip_spaces();
                if self.accept(b'}') {
                    break;
                }
                if !self.accept(b',') {
                    return Err(self.unexpected(Expected::NextMember));
                }
            }
        }
        if let Some(mut out) = outer {
            append_members(members, &mut out);
            self.out = Some(out);
        }
        Ok(())
    }

    /// A string without its escapes.
    fn string(&mut self) -> Result<String, TypeError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let end = rest.bytes().position(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\'));
            let Some(end) = end else {
                self.at = self.text.len();
                return Err(self.invalid_token(start));
            };
            value.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'\\') => self.escape(start, &mut value)?,
                control => {
                    let code = control.unwrap_or(0);
                    return Err(self.invalid().with_detail(format!(
                        "Character with value 0x{code:02x} must be escaped."
                    )));
                }
            }
        }
    }

    fn escape(&mut self, start: usize, value: &mut String) -> Result<(), TypeError> {
        self.at += 1;
        let Some(escaped) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else {
            return Err(self.invalid_token(start));
        };
        self.at += escaped.len_utf8();
        value.push(match escaped {
            '"' | '\\' | '/' => escaped,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(value),
            other => {
                return Err(self
                    .invalid()
                    .with_detail(format!("Escape sequence \"\\{other}\" is invalid.")));
            }
        });
        Ok(())
    }

    /// `\uXXXX`, or two of them for a character beyond 16 bits. PostgreSQL checks what the code stands
    /// for only where the text is stored without its escapes, so in `jsonb` alone.
    fn unicode(&mut self, value: &mut String) -> Result<(), TypeError> {
        let code = self.four_digits()?;
        if !self.normalizes {
            return Ok(());
        }
        let lone = "Unicode low surrogate must follow a high surrogate.";
        let code = match code {
            0 => {
                return Err(TypeError::new("22P05", "unsupported Unicode escape sequence")
                    .with_detail("\\u0000 cannot be converted to text."));
            }
            0xd800..=0xdbff => {
                if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
                    return Err(self.invalid().with_detail(lone));
                }
                self.at += 2;
                match self.four_digits()? {
                    low @ 0xdc00..=0xdfff => 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00),
                    0xd800..=0xdbff => {
                        return Err(self.invalid().with_detail(
                            "Unicode high surrogate must not follow a high surrogate.",
                        ));
                    }
                    _ => return Err(self.invalid().with_detail(lone)),
                }
            }
            0xdc00..=0xdfff => return Err(self.invalid().with_detail(lone)),
            code => code,
        };
        value.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u32, TypeError> {
        let digits = self.text.get(self.at..self.at + 4);
        let valid = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = valid.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| {
            self.invalid().with_detail("\"\\u\" must be followed by four hexadecimal digits.")
        })?;
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<(), TypeError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let count_digits = |at: usize| {
            let rest = bytes.get(at..).unwrap_or_default();
            rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        self.accept(b'-');
        let whole = count_digits(self.at);
        let leading_zero = whole > 1 && self.peek() == Some(b'0');
        self.at += whole;
        let mut valid = whole > 0 && !leading_zero;
        if valid && self.accept(b'.') {
            let fraction = count_digits(self.at);
            self.at += fraction;
            valid = fraction > 0;
        }
        if valid && matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            let exponent = count_digits(self.at);
            self.at += exponent;
            valid = exponent > 0;
        }
        let follows = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        if !valid || self.peek().is_some_and(follows) {
            while self.peek().is_some_and(follows) {
                self.at += 1;
            }
            return Err(self.invalid_token(start));
        }
        if let Some(out) = &mut self.out {
            append_number(self.text.get(start..self.at).unwrap_or_default(), out)?;
        }
        Ok(())
    }

    fn literal(&mut self, expected: Expected) -> Result<(), TypeError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let word = word_of(rest);
        if !matches!(word, "true" | "false" | "null") {
            return Err(self.unexpected(expected));
        }
        self.at += word.len();
        self.put(word.as_bytes());
        Ok(())
    }

    fn invalid(&self) -> TypeError {
        let end = self.text.floor_char_boundary(self.at);
        self.invalid_at(end)
    }

    /// The error with the line up to `end` as its context.
    fn invalid_at(&self, end: usize) -> TypeError {
        let before = self.text.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let shown_from = start.max(self.text.floor_char_boundary(end.saturating_sub(50)));
        let dots = if shown_from > start { "..." } else { "" };
        let more = if end < self.text.len() { "..." } else { "" };
        let shown = self.text.get(shown_from..end).unwrap_or_default();
        TypeError::new("22P02", "invalid input syntax for type json")
            .with_context(format!("JSON data, line {line}: {dots}{shown}{more}"))
    }

    fn invalid_token(&self, start: usize) -> TypeError {
        let token = self.text.get(start..self.at).unwrap_or_default();
        self.invalid().with_detail(format!("Token \"{}\" is invalid.", lossy(token.as_bytes())))
    }

    /// What stands at the current place, and what should.
    fn unexpected(&mut self, expected: Expected) -> TypeError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else {
            return self.invalid().with_detail("The input string ended unexpectedly.");
        };
        let start = self.at;
        let word = word_of(rest);
        if first == '"' {
            if let Err(error) = self.string() {
                return error;
            }
        } else if first == '-' || first.is_ascii_digit() {
            if let Err(error) = self.number() {
                return error;
            }
        } else if matches!(first, '{' | '}' | '[' | ']' | ',' | ':') {
            self.at += 1;
        } else if matches!(word, "true" | "false" | "null") {
            self.at += word.len();
        } else {
            self.at += if word.is_empty() { first.len_utf8() } else { word.len() };
            return self.invalid_token(start);
        }
        let token = self.text.get(start..self.at).unwrap_or_default();
        let words = expected.words();
        let detail = match expected {
            Expected::End => format!("Expected end of input, but found \"{token}\"."),
            _ => format!("Expected {words}, but found \"{token}\"."),
        };
        self.invalid().with_detail(detail)
    }
}

fn word_of(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

fn append_members(mut members: Vec<(String, Vec<u8>)>, out: &mut Vec<u8>) {
    members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    out.push(b'{');
    let mut is_first = true;
    for (index, (name, value)) in members.iter().enumerate() {
        // The sort keeps the order of equal names: the last one counts.
        if members.get(index + 1).is_some_and(|(next, _)| next == name) {
            continue;
        }
        if !is_first {
            out.extend_from_slice(b", ");
        }
        is_first = false;
        append_string(name.as_bytes(), out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
    }
    out.push(b'}');
}

/// A number as `numeric` writes it: no exponent, all digits after the point kept, no `-0`.
fn append_number(text: &str, out: &mut Vec<u8>) -> Result<(), TypeError> {
    const DIGITS_BEFORE_POINT_MAX: i64 = 131_072;
    const DIGITS_AFTER_POINT_MAX: i64 = 16_383;
    let overflow = || TypeError::new("22003", "value overflows numeric format");
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| overflow())?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_zero = mantissa.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if negative && !is_zero {
        out.push(b'-');
    }
    if exponent == 0 {
        out.extend_from_slice(mantissa.as_bytes());
        return Ok(());
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let scale = (fraction.len() as i64).saturating_sub(exponent).max(0);
    let point = (whole.len() as i64).saturating_add(exponent);
    if point > DIGITS_BEFORE_POINT_MAX && !is_zero || scale > DIGITS_AFTER_POINT_MAX {
        return Err(overflow());
    }
    let digit_at = |position: i64| {
        usize::try_from(position).ok().and_then(|at| digits.get(at)).copied().unwrap_or(b'0')
    };
    let first = (0..point).find(|position| digit_at(*position) != b'0');
    match first {
        Some(first) if !is_zero => out.extend((first..point).map(digit_at)),
        _ => out.push(b'0'),
    }
    if scale > 0 {
        out.push(b'.');
        out.extend((point..point + scale).map(digit_at));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jsonb(text: &str) -> Result<String, TypeError> {
        let mut out = Vec::new();
        append_jsonb(text, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn normal_form() {
        let cases = [
            (r#" {"bb":1,"a" : [1,2 , {}],"a":[ ]} "#, r#"{"a": [], "bb": 1}"#),
            (r#"["\u00e4\u0001\n\/", "\ud83d\ude00"]"#, "[\"ä\\u0001\\n/\", \"😀\"]"),
            ("1e3", "1000"),
            ("1.50", "1.50"),
            ("1.5e-3", "0.0015"),
            ("-0.0", "0.0"),
            ("12e-1", "1.2"),
            ("123.45e1", "1234.5"),
            ("0e5", "0"),
            ("null", "null"),
        ];
        for (text, expected) in cases {
            assert_eq!(jsonb(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_have_postgresql_details() {
        let cases = [
            ("", "The input string ended unexpectedly."),
            ("{", "The input string ended unexpectedly."),
            ("{a}", "Token \"a\" is invalid."),
            ("{1}", "Expected string or \"}\", but found \"1\"."),
            ("{\"a\"}", "Expected \":\", but found \"}\"."),
            ("{\"a\":1,}", "Expected string, but found \"}\"."),
            ("[1 2]", "Expected \",\" or \"]\", but found \"2\"."),
            ("1 2", "Expected end of input, but found \"2\"."),
            ("tru", "Token \"tru\" is invalid."),
            ("01", "Token \"01\" is invalid."),
            ("\"a", "Token \"\"a\" is invalid."),
            ("\"\\x\"", "Escape sequence \"\\x\" is invalid."),
        ];
        for (text, detail) in cases {
            let error = check_json(text).unwrap_err();
            assert_eq!(
                (error.sqlstate, error.detail.as_deref()),
                ("22P02", Some(detail)),
                "{text}"
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(jsonb(&deep).unwrap_err().sqlstate, "54001");
        assert_eq!(jsonb("1e200000").unwrap_err().sqlstate, "22003");
        assert_eq!(jsonb("\"\\u0000\"").unwrap_err().sqlstate, "22P05");
        assert_eq!(check_json("\"\\u0000\""), Ok(()));
    }
}
