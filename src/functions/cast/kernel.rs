//! How casts are computed: on columns where Arrow has the same meaning, else value by value.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, ListArray, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Time64MicrosecondType, TimestampMicrosecondType};

use super::is_string;
use super::text_io;
use crate::error::{PgError, SqlState};
use crate::functions::context::SessionContext;
use crate::functions::datum::{Datum, Value, build, read};
use crate::functions::lib::decimal::Dec;
use crate::functions::lib::{json, time};
use crate::types::binary::send::{stored_timetz, timetz_parts};
use crate::types::pg_type::PgType;
use crate::types::rounding::{round_micros, round_timestamp};

/// Converts a column. `explicit`: text that is too long for `varchar(n)` is cut, not refused.
///
/// # Errors
/// What PostgreSQL's cast says: `22003`, `22001`, `22P02`, `22007` …
pub(crate) fn cast_array(
    array: &ArrayRef,
    from: &PgType,
    to: &PgType,
    explicit: bool,
    session: Option<&dyn SessionContext>,
) -> Result<ArrayRef, PgError> {
    let converted = convert(array, from, to, explicit, session)?;
    match to.second_digits() {
        Some(digits) if from != to => rounded(&converted, digits),
        _ => Ok(converted),
    }
}

/// Dates and times with fewer digits of the second.
fn rounded(array: &ArrayRef, digits: u8) -> Result<ArrayRef, PgError> {
    if let Some(values) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        let rounded: TimestampMicrosecondArray = values.unary(|one| round_timestamp(one, digits));
        return Ok(Arc::new(rounded.with_data_type(array.data_type().clone())));
    }
    if let Some(values) = array.as_primitive_opt::<Time64MicrosecondType>() {
        let rounded: Time64MicrosecondArray = values.unary(|one| round_micros(one, digits));
        return Ok(Arc::new(rounded));
    }
    let Some(values) = array.as_fixed_size_binary_opt() else { return Ok(Arc::clone(array)) };
    let rounded = values.iter().map(|bytes| {
        bytes.map(|bytes| {
            let (micros, east) = timetz_parts(bytes);
            stored_timetz(round_micros(micros, digits), east)
        })
    });
    Ok(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(rounded, 12)?))
}

fn convert(
    array: &ArrayRef,
    from: &PgType,
    to: &PgType,
    explicit: bool,
    session: Option<&dyn SessionContext>,
) -> Result<ArrayRef, PgError> {
    if from == to && *array.data_type() == to.arrow() {
        return Ok(Arc::clone(array));
    }
    if matches!(array.data_type(), DataType::Null) {
        return Ok(crate::functions::datum::nulls(to, array.len()));
    }
    if is_string(to) {
        let texts = text_of(array, from, to, session)?;
        return string_to(&texts, to, explicit);
    }
    if is_string(from) {
        return from_string(array, to, session);
    }
    if let (PgType::Array(from), PgType::Array(to)) = (from, to) {
        return cast_list(array, from, to, explicit, session);
    }
    if let (PgType::Row(from), PgType::Row(to)) = (from, to) {
        let rows = array.as_binary_view_opt();
        let rows = rows.ok_or_else(|| PgError::internal("rows are no bytes"))?;
        let columns = from.decode(rows)?;
        let fields = columns.iter().zip(&from.fields).zip(&to.fields);
        let columns = fields
            .map(|((column, from), to)| cast_array(column, &from.ty, &to.ty, explicit, session))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Arc::new(to.encode(&columns, rows.nulls(), rows.len())?));
    }
    if let PgType::Multirange(kind) = to {
        return crate::functions::lib::range::as_multirange(array, *kind);
    }
    if lossless(from, to) || same_meaning(from, to, array.data_type()) {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        return Ok(cast_with_options(array, &to.arrow(), &options)?);
    }
    let values = (0..array.len())
        .map(|row| match read(array.as_ref(), row)? {
            Datum::Null => Ok(Datum::Null),
            value => cast_value(&value, from, to, session),
        })
        .collect::<Result<Vec<_>, PgError>>()?;
    build(to, &values)
}

