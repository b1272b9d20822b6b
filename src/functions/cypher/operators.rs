//! Cypher's operators on values whose types are known only when they run, and the checked arithmetic on integers.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::temporal::Temporal;
use super::value::Value;
use crate::error::{PgError, SqlState};

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

impl Arithmetic {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}

/// Arithmetic on two columns of one number type: `22003` where a result does not fit, `22012` for an integer division
/// by zero.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NumberArithmetic {
    operator: Arithmetic,
    ty: DataType,
    signature: Signature,
}

impl NumberArithmetic {
    /// `left operator right`, both of Arrow type `ty`.
    pub fn call(operator: Arithmetic, ty: DataType, left: Expr, right: Expr) -> Expr {
        let signature = Signature::exact(vec![ty.clone(), ty.clone()], Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { operator, ty, signature }).call(vec![left, right])
    }
}

impl ScalarUDFImpl for NumberArithmetic {
    fn name(&self) -> &str {
        self.operator.symbol()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.ty.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant =
            arguments.args.iter().all(|column| matches!(column, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let columns = arguments
            .args
            .iter()
            .map(|column| column.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let [left, right] = columns.as_slice() else {
            return Err(PgError::internal("arithmetic takes two operands").into());
        };
        let result = match self.operator {
            Arithmetic::Add => numeric::add(left, right),
            Arithmetic::Subtract => numeric::sub(left, right),
            Arithmetic::Multiply => numeric::mul(left, right),
            Arithmetic::Divide => numeric::div(left, right),
            Arithmetic::Modulo => numeric::rem(left, right),
        };
        let result = result.map_err(|error| match error {
            arrow::error::ArrowError::ArithmeticOverflow(_) => overflow().into(),
            other => datafusion::common::DataFusionError::from(other),
        })?;
        if constant {
            Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&result, 0)?))
        } else {
            Ok(ColumnarValue::Array(Arc::clone(&result)))
        }
    }
}

/// `22003`, as an integer result that does not fit 64 bits.
pub fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")
        .routine("IntegerOverflow")
}

/// `42804` for an operator that the two types do not have.
fn undefined(symbol: &str, left: &Value, right: &Value) -> PgError {
    PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "operator {symbol} is not defined for {} and {}",
            left.type_name(),
            right.type_name()
        ),
    )
    .routine("InvalidArgumentType")
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn numbers(
    symbol: &str,
    left: &Value,
    right: &Value,
    integers: impl Fn(i64, i64) -> Result<i64, PgError>,
    floats: impl Fn(f64, f64) -> f64,
) -> Result<Value, PgError> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => integers(*a, *b).map(Value::Integer),
        _ => match (float(left), float(right)) {
            (Some(a), Some(b)) => Ok(Value::Float(floats(a, b))),
            _ => Err(undefined(symbol, left, right)),
        },
    }
}

/// The two operands; kernels of operators are called with exactly two.
fn pair(arguments: &[Value]) -> Result<(&Value, &Value), PgError> {
    match arguments {
        [left, right] => Ok((left, right)),
        _ => Err(PgError::internal("an operator takes two operands")),
    }
}

/// `+`: numbers, strings, lists and an element, temporals and durations.
///
/// # Errors
/// `22003`, `42804`.
pub fn add(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    Ok(match (left, right) {
        (Value::List(a), Value::List(b)) => Value::List(a.iter().chain(b).cloned().collect()),
        (Value::List(a), b) => Value::List(a.iter().chain([b]).cloned().collect()),
        (a, Value::List(b)) => Value::List([a].into_iter().chain(b).cloned().collect()),
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::String(a), Value::String(b)) => Value::String(format!("{a}{b}")),
        (Value::String(a), b) if b.is_number() => Value::String(format!("{a}{}", number_text(b))),
        (a, Value::String(b)) if a.is_number() => Value::String(format!("{}{b}", number_text(a))),
        (Value::Temporal(a), Value::Temporal(b)) => match super::temporal_math::add(a, b, 1) {
            Some(sum) => Value::Temporal(sum?),
            None => return Err(undefined("+", left, right)),
        },
        _ => {
            return numbers(
                "+",
                left,
                right,
                |a, b| a.checked_add(b).ok_or_else(overflow),
                |a, b| a + b,
            );
        }
    })
}

