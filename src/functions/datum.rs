//! One value at a time: what row kernels take and return, and the way from and to Arrow arrays.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewBuilder, BooleanBuilder,
    Decimal128Builder, FixedSizeBinaryBuilder, ListArray, PrimitiveBuilder, StringViewBuilder,
    StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::error::{PgError, SqlState};
use crate::functions::context::SessionContext;
use crate::functions::lib::decimal::Dec;
use crate::types::pg_type::PgType;

/// A value. Integers of all widths are `Int`, both timestamps `Timestamp` (microseconds since 1970-01-01).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Num(Dec),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    Timestamp(i64),
    Interval(IntervalMonthDayNano),
    List(Vec<Datum<'a>>),
    /// A row, for set-returning functions of several columns.
    Row(Vec<Datum<'a>>),
}

/// A value that borrows nothing.
pub(crate) type Value = Datum<'static>;

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Cow::Owned(bytes.into()))
    }

    pub(crate) fn opt_text(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::text)
    }
}

impl Datum<'_> {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A copy that borrows nothing.
    pub(crate) fn into_owned(self) -> Value {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(value),
            Self::Int(value) => Datum::Int(value),
            Self::Float(value) => Datum::Float(value),
            Self::Num(value) => Datum::Num(value),
            Self::Text(value) => Datum::Text(Cow::Owned(value.into_owned())),
            Self::Bytes(value) => Datum::Bytes(Cow::Owned(value.into_owned())),
            Self::Date(value) => Datum::Date(value),
            Self::Time(value) => Datum::Time(value),
            Self::Timestamp(value) => Datum::Timestamp(value),
            Self::Interval(value) => Datum::Interval(value),
            Self::List(items) => Datum::List(items.into_iter().map(Datum::into_owned).collect()),
            Self::Row(items) => Datum::Row(items.into_iter().map(Datum::into_owned).collect()),
        }
    }
}

/// What a kernel knows besides its arguments.
pub(crate) struct Call<'a> {
    pub(crate) session: Option<&'a dyn SessionContext>,
    pub(crate) arg_types: &'a [PgType],
    pub(crate) return_type: &'a PgType,
    /// The function's name, for messages.
    pub(crate) name: &'a str,
}

impl<'a> Call<'a> {
    /// The session.
    ///
    /// # Errors
    /// `0A000` where the function is evaluated without one.
    pub(crate) fn session(&self) -> Result<&'a dyn SessionContext, PgError> {
        self.session.ok_or_else(|| {
            PgError::unsupported(
                format!("function {} needs a session", self.name),
                "Call it in a statement of a connection.",
            )
        })
    }

    /// A setting, or this default.
    pub(crate) fn setting(&self, name: &str, default: &str) -> String {
        self.session.and_then(|session| session.setting(name)).unwrap_or_else(|| default.to_owned())
    }

    pub(crate) fn arg_type(&self, index: usize) -> &PgType {
        self.arg_types.get(index).unwrap_or(&PgType::Unknown)
    }
}

/// Arguments of one row.
#[derive(Clone, Copy)]
pub(crate) struct Args<'r, 'a>(pub(crate) &'r [Datum<'a>]);

fn mismatch<T>(wanted: &str, index: usize, found: &Datum<'_>) -> Result<T, PgError> {
    let found = format!("{found:?}");
    let kind = found.split(['(', ' ']).next().unwrap_or_default();
    Err(PgError::internal(format!("argument {index} is {kind} and not {wanted}")))
}

