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
mod definitions;
mod locking;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::slice;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::DFSchema;
use parking_lot::Mutex;

use crate::catalog::{Catalog, OpenDefinition, Relation};
use crate::error::PgError;
use crate::storage::recent::{Changes, TableChange};
use crate::storage::wal::CommitRecord;
use crate::storage::{
    RecentWrites, RowLock, RowWrite, StorageError, StoreSnapshot, TableVersion, TableWrites,
    is_wider,
};
use crate::types::{CommitNo, Oid, RowId};
use locking::Waiting;

pub use definitions::{Definitions, adopt_graph};
pub use locking::{Collision, Committed, StatementLocks, lock_error};

use constraints::{
    Change, Deferral, admit_rows, computed_indexes, is_plain, keeps_keys, rows_by_id, unique_keys,
};
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

    /// As [`Self::insert`], and gives the ids of the rows, in their order.
    ///
    /// # Errors
    /// As [`Self::insert`].
    async fn insert_numbered(
        &self,
        relation: &Arc<Relation>,
        rows: RecordBatch,
    ) -> Result<Vec<RowId>, PgError>;

    /// All tables as the statement left them so far.
    fn view(&self) -> StoreSnapshot;

    /// Names, among them what this statement made come into being.
    fn catalog(&self) -> Arc<Catalog>;

    /// Makes labels, types and properties of an open graph come into being.
    ///
    /// # Errors
    /// `55P03` if definitions are held by another for too long; `54000` for more than a graph may have.
    async fn define(&self, graph: Oid, wanted: Vec<OpenDefinition>) -> Result<(), PgError>;

    /// Takes `count` numbers of a sequence; the first. The others follow it.
    ///
    /// # Errors
    /// `2200H` at its end.
    fn take_numbers(&self, sequence: Oid, count: usize) -> Result<i64, PgError>;
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
    /// For each table whose rows were written: what its work was, and how many steps there were.
    rows: BTreeMap<Oid, (u64, CommitNo, usize, bool, bool)>,
    tables: BTreeSet<Oid>,
    deferral: Deferral,
}

/// What it did to one table.
#[derive(Debug, Clone)]
enum TableWork {
    /// Rows came and went; can be done again on a newer version than `base`.
    Rows {
        base: u64,
        /// The commit at which the rows that were written were as they are in `base`.
        since: CommitNo,
        writes: TableWrites,
        /// Whether what was written could break a constraint together with what others commit.
        checked: bool,
        /// The view has the table without these writes: they are done when it is read, or at the commit.
        lags: bool,
    },
    /// Made, emptied or rewritten as a whole; holds only while the table is still `base` (0: did not exist).
    Whole { base: u64 },
    /// Dropped.
    Gone { base: u64 },
    /// Columns were added at its end; whatever others do meanwhile.
    Widened { schema: SchemaRef },
}

impl Writes {
    /// A transaction that begins on `snapshot`.
    pub fn begin(snapshot: StoreSnapshot) -> Self {
        Self { working: snapshot, tables: BTreeMap::new(), deferral: Deferral::default() }
    }

    /// All tables as the transaction sees them now. A table that lags must be settled first.
    pub fn view(&self) -> &StoreSnapshot {
        &self.working
    }

    /// Whether there are tables that the view has without what was written to them.
    pub fn lags(&self) -> bool {
        self.tables.values().any(|work| matches!(work, TableWork::Rows { lags: true, .. }))
    }

