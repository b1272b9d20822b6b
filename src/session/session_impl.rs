//! The session itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::copy::CopyTask;
use super::cursors::CursorOptions;
use super::engine::{DatabaseState, Engine};
use super::facts::{SessionAnswers, SessionChecks};
use super::identity::{Authenticated, LoginRequest, Peer};
use super::object_names::ObjectNames;
use super::open_graph::OpenDefinitions;
use super::outcome::{
    Completion, Format, Outcome, OutputColumn, RowStream, StatementDescription, TransactionStatus,
};
use super::remembered::Remembered;
use super::scroll::Direction;
use super::settings::Settings;
use super::shared::SessionShared;
use super::statements::{Portal, Prepared, Progress, Statements};
use super::tenancy::{self, Gate, Route};
use super::transaction::{Isolation, Transaction};
use super::{pipeline, statements, utility};
use crate::access::Identity;
use crate::catalog::{Catalog, QualifiedName};
use crate::error::{PgError, Severity, SqlState};
use crate::executor::write::StatementWrites;
use crate::functions::registry::{SessionFunctions, session_functions};
use crate::parser::{self, Body, QueryLanguage, Statement};
use crate::planner::bind::{BindContext, Parameters};
use crate::storage::LockOwner;
use crate::types::{BackendPid, Oid, OutputSettings, TenantId};

/// Where a statement stands in its query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptPosition {
    /// Alone.
    Only,
    /// First of several.
    First,
    /// Neither first nor last.
    Middle,
    /// Last of several.
    Last,
}

