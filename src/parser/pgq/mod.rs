//! SQL/PGQ: `GRAPH_TABLE ( … )` in SQL, and the statements on property graphs.
//!
//! * `ast` has the trees.
//! * `parser` and `tokens` let the shared pattern parser walk SQL's tokens.
//! * `graph_table` takes each `GRAPH_TABLE` out of a statement; `ddl` and `element_table` read statements on graphs.

mod ast;
mod ddl;
mod element_table;
mod graph_table;
mod parser;
#[cfg(test)]
mod tests;
mod tokens;

pub use ast::*;
pub(super) use ddl::{is_property_graph_ddl, property_graph_ddl};
pub use graph_table::GRAPH_TABLE_FUNCTION;
pub(super) use graph_table::take_graph_tables;
