//! Words of a path.

use crate::types::error::TypeError;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A key or a keyword; the parser knows which.
    Word(String),
    /// `"text"`
    Text(String),
    /// `$name`
    Variable(String),
    /// A number without sign.
    Number(String),
    /// Anything of one or two characters.
    Mark(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Text(text) | Self::Variable(text) | Self::Number(text) => {
                text.clone()
            }
            Self::Mark(mark) => (*mark).to_owned(),
        }
    }
}

/// Longer ones first.
const MARKS: [&str; 29] = [
    "**", "&&", "||", "==", "!=", "<>", "<=", ">=", "?", "%", "$", ".", "[", "]", "{", "}", "(",
    ")", "!", "=", "<", ">", "@", "#", ",", "*", ":", "-", "+",
];

/// `42601`, at a word or at the end.
pub(super) fn wrong(at: Option<&Token>) -> TypeError {
    let message = match at {
        Some(token) => format!("syntax error at or near \"{}\" of jsonpath input", token.shown()),
        None => "syntax error at end of jsonpath input".to_owned(),
    };
    TypeError::new("42601", message)
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !"?%$.[]{}()|&!=<>@#,*:-+/\"\\".contains(c)
}

/// The words of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, TypeError> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map(|(_, rest)| rest).ok_or_else(unfinished_comment)?;
        } else if let Some(after) = rest.strip_prefix('/') {
            found.push(Token::Mark("/"));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let (value, after) = quoted(after)?;
            found.push(Token::Text(value));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("$\"") {
            let (value, after) = quoted(after)?;
            found.push(Token::Variable(value));
            rest = after;
        } else if first == '$' && rest.chars().nth(1).is_some_and(|c| is_word(c) || c == '\\') {
            let (name, after) = word(rest.get(1..).unwrap_or_default())?;
            found.push(Token::Variable(name));
            rest = after;
        } else if starts_number(rest) {
            let (number, after) = number(rest)?;
            found.push(Token::Number(number));
            rest = after;
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            found.push(Token::Mark(mark));
            rest = rest.get(mark.len()..).unwrap_or_default();
        } else {
            let (name, after) = word(rest)?;
            if name.is_empty() {
                return Err(wrong(Some(&Token::Word(first.to_string()))));
            }
            found.push(Token::Word(name));
            rest = after;
        }
    }
    Ok(found)
}

fn unfinished_comment() -> TypeError {
    TypeError::new("42601", "unexpected end of comment at end of jsonpath input")
}

fn starts_number(rest: &str) -> bool {
    let mut bytes = rest.bytes();
    match bytes.next() {
        Some(b'0'..=b'9') => true,
        Some(b'.') => bytes.next().is_some_and(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

fn number(rest: &str) -> Result<(String, &str), TypeError> {
    let digits = |at: usize| rest.bytes().skip(at).take_while(u8::is_ascii_digit).count() + at;
    let mut end = digits(0);
    let leading_zero = end > 1 && rest.starts_with('0');
    // `1.` is a number, and the dot of `1.type()` is not part of one.
    if rest.as_bytes().get(end) == Some(&b'.')
        && !rest
            .get(end + 1..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|c| is_word(c) && !c.is_ascii_digit())
        && !rest.get(end + 1..).is_some_and(|rest| rest.starts_with(['*', '"']))
    {
        end = digits(end + 1);
    }
    if matches!(rest.as_bytes().get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.as_bytes().get(end + 1), Some(b'+' | b'-')));
        let stop = digits(end + 1 + sign);
        if stop > end + 1 + sign {
            end = stop;
        }
    }
    let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if leading_zero || after.chars().next().is_some_and(|c| is_word(c) || c == '\\') {
        let junk: String = after.chars().take(1).collect();
        let message = format!(
            "trailing junk after numeric literal at or near \"{text}{junk}\" of jsonpath input"
        );
        return Err(TypeError::new("42601", message));
    }
    Ok((text.to_owned(), after))
}

fn word(rest: &str) -> Result<(String, &str), TypeError> {
    let mut out = String::new();
    let mut rest = rest;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix('\\') {
            rest = escape(after, &mut out)?;
        } else if is_word(c) {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        } else {
            break;
        }
    }
    Ok((out, rest))
}

/// Behind the first quote.
fn quoted(rest: &str) -> Result<(String, &str), TypeError> {
    let mut out = String::new();
    let mut rest = rest;
    loop {
        let Some(c) = rest.chars().next() else {
            let message = "unterminated quoted string at end of jsonpath input";
            return Err(TypeError::new("42601", message));
        };
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '"' => return Ok((out, after)),
            '\\' => escape(after, &mut out)?,
            c => {
                out.push(c);
                after
            }
        };
    }
}

/// Behind a backslash.
fn escape<'a>(rest: &'a str, out: &mut String) -> Result<&'a str, TypeError> {
    let bad = |message: &'static str| TypeError::new("42601", message);
    let Some(c) = rest.chars().next() else {
        return Err(bad("unexpected end after backslash at end of jsonpath input"));
    };
    let after = rest.get(c.len_utf8()..).unwrap_or_default();
    let simple = match c {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => {
            let value = hexadecimal(after, 2)
                .ok_or_else(|| bad("invalid hexadecimal character sequence of jsonpath input"))?;
            out.push(char::from_u32(value).unwrap_or('\u{fffd}'));
            return Ok(after.get(2..).unwrap_or_default());
        }
        'u' => return unicode(after, out),
        c => c,
    };
    out.push(simple);
    Ok(after)
}

fn hexadecimal(text: &str, digits: usize) -> Option<u32> {
    let text = text.get(..digits)?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok())?
}

/// Behind `\u`: four digits, or up to six in braces; two halves of a pair are one character.
fn unicode<'a>(rest: &'a str, out: &mut String) -> Result<&'a str, TypeError> {
    let bad = || TypeError::new("42601", "invalid Unicode escape sequence of jsonpath input");
    let one = |rest: &'a str| -> Option<(u32, &'a str)> {
        if let Some(braced) = rest.strip_prefix('{') {
            let (digits, after) = braced.split_once('}')?;
            return (1..=6)
                .contains(&digits.len())
                .then(|| Some((hexadecimal(digits, digits.len())?, after)))?;
        }
        Some((hexadecimal(rest, 4)?, rest.get(4..)?))
    };
    let (first, after) = one(rest).ok_or_else(bad)?;
    let surrogate = || TypeError::new("22P02", "invalid input syntax for type jsonpath");
    match first {
        0 => Err(TypeError::new("22P05", "unsupported Unicode escape sequence")
            .with_detail("\\u0000 cannot be converted to text.")),
        0xD800..=0xDBFF => {
            let (second, after) = after.strip_prefix("\\u").and_then(one).ok_or_else(|| {
                surrogate().with_detail("Unicode low surrogate must follow a high surrogate.")
            })?;
            if !(0xDC00..=0xDFFF).contains(&second) {
                let detail = "Unicode low surrogate must follow a high surrogate.";
                return Err(surrogate().with_detail(detail));
            }
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            out.push(char::from_u32(code).ok_or_else(bad)?);
            Ok(after)
        }
        0xDC00..=0xDFFF => {
            Err(surrogate().with_detail("Unicode low surrogate must follow a high surrogate."))
        }
        code => {
            out.push(char::from_u32(code).ok_or_else(bad)?);
            Ok(after)
        }
    }
}
