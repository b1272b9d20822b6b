//! FOREIGN KEY: which rows refer to which.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, kernels::cmp};
use arrow::datatypes::Schema;

use super::keys::key_text;
use super::violation;
use crate::catalog::{
    Catalog, Constraint, ConstraintKind, ForeignKeyAction, Relation, RelationKind, Table,
};
use crate::error::{PgError, SqlState};
use crate::storage::{EncodedKeys, StoreSnapshot, TableVersion};
use crate::types::Oid;

/// A foreign key, as its table's constraint tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForeignKey<'a> {
    pub(super) name: &'a str,
    /// Positions in the table that refers.
    pub(super) columns: &'a [usize],
    pub(super) referenced: Oid,
    /// Positions in the table that is referred to.
    pub(super) referenced_columns: &'a [usize],
    pub(super) on_update: ForeignKeyAction,
    pub(super) on_delete: ForeignKeyAction,
    /// What ON DELETE SET NULL and SET DEFAULT set; all of `columns` if there are none.
    pub(super) delete_columns: &'a [usize],
    /// Whether all of a row's columns must be null where one is.
    pub(super) match_full: bool,
}

impl<'a> ForeignKey<'a> {
    /// The foreign key a constraint is, if it is one.
    pub(super) fn of(constraint: &'a Constraint) -> Option<Self> {
        match &constraint.kind {
            ConstraintKind::ForeignKey {
                columns,
                referenced,
                referenced_columns,
                on_update,
                on_delete,
                delete_columns,
                match_full,
            } => Some(Self {
                name: &constraint.name,
                columns,
                referenced: *referenced,
                referenced_columns,
                on_update: *on_update,
                on_delete: *on_delete,
                delete_columns,
                match_full: *match_full,
            }),
            ConstraintKind::PrimaryKey { .. }
            | ConstraintKind::Unique { .. }
            | ConstraintKind::Check { .. } => None,
        }
    }
}

/// A foreign key and the table it is on; shared, so that it can wait for its turn.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) child: Arc<Relation>,
    at: usize,
}

impl Reference {
    /// The foreign key.
    pub(super) fn key(&self) -> Option<ForeignKey<'_>> {
        ForeignKey::of(self.constraint()?)
    }

    /// The foreign key's constraint.
    pub(super) fn constraint(&self) -> Option<&Constraint> {
        self.child.table()?.constraints.get(self.at)
    }

    /// The foreign key of a table with this OID.
    pub(super) fn find(child: &Arc<Relation>, constraint: Oid) -> Option<Self> {
        let constraints = &child.table()?.constraints;
        let at = constraints.iter().position(|known| known.oid == constraint)?;
        Some(Self { child: Arc::clone(child), at })
    }

    /// The foreign keys of a table, in the order of their making.
    pub(super) fn of_child(child: &Arc<Relation>) -> Vec<Self> {
        let Some(table) = child.table() else { return Vec::new() };
        let keys = table.constraints.iter().enumerate();
        let mut keys: Vec<(Oid, usize)> = keys
            .filter(|(_, constraint)| ForeignKey::of(constraint).is_some())
            .map(|(at, constraint)| (constraint.oid, at))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, at)| Self { child: Arc::clone(child), at }).collect()
    }

    /// The foreign keys that refer to a table, its own among them, in the order of their making.
    pub(super) fn to_parent(catalog: &Catalog, parent: Oid) -> Vec<Self> {
        let mut found: Vec<(Oid, Self)> = Vec::new();
        for relation in catalog.relations.values() {
            let RelationKind::Table(table) = &relation.kind else { continue };
            for (at, constraint) in table.constraints.iter().enumerate() {
                if ForeignKey::of(constraint).is_some_and(|key| key.referenced == parent) {
                    found.push((constraint.oid, Self { child: Arc::clone(relation), at }));
                }
            }
        }
        found.sort_by_key(|(oid, _)| *oid);
        found.into_iter().map(|(_, reference)| reference).collect()
    }
}

/// What a row's key is in the types of the columns it is looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked<'a> {
    /// A part of it is null: it refers to nothing.
    Null,
    /// It has no equal among the values of the other type.
    Never,
    /// What an index finds it by.
    Key(&'a [u8]),
}

/// Keys of one table, to be looked up in another whose columns may be of other types.
pub(in crate::executor::write) struct ForeignKeys {
    keys: EncodedKeys,
    nulls: Option<NullBuffer>,
    /// Rows that the cast to the other type would change.
    inexact: Option<BooleanArray>,
}

impl ForeignKeys {
    /// `columns` of `batch` in the types of `like_columns` of `like`.
    pub(in crate::executor::write) fn new(
        batch: &RecordBatch,
        columns: &[usize],
        like: &Table,
        like_columns: &[usize],
    ) -> Result<Self, PgError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        let mut fields = Vec::with_capacity(columns.len());
        let mut nulls: Option<NullBuffer> = None;
        let mut inexact: Option<BooleanArray> = None;
        for (column, like_column) in columns.iter().zip(like_columns) {
            let field = like.schema.field(*like_column);
            let values = batch.column(*column);
            nulls = NullBuffer::union(nulls.as_ref(), values.logical_nulls().as_ref());
            if values.data_type() == field.data_type() {
                arrays.push(Arc::clone(values));
            } else {
                let other = cast(values, field.data_type())?;
                let back = cast(&other, values.data_type())?;
                let changed = cmp::distinct(&back.as_ref(), &values.as_ref())?;
                inexact = Some(match &inexact {
                    None => changed,
                    Some(before) => arrow::compute::or(before, &changed)?,
                });
                arrays.push(other);
            }
            fields.push(field.clone().with_nullable(true));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let keys = EncodedKeys::encode(&batch, &(0..columns.len()).collect::<Vec<_>>())?;
        Ok(Self { keys, nulls, inexact })
    }

