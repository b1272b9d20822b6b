//! Who holds what, and who waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use datafusion::common::HashMap;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::rows::RowSet;
use super::target::{LockTarget, Mode, Resource, TableLock};
use crate::types::Oid;

const SHARDS: usize = 64;

/// All locks of a database.
#[derive(Debug)]
pub struct LockTable {
    shards: Box<[Mutex<Shard>]>,
    /// What each waiting session waits for.
    pub(super) waiting: Mutex<HashMap<i32, Vec<Wait>>>,
    /// Sessions that wait until others have ended.
    pub(super) attending: Mutex<HashMap<i32, Vec<i32>>>,
    next: AtomicU64,
    /// Owners that asked for a table in ACCESS EXCLUSIVE and have not ended.
    pub(super) excluding: AtomicUsize,
}

pub(super) type Shard = HashMap<Resource, Entry>;

/// Who asks: the session decides what conflicts, the owner what is released together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) session: i32,
    pub(super) owner: u64,
    /// The transaction, as messages name it.
    pub(super) transaction: u64,
}

/// The locks on one resource.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) holders: Vec<Holder>,
    pub(super) waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
pub(super) struct Holder {
    pub(super) who: Who,
    pub(super) mode: Mode,
    pub(super) rows: RowSet,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) wait: Wait,
    pub(super) who: Who,
    /// Told when the lock is held.
    pub(super) wake: Option<oneshot::Sender<()>>,
}

/// That a session waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) id: u64,
    pub(super) resource: Resource,
    pub(super) place: u16,
    pub(super) mode: Mode,
}

/// A lock that is held or waited for, for those who look.
#[derive(Debug, Clone)]
pub struct LockView {
    /// The session.
    pub session: i32,
    /// Its transaction.
    pub transaction: u64,
    /// What it is on.
    pub target: LockTarget,
    /// Strength: the number of a [`super::TableLock`] or [`super::RowLock`], or 0 for shared and 1 for exclusive.
    pub mode: u8,
    /// Held, rather than waited for.
    pub granted: bool,
    /// The transaction that is waited for, if it is known.
    pub blocker: Option<u64>,
}

impl Default for LockTable {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            waiting: Mutex::default(),
            attending: Mutex::default(),
            next: AtomicU64::new(1),
            excluding: AtomicUsize::new(0),
        }
    }
}

