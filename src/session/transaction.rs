//! A session's transaction: the view it reads, what it wrote, what it would change in the catalog.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::channels::{Announcements, AnnouncementsMark};
use super::durable::{Durably, PendingCommit};
use super::engine::{CatalogWork, DatabaseState, HeldSnapshot, Latest};
use super::open_graph::DefinedCatalog;
use super::serializable::{Member, Pending};
use crate::catalog::Catalog;
use crate::error::{PgError, SqlState};
use crate::executor::ReadLog;
use crate::executor::write::{RowCheck, Writes};
use crate::storage::LockOwner;
use crate::types::Oid;

/// How much of what others commit a transaction sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// The same as READ COMMITTED, under the name it was asked for by.
    ReadUncommitted,
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see what was committed before the first.
    RepeatableRead,
    /// The same, and the result is that of some serial order.
    Serializable,
}

impl Isolation {
    /// Its name, as a setting has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read uncommitted",
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }
}

/// A transaction holds a newer snapshot when there were so many commits since.
const FOLLOWED_MAX: u64 = 1024;

/// A transaction that is open.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) isolation: Isolation,
    pub(super) read_only: bool,
    /// A serializable transaction that only reads waits for a snapshot in which nothing can go wrong.
    pub(super) deferrable: bool,
    /// Between BEGIN and COMMIT, rather than around one statement (or one query string).
    pub(super) explicit: bool,
    /// An error happened; only ROLLBACK helps.
    pub(super) failed: bool,
    pub(super) writes: Arc<Mutex<Writes>>,
    pub(super) catalog: Arc<Catalog>,
    /// The committed catalog this transaction's own changes start from, once it has any.
    catalog_base: Option<Arc<Catalog>>,
    savepoints: Vec<Savepoint>,
    started: bool,
    held: Arc<HeldSnapshot>,
    /// The snapshot that writes stand on which its view lags behind with.
    older: Option<Arc<HeldSnapshot>>,
    pub(super) locks: Arc<LockOwner>,
    /// Set when a statement found that rows moved under it and has to run again.
    pub(super) stale: Arc<AtomicBool>,
    /// Messages to send when it commits.
    pub(super) announced: Arc<Announcements>,
    /// What it has read, if it is serializable and has its snapshot.
    serializable: Option<Arc<Member>>,
    /// Definitions of open graphs that its statement made.
    pub(super) defined: DefinedCatalog,
}

/// Whatever still runs for it, its locks go when it is over.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(member) = &self.serializable {
            self.held.database().serializable.roll_back(member);
        }
        self.locks.release_all();
    }
}

#[derive(Debug, Clone)]
struct Savepoint {
    name: String,
    writes: Writes,
    catalog: Arc<Catalog>,
    catalog_base: Option<Arc<Catalog>>,
    /// What `writes` stand on.
    held: Arc<HeldSnapshot>,
    older: Option<Arc<HeldSnapshot>>,
    /// Locks up to here were taken before it.
    locks: usize,
    announced: AnnouncementsMark,
}

impl Transaction {
    /// Begins on the newest state.
    pub(super) fn begin(
        database: &Arc<DatabaseState>,
        isolation: Isolation,
        read_only: bool,
        explicit: bool,
        locks: LockOwner,
    ) -> Self {
        let held = database.hold();
        let latest = held.latest.clone();
        Self {
            isolation,
            read_only,
            deferrable: false,
            explicit,
            failed: false,
            writes: Arc::new(Mutex::new(Writes::begin(latest.store))),
            catalog: latest.catalog,
            catalog_base: None,
            savepoints: Vec::new(),
            started: false,
            held: Arc::new(held),
            older: None,
            locks: Arc::new(locks),
            stale: Arc::default(),
            announced: Arc::default(),
            serializable: None,
            defined: DefinedCatalog::default(),
        }
    }

