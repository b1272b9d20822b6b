//! Tenants and quotas over the wire: who gets where, what is not there, and what a client is told of its limits.
//!
//! SECURITY.md §5 numbers the experiments that are repeated here (A-11, Z-11, Z-12, Q-01).

mod canaries;
mod limits;
mod logins;
mod server;
mod stores;
mod timeouts;
