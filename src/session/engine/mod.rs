//! What all sessions of a tenant share: databases, roles, the runtime, and who is connected.
//!
//! Reading order: `options` (how one is set up), `shared` (the engine itself), `open` (how it starts, and takes over what was
//! stored), `first` (what a new one holds), `databases` (those it has), `database` (one of them), `commit` (how its next state
//! is made), `merge` (chunks of its tables), `checkpoint`, `sessions` (who is connected), `compute` (threads).

mod checkpoint;
mod commit;
mod compute;
mod database;
mod databases;
mod first;
mod merge;
mod open;
mod options;
mod sessions;
mod shared;

pub use compute::THREAD_STACK_BYTES;
pub use first::SYSTEM_ROLE;
pub use options::{EngineOptions, LoginPolicy};
pub use shared::Engine;

pub(super) use commit::CatalogWork;
pub(super) use compute::Compute;
pub(super) use database::{DatabaseState, HeldSnapshot, Latest};
pub(super) use first::{GRAPHWIRE_DATABASE, SYSTEM_ROLE_NAME};
pub(super) use shared::now_us;
