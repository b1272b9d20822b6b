//! Assignment to a part of a value: `SET a[1] = x`, `SET a[1:2] = x`, `SET j['key'] = x`.

use serde_json::{Map, Value as Json};

use super::json::{jsonb_text, parse};
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

/// PostgreSQL's largest array.
const ELEMENTS_MAX: usize = 134_217_727;
/// The functions count subscripts behind the value and what is put into it.
const FIRST_SUBSCRIPT: usize = 2;

fn items(args: Args<'_, '_>, index: usize) -> Result<Vec<Value>, PgError> {
    if args.is_null(index) {
        return Ok(Vec::new());
    }
    Ok(args.list(index)?.iter().map(|item| item.clone().into_owned()).collect())
}

/// A subscript as a position from 0.
fn position(args: Args<'_, '_>, index: usize) -> Result<usize, PgError> {
    if args.is_null(index) {
        return Err(PgError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "array subscript in assignment must not be null",
        ));
    }
    match usize::try_from(args.int(index)? - 1) {
        Ok(at) if at >= ELEMENTS_MAX => Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})"),
        )),
        Ok(at) => Ok(at),
        Err(_) => Err(index_from_one()),
    }
}

fn index_from_one() -> PgError {
    PgError::unsupported(
        "arrays whose index does not begin at 1 are not supported",
        "Assign the whole array.",
    )
}

fn wrong_subscripts() -> PgError {
    PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
}

fn out_of_range() -> PgError {
    PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "array subscript out of range")
}

/// An array of one dimension grows with nulls; one of several has the place.
fn set_element(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut whole = items(args, 0)?;
    let value = args.get(1).clone().into_owned();
    let places = (FIRST_SUBSCRIPT..args.len()).map(|index| position(args, index));
    let places: Vec<usize> = places.collect::<Result<_, _>>()?;
    match places.as_slice() {
        [at] => {
            if matches!(whole.first(), Some(Datum::List(_))) {
                return Err(wrong_subscripts());
            }
            if whole.is_empty() && *at > 0 {
                return Err(index_from_one());
            }
            if *at >= whole.len() {
                whole.resize(at + 1, Datum::Null);
            }
            if let Some(slot) = whole.get_mut(*at) {
                *slot = value;
            }
        }
        places => put(&mut whole, places, value)?,
    }
    Ok(Datum::List(whole))
}

fn put(items: &mut [Value], places: &[usize], value: Value) -> Result<(), PgError> {
    let Some((first, rest)) = places.split_first() else { return Ok(()) };
    let slot = items.get_mut(*first).ok_or_else(out_of_range)?;
    match (slot, rest) {
        (Datum::List(inner), [_, ..]) => put(inner, rest, value),
        (Datum::List(_), []) => Err(wrong_subscripts()),
        (slot, []) => {
            *slot = value;
            Ok(())
        }
        _ => Err(wrong_subscripts()),
    }
}

fn set_slice(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut whole = items(args, 0)?;
    if args.is_null(1) {
        return Ok(if args.is_null(0) { Datum::Null } else { Datum::List(whole) });
    }
    let new = items(args, 1)?;
    let (first, last) = (position(args, FIRST_SUBSCRIPT)?, position(args, FIRST_SUBSCRIPT + 1)?);
    if last < first {
        return Err(PgError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "upper bound cannot be less than lower bound",
        ));
    }
    if whole.is_empty() && first > 0 {
        return Err(index_from_one());
    }
    if whole.iter().chain(&new).any(|item| matches!(item, Datum::List(_))) {
        return Err(wrong_subscripts());
    }
    if new.len() < last - first + 1 {
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "source array too small"));
    }
    if last >= whole.len() {
        whole.resize(last + 1, Datum::Null);
    }
    for (slot, value) in whole.iter_mut().skip(first).zip(new).take(last - first + 1) {
        *slot = value;
    }
    Ok(Datum::List(whole))
}

fn set_member(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut whole = if args.is_null(0) { Json::Null } else { parse(args.text(0)?)? };
    let value = if args.is_null(1) { Json::Null } else { parse(args.text(1)?)? };
    let mut keys = Vec::new();
    for index in FIRST_SUBSCRIPT..args.len() {
        if args.is_null(index) {
            return Err(PgError::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "jsonb subscript in assignment must not be null",
            ));
        }
        keys.push(match args.int(index) {
            Ok(number) => number.to_string(),
            Err(_) => args.text(index)?.to_owned(),
        });
    }
    let is_number = args.int(FIRST_SUBSCRIPT).is_ok();
    put_member(&mut whole, args.is_null(0), is_number, &keys, value)?;
    Ok(Datum::text(jsonb_text(&whole)))
}

/// What is not there comes into being as an object, or as an array for a number.
fn put_member(
    whole: &mut Json,
    is_missing: bool,
    is_number: bool,
    keys: &[String],
    value: Json,
) -> Result<(), PgError> {
    let Some((key, rest)) = keys.split_first() else {
        *whole = value;
        return Ok(());
    };
    if is_missing {
        *whole = if is_number { Json::Array(Vec::new()) } else { Json::Object(Map::new()) };
    }
    match whole {
        Json::Object(members) => {
            let is_missing = !members.contains_key(key);
            let slot = members.entry(key.clone()).or_insert(Json::Null);
            put_member(slot, is_missing, false, rest, value)
        }
        Json::Array(items) => {
            let number: i64 = key.parse().map_err(|_| {
                let message = format!("path element at position 1 is not an integer: \"{key}\"");
                PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
            })?;
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let at = if number < 0 { length.saturating_add(number) } else { number };
            let at = usize::try_from(at).ok().filter(|at| *at < ELEMENTS_MAX);
            let at = at.ok_or_else(|| {
                let message = format!("path element at position 1 is out of range: {number}");
                PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            })?;
            let is_missing = at >= items.len();
            if is_missing {
                items.resize(at + 1, Json::Null);
            }
            let Some(slot) = items.get_mut(at) else { return Err(out_of_range()) };
            put_member(slot, is_missing, false, rest, value)
        }
        _ => Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, "cannot replace existing key")
            .detail("The path assumes key is a composite object, but it is a scalar value.")),
    }
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("graphwire_set_element(anyarray, anyelement, int4) anyarray", row(set_element))
        .with_nulls(),
    def(
        "graphwire_set_element(anyarray, anyelement, int4, variadic int4) anyarray",
        row(set_element),
    )
    .with_nulls(),
    def("graphwire_set_element(jsonb, jsonb, text) jsonb", row(set_member)).with_nulls(),
    def("graphwire_set_element(jsonb, jsonb, int4) jsonb", row(set_member)).with_nulls(),
    def("graphwire_set_element(jsonb, jsonb, text, variadic text) jsonb", row(set_member))
        .with_nulls(),
    def("graphwire_set_slice(anyarray, anyarray, int4, int4) anyarray", row(set_slice))
        .with_nulls(),
];
