//! Scalar, aggregate and set-returning functions, operators and casts with PostgreSQL's names, types and errors.
//!
//! A function is one line of a table: its SQL signature and a kernel (`"left(text, int4) text"`). [`registry`] parses
//! the tables once. Which overload a call means is decided by PostgreSQL's rules in [`overload`]; string literals that
//! no one typed yet are `unknown`, as there. [`resolve`] runs once over a freshly planned `LogicalPlan` and makes every
//! literal, parameter, cast and call definite, so that nothing later depends on how a value was written.
//!
//! Reading order: [`signature`], [`overload`], [`scalar`] (the DataFusion face of a function), [`registry`],
//! [`operators`] (how SQL operators get here), [`cast`], [`resolve`], and then the tables under `lib/`.
//!
//! **Invariant:** what a function needs of a session or the catalog comes through [`context`]; this room sees neither.

pub mod alternatives;
pub mod array_or_empty;
pub mod cast;
pub mod context;
pub mod cypher;
pub(crate) mod datum;
pub(crate) mod lib;
pub mod made;
mod maybe_null;
mod multirange_rows;
pub mod named_cast;
pub mod operators;
mod outer_aggregate;
pub(crate) mod overload;
pub mod record;
pub mod registry;
pub mod resolve;
pub mod scalar;
pub mod series;
pub(crate) mod signature;
pub mod single_value;
pub mod syntax;
pub mod table;
pub mod unsettled;
mod window_frame;

#[cfg(test)]
mod tests;
