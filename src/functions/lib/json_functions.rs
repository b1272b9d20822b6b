//! Functions and operators on json and jsonb.

use serde_json::{Map, Value as Json};

use super::json::{
    contains, from_datum, json_text, jsonb_text, parse, scalar_text, type_name, write, write_string,
};
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::datum_text;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::PgType;

fn is_jsonb(call: &Call<'_>) -> bool {
    *call.arg_type(0) != PgType::Json
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn json(value: &Json, jsonb: bool) -> Value {
    Datum::text(write(value, jsonb))
}

fn element(value: &Json, index: i64) -> Option<&Json> {
    let items = value.as_array()?;
    let at = if index < 0 { i64::try_from(items.len()).ok()? + index } else { index };
    items.get(usize::try_from(at).ok()?)
}

/// One step: a key, or an index written as text.
fn step<'v>(value: &'v Json, key: &str) -> Option<&'v Json> {
    match value {
        Json::Object(map) => map.get(key),
        Json::Array(_) => element(value, key.parse().ok()?),
        _ => None,
    }
}

fn member<'v>(value: &'v Json, args: Args<'_, '_>) -> Result<Option<&'v Json>, PgError> {
    Ok(match args.get(1) {
        Datum::Int(index) => element(value, *index),
        _ => value.as_object().and_then(|map| args.text(1).ok().and_then(|key| map.get(key))),
    })
}

fn arrow(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = parse(args.text(0)?)?;
    Ok(member(&value, args)?.map_or(Datum::Null, |found| json(found, is_jsonb(call))))
}

fn long_arrow(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = parse(args.text(0)?)?;
    Ok(member(&value, args)?.map_or(Datum::Null, |found| scalar_text(found, is_jsonb(call))))
}

fn follow<'v>(value: &'v Json, path: &[Datum<'_>]) -> Option<&'v Json> {
    path.iter().try_fold(value, |value, key| match key {
        Datum::Text(key) => step(value, key),
        _ => None,
    })
}

fn path_of<'r, 'a>(args: Args<'r, 'a>) -> Result<&'r [Datum<'a>], PgError> {
    match args.get(1) {
        Datum::List(path) => Ok(path),
        _ => Ok(args.0.get(1..).unwrap_or_default()),
    }
}

fn extract(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = parse(args.text(0)?)?;
    Ok(follow(&value, path_of(args)?).map_or(Datum::Null, |found| json(found, is_jsonb(call))))
}

fn extract_text(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = parse(args.text(0)?)?;
    Ok(follow(&value, path_of(args)?)
        .map_or(Datum::Null, |found| scalar_text(found, is_jsonb(call))))
}

fn contains_op(whole: &str, part: &str) -> Result<Value, PgError> {
    Ok(Datum::Bool(contains(&parse(whole)?, &parse(part)?)))
}

fn has_key(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(map) => map.contains_key(key),
        Json::Array(items) => items.iter().any(|item| item.as_str() == Some(key)),
        Json::String(text) => text == key,
        _ => false,
    }
}

fn has_keys(args: Args<'_, '_>, all: bool) -> Result<Value, PgError> {
    let value = parse(args.text(0)?)?;
    let mut found = args.list(1)?.iter().filter_map(|key| match key {
        Datum::Text(key) => Some(has_key(&value, key)),
        _ => None,
    });
    Ok(Datum::Bool(if all { found.all(|found| found) } else { found.any(|found| found) }))
}

fn concat(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (left, right) = (parse(args.text(0)?)?, parse(args.text(1)?)?);
    let result = match (left, right) {
        (Json::Object(mut left), Json::Object(right)) => {
            left.extend(right);
            Json::Object(left)
        }
        (left, right) => {
            if left.is_object() && !right.is_array() || right.is_object() && !left.is_array() {
                return Err(invalid("invalid concatenation of jsonb objects"));
            }
            let items = |value| match value {
                Json::Array(items) => items,
                other => vec![other],
            };
            let mut all = items(left);
            all.extend(items(right));
            Json::Array(all)
        }
    };
    Ok(Datum::text(jsonb_text(&result)))
}

