//! String functions and conversions between scalars.

use super::math::wrong_argument;
use super::operators::number_text;
use super::value::Value;
use crate::error::{PgError, SqlState};

fn text<'a>(function: &str, arguments: &'a [Value], at: usize) -> Result<&'a str, PgError> {
    match arguments.get(at) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong_argument(function, arguments)),
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $compute:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// `42804` for a value that is not a string.
        pub fn $name(arguments: &[Value]) -> Result<Value, PgError> {
            let compute: fn(&str) -> String = $compute;
            Ok(Value::String(compute(text($text, arguments, 0)?)))
        })*
    };
}

functions! {
    /// In upper case.
    to_upper, "toUpper", |text| text.to_uppercase();
    /// In lower case.
    to_lower, "toLower", |text| text.to_lowercase();
    /// As it is: strings are not changed when they are compared.
    normalize, "normalize", str::to_owned;
}

macro_rules! trims {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $blank:ident, $matching:ident;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// `42804` for a value that is not a string.
        pub fn $name(arguments: &[Value]) -> Result<Value, PgError> {
            let source = text($text, arguments, 0)?;
            if arguments.len() < 2 {
                return Ok(Value::String(source.$blank().to_owned()));
            }
            let characters: Vec<char> = text($text, arguments, 1)?.chars().collect();
            Ok(Value::String(source.$matching(characters.as_slice()).to_owned()))
        })*
    };
}

trims! {
    /// Without white space, or any of the given characters, at either end.
    trim, "trim", trim, trim_matches;
    /// Without white space, or any of the given characters, in front.
    trim_start, "lTrim", trim_start, trim_start_matches;
    /// Without white space, or any of the given characters, behind.
    trim_end, "rTrim", trim_end, trim_end_matches;
}

/// A count of characters, which must not be negative.
fn count(function: &str, arguments: &[Value], at: usize) -> Result<usize, PgError> {
    match arguments.get(at) {
        Some(Value::Integer(count)) if *count < 0 => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("function {function} does not take a negative number"),
        )
        .routine("NegativeIntegerArgument")),
        Some(Value::Integer(count)) => Ok(usize::try_from(*count).unwrap_or(usize::MAX)),
        _ => Err(wrong_argument(function, arguments)),
    }
}

/// The first characters.
///
/// # Errors
/// `42804`, `22023`.
pub fn left(arguments: &[Value]) -> Result<Value, PgError> {
    let count = count("left", arguments, 1)?;
    Ok(Value::String(text("left", arguments, 0)?.chars().take(count).collect()))
}

/// The last characters.
///
/// # Errors
/// `42804`, `22023`.
pub fn right(arguments: &[Value]) -> Result<Value, PgError> {
    let text = text("right", arguments, 0)?;
    let skip = text.chars().count().saturating_sub(count("right", arguments, 1)?);
    Ok(Value::String(text.chars().skip(skip).collect()))
}

/// Characters from a position counted from 0.
///
/// # Errors
/// `42804`, `22023`.
pub fn substring(arguments: &[Value]) -> Result<Value, PgError> {
    let start = count("substring", arguments, 1)?;
    let length = if arguments.len() > 2 { count("substring", arguments, 2)? } else { usize::MAX };
    Ok(Value::String(text("substring", arguments, 0)?.chars().skip(start).take(length).collect()))
}

/// Every occurrence of one string replaced by another.
///
/// # Errors
/// `42804`.
pub fn replace(arguments: &[Value]) -> Result<Value, PgError> {
    let (source, search) = (text("replace", arguments, 0)?, text("replace", arguments, 1)?);
    let replacement = text("replace", arguments, 2)?;
    Ok(Value::String(if search.is_empty() {
        source.to_owned()
    } else {
        source.replace(search, replacement)
    }))
}

