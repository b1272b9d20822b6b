//! A transaction's writes on a newer state than they were done on, and what a commit says of them.

use std::sync::Arc;

use super::transaction::{TableWork, Writes};
use crate::error::PgError;
use crate::storage::recent::{Changes, TableChange};
use crate::storage::wal::CommitRecord;
use crate::storage::{RecentWrites, StorageError, StoreSnapshot, TableWrites, is_wider};
use crate::types::{Oid, RowId};

impl Writes {
    /// The writes done on `latest`: the transaction's view at its next statement, or the snapshot it commits.
    ///
    /// The second part of the result tells whether others committed since this transaction's rows were checked, so that
    /// constraints must be checked again. Chunks that were merged meanwhile hold the rows that they held before.
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
                    moved |= *since != latest.commit;
                    (*base, *since, *lags) = (now, latest.commit, false);
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

    /// Brings the tables that were written into the form in which all see them.
    ///
    /// # Errors
    /// None are expected: what is merged is in memory.
    pub fn publish(&mut self) -> Result<(), StorageError> {
        for table in self.tables.keys() {
            if let Some(version) = self.working.take_table(*table) {
                let version = Arc::new(Arc::unwrap_or_clone(version).published()?);
                self.working = std::mem::take(&mut self.working).with_table(version);
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;
    use crate::storage::{RowWrite, TableVersion};
    use crate::types::CommitNo;

    const TABLE: Oid = Oid(16_384);

    fn rows(from: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 4));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    #[test]
    fn a_merge_of_chunks_is_no_change_of_others() {
        let (version, first) =
            TableVersion::empty(TABLE, rows(0).schema()).append(rows(0)).unwrap();
        let version = version.append(rows(4)).unwrap().0;
        let merges = version.all_merges().collect::<Result<Vec<_>, _>>().unwrap();
        let merged = version.with_merges(&merges).unwrap().unwrap();
        let mut store = StoreSnapshot::default().with_table(Arc::new(version));
        store.commit = CommitNo(5);
        let mut writes = Writes::begin(store.clone());
        writes.write(TABLE, vec![RowWrite::Delete { ids: [first].into() }], true).unwrap();
        let recent = RecentWrites::default();
        let live = |writes: &Writes| writes.view().table(TABLE).unwrap().live_rows();
        assert!(!writes.rebase(&store, &recent).unwrap().1);
        let mut store = store.with_table(Arc::new(merged));
        let (on_merged, moved) = writes.rebase(&store, &recent).unwrap();
        assert_eq!((live(&on_merged), moved), (7, false));
        store.commit = CommitNo(6);
        let (on_later, moved) = writes.rebase(&store, &recent).unwrap();
        assert_eq!((live(&on_later), moved), (7, true));
    }
}
