//! How an engine starts: on nothing, or on what was stored.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use super::database::{DatabaseState, Latest};
use super::first::{FIRST_USER_OID, first_catalog, first_cluster};
use super::options::{ADJACENCY_BYTES_DEFAULT, EngineOptions, TENANT_SHARE};
use super::shared::Engine;
use crate::catalog::stored::counters;
use crate::catalog::{Catalog, Cluster};
use crate::error::PgError;
use crate::executor::Runtime;
use crate::session::cluster::SharedCluster;
use crate::session::durable::{
    CLUSTER, CounterLog, open_store, start_merging_and_checkpoints, store_first,
};
use crate::session::tenancy::registry::TenantRecord;
use crate::session::tenancy::{Common, Tenant};
use crate::storage::{
    AdjacencyCache, Opened, Recovered, RecoveredDatabase, SequenceLog, Store, StoreOptions,
    StoreSnapshot,
};
use crate::types::CommitNo;

/// What an engine starts with.
struct Found {
    pub(super) store: Option<Arc<Store>>,
    pub(super) databases: Recovered,
    pub(super) last: CommitNo,
}

impl From<Opened> for Found {
    fn from(opened: Opened) -> Self {
        Self { store: Some(opened.store), databases: opened.databases, last: opened.last }
    }
}

impl Engine {
    /// Opens an engine with its databases; runs `sql/` to make the system views, and takes over what was stored.
    ///
    /// # Errors
    /// Those of [`Store::open`]; `XX001` for stored objects that cannot be read; `XX000` for our own defects.
    pub async fn open(options: EngineOptions) -> Result<Arc<Self>, PgError> {
        let found = match &options.store {
            Some(store) => Some(Found::from(open_store(store.clone()).await?)),
            None => None,
        };
        let engine = Self::open_system(options, found).await?;
        engine.open_tenants().await?;
        crate::session::tenancy::start_usage(&engine)?;
        Ok(engine)
    }

    /// Opens the engine of the tenant that owns the server.
    async fn open_system(
        options: EngineOptions,
        found: Option<Found>,
    ) -> Result<Arc<Self>, PgError> {
        let common = Arc::new(Common::open(&options)?);
        let runtime = Runtime::new(&options.runtime, common.memory.child("tenant", None), None)?;
        let tenant = Tenant::system(common.started_us);
        Self::open_on(options, runtime, (common, tenant, None), found).await
    }

