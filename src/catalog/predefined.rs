//! Roles that are there from the start: PostgreSQL 15's, and graphwire's own.

use crate::catalog::role::{Membership, Role};
use crate::catalog::snapshot::Cluster;
use crate::types::{Oid, TenantId};

/// OID of the role that owns the system (`BOOTSTRAP_SUPERUSERID`).
const SYSTEM_ROLE: Oid = Oid(10);

/// Roles that nobody can log in as, which have rights by being who they are.
pub mod predefined_role {
    use crate::types::Oid;

    /// Reads statistics, settings and what monitoring needs.
    pub const MONITOR: Oid = Oid(3373);
    /// Sees all settings.
    pub const READ_ALL_SETTINGS: Oid = Oid(3374);
    /// Sees what all sessions do.
    pub const READ_ALL_STATS: Oid = Oid(3375);
    /// Runs functions that lock tables to count.
    pub const STAT_SCAN_TABLES: Oid = Oid(3377);
    /// Cancels statements of others.
    pub const SIGNAL_BACKEND: Oid = Oid(4200);
    /// Runs CHECKPOINT.
    pub const CHECKPOINT: Oid = Oid(4544);
    /// Reads the server's files.
    pub const READ_SERVER_FILES: Oid = Oid(4569);
    /// Writes the server's files.
    pub const WRITE_SERVER_FILES: Oid = Oid(4570);
    /// Runs programs on the server.
    pub const EXECUTE_SERVER_PROGRAM: Oid = Oid(4571);
    /// Has the rights of the database's owner.
    pub const DATABASE_OWNER: Oid = Oid(6171);
    /// Reads all tables, views and sequences.
    pub const READ_ALL_DATA: Oid = Oid(6181);
    /// Writes all tables, views and sequences.
    pub const WRITE_ALL_DATA: Oid = Oid(6182);
    /// All that can be done inside databases, and roles and databases themselves.
    pub const GRAPHWIRE_ADMIN: Oid = Oid(9901);
    /// Schemas and data, maintenance, backup; not roles.
    pub const GRAPHWIRE_DBA: Oid = Oid(9902);
    /// Makes tables and graphs, reads and writes data.
    pub const GRAPHWIRE_DEVELOPER: Oid = Oid(9903);
    /// Reads data.
    pub const GRAPHWIRE_ANALYST: Oid = Oid(9904);
    /// Sees statistics and settings, no data.
    pub const GRAPHWIRE_MONITOR: Oid = Oid(9905);
}

use predefined_role as is;

const ROLES: &[(Oid, &str)] = &[
    (is::MONITOR, "pg_monitor"),
    (is::READ_ALL_SETTINGS, "pg_read_all_settings"),
    (is::READ_ALL_STATS, "pg_read_all_stats"),
    (is::STAT_SCAN_TABLES, "pg_stat_scan_tables"),
    (is::SIGNAL_BACKEND, "pg_signal_backend"),
    (is::CHECKPOINT, "pg_checkpoint"),
    (is::READ_SERVER_FILES, "pg_read_server_files"),
    (is::WRITE_SERVER_FILES, "pg_write_server_files"),
    (is::EXECUTE_SERVER_PROGRAM, "pg_execute_server_program"),
    (is::DATABASE_OWNER, "pg_database_owner"),
    (is::READ_ALL_DATA, "pg_read_all_data"),
    (is::WRITE_ALL_DATA, "pg_write_all_data"),
    (is::GRAPHWIRE_ADMIN, "graphwire_admin"),
    (is::GRAPHWIRE_DBA, "graphwire_dba"),
    (is::GRAPHWIRE_DEVELOPER, "graphwire_developer"),
    (is::GRAPHWIRE_ANALYST, "graphwire_analyst"),
    (is::GRAPHWIRE_MONITOR, "graphwire_monitor"),
];

/// (role, member): PostgreSQL's, and the matrix of graphwire's roles.
const MEMBERS: &[(Oid, Oid)] = &[
    (is::READ_ALL_SETTINGS, is::MONITOR),
    (is::READ_ALL_STATS, is::MONITOR),
    (is::STAT_SCAN_TABLES, is::MONITOR),
    (is::GRAPHWIRE_DBA, is::GRAPHWIRE_ADMIN),
    (is::GRAPHWIRE_DEVELOPER, is::GRAPHWIRE_DBA),
    (is::GRAPHWIRE_MONITOR, is::GRAPHWIRE_DBA),
    (is::CHECKPOINT, is::GRAPHWIRE_DBA),
    (is::SIGNAL_BACKEND, is::GRAPHWIRE_DBA),
    (is::GRAPHWIRE_ANALYST, is::GRAPHWIRE_DEVELOPER),
    (is::WRITE_ALL_DATA, is::GRAPHWIRE_DEVELOPER),
    (is::READ_ALL_DATA, is::GRAPHWIRE_ANALYST),
    (is::MONITOR, is::GRAPHWIRE_MONITOR),
];

