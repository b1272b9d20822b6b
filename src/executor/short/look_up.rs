//! One row by the value of a key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use parking_lot::Mutex;

use crate::storage::TableVersion;
use crate::types::Oid;

/// Finds the row of a table whose key columns have given values.
pub(super) struct LookUp {
    pub(super) table: Oid,
    pub(super) key: Vec<usize>,
    /// What the key is compared with, in its order: expressions over the parameters.
    pub(super) values: Vec<Arc<dyn PhysicalExpr>>,
    /// The key columns' types.
    pub(super) types: Vec<DataType>,
    pub(super) converter: Mutex<RowConverter>,
    /// Columns of the table.
    pub(super) width: usize,
    /// Columns of the result; one past the table's last is the row id.
    pub(super) projection: Vec<usize>,
    pub(super) schema: SchemaRef,
}

impl std::fmt::Debug for LookUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookUp").field("table", &self.table).field("key", &self.key).finish()
    }
}

impl LookUp {
    /// Another converter of the same key.
    pub(super) fn fresh_converter(&self) -> Option<RowConverter> {
        RowConverter::new(self.types.iter().cloned().map(SortField::new).collect()).ok()
    }

    /// The row, or none.
    pub(super) fn run(
        &self,
        version: &TableVersion,
        parameters: &RecordBatch,
    ) -> Result<RecordBatch> {
        let Some(position) = self.find(version, parameters)? else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let (chunk, offset) = version.locate(position);
        let Some(chunk) = version.chunks().get(chunk) else {
            return Err(DataFusionError::Internal("a position outside its table".to_owned()));
        };
        let columns = self
            .projection
            .iter()
            .map(|column| match chunk.batch.columns().get(*column) {
                Some(values) => values.slice(offset, 1),
                None => Arc::new(UInt64Array::from(vec![chunk.row_id(offset).0])) as ArrayRef,
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    fn find(&self, version: &TableVersion, parameters: &RecordBatch) -> Result<Option<u64>> {
        let mut values = Vec::with_capacity(self.values.len());
        for (value, ty) in self.values.iter().zip(&self.types) {
            let value = value.evaluate(parameters)?.into_array(1)?;
            // A number outside the column's range becomes null: no row has it.
            let value =
                if value.data_type() == ty { value } else { arrow::compute::cast(&value, ty)? };
            if value.is_null(0) {
                return Ok(None);
            }
            values.push(value);
        }
        let rows = self.converter.lock().convert_columns(&values)?;
        // A key that is checked at the end of its transaction may be there twice until then.
        Ok(version.find_key(&self.key, rows.row(0).data())?.first().copied())
    }
}
