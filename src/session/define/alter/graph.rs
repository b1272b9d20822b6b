//! Property graphs over a table whose columns change: they know columns by position, and in texts by name.

use std::sync::Arc;

use crate::catalog::{
    Catalog, EdgeTable, ElementTable, PropertyGraph, PropertySource, Relation, RelationKind,
};
use crate::error::PgError;
use crate::planner::bind::sql::stored;
use crate::types::Oid;

/// Graphs with a table among their element tables.
pub(super) fn over(catalog: &Catalog, table: Oid) -> Vec<(Arc<Relation>, Arc<PropertyGraph>)> {
    let dependents = catalog.dependents(table).into_iter();
    dependents
        .filter_map(|relation| match &relation.kind {
            RelationKind::PropertyGraph(graph) => {
                let graph = Arc::clone(graph);
                Some((relation, graph))
            }
            _ => None,
        })
        .collect()
}

fn put(catalog: &mut Catalog, relation: &Relation, graph: PropertyGraph) {
    let kind = RelationKind::PropertyGraph(Arc::new(graph));
    catalog.put_relation(Relation { kind, ..relation.clone() });
}

/// Whether a graph cannot be without a column of one of its tables.
pub(super) fn uses(graph: &PropertyGraph, table: Oid, at: usize, name: &str) -> bool {
    let in_element = |element: &ElementTable| {
        element.relation == table
            && (element.key.contains(&at)
                || element.labels.iter().flat_map(|label| &label.properties).any(|property| {
                    match &property.source {
                        PropertySource::Column(column) | PropertySource::Open { column, .. } => {
                            *column == at
                        }
                        PropertySource::Expression(text) => stored::columns_in(text)
                            .is_ok_and(|names| names.iter().any(|n| n == name)),
                    }
                }))
    };
    let at_end = |edge: &EdgeTable| {
        [&edge.source, &edge.destination].into_iter().any(|end| {
            let vertex = graph.vertices.get(end.vertex).map(|vertex| vertex.relation);
            (edge.element.relation == table && end.edge_columns.contains(&at))
                || (vertex == Some(table) && end.vertex_columns.contains(&at))
        })
    };
    graph.elements().any(in_element) || graph.edges.iter().any(at_end)
}

/// The graph after a column of one of its tables that it does not use is gone.
pub(super) fn without_column(catalog: &mut Catalog, table: Oid, gone: usize) {
    let shift = |at: &mut usize| *at -= usize::from(*at > gone);
    for (relation, graph) in over(catalog, table) {
        let mut graph = graph.as_ref().clone();
        let vertices: Vec<Oid> = graph.vertices.iter().map(|vertex| vertex.relation).collect();
        let shift_element = |element: &mut ElementTable| {
            if element.relation != table {
                return;
            }
            element.key.iter_mut().for_each(shift);
            for property in element.labels.iter_mut().flat_map(|label| &mut label.properties) {
                if let PropertySource::Column(at) = &mut property.source {
                    shift(at);
                }
            }
        };
        graph.vertices.iter_mut().for_each(shift_element);
        for edge in &mut graph.edges {
            shift_element(&mut edge.element);
            let is_own = edge.element.relation == table;
            for end in [&mut edge.source, &mut edge.destination] {
                if is_own {
                    end.edge_columns.iter_mut().for_each(shift);
                }
                if vertices.get(end.vertex) == Some(&table) {
                    end.vertex_columns.iter_mut().for_each(shift);
                }
            }
        }
        put(catalog, &relation, graph);
    }
}

/// Texts of properties after a column has another name.
///
/// # Errors
/// `XX000` for a text that cannot be read: a defect.
pub(super) fn rename_column(
    catalog: &mut Catalog,
    table: Oid,
    from: &str,
    to: &str,
) -> Result<(), PgError> {
    for (relation, graph) in over(catalog, table) {
        let mut graph = graph.as_ref().clone();
        let edges = graph.edges.iter_mut().map(|edge| &mut edge.element);
        for element in graph.vertices.iter_mut().chain(edges).filter(|e| e.relation == table) {
            for property in element.labels.iter_mut().flat_map(|label| &mut label.properties) {
                if let PropertySource::Expression(text) = &mut property.source {
                    *text = stored::renamed(text, from, to)?;
                }
            }
        }
        put(catalog, &relation, graph);
    }
    Ok(())
}
