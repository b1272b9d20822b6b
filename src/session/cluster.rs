//! The cluster's roles and databases, as all databases share them.
//!
//! Each database's catalog carries the cluster it was last seen with; whoever takes a snapshot puts the newest one in.
//! A transaction that changes the cluster works on a copy, and its change is merged into the newest one when it commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::catalog::{Catalog, Cluster};

/// The newest committed cluster, and the one the next commit starts from.
#[derive(Debug)]
pub(super) struct SharedCluster {
    latest: RwLock<Arc<Cluster>>,
    /// Version of `latest`.
    version: AtomicU64,
    /// Commits that are not durable yet are in it.
    pub(super) pending: Mutex<PendingCluster>,
}

/// The cluster that the next commit starts from, and the log's epoch it counts in.
#[derive(Debug)]
pub(super) struct PendingCluster {
    pub(super) cluster: Arc<Cluster>,
    pub(super) epoch: u64,
}

impl SharedCluster {
    pub(super) fn new(cluster: Arc<Cluster>) -> Arc<Self> {
        Arc::new(Self {
            version: AtomicU64::new(cluster.version),
            pending: Mutex::new(PendingCluster { cluster: Arc::clone(&cluster), epoch: 0 }),
            latest: RwLock::new(cluster),
        })
    }

    /// The newest committed one.
    pub(super) fn latest(&self) -> Arc<Cluster> {
        Arc::clone(&self.latest.read())
    }

    /// Version of the newest committed one.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Makes a committed one visible to all.
    pub(super) fn publish(&self, cluster: Arc<Cluster>) {
        let mut latest = self.latest.write();
        self.version.store(cluster.version, Ordering::Release);
        *latest = cluster;
    }

    /// Forgets commits that never became durable, once for each time the log failed.
    pub(super) fn start_over(&self, epoch: u64) {
        let mut pending = self.pending.lock();
        if pending.epoch != epoch {
            *pending = PendingCluster { cluster: self.latest(), epoch };
        }
    }

    /// A catalog with the newest cluster; `None` if it has it already.
    pub(super) fn renewed(&self, catalog: &Catalog) -> Option<Arc<Catalog>> {
        if catalog.cluster.version == self.version() {
            return None;
        }
        Some(Arc::new(Catalog { cluster: self.latest(), ..catalog.clone() }))
    }
}
