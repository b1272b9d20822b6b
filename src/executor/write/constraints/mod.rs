//! NOT NULL, CHECK, keys and foreign keys.
//!
//! ```text
//! a statement   rows ──► NOT NULL, CHECK ──► written ──► keys unique?          (per write)
//!                                              │
//!               end of the statement ◄─────────┘  foreign keys: actions, then what they wrote, then checks
//! COMMIT        what was deferred; what others committed meanwhile, together with what this transaction wrote
//! ```
//!
//! Every check costs in proportion to the rows written: keys are looked up in the chunks' indexes.

mod actions;
mod computed;
mod conflict;
mod deferred;
mod foreign;
mod keys;
mod labels;
mod plain;
mod rows;
#[cfg(test)]
mod tests;
mod whole;

use arrow::array::{ArrayRef, RecordBatch};

use crate::catalog::{Catalog, Index, Relation};
use crate::error::{PgError, SqlState};
use crate::types::pg_type::PgType;

pub(super) use actions::Change;
pub use computed::ComputedKeys;
pub(super) use computed::ComputedProbe;
pub use conflict::{ConflictSearch, Conflicts, second_update};
pub(super) use deferred::Deferral;
pub(super) use foreign::ForeignKeys;
pub(super) use keys::{UniqueKey, computed_indexes, duplicate, unique_keys};
pub use keys::{check_key_is_unique, check_key_type};
pub use labels::check_label_rule;
pub(super) use plain::keeps_keys;
pub use plain::{comes_alone, keys_stay};
pub(super) use rows::{admit_rows, rows_by_id};
pub use whole::{check_all, check_changed};

/// SQL that constraints are made of, which is not this room's business: the session evaluates it.
pub trait RowCheck: Send + Sync {
    /// The first row of `rows` for which the condition of a CHECK constraint is false.
    ///
    /// # Errors
    /// Whatever evaluating the condition raises.
    fn first_violation(
        &self,
        relation: &Relation,
        condition: &str,
        rows: &RecordBatch,
    ) -> Result<Option<usize>, PgError>;

    /// Whether values may be values of a type that has a domain in it.
    ///
    /// # Errors
    /// `23502`, `23514`, naming the domain.
    fn check_domain(&self, declared: &PgType, values: &ArrayRef) -> Result<(), PgError>;

    /// Defaults of a column for `rows` rows; nulls where it has none.
    ///
    /// # Errors
    /// Whatever evaluating the default raises.
    fn default_values(
        &self,
        relation: &Relation,
        column: usize,
        rows: usize,
    ) -> Result<ArrayRef, PgError>;

    /// The keys of a table's rows in an index.
    ///
    /// # Errors
    /// Whatever evaluating an expression raises.
    fn index_keys(
        &self,
        relation: &Relation,
        index: &Index,
        rows: &RecordBatch,
    ) -> Result<ComputedKeys, PgError>;

    /// Rows of a table with their generated columns computed anew.
    ///
    /// # Errors
    /// Whatever evaluating an expression raises.
    fn with_generated(
        &self,
        relation: &Relation,
        rows: RecordBatch,
    ) -> Result<RecordBatch, PgError>;
}

/// An error about a table, with the fields that name it.
fn violation(catalog: &Catalog, relation: &Relation, code: SqlState, message: String) -> PgError {
    let schema = catalog.schemas.get(&relation.schema).map_or("", |schema| schema.name.as_str());
    PgError::new(code, message).table(schema, &relation.name)
}
