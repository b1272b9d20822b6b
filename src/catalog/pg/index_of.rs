//! Indexes: those behind PRIMARY KEY and UNIQUE constraints.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::object::{Column, Constraint, ConstraintKind, Relation, Table};
use crate::types::Oid;

/// An index of a stored table.
#[derive(Debug, Clone, Copy)]
pub(super) struct IndexOf<'a> {
    pub(super) oid: Oid,
    pub(super) relation: &'a Arc<Relation>,
    pub(super) table: &'a Table,
    pub(super) constraint: &'a Constraint,
    /// Positions in the table.
    pub(super) columns: &'a [usize],
    pub(super) primary: bool,
}

impl<'a> IndexOf<'a> {
    /// `pg_class.relname` of the index.
    pub(super) fn name(&self) -> &'a str {
        &self.constraint.name
    }

    /// The columns it holds, in order.
    pub(super) fn key(&self) -> impl Iterator<Item = &'a Column> + use<'a> {
        let table = self.table;
        self.columns.iter().filter_map(|position| table.columns.get(*position))
    }
}

/// The relation's columns and constraints, if it is stored.
pub(super) fn stored(relation: &Relation) -> Option<&Table> {
    relation.table().map(AsRef::as_ref)
}

/// All indexes of the database, in the order of their tables.
pub(super) fn indexes(catalog: &Catalog) -> impl Iterator<Item = IndexOf<'_>> {
    catalog.relations.values().flat_map(indexes_of)
}

/// The indexes of one relation.
pub(super) fn indexes_of(relation: &Arc<Relation>) -> impl Iterator<Item = IndexOf<'_>> {
    stored(relation).into_iter().flat_map(move |table| {
        table.constraints.iter().filter_map(move |constraint| {
            let (columns, oid, primary) = match &constraint.kind {
                ConstraintKind::PrimaryKey { columns, index, .. } => (columns, *index, true),
                ConstraintKind::Unique { columns, index, .. } => (columns, *index, false),
                ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => return None,
            };
            Some(IndexOf { oid, relation, table, constraint, columns, primary })
        })
    })
}

/// The index with this OID.
pub(super) fn index(catalog: &Catalog, oid: Oid) -> Option<IndexOf<'_>> {
    indexes(catalog).find(|index| index.oid == oid)
}

/// `attnum` of columns at these positions.
pub(super) fn attnums(table: &Table, positions: &[usize]) -> Vec<i16> {
    positions.iter().filter_map(|position| table.columns.get(*position)).map(|c| c.attnum).collect()
}
