//! One value of an array as a field of a row, without preparing its column first.
//!
//! [`OutputColumn`] is made once for many rows. For a single row the common types are written from the array where it
//! is; for the others one is made of the one value.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type};

use super::column::{OutputColumn, append_binary_field, append_text_field};
use super::error::TypeError;
use super::pg_type::PgType;
use super::settings::OutputSettings;

const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Appends the text of a value: its length as i32, -1 for NULL, and the text.
///
/// # Errors
/// As [`OutputColumn::new`]; `54000` for a value that the protocol cannot carry.
pub(crate) fn append_text_value(
    ty: &PgType,
    array: &ArrayRef,
    row: usize,
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    let mut digits = itoa::Buffer::new();
    let text = match (ty, array.data_type()) {
        _ if array.is_null(row) => {
            out.extend_from_slice(&NULL);
            return Ok(());
        }
        (PgType::Int2, DataType::Int16) => {
            digits.format(array.as_primitive::<Int16Type>().value(row))
        }
        (PgType::Int4, DataType::Int32) => {
            digits.format(array.as_primitive::<Int32Type>().value(row))
        }
        (PgType::Int8, DataType::Int64) => {
            digits.format(array.as_primitive::<Int64Type>().value(row))
        }
        (PgType::Text | PgType::Varchar(_), DataType::Utf8View) => {
            array.as_string_view().value(row)
        }
        _ => {
            let column = OutputColumn::new(ty, &array.slice(row, 1))?;
            return append_text_field(&column, 0, settings, out);
        }
    };
    append(text.as_bytes(), out)
}

/// Appends the binary form of a value: its length as i32, -1 for NULL, and its bytes.
///
/// # Errors
/// As [`append_text_value`].
pub(crate) fn append_binary_value(
    ty: &PgType,
    array: &ArrayRef,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    match (ty, array.data_type()) {
        _ if array.is_null(row) => {
            out.extend_from_slice(&NULL);
            Ok(())
        }
        (PgType::Int2, DataType::Int16) => {
            append(&array.as_primitive::<Int16Type>().value(row).to_be_bytes(), out)
        }
        (PgType::Int4, DataType::Int32) => {
            append(&array.as_primitive::<Int32Type>().value(row).to_be_bytes(), out)
        }
        (PgType::Int8, DataType::Int64) => {
            append(&array.as_primitive::<Int64Type>().value(row).to_be_bytes(), out)
        }
        (PgType::Text | PgType::Varchar(_), DataType::Utf8View) => {
            append(array.as_string_view().value(row).as_bytes(), out)
        }
        _ => {
            let column = OutputColumn::new(ty, &array.slice(row, 1))?;
            append_binary_field(&column, 0, out)
        }
    }
}

fn append(value: &[u8], out: &mut Vec<u8>) -> Result<(), TypeError> {
    let length = i32::try_from(value.len())
        .map_err(|_| TypeError::new("54000", "a field is larger than the protocol can carry"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int32Array, StringViewArray};

    use super::*;

    /// Both ways of writing a value give the same bytes.
    fn agrees(ty: &PgType, array: &ArrayRef) {
        let settings = OutputSettings::default();
        let column = OutputColumn::new(ty, array).unwrap();
        for row in 0..array.len() {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            append_text_value(ty, array, row, &settings, &mut one).unwrap();
            append_text_field(&column, row, &settings, &mut other).unwrap();
            assert_eq!(one, other, "{ty} {row}");
            let (mut one, mut other) = (Vec::new(), Vec::new());
            append_binary_value(ty, array, row, &mut one).unwrap();
            append_binary_field(&column, row, &mut other).unwrap();
            assert_eq!(one, other, "{ty} {row}");
        }
    }

    #[test]
    fn a_value_is_written_as_its_column_writes_it() {
        let numbers: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(0), None, Some(-7), Some(i32::MIN)]));
        agrees(&PgType::Int4, &numbers);
        let words: ArrayRef = Arc::new(StringViewArray::from(vec![
            Some("a"),
            None,
            Some(""),
            Some("longer than twelve bytes"),
        ]));
        agrees(&PgType::Text, &words);
        agrees(&PgType::Varchar(Some(40)), &words);
        agrees(&PgType::Bpchar(Some(40)), &words);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.1), None, Some(1e300)]));
        agrees(&PgType::Float8, &floats);
    }
}
