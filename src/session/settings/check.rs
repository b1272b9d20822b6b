//! What a value may be, and how it is shown.

use super::definition::{Definition, Kind};
use super::formats::date_style_text;
use crate::error::{PgError, SqlState};
use crate::types::TimeZone;

/// The value in the form SHOW gives it.
pub(super) fn check(definition: &Definition, value: &str, old: &str) -> Result<String, PgError> {
    match definition.kind {
        Kind::Text | Kind::Path => Ok(value.to_owned()),
        Kind::Bool => match boolean(value) {
            Some(value) => Ok(if value { "on" } else { "off" }.to_owned()),
            None => Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", definition.name),
            )),
        },
        Kind::Int(low, high) => {
            let number: i64 = value.trim().parse().map_err(|_| invalid(definition, value))?;
            if !(low..=high).contains(&number) {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!(
                        "{number} is outside the valid range for parameter \"{}\" ({low} .. {high})",
                        definition.name
                    ),
                ));
            }
            Ok(number.to_string())
        }
        Kind::Real(low, high) => real(definition, value, (low, high)),
        Kind::Memory { unit_kb, min, max } => memory(definition, value, unit_kb, (min, max)),
        Kind::Milliseconds => {
            milliseconds(value).map(show_milliseconds).ok_or_else(|| invalid(definition, value))
        }
        Kind::Enum(values) => {
            let found = values.iter().find(|known| known.eq_ignore_ascii_case(value));
            // Enums with on/off take every spelling of a Boolean.
            let found = found.or_else(|| {
                let word = if boolean(value)? { "on" } else { "off" };
                values.iter().find(|known| **known == word)
            });
            match found {
                Some(value) => Ok((*value).to_owned()),
                None => Err(invalid(definition, value)
                    .hint(format!("Available values: {}.", values.join(", ")))),
            }
        }
        Kind::DateStyle => date_style_text(value, old).ok_or_else(|| invalid(definition, value)),
        Kind::TimeZone => {
            TimeZone::parse(value).map(|zone| zone.name()).ok_or_else(|| invalid(definition, value))
        }
        Kind::Encoding => match encoding_name(value).as_str() {
            "utf8" | "unicode" => Ok("UTF8".to_owned()),
            "sqlascii" => Ok("SQL_ASCII".to_owned()),
            other if !ENCODINGS.contains(&other) => Err(invalid(definition, value)),
            _ => Err(PgError::unsupported(
                format!("client_encoding \"{value}\" is not supported"),
                "graphwire speaks UTF8 alone.",
            )),
        },
    }
}

fn invalid(definition: &Definition, value: &str) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"{}\": \"{value}\"", definition.name),
    )
}

pub(super) fn outside(
    definition: &Definition,
    value: &str,
    (low, high): (String, String),
) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!(
            "{value} is outside the valid range for parameter \"{}\" ({low} .. {high})",
            definition.name
        ),
    )
}

/// As C's `%g` writes the ends of a range.
fn bound(value: f64) -> String {
    if value == f64::MAX { "1.79769e+308".to_owned() } else { value.to_string() }
}

fn real(definition: &Definition, value: &str, (low, high): (f64, f64)) -> Result<String, PgError> {
    let number: f64 = value.trim().parse().map_err(|_| invalid(definition, value))?;
    if number.is_nan() {
        return Err(invalid(definition, value));
    }
    if !(low..=high).contains(&number) {
        return Err(outside(definition, &number.to_string(), (bound(low), bound(high))));
    }
    Ok(number.to_string())
}

/// Units of memory, in kilobytes.
const MEMORY_UNITS: [(&str, i64); 4] =
    [("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)];

pub(super) fn memory(
    definition: &Definition,
    value: &str,
    unit_kb: i64,
    (min, max): (i64, i64),
) -> Result<String, PgError> {
    let units = memory_in_units(value, unit_kb).ok_or_else(|| {
        invalid(definition, value)
            .hint("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
    })?;
    if !(min..=max).contains(&units) {
        let unit = if unit_kb == 1 { "kB".to_owned() } else { format!("{unit_kb}kB") };
        let ends = (format!("{min} {unit}"), format!("{max} {unit}"));
        return Err(outside(definition, &format!("{units} {unit}"), ends));
    }
    let kilobytes = units * unit_kb;
    let shown = MEMORY_UNITS.iter().find(|(_, factor)| kilobytes % factor == 0 && kilobytes > 0);
    Ok(shown
        .map_or_else(|| "0".to_owned(), |(unit, factor)| format!("{}{unit}", kilobytes / factor)))
}

/// An amount of memory in units of so many kilobytes, rounded up.
pub(in crate::session) fn memory_in_units(value: &str, unit_kb: i64) -> Option<i64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: i64 = value[..digits].parse().ok()?;
    let kilobytes = match value[digits..].trim() {
        "" => return Some(number),
        "B" => number.checked_add(1023)? / 1024,
        unit => {
            let (_, factor) = MEMORY_UNITS.iter().find(|(known, _)| *known == unit)?;
            number.checked_mul(*factor)?
        }
    };
    Some(kilobytes.checked_add(unit_kb - 1)? / unit_kb)
}

/// Encodings that PostgreSQL converts and graphwire does not (`src/common/encnames.c`).
const ENCODINGS: [&str; 42] = [
    "abc",
    "alt",
    "big5",
    "euccn",
    "eucjis2004",
    "eucjp",
    "euckr",
    "euctw",
    "gb18030",
    "gbk",
    "iso88591",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "johab",
    "koi8r",
    "koi8u",
    "latin1",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "latin10",
    "sjis",
    "uhc",
    "win1252",
    "win1251",
    "windows1252",
];

/// An encoding's name as PostgreSQL compares it: letters and digits alone.
fn encoding_name(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// PostgreSQL's spellings of a Boolean, abbreviations included.
fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_lowercase();
    match value.as_str() {
        "" | "o" => None,
        "on" | "1" => Some(true),
        "of" | "off" | "0" => Some(false),
        other if "true".starts_with(other) || "yes".starts_with(other) => Some(true),
        other if "false".starts_with(other) || "no".starts_with(other) => Some(false),
        _ => None,
    }
}

/// A duration such as `5s`, `100`, `2min` in milliseconds.
pub fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..digits].parse().ok()?;
    let factor = match value[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor).filter(|ms| *ms <= 2_147_483_647)
}

/// As SHOW prints it: the largest unit that divides it.
fn show_milliseconds(ms: u64) -> String {
    match ms {
        0 => "0".to_owned(),
        _ if ms.is_multiple_of(86_400_000) => format!("{}d", ms / 86_400_000),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}min", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}
