//! Input and output functions of the types on whole columns, with the session's settings.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, UInt32Array};
use arrow::datatypes::{DataType, UInt32Type};

use crate::error::{PgError, SqlState};
use crate::functions::context::{RegKind, SessionContext};
use crate::functions::datum::{Datum, Value, build, read};
use crate::types::pg_type::PgType;
use crate::types::settings::{
    ByteaOutput, DateOrder, DateStyle, InputSettings, IntervalStyle, OutputSettings,
};
use crate::types::zone::TimeZone;

/// Which names a `reg*` type stands for.
pub(crate) fn reg_kind(ty: &PgType) -> Option<RegKind> {
    Some(match ty {
        PgType::Regclass => RegKind::Class,
        PgType::Regtype => RegKind::Type,
        PgType::Regproc => RegKind::Proc,
        PgType::Regprocedure => RegKind::Procedure,
        PgType::Regoper => RegKind::Oper,
        PgType::Regoperator => RegKind::Operator,
        PgType::Regnamespace => RegKind::Namespace,
        PgType::Regrole => RegKind::Role,
        PgType::Regcollation => RegKind::Collation,
        PgType::Regconfig => RegKind::Config,
        PgType::Regdictionary => RegKind::Dictionary,
        _ => return None,
    })
}

fn missing(kind: RegKind, name: &str) -> PgError {
    let (code, what) = match kind {
        RegKind::Class => (SqlState::UNDEFINED_TABLE, "relation"),
        RegKind::Type => (SqlState::UNDEFINED_OBJECT, "type"),
        RegKind::Proc | RegKind::Procedure => (SqlState::UNDEFINED_FUNCTION, "function"),
        RegKind::Oper | RegKind::Operator => {
            let message = format!("operator does not exist: {name}");
            return PgError::new(SqlState::UNDEFINED_FUNCTION, message);
        }
        RegKind::Namespace => (SqlState::INVALID_SCHEMA_NAME, "schema"),
        RegKind::Role => (SqlState::UNDEFINED_OBJECT, "role"),
        RegKind::Collation => (SqlState::UNDEFINED_OBJECT, "collation"),
        RegKind::Config => (SqlState::UNDEFINED_OBJECT, "text search configuration"),
        RegKind::Dictionary => (SqlState::UNDEFINED_OBJECT, "text search dictionary"),
    };
    PgError::new(code, format!("{what} \"{}\" does not exist", read_name(name)))
}

/// A name as it is understood: without its quotes, else in lower case.
fn read_name(text: &str) -> String {
    let mut quoted = false;
    let mut name = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            c if quoted => name.push(c),
            c => name.push(c.to_ascii_lowercase()),
        }
    }
    name
}

/// The number a `reg*` text means: a number as it is, `-` as 0, else the catalog's answer.
///
/// # Errors
/// `42P01`, `42704`, `42883`, `3F000` where there is nothing of that name.
pub(crate) fn reg_input(
    kind: RegKind,
    text: &str,
    session: Option<&dyn SessionContext>,
) -> Result<u32, PgError> {
    if text == "-" {
        return Ok(0);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| {
            PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type oid"),
            )
        });
    }
    if let (RegKind::Type, Ok(ty)) = (kind, PgType::parse_name(text)) {
        return Ok(ty.oid());
    }
    let found = match session {
        Some(session) => session.catalog().reg_lookup(kind, text)?,
        None => None,
    };
    found.ok_or_else(|| missing(kind, text))
}

/// The text of a `reg*` number.
pub(crate) fn reg_output(kind: RegKind, oid: u32, session: Option<&dyn SessionContext>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    if let (RegKind::Type, Some(ty)) = (kind, PgType::from_oid(oid, -1)) {
        return ty.name();
    }
    session
        .and_then(|session| session.catalog().reg_name(kind, oid))
        .unwrap_or_else(|| oid.to_string())
}

