//! Functions on text and bytea.

use std::cmp::Ordering;

use base64::Engine as _;

use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::datum_text;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::PgType;

fn text(text: impl Into<String>) -> Result<Value, PgError> {
    Ok(Datum::text(text))
}

fn bytes(bytes: impl Into<Vec<u8>>) -> Result<Value, PgError> {
    Ok(Datum::bytes(bytes))
}

fn count(count: usize) -> Result<Value, PgError> {
    i64::try_from(count).map(Datum::Int).map_err(|_| too_long())
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn too_long() -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

/// The most bytes a value may have.
pub(crate) const MAX_VALUE: usize = 1 << 30;

fn repeat(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (unit, times) = (args.text(0)?, usize::try_from(args.int(1)?).unwrap_or(0));
    if unit.len().checked_mul(times).is_none_or(|length| length >= MAX_VALUE) {
        return Err(too_long());
    }
    text(unit.repeat(times))
}

/// The characters from the 1-based `start` on, `length` of them; positions outside the text count and are empty.
fn window(start: i64, length: Option<i64>) -> Result<(usize, usize), PgError> {
    let first = start.max(1) - 1;
    let end = match length {
        Some(length) if length < 0 && start.checked_add(length).is_none_or(|end| end < start) => {
            return Err(PgError::new(SqlState("22011"), "negative substring length not allowed"));
        }
        Some(length) => start.saturating_add(length).saturating_sub(1).max(0),
        None => i64::MAX,
    };
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    Ok((first, end.saturating_sub(first)))
}

pub(crate) fn substring(value: &str, start: i64, length: Option<i64>) -> Result<String, PgError> {
    let (skip, take) = window(start, length)?;
    Ok(value.chars().skip(skip).take(take).collect())
}

fn substring_text(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let length = if args.len() > 2 { Some(args.int(2)?) } else { None };
    text(substring(args.text(0)?, args.int(1)?, length)?)
}

fn substring_bytes(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let length = if args.len() > 2 { Some(args.int(2)?) } else { None };
    let (skip, take) = window(args.int(1)?, length)?;
    let value = args.bytes(0)?;
    bytes(value.iter().copied().skip(skip).take(take).collect::<Vec<u8>>())
}

/// Negative counts mean all but that many from the other end.
fn left(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, wanted) = (args.text(0)?, args.int(1)?);
    let length = value.chars().count();
    let keep = match usize::try_from(wanted) {
        Ok(keep) => keep,
        Err(_) => {
            length.saturating_sub(usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX))
        }
    };
    text(value.chars().take(keep).collect::<String>())
}

fn right(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, wanted) = (args.text(0)?, args.int(1)?);
    let length = value.chars().count();
    let skip = match usize::try_from(wanted) {
        Ok(keep) => length.saturating_sub(keep),
        Err(_) => usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX),
    };
    text(value.chars().skip(skip).collect::<String>())
}

fn pad(args: Args<'_, '_>, front: bool) -> Result<Value, PgError> {
    let value = args.text(0)?;
    let width = usize::try_from(args.int(1)?).unwrap_or(0);
    let fill = if args.len() > 2 { args.text(2)? } else { " " };
    if width >= MAX_VALUE / 4 {
        return Err(too_long());
    }
    let length = value.chars().count();
    if length >= width || fill.is_empty() {
        return text(value.chars().take(width).collect::<String>());
    }
    let padding: String = fill.chars().cycle().take(width - length).collect();
    text(if front { padding + value } else { value.to_owned() + &padding })
}

fn trim(args: Args<'_, '_>, front: bool, back: bool) -> Result<Value, PgError> {
    let set: Vec<char> = if args.len() > 1 { args.text(1)?.chars().collect() } else { vec![' '] };
    let inside = |c: char| set.contains(&c);
    let value = args.text(0)?;
    let value = if front { value.trim_start_matches(inside) } else { value };
    text(if back { value.trim_end_matches(inside) } else { value })
}

