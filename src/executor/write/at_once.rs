//! Rows written one at a time by statements that wait for nobody.
//!
//! Such a statement finds its row in the newest state, holds it, and leaves the new one with the transaction's writes; the
//! view goes on lagging behind ([`TableWork::Rows`]), as building a version of the table for one row costs more than all
//! the rest. Statements of the kind that read the row look among the writes first. Any other settles the view before.
//!
//! [`TableWork::Rows`]: super::TableWork

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::constraints::{RowCheck, admit_rows};
use super::transaction::{TableWork, Writes};
use crate::catalog::{Catalog, Relation};
use crate::error::PgError;
use crate::storage::{RowWrite, StorageError, StoreSnapshot, TableWrites};
use crate::types::{Oid, RowId};

/// Steps of one table that are looked through for a row.
const STEPS_MAX: usize = 32;

impl Writes {
    /// Goes on from a newer state, if all that was written so far lags behind the view anyway, and is of few rows; whether
    /// it does. The rows that were written are held, so nobody has changed them.
    pub fn follow(&mut self, latest: &StoreSnapshot) -> bool {
        let lags = self.tables.iter().all(|(table, work)| match work {
            TableWork::Rows { lags: true, checked: false, writes, .. } => {
                let width = |store: &StoreSnapshot| {
                    store.table(*table).map(|version| version.schema.fields().len())
                };
                let now = width(latest);
                writes.steps.len() < STEPS_MAX && now.is_some() && now == width(&self.working)
            }
            _ => false,
        });
        if lags && latest.commit != self.working.commit {
            for (table, work) in &mut self.tables {
                if let (TableWork::Rows { base, .. }, Some(version)) = (work, latest.table(*table))
                {
                    *base = version.stamp;
                }
            }
            self.working = latest.clone();
        }
        lags
    }

    /// Whether anything was written to a table.
    pub fn has_written(&self, table: Oid) -> bool {
        self.tables.contains_key(&table)
    }

    /// The row with an id as it was written last, if it was; for tables that lag.
    pub fn own_row(&self, table: Oid, row: RowId) -> Option<(&RecordBatch, usize)> {
        let TableWork::Rows { writes, .. } = self.tables.get(&table)? else { return None };
        writes.steps.iter().rev().find_map(|step| match step {
            RowWrite::Update { rows, ids } => Some((rows, ids.binary_search(&row).ok()?)),
            // A row without a key has no id that anyone would ask for; and deletes do not lag.
            RowWrite::Insert { .. } | RowWrite::Delete { .. } => None,
        })
    }

    /// Writes a row in the place of another, which is held, or a new one; no constraint between rows speaks of it. `row` is
    /// one row of the table's columns.
    ///
    /// # Errors
    /// `23502`, `23514`; nothing was written then.
    pub fn write_at_once(
        &mut self,
        catalog: &Catalog,
        relation: &Relation,
        replaces: Option<RowId>,
        row: RecordBatch,
        check: &dyn RowCheck,
    ) -> Result<(), PgError> {
        let row = admit_rows(catalog, relation, vec![row], check)?.pop();
        let (Some(rows), Some(version)) = (row, self.working.table(relation.oid)) else {
            return Err(StorageError::TableChanged.into());
        };
        let (base, now) = (version.stamp, self.working.commit);
        let step = match replaces {
            Some(id) => RowWrite::Update { rows, ids: Arc::new([id]) },
            None => RowWrite::Insert { rows, first: version.take_ids(1) },
        };
        match self.tables.get_mut(&relation.oid) {
            // What was written before is as it was, so all of it holds from now on.
            Some(TableWork::Rows { since, writes, lags: true, .. }) => {
                Arc::make_mut(&mut writes.steps).push(step);
                *since = now;
            }
            Some(_) => self.write(relation.oid, vec![step], false)?,
            None => {
                let writes = TableWrites { steps: Arc::new(vec![step]) };
                let work = TableWork::Rows { base, since: now, writes, checked: false, lags: true };
                self.tables.insert(relation.oid, work);
            }
        }
        Ok(())
    }
}
