//! Changes of a catalog: each gives a new snapshot and leaves the old one as it is.

use std::sync::Arc;

use crate::catalog::object::{ConstraintKind, Relation, RelationKind, Schema};
use crate::catalog::snapshot::Catalog;
use crate::types::Oid;

impl Catalog {
    /// Takes the next OID.
    pub fn allocate(&mut self) -> Oid {
        let oid = Oid(self.next_oid);
        self.next_oid += 1;
        oid
    }

    /// Adds or replaces a schema.
    pub fn put_schema(&mut self, schema: Schema) {
        Arc::make_mut(&mut self.schemas).insert(schema.oid, schema);
        self.version += 1;
    }

    /// Removes a schema; what is in it must be gone already.
    pub fn remove_schema(&mut self, oid: Oid) {
        Arc::make_mut(&mut self.schemas).remove(&oid);
        self.version += 1;
    }

    /// Adds a relation, or replaces the one with its OID.
    pub fn put_relation(&mut self, relation: Relation) {
        let names = Arc::make_mut(&mut self.names);
        if let Some(old) = self.relations.get(&relation.oid) {
            names.remove(&(old.schema, old.name.clone()));
        }
        names.insert((relation.schema, relation.name.clone()), relation.oid);
        Arc::make_mut(&mut self.relations).insert(relation.oid, Arc::new(relation));
        self.version += 1;
    }

    /// Removes a relation.
    pub fn remove_relation(&mut self, oid: Oid) {
        if let Some(old) = Arc::make_mut(&mut self.relations).remove(&oid) {
            Arc::make_mut(&mut self.names).remove(&(old.schema, old.name.clone()));
        }
        self.version += 1;
    }

    /// Relations that cannot be without this one: views over it, graphs with it, tables with a foreign key to it.
    pub fn dependents(&self, oid: Oid) -> Vec<Arc<Relation>> {
        self.relations
            .values()
            .filter(|relation| relation.oid != oid && depends_on(relation, oid))
            .cloned()
            .collect()
    }
}

fn depends_on(relation: &Relation, oid: Oid) -> bool {
    match &relation.kind {
        RelationKind::View(view) => view.reads(oid),
        RelationKind::MaterializedView(view) => view.view.reads(oid),
        RelationKind::Sequence(_) => false,
        RelationKind::PropertyGraph(graph) => graph.elements().any(|element| element.relation == oid),
        RelationKind::Table(table) => table.constraints.iter().any(|constraint| {
            matches!(&constraint.kind, ConstraintKind::ForeignKey { referenced, .. } if *referenced == oid)
        }),
        RelationKind::System(_) => false,
    }
}
