//! What one transaction holds, and how it waits for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::deadlock::{self, DeadlockStep};
use super::rows::RowSet;
use super::table::{LockTable, Wait, Waiter, Who};
use super::target::{LockTarget, Mode, Resource, RowLock, TableLock};
use crate::types::{Oid, RowId};

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Someone else holds it, and the caller would not wait.
    #[error("could not obtain lock")]
    NotAvailable,
    /// The caller waited as long as it would.
    #[error("canceling statement due to lock timeout")]
    TimedOut,
    /// Transactions wait for each other in a circle; each step names one.
    #[error("deadlock detected")]
    Deadlock(Vec<DeadlockStep>),
    /// The transaction is over.
    #[error("the transaction has ended")]
    Ended,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct WaitLimits {
    /// Until the wait is given up; `None` waits on.
    pub lock_timeout: Option<Duration>,
    /// Until it is looked whether the wait can end at all.
    pub deadlock_timeout: Duration,
}

/// What to do about a lock that another holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WhenHeld {
    /// Wait until it is free.
    Wait,
    /// Give up: `NOWAIT`.
    Fail,
    /// Leave the row out: `SKIP LOCKED`.
    Skip,
}

/// Locks that are released together: a transaction's, or those a session keeps across transactions.
#[derive(Debug)]
pub struct LockOwner {
    table: Arc<LockTable>,
    who: Who,
    held: Mutex<Held>,
    /// Whether it asked for a table in ACCESS EXCLUSIVE.
    excludes: AtomicBool,
}

/// What is held, in the order it was taken.
#[derive(Debug, Default)]
struct Held {
    locks: Vec<HeldLock>,
    ended: bool,
}

#[derive(Debug)]
struct HeldLock {
    resource: Resource,
    mode: Mode,
    rows: RowSet,
}

impl Drop for LockOwner {
    fn drop(&mut self) {
        self.release_all();
    }
}

impl LockOwner {
    /// An owner without locks. Owners of one session do not exclude each other.
    pub fn new(table: &Arc<LockTable>, session: i32, transaction: u64) -> Self {
        let who = Who { session, owner: table.next_number(), transaction };
        Self {
            table: Arc::clone(table),
            who,
            held: Mutex::default(),
            excludes: AtomicBool::new(false),
        }
    }

    pub(super) fn table(&self) -> &LockTable {
        &self.table
    }

    /// Whether a reader may have to wait for anyone. Where nobody excludes readers, what reads one snapshot in a
    /// transaction of its own needs no lock: what others define meanwhile is not in its snapshot.
    pub fn readers_may_wait(&self) -> bool {
        self.table.excluding.load(Ordering::SeqCst) > 0
    }

    /// The session it belongs to.
    pub fn session(&self) -> i32 {
        self.who.session
    }

    /// How many locks were taken so far: a point to go back to.
    pub fn mark(&self) -> usize {
        self.held.lock().locks.len()
    }

    /// Gives back what was taken after a [`Self::mark`].
    pub fn release_after(&self, mark: usize) {
        let gone: Vec<HeldLock> = {
            let mut held = self.held.lock();
            let mark = mark.min(held.locks.len());
            held.locks.drain(mark..).collect()
        };
        self.give_back(&gone);
    }

    /// Gives back everything; nothing can be taken after that.
    pub fn release_all(&self) {
        if self.excludes.swap(false, Ordering::SeqCst) {
            self.table.excluding.fetch_sub(1, Ordering::SeqCst);
        }
        let gone = {
            let mut held = self.held.lock();
            held.ended = true;
            std::mem::take(&mut held.locks)
        };
        self.give_back(&gone);
    }

    fn give_back(&self, locks: &[HeldLock]) {
        for lock in locks {
            self.table.release(lock.resource, self.who.owner, lock.mode, &lock.rows);
        }
    }

    /// Gives back one lock that is shared or exclusive; whether it was held.
    pub fn release_one(&self, target: LockTarget, exclusive: bool) -> bool {
        let (resource, _) = target.resource();
        let mode = if exclusive { Mode::EXCLUSIVE } else { Mode::SHARE };
        let found = {
            let mut held = self.held.lock();
            let at = held.locks.iter().position(|l| l.resource == resource && l.mode == mode);
            at.map(|at| held.locks.remove(at))
        };
        found.map(|lock| self.give_back(&[lock])).is_some()
    }