    /// The key of a row.
    pub(super) fn get(&self, row: usize) -> Looked<'_> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Looked::Null;
        }
        if self.inexact.as_ref().is_some_and(|inexact| inexact.value(row)) {
            return Looked::Never;
        }
        self.keys.get(row).map_or(Looked::Never, Looked::Key)
    }

    /// The keys that may be found.
    pub(in crate::executor::write) fn present(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.keys.len()).filter_map(|row| match self.get(row) {
            Looked::Key(key) => Some(key),
            Looked::Null | Looked::Never => None,
        })
    }

    /// Live rows of `version` that have a row's key in `columns`, as positions.
    pub(super) fn find(
        &self,
        row: usize,
        version: &TableVersion,
        columns: &[usize],
    ) -> Result<Vec<u64>, PgError> {
        match self.get(row) {
            Looked::Key(key) => Ok(version.find_key(columns, key)?),
            Looked::Null | Looked::Never => Ok(Vec::new()),
        }
    }
}

/// Checks that some rows of `batch` refer to rows that are there.
///
/// # Errors
/// `23503` for the first that does not.
pub(super) fn check_references(
    catalog: &Catalog,
    store: &StoreSnapshot,
    reference: &Reference,
    batch: &RecordBatch,
    rows: &[usize],
) -> Result<(), PgError> {
    let (Some(key), Some(table)) = (reference.key(), reference.child.table()) else {
        return Ok(());
    };
    let (Some(parent), Some(version)) =
        (catalog.relation(key.referenced), store.table(key.referenced))
    else {
        return Ok(());
    };
    let Some(parent_table) = parent.table() else { return Ok(()) };
    let keys = ForeignKeys::new(batch, key.columns, parent_table, key.referenced_columns)?;
    for row in rows.iter().copied() {
        let is_there = match keys.get(row) {
            Looked::Null if key.match_full && !is_null(batch, key.columns, row) => {
                let detail = "MATCH FULL does not allow mixing of null and nonnull key values.";
                return Err(dangling(catalog, &reference.child, key.name).detail(detail));
            }
            Looked::Null => true,
            Looked::Never => false,
            Looked::Key(value) => !version.find_key(key.referenced_columns, value)?.is_empty(),
        };
        if !is_there {
            let detail = format!(
                "{} is not present in table \"{}\".",
                key_text(table, key.columns, batch, row),
                parent.name
            );
            return Err(dangling(catalog, &reference.child, key.name).detail(detail));
        }
    }
    Ok(())
}

/// Whether all of these columns are null.
fn is_null(batch: &RecordBatch, columns: &[usize], row: usize) -> bool {
    columns
        .iter()
        .all(|column| batch.column(*column).logical_nulls().is_some_and(|nulls| nulls.is_null(row)))
}

fn dangling(catalog: &Catalog, child: &Relation, constraint: &str) -> PgError {
    let message = format!(
        "insert or update on table \"{}\" violates foreign key constraint \"{constraint}\"",
        child.name
    );
    violation(catalog, child, SqlState::FOREIGN_KEY_VIOLATION, message).constraint(constraint)
}

/// Checks that no row refers to some rows of `old`, which went or have another key now.
///
/// With `replaceable`, a row that has the old key now will do in its place (NO ACTION, not RESTRICT).
///
/// # Errors
/// `23503` for the first that is referred to.
pub(super) fn check_not_referred(
    catalog: &Catalog,
    store: &StoreSnapshot,
    parent: &Relation,
    reference: &Reference,
    old: &RecordBatch,
    rows: &[usize],
    replaceable: bool,
) -> Result<(), PgError> {
    let child = &reference.child;
    let (Some(key), Some(table), Some(child_table)) =
        (reference.key(), parent.table(), child.table())
    else {
        return Ok(());
    };
    let (Some(version), Some(child_version)) = (store.table(parent.oid), store.table(child.oid))
    else {
        return Ok(());
    };
    let own = EncodedKeys::encode(old, key.referenced_columns)?;
    let theirs = ForeignKeys::new(old, key.referenced_columns, child_table, key.columns)?;
    for row in rows.iter().copied() {
        let Some(own_key) = own.get(row) else { continue };
        if theirs.find(row, child_version, key.columns)?.is_empty() {
            continue;
        }
        if replaceable && !version.find_key(key.referenced_columns, own_key)?.is_empty() {
            continue;
        }
        let message = format!(
            "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
            parent.name, key.name, child.name
        );
        let detail = format!(
            "{} is still referenced from table \"{}\".",
            key_text(table, key.referenced_columns, old, row),
            child.name
        );
        return Err(violation(catalog, child, SqlState::FOREIGN_KEY_VIOLATION, message)
            .detail(detail)
            .constraint(key.name));
    }
    Ok(())
}
