//! Regular expressions: PostgreSQL's dialect on the `regex` crate, which has no look-around and no back references in
//! patterns; those are refused. Matching takes time linear in the text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

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
                if !bracket && matches!(escaped, '1'..='9') {
                    return Err(PgError::unsupported(
                        "back references in regular expressions are not supported",
                        "Compare the captured groups in SQL.",
                    ));
                }
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
                let ahead: String = chars.clone().skip(1).take(1).collect();
                if ahead.starts_with(['=', '!', '<']) {
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
            result.push('\\');
            result.push(escaped);
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
    static COMPILED: RefCell<HashMap<(String, Flags), Rc<Matcher>>> = RefCell::new(HashMap::new());
}

fn compile(pattern: &str, flags: Flags) -> Result<Rc<Matcher>, PgError> {
    let key = (pattern.to_owned(), flags);
    if let Some(found) = COMPILED.with(|cache| cache.borrow().get(&key).cloned()) {
        return Ok(found);
    }
    let mut flags = flags;
    let translated = translate(pattern, &mut flags)?;
    let compiled = Matcher::new(&translated, flags)?;
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

/// Where the groups of a match are, the whole match first; bytes.
type Found = Vec<Option<Range<usize>>>;

/// A pattern that is ready.
struct Matcher(Regex);

impl Matcher {
    fn new(pattern: &str, flags: Flags) -> Result<Self, PgError> {
        let compiled = RegexBuilder::new(pattern)
            .case_insensitive(flags.insensitive)
            .dot_matches_new_line(!(flags.line || flags.dot_stops))
            .multi_line(flags.line || flags.anchors_at_lines)
            .ignore_whitespace(flags.extended)
            .size_limit(8 << 20)
            .build();
        compiled.map(Self).map_err(|error| bad(reason(&error.to_string())))
    }

    fn is_match(&self, text: &str) -> Result<bool, PgError> {
        Ok(self.0.is_match(text))
    }

    /// The first match at or after a byte.
    fn first(&self, text: &str, from: usize) -> Result<Option<Found>, PgError> {
        let found = self.0.captures_at(text, from);
        Ok(found.map(|found| found.iter().map(|group| group.map(|group| group.range())).collect()))
    }

    /// Up to `limit` matches from a byte on, none over another.
    fn all(&self, text: &str, from: usize, limit: usize) -> Result<Vec<Found>, PgError> {
        let mut matches: Vec<Found> = Vec::new();
        let mut at = from;
        while matches.len() < limit && at <= text.len() {
            let Some(found) = self.first(text, at)? else { break };
            let whole = span(&found, 0).unwrap_or(at..at);
            at = match whole.is_empty() {
                false => whole.end,
                true => {
                    let next = text.get(whole.end..).and_then(|rest| rest.chars().next());
                    whole.end + next.map_or(1, char::len_utf8)
                }
            };
            matches.push(found);
        }
        Ok(matches)
    }
}

fn span(found: &Found, group: usize) -> Option<Range<usize>> {
    found.get(group).cloned().flatten()
}

fn part<'a>(text: &'a str, found: &Found, group: usize) -> Option<&'a str> {
    text.get(span(found, group)?)
}

/// The crate's reason in PostgreSQL's words where it has them.
fn reason(text: &str) -> String {
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
    Ok(Datum::Bool(compile(args.text(1)?, flags)?.is_match(args.text(0)?)? != negate))
}

fn flags_at(args: Args<'_, '_>, index: usize) -> Result<Flags, PgError> {
    if args.len() > index { Flags::parse(args.text(index)?) } else { Ok(Flags::default()) }
}

fn no_global(flags: Flags, function: &str) -> Result<Flags, PgError> {
    if !flags.global {
        return Ok(flags);
    }
    let message = format!("{function} does not support the \"global\" option");
    let error = PgError::new(SqlState::INVALID_PARAMETER_VALUE, message);
    Err(match function {
        "regexp_match()" => error.hint("Use the regexp_matches function instead."),
        _ => error,
    })
}

