//! Checkpoints, and the last one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::database::DatabaseState;
use super::shared::Engine;
use crate::catalog::stored::counter_object;
use crate::error::PgError;
use crate::session::durable::CLUSTER;
use crate::session::stored_keys::stored_keys;
use crate::storage::CheckpointDatabase;
use crate::types::CommitNo;

impl Engine {
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
        self.merged.store(false, Ordering::Relaxed);
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
    pub(in crate::session) fn is_checkpoint_due(&self) -> bool {
        let Some(store) = &self.store else { return false };
        if store.is_checkpoint_due() {
            return true;
        }
        (store.has_news() || self.merged.load(Ordering::Relaxed)) && self.has_many_fresh()
    }

    /// Whether there are as many rows in no file as may be.
    pub(super) fn has_many_fresh(&self) -> bool {
        let Some(store) = &self.store else { return false };
        let databases: Vec<_> = self.databases.read().values().cloned().collect();
        let fresh: usize = databases.iter().map(|database| database.fresh_bytes()).sum();
        fresh >= store.fresh_bytes_max()
    }
}

impl DatabaseState {
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

    /// Bytes of rows that are in memory only, and would be in a file after a checkpoint.
    pub(super) fn fresh_bytes(&self) -> usize {
        let latest = self.latest();
        let tables = latest.store.tables();
        let kept = tables.filter(|version| latest.catalog.keeps_rows_of(version.table));
        kept.map(|version| version.fresh_bytes()).sum()
    }
}
