//! The part of a session that others look at: functions while a statement runs, other sessions, the cancel key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::advisory::SessionLocks;
use super::channels::{Announcements, Channels, Inbox};
use super::engine::{DatabaseState, Engine, now_us};
use super::identity::Peer;
use super::sequences::SequenceState;
use super::settings::Settings;
use crate::access::Caller;
use crate::catalog::Catalog;
use crate::error::{PgError, SqlState};
use crate::storage::Sequences;
use crate::storage::locks::WaitLimits;
use crate::types::BackendPid;

/// What a session shows of itself.
#[derive(Debug)]
pub(super) struct SessionShared {
    pub(super) pid: BackendPid,
    /// The key a CancelRequest must know.
    pub(super) secret: [u8; 4],
    pub(super) engine: Weak<Engine>,
    pub(super) user: String,
    pub(super) caller: Caller,
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
    /// Whether it ever made its temporary schema.
    pub(super) has_temporary: AtomicBool,
    now: Mutex<Now>,
}

/// Settings to go back to at the end of the transaction.
#[derive(Debug, Default)]
pub(super) struct Undo {
    /// If it fails.
    pub(super) before: Option<Settings>,
    /// In any case: what SET LOCAL covered, by name.
    pub(super) local: Vec<(String, String)>,
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

impl SessionShared {
    pub(super) fn new(
        engine: &Arc<Engine>,
        pid: BackendPid,
        user: String,
        caller: Caller,
        peer: Peer,
        settings: Settings,
        database: &DatabaseState,
    ) -> Self {
        let started_us = now_us();
        Self {
            pid,
            secret: rand::random(),
            engine: Arc::downgrade(engine),
            user,
            caller,
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
            has_temporary: AtomicBool::new(false),
            now: Mutex::new(Now {
                catalog: database.latest().catalog,
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
        now.token.clone()
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

    /// Cancels what runs now because it took too long, unless another statement runs by now.
    pub(super) fn time_out(&self, token: &CancellationToken) {
        self.now.lock().timed_out = true;
        token.cancel();
    }

    /// The error of a canceled statement.
    pub(super) fn canceled(&self) -> PgError {
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
        self.with_temporary(self.settings.lock().search_path(&self.user))
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
