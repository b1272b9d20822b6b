//! `valueType()` and `IS :: TYPE`: the types of values as Cypher writes them.

use std::collections::BTreeSet;

use super::value::{Element, Value};
use crate::error::PgError;

/// Where a type stands among others in a written union.
fn rank(name: &str) -> usize {
    const ORDER: [&str; 15] = [
        "NULL",
        "BOOLEAN",
        "STRING",
        "INTEGER",
        "FLOAT",
        "DATE",
        "LOCAL TIME",
        "ZONED TIME",
        "LOCAL DATETIME",
        "ZONED DATETIME",
        "DURATION",
        "NODE",
        "RELATIONSHIP",
        "MAP",
        "LIST",
    ];
    let first = name.split(['<', '|']).next().unwrap_or(name).trim();
    let first = first.trim_end_matches(" NOT NULL");
    ORDER.iter().position(|known| *known == first).unwrap_or(ORDER.len())
}

/// The type of a value that is not null, without `NOT NULL`.
fn written(value: &Value) -> String {
    let Value::List(items) = value else { return value.type_name().to_owned() };
    if items.is_empty() {
        return "LIST<NOTHING>".to_owned();
    }
    let has_null = items.iter().any(Value::is_null);
    let names: BTreeSet<String> =
        items.iter().filter(|item| !item.is_null()).map(written).collect();
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| (rank(name), name.clone()));
    if names.is_empty() {
        return "LIST<NULL>".to_owned();
    }
    let not_null = if has_null { "" } else { " NOT NULL" };
    let names: Vec<String> = names.into_iter().map(|name| format!("{name}{not_null}")).collect();
    format!("LIST<{}>", names.join(" | "))
}

/// The type of a value: `INTEGER NOT NULL`, `LIST<STRING NOT NULL> NOT NULL`, `NULL`.
///
/// # Errors
/// None.
pub fn value_type(arguments: &[Value]) -> Result<Value, PgError> {
    let text = match arguments {
        [Value::Null] | [] => "NULL".to_owned(),
        [value, ..] => format!("{} NOT NULL", written(value)),
    };
    Ok(Value::String(text))
}

/// Whether a value is of a type: the second argument, as [`type_value`] makes it.
///
/// # Errors
/// `XX000` for a type that is none: our own defect.
pub fn is_typed(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [value, Value::List(alternatives)] => {
            let mut holds = false;
            for alternative in alternatives {
                holds |= is_of(value, alternative)?;
            }
            Ok(Value::Boolean(holds))
        }
        _ => Err(PgError::internal("a type is needed")),
    }
}

/// A type as the value that [`is_typed`] takes: its name, whether null is left out, and the types of a list's elements.
pub fn type_value(name: &str, not_null: bool, inner: Option<Value>) -> Value {
    let name = Value::String(name.to_owned());
    Value::List(vec![name, Value::Boolean(not_null), inner.unwrap_or(Value::Null)])
}

fn is_of(value: &Value, ty: &Value) -> Result<bool, PgError> {
    let Value::List(parts) = ty else { return Err(PgError::internal("a type has three parts")) };
    let [Value::String(name), Value::Boolean(not_null), inner] = parts.as_slice() else {
        return Err(PgError::internal("a type has three parts"));
    };
    if value.is_null() {
        return Ok(!not_null && name != "NOTHING");
    }
    Ok(match (name.as_str(), value) {
        ("ANY" | "ANY VALUE", _) => true,
        ("PROPERTY VALUE" | "ANY PROPERTY VALUE", value) => is_property(value),
        ("BOOL" | "BOOLEAN", Value::Boolean(_))
        | ("INT" | "INTEGER" | "SIGNED INTEGER", Value::Integer(_))
        | ("FLOAT", Value::Float(_))
        | ("STRING" | "VARCHAR", Value::String(_))
        | ("MAP" | "ANY MAP", Value::Map(_))
        | ("PATH", Value::Path { .. })
        | (
            "NODE" | "VERTEX" | "ANY NODE" | "ANY VERTEX",
            Value::Element(Element { edge: false, .. }),
        )
        | (
            "RELATIONSHIP" | "EDGE" | "ANY RELATIONSHIP" | "ANY EDGE",
            Value::Element(Element { edge: true, .. }),
        ) => true,
        (name, Value::Temporal(temporal)) => {
            let plain = match name {
                "TIME WITH TIMEZONE" => "ZONED TIME",
                "TIME WITHOUT TIMEZONE" => "LOCAL TIME",
                "TIMESTAMP WITH TIMEZONE" => "ZONED DATETIME",
                "TIMESTAMP WITHOUT TIMEZONE" => "LOCAL DATETIME",
                name => name,
            };
            plain == temporal.type_name()
        }
        ("LIST" | "ARRAY", Value::List(items)) => match inner {
            Value::Null => true,
            Value::List(alternatives) => {
                for item in items {
                    let mut holds = false;
                    for alternative in alternatives {
                        holds |= is_of(item, alternative)?;
                    }
                    if !holds {
                        return Ok(false);
                    }
                }
                true
            }
            _ => return Err(PgError::internal("a list's type has inner types")),
        },
        _ => false,
    })
}

/// Whether a value may be a property: a scalar, or a list of scalars of one type.
fn is_property(value: &Value) -> bool {
    let is_scalar = |value: &Value| {
        matches!(
            value,
            Value::Boolean(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::String(_)
                | Value::Temporal(_)
        )
    };
    match value {
        Value::List(items) => {
            let mut names = items.iter().map(Value::type_name);
            let first = names.next();
            items.iter().all(is_scalar) && names.all(|name| Some(name) == first)
        }
        scalar => is_scalar(scalar),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Value) -> String {
        match value_type(&[value]) {
            Ok(Value::String(text)) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn types_are_written_as_they_are_read() {
        assert_eq!(shown(Value::Null), "NULL");
        assert_eq!(shown(Value::Integer(1)), "INTEGER NOT NULL");
        let mixed = vec![Value::Integer(1), Value::String("a".to_owned())];
        assert_eq!(
            shown(Value::List(mixed.clone())),
            "LIST<STRING NOT NULL | INTEGER NOT NULL> NOT NULL"
        );
        assert_eq!(shown(Value::List(Vec::new())), "LIST<NOTHING> NOT NULL");
        let with_null = vec![Value::Integer(1), Value::Null];
        assert_eq!(shown(Value::List(with_null.clone())), "LIST<INTEGER> NOT NULL");
        let of = |inner: Value| type_value("LIST", false, Some(Value::List(vec![inner])));
        let holds = |value: &[Value], ty: Value| {
            is_typed(&[Value::List(value.to_vec()), Value::List(vec![ty])])
        };
        let integer = |not_null| type_value("INTEGER", not_null, None);
        assert_eq!(holds(&with_null, of(integer(false))).unwrap(), Value::Boolean(true));
        assert_eq!(holds(&with_null, of(integer(true))).unwrap(), Value::Boolean(false));
        assert_eq!(holds(&mixed, of(integer(false))).unwrap(), Value::Boolean(false));
    }
}
