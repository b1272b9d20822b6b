//! Merging the chunks of tables, while commits go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::database::DatabaseState;
use super::shared::Engine;
use crate::error::PgError;
use crate::storage::Merge;
use crate::types::Oid;

impl DatabaseState {
    /// Merges a table's chunks as far as anything is gained, and leaves deleted rows out: VACUUM. Rows keep their
    /// numbers, so nothing that runs can tell.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub(in crate::session) fn merge_all(&self, table: Oid) -> Result<(), PgError> {
        let Some(version) = self.latest().store.table(table).cloned() else { return Ok(()) };
        version.all_merges().try_for_each(|merge| self.install_merge(table, &[merge?]))
    }

    /// Merges the chunks of all tables where it is worth it, as long as there is `room`. Commits go on meanwhile; whether
    /// there was anything to do.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    fn merge_in_background(&self, room: impl Fn() -> bool) -> Result<bool, PgError> {
        let latest = self.latest();
        let mut merged = false;
        for version in latest.store.tables().filter(|version| version.wants_merging()) {
            let mut merges = version.merges();
            while room()
                && let Some(merge) = merges.next()
            {
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
}

impl Engine {
    /// Merges chunks of all databases where it is worth it. What comes of it is in memory until a checkpoint has written
    /// it, so the rest waits for that where there is too much.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub fn merge_in_background(&self) -> Result<(), PgError> {
        let databases: Vec<_> = self.databases.read().values().cloned().collect();
        for database in databases {
            if database.merge_in_background(|| !self.has_many_fresh())? {
                self.merged.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