    /// Whether a statement of it may look at the newest state without more ado: it is a block whose statements do, has
    /// neither failed nor changed definitions.
    pub(super) fn may_run_at_once(&self) -> bool {
        self.is_read_committed() && !self.failed && self.catalog_base.is_none()
    }

    /// Whether its next statement may read this state without holding it: the definitions are those that it sees, and what
    /// it holds is not so old that keeping it costs more.
    pub(super) fn may_follow(&self, latest: &Latest) -> bool {
        let held = self.held.latest.store.commit;
        Arc::ptr_eq(&self.catalog, &latest.catalog)
            && latest.store.commit.0.saturating_sub(held.0) < FOLLOWED_MAX
    }

    /// A statement ran in it.
    pub(super) fn has_started(&mut self) {
        self.started = true;
    }

    /// Whether it changed definitions itself.
    pub(super) fn defines(&self) -> bool {
        self.catalog_base.is_some()
    }

    /// Takes over the definitions that a statement's writes brought about.
    pub(super) fn take_defined(&mut self) {
        let Some(catalog) = self.defined.lock().take() else { return };
        if catalog.version > self.catalog.version {
            self.catalog = catalog;
        }
    }

    /// Takes the snapshot for the next statement.
    ///
    /// # Errors
    /// `40001` if another transaction changed the same rows.
    pub(super) fn snapshot(&mut self, database: &Arc<DatabaseState>) -> Result<(), PgError> {
        self.take_defined();
        let first = !std::mem::replace(&mut self.started, true);
        if !first && self.keeps_snapshot() {
            self.take_grants(&database.latest().catalog);
            return Ok(());
        }
        if first && !self.explicit {
            // A transaction around one statement has just begun.
            self.join(database);
            return Ok(());
        }
        let held = database.hold();
        let mut writes = self.writes.lock();
        *writes = database.rebase(&writes, &held.latest.store)?;
        drop(writes);
        match &self.catalog_base {
            None => self.catalog = Arc::clone(&held.latest.catalog),
            Some(_) => self.take_roles(&held.latest.catalog),
        }
        self.held = Arc::new(held);
        self.older = None;
        self.join(database);
        Ok(())
    }

