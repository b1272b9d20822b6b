//! Arithmetic on integers, floats and numeric, checked as PostgreSQL checks it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Datum as ArrowDatum, Int16Array, Int32Array, Int64Array, PrimitiveArray,
};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use arrow::error::ArrowError;

use super::decimal::{Dec, division_by_zero};
use super::{column, row};
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::overload::integer_digits;
use crate::functions::signature::{Def, def};
use crate::types::pg_type::{NUMERIC_STORAGE, PgType};

type IntKernel = fn(&dyn ArrowDatum, &dyn ArrowDatum) -> Result<ArrayRef, ArrowError>;

/// `22003` with the type's name.
pub(crate) fn out_of_range(ty: &PgType) -> PgError {
    PgError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{} out of range", ty.without_modifier()),
    )
}

fn int_op(call: &Call<'_>, args: &[ArrayRef], kernel: IntKernel) -> Result<ArrayRef, PgError> {
    let [left, right] = args else {
        return Err(PgError::internal("an operator needs two operands"));
    };
    kernel(left, right).map_err(|error| match error {
        ArrowError::DivideByZero => division_by_zero(),
        ArrowError::ArithmeticOverflow(_) | ArrowError::ComputeError(_) => {
            out_of_range(call.return_type)
        }
        other => other.into(),
    })
}

