//! Values as JSON text, by the table of `WIRE.md` §5.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow::temporal_conversions::{date32_to_datetime, time64us_to_time, timestamp_us_to_datetime};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{NaiveTime, Timelike};
use datafusion::common::Result;

use crate::error::PgError;
use crate::types::enum_type::EnumType;
use crate::types::pg_type::PgType;
use crate::types::range::{RangeKind, multi_text_of, text_of};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A column whose values can be written as JSON.
pub(super) struct Json<'a> {
    values: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// By Arrow type, in this module.
    Plain,
    /// JSON text, written as it is.
    Raw,
    Uuid,
    /// A time with a zone, in PostgreSQL's binary form: microseconds, and seconds west of Greenwich.
    Timetz,
    Enum(Arc<EnumType>),
    Range(RangeKind),
    Multirange(RangeKind),
    /// Elements of each list, offset by list.
    List(PgType),
    /// Any other type, as a string.
    Display(ArrayFormatter<'a>),
}

impl<'a> Json<'a> {
    /// Values of PostgreSQL type `ty`.
    ///
    /// # Errors
    /// `XX000` if Arrow cannot show values of the array's type.
    pub(super) fn new(values: &'a dyn Array, ty: &PgType) -> Result<Self> {
        let kind = match (ty, values.data_type()) {
            (PgType::Json | PgType::Jsonb, DataType::Utf8View) => Kind::Raw,
            (PgType::Uuid, DataType::FixedSizeBinary(16)) => Kind::Uuid,
            (PgType::Timetz(_), DataType::FixedSizeBinary(12)) => Kind::Timetz,
            (PgType::Enum(ty), DataType::FixedSizeBinary(_)) => Kind::Enum(Arc::clone(ty)),
            (PgType::Range(kind), DataType::BinaryView) => Kind::Range(*kind),
            (PgType::Multirange(kind), DataType::BinaryView) => Kind::Multirange(*kind),
            (_, DataType::List(_)) => Kind::List(ty.element().cloned().unwrap_or(PgType::Text)),
            (_, data_type) if is_plain(data_type) => Kind::Plain,
            _ => {
                // Owned by the formatter's user for as long as the array is.
                const OPTIONS: FormatOptions<'static> = FormatOptions::new();
                Kind::Display(ArrayFormatter::try_new(values, &OPTIONS)?)
            }
        };
        Ok(Self { values, kind })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.values.is_null(row)
    }

    /// Appends the value of a row.
    pub(super) fn push(&self, row: usize, text: &mut String) -> Result<()> {
        if self.values.is_null(row) {
            text.push_str("null");
            return Ok(());
        }
        match &self.kind {
            Kind::Plain => push_plain(self.values, row, text)?,
            Kind::Raw => text.push_str(self.values.as_string_view().value(row)),
            Kind::Uuid => {
                let bytes = self.values.as_fixed_size_binary().value(row);
                let uuid = uuid::Uuid::from_slice(bytes)
                    .map_err(|_| PgError::internal("uuid of another length"))?;
                push_display(text, uuid)?;
            }
            Kind::Enum(ty) => {
                push_string(text, ty.label(self.values.as_fixed_size_binary().value(row)));
            }
            Kind::Range(kind) => {
                push_string(text, &text_of(*kind, self.values.as_binary_view().value(row)));
            }
            Kind::Multirange(kind) => {
                push_string(text, &multi_text_of(*kind, self.values.as_binary_view().value(row)));
            }
            Kind::Timetz => push_timetz(self.values.as_fixed_size_binary().value(row), text)?,
            Kind::List(element) => {
                let items: ArrayRef = self.values.as_list::<i32>().value(row);
                let items = Json::new(items.as_ref(), element)?;
                text.push('[');
                for at in 0..items.values.len() {
                    if at > 0 {
                        text.push(',');
                    }
                    items.push(at, text)?;
                }
                text.push(']');
            }
            Kind::Display(formatter) => push_string(text, &formatter.value(row).try_to_string()?),
        }
        Ok(())
    }
}