impl Cluster {
    /// This cluster with the roles that every one has; those it has already stay as they are.
    #[must_use]
    pub fn with_predefined_roles(mut self) -> Self {
        for (oid, name) in ROLES {
            let role = || Role::new(*oid, name, TenantId::SYSTEM);
            self.roles.entry(*oid).or_insert_with(role);
        }
        for ((role, member), number) in MEMBERS.iter().zip(9950..) {
            let membership = || Membership {
                oid: Oid(number),
                role: *role,
                member: *member,
                grantor: SYSTEM_ROLE,
                admin: false,
                inherit: None,
                set: true,
            };
            self.memberships.entry((*role, *member)).or_insert_with(membership);
        }
        self
    }
}

/// The roles of a tenant, each a member of the one before: (name, what else it is a member of).
const TENANT_ROLES: [(&str, &[Oid]); 4] = [
    ("viewer", &[is::READ_ALL_DATA]),
    ("editor", &[is::WRITE_ALL_DATA]),
    ("admin", &[is::MONITOR, is::SIGNAL_BACKEND]),
    ("owner", &[]),
];

impl Cluster {
    /// Makes the roles `viewer`, `editor`, `admin` and `owner` of a new tenant, and gives the OID of `owner`. `admin` and
    /// `owner` may make others members of those below them. Roles that are there already stay as they are.
    pub fn add_tenant_roles(&mut self, tenant: TenantId) -> Oid {
        let mut below: Vec<Oid> = Vec::new();
        for (name, predefined) in TENANT_ROLES {
            let known = self.roles.values().find(|role| role.tenant == tenant && role.name == name);
            let oid = match known {
                Some(role) => role.oid,
                None => {
                    let oid = self.next_oid.take();
                    self.roles.insert(oid, Role::new(oid, name, tenant));
                    oid
                }
            };
            let manages = matches!(name, "admin" | "owner");
            for role in &below {
                let is_next = below.last() == Some(role);
                if manages || is_next {
                    self.add_member(*role, oid, manages);
                }
            }
            predefined.iter().for_each(|role| self.add_member(*role, oid, false));
            below.push(oid);
        }
        below.last().copied().unwrap_or(SYSTEM_ROLE)
    }

    fn add_member(&mut self, role: Oid, member: Oid, admin: bool) {
        let oid = self.next_oid.take();
        let grantor = SYSTEM_ROLE;
        let membership = Membership { oid, role, member, grantor, admin, inherit: None, set: true };
        self.memberships.entry((role, member)).or_insert(membership);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_reach_through() {
        let cluster = Cluster::default().with_predefined_roles();
        let admin = cluster.role_set(is::GRAPHWIRE_ADMIN, SYSTEM_ROLE);
        assert!(admin.has(is::READ_ALL_DATA) && admin.has(is::READ_ALL_STATS));
        let analyst = cluster.role_set(is::GRAPHWIRE_ANALYST, SYSTEM_ROLE);
        assert!(analyst.has(is::READ_ALL_DATA) && !analyst.has(is::WRITE_ALL_DATA));
        let mut cluster = cluster;
        let tenant = TenantId(7);
        let owner = cluster.add_tenant_roles(tenant);
        let role = |name| cluster.role_named(tenant, name).map(|role| role.oid).unwrap();
        let (viewer, editor) = (role("viewer"), role("editor"));
        let set = |role| cluster.role_set(role, SYSTEM_ROLE);
        assert!(set(viewer).has(is::READ_ALL_DATA) && !set(viewer).has(is::WRITE_ALL_DATA));
        assert!(set(editor).has(viewer) && !set(editor).is_admin_of(viewer));
        assert!(set(owner).has(editor) && set(owner).is_admin_of(role("admin")));
        assert!(set(role("admin")).is_admin_of(viewer) && !set(role("admin")).is_admin_of(owner));
    }

    #[test]
    fn who_owns_the_database_is_a_member_of_its_owners_role() {
        let mut cluster = Cluster::default().with_predefined_roles();
        let tenant = TenantId(7);
        let owner = cluster.add_tenant_roles(tenant);
        let role = |name| cluster.role_named(tenant, name).map(|role| role.oid).unwrap();
        let is_member = |role| {
            let set = cluster.role_set(role, owner);
            assert_eq!(set.has(is::DATABASE_OWNER), set.inherits(is::DATABASE_OWNER));
            set.has(is::DATABASE_OWNER)
        };
        assert!(is_member(owner));
        // Nobody else is, unless by way of the owner.
        assert!(!is_member(role("admin")) && !is_member(role("viewer")));
        assert!(!cluster.role_set(role("viewer"), role("admin")).has(is::DATABASE_OWNER));
        let other = cluster.next_oid.take();
        cluster.roles.insert(other, Role::new(other, "other", tenant));
        cluster.add_member(owner, other, false);
        assert!(cluster.role_set(other, owner).inherits(is::DATABASE_OWNER));
    }
}
