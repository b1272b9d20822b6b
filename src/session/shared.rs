//! The part of a session that others look at: functions while a statement runs, other sessions, the cancel key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::advisory::SessionLocks;
use super::channels::{Announcements, Channels, Inbox};
use super::engine::{DatabaseState, Engine, now_us};
use super::exported::Exports;
use super::identity::Peer;
use super::sequences::SequenceState;
use super::settings::Settings;
use crate::access::{Caller, Identity};
use crate::catalog::{Catalog, Rights};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::PolicyCache;
use crate::storage::Sequences;
use crate::storage::locks::WaitLimits;
use crate::types::{BackendPid, Oid, TenantId};

/// What a session shows of itself.
#[derive(Debug)]
pub(super) struct SessionShared {
    pub(super) pid: BackendPid,
    /// The key a CancelRequest must know.
    pub(super) secret: [u8; 4],
    pub(super) engine: Weak<Engine>,
    pub(super) user: String,
    /// The role it logged in as.
    pub(super) login_role: Oid,
    /// Whether that was a superuser then.
    pub(super) login_superuser: bool,
    /// The tenant the session belongs to.
    pub(super) tenant: TenantId,
    /// Who the last statement ran as.
    caller: Mutex<Arc<Caller>>,
    pub(super) peer: Peer,
    pub(super) started_us: i64,
    pub(super) settings: Mutex<Settings>,
    /// Settings before the transaction, to take back if it fails; and before SET LOCAL.
    pub(super) undo: Mutex<Undo>,
    pub(super) notices: Mutex<Vec<PgError>>,
    pub(super) locks: SessionLocks,
    /// Channels of the database.
    pub(super) channels: Arc<Channels>,
    /// Messages for this session.
    pub(super) inbox: Arc<Inbox>,
    announcements: Mutex<Arc<Announcements>>,
    /// Counters of the database's sequences.
    pub(super) sequences: Arc<Sequences>,
    /// What this session knows of them.
    pub(super) sequence_state: Mutex<SequenceState>,
    /// Why the session ends before its client leaves, once it must.
    ending: Mutex<Option<PgError>>,
    /// Canceled when it must end.
    pub(super) ended: CancellationToken,
    /// Whether it ever made its temporary schema.
    pub(super) has_temporary: AtomicBool,
    /// Conditions of policies that it bound.
    pub(super) policies: Arc<PolicyCache>,
    /// Snapshots of its transaction for other sessions.
    pub(super) exports: Mutex<Exports>,
    /// A CancelRequest that has stopped nothing yet.
    early: EarlyCancel,
    now: Mutex<Now>,
}

/// A CancelRequest that has stopped nothing yet. It comes on a connection of its own, so it may pass the statement that it
/// is meant for.
#[derive(Debug, Default)]
struct EarlyCancel {
    /// Until a statement ends by it, another begins, which it cancels, or the client turns out to have sent none.
    waits: AtomicBool,
    arrived: Notify,
}

/// Settings to go back to at the end of the transaction.
#[derive(Debug, Default)]
pub(super) struct Undo {
    /// If it fails.
    pub(super) before: Option<Settings>,
    /// In any case: what SET LOCAL covered, by name.
    pub(super) local: Vec<(String, String)>,
    /// In any case: the roles that SET LOCAL ROLE covered.
    pub(super) local_identity: Option<Identity>,
}

/// What the session does now.
#[derive(Debug, Clone)]
pub(super) struct Now {
    pub(super) catalog: Arc<Catalog>,
    pub(super) token: CancellationToken,
    pub(super) timed_out: bool,
    pub(super) transaction_us: i64,
    pub(super) statement_us: i64,
    pub(super) transaction_id: u64,
    pub(super) state: &'static str,
    pub(super) query: String,
    pub(super) state_change_us: i64,
}

impl Now {
    /// A statement begins and is over, and the session goes on to `state`.
    fn note(&mut self, query: &str, state: &'static str) {
        self.statement_us = now_us();
        self.state_change_us = self.statement_us;
        self.state = state;
        if self.query != query {
            query.clone_into(&mut self.query);
        }
    }
}

