//! What all sessions share: databases, roles, the runtime, and who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

use super::identity::{LoginMethod, LoginRequest};
use super::shared::SessionShared;
use crate::access::login::mock_verifier;
use crate::catalog::{
    Catalog, Cluster, Database, Persistence, Relation, RelationKind, Role, Schema, Table,
};
use crate::error::{PgError, Severity, SqlState};
use crate::executor::Runtime;
use crate::executor::runtime::RuntimeOptions;
use crate::executor::write::{Committed, RowCheck, Writes, check_changed};
use crate::storage::{AdjacencyCache, LockTable, RecentWrites, Sequences, StoreSnapshot};
use crate::types::{BackendPid, CommitNo, Oid, TenantId};

/// OID of the role that owns the system (`BOOTSTRAP_SUPERUSERID`).
pub const SYSTEM_ROLE: Oid = Oid(10);
const GRAPHWIRE_DATABASE: Oid = Oid(16_384);
const POSTGRES_DATABASE: Oid = Oid(5);
/// Below this are the objects every database starts with.
const FIRST_USER_OID: u32 = 16_400;

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
}

const ADJACENCY_BYTES_DEFAULT: usize = 2 << 30;

/// Everything the connections of a process share.
pub struct Engine {
    options: EngineOptions,
    pub(super) runtime: Runtime,
    /// Where long statements run, so that they leave the connections' threads alone.
    pub(super) compute: Compute,
    databases: BTreeMap<String, Arc<DatabaseState>>,
    pub(super) adjacency: Arc<AdjacencyCache>,
    sessions: DashMap<i32, Arc<SessionShared>>,
    next_pid: AtomicI32,
    next_transaction: AtomicU64,
    mock_secret: [u8; 32],
    /// Start of the process, microseconds since 1970.
    pub(super) started_us: i64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// Threads of their own for statements that compute for long.
pub(super) struct Compute(Option<tokio::runtime::Runtime>);

impl Compute {
    fn new(threads: usize) -> Result<Self, PgError> {
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
    latest: RwLock<Latest>,
    commit: Mutex<()>,
    recent: RecentWrites,
    /// Counters of its sequences; no transaction moves them back.
    pub(super) sequences: Arc<Sequences>,
    pub(super) locks: Arc<LockTable>,
}

impl Committed for DatabaseState {
    fn latest(&self) -> StoreSnapshot {
        self.latest.read().store.clone()
    }

    fn recent(&self) -> &RecentWrites {
        &self.recent
    }
}

/// The newest state, held: what is written after it is remembered for as long as this is not dropped.
#[derive(Debug)]
pub(super) struct HeldSnapshot {
    pub(super) latest: Latest,
    database: Arc<DatabaseState>,
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
        self.latest.read().clone()
    }

    /// Version of the newest catalog.
    pub(super) fn catalog_version(&self) -> u64 {
        self.latest.read().catalog.version
    }

