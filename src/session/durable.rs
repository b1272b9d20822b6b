//! Where commits become durable: opening the store behind an engine, and waiting for the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::engine::{DatabaseState, Engine, Latest, now_us};
use super::session_impl::Session;
use crate::catalog::{Catalog, Cluster, RelationKind, stored};
use crate::error::{PgError, SqlState};
use crate::executor::write::check_all;
use crate::storage::wal::{AppendError, CommitRecord, Entry, Scribe};
use crate::storage::{
    CounterRecord, LockOwner, Opened, SequenceLog, StorageError, Store, StoreOptions,
};
use crate::types::Oid;

/// The cluster's own objects are stored as those of this database.
pub(super) const CLUSTER: Oid = Oid::INVALID;

/// How a commit becomes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Durably {
    /// Whether it is waited for until it is on the disk (`synchronous_commit`).
    pub(super) sync: bool,
    /// Who writes it.
    pub(super) scribe: Scribe,
    /// Whether who writes it lets other threads go first, which may have something to commit too.
    pub(super) others_first: bool,
}

/// A commit that has its place among the others.
#[derive(Debug)]
#[must_use = "a commit is not acknowledged before it is durable"]
pub(super) enum PendingCommit {
    /// It is visible already.
    Now,
    /// The log has it, and says when it is durable and visible.
    Later(oneshot::Receiver<Result<(), StorageError>>),
}

impl PendingCommit {
    /// A commit of `record`: how it goes to the log, given the state it makes, and how to wait for it. `locks` are given back
    /// when it is durable and visible.
    pub(super) fn later(
        database: Arc<DatabaseState>,
        record: CommitRecord,
        durably: Durably,
        locks: Option<Arc<LockOwner>>,
    ) -> (impl FnOnce(Latest, Option<Arc<Cluster>>) -> Entry, Self) {
        let (sender, receiver) = oneshot::channel();
        let entry = move |latest, cluster| Entry {
            // What leaves nothing on the disk need not be waited for.
            sync: durably.sync && !record.is_empty(),
            others_first: durably.others_first,
            record,
            publish: Some(Box::new(move || database.publish(latest, cluster))),
            done: Some(Box::new(move |result| {
                // Who waits for a row waits no longer than that, whenever the committer's thread goes on.
                if let (Ok(()), Some(locks)) = (&result, locks) {
                    locks.release_all();
                }
                // A connection that is gone does not wait; its commit counts all the same.
                let _ = sender.send(result);
            })),
        };
        (entry, Self::Later(receiver))
    }

    /// Waits until the commit is durable and visible.
    ///
    /// # Errors
    /// `53100` if there was no room for it, `58030` if the log failed.
    pub(super) async fn wait(self) -> Result<(), PgError> {
        match self {
            Self::Now => Ok(()),
            Self::Later(receiver) => match receiver.await {
                Ok(result) => Ok(result?),
                Err(_) => Err(refused("the log's thread ended")),
            },
        }
    }
}

fn refused(reason: &str) -> PgError {
    StorageError::Refused { reason: reason.to_owned() }.into()
}

/// Where a database's sequences put their records.
#[derive(Debug)]
pub(super) struct CounterLog {
    pub(super) database: Oid,
    pub(super) store: Arc<Store>,
    /// The last record of each counter: values up to it may have been given.
    pub(super) last: Mutex<HashMap<u64, CounterRecord>>,
}

impl CounterLog {
    /// The last record of each counter.
    pub(super) fn records(&self) -> Vec<CounterRecord> {
        self.last.lock().values().copied().collect()
    }
}

impl SequenceLog for CounterLog {
    fn append(&self, record: CounterRecord) {
        self.last.lock().insert(record.id, record);
        let (key, object) = stored::counter_object(record);
        let mut commit = CommitRecord::new(self.database, now_us());
        commit.put(key, &object);
        self.store.log().append_free(commit);
    }
}

/// Opens the store on a thread that may block.
///
/// # Errors
/// See [`Store::open`].
pub(super) async fn open_store(options: StoreOptions) -> Result<Opened, PgError> {
    let opened = tokio::task::spawn_blocking(move || Store::open(options)).await;
    Ok(opened
        .map_err(|error| PgError::internal(format!("could not open the store: {error}")))??)
}

/// How often it is asked whether a checkpoint is due.
const CHECKPOINT_LOOK: Duration = Duration::from_millis(200);

