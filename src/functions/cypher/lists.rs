//! Functions on lists and maps.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::math::wrong_argument;
use super::strings::{to_boolean, to_float, to_integer, to_string};
use super::value::Value;
use crate::error::{PgError, SqlState};

/// Items a `range` may make: more is a mistake rather than a list.
const RANGE_ITEMS_MAX: i128 = 100_000_000;

fn items<'a>(function: &str, arguments: &'a [Value]) -> Result<&'a [Value], PgError> {
    match arguments.first() {
        Some(Value::List(items)) => Ok(items),
        _ => Err(wrong_argument(function, arguments)),
    }
}

fn length(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Elements of a list, or characters of a string.
///
/// # Errors
/// `42804`.
pub fn size(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::String(text)] => Ok(length(text.chars().count())),
        _ => Ok(length(items("size", arguments)?.len())),
    }
}

/// Whether a list, string or map has nothing in it.
///
/// # Errors
/// `42804`.
pub fn is_empty(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::String(text)] => Ok(Value::Boolean(text.is_empty())),
        [Value::Map(entries)] => Ok(Value::Boolean(entries.is_empty())),
        _ => Ok(Value::Boolean(items("isEmpty", arguments)?.is_empty())),
    }
}

/// The first element.
///
/// # Errors
/// `42804`.
pub fn head(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(items("head", arguments)?.first().cloned().unwrap_or(Value::Null))
}

/// The last element.
///
/// # Errors
/// `42804`.
pub fn last(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(items("last", arguments)?.last().cloned().unwrap_or(Value::Null))
}

/// All but the first element.
///
/// # Errors
/// `42804`.
pub fn tail(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(Value::List(items("tail", arguments)?.iter().skip(1).cloned().collect()))
}

/// A list or string from its end to its beginning.
///
/// # Errors
/// `42804`.
pub fn reverse(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::String(text)] => Ok(Value::String(text.chars().rev().collect())),
        _ => Ok(Value::List(items("reverse", arguments)?.iter().rev().cloned().collect())),
    }
}

/// Integers from one to another, both in, by steps.
///
/// # Errors
/// `22023` for a step of zero, `54000` for too many, `42804`.
pub fn range(arguments: &[Value]) -> Result<Value, PgError> {
    let (start, end, step) = match arguments {
        [Value::Integer(start), Value::Integer(end)] => (*start, *end, 1),
        [Value::Integer(start), Value::Integer(end), Value::Integer(step)] => (*start, *end, *step),
        _ => return Err(wrong_argument("range", arguments)),
    };
    if step == 0 {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "the step of a range cannot be zero",
        )
        .routine("NumberOutOfRange"));
    }
    let (start, end, step) = (i128::from(start), i128::from(end), i128::from(step));
    let count = ((end - start) / step + 1).max(0);
    if (end - start).signum() * step.signum() < 0 {
        return Ok(Value::List(Vec::new()));
    }
    if count > RANGE_ITEMS_MAX {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a range cannot have more than {RANGE_ITEMS_MAX} items"),
        ));
    }
    Ok(Value::List(
        (0..count)
            .filter_map(|at| i64::try_from(start + at * step).ok())
            .map(Value::Integer)
            .collect(),
    ))
}

/// The keys of a map, or the names of an element's properties.
///
/// # Errors
/// `42804`.
pub fn keys(arguments: &[Value]) -> Result<Value, PgError> {
    let of_entries = |entries: &[(String, Value)]| {
        Value::List(entries.iter().map(|entry| Value::String(entry.0.clone())).collect())
    };
    match arguments {
        [Value::Map(entries)] => Ok(of_entries(entries)),
        [Value::Element(element)] => {
            let Some(Value::Map(entries)) = super::json::read_json(&element.json) else {
                return Ok(Value::List(Vec::new()));
            };
            Ok(entries
                .iter()
                .find_map(|(key, value)| match value {
                    Value::Map(properties) if key == "~properties" => Some(of_entries(properties)),
                    _ => None,
                })
                .unwrap_or(Value::List(Vec::new())))
        }
        _ => Err(wrong_argument("keys", arguments)),
    }
}

/// Each element by [`to_integer`], null where it cannot be.
///
/// # Errors
/// `42804`.
pub fn to_integer_list(arguments: &[Value]) -> Result<Value, PgError> {
    each("toIntegerList", arguments, to_integer)
}

/// Each element by [`to_float`], null where it cannot be.
///
/// # Errors
/// `42804`.
pub fn to_float_list(arguments: &[Value]) -> Result<Value, PgError> {
    each("toFloatList", arguments, to_float)
}

/// Each element by [`to_boolean`], null where it cannot be.
///
/// # Errors
/// `42804`.
pub fn to_boolean_list(arguments: &[Value]) -> Result<Value, PgError> {
    each("toBooleanList", arguments, to_boolean)
}

