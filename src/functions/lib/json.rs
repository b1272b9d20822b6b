//! json and jsonb values: reading, jsonb's own form, and conversion from and to other types.

use std::cmp::Ordering;

use arrow::array::BinaryViewArray;
use serde_json::{Map, Number, Value as Json};

use super::decimal::Dec;
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::datum_text;
use crate::functions::context::SessionContext;
use crate::functions::datum::{Datum, Value};
use crate::types::pg_type::PgType;
use crate::types::row_type::RowType;

/// Reads JSON text.
///
/// # Errors
/// `22P02`.
pub(crate) fn parse(text: &str) -> Result<Json, PgError> {
    serde_json::from_str(text).map_err(|error| {
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .detail(format!("{error}."))
    })
}

/// Keys as jsonb sorts them: shorter ones first, then by bytes.
fn key_order(left: &str, right: &str) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// A number as jsonb keeps it: as numeric prints it.
fn number_text(number: &Number) -> String {
    let text = number.to_string();
    if !text.contains(['e', 'E']) {
        // Minus zero is zero.
        return if text == "-0" { "0".to_owned() } else { text };
    }
    Dec::parse(&text).map_or(text, |number| number.to_string())
}

/// Writes jsonb's text form: sorted keys, one blank after colons and commas.
pub(crate) fn jsonb_text(value: &Json) -> String {
    let mut out = String::new();
    write_jsonb(value, &mut out);
    out
}

fn write_jsonb(value: &Json, out: &mut String) {
    match value {
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_jsonb(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|left, right| key_order(left, right));
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_string(key, out);
                out.push_str(": ");
                write_jsonb(map.get(key).unwrap_or(&Json::Null), out);
            }
            out.push('}');
        }
        Json::Number(number) => out.push_str(&number_text(number)),
        Json::String(text) => write_string(text, out),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Null => out.push_str("null"),
    }
}

