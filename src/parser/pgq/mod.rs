//! SQL/PGQ: `GRAPH_TABLE ( … )` in SQL, and the statements on property graphs.
//!
//! * [`ast`] has the trees.

mod ast;

pub use ast::*;