/// `-`: numbers, a duration from a temporal value.
///
/// # Errors
/// `22003`, `42804`.
pub fn subtract(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    if let (Value::Temporal(a), Value::Temporal(b @ Temporal::Duration { .. })) = (left, right)
        && let Some(difference) = super::temporal_math::add(a, b, -1)
    {
        return Ok(Value::Temporal(difference?));
    }
    numbers("-", left, right, |a, b| a.checked_sub(b).ok_or_else(overflow), |a, b| a - b)
}

/// `*`: numbers, a duration by a number.
///
/// # Errors
/// `22003`, `42804`.
pub fn multiply(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    match (left, right) {
        (Value::Temporal(duration @ Temporal::Duration { .. }), factor)
        | (factor, Value::Temporal(duration @ Temporal::Duration { .. }))
            if factor.is_number() =>
        {
            Ok(Value::Temporal(super::temporal_math::scale(
                duration,
                float(factor).unwrap_or_default(),
            )?))
        }
        _ => numbers("*", left, right, |a, b| a.checked_mul(b).ok_or_else(overflow), |a, b| a * b),
    }
}

/// `/`: integers give an integer, cut toward zero.
///
/// # Errors
/// `22012` for an integer division by zero, `22003`, `42804`.
pub fn divide(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    if let Value::Temporal(duration @ Temporal::Duration { .. }) = left
        && let Some(divisor) = float(right)
    {
        return Ok(Value::Temporal(super::temporal_math::scale(duration, 1.0 / divisor)?));
    }
    numbers(
        "/",
        left,
        right,
        |a, b| zero_checked(a, b)?.checked_div(b).ok_or_else(overflow),
        |a, b| a / b,
    )
}

/// `%`: the remainder has the sign of the dividend.
///
/// # Errors
/// `22012` for an integer modulus of zero, `42804`.
pub fn modulo(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    numbers("%", left, right, |a, b| Ok(zero_checked(a, b)?.wrapping_rem(b)), |a, b| a % b)
}

fn zero_checked(dividend: i64, divisor: i64) -> Result<i64, PgError> {
    if divisor == 0 {
        return Err(PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
    }
    Ok(dividend)
}

/// `^`: always a float.
///
/// # Errors
/// `42804`.
pub fn power(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    match (float(left), float(right)) {
        (Some(a), Some(b)) => Ok(Value::Float(a.powf(b))),
        _ => Err(undefined("^", left, right)),
    }
}

/// Unary `-`.
///
/// # Errors
/// `22003`, `42804`.
pub fn negate(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Integer(integer)] => integer.checked_neg().map(Value::Integer).ok_or_else(overflow),
        [Value::Float(float)] => Ok(Value::Float(-float)),
        [Value::Temporal(duration @ Temporal::Duration { .. })] => {
            Ok(Value::Temporal(super::temporal_math::scale(duration, -1.0)?))
        }
        [other, ..] => Err(undefined("-", other, &Value::Null)),
        [] => Err(PgError::internal("an operator takes an operand")),
    }
}

fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Boolean)
}

/// `=`.
///
/// # Errors
/// None.
pub fn equal(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    Ok(truth(left.equals(right)))
}

/// `<>`.
///
/// # Errors
/// None.
pub fn not_equal(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    Ok(truth(left.equals(right).map(|equal| !equal)))
}

