//! Constraints and indexes on labels of open graphs.
//!
//! They are kept with the graph; the tables of partitions whose rows a constraint is about are marked with the graph's
//! number, so that writes to any other table need not ask.

use std::sync::Arc;

use super::graph::{LabelRule, PropertyGraph};
use super::object::{Relation, RelationKind};
use super::snapshot::Catalog;
use crate::types::Oid;

impl Catalog {
    /// The graph of this number.
    pub fn graph(&self, oid: Oid) -> Option<&Arc<PropertyGraph>> {
        match self.relation(oid).map(|relation| &relation.kind) {
            Some(RelationKind::PropertyGraph(graph)) => Some(graph),
            _ => None,
        }
    }

    /// Gives an open graph other constraints and indexes, and marks the partitions that they are about.
    pub fn set_label_rules(&mut self, relation: &Relation, rules: Vec<LabelRule>) {
        let Some(known) = self.graph(relation.oid) else { return };
        let graph = PropertyGraph { label_rules: rules, ..known.as_ref().clone() };
        let vertices = graph.vertices.iter().map(|element| (element, false));
        let edges = graph.edges.iter().map(|edge| (&edge.element, true));
        for (element, edge) in vertices.chain(edges) {
            let is_ruled = graph.constraints_on(element, edge).next().is_some();
            let Some(partition) = self.relation(element.relation).cloned() else { continue };
            let Some(table) = partition.table() else { continue };
            let ruled_by = is_ruled.then_some(graph.oid);
            if table.ruled_by != ruled_by {
                let mut table = table.as_ref().clone();
                table.ruled_by = ruled_by;
                self.put_relation(partition.with_table(table));
            }
        }
        let kind = RelationKind::PropertyGraph(Arc::new(graph));
        self.put_relation(Relation { kind, ..relation.clone() });
    }
}
