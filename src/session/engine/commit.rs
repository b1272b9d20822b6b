//! How a database's next state is made, written and shown.

use std::sync::Arc;

use super::database::{DatabaseState, Latest, Pending};
use super::shared::now_us;
use crate::catalog::{Catalog, Cluster};
use crate::error::{PgError, SqlState};
use crate::executor::write::{RowCheck, Writes, check_changed};
use crate::session::durable::{CLUSTER, Durably, PendingCommit};
use crate::storage::LockOwner;
use crate::storage::wal::{AppendError, CommitRecord, Scribe};
use crate::types::CommitNo;

/// What a transaction made of the definitions.
#[derive(Debug)]
pub(in crate::session) struct CatalogWork {
    /// What it started from.
    pub(in crate::session) base: Arc<Catalog>,
    /// What it made of it.
    pub(in crate::session) catalog: Arc<Catalog>,
}

impl CatalogWork {
    fn changes_objects(&self) -> bool {
        self.base.version != self.catalog.version
    }

    fn changes_cluster(&self) -> bool {
        self.base.cluster.version != self.catalog.cluster.version
    }
}

impl DatabaseState {
    /// Makes a transaction's work the newest state; its number. It is visible to others when it is durable, which the caller must
    /// wait for; without a sync, when it is written. `locks` may be given back by then.
    ///
    /// # Errors
    /// `40001` if another transaction changed the same rows, or the catalog; `23…` if what both did together violates a
    /// constraint; `58030` if the store takes no writes.
    pub(in crate::session) fn commit(
        self: &Arc<Self>,
        writes: &Writes,
        catalog: Option<CatalogWork>,
        check: &dyn RowCheck,
        durably: Durably,
        locks: Option<&Arc<LockOwner>>,
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
            let (entry, committed) =
                PendingCommit::later(Arc::clone(self), record, durably, locks.cloned());
            let appended = store.log().append(pending.epoch, durably.scribe, |commit| {
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
                Ok(commit) => {
                    drop(pending);
                    if durably.scribe == Scribe::Caller {
                        store.log().write_here();
                    }
                    return Ok((commit, committed));
                }
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
        let (mut rebased, moved) = writes.rebase(&base.store, &self.recent)?;
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
        rebased.publish()?;
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

    /// Makes a state visible that was committed, and the cluster if it was changed too.
    pub(in crate::session) fn publish(&self, latest: Latest, cluster: Option<Arc<Cluster>>) {
        if let Some(cluster) = cluster {
            self.cluster.publish(cluster);
        }
        let before = std::mem::replace(&mut *self.latest.write(), latest);
        // Taking it apart is nobody's business who waits for the lock.
        drop(before);
    }
}
