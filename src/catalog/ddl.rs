//! Changes of a catalog: each gives a new snapshot and leaves the old one as it is.

use std::sync::Arc;

use crate::catalog::acl::AclClass;
use crate::catalog::object::{ColumnDefault, ConstraintKind, Relation, RelationKind, Schema};
use crate::catalog::snapshot::{Catalog, next_version};
use crate::catalog::stored_text;
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
        self.version = next_version();
    }

    /// Removes a schema; what is in it must be gone already.
    pub fn remove_schema(&mut self, oid: Oid) {
        Arc::make_mut(&mut self.schemas).remove(&oid);
        self.forget_grants(AclClass::Schema, oid);
        self.version = next_version();
    }

    /// Adds a relation, or replaces the one with its OID.
    pub fn put_relation(&mut self, relation: Relation) {
        let names = Arc::make_mut(&mut self.names);
        if let Some(old) = self.relations.get(&relation.oid) {
            names.remove(&(old.schema, old.name.clone()));
        }
        names.insert((relation.schema, relation.name.clone()), relation.oid);
        Arc::make_mut(&mut self.relations).insert(relation.oid, Arc::new(relation));
        self.version = next_version();
    }

    /// Removes a relation.
    pub fn remove_relation(&mut self, oid: Oid) {
        if let Some(old) = Arc::make_mut(&mut self.relations).remove(&oid) {
            Arc::make_mut(&mut self.names).remove(&(old.schema, old.name.clone()));
        }
        self.forget_grants(AclClass::Table, oid);
        self.version = next_version();
    }

    /// Puts a comment on what is neither a relation nor a column, or (`None`) takes it away.
    pub fn set_comment(&mut self, object: Oid, text: Option<String>) {
        let comments = Arc::make_mut(&mut self.comments);
        match text {
            Some(text) => comments.insert(object, text),
            None => comments.remove(&object),
        };
        self.version = next_version();
    }

    /// Whether a table, view, sequence or index of this schema has the name.
    pub fn name_is_taken(&self, schema: Oid, name: &str) -> bool {
        self.relation_in(schema, name).is_some() || self.index_named(schema, name).is_some()
    }

    /// The table with an index of this name, among them those behind constraints; and the index's OID.
    pub fn index_named(&self, schema: Oid, name: &str) -> Option<(&Arc<Relation>, Oid)> {
        self.relations.values().filter(|relation| relation.schema == schema).find_map(|relation| {
            let table = relation.table()?;
            let constraints = table
                .constraints
                .iter()
                .filter_map(|constraint| Some((constraint.name.as_str(), constraint.index()?)));
            let indexes = table.indexes.iter().map(|index| (index.name.as_str(), index.oid));
            let found = constraints.chain(indexes).find(|(known, _)| *known == name);
            found.map(|(_, oid)| (relation, oid))
        })
    }

    /// Sequences that go with a column of a table, or with any of its columns.
    pub fn sequences_of(&self, table: Oid, attnum: Option<i16>) -> Vec<Arc<Relation>> {
        let is_owned = |relation: &&Arc<Relation>| {
            relation.sequence().and_then(|sequence| sequence.owner).is_some_and(|owner| {
                owner.table == table && attnum.is_none_or(|attnum| attnum == owner.attnum)
            })
        };
        self.relations.values().filter(is_owned).cloned().collect()
    }

    /// Relations that cannot be without this one: views over it, graphs with it, tables with a foreign
    /// key to it or a default that names it.
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
        RelationKind::PropertyGraph(graph) => {
            graph.elements().any(|element| element.relation == oid)
        }
        RelationKind::Table(table) => {
            let refers = table.constraints.iter().any(|constraint| {
                matches!(&constraint.kind, ConstraintKind::ForeignKey { referenced, .. } if *referenced == oid)
            });
            refers
                || table.policies_read(oid)
                || table.columns.iter().any(|column| match &column.default {
                    Some(ColumnDefault::Expression(text) | ColumnDefault::Generated(text)) => {
                        stored_text::relations_in(text).contains(&oid)
                    }
                    Some(ColumnDefault::Identity { .. }) | None => false,
                })
        }
        RelationKind::System(_) => false,
    }
}
