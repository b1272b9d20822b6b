//! The gate: who may log in, what a plan touches, and whether its caller may.
//!
//! [`admit`] is the only way to an [`Admitted`] plan, and `optimizer` and `executor` accept nothing else. Until roles and
//! privileges exist (issue 4) it grants everything, but it computes what each plan needs already.

mod admitted;
pub mod login;
mod require;

pub use admitted::{Admitted, Caller, Touches, admit, admit_ddl};
pub use require::{Need, Needs, Right, require, require_ddl};
