//! One row by the value of a key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use parking_lot::Mutex;

use crate::storage::TableVersion;
use crate::storage::table::encoded_number;
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
        let ([value], [ty]) = (self.values.as_slice(), self.types.as_slice()) else { return None };
        if !ty.is_signed_integer() {
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

    fn find_number(&self, version: &TableVersion, number: i64) -> Result<Option<u64>> {
        let ty = self.types.first().unwrap_or(&DataType::Null);
        let Some((encoded, length)) = encoded_number(ty, number) else { return Ok(None) };
        let encoded = encoded.get(..length).unwrap_or_default();
        let mut found = None;
        for (chunk, start) in version.chunks().iter().zip(version.chunk_starts()) {
            let Some(index) = chunk.key_index(&self.key)? else {
                return Ok(version.find_key(&self.key, encoded)?.first().copied());
            };
            index.find_number(number, encoded, |offset| {
                if found.is_none() && chunk.is_live(offset) {
                    found = Some(start + offset as u64);
                }
            });
        }
        Ok(found)
    }

    fn find(&self, version: &TableVersion, parameters: &RecordBatch) -> Result<Option<u64>> {
        if let Some(number) = self.number(parameters) {
            return self.find_number(version, number);
        }
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