    /// Locks a table.
    ///
    /// # Errors
    /// [`LockError`]; nothing new is held then.
    pub async fn lock_table(
        &self,
        table: Oid,
        lock: TableLock,
        when_held: WhenHeld,
        limits: WaitLimits,
    ) -> Result<bool, LockError> {
        if lock == TableLock::AccessExclusive && !self.excludes.swap(true, Ordering::SeqCst) {
            self.table.excluding.fetch_add(1, Ordering::SeqCst);
        }
        self.lock(LockTarget::Table(table).resource(), lock.into(), when_held, limits).await
    }

    /// Locks a table if nobody has to be waited for; whether it is held.
    pub fn try_lock_table(&self, table: Oid, lock: TableLock) -> bool {
        lock != TableLock::AccessExclusive && self.try_lock(LockTarget::Table(table), lock.into())
    }

    /// Locks a row if nobody has to be waited for; whether it is held.
    pub fn try_lock_row(&self, table: Oid, row: RowId, lock: RowLock) -> bool {
        self.try_lock(LockTarget::Row(table, row), lock.into())
    }

    fn try_lock(&self, target: LockTarget, mode: Mode) -> bool {
        let (resource, place) = target.resource();
        matches!(self.take(resource, mode, &[place], &mut 0, WhenHeld::Fail), Ok(Taken::All))
    }

    /// Locks what is shared or exclusive: keys, definitions, numbers. Whether it had to wait.
    ///
    /// # Errors
    /// [`LockError`]; nothing new is held then.
    pub async fn lock_target(
        &self,
        target: LockTarget,
        exclusive: bool,
        when_held: WhenHeld,
        limits: WaitLimits,
    ) -> Result<bool, LockError> {
        let mode = if exclusive { Mode::EXCLUSIVE } else { Mode::SHARE };
        self.lock(target.resource(), mode, when_held, limits).await
    }

    /// Takes one place; whether it had to wait.
    async fn lock(
        &self,
        (resource, place): (Resource, u16),
        mode: Mode,
        when_held: WhenHeld,
        limits: WaitLimits,
    ) -> Result<bool, LockError> {
        match self.take(resource, mode, &[place], &mut 0, when_held)? {
            Taken::All => Ok(false),
            Taken::Held => Err(LockError::NotAvailable),
            Taken::Queued(waiting) => self.wait(waiting, limits).await.map(|()| true),
            Taken::Circle(steps) => Err(LockError::Deadlock(steps)),
        }
    }

    /// Locks rows, in their order. Gives those that were left out, which are none unless `when_held` says so.
    ///
    /// # Errors
    /// [`LockError`]; the rows before the one that could not be had stay locked.
    pub async fn lock_rows(
        &self,
        table: Oid,
        rows: &[RowId],
        lock: RowLock,
        when_held: WhenHeld,
        limits: WaitLimits,
    ) -> Result<Vec<RowId>, LockError> {
        let target = |row: &RowId| LockTarget::Row(table, *row).resource();
        self.lock_all(rows, target, lock.into(), when_held, limits).await
    }

    /// Locks keys that are inserted, by their hashes, which are in ascending order of their low [`KEY_BITS`] bits.
    ///
    /// # Errors
    /// [`LockError`]; the keys before the one that could not be had stay locked.
    pub async fn lock_keys(
        &self,
        constraint: Oid,
        hashes: &[u64],
        limits: WaitLimits,
    ) -> Result<(), LockError> {
        let target = |hash: &u64| LockTarget::Key(constraint, *hash).resource();
        self.lock_all(hashes, target, Mode::EXCLUSIVE, WhenHeld::Wait, limits).await.map(|_| ())
    }

    async fn lock_all<T: Copy>(
        &self,
        wanted: &[T],
        target: impl Fn(&T) -> (Resource, u16),
        mode: Mode,
        when_held: WhenHeld,
        limits: WaitLimits,
    ) -> Result<Vec<T>, LockError> {
        let mut skipped = Vec::new();
        let mut start = 0;
        let mut places = Vec::new();
        while let Some(first) = wanted.get(start) {
            let (resource, _) = target(first);
            places.clear();
            places.extend(
                wanted[start..]
                    .iter()
                    .map(&target)
                    .take_while(|(other, _)| *other == resource)
                    .map(|(_, place)| place),
            );
            let mut at = 0;
            loop {
                match self.take(resource, mode, &places, &mut at, when_held)? {
                    Taken::All => break,
                    Taken::Queued(waiting) => self.wait(waiting, limits).await?,
                    Taken::Circle(steps) => return Err(LockError::Deadlock(steps)),
                    Taken::Held if when_held == WhenHeld::Skip => {
                        skipped.extend(wanted.get(start + at).copied());
                    }
                    Taken::Held => return Err(LockError::NotAvailable),
                }
                at += 1;
            }
            start += places.len();
        }
        Ok(skipped)
    }

