//! Columns that are added at a table's end, without its rows being written again.
//!
//! ```text
//! schema before   a, b          rows        (1, 2)
//! schema after    a, b, c       the same    (1, 2, null)
//! ```
//!
//! An open graph gets a column where a property is first used, while others write to the table. So rows may come that
//! have fewer columns than the table has by now: those that are missing at their end are null.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use super::chunk::Chunk;
use super::version::TableVersion;

/// Whether `wide` has the columns of `narrow` first, and perhaps more, all nullable, behind them.
pub fn is_wider(wide: &Schema, narrow: &Schema) -> bool {
    let (wide, narrow) = (wide.fields(), narrow.fields());
    let begins = narrow.iter().zip(wide.iter()).all(|(narrow, wide)| {
        narrow.name() == wide.name() && narrow.data_type() == wide.data_type()
    });
    wide.len() >= narrow.len()
        && begins
        && wide.iter().skip(narrow.len()).all(|field| field.is_nullable())
}

/// Rows with nulls in the columns that a schema has behind theirs; as they are if there are none.
///
/// # Errors
/// An Arrow error if the rows do not fit the schema.
pub fn widen_rows<'a>(
    rows: &'a RecordBatch,
    schema: &SchemaRef,
) -> Result<Cow<'a, RecordBatch>, ArrowError> {
    let own = rows.num_columns();
    if own >= schema.fields().len() {
        return Ok(Cow::Borrowed(rows));
    }
    let missing = schema.fields().iter().skip(own);
    let missing = missing.map(|field| new_null_array(field.data_type(), rows.num_rows()));
    let columns = rows.columns().iter().cloned().chain(missing).collect();
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &count).map(Cow::Owned)
}

impl TableVersion {
    /// The same rows with more columns at their end, all null. Rows keep their ids and positions.
    ///
    /// # Errors
    /// An Arrow error if `schema` is not wider than the table's.
    pub fn widened(&self, schema: &SchemaRef) -> Result<Self, ArrowError> {
        if !is_wider(schema, &self.schema) {
            return Err(ArrowError::SchemaError("columns can be added at the end alone".into()));
        }
        let chunks = self
            .chunks()
            .iter()
            .map(|chunk| {
                let batch = widen_rows(&chunk.batch()?, schema)?.into_owned();
                let (rows, deleted) = (chunk.row_ids()?, chunk.deleted.clone());
                Ok(Arc::new(Chunk::with_rows(batch, rows, deleted)))
            })
            .collect::<Result<_, ArrowError>>()?;
        Ok(self.reshaped(Arc::clone(schema), chunks))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array};
    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::types::{Oid, RowId};

    fn schema(columns: &[&str]) -> SchemaRef {
        let fields = columns.iter().map(|name| Field::new(*name, DataType::Int64, true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn row(schema: &SchemaRef, value: i64) -> RecordBatch {
        let columns = schema
            .fields()
            .iter()
            .map(|_| Arc::new(Int64Array::from(vec![value])) as arrow::array::ArrayRef);
        RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
    }

    #[test]
    fn old_rows_are_null_and_keep_their_ids() {
        let (narrow, wide) = (schema(&["a"]), schema(&["a", "b"]));
        let before = TableVersion::empty(Oid(1), Arc::clone(&narrow));
        let (before, first) = before.append(row(&narrow, 1)).unwrap();
        let (before, second) = before.append(row(&narrow, 2)).unwrap();
        let before = before.delete(&[first]).unwrap().unwrap();
        let after = before.widened(&wide).unwrap();
        assert_eq!((after.live_rows(), after.positions()), (1, 2));
        assert_eq!(after.find_row(second).unwrap(), before.find_row(second).unwrap());
        assert_eq!(after.gather(1, &[1]).unwrap().null_count(), 1);
        // Rows of the table as it was may still come.
        let late = after.append_rows(row(&narrow, 3), super::super::RowIds::Range(9)).unwrap();
        assert_eq!(late.rows_at(&[2]).unwrap().num_columns(), 2);
        assert!(late.find_row(RowId(9)).unwrap().is_some());
        assert!(after.widened(&narrow).is_err());
    }
}
