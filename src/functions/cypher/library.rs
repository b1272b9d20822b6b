//! The table of Cypher's scalar functions: names, what they take, what they give, and their kernels.
//!
//! Functions on graph elements, aggregates and `coalesce` are the binder's, as they are not computed from values.

use datafusion::logical_expr::Volatility;

use super::call::{Kernel, Nulls};
use super::types::CypherType;
use super::{
    lists, math, operators, strings, temporal_between, temporal_read, temporal_truncate, value_type,
};

/// What an argument must be. ANY and null are always taken; a wrong value behind them is an error when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Anything.
    Any,
    /// INTEGER or FLOAT.
    Number,
    /// INTEGER.
    Integer,
    /// STRING.
    String,
    /// LIST.
    List,
    /// STRING or LIST.
    StringOrList,
    /// What `toString` and its like take: a scalar.
    Scalar,
    /// MAP.
    Map,
    /// STRING, LIST or MAP.
    Collection,
}

impl Want {
    /// Whether a value of this static type may be right.
    pub fn takes(self, ty: &CypherType) -> bool {
        use CypherType as T;
        if ty.is_open() || matches!(ty, T::Pg(_)) {
            return true;
        }
        match self {
            Self::Any => true,
            Self::Number => ty.is_number(),
            Self::Integer => *ty == T::Integer,
            Self::String => *ty == T::String,
            Self::List => matches!(ty, T::List(_)),
            Self::StringOrList => matches!(ty, T::String | T::List(_)),
            Self::Scalar => {
                !matches!(ty, T::List(_) | T::Map(_) | T::Node | T::Relationship | T::Path)
            }
            Self::Map => matches!(ty, T::Map(_)),
            Self::Collection => matches!(ty, T::String | T::List(_) | T::Map(_)),
        }
    }

    /// As a message names it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            Self::Number => "INTEGER or FLOAT",
            Self::Integer => "INTEGER",
            Self::String => "STRING",
            Self::List => "LIST",
            Self::StringOrList => "STRING or LIST",
            Self::Scalar => "a scalar",
            Self::Map => "MAP",
            Self::Collection => "STRING, LIST or MAP",
        }
    }
}

/// One function.
#[derive(Debug)]
pub struct Definition {
    /// As documentation writes it; looked up without regard to case.
    pub name: &'static str,
    /// What each argument must be.
    pub parameters: &'static [Want],
    /// How many of `parameters` may be left out at the end.
    pub optional: usize,
    /// How it treats null.
    pub nulls: Nulls,
    /// Whether it gives the same for the same.
    pub volatility: Volatility,
    /// What it computes.
    pub kernel: Kernel,
    /// The type of what it gives for arguments of these types.
    pub result: fn(&[CypherType]) -> CypherType,
}

const fn strict(
    name: &'static str,
    parameters: &'static [Want],
    result: fn(&[CypherType]) -> CypherType,
    kernel: Kernel,
) -> Definition {
    Definition {
        name,
        parameters,
        optional: 0,
        nulls: Nulls::Strict,
        volatility: Volatility::Immutable,
        kernel,
        result,
    }
}

impl Definition {
    const fn optional(mut self, optional: usize) -> Self {
        self.optional = optional;
        self
    }

    const fn seeing_nulls(mut self) -> Self {
        self.nulls = Nulls::Seen;
        self
    }

    const fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }
}

fn boolean(_: &[CypherType]) -> CypherType {
    CypherType::Boolean
}

fn integer(_: &[CypherType]) -> CypherType {
    CypherType::Integer
}

fn float(_: &[CypherType]) -> CypherType {
    CypherType::Float
}

fn string(_: &[CypherType]) -> CypherType {
    CypherType::String
}

fn strings_list(_: &[CypherType]) -> CypherType {
    CypherType::list(CypherType::String)
}

fn floats(_: &[CypherType]) -> CypherType {
    CypherType::list(CypherType::Float)
}

fn booleans(_: &[CypherType]) -> CypherType {
    CypherType::list(CypherType::Boolean)
}

fn integers(_: &[CypherType]) -> CypherType {
    CypherType::list(CypherType::Integer)
}

/// The type of the first argument.
fn same(arguments: &[CypherType]) -> CypherType {
    arguments.first().cloned().unwrap_or(CypherType::Any)
}

/// INTEGER of an integer, FLOAT of a float.
fn number(arguments: &[CypherType]) -> CypherType {
    match arguments {
        [ty @ (CypherType::Integer | CypherType::Float)] => ty.clone(),
        _ => CypherType::Any,
    }
}

/// The element type of the first argument.
fn element(arguments: &[CypherType]) -> CypherType {
    match arguments {
        [CypherType::List(element)] => (**element).clone(),
        _ => CypherType::Any,
    }
}

use Want::{Any, Collection, Integer, List, Map, Number, Scalar, String, StringOrList};

