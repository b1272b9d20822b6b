//! Row policies: which apply, and where they stand in a plan.
//!
//! ```text
//! applies   table, role, command ──► the policies that count
//! place     each scan            ──► RowPolicy above it, with the policies' conditions between the two
//! pattern   each element table   ──► a guard, by which operators know the elements that are not there
//! write     each write           ──► PolicyCheck below it
//! graph_write  Cypher's clauses  ──► queries for the rows that pass
//! verify    after optimization   ──► every scan still below its RowPolicy
//! ```
//!
//! The semantics are PostgreSQL's, to the words of the errors.

mod applies;
mod elements;
mod graph_write;
mod leak_proof;
mod pattern;
mod place;
mod roles;
mod verify;
mod write;

pub use applies::{row_security_applies, row_security_refused};
pub use leak_proof::is_leak_proof;
pub(super) use place::place;
pub(super) use roles::{forget_roles, naming};
pub use verify::verify;
