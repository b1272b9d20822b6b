//! What was granted in a database: ACLs that are not the default ones, and what new objects are born with.
//!
//! An object without an entry here has the ACL that PostgreSQL gives it when its column in the catalog is null.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::acl::{Acl, AclClass, PUBLIC, Rights};
use crate::catalog::object::{Relation, RelationKind};
use crate::catalog::pg::{GRAPHWIRE_OID, INFORMATION_SCHEMA_OID, PG_CATALOG_OID, PUBLIC_OID};
use crate::catalog::predefined::predefined_role::{READ_ALL_DATA, WRITE_ALL_DATA};
use crate::catalog::role::RoleSet;
use crate::catalog::snapshot::{Catalog, next_version};
use crate::types::Oid;

/// All that was granted in a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// By class and OID; relations of every kind stand under [`AclClass::Table`].
    pub objects: BTreeMap<(AclClass, Oid), Acl>,
    /// By table and `attnum`.
    pub columns: BTreeMap<(Oid, i16), Acl>,
    /// By OID.
    pub defaults: BTreeMap<Oid, DefaultRights>,
    /// Rights on parts of graphs, by graph.
    pub graph_rules: BTreeMap<Oid, Vec<GraphRule>>,
}

/// A right on the elements of a graph that have a label, given to a role or denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphRule {
    /// Whose; [`PUBLIC`] is everybody.
    pub role: Oid,
    /// Denied, rather than given.
    pub deny: bool,
    /// What.
    pub right: GraphRight,
    /// Of edges, rather than vertices.
    pub edges: bool,
    /// With this label; `None` is any.
    pub label: Option<String>,
    /// This property; `None` is all.
    pub property: Option<String>,
}

/// What may be done with elements of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GraphRight {
    /// Find them.
    Traverse,
    /// Read properties.
    Read,
    /// Add them.
    Create,
    /// Remove them.
    Delete,
    /// Change properties.
    Set,
}

/// `ALTER DEFAULT PRIVILEGES`: what objects of a kind are born with that a role makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRights {
    /// `pg_default_acl.oid`.
    pub oid: Oid,
    /// Who makes them.
    pub role: Oid,
    /// In which schema; 0 is any.
    pub schema: Oid,
    /// What they are.
    pub class: AclClass,
    /// Their ACL; with a schema, what is added to it.
    pub acl: Acl,
}

/// The class of a relation's rights.
pub fn class_of(relation: &Relation) -> AclClass {
    match &relation.kind {
        RelationKind::Table(_)
        | RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::System(_) => AclClass::Table,
        RelationKind::Sequence(_) => AclClass::Sequence,
        RelationKind::PropertyGraph(_) => AclClass::Graph,
    }
}

/// Relations of `pg_catalog` that only superusers may read.
const SECRET: &[&str] = &[
    "pg_authid",
    "pg_backend_memory_contexts",
    "pg_config",
    "pg_file_settings",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_largeobject",
    "pg_replication_origin_status",
    "pg_shadow",
    "pg_shmem_allocations",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_subscription",
    "pg_user_mapping",
];

/// Relations of `pg_catalog` that members of `pg_read_all_stats` may read.
const STATISTICS: &[&str] = &["pg_backend_memory_contexts", "pg_shmem_allocations"];
const READ_ALL_STATS: Oid = Oid(3375);

impl Catalog {
    /// The ACL of an object, the default one where none was stored.
    pub fn acl(&self, class: AclClass, oid: Oid, owner: Oid) -> Acl {
        self.stored_acl(class, oid).unwrap_or_else(|| class.default_acl(owner))
    }

    /// The ACL of an object as its column in the system catalog shows it: `None` where it is the default one.
    ///
    /// A relation of any kind is asked for by [`AclClass::Table`].
    pub fn stored_acl(&self, class: AclClass, oid: Oid) -> Option<Acl> {
        match class {
            AclClass::Database | AclClass::Parameter => {
                self.cluster.acls.get(&(class, oid)).cloned()
            }
            AclClass::Table | AclClass::Sequence | AclClass::Graph => {
                let stored = self.grants.objects.get(&(AclClass::Table, oid)).cloned();
                stored.or_else(|| system_relation_acl(self.relation(oid)?))
            }
            AclClass::Schema => {
                let stored = self.grants.objects.get(&(class, oid)).cloned();
                stored.or_else(|| system_schema_acl(oid, self.schemas.get(&oid)?.owner))
            }
            _ => self.grants.objects.get(&(class, oid)).cloned(),
        }
    }

    /// The ACL of a relation.
    pub fn relation_acl(&self, relation: &Relation) -> Acl {
        let stored = self.stored_acl(AclClass::Table, relation.oid);
        stored.unwrap_or_else(|| class_of(relation).default_acl(relation.owner))
    }

    /// Stores an object's ACL, or (`None`) goes back to the default one.
    pub fn set_acl(&mut self, class: AclClass, oid: Oid, acl: Option<Acl>) {
        let class = match class {
            AclClass::Sequence | AclClass::Graph => AclClass::Table,
            other => other,
        };
        if matches!(class, AclClass::Database | AclClass::Parameter) {
            let acls = &mut self.cluster_mut().acls;
            match acl {
                Some(acl) => acls.insert((class, oid), acl),
                None => acls.remove(&(class, oid)),
            };
            return;
        }
        let objects = &mut Arc::make_mut(&mut self.grants).objects;
        match acl {
            Some(acl) => objects.insert((class, oid), acl),
            None => objects.remove(&(class, oid)),
        };
        self.version = next_version();
    }

