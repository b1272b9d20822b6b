//! Roles: attributes, memberships, and what follows from them.
//!
//! Memberships are PostgreSQL 16's (INHERIT, SET and ADMIN options each), with PostgreSQL 15's rule where INHERIT was not
//! said: the member's own attribute decides, also when it changes later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::catalog::predefined::predefined_role::DATABASE_OWNER;
use crate::catalog::snapshot::{Catalog, Cluster};
use crate::types::{Oid, TenantId};

/// A role. What it may do is decided in `access`; this is what `pg_authid` shows, less the verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// `pg_authid.oid`.
    pub oid: Oid,
    /// Its name, unique in its tenant.
    pub name: String,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// Passes every privilege check.
    pub superuser: bool,
    /// May start a connection.
    pub login: bool,
    /// A `SCRAM-SHA-256$…` verifier; `None` never matches a password.
    pub verifier: Option<String>,
    /// Has the rights of roles it is a member of without SET ROLE.
    #[serde(default = "yes")]
    pub inherit: bool,
    /// May make and change other roles.
    #[serde(default)]
    pub create_role: bool,
    /// May make databases.
    #[serde(default)]
    pub create_db: bool,
    /// May start replication.
    #[serde(default)]
    pub replication: bool,
    /// Row policies do not apply to it.
    #[serde(default)]
    pub bypass_rls: bool,
    /// Connections at once; -1 for any number.
    #[serde(default = "no_limit")]
    pub connection_limit: i32,
    /// When its password ends, microseconds since 2000-01-01 UTC; `i64::MAX` is `infinity`.
    #[serde(default)]
    pub valid_until: Option<i64>,
}

fn yes() -> bool {
    true
}

fn no_limit() -> i32 {
    -1
}

impl Role {
    /// A role as `CREATE ROLE name` makes it.
    pub fn new(oid: Oid, name: &str, tenant: TenantId) -> Self {
        Self {
            oid,
            name: name.to_owned(),
            tenant,
            superuser: false,
            login: false,
            verifier: None,
            inherit: true,
            create_role: false,
            create_db: false,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            valid_until: None,
        }
    }
}

/// That a role is a member of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// `pg_auth_members.oid`, as of PostgreSQL 16.
    pub oid: Oid,
    /// The role that was granted.
    pub role: Oid,
    /// Who is a member of it.
    pub member: Oid,
    /// Who granted it.
    pub grantor: Oid,
    /// May grant it to others.
    pub admin: bool,
    /// Has its rights without SET ROLE; where it was not said, the member's attribute decides.
    pub inherit: Option<bool>,
    /// May SET ROLE to it.
    pub set: bool,
}

/// A role with all that follows from its memberships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSet {
    /// The role.
    pub role: Oid,
    /// Passes every privilege check.
    pub superuser: bool,
    /// Row policies do not apply to it.
    pub bypass_rls: bool,
    /// May make and change roles.
    pub create_role: bool,
    /// May make databases.
    pub create_db: bool,
    /// Roles whose rights it has without SET ROLE, itself among them; sorted.
    inherited: Vec<Oid>,
    /// Roles it is a member of in any way, itself among them; sorted.
    member_of: Vec<Oid>,
    /// Roles it may SET ROLE to, itself among them; sorted.
    settable: Vec<Oid>,
    /// Roles that it, or a role it is a member of, may grant to others; sorted.
    admin_of: Vec<Oid>,
}

impl RoleSet {
    /// A role that is not there: no rights but everybody's.
    fn nobody(role: Oid) -> Self {
        Self {
            role,
            superuser: false,
            bypass_rls: false,
            create_role: false,
            create_db: false,
            inherited: vec![role],
            member_of: vec![role],
            settable: vec![role],
            admin_of: Vec::new(),
        }
    }

    /// Whether it has the rights of `role` (`pg_has_role(…, 'USAGE')`); a superuser has those of all.
    pub fn has(&self, role: Oid) -> bool {
        self.superuser || self.inherits(role)
    }

    /// Whether it has the rights of `role` by membership alone.
    pub fn inherits(&self, role: Oid) -> bool {
        self.inherited.binary_search(&role).is_ok()
    }

    /// Whether it is a member of `role` in any way (`pg_has_role(…, 'MEMBER')`); a superuser is of all.
    pub fn is_member(&self, role: Oid) -> bool {
        self.superuser || self.member_of.binary_search(&role).is_ok()
    }

    /// Whether it may SET ROLE to `role`, or give objects to it.
    pub fn may_set(&self, role: Oid) -> bool {
        self.superuser || self.settable.binary_search(&role).is_ok()
    }

