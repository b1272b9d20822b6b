//! Mathematical functions.

use super::arithmetic::{
    float_overflow, float_underflow, numeric_of_scale, out_of_range, quotient_scale, result_scale,
};
use super::decimal::{Dec, division_by_zero};
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::PgType;

fn float(value: f64) -> Result<Value, PgError> {
    Ok(Datum::Float(value))
}

fn int(value: i64) -> Result<Value, PgError> {
    Ok(Datum::Int(value))
}

fn invalid(code: &'static str, message: &'static str) -> PgError {
    PgError::new(SqlState(code), message)
}

/// `2201F`.
fn bad_power(message: &'static str) -> PgError {
    invalid("2201F", message)
}

fn finite(result: f64, inputs: &[f64]) -> Result<Value, PgError> {
    if result.is_infinite() && inputs.iter().all(|input| input.is_finite()) {
        return Err(float_overflow());
    }
    float(result)
}

fn sqrt(value: f64) -> Result<Value, PgError> {
    if value < 0.0 {
        return Err(bad_power("cannot take square root of a negative number"));
    }
    float(value.sqrt())
}

fn positive(value: f64) -> Result<f64, PgError> {
    if value == 0.0 {
        return Err(invalid("2201E", "cannot take logarithm of zero"));
    }
    if value < 0.0 {
        return Err(invalid("2201E", "cannot take logarithm of a negative number"));
    }
    Ok(value)
}

fn power(base: f64, exponent: f64) -> Result<Value, PgError> {
    if base == 0.0 && exponent < 0.0 {
        return Err(bad_power("zero raised to a negative power is undefined"));
    }
    if base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.fract() != 0.0 {
        return Err(bad_power(
            "a negative number raised to a non-integer power yields a complex result",
        ));
    }
    let result = base.powf(exponent);
    if result == 0.0 && base != 0.0 && base.is_finite() && exponent.is_finite() {
        return Err(float_underflow());
    }
    finite(result, &[base, exponent])
}

/// A numeric function computed in double precision: 15 digits are right, which is noted in docs/compat.md.
fn through_float(call: &Call<'_>, value: Value) -> Result<Value, PgError> {
    match value {
        Datum::Float(value) => {
            let digits = Dec::from_f64(value, 16)?;
            Ok(Datum::Num(Dec::new(digits.at_scale(result_scale(call))?, result_scale(call))))
        }
        other => Ok(other),
    }
}

/// Whole powers of numeric are exact as far as 38 digits go.
fn numeric_power(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (base, exponent) = (args.num(0)?, args.num(1)?);
    if base.is_zero() && exponent.value < 0 {
        return Err(bad_power("zero raised to a negative power is undefined"));
    }
    let whole = exponent.truncate(0)?;
    if whole == exponent && (0..=10_000).contains(&whole.value) {
        let scale = result_scale(call);
        let mut result = Dec::from_int(1);
        for _ in 0..whole.value {
            let next = i32::from(result.scale) + i32::from(base.scale);
            result = result.mul(base, i8::try_from(next.min(i32::from(scale))).unwrap_or(scale))?;
        }
        return Ok(Datum::Num(result));
    }
    through_float(call, power(base.to_f64(), exponent.to_f64())?)
}

fn abs(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    match args.get(0) {
        Datum::Int(value) => {
            let result = value.checked_abs().ok_or_else(|| out_of_range(call.return_type))?;
            int(result)
        }
        Datum::Float(value) => float(value.abs()),
        _ => Ok(Datum::Num(args.num(0)?.abs())),
    }
}

fn sign(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    match args.get(0) {
        Datum::Float(value) if *value > 0.0 => float(1.0),
        Datum::Float(value) if *value < 0.0 => float(-1.0),
        Datum::Float(value) => float(*value),
        _ => Ok(Datum::Num(Dec::new(args.num(0)?.value.signum(), 0))),
    }
}

fn same(args: &[PgType], _: &[Option<i64>]) -> PgType {
    args.first().cloned().unwrap_or(PgType::Numeric(None))
}

fn whole(_: &[PgType], _: &[Option<i64>]) -> PgType {
    numeric_of_scale(0)
}

/// `round(x, 2)` has two digits if the 2 is written; else the digits of `x`.
fn digits_given(args: &[PgType], constants: &[Option<i64>]) -> PgType {
    match constants.get(1).copied().flatten() {
        Some(digits) => numeric_of_scale(i8::try_from(digits.clamp(0, 30)).unwrap_or(0)),
        None => PgType::Numeric(args.first().and_then(|ty| match ty {
            PgType::Numeric(Some((_, scale))) => Some((38, *scale)),
            _ => None,
        })),
    }
}

