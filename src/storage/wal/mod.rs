//! The write-ahead log: every commit is in it, and synced, before its client hears of it.
//!
//! ```text
//! committer   encode ─ lock ─ number, queue ─ unlock ─ await ............................ acknowledge
//! log thread                    └─► write the frames of all that wait ─ sync ─ publish ─┘
//! ```
//!
//! A committer that keeps nobody else waiting does the log thread's part itself, if nobody does it. What is queued
//! meanwhile waits for the next turn, which is the thread's.
//!
//! The order of commits is the order in which they are queued. One sync serves all that were queued before it.
//!
//! Reading order: [`record`] (what a commit holds), `frame`, `segment` (files), [`log`] (the thread).

pub(crate) mod frame;
pub mod log;
pub mod record;
pub(crate) mod segment;

pub use log::{AppendError, Entry, Log, LogOptions, LogStats, Scribe};
pub use record::{CommitRecord, ObjectKey};
