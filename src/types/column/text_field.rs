//! Values as text fields of a row: length, then text.

use super::super::error::TypeError;
use super::super::settings::OutputSettings;
use super::{OutputColumn, Values, close_field, open_field};

/// Appends a value as a field: its length as i32, -1 for NULL, and its text.
///
/// Where the text is there already, or made in a buffer of its own, its length goes in front of it at once; what is
/// written piece by piece has its length filled in afterwards.
#[inline]
pub(crate) fn append_text_field(
    column: &OutputColumn,
    row: usize,
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    if column.is_null(row) {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    match &column.values {
        Values::Bool(values) => {
            out.extend_from_slice(&[0, 0, 0, 1, if values.value(row) { b't' } else { b'f' }]);
            Ok(())
        }
        Values::Int2(values) => append_integer(values.value(row), out),
        Values::Int4(values) => append_integer(values.value(row), out),
        Values::Int8(values) => append_integer(values.value(row), out),
        Values::Text(values) => append_whole(values.value(row).as_bytes(), out),
        Values::Utf8(values) => append_whole(values.value(row).as_bytes(), out),
        _ => {
            let start = open_field(out);
            column.append_text(row, settings, out);
            close_field(start, out)
        }
    }
}

fn append_integer(value: impl itoa::Integer, out: &mut Vec<u8>) -> Result<(), TypeError> {
    append_whole(itoa::Buffer::new().format(value).as_bytes(), out)
}

fn append_whole(text: &[u8], out: &mut Vec<u8>) -> Result<(), TypeError> {
    let length = i32::try_from(text.len())
        .map_err(|_| TypeError::new("54000", "a field is larger than the protocol can carry"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text);
    Ok(())
}
