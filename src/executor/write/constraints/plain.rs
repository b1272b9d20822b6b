//! Writes that no constraint between rows speaks of: most updates, and inserts into tables without keys.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type};

use super::keys::{computed_indexes, unique_keys};
use crate::catalog::{ConstraintKind, Table};

/// Whether a table has neither keys nor foreign keys, nor constraints on the label of an open graph.
pub fn comes_alone(table: &Table) -> bool {
    let refers = |kind: &ConstraintKind| matches!(kind, ConstraintKind::ForeignKey { .. });
    table.ruled_by.is_none()
        && unique_keys(table).next().is_none()
        && computed_indexes(table).next().is_none()
        && !table.constraints.iter().any(|constraint| refers(&constraint.kind))
}

/// Whether all keys of a row, and all it refers to, stay as they were if these columns do.
pub fn keys_stay(table: &Table, stays: impl Fn(usize) -> bool) -> bool {
    let stay = |columns: &[usize]| columns.iter().all(|column| stays(*column));
    table.ruled_by.is_none()
        && computed_indexes(table).next().is_none()
        && unique_keys(table).all(|key| stay(&key.columns))
        && table.constraints.iter().all(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey { columns, .. } => stay(columns),
            ConstraintKind::PrimaryKey { .. }
            | ConstraintKind::Unique { .. }
            | ConstraintKind::Check { .. } => true,
        })
}

/// Whether an UPDATE leaves all keys of the rows, and all they refer to, as they were; `false` where that would take
/// computing. What refers to the rows refers to a key.
pub(in crate::executor::write) fn keeps_keys(
    table: &Table,
    old: &RecordBatch,
    new: &RecordBatch,
) -> bool {
    let same = |column: usize| {
        let (old, new) = (old.columns().get(column), new.columns().get(column));
        matches!((old, new), (Some(old), Some(new)) if same_values(old, new))
    };
    keys_stay(table, same)
}

/// Whether two arrays hold the same values; `false` also where they are of different types.
fn same_values(old: &ArrayRef, new: &ArrayRef) -> bool {
    if old.data_type() != new.data_type() || old.len() != new.len() {
        return false;
    }
    if old.null_count() + new.null_count() > 0 {
        return old == new;
    }
    match old.data_type() {
        DataType::Int16 => {
            old.as_primitive::<Int16Type>().values() == new.as_primitive::<Int16Type>().values()
        }
        DataType::Int32 => {
            old.as_primitive::<Int32Type>().values() == new.as_primitive::<Int32Type>().values()
        }
        DataType::Int64 => {
            old.as_primitive::<Int64Type>().values() == new.as_primitive::<Int64Type>().values()
        }
        _ => old == new,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringViewArray};

    use super::*;

    #[test]
    fn values_are_compared_whatever_holds_them() {
        let array =
            |values: &[Option<i32>]| Arc::new(Int32Array::from(values.to_vec())) as ArrayRef;
        let whole = array(&[Some(1), Some(2), Some(3)]);
        assert!(same_values(&whole.slice(1, 1), &array(&[Some(2)])));
        assert!(!same_values(&whole.slice(0, 1), &array(&[Some(2)])));
        assert!(!same_values(&array(&[None]), &array(&[Some(0)])));
        assert!(same_values(&array(&[None]), &array(&[None])));
        let words: ArrayRef = Arc::new(StringViewArray::from(vec!["2"]));
        assert!(!same_values(&words, &array(&[Some(2)])));
        assert!(same_values(&words, &words.slice(0, 1)));
    }
}