fn trim_bytes(args: Args<'_, '_>, front: bool, back: bool) -> Result<Value, PgError> {
    let (mut value, set) = (args.bytes(0)?, args.bytes(1)?);
    while front
        && let [first, rest @ ..] = value
        && set.contains(first)
    {
        value = rest;
    }
    while back
        && let [rest @ .., last] = value
        && set.contains(last)
    {
        value = rest;
    }
    bytes(value)
}

fn position(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, part) = (args.text(0)?, args.text(1)?);
    match value.find(part) {
        Some(at) => count(value.get(..at).unwrap_or_default().chars().count() + 1),
        None => count(0),
    }
}

fn position_bytes(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, part) = (args.bytes(0)?, args.bytes(1)?);
    if part.is_empty() {
        return count(1);
    }
    count(value.windows(part.len()).position(|window| window == part).map_or(0, |at| at + 1))
}

fn initcap(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut inside = false;
    let mut result = String::new();
    for c in args.text(0)?.chars() {
        if inside {
            result.extend(c.to_lowercase());
        } else {
            result.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric();
    }
    text(result)
}

fn translate(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let from: Vec<char> = args.text(1)?.chars().collect();
    let to: Vec<char> = args.text(2)?.chars().collect();
    let map = |c: char| match from.iter().position(|candidate| *candidate == c) {
        Some(at) => to.get(at).copied(),
        None => Some(c),
    };
    text(args.text(0)?.chars().filter_map(map).collect::<String>())
}

fn split_part(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, delimiter, field) = (args.text(0)?, args.text(1)?, args.int(2)?);
    if field == 0 {
        return Err(invalid("field position must not be zero"));
    }
    if delimiter.is_empty() {
        return text(if field == 1 || field == -1 { value } else { "" });
    }
    let index = usize::try_from(field.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let part = if field > 0 {
        value.split(delimiter).nth(index)
    } else {
        value.split(delimiter).collect::<Vec<_>>().into_iter().rev().nth(index)
    };
    text(part.unwrap_or_default())
}

fn overlay(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, new, start) = (args.text(0)?, args.text(1)?, args.int(2)?);
    let length = match args.get(3) {
        Datum::Int(length) => *length,
        _ => i64::try_from(new.chars().count()).unwrap_or(i64::MAX),
    };
    if start <= 0 {
        return Err(PgError::new(SqlState("22011"), "negative substring length not allowed"));
    }
    let front = substring(value, 1, Some(start - 1))?;
    let back = substring(value, start.saturating_add(length), None)?;
    text(format!("{front}{new}{back}"))
}

fn chr(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let code = args.int(0)?;
    if code == 0 {
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    if code < 0 {
        return Err(invalid("character number must be positive"));
    }
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(c) => text(c),
        None => {
            let message = format!("requested character too large for encoding: {code}");
            Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
        }
    }
}

/// An identifier, in double quotes if it needs them.
pub(crate) fn quote_ident(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '$')
        && !name.contains('$');
    if plain && !super::format::is_reserved(name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal.
pub(crate) fn quote_literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') {
        return format!("E'{}'", quoted.replace('\\', "\\\\"));
    }
    format!("'{quoted}'")
}

fn concat(
    call: &Call<'_>,
    args: Args<'_, '_>,
    separator: Option<&str>,
    from: usize,
) -> Result<Value, PgError> {
    let mut result = String::new();
    let mut first = true;
    for (index, value) in args.0.iter().enumerate().skip(from) {
        let Some(part) = output(call, value, index)? else { continue };
        if !first && let Some(separator) = separator {
            result.push_str(separator);
        }
        first = false;
        result.push_str(&part);
        if result.len() >= MAX_VALUE {
            return Err(too_long());
        }
    }
    text(result)
}

fn output(call: &Call<'_>, value: &Datum<'_>, index: usize) -> Result<Option<String>, PgError> {
    datum_text(value, call.arg_type(index), call.session)
}

fn concat_ws(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    concat(call, args, Some(args.text(0)?), 1)
}

/// `text || anything`, either way round: the other one is cast to text.
fn concat_any(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut result = String::new();
    for (index, value) in args.0.iter().enumerate() {
        result.push_str(&cast_text(call, value, index)?.unwrap_or_default());
    }
    text(result)
}

