//! Whole columns from text to a type and from a type to text, as SQL casts do it.

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::datatypes::DataType;

use super::column::OutputColumn;
use super::error::TypeError;
use super::input_column::InputColumn;
use super::pg_type::PgType;
use super::settings::{InputSettings, OutputSettings};

/// Reads a column of text (of any of Arrow's forms) as a type, as an explicit cast does: what is too
/// long for `character varying(n)` is cut. NULL stays NULL.
///
/// # Errors
/// The input function's own for the first value it refuses.
pub fn cast_text_array(
    array: &dyn Array,
    ty: &PgType,
    settings: &InputSettings,
) -> Result<ArrayRef, TypeError> {
    let text;
    let views = match array.as_string_view_opt() {
        Some(views) => views,
        None => {
            text = arrow::compute::cast(array, &DataType::Utf8View)?;
            text.as_string_view_opt()
                .ok_or_else(|| TypeError::mismatch("text", array.data_type()))?
        }
    };
    let mut column = InputColumn::new_explicit(ty, settings);
    for value in views {
        column.push_text(value.map(str::as_bytes))?;
    }
    column.finish_as_read()
}

/// The text of every value of a column of a type. NULL stays NULL.
///
/// A cast differs from output in two types: a boolean is `true` or `false`, and `character(n)` loses
/// the spaces at its end.
///
/// # Errors
/// `XX000` if the array is not of the type.
pub fn to_text_array(
    array: &ArrayRef,
    ty: &PgType,
    settings: &OutputSettings,
) -> Result<StringViewArray, TypeError> {
    let ty = match ty {
        PgType::Bpchar(_) => &PgType::Bpchar(None),
        other => other,
    };
    let column = OutputColumn::new(ty, array)?;
    let mut builder = StringViewBuilder::with_capacity(array.len());
    let mut text = Vec::new();
    for row in 0..array.len() {
        if column.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        column.append_text(row, settings, &mut text);
        let value = match (ty, text.as_slice()) {
            (PgType::Bool, b"t") => "true",
            (PgType::Bool, _) => "false",
            _ => std::str::from_utf8(&text)
                .map_err(|_| TypeError::new("XX000", "output is not UTF-8"))?,
        };
        builder.try_append_value(value)?;
    }
    Ok(builder.finish())
}
