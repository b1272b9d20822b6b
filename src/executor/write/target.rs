//! Where a statement's writes go.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::constraints::{ConflictSearch, Conflicts};
use super::locking::Collision;
use crate::catalog::{Catalog, OpenDefinition, Relation};
use crate::error::PgError;
use crate::storage::StoreSnapshot;
use crate::types::{Oid, RowId};

/// Where a statement's writes go. Each waits for transactions that hold the same rows or keys.
///
/// A statement may write in several steps (WITH, MERGE); foreign keys hold when it is done, so it ends with
/// [`Self::finish`].
#[async_trait]
pub trait WriteTarget: Send + Sync {
    /// For each row, whether this statement writes it for the first time. It counts as written from then on.
    fn claim(&self, relation: &Relation, ids: &[RowId]) -> Vec<bool>;

    /// Looks for rows that new ones would conflict with.
    ///
    /// # Errors
    /// See [`ConflictSearch`].
    async fn conflicts(
        &self,
        relation: &Arc<Relation>,
        search: &mut ConflictSearch,
        rows: &RecordBatch,
    ) -> Result<Conflicts, PgError>;

    /// Adds rows.
    ///
    /// # Errors
    /// `23…` for a violated constraint, `40001` for a conflict.
    async fn insert(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        collision: Collision,
    ) -> Result<(), PgError>;

    /// Replaces rows by others, one for one.
    ///
    /// # Errors
    /// As [`Self::insert`].
    async fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError>;

    /// Removes rows.
    ///
    /// # Errors
    /// As [`Self::insert`].
    async fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError>;

    /// Does what foreign keys ask for after all writes of the statement.
    ///
    /// # Errors
    /// `23…` for a violated constraint.
    async fn finish(&self) -> Result<(), PgError>;

    /// As [`Self::insert`], and gives the ids of the rows, in their order.
    ///
    /// # Errors
    /// As [`Self::insert`].
    async fn insert_numbered(
        &self,
        relation: &Arc<Relation>,
        rows: RecordBatch,
    ) -> Result<Vec<RowId>, PgError>;

    /// All tables as the statement left them so far.
    fn view(&self) -> StoreSnapshot;

    /// Names, among them what this statement made come into being.
    fn catalog(&self) -> Arc<Catalog>;

    /// Makes labels, types and properties of an open graph come into being.
    ///
    /// # Errors
    /// `55P03` if definitions are held by another for too long; `54000` for more than a graph may have.
    async fn define(&self, graph: Oid, wanted: Vec<OpenDefinition>) -> Result<(), PgError>;

    /// Takes `count` numbers of a sequence; the first. The others follow it.
    ///
    /// # Errors
    /// `2200H` at its end.
    fn take_numbers(&self, sequence: Oid, count: usize) -> Result<i64, PgError>;
}
