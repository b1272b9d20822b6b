//! Which tables the indexes of a catalog are on, worked out once for a set of relations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Catalog, Relation};
use crate::types::Oid;

type Relations = Arc<BTreeMap<Oid, Arc<Relation>>>;

/// What was worked out already, and for which relations: others are never taken for them, as they are kept with it.
#[derive(Debug, Default)]
pub struct IndexNames(Mutex<Option<(Relations, Arc<Known>)>>);

#[derive(Debug, Default)]
struct Known {
    /// Index to table.
    tables: HashMap<Oid, Oid>,
    /// Schema and name to index.
    names: HashMap<Oid, HashMap<String, Oid>>,
}

impl Clone for IndexNames {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().clone()))
    }
}

impl Catalog {
    /// The table that an index is on.
    pub(super) fn table_of_index(&self, index: Oid) -> Option<&Arc<Relation>> {
        self.relation(*self.known_indexes().tables.get(&index)?)
    }

    /// The index of this name in a schema.
    pub(super) fn index_in(&self, schema: Oid, name: &str) -> Option<Oid> {
        self.known_indexes().names.get(&schema)?.get(name).copied()
    }

    fn known_indexes(&self) -> Arc<Known> {
        let mut held = self.index_names.0.lock();
        if let Some((relations, known)) = held.as_ref()
            && Arc::ptr_eq(relations, &self.relations)
        {
            return Arc::clone(known);
        }
        let mut known = Known::default();
        for index in super::pg::index_names(self) {
            known.tables.insert(index.oid, index.table);
            known.names.entry(index.schema).or_default().insert(index.name.to_owned(), index.oid);
        }
        let known = Arc::new(known);
        *held = Some((Arc::clone(&self.relations), Arc::clone(&known)));
        known
    }
}
