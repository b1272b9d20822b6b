//! Deferrable constraints: when a transaction checks them, and what it has put off.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::super::Writes;
use super::foreign::{Reference, check_not_referred, check_references};
use super::keys::{check_key, unique_key};
use super::rows::live_rows;
use crate::catalog::{Catalog, Constraint, ConstraintTiming, Relation};
use crate::error::PgError;
use crate::types::{Oid, RowId};

/// Which deferrable constraints wait for COMMIT, and what they are to look at then.
///
/// It is a part of a transaction's writes, so ROLLBACK TO SAVEPOINT brings back what it was.
#[derive(Debug, Clone, Default)]
pub(in crate::executor::write) struct Deferral {
    /// `SET CONSTRAINTS ALL`
    all: Option<bool>,
    /// `SET CONSTRAINTS name`
    named: BTreeMap<Oid, bool>,
    /// Shared, as a transaction's writes are cloned for each savepoint.
    pending: Arc<Vec<Pending>>,
}

/// A check that was put off. Rows and keys are looked up again when it is made.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    /// The key of these rows, which came or changed.
    Key { table: Oid, constraint: Oid, rows: Arc<[RowId]> },
    /// What these rows refer to.
    Child { table: Oid, constraint: Oid, rows: Arc<[RowId]> },
    /// Whether anything refers to the keys of these rows, which went or changed.
    Parent { table: Oid, child: Oid, constraint: Oid, old: RecordBatch },
}

impl Pending {
    fn constraint(&self) -> Oid {
        match self {
            Self::Key { constraint, .. }
            | Self::Child { constraint, .. }
            | Self::Parent { constraint, .. } => *constraint,
        }
    }
}

impl Deferral {
    /// Whether a constraint waits for COMMIT.
    pub(super) fn waits(&self, constraint: &Constraint) -> bool {
        let initially = match constraint.timing {
            ConstraintTiming::NotDeferrable => return false,
            ConstraintTiming::InitiallyImmediate => false,
            ConstraintTiming::InitiallyDeferred => true,
        };
        self.named.get(&constraint.oid).copied().or(self.all).unwrap_or(initially)
    }

    pub(super) fn put_off(&mut self, pending: Pending) {
        Arc::make_mut(&mut self.pending).push(pending);
    }
}

impl Writes {
    /// `SET CONSTRAINTS`: from now on these constraints (all, if none is named) wait for COMMIT, or do not. What waited
    /// for one that does not any more is checked at once.
    ///
    /// # Errors
    /// `23…` for a constraint that is violated now.
    pub fn set_constraints(
        &mut self,
        catalog: &Catalog,
        constraints: Option<&[Oid]>,
        deferred: bool,
    ) -> Result<(), PgError> {
        match constraints {
            None => {
                self.deferral.all = Some(deferred);
                self.deferral.named.clear();
            }
            Some(named) => {
                self.deferral.named.extend(named.iter().map(|oid| (*oid, deferred)));
            }
        }
        if deferred {
            return Ok(());
        }
        let of_these = |pending: &Pending| {
            constraints.is_none_or(|named| named.contains(&pending.constraint()))
        };
        let (now, later): (Vec<_>, Vec<_>) =
            self.deferral.pending.iter().cloned().partition(of_these);
        for pending in &now {
            self.check_pending(catalog, pending)?;
        }
        self.deferral.pending = Arc::new(later);
        Ok(())
    }

    /// Whether any check was put off.
    pub fn has_deferred(&self) -> bool {
        !self.deferral.pending.is_empty()
    }

    /// Checks everything that was put off.
    ///
    /// # Errors
    /// `23…` naming the constraint that is violated.
    pub fn check_deferred(&self, catalog: &Catalog) -> Result<(), PgError> {
        self.deferral.pending.iter().try_for_each(|pending| self.check_pending(catalog, pending))
    }

    fn check_pending(&self, catalog: &Catalog, pending: &Pending) -> Result<(), PgError> {
        match pending {
            Pending::Key { table, constraint, rows } => {
                let Some((relation, constraint)) = find(catalog, *table, *constraint) else {
                    return Ok(());
                };
                let (Some(key), Some(version)) =
                    (unique_key(constraint), self.view().table(*table))
                else {
                    return Ok(());
                };
                let rows = live_rows(version, rows)?;
                let all: Vec<usize> = (0..rows.num_rows()).collect();
                check_key(catalog, relation, &key, version, &rows, &all)
            }
            Pending::Child { table, constraint, rows } => {
                let Some(relation) = catalog.relation(*table) else { return Ok(()) };
                let Some(reference) = Reference::find(relation, *constraint) else {
                    return Ok(());
                };
                let Some(version) = self.view().table(*table) else { return Ok(()) };
                let rows = live_rows(version, rows)?;
                let all: Vec<usize> = (0..rows.num_rows()).collect();
                check_references(catalog, self.view(), &reference, &rows, &all)
            }
            Pending::Parent { table, child, constraint, old } => {
                let (Some(parent), Some(child)) =
                    (catalog.relation(*table), catalog.relation(*child))
                else {
                    return Ok(());
                };
                let Some(reference) = Reference::find(child, *constraint) else {
                    return Ok(());
                };
                let all: Vec<usize> = (0..old.num_rows()).collect();
                check_not_referred(catalog, self.view(), parent, &reference, old, &all, true)
            }
        }
    }
}

fn find(catalog: &Catalog, table: Oid, constraint: Oid) -> Option<(&Relation, &Constraint)> {
    let relation = catalog.relation(table)?;
    let constraints = &relation.table()?.constraints;
    let constraint = constraints.iter().find(|known| known.oid == constraint)?;
    Some((relation, constraint))
}
