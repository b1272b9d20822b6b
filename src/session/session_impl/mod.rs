//! The session itself: one connection's state, and its doors.
//!
//! Reading order: `state` (what it holds), `login` (how it begins), `simple` (query strings), `extended` (prepared statements
//! and portals), `transactions` (the transaction around a statement), `timers`, `client` (what a client is told beside
//! results), `context` (what binding, checks and writing may look at).

mod client;
mod context;
mod extended;
mod login;
mod simple;
mod state;
mod timers;
mod transactions;

pub use simple::{Finished, ScriptPosition};
pub use state::Session;

pub(super) use context::ContextSource;