/// Starts the thread that merges chunks, and writes checkpoints when they are due. It ends with the engine.
///
/// # Errors
/// `XX000` if the thread could not be started.
pub(super) fn start_merging_and_checkpoints(engine: &Arc<Engine>) -> Result<(), PgError> {
    let engine = Arc::downgrade(engine);
    let run = move || {
        loop {
            std::thread::sleep(CHECKPOINT_LOOK);
            let Some(engine) = engine.upgrade() else { return };
            if engine.store().is_some_and(|store| store.is_closed()) {
                return;
            }
            if let Err(error) = engine.merge_in_background() {
                tracing::warn!(%error, "could not merge rows");
            }
            if engine.is_checkpoint_due()
                && let Err(error) = engine.checkpoint()
            {
                tracing::warn!(%error, "could not write a checkpoint; it is tried again");
                std::thread::sleep(CHECKPOINT_AGAIN);
            }
        }
    };
    let thread = std::thread::Builder::new().name("graphwire-checkpoint".to_owned()).spawn(run);
    thread
        .map(|_| ())
        .map_err(|error| PgError::internal(format!("could not start checkpoints: {error}")))
}

/// After a checkpoint that could not be written, the next is tried so much later.
const CHECKPOINT_AGAIN: Duration = Duration::from_secs(10);

/// Stores what a new store starts with: the cluster, and the catalog of each database.
///
/// # Errors
/// `53100`, `58030` if it cannot be written.
pub(super) async fn store_first(
    store: &Store,
    cluster: &Cluster,
    catalogs: &BTreeMap<Oid, Arc<Catalog>>,
) -> Result<(), PgError> {
    let mut record = CommitRecord::new(CLUSTER, now_us());
    for (key, object) in cluster.stored_objects()? {
        record.put(key, &object);
    }
    for (oid, catalog) in catalogs {
        record.in_database(*oid);
        for (key, object) in catalog.stored_objects()? {
            record.put(key, &object);
        }
    }
    let (sender, receiver) = oneshot::channel();
    let entry = |_| Entry {
        record,
        sync: true,
        others_first: false,
        publish: None,
        done: Some(Box::new(move |result| {
            let _ = sender.send(result);
        })),
    };
    match store.log().append(0, Scribe::Thread, entry) {
        Ok(_) => PendingCommit::Later(receiver).wait().await,
        Err(AppendError::Refused(error)) => Err(error.into()),
        Err(AppendError::Stale { .. }) => Err(refused("the log failed before its first record")),
    }
}

/// Stores what a new database starts with, before the cluster names it.
///
/// # Errors
/// `53100`, `58030` if it cannot be written.
pub(super) async fn store_database(
    store: &Store,
    database: Oid,
    catalog: &Catalog,
) -> Result<(), PgError> {
    let mut epoch = 0;
    loop {
        let mut record = CommitRecord::new(database, now_us());
        for (key, object) in catalog.stored_objects()? {
            record.put(key, &object);
        }
        let (sender, receiver) = oneshot::channel();
        let entry = |_| Entry {
            record,
            sync: true,
            others_first: false,
            publish: None,
            done: Some(Box::new(move |result| {
                let _ = sender.send(result);
            })),
        };
        match store.log().append(epoch, Scribe::Thread, entry) {
            Ok(_) => return PendingCommit::Later(receiver).wait().await,
            Err(AppendError::Refused(error)) => return Err(error.into()),
            Err(AppendError::Stale { epoch: newer }) => epoch = newer,
        }
    }
}

impl Session {
    /// Checks the database against its catalog: every row against the constraints of its table, keys, references,
    /// and that the edges of every property graph can be derived. Gives how many tables and graphs there are.
    ///
    /// # Errors
    /// The first violation found.
    pub async fn verify(&mut self) -> Result<(usize, usize), PgError> {
        let latest = self.database.latest();
        self.begin_transaction(false, None, Some(true))?;
        let checks = match &self.transaction {
            Some(transaction) => self.checks(transaction),
            None => return Err(PgError::internal("the transaction did not begin")),
        };
        self.fail();
        let (mut tables, mut graphs) = (0, Vec::new());
        for relation in latest.catalog.relations.values() {
            if let RelationKind::PropertyGraph(_) = &relation.kind {
                let schema = latest.catalog.schemas.get(&relation.schema);
                graphs.extend(schema.map(|schema| (schema.name.clone(), relation.name.clone())));
            }
            if !matches!(relation.kind, RelationKind::System(_)) && relation.table().is_some() {
                if latest.store.table(relation.oid).is_none() {
                    return Err(PgError::new(
                        SqlState::DATA_CORRUPTED,
                        format!(
                            "table \"{}\" has no rows in the store, not even none",
                            relation.name
                        ),
                    ));
                }
                check_all(&latest.catalog, &latest.store, relation, &checks)?;
                tables += 1;
            }
        }
        let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        for (schema, name) in &graphs {
            let graph = format!("{}.{}", quote(schema), quote(name));
            let matched = "MATCH ()-[]->() COLUMNS (1 AS one)";
            self.run_text(&format!("SELECT count(*) FROM GRAPH_TABLE ({graph} {matched})")).await?;
        }
        Ok((tables, graphs.len()))
    }
}