fn negate(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef, PgError> {
    let [operand] = args else {
        return Err(PgError::internal("a prefix operator needs one operand"));
    };
    numeric::neg(operand.as_ref()).map_err(|error| match error {
        ArrowError::ArithmeticOverflow(_) => out_of_range(call.return_type),
        other => other.into(),
    })
}

/// `22003` in float arithmetic.
pub(crate) fn float_overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// `22003` in float arithmetic.
pub(crate) fn float_underflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn floats<T: ArrowPrimitiveType>(
    args: &[ArrayRef],
    op: impl Fn(f64, f64) -> Result<f64, PgError>,
    narrow: impl Fn(f64) -> Result<T::Native, PgError>,
) -> Result<ArrayRef, PgError>
where
    T::Native: Into<f64>,
{
    let [left, right] = args else {
        return Err(PgError::internal("an operator needs two operands"));
    };
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let values = left.iter().zip(right.iter()).map(|pair| match pair {
        (Some(left), Some(right)) => op(left.into(), right.into()).and_then(&narrow).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(values.collect::<Result<PrimitiveArray<T>, PgError>>()?))
}

type FloatOp = fn(f64, f64) -> Result<f64, PgError>;

fn checked(result: f64, left: f64, right: f64) -> Result<f64, PgError> {
    if result.is_infinite() && left.is_finite() && right.is_finite() {
        return Err(float_overflow());
    }
    Ok(result)
}

fn float_add(left: f64, right: f64) -> Result<f64, PgError> {
    checked(left + right, left, right)
}

fn float_sub(left: f64, right: f64) -> Result<f64, PgError> {
    checked(left - right, left, right)
}

fn float_mul(left: f64, right: f64) -> Result<f64, PgError> {
    let result = left * right;
    if result == 0.0 && left != 0.0 && right != 0.0 {
        return Err(float_underflow());
    }
    checked(result, left, right)
}

fn float_div(left: f64, right: f64) -> Result<f64, PgError> {
    if right == 0.0 && !left.is_nan() {
        return Err(division_by_zero());
    }
    let result = left / right;
    if result == 0.0 && left != 0.0 && right.is_finite() {
        return Err(float_underflow());
    }
    checked(result, left, right)
}

fn float8(_: &Call<'_>, args: &[ArrayRef], op: FloatOp) -> Result<ArrayRef, PgError> {
    floats::<Float64Type>(args, op, Ok)
}

fn float4(_: &Call<'_>, args: &[ArrayRef], op: FloatOp) -> Result<ArrayRef, PgError> {
    floats::<Float32Type>(args, op, |value| {
        let narrow = value as f32;
        if narrow.is_infinite() && value.is_finite() { Err(float_overflow()) } else { Ok(narrow) }
    })
}

/// The operands widened: float4 beside float8.
fn mixed_float(call: &Call<'_>, args: &[ArrayRef], op: FloatOp) -> Result<ArrayRef, PgError> {
    let wide = args
        .iter()
        .map(|array| arrow::compute::cast(array, &arrow::datatypes::DataType::Float64))
        .collect::<Result<Vec<_>, _>>()?;
    float8(call, &wide, op)
}

fn remainder(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef, PgError> {
    int_op(call, args, numeric::rem)
}

fn bits<T: ArrowPrimitiveType>(
    args: &[ArrayRef],
    op: fn(i64, i64) -> i64,
) -> Result<ArrayRef, PgError>
where
    T::Native: Into<i64> + TryFrom<i64>,
{
    let [left, right] = args else {
        return Err(PgError::internal("an operator needs two operands"));
    };
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let result: PrimitiveArray<T> = left
        .iter()
        .zip(right.iter())
        .map(|pair| T::Native::try_from(op(pair.0?.into(), pair.1?.into())).ok())
        .collect();
    Ok(Arc::new(result))
}

fn int2_bits(args: &[ArrayRef], op: fn(i64, i64) -> i64) -> Result<ArrayRef, PgError> {
    bits::<Int16Type>(args, op)
}

fn int4_bits(args: &[ArrayRef], op: fn(i64, i64) -> i64) -> Result<ArrayRef, PgError> {
    bits::<Int32Type>(args, op)
}

fn int8_bits(args: &[ArrayRef], op: fn(i64, i64) -> i64) -> Result<ArrayRef, PgError> {
    bits::<Int64Type>(args, op)
}

/// Shifts count modulo the width, as the processor does it and PostgreSQL with it.
fn shift(args: Args<'_, '_>, left: bool, width: u32) -> Result<Value, PgError> {
    let (value, count) = (args.int(0)?, args.int(1)? as u32 % width);
    Ok(Datum::Int(match (width, left) {
        (16, true) => i64::from(((value as i32) << count) as i16),
        (32, true) => i64::from((value as i32) << count),
        (64, true) => value << count,
        _ => value >> count,
    }))
}

fn not(_: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef, PgError> {
    let [operand] = args else {
        return Err(PgError::internal("a prefix operator needs one operand"));
    };
    let result: ArrayRef = if let Some(array) = operand.as_primitive_opt::<Int16Type>() {
        Arc::new(array.unary::<_, Int16Type>(|value| !value)) as Arc<Int16Array>
    } else if let Some(array) = operand.as_primitive_opt::<Int32Type>() {
        Arc::new(array.unary::<_, Int32Type>(|value| !value)) as Arc<Int32Array>
    } else {
        Arc::new(operand.as_primitive::<Int64Type>().unary::<_, Int64Type>(|value| !value))
            as Arc<Int64Array>
    };
    Ok(result)
}

/// Digits after the point of each operand; the fixed ones of plain numeric where one has no modifier.
fn scales(args: &[PgType]) -> Option<(i8, i8)> {
    let scale = |ty: &PgType| match ty {
        PgType::Numeric(modifier) => modifier.map(|(_, scale)| scale),
        ty => integer_digits(ty).map(|_| 0),
    };
    match args {
        [one] => scale(one).map(|scale| (scale, 0)),
        [left, right, ..] => Some((scale(left)?, scale(right)?)),
        [] => None,
    }
}

/// numeric with this many digits after the point and room for all digits before it.
pub(crate) fn numeric_of_scale(scale: i8) -> PgType {
    PgType::Numeric(Some((38, scale)))
}

fn sum_scale(args: &[PgType], _: &[Option<i64>]) -> PgType {
    scales(args).map_or(PgType::Numeric(None), |(left, right)| numeric_of_scale(left.max(right)))
}

/// Above this many digits after the point a product would leave too little room before it.
const MAX_PRODUCT_SCALE: i8 = 20;

fn product_scale(args: &[PgType], _: &[Option<i64>]) -> PgType {
    match scales(args) {
        Some((left, right)) => {
            numeric_of_scale(left.saturating_add(right).min(MAX_PRODUCT_SCALE.max(left).max(right)))
        }
        None => PgType::Numeric(None),
    }
}

/// A quotient has at least 16 digits after the point, as in PostgreSQL for numbers from 1 to 10,000.
pub(crate) fn quotient_scale(args: &[PgType], _: &[Option<i64>]) -> PgType {
    match scales(args) {
        Some((left, right)) => PgType::Numeric(Some((37, left.max(right).max(NUMERIC_STORAGE.1)))),
        None => PgType::Numeric(None),
    }
}

/// The scale of the result type.
pub(crate) fn result_scale(call: &Call<'_>) -> i8 {
    match call.return_type {
        PgType::Numeric(Some((_, scale))) => *scale,
        _ => NUMERIC_STORAGE.1,
    }
}

type DecOp = fn(Dec, Dec, i8) -> Result<Dec, PgError>;

fn decimals(call: &Call<'_>, args: Args<'_, '_>, op: DecOp) -> Result<Value, PgError> {
    Ok(Datum::Num(op(args.num(0)?, args.num(1)?, result_scale(call))?))
}

pub(super) const OPERATORS: &[Def] = &[
    def("+(int4, int4) int4", column(|c, a| int_op(c, a, numeric::add))),
    def("+(int8, int8) int8", column(|c, a| int_op(c, a, numeric::add))),
    def("+(int2, int2) int2", column(|c, a| int_op(c, a, numeric::add))),
    def("+(float8, float8) float8", column(|c, a| float8(c, a, float_add))),
    def("+(float4, float4) float4", column(|c, a| float4(c, a, float_add))),
    def("+(float4, float8) float8", column(|c, a| mixed_float(c, a, float_add))),
    def("+(float8, float4) float8", column(|c, a| mixed_float(c, a, float_add))),
    def("+(numeric, numeric) numeric", row(|c, a| decimals(c, a, |l, r, _| l.add(r))))
        .refined(sum_scale),
    def("-(int4, int4) int4", column(|c, a| int_op(c, a, numeric::sub))),
    def("-(int8, int8) int8", column(|c, a| int_op(c, a, numeric::sub))),
    def("-(int2, int2) int2", column(|c, a| int_op(c, a, numeric::sub))),
    def("-(float8, float8) float8", column(|c, a| float8(c, a, float_sub))),
    def("-(float4, float4) float4", column(|c, a| float4(c, a, float_sub))),
    def("-(float4, float8) float8", column(|c, a| mixed_float(c, a, float_sub))),
    def("-(float8, float4) float8", column(|c, a| mixed_float(c, a, float_sub))),
    def("-(numeric, numeric) numeric", row(|c, a| decimals(c, a, |l, r, _| l.sub(r))))
        .refined(sum_scale),
    def("*(int4, int4) int4", column(|c, a| int_op(c, a, numeric::mul))),
    def("*(int8, int8) int8", column(|c, a| int_op(c, a, numeric::mul))),
    def("*(int2, int2) int2", column(|c, a| int_op(c, a, numeric::mul))),
    def("*(float8, float8) float8", column(|c, a| float8(c, a, float_mul))),
    def("*(float4, float4) float4", column(|c, a| float4(c, a, float_mul))),
    def("*(float4, float8) float8", column(|c, a| mixed_float(c, a, float_mul))),
    def("*(float8, float4) float8", column(|c, a| mixed_float(c, a, float_mul))),
    def("*(numeric, numeric) numeric", row(|c, a| decimals(c, a, Dec::mul))).refined(product_scale),
    def("/(int4, int4) int4", column(|c, a| int_op(c, a, numeric::div))),
    def("/(int8, int8) int8", column(|c, a| int_op(c, a, numeric::div))),
    def("/(int2, int2) int2", column(|c, a| int_op(c, a, numeric::div))),
    def("/(float8, float8) float8", column(|c, a| float8(c, a, float_div))),
    def("/(float4, float4) float4", column(|c, a| float4(c, a, float_div))),
    def("/(float4, float8) float8", column(|c, a| mixed_float(c, a, float_div))),
    def("/(float8, float4) float8", column(|c, a| mixed_float(c, a, float_div))),
    def("/(numeric, numeric) numeric", row(|c, a| decimals(c, a, Dec::div)))
        .refined(quotient_scale),
    def("%(int4, int4) int4", column(remainder)),
    def("%(int8, int8) int8", column(remainder)),
    def("%(int2, int2) int2", column(remainder)),
    def("%(numeric, numeric) numeric", row(|c, a| decimals(c, a, |l, r, _| l.rem(r))))
        .refined(sum_scale),
    def("-(int4) int4", column(negate)),
    def("-(int8) int8", column(negate)),
    def("-(int2) int2", column(negate)),
    def("-(float8) float8", column(negate)),
    def("-(float4) float4", column(negate)),
    def("-(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.neg())))).refined(sum_scale),
    def("&(int4, int4) int4", column(|_, a| int4_bits(a, |l, r| l & r))),
    def("&(int8, int8) int8", column(|_, a| int8_bits(a, |l, r| l & r))),
    def("&(int2, int2) int2", column(|_, a| int2_bits(a, |l, r| l & r))),
    def("|(int4, int4) int4", column(|_, a| int4_bits(a, |l, r| l | r))),
    def("|(int8, int8) int8", column(|_, a| int8_bits(a, |l, r| l | r))),
    def("|(int2, int2) int2", column(|_, a| int2_bits(a, |l, r| l | r))),
    def("#(int4, int4) int4", column(|_, a| int4_bits(a, |l, r| l ^ r))),
    def("#(int8, int8) int8", column(|_, a| int8_bits(a, |l, r| l ^ r))),
    def("#(int2, int2) int2", column(|_, a| int2_bits(a, |l, r| l ^ r))),
    def("~(int4) int4", column(not)),
    def("~(int8) int8", column(not)),
    def("~(int2) int2", column(not)),
    def("<<(int4, int4) int4", row(|_, a| shift(a, true, 32))),
    def("<<(int8, int4) int8", row(|_, a| shift(a, true, 64))),
    def("<<(int2, int4) int2", row(|_, a| shift(a, true, 16))),
    def(">>(int4, int4) int4", row(|_, a| shift(a, false, 32))),
    def(">>(int8, int4) int8", row(|_, a| shift(a, false, 64))),
    def(">>(int2, int4) int2", row(|_, a| shift(a, false, 32))),
];
