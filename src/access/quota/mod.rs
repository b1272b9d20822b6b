//! Quotas: how much a tenant, a role or an address may do, and the permit that a statement gets.
//!
//! Reading order: [`definition`] (what a quota says), [`tiers`] (those that are there from the start), `counter` (one
//! limit and how far it is used up), `key_state` (all limits of one quota for one tenant, role or address), [`permit`]
//! (asking before a statement, charging after it), [`book`] (all quotas, and who has which), [`error`] (what a client is
//! told).
//!
//! Who has no quota pays one atomic load for it.

pub mod book;
mod counter;
pub mod definition;
pub mod error;
mod key_state;
pub mod permit;
pub mod tiers;

pub use book::{QuotaBook, SavedUsage, Subject};
pub use definition::{
    Exceeded, Gauge, IntervalDef, IntervalLimits, Keyed, Metric, QuotaDef, Target,
};
pub use error::{Refusal, Warning};
pub use permit::{ConnectionPermit, Permit, Quotas, StatementClass};
