//! PRIMARY KEY and UNIQUE.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::rows::value_text;
use super::violation;
use crate::catalog::{
    Catalog, Constraint, ConstraintKind, ConstraintTiming, Index, IndexSource, Relation, Table,
};
use crate::error::{PgError, SqlState};
use crate::storage::{EncodedKeys, TableVersion};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A key of columns that no two rows of a table may share.
#[derive(Debug, Clone)]
pub(in crate::executor::write) struct UniqueKey<'a> {
    /// Of the constraint, or of the index that CREATE INDEX made.
    pub(in crate::executor::write) oid: Oid,
    /// Of the constraint and its index.
    pub(in crate::executor::write) name: &'a str,
    /// Positions in the table.
    pub(in crate::executor::write) columns: Cow<'a, [usize]>,
    /// Whether null counts as a value.
    pub(super) nulls_not_distinct: bool,
    /// Whether it may be violated until the end of the statement, or of the transaction.
    pub(super) is_deferrable: bool,
}

/// The keys of a table: those of its constraints, and unique indexes over columns of all rows.
pub(in crate::executor::write) fn unique_keys(
    table: &Table,
) -> impl Iterator<Item = UniqueKey<'_>> {
    let constraints = table.constraints.iter().filter_map(unique_key);
    constraints.chain(table.indexes.iter().filter_map(plain_index))
}

/// The unique indexes of a table that are over expressions, or over some rows.
pub(in crate::executor::write) fn computed_indexes(table: &Table) -> impl Iterator<Item = &Index> {
    table.indexes.iter().filter(|index| index.unique && plain_index(index).is_none())
}

fn plain_index(index: &Index) -> Option<UniqueKey<'_>> {
    let columns = index.keys.iter().map(|key| match &key.source {
        IndexSource::Column(at) => Some(*at),
        IndexSource::Expression { .. } => None,
    });
    let columns = columns.collect::<Option<Vec<usize>>>()?;
    (index.unique && index.predicate.is_none()).then(|| UniqueKey {
        oid: index.oid,
        name: &index.name,
        columns: columns.into(),
        nulls_not_distinct: index.nulls_not_distinct,
        is_deferrable: false,
    })
}

/// The key of a constraint, if it is PRIMARY KEY or UNIQUE.
pub(super) fn unique_key(constraint: &Constraint) -> Option<UniqueKey<'_>> {
    let (columns, nulls_not_distinct) = match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. } => (columns, false),
        ConstraintKind::Unique { columns, nulls_not_distinct, .. } => {
            (columns, *nulls_not_distinct)
        }
        ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => return None,
    };
    Some(UniqueKey {
        oid: constraint.oid,
        name: &constraint.name,
        columns: columns.into(),
        nulls_not_distinct,
        is_deferrable: constraint.timing != ConstraintTiming::NotDeferrable,
    })
}

impl UniqueKey<'_> {
    /// Live rows of `version` with the key of a row, as positions; none for a key that is equal to no other.
    pub(super) fn find(
        &self,
        version: &TableVersion,
        keys: &EncodedKeys,
        row: usize,
    ) -> Result<Vec<u64>, PgError> {
        Ok(match (keys.get(row), self.nulls_not_distinct) {
            (Some(key), _) => version.find_key(&self.columns, key)?,
            (None, true) => version.find_key_with_nulls(&self.columns, keys.encoded(row))?,
            (None, false) => Vec::new(),
        })
    }
}

/// `Key (a, b)=(1, x)`
pub(super) fn key_text(
    table: &Table,
    columns: &[usize],
    batch: &RecordBatch,
    row: usize,
) -> String {
    let column_names: Vec<&str> = columns
        .iter()
        .filter_map(|column| table.columns.get(*column))
        .map(|column| column.name.as_str())
        .collect();
    let values: Vec<String> = columns
        .iter()
        .filter_map(|column| Some((batch.columns().get(*column)?, table.columns.get(*column)?)))
        .map(|(values, column)| {
            value_text(values, &column.ty, row).unwrap_or_else(|| "null".to_owned())
        })
        .collect();
    format!("Key ({})=({})", column_names.join(", "), values.join(", "))
}

/// The error of a row whose key another has.
pub(in crate::executor::write) fn duplicate(
    catalog: &Catalog,
    relation: &Relation,
    key: &UniqueKey<'_>,
    batch: &RecordBatch,
    row: usize,
) -> PgError {
    let text = relation.table().map(|table| key_text(table, &key.columns, batch, row));
    duplicate_key(catalog, relation, key.name, &text.unwrap_or_default())
}

/// The same, of a key whose text is known.
pub(super) fn duplicate_key(
    catalog: &Catalog,
    relation: &Relation,
    name: &str,
    key: &str,
) -> PgError {
    let message = format!("duplicate key value violates unique constraint \"{name}\"");
    violation(catalog, relation, SqlState::UNIQUE_VIOLATION, message)
        .detail(format!("{key} already exists."))
        .constraint(name)
}