impl LockTable {
    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn shard(&self, resource: Resource) -> MutexGuard<'_, Shard> {
        self.shards[resource.spread() as usize % SHARDS].lock()
    }

    /// Gives back places of a resource, and grants what can be granted now.
    pub(super) fn release(&self, resource: Resource, owner: u64, mode: Mode, rows: &RowSet) {
        let mut shard = self.shard(resource);
        let Some(entry) = shard.get_mut(&resource) else { return };
        entry.holders.retain_mut(|holder| {
            !(holder.who.owner == owner && holder.mode == mode && holder.rows.remove(rows))
        });
        entry.grant(resource);
        if entry.is_free() {
            shard.remove(&resource);
        }
    }

    /// The sessions that keep a session waiting: holders, and those before it in the queue.
    pub fn blockers(&self, session: i32) -> Vec<i32> {
        let waits = self.waiting.lock().get(&session).cloned().unwrap_or_default();
        let mut found = self.attending.lock().get(&session).cloned().unwrap_or_default();
        for wait in waits {
            for blocker in self.blockers_of(session, &wait) {
                if !found.contains(&blocker.who.session) {
                    found.push(blocker.who.session);
                }
            }
        }
        found
    }

    /// Who holds a lock on a table that conflicts with another: session and owner, without those of one session.
    pub(super) fn holders(&self, table: Oid, lock: TableLock, but: i32) -> Vec<(i32, u64)> {
        let (resource, _) = LockTarget::Table(table).resource();
        let shard = self.shard(resource);
        let Some(entry) = shard.get(&resource) else { return Vec::new() };
        let holders = entry.holders.iter().filter(|holder| {
            holder.who.session != but && resource.conflicts(lock.into(), holder.mode)
        });
        holders.map(|holder| (holder.who.session, holder.who.owner)).collect()
    }

    /// Whether a session waits for a lock, and for what.
    pub fn waits_for(&self, session: i32) -> Option<LockTarget> {
        let waiting = self.waiting.lock();
        let wait = waiting.get(&session)?.first()?;
        Some(LockTarget::at(wait.resource, wait.place))
    }

    /// Who keeps one wait from ending. Nothing if it has ended.
    pub(super) fn blockers_of(&self, session: i32, wait: &Wait) -> Vec<Blocker> {
        let shard = self.shard(wait.resource);
        let Some(entry) = shard.get(&wait.resource) else { return Vec::new() };
        let Some(at) = entry.waiters.iter().position(|waiter| waiter.wait.id == wait.id) else {
            return Vec::new();
        };
        let holders = entry.holders.iter().filter(|holder| {
            holder.who.session != session
                && holder.rows.contains(wait.place)
                && wait.resource.conflicts(wait.mode, holder.mode)
        });
        let waiters = entry.waiters.iter().take(at).filter(|waiter| {
            waiter.who.session != session
                && waiter.wait.place == wait.place
                && wait.resource.conflicts(wait.mode, waiter.wait.mode)
        });
        holders
            .map(|holder| Blocker { who: holder.who, in_queue: false })
            .chain(waiters.map(|waiter| Blocker { who: waiter.who, in_queue: true }))
            .collect()
    }

    /// All locks, rows that are merely held left out: there may be millions.
    pub fn views(&self) -> Vec<LockView> {
        let mut views = Vec::new();
        for shard in &self.shards {
            for (resource, entry) in shard.lock().iter() {
                entry.view(*resource, &mut views);
            }
        }
        views
    }

    /// Takes a wait out of the queue, if it is still there: whether it was.
    pub(super) fn withdraw(&self, session: i32, wait: &Wait) -> bool {
        let mut waiting = self.waiting.lock();
        if let Some(waits) = waiting.get_mut(&session) {
            waits.retain(|other| other.id != wait.id);
            if waits.is_empty() {
                waiting.remove(&session);
            }
        }
        drop(waiting);
        let mut shard = self.shard(wait.resource);
        let Some(entry) = shard.get_mut(&wait.resource) else { return false };
        let before = entry.waiters.len();
        entry.waiters.retain(|waiter| waiter.wait.id != wait.id);
        let was_there = entry.waiters.len() < before;
        if was_there {
            entry.grant(wait.resource);
            if entry.is_free() {
                shard.remove(&wait.resource);
            }
        }
        was_there
    }

    /// Puts a waiter at the front of its queue, past those it waits for only because they came first.
    pub(super) fn move_up(&self, wait: &Wait) {
        let mut shard = self.shard(wait.resource);
        let Some(entry) = shard.get_mut(&wait.resource) else { return };
        let Some(at) = entry.waiters.iter().position(|waiter| waiter.wait.id == wait.id) else {
            return;
        };
        if let Some(waiter) = entry.waiters.remove(at) {
            entry.waiters.push_front(waiter);
        }
        entry.grant(wait.resource);
    }
}

/// Who keeps a wait from ending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocker {
    pub(super) who: Who,
    /// It does not hold the lock, it only came first.
    pub(super) in_queue: bool,
}

impl Entry {
    pub(super) fn is_free(&self) -> bool {
        self.holders.is_empty() && self.waiters.is_empty()
    }

    /// Whether `who` can have a place at once. Who holds it already, more weakly, goes before those who wait.
    fn is_open(&self, resource: Resource, who: Who, mode: Mode, place: u16, ahead: usize) -> bool {
        let mut has = false;
        for holder in &self.holders {
            if holder.rows.contains(place) {
                if holder.who.session == who.session {
                    has = true;
                } else if resource.conflicts(mode, holder.mode) {
                    return false;
                }
            }
        }
        has || !self.waiters.iter().take(ahead).any(|waiter| {
            waiter.wait.place == place
                && waiter.who.session != who.session
                && resource.conflicts(mode, waiter.wait.mode)
        })
    }

