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
mod locking;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::DFSchema;
use parking_lot::Mutex;

use crate::catalog::{Catalog, Relation};
use crate::error::PgError;
use crate::storage::recent::{Changes, TableChange};
use crate::storage::{
    RecentWrites, RowLock, RowWrite, StorageError, StoreSnapshot, TableVersion, TableWrites,
};
use crate::types::{Oid, RowId};
use locking::Waiting;

pub use locking::{Committed, StatementLocks, lock_error};

pub use constraints::{RowCheck, check_all, check_changed, check_key_is_unique, check_key_type};

/// Where a statement's writes go. Each waits for transactions that hold the same rows or keys.
#[async_trait]
pub trait WriteTarget: Send + Sync {
    /// Adds rows.
    ///
    /// # Errors
    /// `23…` for a violated constraint, `40001` for a conflict.
    async fn insert(&self, relation: &Arc<Relation>, rows: Vec<RecordBatch>)
    -> Result<(), PgError>;

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
pub struct StatementWrites {
    writes: Arc<Mutex<Writes>>,
    catalog: Arc<Catalog>,
    check: Arc<dyn RowCheck>,
    locks: StatementLocks,
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
        Self { writes, catalog, check, locks }
    }

    /// Whether the statement has to run again on a new snapshot, as rows moved under it.
    pub fn is_stale(&self) -> bool {
        self.locks.is_stale()
    }

    fn waiting(&self) -> Waiting<'_> {
        Waiting { locks: &self.locks, catalog: &self.catalog, writes: &self.writes }
    }

    /// Rows as the transaction sees them now.
    fn old_rows(&self, relation: &Relation, ids: &[RowId]) -> Result<Option<RecordBatch>, PgError> {
        let view = self.writes.lock().view().clone();
        constraints::rows_by_id(&view, relation.oid, ids)
    }

    fn write(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        touched: &[RowId],
        steps: impl FnOnce(&TableVersion, &[RecordBatch]) -> Result<Vec<RowWrite>, PgError>,
    ) -> Result<(), PgError> {
        let mut writes = self.writes.lock();
        let mut next = writes.clone();
        let old = constraints::rows_by_id(next.view(), relation.oid, touched)?;
        let Some(version) = next.view().table(relation.oid) else {
            return Err(StorageError::TableChanged.into());
        };
        let steps = steps(version, &rows)?;
        next.write(relation.oid, steps)?;
        constraints::check_keys(&self.catalog, next.view(), relation, &rows, old.as_ref())?;
        *writes = next;
        Ok(())
    }
}

#[async_trait]
impl WriteTarget for StatementWrites {
    async fn insert(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError> {
        let rows = constraints::admit_rows(relation, rows, self.check.as_ref())?;
        let waiting = self.waiting();
        waiting.unique_keys(relation, &rows, None).await?;
        waiting.referenced_rows(relation, &rows, None).await?;
        self.write(relation, rows, &[], |version, rows| {
            let filled = rows.iter().filter(|rows| rows.num_rows() > 0);
            Ok(filled
                .map(|rows| RowWrite::Insert {
                    rows: rows.clone(),
                    first: version.take_ids(rows.num_rows() as u64),
                })
                .collect())
        })
    }

    async fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError> {
        let waiting = self.waiting();
        let old = self.old_rows(relation, ids)?;
        if let (Some(table), Some(old)) = (relation.table(), &old) {
            let lock = locking::update_lock(table, old, &rows)?;
            waiting.rows(relation, ids, lock).await?;
        }
        let rows = constraints::admit_rows(relation, rows, self.check.as_ref())?;
        if let (Some(table), Some(old)) = (relation.table(), &old) {
            waiting.unique_keys(relation, &rows, Some(old)).await?;
            waiting.referenced_rows(relation, &rows, Some(old)).await?;
            waiting.new_referring(relation, table, old)?;
        }
        self.write(relation, rows, ids, |version, rows| {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let rows = arrow::compute::concat_batches(&version.schema, rows)?;
            let mut order: Vec<u32> = (0..ids.len() as u32).collect();
            order.sort_unstable_by_key(|at| ids[*at as usize]);
            let ids = order.iter().map(|at| ids[*at as usize]).collect();
            let order = arrow::array::UInt32Array::from(order);
            let rows = arrow::compute::take_record_batch(&rows, &order)?;
            Ok(vec![RowWrite::Update { rows, ids }])
        })
    }

    async fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError> {
        let waiting = self.waiting();
        waiting.rows(relation, ids, RowLock::Update).await?;
        let old = self.old_rows(relation, ids)?;
        if let (Some(table), Some(old)) = (relation.table(), &old) {
            waiting.new_referring(relation, table, old)?;
        }
        self.write(relation, Vec::new(), ids, |_, _| {
            let ids: Arc<[RowId]> = ids.into();
            Ok(if ids.is_empty() { Vec::new() } else { vec![RowWrite::Delete { ids }] })
        })
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