/// Rows of an UPDATE whose key is not what it was; all rows of an INSERT.
pub(super) fn changed_keys(
    new: &RecordBatch,
    old: Option<&RecordBatch>,
    columns: &[usize],
) -> Result<Vec<usize>, PgError> {
    let rows = 0..new.num_rows();
    let Some(old) = old else { return Ok(rows.collect()) };
    let unchanged = columns.iter().all(|column| {
        let (old, new) = (old.columns().get(*column), new.columns().get(*column));
        matches!((old, new), (Some(old), Some(new)) if std::sync::Arc::ptr_eq(old, new))
    });
    if unchanged {
        return Ok(Vec::new());
    }
    let (old, new) = (EncodedKeys::encode(old, columns)?, EncodedKeys::encode(new, columns)?);
    Ok(rows.filter(|row| old.encoded(*row) != new.encoded(*row)).collect())
}

/// Checks the keys of rows that were written to `version`, less those that may wait.
///
/// # Errors
/// `23505` of the first row that has a key that is taken, as though rows had come one after the other, and of its first
/// such key.
pub(super) fn check_unique(
    catalog: &Catalog,
    relation: &Relation,
    version: &TableVersion,
    new: &RecordBatch,
    old: Option<&RecordBatch>,
) -> Result<(), PgError> {
    let Some(table) = relation.table() else { return Ok(()) };
    let mut first: Option<(usize, UniqueKey<'_>)> = None;
    for key in unique_keys(table).filter(|key| !key.is_deferrable) {
        let rows = changed_keys(new, old, &key.columns)?;
        if !rows.is_empty()
            && let Some(row) = taken(&key, version, new, &rows)?
            && first.as_ref().is_none_or(|(before, _)| row < *before)
        {
            first = Some((row, key));
        }
    }
    match first {
        Some((row, key)) => Err(duplicate(catalog, relation, &key, new, row)),
        None => Ok(()),
    }
}

/// Checks one key of some rows.
///
/// # Errors
/// As [`check_unique`].
pub(super) fn check_key(
    catalog: &Catalog,
    relation: &Relation,
    key: &UniqueKey<'_>,
    version: &TableVersion,
    batch: &RecordBatch,
    rows: &[usize],
) -> Result<(), PgError> {
    match taken(key, version, batch, rows)? {
        Some(row) => Err(duplicate(catalog, relation, key, batch, row)),
        None => Ok(()),
    }
}

/// The first of some rows, which are in `version`, whose key another row has that was there before it.
fn taken(
    key: &UniqueKey<'_>,
    version: &TableVersion,
    batch: &RecordBatch,
    rows: &[usize],
) -> Result<Option<usize>, PgError> {
    let keys = EncodedKeys::encode(batch, &key.columns)?;
    let mut same = vec![0usize; keys.len()];
    version.find_keys(&key.columns, &keys, rows.iter().copied(), |row, _, _| same[row] += 1)?;
    // How many of the rows have a key, and whether one of them was met: where a key is there more than once.
    let mut counts: HashMap<&[u8], (usize, bool)> = HashMap::new();
    for row in rows {
        let same = match keys.get(*row) {
            Some(_) => same[*row],
            None => key.find(version, &keys, *row)?.len(),
        };
        if same <= 1 {
            continue;
        }
        if counts.is_empty() {
            for row in rows {
                counts.entry(keys.encoded(*row)).or_default().0 += 1;
            }
        }
        let (come, met) = counts.entry(keys.encoded(*row)).or_default();
        if same > *come || std::mem::replace(met, true) {
            return Ok(Some(*row));
        }
    }
    Ok(None)
}

/// Checks that no two rows have the same key.
///
/// # Errors
/// `23505` `could not create unique index`.
pub fn check_key_is_unique(
    relation: &Relation,
    name: &str,
    columns: &[usize],
    version: &TableVersion,
) -> Result<(), PgError> {
    let Some(table) = relation.table() else { return Ok(()) };
    for batch in version.live_batches() {
        let batch = batch?;
        let keys = EncodedKeys::encode(&batch, columns)?;
        let mut same = vec![0usize; keys.len()];
        version.find_keys(columns, &keys, 0..keys.len(), |row, _, _| same[row] += 1)?;
        if let Some(row) = same.iter().position(|same| *same > 1) {
            return Err(PgError::new(
                SqlState::UNIQUE_VIOLATION,
                format!("could not create unique index \"{name}\""),
            )
            .detail(format!("{} is duplicated.", key_text(table, columns, &batch, row))));
        }
    }
    Ok(())
}

/// Only types with an order can be keys.
///
/// # Errors
/// `42704` as PostgreSQL says of a type without an operator class.
pub fn check_key_type(ty: &PgType) -> Result<(), PgError> {
    if crate::storage::KeyIndex::supports(&ty.arrow()) && *ty != PgType::Json {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("data type {} has no default operator class for access method \"btree\"", ty.name()),
    )
    .hint("You must specify an operator class for the index or define a default operator class for the data type."))
}
