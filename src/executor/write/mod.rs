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

mod constraints;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::DFSchema;
use parking_lot::Mutex;

use crate::catalog::{Catalog, Relation};
use crate::error::PgError;
use crate::storage::{
    RecentWrites, RowWrite, StorageError, StoreSnapshot, TableVersion, TableWrites,
};
use crate::types::{Oid, RowId};

use constraints::{Actions, Change};
pub use constraints::{
    ConflictSearch, Conflicts, RowCheck, check_all, check_changed, check_key_is_unique,
    check_key_type, second_update,
};

/// Where a statement's writes go.
///
/// A statement may write in several steps (WITH, MERGE); foreign keys hold when it is done, so it ends with
/// [`Self::finish`].
pub trait WriteTarget: Send + Sync {
    /// For each row, whether this statement writes it for the first time. It counts as written from then on.
    fn claim(&self, relation: &Relation, ids: &[RowId]) -> Vec<bool>;

    /// Looks for rows that new ones would conflict with.
    ///
    /// # Errors
    /// See [`ConflictSearch`].
    fn conflicts(
        &self,
        relation: &Relation,
        search: &mut ConflictSearch,
        rows: &RecordBatch,
    ) -> Result<Conflicts, PgError>;

    /// Adds rows.
    ///
    /// # Errors
    /// `23…` for a violated constraint, `40001` for a conflict.
    fn insert(&self, relation: &Arc<Relation>, rows: Vec<RecordBatch>) -> Result<(), PgError>;

    /// Replaces rows by others, one for one.
    ///
    /// # Errors
    /// As [`Self::insert`].
    fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError>;

    /// Removes rows.
    ///
    /// # Errors
    /// As [`Self::insert`].
    fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError>;

    /// Does what foreign keys ask for after all writes of the statement.
    ///
    /// # Errors
    /// `23…` for a violated constraint.
    fn finish(&self) -> Result<(), PgError>;
}

/// What a transaction did so far, and the view it has of all tables.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    working: StoreSnapshot,
    tables: BTreeMap<Oid, TableWork>,
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
        Self { working: snapshot, tables: BTreeMap::new() }
    }

    /// All tables as the transaction sees them now.
    pub fn view(&self) -> &StoreSnapshot {
        &self.working
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
            TableWork::Rows { writes, .. } => writes.steps.extend(steps),
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
        Ok((Self { working, tables }, moved && !self.tables.is_empty()))
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
    /// Writes go to `writes`; constraints are those of `catalog`, CHECK conditions decided by `check`.
    pub fn new(
        writes: Arc<Mutex<Writes>>,
        catalog: Arc<Catalog>,
        check: Arc<dyn RowCheck>,
    ) -> Self {
        Self { writes, catalog, check, done: Mutex::default() }
    }

    fn write(
        &self,
        write: impl FnOnce(&mut Actions<'_>) -> Result<Vec<Change>, PgError>,
    ) -> Result<(), PgError> {
        let mut writes = self.writes.lock();
        let mut actions =
            Actions { catalog: &self.catalog, check: self.check.as_ref(), writes: &mut writes };
        let changes = write(&mut actions)?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }
}

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

    fn conflicts(
        &self,
        relation: &Relation,
        search: &mut ConflictSearch,
        rows: &RecordBatch,
    ) -> Result<Conflicts, PgError> {
        let store = self.writes.lock().view().clone();
        search.search(&self.catalog, &store, relation, rows, self.check.as_ref())
    }

    fn insert(&self, relation: &Arc<Relation>, rows: Vec<RecordBatch>) -> Result<(), PgError> {
        self.write(|actions| actions.insert(relation, rows))
    }

    fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError> {
        self.write(|actions| actions.update(relation, ids, rows))
    }

    fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError> {
        self.write(|actions| actions.delete(relation, ids))
    }

    fn finish(&self) -> Result<(), PgError> {
        let changes = std::mem::take(&mut self.done.lock().changes);
        let mut writes = self.writes.lock();
        Actions { catalog: &self.catalog, check: self.check.as_ref(), writes: &mut writes }
            .finish(changes)
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
