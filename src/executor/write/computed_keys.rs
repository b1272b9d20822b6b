//! Waiting for those who write the same key of a unique index over expressions, or over some rows.

use arrow::array::RecordBatch;

use super::constraints::ComputedProbe;
use super::locking::{Collision, TwoViews, Waiting, key_hash};
use crate::catalog::{Index, Relation, Table};
use crate::error::PgError;
use crate::storage::RowLock;
use crate::storage::locks::WhenHeld;
use crate::types::RowId;

impl Waiting<'_> {
    /// Locks the keys that rows bring to an index, and waits for those who are deleting rows that have them. `old` are the
    /// rows they replace.
    ///
    /// # Errors
    /// `23505` or `40001` for a key that another has committed meanwhile, see [`Collision`].
    pub(super) async fn computed_keys(
        &self,
        relation: &Relation,
        table: &Table,
        index: &Index,
        (new, old): (&[RecordBatch], Option<&RecordBatch>),
        collision: Collision,
    ) -> Result<(), PgError> {
        let before = match old {
            Some(old) => Some(ComputedProbe::new(relation, index, old, self.check)?),
            None => None,
        };
        let mut at = 0;
        for batch in new {
            let probe = ComputedProbe::new(relation, index, batch, self.check)?;
            let is_kept = |row: usize| {
                before.as_ref().is_some_and(|before| before.key(at + row) == probe.key(row))
            };
            let rows: Vec<usize> = (0..batch.num_rows())
                .filter(|row| probe.key(*row).is_some() && !is_kept(*row))
                .collect();
            at += batch.num_rows();
            let hashes = rows.iter().filter_map(|row| probe.key(*row)).map(key_hash).collect();
            self.locks.lock_keys(index.oid, hashes).await?;
            for row in rows {
                let holders = self.computed_holders(relation, table, &probe, row, collision)?;
                if holders.is_empty() {
                    continue;
                }
                // Whoever is deleting it decides whether the key is free.
                let mark = self.locks.owner.mark();
                self.locks.hold_rows(relation, &holders, RowLock::KeyShare, WhenHeld::Wait).await?;
                self.locks.owner.release_after(mark);
                self.computed_holders(relation, table, &probe, row, collision)?;
            }
        }
        Ok(())
    }

    /// The rows of others that have the key of a row.
    fn computed_holders(
        &self,
        relation: &Relation,
        table: &Table,
        probe: &ComputedProbe<'_>,
        row: usize,
        collision: Collision,
    ) -> Result<Vec<RowId>, PgError> {
        let Some(TwoViews { mine, newer }) = self.views(relation.oid) else {
            return Ok(Vec::new());
        };
        let mut mine = probe.rows(relation, &mine, row, self.check)?;
        let mut newer = match newer {
            Some(newer) => probe.rows(relation, &newer, row, self.check)?,
            None => mine.clone(),
        };
        if mine.is_empty() && newer.is_empty() {
            return Ok(mine);
        }
        let own = self.own_rows(relation.oid);
        mine.retain(|row| !own.contains(row));
        newer.retain(|row| !own.contains(row));
        if mine == newer {
            return Ok(mine);
        }
        let came = newer.iter().any(|row| !mine.contains(row));
        if came && collision.is_violation(self.locks.keeps_snapshot) {
            return Err(probe.duplicate(self.catalog, relation, table, row));
        }
        Err(self.locks.moved(relation.oid, mine.first().copied()))
    }
}