fn delete_one(value: &mut Json, key: &Datum<'_>) -> Result<(), PgError> {
    match (value, key) {
        (Json::Object(map), Datum::Text(key)) => {
            map.shift_remove(key.as_ref());
        }
        (Json::Array(items), Datum::Text(key)) => items.retain(|item| item.as_str() != Some(key)),
        (Json::Array(items), Datum::Int(index)) => {
            let at =
                if *index < 0 { i64::try_from(items.len()).unwrap_or(0) + index } else { *index };
            if let Ok(at) = usize::try_from(at)
                && at < items.len()
            {
                items.remove(at);
            }
        }
        (Json::Object(_), Datum::Int(_)) => {
            return Err(invalid("cannot delete from object using integer index"));
        }
        (_, Datum::Null) => {}
        _ => return Err(invalid("cannot delete from scalar")),
    }
    Ok(())
}

fn delete(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut value = parse(args.text(0)?)?;
    match args.get(1) {
        Datum::List(keys) => {
            for key in keys {
                delete_one(&mut value, key)?;
            }
        }
        key => delete_one(&mut value, key)?,
    }
    Ok(Datum::text(jsonb_text(&value)))
}

/// What to do at the end of a path.
#[derive(Clone, Copy)]
enum Edit<'v> {
    Set { new: &'v Json, create: bool },
    Insert { new: &'v Json, after: bool },
    Delete,
}

fn edit(
    value: &mut Json,
    path: &[Datum<'_>],
    action: Edit<'_>,
    depth: usize,
) -> Result<(), PgError> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    let Datum::Text(key) = first else {
        let message = format!("path element at position {} is null", depth);
        return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    };
    match value {
        Json::Object(map) if rest.is_empty() => edit_member(map, key, action),
        Json::Object(map) => match map.get_mut(key.as_ref()) {
            Some(inner) => edit(inner, rest, action, depth + 1),
            None => Ok(()),
        },
        Json::Array(items) => {
            let index: i64 = key.parse().map_err(|_| {
                let message =
                    format!("path element at position {depth} is not an integer: \"{key}\"");
                PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
            })?;
            if rest.is_empty() {
                edit_item(items, index, action);
                return Ok(());
            }
            let length = i64::try_from(items.len()).unwrap_or(0);
            let at = if index < 0 { length + index } else { index };
            match usize::try_from(at).ok().and_then(|at| items.get_mut(at)) {
                Some(inner) => edit(inner, rest, action, depth + 1),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn edit_member(map: &mut Map<String, Json>, key: &str, action: Edit<'_>) -> Result<(), PgError> {
    match action {
        Edit::Set { new, create } if create || map.contains_key(key) => {
            map.insert(key.to_owned(), new.clone());
        }
        Edit::Set { .. } => {}
        Edit::Insert { new, .. } => {
            if map.contains_key(key) {
                return Err(invalid("cannot replace existing key")
                    .hint("Try using the function jsonb_set to replace key value."));
            }
            map.insert(key.to_owned(), new.clone());
        }
        Edit::Delete => {
            map.shift_remove(key);
        }
    }
    Ok(())
}

fn edit_item(items: &mut Vec<Json>, index: i64, action: Edit<'_>) {
    let length = i64::try_from(items.len()).unwrap_or(0);
    let at = if index < 0 { length + index } else { index };
    let inside = usize::try_from(at).ok().filter(|at| *at < items.len());
    match (action, inside) {
        (Edit::Set { new, .. }, Some(at)) => {
            if let Some(slot) = items.get_mut(at) {
                *slot = new.clone();
            }
        }
        (Edit::Set { new, create: true } | Edit::Insert { new, .. }, None) => {
            let at = if at < 0 { 0 } else { items.len() };
            items.insert(at, new.clone());
        }
        (Edit::Insert { new, after }, Some(at)) => {
            items.insert(at + usize::from(after), new.clone())
        }
        (Edit::Delete, Some(at)) => {
            items.remove(at);
        }
        (Edit::Set { create: false, .. } | Edit::Delete, None) => {}
    }
}

fn scalar_target(value: &Json, what: &str) -> Result<(), PgError> {
    if value.is_object() || value.is_array() {
        return Ok(());
    }
    Err(invalid(format!("cannot {what} scalar")))
}

fn jsonb_set(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut value = parse(args.text(0)?)?;
    let new = parse(args.text(2)?)?;
    let create = args.len() < 4 || args.bool(3)?;
    scalar_target(&value, "set path in")?;
    edit(&mut value, args.list(1)?, Edit::Set { new: &new, create }, 1)?;
    Ok(Datum::text(jsonb_text(&value)))
}

fn jsonb_insert(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut value = parse(args.text(0)?)?;
    let new = parse(args.text(2)?)?;
    let after = args.len() > 3 && args.bool(3)?;
    scalar_target(&value, "set path in")?;
    edit(&mut value, args.list(1)?, Edit::Insert { new: &new, after }, 1)?;
    Ok(Datum::text(jsonb_text(&value)))
}

fn delete_path(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut value = parse(args.text(0)?)?;
    scalar_target(&value, "delete path in")?;
    edit(&mut value, args.list(1)?, Edit::Delete, 1)?;
    Ok(Datum::text(jsonb_text(&value)))
}

fn strip_nulls(value: Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, strip_nulls(value)))
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(strip_nulls).collect()),
        other => other,
    }
}

fn pretty(value: &Json, depth: usize, out: &mut String) {
    let indent = |depth: usize| "    ".repeat(depth);
    match value {
        Json::Object(map) if map.is_empty() => out.push_str(&format!("{{\n{}}}", indent(depth))),
        Json::Array(items) if items.is_empty() => out.push_str(&format!("[\n{}]", indent(depth))),
        Json::Object(map) => {
            // Through the canonical text, so that keys come in jsonb's order.
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|left, right| left.len().cmp(&right.len()).then_with(|| left.cmp(right)));
            out.push_str("{\n");
            for (index, key) in keys.iter().enumerate() {
                out.push_str(&indent(depth + 1));
                write_string(key, out);
                out.push_str(": ");
                pretty(map.get(*key).unwrap_or(&Json::Null), depth + 1, out);
                out.push_str(if index + 1 < keys.len() { ",\n" } else { "\n" });
            }
            out.push_str(&indent(depth));
            out.push('}');
        }
        Json::Array(items) => {
            out.push_str("[\n");
            for (index, item) in items.iter().enumerate() {
                out.push_str(&indent(depth + 1));
                pretty(item, depth + 1, out);
                out.push_str(if index + 1 < items.len() { ",\n" } else { "\n" });
            }
            out.push_str(&indent(depth));
            out.push(']');
        }
        other => out.push_str(&jsonb_text(other)),
    }
}

