//! Waiting until others have ended, without queueing for what they hold: nobody who comes later has to wait for it.

use std::time::Duration;

use super::deadlock::DeadlockStep;
use super::owner::{LockError, LockOwner, WaitLimits};
use super::table::LockTable;
use super::target::{LockTarget, Mode, TableLock};
use crate::types::Oid;

/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(2);

/// That a session waits for the ends of others, for those who look.
#[derive(Debug)]
pub struct Attending<'a> {
    table: &'a LockTable,
    session: i32,
}

impl LockTable {
    /// Shows that a session waits, until the result is dropped.
    pub fn attend(&self, session: i32) -> Attending<'_> {
        Attending { table: self, session }
    }
}

impl Attending<'_> {
    /// Whom it waits for now.
    pub fn for_sessions(&self, sessions: Vec<i32>) {
        self.table.attending.lock().insert(self.session, sessions);
    }
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        self.table.attending.lock().remove(&self.session);
    }
}

impl LockOwner {
    /// Waits until every other transaction that holds a lock on a table now, in a mode that `lock` conflicts with, gave it
    /// back. What others take later is not waited for.
    ///
    /// # Errors
    /// [`LockError::TimedOut`]; [`LockError::Deadlock`] if one of them waits for this session.
    pub async fn wait_for_holders(
        &self,
        table: Oid,
        lock: TableLock,
        limits: WaitLimits,
    ) -> Result<(), LockError> {
        let mut owners = self.table().holders(table, lock, self.session());
        let started = tokio::time::Instant::now();
        let attending = self.table().attend(self.session());
        while !owners.is_empty() {
            attending.for_sessions(owners.iter().map(|(session, _)| *session).collect());
            tokio::time::sleep(LOOK).await;
            let now = self.table().holders(table, lock, self.session());
            owners.retain(|owner| now.contains(owner));
            let waited = started.elapsed();
            if limits.lock_timeout.is_some_and(|timeout| waited >= timeout) {
                return Err(LockError::TimedOut);
            }
            if waited >= limits.deadlock_timeout
                && let Some((session, _)) =
                    owners.iter().find(|(session, _)| self.is_waited_for_by(*session))
            {
                return Err(LockError::Deadlock(vec![DeadlockStep {
                    session: self.session(),
                    target: LockTarget::Table(table),
                    mode: Mode::from(lock).0,
                    blocked_by: *session,
                    blocking_transaction: 0,
                }]));
            }
        }
        Ok(())
    }

    /// Whether a session waits for this one, perhaps by way of others.
    fn is_waited_for_by(&self, session: i32) -> bool {
        let (mut seen, mut open) = (vec![session], vec![session]);
        while let Some(next) = open.pop() {
            for blocker in self.table().blockers(next) {
                if blocker == self.session() {
                    return true;
                }
                if !seen.contains(&blocker) {
                    seen.push(blocker);
                    open.push(blocker);
                }
            }
        }
        false
    }
}