    /// Takes the snapshot for a statement that reads these tables only: what was written to others need not be done
    /// again on it yet, as nobody looks.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub(super) fn snapshot_of(
        &mut self,
        only: &[Oid],
        database: &Arc<DatabaseState>,
    ) -> Result<(), PgError> {
        if self.keeps_snapshot() || (!self.started && !self.explicit) {
            self.snapshot(database)?;
            return self.settle();
        }
        self.started = true;
        if database.is_newest(&self.held.latest) {
            return self.settle_of(Some(only));
        }
        let mut writes = self.writes.lock();
        let held = database.hold();
        *writes = database.rebase_for(only, &writes, &held.latest.store)?;
        let lags = writes.lags();
        drop(writes);
        match &self.catalog_base {
            None => self.catalog = Arc::clone(&held.latest.catalog),
            Some(_) => self.take_roles(&held.latest.catalog),
        }
        let before = std::mem::replace(&mut self.held, Arc::new(held));
        self.older = if lags { self.older.take().or(Some(before)) } else { None };
        Ok(())
    }

    /// Brings all that was written into its view.
    ///
    /// # Errors
    /// `40001` if another transaction changed the same rows.
    pub(super) fn settle(&self) -> Result<(), PgError> {
        self.settle_of(None)
    }

    fn settle_of(&self, only: Option<&[Oid]>) -> Result<(), PgError> {
        self.held.database().settle(&mut self.writes.lock(), only)
    }

    /// Whether it is of the kind whose statements see what others commit.
    pub(super) fn is_read_committed(&self) -> bool {
        matches!(self.isolation, Isolation::ReadCommitted | Isolation::ReadUncommitted)
    }

    /// Takes over the newest roles, unless it changed roles itself.
    fn take_roles(&mut self, newest: &Catalog) {
        let is_own = self
            .catalog_base
            .as_ref()
            .is_some_and(|base| base.cluster.version != self.catalog.cluster.version);
        if is_own || self.catalog.cluster.version == newest.cluster.version {
            return;
        }
        self.catalog = self.catalog.with_cluster(&newest.cluster);
        if let Some(base) = &mut self.catalog_base {
            *base = base.with_cluster(&newest.cluster);
        }
    }

    /// Rights are those of now, also where definitions and rows are those of a snapshot: a REVOKE holds at once.
    pub(super) fn take_grants(&mut self, newest: &Catalog) {
        self.take_roles(newest);
        let is_own = self.catalog_base.is_some();
        if !is_own && !Arc::ptr_eq(&self.catalog.grants, &newest.grants) {
            self.catalog = Arc::new(self.catalog.with_grants(&newest.grants));
        }
    }

    /// Takes the newest snapshot for looking names up; the next statement takes its own, if it takes one at all.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub(super) fn look(&mut self, database: &Arc<DatabaseState>) -> Result<(), PgError> {
        let (started, isolation) = (self.started, self.isolation);
        if !started {
            self.isolation = Isolation::ReadCommitted;
        }
        let result = self.snapshot(database);
        (self.started, self.isolation) = (started, isolation);
        result
    }

    /// Whether its first statement must wait for a safe snapshot.
    pub(super) fn wants_safe_snapshot(&self) -> bool {
        self.deferrable
            && self.read_only
            && self.isolation == Isolation::Serializable
            && !self.started
    }

    /// Takes a snapshot in which nothing can go wrong: nobody needs to know what is read in it.
    pub(super) fn begin_safely(&mut self, held: HeldSnapshot) {
        self.begin_on(Arc::new(held));
    }

    /// Takes this snapshot as its own.
    pub(super) fn begin_on(&mut self, held: Arc<HeldSnapshot>) {
        self.started = true;
        *self.writes.lock() = Writes::begin(held.latest.store.clone());
        self.catalog = Arc::clone(&held.latest.catalog);
        self.held = held;
    }

    /// What its statement reads, less what it wrote itself.
    pub(super) fn held(&self) -> &Arc<HeldSnapshot> {
        &self.held
    }

    /// Whether it has a snapshot that stays.
    pub(super) fn keeps_its_snapshot(&self) -> bool {
        self.started && self.keeps_snapshot()
    }

    /// Whether it has anything to commit.
    pub(super) fn changed_anything(&self) -> bool {
        self.catalog_base.is_some() || !self.writes.lock().is_empty()
    }

    /// What a statement of it reads is to be noted here.
    pub(super) fn reads(&self) -> Option<Arc<ReadLog>> {
        self.serializable.as_ref().map(|member| Arc::clone(&member.reads))
    }

    /// The others learn of its snapshot.
    fn join(&mut self, database: &DatabaseState) {
        if self.isolation != Isolation::Serializable || self.serializable.is_some() {
            return;
        }
        let (session, snapshot) = (self.locks.session(), self.held.latest.store.clone());
        self.serializable = Some(database.serializable.begin(session, snapshot, self.read_only));
    }

    /// Looks whether it can still be serialized with the others, after it read or wrote.
    ///
    /// # Errors
    /// `40001`.
    pub(super) fn check_serializable(&self, database: &DatabaseState) -> Result<(), PgError> {
        let Some(member) = &self.serializable else { return Ok(()) };
        let writes = self.writes.lock();
        let pending = (!writes.is_empty())
            .then(|| Pending { changes: writes.changes(), after: writes.view().clone() });
        drop(writes);
        database.serializable.check(member, pending.as_ref())
    }

    /// Whether its snapshot stays for all its statements.
    pub(super) fn keeps_snapshot(&self) -> bool {
        !self.is_read_committed()
    }

    /// Whether the definitions it sees are not the newest, nor its own.
    pub(super) fn definitions_moved(&self, database: &DatabaseState) -> bool {
        self.catalog_base.is_none() && self.catalog.stamp() != database.catalog_stamp()
    }

    /// Whether a statement ran in it.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// Replaces the transaction's catalog by a changed one.
    pub(super) fn set_catalog(&mut self, catalog: Catalog) {
        if self.catalog_base.is_none() {
            self.catalog_base = Some(Arc::clone(&self.catalog));
        }
        self.catalog = Arc::new(catalog);
    }

    /// Makes its work durable and visible to all, which the caller must wait for.
    ///
    /// # Errors
    /// `40001`, `23…`, `58030`: see [`DatabaseState::commit`].
    pub(super) fn commit(
        &self,
        database: &Arc<DatabaseState>,
        check: &dyn RowCheck,
        durably: Durably,
    ) -> Result<PendingCommit, PgError> {
        let writes = {
            let mut writes = self.writes.lock();
            if writes.has_deferred() {
                database.settle(&mut writes, None)?;
            }
            writes.clone()
        };
        let catalog = self
            .catalog_base
            .as_ref()
            .map(|base| CatalogWork { base: Arc::clone(base), catalog: Arc::clone(&self.catalog) });
        let is_empty = writes.is_empty() && catalog.is_none();
        let Some(member) = &self.serializable else {
            if is_empty {
                return Ok(PendingCommit::Now);
            }
            writes.check_deferred(&self.catalog)?;
            let done = database.commit(&writes, catalog, check, durably, Some(&self.locks));
            return done.map(|(_, wait)| wait);
        };
        let pending = (!is_empty)
            .then(|| Pending { changes: writes.changes(), after: writes.view().clone() });
        let turn = database.serializable.turn(member, pending.as_ref())?;
        let Some(pending) = pending else {
            turn.committed(None);
            return Ok(PendingCommit::Now);
        };
        writes.check_deferred(&self.catalog)?;
        let (commit, wait) = database.commit(&writes, catalog, check, durably, None)?;
        turn.committed(Some((commit, pending)));
        Ok(wait)
    }

    /// SAVEPOINT
    pub(super) fn savepoint(&mut self, name: String) {
        self.savepoints.push(Savepoint {
            name,
            writes: self.writes.lock().clone(),
            catalog: Arc::clone(&self.catalog),
            catalog_base: self.catalog_base.clone(),
            held: Arc::clone(&self.held),
            older: self.older.clone(),
            locks: self.locks.mark(),
            announced: self.announced.mark(),
        });
    }

    fn find(&self, name: &str) -> Result<usize, PgError> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| {
            PgError::new(SqlState("3B001"), format!("savepoint \"{name}\" does not exist"))
        })
    }

    /// ROLLBACK TO SAVEPOINT; the savepoint stays.
    ///
    /// # Errors
    /// `3B001` if there is none of this name.
    pub(super) fn rollback_to(&mut self, name: &str) -> Result<(), PgError> {
        let at = self.find(name)?;
        self.savepoints.truncate(at + 1);
        let savepoint = self.savepoints[at].clone();
        *self.writes.lock() = savepoint.writes;
        self.catalog = savepoint.catalog;
        self.catalog_base = savepoint.catalog_base;
        self.held = savepoint.held;
        self.older = savepoint.older;
        self.locks.release_after(savepoint.locks);
        self.announced.back_to(savepoint.announced);
        self.failed = false;
        Ok(())
    }

    /// An error happened: what it locked since its last savepoint is free for others.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.locks.release_after(self.savepoints.last().map_or(0, |savepoint| savepoint.locks));
    }

    /// RELEASE SAVEPOINT.
    ///
    /// # Errors
    /// `3B001` if there is none of this name.
    pub(super) fn release(&mut self, name: &str) -> Result<(), PgError> {
        let at = self.find(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }
}