fn text_of(
    array: &ArrayRef,
    from: &PgType,
    to: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<StringViewArray, PgError> {
    let array = if is_string_array(array.data_type()) {
        cast_with_options(array, &DataType::Utf8View, &CastOptions::default())?
    } else {
        Arc::clone(array)
    };
    let texts = match from {
        // A cast of a boolean gives the word, its output function only the letter.
        PgType::Bool => (0..array.len())
            .map(|row| match read(array.as_ref(), row) {
                Ok(Datum::Bool(value)) => Some(if value { "true" } else { "false" }),
                _ => None,
            })
            .collect(),
        from => text_io::output(&array, from, session)?,
    };
    // Blanks at the end of char(n) mean nothing and are not kept.
    if matches!(from, PgType::Bpchar(_)) && !matches!(to, PgType::Bpchar(_)) {
        return Ok(texts.iter().map(|text| text.map(|text| text.trim_end_matches(' '))).collect());
    }
    Ok(texts)
}

fn is_string_array(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_string_array(value),
        _ => false,
    }
}

/// A text as a value of a string type, with the length rules of that type.
fn string_to(texts: &StringViewArray, to: &PgType, explicit: bool) -> Result<ArrayRef, PgError> {
    let limited: StringViewArray = match to {
        PgType::Varchar(Some(limit)) => fit(texts, *limit, explicit, false, "character varying")?,
        PgType::Bpchar(Some(limit)) => fit(texts, *limit, explicit, true, "character")?,
        PgType::Name => texts.iter().map(|text| text.map(name_prefix)).collect(),
        PgType::InternalChar => texts
            .iter()
            .map(|text| text.map(|text| text.chars().next().map(String::from).unwrap_or_default()))
            .collect(),
        _ => texts.clone(),
    };
    Ok(Arc::new(limited))
}

/// At most 63 bytes, whole characters.
fn name_prefix(text: &str) -> &str {
    let mut end = text.len().min(63);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

fn fit(
    texts: &StringViewArray,
    limit: u32,
    explicit: bool,
    pad: bool,
    name: &str,
) -> Result<StringViewArray, PgError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let fit_one = |text: &str| -> Result<String, PgError> {
        let length = text.chars().count();
        if length <= limit {
            let padding = if pad { limit - length } else { 0 };
            return Ok(format!("{text}{}", " ".repeat(padding)));
        }
        let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
        let (kept, rest) = text.split_at(end);
        // Blanks may always be cut off: the standard says so.
        if explicit || rest.bytes().all(|byte| byte == b' ') {
            return Ok(kept.to_owned());
        }
        let message = format!("value too long for type {name}({limit})");
        Err(PgError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message))
    };
    texts.iter().map(|text| text.map(fit_one).transpose()).collect()
}

fn from_string(
    array: &ArrayRef,
    to: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<ArrayRef, PgError> {
    let texts = cast_with_options(array, &DataType::Utf8View, &CastOptions::default())?;
    let texts = texts.as_string_view();
    if let (PgType::Array(element), Some(_)) = (to, text_io::reg_kind(to.element().unwrap_or(to))) {
        // Names inside an array literal: read it as text, then each element.
        let list = text_io::input(texts, &PgType::array_of(PgType::Text), session)?;
        return cast_list(&list, &PgType::Text, element, true, session);
    }
    text_io::input(texts, to, session)
}

fn cast_list(
    array: &ArrayRef,
    from: &PgType,
    to: &PgType,
    explicit: bool,
    session: Option<&dyn SessionContext>,
) -> Result<ArrayRef, PgError> {
    let list = array
        .as_list_opt::<i32>()
        .ok_or_else(|| PgError::internal(format!("an array is stored as {}", array.data_type())))?;
    let items = match list.values().data_type() {
        // Inner dimensions.
        DataType::List(_) => cast_list(list.values(), from, to, explicit, session)?,
        _ => cast_array(list.values(), from, to, explicit, session)?,
    };
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let list = ListArray::try_new(field, list.offsets().clone(), items, list.nulls().cloned())?;
    Ok(Arc::new(list))
}

/// Conversions that never fail and mean the same to Arrow.
pub(crate) fn lossless(from: &PgType, to: &PgType) -> bool {
    use PgType as T;
    matches!(
        (from, to),
        (T::Int2, T::Int4 | T::Int8 | T::Float4 | T::Float8)
            | (T::Int4, T::Int8 | T::Float8)
            | (T::Float4, T::Float8)
    )
}

/// Conversions between types of one storage, or integers to numeric.
fn same_meaning(from: &PgType, to: &PgType, stored: &DataType) -> bool {
    use PgType as T;
    *stored == to.arrow() && !matches!(to, T::Jsonb)
        || matches!((from, to), (T::Int4, T::Float4) | (T::Int8, T::Float4 | T::Float8))
}

fn out_of_range(to: &PgType) -> PgError {
    PgError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{} out of range", to.without_modifier()),
    )
}

