//! A snapshot of all tables, and the writes of a transaction on its way to the next one.

use std::collections::HashMap;
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

/// What a transaction did to one table, to be done again on a newer version if another one committed in between.
#[derive(Debug, Clone, Default)]
pub struct TableWrites {
    /// Batches in order of insertion, each with the id of its first row.
    pub inserted: Vec<(RecordBatch, RowId)>,
    /// Rows deleted or replaced.
    pub deleted: Vec<RowId>,
}

impl StoreSnapshot {
    /// The version of a table.
    pub fn table(&self, table: Oid) -> Option<&Arc<TableVersion>> {
        self.tables.get(&table)
    }

    /// The snapshot with one table replaced.
    #[must_use]
    pub fn with_table(mut self, version: Arc<TableVersion>) -> Self {
        Arc::make_mut(&mut self.tables).insert(version.table, version);
        self
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
    /// `40001` if a row to be deleted was deleted or replaced by a transaction that committed first.
    pub fn apply(&self, latest: &TableVersion) -> Result<TableVersion, StorageError> {
        let mut version = latest.clone();
        for (batch, first) in &self.inserted {
            version = version.append_with_ids(batch.clone(), *first)?;
        }
        version.delete(&self.deleted).ok_or(StorageError::WriteConflict)
    }
}