    /// The newest state, for a transaction that will write over it.
    pub(super) fn hold(self: &Arc<Self>) -> HeldSnapshot {
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

    /// Takes over the schemas and relations of `ready`; for a database nobody uses yet.
    pub(super) fn install(&self, ready: &Catalog) {
        let mut latest = self.latest.write();
        let own = &latest.catalog;
        latest.catalog = Arc::new(Catalog {
            database: Arc::clone(&own.database),
            cluster: Arc::clone(&own.cluster),
            ..ready.clone()
        });
    }

    /// Merges a table's chunks and leaves deleted rows out. Rows keep their numbers, so nothing that runs can tell.
    ///
    /// # Errors
    /// `XX000` for our own defects.
    pub(super) fn compact(&self, table: Oid) -> Result<(), PgError> {
        // Without the lock first; where commits come too fast, under it.
        for under_lock in [false, false, true] {
            let turn = under_lock.then(|| self.commit.lock());
            let Some(before) = self.latest().store.table(table).cloned() else { return Ok(()) };
            let Some(compacted) = before.compacted()? else { return Ok(()) };
            let _turn = turn.unwrap_or_else(|| self.commit.lock());
            let mut latest = self.latest.write();
            if latest.store.table(table).is_some_and(|now| now.stamp == before.stamp) {
                let store = std::mem::take(&mut latest.store);
                latest.store = store.with_table(Arc::new(compacted));
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes a transaction's work the newest state.
    ///
    /// # Errors
    /// `40001` if another transaction changed the same rows, or the catalog; `23…` if what both did together violates a
    /// constraint.
    pub(super) fn commit(
        &self,
        writes: &Writes,
        catalog: Option<(u64, Arc<Catalog>)>,
        check: &dyn RowCheck,
    ) -> Result<(), PgError> {
        let _turn = self.commit.lock();
        let latest = self.latest();
        let (rebased, moved) = writes.rebase(&latest.store, &self.recent)?;
        let catalog = match catalog {
            Some((base, catalog)) => {
                if base != latest.catalog.version {
                    return Err(PgError::new(
                        SqlState::T_R_SERIALIZATION_FAILURE,
                        "could not serialize access due to concurrent change of the catalog",
                    )
                    .hint("Run the transaction again."));
                }
                catalog
            }
            None => latest.catalog,
        };
        if moved {
            check_changed(&catalog, &latest.store, &rebased, check)?;
        }
        let mut store = rebased.view().clone();
        store.commit = CommitNo(latest.store.commit.0 + 1);
        self.recent.note(store.commit, latest.store.commit, writes.changes());
        *self.latest.write() = Latest { store, catalog };
        Ok(())
    }
}

impl Engine {
    /// Opens an engine with its databases; runs `sql/` to make the system views.
    ///
    /// # Errors
    /// `XX000` for our own defects: nothing here depends on a client.
    pub async fn open(options: EngineOptions) -> Result<Arc<Self>, PgError> {
        let runtime = Runtime::new(&options.runtime)?;
        let compute = Compute::new(options.runtime.partitions)?;
        let cluster = Arc::new(first_cluster(options.verifier.clone()));
        let mut databases = BTreeMap::new();
        for database in cluster.databases.values() {
            let catalog = first_catalog(database, &cluster);
            let latest = Latest { store: StoreSnapshot::default(), catalog: Arc::new(catalog) };
            let state = DatabaseState {
                latest: RwLock::new(latest),
                commit: Mutex::default(),
                recent: RecentWrites::default(),
                sequences: Arc::default(),
                locks: Arc::default(),
            };
            databases.insert(database.name.clone(), Arc::new(state));
        }
        let adjacency_bytes = options.adjacency_bytes_max.unwrap_or(ADJACENCY_BYTES_DEFAULT);
        let engine = Arc::new(Self {
            options,
            runtime,
            compute,
            databases,
            adjacency: Arc::new(AdjacencyCache::new(adjacency_bytes)),
            sessions: DashMap::new(),
            next_pid: AtomicI32::new(1000),
            next_transaction: AtomicU64::new(750),
            mock_secret: rand::random(),
            started_us: now_us(),
        });
        super::bootstrap::run(&engine).await?;
        Ok(engine)
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
        let verifier =
            self.role(&request.user).and_then(|role| role.verifier.filter(|_| role.login));
        let verifier = verifier.unwrap_or_else(|| mock_verifier(&request.user, &self.mock_secret));
        Ok(LoginMethod::Scram { verifier })
    }

    /// The role of a name; under [`LoginPolicy::TrustLoopback`] every name is a superuser.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        let cluster = self.cluster()?;
        let known = cluster.roles.values().find(|role| role.name == name).cloned();
        if known.is_none() && self.options.login == LoginPolicy::TrustLoopback {
            let system = cluster.roles.get(&SYSTEM_ROLE)?.clone();
            return Some(Role { name: name.to_owned(), ..system });
        }
        known
    }

    fn cluster(&self) -> Option<Arc<Cluster>> {
        let database = self.databases.values().next()?;
        Some(Arc::clone(&database.latest().catalog.cluster))
    }

    /// The state of a database.
    pub(super) fn database(&self, name: &str) -> Option<Arc<DatabaseState>> {
        self.databases.get(name).cloned()
    }

    /// Names of all databases.
    pub(super) fn database_names(&self) -> Vec<String> {
        self.databases.keys().cloned().collect()
    }

    /// Cancels what a connection runs. An unknown number or a wrong key does nothing.
    pub fn cancel(&self, pid: BackendPid, secret: &[u8]) {
        use subtle::ConstantTimeEq as _;
        if let Some(session) = self.sessions.get(&pid.0)
            && bool::from(session.secret.ct_eq(secret))
        {
            session.cancel_statement();
        }
    }

    /// How many sessions are logged in.
    pub fn active_sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn next_pid(&self) -> BackendPid {
        BackendPid(self.next_pid.fetch_add(1, Ordering::Relaxed))
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

fn first_cluster(verifier: Option<String>) -> Cluster {
    let mut cluster = Cluster::default();
    let role = |oid, name: &str, verifier| Role {
        oid,
        name: name.to_owned(),
        tenant: TenantId::SYSTEM,
        superuser: true,
        login: true,
        verifier,
    };
    cluster.roles.insert(SYSTEM_ROLE, role(SYSTEM_ROLE, "graphwire", verifier));
    for (oid, name) in [(GRAPHWIRE_DATABASE, "graphwire"), (POSTGRES_DATABASE, "postgres")] {
        let database =
            Database { oid, name: name.to_owned(), tenant: TenantId::SYSTEM, owner: SYSTEM_ROLE };
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
        next_oid: FIRST_USER_OID,
    };
    for (oid, name, owner) in [
        (pg::PG_CATALOG_OID, "pg_catalog", SYSTEM_ROLE),
        (pg::PUBLIC_OID, "public", pg::DATABASE_OWNER_ROLE),
        (pg::INFORMATION_SCHEMA_OID, "information_schema", SYSTEM_ROLE),
    ] {
        catalog.put_schema(Schema { oid, name: name.to_owned(), owner });
    }
    for relation in pg::system_relations() {
        catalog.put_relation(Relation {
            oid: relation.oid,
            schema: if relation.schema == "pg_catalog" {
                pg::PG_CATALOG_OID
            } else {
                pg::INFORMATION_SCHEMA_OID
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
