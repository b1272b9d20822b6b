//! Property graphs as the statement that makes them.

use super::definition::column_list;
use super::name::{qualified_relation_name, quote_identifier, schema_and_name};
use crate::catalog::Catalog;
use crate::catalog::graph::{
    EdgeTable, ElementLabel, ElementTable, EndPoint, PropertyDef, PropertyGraph, PropertySource,
};
use crate::catalog::object::{RelationKind, Table};
use crate::types::Oid;

/// `pg_get_propgraphdef`: a CREATE PROPERTY GRAPH statement; `None` for other relations.
pub fn property_graph_definition(catalog: &Catalog, oid: Oid) -> Option<String> {
    let RelationKind::PropertyGraph(graph) = &catalog.relation(oid)?.kind else { return None };
    let mut text = format!("CREATE PROPERTY GRAPH {}", qualified_relation_name(catalog, oid)?);
    let vertices = graph.vertices.iter().map(|vertex| element(catalog, vertex, ""));
    section(&mut text, "VERTEX", vertices.collect());
    let edges = graph.edges.iter().map(|table| edge(catalog, graph, table));
    section(&mut text, "EDGE", edges.collect());
    Some(text)
}

fn section(text: &mut String, kind: &str, tables: Vec<String>) {
    if !tables.is_empty() {
        text.push_str(&format!("\n    {kind} TABLES (\n        "));
        text.push_str(&tables.join(",\n        "));
        text.push_str("\n    )");
    }
}

fn edge(catalog: &Catalog, graph: &PropertyGraph, edge: &EdgeTable) -> String {
    let table = stored(catalog, edge.element.relation);
    let end = |word: &str, end: &EndPoint| {
        let vertex = graph.vertices.get(end.vertex);
        let alias = vertex.map_or_else(String::new, |vertex| quote_identifier(&vertex.alias));
        let target = vertex.and_then(|vertex| stored(catalog, vertex.relation));
        format!(
            " {word} KEY ({}) REFERENCES {alias} ({})",
            column_list(table, &end.edge_columns),
            column_list(target, &end.vertex_columns),
        )
    };
    let ends = end("SOURCE", &edge.source) + &end("DESTINATION", &edge.destination);
    element(catalog, &edge.element, &ends)
}

fn element(catalog: &Catalog, element: &ElementTable, ends: &str) -> String {
    let table = stored(catalog, element.relation);
    let name = schema_and_name(catalog, element.relation).map_or("?", |(_, name)| name);
    let mut text = quote_identifier(name);
    if name != element.alias {
        text.push_str(&format!(" AS {}", quote_identifier(&element.alias)));
    }
    text.push_str(&format!(" KEY ({}){ends}", column_list(table, &element.key)));
    let is_default = matches!(element.labels.as_slice(), [only] if only.name == element.alias);
    for label in &element.labels {
        if !is_default {
            text.push_str(&format!(" LABEL {}", quote_identifier(&label.name)));
        }
        text.push_str(&properties(table, label));
    }
    text
}

fn properties(table: Option<&Table>, label: &ElementLabel) -> String {
    if label.properties.is_empty() {
        return " NO PROPERTIES".to_owned();
    }
    let list: Vec<String> = label.properties.iter().map(|def| property(table, def)).collect();
    format!(" PROPERTIES ({})", list.join(", "))
}

fn property(table: Option<&Table>, property: &PropertyDef) -> String {
    let name = quote_identifier(&property.name);
    let value = match &property.source {
        PropertySource::Column(position) | PropertySource::Open { column: position, .. } => {
            column_list(table, &[*position])
        }
        PropertySource::Expression(text) => text.clone(),
    };
    if value == name { name } else { format!("{value} AS {name}") }
}

fn stored(catalog: &Catalog, oid: Oid) -> Option<&Table> {
    catalog.relation(oid).and_then(|relation| relation.table()).map(AsRef::as_ref)
}
