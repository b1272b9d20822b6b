//! Immutable snapshots of names: the cluster's (roles, databases) and one database's.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::object::{Database, Relation, Role, Schema};
use crate::types::Oid;

/// A name with the schema it was given, both as stored (already folded).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// The schema, if one was written.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

/// What every database shares: roles and databases.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// By OID.
    pub roles: BTreeMap<Oid, Role>,
    /// By OID.
    pub databases: BTreeMap<Oid, Database>,
}

/// One database's names. Cheap to clone: everything behind it is shared.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Grows with each change; prepared plans are bound again when it moved.
    pub version: u64,
    /// The database.
    pub database: Arc<Database>,
    /// The cluster's roles and databases at this version.
    pub cluster: Arc<Cluster>,
    /// By OID.
    pub schemas: Arc<BTreeMap<Oid, Schema>>,
    /// By OID.
    pub relations: Arc<BTreeMap<Oid, Arc<Relation>>>,
    /// (schema, name) to relation.
    pub names: Arc<BTreeMap<(Oid, String), Oid>>,
    /// `COMMENT ON` what is neither a relation nor a column, by OID: schemas, constraints, the database, …
    pub comments: Arc<BTreeMap<Oid, String>>,
    /// The next OID to give; never goes back.
    pub next_oid: u32,
}

impl Catalog {
    /// The schema of this name.
    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas.values().find(|schema| schema.name == name)
    }

    /// A relation by OID.
    pub fn relation(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(&oid)
    }

    /// A relation by schema and name.
    pub fn relation_in(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        let oid = self.names.get(&(schema, name.to_owned()))?;
        self.relations.get(oid)
    }

    /// Resolves a name: in the schema it names, else along the search path (`pg_catalog` first unless listed).
    pub fn resolve(&self, name: &QualifiedName, search_path: &[String]) -> Option<&Arc<Relation>> {
        if let Some(schema) = &name.schema {
            return self.relation_in(self.schema(schema)?.oid, &name.name);
        }
        let implicit =
            (!search_path.iter().any(|schema| schema == "pg_catalog")).then_some("pg_catalog");
        implicit
            .into_iter()
            .chain(search_path.iter().map(String::as_str))
            .filter_map(|schema| self.schema(schema))
            .find_map(|schema| self.relation_in(schema.oid, &name.name))
    }
}

impl std::fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
