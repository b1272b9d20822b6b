//! Brings the Arrow types that DataFusion computes with to the ones PostgreSQL types are stored in.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, DurationMicrosecondType, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType,
};

use super::error::TypeError;
use super::pg_type::PgType;

/// Brings an array to a representation that output knows; in the usual case it is one already.
pub(super) fn to_storage(ty: &PgType, array: &ArrayRef) -> Result<ArrayRef, TypeError> {
    let target = ty.arrow();
    let actual = array.data_type();
    let keep = match (&target, actual) {
        (DataType::Utf8View, DataType::Struct(_) | DataType::Map(_, _)) => true,
        (DataType::Utf8View, DataType::Utf8 | DataType::LargeUtf8) => !matches!(
            ty,
            PgType::Jsonb
                | PgType::Jsonpath
                | PgType::Tid
                | PgType::Inet
                | PgType::Hstore
                | PgType::Bpchar(Some(_))
        ),
        (DataType::BinaryView, DataType::Binary) => {
            !matches!(ty, PgType::Range(_) | PgType::Multirange(_))
        }
        // Any precision and scale is written as it is.
        (
            DataType::Decimal128(_, _) | DataType::Decimal256(_, _),
            DataType::Decimal128(_, _) | DataType::Decimal256(_, _),
        ) => true,
        (DataType::List(_), DataType::List(_)) => true,
        (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(unit, _)) => {
            *unit == TimeUnit::Microsecond
        }
        (target, actual) => target == actual,
    };
    if keep {
        return Ok(Arc::clone(array));
    }
    match (&target, actual) {
        // Towards the past, as PostgreSQL rounds; Arrow's own cast goes towards zero.
        (DataType::Timestamp(_, _), DataType::Timestamp(TimeUnit::Nanosecond, _)) => {
            let nanos = primitive::<TimestampNanosecondType>(ty, array)?;
            let micros = nanos.unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1000));
            Ok(Arc::new(micros))
        }
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Duration(_)) => {
            let micros = cast(array, &DataType::Duration(TimeUnit::Microsecond), ty)?;
            let micros = primitive::<DurationMicrosecondType>(ty, &micros)?;
            Ok(Arc::new(micros.try_unary::<_, IntervalMonthDayNanoType, TypeError>(|micros| {
                let nanos = micros.checked_mul(1000);
                let nanos =
                    nanos.ok_or_else(|| TypeError::new("22008", "interval out of range"))?;
                Ok(IntervalMonthDayNano::new(0, 0, nanos))
            })?))
        }
        (DataType::Decimal128(_, _), DataType::Decimal32(p, s) | DataType::Decimal64(p, s)) => {
            cast(array, &DataType::Decimal128(*p, *s), ty)
        }
        // The element is brought to its own type by itself.
        (DataType::List(_), DataType::LargeList(item) | DataType::FixedSizeList(item, _)) => {
            cast(array, &DataType::List(Arc::clone(item)), ty)
        }
        (DataType::List(_), DataType::ListView(item) | DataType::LargeListView(item)) => {
            cast(array, &DataType::List(Arc::clone(item)), ty)
        }
        (_, DataType::Dictionary(_, value)) => to_storage(ty, &cast(array, value, ty)?),
        (_, DataType::RunEndEncoded(_, value)) => {
            to_storage(ty, &cast(array, value.data_type(), ty)?)
        }
        (target, _) => cast(array, target, ty),
    }
}

fn cast(array: &ArrayRef, to: &DataType, ty: &PgType) -> Result<ArrayRef, TypeError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| match error {
        arrow::error::ArrowError::CastError(_) | arrow::error::ArrowError::ComputeError(_) => {
            TypeError::new("22003", format!("{} out of range", ty.without_modifier().name()))
        }
        other => TypeError::from(other),
    })
}

pub(super) fn primitive<T: ArrowPrimitiveType>(
    ty: &PgType,
    array: &ArrayRef,
) -> Result<PrimitiveArray<T>, TypeError> {
    array.as_primitive_opt().cloned().ok_or_else(|| mismatch(ty, array))
}

pub(super) fn mismatch(ty: &PgType, array: &ArrayRef) -> TypeError {
    TypeError::mismatch(&ty.name(), array.data_type())
}