fn array_length(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    match parse(args.text(0)?)? {
        Json::Array(items) => Ok(Datum::Int(i64::try_from(items.len()).unwrap_or(i64::MAX))),
        Json::Object(_) => Err(invalid("cannot get array length of a non-array")),
        _ => Err(invalid("cannot get array length of a scalar")),
    }
}

fn elements(call: &Call<'_>, args: Args<'_, '_>, as_text: bool) -> Result<Value, PgError> {
    let jsonb = is_jsonb(call);
    let cell = |item: &Json| if as_text { scalar_text(item, jsonb) } else { json(item, jsonb) };
    match parse(args.text(0)?)? {
        Json::Array(items) => {
            Ok(Datum::List(items.iter().map(|item| Datum::Row(vec![cell(item)])).collect()))
        }
        Json::Object(_) => Err(invalid("cannot extract elements from an object")),
        _ => Err(invalid("cannot extract elements from a scalar")),
    }
}

fn sorted(map: Map<String, Json>, jsonb: bool) -> Vec<(String, Json)> {
    let mut members: Vec<(String, Json)> = map.into_iter().collect();
    if jsonb {
        members.sort_by(|(left, _), (right, _)| {
            left.len().cmp(&right.len()).then_with(|| left.cmp(right))
        });
    }
    members
}

