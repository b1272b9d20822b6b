//! Identifiers, the Arrow ↔ PostgreSQL type table, and values in their text and binary forms.

pub mod ids;

pub use ids::{BackendPid, CommitNo, ElementRef, Oid, RowId, TenantId};
