//! Regular expressions: PostgreSQL's dialect on the `regex` crate, which has no look-around and no back references in
//! patterns; those are refused. Matching takes time linear in the text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Captures, Regex, RegexBuilder};

use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

/// How a pattern is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Flags {
    insensitive: bool,
    global: bool,
    /// `n`: `.` and brackets stop at line ends, `^` and `$` match there.
    line: bool,
    /// `p`: the first half of `n`; `w`: the second.
    dot_stops: bool,
    anchors_at_lines: bool,
    extended: bool,
    literal: bool,
}

impl Flags {
    fn parse(text: &str) -> Result<Self, PgError> {
        let mut flags = Self::default();
        for c in text.chars() {
            match c {
                'i' => flags.insensitive = true,
                'c' => flags.insensitive = false,
                'g' => flags.global = true,
                'n' | 'm' => flags.line = true,
                's' => flags.line = false,
                'p' => flags.dot_stops = true,
                'w' => flags.anchors_at_lines = true,
                'x' => flags.extended = true,
                't' => flags.extended = false,
                'q' => flags.literal = true,
                'e' => {}
                other => {
                    let message = format!("invalid regular expression option: \"{other}\"");
                    return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
            }
        }
        Ok(flags)
    }
}

fn bad(message: impl std::fmt::Display) -> PgError {
    PgError::new(
        SqlState::INVALID_REGULAR_EXPRESSION,
        format!("invalid regular expression: {message}"),
    )
}

/// The pattern in the crate's notation.
fn translate(pattern: &str, flags: &mut Flags) -> Result<String, PgError> {
    let mut rest = pattern;
    if let Some(literal) = rest.strip_prefix("***=") {
        return Ok(regex::escape(literal));
    }
    rest = rest.strip_prefix("***:").unwrap_or(rest);
    // Options at the front: `(?i)`.
    if let Some(tail) = rest.strip_prefix("(?")
        && let Some((options, tail)) = tail.split_once(')')
        && !options.is_empty()
        && options.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        let embedded = Flags::parse(options)?;
        flags.insensitive |= embedded.insensitive;
        flags.line |= embedded.line;
        flags.extended |= embedded.extended;
        rest = tail;
    }
    if flags.literal {
        return Ok(regex::escape(rest));
    }
    let mut result = String::with_capacity(rest.len() + 8);
    let mut chars = rest.chars().peekable();
    let mut bracket = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next().ok_or_else(|| bad("invalid escape \\ sequence"))?;
                push_escape(&mut result, escaped, bracket)?;
            }
            '[' if bracket && matches!(chars.peek(), Some(':' | '.' | '=')) => {
                push_class(&mut result, &mut chars)?;
            }
            '[' if bracket => result.push_str("\\["),
            '[' => {
                bracket = true;
                result.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    result.push('^');
                }
                if chars.peek() == Some(&']') {
                    chars.next();
                    result.push_str("\\]");
                }
            }
            ']' if bracket => {
                bracket = false;
                result.push(']');
            }
            // These mean set operations to the crate and themselves here.
            '&' | '~' if bracket => {
                result.push('\\');
                result.push(c);
            }
            '(' if !bracket && chars.peek() == Some(&'?') => {
                let ahead: String = chars.clone().skip(1).take(2).collect();
                if ahead.starts_with(['=', '!']) || ahead.starts_with('<') {
                    return Err(PgError::unsupported(
                        "look-around in regular expressions is not supported",
                        "Match the context as part of the expression and take the group you need.",
                    ));
                }
                result.push('(');
            }
            other => result.push(other),
        }
    }
    Ok(result)
}