fn object(call: &Call<'_>, text: &str) -> Result<Vec<(String, Json)>, PgError> {
    match parse(text)? {
        Json::Object(map) => Ok(sorted(map, is_jsonb(call))),
        _ => Err(invalid(format!("cannot call {} on a non-object", call.name))),
    }
}

fn each(call: &Call<'_>, args: Args<'_, '_>, as_text: bool) -> Result<Value, PgError> {
    let jsonb = is_jsonb(call);
    let rows = object(call, args.text(0)?)?.into_iter().map(|(key, value)| {
        let value = if as_text { scalar_text(&value, jsonb) } else { json(&value, jsonb) };
        Datum::Row(vec![Datum::text(key), value])
    });
    Ok(Datum::List(rows.collect()))
}

fn object_keys(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let keys = object(call, args.text(0)?)?;
    Ok(Datum::List(keys.into_iter().map(|(key, _)| Datum::text(key)).collect()))
}

fn argument(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<Json, PgError> {
    from_datum(args.get(index), call.arg_type(index), call.session)
}

fn key_text(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<String, PgError> {
    datum_text(args.get(index), call.arg_type(index), call.session)?.ok_or_else(|| {
        invalid(format!("argument {}: key must not be null", index + 1))
            .hint("Object keys should be text.")
    })
}

fn build_object(call: &Call<'_>, args: Args<'_, '_>, jsonb: bool) -> Result<Value, PgError> {
    if args.len() % 2 == 1 {
        return Err(invalid("argument list must have even number of elements").hint(format!(
            "The arguments of {} must consist of alternating keys and values.",
            if jsonb { "jsonb_build_object()" } else { "json_build_object()" }
        )));
    }
    let mut members = Vec::new();
    for index in (0..args.len()).step_by(2) {
        members.push((key_text(call, args, index)?, argument(call, args, index + 1)?));
    }
    if jsonb {
        return Ok(Datum::text(jsonb_text(&Json::Object(members.into_iter().collect()))));
    }
    let parts = members.into_iter().map(|(key, value)| {
        let mut out = String::new();
        write_string(&key, &mut out);
        format!("{out} : {}", json_text(&value))
    });
    Ok(Datum::text(format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))))
}

fn build_array(call: &Call<'_>, args: Args<'_, '_>, jsonb: bool) -> Result<Value, PgError> {
    let items =
        (0..args.len()).map(|index| argument(call, args, index)).collect::<Result<Vec<_>, _>>()?;
    if jsonb {
        return Ok(Datum::text(jsonb_text(&Json::Array(items))));
    }
    Ok(Datum::text(format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(", "))))
}

fn to_json(call: &Call<'_>, args: Args<'_, '_>, jsonb: bool) -> Result<Value, PgError> {
    // A json text stays as it was written.
    if let (Datum::Text(text), PgType::Json, false) = (args.get(0), call.arg_type(0), jsonb) {
        return Ok(Datum::text(text.to_string()));
    }
    Ok(json(&argument(call, args, 0)?, jsonb))
}

