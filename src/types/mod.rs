//! What a value is: identifiers, the Arrow ↔ PostgreSQL type table, and each type's text and binary forms.
//!
//! This room never sees a catalog, a session or a socket: settings such as the time zone come in as
//! arguments, and names of catalog objects stay numbers.
//!
//! Reading order: [`ids`], [`pg_type`] (the table), [`builtin`] (the rows of `pg_type`), `type_name`
//! (SQL names of types), [`error`].

pub mod builtin;
pub mod error;
pub mod ids;
pub mod pg_type;
mod report;
mod type_name;

pub use error::TypeError;
pub use ids::{BackendPid, CommitNo, ElementRef, Oid, RowId, TenantId};
pub use pg_type::{NUMERIC_STORAGE, PgType, TYPE_KEY};
