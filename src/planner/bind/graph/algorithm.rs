//! `SELECT * FROM algo.pagerank('graph', '{…}'::jsonb)`: the Cypher procedure of the same name, with the key columns of
//! the vertices instead of nodes.

use serde_json::{Map, Value};

use super::names::{graph_named, tables_of};
use crate::catalog::{Catalog, ElementTable, PropertyGraph, PropertySource, QualifiedName};
use crate::error::{PgError, SqlState};
use crate::planner::node::Algorithm;

/// The schema these functions are called in.
pub(crate) const SCHEMA: &str = "algo";

/// The Cypher text that does what a table function asks.
///
/// # Errors
/// `42883` for a name that no algorithm has, `22023` for parameters that are no JSON object, and those of the graph's
/// name.
pub(crate) fn cypher_of_function(
    catalog: &Catalog,
    search_path: &[String],
    function: &str,
    graph: &str,
    parameters: Option<&str>,
) -> Result<String, PgError> {
    let algorithm = Algorithm::named(function).ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {SCHEMA}.{function}(unknown, unknown) does not exist"),
        )
        .hint(format!("There are: {}.", Algorithm::names().collect::<Vec<_>>().join(", ")))
    })?;
    let wrong = || {
        PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "the parameters of a graph algorithm must be a JSON object",
        )
    };
    let entries = match parameters {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(entries)) => entries,
            _ => return Err(wrong()),
        },
    };
    let (schema, name) = match graph.split_once('.') {
        Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
        None => (None, graph.to_owned()),
    };
    let graph = graph_named(catalog, search_path, &QualifiedName { schema, name }, None)?;
    let labels = labels_of(&entries);
    let columns = key_columns(&graph, &labels);
    let (result, _) = algorithm.result();
    let mut text = format!("CALL {SCHEMA}.`{}`(", algorithm.name());
    write_value(&mut text, &Value::Object(entries));
    text.push_str(&format!(") YIELD node, {result} RETURN {columns}, {result}"));
    Ok(text)
}

/// The labels asked for; none for all.
fn labels_of(entries: &Map<String, Value>) -> Vec<String> {
    let labels = entries
        .iter()
        .find(|(name, _)| name.replace('_', "").eq_ignore_ascii_case("nodelabels"))
        .map(|(_, value)| value);
    let texts = match labels {
        Some(Value::String(label)) => vec![label.clone()],
        Some(Value::Array(labels)) => {
            labels.iter().filter_map(|label| label.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    if texts.iter().any(|label| label == "*") { Vec::new() } else { texts }
}

/// What is returned of each vertex: its label where there are several tables, and its key.
fn key_columns(graph: &PropertyGraph, labels: &[String]) -> String {
    let has = |table: &ElementTable, label: &String| {
        table.has_label(label) || table.has_label(&label.to_lowercase())
    };
    let tables: Vec<&ElementTable> = tables_of(graph, false)
        .into_iter()
        .filter(|table| labels.is_empty() || labels.iter().any(|label| has(table, label)))
        .collect();
    let mut columns: Vec<String> = Vec::new();
    if tables.len() > 1 {
        columns.push("head(labels(node)) AS label".to_owned());
    }
    for table in &tables {
        let properties = || table.labels.iter().flat_map(|label| &label.properties);
        for key in &table.key {
            let property = properties()
                .find(|it| matches!(&it.source, PropertySource::Column(column) if column == key));
            let column = match property {
                Some(property) => {
                    let name = property.name.replace('`', "``");
                    format!("node.`{name}` AS `{name}`")
                }
                None => "elementId(node) AS element_id".to_owned(),
            };
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
    if columns.is_empty() {
        columns.push("elementId(node) AS element_id".to_owned());
    }
    columns.join(", ")
}

/// A JSON value as a Cypher literal.
fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(value) => write_text(text, value),
        Value::Array(values) => {
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_value(text, value);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (at, (name, value)) in entries.iter().enumerate() {
                text.push_str(if at == 0 { "`" } else { ", `" });
                text.push_str(&name.replace('`', "``"));
                text.push_str("`: ");
                write_value(text, value);
            }
            text.push('}');
        }
    }
}

fn write_text(text: &mut String, value: &str) {
    text.push('\'');
    for character in value.chars() {
        match character {
            '\'' | '\\' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_a_literal() {
        let value: Value =
            serde_json::from_str(r#"{"a b": [1, -2.5, true, null], "t": "it's \\ \"x\""}"#)
                .unwrap();
        let mut text = String::new();
        write_value(&mut text, &value);
        assert_eq!(text, r#"{`a b`: [1, -2.5, true, null], `t`: 'it\'s \\ "x"'}"#);
    }
}