fn object_from_arrays(args: Args<'_, '_>, jsonb: bool) -> Result<Value, PgError> {
    let text = |value: &Datum<'_>| match value {
        Datum::Text(text) => Some(text.to_string()),
        _ => None,
    };
    let mut pairs: Vec<(Option<String>, Option<String>)> = Vec::new();
    if args.len() == 2 {
        let (keys, values) = (args.list(0)?, args.list(1)?);
        if keys.len() != values.len() {
            return Err(PgError::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "mismatched array dimensions",
            ));
        }
        pairs.extend(keys.iter().zip(values).map(|(key, value)| (text(key), text(value))));
    } else {
        for pair in args.list(0)?.chunks(2) {
            match pair {
                [Datum::List(inner)] | [Datum::List(inner), ..] if inner.len() == 2 => {
                    for item in pair {
                        if let Datum::List(item) = item {
                            pairs.push((item.first().and_then(text), item.get(1).and_then(text)));
                        }
                    }
                }
                [key, value] => pairs.push((text(key), text(value))),
                _ => {
                    let message = "array must have even number of elements";
                    return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
                }
            }
        }
    }
    let mut map = Map::new();
    for (key, value) in pairs {
        let key = key.ok_or_else(|| {
            PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")
        })?;
        map.insert(key, value.map_or(Json::Null, Json::String));
    }
    if jsonb {
        return Ok(Datum::text(jsonb_text(&Json::Object(map))));
    }
    let parts = map.iter().map(|(key, value)| {
        let mut out = String::new();
        write_string(key, &mut out);
        format!("{out} : {}", json_text(value))
    });
    Ok(Datum::text(format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))))
}

/// A property of an element's JSON form (WIRE.md §5).
fn marked(args: Args<'_, '_>, key: &str) -> Result<Option<Json>, PgError> {
    Ok(match parse(args.text(0)?)? {
        Json::Object(mut map) if map.contains_key("~entityType") => map.shift_remove(key),
        _ => None,
    })
}

fn cypher_labels(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(match marked(args, "~labels")? {
        Some(Json::Array(labels)) => Datum::List(
            labels
                .iter()
                .filter_map(|label| label.as_str())
                .map(|label| Datum::text(label))
                .collect(),
        ),
        _ => Datum::Null,
    })
}

fn cypher_text_of(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => match map.get("~entityType").and_then(Json::as_str) {
            Some("node") => cypher_node(map, out),
            Some("relationship") => cypher_relationship(map, out),
            Some("path") => cypher_path(map, out),
            _ => cypher_map(map, out),
        },
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                cypher_text_of(item, out);
            }
            out.push(']');
        }
        Json::String(text) => {
            out.push('\'');
            out.push_str(&text.replace('\\', "\\\\").replace('\'', "\\'"));
            out.push('\'');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn cypher_name(name: &str, out: &mut String) {
    let plain = name
        .chars()
        .enumerate()
        .all(|(at, c)| c == '_' || c.is_alphabetic() || at > 0 && c.is_numeric());
    if plain && !name.is_empty() {
        out.push_str(name);
    } else {
        out.push('`');
        out.push_str(&name.replace('`', "``"));
        out.push('`');
    }
}

fn cypher_map(map: &Map<String, Json>, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        cypher_name(key, out);
        out.push_str(": ");
        cypher_text_of(value, out);
    }
    out.push('}');
}

fn cypher_properties_text(map: &Map<String, Json>, gap: bool, out: &mut String) {
    if let Some(Json::Object(properties)) = map.get("~properties")
        && !properties.is_empty()
    {
        if gap {
            out.push(' ');
        }
        cypher_map(properties, out);
    }
}

fn cypher_node(map: &Map<String, Json>, out: &mut String) {
    out.push('(');
    let labels = map.get("~labels").and_then(Json::as_array);
    for label in labels.into_iter().flatten().filter_map(Json::as_str) {
        out.push(':');
        cypher_name(label, out);
    }
    cypher_properties_text(map, labels.is_some_and(|labels| !labels.is_empty()), out);
    out.push(')');
}

fn cypher_relationship(map: &Map<String, Json>, out: &mut String) {
    out.push_str("[:");
    cypher_name(map.get("~type").and_then(Json::as_str).unwrap_or_default(), out);
    cypher_properties_text(map, true, out);
    out.push(']');
}