fn int_in_range(value: i128, to: &PgType) -> Result<Value, PgError> {
    let range = match to {
        PgType::Int2 => i128::from(i16::MIN)..=i128::from(i16::MAX),
        PgType::Int4 => i128::from(i32::MIN)..=i128::from(i32::MAX),
        PgType::Int8 => i128::from(i64::MIN)..=i128::from(i64::MAX),
        // Negative numbers wrap, as they do there.
        _ => i128::from(i32::MIN)..=i128::from(u32::MAX),
    };
    if !range.contains(&value) {
        return Err(match to {
            PgType::Int2 | PgType::Int4 | PgType::Int8 => out_of_range(to),
            _ => PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range"),
        });
    }
    let unsigned = !matches!(to, PgType::Int2 | PgType::Int4 | PgType::Int8);
    let value = if unsigned && value < 0 { value + (1 << 32) } else { value };
    i64::try_from(value).map(Datum::Int).map_err(|_| out_of_range(to))
}

/// Half to even, as the processor rounds and PostgreSQL with it.
fn float_to_int(value: f64, to: &PgType) -> Result<Value, PgError> {
    let rounded = value.round_ties_even();
    // 2^63 as a double is out of range, -2^63 is not.
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        return Err(out_of_range(to));
    }
    int_in_range(rounded as i128, to)
}

/// A double as float4.
///
/// # Errors
/// `22003` on overflow and underflow.
pub(crate) fn to_float4(value: f64) -> Result<Value, PgError> {
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() {
        return Err(PgError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: overflow",
        ));
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(PgError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: underflow",
        ));
    }
    Ok(Datum::Float(narrow.into()))
}

fn cast_value(
    value: &Datum<'_>,
    from: &PgType,
    to: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<Value, PgError> {
    use PgType as T;
    match (value, to) {
        (Datum::Int(value), T::Bool) => Ok(Datum::Bool(*value != 0)),
        (Datum::Int(value), T::Float4 | T::Float8) => Ok(Datum::Float(*value as f64)),
        (Datum::Int(value), T::Numeric(_)) => Ok(Datum::Num(Dec::from_int(*value))),
        (Datum::Int(value), T::Int4) if matches!(from, T::Oid) || super::is_reg(from) => {
            // Above 2^31 an OID is negative as an integer.
            Ok(Datum::Int(i64::from(*value as u32 as i32)))
        }
        (Datum::Int(value), _) => int_in_range((*value).into(), to),
        (Datum::Bool(value), T::Int4) => Ok(Datum::Int((*value).into())),
        (Datum::Float(value), T::Int2 | T::Int4 | T::Int8) => float_to_int(*value, to),
        (Datum::Float(value), T::Float4) => to_float4(*value),
        (Datum::Float(value), T::Float8) => Ok(Datum::Float(*value)),
        (Datum::Float(value), T::Numeric(_)) => {
            let digits = if *from == T::Float4 { 6 } else { 15 };
            Ok(Datum::Num(Dec::from_f64(*value, digits)?))
        }
        (Datum::Num(value), T::Int2 | T::Int4 | T::Int8) => int_in_range(value.to_integer()?, to),
        (Datum::Num(value), T::Float4) => to_float4(value.to_f64()),
        (Datum::Num(value), T::Float8) => Ok(Datum::Float(value.to_f64())),
        (Datum::Num(value), T::Numeric(_)) => Ok(Datum::Num(*value)),
        (Datum::Text(text), T::Json | T::Jsonb) if matches!(from, T::Json | T::Jsonb) => {
            json::convert(text, *to == T::Jsonb)
        }
        (Datum::Text(text), _) if *from == T::Jsonb => json::to_scalar(text, to),
        (Datum::List(items), T::Array(_)) => Ok(Datum::List(items.clone()).into_owned()),
        (value, to) => time::cast(value, from, to, session),
    }
}
