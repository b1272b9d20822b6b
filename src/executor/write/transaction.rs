//! What a transaction did so far, step by step, and the view it has of all tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::constraints::Deferral;
use crate::error::PgError;
use crate::storage::{
    RecentWrites, RowWrite, StorageError, StoreSnapshot, TableVersion, TableWrites,
};
use crate::types::{CommitNo, Oid};

/// What a transaction did so far, and the view it has of all tables.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    pub(super) working: StoreSnapshot,
    pub(super) tables: BTreeMap<Oid, TableWork>,
    pub(super) deferral: Deferral,
}

/// How far a transaction's writes had come; unlike a clone, it costs nothing to go on writing while it is held.
#[derive(Debug)]
pub struct WritesMark {
    pub(super) working: StoreSnapshot,
    /// For each table whose rows were written: what its work was, and how many steps there were.
    pub(super) rows: BTreeMap<Oid, (u64, CommitNo, usize, bool, bool)>,
    pub(super) tables: BTreeSet<Oid>,
    pub(super) deferral: Deferral,
}

/// What it did to one table.
#[derive(Debug, Clone)]
pub(super) enum TableWork {
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

    pub(super) fn base(&self, table: Oid) -> u64 {
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
    pub(super) fn write_later(
        &mut self,
        table: Oid,
        steps: Vec<RowWrite>,
    ) -> Result<(), StorageError> {
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
    pub(super) fn write(
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
}
