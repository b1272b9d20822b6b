//! Locks on numbers that clients agree on, and what a session shows of its waiting.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::shared::SessionShared;
use crate::error::{PgError, Severity, SqlState};
use crate::executor::write::lock_error;
use crate::functions::context::{AdvisoryMode, LockFacts};
use crate::storage::locks::{LockTarget, WhenHeld};
use crate::storage::{LockOwner, LockTable};
use crate::types::AdvisoryKey;

/// The locks of a session and of the transaction it is in.
#[derive(Debug)]
pub(super) struct SessionLocks {
    pub(super) table: Arc<LockTable>,
    /// Kept across transactions.
    own: LockOwner,
    /// How often each of them was taken.
    counts: Mutex<HashMap<(AdvisoryKey, bool), u64>>,
    transaction: Mutex<Option<Arc<LockOwner>>>,
}

impl SessionLocks {
    pub(super) fn new(table: &Arc<LockTable>, session: i32) -> Self {
        Self {
            table: Arc::clone(table),
            own: LockOwner::new(table, session, 0),
            counts: Mutex::default(),
            transaction: Mutex::default(),
        }
    }

    /// The locks of the transaction that begins.
    pub(super) fn set_transaction(&self, locks: &Arc<LockOwner>) {
        *self.transaction.lock() = Some(Arc::clone(locks));
    }

    /// Whether a reader may have to wait for anyone: see [`LockOwner::readers_may_wait`].
    pub(super) fn readers_may_wait(&self) -> bool {
        self.own.readers_may_wait()
    }

    /// Gives back what is kept across transactions; at the end of the session for good.
    pub(super) fn end(&self) {
        self.own.release_all();
    }

    fn release_own(&self) {
        self.counts.lock().clear();
        self.own.release_after(0);
    }
}

#[async_trait]
impl LockFacts for SessionShared {
    async fn lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> Result<(), PgError> {
        self.take(key, mode, WhenHeld::Wait).await.map(|_| ())
    }

    async fn try_lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> Result<bool, PgError> {
        self.take(key, mode, WhenHeld::Fail).await
    }

    fn unlock(&self, key: AdvisoryKey, exclusive: bool) -> bool {
        let mut counts = self.locks.counts.lock();
        let Some(count) = counts.get_mut(&(key, exclusive)) else {
            drop(counts);
            let name = if exclusive { "ExclusiveLock" } else { "ShareLock" };
            self.notify(
                PgError::new(SqlState::WARNING, format!("you don't own a lock of type {name}"))
                    .severity(Severity::Warning),
            );
            return false;
        };
        *count -= 1;
        if *count == 0 {
            counts.remove(&(key, exclusive));
            drop(counts);
            self.locks.own.release_one(LockTarget::Advisory(key), exclusive);
        }
        true
    }

    fn unlock_all(&self) {
        self.locks.release_own();
    }

    fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        self.locks.table.blockers(pid)
    }
}

impl SessionShared {
    /// Takes an advisory lock; whether it could be had.
    async fn take(
        &self,
        key: AdvisoryKey,
        mode: AdvisoryMode,
        when_held: WhenHeld,
    ) -> Result<bool, PgError> {
        let limits = self.wait_limits();
        let transaction = self.locks.transaction.lock().clone();
        let owner = match (&transaction, mode.transaction) {
            (Some(transaction), true) => transaction.as_ref(),
            (None, true) => return Err(PgError::internal("no transaction")),
            (_, false) => &self.locks.own,
        };
        let target = LockTarget::Advisory(key);
        match owner.lock_target(target, mode.exclusive, when_held, limits).await {
            Ok(_) => {}
            Err(crate::storage::locks::LockError::NotAvailable) => return Ok(false),
            Err(error) => {
                let database = self.now().catalog.database.oid;
                return Err(lock_error(error, database, String::new));
            }
        }
        if !mode.transaction {
            *self.locks.counts.lock().entry((key, mode.exclusive)).or_default() += 1;
        }
        Ok(true)
    }
}