fn is_plain(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Boolean
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(_, _)
            | DataType::Decimal256(_, _)
            | DataType::Utf8View
            | DataType::BinaryView
            | DataType::Date32
            | DataType::Time64(arrow::datatypes::TimeUnit::Microsecond)
            | DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _)
            | DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano)
    )
}

fn push_plain(values: &dyn Array, row: usize, text: &mut String) -> Result<()> {
    match values.data_type() {
        DataType::Boolean => {
            text.push_str(if values.as_boolean().value(row) { "true" } else { "false" });
        }
        DataType::Int16 => write_number(text, values.as_primitive::<Int16Type>().value(row))?,
        DataType::Int32 => write_number(text, values.as_primitive::<Int32Type>().value(row))?,
        DataType::Int64 => write_number(text, values.as_primitive::<Int64Type>().value(row))?,
        DataType::UInt32 => write_number(text, values.as_primitive::<UInt32Type>().value(row))?,
        DataType::UInt64 => write_number(text, values.as_primitive::<UInt64Type>().value(row))?,
        DataType::Float32 => {
            let value = values.as_primitive::<Float32Type>().value(row);
            push_float(text, f64::from(value), &format!("{value:?}"));
        }
        DataType::Float64 => {
            let value = values.as_primitive::<Float64Type>().value(row);
            push_float(text, value, &format!("{value:?}"));
        }
        DataType::Decimal128(_, scale) => {
            push_decimal(
                text,
                &values.as_primitive::<Decimal128Type>().value_as_string(row),
                *scale,
            );
        }
        DataType::Decimal256(_, scale) => {
            push_decimal(
                text,
                &values.as_primitive::<Decimal256Type>().value_as_string(row),
                *scale,
            );
        }
        DataType::Utf8View => push_string(text, values.as_string_view().value(row)),
        DataType::BinaryView => {
            text.push_str("\"\\\\x");
            for byte in values.as_binary_view().value(row) {
                write_number(text, format_args!("{byte:02x}"))?;
            }
            text.push('"');
        }
        DataType::Date32 => {
            let date = date32_to_datetime(values.as_primitive::<Date32Type>().value(row));
            push_display(text, date.ok_or_else(out_of_range)?.date())?;
        }
        DataType::Time64(_) => {
            let time = time64us_to_time(values.as_primitive::<Time64MicrosecondType>().value(row));
            text.push('"');
            push_time(text, time.ok_or_else(out_of_range)?)?;
            text.push('"');
        }
        DataType::Timestamp(_, zone) => {
            let at = timestamp_us_to_datetime(
                values.as_primitive::<TimestampMicrosecondType>().value(row),
            )
            .ok_or_else(out_of_range)?;
            write_number(text, format_args!("\"{}T", at.date()))?;
            push_time(text, at.time())?;
            text.push_str(if zone.is_some() { "Z\"" } else { "\"" });
        }
        DataType::Interval(_) => {
            let value = values.as_primitive::<IntervalMonthDayNanoType>().value(row);
            push_interval(text, value.months, value.days, value.nanoseconds)?;
        }
        other => return Err(PgError::internal(format!("no JSON form for {other}")).into()),
    }
    Ok(())
}

