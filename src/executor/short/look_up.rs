//! One row by the value of a key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::key::Key;
use crate::storage::TableVersion;
use crate::types::Oid;

/// Finds the row of a table whose key columns have given values.
#[derive(Debug)]
pub(super) struct LookUp {
    pub(super) table: Oid,
    pub(super) key: Arc<Key>,
    /// What the key is compared with, in its order: expressions over the parameters.
    pub(super) values: Vec<Arc<dyn PhysicalExpr>>,
    /// Columns of the table.
    pub(super) width: usize,
    /// Columns of the result; one past the table's last is the row id.
    pub(super) projection: Vec<usize>,
    pub(super) schema: SchemaRef,
}

impl LookUp {
    /// The row, or none.
    pub(super) fn run(
        &self,
        version: &TableVersion,
        parameters: &RecordBatch,
    ) -> Result<RecordBatch> {
        let Some((chunk, offset)) = self.find(version, parameters)? else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let Some(chunk) = version.chunks().get(chunk) else {
            return Err(DataFusionError::Internal("a position outside its table".to_owned()));
        };
        let columns = self
            .projection
            .iter()
            .map(|column| {
                if *column < chunk.num_columns() {
                    return Ok(chunk.slice(*column, offset, 1)?);
                }
                Ok(Arc::new(UInt64Array::from(vec![chunk.row_id(offset)?.0])) as ArrayRef)
            })
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// The number that the key's only column is compared with, if it is a whole number and no expression.
    fn number(&self, parameters: &RecordBatch) -> Option<i64> {
        let [value] = self.values.as_slice() else { return None };
        if !self.key.is_number() {
            return None;
        }
        let value: &(dyn PhysicalExpr + 'static) = value.as_ref();
        let value = (value as &dyn std::any::Any).downcast_ref::<Column>()?;
        let value = parameters.columns().get(value.index()).filter(|value| value.is_valid(0))?;
        Some(match value.data_type() {
            DataType::Int16 => i64::from(value.as_primitive::<Int16Type>().value(0)),
            DataType::Int32 => i64::from(value.as_primitive::<Int32Type>().value(0)),
            DataType::Int64 => value.as_primitive::<Int64Type>().value(0),
            _ => return None,
        })
    }

    fn find(
        &self,
        version: &TableVersion,
        parameters: &RecordBatch,
    ) -> Result<Option<(usize, usize)>> {
        if let Some(number) = self.number(parameters) {
            return Ok(self.key.find_number(version, number)?);
        }
        let values = self.values.iter().map(|value| value.evaluate(parameters)?.into_array(1));
        Ok(self.key.find(version, values.collect::<Result<Vec<_>>>()?)?)
    }
}
