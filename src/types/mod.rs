//! What a value is: identifiers, the Arrow ↔ PostgreSQL type table, and each type's text and binary forms.
//!
//! This room never sees a catalog, a session or a socket: settings such as the time zone come in as
//! arguments, and names of catalog objects stay numbers.
//!
//! Reading order: [`ids`], [`pg_type`] (the table), [`builtin`] (the rows of `pg_type`), `type_name`
//! (SQL names of types), [`error`].

pub(crate) mod binary;
pub mod builtin;
pub(crate) mod calendar;
pub(crate) mod cast;
mod clock;
pub(crate) mod column;
pub(crate) mod copy;
pub mod domain;
pub mod enum_type;
pub mod error;
pub(crate) mod field;
mod format;
pub(crate) mod hstore;
pub mod ids;
pub(crate) mod input_column;
pub(crate) mod json;
pub mod json_path;
#[cfg(not(graphwire_parts))]
mod measured;
mod memory;
pub mod pg_type;
pub mod range;
mod report;
pub mod rounding;
pub mod row_type;
pub mod settings;
mod storage;
mod stored;
pub(crate) mod text;
mod type_name;
pub mod zone;
mod zone_abbreviations;

pub use cast::{cast_text_array, to_text_array};
pub use clock::Clock;
pub use error::TypeError;
pub use format::Format;
pub use ids::{AdvisoryKey, BackendPid, CommitNo, ElementRef, Oid, RowId, TenantId};
#[cfg(not(graphwire_parts))]
pub use measured::{Measure, Measured, Scope};
pub use memory::{MemoryBranch, OutOfMemory};
pub use pg_type::{NUMERIC_STORAGE, PgType, TYPE_KEY};
pub use settings::{
    ByteaOutput, DateOrder, DateStyle, InputSettings, IntervalStyle, OutputSettings,
};
pub use zone::TimeZone;

#[cfg(test)]
mod fixture_tests;