fn cypher_path(map: &Map<String, Json>, out: &mut String) {
    out.push('<');
    let elements = map.get("~elements").and_then(Json::as_array);
    let mut here: Option<&Json> = None;
    for element in elements.into_iter().flatten() {
        let Json::Object(fields) = element else { continue };
        if fields.get("~entityType").and_then(Json::as_str) == Some("relationship") {
            let forward = fields.get("~start") == here;
            out.push_str(if forward { "-" } else { "<-" });
            cypher_relationship(fields, out);
            out.push_str(if forward { "->" } else { "-" });
        } else {
            cypher_node(fields, out);
            here = fields.get("~id");
        }
    }
    out.push('>');
}

fn cypher_text(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut out = String::new();
    cypher_text_of(&parse(args.text(0)?)?, &mut out);
    Ok(Datum::text(out))
}

fn kind(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::text(type_name(&parse(args.text(0)?)?)))
}

fn stripped(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(json(&strip_nulls(parse(args.text(0)?)?), is_jsonb(call)))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("to_json(any) json", row(|c, a| to_json(c, a, false))).stable(),
    def("to_jsonb(any) jsonb", row(|c, a| to_json(c, a, true))).stable(),
    def("array_to_json(anyarray) json", row(|c, a| to_json(c, a, false))).stable(),
    def("row_to_json(record) json", row(|c, a| to_json(c, a, false))).stable(),
    def("jsonb_build_object(variadic any) jsonb", row(|c, a| build_object(c, a, true)))
        .with_nulls()
        .stable(),
    def("jsonb_build_object() jsonb", row(|_, _| Ok(Datum::text("{}")))),
    def("json_build_object(variadic any) json", row(|c, a| build_object(c, a, false)))
        .with_nulls()
        .stable(),
    def("json_build_object() json", row(|_, _| Ok(Datum::text("{}")))),
    def("jsonb_build_array(variadic any) jsonb", row(|c, a| build_array(c, a, true)))
        .with_nulls()
        .stable(),
    def("jsonb_build_array() jsonb", row(|_, _| Ok(Datum::text("[]")))),
    def("json_build_array(variadic any) json", row(|c, a| build_array(c, a, false)))
        .with_nulls()
        .stable(),
    def("json_build_array() json", row(|_, _| Ok(Datum::text("[]")))),
    def("jsonb_object(text[], ?text[]) jsonb", row(|_, a| object_from_arrays(a, true))),
    def("json_object(text[], ?text[]) json", row(|_, a| object_from_arrays(a, false))),
    def("jsonb_typeof(jsonb) text", row(kind)),
    def("json_typeof(json) text", row(kind)),
    def("jsonb_array_length(jsonb) int4", row(array_length)),
    def("json_array_length(json) int4", row(array_length)),
    def("jsonb_strip_nulls(jsonb) jsonb", row(stripped)),
    def("json_strip_nulls(json) json", row(stripped)),
    def(
        "jsonb_pretty(jsonb) text",
        row(|_, a| {
            let mut out = String::new();
            pretty(&parse(a.text(0)?)?, 0, &mut out);
            Ok(Datum::text(out))
        }),
    ),
    def("jsonb_extract_path(jsonb, variadic text) jsonb", row(extract)),
    def("json_extract_path(json, variadic text) json", row(extract)),
    def("jsonb_extract_path_text(jsonb, variadic text) text", row(extract_text)),
    def("json_extract_path_text(json, variadic text) text", row(extract_text)),
    def("jsonb_set(jsonb, text[], jsonb, ?bool) jsonb", row(jsonb_set)),
    def("jsonb_insert(jsonb, text[], jsonb, ?bool) jsonb", row(jsonb_insert)),
    def("jsonb_delete_path(jsonb, text[]) jsonb", row(delete_path)),
    def("jsonb_subscript(jsonb, int4) jsonb", row(arrow)),
    def("jsonb_subscript(jsonb, text) jsonb", row(arrow)),
    def("jsonb_array_elements(jsonb) setof (value jsonb)", row(|c, a| elements(c, a, false))),
    def("json_array_elements(json) setof (value json)", row(|c, a| elements(c, a, false))),
    def("jsonb_array_elements_text(jsonb) setof (value text)", row(|c, a| elements(c, a, true))),
    def("json_array_elements_text(json) setof (value text)", row(|c, a| elements(c, a, true))),
    def("jsonb_each(jsonb) setof (key text, value jsonb)", row(|c, a| each(c, a, false))),
    def("json_each(json) setof (key text, value json)", row(|c, a| each(c, a, false))),
    def("jsonb_each_text(jsonb) setof (key text, value text)", row(|c, a| each(c, a, true))),
    def("json_each_text(json) setof (key text, value text)", row(|c, a| each(c, a, true))),
    def("jsonb_object_keys(jsonb) setof text", row(object_keys)),
    def("json_object_keys(json) setof text", row(object_keys)),
    def("jsonb_contains(jsonb, jsonb) bool", row(|_, a| contains_op(a.text(0)?, a.text(1)?))),
    def(
        "jsonb_exists(jsonb, text) bool",
        row(|_, a| Ok(Datum::Bool(has_key(&parse(a.text(0)?)?, a.text(1)?)))),
    ),
    def("cypher_labels(jsonb) text[]", row(cypher_labels)),
    def(
        "cypher_properties(jsonb) jsonb",
        row(|_, a| Ok(marked(a, "~properties")?.map_or(Datum::Null, |found| json(&found, true)))),
    ),
    def(
        "cypher_id(jsonb) text",
        row(|_, a| Ok(marked(a, "~id")?.map_or(Datum::Null, |id| scalar_text(&id, true)))),
    ),
    def(
        "cypher_type(jsonb) text",
        row(|_, a| Ok(marked(a, "~type")?.map_or(Datum::Null, |ty| scalar_text(&ty, true)))),
    ),
    def("cypher_text(jsonb) text", row(cypher_text)),
];

