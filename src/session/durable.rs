//! Where commits become durable: opening the store behind an engine, and waiting for the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::engine::{DatabaseState, Latest, now_us};
use crate::catalog::{Catalog, Cluster, stored};
use crate::error::PgError;
use crate::storage::wal::{AppendError, CommitRecord, Entry};
use crate::storage::{CounterRecord, Opened, SequenceLog, StorageError, Store, StoreOptions};
use crate::types::Oid;

/// The cluster's own objects are stored as those of this database.
pub(super) const CLUSTER: Oid = Oid::INVALID;

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
    /// A commit of `record`: how it goes to the log, given the state it makes, and how to wait for it.
    pub(super) fn later(
        database: Arc<DatabaseState>,
        record: CommitRecord,
        sync: bool,
    ) -> (impl FnOnce(Latest) -> Entry, Self) {
        let (sender, receiver) = oneshot::channel();
        let entry = move |latest| Entry {
            // What leaves nothing on the disk need not be waited for.
            sync: sync && !record.is_empty(),
            record,
            publish: Some(Box::new(move || database.publish(latest))),
            done: Some(Box::new(move |result| {
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
        publish: None,
        done: Some(Box::new(move |result| {
            let _ = sender.send(result);
        })),
    };
    match store.log().append(0, entry) {
        Ok(_) => PendingCommit::Later(receiver).wait().await,
        Err(AppendError::Refused(error)) => Err(error.into()),
        Err(AppendError::Stale { .. }) => Err(refused("the log failed before its first record")),
    }
}