fn push_escape(result: &mut String, escaped: char, bracket: bool) -> Result<(), PgError> {
    match escaped {
        'y' if !bracket => result.push_str("\\b"),
        'Y' if !bracket => result.push_str("\\B"),
        'm' if !bracket => result.push_str("\\b{start}"),
        'M' if !bracket => result.push_str("\\b{end}"),
        'Z' if !bracket => result.push_str("\\z"),
        'A' if !bracket => result.push_str("\\A"),
        'a' => result.push_str("\\x07"),
        'b' => result.push_str("\\x08"),
        'B' => result.push_str("\\\\"),
        'e' => result.push_str("\\x1B"),
        '0' => result.push_str("\\x00"),
        '1'..='9' if !bracket => {
            return Err(PgError::unsupported(
                "back references in regular expressions are not supported",
                "Compare the captured groups in SQL.",
            ));
        }
        'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' | 'v' | 'x' | 'u' | 'U' => {
            result.push('\\');
            result.push(escaped);
        }
        c if c.is_ascii_alphanumeric() => return Err(bad("invalid escape \\ sequence")),
        c => result.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
    }
    Ok(())
}

/// `[:alpha:]` as it is; collating elements of one character as that character.
fn push_class(
    result: &mut String,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<(), PgError> {
    let kind = chars.next().unwrap_or(':');
    let mut name = String::new();
    loop {
        match chars.next() {
            Some(c) if c == kind && chars.peek() == Some(&']') => {
                chars.next();
                break;
            }
            Some(c) => name.push(c),
            None => return Err(bad("brackets [] not balanced")),
        }
    }
    if kind == ':' {
        result.push_str(&format!("[:{name}:]"));
    } else {
        result.push_str(&regex::escape(&name));
    }
    Ok(())
}

const CACHE: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<(String, Flags), Rc<Regex>>> = RefCell::new(HashMap::new());
}

fn compile(pattern: &str, flags: Flags) -> Result<Rc<Regex>, PgError> {
    let key = (pattern.to_owned(), flags);
    if let Some(found) = COMPILED.with(|cache| cache.borrow().get(&key).cloned()) {
        return Ok(found);
    }
    let mut flags = flags;
    let translated = translate(pattern, &mut flags)?;
    let compiled = RegexBuilder::new(&translated)
        .case_insensitive(flags.insensitive)
        .dot_matches_new_line(!(flags.line || flags.dot_stops))
        .multi_line(flags.line || flags.anchors_at_lines)
        .ignore_whitespace(flags.extended)
        .size_limit(8 << 20)
        .build()
        .map_err(|error| bad(reason(&error)))?;
    let compiled = Rc::new(compiled);
    COMPILED.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.len() >= CACHE {
            cache.clear();
        }
        cache.insert(key, Rc::clone(&compiled));
    });
    Ok(compiled)
}

/// The crate's reason in PostgreSQL's words where it has them.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if last.contains("unclosed group") || last.contains("unopened group") {
        return "parentheses () not balanced".to_owned();
    }
    if last.contains("unclosed character class") {
        return "brackets [] not balanced".to_owned();
    }
    if last.contains("repetition operator missing expression") {
        return "quantifier operand invalid".to_owned();
    }
    if last.contains("invalid character class range") {
        return "invalid character range".to_owned();
    }
    last
}

/// Whether the pattern matches anywhere.
fn matches(args: Args<'_, '_>, insensitive: bool, negate: bool) -> Result<Value, PgError> {
    let flags = Flags { insensitive, ..Flags::default() };
    Ok(Datum::Bool(compile(args.text(1)?, flags)?.is_match(args.text(0)?) != negate))
}

fn flags_at(args: Args<'_, '_>, index: usize) -> Result<Flags, PgError> {
    if args.len() > index { Flags::parse(args.text(index)?) } else { Ok(Flags::default()) }
}

fn no_global(flags: Flags, function: &str) -> Result<Flags, PgError> {
    if flags.global {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{function} does not support the \"global\" option"),
        )
        .hint("Use the regexp_matches function instead."));
    }
    Ok(flags)
}

/// The groups, or the whole match if there are none.
fn groups(captures: &Captures<'_>) -> Value {
    let group =
        |found: Option<regex::Match<'_>>| Datum::opt_text(found.map(|m| m.as_str().to_owned()));
    if captures.len() == 1 {
        return Datum::List(vec![group(captures.get(0))]);
    }
    Datum::List((1..captures.len()).map(|index| group(captures.get(index))).collect())
}

fn regexp_match(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = no_global(flags_at(args, 2)?, "regexp_match()")?;
    let regex = compile(args.text(1)?, flags)?;
    Ok(regex.captures(args.text(0)?).map_or(Datum::Null, |captures| groups(&captures)))
}

