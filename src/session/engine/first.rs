//! What a tenant starts with: its roles, its databases, and the schemas and system relations of each.

use std::sync::Arc;

use crate::catalog::{
    Catalog, Cluster, Database, Persistence, Relation, RelationKind, Role, Schema, Table,
};
use crate::session::tenancy::Tenant;
use crate::types::{Oid, TenantId};

/// OID of the role that owns the system (`BOOTSTRAP_SUPERUSERID`).
pub const SYSTEM_ROLE: Oid = Oid(10);

/// Its name.
pub(in crate::session) const SYSTEM_ROLE_NAME: &str = "graphwire";

/// The first database of a tenant.
pub(in crate::session) const GRAPHWIRE_DATABASE: Oid = Oid(16_384);

const POSTGRES_DATABASE: Oid = Oid(5);

/// Where the numbers of the objects begin that users make.
pub(super) const FIRST_USER_OID: u32 = 16_400;

/// The system views are numbered from here on at each start; they are not stored, so users' objects stand above them.
const FIRST_SYSTEM_OID: u32 = 15_000;

/// The roles and databases of a new tenant; in the system's own there is somebody who can log in.
pub(super) fn first_cluster(tenant: &Tenant, verifier: Option<String>) -> Cluster {
    let is_system = tenant.id == TenantId::SYSTEM;
    let mut cluster = Cluster::default();
    let system = Role {
        superuser: true,
        login: is_system,
        create_role: true,
        create_db: true,
        replication: true,
        bypass_rls: true,
        verifier,
        ..Role::new(SYSTEM_ROLE, "graphwire", TenantId::SYSTEM)
    };
    cluster.roles.insert(SYSTEM_ROLE, system);
    let databases = match is_system {
        true => vec![
            (GRAPHWIRE_DATABASE, "graphwire".to_owned()),
            (POSTGRES_DATABASE, "postgres".to_owned()),
        ],
        false => vec![(GRAPHWIRE_DATABASE, tenant.name())],
    };
    for (oid, name) in databases {
        let database = Database {
            oid,
            name,
            tenant: TenantId::SYSTEM,
            owner: SYSTEM_ROLE,
            connection_limit: -1,
            is_template: false,
            allow_connections: true,
        };
        cluster.databases.insert(oid, database);
    }
    cluster
}

/// The schemas and system relations every database has.
pub(super) fn first_catalog(database: &Database, cluster: &Arc<Cluster>) -> Catalog {
    use crate::catalog::pg;
    let mut catalog = Catalog {
        version: 1,
        database: Arc::new(database.clone()),
        cluster: Arc::clone(cluster),
        schemas: Arc::default(),
        relations: Arc::default(),
        names: Arc::default(),
        comments: Arc::default(),
        functions: Arc::default(),
        types: Arc::default(),
        grants: Arc::default(),
        index_names: Default::default(),
        next_oid: FIRST_SYSTEM_OID,
    };
    for (oid, name, owner) in [
        (pg::PG_CATALOG_OID, "pg_catalog", SYSTEM_ROLE),
        (pg::PUBLIC_OID, "public", pg::DATABASE_OWNER_ROLE),
        (pg::INFORMATION_SCHEMA_OID, "information_schema", SYSTEM_ROLE),
        (pg::GRAPHWIRE_OID, "graphwire", SYSTEM_ROLE),
    ] {
        catalog.put_schema(Schema { oid, name: name.to_owned(), owner });
    }
    for relation in pg::system_relations() {
        catalog.put_relation(Relation {
            oid: relation.oid,
            schema: match relation.schema {
                "pg_catalog" => pg::PG_CATALOG_OID,
                "graphwire" => pg::GRAPHWIRE_OID,
                _ => pg::INFORMATION_SCHEMA_OID,
            },
            name: relation.name.to_owned(),
            owner: SYSTEM_ROLE,
            comment: None,
            persistence: Persistence::Permanent,
            kind: RelationKind::System(Arc::new(Table::new(relation.columns.clone(), Vec::new()))),
        });
    }
    catalog
}