fn out_of_range() -> PgError {
    PgError::new(crate::error::SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

fn write_number(text: &mut String, value: impl std::fmt::Display) -> Result<()> {
    write!(text, "{value}").map_err(|_| PgError::internal("formatting failed").into())
}

fn push_display(text: &mut String, value: impl std::fmt::Display) -> Result<()> {
    write_number(text, format_args!("\"{value}\""))
}

/// A float has a point or an exponent, so that it is not taken for an integer; Rust's debug form does just that.
fn push_float(text: &mut String, value: f64, shown: &str) {
    if value.is_nan() {
        text.push_str("\"NaN\"");
    } else if value.is_infinite() {
        text.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    } else {
        text.push_str(shown);
    }
}

/// `numeric` without a scale is stored with one, whose zeros say nothing.
fn push_decimal(text: &mut String, shown: &str, scale: i8) {
    if scale == crate::types::pg_type::NUMERIC_STORAGE.1 && shown.contains('.') {
        text.push_str(shown.trim_end_matches('0').trim_end_matches('.'));
    } else {
        text.push_str(shown);
    }
}

/// `12:31`, `12:31:05`, `12:31:05.25`: seconds only where they are not zero.
fn push_time(text: &mut String, time: NaiveTime) -> Result<()> {
    write_number(text, format_args!("{:02}:{:02}", time.hour(), time.minute()))?;
    let micros = time.nanosecond() / 1000;
    if time.second() == 0 && micros == 0 {
        return Ok(());
    }
    write_number(text, format_args!(":{:02}", time.second()))?;
    push_fraction(text, u64::from(micros))
}

fn push_fraction(text: &mut String, micros: u64) -> Result<()> {
    if micros == 0 {
        return Ok(());
    }
    let digits = format!("{micros:06}");
    write_number(text, format_args!(".{}", digits.trim_end_matches('0')))
}

fn push_timetz(bytes: &[u8], text: &mut String) -> Result<()> {
    if bytes.len() != 12 {
        return Err(PgError::internal("time with time zone of another length").into());
    }
    let (micros, east) = crate::types::binary::send::timetz_parts(bytes);
    text.push('"');
    push_time(text, time64us_to_time(micros).ok_or_else(out_of_range)?)?;
    if east == 0 {
        text.push('Z');
    } else {
        let sign = if east < 0 { '-' } else { '+' };
        let minutes = east.abs() / 60;
        write_number(text, format_args!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))?;
    }
    text.push('"');
    Ok(())
}

/// `P1Y2M10DT2H30M`; zero is `PT0S`.
fn push_interval(text: &mut String, months: i32, days: i32, nanoseconds: i64) -> Result<()> {
    text.push_str("\"P");
    let start = text.len();
    let part = |text: &mut String, value: i64, unit: char| match value {
        0 => Ok(()),
        value => write_number(text, format_args!("{value}{unit}")),
    };
    part(text, i64::from(months / 12), 'Y')?;
    part(text, i64::from(months % 12), 'M')?;
    part(text, i64::from(days), 'D')?;
    let micros = nanoseconds / 1000;
    let seconds = micros / MICROS_PER_SECOND;
    let (fraction, rest) = ((micros % MICROS_PER_SECOND).unsigned_abs(), seconds % 60);
    if micros != 0 {
        text.push('T');
        part(text, seconds / 3600, 'H')?;
        part(text, seconds / 60 % 60, 'M')?;
        if rest != 0 || fraction != 0 {
            let sign = if micros < 0 { "-" } else { "" };
            write_number(text, format_args!("{sign}{}", rest.abs()))?;
            push_fraction(text, fraction)?;
            text.push('S');
        }
    }
    if text.len() == start {
        text.push_str("T0S");
    }
    text.push('"');
    Ok(())
}

/// Appends a JSON string.
pub(super) fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                text.push_str(&format!("\\u{:04x}", control as u32));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// Appends a key's values: one as its plain text, several as a JSON array.
pub(super) fn push_key_text(text: &mut String, keys: &[Json<'_>], row: usize) -> Result<()> {
    if let [only] = keys {
        if only.values.data_type() == &DataType::Utf8View && !only.is_null(row) {
            text.push_str(only.values.as_string_view().value(row));
            return Ok(());
        }
        let mut json = String::new();
        only.push(row, &mut json)?;
        text.push_str(json.trim_matches('"'));
        return Ok(());
    }
    text.push('[');
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        key.push(row, text)?;
    }
    text.push(']');
    Ok(())
}
