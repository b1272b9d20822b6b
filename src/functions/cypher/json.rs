//! Cypher values as JSON text (WIRE.md §5), and JSON parameters as Cypher values.

use std::fmt::Write;

use super::value::Value;

/// Appends the value's JSON: floats always with a point or exponent, temporals as strings, elements as they are.
pub fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(boolean) => out.push_str(if *boolean { "true" } else { "false" }),
        Value::Integer(integer) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{integer}");
        }
        Value::Float(float) => write_float(*float, out),
        Value::String(text) => write_string(text, out),
        Value::Temporal(temporal) => write_string(&temporal.to_string(), out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            // PostgreSQL's order of jsonb keys: shorter ones first.
            let mut entries = entries.iter().collect::<Vec<_>>();
            entries.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then_with(|| a.0.cmp(&b.0)));
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_string(key, out);
                out.push_str(": ");
                write_json(value, out);
            }
            out.push('}');
        }
        Value::Element(element) => out.push_str(&element.json),
        Value::Path { json, .. } | Value::Json(json) => out.push_str(json),
    }
}

/// A float's JSON: a number that cannot be taken for an integer, or a string where JSON has no number.
pub fn write_float(float: f64, out: &mut String) {
    if float.is_nan() {
        out.push_str("\"NaN\"");
    } else if float.is_infinite() {
        out.push_str(if float > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    } else {
        let _ = write!(out, "{float:?}");
    }
}

/// A JSON string with its quotes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if (control as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The value of JSON text: numbers without point or exponent are integers. `None` if it is not JSON.
pub fn read_json(text: &str) -> Option<Value> {
    serde_json::from_str::<serde_json::Value>(text).ok().map(of_json)
}

fn of_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(boolean) => Value::Boolean(boolean),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(of_json).collect()),
        serde_json::Value::Object(entries) => {
            Value::map(entries.into_iter().map(|(key, value)| (key, of_json(value))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_and_integers_keep_apart() {
        for (text, expected) in [
            ("{\"a\": [1, 1.0, 1e3, -0.0]}", "{\"a\": [1, 1.0, 1000.0, -0.0]}"),
            ("4611686018427387905", "4611686018427387905"),
            ("1e-305", "1e-305"),
            ("\"a\\u0001\\n\"", "\"a\\u0001\\n\""),
        ] {
            let mut out = String::new();
            write_json(&read_json(text).unwrap(), &mut out);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        write_json(&Value::List(vec![Value::Float(f64::NEG_INFINITY), Value::Null]), &mut out);
        assert_eq!(out, "[\"-Infinity\", null]");
    }
}