fn digits(args: Args<'_, '_>) -> Result<i8, PgError> {
    Ok(i8::try_from(args.int(1)?.clamp(-40, 40)).unwrap_or(0))
}

fn gcd(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

fn gcd_of(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let result = gcd(args.int(0)?.unsigned_abs(), args.int(1)?.unsigned_abs());
    i64::try_from(result).map(Datum::Int).map_err(|_| out_of_range(call.return_type))
}

fn lcm_of(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (left, right) = (args.int(0)?, args.int(1)?);
    if left == 0 || right == 0 {
        return int(0);
    }
    let divisor = i128::from(gcd(left.unsigned_abs(), right.unsigned_abs()));
    let result = (i128::from(left) / divisor * i128::from(right)).abs();
    i64::try_from(result).map(Datum::Int).map_err(|_| out_of_range(call.return_type))
}

fn numeric_gcd(args: Args<'_, '_>) -> Result<Dec, PgError> {
    let (mut left, mut right) = (args.num(0)?.abs(), args.num(1)?.abs());
    while !right.is_zero() {
        (left, right) = (right, left.rem(right)?);
    }
    Ok(left)
}

fn modulo(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.int(1)? == 0 {
        return Err(division_by_zero());
    }
    int(args.int(0)?.wrapping_rem(args.int(1)?))
}

fn factorial(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let count = args.int(0)?;
    if count < 0 {
        return Err(invalid("22003", "factorial of a negative number is undefined"));
    }
    let mut result: i128 = 1;
    for factor in 2..=i128::from(count) {
        result = result
            .checked_mul(factor)
            .filter(|r| *r < 10_i128.pow(38))
            .ok_or_else(Dec::overflow)?;
    }
    Ok(Datum::Num(Dec::new(result, 0)))
}

fn width_bucket(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, low, high, count) = (args.float(0)?, args.float(1)?, args.float(2)?, args.int(3)?);
    if count <= 0 {
        return Err(invalid("2201G", "count must be greater than zero"));
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return Err(invalid("2201G", "operand, lower bound, and upper bound cannot be NaN"));
    }
    if !low.is_finite() || !high.is_finite() {
        return Err(invalid("2201G", "lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(invalid("2201G", "lower bound cannot equal upper bound"));
    }
    let (up, value) =
        if low < high { (high - low, value - low) } else { (low - high, low - value) };
    let bucket = if value < 0.0 {
        0
    } else if value >= up {
        count + 1
    } else {
        (value / up * count as f64) as i64 + 1
    };
    int(bucket)
}

fn random(_: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    float(rand::random::<f64>())
}

/// Whether a row is in a sample of so many percent: `TABLESAMPLE`.
fn in_sample(_: &Call<'_>, a: Args<'_, '_>) -> Result<Value, PgError> {
    let refused = |message| Err(PgError::new(SqlState::INVALID_TABLESAMPLE_ARGUMENT, message));
    if a.is_null(0) {
        return refused("TABLESAMPLE parameter cannot be null");
    }
    let percentage = a.float(0)?;
    if !(0.0..=100.0).contains(&percentage) {
        return refused("sample percentage must be between 0 and 100");
    }
    Ok(Datum::Bool(rand::random::<f64>() * 100.0 < percentage))
}

/// Trigonometry in degrees is exact at the places people know by heart.
fn sin_degrees(value: f64) -> f64 {
    let reduced = value % 360.0;
    match reduced {
        r if r == 0.0 || r.abs() == 180.0 => 0.0,
        30.0 | 150.0 | -210.0 | -330.0 => 0.5,
        -30.0 | -150.0 | 210.0 | 330.0 => -0.5,
        90.0 | -270.0 => 1.0,
        -90.0 | 270.0 => -1.0,
        r => r.to_radians().sin(),
    }
}

fn cos_degrees(value: f64) -> f64 {
    let reduced = (value % 360.0).abs();
    match reduced {
        0.0 => 1.0,
        60.0 | 300.0 => 0.5,
        90.0 | 270.0 => 0.0,
        120.0 | 240.0 => -0.5,
        180.0 => -1.0,
        r => r.to_radians().cos(),
    }
}

fn tan_degrees(value: f64) -> f64 {
    let reduced = value % 180.0;
    match reduced {
        0.0 => 0.0,
        45.0 | -135.0 => 1.0,
        -45.0 | 135.0 => -1.0,
        _ => sin_degrees(value) / cos_degrees(value),
    }
}

fn inverse(value: f64, result: f64) -> Result<Value, PgError> {
    if !(-1.0..=1.0).contains(&value) && !value.is_nan() {
        return Err(invalid("22003", "input is out of range"));
    }
    float(result)
}

fn scale_of(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    int(args.num(0)?.scale.max(0).into())
}

fn trunc_to(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Num(args.num(0)?.truncate(digits(args)?)?))
}

fn numeric_log(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = positive(args.float(0)?)?;
    if args.len() == 1 {
        return through_float(call, Datum::Float(value.log10()));
    }
    let of = positive(args.float(1)?)?;
    if value == 1.0 {
        return Err(division_by_zero());
    }
    through_float(call, Datum::Float(of.log10() / value.log10()))
}

fn sixteen_digits(args: &[PgType], constants: &[Option<i64>]) -> PgType {
    match quotient_scale(args, constants) {
        PgType::Numeric(None) => PgType::Numeric(None),
        PgType::Numeric(Some((_, scale))) => PgType::Numeric(Some((37, scale))),
        other => other,
    }
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("abs(int4) int4", row(abs)),
    def("abs(int2) int2", row(abs)),
    def("abs(int8) int8", row(abs)),
    def("abs(float8) float8", row(abs)),
    def("abs(float4) float4", row(abs)),
    def("abs(numeric) numeric", row(abs)).refined(same),
    def("sign(float8) float8", row(sign)),
    def("sign(numeric) numeric", row(sign)).refined(whole),
    def("ceil(float8) float8", row(|_, a| float(a.float(0)?.ceil()))),
    def("ceil(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.ceil()?)))).refined(whole),
    def("ceiling(float8) float8", row(|_, a| float(a.float(0)?.ceil()))),
    def("ceiling(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.ceil()?)))).refined(whole),
    def("floor(float8) float8", row(|_, a| float(a.float(0)?.floor()))),
    def("floor(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.floor()?)))).refined(whole),
    def("round(float8) float8", row(|_, a| float(a.float(0)?.round_ties_even()))),
    def("round(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.round(0)?)))).refined(whole),
    def("round(numeric, int4) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.round(digits(a)?)?))))
        .refined(digits_given),
    def("trunc(float8) float8", row(|_, a| float(a.float(0)?.trunc()))),
    def("trunc(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.truncate(0)?))))
        .refined(whole),
    def("trunc(numeric, int4) numeric", row(trunc_to)).refined(digits_given),
    def("mod(int4, int4) int4", row(modulo)),
    def("mod(int2, int2) int2", row(modulo)),
    def("mod(int8, int8) int8", row(modulo)),
    def("mod(numeric, numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?.rem(a.num(1)?)?)))),
    def(
        "div(numeric, numeric) numeric",
        row(|_, a| {
            if a.num(1)?.is_zero() {
                return Err(division_by_zero());
            }
            let (left, right) = (a.num(0)?, a.num(1)?);
            let rest = left.rem(right)?;
            Ok(Datum::Num(left.sub(rest)?.div(right, 0)?))
        }),
    )
    .refined(whole),
    def("sqrt(float8) float8", row(|_, a| sqrt(a.float(0)?))),
    def("sqrt(numeric) numeric", row(|c, a| through_float(c, sqrt(a.float(0)?)?)))
        .refined(sixteen_digits),
    def("cbrt(float8) float8", row(|_, a| float(a.float(0)?.cbrt()))),
    def("power(float8, float8) float8", row(|_, a| power(a.float(0)?, a.float(1)?))),
    def("power(numeric, numeric) numeric", row(numeric_power)).refined(sixteen_digits),
    def("pow(float8, float8) float8", row(|_, a| power(a.float(0)?, a.float(1)?))),
    def("pow(numeric, numeric) numeric", row(numeric_power)).refined(sixteen_digits),
    def("exp(float8) float8", row(|_, a| finite(a.float(0)?.exp(), &[a.float(0)?]))),
    def("exp(numeric) numeric", row(|c, a| through_float(c, finite(a.float(0)?.exp(), &[0.0])?)))
        .refined(sixteen_digits),
    def("ln(float8) float8", row(|_, a| float(positive(a.float(0)?)?.ln()))),
    def(
        "ln(numeric) numeric",
        row(|c, a| through_float(c, Datum::Float(positive(a.float(0)?)?.ln()))),
    )
    .refined(sixteen_digits),
    def("log(float8) float8", row(|_, a| float(positive(a.float(0)?)?.log10()))),
    def("log10(float8) float8", row(|_, a| float(positive(a.float(0)?)?.log10()))),
    def("log(numeric) numeric", row(numeric_log)).refined(sixteen_digits),
    def("log10(numeric) numeric", row(numeric_log)).refined(sixteen_digits),
    def("log(numeric, numeric) numeric", row(numeric_log)).refined(sixteen_digits),
    def("degrees(float8) float8", row(|_, a| finite(a.float(0)?.to_degrees(), &[a.float(0)?]))),
    def("radians(float8) float8", row(|_, a| float(a.float(0)?.to_radians()))),
    def("pi() float8", row(|_, _| float(std::f64::consts::PI))),
    def("sin(float8) float8", row(|_, a| float(a.float(0)?.sin()))),
    def("cos(float8) float8", row(|_, a| float(a.float(0)?.cos()))),
    def("tan(float8) float8", row(|_, a| float(a.float(0)?.tan()))),
    def("cot(float8) float8", row(|_, a| float(1.0 / a.float(0)?.tan()))),
    def("asin(float8) float8", row(|_, a| inverse(a.float(0)?, a.float(0)?.asin()))),
    def("acos(float8) float8", row(|_, a| inverse(a.float(0)?, a.float(0)?.acos()))),
    def("atan(float8) float8", row(|_, a| float(a.float(0)?.atan()))),
    def("atan2(float8, float8) float8", row(|_, a| float(a.float(0)?.atan2(a.float(1)?)))),
    def("sinh(float8) float8", row(|_, a| float(a.float(0)?.sinh()))),
    def("cosh(float8) float8", row(|_, a| float(a.float(0)?.cosh()))),
    def("tanh(float8) float8", row(|_, a| float(a.float(0)?.tanh()))),
    def("asinh(float8) float8", row(|_, a| float(a.float(0)?.asinh()))),
    def(
        "acosh(float8) float8",
        row(|_, a| {
            if a.float(0)? < 1.0 {
                Err(invalid("22003", "input is out of range"))
            } else {
                float(a.float(0)?.acosh())
            }
        }),
    ),
    def("atanh(float8) float8", row(|_, a| inverse(a.float(0)?, a.float(0)?.atanh()))),
    def("sind(float8) float8", row(|_, a| float(sin_degrees(a.float(0)?)))),
    def("cosd(float8) float8", row(|_, a| float(cos_degrees(a.float(0)?)))),
    def("tand(float8) float8", row(|_, a| float(tan_degrees(a.float(0)?)))),
    def("gcd(int4, int4) int4", row(gcd_of)),
    def("gcd(int8, int8) int8", row(gcd_of)),
    def("gcd(numeric, numeric) numeric", row(|_, a| Ok(Datum::Num(numeric_gcd(a)?)))),
    def("lcm(int4, int4) int4", row(lcm_of)),
    def("lcm(int8, int8) int8", row(lcm_of)),
    def("factorial(int8) numeric", row(factorial)).refined(whole),
    def("width_bucket(float8, float8, float8, int4) int4", row(width_bucket)),
    def("width_bucket(numeric, numeric, numeric, int4) int4", row(width_bucket)),
    def("random() float8", row(random)).volatile(),
    def("graphwire_in_sample(float4) bool", row(in_sample)).with_nulls().volatile(),
    def("scale(numeric) int4", row(scale_of)),
    def("min_scale(numeric) int4", row(|_, a| int(a.num(0)?.trimmed().scale.into()))),
    def("trim_scale(numeric) numeric", row(|_, a| Ok(Datum::Num(a.num(0)?))))
        .refined(|_, _| PgType::Numeric(None)),
];

pub(super) const OPERATORS: &[Def] = &[
    def("^(float8, float8) float8", row(|_, a| power(a.float(0)?, a.float(1)?))),
    def("^(numeric, numeric) numeric", row(numeric_power)).refined(sixteen_digits),
    def("|/(float8) float8", row(|_, a| sqrt(a.float(0)?))),
    def("||/(float8) float8", row(|_, a| float(a.float(0)?.cbrt()))),
    def("@(int4) int4", row(abs)),
    def("@(int2) int2", row(abs)),
    def("@(int8) int8", row(abs)),
    def("@(float8) float8", row(abs)),
    def("@(numeric) numeric", row(abs)).refined(same),
    def("+(int4) int4", row(|_, a| Ok(a.get(0).clone().into_owned()))),
    def("+(int8) int8", row(|_, a| Ok(a.get(0).clone().into_owned()))),
    def("+(float8) float8", row(|_, a| Ok(a.get(0).clone().into_owned()))),
    def("+(numeric) numeric", row(|_, a| Ok(a.get(0).clone().into_owned()))).refined(same),
];