/// Text to `to`, one value for each row: the types' input functions.
///
/// # Errors
/// What the input function says: `22P02`, `22003`, `22007`, `22008` …
pub(crate) fn input(
    texts: &StringViewArray,
    to: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<ArrayRef, PgError> {
    if let Some(kind) = reg_kind(to) {
        let numbers =
            texts.iter().map(|text| text.map(|text| reg_input(kind, text, session)).transpose());
        return Ok(Arc::new(numbers.collect::<Result<UInt32Array, _>>()?));
    }
    Ok(crate::types::cast_text_array(texts, to, &input_settings(session))?)
}

/// The text of each value: the types' output functions.
///
/// # Errors
/// `XX000` for an array that is not of the type.
pub(crate) fn output(
    array: &ArrayRef,
    from: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<StringViewArray, PgError> {
    if let Some(kind) = reg_kind(from)
        && array.data_type() == &DataType::UInt32
    {
        let numbers = array.as_primitive::<UInt32Type>();
        return Ok(numbers
            .iter()
            .map(|oid| oid.map(|oid| reg_output(kind, oid, session)))
            .collect());
    }
    if array.data_type() == &DataType::Utf8View {
        return Ok(array.as_string_view().clone());
    }
    Ok(crate::types::to_text_array(array, from, &output_settings(session))?)
}

fn read_setting<T>(
    session: Option<&dyn SessionContext>,
    name: &str,
    default: T,
    parse: impl Fn(&str) -> Option<T>,
) -> T {
    session
        .and_then(|session| session.setting(name))
        .and_then(|text| parse(&text))
        .unwrap_or(default)
}

/// The session's time zone; UTC without a session.
pub(crate) fn time_zone(session: Option<&dyn SessionContext>) -> TimeZone {
    read_setting(session, "TimeZone", TimeZone::UTC, TimeZone::parse)
}

fn date_order(session: Option<&dyn SessionContext>) -> DateOrder {
    read_setting(session, "DateStyle", DateOrder::Mdy, |text| {
        let text = text.to_ascii_lowercase();
        let order = [("mdy", DateOrder::Mdy), ("dmy", DateOrder::Dmy), ("ymd", DateOrder::Ymd)];
        order.into_iter().find(|(word, _)| text.contains(word)).map(|(_, order)| order)
    })
}

fn interval_style(session: Option<&dyn SessionContext>) -> IntervalStyle {
    read_setting(session, "IntervalStyle", IntervalStyle::Postgres, |text| {
        Some(match text.to_ascii_lowercase().as_str() {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => return None,
        })
    })
}

/// How the session reads values.
pub(crate) fn input_settings(session: Option<&dyn SessionContext>) -> InputSettings {
    InputSettings {
        timezone: time_zone(session),
        date_order: date_order(session),
        interval_style: interval_style(session),
        now: session.map_or(0, SessionContext::transaction_timestamp),
    }
}

/// How the session writes values.
pub(crate) fn output_settings(session: Option<&dyn SessionContext>) -> OutputSettings {
    OutputSettings {
        timezone: time_zone(session),
        date_style: read_setting(session, "DateStyle", DateStyle::Iso, |text| {
            let text = text.to_ascii_lowercase();
            let word = text.split(',').next().unwrap_or_default().trim();
            Some(match word {
                "sql" => DateStyle::Sql,
                "postgres" => DateStyle::Postgres,
                "german" => DateStyle::German,
                _ => DateStyle::Iso,
            })
        }),
        date_order: date_order(session),
        interval_style: interval_style(session),
        bytea_output: read_setting(session, "bytea_output", ByteaOutput::Hex, |text| {
            text.eq_ignore_ascii_case("escape").then_some(ByteaOutput::Escape)
        }),
        extra_float_digits: read_setting(session, "extra_float_digits", 1, |text| {
            text.parse().ok()
        }),
    }
}

/// One value's text.
///
/// # Errors
/// As [`output`].
pub(crate) fn datum_text(
    value: &Datum<'_>,
    ty: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<Option<String>, PgError> {
    match value {
        Datum::Null => Ok(None),
        Datum::Text(text) => Ok(Some(text.to_string())),
        // The output function gives the letter; only a cast gives the word.
        Datum::Bool(value) => Ok(Some(if *value { "t" } else { "f" }.to_owned())),
        value => {
            let array = build(ty, std::slice::from_ref(value))?;
            let texts = output(&array, ty, session)?;
            Ok(texts.iter().next().flatten().map(str::to_owned))
        }
    }
}

/// One value from its text.
///
/// # Errors
/// As [`input`].
pub(crate) fn datum_from_text(
    text: &str,
    ty: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<Value, PgError> {
    let array = input(&StringViewArray::from_iter_values([text]), ty, session)?;
    Ok(read(array.as_ref(), 0)?.into_owned())
}
