//! INSERT … ON CONFLICT: which rows that come have the key of a row that is there.

use std::collections::HashSet;

use arrow::array::{RecordBatch, UInt32Array, UInt64Array};

use super::computed::ComputedProbe;
use super::keys::{UniqueKey, computed_indexes, unique_keys};
use super::rows::admit_rows;
use super::{RowCheck, violation};
use crate::catalog::{Catalog, Relation};
use crate::error::{PgError, SqlState};
use crate::storage::{EncodedKeys, StoreSnapshot, TableVersion};
use crate::types::Oid;

/// The message of `21000` where INSERT … ON CONFLICT DO UPDATE would write a row twice.
///
/// # Errors
/// Itself.
pub fn second_update() -> PgError {
    PgError::new(
        SqlState::CARDINALITY_VIOLATION,
        "ON CONFLICT DO UPDATE command cannot affect row a second time",
    )
    .hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
}

/// A search over all batches of one INSERT.
#[derive(Debug)]
pub struct ConflictSearch {
    /// The keys that count: constraints by OID; all keys of the table if there are none.
    arbiters: Vec<Oid>,
    /// Whether rows that conflict are left out (DO NOTHING), or found their counterpart (DO UPDATE).
    skips: bool,
    /// For each key: those of rows that are to be inserted.
    coming: Vec<HashSet<Box<[u8]>>>,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Conflicts {
    /// Rows of the batch that go on.
    pub kept: UInt32Array,
    /// For each of them, the id of the row it conflicts with.
    pub row_ids: UInt64Array,
    /// For each of them, that row; all null where there is none.
    pub existing: RecordBatch,
}

impl ConflictSearch {
    /// A search by some keys.
    pub fn new(arbiters: Vec<Oid>, skips: bool) -> Self {
        Self { arbiters, skips, coming: Vec::new() }
    }

    /// Whether rows that are there are to be updated.
    pub(in crate::executor::write) fn updates(&self) -> bool {
        !self.skips
    }

    /// Whether a key counts.
    pub(in crate::executor::write) fn counts(&self, key: Oid) -> bool {
        self.arbiters.is_empty() || self.arbiters.contains(&key)
    }

    /// Looks for a batch's rows in `store`. Rows are checked as INSERT checks them first.
    ///
    /// # Errors
    /// `23502`, `23514`; `21000` for two rows that come with the same key, where the second would update the first.
    pub(in crate::executor::write) fn search(
        &mut self,
        catalog: &Catalog,
        store: &StoreSnapshot,
        relation: &Relation,
        rows: &RecordBatch,
        check: &dyn RowCheck,
    ) -> Result<Conflicts, PgError> {
        let rows = admit_rows(catalog, relation, vec![rows.clone()], check)?.remove(0);
        let (Some(table), Some(version)) = (relation.table(), store.table(relation.oid)) else {
            return Err(violation(
                catalog,
                relation,
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{}\" does not exist", relation.name),
            ));
        };
        let mut probes = Vec::new();
        for key in unique_keys(table).filter(|key| self.counts(key.oid)) {
            let encoded = EncodedKeys::encode(&rows, &key.columns)?;
            probes.push(Probe::Columns { key, encoded });
        }
        for index in computed_indexes(table).filter(|index| self.counts(index.oid)) {
            probes.push(Probe::Computed(ComputedProbe::new(relation, index, &rows, check)?));
        }
        self.coming.resize_with(probes.len(), HashSet::new);
        let (mut kept, mut found) = (Vec::new(), Vec::new());
        for row in 0..rows.num_rows() {
            let mut conflict = None;
            for probe in &probes {
                conflict = probe.find(relation, version, row, check)?.first().copied();
                if conflict.is_some() {
                    break;
                }
            }
            let coming = probes.iter().zip(&self.coming);
            let repeats = conflict.is_none()
                && coming
                    .filter_map(|(probe, coming)| Some((probe.key(row)?, coming)))
                    .any(|(key, coming)| coming.contains(key));
            match (self.skips, conflict.is_some() || repeats) {
                (true, true) => continue,
                (false, true) if repeats => return Err(second_update()),
                (false, true) => {}
                (_, false) => {
                    for (probe, coming) in probes.iter().zip(&mut self.coming) {
                        if let Some(key) = probe.key(row) {
                            coming.insert(key.into());
                        }
                    }
                }
            }
            kept.push(row as u32);
            found.push(conflict);
        }
        let positions: Vec<u64> = found.iter().copied().flatten().collect();
        let mut next = 0u32;
        let places: UInt32Array = found
            .iter()
            .map(|position| {
                position.map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        let existing = nullable(&version.rows_at(&positions)?)?;
        Ok(Conflicts {
            kept: kept.into(),
            row_ids: found
                .iter()
                .map(|position| {
                    Ok(position.map(|at| version.row_id(at)).transpose()?.map(|id| id.0))
                })
                .collect::<Result<_, PgError>>()?,
            existing: arrow::compute::take_record_batch(&existing, &places)?,
        })
    }
}

/// Rows that are looked up by one key.
enum Probe<'a> {
    Columns { key: UniqueKey<'a>, encoded: EncodedKeys },
    Computed(ComputedProbe<'a>),
}

impl Probe<'_> {
    /// The key of a row, if it may be equal to another.
    fn key(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Columns { key, encoded } => {
                let counts = key.nulls_not_distinct || encoded.get(row).is_some();
                counts.then(|| encoded.encoded(row))
            }
            Self::Computed(probe) => probe.key(row),
        }
    }

    fn find(
        &self,
        relation: &Relation,
        version: &TableVersion,
        row: usize,
        check: &dyn RowCheck,
    ) -> Result<Vec<u64>, PgError> {
        match self {
            Self::Columns { key, encoded } => key.find(version, encoded, row),
            Self::Computed(probe) => probe.find(relation, version, row, check),
        }
    }
}

/// The same rows, of columns that may be null.
fn nullable(rows: &RecordBatch) -> Result<RecordBatch, PgError> {
    let fields: Vec<_> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        std::sync::Arc::new(arrow::datatypes::Schema::new(fields)),
        rows.columns().to_vec(),
        &options,
    )?)
}
