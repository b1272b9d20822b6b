//! NOT NULL, CHECK, keys and foreign keys.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::Schema;

use crate::catalog::{Catalog, Constraint, ConstraintKind, Relation, Table};
use crate::error::{PgError, SqlState};
use crate::storage::{EncodedKeys, StoreSnapshot, TableVersion};
use crate::types::OutputSettings;
use crate::types::cast::to_text_array;
use crate::types::pg_type::PgType;
use crate::types::{Oid, RowId};

/// Decides CHECK conditions, which are SQL and so not this room's business.
pub trait RowCheck: Send + Sync {
    /// The first row of `rows` for which the condition of `constraint` is false.
    ///
    /// # Errors
    /// Whatever evaluating the condition raises.
    fn first_violation(
        &self,
        relation: &Relation,
        condition: &str,
        rows: &RecordBatch,
    ) -> Result<Option<usize>, PgError>;
}

/// Rows as the table stores them, after NOT NULL and CHECK.
pub(super) fn admit_rows(
    relation: &Relation,
    rows: Vec<RecordBatch>,
    check: &dyn RowCheck,
) -> Result<Vec<RecordBatch>, PgError> {
    let Some(table) = relation.table() else {
        return Err(PgError::internal(format!("\"{}\" is not a table", relation.name)));
    };
    rows.into_iter().map(|batch| admit_batch(relation, table, &batch, check)).collect()
}

fn admit_batch(
    relation: &Relation,
    table: &Table,
    batch: &RecordBatch,
    check: &dyn RowCheck,
) -> Result<RecordBatch, PgError> {
    for (column, values) in table.columns.iter().zip(batch.columns()) {
        if column.not_null
            && let Some(nulls) = values.logical_nulls().filter(|nulls| nulls.null_count() > 0)
        {
            let row = (0..values.len()).find(|row| nulls.is_null(*row)).unwrap_or(0);
            return Err(PgError::new(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    column.name, relation.name
                ),
            )
            .detail(format!("Failing row contains ({}).", row_text(table, batch, row)))
            .table("public", &relation.name)
            .column(&column.name));
        }
    }
    for constraint in &table.constraints {
        let ConstraintKind::Check { condition } = &constraint.kind else { continue };
        if let Some(row) = check.first_violation(relation, condition, batch)? {
            return Err(PgError::new(
                SqlState::CHECK_VIOLATION,
                format!(
                    "new row for relation \"{}\" violates check constraint \"{}\"",
                    relation.name, constraint.name
                ),
            )
            .detail(format!("Failing row contains ({}).", row_text(table, batch, row)))
            .table("public", &relation.name)
            .constraint(&constraint.name));
        }
    }
    let columns = table
        .schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, values)| {
            if values.data_type() == field.data_type() {
                Ok(values.clone())
            } else {
                cast(values, field.data_type())
            }
        })
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(&table.schema), columns, &options)?)
}

fn row_text(table: &Table, batch: &RecordBatch, row: usize) -> String {
    let values: Vec<String> = table
        .columns
        .iter()
        .zip(batch.columns())
        .map(|(column, values)| {
            value_text(values, &column.ty, row).unwrap_or_else(|| "null".to_owned())
        })
        .collect();
    values.join(", ")
}

/// The rows with these ids, before they are deleted.
pub(super) fn rows_by_id(
    store: &StoreSnapshot,
    table: Oid,
    ids: &[RowId],
) -> Result<Option<RecordBatch>, PgError> {
    let Some(version) = store.table(table).filter(|_| !ids.is_empty()) else { return Ok(None) };
    let positions: Vec<u64> = ids
        .iter()
        .filter_map(|id| version.find_row(*id))
        .map(|(chunk, offset)| version.chunk_starts()[chunk] + offset as u64)
        .collect();
    Ok(Some(version.rows_at(&positions)?))
}

