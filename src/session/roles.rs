//! SET ROLE and SET SESSION AUTHORIZATION.

use super::engine::{DatabaseState, Engine};
use super::session_impl::Session;
use super::settings::Settings;
use super::shared::SessionShared;
use crate::access::Identity;
use crate::catalog::{AclClass, Rights, Role};
use crate::error::{PgError, Severity, SqlState};
use crate::types::Oid;

/// How long a change holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Until the next.
    Session,
    /// Until the transaction ends.
    Transaction,
    /// SET LOCAL outside of a transaction: not at all.
    Nothing,
}

impl Scope {
    /// Of SET or SET LOCAL.
    pub(super) fn of(session: &Session, local: bool) -> Self {
        let in_block = session.transaction.as_ref().is_some_and(|one| one.explicit);
        match (local, in_block) {
            (false, _) => Self::Session,
            (true, true) => Self::Transaction,
            (true, false) => Self::Nothing,
        }
    }
}

impl Session {
    /// Takes over the roles and rights of now, for statements that take no snapshot of their own.
    pub(super) fn refresh_rights(&mut self) {
        let latest = self.database.latest().catalog;
        match &mut self.transaction {
            Some(transaction) => {
                transaction.take_grants(&latest);
                self.shared.set_catalog(&transaction.catalog);
            }
            None => self.shared.set_catalog(&latest),
        }
    }
}

/// Changes the current role by the name or value given to `role`; `None` goes back to the session's own.
///
/// # Errors
/// `22023` for an unknown role, `42501` for one the session user may not become.
pub(super) fn set_role(
    shared: &SessionShared,
    name: Option<&str>,
    scope: Scope,
) -> Result<(), PgError> {
    let identity = shared.settings.lock().identity;
    let wanted = match name {
        None | Some("none") => Identity { role: None, ..identity },
        Some(name) => {
            let catalog = shared.catalog();
            let own = shared.user == name;
            let role = match own.then_some(identity.authenticated) {
                Some(role) => role,
                None => catalog.role_named(name).ok_or_else(|| missing(name))?.oid,
            };
            if !catalog.role_set(identity.session).may_set(role) {
                let message = format!("permission denied to set role \"{name}\"");
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            Identity { role: Some(role), ..identity }
        }
    };
    become_role(shared, wanted, scope)
}

/// Changes the session's role; `None` goes back to the one that logged in.
///
/// # Errors
/// `22023` for an unknown role, `42501` unless the role that logged in was a superuser then and still is.
pub(super) fn set_session_authorization(
    shared: &SessionShared,
    name: Option<&str>,
    scope: Scope,
) -> Result<(), PgError> {
    let authenticated = shared.login_role;
    let catalog = shared.catalog();
    let role = match name {
        None => authenticated,
        Some(name) if name == shared.user => authenticated,
        Some(name) => catalog.role_named(name).ok_or_else(|| missing(name))?.oid,
    };
    let may = shared.login_superuser && catalog.role_set(authenticated).superuser;
    if let Some(name) = name.filter(|_| role != authenticated && !may) {
        let message = format!("permission denied to set session authorization \"{name}\"");
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    become_role(shared, Identity { authenticated, session: role, role: None }, scope)
}

fn missing(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("role \"{name}\" does not exist"))
}

fn become_role(shared: &SessionShared, identity: Identity, scope: Scope) -> Result<(), PgError> {
    if scope != Scope::Session {
        if scope == Scope::Nothing {
            shared.notify(
                PgError::new(
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "SET LOCAL can only be used in transaction blocks",
                )
                .severity(Severity::Warning),
            );
            return Ok(());
        }
        let before = shared.settings.lock().identity;
        shared.undo.lock().local_identity.get_or_insert(before);
    }
    shared.take_identity(identity);
    Ok(())
}

/// Whether a role that proved who it is may begin a session.
///
/// # Errors
/// `28000` without LOGIN, `42501` without CONNECT, `53300` over its CONNECTION LIMIT.
pub(super) fn check_login(
    engine: &Engine,
    database: &DatabaseState,
    role: &Role,
    user: &str,
) -> Result<(), PgError> {
    if !role.login {
        return Err(PgError::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("role \"{user}\" is not permitted to log in"),
        ));
    }
    let catalog = database.latest().catalog;
    let set = catalog.role_set(role.oid);
    let own = &catalog.database;
    let rights = catalog.rights(AclClass::Database, own.oid, catalog.database_owner(), &set);
    if !rights.contains(Rights::CONNECT) {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied for database \"{}\"", own.name),
        )
        .detail("User does not have CONNECT privilege."));
    }
    let limit = usize::try_from(role.connection_limit).ok();
    if let Some(limit) = limit.filter(|_| !role.superuser) {
        let sessions = engine.all_sessions();
        let mine = sessions.iter().filter(|session| session.login_role == role.oid).count();
        if mine >= limit {
            return Err(PgError::new(
                SqlState::TOO_MANY_CONNECTIONS,
                format!("too many connections for role \"{user}\""),
            ));
        }
    }
    Ok(())
}

/// Applies what ALTER ROLE and ALTER DATABASE said a session begins with; what is wrong with it, as warnings.
pub(super) fn start_settings(
    database: &DatabaseState,
    role: &Role,
    settings: &mut Settings,
) -> Vec<PgError> {
    let catalog = database.latest().catalog;
    let own = catalog.database.oid;
    let any = Oid::INVALID;
    let mut problems = Vec::new();
    // What is said last counts: of this role in this database.
    for key in [(any, any), (own, any), (any, role.oid), (own, role.oid)] {
        for (name, value) in catalog.cluster.settings.get(&key).into_iter().flatten() {
            if let Err(error) = settings.start_with(name, value) {
                problems.push(error.severity(Severity::Warning));
            }
        }
    }
    problems
}

impl SessionShared {
    /// Makes the session run as these roles, and shows their names.
    pub(super) fn take_identity(&self, identity: Identity) {
        let catalog = self.catalog();
        let name = |role| self.role_name(role, &catalog);
        let session = name(identity.session);
        let role = identity.role.map_or_else(|| "none".to_owned(), name);
        let is_superuser = catalog.cluster.roles.get(&identity.current());
        let is_superuser = is_superuser.is_some_and(|role: &Role| role.superuser);
        let mut settings = self.settings.lock();
        settings.identity = identity;
        settings.initialize("session_authorization", &session);
        settings.show_role(&role);
        settings.initialize("is_superuser", if is_superuser { "on" } else { "off" });
    }
}
