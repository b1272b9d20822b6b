//! Which columns rows are looked for by: each such key gets an index in the files of a table.

use std::collections::HashMap;

use crate::catalog::{Catalog, ConstraintKind, Index, IndexSource, Table};
use crate::types::Oid;

/// The keys of all tables, by the positions of their columns.
pub(super) fn stored_keys(catalog: &Catalog) -> HashMap<Oid, Vec<Vec<usize>>> {
    let tables = catalog.relations.values();
    let tables = tables.filter_map(|relation| Some((relation.oid, relation.table()?)));
    tables.map(|(oid, table)| (oid, keys_of(table))).filter(|(_, keys)| !keys.is_empty()).collect()
}

fn keys_of(table: &Table) -> Vec<Vec<usize>> {
    let mut keys: Vec<Vec<usize>> = Vec::new();
    let of_constraints = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. }
        | ConstraintKind::Unique { columns, .. }
        // The rows that refer to one that goes are looked for.
        | ConstraintKind::ForeignKey { columns, .. } => Some(columns.clone()),
        ConstraintKind::Check { .. } => None,
    });
    for key in of_constraints.chain(table.indexes.iter().filter_map(plain_columns)) {
        if !key.is_empty() && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn plain_columns(index: &Index) -> Option<Vec<usize>> {
    let columns = index.keys.iter().map(|key| match &key.source {
        IndexSource::Column(at) => Some(*at),
        IndexSource::Expression { .. } => None,
    });
    columns.collect()
}
