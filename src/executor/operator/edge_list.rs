//! Rows of a variable-length step on their way out: which input row, which edges, which end.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::Result;

use super::append::append;

/// How many edges a batch may hold for each row it may have.
const EDGES_PER_ROW: usize = 16;

/// Matches of a variable-length step.
pub(super) struct EdgeLists {
    batch_rows: usize,
    rows: Vec<u32>,
    lengths: Vec<usize>,
    edges: Vec<u64>,
    ends: Vec<u64>,
}

impl EdgeLists {
    pub(super) fn new(batch_rows: usize) -> Self {
        Self { batch_rows, rows: vec![], lengths: vec![], edges: vec![], ends: vec![] }
    }

    /// Adds a match. `reverse`: the walk went from the right element to the left one.
    pub(super) fn push(
        &mut self,
        row: usize,
        edges: impl DoubleEndedIterator<Item = u64>,
        reverse: bool,
        end: u64,
    ) {
        let before = self.edges.len();
        if reverse {
            self.edges.extend(edges.rev());
        } else {
            self.edges.extend(edges);
        }
        self.rows.push(row as u32);
        self.lengths.push(self.edges.len() - before);
        self.ends.push(end);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it should be given out before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= self.batch_rows || self.edges.len() >= self.batch_rows * EDGES_PER_ROW
    }

    /// Gives it out beside the input's columns: the list, and the end if it is a new column.
    pub(super) fn finish(
        &mut self,
        schema: &SchemaRef,
        input: &RecordBatch,
        with_end: bool,
    ) -> Result<RecordBatch> {
        let lengths = std::mem::take(&mut self.lengths);
        let lists = edge_lists(lengths, std::mem::take(&mut self.edges))?;
        let ends = std::mem::take(&mut self.ends);
        let mut columns = vec![lists];
        if with_end {
            columns.push(Arc::new(UInt64Array::from(ends)));
        }
        append(schema, input, std::mem::take(&mut self.rows), columns)
    }
}

/// Lists of elements from their lengths and all values one after the other.
pub(super) fn edge_lists(lengths: Vec<usize>, values: Vec<u64>) -> Result<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::UInt64, true));
    let values = Arc::new(UInt64Array::from(values));
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, None)?))
}
