//! Cypher: openCypher 9 with the forms of Neo4j 5 and GQL that people write.
//!
//! * [`ast`] and [`expr`] have the tree.

mod ast;
mod expr;

pub use ast::*;
pub use expr::*;
