//! Row policies: which apply, and where they stand in a plan.
//!
//! ```text
//! applies   table, role, command ──► the policies that count
//! place     each scan            ──► RowPolicy above it, with the policies' conditions between the two
//! pattern   each element table   ──► a guard, by which operators know the elements that are not there
//! write     each write           ──► PolicyCheck below it
//! verify    after optimization   ──► every scan still below its RowPolicy
//! ```
//!
//! The semantics are PostgreSQL's, to the words of the errors.
//!
//! # Hiding elements of a graph for other reasons
//!
//! A right on a label, or on elements that satisfy a condition, is the same thing as a policy on an element table: use
//! [`pattern::hide`] on a [`crate::planner::MatchPattern`] with the elements that stay. A label that a role may not traverse
//! is a label of some element tables; each of them is hidden as a whole (`None`) or as far as a condition over the table's
//! columns says. Whatever is hidden is not there for matches, walks, searches and counts.

mod applies;
mod elements;
mod leak_proof;
pub mod pattern;
mod place;
mod roles;
mod verify;
mod write;

pub use applies::{row_security_applies, row_security_refused};
pub use leak_proof::is_leak_proof;
pub(super) use place::place;
pub(super) use roles::{forget_roles, naming};
pub use verify::verify;
