//! Who a statement runs as.

use std::sync::Arc;

use crate::catalog::{Catalog, RoleSet};
use crate::types::{Oid, TenantId};

/// Who a statement runs as, and what follows from that in one version of the cluster's roles.
///
/// Cheap to make anew: what follows from memberships is worked out once for each version.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant the session belongs to.
    pub tenant: TenantId,
    /// The role that logged in; never changes.
    pub authenticated: Oid,
    /// `session_user`: another one after SET SESSION AUTHORIZATION.
    pub session: Oid,
    /// `current_user`: another one after SET ROLE.
    pub role: Oid,
    /// Whether the current role passes every check.
    pub superuser: bool,
    /// Whether row policies do not apply to the current role.
    pub bypass_rls: bool,
    roles: Arc<RoleSet>,
    cluster_version: u64,
    database: Oid,
}

/// The roles of a session, as SET ROLE and SET SESSION AUTHORIZATION left them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The role that logged in.
    pub authenticated: Oid,
    /// `session_user`
    pub session: Oid,
    /// SET ROLE; `None` is NONE.
    pub role: Option<Oid>,
}

impl Identity {
    /// Of a session that has just begun.
    pub fn of(role: Oid) -> Self {
        Self { authenticated: role, session: role, role: None }
    }

    /// `current_user`
    pub fn current(self) -> Oid {
        self.role.unwrap_or(self.session)
    }
}

impl Caller {
    /// The caller of a session's next statement.
    pub fn new(identity: Identity, tenant: TenantId, catalog: &Catalog) -> Self {
        let roles = catalog.role_set(identity.current());
        Self {
            tenant,
            authenticated: identity.authenticated,
            session: identity.session,
            role: roles.role,
            superuser: roles.superuser,
            bypass_rls: roles.bypass_rls,
            roles,
            cluster_version: catalog.cluster.version,
            database: catalog.database.oid,
        }
    }

    /// Whether it is the caller that [`Self::new`] would give.
    pub fn is_for(&self, identity: Identity, catalog: &Catalog) -> bool {
        self.cluster_version == catalog.cluster.version
            && self.database == catalog.database.oid
            && self.role == identity.current()
            && self.session == identity.session
            && self.authenticated == identity.authenticated
    }

    /// The current role with its memberships.
    pub fn roles(&self) -> &Arc<RoleSet> {
        &self.roles
    }

    /// Whether the current role has the rights of `role`; a superuser has those of all.
    pub fn has(&self, role: Oid) -> bool {
        self.roles.has(role)
    }

    /// Whether the current role is a member of `role` in any way; a superuser is of all.
    pub fn is_member(&self, role: Oid) -> bool {
        self.roles.is_member(role)
    }
}

/// Two callers are equal if no check can tell them apart.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.cluster_version == other.cluster_version
            && self.database == other.database
            && self.role == other.role
            && self.session == other.session
            && self.tenant == other.tenant
    }
}

impl Eq for Caller {}