impl<'r, 'a> Args<'r, 'a> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The argument, null if it was left out.
    pub(crate) fn get(&self, index: usize) -> &'r Datum<'a> {
        self.0.get(index).unwrap_or(&Datum::Null)
    }

    pub(crate) fn is_null(&self, index: usize) -> bool {
        self.get(index).is_null()
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        !self.is_null(index)
    }

    pub(crate) fn text(&self, index: usize) -> Result<&'r str, PgError> {
        match self.get(index) {
            Datum::Text(text) => Ok(text),
            other => mismatch("text", index, other),
        }
    }

    pub(crate) fn bytes(&self, index: usize) -> Result<&'r [u8], PgError> {
        match self.get(index) {
            Datum::Bytes(bytes) => Ok(bytes),
            other => mismatch("bytes", index, other),
        }
    }

    pub(crate) fn int(&self, index: usize) -> Result<i64, PgError> {
        match self.get(index) {
            Datum::Int(value) => Ok(*value),
            other => mismatch("integer", index, other),
        }
    }

    pub(crate) fn float(&self, index: usize) -> Result<f64, PgError> {
        match self.get(index) {
            Datum::Float(value) => Ok(*value),
            Datum::Int(value) => Ok(*value as f64),
            Datum::Num(value) => Ok(value.to_f64()),
            other => mismatch("float", index, other),
        }
    }

    pub(crate) fn num(&self, index: usize) -> Result<Dec, PgError> {
        match self.get(index) {
            Datum::Num(value) => Ok(*value),
            Datum::Int(value) => Ok(Dec::from_int(*value)),
            other => mismatch("numeric", index, other),
        }
    }

    pub(crate) fn bool(&self, index: usize) -> Result<bool, PgError> {
        match self.get(index) {
            Datum::Bool(value) => Ok(*value),
            other => mismatch("boolean", index, other),
        }
    }

    pub(crate) fn date(&self, index: usize) -> Result<i32, PgError> {
        match self.get(index) {
            Datum::Date(value) => Ok(*value),
            other => mismatch("date", index, other),
        }
    }

    pub(crate) fn time(&self, index: usize) -> Result<i64, PgError> {
        match self.get(index) {
            Datum::Time(value) => Ok(*value),
            other => mismatch("time", index, other),
        }
    }

    pub(crate) fn timestamp(&self, index: usize) -> Result<i64, PgError> {
        match self.get(index) {
            Datum::Timestamp(value) => Ok(*value),
            other => mismatch("timestamp", index, other),
        }
    }

    pub(crate) fn interval(&self, index: usize) -> Result<IntervalMonthDayNano, PgError> {
        match self.get(index) {
            Datum::Interval(value) => Ok(*value),
            other => mismatch("interval", index, other),
        }
    }

    pub(crate) fn list(&self, index: usize) -> Result<&'r [Datum<'a>], PgError> {
        match self.get(index) {
            Datum::List(items) => Ok(items),
            other => mismatch("array", index, other),
        }
    }
}

