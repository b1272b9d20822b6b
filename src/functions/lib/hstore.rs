//! Functions and operators on hstore, of the extension of that name.

use serde_json::Number;

use super::json::{jsonb_text, parse, write_string};
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::hstore::{Hstore, null_key};

type Pair = (String, Option<String>);

fn value(args: Args<'_, '_>, index: usize) -> Result<Hstore, PgError> {
    Ok(Hstore::parse(args.text(index)?)?)
}

fn shown(pairs: Vec<Pair>) -> Result<Value, PgError> {
    Ok(Datum::text(Hstore::new(pairs).to_string()))
}

fn text(datum: &Datum<'_>) -> Option<String> {
    match datum {
        Datum::Text(text) => Some(text.as_ref().to_owned()),
        _ => None,
    }
}

fn texts(items: &[Datum<'_>]) -> Vec<Option<String>> {
    items.iter().map(text).collect()
}

/// The keys that an array names; null ones are none.
fn keys(args: Args<'_, '_>, index: usize) -> Result<Vec<String>, PgError> {
    Ok(texts(args.list(index)?).into_iter().flatten().collect())
}

fn opt(text: Option<&str>) -> Value {
    text.map_or(Datum::Null, Datum::text)
}

fn made(args: Args<'_, '_>) -> Result<Value, PgError> {
    let Some(key) = text(args.get(0)) else { return Ok(Datum::Null) };
    shown(vec![(key, text(args.get(1)))])
}

fn of_arrays(args: Args<'_, '_>) -> Result<Value, PgError> {
    let Datum::List(keys) = args.get(0) else { return Ok(Datum::Null) };
    let values = match args.get(1) {
        Datum::List(values) => texts(values),
        _ => vec![None; keys.len()],
    };
    if keys.len() != values.len() {
        let message = "arrays must have same bounds";
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    let pairs = texts(keys).into_iter().zip(values);
    let pairs = pairs.map(|(key, value)| Ok((key.ok_or_else(null_key)?, value)));
    shown(pairs.collect::<Result<_, PgError>>()?)
}

/// Keys and values by turns, or an array of pairs.
fn of_array(args: Args<'_, '_>) -> Result<Value, PgError> {
    let items = args.list(0)?;
    let wrong = |message: &'static str| PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message);
    let mut flat = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Datum::List(pair) if pair.len() == 2 => flat.extend(texts(pair)),
            Datum::List(_) => return Err(wrong("array must have two columns")),
            other => flat.push(text(other)),
        }
    }
    if flat.len() % 2 != 0 {
        return Err(wrong("array must have even number of elements"));
    }
    let mut pairs = Vec::with_capacity(flat.len() / 2);
    let mut flat = flat.into_iter();
    while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
        pairs.push((key.ok_or_else(null_key)?, value));
    }
    shown(pairs)
}

fn fetch(args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(opt(value(args, 0)?.get(args.text(1)?).flatten()))
}

fn fetch_all(args: Args<'_, '_>) -> Result<Value, PgError> {
    let from = value(args, 0)?;
    let found = texts(args.list(1)?).into_iter();
    let found = found.map(|key| opt(key.and_then(|key| from.get(&key).flatten())));
    Ok(Datum::List(found.collect()))
}

fn slice(args: Args<'_, '_>) -> Result<Value, PgError> {
    let from = value(args, 0)?;
    let found = keys(args, 1)?.into_iter().filter_map(|key| {
        let value = from.get(&key)?.map(str::to_owned);
        Some((key, value))
    });
    shown(found.collect())
}

fn exists(args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Bool(value(args, 0)?.get(args.text(1)?).is_some()))
}

fn defined(args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Bool(value(args, 0)?.get(args.text(1)?).flatten().is_some()))
}

fn exist_keys(args: Args<'_, '_>, all: bool) -> Result<Value, PgError> {
    let from = value(args, 0)?;
    let keys = keys(args, 1)?;
    let mut found = keys.iter().map(|key| from.get(key).is_some());
    Ok(Datum::Bool(if all { found.all(|found| found) } else { found.any(|found| found) }))
}

fn contains(whole: &Hstore, part: &Hstore) -> Value {
    Datum::Bool(part.pairs().iter().all(|(key, value)| whole.get(key) == Some(value.as_deref())))
}

/// What the right side has wins.
fn concat(args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut pairs = value(args, 1)?.into_pairs();
    pairs.extend(value(args, 0)?.into_pairs());
    shown(pairs)
}

fn without(args: Args<'_, '_>, goes: impl Fn(&Pair) -> bool) -> Result<Value, PgError> {
    let mut pairs = value(args, 0)?.into_pairs();
    pairs.retain(|pair| !goes(pair));
    shown(pairs)
}

fn delete_key(args: Args<'_, '_>) -> Result<Value, PgError> {
    let key = args.text(1)?;
    without(args, |(known, _)| known == key)
}

fn delete_keys(args: Args<'_, '_>) -> Result<Value, PgError> {
    let keys = keys(args, 1)?;
    without(args, |(known, _)| keys.contains(known))
}

/// Pairs that are in both, key and value.
fn delete_pairs(args: Args<'_, '_>) -> Result<Value, PgError> {
    let gone = value(args, 1)?;
    without(args, |(key, value)| gone.get(key) == Some(value.as_deref()))
}

fn all_keys(args: Args<'_, '_>) -> Result<Value, PgError> {
    let pairs = value(args, 0)?.into_pairs().into_iter();
    Ok(Datum::List(pairs.map(|(key, _)| Datum::text(key)).collect()))
}

