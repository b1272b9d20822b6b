//! Runs admitted plans: physical operators, scans, writes, memory and cancellation.
//!
//! Reading order: [`runtime`] (what all statements share), [`physical`] (a logical plan becomes operators over one
//! snapshot), [`scan`], [`write`], [`apply`], then the operators.

pub mod apply;
mod chunk_pruning;
mod csv_records;
pub mod graph;
mod keyed_subplans;
mod measured;
mod memory_pool;
pub mod operator;
pub mod physical;
pub mod reads;
mod row_conditions;
pub mod runtime;
pub mod scan;
pub mod short;
mod stages;
pub mod write;

pub use measured::MeasuredRows;
pub use physical::{Statement, SystemRows};
pub use reads::ReadLog;
pub use runtime::Runtime;
pub use write::WriteTarget;
