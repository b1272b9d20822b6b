//! Unique indexes over expressions, or over some rows only: their keys are SQL, computed by the session.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};

use super::RowCheck;
use super::keys::{computed_indexes, duplicate_key};
use super::rows::value_text;
use crate::catalog::{Catalog, Index, IndexSource, Relation, Table};
use crate::error::PgError;
use crate::storage::{ComputedIndex, EncodedKeys, TableVersion};
use crate::types::RowId;
use crate::types::pg_type::PgType;

/// The keys of some rows in an index.
#[derive(Debug)]
pub struct ComputedKeys {
    /// One column for each key of the index.
    pub keys: RecordBatch,
    /// Rows for which it is not true are not in the index; all are if there is none.
    pub within: Option<BooleanArray>,
}

impl ComputedKeys {
    fn contains(&self, row: usize) -> bool {
        self.within.as_ref().is_none_or(|within| within.is_valid(row) && within.value(row))
    }
}

/// Rows that are looked up in one index.
pub(in crate::executor::write) struct ComputedProbe<'a> {
    pub(super) index: &'a Index,
    computed: ComputedKeys,
    encoded: EncodedKeys,
}

impl<'a> ComputedProbe<'a> {
    /// The keys of `rows`.
    pub(in crate::executor::write) fn new(
        relation: &Relation,
        index: &'a Index,
        rows: &RecordBatch,
        check: &dyn RowCheck,
    ) -> Result<Self, PgError> {
        let computed = check.index_keys(relation, index, rows)?;
        let columns: Vec<usize> = (0..index.keys.len()).collect();
        let encoded = EncodedKeys::encode(&computed.keys, &columns)?;
        Ok(Self { index, computed, encoded })
    }

    /// The key of a row, if it is in the index and may be equal to another.
    pub(in crate::executor::write) fn key(&self, row: usize) -> Option<&[u8]> {
        let counts = self.index.nulls_not_distinct || self.encoded.get(row).is_some();
        (counts && self.computed.contains(row)).then(|| self.encoded.encoded(row))
    }

    /// Live rows of `version` with the key of a row, as positions. The keys of a chunk are computed once.
    pub(super) fn find(
        &self,
        relation: &Relation,
        version: &TableVersion,
        row: usize,
        check: &dyn RowCheck,
    ) -> Result<Vec<u64>, PgError> {
        let mut found = Vec::new();
        let Some(key) = self.key(row) else { return Ok(found) };
        let computed_of = computed_of(self.index);
        for (chunk, start) in version.chunks().iter().zip(version.chunk_starts()) {
            let keys = chunk.computed_index(computed_of, |batch| {
                let computed = check.index_keys(relation, self.index, batch)?;
                let with_nulls = self.index.nulls_not_distinct;
                Ok::<_, PgError>(ComputedIndex::build(
                    &computed.keys,
                    computed.within.clone(),
                    with_nulls,
                )?)
            })?;
            keys.find(key, |offset| {
                if chunk.is_live(offset) {
                    found.push(start + offset as u64);
                }
            });
        }
        Ok(found)
    }

    /// Ids of the live rows of `version` with the key of a row, ascending.
    pub(in crate::executor::write) fn rows(
        &self,
        relation: &Relation,
        version: &TableVersion,
        row: usize,
        check: &dyn RowCheck,
    ) -> Result<Vec<RowId>, PgError> {
        let positions = self.find(relation, version, row, check)?;
        let rows = positions.into_iter().map(|at| version.row_id(at));
        let mut rows: Vec<RowId> = rows.collect::<Result<_, _>>()?;
        rows.sort_unstable();
        Ok(rows)
    }

    /// The error of a row whose key another has.
    pub(in crate::executor::write) fn duplicate(
        &self,
        catalog: &Catalog,
        relation: &Relation,
        table: &Table,
        row: usize,
    ) -> PgError {
        duplicate_key(catalog, relation, &self.index.name, &self.text(table, row))
    }

    /// `Key (lower(a))=(x)`
    fn text(&self, table: &Table, row: usize) -> String {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (at, key) in self.index.keys.iter().enumerate() {
            let (name, ty): (&str, &PgType) = match &key.source {
                IndexSource::Column(column) => match table.columns.get(*column) {
                    Some(column) => (&column.name, &column.ty),
                    None => continue,
                },
                IndexSource::Expression { text, ty, .. } => (text, ty),
            };
            names.push(name);
            let value = value_text(self.computed.keys.column(at), ty, row);
            values.push(value.unwrap_or_else(|| "null".to_owned()));
        }
        format!("Key ({})=({})", names.join(", "), values.join(", "))
    }
}

/// What the keys of an index are computed of, as chunks know them by.
fn computed_of(index: &Index) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    index.oid.hash(&mut hasher);
    for key in &index.keys {
        match &key.source {
            IndexSource::Column(column) => column.hash(&mut hasher),
            IndexSource::Expression { text, .. } => text.hash(&mut hasher),
        }
    }
    (&index.predicate, index.nulls_not_distinct).hash(&mut hasher);
    hasher.finish()
}

/// Checks rows that were written to `version` in the table's unique indexes of this kind.
///
/// # Errors
/// `23505` naming the first key that is there twice; whatever an expression raises.
pub(super) fn check_computed(
    catalog: &Catalog,
    relation: &Arc<Relation>,
    version: &TableVersion,
    new: &RecordBatch,
    old: Option<&RecordBatch>,
    check: &dyn RowCheck,
) -> Result<(), PgError> {
    let Some(table) = relation.table() else { return Ok(()) };
    for index in computed_indexes(table) {
        let probe = ComputedProbe::new(relation, index, new, check)?;
        let before = match old {
            Some(old) => Some(ComputedProbe::new(relation, index, old, check)?),
            None => None,
        };
        for row in 0..new.num_rows() {
            let Some(key) = probe.key(row) else { continue };
            if before.as_ref().is_some_and(|before| before.key(row) == Some(key)) {
                continue;
            }
            if probe.find(relation, version, row, check)?.len() > 1 {
                return Err(probe.duplicate(catalog, relation, table, row));
            }
        }
    }
    Ok(())
}