fn all_values(args: Args<'_, '_>) -> Result<Value, PgError> {
    let pairs = value(args, 0)?.into_pairs().into_iter();
    Ok(Datum::List(pairs.map(|(_, value)| Datum::opt_text(value)).collect()))
}

fn each(args: Args<'_, '_>) -> Result<Value, PgError> {
    let pairs = value(args, 0)?.into_pairs().into_iter();
    let rows = pairs.map(|(key, value)| Datum::Row(vec![Datum::text(key), Datum::opt_text(value)]));
    Ok(Datum::List(rows.collect()))
}

fn to_array(args: Args<'_, '_>) -> Result<Value, PgError> {
    let pairs = value(args, 0)?.into_pairs().into_iter();
    let parts = pairs.flat_map(|(key, value)| [Datum::text(key), Datum::opt_text(value)]);
    Ok(Datum::List(parts.collect()))
}

/// A JSON object; `loose`: `t` and `f` as truth values, numbers as they are written.
fn object(args: Args<'_, '_>, loose: bool) -> Result<String, PgError> {
    let mut out = String::from("{");
    for (at, (key, value)) in value(args, 0)?.pairs().iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_string(key, &mut out);
        out.push_str(": ");
        match value.as_deref() {
            None => out.push_str("null"),
            Some("t") if loose => out.push_str("true"),
            Some("f") if loose => out.push_str("false"),
            Some(value) if loose && is_number(value) => out.push_str(value),
            Some(value) => write_string(value, &mut out),
        }
    }
    out.push('}');
    Ok(out)
}

fn is_number(text: &str) -> bool {
    text.trim() == text && text.parse::<Number>().is_ok()
}

fn jsonb(args: Args<'_, '_>, loose: bool) -> Result<Value, PgError> {
    Ok(Datum::text(jsonb_text(&parse(&object(args, loose)?)?)))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("hstore(text, text) hstore", row(|_, a| made(a))).with_nulls(),
    def("hstore(text[], text[]) hstore", row(|_, a| of_arrays(a))).with_nulls(),
    def("hstore(text[]) hstore", row(|_, a| of_array(a))),
    def("fetchval(hstore, text) text", row(|_, a| fetch(a))),
    def("slice_array(hstore, text[]) text[]", row(|_, a| fetch_all(a))),
    def("slice(hstore, text[]) hstore", row(|_, a| slice(a))),
    def("exist(hstore, text) bool", row(|_, a| exists(a))),
    def("defined(hstore, text) bool", row(|_, a| defined(a))),
    def("exists_any(hstore, text[]) bool", row(|_, a| exist_keys(a, false))),
    def("exists_all(hstore, text[]) bool", row(|_, a| exist_keys(a, true))),
    def("hs_concat(hstore, hstore) hstore", row(|_, a| concat(a))),
    def("hs_contains(hstore, hstore) bool", row(|_, a| Ok(contains(&value(a, 0)?, &value(a, 1)?)))),
    def(
        "hs_contained(hstore, hstore) bool",
        row(|_, a| Ok(contains(&value(a, 1)?, &value(a, 0)?))),
    ),
    def("delete(hstore, text) hstore", row(|_, a| delete_key(a))),
    def("delete(hstore, text[]) hstore", row(|_, a| delete_keys(a))),
    def("delete(hstore, hstore) hstore", row(|_, a| delete_pairs(a))),
    def("akeys(hstore) text[]", row(|_, a| all_keys(a))),
    def("avals(hstore) text[]", row(|_, a| all_values(a))),
    def("skeys(hstore) setof text", row(|_, a| all_keys(a))),
    def("svals(hstore) setof text", row(|_, a| all_values(a))),
    def("each(hstore) setof (key text, value text)", row(|_, a| each(a))),
    def("hstore_to_array(hstore) text[]", row(|_, a| to_array(a))),
    def("hstore_to_json(hstore) json", row(|_, a| Ok(Datum::text(object(a, false)?)))),
    def("hstore_to_json_loose(hstore) json", row(|_, a| Ok(Datum::text(object(a, true)?)))),
    def("hstore_to_jsonb(hstore) jsonb", row(|_, a| jsonb(a, false))),
    def("hstore_to_jsonb_loose(hstore) jsonb", row(|_, a| jsonb(a, true))),
];

pub(super) const OPERATORS: &[Def] = &[
    def("->(hstore, text) text", row(|_, a| fetch(a))),
    def("->(hstore, text[]) text[]", row(|_, a| fetch_all(a))),
    def("?(hstore, text) bool", row(|_, a| exists(a))),
    def("?&(hstore, text[]) bool", row(|_, a| exist_keys(a, true))),
    def("?|(hstore, text[]) bool", row(|_, a| exist_keys(a, false))),
    def("@>(hstore, hstore) bool", row(|_, a| Ok(contains(&value(a, 0)?, &value(a, 1)?)))),
    def("<@(hstore, hstore) bool", row(|_, a| Ok(contains(&value(a, 1)?, &value(a, 0)?)))),
    def("||(hstore, hstore) hstore", row(|_, a| concat(a))),
    def("-(hstore, text) hstore", row(|_, a| delete_key(a))),
    def("-(hstore, text[]) hstore", row(|_, a| delete_keys(a))),
    def("-(hstore, hstore) hstore", row(|_, a| delete_pairs(a))),
];
