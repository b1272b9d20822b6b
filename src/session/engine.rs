//! What all sessions share: databases, roles, the runtime, and who is connected.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use dashmap::DashMap;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use super::channels::Channels;
use super::cluster::SharedCluster;
use super::durable::{
    CLUSTER, CounterLog, PendingCommit, open_store, start_checkpoints, store_first,
};
use super::identity::{LoginMethod, LoginRequest};
use super::serializable::Serializable;
use super::shared::SessionShared;
use super::stored_keys::stored_keys;
use super::tenancy::registry::TenantRecord;
use super::tenancy::route::verified_by;
use super::tenancy::{Common, Route, Tenant};
use crate::access::login::mock_verifier;
use crate::catalog::stored::{counter_object, counters};
use crate::catalog::{
    Catalog, CatalogStamp, Cluster, Database, Persistence, Relation, RelationKind, Role, Schema,
    Table,
};
use crate::error::{PgError, Severity, SqlState};
use crate::executor::Runtime;
use crate::executor::runtime::RuntimeOptions;
use crate::executor::write::{Committed, RowCheck, Writes, check_changed};
use crate::storage::wal::{AppendError, CommitRecord};
use crate::storage::{
    AdjacencyCache, CheckpointDatabase, LockTable, Merge, Opened, RecentWrites, Recovered,
    RecoveredDatabase, SequenceLog, Sequences, Store, StoreOptions, StoreSnapshot,
};
use crate::types::{BackendPid, Clock, CommitNo, Oid, TenantId};

/// OID of the role that owns the system (`BOOTSTRAP_SUPERUSERID`).
pub const SYSTEM_ROLE: Oid = Oid(10);
/// Its name.
pub(super) const SYSTEM_ROLE_NAME: &str = "graphwire";
/// A tenant keeps at most one in so many bytes of what the system tenant keeps of files and adjacency in memory.
const TENANT_SHARE: usize = 8;
/// The first database of a tenant.
pub(super) const GRAPHWIRE_DATABASE: Oid = Oid(16_384);
const POSTGRES_DATABASE: Oid = Oid(5);
/// Where the numbers of the objects begin that users make.
const FIRST_USER_OID: u32 = 16_400;
/// The system views are numbered from here on at each start; they are not stored, so users' objects stand above them.
const FIRST_SYSTEM_OID: u32 = 15_000;

/// Who may log in without a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginPolicy {
    /// Nobody: SCRAM for everyone.
    #[default]
    Verify,
    /// Any name from this machine, as superuser (`--dev`, `demo`).
    TrustLoopback,
}

/// How an engine is set up.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Who may log in without a proof.
    pub login: LoginPolicy,
    /// Verifier of the role `graphwire`'s password; without one nobody can log in by password.
    pub verifier: Option<String>,
    /// Memory and parallelism.
    pub runtime: RuntimeOptions,
    /// Bytes of adjacency kept for use by later statements.
    pub adjacency_bytes_max: Option<usize>,
    /// Where everything is kept; without it, everything is gone with the engine.
    pub store: Option<StoreOptions>,
    /// What quotas count by.
    pub clock: Clock,
}

const ADJACENCY_BYTES_DEFAULT: usize = 2 << 30;

