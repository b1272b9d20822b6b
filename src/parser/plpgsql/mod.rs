//! PL/pgSQL: bodies of functions, procedures and `DO`.
//!
//! * `tree` is what is read.
//! * `reader` walks over the tokens of a body and cuts the SQL out of it.
//! * `block` reads blocks with their declarations and handlers, `step` statements, `control` those that hold others, and
//!   `query` those that are SQL.
//!
//! Expressions are whole SQL statements, `SELECT` with the expression behind it: names of variables are found in them
//! when they are bound.

mod block;
mod control;
mod query;
mod reader;
mod step;
#[cfg(test)]
mod tests;
mod tree;

pub use block::parse_routine;
pub use tree::{
    Block, Cases, Condition, Declaration, DeclaredType, ForLoop, Handler, Into, Iteration, Raised,
    Step, StepKind, Steps, Target,
};