/// Each element by [`to_string`], null where it cannot be.
///
/// # Errors
/// `42804`.
pub fn to_string_list(arguments: &[Value]) -> Result<Value, PgError> {
    each("toStringList", arguments, to_string)
}

fn each(
    function: &str,
    arguments: &[Value],
    convert: super::call::Kernel,
) -> Result<Value, PgError> {
    Ok(Value::List(
        items(function, arguments)?
            .iter()
            .map(|item| {
                if item.is_null() {
                    Value::Null
                } else {
                    convert(std::slice::from_ref(item)).unwrap_or(Value::Null)
                }
            })
            .collect(),
    ))
}

/// A list of the arguments.
///
/// # Errors
/// None.
pub fn make(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(Value::List(arguments.to_vec()))
}

/// The `p` quantile of a sorted list of numbers by interpolation (`percentileCont`).
///
/// # Errors
/// `22023` if `p` is not in 0 to 1, `42804`.
pub fn percentile_cont(arguments: &[Value]) -> Result<Value, PgError> {
    let (numbers, p) = percentile("percentileCont", arguments)?;
    let Some(last) = numbers.len().checked_sub(1) else { return Ok(Value::Null) };
    let position = p * last as f64;
    let below = position.floor();
    let at = |index: f64| numbers.get(index as usize).and_then(number).unwrap_or(f64::NAN);
    Ok(Value::Float(at(below) + (at(position.ceil()) - at(below)) * (position - below)))
}

/// The `p` quantile of a list of numbers that is one of them (`percentileDisc`).
///
/// # Errors
/// `22023` if `p` is not in 0 to 1, `42804`.
pub fn percentile_disc(arguments: &[Value]) -> Result<Value, PgError> {
    let (numbers, p) = percentile("percentileDisc", arguments)?;
    let position = (p * numbers.len() as f64).ceil().max(1.0) as usize - 1;
    Ok(numbers.get(position).cloned().unwrap_or(Value::Null))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn percentile(function: &str, arguments: &[Value]) -> Result<(Vec<Value>, f64), PgError> {
    let [Value::List(items), p] = arguments else {
        return Err(wrong_argument(function, arguments));
    };
    let p = number(p).ok_or_else(|| wrong_argument(function, arguments))?;
    if !(0.0..=1.0).contains(&p) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("percentile {p} is not between 0 and 1"),
        )
        .routine("NumberOutOfRange"));
    }
    if items.iter().any(|item| !item.is_number()) {
        return Err(wrong_argument(function, items));
    }
    let mut items = items.clone();
    items.sort_by(Value::order);
    Ok((items, p))
}

/// The number of elements of a list column, from its offsets alone.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ListLength {
    signature: Signature,
}

impl ListLength {
    /// The length of `list` as Int64; null for null.
    pub fn call(list: Expr) -> Expr {
        ScalarUDF::new_from_impl(Self { signature: Signature::any(1, Volatility::Immutable) })
            .call(vec![list])
    }
}

impl ScalarUDFImpl for ListLength {
    fn name(&self) -> &str {
        "list_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion::common::Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(
        &self,
        arguments: ScalarFunctionArgs,
    ) -> datafusion::common::Result<ColumnarValue> {
        let [list] = arguments.args.as_slice() else {
            return Err(PgError::internal("the length of one list is asked").into());
        };
        let lengths =
            arrow::compute::kernels::length::length(&list.to_array(arguments.number_rows)?)?;
        Ok(ColumnarValue::Array(arrow::compute::cast(&lengths, &DataType::Int64)?))
    }
}

/// Each value of a list once, in the order of first appearance; equal numbers are one.
///
/// # Errors
/// `42804`.
pub fn distinct(arguments: &[Value]) -> Result<Value, PgError> {
    let mut seen = std::collections::HashSet::new();
    let items = items("collect", arguments)?;
    Ok(Value::List(
        items
            .iter()
            .filter(|item| seen.insert(super::codec::grouping_key(item)))
            .cloned()
            .collect(),
    ))
}

/// The sum of a list's elements; 0 for none.
///
/// # Errors
/// `22003`, `42804`.
pub fn sum(arguments: &[Value]) -> Result<Value, PgError> {
    let mut sum: Option<Value> = None;
    for item in items("sum", arguments)? {
        sum = Some(match sum {
            None if item.is_number() || matches!(item, Value::Temporal(_)) => item.clone(),
            None => return Err(wrong_argument("sum", std::slice::from_ref(item))),
            Some(sum) => super::operators::add(&[sum, item.clone()])?,
        });
    }
    Ok(sum.unwrap_or(Value::Integer(0)))
}

/// The average of a list's elements; null for none.
///
/// # Errors
/// `22003`, `42804`.
pub fn average(arguments: &[Value]) -> Result<Value, PgError> {
    let count = items("avg", arguments)?.len();
    if count == 0 {
        return Ok(Value::Null);
    }
    super::operators::divide(&[sum(arguments)?, Value::Float(count as f64)])
}
