//! What a type's input reads of a JSON value: the text for `json_to_record` and its like.

use serde_json::{Map, Value as Json};

use super::json::{jsonb_text, parse, scalar_text};
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::PgType;

/// The text a type reads for a value; none for null.
///
/// # Errors
/// `22P02` for an array type where there is no array.
fn input_text(value: &Json, ty: &PgType) -> Result<Option<String>, PgError> {
    Ok(Some(match (value, ty) {
        (Json::Null, _) => return Ok(None),
        (value, PgType::Json | PgType::Jsonb) => jsonb_text(value),
        (Json::Array(items), PgType::Array(element)) => array_text(items, element)?,
        (_, PgType::Array(_)) => {
            return Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected JSON array"));
        }
        (Json::Object(members), PgType::Row(ty)) => {
            let mut out = "(".to_owned();
            for (at, field) in ty.fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                if let Some(text) = member_text(members, &field.name, &field.ty)? {
                    push_quoted(&text, &mut out);
                }
            }
            out.push(')');
            out
        }
        (value, _) => match scalar_text(value, true) {
            Datum::Text(text) => text.into_owned(),
            _ => return Ok(None),
        },
    }))
}

fn member_text(
    members: &Map<String, Json>,
    key: &str,
    ty: &PgType,
) -> Result<Option<String>, PgError> {
    members.get(key).map_or(Ok(None), |value| input_text(value, ty))
}

fn array_text(items: &[Json], element: &PgType) -> Result<String, PgError> {
    let mut out = "{".to_owned();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match (item, input_text(item, element)?) {
            (_, None) => out.push_str("NULL"),
            (_, Some(text)) => push_quoted(&text, &mut out),
        }
    }
    out.push('}');
    Ok(out)
}

fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// `graphwire_json_field(value, key, NULL::type)`: what the type reads of a member.
fn json_field(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let Datum::Text(text) = args.get(0) else { return Ok(Datum::Null) };
    let Json::Object(members) = parse(text)? else {
        let message = "argument of json_to_record must be an object, and of json_to_recordset an array of objects";
        return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    };
    Ok(Datum::opt_text(member_text(&members, args.text(1)?, call.arg_type(2))?))
}

/// `graphwire_json_value(value, NULL::type)`: what the type reads of the value.
fn json_value(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let Datum::Text(text) = args.get(0) else { return Ok(Datum::Null) };
    Ok(Datum::opt_text(input_text(&parse(text)?, call.arg_type(1))?))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("graphwire_json_field(jsonb, text, any) text", row(json_field)).with_nulls(),
    def("graphwire_json_field(json, text, any) text", row(json_field)).with_nulls(),
    def("graphwire_json_value(jsonb, any) text", row(json_value)).with_nulls(),
    def("graphwire_json_value(json, any) text", row(json_value)).with_nulls(),
];