    fn covered(&self, resource: Resource, who: Who, mode: Mode, place: u16) -> bool {
        self.holders.iter().any(|holder| {
            holder.who.owner == who.owner
                && resource.covers(holder.mode, mode)
                && holder.rows.contains(place)
        })
    }

    /// Takes a place if it can be had at once: `None` if not, otherwise whether it was not held before.
    pub(super) fn take(
        &mut self,
        resource: Resource,
        who: Who,
        mode: Mode,
        place: u16,
    ) -> Option<bool> {
        if self.covered(resource, who, mode, place) {
            return Some(false);
        }
        // As in PostgreSQL, who wants a row only queues if a holder is in its way: FOR SHARE goes past a waiting DELETE.
        let ahead = if matches!(resource, Resource::Rows(..)) { 0 } else { self.waiters.len() };
        if !self.is_open(resource, who, mode, place, ahead) {
            return None;
        }
        self.hold(who, mode, place);
        Some(true)
    }

    /// Puts a waiter into the queue: before the first that waits for what its session holds already, else last.
    ///
    /// # Errors
    /// That one, if the new waiter would wait for it too.
    pub(super) fn queue(&mut self, resource: Resource, waiter: Waiter) -> Result<(), (Who, Wait)> {
        let place = waiter.wait.place;
        let excludes = |session: i32, mode: Mode| {
            self.holders.iter().any(|holder| {
                holder.who.session == session
                    && holder.rows.contains(place)
                    && resource.conflicts(mode, holder.mode)
            })
        };
        let first = self.waiters.iter().position(|other| {
            other.wait.place == place
                && other.who.session != waiter.who.session
                && excludes(waiter.who.session, other.wait.mode)
        });
        let Some(first) = first else {
            self.waiters.push_back(waiter);
            return Ok(());
        };
        let other = &self.waiters[first];
        if excludes(other.who.session, waiter.wait.mode) {
            return Err((other.who, other.wait));
        }
        self.waiters.insert(first, waiter);
        Ok(())
    }

    fn hold(&mut self, who: Who, mode: Mode, place: u16) {
        let known = self
            .holders
            .iter_mut()
            .find(|holder| holder.who.owner == who.owner && holder.mode == mode);
        match known {
            Some(holder) => holder.rows.insert(place),
            None => self.holders.push(Holder { who, mode, rows: RowSet::One(place) }),
        }
    }

    /// Gives waiters what they can have, in order.
    pub(super) fn grant(&mut self, resource: Resource) {
        let mut at = 0;
        while let Some(waiter) = self.waiters.get(at) {
            let (who, mode, place) = (waiter.who, waiter.wait.mode, waiter.wait.place);
            if !self.is_open(resource, who, mode, place, at) {
                at += 1;
                continue;
            }
            self.hold(who, mode, place);
            // Who stopped waiting meanwhile finds that it holds the lock, and gives it back with the others.
            if let Some(mut waiter) = self.waiters.remove(at)
                && let Some(wake) = waiter.wake.take()
            {
                let _ = wake.send(());
            }
        }
    }

    fn view(&self, resource: Resource, views: &mut Vec<LockView>) {
        let view = |who: Who, mode: Mode, place: u16, granted, blocker| LockView {
            session: who.session,
            transaction: who.transaction,
            target: LockTarget::at(resource, place),
            mode: mode.0,
            granted,
            blocker,
        };
        if !matches!(resource, Resource::Rows(..) | Resource::Keys(..)) {
            views.extend(
                self.holders.iter().map(|holder| view(holder.who, holder.mode, 0, true, None)),
            );
        }
        for waiter in &self.waiters {
            let blocker = self.holders.iter().find(|holder| {
                holder.who.session != waiter.who.session
                    && holder.rows.contains(waiter.wait.place)
                    && resource.conflicts(waiter.wait.mode, holder.mode)
            });
            let blocker = blocker.map(|holder| holder.who.transaction);
            views.push(view(waiter.who, waiter.wait.mode, waiter.wait.place, false, blocker));
        }
    }
}
