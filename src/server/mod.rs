//! Sockets, TLS and the PostgreSQL wire protocol: everything between a client's bytes and [`crate::session::Session`].
//!
//! A connection is one task. It reads frames through a strict guard, asks its session, and appends replies to one
//! buffer that is written at Sync, Flush, ReadyForQuery or when it is full. Nothing here plans, checks rights or knows
//! a table; nothing outside this room knows a wire format, and only `server::pg` names the `pgwire` crate.
//!
//! In reading order:
//!
//! * `options`: what can be configured.
//! * `listener`: binds, accepts, counts connections, survives a full descriptor table and panicking connections.
//! * `threads`: the threads that connections live on.
//! * `half_open`: who makes room when too many are logging in.
//! * `shutdown`: signals, and how a server that stops treats its clients.
//! * `tls`: certificate and key, checked before the process serves anything.
//! * `pg`: the protocol itself.

mod half_open;
mod listener;
mod options;
mod pg;
mod shutdown;
mod threads;
mod tls;

pub use listener::{Server, ServerError};
pub use options::{ServerOptions, TlsOptions};
pub use shutdown::on_signals;
pub use tls::TlsError;
