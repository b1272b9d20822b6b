//! Statements about the session itself: transactions, settings, prepared statements, cursors.
//!
//! Reading order: `run` (which statement is which), `transaction` (blocks and their modes), `set`, `show`, `prepared`.

mod prepared;
mod run;
mod set;
mod show;
mod transaction;

pub(super) use run::{describe, ends_transaction, is_session_statement, run};
pub(super) use transaction::{begin_block, commit_block, isolation};
