//! Cypher's values, operators and functions, on Arrow columns.
//!
//! * [`types`]: static types and how each is stored; [`value`]: one value, with equality and order.
//! * [`codec`]: ANY as sortable bytes; [`json`]: WIRE.md's JSON; [`arrays`]: columns to values and back.
//! * [`call`]: a function over columns; [`library`]: the table of functions; [`operators`], [`strings`], [`lists`],
//!   [`math`], [`temporal`], [`temporal_math`], [`temporal_read`], [`temporal_between`],
//!   [`temporal_truncate`]: what they compute.
//! * [`lambda`]: list comprehensions, quantifiers and `reduce`; [`output`]: conversions at the edges.

pub mod arrays;
pub mod call;
pub mod codec;
pub mod elements;
pub mod json;
pub mod lambda;
pub mod library;
pub mod list_aggregate;
pub mod lists;
pub mod math;
pub mod operators;
pub mod output;
pub mod path_rows;
pub mod references;
pub mod strings;
pub mod temporal;
pub mod temporal_between;
pub mod temporal_math;
pub mod temporal_read;
pub mod temporal_truncate;
pub mod types;
pub mod value;
pub mod value_type;

pub use call::{Call, Kernel, Nulls};
pub use types::CypherType;
pub use value::Value;
