//! The way of a statement: bind, admit, optimize, run.
//!
//! [`run`] is the simple protocol's entry, [`prepare`] and [`execute`] the extended one's; all three meet in [`start`].
//!
//! Reading order: `run` (a statement of a query string), `prepare` (binding for later), `execute` (a prepared statement),
//! `start` (the one place where plans are admitted, and the short way), `plan` (the long way: optimizer and operators), `stream`
//! (rows as they come), `explain`, `values` and `deeper` (parameters in, columns out).

mod deeper;
mod execute;
mod explain;
mod explain_json;
mod plan;
mod prepare;
mod run;
mod start;
mod stream;
mod values;

pub(super) use deeper::for_dimensions;
pub(super) use execute::{Executed, execute, has_short_way, run_prepared, still_stands};
pub(super) use prepare::{is_plan, prepare, prepare_statement};
pub(super) use run::run;
pub(super) use start::start;
pub(super) use values::{read_values, typed_value};