macro_rules! inequality {
    ($($(#[$doc:meta])* $name:ident($test:ident));* $(;)?) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// None: values that cannot be compared give null.
        pub fn $name(arguments: &[Value]) -> Result<Value, PgError> {
            let (left, right) = pair(arguments)?;
            if left.is_number() && right.is_number() && (left.is_nan() || right.is_nan()) {
                return Ok(Value::Boolean(false));
            }
            Ok(truth(left.compare(right).map(std::cmp::Ordering::$test)))
        })*
    };
}

inequality! {
    /// `<`.
    less(is_lt);
    /// `<=`.
    less_or_equal(is_le);
    /// `>`.
    greater(is_gt);
    /// `>=`.
    greater_or_equal(is_ge);
}

/// `IN`: whether the list has an equal element; null if only an unknown one may be.
///
/// # Errors
/// `42804` if the right side is not a list.
pub fn contained(arguments: &[Value]) -> Result<Value, PgError> {
    let (left, right) = pair(arguments)?;
    let Value::List(items) = right else {
        if right.is_null() {
            return Ok(Value::Null);
        }
        return Err(undefined("IN", left, right));
    };
    let mut unknown = false;
    for item in items {
        match left.equals(item) {
            Some(true) => return Ok(Value::Boolean(true)),
            Some(false) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Value::Null } else { Value::Boolean(false) })
}

/// `base[index]`: of a list by position (from the end if negative), of a map or element by key.
///
/// # Errors
/// `42804`.
pub fn index(arguments: &[Value]) -> Result<Value, PgError> {
    let (base, index) = pair(arguments)?;
    match (base, index) {
        (Value::List(items), Value::Integer(at)) => Ok(item(items, *at)),
        (Value::Map(_) | Value::Element(_), Value::String(key)) => property_of(base, key),
        (Value::List(_), _) => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a list index must be an INTEGER, not {}", index.type_name()),
        )
        .routine("InvalidArgumentType")),
        (Value::Map(_) | Value::Element(_), _) => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a map key must be a STRING, not {}", index.type_name()),
        )
        .routine("MapElementAccessByNonString")),
        _ => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a value of type {} has no elements", base.type_name()),
        )
        .routine("InvalidArgumentType")),
    }
}

fn item(items: &[Value], at: i64) -> Value {
    let length = items.len() as i64;
    let at = if at < 0 { at.saturating_add(length) } else { at };
    usize::try_from(at).ok().and_then(|at| items.get(at)).cloned().unwrap_or(Value::Null)
}

/// `base.key`: of a map, an element, or a part of a temporal value.
///
/// # Errors
/// `42804`.
pub fn property(arguments: &[Value]) -> Result<Value, PgError> {
    let (base, key) = pair(arguments)?;
    match key {
        Value::String(key) => property_of(base, key),
        _ => Err(PgError::internal("a property's key is a string")),
    }
}

/// The first value, or null where the second equals it.
///
/// # Errors
/// None.
pub fn null_if(arguments: &[Value]) -> Result<Value, PgError> {
    let (value, other) = pair(arguments)?;
    Ok(if value.equals(other) == Some(true) { Value::Null } else { value.clone() })
}

fn property_of(base: &Value, key: &str) -> Result<Value, PgError> {
    let of_entries = |entries: &[(String, Value)]| {
        entries.iter().find(|entry| entry.0 == key).map_or(Value::Null, |entry| entry.1.clone())
    };
    match base {
        Value::Map(entries) => Ok(of_entries(entries)),
        Value::Element(element) => match super::json::read_json(&element.json) {
            Some(Value::Map(entries)) => match of_entries_at(&entries, "~properties") {
                Some(Value::Map(properties)) => Ok(of_entries(properties)),
                _ => Ok(Value::Null),
            },
            _ => Ok(Value::Null),
        },
        Value::Temporal(temporal) => {
            Ok(super::temporal_math::field(temporal, key).unwrap_or(Value::Null))
        }
        other => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a value of type {} has no properties", other.type_name()),
        )
        .routine("InvalidArgumentType")),
    }
}

fn of_entries_at<'a>(entries: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    entries.iter().find(|entry| entry.0 == key).map(|entry| &entry.1)
}

/// `list[from..to]`; a bound that is not written comes as the string `..`, as null has a meaning of its own.
///
/// # Errors
/// `42804`.
pub fn slice(arguments: &[Value]) -> Result<Value, PgError> {
    let [list, from, to] = arguments else {
        return Err(PgError::internal("a slice takes three operands"));
    };
    let Value::List(items) = list else {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a value of type {} has no slices", list.type_name()),
        )
        .routine("InvalidArgumentType"));
    };
    let length = items.len() as i64;
    let bound = |value: &Value, absent: i64| match value {
        Value::Integer(at) if *at < 0 => Ok(at.saturating_add(length).clamp(0, length)),
        Value::Integer(at) => Ok((*at).min(length)),
        Value::String(_) => Ok(absent),
        other => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a list index must be an INTEGER, not {}", other.type_name()),
        )
        .routine("InvalidArgumentType")),
    };
    let (from, to) = (bound(from, 0)?, bound(to, length)?);
    let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to.max(from)).unwrap_or(0);
    Ok(Value::List(items.get(range).unwrap_or_default().to_vec()))
}

