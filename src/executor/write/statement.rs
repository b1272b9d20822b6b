//! What one statement does to rows: locks, checks, steps.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parking_lot::Mutex;

use super::constraints::{Change, RowCheck, admit_rows, comes_alone, keeps_keys, rows_by_id};
use super::definitions::Definitions;
use super::locking::{self, Collision, StatementLocks, Waiting};
use super::transaction::Writes;
use crate::catalog::{Catalog, Relation};
use crate::error::PgError;
use crate::storage::{RowLock, RowWrite, StorageError, TableVersion};
use crate::types::{Oid, RowId};

/// The target of one statement: a transaction's writes and the constraints in force.
///
/// What a statement wrote before it failed stays in the transaction's writes: they are dropped with the transaction, or
/// by ROLLBACK TO SAVEPOINT.
pub struct StatementWrites {
    pub(super) writes: Arc<Mutex<Writes>>,
    /// As the statement began; definitions add to it.
    pub(super) catalog: Mutex<Arc<Catalog>>,
    pub(super) check: Arc<dyn RowCheck>,
    pub(super) locks: StatementLocks,
    pub(super) definitions: Option<Arc<dyn Definitions>>,
    /// Whether nothing reads what it writes before the transaction's next statement.
    pub(super) lazily: bool,
    pub(super) done: Mutex<Done>,
}

/// What a statement wrote so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Rows that were there and that it wrote.
    pub(super) claimed: HashSet<(Oid, RowId)>,
    /// What foreign keys have not seen yet.
    pub(super) changes: Vec<Change>,
}

impl StatementWrites {
    /// Writes go to `writes`; constraints are those of `catalog`, CHECK conditions decided by `check`; what is written is
    /// locked first.
    pub fn new(
        writes: Arc<Mutex<Writes>>,
        catalog: Arc<Catalog>,
        check: Arc<dyn RowCheck>,
        locks: StatementLocks,
    ) -> Self {
        let catalog = Mutex::new(catalog);
        let (definitions, lazily) = (None, false);
        Self { writes, catalog, check, locks, definitions, lazily, done: Mutex::default() }
    }

    /// With a way to make labels, types and properties of open graphs come into being.
    #[must_use]
    pub fn with_definitions(mut self, definitions: Arc<dyn Definitions>) -> Self {
        self.definitions = Some(definitions);
        self
    }

