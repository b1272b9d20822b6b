//! Clauses that write to a graph, for a batch of rows at a time.
//!
//! * [`input`]: the rows of a clause and the elements in them; [`values`]: property values as columns.
//! * [`create`], [`merge`], [`set`], [`labels`], [`delete`]: the clauses; [`typed`]: rows of a typed graph's tables.
//! * [`written`]: which rows these were, for policies on them.
//!
//! References here are detached: the table of an element and the id of its row, which stay what they are whatever is
//! written. An element that goes to another partition is noted in [`super::Moved`].

mod create;
mod delete;
mod input;
mod labels;
mod merge;
mod set;
mod typed;
mod values;
mod written;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::snapshot::GraphSnapshot;
use crate::catalog::{OpenDefinition, Relation};
use crate::error::{PgError, SqlState};
use crate::executor::write::WriteTarget;
use crate::planner::node::{GraphAction, GraphWrite};
use crate::types::{ElementRef, Oid};
use input::Input;

pub(super) use typed::pg_column;
pub(crate) use written::Written;

/// Writes for the rows of one clause.
pub(crate) struct Writer {
    target: Arc<dyn WriteTarget>,
    /// The graph as it is now.
    graph: Arc<GraphSnapshot>,
    /// Rows of a typed graph's tables that it wrote.
    written: Written,
}

impl Writer {
    /// Does what a clause says for all rows of its input; the rows it gives, and those it wrote.
    ///
    /// # Errors
    /// `23…` for a violated constraint or a node with relationships, `22004` for a null where MERGE needs a value, `42804`
    /// for values that cannot be properties, `P0002` for a deleted element.
    pub(crate) async fn run(
        target: Arc<dyn WriteTarget>,
        before: &Arc<GraphSnapshot>,
        write: &GraphWrite,
        rows: RecordBatch,
        schema: &SchemaRef,
    ) -> Result<(RecordBatch, Written)> {
        let mut writer = Self { target, graph: Arc::clone(before), written: Written::default() };
        let mut input = Input::new(Arc::clone(before), rows);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for kept in &write.kept {
            columns.push(input.detached(&kept.name, &kept.ty)?);
        }
        match &write.action {
            GraphAction::Create { vertices, edges } => {
                columns.extend(writer.create(&mut input, vertices, edges).await?);
            }
            GraphAction::Merge { vertices, edges, key, symmetric, created: _ } => {
                let merged = merge::Merge { vertices, edges, key, symmetric: *symmetric };
                columns.extend(writer.merge(&mut input, merged).await?);
            }
            GraphAction::Set { items } => {
                for item in items {
                    writer.set(&mut input, item).await?;
                }
            }
            GraphAction::Delete { targets, detach } => {
                writer.delete(&mut input, targets, *detach).await?;
            }
        }
        let columns = columns.into_iter().zip(schema.fields().iter());
        let columns = columns
            .map(|(column, field)| super::values::as_type(column, field.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let count = RecordBatchOptions::new().with_row_count(Some(input.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &count)?;
        Ok((rows, writer.written))
    }

    /// Looks at the graph again after something was written.
    fn renew(&mut self) -> Result<()> {
        let renewed = self.graph.renewed(&self.target.catalog(), &self.target.view())?;
        self.graph = Arc::new(renewed);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.graph.graph.open.is_some()
    }

    /// Makes what is missing in an open graph.
    async fn define(&mut self, wanted: Vec<OpenDefinition>) -> Result<()> {
        if !wanted.is_empty() {
            self.target.define(self.graph.graph.oid, wanted).await?;
            self.renew()?;
        }
        Ok(())
    }

    /// The relation of an element table.
    fn relation(&self, oid: Oid) -> Result<Arc<Relation>> {
        let relation = self.target.catalog().relation(oid).cloned();
        Ok(relation.ok_or_else(|| PgError::internal("a table of the graph is not there"))?)
    }

    fn table_of(&self, edge: bool, table: u16) -> Result<Oid> {
        Ok(self.graph.element(edge, table)?.relation)
    }

    /// The labels of a vertex partition, sorted.
    fn labels_of(&self, table: u16) -> Result<Vec<String>> {
        let element = self.graph.element(false, table)?;
        let mut labels: Vec<String> = element.label_names().map(str::to_owned).collect();
        labels.sort_unstable();
        Ok(labels)
    }

    /// Where an element is now.
    fn now(&self, edge: bool, reference: u64) -> ElementRef {
        self.graph.moved.follow(edge, reference)
    }
}

/// What is written to is not there any more.
fn deleted(edge: bool) -> PgError {
    let kind = if edge { "relationship" } else { "node" };
    PgError::new(SqlState::NO_DATA_FOUND, format!("the {kind} was deleted by this statement"))
        .routine("DeletedEntityAccess")
}