/// A number as `toString` writes it.
pub fn number_text(value: &Value) -> String {
    match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) if float.is_nan() => "NaN".to_owned(),
        Value::Float(float) if float.is_infinite() => {
            if *float > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        Value::Float(float) => format!("{float:?}"),
        _ => String::new(),
    }
}

/// `STARTS WITH`, `ENDS WITH`, `CONTAINS` on values that may not be strings (null then).
///
/// # Errors
/// None.
pub fn starts_with(arguments: &[Value]) -> Result<Value, PgError> {
    string_test(arguments, |text, part| text.starts_with(part))
}

/// `ENDS WITH`.
///
/// # Errors
/// None.
pub fn ends_with(arguments: &[Value]) -> Result<Value, PgError> {
    string_test(arguments, |text, part| text.ends_with(part))
}

/// `CONTAINS`.
///
/// # Errors
/// None.
pub fn contains(arguments: &[Value]) -> Result<Value, PgError> {
    string_test(arguments, |text, part| text.contains(part))
}

fn string_test(arguments: &[Value], test: fn(&str, &str) -> bool) -> Result<Value, PgError> {
    Ok(match pair(arguments)? {
        (Value::String(text), Value::String(part)) => Value::Boolean(test(text, part)),
        _ => Value::Null,
    })
}

/// A value that must be a truth value: what `AND`, `WHERE` and the like take from ANY.
///
/// # Errors
/// `42804`.
pub fn boolean(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [value @ (Value::Boolean(_) | Value::Null)] => Ok(value.clone()),
        [other] => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a truth value is needed, not a value of type {}", other.type_name()),
        )
        .routine("InvalidArgumentType")),
        _ => Err(PgError::internal("a condition takes one operand")),
    }
}

/// A comparison of two float columns by IEEE 754: nothing is less, equal or greater than not-a-number, and -0.0 is 0.0.
/// (Arrow's own kernels order floats totally.)
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FloatComparison {
    operator: Operator,
    signature: Signature,
}

impl FloatComparison {
    /// `left operator right`, both Float64; `operator` is one of the six comparisons.
    pub fn call(operator: Operator, left: Expr, right: Expr) -> Expr {
        let signature =
            Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { operator, signature }).call(vec![left, right])
    }
}

impl ScalarUDFImpl for FloatComparison {
    fn name(&self) -> &str {
        match self.operator {
            Operator::NotEq => "float_not_equal",
            Operator::Lt => "float_less",
            Operator::LtEq => "float_less_or_equal",
            Operator::Gt => "float_greater",
            Operator::GtEq => "float_greater_or_equal",
            _ => "float_equal",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant =
            arguments.args.iter().all(|column| matches!(column, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let columns = arguments
            .args
            .iter()
            .map(|column| column.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let floats =
            |at: usize| columns.get(at).and_then(|column| column.as_primitive_opt::<Float64Type>());
        let (Some(left), Some(right)) = (floats(0), floats(1)) else {
            return Err(PgError::internal("a comparison of floats takes two float columns").into());
        };
        let test: fn(f64, f64) -> bool = match self.operator {
            Operator::NotEq => |a, b| a != b,
            Operator::Lt => |a, b| a < b,
            Operator::LtEq => |a, b| a <= b,
            Operator::Gt => |a, b| a > b,
            Operator::GtEq => |a, b| a >= b,
            _ => |a, b| a == b,
        };
        let result = BooleanArray::from_binary(left, right, test);
        if constant {
            let truth = result.is_valid(0).then(|| result.value(0));
            Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::Boolean(truth)))
        } else {
            Ok(ColumnarValue::Array(Arc::new(result)))
        }
    }
}