/// The text a cast gives.
fn cast_text(call: &Call<'_>, value: &Datum<'_>, index: usize) -> Result<Option<String>, PgError> {
    match value {
        Datum::Bool(value) => Ok(Some(value.to_string())),
        value => output(call, value, index),
    }
}

fn bad_encoding(name: &str) -> PgError {
    invalid(format!("unrecognized encoding: \"{name}\""))
}

fn encode(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, encoding) = (args.bytes(0)?, args.text(1)?);
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => text(hex(value)),
        "base64" => {
            let whole = base64::engine::general_purpose::STANDARD.encode(value);
            // Lines of 76 characters, as MIME has them.
            let lines: Vec<&str> = whole
                .as_bytes()
                .chunks(76)
                .filter_map(|line| std::str::from_utf8(line).ok())
                .collect();
            text(lines.join("\n"))
        }
        "escape" => {
            let mut result = String::new();
            for byte in value {
                match byte {
                    b'\\' => result.push_str("\\\\"),
                    0 | 128.. => result.push_str(&format!("\\{byte:03o}")),
                    byte => result.push(char::from(*byte)),
                }
            }
            text(result)
        }
        _ => Err(bad_encoding(encoding)),
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_hex(value: &str) -> Result<Vec<u8>, PgError> {
    let mut digits = Vec::new();
    for c in value.chars().filter(|c| !c.is_ascii_whitespace()) {
        let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digits.push(digit.ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{c}\"")))?);
    }
    if digits.len() % 2 == 1 {
        return Err(invalid("invalid hexadecimal data: odd number of digits"));
    }
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

fn decode_escape(value: &str) -> Result<Vec<u8>, PgError> {
    let bad = || {
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea")
    };
    let mut result = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'\\' {
            result.push(*first);
            rest = tail;
            continue;
        }
        match tail {
            [b'\\', tail @ ..] => {
                result.push(b'\\');
                rest = tail;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                result.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => return Err(bad()),
        }
    }
    Ok(result)
}

fn decode(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, encoding) = (args.text(0)?, args.text(1)?);
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => bytes(decode_hex(value)?),
        "escape" => bytes(decode_escape(value)?),
        "base64" => {
            let plain: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let decoded = base64::engine::general_purpose::STANDARD.decode(plain.as_bytes());
            bytes(decoded.map_err(|_| {
                invalid("invalid base64 end sequence")
                    .hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
            })?)
        }
        _ => Err(bad_encoding(encoding)),
    }
}

fn to_hex(args: Args<'_, '_>, narrow: bool) -> Result<Value, PgError> {
    let value = args.int(0)?;
    text(if narrow { format!("{:x}", value as i32) } else { format!("{value:x}") })
}

fn byte_index(value: &[u8], index: i64) -> Result<usize, PgError> {
    usize::try_from(index).ok().filter(|at| *at < value.len()).ok_or_else(|| {
        let last = i64::try_from(value.len()).unwrap_or(i64::MAX) - 1;
        PgError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            format!("index {index} out of valid range, 0..{last}"),
        )
    })
}

fn set_byte(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut value = args.bytes(0)?.to_vec();
    let at = byte_index(&value, args.int(1)?)?;
    if let Some(slot) = value.get_mut(at) {
        *slot = args.int(2)? as u8;
    }
    bytes(value)
}

fn convert_from(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    check_utf8(args.text(1)?)?;
    match std::str::from_utf8(args.bytes(0)?) {
        Ok(value) if !value.contains('\0') => text(value),
        _ => Err(PgError::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\"",
        )),
    }
}

