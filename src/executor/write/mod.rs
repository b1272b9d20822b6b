//! A transaction's writes: what it changed, seen over the snapshot it runs on, and how that becomes the next snapshot.
//!
//! ```text
//! latest ──────────► latest'  ──────────► latest''        other transactions commit
//!    │ begin            │ next statement      │ commit
//!    ▼                  ▼ refresh             ▼ rebase, check again
//!  working = latest + writes …              becomes the new latest
//! ```
//!
//! Writes are remembered step by step ([`RowWrite`]), so that they can be done again on a newer version. A row that
//! someone else changed first is a conflict (`40001`): [`RecentWrites`] tells.

mod computed_keys;
mod constraints;
mod locking;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::slice;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::DFSchema;
use parking_lot::Mutex;

use crate::catalog::{Catalog, Relation};
use crate::error::PgError;
use crate::storage::recent::{Changes, TableChange};
use crate::storage::wal::CommitRecord;
use crate::storage::{
    RecentWrites, RowLock, RowWrite, StorageError, StoreSnapshot, TableVersion, TableWrites,
};
use crate::types::{Oid, RowId};
use locking::Waiting;

pub use locking::{Collision, Committed, StatementLocks, lock_error};

use constraints::{Change, Deferral, admit_rows, computed_indexes, rows_by_id, unique_keys};
pub use constraints::{
    ComputedKeys, ConflictSearch, Conflicts, RowCheck, check_all, check_changed,
    check_key_is_unique, check_key_type, second_update,
};

/// Where a statement's writes go. Each waits for transactions that hold the same rows or keys.
///
/// A statement may write in several steps (WITH, MERGE); foreign keys hold when it is done, so it ends with
/// [`Self::finish`].
#[async_trait]
pub trait WriteTarget: Send + Sync {
    /// For each row, whether this statement writes it for the first time. It counts as written from then on.
    fn claim(&self, relation: &Relation, ids: &[RowId]) -> Vec<bool>;

    /// Looks for rows that new ones would conflict with.
    ///
    /// # Errors
    /// See [`ConflictSearch`].
    async fn conflicts(
        &self,
        relation: &Arc<Relation>,
        search: &mut ConflictSearch,
        rows: &RecordBatch,
    ) -> Result<Conflicts, PgError>;

    /// Adds rows.
    ///
    /// # Errors
    /// `23…` for a violated constraint, `40001` for a conflict.
    async fn insert(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        collision: Collision,
    ) -> Result<(), PgError>;

    /// Replaces rows by others, one for one.
    ///
    /// # Errors
    /// As [`Self::insert`].
    async fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError>;

    /// Removes rows.
    ///
    /// # Errors
    /// As [`Self::insert`].
    async fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError>;

    /// Does what foreign keys ask for after all writes of the statement.
    ///
    /// # Errors
    /// `23…` for a violated constraint.
    async fn finish(&self) -> Result<(), PgError>;
}

/// What a transaction did so far, and the view it has of all tables.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    working: StoreSnapshot,
    tables: BTreeMap<Oid, TableWork>,
    deferral: Deferral,
}

/// How far a transaction's writes had come; unlike a clone, it costs nothing to go on writing while it is held.
#[derive(Debug)]
pub struct WritesMark {
    working: StoreSnapshot,
    /// For each table whose rows were written: its base, and how many steps there were.
    rows: BTreeMap<Oid, (u64, usize)>,
    tables: BTreeSet<Oid>,
    deferral: Deferral,
}

/// What it did to one table.
#[derive(Debug, Clone)]
enum TableWork {
    /// Rows came and went; can be done again on a newer version than `base`.
    Rows { base: u64, writes: TableWrites },
    /// Made, emptied or rewritten as a whole; holds only while the table is still `base` (0: did not exist).
    Whole { base: u64 },
    /// Dropped.
    Gone { base: u64 },
}