impl SessionShared {
    pub(super) fn new(
        engine: &Arc<Engine>,
        pid: BackendPid,
        user: String,
        tenant: TenantId,
        peer: Peer,
        settings: Settings,
        database: &DatabaseState,
    ) -> Self {
        let started_us = now_us();
        let catalog = database.latest().catalog;
        let caller = Caller::new(settings.identity, tenant, &catalog);
        Self {
            pid,
            secret: rand::random(),
            engine: Arc::downgrade(engine),
            user,
            login_role: settings.identity.authenticated,
            login_superuser: caller.superuser,
            tenant,
            caller: Mutex::new(Arc::new(caller)),
            peer,
            started_us,
            settings: Mutex::new(settings),
            undo: Mutex::default(),
            notices: Mutex::default(),
            locks: SessionLocks::new(&database.locks, pid.0),
            channels: Arc::clone(&database.channels),
            inbox: Arc::default(),
            announcements: Mutex::default(),
            sequences: Arc::clone(&database.sequences),
            sequence_state: Mutex::default(),
            ending: Mutex::default(),
            ended: CancellationToken::new(),
            has_temporary: AtomicBool::new(false),
            policies: Arc::default(),
            exports: Mutex::default(),
            early: EarlyCancel::default(),
            now: Mutex::new(Now {
                catalog,
                token: CancellationToken::new(),
                timed_out: false,
                transaction_us: started_us,
                statement_us: started_us,
                transaction_id: 0,
                state: "idle",
                query: String::new(),
                state_change_us: started_us,
            }),
        }
    }

