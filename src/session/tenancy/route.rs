//! Which tenant a client belongs to, found out before it proves who it is.
//!
//! The user decides; what else names a tenant must agree with it:
//!
//! * `user@tenant`
//! * `options=-c graphwire.tenant=…` (or the startup parameter itself)
//! * the database, where several tenants have a user of this name
//!
//! A tenant that does not exist, a user it does not have and a wrong password are answered alike.

use std::sync::Arc;

use super::tenant::SYSTEM_NAME;
use crate::error::{PgError, Severity, SqlState};
use crate::session::engine::{Engine, SYSTEM_ROLE_NAME};
use crate::session::identity::LoginRequest;
use crate::types::TenantId;

/// Where a login goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Route {
    /// Nobody asked: to the engine that is at hand.
    #[default]
    Unrouted,
    /// To a role of this tenant.
    Tenant {
        /// The tenant.
        tenant: TenantId,
        /// The role's name.
        user: String,
    },
    /// Into this tenant, by an operator of the system tenant.
    Operator {
        /// The tenant.
        tenant: TenantId,
        /// The operator's role in the system tenant.
        user: String,
    },
    /// To nobody: there is no such user.
    Nobody,
}

/// The name of the setting that names a tenant.
pub(in crate::session) const TENANT_SETTING: &str = "graphwire.tenant";

fn fatal(code: SqlState, message: String) -> PgError {
    PgError::new(code, message).severity(Severity::Fatal)
}