/// A kernel on one row.
pub(crate) type RowFn = fn(&Call<'_>, Args<'_, '_>) -> Result<Value, PgError>;
/// A kernel on whole columns, all of the same length.
pub(crate) type ColumnFn = fn(&Call<'_>, &[ArrayRef]) -> Result<ArrayRef, PgError>;

/// How a function is computed.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// Row by row.
    Row(RowFn),
    /// On columns; for what stands in inner loops.
    Column(ColumnFn),
}

fn prim<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// The value of `array` at `row`, which must be below its length.
///
/// # Errors
/// `0A000` for an Arrow type no PostgreSQL type is stored in.
pub(crate) fn read(array: &dyn Array, row: usize) -> Result<Datum<'_>, PgError> {
    if array.is_null(row) {
        return Ok(Datum::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Datum::Null,
        DataType::Boolean => Datum::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Datum::Int(prim::<Int8Type>(array, row).into()),
        DataType::Int16 => Datum::Int(prim::<Int16Type>(array, row).into()),
        DataType::Int32 => Datum::Int(prim::<Int32Type>(array, row).into()),
        DataType::Int64 => Datum::Int(prim::<Int64Type>(array, row)),
        DataType::UInt8 => Datum::Int(prim::<UInt8Type>(array, row).into()),
        DataType::UInt16 => Datum::Int(prim::<UInt16Type>(array, row).into()),
        DataType::UInt32 => Datum::Int(prim::<UInt32Type>(array, row).into()),
        DataType::UInt64 => {
            Datum::Int(i64::try_from(prim::<UInt64Type>(array, row)).map_err(|_| {
                PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")
            })?)
        }
        DataType::Float32 => Datum::Float(prim::<Float32Type>(array, row).into()),
        DataType::Float64 => Datum::Float(prim::<Float64Type>(array, row)),
        DataType::Decimal32(_, scale) => {
            Datum::Num(Dec::new(prim::<Decimal32Type>(array, row).into(), *scale))
        }
        DataType::Decimal64(_, scale) => {
            Datum::Num(Dec::new(prim::<Decimal64Type>(array, row).into(), *scale))
        }
        DataType::Decimal128(_, scale) => {
            Datum::Num(Dec::new(prim::<Decimal128Type>(array, row), *scale))
        }
        DataType::Decimal256(_, scale) => {
            let value = prim::<Decimal256Type>(array, row).to_i128().ok_or_else(Dec::overflow)?;
            Datum::Num(Dec::new(value, *scale))
        }
        DataType::Utf8 => Datum::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => Datum::Text(Cow::Borrowed(array.as_string::<i64>().value(row))),
        DataType::Utf8View => Datum::Text(Cow::Borrowed(array.as_string_view().value(row))),
        DataType::Binary => Datum::Bytes(Cow::Borrowed(array.as_binary::<i32>().value(row))),
        DataType::LargeBinary => Datum::Bytes(Cow::Borrowed(array.as_binary::<i64>().value(row))),
        DataType::BinaryView => Datum::Bytes(Cow::Borrowed(array.as_binary_view().value(row))),
        DataType::FixedSizeBinary(_) => {
            Datum::Bytes(Cow::Borrowed(array.as_fixed_size_binary().value(row)))
        }
        DataType::Date32 => Datum::Date(prim::<Date32Type>(array, row)),
        DataType::Date64 => Datum::Date((prim::<Date64Type>(array, row) / 86_400_000) as i32),
        DataType::Time64(TimeUnit::Microsecond) => {
            Datum::Time(prim::<Time64MicrosecondType>(array, row))
        }
        DataType::Timestamp(unit, _) => Datum::Timestamp(match unit {
            TimeUnit::Second => prim::<TimestampSecondType>(array, row).saturating_mul(1_000_000),
            TimeUnit::Millisecond => {
                prim::<TimestampMillisecondType>(array, row).saturating_mul(1_000)
            }
            TimeUnit::Microsecond => prim::<TimestampMicrosecondType>(array, row),
            TimeUnit::Nanosecond => prim::<TimestampNanosecondType>(array, row).div_euclid(1_000),
        }),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            Datum::Interval(prim::<IntervalMonthDayNanoType>(array, row))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            read_range(list.values().as_ref(), offsets.get(row), offsets.get(row + 1))?
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            Datum::Row(
                columns
                    .iter()
                    .map(|column| read(column.as_ref(), row))
                    .collect::<Result<_, _>>()?,
            )
        }
        other => {
            return Err(PgError::unsupported(
                format!("functions do not take values stored as {other}"),
                "Cast the argument to a PostgreSQL type first.",
            ));
        }
    })
}

fn read_range<'a>(
    values: &'a dyn Array,
    start: Option<&i32>,
    end: Option<&i32>,
) -> Result<Datum<'a>, PgError> {
    let (Some(start), Some(end)) = (start, end) else { return Ok(Datum::List(Vec::new())) };
    let range = usize::try_from(*start).unwrap_or(0)..usize::try_from(*end).unwrap_or(0);
    Ok(Datum::List(range.map(|item| read(values, item)).collect::<Result<_, _>>()?))
}

