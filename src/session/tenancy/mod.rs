//! Tenants, their databases, and quotas: who belongs where, and how much of it anybody may use.
//!
//! Each tenant has an [`Engine`] of its own: its own roles and databases, catalog snapshots, data directory, memory and
//! adjacency. A session holds one engine and can reach nothing of another. The system tenant's engine holds the others;
//! only this folder goes from one to another.
//!
//! Inside an engine roles and databases carry the tenant number 0: they are all its own.
//!
//! Reading order: [`registry`] (what is stored of tenants), `tenant` (one of them while the server runs), `common` (what
//! they share), `route` (which one a client belongs to), `enter` (operators), `permit` (quotas before each statement),
//! `fair` (whose turn it is), then the statements: `statement` (which is which), `tenants`, `databases`, `quotas`,
//! `twin` (functions), `facts` (views).
//!
//! [`Engine`]: super::engine::Engine

pub(super) mod common;
mod databases;
mod engine;
mod enter;
pub(super) mod facts;
pub(super) mod fair;
mod permit;
mod quotas;
pub(super) mod registry;
pub(super) mod route;
mod statement;
pub(super) mod tenant;
mod tenants;
mod twin;

pub(super) use common::Common;
pub(super) use engine::start_usage;
pub(super) use enter::set_tenant;
pub(super) use permit::Gate;
pub use route::Route;
pub(super) use statement::{describe, run, run_call};
pub(super) use tenant::Tenant;