fn check_utf8(encoding: &str) -> Result<(), PgError> {
    if ["utf8", "utf-8", "unicode", "sql_ascii"].contains(&encoding.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(PgError::unsupported(
        format!("conversion between {encoding} and UTF8 is not supported"),
        "graphwire keeps text in UTF8.",
    ))
}

fn normalize_refused(_: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Err(PgError::unsupported(
        "normalize is not supported",
        "Normalize the text before it is stored.",
    ))
}

fn string_to_array(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let value = args.text(0)?;
    let null = if args.has(2) { Some(args.text(2)?) } else { None };
    let item = |part: &str| if Some(part) == null { Datum::Null } else { Datum::text(part) };
    let parts: Vec<Value> = if value.is_empty() {
        Vec::new()
    } else if args.is_null(1) {
        value.chars().map(|c| item(c.encode_utf8(&mut [0; 4]))).collect()
    } else if args.text(1)?.is_empty() {
        vec![item(value)]
    } else {
        value.split(args.text(1)?).map(item).collect()
    };
    Ok(Datum::List(parts))
}

fn parse_ident(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let whole = args.text(0)?;
    let strict = !args.has(1) || args.bool(1)?;
    let bad = |detail: &str| {
        invalid(format!("string is not a valid identifier: \"{whole}\"")).detail(detail.to_owned())
    };
    let mut parts = Vec::new();
    let mut rest = whole.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (name, tail) =
                quoted_name(quoted).ok_or_else(|| bad("String has unclosed double quotes."))?;
            if name.is_empty() {
                return Err(bad("Quoted identifier must not be empty."));
            }
            parts.push(Datum::text(name));
            rest = tail.trim_start();
        } else {
            let end = rest
                .char_indices()
                .find(|(at, c)| {
                    !(c.is_alphabetic()
                        || *c == '_'
                        || *at > 0 && (c.is_ascii_digit() || *c == '$'))
                })
                .map_or(rest.len(), |(at, _)| at);
            let (name, tail) = rest.split_at(end);
            if name.is_empty() {
                let what = if parts.is_empty() {
                    invalid(format!("string is not a valid identifier: \"{whole}\""))
                } else {
                    bad("No valid identifier after \".\".")
                };
                return Err(what);
            }
            parts.push(Datum::text(name.to_lowercase()));
            rest = tail.trim_start();
        }
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() || !strict => return Ok(Datum::List(parts)),
            None => return Err(invalid(format!("string is not a valid identifier: \"{whole}\""))),
        }
    }
}

/// The name up to the closing quote, doubled quotes made single, and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let at = rest.find('"')?;
        name.push_str(rest.get(..at)?);
        rest = rest.get(at + 1..)?;
        match rest.strip_prefix('"') {
            Some(tail) => {
                name.push('"');
                rest = tail;
            }
            None => return Some((name, rest)),
        }
    }
}

fn list_output(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) || args.is_null(1) {
        return Ok(Datum::Null);
    }
    let element =
        call.arg_type(0).element().cloned().unwrap_or(crate::types::pg_type::PgType::Text);
    let null = if args.has(2) { Some(args.text(2)?) } else { None };
    let mut parts = Vec::new();
    flatten(call, args.list(0)?, &element, null, &mut parts)?;
    text(parts.join(args.text(1)?))
}