fn regexp_matches(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = flags_at(args, 2)?;
    let regex = compile(args.text(1)?, Flags { global: false, ..flags })?;
    let limit = if flags.global { usize::MAX } else { 1 };
    let rows = regex.captures_iter(args.text(0)?).take(limit);
    Ok(Datum::List(rows.map(|captures| Datum::Row(vec![groups(&captures)])).collect()))
}

/// The replacement text with `\1` … `\9`, `\&` and `\\` filled in.
fn expand(template: &str, captures: &Captures<'_>, result: &mut String) {
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        match chars.next() {
            Some('&') => result.push_str(captures.get(0).map_or("", |m| m.as_str())),
            Some(digit @ '1'..='9') => {
                let group =
                    digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
                result.push_str(captures.get(group).map_or("", |m| m.as_str()));
            }
            Some('\\') => result.push('\\'),
            Some(other) => {
                result.push('\\');
                result.push(other);
            }
            None => result.push('\\'),
        }
    }
}

/// Replaces the `nth` match, or (0) all, beginning at a byte offset.
fn replace(
    regex: &Regex,
    text: &str,
    template: &str,
    start: usize,
    nth: usize,
) -> Result<Value, PgError> {
    let mut result = text.get(..start).unwrap_or_default().to_owned();
    let mut last = start;
    for (index, captures) in regex
        .captures_iter(text)
        .filter(|c| c.get(0).is_some_and(|m| m.start() >= start))
        .enumerate()
    {
        let Some(found) = captures.get(0) else { continue };
        if nth != 0 && index + 1 < nth {
            continue;
        }
        result.push_str(text.get(last..found.start()).unwrap_or_default());
        expand(template, &captures, &mut result);
        last = found.end();
        if nth != 0 {
            break;
        }
    }
    result.push_str(text.get(last..).unwrap_or_default());
    Ok(Datum::text(result))
}

fn byte_of(text: &str, character: i64) -> Result<usize, PgError> {
    if character <= 0 {
        let message = format!("invalid value for parameter \"start\": {character}");
        return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    let skip = usize::try_from(character - 1).unwrap_or(usize::MAX);
    Ok(text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at))
}

fn regexp_replace(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = flags_at(args, 3)?;
    let regex = compile(args.text(1)?, Flags { global: false, ..flags })?;
    replace(&regex, args.text(0)?, args.text(2)?, 0, usize::from(!flags.global))
}

/// `regexp_replace(string, pattern, replacement, start [, N [, flags]])`.
fn regexp_replace_from(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = flags_at(args, 5)?;
    let regex = compile(args.text(1)?, Flags { global: false, ..flags })?;
    let start = byte_of(args.text(0)?, args.int(3)?)?;
    let nth = if args.len() > 4 { args.int(4)? } else { 1 };
    let nth = usize::try_from(nth).map_err(|_| {
        PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"n\": {nth}"),
        )
    })?;
    replace(&regex, args.text(0)?, args.text(2)?, start, nth)
}

fn regexp_split(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = no_global(flags_at(args, 2)?, "regexp_split_to_array()")?;
    let regex = compile(args.text(1)?, flags)?;
    let text = args.text(0)?;
    let mut parts = Vec::new();
    let mut last = 0;
    for found in regex.find_iter(text) {
        // An empty match splits between characters, not before the first or after the last.
        if found.is_empty() && (found.start() == 0 || found.start() >= text.len()) {
            continue;
        }
        parts.push(Datum::text(text.get(last..found.start()).unwrap_or_default()));
        last = found.end();
    }
    parts.push(Datum::text(text.get(last..).unwrap_or_default()));
    Ok(Datum::List(parts))
}