/// One connection's state. See the module for the way of a statement.
pub struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) database: Arc<DatabaseState>,
    pub(super) shared: Arc<SessionShared>,
    pub(super) answers: Arc<SessionAnswers>,
    pub(super) functions: Arc<SessionFunctions>,
    pub(super) statements: Statements,
    pub(super) remembered: Remembered,
    pub(super) transaction: Option<Transaction>,
    pub(super) copy: Option<CopyTask>,
    /// Its quotas, and whether it is an operator's.
    pub(super) gate: Gate,
    /// Whether this is the server itself, at its first start.
    pub(super) system: bool,
    reported: BTreeMap<&'static str, String>,
    /// The settings that `reported` was compared with last.
    reported_as: Option<Settings>,
    timer: Option<tokio::task::AbortHandle>,
    /// Ends the session when its transaction takes too long.
    transaction_timer: Option<tokio::task::AbortHandle>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop_timer();
        self.stop_transaction_timer();
        self.transaction = None;
        self.shared.locks.end();
        self.shared.channels.leave(self.shared.pid);
        super::temporary::forget(self);
        self.engine.unregister(self.shared.pid);
    }
}

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
    pub(super) fn log_in(
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
        let is_own = request.peer == Peer::Local && role.oid == super::engine::SYSTEM_ROLE;
        if operator.is_none() && !is_own {
            super::roles::check_login(engine, &database, &role, &request.user).map_err(fatal)?;
        }
        let mut settings = Settings::default();
        settings.initialize("session_authorization", &request.user);
        let problems = super::roles::start_settings(&database, &role, &mut settings);
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
            let scope = super::roles::Scope::Session;
            super::roles::set_role(&session.shared, Some(&role), scope).map_err(fatal)?;
        }
        session.gate.operator = operator;
        session.check_database(&role).map_err(fatal)?;
        session.take_place()?;
        Ok(session)
    }

    fn open(
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
            system: false,
            reported: BTreeMap::new(),
            reported_as: None,
            timer: None,
            transaction_timer: None,
        }
    }

    /// A session of the server itself, to set up a database.
    pub(super) fn system(engine: &Arc<Engine>, database: &str) -> Result<Self, PgError> {
        let state = engine
            .database(database)
            .ok_or_else(|| PgError::internal(format!("database \"{database}\" is not there")))?;
        let request = LoginRequest {
            user: "graphwire".to_owned(),
            database: database.to_owned(),
            parameters: Vec::new(),
            peer: super::identity::Peer::Local,
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
            peer: super::identity::Peer::Local,
            route: Route::Unrouted,
        };
        Self::login(engine, request, Authenticated::by_login_exchange()).await
    }

    /// The number clients know this session by.
    pub fn pid(&self) -> BackendPid {
        self.shared.pid
    }

    /// The key a CancelRequest must know.
    pub fn cancel_secret(&self) -> &[u8] {
        &self.shared.secret
    }

    /// Whether a transaction is open, for ReadyForQuery.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            Some(transaction) if transaction.explicit && transaction.failed => {
                TransactionStatus::Failed
            }
            Some(transaction) if transaction.explicit => TransactionStatus::InTransaction,
            Some(_) | None => TransactionStatus::Idle,
        }
    }

    /// Reported settings that changed since the last call; all of them at the first.
    pub fn take_parameter_status(&mut self) -> Vec<(String, String)> {
        let settings = self.shared.settings.lock();
        if self.reported_as.as_ref().is_some_and(|known| settings.unchanged_since(known)) {
            return Vec::new();
        }
        self.reported_as = Some(settings.clone());
        let changed: Vec<(&'static str, String)> = settings
            .reported()
            .filter(|(name, value)| self.reported.get(name).is_none_or(|known| known != value))
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        drop(settings);
        self.reported.extend(changed.iter().cloned());
        changed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Notices and warnings since the last call.
    pub fn take_notices(&mut self) -> Vec<PgError> {
        let notices = std::mem::take(&mut *self.shared.notices.lock());
        if notices.is_empty() {
            return notices;
        }
        let settings = self.shared.settings.lock();
        let least = level(settings.value("client_min_messages"));
        drop(settings);
        notices.into_iter().filter(|notice| level_of(notice.fields().severity) >= least).collect()
    }

    /// How this session's values are written.
    pub fn output_settings(&self) -> OutputSettings {
        self.shared.settings.lock().output()
    }

    /// Writes numbers of objects as names, for results in text.
    pub fn object_names(&self) -> ObjectNames {
        ObjectNames { answers: Arc::clone(&self.answers) }
    }

    /// Canceled when the session must end before its client leaves; [`Self::ending`] says why.
    pub fn ended(&self) -> CancellationToken {
        self.shared.ended.clone()
    }

    /// Why the session must end, if it must: always FATAL.
    pub fn ending(&self) -> Option<PgError> {
        self.shared.ending()
    }

    /// How long the client may say nothing from now on, and what it is told then.
    pub fn idle_limit(&self) -> Option<(std::time::Duration, PgError)> {
        let in_transaction = self.transaction_status() != TransactionStatus::Idle;
        let limit = self.shared.settings.lock().idle_timeout(in_transaction)?;
        let (code, message) = match in_transaction {
            true => (
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            ),
            false => (
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            ),
        };
        Some((limit, PgError::new(code, message).severity(Severity::Fatal)))
    }

    /// A token that cancels what runs now.
    pub fn cancel_token(&self) -> CancellationToken {
        self.shared.token()
    }

    /// Splits a query string.
    ///
    /// # Errors
    /// `42601` anywhere in it.
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>, PgError> {
        let language = match self.shared.settings.lock().value("query_language") {
            "sql" => QueryLanguage::Sql,
            "cypher" => QueryLanguage::Cypher,
            _ => QueryLanguage::Auto,
        };
        Ok(parser::parse_script(text, language, &|name| {
            parser::is_graph_procedure(name) || self.is_procedure(name)
        })?)
    }

    /// Whether `CALL` of this name is Cypher's: a function that `CREATE FUNCTION` made.
    fn is_procedure(&self, name: &str) -> bool {
        let catalog = self.shared.catalog();
        let (schema, name) = match name.rsplit_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, name.to_owned()),
        };
        let name = QualifiedName { schema, name };
        !catalog.functions.is_empty()
            && !catalog.functions_named(&name, &self.shared.search_path()).is_empty()
    }

    /// As [`Self::parse`]; a text that only says something about the session, as BEGIN does, is known again.
    ///
    /// # Errors
    /// `42601` anywhere in it.
    pub fn parse_again(&mut self, text: &str) -> Result<Arc<[Statement]>, PgError> {
        if let Some(known) = self.remembered.text(text)
            && !self.shared.settings.lock().is_cypher()
        {
            return Ok(Arc::clone(known));
        }
        let statements: Arc<[Statement]> = self.parse(text)?.into();
        if let [only] = &*statements
            && let Body::Sql { statement, .. } = &only.body
            && utility::is_session_statement(statement)
        {
            self.remembered.keep_text(text, &statements);
        }
        Ok(statements)
    }

    /// Runs one statement of a query string.
    ///
    /// # Errors
    /// Whatever the statement raises, with offsets into the whole string. Call [`Self::fail`] then.
    pub async fn run(
        &mut self,
        statement: &Statement,
        position: ScriptPosition,
    ) -> Result<Outcome, PgError> {
        let token = self.begin(&statement.text);
        let shared = Arc::clone(&self.shared);
        let outcome = tokio::select! {
            biased;
            () = token.cancelled() => Err(shared.canceled()),
            outcome = self.run_permitted(statement, position) => outcome,
        };
        outcome.map_err(|error| self.without_hidden_values(error))
    }

    async fn run_permitted(
        &mut self,
        statement: &Statement,
        position: ScriptPosition,
    ) -> Result<Outcome, PgError> {
        self.take_permit(statement).await?;
        match pipeline::run(self, statement, position).await {
            Ok(outcome) => Ok(self.charged(outcome, statement)),
            Err(error) => Err(self.explained(error)),
        }
    }

    /// Prepares a statement under a name.
    ///
    /// # Errors
    /// As the statement's binding; `42601` for more than one statement, `42P05`, `53400`.
    pub async fn prepare(
        &mut self,
        name: &str,
        text: &str,
        parameter_oids: &[u32],
    ) -> Result<(), PgError> {
        let (token, shared) = (self.begin(text), Arc::clone(&self.shared));
        if name.is_empty() {
            self.statements.close_prepared("");
            if let Some(known) = self.remembered.unnamed(text, parameter_oids)
                && self.refuse_if_failed().is_ok()
                && pipeline::still_stands(self, known)
            {
                let known = Arc::clone(known);
                return self.statements.prepare("", known);
            }
        }
        tokio::select! {
            biased;
            () = token.cancelled() => return Err(shared.canceled()),
            waited = super::safe_snapshot::wait(self) => waited?,
        }
        let prepared = Arc::new(pipeline::prepare(self, text, parameter_oids, false)?);
        if name.is_empty() && pipeline::has_short_way(self, &prepared) {
            self.remembered.keep_unnamed(parameter_oids, &prepared);
        }
        self.statements.prepare(name, prepared)
    }

    /// What a prepared statement takes and gives.
    ///
    /// # Errors
    /// `26000` if there is none of this name.
    pub async fn describe_statement(
        &mut self,
        name: &str,
    ) -> Result<StatementDescription, PgError> {
        let prepared = self.statements.prepared(name)?;
        Ok(StatementDescription {
            parameters: prepared.parameters.clone(),
            columns: prepared.columns.clone(),
        })
    }

    /// Opens a portal: a prepared statement with its parameters' values.
    ///
    /// # Errors
    /// `26000`, `42P03`, `08P01` for a wrong number of values, `22…` for a value that cannot be read.
    pub async fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        values: Vec<Option<Bytes>>,
        formats: Vec<Format>,
    ) -> Result<(), PgError> {
        let prepared = self.statements.prepared(statement)?;
        if prepared.statement.as_ref().is_none_or(|statement| !utility::ends_transaction(statement))
        {
            self.refuse_if_failed()?;
        }
        let given: Vec<(Format, Option<&[u8]>)> = formats
            .into_iter()
            .zip(&values)
            .map(|(format, value)| (format, value.as_deref()))
            .collect();
        let values = pipeline::read_values(self, &prepared, statement, &given)?;
        if portal.is_empty() {
            self.statements.close_portal("");
        }
        self.open_portal(portal, prepared, values, CursorOptions::default())
    }

    pub(super) fn open_portal(
        &mut self,
        name: &str,
        prepared: Arc<Prepared>,
        values: Vec<datafusion::common::metadata::ScalarAndMetadata>,
        options: CursorOptions,
    ) -> Result<(), PgError> {
        let portal = Portal {
            prepared,
            values,
            progress: Progress::Fresh,
            options,
            held: false,
            created_us: super::engine::now_us(),
        };
        self.statements.open(name, portal)
    }

    /// What a portal gives.
    ///
    /// # Errors
    /// `34000` if there is none of this name.
    pub async fn describe_portal(
        &mut self,
        portal: &str,
    ) -> Result<Option<Arc<[OutputColumn]>>, PgError> {
        Ok(self.statements.portal(portal)?.prepared.columns.clone())
    }

    /// Runs a portal, or goes on with it, for at most `max_rows` rows (0: all).
    ///
    /// # Errors
    /// Whatever the statement raises. Call [`Self::fail`] then.
    pub async fn execute(&mut self, portal: &str, max_rows: usize) -> Result<Outcome, PgError> {
        let prepared = Arc::clone(&self.statements.portal(portal)?.prepared);
        let token = self.begin(&prepared.text);
        let shared = Arc::clone(&self.shared);
        // A cancel is looked for where the statement waits; what is done at once is not slowed down by it.
        let outcome = tokio::select! {
            biased;
            outcome = self.execute_inner(portal, max_rows) => {
                outcome.map(|outcome| match &prepared.statement {
                    Some(statement) => self.charged(outcome, statement),
                    None => outcome,
                })
            }
            () = token.cancelled() => Err(shared.canceled()),
        };
        outcome.map_err(|error| self.without_hidden_values(error))
    }

    async fn execute_inner(&mut self, name: &str, max_rows: usize) -> Result<Outcome, PgError> {
        let portal = self.statements.portal(name)?;
        let prepared = Arc::clone(&portal.prepared);
        match &portal.progress {
            Progress::Rows(rows) => {
                let columns = Arc::clone(&rows.lock().columns);
                return Ok(Outcome::Rows { columns, rows: statements::read(rows, max_rows)? });
            }
            Progress::Done(tag) => return Ok(Outcome::Command(tag.clone())),
            Progress::Kept(_) | Progress::Fresh => {}
        }
        if let Progress::Kept(kept) = &mut portal.progress {
            let columns = Arc::clone(&kept.columns);
            let count = (max_rows > 0).then_some(max_rows as u64);
            let batch = kept.fetch(Direction::Forward(count))?;
            let tag = format!("SELECT {}", batch.num_rows());
            let rows = RowStream::ready(batch.schema(), batch, tag);
            return Ok(Outcome::Rows { columns, rows });
        }
        let values = portal.values.clone();
        let Some(statement) = prepared.statement.clone() else { return Ok(Outcome::Empty) };
        self.take_permit(&statement).await?;
        let outcome = match pipeline::execute(self, &prepared, &statement, values).await {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.explained(error)),
        };
        match outcome {
            pipeline::Executed::Rows(rows) => {
                let rows = Arc::new(parking_lot::Mutex::new(rows));
                let columns = Arc::clone(&rows.lock().columns);
                let stream = statements::read(&rows, max_rows)?;
                if let Ok(portal) = self.statements.portal(name) {
                    portal.progress = Progress::Rows(rows);
                }
                Ok(Outcome::Rows { columns, rows: stream })
            }
            pipeline::Executed::Ready(ready) => {
                let columns = Arc::clone(&ready.columns);
                if max_rows == 0 {
                    let tag = ready.kind.tag(ready.batch.num_rows() as u64);
                    let rows = RowStream::ready(ready.schema, ready.batch, tag);
                    if let Ok(portal) = self.statements.portal(name) {
                        portal.progress = Progress::Done(ready.kind.tag(0));
                    }
                    return Ok(Outcome::Rows { columns, rows });
                }
                let rows = Arc::new(parking_lot::Mutex::new(ready.into_rows()));
                let stream = statements::read(&rows, max_rows)?;
                if let Ok(portal) = self.statements.portal(name) {
                    portal.progress = Progress::Rows(rows);
                }
                Ok(Outcome::Rows { columns, rows: stream })
            }
            pipeline::Executed::Other(outcome) => {
                if let (Outcome::Command(tag), Ok(portal)) =
                    (&outcome, self.statements.portal(name))
                {
                    portal.progress = Progress::Done(tag.clone());
                }
                Ok(outcome)
            }
        }
    }

    /// Forgets a prepared statement.
    pub fn close_statement(&mut self, name: &str) {
        self.statements.close_prepared(name);
    }

    /// Closes a portal.
    pub fn close_portal(&mut self, name: &str) {
        self.statements.close_portal(name);
    }

    /// Ends a `COPY … FROM STDIN` whose data is complete; its command tag.
    ///
    /// # Errors
    /// What is wrong with the data (with the line as context), or what writing it raises.
    pub async fn finish_copy(&mut self) -> Result<String, PgError> {
        let Some(copy) = self.copy.take() else {
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, "no COPY is in progress"));
        };
        let (token, shared) = (self.cancel_token(), Arc::clone(&self.shared));
        tokio::select! {
            biased;
            () = token.cancelled() => Err(shared.canceled()),
            tag = copy.finish(self) => {
                let tag = tag?;
                self.charge_copied(&tag);
                Ok(tag)
            }
        }
    }

    /// Commits the implicit transaction, if one is open. Inside BEGIN … COMMIT nothing happens.
    ///
    /// # Errors
    /// `40001`, `23…` if the work cannot be committed; it is undone then.
    pub async fn finish(&mut self) -> Result<(), PgError> {
        self.stop_timer();
        self.gate.close();
        let result = match self.transaction.take_if(|transaction| !transaction.explicit) {
            None => Ok(()),
            Some(transaction) if transaction.failed => {
                self.after_transaction(false);
                Ok(())
            }
            Some(mut transaction) => {
                super::temporary::at_commit(&self.shared, &mut transaction);
                let result = self.commit(&transaction).await;
                self.after_transaction(result.is_ok());
                result
            }
        };
        self.shared.set_state(match self.transaction_status() {
            TransactionStatus::Idle => "idle",
            TransactionStatus::InTransaction => "idle in transaction",
            TransactionStatus::Failed => "idle in transaction (aborted)",
        });
        result
    }

    /// Whether commits are waited for until they are on the disk.
    fn syncs(&self) -> bool {
        self.shared.settings.lock().waits_for_disk()
    }

    /// Commits a transaction and waits until it is durable (unless `synchronous_commit` is off) and visible.
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<(), PgError> {
        self.check_announcements(&transaction.announced)?;
        if transaction.changed_anything() || transaction.reads().is_some() {
            let sync = self.syncs();
            transaction.commit(&self.database, &self.checks(transaction), sync)?.wait().await?;
        }
        self.send_announcements(&transaction.announced);
        Ok(())
    }

    /// An error happened: the implicit transaction is undone, an explicit one has failed.
    pub fn fail(&mut self) {
        self.stop_timer();
        self.gate.failed();
        self.copy = None;
        self.shared.now().token.cancel();
        match &mut self.transaction {
            Some(transaction) if transaction.explicit => {
                transaction.fail();
                self.shared.set_state("idle in transaction (aborted)");
            }
            Some(_) => {
                self.transaction = None;
                self.after_transaction(false);
                self.shared.set_state("idle");
            }
            None => self.shared.set_state("idle"),
        }
    }

    /// Notes that a statement begins and starts its timer.
    pub(super) fn begin(&mut self, text: &str) -> CancellationToken {
        self.stop_timer();
        let token = self.shared.begin_statement(text);
        let timeout = self.shared.settings.lock().statement_timeout_ms();
        if timeout > 0 {
            let (shared, timed) = (Arc::clone(&self.shared), token.clone());
            let timer = tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(timeout)).await;
                shared.time_out(&timed);
            });
            self.timer = Some(timer.abort_handle());
        }
        token
    }

    /// Ends the session if its transaction is still open when `transaction_timeout` is over.
    fn time_transaction(&mut self) {
        let Some(limit) = self.shared.settings.lock().transaction_timeout() else { return };
        // Without a runtime there is no connection to be ended.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = Arc::clone(&self.shared);
        let timer = runtime.spawn(async move {
            tokio::time::sleep(limit).await;
            shared.end(PgError::new(
                SqlState::TRANSACTION_TIMEOUT,
                "terminating connection due to transaction timeout",
            ));
        });
        self.transaction_timer = Some(timer.abort_handle());
    }

    fn stop_transaction_timer(&mut self) {
        if let Some(timer) = self.transaction_timer.take() {
            timer.abort();
        }
    }

    /// The statement that runs may take no longer than this.
    pub(super) fn limit_time(&mut self, limit: std::time::Duration) {
        let own = self.shared.settings.lock().statement_timeout_ms();
        if own > 0 && std::time::Duration::from_millis(own) <= limit {
            return;
        }
        self.stop_timer();
        let (shared, timed) = (Arc::clone(&self.shared), self.shared.token());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            shared.time_out(&timed);
        });
        self.timer = Some(timer.abort_handle());
    }

    /// Goes on in the place of another session: its client is this one's from now on.
    pub(super) fn take_place_of(mut self, other: &mut Self) {
        self.reported = std::mem::take(&mut other.reported);
        *other = self;
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

    fn stop_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }

    /// `25P02` in a failed transaction.
    pub(super) fn refuse_if_failed(&self) -> Result<(), PgError> {
        match &self.transaction {
            Some(transaction) if transaction.failed => Err(PgError::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// The open transaction, or a new implicit one, with the snapshot for the next statement.
    pub(super) fn statement_snapshot(&mut self) -> Result<&mut Transaction, PgError> {
        if self.transaction.is_none() {
            self.begin_transaction(false, None, None)?;
        }
        let database = Arc::clone(&self.database);
        let shared = Arc::clone(&self.shared);
        match &mut self.transaction {
            Some(transaction) => {
                transaction.snapshot(&database)?;
                shared.set_catalog(&transaction.catalog);
                Ok(transaction)
            }
            None => Err(PgError::internal("no transaction")),
        }
    }

    /// As [`Self::statement_snapshot`], for a statement that reads these tables only.
    pub(super) fn snapshot_of(&mut self, only: &[Oid]) -> Result<&mut Transaction, PgError> {
        if self.transaction.is_none() {
            return self.statement_snapshot();
        }
        match &mut self.transaction {
            Some(transaction) => {
                transaction.snapshot_of(only, &self.database)?;
                self.shared.set_catalog(&transaction.catalog);
                Ok(transaction)
            }
            None => Err(PgError::internal("no transaction")),
        }
    }

    /// Brings what the transaction wrote into its view, for a statement that takes no snapshot and may look at it.
    pub(super) fn settle_for(&self, statement: &Statement) -> Result<(), PgError> {
        match &self.transaction {
            Some(transaction)
                if !pipeline::is_plan(statement) && !utility::ends_transaction(statement) =>
            {
                transaction.settle()
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Opens a transaction with the session's defaults.
    pub(super) fn begin_transaction(
        &mut self,
        explicit: bool,
        isolation: Option<Isolation>,
        read_only: Option<bool>,
    ) -> Result<(), PgError> {
        let settings = self.shared.settings.lock();
        let isolation = match isolation {
            Some(isolation) => isolation,
            None => utility::isolation(settings.transaction_defaults().0)?,
        };
        let read_only = read_only.unwrap_or(settings.transaction_defaults().1);
        let read_only = read_only || self.gate.read_only;
        drop(settings);
        let number = self.engine.next_transaction();
        let locks = LockOwner::new(&self.database.locks, self.shared.pid.0, number);
        let mut transaction =
            Transaction::begin(&self.database, isolation, read_only, explicit, locks);
        if isolation == Isolation::Serializable && read_only {
            let settings = self.shared.settings.lock();
            transaction.deferrable = settings.value("default_transaction_deferrable") == "on";
        }
        self.shared.locks.set_transaction(&transaction.locks);
        self.shared.set_announcements(&transaction.announced);
        self.shared.begin_transaction(number);
        self.shared.undo.lock().before = Some(self.shared.settings.lock().clone());
        let mut settings = self.shared.settings.lock();
        let isolation = match isolation {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        };
        settings.transaction_is(isolation, read_only);
        drop(settings);
        self.transaction = Some(transaction);
        self.time_transaction();
        Ok(())
    }

    /// Settings, portals and the catalog that others see, after a transaction ended.
    pub(super) fn after_transaction(&mut self, committed: bool) {
        self.stop_transaction_timer();
        self.statements.end_transaction(committed);
        let undo = std::mem::take(&mut *self.shared.undo.lock());
        let mut settings = self.shared.settings.lock();
        if !committed && let Some(before) = undo.before {
            *settings = before;
        } else {
            for (name, value) in undo.local.into_iter().rev() {
                // It was the value before, so it is one the setting takes.
                let _ = settings.set(&name, &value);
            }
        }
        if committed && let Some(identity) = undo.local_identity {
            drop(settings);
            self.shared.take_identity(identity);
            settings = self.shared.settings.lock();
        }
        settings.transaction_is("read committed", false);
        drop(settings);
        self.shared.set_catalog(&self.database.latest().catalog);
    }

    /// Where a transaction's statement writes.
    pub(super) fn write_target(&self, transaction: &Transaction) -> Arc<StatementWrites> {
        Arc::new(self.new_target(transaction))
    }

    /// As [`Self::write_target`].
    pub(super) fn new_target(&self, transaction: &Transaction) -> StatementWrites {
        let checks = Arc::new(self.checks(transaction));
        let catalog = Arc::clone(&transaction.catalog);
        let locks = self.statement_locks(transaction);
        let definitions = OpenDefinitions {
            database: Arc::clone(&self.database),
            is_own: transaction.defines(),
            session: self.shared.pid.0,
            limits: self.shared.wait_limits(),
            check: Arc::clone(&checks) as _,
            sync: self.syncs(),
            defined: Arc::clone(&transaction.defined),
        };
        let writes = Arc::clone(&transaction.writes);
        let target = StatementWrites::new(writes, catalog, checks, locks);
        target.with_definitions(Arc::new(definitions))
    }

    /// What decides CHECK conditions in a transaction.
    pub(super) fn checks(&self, transaction: &Transaction) -> SessionChecks {
        SessionChecks::new(self.context_source(transaction))
    }

    fn context_source(&self, transaction: &Transaction) -> ContextSource {
        ContextSource {
            engine: Arc::clone(&self.engine),
            shared: Arc::clone(&self.shared),
            functions: Arc::clone(&self.functions),
            catalog: Arc::clone(&transaction.catalog),
            system: self.system,
        }
    }

    /// What binding may look at.
    pub(super) fn bind_context(
        &self,
        transaction: &Transaction,
        parameters: Parameters,
    ) -> BindContext {
        self.context_source(transaction).context(parameters)
    }
}

/// What a [`BindContext`] is made of: most that could need one, such as the check of a row, never do.
pub(super) struct ContextSource {
    pub(super) engine: Arc<Engine>,
    shared: Arc<SessionShared>,
    functions: Arc<SessionFunctions>,
    catalog: Arc<Catalog>,
    system: bool,
}

impl ContextSource {
    /// What binding may look at.
    pub(super) fn context(&self, parameters: Parameters) -> BindContext {
        let caller = self.shared.caller();
        let user = self.shared.role_name(caller.role, &self.catalog);
        let settings = self.shared.settings.lock();
        let graph_path = settings.value("graph_path");
        BindContext {
            catalog: Arc::clone(&self.catalog),
            search_path: self.shared.usable_path(&settings, &user, &caller, &self.catalog),
            functions: Arc::clone(&self.functions),
            options: Arc::clone(self.engine.runtime.planning_options()),
            parameters,
            graph_path: (!graph_path.is_empty()).then(|| graph_path.to_owned()),
            cypher_iso_temporals: settings.value("cypher_temporal_output") == "iso",
            ctes: Vec::new(),
            as_role: None,
            view_depth: 0,
            user,
            role: caller.role,
            session_role: caller.session,
            roles: Arc::clone(caller.roles()),
            system: self.system,
            temporary_schema: self.shared.temporary_schema(),
            view: None,
            resolved: None,
            locking: Arc::default(),
            row_security: settings.value("row_security") != "off",
            row_labels: settings.value("graphwire.row_labels").to_owned(),
            policies: Arc::clone(&self.shared.policies),
            notices: Arc::default(),
        }
    }
}

impl Session {
    /// What binding and the gate may look at now.
    pub(super) fn current_context(&self) -> Result<BindContext, PgError> {
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        Ok(self.bind_context(transaction, Parameters::default()))
    }

    /// Runs every statement of a text and gives their results, for tests and the command line. Rows are read to the end.
    ///
    /// # Errors
    /// The first statement's that fails; what came before it is undone unless it was committed.
    pub async fn run_text(&mut self, text: &str) -> Result<Vec<Finished>, PgError> {
        match self.run_text_inner(text).await {
            Ok(results) => Ok(results),
            Err(error) => {
                self.fail();
                Err(error)
            }
        }
    }

    async fn run_text_inner(&mut self, text: &str) -> Result<Vec<Finished>, PgError> {
        use futures::StreamExt as _;
        let parsed = self.parse(text)?;
        let mut results = Vec::with_capacity(parsed.len());
        for (at, statement) in parsed.iter().enumerate() {
            let position = match (at, at + 1 == parsed.len()) {
                (0, true) => ScriptPosition::Only,
                (0, false) => ScriptPosition::First,
                (_, true) => ScriptPosition::Last,
                (_, false) => ScriptPosition::Middle,
            };
            results.push(match self.run(statement, position).await? {
                Outcome::Rows { columns, mut rows } => {
                    let mut batches = Vec::new();
                    while let Some(batch) = rows.next().await {
                        batches.push(batch?);
                    }
                    let Completion::Complete(tag) = rows.completion() else {
                        return Err(PgError::internal("a whole result was suspended"));
                    };
                    Finished { columns: Some(columns), batches, tag }
                }
                Outcome::Command(tag) => Finished { columns: None, batches: Vec::new(), tag },
                Outcome::Empty => {
                    Finished { columns: None, batches: Vec::new(), tag: String::new() }
                }
                Outcome::CopyIn(_) | Outcome::CopyOut(_) => {
                    return Err(PgError::unsupported(
                        "COPY needs a connection",
                        "Use psql's \\copy.",
                    ));
                }
            });
        }
        self.finish().await?;
        Ok(results)
    }
}

/// How much a message matters, by the words of `client_min_messages`.
fn level(name: &str) -> u8 {
    match name {
        "log" => 2,
        "notice" => 3,
        "warning" => 4,
        "error" => 5,
        // The levels of `debug`.
        _ => 1,
    }
}

/// INFO is sent whatever the setting says.
fn level_of(severity: Severity) -> u8 {
    match severity {
        Severity::Notice => 3,
        Severity::Warning => 4,
        Severity::Error | Severity::Fatal | Severity::Info => 5,
    }
}

/// A statement's whole result.
#[derive(Debug)]
pub struct Finished {
    /// `None` if it gives no rows.
    pub columns: Option<Arc<[OutputColumn]>>,
    /// Its rows.
    pub batches: Vec<arrow::array::RecordBatch>,
    /// The command tag.
    pub tag: String,
}