    /// Whether it may grant `role` to others, by ADMIN OPTION or as a superuser.
    pub fn is_admin_of(&self, role: Oid) -> bool {
        self.superuser || self.admin_of.binary_search(&role).is_ok()
    }

    /// Roles whose rights it has, itself among them.
    pub fn inherited(&self) -> &[Oid] {
        &self.inherited
    }
}

/// Role sets that were worked out already; a changed cluster begins without any.
#[derive(Debug, Default)]
pub struct RoleSets(Mutex<BTreeMap<(Oid, Oid), Arc<RoleSet>>>);

impl Clone for RoleSets {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Catalog {
    /// A role that this database's tenant sees.
    pub fn role(&self, oid: Oid) -> Option<&Role> {
        self.cluster.roles.get(&oid).filter(|role| self.is_visible(role))
    }

    /// A role by its exact name: the tenant's own, or one of the cluster's.
    pub fn role_named(&self, name: &str) -> Option<&Role> {
        self.cluster.role_named(self.database.tenant, name)
    }

    /// Whether a role exists as seen from this database: it is of the same tenant, or the system's own.
    pub fn is_visible(&self, role: &Role) -> bool {
        role.tenant == self.database.tenant || role.oid < Oid::FIRST_NORMAL
    }

    /// What follows from a role's memberships in this database.
    pub fn role_set(&self, role: Oid) -> Arc<RoleSet> {
        self.cluster.role_set(role, self.database_owner())
    }

    /// The owner of the database.
    pub fn database_owner(&self) -> Oid {
        let stored = self.cluster.databases.get(&self.database.oid);
        stored.map_or(self.database.owner, |database| database.owner)
    }
}

impl Cluster {
    /// A role by its exact name, as a tenant sees it: the tenant's own, or one of the system's.
    pub fn role_named(&self, tenant: TenantId, name: &str) -> Option<&Role> {
        let mut named = self.roles.values().filter(|role| role.name == name);
        let own = named.clone().find(|role| role.tenant == tenant);
        own.or_else(|| named.find(|role| role.oid < Oid::FIRST_NORMAL))
    }

    /// What follows from a role's memberships, in a database of `database_owner`. Worked out once for each version.
    pub fn role_set(&self, role: Oid, database_owner: Oid) -> Arc<RoleSet> {
        if let Some(known) = self.role_sets.0.lock().get(&(role, database_owner)) {
            return Arc::clone(known);
        }
        let made = Arc::new(self.make_role_set(role, database_owner));
        self.role_sets.0.lock().insert((role, database_owner), Arc::clone(&made));
        made
    }

    fn make_role_set(&self, oid: Oid, database_owner: Oid) -> RoleSet {
        let Some(role) = self.roles.get(&oid) else { return RoleSet::nobody(oid) };
        let inherits = |one: &Membership| {
            one.inherit.unwrap_or_else(|| self.roles.get(&one.member).is_some_and(|m| m.inherit))
        };
        let inherited = self.reach(oid, database_owner, inherits);
        let member_of = self.reach(oid, database_owner, |_| true);
        let admin = self.memberships.values().filter(|one| one.admin);
        let admin_of = admin.filter(|one| member_of.contains(&one.member)).map(|one| one.role);
        let admin_of: BTreeSet<Oid> = admin_of.collect();
        RoleSet {
            role: oid,
            superuser: role.superuser,
            bypass_rls: role.superuser || role.bypass_rls,
            create_role: role.superuser || role.create_role,
            create_db: role.superuser || role.create_db,
            inherited: inherited.into_iter().collect(),
            member_of: member_of.into_iter().collect(),
            settable: self.reach(oid, database_owner, |one| one.set).into_iter().collect(),
            admin_of: admin_of.into_iter().collect(),
        }
    }

    /// The roles one comes to over memberships that pass, itself among them.
    fn reach(
        &self,
        from: Oid,
        database_owner: Oid,
        passes: impl Fn(&Membership) -> bool,
    ) -> BTreeSet<Oid> {
        let mut found = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(member) = open.pop() {
            let over = self.memberships.values();
            let over = over.filter(|one| one.member == member && passes(one)).map(|one| one.role);
            let owner = (member == database_owner).then_some(DATABASE_OWNER);
            for role in over.chain(owner) {
                if found.insert(role) {
                    open.push(role);
                }
            }
        }
        found
    }

    /// Whether making `member` a member of `role` would close a circle.
    pub fn would_loop(&self, role: Oid, member: Oid) -> bool {
        // The owner of a database is not looked at: nobody can be made a member of that role.
        self.reach(role, Oid::INVALID, |_| true).contains(&member)
    }
}
