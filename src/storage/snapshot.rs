//! A snapshot of all tables, and the writes of a transaction on its way to the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::error::StorageError;
use super::table::TableVersion;
use crate::types::{CommitNo, Oid, RowId};

/// Every table at one commit number. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct StoreSnapshot {
    /// The last commit it holds.
    pub commit: CommitNo,
    tables: Arc<HashMap<Oid, Arc<TableVersion>>>,
}

/// One step of what a transaction did to a table.
#[derive(Debug, Clone)]
pub enum RowWrite {
    /// Rows that came, with ids from `first`.
    Insert {
        /// The table's columns.
        rows: RecordBatch,
        /// Id of the first row; the others follow it.
        first: RowId,
    },
    /// Rows that were replaced, and keep their ids.
    Update {
        /// The new rows, in the order of `ids`.
        rows: RecordBatch,
        /// Ascending.
        ids: Arc<[RowId]>,
    },
    /// Rows that went.
    Delete {
        /// In any order.
        ids: Arc<[RowId]>,
    },
}

/// What a transaction did to one table, in order, to be done again on a newer version if another one committed in
/// between.
#[derive(Debug, Clone, Default)]
pub struct TableWrites {
    /// The steps; shared, as they are many in a long transaction and snapshots of it are taken at each statement.
    pub steps: Arc<Vec<RowWrite>>,
}

impl StoreSnapshot {
    /// The version of a table.
    pub fn table(&self, table: Oid) -> Option<&Arc<TableVersion>> {
        self.tables.get(&table)
    }

    /// All tables, in no order.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableVersion>> {
        self.tables.values()
    }

    /// The snapshot with one table replaced.
    #[must_use]
    pub fn with_table(mut self, version: Arc<TableVersion>) -> Self {
        Arc::make_mut(&mut self.tables).insert(version.table, version);
        self
    }

    /// Takes a table out.
    pub fn take_table(&mut self, table: Oid) -> Option<Arc<TableVersion>> {
        Arc::make_mut(&mut self.tables).remove(&table)
    }

    /// The snapshot without a table.
    #[must_use]
    pub fn without_table(mut self, table: Oid) -> Self {
        Arc::make_mut(&mut self.tables).remove(&table);
        self
    }
}

impl TableWrites {
    /// Does the writes on `latest`.
    ///
    /// # Errors
    /// `40001` if a row to be replaced or deleted is not there any more.
    pub fn apply(&self, latest: &TableVersion) -> Result<TableVersion, StorageError> {
        let mut version = latest.clone();
        for step in self.steps.iter() {
            version = step.apply(&version)?;
        }
        Ok(version)
    }

    /// Ids of the rows that were there before and were replaced or deleted; rows the transaction itself inserted may be
    /// among them.
    pub fn touched(&self) -> impl Iterator<Item = RowId> {
        self.steps.iter().flat_map(|step| match step {
            RowWrite::Insert { .. } => [].iter().copied(),
            RowWrite::Update { ids, .. } | RowWrite::Delete { ids } => ids.iter().copied(),
        })
    }

    /// Runs of rows that came: the first, and how many.
    pub fn inserted(&self) -> Vec<(RowId, u64)> {
        let runs = self.steps.iter().filter_map(|step| match step {
            RowWrite::Insert { rows, first } => Some((*first, rows.num_rows() as u64)),
            RowWrite::Update { .. } | RowWrite::Delete { .. } => None,
        });
        runs.collect()
    }

    /// Ids of the rows that came or were replaced; some may have been deleted later.
    pub fn written(&self) -> BTreeSet<RowId> {
        let mut ids = BTreeSet::new();
        for step in self.steps.iter() {
            match step {
                RowWrite::Insert { rows, first } => {
                    ids.extend((0..rows.num_rows() as u64).map(|row| RowId(first.0 + row)));
                }
                RowWrite::Update { ids: replaced, .. } => ids.extend(replaced.iter().copied()),
                RowWrite::Delete { .. } => {}
            }
        }
        ids
    }
}

impl RowWrite {
    /// The version after this step.
    ///
    /// # Errors
    /// `40001` if a row to be replaced or deleted is not there any more.
    pub fn apply(&self, version: &TableVersion) -> Result<TableVersion, StorageError> {
        match self {
            Self::Insert { rows, first } => Ok(version.append_with_ids(rows.clone(), *first)?),
            Self::Update { rows, ids } => {
                version.replace(ids, rows.clone())?.ok_or(StorageError::WriteConflict)
            }
            Self::Delete { ids } => version.delete(ids)?.ok_or(StorageError::WriteConflict),
        }
    }
}