impl Writes {
    /// A transaction that begins on `snapshot`.
    pub fn begin(snapshot: StoreSnapshot) -> Self {
        Self { working: snapshot, tables: BTreeMap::new(), deferral: Deferral::default() }
    }

    /// All tables as the transaction sees them now.
    pub fn view(&self) -> &StoreSnapshot {
        &self.working
    }

    /// Whether the transaction made the table, or emptied it.
    pub fn owns(&self, table: Oid) -> bool {
        matches!(self.tables.get(&table), Some(TableWork::Whole { .. }))
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    fn base(&self, table: Oid) -> u64 {
        match self.tables.get(&table) {
            Some(
                TableWork::Rows { base, .. } | TableWork::Whole { base } | TableWork::Gone { base },
            ) => *base,
            None => self.working.table(table).map_or(0, |version| version.stamp),
        }
    }

    /// Where a statement starts that only writes rows, to go back to.
    pub fn mark(&self) -> WritesMark {
        let rows = self.tables.iter().filter_map(|(table, work)| match work {
            TableWork::Rows { base, writes } => Some((*table, (*base, writes.steps.len()))),
            TableWork::Whole { .. } | TableWork::Gone { .. } => None,
        });
        WritesMark {
            working: self.working.clone(),
            rows: rows.collect(),
            tables: self.tables.keys().copied().collect(),
            deferral: self.deferral.clone(),
        }
    }

    /// Takes back what was written since a mark.
    pub fn back_to(&mut self, mark: WritesMark) {
        let WritesMark { working, rows, tables, deferral } = mark;
        self.tables.retain(|table, _| tables.contains(table));
        for (table, work) in &mut self.tables {
            if let (TableWork::Rows { base, writes }, Some((then, steps))) = (work, rows.get(table))
            {
                *base = *then;
                Arc::make_mut(&mut writes.steps).truncate(*steps);
            }
        }
        self.working = working;
        self.deferral = deferral;
    }

    /// Makes a table, or replaces all of its rows.
    pub fn put_table(&mut self, version: TableVersion) {
        let base = self.base(version.table);
        self.tables.insert(version.table, TableWork::Whole { base });
        self.working = self.working.clone().with_table(Arc::new(version));
    }

    /// Drops a table's rows.
    pub fn drop_table(&mut self, table: Oid) {
        let base = self.base(table);
        self.tables.insert(table, TableWork::Gone { base });
        self.working = self.working.clone().without_table(table);
    }

    fn write(&mut self, table: Oid, steps: Vec<RowWrite>) -> Result<(), StorageError> {
        let Some(version) = self.working.table(table) else {
            return Err(StorageError::TableChanged);
        };
        let base = self.base(table);
        let mut version = version.as_ref().clone();
        for step in &steps {
            version = step.apply(&version)?;
        }
        let work = self
            .tables
            .entry(table)
            .or_insert_with(|| TableWork::Rows { base, writes: TableWrites::default() });
        match work {
            TableWork::Rows { writes, .. } => Arc::make_mut(&mut writes.steps).extend(steps),
            // The table is this transaction's own; its rows go with the whole.
            TableWork::Whole { .. } => {}
            TableWork::Gone { .. } => return Err(StorageError::TableChanged),
        }
        self.working = self.working.clone().with_table(Arc::new(version));
        Ok(())
    }

    /// The writes done on `latest`: the transaction's view at its next statement, or the snapshot it commits.
    ///
    /// The second part of the result tells whether anything this transaction wrote had changed meanwhile, so that
    /// constraints must be checked again.
    ///
    /// # Errors
    /// `40001` if a row or table this transaction changed was changed by another.
    pub fn rebase(
        &self,
        latest: &StoreSnapshot,
        recent: &RecentWrites,
    ) -> Result<(Self, bool), StorageError> {
        let mut working = latest.clone();
        let mut tables = self.tables.clone();
        let mut moved = latest.commit != self.working.commit;
        for (table, work) in &mut tables {
            let now = latest.table(*table).map_or(0, |version| version.stamp);
            match work {
                TableWork::Rows { base, .. } if now == *base => {
                    if let Some(version) = self.working.table(*table) {
                        working = working.with_table(Arc::clone(version));
                    }
                }
                TableWork::Rows { base, writes } => {
                    let Some(version) = latest.table(*table) else {
                        return Err(StorageError::TableChanged);
                    };
                    let schema_changed = self
                        .working
                        .table(*table)
                        .is_some_and(|mine| mine.schema.fields() != version.schema.fields());
                    if schema_changed {
                        return Err(StorageError::TableChanged);
                    }
                    let since = self.working.commit;
                    if writes.touched().any(|row| recent.changed_after((*table, row), since)) {
                        return Err(StorageError::WriteConflict);
                    }
                    working = working.with_table(Arc::new(writes.apply(version)?));
                    *base = now;
                    moved = true;
                }
                TableWork::Whole { base } | TableWork::Gone { base } if now != *base => {
                    return Err(StorageError::TableChanged);
                }
                TableWork::Whole { .. } => {
                    if let Some(version) = self.working.table(*table) {
                        working = working.with_table(Arc::clone(version));
                    }
                }
                TableWork::Gone { .. } => working = working.without_table(*table),
            }
        }
        let deferral = self.deferral.clone();
        Ok((Self { working, tables, deferral }, moved && !self.tables.is_empty()))
    }

    /// Adds what was written to a commit's record; of the tables that `keeps` says yes to.
    ///
    /// # Errors
    /// `XX000` if rows do not fit their table: our own defect.
    pub fn record(
        &self,
        record: &mut CommitRecord,
        keeps: impl Fn(Oid) -> bool,
    ) -> Result<(), PgError> {
        for (table, work) in self.tables.iter().filter(|(table, _)| keeps(**table)) {
            let version = self.working.table(*table);
            match (work, version) {
                (TableWork::Rows { writes, .. }, Some(version)) => {
                    record.rows(*table, &version.schema, writes)?;
                }
                (TableWork::Whole { .. }, Some(version)) => record.whole(version)?,
                (TableWork::Gone { .. }, None) => record.gone(*table),
                (TableWork::Rows { .. } | TableWork::Whole { .. }, None)
                | (TableWork::Gone { .. }, Some(_)) => {
                    return Err(PgError::internal("a transaction's writes do not fit its view"));
                }
            }
        }
        Ok(())
    }

    /// What a commit of these writes does, by table.
    pub fn changes(&self) -> Changes {
        let change = |work: &TableWork| match work {
            TableWork::Rows { writes, .. } => {
                let mut touched: Vec<RowId> = writes.touched().collect();
                touched.sort_unstable();
                touched.dedup();
                TableChange { touched, inserted: writes.inserted(), whole: false }
            }
            TableWork::Whole { .. } | TableWork::Gone { .. } => {
                TableChange { whole: true, ..TableChange::default() }
            }
        };
        self.tables.iter().map(|(table, work)| (*table, change(work))).collect()
    }

    /// The tables whose rows changed, with the rows that came.
    pub fn changed(&self) -> impl Iterator<Item = (Oid, &TableWrites)> {
        self.tables.iter().filter_map(|(table, work)| match work {
            TableWork::Rows { writes, .. } => Some((*table, writes)),
            TableWork::Whole { .. } | TableWork::Gone { .. } => None,
        })
    }
}

/// The target of one statement: a transaction's writes and the constraints in force.
///
/// What a statement wrote before it failed stays in the transaction's writes: they are dropped with the transaction, or
/// by ROLLBACK TO SAVEPOINT.
pub struct StatementWrites {
    writes: Arc<Mutex<Writes>>,
    catalog: Arc<Catalog>,
    check: Arc<dyn RowCheck>,
    locks: StatementLocks,
    done: Mutex<Done>,
}

/// What a statement wrote so far.
#[derive(Debug, Default)]
struct Done {
    /// Rows that were there and that it wrote.
    claimed: HashSet<(Oid, RowId)>,
    /// What foreign keys have not seen yet.
    changes: Vec<Change>,
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
        Self { writes, catalog, check, locks, done: Mutex::default() }
    }

