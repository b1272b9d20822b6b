//! DELETE and DETACH DELETE.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use datafusion::common::Result;

use super::Writer;
use super::input::Input;
use super::set::rows_of;
use crate::catalog::EndPoint;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::{Value, arrays};
use crate::planner::node::{RowEvent, ValueColumn};
use crate::storage::EncodedKeys;
use crate::types::RowId;

/// Elements of one kind, by table.
type ByTable = BTreeMap<u16, BTreeSet<RowId>>;

#[derive(Default)]
struct Doomed {
    vertices: ByTable,
    edges: ByTable,
}

impl Writer {
    /// Deletes what stands in the target columns.
    pub(super) async fn delete(
        &mut self,
        input: &mut Input,
        targets: &[ValueColumn],
        detach: bool,
    ) -> Result<()> {
        let mut doomed = Doomed::default();
        for target in targets {
            let values = input.detached(&target.name, &target.ty)?;
            for row in 0..values.len() {
                self.doom(&arrays::read(&values, &target.ty, row)?, &mut doomed)?;
            }
        }
        self.doom_edges(&mut doomed, detach)?;
        let Doomed { vertices, edges } = doomed;
        for (edge, tables) in [(true, edges), (false, vertices)] {
            for (table, rows) in tables {
                let relation = self.relation(self.table_of(edge, table)?)?;
                let ids: Vec<RowId> = rows.into_iter().collect();
                self.target.delete(&relation, &ids).await?;
                self.written.note(relation.oid, RowEvent::Deleted, &ids);
            }
        }
        self.renew()
    }

    fn doom(&self, value: &Value, doomed: &mut Doomed) -> Result<()> {
        let mut add = |edge: bool, reference: u64| -> Result<()> {
            let now = self.now(edge, reference);
            // What is deleted already stays so.
            if !self.graph.find(edge, now.0)?.is_deleted() {
                let tables = if edge { &mut doomed.edges } else { &mut doomed.vertices };
                tables.entry(now.table()).or_default().insert(RowId(now.row()));
            }
            Ok(())
        };
        match value {
            Value::Null => Ok(()),
            Value::Element(element) => add(element.edge, element.reference),
            Value::Path { elements, json: _ } => elements
                .iter()
                .enumerate()
                .try_for_each(|(at, reference)| add(at % 2 == 1, *reference)),
            other => Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("a value of type {} cannot be deleted", other.type_name()),
            )
            .hint("DELETE takes nodes, relationships and paths.")
            .routine("InvalidArgumentType")
            .into()),
        }
    }

    /// The edges at doomed vertices go too, if they may.
    fn doom_edges(&self, doomed: &mut Doomed, detach: bool) -> Result<()> {
        for table in 0..self.graph.graph.edges.len() as u16 {
            let edge = self.graph.edge_table(table)?;
            let mut found: BTreeSet<RowId> = BTreeSet::new();
            for end in [&edge.source, &edge.destination] {
                let Some(rows) = doomed.vertices.get(&(end.vertex as u16)) else { continue };
                let ids: Vec<RowId> = rows.iter().copied().collect();
                found.extend(self.edges_of(table, end, &ids)?);
            }
            let known = doomed.edges.entry(table).or_default();
            if detach {
                known.extend(found);
            } else if found.iter().any(|row| !known.contains(row)) {
                return Err(PgError::new(
                    SqlState::FOREIGN_KEY_VIOLATION,
                    "a node that has relationships cannot be deleted",
                )
                .hint("Delete its relationships before, or use DETACH DELETE.")
                .routine("DeleteConnectedNode")
                .into());
            }
        }
        doomed.edges.retain(|_, rows| !rows.is_empty());
        Ok(())
    }

    /// Edges of a table that have one of some vertices at an end.
    fn edges_of(&self, table: u16, end: &EndPoint, vertices: &[RowId]) -> Result<Vec<RowId>> {
        let rows = rows_of(self.graph.version(false, end.vertex as u16)?, vertices)?;
        let keys: Vec<ArrayRef> = end
            .vertex_columns
            .iter()
            .filter_map(|column| rows.columns().get(*column).cloned())
            .collect();
        self.edges_with(table, &end.edge_columns, keys)
    }

    /// Edges of an open graph's partition that have one of some numbers in a column.
    pub(super) fn edges_at(
        &self,
        table: u16,
        column: usize,
        numbers: &[i64],
    ) -> Result<Vec<RowId>> {
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        self.edges_with(table, &[column], vec![numbers])
    }

    fn edges_with(&self, table: u16, columns: &[usize], keys: Vec<ArrayRef>) -> Result<Vec<RowId>> {
        let version = self.graph.version(true, table)?;
        if version.live_rows() == 0 {
            return Ok(Vec::new());
        }
        let mut fields = Vec::with_capacity(keys.len());
        let mut arrays = Vec::with_capacity(keys.len());
        for (column, key) in columns.iter().zip(keys) {
            let ty = version.schema.field(*column).data_type().clone();
            arrays.push(super::super::values::as_type(key, &ty)?);
            fields.push(Field::new(format!("k{column}"), ty, true));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let own: Vec<usize> = (0..batch.num_columns()).collect();
        let encoded = EncodedKeys::encode(&batch, &own)?;
        let mut found = Vec::new();
        version.find_keys(columns, &encoded, 0..encoded.len(), |_, _, id| found.push(id))?;
        Ok(found)
    }
}
