//! The gate: who may log in, what a plan touches, and whether its caller may.
//!
//! [`admit`] is the only way to an [`Admitted`] plan, and `optimizer` and `executor` accept nothing else.

mod admitted;
mod caller;
mod columns;
mod functions;
pub mod grants;
mod graph_listing;
pub mod graph_rights;
pub mod login;
pub mod owned;
pub mod policy;
pub mod privilege;
pub mod quota;
mod references;
mod require;
pub mod roles;
mod type_rights;

pub use admitted::{Admitted, Touches, admit, admit_ddl};
pub use caller::{Caller, Identity};
pub use require::{AsRole, Need, Needs, Right, require, require_ddl};
