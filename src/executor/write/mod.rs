//! A transaction's writes: what it changed, seen over the snapshot it runs on, and how that becomes the next snapshot.
//!
//! ```text
//! latest ──────────► latest'  ──────────► latest''        other transactions commit
//!    │ begin            │ next statement      │ commit
//!    ▼                  ▼ refresh             ▼ rebase, check again
//!  working = latest + writes …              becomes the new latest
//! ```
//!
//! Writes are remembered step by step ([`crate::storage::RowWrite`]), so that they can be done again on a newer version. A row that
//! someone else changed first is a conflict (`40001`): [`crate::storage::RecentWrites`] tells.

mod at_once;
mod computed_keys;
mod constraints;
mod definitions;
mod locking;
mod rebase;
mod statement;
mod statement_target;
mod target;
mod transaction;

use std::sync::Arc;

use datafusion::common::DFSchema;

use crate::catalog::Relation;
use crate::error::PgError;

pub use constraints::{
    ComputedKeys, ConflictSearch, Conflicts, RowCheck, check_all, check_changed,
    check_key_is_unique, check_key_type, check_label_rule, comes_alone, keys_stay, second_update,
};
pub use definitions::{Definitions, adopt_graph};
pub use locking::{Collision, Committed, StatementLocks, lock_error};
pub use statement::StatementWrites;
pub use target::WriteTarget;
pub use transaction::{Writes, WritesMark};

use transaction::TableWork;

/// A plan schema of a table's columns under its own name, for CHECK conditions.
pub(crate) fn table_plan_schema(relation: &Relation) -> Result<DFSchema, PgError> {
    let name = datafusion::common::TableReference::bare(relation.name.as_str());
    let fields = relation
        .columns()
        .iter()
        .map(|column| (Some(name.clone()), Arc::new(column.ty.field(&column.name, true))))
        .collect();
    Ok(DFSchema::new_with_metadata(fields, Default::default())?)
}
