//! Graph patterns of both languages, `GRAPH_TABLE`, and property-graph statements.
//!
//! * [`names`]: labels and properties by name, the graph a statement is about.
//! * [`pattern`]: pattern trees to [`crate::planner::BoundPattern`].
//! * [`graph_table`]: SQL's `GRAPH_TABLE`; [`definition`]: `CREATE` and `ALTER PROPERTY GRAPH`; [`algorithm`]: table
//!   functions.

pub(crate) mod algorithm;
pub mod definition;
#[cfg(test)]
pub(crate) mod fixture;
pub mod graph_table;
pub(crate) mod names;
pub(crate) mod pattern;
#[cfg(test)]
mod tests;

pub use definition::{bind_graph_change, bind_graph_definition, qualified};
pub use graph_table::bind_graph_table_plan;
pub use names::choose_graph;