pub(super) const OPERATORS: &[Def] = &[
    def("->(jsonb, text) jsonb", row(arrow)),
    def("->(jsonb, int4) jsonb", row(arrow)),
    def("->(json, text) json", row(arrow)),
    def("->(json, int4) json", row(arrow)),
    def("->>(jsonb, text) text", row(long_arrow)),
    def("->>(jsonb, int4) text", row(long_arrow)),
    def("->>(json, text) text", row(long_arrow)),
    def("->>(json, int4) text", row(long_arrow)),
    def("#>(jsonb, text[]) jsonb", row(extract)),
    def("#>(json, text[]) json", row(extract)),
    def("#>>(jsonb, text[]) text", row(extract_text)),
    def("#>>(json, text[]) text", row(extract_text)),
    def("@>(jsonb, jsonb) bool", row(|_, a| contains_op(a.text(0)?, a.text(1)?))),
    def("<@(jsonb, jsonb) bool", row(|_, a| contains_op(a.text(1)?, a.text(0)?))),
    def(
        "?(jsonb, text) bool",
        row(|_, a| Ok(Datum::Bool(has_key(&parse(a.text(0)?)?, a.text(1)?)))),
    ),
    def("?|(jsonb, text[]) bool", row(|_, a| has_keys(a, false))),
    def("?&(jsonb, text[]) bool", row(|_, a| has_keys(a, true))),
    def("||(jsonb, jsonb) jsonb", row(concat)),
    def("-(jsonb, text) jsonb", row(delete)),
    def("-(jsonb, int4) jsonb", row(delete)),
    def("-(jsonb, text[]) jsonb", row(delete)),
    def("#-(jsonb, text[]) jsonb", row(delete_path)),
];
