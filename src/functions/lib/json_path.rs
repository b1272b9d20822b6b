//! The functions and operators that ask a jsonb by a SQL/JSON path.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::json::{jsonb_text, parse};
use super::json_path_eval::{query, single_boolean};
use super::json_path_items::Fail;
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::json_path::JsonPath;

/// Paths that are kept ready in each thread.
const CACHE: usize = 64;

thread_local! {
    static READ: RefCell<HashMap<String, Rc<JsonPath>>> = RefCell::new(HashMap::new());
}

fn read(text: &str) -> Result<Rc<JsonPath>, PgError> {
    if let Some(found) = READ.with(|cache| cache.borrow().get(text).cloned()) {
        return Ok(found);
    }
    let path = Rc::new(JsonPath::parse(text)?);
    READ.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.len() >= CACHE {
            cache.clear();
        }
        cache.insert(text.to_owned(), Rc::clone(&path));
    });
    Ok(path)
}

/// Asks; `None` where an error was to be silent.
fn ask<T>(
    args: Args<'_, '_>,
    silent: bool,
    take: impl FnOnce(Vec<Cow<'_, Json>>) -> Result<T, Fail>,
) -> Result<Option<T>, PgError> {
    let value = parse(args.text(0)?)?;
    let path = read(args.text(1)?)?;
    let variables = if args.len() > 2 { parse(args.text(2)?)? } else { Json::Object(Map::new()) };
    let Json::Object(variables) = variables else {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "\"vars\" argument is not an object",
        )
        .detail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object."));
    };
    match query(&path, &value, &variables).and_then(take) {
        Ok(found) => Ok(Some(found)),
        Err(Fail::Soft(_)) if silent => Ok(None),
        Err(fail) => Err(fail.into()),
    }
}

fn is_silent(args: Args<'_, '_>) -> Result<bool, PgError> {
    Ok(args.len() > 3 && args.bool(3)?)
}

fn exists(args: Args<'_, '_>, silent: bool) -> Result<Value, PgError> {
    let found = ask(args, silent, |items| Ok(!items.is_empty()))?;
    Ok(found.map_or(Datum::Null, Datum::Bool))
}

fn is_match(args: Args<'_, '_>, silent: bool) -> Result<Value, PgError> {
    let found = ask(args, silent, |items| single_boolean(&items))?;
    Ok(found.flatten().map_or(Datum::Null, Datum::Bool))
}

fn path_query(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let found = ask(args, is_silent(args)?, |items| {
        Ok(items.iter().map(|item| Datum::text(jsonb_text(item))).collect())
    })?;
    Ok(Datum::List(found.unwrap_or_default()))
}

fn query_array(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let found = ask(args, is_silent(args)?, |items| {
        Ok(Json::Array(items.into_iter().map(Cow::into_owned).collect()))
    })?;
    Ok(Datum::text(jsonb_text(&found.unwrap_or_else(|| Json::Array(Vec::new())))))
}

fn query_first(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let found = ask(args, is_silent(args)?, |items| {
        Ok(items.first().map(|item| Datum::text(jsonb_text(item))))
    })?;
    Ok(found.flatten().unwrap_or(Datum::Null))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def(
        "jsonb_path_exists(jsonb, jsonpath, ?jsonb, ?bool) bool",
        row(|_, args| exists(args, is_silent(args)?)),
    ),
    def(
        "jsonb_path_match(jsonb, jsonpath, ?jsonb, ?bool) bool",
        row(|_, args| is_match(args, is_silent(args)?)),
    ),
    def("jsonb_path_query(jsonb, jsonpath, ?jsonb, ?bool) setof jsonb", row(path_query)),
    def("jsonb_path_query_array(jsonb, jsonpath, ?jsonb, ?bool) jsonb", row(query_array)),
    def("jsonb_path_query_first(jsonb, jsonpath, ?jsonb, ?bool) jsonb", row(query_first)),
    def(
        "jsonb_path_exists_tz(jsonb, jsonpath, ?jsonb, ?bool) bool",
        row(|_, args| exists(args, is_silent(args)?)),
    ),
    def(
        "jsonb_path_match_tz(jsonb, jsonpath, ?jsonb, ?bool) bool",
        row(|_, args| is_match(args, is_silent(args)?)),
    ),
    def("jsonb_path_query_tz(jsonb, jsonpath, ?jsonb, ?bool) setof jsonb", row(path_query)),
    def("jsonb_path_query_array_tz(jsonb, jsonpath, ?jsonb, ?bool) jsonb", row(query_array)),
    def("jsonb_path_query_first_tz(jsonb, jsonpath, ?jsonb, ?bool) jsonb", row(query_first)),
    def("jsonb_path_exists_opr(jsonb, jsonpath) bool", row(|_, args| exists(args, true))),
    def("jsonb_path_match_opr(jsonb, jsonpath) bool", row(|_, args| is_match(args, true))),
];

pub(super) const OPERATORS: &[Def] = &[
    def("@?(jsonb, jsonpath) bool", row(|_, args| exists(args, true))),
    def("@@(jsonb, jsonpath) bool", row(|_, args| is_match(args, true))),
];