/// What a client is told that has not proved who it is.
pub(in crate::session) fn wrong_password(user: &str) -> PgError {
    fatal(SqlState::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
}

impl Engine {
    /// Finds out where a login goes; call it once, before [`Engine::login_method`].
    ///
    /// # Errors
    /// `28000` if what names a tenant does not agree; the client gets it FATAL.
    pub fn route(self: &Arc<Self>, request: LoginRequest) -> Result<LoginRequest, PgError> {
        let route = find(self, &request)?;
        Ok(LoginRequest { route, ..request })
    }

    /// Whether somebody may log in under this name.
    fn has_user(&self, name: &str) -> bool {
        self.known_role(name).is_some_and(|role| role.login)
    }
}

/// `user@tenant` in its parts.
fn split(user: &str) -> Option<(&str, &str)> {
    user.rsplit_once('@').filter(|(user, tenant)| !user.is_empty() && !tenant.is_empty())
}

fn find(system: &Arc<Engine>, request: &LoginRequest) -> Result<Route, PgError> {
    let option = request
        .parameters
        .iter()
        .rev()
        .find(|(name, _)| name.eq_ignore_ascii_case(TENANT_SETTING))
        .map(|(_, tenant)| tenant.as_str());
    // A role of the system tenant may have an @ in its name.
    let suffix = split(&request.user).filter(|(_, tenant)| {
        system.tenant_named(tenant).is_some() || system.known_role(&request.user).is_none()
    });
    if let (Some((_, suffix)), Some(option)) = (suffix, option)
        && suffix != option
    {
        return Err(fatal(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("the user name names tenant \"{suffix}\", the option \"{option}\""),
        ));
    }
    let user = suffix.map_or(request.user.as_str(), |(user, _)| user);
    let named = suffix.map(|(_, tenant)| tenant).or(option);
    Ok(match named {
        Some(tenant) => to_tenant(system, tenant, user, suffix.is_none()),
        None => by_user(system, request),
    })
}

/// To the tenant that was named.
fn to_tenant(system: &Arc<Engine>, tenant: &str, user: &str, by_option: bool) -> Route {
    let Some(engine) = system.tenant_named(tenant) else { return Route::Nobody };
    let tenant = engine.tenant.id;
    if tenant == TenantId::SYSTEM || engine.has_user(user) {
        return Route::Tenant { tenant, user: user.to_owned() };
    }
    let operator = system.known_role(user).filter(|role| role.login && role.superuser);
    if by_option && operator.is_some() {
        return Route::Operator { tenant, user: user.to_owned() };
    }
    // Under trust every name is somebody.
    match engine.trusts_everybody() {
        true => Route::Tenant { tenant, user: user.to_owned() },
        false => Route::Nobody,
    }
}

/// To the tenant that has such a user; if several have, to the one of the database that was named.
fn by_user(system: &Arc<Engine>, request: &LoginRequest) -> Route {
    let to = |engine: &Arc<Engine>| Route::Tenant {
        tenant: engine.tenant.id,
        user: request.user.clone(),
    };
    let others = system.other_tenants();
    let engines = std::iter::once(system).chain(&others);
    let having: Vec<&Arc<Engine>> =
        engines.filter(|engine| engine.has_user(&request.user)).collect();
    match having.as_slice() {
        // The system tenant answers for users there are none of.
        [] => return to(system),
        [only] => return to(only),
        _ => {}
    }
    let is_named = request.parameters.iter().any(|(name, _)| name == "database");
    let with_database: Vec<&Arc<Engine>> = having
        .iter()
        .copied()
        .filter(|engine| is_named && engine.database(&request.database).is_some())
        .collect();
    let among = if with_database.is_empty() { having } else { with_database };
    match among.as_slice() {
        [only] => to(only),
        among => match among.iter().find(|engine| engine.tenant.id == TenantId::SYSTEM) {
            Some(system) => to(system),
            None => {
                tracing::info!(user = %request.user, "several tenants have this user; the client must name its own");
                Route::Nobody
            }
        },
    }
}

/// The engine and the role's name that a login is about; `None` if there are none.
pub(in crate::session) fn verified_by(
    engine: &Engine,
    request: &LoginRequest,
) -> Option<(Arc<Engine>, String)> {
    match &request.route {
        // The engine that is asked answers itself.
        Route::Unrouted => None,
        Route::Tenant { tenant, user } => Some((engine.tenant_of(*tenant)?, user.clone())),
        Route::Operator { user, .. } => Some((engine.system()?, user.clone())),
        Route::Nobody => None,
    }
}

/// The engine that a session is opened in, the request as that engine knows it, and the operator if it is one's.
pub(in crate::session) fn resolve(
    engine: &Arc<Engine>,
    request: LoginRequest,
) -> Result<(Arc<Engine>, LoginRequest, Option<String>), PgError> {
    let nobody = || wrong_password(&request.user);
    match request.route.clone() {
        Route::Unrouted => Ok((Arc::clone(engine), request, None)),
        Route::Tenant { tenant, user } => {
            let engine = engine.tenant_of(tenant).ok_or_else(nobody)?;
            // libpq asks for a database of the user's name where none was given.
            let is_default = request.database == request.user && request.user != user;
            let mut request = LoginRequest { user, ..request };
            if is_default {
                request.parameters.retain(|(name, _)| name != "database");
                request.database.clone_from(&request.user);
            }
            Ok((engine, request, None))
        }
        Route::Operator { tenant, user } => {
            let engine = engine.tenant_of(tenant).ok_or_else(nobody)?;
            let request = LoginRequest { user: SYSTEM_ROLE_NAME.to_owned(), ..request };
            Ok((engine, request, Some(user)))
        }
        Route::Nobody => Err(nobody()),
    }
}

impl Engine {
    /// The engine of a tenant by its name; asked of the system tenant's engine.
    pub(in crate::session) fn tenant_named(self: &Arc<Self>, name: &str) -> Option<Arc<Self>> {
        if name == SYSTEM_NAME {
            return self.system();
        }
        self.system()?.tenants.read().values().find(|one| one.tenant.name() == name).cloned()
    }

    /// The engine of a tenant.
    pub(in crate::session) fn tenant_of(&self, id: TenantId) -> Option<Arc<Self>> {
        let system = self.system()?;
        if id == TenantId::SYSTEM {
            return Some(system);
        }
        system.tenants.read().get(&id).cloned()
    }

    /// All tenants but the system's own.
    pub(in crate::session) fn other_tenants(&self) -> Vec<Arc<Self>> {
        self.system().map_or_else(Vec::new, |one| one.tenants.read().values().cloned().collect())
    }

    /// Whether there is any tenant but the system's own.
    pub(in crate::session) fn has_other_tenants(&self) -> bool {
        self.tenant.id != TenantId::SYSTEM || !self.tenants.read().is_empty()
    }
}