    /// Opens the engine of another tenant, which has a store of its own.
    ///
    /// The future is boxed as what it is: statements open tenants, and opening one runs statements.
    pub(in crate::session) fn open_tenant<'a>(
        system: &'a Arc<Self>,
        record: TenantRecord,
    ) -> BoxFuture<'a, Result<Arc<Self>, PgError>> {
        Box::pin(Self::open_tenant_store(system, record))
    }

    async fn open_tenant_store(
        system: &Arc<Self>,
        record: TenantRecord,
    ) -> Result<Arc<Self>, PgError> {
        let common = Arc::clone(&system.common);
        let mut options = EngineOptions { verifier: None, ..system.options.clone() };
        options.adjacency_bytes_max = options.adjacency_bytes_max.map(|max| max / TENANT_SHARE);
        let mut temporary = None;
        if let (Some(files), Some(store)) = (common.registry.files(), &options.store) {
            let dir = files.store(record.id);
            let folder = dir.join("tmp");
            if files.fs.exists(&folder) {
                files.fs.remove_dir_all(&folder)?;
            }
            files.fs.create_dir_all(&folder)?;
            temporary = Some(folder);
            let archive = store.archive.as_ref();
            let archive = archive.map(|dir| dir.join("tenants").join(record.id.to_string()));
            options.store = Some(StoreOptions {
                dir,
                archive,
                cache_bytes: store.cache_bytes / TENANT_SHARE,
                fresh_bytes: store.fresh_bytes / TENANT_SHARE,
                ..store.clone()
            });
        }
        let found = match &options.store {
            Some(store) => Some(Found::from(open_store(store.clone()).await?)),
            None => None,
        };
        let memory = common.memory.child("tenant", None);
        let runtime = Runtime::new(&options.runtime, memory, temporary)?;
        let tenant = Tenant::new(record);
        Self::open_on(options, runtime, (common, tenant, Some(system)), found).await
    }

    /// Opens an engine on what was read from a store, which stays as it is: for checks.
    ///
    /// # Errors
    /// `XX001` for stored objects that cannot be read.
    pub async fn open_inspected(
        options: EngineOptions,
        databases: Recovered,
        last: CommitNo,
    ) -> Result<Arc<Self>, PgError> {
        Self::open_system(options, Some(Found { store: None, databases, last })).await
    }

    async fn open_on(
        options: EngineOptions,
        runtime: Runtime,
        (common, tenant, system): (Arc<Common>, Arc<Tenant>, Option<&Arc<Self>>),
        mut found: Option<Found>,
    ) -> Result<Arc<Self>, PgError> {
        let stored = found.as_mut().and_then(|found| found.databases.remove(&CLUSTER));
        let is_new = stored.is_none();
        let cluster = Arc::new(match stored {
            Some(stored) => Cluster::of_objects(&stored.objects)?.with_predefined_roles(),
            None => first_cluster(&tenant, options.verifier.clone()).with_predefined_roles(),
        });
        let shared = SharedCluster::new(Arc::clone(&cluster));
        let mut databases = BTreeMap::new();
        for database in cluster.databases.values() {
            let catalog = first_catalog(database, &cluster);
            let latest = Latest { store: StoreSnapshot::default(), catalog: Arc::new(catalog) };
            let state = DatabaseState::new(database.oid, latest, &shared);
            databases.insert(database.name.clone(), Arc::new(state));
        }
        let adjacency_bytes = options.adjacency_bytes_max.unwrap_or(ADJACENCY_BYTES_DEFAULT);
        let adjacency = Arc::new(AdjacencyCache::new(adjacency_bytes, runtime.memory()));
        let spare = Arc::downgrade(&adjacency);
        runtime.memory().spare(move |bytes| spare.upgrade().map_or(0, |spare| spare.free(bytes)));
        let engine = Arc::new(Self {
            options,
            common,
            tenant,
            tenants: RwLock::default(),
            system: OnceLock::new(),
            stored: Mutex::new((i64::MIN, 0)),
            runtime,
            databases: RwLock::new(databases),
            cluster: shared,
            store: found.as_ref().and_then(|found| found.store.clone()),
            is_new,
            adjacency,
            sessions: DashMap::new(),
            next_transaction: AtomicU64::new(750),
            merged: AtomicBool::new(false),
        });
        // Nobody else has set it: the engine is not open yet.
        let _ = engine.system.set(Arc::downgrade(system.unwrap_or(&engine)));
        crate::session::bootstrap::run(&engine).await?;
        if let Some(found) = found {
            engine.take_over(found, &cluster).await?;
        }
        start_merging_and_checkpoints(&engine)?;
        Ok(engine)
    }

    /// Puts what was stored into the databases; a new store gets what they start with.
    async fn take_over(&self, mut found: Found, cluster: &Cluster) -> Result<(), PgError> {
        let databases: Vec<_> = self.databases.read().values().cloned().collect();
        for database in &databases {
            let stored = found.databases.remove(&database.oid);
            database.take_over(stored, found.last)?;
            if let Some(store) = &found.store {
                database.keep_in(store);
            }
        }
        if let Some(store) = &found.store
            && self.is_new
        {
            let catalogs = databases.iter();
            let catalogs =
                catalogs.map(|database| (database.oid, database.latest().catalog)).collect();
            store_first(store, cluster, &catalogs).await?;
        }
        Ok(())
    }
}

impl DatabaseState {
    /// Takes over what was stored, over the system's own relations.
    fn take_over(&self, stored: Option<RecoveredDatabase>, last: CommitNo) -> Result<(), PgError> {
        let mut latest = self.latest();
        latest.store = StoreSnapshot::default();
        if let Some(stored) = stored {
            latest.store = stored.store;
            let catalog = Catalog::clone(&latest.catalog).with_objects(&stored.objects)?;
            latest.catalog = Arc::new(catalog);
            for counter in counters(&stored.objects)? {
                self.sequences.recover(counter);
            }
        }
        let sequences = latest.catalog.relations.values().filter_map(|one| one.sequence());
        let named: HashSet<u64> = sequences.map(|sequence| sequence.counter.id).collect();
        named.iter().for_each(|id| self.sequences.reserve(*id));
        self.sequences.retain(|id| named.contains(&id));
        latest.store.commit = last;
        self.replace(latest);
        Ok(())
    }

    /// Keeps what is committed from now on.
    pub(super) fn keep_in(&self, store: &Arc<Store>) {
        let counters = Arc::new(CounterLog {
            database: self.oid,
            store: Arc::clone(store),
            last: Mutex::new(self.sequences.records().iter().map(|one| (one.id, *one)).collect()),
        });
        self.sequences.log_to(Arc::clone(&counters) as Arc<dyn SequenceLog>);
        // Nobody else has set them: the engine is not open yet.
        let _ = self.counters.set(counters);
        let _ = self.store.set(Arc::clone(store));
    }

    /// Takes over a state; for a database nobody uses yet.
    pub(super) fn replace(&self, latest: Latest) {
        self.pending.lock().latest = latest.clone();
        *self.latest.write() = latest;
    }

    /// Takes over the schemas and relations of `ready`; for a database nobody uses yet.
    pub(in crate::session) fn install(&self, ready: &Catalog) {
        let mut latest = self.latest();
        let own = &latest.catalog;
        latest.catalog = Arc::new(Catalog {
            database: Arc::clone(&own.database),
            cluster: Arc::clone(&own.cluster),
            next_oid: ready.next_oid.max(FIRST_USER_OID),
            ..ready.clone()
        });
        self.replace(latest);
    }
}
