//! Graphs at execution: the statement's snapshot of one, functions on its elements, and the lowering of a pattern.
//!
//! Reading order: [`snapshot`] (what a graph is made of while a statement runs), `values` and `json` (reading elements),
//! [`functions`] (the same as DataFusion functions), [`lower`] with `order` (estimates) and `key_lookup` (from a bound
//! pattern to operators), [`algorithm`] (PageRank and its like).

pub mod algorithm;
pub mod functions;
pub mod guard;
mod json;
mod key_lookup;
pub mod lower;
pub mod open;
mod order;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod values;
pub mod write;

pub use crate::storage::AdjacencyCache;
pub use functions::bind_graph_functions;
pub use guard::{Guards, Mask, Masks};
pub use lower::{CreatePhysical, lower_match};
pub use open::Moved;
pub(crate) use open::OpenColumn;
pub use snapshot::{ExpressionHook, GraphSnapshot, Hop, element_version};