    /// The catalog the session sees now.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.now.lock().catalog)
    }

    /// Who the session's statements run as now.
    pub(super) fn caller(&self) -> Arc<Caller> {
        let identity = self.settings.lock().identity;
        let catalog = self.catalog();
        let mut known = self.caller.lock();
        if !known.is_for(identity, &catalog) {
            *known = Arc::new(Caller::new(identity, self.tenant, &catalog));
        }
        Arc::clone(&known)
    }

    /// The name of a role of this session. Under trust a user may have logged in by a name that is no role's.
    pub(super) fn role_name(&self, role: Oid, catalog: &Catalog) -> String {
        if role == self.login_role {
            return self.user.clone();
        }
        catalog.cluster.roles.get(&role).map_or_else(String::new, |role| role.name.clone())
    }

    pub(super) fn now(&self) -> Now {
        self.now.lock().clone()
    }

    /// What cancels the statement that runs.
    pub(super) fn token(&self) -> CancellationToken {
        self.now.lock().token.clone()
    }

    /// When the transaction began, microseconds since 1970.
    pub(super) fn transaction_us(&self) -> i64 {
        self.now.lock().transaction_us
    }

    /// Notes that a statement begins; its fresh cancel token.
    pub(super) fn begin_statement(&self, query: &str) -> CancellationToken {
        let mut now = self.now.lock();
        now.token = CancellationToken::new();
        now.timed_out = false;
        now.statement_us = now_us();
        now.state_change_us = now.statement_us;
        now.state = "active";
        query.clone_into(&mut now.query);
        if self.early.waits.swap(false, Ordering::Relaxed) {
            now.token.cancel();
        }
        now.token.clone()
    }

    /// Notes a statement outside a transaction that began and is over; it waits for nothing, so nobody can cancel it.
    pub(super) fn note_finished(&self, query: &str) {
        let mut now = self.now.lock();
        now.note(query, "idle");
        now.transaction_us = now.statement_us;
    }

    /// Notes a statement in a transaction that waits for nothing, and what the session does after it.
    pub(super) fn note_at_once(&self, query: &str, state: &'static str) {
        self.now.lock().note(query, state);
    }

    /// Whether the session has a schema for temporary objects.
    pub(super) fn has_temporary(&self) -> bool {
        self.has_temporary.load(Ordering::Relaxed)
    }

    /// What the transaction announces.
    pub(super) fn announcements(&self) -> Arc<Announcements> {
        Arc::clone(&self.announcements.lock())
    }

    /// What the transaction that begins announces goes there.
    pub(super) fn set_announcements(&self, announced: &Arc<Announcements>) {
        *self.announcements.lock() = Arc::clone(announced);
    }

    pub(super) fn set_state(&self, state: &'static str) {
        let mut now = self.now.lock();
        now.state = state;
        now.state_change_us = now_us();
    }

    pub(super) fn begin_transaction(&self, id: u64) {
        let mut now = self.now.lock();
        now.transaction_us = now_us();
        now.transaction_id = id;
    }

    pub(super) fn set_catalog(&self, catalog: &Arc<Catalog>) {
        self.now.lock().catalog = Arc::clone(catalog);
    }

    /// Cancels what runs now, for its user.
    pub(super) fn cancel_statement(&self) {
        self.now.lock().token.cancel();
    }

    /// Cancels what runs now or, if that ends otherwise, what the client has sent already.
    pub(super) fn cancel_sent(&self) {
        let now = self.now.lock();
        now.token.cancel();
        self.early.waits.store(true, Ordering::Relaxed);
        self.early.arrived.notify_one();
    }

    /// Whether a cancel waits for a statement to begin.
    pub(super) fn cancel_waits(&self) -> bool {
        self.early.waits.load(Ordering::Relaxed)
    }

    /// Ends when a cancel has come.
    pub(super) async fn cancel_arrived(&self) {
        self.early.arrived.notified().await;
    }

    /// The client has sent nothing that a cancel could wait for.
    pub(super) fn nothing_sent(&self) {
        self.early.waits.store(false, Ordering::Relaxed);
    }

    /// Cancels what runs now because it took too long, unless another statement runs by now.
    pub(super) fn time_out(&self, token: &CancellationToken) {
        self.now.lock().timed_out = true;
        token.cancel();
    }

    /// Ends the session: what runs is canceled, and the client gets `error`, FATAL.
    pub(super) fn end(&self, error: PgError) {
        self.ending.lock().get_or_insert_with(|| error.severity(crate::error::Severity::Fatal));
        self.ended.cancel();
        self.cancel_statement();
    }

    /// Why the session must end, if it must.
    pub(super) fn ending(&self) -> Option<PgError> {
        self.ending.lock().clone()
    }

    /// The error of a canceled statement.
    pub(super) fn canceled(&self) -> PgError {
        if self.ended.is_cancelled()
            && let Some(ending) = self.ending()
        {
            return ending;
        }
        let message = if self.now.lock().timed_out {
            "canceling statement due to statement timeout"
        } else {
            "canceling statement due to user request"
        };
        PgError::new(SqlState::QUERY_CANCELED, message)
    }

    pub(super) fn notify(&self, notice: PgError) {
        self.notices.lock().push(notice);
    }

    /// How long statements of this session wait for others.
    pub(super) fn wait_limits(&self) -> WaitLimits {
        let (lock_timeout, deadlock_timeout) = self.settings.lock().lock_timeouts();
        WaitLimits {
            lock_timeout: Some(lock_timeout).filter(|limit| !limit.is_zero()),
            deadlock_timeout,
        }
    }

    pub(super) fn search_path(&self) -> Vec<String> {
        let user = self.current_user();
        let (caller, catalog) = (self.caller(), self.catalog());
        let settings = self.settings.lock();
        self.usable_path(&settings, &user, &caller, &catalog)
    }

    /// The search path, less the schemas that the caller may not look into.
    pub(super) fn usable_path(
        &self,
        settings: &Settings,
        user: &str,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Vec<String> {
        let mut path = settings.search_path(user);
        if !caller.superuser {
            let roles = caller.roles();
            path.retain(|name| {
                catalog.schema(name).is_none_or(|schema| {
                    catalog.schema_rights(schema.oid, roles).contains(Rights::USAGE)
                })
            });
        }
        self.with_temporary(path)
    }

    /// The name of the current role.
    pub(super) fn current_user(&self) -> String {
        let role = self.settings.lock().identity.current();
        self.role_name(role, &self.catalog())
    }

    /// The name of the session's schema for temporary objects.
    pub(super) fn temporary_schema(&self) -> String {
        format!("pg_temp_{}", self.pid.0)
    }

    /// A search path with the session's temporary schema in front, once there is one.
    pub(super) fn with_temporary(&self, mut path: Vec<String>) -> Vec<String> {
        if self.has_temporary.load(Ordering::Relaxed) && !path.iter().any(|one| one == "pg_temp") {
            path.insert(0, self.temporary_schema());
        }
        for schema in &mut path {
            if schema == "pg_temp" {
                *schema = self.temporary_schema();
            }
        }
        path
    }
}