/// Checks keys and foreign keys for rows that came (`inserted`) and went (`old`), over the store as it is after.
pub(super) fn check_keys(
    catalog: &Catalog,
    store: &StoreSnapshot,
    relation: &Relation,
    inserted: &[RecordBatch],
    old: Option<&RecordBatch>,
) -> Result<(), PgError> {
    let (Some(table), Some(version)) = (relation.table(), store.table(relation.oid)) else {
        return Ok(());
    };
    for constraint in &table.constraints {
        match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
                for batch in inserted {
                    check_unique(relation, table, constraint, version, columns, batch)?;
                }
            }
            ConstraintKind::ForeignKey { columns, referenced, referenced_columns, .. } => {
                let target = (*referenced, referenced_columns.as_slice());
                for batch in inserted {
                    check_referenced(
                        catalog,
                        store,
                        relation,
                        constraint,
                        (columns, batch),
                        target,
                    )?;
                }
            }
            ConstraintKind::Check { .. } => {}
        }
    }
    match old {
        Some(old) => check_referring(catalog, store, relation, version, old),
        None => Ok(()),
    }
}

/// `Key (a, b)=(1, x)`
fn key_text(table: &Table, columns: &[usize], batch: &RecordBatch, row: usize) -> String {
    let names: Vec<&str> =
        columns.iter().map(|column| table.columns[*column].name.as_str()).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| {
            value_text(batch.column(*column), &table.columns[*column].ty, row)
                .unwrap_or_else(|| "null".to_owned())
        })
        .collect();
    format!("Key ({})=({})", names.join(", "), values.join(", "))
}

fn check_unique(
    relation: &Relation,
    table: &Table,
    constraint: &Constraint,
    version: &TableVersion,
    columns: &[usize],
    batch: &RecordBatch,
) -> Result<(), PgError> {
    let keys = EncodedKeys::encode(batch, columns)?;
    for row in 0..keys.len() {
        let Some(key) = keys.get(row) else { continue };
        if version.find_key(columns, key)?.len() > 1 {
            return Err(PgError::new(
                SqlState::UNIQUE_VIOLATION,
                format!("duplicate key value violates unique constraint \"{}\"", constraint.name),
            )
            .detail(format!("{} already exists.", key_text(table, columns, batch, row)))
            .table("public", &relation.name)
            .constraint(&constraint.name));
        }
    }
    Ok(())
}

/// The key columns of a batch in the types of the columns they are looked up in.
pub(super) fn keys_as(
    batch: &RecordBatch,
    columns: &[usize],
    types: &Table,
    type_columns: &[usize],
) -> Result<EncodedKeys, PgError> {
    let arrays = columns
        .iter()
        .zip(type_columns)
        .map(|(column, like)| {
            Ok(cast(batch.column(*column), types.schema.field(*like).data_type())?)
        })
        .collect::<Result<Vec<ArrayRef>, PgError>>()?;
    let fields: Vec<_> = type_columns
        .iter()
        .map(|like| types.schema.field(*like).clone().with_nullable(true))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    Ok(EncodedKeys::encode(&batch, &(0..columns.len()).collect::<Vec<_>>())?)
}

fn check_referenced(
    catalog: &Catalog,
    store: &StoreSnapshot,
    relation: &Relation,
    constraint: &Constraint,
    (columns, batch): (&[usize], &RecordBatch),
    (referenced, referenced_columns): (Oid, &[usize]),
) -> Result<(), PgError> {
    let (Some(target), Some(version)) = (catalog.relation(referenced), store.table(referenced))
    else {
        return Ok(());
    };
    let (Some(target_table), Some(table)) = (target.table(), relation.table()) else {
        return Ok(());
    };
    let keys = keys_as(batch, columns, target_table, referenced_columns)?;
    for row in 0..keys.len() {
        let Some(key) = keys.get(row) else { continue };
        if version.find_key(referenced_columns, key)?.is_empty() {
            return Err(PgError::new(
                SqlState::FOREIGN_KEY_VIOLATION,
                format!(
                    "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                    relation.name, constraint.name
                ),
            )
            .detail(format!(
                "{} is not present in table \"{}\".",
                key_text(table, columns, batch, row),
                target.name
            ))
            .table("public", &relation.name)
            .constraint(&constraint.name));
        }
    }
    Ok(())
}