    /// Brings what was written to these tables (`None`: to all) into the view.
    ///
    /// # Errors
    /// `40001` if a row this transaction changed was changed by another.
    pub fn settle(
        &mut self,
        only: Option<&[Oid]>,
        recent: &RecentWrites,
    ) -> Result<(), StorageError> {
        for (table, work) in &mut self.tables {
            let TableWork::Rows { base, since, writes, lags, .. } = work else { continue };
            if !*lags || only.is_some_and(|only| !only.contains(table)) {
                continue;
            }
            let Some(version) = self.working.table(*table) else {
                return Err(StorageError::TableChanged);
            };
            if writes.touched().any(|row| recent.changed_after((*table, row), *since)) {
                return Err(StorageError::WriteConflict);
            }
            let applied = writes.apply(version)?;
            (*base, *since, *lags) = (version.stamp, self.working.commit, false);
            self.working = std::mem::take(&mut self.working).with_table(Arc::new(applied));
        }
        Ok(())
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
            Some(TableWork::Widened { .. }) | None => {
                self.working.table(table).map_or(0, |version| version.stamp)
            }
        }
    }

    /// Takes over the definition of a table that others made meanwhile: its columns, and no rows but those seen so far.
    /// `stored` is the table as all see it: new rows are numbered together with those of others.
    ///
    /// # Errors
    /// `XX000` if the table is not one that only got more columns.
    pub fn adopt(
        &mut self,
        table: Oid,
        schema: &SchemaRef,
        stored: Option<&TableVersion>,
    ) -> Result<(), PgError> {
        let version = match self.working.table(table) {
            None => match stored {
                Some(stored) => stored.emptied(Arc::clone(schema)),
                None => TableVersion::empty(table, Arc::clone(schema)),
            },
            Some(known) if known.schema.fields().len() < schema.fields().len() => {
                known.widened(schema).map_err(StorageError::from)?
            }
            Some(_) => return Ok(()),
        };
        self.working = self.working.clone().with_table(Arc::new(version));
        Ok(())
    }

    /// Adds columns at a table's end.
    ///
    /// # Errors
    /// As [`Self::adopt`].
    pub fn widen_table(&mut self, table: Oid, schema: &SchemaRef) -> Result<(), PgError> {
        self.adopt(table, schema, None)?;
        match self.tables.get(&table) {
            Some(TableWork::Whole { .. }) => {}
            Some(TableWork::Rows { .. }) => {
                // Rows of a table others may write to, in a transaction that defines: the whole of it is written.
                let base = self.base(table);
                self.tables.insert(table, TableWork::Whole { base });
            }
            _ => {
                let schema = Arc::clone(schema);
                self.tables.insert(table, TableWork::Widened { schema });
            }
        }
        Ok(())
    }

    /// Where a statement starts that only writes rows, to go back to.
    pub fn mark(&self) -> WritesMark {
        let rows = self.tables.iter().filter_map(|(table, work)| match work {
            TableWork::Rows { base, since, writes, checked, lags } => {
                Some((*table, (*base, *since, writes.steps.len(), *checked, *lags)))
            }
            TableWork::Whole { .. } | TableWork::Gone { .. } | TableWork::Widened { .. } => None,
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
            if let (TableWork::Rows { base, since, writes, checked, lags }, Some(then)) =
                (work, rows.get(table))
            {
                let steps;
                (*base, *since, steps, *checked, *lags) = *then;
                Arc::make_mut(&mut writes.steps).truncate(steps);
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

    /// Writes rows that nothing looks at before the view is settled, or the transaction commits.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn write_later(&mut self, table: Oid, steps: Vec<RowWrite>) -> Result<(), StorageError> {
        if self.tables.contains_key(&table) {
            return self.write(table, steps, false);
        }
        let Some(version) = self.working.table(table) else {
            return Err(StorageError::TableChanged);
        };
        let work = TableWork::Rows {
            base: version.stamp,
            since: self.working.commit,
            writes: TableWrites { steps: Arc::new(steps) },
            checked: false,
            lags: true,
        };
        self.tables.insert(table, work);
        Ok(())
    }

    /// Writes rows; `must_check` says whether they could break a constraint together with what others commit.
    fn write(
        &mut self,
        table: Oid,
        steps: Vec<RowWrite>,
        must_check: bool,
    ) -> Result<(), StorageError> {
        let Some(version) = self.working.table(table) else {
            return Err(StorageError::TableChanged);
        };
        let base = self.base(table);
        let since = self.working.commit;
        let mut version = version.as_ref().clone();
        if let Some(TableWork::Rows { writes, lags, .. }) = self.tables.get_mut(&table)
            && std::mem::take(lags)
        {
            version = writes.apply(&version)?;
        }
        for step in &steps {
            version = step.apply(&version)?;
        }
        let work = self.tables.entry(table).or_insert_with(|| TableWork::Rows {
            base,
            since,
            writes: TableWrites::default(),
            checked: false,
            lags: false,
        });
        match work {
            TableWork::Rows { writes, checked, .. } => {
                Arc::make_mut(&mut writes.steps).extend(steps);
                *checked |= must_check;
            }
            // The table is this transaction's own; its rows go with the whole.
            TableWork::Whole { .. } => {}
            TableWork::Gone { .. } => return Err(StorageError::TableChanged),
            TableWork::Widened { .. } => {
                let writes = TableWrites { steps: Arc::new(steps) };
                *work =
                    TableWork::Rows { base: 0, since, writes, checked: must_check, lags: false };
            }
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
        self.rebase_for(None, latest, recent)
    }

    /// As [`Self::rebase`], but only these tables are to be read (`None`: all); the others lag.
    ///
    /// # Errors
    /// As [`Self::rebase`].
    pub fn rebase_for(
        &self,
        only: Option<&[Oid]>,
        latest: &StoreSnapshot,
        recent: &RecentWrites,
    ) -> Result<(Self, bool), StorageError> {
        let mut working = latest.clone();
        let mut tables = self.tables.clone();
        let mut moved = latest.commit != self.working.commit;
        for (table, work) in &mut tables {
            let now = latest.table(*table).map_or(0, |version| version.stamp);
            match work {
                TableWork::Rows { base, lags: false, .. } if now == *base => {
                    if let Some(version) = self.working.table(*table) {
                        working = working.with_table(Arc::clone(version));
                    }
                }
                TableWork::Rows { base, lags, .. }
                    if only.is_some_and(|only| !only.contains(table))
                        && now != 0
                        && !self.widens(*table, latest) =>
                {
                    (*base, *lags) = (now, true);
                }
                TableWork::Rows { base, since, writes, lags, checked: _ } => {
                    let Some(version) = latest.table(*table) else {
                        return Err(StorageError::TableChanged);
                    };
                    let mine = self.working.table(*table);
                    // Columns that came at the table's end are null in the rows of this transaction.
                    let widened = match mine {
                        Some(mine) if is_wider(&version.schema, &mine.schema) => None,
                        Some(mine) if is_wider(&mine.schema, &version.schema) => {
                            Some(version.widened(&mine.schema)?)
                        }
                        Some(_) => return Err(StorageError::TableChanged),
                        None => None,
                    };
                    let version = widened.as_ref().unwrap_or(version);
                    if writes.touched().any(|row| recent.changed_after((*table, row), *since)) {
                        return Err(StorageError::WriteConflict);
                    }
                    working = working.with_table(Arc::new(writes.apply(version)?));
                    (*base, *since, *lags) = (now, latest.commit, false);
                    moved = true;
                }
                TableWork::Whole { base } if now != *base => {
                    return Err(StorageError::TableChanged);
                }
                TableWork::Whole { .. } => {
                    if let Some(version) = self.working.table(*table) {
                        working = working.with_table(Arc::clone(version));
                    }
                }
                // Whatever became of its rows meanwhile, be it that chunks were merged, they go too.
                TableWork::Gone { .. } => working = working.without_table(*table),
                TableWork::Widened { schema } => {
                    let Some(version) = latest.table(*table) else {
                        return Err(StorageError::TableChanged);
                    };
                    if !is_wider(&version.schema, schema) {
                        working = working.with_table(Arc::new(version.widened(schema)?));
                    }
                }
            }
        }
        let deferral = self.deferral.clone();
        Ok((Self { working, tables, deferral }, moved && !self.tables.is_empty()))
    }

    /// Whether this transaction gave a table columns that it does not have in `latest`.
    fn widens(&self, table: Oid, latest: &StoreSnapshot) -> bool {
        let width = |store: &StoreSnapshot| {
            store.table(table).map_or(0, |version| version.schema.fields().len())
        };
        width(&self.working) > width(latest)
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
                (TableWork::Widened { schema }, Some(_)) => record.widen(*table, schema)?,
                (
                    TableWork::Rows { .. } | TableWork::Whole { .. } | TableWork::Widened { .. },
                    None,
                )
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
            TableWork::Widened { .. } => TableChange::default(),
            TableWork::Whole { .. } | TableWork::Gone { .. } => {
                TableChange { whole: true, ..TableChange::default() }
            }
        };
        self.tables.iter().map(|(table, work)| (*table, change(work))).collect()
    }

    /// The tables whose rows changed so that constraints between rows could be broken, with the rows that came.
    pub fn changed(&self) -> impl Iterator<Item = (Oid, &TableWrites)> {
        self.tables.iter().filter_map(|(table, work)| match work {
            TableWork::Rows { writes, checked, .. } => checked.then_some((*table, writes)),
            TableWork::Whole { .. } | TableWork::Gone { .. } | TableWork::Widened { .. } => None,
        })
    }

    /// Whether the columns of a table it wrote to are not those that its rows were written for.
    pub fn is_wider_than(&self, written: &Self) -> bool {
        self.tables.keys().any(|table| {
            let width = |writes: &Self| {
                writes.working.table(*table).map_or(0, |version| version.schema.fields().len())
            };
            width(self) != width(written)
        })
    }
}

/// The target of one statement: a transaction's writes and the constraints in force.
///
/// What a statement wrote before it failed stays in the transaction's writes: they are dropped with the transaction, or
/// by ROLLBACK TO SAVEPOINT.
pub struct StatementWrites {
    writes: Arc<Mutex<Writes>>,
    /// As the statement began; definitions add to it.
    catalog: Mutex<Arc<Catalog>>,
    check: Arc<dyn RowCheck>,
    locks: StatementLocks,
    definitions: Option<Arc<dyn Definitions>>,
    /// Whether nothing reads what it writes before the transaction's next statement.
    lazily: bool,
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

    fn names(&self) -> Arc<Catalog> {
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

    fn waiting<'a>(&'a self, catalog: &'a Arc<Catalog>) -> Waiting<'a> {
        Waiting { locks: &self.locks, catalog, writes: &self.writes, check: self.check.as_ref() }
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
        let is_plain = relation.table().is_some_and(|table| is_plain(table));
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
    async fn update_rows(
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
    async fn delete_rows(
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
    fn write_plain(&self, relation: &Relation, steps: Vec<RowWrite>) -> Result<(), PgError> {
        let mut writes = self.writes.lock();
        if self.lazily {
            writes.write_later(relation.oid, steps)?;
        } else {
            writes.write(relation.oid, steps, false)?;
        }
        Ok(())
    }

    /// Writes to the transaction, and checks the keys of what came.
    fn write(
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
        let catalog = self.names();
        let (waiting, batches) = (self.waiting(&catalog), slice::from_ref(rows));
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
        let found = search.search(&catalog, &store, relation, rows, self.check.as_ref())?;
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

    async fn insert_numbered(
        &self,
        relation: &Arc<Relation>,
        rows: RecordBatch,
    ) -> Result<Vec<RowId>, PgError> {
        let count = rows.num_rows() as u64;
        let changes = self.insert_rows(relation, vec![rows], Collision::Write).await?;
        let first = changes.first().and_then(Change::first_inserted);
        let ids = match first {
            Some(first) => (first.0..first.0.saturating_add(count)).map(RowId).collect(),
            None => Vec::new(),
        };
        self.done.lock().changes.extend(changes);
        Ok(ids)
    }

    fn view(&self) -> StoreSnapshot {
        self.writes.lock().view().clone()
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.names()
    }

    async fn define(&self, graph: Oid, wanted: Vec<OpenDefinition>) -> Result<(), PgError> {
        let Some(definitions) = &self.definitions else {
            return Err(PgError::internal("nothing can be defined here"));
        };
        let before = self.names();
        let after = definitions.define(graph, wanted, &before, &self.writes).await?;
        adopt_graph(&after, graph, definitions.as_ref(), &mut self.writes.lock())?;
        *self.catalog.lock() = after;
        Ok(())
    }

    fn take_numbers(&self, sequence: Oid, count: usize) -> Result<i64, PgError> {
        let Some(definitions) = &self.definitions else {
            return Err(PgError::internal("nothing can be numbered here"));
        };
        definitions.take_numbers(sequence, count, &self.names())
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
