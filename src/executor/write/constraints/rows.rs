//! What each row must satisfy by itself: conditions of domains, NOT NULL and CHECK.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::{RowCheck, violation};
use crate::catalog::{Catalog, ConstraintKind, Relation, Table};
use crate::error::{PgError, SqlState};
use crate::storage::TableVersion;
use crate::types::cast::to_text_array;
use crate::types::pg_type::PgType;
use crate::types::{OutputSettings, RowId};

/// Rows as the table stores them, after NOT NULL and CHECK.
///
/// # Errors
/// `23502` and `23514`, naming the first row that fails.
pub(in crate::executor::write) fn admit_rows(
    catalog: &Catalog,
    relation: &Relation,
    rows: Vec<RecordBatch>,
    check: &dyn RowCheck,
) -> Result<Vec<RecordBatch>, PgError> {
    let Some(table) = relation.table() else {
        return Err(PgError::internal(format!("\"{}\" is not a table", relation.name)));
    };
    rows.into_iter()
        .map(|batch| {
            check_domains(table, &batch, check)?;
            check_not_null(catalog, relation, table, &batch)?;
            check_conditions(catalog, relation, table, &batch, check)?;
            as_stored(table, &batch)
        })
        .collect()
}

fn check_domains(table: &Table, batch: &RecordBatch, check: &dyn RowCheck) -> Result<(), PgError> {
    let columns = table.columns.iter().zip(batch.columns());
    columns
        .filter_map(|(column, values)| Some((column.domain.as_ref()?, values)))
        .try_for_each(|(declared, values)| check.check_domain(declared, values))
}

fn check_not_null(
    catalog: &Catalog,
    relation: &Relation,
    table: &Table,
    batch: &RecordBatch,
) -> Result<(), PgError> {
    for (column, values) in table.columns.iter().zip(batch.columns()) {
        if !column.not_null {
            continue;
        }
        let Some(nulls) = values.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
            continue;
        };
        let row = (0..values.len()).find(|row| nulls.is_null(*row)).unwrap_or(0);
        let message = format!(
            "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
            column.name, relation.name
        );
        return Err(violation(catalog, relation, SqlState::NOT_NULL_VIOLATION, message)
            .detail(failing_row(table, batch, row))
            .column(&column.name));
    }
    Ok(())
}

/// CHECK constraints, in the order of their names, as PostgreSQL tries them.
fn check_conditions(
    catalog: &Catalog,
    relation: &Relation,
    table: &Table,
    batch: &RecordBatch,
    check: &dyn RowCheck,
) -> Result<(), PgError> {
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let mut checks: Vec<(&str, &str)> = table
        .constraints
        .iter()
        .filter_map(|constraint| match &constraint.kind {
            ConstraintKind::Check { condition } => {
                Some((constraint.name.as_str(), condition.as_str()))
            }
            ConstraintKind::PrimaryKey { .. }
            | ConstraintKind::Unique { .. }
            | ConstraintKind::ForeignKey { .. } => None,
        })
        .collect();
    checks.sort_unstable();
    for (name, condition) in checks {
        let Some(row) = check.first_violation(relation, condition, batch)? else { continue };
        let message = format!(
            "new row for relation \"{}\" violates check constraint \"{name}\"",
            relation.name
        );
        return Err(violation(catalog, relation, SqlState::CHECK_VIOLATION, message)
            .detail(failing_row(table, batch, row))
            .constraint(name));
    }
    Ok(())
}

/// Arrays of other dimensions than a column was declared with: only nulls and empty ones can be of both. `None` if
/// there is nothing to say about dimensions.
fn with_dimensions(values: &ArrayRef, declared: &DataType) -> Result<Option<ArrayRef>, PgError> {
    let depth = |mut ty: &DataType| {
        let mut depth = 0;
        while let DataType::List(item) = ty {
            (depth, ty) = (depth + 1, item.data_type());
        }
        depth
    };
    let (found, wanted) = (depth(values.data_type()), depth(declared));
    let (Some(lists), DataType::List(item), true) =
        (values.as_list_opt::<i32>(), declared, found != wanted)
    else {
        return Ok(None);
    };
    if !lists.values().is_empty() {
        return Err(PgError::unsupported(
            format!(
                "arrays of {found} dimensions in a column declared with {wanted} are not supported"
            ),
            "Declare the column with as many brackets: integer[][].",
        ));
    }
    let items = arrow::array::new_empty_array(item.data_type());
    let empty = ListArray::try_new(
        Arc::clone(item),
        lists.offsets().clone(),
        items,
        lists.nulls().cloned(),
    )?;
    Ok(Some(Arc::new(empty)))
}

fn as_stored(table: &Table, batch: &RecordBatch) -> Result<RecordBatch, PgError> {
    let columns = table
        .schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, values)| {
            if values.data_type() == field.data_type() {
                Ok(values.clone())
            } else if let Some(fitted) = with_dimensions(values, field.data_type())? {
                Ok(fitted)
            } else {
                cast(values, field.data_type()).map_err(PgError::from)
            }
        })
        .collect::<Result<Vec<ArrayRef>, PgError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(&table.schema), columns, &options)?)
}

/// `Failing row contains (1, null, x).`
fn failing_row(table: &Table, batch: &RecordBatch, row: usize) -> String {
    let values: Vec<String> = table
        .columns
        .iter()
        .zip(batch.columns())
        .map(|(column, values)| {
            value_text(values, &column.ty, row).map_or_else(|| "null".to_owned(), shortened)
        })
        .collect();
    format!("Failing row contains ({}).", values.join(", "))
}

/// PostgreSQL shows 64 bytes of each value.
fn shortened(mut text: String) -> String {
    const BYTES_MAX: usize = 64;
    if text.len() > BYTES_MAX {
        let end = (0..=BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// One value as text; `None` if it is null.
pub(super) fn value_text(values: &ArrayRef, ty: &PgType, row: usize) -> Option<String> {
    let one = cast(&values.slice(row, 1), &ty.arrow()).ok()?;
    if let Some(values) = one.as_boolean_opt() {
        return values.is_valid(0).then(|| if values.value(0) { "t" } else { "f" }.to_owned());
    }
    let text = to_text_array(&one, ty, &OutputSettings::default()).ok()?;
    (!text.is_null(0)).then(|| text.value(0).to_owned())
}

/// The rows with these ids, in their order. Ids of rows that are not there are left out.
pub(in crate::executor::write) fn rows_by_id(
    version: &TableVersion,
    ids: &[RowId],
) -> Result<RecordBatch, PgError> {
    let places = version.find_rows(ids)?.into_iter().flatten();
    let positions: Vec<u64> = places.map(|place| position(version, place)).collect();
    Ok(version.rows_at(&positions)?)
}

/// Those of the rows with these ids that are there.
pub(super) fn live_rows(version: &TableVersion, ids: &[RowId]) -> Result<RecordBatch, PgError> {
    let places = version.find_rows(ids)?.into_iter().flatten();
    let positions = places.map(|place| position(version, place));
    let live: Vec<u64> = positions.filter(|position| version.is_live(*position)).collect();
    Ok(version.rows_at(&live)?)
}

/// Chunk and offset as a position.
pub(super) fn position(version: &TableVersion, (chunk, offset): (usize, usize)) -> u64 {
    version.chunk_starts().get(chunk).copied().unwrap_or(0) + offset as u64
}
