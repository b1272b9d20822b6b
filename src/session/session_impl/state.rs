//! What a session holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::functions::registry::SessionFunctions;
use crate::session::copy::CopyTask;
use crate::session::engine::{DatabaseState, Engine};
use crate::session::facts::SessionAnswers;
use crate::session::outcome::TransactionStatus;
use crate::session::remembered::Remembered;
use crate::session::settings::Settings;
use crate::session::shared::SessionShared;
use crate::session::statements::Statements;
use crate::session::tenancy::Gate;
use crate::session::transaction::Transaction;
use crate::types::BackendPid;

/// One connection's state. See the module for the way of a statement.
pub struct Session {
    pub(in crate::session) engine: Arc<Engine>,
    pub(in crate::session) database: Arc<DatabaseState>,
    pub(in crate::session) shared: Arc<SessionShared>,
    pub(in crate::session) answers: Arc<SessionAnswers>,
    pub(in crate::session) functions: Arc<SessionFunctions>,
    pub(in crate::session) statements: Statements,
    pub(in crate::session) remembered: Remembered,
    pub(in crate::session) transaction: Option<Transaction>,
    pub(in crate::session) copy: Option<CopyTask>,
    /// Its quotas, and whether it is an operator's.
    pub(in crate::session) gate: Gate,
    /// How many functions run in each other now.
    pub(in crate::session) routine_depth: usize,
    /// Whether its thread writes the log for its commits.
    pub(super) commits_here: bool,
    /// Whether this is the server itself, at its first start.
    pub(in crate::session) system: bool,
    pub(super) reported: BTreeMap<&'static str, String>,
    /// The settings that `reported` was compared with last.
    pub(super) reported_as: Option<Settings>,
    pub(super) timer: Option<tokio::task::AbortHandle>,
    /// Ends the session when its transaction takes too long.
    pub(super) transaction_timer: Option<tokio::task::AbortHandle>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop_timer();
        self.stop_transaction_timer();
        self.transaction = None;
        self.shared.locks.end();
        self.shared.channels.leave(self.shared.pid);
        crate::session::temporary::forget(self);
        self.engine.unregister(self.shared.pid);
    }
}

impl Session {
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

    /// Goes on in the place of another session: its client is this one's from now on.
    pub(in crate::session) fn take_place_of(mut self, other: &mut Self) {
        self.reported = std::mem::take(&mut other.reported);
        *other = self;
    }
}
