//! The PostgreSQL wire protocol, version 3.0.
//!
//! Only this module names the `pgwire` crate, and uses of it the SCRAM engine: its decoder takes bytes of the next
//! message for a short one, and replaces bytes that are not UTF-8 (SECURITY.md §1.1, W3–W6), so frames, messages and
//! replies are read and written here.
//!
//! In reading order:
//!
//! * [`connection`]: a connection from its first byte to its last, and what becomes of errors and panics.
//! * [`startup`], [`options`], [`login`], [`scram`], [`cancel`]: until a session exists.
//! * [`frame`], [`message`], [`wire`], [`transport`]: bytes to messages.
//! * [`simple`], [`extended`]: the two query protocols; [`quick`]: look-ups answered at once; [`answer`], [`rows`], [`copy`]: what a statement gave.
//! * [`reply`], [`encode`], [`error`]: messages to bytes.

mod answer;
mod cancel;
mod connection;
mod copy;
mod encode;
mod error;
mod extended;
mod frame;
mod login;
mod lookout;
mod message;
mod options;
mod quick;
mod reply;
mod rows;
mod scram;
mod simple;
mod startup;
mod transport;
mod wire;

pub(super) use cancel::Backends;
pub(super) use connection::{Shared, serve};