/// Rows that went must not be referred to, unless another row has their key now.
fn check_referring(
    catalog: &Catalog,
    store: &StoreSnapshot,
    relation: &Relation,
    version: &TableVersion,
    old: &RecordBatch,
) -> Result<(), PgError> {
    let Some(table) = relation.table() else { return Ok(()) };
    for other in
        catalog.dependents(relation.oid).into_iter().chain(catalog.relation(relation.oid).cloned())
    {
        let (Some(other_table), Some(other_version)) = (other.table(), store.table(other.oid))
        else {
            continue;
        };
        for constraint in &other_table.constraints {
            let ConstraintKind::ForeignKey { columns, referenced, referenced_columns, .. } =
                &constraint.kind
            else {
                continue;
            };
            if *referenced != relation.oid {
                continue;
            }
            let own = EncodedKeys::encode(old, referenced_columns)?;
            let theirs = keys_as(old, referenced_columns, other_table, columns)?;
            for row in 0..own.len() {
                let (Some(key), Some(their_key)) = (own.get(row), theirs.get(row)) else {
                    continue;
                };
                if version.find_key(referenced_columns, key)?.is_empty()
                    && !other_version.find_key(columns, their_key)?.is_empty()
                {
                    return Err(PgError::new(
                        SqlState::FOREIGN_KEY_VIOLATION,
                        format!(
                            "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
                            relation.name, constraint.name, other.name
                        ),
                    )
                    .detail(format!(
                        "{} is still referenced from table \"{}\".",
                        key_text(table, referenced_columns, old, row),
                        other.name
                    ))
                    .table("public", &other.name)
                    .constraint(&constraint.name));
                }
            }
        }
    }
    Ok(())
}

/// Checks one constraint for all rows of a table: `ALTER TABLE … ADD CONSTRAINT`, `SET NOT NULL`.
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
    let batches = version.live_batches()?;
    let batches = admit_rows(relation, batches, check)?;
    check_keys(catalog, store, relation, &batches, None)
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
    for batch in version.live_batches()? {
        let keys = EncodedKeys::encode(&batch, columns)?;
        for row in 0..keys.len() {
            let Some(key) = keys.get(row) else { continue };
            if version.find_key(columns, key)?.len() > 1 {
                return Err(PgError::new(
                    SqlState::UNIQUE_VIOLATION,
                    format!("could not create unique index \"{name}\""),
                )
                .detail(format!("{} is duplicated.", key_text(table, columns, &batch, row))));
            }
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

/// Checks everything a transaction wrote again, over what others committed meanwhile.
///
/// # Errors
/// `23…` naming the constraint.
pub fn check_changed(
    catalog: &Catalog,
    before: &StoreSnapshot,
    writes: &super::Writes,
    check: &dyn RowCheck,
) -> Result<(), PgError> {
    for (table, changes) in writes.changed() {
        let Some(relation) = catalog.relation(table) else { continue };
        let Some(version) = writes.view().table(table) else { continue };
        // Only rows that are still there: a transaction may have deleted what it inserted.
        let live: Vec<u64> = changes
            .written()
            .into_iter()
            .filter_map(|id| version.find_row(id))
            .filter(|(chunk, offset)| version.chunks()[*chunk].is_live(*offset))
            .map(|(chunk, offset)| version.chunk_starts()[chunk] + offset as u64)
            .collect();
        let rows = admit_rows(relation, vec![version.rows_at(&live)?], check)?;
        let touched: Vec<RowId> = changes.touched().collect();
        let old = rows_by_id(before, table, &touched)?;
        check_keys(catalog, writes.view(), relation, &rows, old.as_ref())?;
    }
    Ok(())
}

/// One value as text; `None` if it is null.
fn value_text(values: &ArrayRef, ty: &PgType, row: usize) -> Option<String> {
    let one = cast(&values.slice(row, 1), &ty.arrow()).ok()?;
    let text = to_text_array(&one, ty, &OutputSettings::default()).ok()?;
    (!text.is_null(0)).then(|| text.value(0).to_owned())
}
