//! Graph patterns of both languages, `GRAPH_TABLE`, and property-graph statements.
//!
//! * [`names`]: labels and properties by name, the graph a statement is about.
//! * [`pattern`]: pattern trees to [`crate::planner::BoundPattern`].

pub(crate) mod names;
pub(crate) mod pattern;

pub use names::choose_graph;
