//! The log's commits done again, in order.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{Recovered, Until};
use crate::storage::error::StorageError;
use crate::storage::manifest::Manifest;
use crate::storage::snapshot::RowWrite;
use crate::storage::table::TableVersion;
use crate::storage::wal::record::{Payload, Step};
use crate::storage::wal::segment::Found;
use crate::types::{CommitNo, Oid, RowId};

/// Databases on their way from a checkpoint to the last commit.
pub(super) struct Replay {
    databases: Recovered,
    /// What the checkpoint holds of each database already.
    through: HashMap<Oid, CommitNo>,
    until: Until,
    stopped: bool,
    last: CommitNo,
    log_bytes: u64,
}

impl Replay {
    pub(super) fn new(databases: Recovered, manifest: &Manifest, until: Until) -> Self {
        let through =
            manifest.databases.iter().map(|database| (database.oid, database.through)).collect();
        let last = manifest.through;
        Self { databases, through, until, stopped: false, last, log_bytes: 0 }
    }

    /// The databases, the last commit, and how many bytes of log it took.
    pub(super) fn finish(mut self) -> (Recovered, CommitNo, u64) {
        for database in self.databases.values_mut() {
            database.store.commit = self.last;
        }
        (self.databases, self.last, self.log_bytes)
    }

    /// Does one commit.
    ///
    /// # Errors
    /// `XX001` if it does not fit what is there.
    pub(super) fn commit(&mut self, path: &Path, found: Found) -> Result<(), StorageError> {
        let corrupt = |reason: &dyn std::fmt::Display| {
            StorageError::corrupt(path, &format!("commit {}: {reason}", found.number))
        };
        for payload in &found.payloads {
            self.log_bytes += payload.len() as u64;
            let payload = Payload::new(payload).map_err(|error| corrupt(&error))?;
            self.stopped |= match self.until {
                Until::End => false,
                Until::Commit(last) => found.number > last,
                Until::Time(time_us) => payload.time_us > time_us,
            };
            if self.stopped {
                return Ok(());
            }
            if self.through.get(&payload.database).is_some_and(|through| *through >= found.number) {
                continue;
            }
            self.payload(payload).map_err(|error| corrupt(&error))?;
        }
        self.last = found.number;
        Ok(())
    }

    fn payload(&mut self, mut payload: Payload<'_>) -> Result<(), StorageError> {
        let database = self.databases.entry(payload.database).or_default();
        loop {
            let store = &database.store;
            let schema = |table| store.table(table).map(|version| Arc::clone(&version.schema));
            let step = payload.next(schema).map_err(StorageError::Malformed)?;
            let Some(step) = step else { return Ok(()) };
            match step {
                Step::Rows(table, write) => {
                    let version = store.table(table).ok_or(StorageError::TableChanged)?;
                    let next = write.apply(version)?;
                    if let RowWrite::Insert { rows, first } = &write {
                        next.give_no_id_below(RowId(first.0 + rows.num_rows() as u64));
                    }
                    put(&mut database.store, next);
                }
                Step::Begin { table, next_row, schema } => {
                    let version = TableVersion::restore(table, schema, Vec::new(), next_row);
                    put(&mut database.store, version);
                }
                Step::Chunk { table, ids, rows } => {
                    let version = store.table(table).ok_or(StorageError::TableChanged)?;
                    let next = version.append_rows(rows, ids)?;
                    put(&mut database.store, next);
                }
                Step::Widen(table, schema) => {
                    let version = store.table(table).ok_or(StorageError::TableChanged)?;
                    let next = version.widened(&schema)?;
                    put(&mut database.store, next);
                }
                Step::Gone(table) => {
                    database.store = std::mem::take(&mut database.store).without_table(table);
                }
                Step::Put(key, object) => {
                    database.objects.insert(key, object);
                }
                Step::Remove(key) => {
                    database.objects.remove(&key);
                }
            }
        }
    }
}

fn put(store: &mut crate::storage::StoreSnapshot, version: TableVersion) {
    *store = std::mem::take(store).with_table(Arc::new(version));
}
