//! One connection's state, and the way of a statement from its text to its rows.
//!
//! [`Session`] is the door of the crate: servers, tests and the command line are callers of it. [`pipeline`] is the best
//! place to start reading.
//!
//! Reading order: [`outcome`] (what a caller gets), [`engine`] (what all sessions share), [`settings`], `transaction`,
//! `statements` (prepared statements and portals), [`pipeline`], `quick` (look-ups that need none of it), `utility` (SET, BEGIN, PREPARE, …), `define` (data
//! definition), `copy`, `facts` (what functions and system views ask), [`bootstrap`].

mod advisory;
mod aside;
pub mod bootstrap;
mod channels;
mod cluster;
mod copy;
mod copy_filter;
mod cursors;
mod define;
pub mod display;
mod domains;
mod durable;
pub mod engine;
mod exported;
mod facts;
#[cfg(test)]
mod faults;
mod generated;
mod hide_values;
mod identity;
mod index_keys;
mod locking;
mod maintenance;
mod object_names;
mod open_graph;
pub mod outcome;
pub mod pipeline;
mod privilege_facts;
mod quick;
mod remembered;
mod roles;
mod routine;
mod safe_snapshot;
mod scroll;
mod sequences;
mod serializable;
mod session_impl;
mod set_constraints;
pub mod settings;
mod shared;
mod statements;
mod stored_expressions;
mod stored_keys;
mod temporary;
mod tenancy;
mod transaction;
mod utility;
mod values;
mod view_text;

pub use channels::{Inbox, Notification};
pub use engine::{Engine, EngineOptions, LoginPolicy, THREAD_STACK_BYTES};
pub use identity::{Authenticated, LoginMethod, LoginRequest, Peer};
pub use object_names::ObjectNames;
pub use outcome::{
    Completion, CopyIn, CopyOut, Format, Outcome, OutputColumn, RowStream, StatementDescription,
    TransactionStatus,
};
pub use quick::{AtOnce, HeldRow, LookedUp};
pub use remembered::Recalled;
pub use session_impl::{Finished, ScriptPosition, Session};
pub use tenancy::Route;
pub use tenancy::registry::{registry_files, tenant_store, tenant_store_or_new, tenant_stores};

pub use crate::parser::Statement;
