//! Checks of all rows of a table, and of all that a transaction wrote.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::super::Writes;
use super::RowCheck;
use super::computed::check_computed;
use super::foreign::{Reference, check_not_referred, check_references};
use super::keys::check_unique;
use super::labels::check_labels;
use super::rows::{admit_rows, live_rows, rows_by_id};
use crate::catalog::{Catalog, Relation};
use crate::error::PgError;
use crate::storage::StoreSnapshot;
use crate::types::RowId;

/// Checks all constraints for all rows of a table: `ALTER TABLE … ADD CONSTRAINT`, `SET NOT NULL`.
///
/// # Errors
/// `23…` naming the constraint.
pub fn check_all(
    catalog: &Catalog,
    store: &StoreSnapshot,
    relation: &Relation,
    check: &dyn RowCheck,
) -> Result<(), PgError> {
    let Some(version) = store.table(relation.oid) else { return Ok(()) };
    let shared = Arc::new(relation.clone());
    for batch in version.live_batches() {
        let batches = admit_rows(catalog, relation, vec![batch?], check)?;
        check_keys(catalog, store, &shared, &batches, check)?;
    }
    Ok(())
}

/// Checks keys and references of rows that are in the store.
fn check_keys(
    catalog: &Catalog,
    store: &StoreSnapshot,
    relation: &Arc<Relation>,
    batches: &[RecordBatch],
    check: &dyn RowCheck,
) -> Result<(), PgError> {
    let Some(version) = store.table(relation.oid) else { return Ok(()) };
    let references = Reference::of_child(relation);
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        check_unique(catalog, relation, version, batch, None)?;
        check_computed(catalog, relation, version, batch, None, check)?;
        let rows: Vec<usize> = (0..batch.num_rows()).collect();
        for reference in &references {
            check_references(catalog, store, reference, batch, &rows)?;
        }
    }
    Ok(())
}

/// Checks everything a transaction wrote again, over what others committed meanwhile.
///
/// # Errors
/// `23…` naming the constraint.
pub fn check_changed(
    catalog: &Catalog,
    before: &StoreSnapshot,
    writes: &Writes,
    check: &dyn RowCheck,
) -> Result<(), PgError> {
    for (table, changes) in writes.changed() {
        let Some(relation) = catalog.relation(table) else { continue };
        let Some(version) = writes.view().table(table) else { continue };
        // Only rows that are still there: a transaction may have deleted what it inserted.
        let written: Vec<RowId> = changes.written().into_iter().collect();
        check_labels(catalog, writes.view(), table, &written)?;
        let rows = vec![live_rows(version, &written)?];
        let rows = admit_rows(catalog, relation, rows, check)?;
        check_keys(catalog, writes.view(), relation, &rows, check)?;
        let Some(before) = before.table(table) else { continue };
        let touched: Vec<RowId> = changes.touched().collect();
        let old = rows_by_id(before, &touched)?;
        let rows: Vec<usize> = (0..old.num_rows()).collect();
        for reference in Reference::to_parent(catalog, table) {
            check_not_referred(catalog, writes.view(), relation, &reference, &old, &rows, true)?;
        }
    }
    Ok(())
}