    /// Whether the statement has to run again on a new snapshot, as rows moved under it.
    pub fn is_stale(&self) -> bool {
        self.locks.is_stale()
    }

    fn waiting(&self) -> Waiting<'_> {
        Waiting {
            locks: &self.locks,
            catalog: &self.catalog,
            writes: &self.writes,
            check: self.check.as_ref(),
        }
    }

    /// All tables as the transaction sees them now.
    fn view(&self) -> StoreSnapshot {
        self.writes.lock().view().clone()
    }

    /// A table as the transaction sees it now.
    fn version(&self, relation: &Relation) -> Result<Arc<TableVersion>, PgError> {
        let writes = self.writes.lock();
        let version = writes.view().table(relation.oid);
        version.cloned().ok_or_else(|| StorageError::TableChanged.into())
    }

    /// Adds rows.
    async fn insert_rows(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        collision: Collision,
    ) -> Result<Vec<Change>, PgError> {
        let rows = admit_rows(&self.catalog, relation, rows, self.check.as_ref())?;
        let rows: Vec<RecordBatch> = rows.into_iter().filter(|rows| rows.num_rows() > 0).collect();
        let waiting = self.waiting();
        if let Err(error) = waiting.unique_keys(relation, &rows, None, collision).await {
            // A serializable transaction is told of what it read rather than of the key, if that is the reason; for that
            // its rows must be among what it wrote. It has failed in any case.
            let version = self.version(relation)?;
            let first = |rows: &RecordBatch| version.take_ids(rows.num_rows() as u64);
            let insert = |rows: RecordBatch| RowWrite::Insert { first: first(&rows), rows };
            self.writes.lock().write(relation.oid, rows.into_iter().map(insert).collect())?;
            return Err(error);
        }
        waiting.referenced_rows(relation, &rows, None).await?;
        let version = self.version(relation)?;
        let mut changes = Vec::with_capacity(rows.len());
        let mut steps = Vec::with_capacity(rows.len());
        for rows in rows {
            let first = version.take_ids(rows.num_rows() as u64);
            steps.push(RowWrite::Insert { rows: rows.clone(), first });
            changes.push(Change::inserted(relation, rows, first));
        }
        self.write(relation, steps, &changes)?;
        Ok(changes)
    }

    /// Replaces rows; `rows` are in the order of `ids`, each of which is there.
    async fn update_rows(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<Change>, PgError> {
        let Some(table) = relation.table().filter(|_| !ids.is_empty()) else {
            return Ok(Vec::new());
        };
        let waiting = self.waiting();
        let old = rows_by_id(&*self.version(relation)?, ids)?;
        let lock = locking::update_lock(table, &old, &rows)?;
        waiting.rows(relation, ids, lock).await?;
        let rows = admit_rows(&self.catalog, relation, rows, self.check.as_ref())?;
        waiting.unique_keys(relation, &rows, Some(&old), Collision::Write).await?;
        waiting.referenced_rows(relation, &rows, Some(&old)).await?;
        waiting.new_referring(relation, table, &old)?;
        let new = arrow::compute::concat_batches(&table.schema, &rows)?;
        if old.num_rows() != ids.len() || new.num_rows() != ids.len() {
            return Err(StorageError::WriteConflict.into());
        }
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_unstable_by_key(|at| ids[*at as usize]);
        let sorted: Arc<[RowId]> = order.iter().map(|at| ids[*at as usize]).collect();
        let rows = if order.is_sorted() {
            new.clone()
        } else {
            arrow::compute::take_record_batch(&new, &arrow::array::UInt32Array::from(order))?
        };
        let changes = vec![Change::updated(relation, ids, old, new)];
        self.write(relation, vec![RowWrite::Update { rows, ids: sorted }], &changes)?;
        Ok(changes)
    }

    /// Removes rows, each of which is there.
    async fn delete_rows(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
    ) -> Result<Vec<Change>, PgError> {
        let Some(table) = relation.table().filter(|_| !ids.is_empty()) else {
            return Ok(Vec::new());
        };
        let waiting = self.waiting();
        waiting.rows(relation, ids, RowLock::Update).await?;
        let old = rows_by_id(&*self.version(relation)?, ids)?;
        waiting.new_referring(relation, table, &old)?;
        let changes = vec![Change::deleted(relation, old)];
        self.write(relation, vec![RowWrite::Delete { ids: ids.into() }], &changes)?;
        Ok(changes)
    }

    /// Writes to the transaction, and checks the keys of what came.
    fn write(
        &self,
        relation: &Arc<Relation>,
        steps: Vec<RowWrite>,
        changes: &[Change],
    ) -> Result<(), PgError> {
        self.writes.lock().write(relation.oid, steps)?;
        let version = self.version(relation)?;
        for change in changes {
            change.check_unique(&self.catalog, &version, self.check.as_ref())?;
        }
        Ok(())
    }
}

