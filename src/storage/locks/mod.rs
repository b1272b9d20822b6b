//! Locks that transactions hold until they end, and how one waits for another.
//!
//! Reading order: [`target`] (what can be locked, and how strongly), [`rows`] (sets of rows of a block), [`table`] (who
//! holds what, who waits), [`owner`] (what one transaction holds, and the waiting), [`deadlock`], [`attend`] (waiting without a place in a queue).
//!
//! A lock is on a table, a row, a key that is being inserted, the definitions of a database, or a number that clients
//! agree on. Rows are locked by blocks of 1024 neighbors, so a statement that locks a million rows costs a thousand
//! entries; a single free row costs one look-up in one shard.
//!
//! Nothing here knows of commits. A holder's changes are published before its locks go, so who was waiting takes a new
//! snapshot and finds them.

mod attend;
mod deadlock;
mod owner;
mod rows;
mod table;
mod target;

#[cfg(test)]
mod tests;

pub use attend::Attending;
pub use deadlock::DeadlockStep;
pub use owner::{LockError, LockOwner, WaitLimits, WhenHeld};
pub use table::{LockTable, LockView};
pub use target::{KEY_BITS, LockTarget, RowLock, TableLock};
