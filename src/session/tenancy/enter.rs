//! `SET graphwire.tenant`: an operator of the system tenant goes into another one.
//!
//! The session becomes one of the other tenant's engine: what was prepared, declared and set stays behind. Inside, the
//! operator is the tenant's bootstrap superuser. Every entry is in the log.

use std::sync::Arc;

use super::route::TENANT_SETTING;
use super::tenant::SYSTEM_NAME;
use crate::error::{PgError, SqlState};
use crate::session::engine::{Engine, SYSTEM_ROLE_NAME};
use crate::session::identity::LoginRequest;
use crate::session::session_impl::Session;
use crate::types::TenantId;

/// Enters a tenant by its name; `None` goes back to the own one.
///
/// # Errors
/// `42501` for anybody but an operator, `42704` if there is no such tenant, `25001` in a transaction block.
pub(in crate::session) fn set_tenant(
    session: &mut Session,
    name: Option<&str>,
    local: bool,
) -> Result<(), PgError> {
    if local {
        return Err(PgError::unsupported(
            "SET LOCAL graphwire.tenant is not supported",
            "Use SET, and RESET to come back.",
        ));
    }
    let own = session.engine.tenant.name();
    let name = name.unwrap_or(SYSTEM_NAME);
    if name == own {
        return Ok(());
    }
    if !session.is_operator() {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to set parameter \"{TENANT_SETTING}\""),
        ));
    }
    if session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        return Err(PgError::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "a tenant cannot be entered inside a transaction block",
        ));
    }
    let engine = session.engine.tenant_named(name).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("tenant \"{name}\" does not exist"))
    })?;
    session.enter(&engine)
}

impl Session {
    /// Whether it is an operator's: a superuser of the system tenant, there or inside another tenant.
    pub(in crate::session) fn is_operator(&self) -> bool {
        if self.gate.operator.is_some() {
            return true;
        }
        self.engine.tenant.id == TenantId::SYSTEM && self.shared.caller().superuser
    }

    /// The operator's name in the system tenant.
    pub(in crate::session) fn operator_name(&self) -> String {
        self.gate.operator.clone().unwrap_or_else(|| self.shared.user.clone())
    }

    /// The operator's role in the system tenant.
    pub(in crate::session) fn operator_oid(&self) -> crate::types::Oid {
        let name = self.operator_name();
        let known = self.engine.system().and_then(|system| system.known_role(&name));
        known.map_or(crate::session::engine::SYSTEM_ROLE, |role| role.oid)
    }

    /// Goes on as a session of another tenant.
    fn enter(&mut self, engine: &Arc<Engine>) -> Result<(), PgError> {
        let operator = self.operator_name();
        let from = self.engine.tenant.name();
        let to = engine.tenant.name();
        let database = engine.default_database()?;
        let is_home = engine.tenant.id == TenantId::SYSTEM;
        let user = if is_home { operator.clone() } else { SYSTEM_ROLE_NAME.to_owned() };
        let request = LoginRequest {
            user,
            database: database.clone(),
            parameters: vec![("database".to_owned(), database)],
            peer: self.shared.peer.clone(),
            route: super::Route::Unrouted,
        };
        let entered = Self::log_in(
            engine,
            request,
            (!is_home).then(|| operator.clone()),
            Some((self.shared.pid, self.shared.secret)),
        )?;
        tracing::info!(target: "graphwire::audit", %operator, from, to, pid = self.shared.pid.0, "operator entered tenant");
        let application = self.shared.settings.lock().value("application_name").to_owned();
        // It was the value before, so it is one the setting takes.
        let _ = entered.shared.settings.lock().start_with("application_name", &application);
        entered.take_place_of(self);
        Ok(())
    }
}
