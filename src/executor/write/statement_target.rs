//! A statement's writes as the operators see them.

use std::slice;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::constraints::{Change, ConflictSearch, Conflicts, computed_indexes, unique_keys};
use super::definitions::adopt_graph;
use super::locking::Collision;
use super::statement::{Done, StatementWrites};
use super::target::WriteTarget;
use crate::catalog::{Catalog, OpenDefinition, Relation};
use crate::error::PgError;
use crate::storage::{RowLock, StoreSnapshot};
use crate::types::{Oid, RowId};

#[async_trait]
impl WriteTarget for StatementWrites {
    fn claim(&self, relation: &Relation, ids: &[RowId]) -> Vec<bool> {
        let mut done = self.done.lock();
        let inserted = |done: &Done, id: RowId| {
            done.changes.iter().any(|change| change.has_inserted(relation.oid, id))
        };
        ids.iter()
            .map(|id| !inserted(&done, *id) && done.claimed.insert((relation.oid, *id)))
            .collect()
    }

    async fn conflicts(
        &self,
        relation: &Arc<Relation>,
        search: &mut ConflictSearch,
        rows: &RecordBatch,
    ) -> Result<Conflicts, PgError> {
        let catalog = self.names();
        let (waiting, batches) = (self.waiting(&catalog), slice::from_ref(rows));
        if let Some(table) = relation.table() {
            for key in unique_keys(table).filter(|key| search.counts(key.oid)) {
                waiting.new_keys(relation, &key, batches, Collision::Arbiter).await?;
            }
            for index in computed_indexes(table).filter(|index| search.counts(index.oid)) {
                let rows = (batches, None);
                waiting.computed_keys(relation, table, index, rows, Collision::Arbiter).await?;
            }
        }
        let store = self.view();
        let found = search.search(&catalog, &store, relation, rows, self.check.as_ref())?;
        if search.updates() {
            // Whether such a row is updated is decided on what it is once it is ours.
            let ids: Vec<RowId> = found.row_ids.iter().flatten().map(RowId).collect();
            waiting.rows(relation, &ids, RowLock::NoKeyUpdate).await?;
        }
        Ok(found)
    }

    async fn insert(
        &self,
        relation: &Arc<Relation>,
        rows: Vec<RecordBatch>,
        collision: Collision,
    ) -> Result<(), PgError> {
        let changes = self.insert_rows(relation, rows, collision).await?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }

    async fn update(
        &self,
        relation: &Arc<Relation>,
        ids: &[RowId],
        rows: Vec<RecordBatch>,
    ) -> Result<(), PgError> {
        let changes = self.update_rows(relation, ids, rows).await?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }

    async fn delete(&self, relation: &Arc<Relation>, ids: &[RowId]) -> Result<(), PgError> {
        let changes = self.delete_rows(relation, ids).await?;
        self.done.lock().changes.extend(changes);
        Ok(())
    }

    async fn finish(&self) -> Result<(), PgError> {
        let changes = std::mem::take(&mut self.done.lock().changes);
        self.label_rules(&changes).await?;
        self.foreign_keys(changes).await
    }

    async fn insert_numbered(
        &self,
        relation: &Arc<Relation>,
        rows: RecordBatch,
    ) -> Result<Vec<RowId>, PgError> {
        let count = rows.num_rows() as u64;
        let changes = self.insert_rows(relation, vec![rows], Collision::Write).await?;
        let first = changes.first().and_then(Change::first_inserted);
        let ids = match first {
            Some(first) => (first.0..first.0.saturating_add(count)).map(RowId).collect(),
            None => Vec::new(),
        };
        self.done.lock().changes.extend(changes);
        Ok(ids)
    }

    fn view(&self) -> StoreSnapshot {
        self.writes.lock().view().clone()
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.names()
    }

    async fn define(&self, graph: Oid, wanted: Vec<OpenDefinition>) -> Result<(), PgError> {
        let Some(definitions) = &self.definitions else {
            return Err(PgError::internal("nothing can be defined here"));
        };
        let before = self.names();
        let after = definitions.define(graph, wanted, &before, &self.writes).await?;
        adopt_graph(&after, graph, definitions.as_ref(), &mut self.writes.lock())?;
        *self.catalog.lock() = after;
        Ok(())
    }

    fn take_numbers(&self, sequence: Oid, count: usize) -> Result<i64, PgError> {
        let Some(definitions) = &self.definitions else {
            return Err(PgError::internal("nothing can be numbered here"));
        };
        definitions.take_numbers(sequence, count, &self.names())
    }
}