#[async_trait]
impl WriteTarget for StatementWrites {
    fn claim(&self, relation: &Relation, ids: &[RowId]) -> Vec<bool> {
        let mut done = self.done.lock();
        let inserted = |done: &Done, id: RowId| {
            done.changes.iter().any(|change| change.has_inserted(relation.oid, id))
        };
        ids.iter()
            .map(|id| !inserted(&done, *id) && done.claimed.insert((relation.oid, *id)))
            .collect()
    }

    async fn conflicts(
        &self,
        relation: &Arc<Relation>,
        search: &mut ConflictSearch,
        rows: &RecordBatch,
    ) -> Result<Conflicts, PgError> {
        let (waiting, batches) = (self.waiting(), slice::from_ref(rows));
        if let Some(table) = relation.table() {
            for key in unique_keys(table).filter(|key| search.counts(key.oid)) {
                waiting.new_keys(relation, &key, batches, Collision::Arbiter).await?;
            }
            for index in computed_indexes(table).filter(|index| search.counts(index.oid)) {
                let rows = (batches, None);
                waiting.computed_keys(relation, table, index, rows, Collision::Arbiter).await?;
            }
        }
        let store = self.view();
        let found = search.search(&self.catalog, &store, relation, rows, self.check.as_ref())?;
        if search.updates() {
            // Whether such a row is updated is decided on what it is once it is ours.
            let ids: Vec<RowId> = found.row_ids.iter().flatten().map(RowId).collect();
            waiting.rows(relation, &ids, RowLock::NoKeyUpdate).await?;
        }
        Ok(found)
    }

    async fn insert(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        collision: Collision,
    ) -> Result<(), PgError> {
        let changes = self.insert_rows(relation, rows, collision).await?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }

    async fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError> {
        let changes = self.update_rows(relation, ids, rows).await?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }

    async fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError> {
        let changes = self.delete_rows(relation, ids).await?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }

    async fn finish(&self) -> Result<(), PgError> {
        let changes = std::mem::take(&mut self.done.lock().changes);
        self.foreign_keys(changes).await
    }
}

/// A plan schema of a table's columns under its own name, for CHECK conditions.
pub(crate) fn table_plan_schema(relation: &Relation) -> Result<DFSchema, PgError> {
    let name = datafusion::common::TableReference::bare(relation.name.as_str());
    let fields = relation
        .columns()
        .iter()
        .map(|column| (Some(name.clone()), Arc::new(column.ty.field(&column.name, true))))
        .collect();
    Ok(DFSchema::new_with_metadata(fields, Default::default())?)
}