fn flatten(
    call: &Call<'_>,
    items: &[Datum<'_>],
    element: &crate::types::pg_type::PgType,
    null: Option<&str>,
    parts: &mut Vec<String>,
) -> Result<(), PgError> {
    for item in items {
        if let Datum::List(inner) = item {
            flatten(call, inner, element, null, parts)?;
            continue;
        }
        match (datum_text(item, element, call.session)?, null) {
            (Some(part), _) => parts.push(part),
            (None, Some(null)) => parts.push(null.to_owned()),
            (None, None) => {}
        }
    }
    Ok(())
}

fn length(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    count(args.text(0)?.chars().count())
}

fn byte_length(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    match args.get(0) {
        Datum::Bytes(value) => count(value.len()),
        _ => count(args.text(0)?.len()),
    }
}

fn bpchar_length(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    count(args.text(0)?.trim_end_matches(' ').chars().count())
}

/// `char(n)` is kept without the spaces at its end.
fn padded_length(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = args.text(0)?;
    let missing = match call.arg_type(0) {
        PgType::Bpchar(Some(length)) => (*length as usize).saturating_sub(value.chars().count()),
        _ => 0,
    };
    count(value.len() + missing)
}

/// Each character by itself, as PostgreSQL does: one that would become two stays.
fn mapped<I: Iterator<Item = char>>(text: &str, map: impl Fn(char) -> I) -> String {
    text.chars()
        .map(|c| {
            let mut mapped = map(c);
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

fn upper(text: &str) -> String {
    mapped(text, char::to_uppercase)
}

fn lower(text: &str) -> String {
    mapped(text, char::to_lowercase)
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("lower(text) text", row(|_, a| text(lower(a.text(0)?)))),
    def("upper(text) text", row(|_, a| text(upper(a.text(0)?)))),
    def("initcap(text) text", row(initcap)),
    def("length(text) int4", row(length)),
    def("length(bpchar) int4", row(bpchar_length)),
    def("length(bytea) int4", row(byte_length)),
    def("char_length(text) int4", row(length)),
    def("char_length(bpchar) int4", row(bpchar_length)),
    def("character_length(text) int4", row(length)),
    def("character_length(bpchar) int4", row(bpchar_length)),
    def("octet_length(text) int4", row(byte_length)),
    def("octet_length(bpchar) int4", row(padded_length)),
    def("octet_length(bytea) int4", row(byte_length)),
    def("bit_length(text) int4", row(|_, a| count(a.text(0)?.len() * 8))),
    def("bit_length(bytea) int4", row(|_, a| count(a.bytes(0)?.len() * 8))),
    def("repeat(text, int4) text", row(repeat)),
    def("reverse(text) text", row(|_, a| text(a.text(0)?.chars().rev().collect::<String>()))),
    def("left(text, int4) text", row(left)),
    def("right(text, int4) text", row(right)),
    def("lpad(text, int4, ?text) text", row(|_, a| pad(a, true))),
    def("rpad(text, int4, ?text) text", row(|_, a| pad(a, false))),
    def("ltrim(text, ?text) text", row(|_, a| trim(a, true, false))),
    def("rtrim(text, ?text) text", row(|_, a| trim(a, false, true))),
    def("btrim(text, ?text) text", row(|_, a| trim(a, true, true))),
    def("trim(text, ?text) text", row(|_, a| trim(a, true, true))),
    def("btrim(bytea, bytea) bytea", row(|_, a| trim_bytes(a, true, true))),
    def("ltrim(bytea, bytea) bytea", row(|_, a| trim_bytes(a, true, false))),
    def("rtrim(bytea, bytea) bytea", row(|_, a| trim_bytes(a, false, true))),
    def("substring(text, int4, ?int4) text", row(substring_text)),
    def("substr(text, int4, ?int4) text", row(substring_text)),
    def("substring(bytea, int4, ?int4) bytea", row(substring_bytes)),
    def("substr(bytea, int4, ?int4) bytea", row(substring_bytes)),
    def("strpos(text, text) int4", row(position)),
    def("position(text, text) int4", row(position)),
    def("strpos(bytea, bytea) int4", row(position_bytes)),
    def(
        "replace(text, text, text) text",
        row(|_, a| {
            // Nothing to replace is replaced nowhere.
            if a.text(1)?.is_empty() {
                text(a.text(0)?)
            } else {
                text(a.text(0)?.replace(a.text(1)?, a.text(2)?))
            }
        }),
    ),
    def("translate(text, text, text) text", row(translate)),
    def("split_part(text, text, int4) text", row(split_part)),
    def("overlay(text, text, int4, ?int4) text", row(overlay)),
    def(
        "starts_with(text, text) bool",
        row(|_, a| Ok(Datum::Bool(a.text(0)?.starts_with(a.text(1)?)))),
    ),
    def(
        "ascii(text) int4",
        row(|_, a| {
            Ok(Datum::Int(a.text(0)?.chars().next().map_or(0, |c| i64::from(u32::from(c)))))
        }),
    ),
    def("chr(int4) text", row(chr)),
    def("to_hex(int4) text", row(|_, a| to_hex(a, true))),
    def("to_hex(int8) text", row(|_, a| to_hex(a, false))),
    def("concat(variadic any) text", row(|c, a| concat(c, a, None, 0))).with_nulls().stable(),
    def("concat_ws(text, variadic any) text", row(concat_ws)).with_nulls().stable(),
    def("quote_ident(text) text", row(|_, a| text(quote_ident(a.text(0)?)))),
    def("quote_literal(text) text", row(|_, a| text(quote_literal(a.text(0)?)))),
    def(
        "quote_literal(any) text",
        row(|c, a| Ok(Datum::opt_text(cast_text(c, a.get(0), 0)?.map(|t| quote_literal(&t))))),
    )
    .stable(),
    def(
        "quote_nullable(text) text",
        row(|_, a| if a.is_null(0) { text("NULL") } else { text(quote_literal(a.text(0)?)) }),
    )
    .with_nulls(),
    def(
        "quote_nullable(any) text",
        row(|c, a| {
            text(
                cast_text(c, a.get(0), 0)?.map_or_else(|| "NULL".to_owned(), |t| quote_literal(&t)),
            )
        }),
    )
    .with_nulls()
    .stable(),
    def("encode(bytea, text) text", row(encode)),
    def("decode(text, text) bytea", row(decode)),
    def(
        "get_byte(bytea, int4) int4",
        row(|_, a| {
            let value = a.bytes(0)?;
            let at = byte_index(value, a.int(1)?)?;
            Ok(Datum::Int(value.get(at).copied().unwrap_or(0).into()))
        }),
    ),
    def("set_byte(bytea, int4, int4) bytea", row(set_byte)),
    def("convert_from(bytea, text) text", row(convert_from)),
    def(
        "convert_to(text, text) bytea",
        row(|_, a| {
            check_utf8(a.text(1)?)?;
            bytes(a.text(0)?.as_bytes())
        }),
    ),
    def("normalize(text, ?text) text", row(normalize_refused)),
    def("string_to_array(text, text, ?text) text[]", row(string_to_array)).with_nulls(),
    def("string_to_table(text, text, ?text) setof text", row(string_to_array)).with_nulls(),
    def("array_to_string(anyarray, text, ?text) text", row(list_output)).with_nulls().stable(),
    def("parse_ident(text, ?bool) text[]", row(parse_ident)),
    def("unistr(text) text", row(|_, a| text(super::format::unistr(a.text(0)?)?))),
];

pub(super) const OPERATORS: &[Def] = &[
    def("||(text, text) text", row(|_, a| text(format!("{}{}", a.text(0)?, a.text(1)?)))),
    def("||(bytea, bytea) bytea", row(|_, a| bytes([a.bytes(0)?, a.bytes(1)?].concat()))),
    def("||(text, any) text", row(concat_any)).stable(),
    def("||(any, text) text", row(concat_any)).stable(),
    def("^@(text, text) bool", row(|_, a| Ok(Datum::Bool(a.text(0)?.starts_with(a.text(1)?))))),
    def("~<~(text, text) bool", row(|_, a| Ok(Datum::Bool(a.text(0)? < a.text(1)?)))),
    def("~<=~(text, text) bool", row(|_, a| Ok(Datum::Bool(a.text(0)? <= a.text(1)?)))),
    def("~>~(text, text) bool", row(|_, a| Ok(Datum::Bool(a.text(0)? > a.text(1)?)))),
    def("~>=~(text, text) bool", row(|_, a| Ok(Datum::Bool(a.text(0)? >= a.text(1)?)))),
    def("~<~(bpchar, bpchar) bool", row(|_, a| by_bytes(a, Ordering::is_lt))),
    def("~<=~(bpchar, bpchar) bool", row(|_, a| by_bytes(a, Ordering::is_le))),
    def("~>~(bpchar, bpchar) bool", row(|_, a| by_bytes(a, Ordering::is_gt))),
    def("~>=~(bpchar, bpchar) bool", row(|_, a| by_bytes(a, Ordering::is_ge))),
];

/// Padded texts compared without their padding.
fn by_bytes(a: Args<'_, '_>, holds: fn(Ordering) -> bool) -> Result<Value, PgError> {
    let text = |index| a.text(index).map(|text| text.trim_end_matches(' '));
    Ok(Datum::Bool(holds(text(0)?.cmp(text(1)?))))
}
