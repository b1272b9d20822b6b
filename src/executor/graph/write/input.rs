//! The rows a clause writes for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::error::ArrowError;
use datafusion::common::Result;

use crate::error::PgError;
use crate::executor::graph::open::refs_of;
use crate::executor::graph::snapshot::GraphSnapshot;
use crate::functions::cypher::CypherType;

/// Rows, and the graph that the elements in them refer to.
pub(super) struct Input {
    graph: Arc<GraphSnapshot>,
    pub(super) rows: RecordBatch,
    /// Elements this clause has made, detached.
    made: BTreeMap<String, UInt64Array>,
}

impl Input {
    pub(super) fn new(graph: Arc<GraphSnapshot>, rows: RecordBatch) -> Self {
        Self { graph, rows, made: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    pub(super) fn column(&self, name: &str) -> Result<&ArrayRef> {
        Ok(self
            .rows
            .column_by_name(name)
            .ok_or_else(|| PgError::internal(format!("a clause's input has no column {name}")))?)
    }

    /// A column whose elements are detached.
    pub(super) fn detached(&self, name: &str, ty: &CypherType) -> Result<ArrayRef> {
        self.graph.detach(ty, self.column(name)?)
    }

    /// A column of nodes or relationships, of the input or made by this clause.
    pub(super) fn elements(&self, name: &str, edge: bool) -> Result<UInt64Array> {
        if let Some(made) = self.made.get(name) {
            return Ok(made.clone());
        }
        let ty = if edge { CypherType::Relationship } else { CypherType::Node };
        Ok(refs_of(&self.detached(name, &ty)?)?.clone())
    }

    /// Remembers elements that were made.
    pub(super) fn made(&mut self, name: &str, elements: UInt64Array) {
        self.made.insert(name.to_owned(), elements);
    }

    /// Some of the rows.
    pub(super) fn subset(&self, rows: &[u32]) -> Result<Self> {
        let count = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let pick = UInt32Array::from(rows.to_vec());
        let columns = self.rows.columns().iter().map(|column| take(column, &pick, None));
        let columns = columns.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
        let rows = RecordBatch::try_new_with_options(self.rows.schema(), columns, &count)?;
        Ok(Self { graph: Arc::clone(&self.graph), rows, made: BTreeMap::new() })
    }
}