/// An array of the type's storage from values.
///
/// # Errors
/// `22003` for a number that does not fit; `XX000` for a value of another kind.
pub(crate) fn build(ty: &PgType, values: &[Datum<'_>]) -> Result<ArrayRef, PgError> {
    build_arrow(&ty.arrow(), values, ty)
}

fn build_primitive<T: ArrowPrimitiveType>(
    values: &[Datum<'_>],
    data_type: &DataType,
    get: impl Fn(&Datum<'_>) -> Result<T::Native, PgError>,
) -> Result<ArrayRef, PgError> {
    let mut builder =
        PrimitiveBuilder::<T>::with_capacity(values.len()).with_data_type(data_type.clone());
    for value in values {
        match value {
            Datum::Null => builder.append_null(),
            value => builder.append_value(get(value)?),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn wrong<T>(value: &Datum<'_>, ty: &PgType) -> Result<T, PgError> {
    mismatch(&ty.name(), 0, value)
}

fn int_of<N: TryFrom<i64>>(value: &Datum<'_>, ty: &PgType) -> Result<N, PgError> {
    match value {
        Datum::Int(value) => N::try_from(*value).map_err(|_| {
            let name = ty.element().unwrap_or(ty).name();
            PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
        }),
        other => wrong(other, ty),
    }
}

/// Bytes of a view's buffer are addressed with 32 bits; a larger value cannot be stored.
fn check_view(length: usize) -> Result<(), PgError> {
    if u32::try_from(length).is_ok_and(|length| length < 1 << 30) {
        return Ok(());
    }
    Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "value exceeds the maximum size of 1 GB"))
}

/// An array of an Arrow type from values; `ty` is named in messages.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_arrow(
    data_type: &DataType,
    values: &[Datum<'_>],
    ty: &PgType,
) -> Result<ArrayRef, PgError> {
    match data_type {
        DataType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Datum::Null => builder.append_null(),
                    Datum::Bool(value) => builder.append_value(*value),
                    other => return wrong(other, ty),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::Int16 => build_primitive::<Int16Type>(values, data_type, |v| int_of(v, ty)),
        DataType::Int32 => build_primitive::<Int32Type>(values, data_type, |v| int_of(v, ty)),
        DataType::Int64 => build_primitive::<Int64Type>(values, data_type, |v| int_of(v, ty)),
        DataType::UInt32 => build_primitive::<UInt32Type>(values, data_type, |v| int_of(v, ty)),
        DataType::UInt64 => build_primitive::<UInt64Type>(values, data_type, |v| int_of(v, ty)),
        DataType::Float32 => build_primitive::<Float32Type>(values, data_type, |v| match v {
            Datum::Float(value) => Ok(*value as f32),
            other => wrong(other, ty),
        }),
        DataType::Float64 => build_primitive::<Float64Type>(values, data_type, |v| match v {
            Datum::Float(value) => Ok(*value),
            other => wrong(other, ty),
        }),
        DataType::Decimal128(precision, scale) => build_decimal(values, *precision, *scale, ty),
        DataType::Date32 => build_primitive::<Date32Type>(values, data_type, |v| match v {
            Datum::Date(value) => Ok(*value),
            other => wrong(other, ty),
        }),
        DataType::Time64(_) => {
            build_primitive::<Time64MicrosecondType>(values, data_type, |v| match v {
                Datum::Time(value) => Ok(*value),
                other => wrong(other, ty),
            })
        }
        DataType::Timestamp(_, _) => {
            build_primitive::<TimestampMicrosecondType>(values, data_type, |v| match v {
                Datum::Timestamp(value) => Ok(*value),
                other => wrong(other, ty),
            })
        }
        DataType::Interval(_) => {
            build_primitive::<IntervalMonthDayNanoType>(values, data_type, |v| match v {
                Datum::Interval(value) => Ok(*value),
                other => wrong(other, ty),
            })
        }
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Datum::Null => builder.append_null(),
                    Datum::Text(text) => {
                        check_view(text.len())?;
                        builder.append_value(text);
                    }
                    other => return wrong(other, ty),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::BinaryView => {
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Datum::Null => builder.append_null(),
                    Datum::Bytes(bytes) => {
                        check_view(bytes.len())?;
                        builder.append_value(bytes);
                    }
                    other => return wrong(other, ty),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::FixedSizeBinary(size) => {
            let mut builder = FixedSizeBinaryBuilder::with_capacity(values.len(), *size);
            for value in values {
                match value {
                    Datum::Null => builder.append_null(),
                    Datum::Bytes(bytes) => builder.append_value(bytes)?,
                    other => return wrong(other, ty),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::List(item) => build_list(item.data_type(), values, ty),
        other => Err(PgError::internal(format!("no builder for {other}"))),
    }
}

fn build_decimal(
    values: &[Datum<'_>],
    precision: u8,
    scale: i8,
    ty: &PgType,
) -> Result<ArrayRef, PgError> {
    let mut builder = Decimal128Builder::with_capacity(values.len())
        .with_precision_and_scale(precision, scale)?;
    for value in values {
        match value {
            Datum::Null => builder.append_null(),
            Datum::Num(value) => builder.append_value(value.fit(precision, scale)?),
            Datum::Int(value) => builder.append_value(Dec::from_int(*value).fit(precision, scale)?),
            other => return wrong(other, ty),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn build_list(item: &DataType, values: &[Datum<'_>], ty: &PgType) -> Result<ArrayRef, PgError> {
    let mut items = Vec::new();
    let (mut offsets, mut valid) = (vec![0_i32], Vec::with_capacity(values.len()));
    for value in values {
        match value {
            Datum::Null => valid.push(false),
            Datum::List(elements) => {
                valid.push(true);
                items.extend(elements.iter().cloned());
            }
            other => return wrong(other, ty),
        }
        offsets.push(i32::try_from(items.len()).map_err(|_| {
            PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed")
        })?);
    }
    let element = ty.element().unwrap_or(ty);
    // Inner lists of a PostgreSQL array of several dimensions have the array's own element type.
    let items = match item {
        DataType::List(inner) => build_list(inner.data_type(), &items, ty)?,
        item => build_arrow(item, &items, element)?,
    };
    let field = arrow::datatypes::Field::new_list_field(items.data_type().clone(), true);
    let list = ListArray::try_new(
        Arc::new(field),
        OffsetBuffer::new(offsets.into()),
        items,
        Some(NullBuffer::from(valid)),
    )?;
    Ok(Arc::new(list))
}

/// A list of rows, for set-returning functions of several columns: `List<Struct>`.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_rows(
    columns: &[(String, PgType)],
    values: &[Datum<'_>],
) -> Result<ArrayRef, PgError> {
    let (mut rows, mut offsets, mut valid) = (0_i32, vec![0_i32], Vec::with_capacity(values.len()));
    let mut cells: Vec<Vec<Datum<'_>>> = vec![Vec::new(); columns.len()];
    for value in values {
        if let Datum::List(items) = value {
            for item in items {
                let Datum::Row(row) = item else { return wrong(item, &PgType::Record) };
                for (cell, value) in cells.iter_mut().zip(row) {
                    cell.push(value.clone());
                }
                rows = rows.checked_add(1).ok_or_else(|| {
                    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "too many rows from one call")
                })?;
            }
        }
        valid.push(!value.is_null());
        offsets.push(rows);
    }
    let arrays = columns
        .iter()
        .zip(&cells)
        .map(|((_, ty), cells)| build(ty, cells))
        .collect::<Result<Vec<_>, _>>()?;
    let fields: arrow::datatypes::Fields =
        columns.iter().map(|(name, ty)| ty.field(name, true)).collect();
    let rows = StructArray::try_new(fields, arrays, None)?;
    let field = arrow::datatypes::Field::new_list_field(rows.data_type().clone(), true);
    let list = ListArray::try_new(
        Arc::new(field),
        OffsetBuffer::new(offsets.into()),
        Arc::new(rows),
        Some(NullBuffer::from(valid)),
    )?;
    Ok(Arc::new(list))
}

/// `rows` nulls of the type.
pub(crate) fn nulls(ty: &PgType, rows: usize) -> ArrayRef {
    new_null_array(&ty.arrow(), rows)
}