/// Everything the connections of a tenant share; see `tenancy` for how tenants hang together.
pub struct Engine {
    pub(super) options: EngineOptions,
    /// What it shares with other tenants.
    pub(super) common: Arc<Common>,
    pub(super) tenant: Arc<Tenant>,
    /// The other tenants, if this is the system tenant's.
    pub(super) tenants: RwLock<BTreeMap<TenantId, Arc<Engine>>>,
    /// The system tenant's engine, perhaps this one.
    pub(super) system: OnceLock<Weak<Engine>>,
    /// Bytes that are stored, and when that was found out.
    pub(super) stored: Mutex<(i64, u64)>,
    pub(super) runtime: Runtime,
    databases: RwLock<BTreeMap<String, Arc<DatabaseState>>>,
    pub(super) cluster: Arc<SharedCluster>,
    store: Option<Arc<Store>>,
    /// Whether this engine made its store.
    is_new: bool,
    pub(super) adjacency: Arc<AdjacencyCache>,
    sessions: DashMap<i32, Arc<SessionShared>>,
    next_transaction: AtomicU64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// Threads of their own for statements that compute for long.
pub(super) struct Compute(Option<tokio::runtime::Runtime>);

impl Compute {
    pub(super) fn new(threads: usize) -> Result<Self, PgError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("graphwire-compute")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| PgError::internal(format!("could not start compute threads: {error}")))
    }

    /// Runs a task on the compute threads; it is aborted when the handle is dropped by its owner.
    pub(super) fn spawn<F>(&self, future: F) -> Option<tokio::task::JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.as_ref().map(|runtime| runtime.spawn(future))
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        // Dropping a runtime inside another one blocks; its tasks end with their streams.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// One database: what is committed, and the lock under which the next commit happens.
#[derive(Debug)]
pub(super) struct DatabaseState {
    oid: Oid,
    /// The roles and databases it shares with all others.
    cluster: Arc<SharedCluster>,
    /// What others see: committed, and durable.
    latest: RwLock<Latest>,
    /// What the next commit is worked out on: commits that are not durable yet are in it.
    pending: Mutex<Pending>,
    /// Set once the database is as it was stored.
    store: OnceLock<Arc<Store>>,
    recent: RecentWrites,
    /// The records of its sequences, if they are kept.
    counters: OnceLock<Arc<CounterLog>>,
    /// Counters of its sequences; no transaction moves them back.
    pub(super) sequences: Arc<Sequences>,
    pub(super) locks: Arc<LockTable>,
    /// Who listens on what.
    pub(super) channels: Arc<Channels>,
    pub(super) serializable: Serializable,
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
struct Pending {
    latest: Latest,
    epoch: u64,
}

/// The newest state, held: what is written after it is remembered for as long as this is not dropped.
#[derive(Debug)]
pub(super) struct HeldSnapshot {
    pub(super) latest: Latest,
    database: Arc<DatabaseState>,
}

impl HeldSnapshot {
    pub(super) fn database(&self) -> &DatabaseState {
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
pub(super) struct Latest {
    pub(super) store: StoreSnapshot,
    pub(super) catalog: Arc<Catalog>,
}

impl DatabaseState {
    pub(super) fn latest(&self) -> Latest {
        self.renew_cluster();
        self.latest.read().clone()
    }

    /// Which definitions the newest catalog holds.
    pub(super) fn catalog_stamp(&self) -> CatalogStamp {
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
    pub(super) fn hold(self: &Arc<Self>) -> HeldSnapshot {
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
    pub(super) fn rebase(
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
    pub(super) fn rebase_for(
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
    pub(super) fn settle(&self, writes: &mut Writes, only: Option<&[Oid]>) -> Result<(), PgError> {
        Ok(writes.settle(only, &self.recent)?)
    }

    /// Whether nothing was committed since a state was the newest.
    pub(super) fn is_newest(&self, state: &Latest) -> bool {
        let latest = self.latest.read();
        latest.store.commit == state.store.commit && Arc::ptr_eq(&latest.catalog, &state.catalog)
    }

    fn new(oid: Oid, latest: Latest, cluster: &Arc<SharedCluster>) -> Self {
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
        }
    }

    /// Takes over the schemas and relations of `ready`; for a database nobody uses yet.
    pub(super) fn install(&self, ready: &Catalog) {
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

    /// Merges a table's chunks as far as anything is gained, and leaves deleted rows out: VACUUM. Rows keep their
    /// numbers, so nothing that runs can tell.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub(super) fn merge_all(&self, table: Oid) -> Result<(), PgError> {
        let Some(version) = self.latest().store.table(table).cloned() else { return Ok(()) };
        version.all_merges().try_for_each(|merge| self.install_merge(table, &[merge?]))
    }

    /// Merges the chunks of all tables where it is worth it. Commits go on meanwhile; whether there was anything to do.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub(super) fn merge_in_background(&self) -> Result<bool, PgError> {
        let latest = self.latest();
        let mut merged = false;
        for version in latest.store.tables().filter(|version| version.wants_merging()) {
            for merge in version.merges() {
                self.install_merge(version.table, &[merge?])?;
                merged = true;
            }
        }
        Ok(merged)
    }

    fn install_merge(&self, table: Oid, merges: &[Merge]) -> Result<(), PgError> {
        let mut pending = self.pending.lock();
        let Some(now) = pending.latest.store.table(table) else { return Ok(()) };
        let Some(merged) = now.with_merges(merges)? else { return Ok(()) };
        let store = std::mem::take(&mut pending.latest.store);
        pending.latest.store = store.with_table(Arc::new(merged));
        let mut latest = self.latest.write();
        // Where commits are on their way to the disk, the next one after them brings it.
        if latest.store.commit == pending.latest.store.commit {
            *latest = pending.latest.clone();
        }
        Ok(())
    }

    /// Bytes of rows that are in memory only, and would be in a file after a checkpoint.
    fn fresh_bytes(&self) -> usize {
        let latest = self.latest();
        let tables = latest.store.tables();
        let kept = tables.filter(|version| latest.catalog.keeps_rows_of(version.table));
        kept.map(|version| version.fresh_bytes()).sum()
    }

    /// Takes over a state; for a database nobody uses yet.
    fn replace(&self, latest: Latest) {
        self.pending.lock().latest = latest.clone();
        *self.latest.write() = latest;
    }

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
    fn keep_in(&self, store: &Arc<Store>) {
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

    /// Makes a transaction's work the newest state; its number. It is visible to others when it is durable, which the caller must
    /// wait for; with `sync` off, when it is written.
    ///
    /// # Errors
    /// `40001` if another transaction changed the same rows, or the catalog; `23…` if what both did together violates a
    /// constraint; `58030` if the store takes no writes.
    pub(super) fn commit(
        self: &Arc<Self>,
        writes: &Writes,
        catalog: Option<CatalogWork>,
        check: &dyn RowCheck,
        sync: bool,
    ) -> Result<(CommitNo, PendingCommit), PgError> {
        let store = self.store.get();
        // Rows are encoded before the lock is taken: others commit meanwhile.
        let mut record = store.map(|_| self.record(writes, catalog.as_ref())).transpose()?;
        let mut pending = self.pending.lock();
        if let Some(renewed) = self.cluster.renewed(&pending.latest.catalog) {
            pending.latest.catalog = renewed;
        }
        loop {
            let base = pending.latest.clone();
            let (mut next, rebased) = self.work_out(&base, writes, catalog.as_ref(), check)?;
            if rebased.is_wider_than(writes) {
                // Others added columns: what was encoded before lacks them.
                record = store.map(|_| self.record(&rebased, catalog.as_ref())).transpose()?;
            }
            let mut shared = None;
            if let Some(work) = catalog.as_ref().filter(|work| work.changes_cluster()) {
                let turn = self.cluster.pending.lock();
                let cluster =
                    Arc::new(work.catalog.cluster.merged(&work.base.cluster, &turn.cluster)?);
                next.catalog = next.catalog.with_cluster(&cluster);
                shared = Some((turn, cluster));
            }
            let changes = writes.changes();
            let Some(store) = store else {
                let commit = CommitNo(base.store.commit.0 + 1);
                self.recent.note(commit, base.store.commit, changes);
                pending.latest = next.at(commit);
                let cluster = shared.map(|(mut turn, cluster)| {
                    turn.cluster = Arc::clone(&cluster);
                    cluster
                });
                self.publish(pending.latest.clone(), cluster);
                return Ok((commit, PendingCommit::Now));
            };
            let mut record = match record.take() {
                Some(record) => record,
                None => self.record(&rebased, catalog.as_ref())?,
            };
            for (key, object) in next.catalog.changes_since(&base.catalog)? {
                match object {
                    Some(object) => record.put(key, &object),
                    None => record.remove(key),
                }
            }
            if let Some((turn, cluster)) = &shared {
                record.in_database(CLUSTER);
                for (key, object) in cluster.changes_since(&turn.cluster)? {
                    match object {
                        Some(object) => record.put(key, &object),
                        None => record.remove(key),
                    }
                }
            }
            let visible = self.latest.read().store.commit;
            let (entry, committed) = PendingCommit::later(Arc::clone(self), record, sync);
            let appended = store.log().append(pending.epoch, |commit| {
                self.recent.note(commit, visible, changes);
                pending.latest = next.at(commit);
                let cluster = shared.as_ref().map(|(_, cluster)| Arc::clone(cluster));
                entry(pending.latest.clone(), cluster)
            });
            if appended.is_ok()
                && let Some((turn, cluster)) = &mut shared
            {
                turn.cluster = Arc::clone(cluster);
            }
            drop(shared);
            match appended {
                Ok(_) => return Ok((pending.latest.store.commit, committed)),
                Err(AppendError::Refused(error)) => return Err(error.into()),
                Err(AppendError::Stale { epoch }) => {
                    self.cluster.start_over(epoch);
                    *pending = Pending { latest: self.latest(), epoch };
                }
            }
        }
    }

    /// The state after a transaction whose work is done on `base`.
    fn work_out(
        &self,
        base: &Latest,
        writes: &Writes,
        catalog: Option<&CatalogWork>,
        check: &dyn RowCheck,
    ) -> Result<(Latest, Writes), PgError> {
        let (rebased, moved) = writes.rebase(&base.store, &self.recent)?;
        let catalog = match catalog {
            Some(work) if work.changes_objects() => {
                if work.base.version != base.catalog.version {
                    return Err(PgError::new(
                        SqlState::T_R_SERIALIZATION_FAILURE,
                        "could not serialize access due to concurrent change of the catalog",
                    )
                    .hint("Run the transaction again."));
                }
                work.catalog.with_cluster(&base.catalog.cluster)
            }
            Some(_) | None => Arc::clone(&base.catalog),
        };
        if moved {
            check_changed(&catalog, &base.store, &rebased, check)?;
        }
        Ok((Latest { store: rebased.view().clone(), catalog }, rebased))
    }

    /// What a commit changes in tables, for the log.
    fn record(
        &self,
        writes: &Writes,
        catalog: Option<&CatalogWork>,
    ) -> Result<CommitRecord, PgError> {
        let mut record = CommitRecord::new(self.oid, now_us());
        let catalog = match catalog {
            Some(work) => Arc::clone(&work.catalog),
            None => self.latest().catalog,
        };
        writes.record(&mut record, |table| catalog.keeps_rows_of(table))?;
        Ok(record)
    }

    /// What a checkpoint keeps of it. `is_last`: nobody uses the database any more.
    fn for_checkpoint(&self, is_last: bool) -> Result<CheckpointDatabase, PgError> {
        let latest = self.latest();
        // After the state: a record that is not seen here is in the log after the commits of that state.
        let counters = match self.counters.get() {
            Some(counters) if !is_last => counters.records(),
            Some(_) | None => self.sequences.records(),
        };
        let mut objects = latest.catalog.stored_objects()?;
        let sequences = latest.catalog.relations.values().filter_map(|one| one.sequence());
        let named: HashSet<u64> = sequences.map(|sequence| sequence.counter.id).collect();
        let counters = counters.into_iter().filter(|counter| named.contains(&counter.id));
        objects.extend(counters.map(counter_object));
        let tables = latest.store.tables();
        let kept = tables.filter(|version| latest.catalog.keeps_rows_of(version.table)).cloned();
        Ok(CheckpointDatabase {
            oid: self.oid,
            through: latest.store.commit,
            objects,
            tables: kept.collect(),
            keys: stored_keys(&latest.catalog),
        })
    }

    /// Its number.
    pub(super) fn oid(&self) -> Oid {
        self.oid
    }

    /// Its row in the cluster changed.
    fn redefine(&self, database: &Database) {
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

    /// Makes a state visible that was committed, and the cluster if it was changed too.
    pub(super) fn publish(&self, latest: Latest, cluster: Option<Arc<Cluster>>) {
        if let Some(cluster) = cluster {
            self.cluster.publish(cluster);
        }
        let before = std::mem::replace(&mut *self.latest.write(), latest);
        // Taking it apart is nobody's business who waits for the lock.
        drop(before);
    }
}

/// What a transaction made of the definitions.
#[derive(Debug)]
pub(super) struct CatalogWork {
    /// What it started from.
    pub(super) base: Arc<Catalog>,
    /// What it made of it.
    pub(super) catalog: Arc<Catalog>,
}

impl CatalogWork {
    fn changes_objects(&self) -> bool {
        self.base.version != self.catalog.version
    }

    fn changes_cluster(&self) -> bool {
        self.base.cluster.version != self.catalog.cluster.version
    }
}

/// What an engine starts with.
struct Found {
    store: Option<Arc<Store>>,
    databases: Recovered,
    last: CommitNo,
}

impl From<Opened> for Found {
    fn from(opened: Opened) -> Self {
        Self { store: Some(opened.store), databases: opened.databases, last: opened.last }
    }
}

impl Latest {
    fn at(mut self, commit: CommitNo) -> Self {
        self.store.commit = commit;
        self
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
        super::tenancy::start_usage(&engine)?;
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
    pub(super) fn open_tenant<'a>(
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
        });
        // Nobody else has set it: the engine is not open yet.
        let _ = engine.system.set(Arc::downgrade(system.unwrap_or(&engine)));
        super::bootstrap::run(&engine).await?;
        if let Some(found) = found {
            engine.take_over(found, &cluster).await?;
            start_checkpoints(&engine)?;
        }
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

    /// Whether this engine made its store; also if it has none.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Ends writing: a last checkpoint, and commits are refused from then on. Blocks until all is on the disk.
    ///
    /// # Errors
    /// `53100`, `58030` if the checkpoint could not be written; the next start takes longer then, nothing is lost.
    pub fn close(&self) -> Result<(), PgError> {
        for tenant in self.tenants.read().values() {
            tenant.close()?;
        }
        self.save_usage();
        let Some(store) = &self.store else { return Ok(()) };
        let written = if store.has_news() { self.write_checkpoint(true) } else { Ok(()) };
        store.close();
        written
    }

    /// Writes a checkpoint and cuts the log. Blocks; without a store there is nothing to do.
    ///
    /// # Errors
    /// `53100`, `58030` if it could not be written.
    pub fn checkpoint(&self) -> Result<(), PgError> {
        self.write_checkpoint(false)
    }

    fn write_checkpoint(&self, is_last: bool) -> Result<(), PgError> {
        let Some(store) = &self.store else { return Ok(()) };
        let started = std::time::Instant::now();
        let summary = store.checkpoint(|| -> Result<_, PgError> {
            let cluster = self.cluster.latest();
            let cluster = CheckpointDatabase {
                oid: CLUSTER,
                through: CommitNo(0),
                objects: cluster.stored_objects()?,
                tables: Vec::new(),
                keys: HashMap::new(),
            };
            let databases: Vec<_> = self.databases.read().values().cloned().collect();
            let databases = databases.iter().map(|database| database.for_checkpoint(is_last));
            std::iter::once(Ok(cluster)).chain(databases).collect()
        })?;
        let (files, kept) = (summary.files_written, summary.files_kept);
        let ms = started.elapsed().as_millis();
        tracing::info!(sequence = summary.sequence, through = %summary.through, files, kept, ms, "checkpoint written");
        Ok(())
    }

    /// Whether a checkpoint is due, for the log's sake or for memory's.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let Some(store) = &self.store else { return false };
        if store.is_checkpoint_due() {
            return true;
        }
        let databases = self.databases.read();
        let fresh: usize = databases.values().map(|database| database.fresh_bytes()).sum();
        drop(databases);
        store.has_news() && fresh >= store.fresh_bytes_max()
    }

    /// Merges chunks of all databases where it is worth it.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub fn merge_in_background(&self) -> Result<(), PgError> {
        let databases: Vec<_> = self.databases.read().values().cloned().collect();
        databases.iter().try_for_each(|database| database.merge_in_background().map(|_| ()))
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

    /// The store behind it, if everything is kept.
    pub(super) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// How a user may log in.
    ///
    /// # Errors
    /// `28000` where no way is open; the client gets it FATAL.
    pub fn login_method(&self, request: &LoginRequest) -> Result<LoginMethod, PgError> {
        if self.options.login == LoginPolicy::TrustLoopback {
            if request.peer.is_loopback() {
                return Ok(LoginMethod::Trust);
            }
            return Err(PgError::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "connections without a password are accepted from this machine only",
            )
            .severity(Severity::Fatal));
        }
        let known = match &request.route {
            Route::Unrouted => self.role(&request.user),
            _ => verified_by(self, request).and_then(|(engine, user)| engine.role(&user)),
        };
        let now = now_us() - super::facts::POSTGRES_EPOCH_US;
        let valid = |role: &Role| role.valid_until.is_none_or(|until| until > now);
        let verifier = known.filter(valid).and_then(|role| role.verifier);
        let mock = || mock_verifier(&request.user, &self.common.mock_secret);
        let verifier = verifier.unwrap_or_else(mock);
        Ok(LoginMethod::Scram { verifier })
    }

    /// The role of a name; under [`LoginPolicy::TrustLoopback`] every name is a superuser.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        let cluster = self.cluster.latest();
        let known = cluster.role_named(TenantId::SYSTEM, name).cloned();
        if known.is_none() && self.options.login == LoginPolicy::TrustLoopback {
            let system = cluster.roles.get(&SYSTEM_ROLE)?.clone();
            return Some(Role { name: name.to_owned(), login: true, ..system });
        }
        known
    }

    /// The state of a database.
    pub(super) fn database(&self, name: &str) -> Option<Arc<DatabaseState>> {
        self.databases.read().get(name).cloned()
    }

    /// Names of all databases.
    pub fn database_names(&self) -> Vec<String> {
        self.databases.read().keys().cloned().collect()
    }

    /// A database that was made, before anybody can use it. What it starts with is in the log.
    pub(super) async fn new_database(
        &self,
        database: &Database,
    ) -> Result<Arc<DatabaseState>, PgError> {
        let catalog = Arc::new(first_catalog(database, &self.cluster.latest()));
        let latest = Latest { store: StoreSnapshot::default(), catalog };
        let state = Arc::new(DatabaseState::new(database.oid, latest, &self.cluster));
        if let Some(ready) = super::bootstrap::views() {
            state.install(&ready);
        }
        if let Some(store) = &self.store {
            super::durable::store_database(store, database.oid, &state.latest().catalog).await?;
            state.keep_in(store);
        }
        Ok(state)
    }

    /// Takes a database in, now that the cluster names it.
    pub(super) fn add_database(&self, name: &str, state: Arc<DatabaseState>) {
        self.databases.write().insert(name.to_owned(), state);
    }

    /// A database's row changed, its name perhaps.
    pub(super) fn redefine_database(&self, before: &str, database: &Database) {
        let mut databases = self.databases.write();
        if let Some(state) = databases.remove(before) {
            state.redefine(database);
            databases.insert(database.name.clone(), state);
        }
    }

    /// Nobody finds a database any more.
    pub(super) fn remove_database(&self, name: &str) {
        self.databases.write().remove(name);
    }

    /// Cancels what a connection runs. An unknown number or a wrong key does nothing.
    pub fn cancel(&self, pid: BackendPid, secret: &[u8]) {
        use subtle::ConstantTimeEq as _;
        if let Some(session) = self.sessions.get(&pid.0)
            && bool::from(session.secret.ct_eq(secret))
        {
            session.cancel_statement();
        }
        for tenant in self.tenants.read().values() {
            tenant.cancel(pid, secret);
        }
    }

    /// How many sessions are logged in.
    pub fn active_sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn next_pid(&self) -> BackendPid {
        BackendPid(self.common.next_pid.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn next_transaction(&self) -> u64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn register(&self, session: &Arc<SessionShared>) {
        self.sessions.insert(session.pid.0, Arc::clone(session));
    }

    pub(super) fn unregister(&self, pid: BackendPid) {
        self.sessions.remove(&pid.0);
    }

    pub(super) fn session(&self, pid: i32) -> Option<Arc<SessionShared>> {
        self.sessions.get(&pid).map(|session| Arc::clone(&session))
    }

    pub(super) fn all_sessions(&self) -> Vec<Arc<SessionShared>> {
        self.sessions.iter().map(|session| Arc::clone(&session)).collect()
    }
}

/// Microseconds since 1970-01-01 UTC.
pub(super) fn now_us() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// The roles and databases of a new tenant; in the system's own there is somebody who can log in.
fn first_cluster(tenant: &Tenant, verifier: Option<String>) -> Cluster {
    let is_system = tenant.id == TenantId::SYSTEM;
    let mut cluster = Cluster::default();
    let system = Role {
        superuser: true,
        login: is_system,
        create_role: true,
        create_db: true,
        replication: true,
        bypass_rls: true,
        verifier,
        ..Role::new(SYSTEM_ROLE, "graphwire", TenantId::SYSTEM)
    };
    cluster.roles.insert(SYSTEM_ROLE, system);
    let databases = match is_system {
        true => vec![
            (GRAPHWIRE_DATABASE, "graphwire".to_owned()),
            (POSTGRES_DATABASE, "postgres".to_owned()),
        ],
        false => vec![(GRAPHWIRE_DATABASE, tenant.name())],
    };
    for (oid, name) in databases {
        let database = Database {
            oid,
            name,
            tenant: TenantId::SYSTEM,
            owner: SYSTEM_ROLE,
            connection_limit: -1,
            is_template: false,
            allow_connections: true,
        };
        cluster.databases.insert(oid, database);
    }
    cluster
}

/// The schemas and system relations every database has.
fn first_catalog(database: &Database, cluster: &Arc<Cluster>) -> Catalog {
    use crate::catalog::pg;
    let mut catalog = Catalog {
        version: 1,
        database: Arc::new(database.clone()),
        cluster: Arc::clone(cluster),
        schemas: Arc::default(),
        relations: Arc::default(),
        names: Arc::default(),
        comments: Arc::default(),
        grants: Arc::default(),
        next_oid: FIRST_SYSTEM_OID,
    };
    for (oid, name, owner) in [
        (pg::PG_CATALOG_OID, "pg_catalog", SYSTEM_ROLE),
        (pg::PUBLIC_OID, "public", pg::DATABASE_OWNER_ROLE),
        (pg::INFORMATION_SCHEMA_OID, "information_schema", SYSTEM_ROLE),
        (pg::GRAPHWIRE_OID, "graphwire", SYSTEM_ROLE),
    ] {
        catalog.put_schema(Schema { oid, name: name.to_owned(), owner });
    }
    for relation in pg::system_relations() {
        catalog.put_relation(Relation {
            oid: relation.oid,
            schema: match relation.schema {
                "pg_catalog" => pg::PG_CATALOG_OID,
                "graphwire" => pg::GRAPHWIRE_OID,
                _ => pg::INFORMATION_SCHEMA_OID,
            },
            name: relation.name.to_owned(),
            owner: SYSTEM_ROLE,
            comment: None,
            persistence: Persistence::Permanent,
            kind: RelationKind::System(Arc::new(Table::new(relation.columns.clone(), Vec::new()))),
        });
    }
    catalog
}