    /// Takes places from `at` on for as long as they are free; `at` stops at the one that is not. It is queued for if
    /// the caller will wait.
    fn take(
        &self,
        resource: Resource,
        mode: Mode,
        places: &[u16],
        at: &mut usize,
        when_held: WhenHeld,
    ) -> Result<Taken, LockError> {
        let mut taken = None;
        let mut shard = self.table.shard(resource);
        let entry = shard.entry(resource).or_default();
        let mut result = Taken::All;
        while let Some(place) = places.get(*at) {
            match entry.take(resource, self.who, mode, *place) {
                Some(true) => RowSet::add(&mut taken, *place),
                Some(false) => {}
                None if when_held != WhenHeld::Wait => {
                    result = Taken::Held;
                    break;
                }
                None => {
                    let (wake, woken) = oneshot::channel();
                    let wait = Wait { id: self.table.next_number(), resource, place: *place, mode };
                    let waiter = Waiter { wait, who: self.who, wake: Some(wake) };
                    result = match entry.queue(resource, waiter) {
                        Ok(()) => Taken::Queued(Waiting { wait, woken }),
                        Err(other) => Taken::Circle(deadlock::of_two(self.who, &wait, other)),
                    };
                    break;
                }
            }
            *at += 1;
        }
        if entry.is_free() {
            shard.remove(&resource);
        }
        drop(shard);
        if let Some(rows) = taken
            && let Err(error) = self.note(HeldLock { resource, mode, rows })
        {
            if let Taken::Queued(Waiting { wait, .. }) = result {
                drop(Queued { owner: self, wait, done: false });
            }
            return Err(error);
        }
        Ok(result)
    }

    /// Remembers a lock; one taken after the end goes back at once.
    fn note(&self, lock: HeldLock) -> Result<(), LockError> {
        let mut held = self.held.lock();
        if held.ended {
            drop(held);
            self.give_back(&[lock]);
            return Err(LockError::Ended);
        }
        held.locks.push(lock);
        Ok(())
    }

    async fn wait(
        &self,
        Waiting { wait, mut woken }: Waiting,
        limits: WaitLimits,
    ) -> Result<(), LockError> {
        self.table.waiting.lock().entry(self.who.session).or_default().push(wait);
        let mut queued = Queued { owner: self, wait, done: false };
        let started = tokio::time::Instant::now();
        let mut next_look = started + limits.deadlock_timeout;
        loop {
            let give_up = limits.lock_timeout.map(|timeout| started + timeout);
            let wake_at = give_up.map_or(next_look, |give_up| give_up.min(next_look));
            tokio::select! {
                biased;
                _ = &mut woken => return queued.leave(),
                () = tokio::time::sleep_until(wake_at) => {}
            }
            if give_up.is_some_and(|give_up| tokio::time::Instant::now() >= give_up) {
                return Err(LockError::TimedOut);
            }
            next_look = tokio::time::Instant::now() + limits.deadlock_timeout.max(LOOK_MIN);
            if let Some(steps) = deadlock::find(&self.table, self.who.session, &wait) {
                return Err(LockError::Deadlock(steps));
            }
        }
    }
}

/// A circle is looked for no more often than this.
const LOOK_MIN: Duration = Duration::from_millis(10);

/// How far taking went.
enum Taken {
    All,
    /// The next one is someone else's.
    Held,
    /// So it is, and this is the place in its queue.
    Queued(Waiting),
    /// So it is, and its holder waits for this one: neither would ever go on.
    Circle(Vec<DeadlockStep>),
}

/// A place in a queue that nobody waits at yet.
struct Waiting {
    wait: Wait,
    woken: oneshot::Receiver<()>,
}

/// Leaves the queue when the wait is over, however it ends: granted, given up, or dropped with its statement.
struct Queued<'a> {
    owner: &'a LockOwner,
    wait: Wait,
    done: bool,
}

impl Queued<'_> {
    fn leave(&mut self) -> Result<(), LockError> {
        if self.done {
            return Ok(());
        }
        self.done = true;
        let still_queued = self.owner.table.withdraw(self.owner.who.session, &self.wait);
        if still_queued {
            return Ok(());
        }
        let Wait { resource, place, mode, .. } = self.wait;
        self.owner.note(HeldLock { resource, mode, rows: RowSet::One(place) })
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}
