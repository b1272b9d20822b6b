//! One database: its newest state, and who holds an older one.

use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::catalog::{Catalog, CatalogStamp, Database};
use crate::error::PgError;
use crate::executor::write::{Committed, Writes};
use crate::session::channels::Channels;
use crate::session::cluster::SharedCluster;
use crate::session::durable::CounterLog;
use crate::session::exported::ExportedSnapshots;
use crate::session::serializable::Serializable;
use crate::storage::recent::RowKey;
use crate::storage::{LockTable, RecentWrites, Sequences, Store, StoreSnapshot};
use crate::types::{CommitNo, Oid};

/// One database: what is committed, and the lock under which the next commit happens.
#[derive(Debug)]
pub(in crate::session) struct DatabaseState {
    pub(super) oid: Oid,
    /// The roles and databases it shares with all others.
    pub(super) cluster: Arc<SharedCluster>,
    /// What others see: committed, and durable.
    pub(super) latest: RwLock<Latest>,
    /// What the next commit is worked out on: commits that are not durable yet are in it.
    pub(super) pending: Mutex<Pending>,
    /// Set once the database is as it was stored.
    pub(super) store: OnceLock<Arc<Store>>,
    pub(super) recent: RecentWrites,
    /// The records of its sequences, if they are kept.
    pub(super) counters: OnceLock<Arc<CounterLog>>,
    /// Counters of its sequences; no transaction moves them back.
    pub(in crate::session) sequences: Arc<Sequences>,
    pub(in crate::session) locks: Arc<LockTable>,
    /// Who listens on what.
    pub(in crate::session) channels: Arc<Channels>,
    pub(in crate::session) serializable: Serializable,
    /// Snapshots that transactions gave names.
    pub(in crate::session) exported: ExportedSnapshots,
}

impl Committed for DatabaseState {
    fn latest(&self) -> StoreSnapshot {
        self.latest.read().store.clone()
    }

    fn recent(&self) -> &RecentWrites {
        &self.recent
    }
}

/// The newest state, seen by others or not, and the log's epoch it counts in.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) latest: Latest,
    pub(super) epoch: u64,
}

/// The newest state, held: what is written after it is remembered for as long as this is not dropped.
#[derive(Debug)]
pub(in crate::session) struct HeldSnapshot {
    pub(in crate::session) latest: Latest,
    pub(super) database: Arc<DatabaseState>,
}

impl HeldSnapshot {
    pub(in crate::session) fn database(&self) -> &DatabaseState {
        &self.database
    }
}

impl Drop for HeldSnapshot {
    fn drop(&mut self) {
        self.database.recent.release(self.latest.store.commit);
    }
}

/// The newest committed state.
#[derive(Debug, Clone)]
pub(in crate::session) struct Latest {
    pub(in crate::session) store: StoreSnapshot,
    pub(in crate::session) catalog: Arc<Catalog>,
}

impl Latest {
    pub(super) fn at(mut self, commit: CommitNo) -> Self {
        self.store.commit = commit;
        self
    }
}

impl DatabaseState {
    pub(super) fn new(oid: Oid, latest: Latest, cluster: &Arc<SharedCluster>) -> Self {
        Self {
            oid,
            cluster: Arc::clone(cluster),
            pending: Mutex::new(Pending { latest: latest.clone(), epoch: 0 }),
            latest: RwLock::new(latest),
            store: OnceLock::new(),
            recent: RecentWrites::default(),
            counters: OnceLock::new(),
            sequences: Arc::default(),
            locks: Arc::default(),
            channels: Arc::default(),
            serializable: Serializable::default(),
            exported: ExportedSnapshots::default(),
        }
    }

    /// Its number.
    pub(in crate::session) fn oid(&self) -> Oid {
        self.oid
    }

    pub(in crate::session) fn latest(&self) -> Latest {
        self.renew_cluster();
        self.latest.read().clone()
    }

    /// Which definitions the newest catalog holds.
    pub(in crate::session) fn catalog_stamp(&self) -> CatalogStamp {
        let objects = self.latest.read().catalog.version;
        CatalogStamp { objects, cluster: self.cluster.version() }
    }

    /// Puts the newest cluster into the newest catalog.
    fn renew_cluster(&self) {
        let stale = self.latest.read().catalog.cluster.version != self.cluster.version();
        if stale {
            let mut latest = self.latest.write();
            if let Some(renewed) = self.cluster.renewed(&latest.catalog) {
                latest.catalog = renewed;
            }
        }
    }

    /// The newest state, for a transaction that will write over it.
    pub(in crate::session) fn hold(self: &Arc<Self>) -> HeldSnapshot {
        self.renew_cluster();
        // Held under the lock that publishing takes: no commit can come between the two.
        let latest = self.latest.read();
        self.recent.hold(latest.store.commit);
        HeldSnapshot { latest: latest.clone(), database: Arc::clone(self) }
    }

    /// A transaction's writes over a newer state.
    ///
    /// # Errors
    /// `40001` if a row it wrote was written by another.
    pub(in crate::session) fn rebase(
        &self,
        writes: &Writes,
        latest: &StoreSnapshot,
    ) -> Result<Writes, PgError> {
        Ok(writes.rebase(latest, &self.recent)?.0)
    }

    /// As [`Self::rebase`], for a statement that reads these tables only.
    ///
    /// # Errors
    /// As [`Self::rebase`].
    pub(in crate::session) fn rebase_for(
        &self,
        only: &[Oid],
        writes: &Writes,
        latest: &StoreSnapshot,
    ) -> Result<Writes, PgError> {
        Ok(writes.rebase_for(Some(only), latest, &self.recent)?.0)
    }

    /// Brings what a transaction wrote to these tables (`None`: to all) into its view, as far as it lags.
    ///
    /// # Errors
    /// As [`Self::rebase`].
    pub(in crate::session) fn settle(
        &self,
        writes: &mut Writes,
        only: Option<&[Oid]>,
    ) -> Result<(), PgError> {
        Ok(writes.settle(only, &self.recent)?)
    }

    /// Whether a commit after a snapshot, shown already or not, replaced or deleted a row. A snapshot that is not newer must
    /// be held.
    pub(in crate::session) fn has_changed(&self, row: RowKey, snapshot: CommitNo) -> bool {
        self.recent.changed_after(row, snapshot)
    }

    /// Whether nothing was committed since a state was the newest.
    pub(in crate::session) fn is_newest(&self, state: &Latest) -> bool {
        let latest = self.latest.read();
        latest.store.commit == state.store.commit && Arc::ptr_eq(&latest.catalog, &state.catalog)
    }

    /// Its row in the cluster changed.
    pub(super) fn redefine(&self, database: &Database) {
        let database = Arc::new(database.clone());
        let renewed = |latest: &Latest| {
            let catalog = Catalog::clone(&latest.catalog);
            Arc::new(Catalog { database: Arc::clone(&database), ..catalog })
        };
        let mut pending = self.pending.lock();
        pending.latest.catalog = renewed(&pending.latest);
        let mut latest = self.latest.write();
        latest.catalog = renewed(&latest);
    }
}
