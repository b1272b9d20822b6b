//! Functions on elements that left their columns: they read the JSON the element took along.

use super::json::read_json;
use super::math::wrong_argument;
use super::value::{Element, Value};
use crate::error::PgError;

fn part(
    function: &str,
    arguments: &[Value],
    edge: Option<bool>,
    key: &str,
) -> Result<Value, PgError> {
    let [Value::Element(element)] = arguments else {
        return Err(wrong_argument(function, arguments));
    };
    if edge.is_some_and(|edge| edge != element.edge) {
        return Err(wrong_argument(function, arguments));
    }
    Ok(match read_json(&element.json) {
        Some(Value::Map(entries)) => {
            entries.into_iter().find(|entry| entry.0 == key).map_or(Value::Null, |entry| entry.1)
        }
        _ => Value::Null,
    })
}

/// Labels of a node.
///
/// # Errors
/// `42804`.
pub fn labels(arguments: &[Value]) -> Result<Value, PgError> {
    part("labels", arguments, Some(false), "~labels")
}

/// Type of a relationship.
///
/// # Errors
/// `42804`.
pub fn relationship_type(arguments: &[Value]) -> Result<Value, PgError> {
    part("type", arguments, Some(true), "~type")
}

/// The properties of an element, or a map as it is.
///
/// # Errors
/// `42804`.
pub fn properties(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [map @ Value::Map(_)] => Ok(map.clone()),
        _ => part("properties", arguments, None, "~properties"),
    }
}

/// The identifier a client sees.
///
/// # Errors
/// `42804`.
pub fn element_id(arguments: &[Value]) -> Result<Value, PgError> {
    part("elementId", arguments, None, "~id")
}

/// A number for an element, the same within one statement.
///
/// # Errors
/// `42804`.
pub fn id(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Element(Element { reference, .. })] => Ok(Value::Integer(*reference as i64)),
        _ => Err(wrong_argument("id", arguments)),
    }
}
