//! Text to syntax tree, for SQL, SQL/PGQ and Cypher.
//!
//! Pure functions of the text: no catalog, clock or I/O, no panic on any byte string, bounded depth (`54001`). Every
//! node knows its bytes ([`Span`]). What graphwire does not carry out is refused here or in the binder with `0A000`;
//! nothing is parsed and then ignored.
//!
//! In reading order:
//!
//! * `span`, `error`, `hint` and `statement` have places, errors, and what is handed over.
//! * `script` reads a text of one or several statements; `route` says which language each is in.
//! * `shape` takes the literals out of a text, so that the same statement is known again.
//! * `pattern` is the one syntax tree of graph patterns, for both graph languages; `token`, `pattern_parser` and
//!   `label_parser` read it.
//! * `cypher` reads Cypher.
//! * `sql` reads SQL, by the `sqlparser` crate.
//! * `pgq` reads `GRAPH_TABLE` and property-graph statements.
//! * `plpgsql` reads bodies in PL/pgSQL.
//! * `stored` reads texts the catalog keeps.

pub mod cypher;
mod error;
mod hint;
mod label_parser;
pub mod pattern;
mod pattern_parser;
pub mod pgq;
pub mod plpgsql;
mod route;
mod script;
pub mod shape;
mod span;
pub mod sql;
mod statement;
pub mod stored;
#[cfg(test)]
mod tests;
mod token;

pub use error::{ParseError, SyntaxDetail};
pub use route::{CATALOG_PROCEDURES, is_graph_procedure};
pub use script::parse_script;
pub use span::Span;
pub use sql::{CONFLICT_PARTS, MergeMark, PROCEDURE, SET_COLUMNS, TableLike, byte_span};
pub use statement::{Body, QueryLanguage, Statement, Utility};
