//! `pg_propgraph_element`, `_label`, `_element_label`, `_property`, `_label_property`: property
//! graphs as PostgreSQL 19 lists them. One walk over the same structure, so one file.
//!
//! ```text
//! element ◄── element_label ──► label
//!                  ▲
//!            label_property ──► property
//! ```

use std::collections::BTreeSet;

use super::batch::{Rows, row};
use super::derived_oid::graph_part;
use super::describe::quote_identifier;
use super::index_of::attnums;
use super::rows::{Source, SystemRowsError};
use super::type_facts;
use crate::catalog::Catalog;
use crate::catalog::graph::{
    EdgeTable, ElementLabel, ElementTable, EndPoint, HIDDEN_LABEL, PropertyDef, PropertyGraph,
    PropertySource,
};
use crate::catalog::object::{Column, RelationKind, Table};
use crate::types::Oid;

fn element_oid(graph: &PropertyGraph, element: &ElementTable) -> Oid {
    graph_part(graph.oid, "element", &[&element.alias])
}

fn label_oid(graph: &PropertyGraph, label: &str) -> Oid {
    graph_part(graph.oid, "label", &[label])
}

fn element_label_oid(graph: &PropertyGraph, element: &ElementTable, label: &ElementLabel) -> Oid {
    graph_part(graph.oid, "element label", &[&element.alias, &label.name])
}

fn property_oid(graph: &PropertyGraph, property: &str) -> Oid {
    graph_part(graph.oid, "property", &[property])
}

fn graphs(catalog: &Catalog) -> impl Iterator<Item = &PropertyGraph> {
    catalog.relations.values().filter_map(|relation| match &relation.kind {
        RelationKind::PropertyGraph(graph) => Some(graph.as_ref()),
        RelationKind::Table(_)
        | RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::Sequence(_)
        | RelationKind::System(_) => None,
    })
}

pub(super) fn element_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for graph in graphs(source.catalog) {
        for vertex in &graph.vertices {
            push_element(source.catalog, out, graph, vertex, None)?;
        }
        for edge in &graph.edges {
            push_element(source.catalog, out, graph, &edge.element, Some(edge))?;
        }
    }
    Ok(())
}

fn push_element(
    catalog: &Catalog,
    out: &mut Rows,
    graph: &PropertyGraph,
    element: &ElementTable,
    edge: Option<&EdgeTable>,
) -> Result<(), SystemRowsError> {
    let table = catalog.relation(element.relation).and_then(|relation| relation.table());
    let numbers = |columns: &[usize]| table.map_or_else(Vec::new, |table| attnums(table, columns));
    let end = |choose: fn(&EdgeTable) -> &EndPoint| {
        edge.map(choose).map(|end| End::of(catalog, graph, table.map(AsRef::as_ref), end))
    };
    let source = end(|edge| &edge.source);
    let destination = end(|edge| &edge.destination);
    let vertex = |end: &Option<End>| end.as_ref().map_or(Oid::INVALID, |end| end.vertex);
    row!(out,
        oid: element_oid(graph, element),
        pgepgid: graph.oid,
        pgerelid: element.relation,
        pgealias: element.alias.as_str(),
        pgekind: if edge.is_some() { 'e' } else { 'v' },
        pgesrcvertexid: vertex(&source),
        pgedestvertexid: vertex(&destination),
        pgekey: numbers(&element.key),
        pgesrckey: source.as_ref().map(|end| end.key.clone()),
        pgesrcref: source.as_ref().map(|end| end.referenced.clone()),
        pgesrceqop: source.map(|end| end.operators),
        pgedestkey: destination.as_ref().map(|end| end.key.clone()),
        pgedestref: destination.as_ref().map(|end| end.referenced.clone()),
        pgedesteqop: destination.map(|end| end.operators),
    );
    Ok(())
}

/// One end of an edge in the catalog's numbers.
struct End {
    vertex: Oid,
    key: Vec<i16>,
    referenced: Vec<i16>,
    operators: Vec<Oid>,
}

