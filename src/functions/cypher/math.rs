//! Mathematical functions.

use super::operators::overflow;
use super::value::Value;
use crate::error::{PgError, SqlState};

/// `42804`: the function does not take such a value.
pub(super) fn wrong_argument(function: &str, arguments: &[Value]) -> PgError {
    let types = arguments.iter().map(Value::type_name).collect::<Vec<_>>().join(", ");
    PgError::new(SqlState::DATATYPE_MISMATCH, format!("function {function} does not take {types}"))
        .routine("InvalidArgumentValue")
}

fn float(function: &str, arguments: &[Value], at: usize) -> Result<f64, PgError> {
    match arguments.get(at) {
        Some(Value::Integer(integer)) => Ok(*integer as f64),
        Some(Value::Float(float)) => Ok(*float),
        _ => Err(wrong_argument(function, arguments)),
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $compute:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// `42804` for a value that is not a number.
        pub fn $name(arguments: &[Value]) -> Result<Value, PgError> {
            let compute: fn(f64) -> f64 = $compute;
            Ok(Value::Float(compute(float($text, arguments, 0)?)))
        })*
    };
}

functions! {
    /// The least whole number not below.
    ceil, "ceil", f64::ceil;
    /// The greatest whole number not above.
    floor, "floor", f64::floor;
    /// Square root.
    sqrt, "sqrt", f64::sqrt;
    /// Power of e.
    exp, "exp", f64::exp;
    /// Natural logarithm.
    log, "log", f64::ln;
    /// Decimal logarithm.
    log10, "log10", f64::log10;
    /// Sine.
    sin, "sin", f64::sin;
    /// Cosine.
    cos, "cos", f64::cos;
    /// Tangent.
    tan, "tan", f64::tan;
    /// Cotangent.
    cot, "cot", |x| 1.0 / x.tan();
    /// Hyperbolic sine.
    sinh, "sinh", f64::sinh;
    /// Hyperbolic cosine.
    cosh, "cosh", f64::cosh;
    /// Hyperbolic tangent.
    tanh, "tanh", f64::tanh;
    /// Hyperbolic cotangent.
    coth, "coth", |x| 1.0 / x.tanh();
    /// Arc sine.
    asin, "asin", f64::asin;
    /// Arc cosine.
    acos, "acos", f64::acos;
    /// Arc tangent.
    atan, "atan", f64::atan;
    /// Half the versine.
    haversin, "haversin", |x| (1.0 - x.cos()) / 2.0;
    /// Radians to degrees.
    degrees, "degrees", f64::to_degrees;
    /// Degrees to radians.
    radians, "radians", f64::to_radians;
}

/// The angle of a point.
///
/// # Errors
/// `42804`.
pub fn atan2(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(Value::Float(float("atan2", arguments, 0)?.atan2(float("atan2", arguments, 1)?)))
}

/// The amount without its sign.
///
/// # Errors
/// `22003`, `42804`.
pub fn abs(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Integer(integer)] => integer.checked_abs().map(Value::Integer).ok_or_else(overflow),
        _ => Ok(Value::Float(float("abs", arguments, 0)?.abs())),
    }
}

/// -1, 0 or 1.
///
/// # Errors
/// `42804`.
pub fn sign(arguments: &[Value]) -> Result<Value, PgError> {
    let number = float("sign", arguments, 0)?;
    Ok(if number.is_nan() {
        Value::Null
    } else {
        Value::Integer(i64::from(number > 0.0) - i64::from(number < 0.0))
    })
}

/// Rounded half up, or to a number of digits by a mode.
///
/// # Errors
/// `42804`, `22023` for an unknown mode.
pub fn round(arguments: &[Value]) -> Result<Value, PgError> {
    let number = float("round", arguments, 0)?;
    let digits = match arguments.get(1) {
        None => return Ok(Value::Float((number + 0.5).floor())),
        Some(Value::Integer(digits)) => (*digits).clamp(0, 300) as i32,
        Some(_) => return Err(wrong_argument("round", arguments)),
    };
    let scaled = number * 10_f64.powi(digits);
    let half = scaled.fract().abs() == 0.5;
    let whole = match arguments.get(2) {
        None => scaled.round(),
        Some(Value::String(mode)) => match mode.to_ascii_uppercase().as_str() {
            "UP" => scaled.signum() * scaled.abs().ceil(),
            "DOWN" => scaled.trunc(),
            "CEILING" => scaled.ceil(),
            "FLOOR" => scaled.floor(),
            "HALF_UP" => scaled.round(),
            "HALF_DOWN" if half => scaled.trunc(),
            "HALF_DOWN" => scaled.round(),
            "HALF_EVEN" => scaled.round_ties_even(),
            _ => {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("rounding mode \"{mode}\" does not exist"),
                ));
            }
        },
        Some(_) => return Err(wrong_argument("round", arguments)),
    };
    Ok(Value::Float(whole / 10_f64.powi(digits)))
}

/// Whether a number is not one.
///
/// # Errors
/// `42804`.
pub fn is_nan(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(Value::Boolean(float("isNaN", arguments, 0)?.is_nan()))
}

/// π.
///
/// # Errors
/// None.
pub fn pi(_: &[Value]) -> Result<Value, PgError> {
    Ok(Value::Float(std::f64::consts::PI))
}

/// The base of natural logarithms.
///
/// # Errors
/// None.
pub fn e(_: &[Value]) -> Result<Value, PgError> {
    Ok(Value::Float(std::f64::consts::E))
}

/// A float from 0 (in) to 1 (out).
///
/// # Errors
/// None.
pub fn rand(_: &[Value]) -> Result<Value, PgError> {
    Ok(Value::Float(rand::random::<f64>()))
}

/// A version 4 UUID as a string.
///
/// # Errors
/// None.
pub fn random_uuid(_: &[Value]) -> Result<Value, PgError> {
    Ok(Value::String(uuid::Uuid::new_v4().to_string()))
}