fn regexp_count(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let regex = compile(args.text(1)?, flags_at(args, 3)?)?;
    let text = args.text(0)?;
    let start = if args.len() > 2 { byte_of(text, args.int(2)?)? } else { 0 };
    let count = regex.find_iter(text).filter(|found| found.start() >= start).count();
    Ok(Datum::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn regexp_like(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = no_global(flags_at(args, 2)?, "regexp_like()")?;
    Ok(Datum::Bool(compile(args.text(1)?, flags)?.is_match(args.text(0)?)))
}

fn regexp_substr(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let text = args.text(0)?;
    let start = if args.len() > 2 { byte_of(text, args.int(2)?)? } else { 0 };
    let nth = if args.len() > 3 { usize::try_from(args.int(3)? - 1).unwrap_or(0) } else { 0 };
    let regex = compile(args.text(1)?, flags_at(args, 4)?)?;
    let found = regex.find_iter(text).filter(|found| found.start() >= start).nth(nth);
    Ok(Datum::opt_text(found.map(|found| found.as_str().to_owned())))
}

/// `substring(string from pattern)`: the first group, or the match.
fn substring_pattern(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let regex = compile(args.text(1)?, Flags::default())?;
    let Some(captures) = regex.captures(args.text(0)?) else { return Ok(Datum::Null) };
    let found = if captures.len() > 1 { captures.get(1) } else { captures.get(0) };
    Ok(Datum::opt_text(found.map(|found| found.as_str().to_owned())))
}

/// The regular expression for a SIMILAR TO pattern.
fn similar_to_escape(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let escape = if args.len() > 1 { args.text(1)?.chars().next() } else { Some('\\') };
    let mut result = "^(?:".to_owned();
    let mut chars = args.text(0)?.chars();
    let mut bracket = false;
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                let next = chars.next().ok_or_else(|| bad("invalid escape sequence"))?;
                result.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
            }
            '[' => {
                bracket = true;
                result.push('[');
            }
            ']' => {
                bracket = false;
                result.push(']');
            }
            c if bracket => result.push(c),
            '%' => result.push_str(".*"),
            '_' => result.push('.'),
            '(' => result.push_str("(?:"),
            '.' | '^' | '$' | '\\' => {
                result.push('\\');
                result.push(c);
            }
            c => result.push(c),
        }
    }
    result.push_str(")$");
    Ok(Datum::text(result))
}

/// A LIKE pattern with another escape character as one with the backslash.
fn like_escape(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut escapes = args.text(1)?.chars();
    let escape = escapes.next();
    if escapes.next().is_some() {
        return Err(PgError::new(SqlState("22025"), "invalid escape string")
            .hint("Escape string must be empty or one character."));
    }
    let mut result = String::new();
    let mut chars = args.text(0)?.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let next = chars.next().ok_or_else(|| {
                PgError::new(SqlState("22025"), "LIKE pattern must not end with escape character")
            })?;
            result.push('\\');
            result.push(next);
        } else {
            if c == '\\' {
                result.push('\\');
            }
            result.push(c);
        }
    }
    Ok(Datum::text(result))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("regexp_match(text, text, ?text) text[]", row(regexp_match)),
    def("regexp_matches(text, text, ?text) setof (regexp_matches text[])", row(regexp_matches)),
    def("regexp_replace(text, text, text, ?text) text", row(regexp_replace)),
    def("regexp_replace(text, text, text, int4, ?int4, ?text) text", row(regexp_replace_from)),
    def("regexp_split_to_array(text, text, ?text) text[]", row(regexp_split)),
    def("regexp_split_to_table(text, text, ?text) setof text", row(regexp_split)),
    def("regexp_count(text, text, ?int4, ?text) int4", row(regexp_count)),
    def("regexp_like(text, text, ?text) bool", row(regexp_like)),
    def("regexp_substr(text, text, ?int4, ?int4, ?text) text", row(regexp_substr)),
    def("substring(text, text) text", row(substring_pattern)),
    def("like_escape(text, text) text", row(like_escape)),
    def("similar_to_escape(text, ?text) text", row(similar_to_escape)),
    def("textregexeq(text, text) bool", row(|_, a| matches(a, false, false))),
];

pub(super) const OPERATORS: &[Def] = &[
    def("~(text, text) bool", row(|_, a| matches(a, false, false))),
    def("~*(text, text) bool", row(|_, a| matches(a, true, false))),
    def("!~(text, text) bool", row(|_, a| matches(a, false, true))),
    def("!~*(text, text) bool", row(|_, a| matches(a, true, true))),
];
