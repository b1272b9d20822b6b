//! The engine: everything the connections of a tenant share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock, Weak};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

use super::database::DatabaseState;
use super::options::EngineOptions;
use crate::executor::Runtime;
use crate::session::cluster::SharedCluster;
use crate::session::shared::SessionShared;
use crate::session::tenancy::{Common, Tenant};
use crate::storage::{AdjacencyCache, Store};
use crate::types::TenantId;

/// Everything the connections of a tenant share; see `tenancy` for how tenants hang together.
pub struct Engine {
    pub(in crate::session) options: EngineOptions,
    /// What it shares with other tenants.
    pub(in crate::session) common: Arc<Common>,
    pub(in crate::session) tenant: Arc<Tenant>,
    /// The other tenants, if this is the system tenant's.
    pub(in crate::session) tenants: RwLock<BTreeMap<TenantId, Arc<Engine>>>,
    /// The system tenant's engine, perhaps this one.
    pub(in crate::session) system: OnceLock<Weak<Engine>>,
    /// Bytes that are stored, and when that was found out.
    pub(in crate::session) stored: Mutex<(i64, u64)>,
    pub(in crate::session) runtime: Runtime,
    pub(super) databases: RwLock<BTreeMap<String, Arc<DatabaseState>>>,
    pub(in crate::session) cluster: Arc<SharedCluster>,
    pub(super) store: Option<Arc<Store>>,
    /// Whether this engine made its store.
    pub(super) is_new: bool,
    pub(in crate::session) adjacency: Arc<AdjacencyCache>,
    pub(super) sessions: DashMap<i32, Arc<SessionShared>>,
    pub(super) next_transaction: AtomicU64,
    /// Whether chunks were merged since the last checkpoint.
    pub(super) merged: AtomicBool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Whether this engine made its store; also if it has none.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The store behind it, if everything is kept.
    pub(in crate::session) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// How often something was read from a file of rows.
    pub fn cache_reads(&self) -> u64 {
        self.store.as_ref().map_or(0, |store| store.cache().reads())
    }

    /// How many chunks a table has, and how many deleted rows are in them, found by its name alone.
    pub fn chunks_of(&self, database: &str, table: &str) -> Option<(usize, u64)> {
        let latest = self.database(database)?.latest();
        let named = latest.catalog.relations.values().filter(|one| one.name == table);
        let version = named.filter_map(|one| latest.store.table(one.oid)).next()?;
        Some((version.chunks().len(), version.positions() - version.live_rows()))
    }
}

/// Microseconds since 1970-01-01 UTC.
pub(in crate::session) fn now_us() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}