    /// Stores a column's ACL; an empty one is as good as none.
    pub fn set_column_acl(&mut self, table: Oid, attnum: i16, acl: Acl) {
        let columns = &mut Arc::make_mut(&mut self.grants).columns;
        match acl.0.is_empty() {
            true => columns.remove(&(table, attnum)),
            false => columns.insert((table, attnum), acl),
        };
        self.version = next_version();
    }

    /// Rights on parts of a graph.
    pub fn graph_rules(&self, graph: Oid) -> &[GraphRule] {
        self.grants.graph_rules.get(&graph).map_or(&[], Vec::as_slice)
    }

    /// Whether there are rights on parts of any graph.
    pub fn has_graph_rules(&self) -> bool {
        !self.grants.graph_rules.is_empty()
    }

    /// Stores the rights on parts of a graph.
    pub fn set_graph_rules(&mut self, graph: Oid, rules: Vec<GraphRule>) {
        let all = &mut Arc::make_mut(&mut self.grants).graph_rules;
        match rules.is_empty() {
            true => all.remove(&graph),
            false => all.insert(graph, rules),
        };
        self.version = next_version();
    }

    /// Stores default rights, or (`None`) forgets them.
    pub fn set_default_rights(&mut self, oid: Oid, rights: Option<DefaultRights>) {
        let defaults = &mut Arc::make_mut(&mut self.grants).defaults;
        match rights {
            Some(rights) => defaults.insert(oid, rights),
            None => defaults.remove(&oid),
        };
        self.version = next_version();
    }

    /// ACLs of a table's columns, by `attnum`.
    pub fn column_acls(&self, table: Oid) -> impl Iterator<Item = (i16, &Acl)> {
        let range = (table, i16::MIN)..=(table, i16::MAX);
        self.grants.columns.range(range).map(|((_, attnum), acl)| (*attnum, acl))
    }

    /// Forgets what was granted of an object that goes, its columns included.
    pub(super) fn forget_grants(&mut self, class: AclClass, oid: Oid) {
        let columns: Vec<i16> = match class {
            AclClass::Table => self.column_acls(oid).map(|(attnum, _)| attnum).collect(),
            _ => Vec::new(),
        };
        let has_defaults = class == AclClass::Schema
            && self.grants.defaults.values().any(|rights| rights.schema == oid);
        let has_rules = self.grants.graph_rules.contains_key(&oid);
        if columns.is_empty()
            && !has_rules
            && !has_defaults
            && !self.grants.objects.contains_key(&(class, oid))
        {
            return;
        }
        let grants = Arc::make_mut(&mut self.grants);
        grants.objects.remove(&(class, oid));
        grants.graph_rules.remove(&oid);
        if class == AclClass::Schema {
            grants.defaults.retain(|_, rights| rights.schema != oid);
        }
        for attnum in columns {
            grants.columns.remove(&(oid, attnum));
        }
    }

    /// The rights a role has on an object as a whole, by the ACL and as its owner; a superuser has all.
    pub fn rights(&self, class: AclClass, oid: Oid, owner: Oid, role: &RoleSet) -> Rights {
        if role.superuser {
            return Rights(u32::MAX);
        }
        self.acl(class, oid, owner).rights_of(|grantee| role.inherits(grantee))
    }

    /// The rights a role has on a relation as a whole.
    pub fn relation_rights(&self, relation: &Relation, role: &RoleSet) -> Rights {
        if role.superuser {
            return Rights(u32::MAX);
        }
        self.relation_acl(relation).rights_of(|grantee| role.inherits(grantee))
    }

    /// The rights a role has on a schema; a session may do all in its own temporary one.
    pub fn schema_rights(&self, schema: Oid, role: &RoleSet) -> Rights {
        let Some(found) = self.schemas.get(&schema) else { return Rights::NONE };
        let rights = self.rights(AclClass::Schema, schema, found.owner, role);
        let sees_all = role.inherits(READ_ALL_DATA) || role.inherits(WRITE_ALL_DATA);
        if sees_all { rights.or(Rights::USAGE) } else { rights }
    }
}

pub(in crate::catalog) fn system_relation_acl(relation: &Relation) -> Option<Acl> {
    let is_system = relation.oid < Oid::FIRST_NORMAL
        && [PG_CATALOG_OID, INFORMATION_SCHEMA_OID, GRAPHWIRE_OID].contains(&relation.schema);
    if !is_system {
        return None;
    }
    let name = relation.name.as_str();
    let owner = relation.owner;
    let in_catalog = relation.schema == PG_CATALOG_OID;
    let secret = in_catalog && SECRET.contains(&name);
    let statistics = in_catalog && STATISTICS.contains(&name);
    let mut acl = class_of(relation).default_acl(owner);
    if statistics {
        acl.grant(READ_ALL_STATS, owner, Rights::SELECT, false);
    }
    if !secret {
        acl.grant(PUBLIC, owner, Rights::SELECT, false);
        if in_catalog && name == "pg_settings" {
            acl.grant(PUBLIC, owner, Rights::UPDATE, false);
        }
    }
    Some(acl)
}

/// As `initdb` leaves them: everybody may use them, and nobody but the owner may make things in them.
pub(in crate::catalog) fn system_schema_acl(oid: Oid, owner: Oid) -> Option<Acl> {
    if ![PUBLIC_OID, PG_CATALOG_OID, INFORMATION_SCHEMA_OID, GRAPHWIRE_OID].contains(&oid) {
        return None;
    }
    let mut acl = AclClass::Schema.default_acl(owner);
    acl.grant(PUBLIC, owner, Rights::USAGE, false);
    Some(acl)
}
