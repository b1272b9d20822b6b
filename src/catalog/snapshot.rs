//! Immutable snapshots of names: the cluster's (roles, databases) and one database's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::catalog::acl::{Acl, AclClass};
use crate::catalog::function::SqlFunction;
use crate::catalog::grants::Grants;
use crate::catalog::index_names::IndexNames;
use crate::catalog::object::{Database, Relation, Schema};
use crate::catalog::role::{Membership, Role, RoleSets};
use crate::catalog::user_type::UserType;
use crate::types::{Oid, TenantId};

/// A name with the schema it was given, both as stored (already folded).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// The schema, if one was written.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

/// What every database shares: roles and databases, and what was granted of them.
///
/// A change is made on a copy and takes effect when its transaction commits; see [`Cluster::merged`].
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Another one for each change.
    pub version: u64,
    /// By OID.
    pub roles: BTreeMap<Oid, Role>,
    /// By OID.
    pub databases: BTreeMap<Oid, Database>,
    /// By role and member.
    pub memberships: BTreeMap<(Oid, Oid), Membership>,
    /// ACLs of databases and parameters that are not the default ones.
    pub acls: BTreeMap<(AclClass, Oid), Acl>,
    /// Parameters that something was granted of, by OID.
    pub parameters: BTreeMap<Oid, Parameter>,
    /// `ALTER ROLE … SET`, `ALTER DATABASE … SET`: settings as (name, value), by database and role; 0 is any.
    pub settings: BTreeMap<(Oid, Oid), Vec<(String, String)>>,
    /// `COMMENT ON ROLE` and `ON DATABASE`.
    pub comments: BTreeMap<Oid, String>,
    /// The next OID to give, shared by all copies: never goes back.
    pub next_oid: NextOid,
    /// What follows from memberships, as far as somebody asked.
    pub(super) role_sets: RoleSets,
}

/// A configuration parameter with an ACL (`pg_parameter_acl`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// `pg_parameter_acl.oid`.
    pub oid: Oid,
    /// Its name, in lower case.
    pub name: String,
    /// The tenant in which the ACL holds.
    pub tenant: TenantId,
}

/// A counter of OIDs that all copies of a cluster share.
#[derive(Debug, Clone)]
pub struct NextOid(Arc<AtomicU32>);

/// Where the numbers of roles and databases begin that users make.
const FIRST_CLUSTER_OID: u32 = 16_400;

impl Default for NextOid {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(FIRST_CLUSTER_OID)))
    }
}

impl NextOid {
    /// Takes the next OID.
    pub fn take(&self) -> Oid {
        Oid(self.0.fetch_add(1, Ordering::Relaxed))
    }

    /// The OID that would be taken next.
    pub fn peek(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes sure that nothing below `oid` is given.
    pub fn at_least(&self, oid: u32) {
        self.0.fetch_max(oid, Ordering::Relaxed);
    }
}

/// A number for a changed catalog or cluster that no other one of the process has: what was worked out for one version
/// can never be taken for another's, be it one that was rolled back.
pub(super) fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(2);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Which definitions a catalog holds: the database's and the cluster's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CatalogStamp {
    /// [`Catalog::version`].
    pub objects: u64,
    /// [`Cluster::version`].
    pub cluster: u64,
}

/// One database's names. Cheap to clone: everything behind it is shared.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Another one for each change of the database's own objects; prepared plans are bound again when it or the
    /// cluster's moved, see [`Catalog::stamp`].
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
    /// Functions that `CREATE FUNCTION` made, by OID.
    pub functions: Arc<BTreeMap<Oid, Arc<SqlFunction>>>,
    /// Types that `CREATE TYPE` made, by OID.
    pub types: Arc<BTreeMap<Oid, Arc<UserType>>>,
    /// ACLs that are not the default ones, and default rights.
    pub grants: Arc<Grants>,
    /// The next OID to give; never goes back.
    pub next_oid: u32,
    /// Where its indexes are, as far as somebody asked.
    pub index_names: IndexNames,
}

impl Catalog {
    /// Which definitions it holds.
    pub fn stamp(&self) -> CatalogStamp {
        CatalogStamp { objects: self.version, cluster: self.cluster.version }
    }

    /// This catalog with another cluster.
    #[must_use]
    pub fn with_cluster(self: &Arc<Self>, cluster: &Arc<Cluster>) -> Arc<Self> {
        if self.cluster.version == cluster.version {
            return Arc::clone(self);
        }
        Arc::new(Self { cluster: Arc::clone(cluster), ..self.as_ref().clone() })
    }

    /// This catalog with other grants.
    #[must_use]
    pub fn with_grants(&self, grants: &Arc<Grants>) -> Self {
        Self { grants: Arc::clone(grants), version: next_version(), ..self.clone() }
    }

    /// The cluster, to be changed by this catalog's transaction.
    pub fn cluster_mut(&mut self) -> &mut Cluster {
        let cluster = Arc::make_mut(&mut self.cluster);
        cluster.version = next_version();
        cluster.role_sets = RoleSets::default();
        cluster
    }

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
