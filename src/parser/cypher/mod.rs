//! Cypher: openCypher 9 with the forms of Neo4j 5 and GQL that people write.
//!
//! * `ast` and `expr` have the tree.
//! * `lexer` and `number` cut text into tokens.
//! * `statement` reads a statement, `query` the clauses of a query, `clause`, `writing`, `call`, `schema` and
//!   `show` each of them.
//! * `operator`, `atom` and `comprehension` read expressions; `parser` is what all of them share.

mod ast;
mod atom;
mod call;
mod clause;
mod comprehension;
mod expr;
mod lexer;
mod number;
mod operator;
mod parser;
mod query;
mod schema;
mod show;
mod statement;
#[cfg(test)]
mod tck_tests;
#[cfg(test)]
mod tests;
mod writing;

pub use ast::*;
pub use expr::*;
pub use statement::parse;
pub(super) use statement::{parse_next, shows_graph_object};
