//! SQL, read by the `sqlparser` crate from tokens of our own.
//!
//! * `place` is how places in the text survive in `sqlparser`'s tree.
//! * `lexer`, `literal` and `operator` cut the text into tokens by PostgreSQL's rules.
//! * `definition` reads data definition that `sqlparser` does not know.
//! * `roles` reads statements on roles and rights, `tenancy` those on tenants, databases and quotas.
//! * `rewrite` (with `like`, `locking`, `frame_bound`, …), `forms` and `copy_where` put what `sqlparser` lacks into forms it has; `utility` reads the rest.
//! * `do_block` and `raise` read what `DO` may hold.
//! * `complexity` bounds what `sqlparser` may be given; `dialect`, `parse` and `join` run it, and word its errors as
//!   PostgreSQL does.

mod catalog_calls;
mod complexity;
pub mod copy_where;
pub mod definition;
mod dialect;
mod do_block;
mod empty_select;
mod fetch_first;
mod forms;
mod frame_bound;
pub mod join;
mod lexer;
mod like;
mod literal;
mod locking;
mod merge_source;
mod operator;
mod parse;
mod place;
mod procedure;
pub mod raise;
mod rewrite;
pub mod roles;
mod set_subscript;
pub mod tenancy;
#[cfg(test)]
mod tests;
mod typed_string;
mod utility;
mod word;

pub(super) use complexity::check_complexity;
pub(crate) use do_block::condition_named;
pub(super) use lexer::SqlLexer;
pub use like::TableLike;
pub(super) use parse::{expression, statement};
pub use place::byte_span;
pub(super) use place::sqlparser_span;
pub use procedure::PROCEDURE;
pub use rewrite::{ALL_FIELDS, CONFLICT_PARTS, MergeMark, SET_COLUMNS};
pub use utility::deferrable;
pub(super) use utility::utility;
pub(super) use word::{is_word, word_at};
