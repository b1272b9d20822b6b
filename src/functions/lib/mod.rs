//! The tables: every function and operator by its signature, with its kernel.

mod acl;
pub(crate) mod advisory;
pub(crate) mod aggregate;
mod arithmetic;
mod array;
mod assign;
pub(crate) mod datetime;
pub(crate) mod decimal;
mod enums;
mod format;
mod hstore;
mod inet;
pub(crate) mod json;
mod json_functions;
mod json_path;
mod json_path_eval;
mod json_path_items;
mod json_records;
mod kept_values;
mod math;
mod notify;
mod number_format;
mod ordered_set;
pub(crate) mod range;
mod range_aggregate;
mod regex;
mod sequence;
mod series;
pub(crate) mod sleep;
mod string;
mod system;
pub(crate) mod time;
mod time_format;

use crate::functions::datum::{ColumnFn, Kernel, RowFn};
use crate::functions::signature::Def;

/// All functions.
pub(crate) const FUNCTIONS: &[&[Def]] = &[
    advisory::FUNCTIONS,
    array::FUNCTIONS,
    assign::FUNCTIONS,
    datetime::FUNCTIONS,
    format::FUNCTIONS,
    inet::FUNCTIONS,
    json_functions::FUNCTIONS,
    math::FUNCTIONS,
    notify::FUNCTIONS,
    number_format::FUNCTIONS,
    range::FUNCTIONS,
    regex::FUNCTIONS,
    json_path::FUNCTIONS,
    json_records::FUNCTIONS,
    sequence::FUNCTIONS,
    series::FUNCTIONS,
    string::FUNCTIONS,
    system::DEFINITIONS,
    system::FUNCTIONS,
    system::PRIVILEGES,
    system::SIZES,
    system::STATISTICS,
    system::VISIBLE,
    time_format::FUNCTIONS,
    enums::FUNCTIONS,
    hstore::FUNCTIONS,
];

/// All operators.
pub(crate) const OPERATORS: &[&[Def]] = &[
    arithmetic::OPERATORS,
    array::OPERATORS,
    datetime::OPERATORS,
    inet::OPERATORS,
    json_functions::OPERATORS,
    math::OPERATORS,
    range::OPERATORS,
    range::MULTIRANGE_OPERATORS,
    regex::OPERATORS,
    json_path::OPERATORS,
    string::OPERATORS,
    hstore::OPERATORS,
];

/// A kernel on one row.
pub(crate) const fn row(kernel: RowFn) -> Kernel {
    Kernel::Row(kernel)
}

/// A kernel on columns.
pub(crate) const fn column(kernel: ColumnFn) -> Kernel {
    Kernel::Column(kernel)
}