/// The parts between separators: one, or a list of them.
///
/// # Errors
/// `42804`.
pub fn split(arguments: &[Value]) -> Result<Value, PgError> {
    let source = text("split", arguments, 0)?;
    let separators = match arguments.get(1) {
        Some(Value::String(separator)) => vec![separator.clone()],
        Some(Value::List(items)) => items
            .iter()
            .map(|item| match item {
                Value::String(separator) => Ok(separator.clone()),
                _ => Err(wrong_argument("split", arguments)),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(wrong_argument("split", arguments)),
    };
    if separators.iter().any(String::is_empty) {
        return Ok(Value::List(source.chars().map(|part| Value::String(part.into())).collect()));
    }
    let mut parts = vec![source.to_owned()];
    for separator in &separators {
        parts = parts
            .iter()
            .flat_map(|part| part.split(separator.as_str()))
            .map(str::to_owned)
            .collect();
    }
    Ok(Value::List(parts.into_iter().map(Value::String).collect()))
}

/// A scalar as text.
///
/// # Errors
/// `42804`.
pub fn to_string(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::String(text)] => Ok(Value::String(text.clone())),
        [Value::Boolean(boolean)] => Ok(Value::String(boolean.to_string())),
        [Value::Temporal(temporal)] => Ok(Value::String(temporal.to_string())),
        [number] if number.is_number() => Ok(Value::String(number_text(number))),
        _ => Err(wrong_argument("toString", arguments)),
    }
}

/// A scalar as an integer: floats are cut, strings read, null where they cannot be.
///
/// # Errors
/// `42804`.
pub fn to_integer(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Integer(integer)] => Ok(Value::Integer(*integer)),
        [Value::Float(float)] => Ok(whole(*float)),
        [Value::Boolean(boolean)] => Ok(Value::Integer(i64::from(*boolean))),
        [Value::String(text)] => {
            let text = text.trim();
            Ok(match text.parse::<i64>() {
                Ok(integer) => Value::Integer(integer),
                Err(_) => parse_float(text).map_or(Value::Null, whole),
            })
        }
        _ => Err(wrong_argument("toInteger", arguments)),
    }
}

fn whole(float: f64) -> Value {
    let whole = float.trunc();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
        Value::Integer(whole as i64)
    } else {
        Value::Null
    }
}

/// Decimal digits alone: Rust also reads `inf` and `nan`.
fn parse_float(text: &str) -> Option<f64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        .then(|| text.parse().ok())
        .flatten()
}

/// A number or string as a float, null where it cannot be.
///
/// # Errors
/// `42804`.
pub fn to_float(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Float(float)] => Ok(Value::Float(*float)),
        [Value::Integer(integer)] => Ok(Value::Float(*integer as f64)),
        [Value::String(text)] => Ok(match text.trim() {
            "NaN" => Value::Float(f64::NAN),
            "Infinity" => Value::Float(f64::INFINITY),
            "-Infinity" => Value::Float(f64::NEG_INFINITY),
            text => parse_float(text).map_or(Value::Null, Value::Float),
        }),
        _ => Err(wrong_argument("toFloat", arguments)),
    }
}

/// `true` and `false` read from a string, whatever their case; null for other strings.
///
/// # Errors
/// `42804`.
pub fn to_boolean(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Boolean(boolean)] => Ok(Value::Boolean(*boolean)),
        [Value::Integer(integer)] => Ok(Value::Boolean(*integer != 0)),
        [Value::String(text)] => Ok(match text.trim().to_ascii_lowercase().as_str() {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => Value::Null,
        }),
        _ => Err(wrong_argument("toBoolean", arguments)),
    }
}

macro_rules! or_null {
    ($($(#[$doc:meta])* $name:ident($inner:ident);)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// None.
        pub fn $name(arguments: &[Value]) -> Result<Value, PgError> {
            Ok($inner(arguments).unwrap_or(Value::Null))
        })*
    };
}

or_null! {
    /// [`to_string`], null where it fails.
    to_string_or_null(to_string);
    /// [`to_integer`], null where it fails.
    to_integer_or_null(to_integer);
    /// [`to_float`], null where it fails.
    to_float_or_null(to_float);
    /// [`to_boolean`], null where it fails.
    to_boolean_or_null(to_boolean);
}