/// The groups, or the whole match if there are none.
fn groups(text: &str, found: &Found) -> Value {
    let group = |group| Datum::opt_text(part(text, found, group).map(str::to_owned));
    if found.len() == 1 {
        return Datum::List(vec![group(0)]);
    }
    Datum::List((1..found.len()).map(group).collect())
}

fn regexp_match(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = no_global(flags_at(args, 2)?, "regexp_match()")?;
    let text = args.text(0)?;
    let found = compile(args.text(1)?, flags)?.first(text, 0)?;
    Ok(found.map_or(Datum::Null, |found| groups(text, &found)))
}

fn regexp_matches(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = flags_at(args, 2)?;
    let text = args.text(0)?;
    let limit = if flags.global { usize::MAX } else { 1 };
    let found = compile(args.text(1)?, Flags { global: false, ..flags })?.all(text, 0, limit)?;
    Ok(Datum::List(found.iter().map(|found| Datum::Row(vec![groups(text, found)])).collect()))
}

/// The replacement text with `\1` … `\9`, `\&` and `\\` filled in.
fn expand(template: &str, text: &str, found: &Found, result: &mut String) {
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        match chars.next() {
            Some('&') => result.push_str(part(text, found, 0).unwrap_or_default()),
            Some(digit @ '1'..='9') => {
                let group =
                    digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
                result.push_str(part(text, found, group).unwrap_or_default());
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
    matcher: &Matcher,
    text: &str,
    template: &str,
    start: usize,
    nth: usize,
) -> Result<Value, PgError> {
    let limit = if nth == 0 { usize::MAX } else { nth };
    let mut result = String::new();
    let mut last = 0;
    let found = matcher.all(text, start, limit)?;
    for found in found.iter().skip(nth.saturating_sub(1)) {
        let whole = span(found, 0).unwrap_or(last..last);
        result.push_str(text.get(last..whole.start).unwrap_or_default());
        expand(template, text, found, &mut result);
        last = whole.end;
    }
    result.push_str(text.get(last..).unwrap_or_default());
    Ok(Datum::text(result))
}

fn wrong_value(parameter: &str, value: i64) -> PgError {
    let message = format!("invalid value for parameter \"{parameter}\": {value}");
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// The byte where the text begins to be searched, by the argument at `index`.
fn start_at(args: Args<'_, '_>, index: usize) -> Result<usize, PgError> {
    if args.len() <= index {
        return Ok(0);
    }
    let (text, character) = (args.text(0)?, args.int(index)?);
    if character <= 0 {
        return Err(wrong_value("start", character));
    }
    let skip = usize::try_from(character - 1).unwrap_or(usize::MAX);
    Ok(text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at))
}

/// Which match is meant, from 1, by the argument at `index`.
fn number_at(args: Args<'_, '_>, index: usize) -> Result<usize, PgError> {
    if args.len() <= index {
        return Ok(1);
    }
    let number = args.int(index)?;
    match usize::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(wrong_value("n", number)),
    }
}

/// Which group is meant, by the argument at `index`; 0 is the whole match.
fn group_at(args: Args<'_, '_>, index: usize) -> Result<usize, PgError> {
    if args.len() <= index {
        return Ok(0);
    }
    let group = args.int(index)?;
    usize::try_from(group).map_err(|_| wrong_value("subexpr", group))
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
    let start = start_at(args, 3)?;
    let nth = if args.len() > 4 { args.int(4)? } else { 1 };
    let nth = usize::try_from(nth).map_err(|_| wrong_value("n", nth))?;
    replace(&regex, args.text(0)?, args.text(2)?, start, nth)
}

fn regexp_split(call: &str, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = no_global(flags_at(args, 2)?, call)?;
    let text = args.text(0)?;
    let mut parts = Vec::new();
    let mut last = 0;
    for found in compile(args.text(1)?, flags)?.all(text, 0, usize::MAX)? {
        let whole = span(&found, 0).unwrap_or(0..0);
        // An empty match splits between characters, not before the first, after the last or behind another match.
        if whole.start >= text.len() || whole.end <= last {
            continue;
        }
        parts.push(Datum::text(text.get(last..whole.start).unwrap_or_default()));
        last = whole.end;
    }
    parts.push(Datum::text(text.get(last..).unwrap_or_default()));
    Ok(Datum::List(parts))
}

fn regexp_count(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let start = start_at(args, 2)?;
    let flags = no_global(flags_at(args, 3)?, "regexp_count()")?;
    let count = compile(args.text(1)?, flags)?.all(args.text(0)?, start, usize::MAX)?.len();
    Ok(Datum::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn regexp_like(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let flags = no_global(flags_at(args, 2)?, "regexp_like()")?;
    Ok(Datum::Bool(compile(args.text(1)?, flags)?.is_match(args.text(0)?)?))
}

/// `regexp_substr(string, pattern [, start [, N [, flags [, subexpr]]]])`.
fn regexp_substr(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (start, nth) = (start_at(args, 2)?, number_at(args, 3)?);
    let flags = no_global(flags_at(args, 4)?, "regexp_substr()")?;
    let group = group_at(args, 5)?;
    let text = args.text(0)?;
    let found = compile(args.text(1)?, flags)?.all(text, start, nth)?;
    let found = found.get(nth - 1).and_then(|found| part(text, found, group));
    Ok(Datum::opt_text(found.map(str::to_owned)))
}

/// `regexp_instr(string, pattern [, start [, N [, endoption [, flags [, subexpr]]]]])`: a character's number, or 0.
fn regexp_instr(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (start, nth) = (start_at(args, 2)?, number_at(args, 3)?);
    let end = match args.len() {
        0..=4 => 0,
        _ => args.int(4)?,
    };
    if !matches!(end, 0 | 1) {
        return Err(wrong_value("endoption", end));
    }
    let flags = no_global(flags_at(args, 5)?, "regexp_instr()")?;
    let group = group_at(args, 6)?;
    let text = args.text(0)?;
    let found = compile(args.text(1)?, flags)?.all(text, start, nth)?;
    let Some(found) = found.get(nth - 1).and_then(|found| span(found, group)) else {
        return Ok(Datum::Int(0));
    };
    let byte = if end == 1 { found.end } else { found.start };
    let before = text.get(..byte).map_or(0, |text| text.chars().count());
    Ok(Datum::Int(i64::try_from(before + 1).unwrap_or(i64::MAX)))
}

/// SQL/JSON's `like_regex`: `.` stops at line ends unless `s` is among the flags.
pub(super) fn xquery_match(text: &str, pattern: &str, flags: &str) -> Result<bool, PgError> {
    let flags = Flags {
        insensitive: flags.contains('i'),
        dot_stops: !flags.contains('s'),
        anchors_at_lines: flags.contains('m'),
        literal: flags.contains('q'),
        ..Flags::default()
    };
    compile(pattern, flags)?.is_match(text)
}

/// `substring(string from pattern)`: the first group, or the match.
fn substring_pattern(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let text = args.text(0)?;
    let found = compile(args.text(1)?, Flags::default())?.first(text, 0)?;
    let Some(found) = found else { return Ok(Datum::Null) };
    Ok(Datum::opt_text(part(text, &found, usize::from(found.len() > 1)).map(str::to_owned)))
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
    def(
        "regexp_split_to_array(text, text, ?text) text[]",
        row(|_, args| regexp_split("regexp_split_to_array()", args)),
    ),
    def(
        "regexp_split_to_table(text, text, ?text) setof text",
        row(|_, args| regexp_split("regexp_split_to_table()", args)),
    ),
    def("regexp_count(text, text, ?int4, ?text) int4", row(regexp_count)),
    def("regexp_like(text, text, ?text) bool", row(regexp_like)),
    def("regexp_substr(text, text, ?int4, ?int4, ?text, ?int4) text", row(regexp_substr)),
    def("regexp_instr(text, text, ?int4, ?int4, ?int4, ?text, ?int4) int4", row(regexp_instr)),
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