impl End {
    fn of(catalog: &Catalog, graph: &PropertyGraph, edge: Option<&Table>, end: &EndPoint) -> Self {
        let vertex = graph.vertices.get(end.vertex);
        let target = vertex
            .and_then(|vertex| catalog.relation(vertex.relation))
            .and_then(|relation| relation.table());
        let column = |table: Option<&Table>, position: usize| -> Option<Column> {
            table.and_then(|table| table.columns.get(position)).cloned()
        };
        let pairs = end.edge_columns.iter().zip(&end.vertex_columns).filter_map(|(from, to)| {
            Some((column(edge, *from)?, column(target.map(AsRef::as_ref), *to)?))
        });
        let mut this = Self {
            vertex: vertex.map_or(Oid::INVALID, |vertex| element_oid(graph, vertex)),
            key: Vec::new(),
            referenced: Vec::new(),
            operators: Vec::new(),
        };
        for (from, to) in pairs {
            this.key.push(from.attnum);
            this.referenced.push(to.attnum);
            this.operators.push(type_facts::equality_operator(&to.ty, &from.ty));
        }
        this
    }
}

pub(super) fn label_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for graph in graphs(source.catalog) {
        let labels: BTreeSet<&str> =
            graph.elements().flat_map(|element| element.label_names()).collect();
        for label in labels {
            row!(out, oid: label_oid(graph, label), pglpgid: graph.oid, pgllabel: label);
        }
    }
    Ok(())
}

pub(super) fn element_label_rows(
    source: &Source<'_>,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    for graph in graphs(source.catalog) {
        for element in graph.elements() {
            for label in shown_labels(element) {
                row!(out,
                    oid: element_label_oid(graph, element, label),
                    pgellabelid: label_oid(graph, &label.name),
                    pgelelid: element_oid(graph, element),
                );
            }
        }
    }
    Ok(())
}

pub(super) fn property_rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for graph in graphs(source.catalog) {
        let mut seen = BTreeSet::new();
        for property in properties(graph) {
            if !seen.insert(property.name.as_str()) {
                continue;
            }
            row!(out,
                oid: property_oid(graph, &property.name),
                pgppgid: graph.oid,
                pgpname: property.name.as_str(),
                pgptypid: Oid(property.ty.oid()),
                pgptypmod: property.ty.typmod(),
                pgpcollation: type_facts::facts(&property.ty).collation,
            );
        }
    }
    Ok(())
}

/// The labels of an element that it has for its users.
fn shown_labels(element: &ElementTable) -> impl Iterator<Item = &ElementLabel> {
    element.labels.iter().filter(|label| label.name != HIDDEN_LABEL)
}

fn properties(graph: &PropertyGraph) -> impl Iterator<Item = &PropertyDef> {
    graph.elements().flat_map(|element| &element.labels).flat_map(|label| &label.properties)
}

pub(super) fn label_property_rows(
    source: &Source<'_>,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    for graph in graphs(source.catalog) {
        for element in graph.elements() {
            let table = source.catalog.relation(element.relation).and_then(|r| r.table());
            for label in shown_labels(element) {
                for property in &label.properties {
                    let names = [element.alias.as_str(), &label.name, &property.name];
                    row!(out,
                        oid: graph_part(graph.oid, "label property", &names),
                        plppropid: property_oid(graph, &property.name),
                        plpellabelid: element_label_oid(graph, element, label),
                        plpexpr: expression(table.map(AsRef::as_ref), property),
                    );
                }
            }
        }
    }
    Ok(())
}

/// The SQL text of a property's value.
fn expression(table: Option<&Table>, property: &PropertyDef) -> String {
    match &property.source {
        PropertySource::Expression(text) => text.clone(),
        PropertySource::Column(position) | PropertySource::Open { column: position, .. } => table
            .and_then(|table| table.columns.get(*position))
            .map_or_else(String::new, |column| quote_identifier(&column.name)),
    }
}