/// A JSON string with PostgreSQL's escapes.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `json_build_…` writes blanks around colons, `to_json` and the aggregates do not: this is the compact form.
pub(crate) fn json_text(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(","))
        }
        Json::Object(map) => {
            let members = map.iter().map(|(key, value)| {
                let mut out = String::new();
                write_string(key, &mut out);
                format!("{out}:{}", json_text(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Json::Number(number) => number.to_string(),
        other => jsonb_text(other),
    }
}

/// Between json and jsonb.
pub(crate) fn convert(text: &str, jsonb: bool) -> Result<Value, PgError> {
    if jsonb {
        return Ok(Datum::text(jsonb_text(&parse(text)?)));
    }
    Ok(Datum::text(text))
}

/// `jsonb_typeof`.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// A jsonb scalar as a number or boolean.
///
/// # Errors
/// `22023` for a value of another kind.
pub(crate) fn to_scalar(text: &str, to: &PgType) -> Result<Value, PgError> {
    let value = parse(text)?;
    let refuse = || {
        let kind = match &value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "numeric",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        };
        let message = format!("cannot cast jsonb {kind} to type {}", to.without_modifier());
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    };
    match (&value, to) {
        (Json::Bool(value), PgType::Bool) => Ok(Datum::Bool(*value)),
        (Json::Number(_), PgType::Bool) => Err(refuse()),
        (Json::Number(number), _) => {
            let number = Dec::parse(&number.to_string()).ok_or_else(Dec::overflow)?;
            match to {
                PgType::Float4 | PgType::Float8 => Ok(Datum::Float(number.to_f64())),
                PgType::Numeric(_) => Ok(Datum::Num(number)),
                to => {
                    let value = i64::try_from(number.to_integer()?)
                        .map_err(|_| super::arithmetic::out_of_range(to))?;
                    Ok(Datum::Int(value))
                }
            }
        }
        _ => Err(refuse()),
    }
}

/// A number from its digits.
pub(crate) fn number(text: &str) -> Json {
    text.parse::<Number>().map_or_else(|_| Json::String(text.to_owned()), Json::Number)
}

/// Any value as JSON, as `to_jsonb` has it.
///
/// # Errors
/// `22P02` for a json text that is not JSON.
pub(crate) fn from_datum(
    value: &Datum<'_>,
    ty: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<Json, PgError> {
    Ok(match (value, ty) {
        (Datum::Null, _) => Json::Null,
        (Datum::Bool(value), _) => Json::Bool(*value),
        (Datum::Int(value), PgType::Int2 | PgType::Int4 | PgType::Int8) => {
            Json::Number((*value).into())
        }
        (Datum::Num(value), PgType::Numeric(None)) => number(&value.trimmed().to_string()),
        (Datum::Num(value), _) => number(&value.to_string()),
        (Datum::Float(value), _) if value.is_finite() => {
            number(&datum_text(&Datum::Float(*value), ty, session)?.unwrap_or_default())
        }
        (Datum::Text(text), PgType::Json | PgType::Jsonb) => parse(text)?,
        (Datum::Text(text), _) => Json::String(text.to_string()),
        (Datum::List(items), ty) => {
            let element = ty.element().unwrap_or(ty);
            Json::Array(
                items
                    .iter()
                    .map(|item| from_datum(item, element, session))
                    .collect::<Result<_, _>>()?,
            )
        }
        (value @ Datum::Timestamp(_), ty) => {
            // ISO 8601 with a T, whatever DateStyle is.
            let text = datum_text(value, ty, None)?.unwrap_or_default();
            let text = if matches!(ty, PgType::Timestamptz(_)) {
                super::time::iso_zoned(value, session)?
            } else {
                text
            };
            Json::String(text.replacen(' ', "T", 1))
        }
        (Datum::Bytes(bytes), PgType::Row(ty)) => row_object(bytes, ty, session)?,
        (Datum::Row(items), _) => {
            let members = items.iter().enumerate().map(|(index, item)| {
                Ok((format!("f{}", index + 1), from_datum(item, &PgType::Text, session)?))
            });
            Json::Object(members.collect::<Result<Map<_, _>, PgError>>()?)
        }
        (value, ty) => Json::String(datum_text(value, ty, session)?.unwrap_or_default()),
    })
}

/// A row as an object; fields of the same name stand only once.
fn row_object(
    bytes: &[u8],
    ty: &RowType,
    session: Option<&dyn SessionContext>,
) -> Result<Json, PgError> {
    let row = BinaryViewArray::from(vec![bytes]);
    let columns = ty.decode(&row)?;
    let members = ty.fields.iter().zip(&columns).map(|(field, column)| {
        let value = crate::functions::datum::read(column.as_ref(), 0)?;
        Ok((field.name.clone(), from_datum(&value, &field.ty, session)?))
    });
    Ok(Json::Object(members.collect::<Result<Map<_, _>, PgError>>()?))
}

/// The text that `->>` gives: strings bare, null as NULL.
pub(crate) fn scalar_text(value: &Json, jsonb: bool) -> Value {
    match value {
        Json::Null => Datum::Null,
        Json::String(text) => Datum::text(text.clone()),
        value => Datum::text(write(value, jsonb)),
    }
}

/// json or jsonb text.
pub(crate) fn write(value: &Json, jsonb: bool) -> String {
    if jsonb { jsonb_text(value) } else { json_text(value) }
}

/// The order of jsonb values: Object > Array > Boolean > Number > String > null.
fn rank(value: &Json) -> u8 {
    match value {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Bool(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

/// Whether two JSON values are the same value.
pub(crate) fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            match (Dec::parse(&left.to_string()), Dec::parse(&right.to_string())) {
                (Some(left), Some(right)) => left == right,
                _ => left == right,
            }
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        (left, right) => rank(left) == rank(right) && left == right,
    }
}

/// `@>`: whether `part` is contained in `whole`.
pub(crate) fn contains(whole: &Json, part: &Json) -> bool {
    contains_at(whole, part, true)
}

fn contains_at(whole: &Json, part: &Json, top: bool) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => part.iter().all(|(key, value)| {
            whole.get(key).is_some_and(|found| contains_at(found, value, false))
        }),
        (Json::Array(whole), Json::Array(part)) => part.iter().all(|item| {
            whole.iter().any(|candidate| match (candidate, item) {
                (Json::Array(_), Json::Array(_)) | (Json::Object(_), Json::Object(_)) => {
                    contains_at(candidate, item, false)
                }
                (candidate, item) => same(candidate, item),
            })
        }),
        // An array may contain a primitive, at the top only.
        (Json::Array(whole), part) if top && !part.is_object() => {
            whole.iter().any(|item| same(item, part))
        }
        (whole, part) => same(whole, part),
    }
}
