//! What a SERIALIZABLE transaction read, precisely enough to tell whether another one's writes concern it.
//!
//! A scan is remembered with the conditions that were pushed down to it: a row that does not satisfy them, neither
//! before nor after a change, has nothing to do with the result. What a graph pattern reads is remembered by table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::physical_expr::PhysicalExpr;
use parking_lot::Mutex;

use crate::storage::recent::{Changes, TableChange};
use crate::storage::{StoreSnapshot, TableVersion};
use crate::types::{Oid, RowId};

/// Scans of one table that are remembered apart; more are remembered as a scan of everything.
const SCANS_MAX: usize = 256;

/// What a transaction read.
#[derive(Debug, Default)]
pub struct ReadLog {
    tables: Mutex<BTreeMap<Oid, TableReads>>,
}

#[derive(Debug)]
enum TableReads {
    Everything,
    /// Rows that satisfy one of these, over the table's columns.
    Where(Vec<Arc<dyn PhysicalExpr>>),
}

impl ReadLog {
    /// Notes a scan of the rows of a table that satisfy a condition; of all without one.
    pub fn note(&self, table: Oid, condition: Option<Arc<dyn PhysicalExpr>>) {
        let mut tables = self.tables.lock();
        let reads = tables.entry(table).or_insert_with(|| TableReads::Where(Vec::new()));
        match (&mut *reads, condition) {
            (TableReads::Everything, _) => {}
            (TableReads::Where(known), Some(condition)) if known.len() < SCANS_MAX => {
                if !known.contains(&condition) {
                    known.push(condition);
                }
            }
            (TableReads::Where(_), _) => *reads = TableReads::Everything,
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.tables.lock().is_empty()
    }

    /// Whether changes concern what was read: some changed row is one of those read, as it is in `before` or in `after`.
    pub fn concerned_by(
        &self,
        changes: &Changes,
        before: &StoreSnapshot,
        after: &StoreSnapshot,
    ) -> bool {
        let tables = self.tables.lock();
        changes.iter().any(|(table, change)| match tables.get(table) {
            None => false,
            Some(TableReads::Everything) => {
                change.whole || !change.touched.is_empty() || !change.inserted.is_empty()
            }
            Some(TableReads::Where(_)) if change.whole => true,
            Some(TableReads::Where(conditions)) => {
                let versions = [before.table(*table), after.table(*table)];
                versions
                    .into_iter()
                    .flatten()
                    .any(|version| any_satisfies(version, change, conditions))
            }
        })
    }
}

fn any_satisfies(
    version: &TableVersion,
    change: &TableChange,
    conditions: &[Arc<dyn PhysicalExpr>],
) -> bool {
    let inserted = change
        .inserted
        .iter()
        .flat_map(|(first, count)| (first.0..first.0.saturating_add(*count)).map(RowId));
    let touched: Vec<RowId> = change.touched.iter().copied().chain(inserted).collect();
    // What cannot be told is taken for a yes: the transaction may be run again.
    let Ok(places) = version.find_rows(&touched) else { return true };
    let starts = version.chunk_starts();
    let places = places.into_iter().flatten();
    let positions = places.filter_map(|(chunk, at)| Some(starts.get(chunk)? + at as u64));
    let positions: Vec<u64> = positions.filter(|position| version.is_live(*position)).collect();
    if positions.is_empty() {
        return false;
    }
    let Ok(rows) = version.rows_at(&positions) else { return true };
    conditions.iter().any(|condition| satisfied(condition, &rows).unwrap_or(true))
}

fn satisfied(condition: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Option<bool> {
    let result = condition.evaluate(rows).ok()?.into_array(rows.num_rows()).ok()?;
    let result = result.as_boolean_opt()?;
    Some((0..result.len()).any(|row| !result.is_null(row) && result.value(row)))
}