/// Every function.
pub static FUNCTIONS: &[Definition] = &[
    // Lists.
    strict("size", &[StringOrList], integer, lists::size),
    strict("isEmpty", &[Collection], boolean, lists::is_empty),
    strict("head", &[List], element, lists::head),
    strict("last", &[List], element, lists::last),
    strict("tail", &[List], same, lists::tail),
    strict("reverse", &[StringOrList], same, lists::reverse),
    strict("range", &[Integer, Integer, Integer], integers, lists::range).optional(1),
    strict("keys", &[Map], strings_list, lists::keys),
    strict("toIntegerList", &[List], integers, lists::to_integer_list),
    strict("toFloatList", &[List], floats, lists::to_float_list),
    strict("toBooleanList", &[List], booleans, lists::to_boolean_list),
    strict("toStringList", &[List], strings_list, lists::to_string_list),
    // Conversions.
    strict("toString", &[Scalar], string, strings::to_string),
    strict("toStringOrNull", &[Any], string, strings::to_string_or_null),
    strict("toInteger", &[Scalar], integer, strings::to_integer),
    strict("toIntegerOrNull", &[Any], integer, strings::to_integer_or_null),
    strict("toFloat", &[Scalar], float, strings::to_float),
    strict("toFloatOrNull", &[Any], float, strings::to_float_or_null),
    strict("toBoolean", &[Scalar], boolean, strings::to_boolean),
    strict("toBooleanOrNull", &[Any], boolean, strings::to_boolean_or_null),
    strict("valueType", &[Any], string, value_type::value_type).seeing_nulls(),
    strict("nullIf", &[Any, Any], same, operators::null_if).seeing_nulls(),
    // Strings.
    strict("toUpper", &[String], string, strings::to_upper),
    strict("upper", &[String], string, strings::to_upper),
    strict("toLower", &[String], string, strings::to_lower),
    strict("lower", &[String], string, strings::to_lower),
    strict("trim", &[String], string, strings::trim),
    strict("btrim", &[String, String], string, strings::trim).optional(1),
    strict("lTrim", &[String, String], string, strings::trim_start).optional(1),
    strict("rTrim", &[String, String], string, strings::trim_end).optional(1),
    strict("left", &[String, Integer], string, strings::left),
    strict("right", &[String, Integer], string, strings::right),
    strict("substring", &[String, Integer, Integer], string, strings::substring).optional(1),
    strict("replace", &[String, String, String], string, strings::replace),
    strict("split", &[String, Any], strings_list, strings::split),
    strict("char_length", &[String], integer, lists::size),
    strict("character_length", &[String], integer, lists::size),
    strict("normalize", &[String], string, strings::normalize),
    // Temporal values; without an argument they are the binder's.
    strict("date", &[Any], |_| CypherType::Date, temporal_read::date),
    strict("localtime", &[Any], |_| CypherType::LocalTime, temporal_read::local_time),
    strict("time", &[Any], |_| CypherType::Time, temporal_read::time),
    strict("localdatetime", &[Any], |_| CypherType::LocalDateTime, temporal_read::local_date_time),
    strict("datetime", &[Any], |_| CypherType::DateTime, temporal_read::date_time),
    strict("duration", &[Any], |_| CypherType::Duration, temporal_read::duration),
    strict("date.truncate", &[String, Any, Map], |_| CypherType::Date, temporal_truncate::date)
        .optional(1),
    strict(
        "localtime.truncate",
        &[String, Any, Map],
        |_| CypherType::LocalTime,
        temporal_truncate::local_time,
    )
    .optional(1),
    strict("time.truncate", &[String, Any, Map], |_| CypherType::Time, temporal_truncate::time)
        .optional(1),
    strict(
        "localdatetime.truncate",
        &[String, Any, Map],
        |_| CypherType::LocalDateTime,
        temporal_truncate::local_date_time,
    )
    .optional(1),
    strict(
        "datetime.truncate",
        &[String, Any, Map],
        |_| CypherType::DateTime,
        temporal_truncate::date_time,
    )
    .optional(1),
    strict(
        "datetime.fromEpoch",
        &[Number, Number],
        |_| CypherType::DateTime,
        temporal_read::from_epoch,
    ),
    strict(
        "datetime.fromEpochMillis",
        &[Number],
        |_| CypherType::DateTime,
        temporal_read::from_epoch_millis,
    ),
    strict("duration.between", &[Any, Any], |_| CypherType::Duration, temporal_between::between),
    strict("duration.inMonths", &[Any, Any], |_| CypherType::Duration, temporal_between::in_months),
    strict("duration.inDays", &[Any, Any], |_| CypherType::Duration, temporal_between::in_days),
    strict(
        "duration.inSeconds",
        &[Any, Any],
        |_| CypherType::Duration,
        temporal_between::in_seconds,
    ),
    // Numbers.
    strict("abs", &[Number], number, math::abs),
    strict("sign", &[Number], integer, math::sign),
    strict("ceil", &[Number], float, math::ceil),
    strict("ceiling", &[Number], float, math::ceil),
    strict("floor", &[Number], float, math::floor),
    strict("round", &[Number, Integer, String], float, math::round).optional(2),
    strict("sqrt", &[Number], float, math::sqrt),
    strict("exp", &[Number], float, math::exp),
    strict("log", &[Number], float, math::log),
    strict("log10", &[Number], float, math::log10),
    strict("sin", &[Number], float, math::sin),
    strict("cos", &[Number], float, math::cos),
    strict("tan", &[Number], float, math::tan),
    strict("cot", &[Number], float, math::cot),
    strict("sinh", &[Number], float, math::sinh),
    strict("cosh", &[Number], float, math::cosh),
    strict("tanh", &[Number], float, math::tanh),
    strict("coth", &[Number], float, math::coth),
    strict("asin", &[Number], float, math::asin),
    strict("acos", &[Number], float, math::acos),
    strict("atan", &[Number], float, math::atan),
    strict("atan2", &[Number, Number], float, math::atan2),
    strict("haversin", &[Number], float, math::haversin),
    strict("degrees", &[Number], float, math::degrees),
    strict("radians", &[Number], float, math::radians),
    strict("isNaN", &[Number], boolean, math::is_nan),
    strict("pi", &[], float, math::pi),
    strict("e", &[], float, math::e),
    strict("rand", &[], float, math::rand).volatile(),
    strict("randomUUID", &[], string, math::random_uuid).volatile(),
];

/// The function of this name, without regard to case.
pub fn find(name: &str) -> Option<&'static Definition> {
    FUNCTIONS.iter().find(|function| function.name.eq_ignore_ascii_case(name))
}