    pub(super) fn names(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.lock())
    }

    /// The same for a statement of one write, whose transaction settles its view before the next one reads it.
    #[must_use]
    pub fn lazily(self) -> Self {
        Self { lazily: true, ..self }
    }

    /// Whether the statement has to run again on a new snapshot, as rows moved under it.
    pub fn is_stale(&self) -> bool {
        self.locks.is_stale()
    }

    pub(super) fn waiting<'a>(&'a self, catalog: &'a Arc<Catalog>) -> Waiting<'a> {
        Waiting { locks: &self.locks, catalog, writes: &self.writes, check: self.check.as_ref() }
    }

    /// A table as the transaction sees it now.
    pub(super) fn version(&self, relation: &Relation) -> Result<Arc<TableVersion>, PgError> {
        let writes = self.writes.lock();
        let version = writes.view().table(relation.oid);
        version.cloned().ok_or_else(|| StorageError::TableChanged.into())
    }

    /// Adds rows.
    pub(super) async fn insert_rows(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        collision: Collision,
    ) -> Result<Vec<Change>, PgError> {
        let catalog = self.names();
        let rows = admit_rows(&catalog, relation, rows, self.check.as_ref())?;
        let rows: Vec<RecordBatch> = rows.into_iter().filter(|rows| rows.num_rows() > 0).collect();
        let waiting = self.waiting(&catalog);
        if let Err(error) = waiting.unique_keys(relation, &rows, None, collision).await {
            // A serializable transaction is told of what it read rather than of the key, if that is the reason; for that
            // its rows must be among what it wrote. It has failed in any case.
            let version = self.version(relation)?;
            let first = |rows: &RecordBatch| version.take_ids(rows.num_rows() as u64);
            let insert = |rows: RecordBatch| RowWrite::Insert { first: first(&rows), rows };
            let steps = rows.into_iter().map(insert).collect();
            self.writes.lock().write(relation.oid, steps, true)?;
            return Err(error);
        }
        waiting.referenced_rows(relation, &rows, None).await?;
        let version = self.version(relation)?;
        let is_plain = relation.table().is_some_and(|table| comes_alone(table));
        let mut changes = Vec::with_capacity(rows.len());
        let mut steps = Vec::with_capacity(rows.len());
        for rows in rows {
            let first = version.take_ids(rows.num_rows() as u64);
            steps.push(RowWrite::Insert { rows: rows.clone(), first });
            changes.push(Change::inserted(relation, rows, first));
        }
        if is_plain {
            self.write_plain(relation, steps)?;
        } else {
            self.write(relation, steps, &changes)?;
        }
        Ok(changes)
    }

    /// Replaces rows; `rows` are in the order of `ids`, each of which is there.
    pub(super) async fn update_rows(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<Change>, PgError> {
        let Some(table) = relation.table().filter(|_| !ids.is_empty()) else {
            return Ok(Vec::new());
        };
        let catalog = self.names();
        let waiting = self.waiting(&catalog);
        let old = rows_by_id(&*self.version(relation)?, ids)?;
        if let [new] = rows.as_slice()
            && keeps_keys(table, &old, new)
        {
            // Nothing that a constraint between rows speaks of has changed.
            waiting.rows(relation, ids, RowLock::NoKeyUpdate).await?;
            let rows = admit_rows(&catalog, relation, rows, self.check.as_ref())?;
            let steps = vec![update_step(ids, old.num_rows(), rows.into_iter().next())?];
            self.write_plain(relation, steps)?;
            return Ok(Vec::new());
        }
        let lock = locking::update_lock(table, &old, &rows)?;
        waiting.rows(relation, ids, lock).await?;
        let rows = admit_rows(&catalog, relation, rows, self.check.as_ref())?;
        waiting.unique_keys(relation, &rows, Some(&old), Collision::Write).await?;
        waiting.referenced_rows(relation, &rows, Some(&old)).await?;
        waiting.new_referring(relation, table, &old)?;
        let new = arrow::compute::concat_batches(&table.schema, &rows)?;
        let step = update_step(ids, old.num_rows(), Some(new.clone()))?;
        let changes = vec![Change::updated(relation, ids, old, new)];
        self.write(relation, vec![step], &changes)?;
        Ok(changes)
    }

    /// Removes rows, each of which is there.
    pub(super) async fn delete_rows(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
    ) -> Result<Vec<Change>, PgError> {
        let Some(table) = relation.table().filter(|_| !ids.is_empty()) else {
            return Ok(Vec::new());
        };
        let catalog = self.names();
        let waiting = self.waiting(&catalog);
        waiting.rows(relation, ids, RowLock::Update).await?;
        let old = rows_by_id(&*self.version(relation)?, ids)?;
        waiting.new_referring(relation, table, &old)?;
        let changes = vec![Change::deleted(relation, old)];
        self.write(relation, vec![RowWrite::Delete { ids: ids.into() }], &changes)?;
        Ok(changes)
    }

    /// Writes what no constraint between rows speaks of.
    pub(super) fn write_plain(
        &self,
        relation: &Relation,
        steps: Vec<RowWrite>,
    ) -> Result<(), PgError> {
        let mut writes = self.writes.lock();
        if self.lazily {
            writes.write_later(relation.oid, steps)?;
        } else {
            writes.write(relation.oid, steps, false)?;
        }
        Ok(())
    }

    /// Writes to the transaction, and checks the keys of what came.
    pub(super) fn write(
        &self,
        relation: &Arc<Relation>,
        steps: Vec<RowWrite>,
        changes: &[Change],
    ) -> Result<(), PgError> {
        self.writes.lock().write(relation.oid, steps, true)?;
        let version = self.version(relation)?;
        for change in changes {
            change.check_unique(&self.names(), &version, self.check.as_ref())?;
        }
        Ok(())
    }
}

/// The step that replaces rows, of which `found` were there, by `new`, one for one.
fn update_step(ids: &[RowId], found: usize, new: Option<RecordBatch>) -> Result<RowWrite, PgError> {
    let Some(new) = new.filter(|new| found == ids.len() && new.num_rows() == ids.len()) else {
        return Err(StorageError::WriteConflict.into());
    };
    if ids.is_sorted() {
        return Ok(RowWrite::Update { rows: new, ids: ids.into() });
    }
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by_key(|at| ids[*at as usize]);
    let sorted: Arc<[RowId]> = order.iter().map(|at| ids[*at as usize]).collect();
    let rows = arrow::compute::take_record_batch(&new, &arrow::array::UInt32Array::from(order))?;
    Ok(RowWrite::Update { rows, ids: sorted })
}
