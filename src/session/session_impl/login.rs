//! How a session begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::Session;
use crate::access::Identity;
use crate::error::{PgError, Severity, SqlState};
use crate::functions::registry::session_functions;
use crate::session::engine::{DatabaseState, Engine};
use crate::session::facts::SessionAnswers;
use crate::session::identity::{Authenticated, LoginRequest, Peer};
use crate::session::remembered::Remembered;
use crate::session::settings::Settings;
use crate::session::shared::SessionShared;
use crate::session::statements::Statements;
use crate::session::tenancy::{self, Gate, Route};
use crate::types::{BackendPid, TenantId};

impl Session {
    /// Opens a session for a user who proved who it is.
    ///
    /// # Errors
    /// `28P01` for an unknown user, `28000` for one that may not log in, `3D000` for an unknown database, `22023` or `42704`
    /// for a startup parameter that is none. All are FATAL to the connection.
    pub async fn login(
        engine: &Arc<Engine>,
        request: LoginRequest,
        _proof: Authenticated,
    ) -> Result<Self, PgError> {
        let (engine, request, operator) = tenancy::route::resolve(engine, request)?;
        Self::log_in(&engine, request, operator, None)
    }

    /// Opens a session in an engine, as an operator's perhaps; `place` gives it another session's number and key.
    pub(in crate::session) fn log_in(
        engine: &Arc<Engine>,
        request: LoginRequest,
        operator: Option<String>,
        place: Option<(BackendPid, [u8; 4])>,
    ) -> Result<Self, PgError> {
        let fatal = |error: PgError| error.severity(Severity::Fatal);
        let role = engine.role(&request.user).ok_or_else(|| {
            fatal(PgError::new(
                SqlState::INVALID_PASSWORD,
                format!("password authentication failed for user \"{}\"", request.user),
            ))
        })?;
        let named = request.parameters.iter().any(|(name, _)| name == "database");
        let found = engine.database(&request.database);
        // A user without a database of its own name gets the default one, as `psql` alone should just work.
        let default = || engine.default_database().ok().filter(|_| !named);
        let found = found.or_else(|| engine.database(&default()?));
        let database = found.ok_or_else(|| {
            fatal(PgError::new(
                SqlState::INVALID_CATALOG_NAME,
                format!("database \"{}\" does not exist", request.database),
            ))
        })?;
        // An operator proved who it is at home, and the process need not.
        let is_own = request.peer == Peer::Local && role.oid == crate::session::engine::SYSTEM_ROLE;
        if operator.is_none() && !is_own {
            crate::session::roles::check_login(engine, &database, &role, &request.user)
                .map_err(fatal)?;
        }
        let mut settings = Settings::default();
        settings.initialize("session_authorization", &request.user);
        let problems = crate::session::roles::start_settings(&database, &role, &mut settings);
        settings.initialize("is_superuser", if role.superuser { "on" } else { "off" });
        let mut set_role = None;
        settings.initialize("graphwire.tenant", &engine.tenant.name());
        for (name, value) in &request.parameters {
            if matches!(name.as_str(), "user" | "database" | "options" | "replication")
                || name.eq_ignore_ascii_case(tenancy::route::TENANT_SETTING)
            {
                continue;
            }
            if name.eq_ignore_ascii_case("role") {
                set_role = Some(value.clone());
                continue;
            }
            settings.start_with(name, value).map_err(fatal)?;
        }
        settings.identity = Identity::of(role.oid);
        let mut session = Self::open(engine, database, request, role.tenant, settings, place);
        problems.into_iter().for_each(|problem| session.shared.notify(problem));
        if let Some(role) = set_role {
            let scope = crate::session::roles::Scope::Session;
            crate::session::roles::set_role(&session.shared, Some(&role), scope).map_err(fatal)?;
        }
        session.gate.operator = operator;
        session.check_database(&role).map_err(fatal)?;
        session.take_place()?;
        Ok(session)
    }

    pub(super) fn open(
        engine: &Arc<Engine>,
        database: Arc<DatabaseState>,
        request: LoginRequest,
        tenant: TenantId,
        settings: Settings,
        place: Option<(BackendPid, [u8; 4])>,
    ) -> Self {
        let pid = place.map_or_else(|| engine.next_pid(), |(pid, _)| pid);
        let mut shared = SessionShared::new(
            engine,
            pid,
            request.user,
            tenant,
            request.peer,
            settings,
            &database,
        );
        if let Some((_, secret)) = place {
            shared.secret = secret;
        }
        let shared = Arc::new(shared);
        engine.register(&shared);
        let answers = Arc::new(SessionAnswers::new(Arc::clone(&shared)));
        let functions = Arc::new(session_functions(Arc::clone(&answers) as _));
        answers.set_functions(&functions);
        Self {
            engine: Arc::clone(engine),
            database,
            shared,
            answers,
            functions,
            statements: Statements::default(),
            remembered: Remembered::default(),
            transaction: None,
            copy: None,
            gate: Gate::default(),
            commits_here: false,
            system: false,
            reported: BTreeMap::new(),
            reported_as: None,
            timer: None,
            transaction_timer: None,
            routine_depth: 0,
        }
    }

    /// A session of the server itself, to set up a database.
    pub(in crate::session) fn system(
        engine: &Arc<Engine>,
        database: &str,
    ) -> Result<Self, PgError> {
        let state = engine
            .database(database)
            .ok_or_else(|| PgError::internal(format!("database \"{database}\" is not there")))?;
        let request = LoginRequest {
            user: "graphwire".to_owned(),
            database: database.to_owned(),
            parameters: Vec::new(),
            peer: crate::session::identity::Peer::Local,
            route: Route::Unrouted,
        };
        let tenant = TenantId::SYSTEM;
        let mut session = Self::open(engine, state, request, tenant, Settings::default(), None);
        session.system = true;
        Ok(session)
    }

    /// A session of the process's own user, for the command line and tests: no wire, no login.
    ///
    /// # Errors
    /// `3D000` for an unknown database.
    pub async fn local(engine: &Arc<Engine>, database: &str) -> Result<Self, PgError> {
        Self::local_as(engine, database, "graphwire").await
    }

    /// The same for another user.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn local_as(
        engine: &Arc<Engine>,
        database: &str,
        user: &str,
    ) -> Result<Self, PgError> {
        let request = LoginRequest {
            user: user.to_owned(),
            database: database.to_owned(),
            parameters: vec![("database".to_owned(), database.to_owned())],
            peer: crate::session::identity::Peer::Local,
            route: Route::Unrouted,
        };
        Self::login(engine, request, Authenticated::by_login_exchange()).await
    }

    /// Whether the database lets this role in.
    fn check_database(&self, role: &crate::catalog::Role) -> Result<(), PgError> {
        let definition = Arc::clone(&self.database.latest().catalog.cluster);
        let Some(database) = definition.databases.get(&self.database.oid()) else { return Ok(()) };
        if !database.allow_connections {
            return Err(PgError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("database \"{}\" is not currently accepting connections", database.name),
            ));
        }
        let Ok(limit) = usize::try_from(database.connection_limit) else { return Ok(()) };
        let sessions = self.engine.all_sessions();
        let here = |one: &&Arc<SessionShared>| one.catalog().database.oid == database.oid;
        // This session is counted already.
        if !role.superuser && sessions.iter().filter(here).count() > limit {
            return Err(PgError::new(
                SqlState::TOO_MANY_CONNECTIONS,
                format!("too many connections for database \"{}\"", database.name),
            ));
        }
        Ok(())
    }
}
