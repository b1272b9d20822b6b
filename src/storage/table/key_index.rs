//! A hash index over key columns of one batch: encoded key to row offsets.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use datafusion::common::HashMap;

use super::chunk::key_nulls;

/// Finds rows of a batch by the value of some columns. Rows with a null in the key are not in it, unless it was built
/// with them.
pub struct KeyIndex {
    converter: RowConverter,
    offsets: HashMap<Box<[u8]>, Vec<u32>>,
}

impl std::fmt::Debug for KeyIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyIndex").field("keys", &self.offsets.len()).finish_non_exhaustive()
    }
}

/// Key values of many rows in the comparable form of [`arrow::row`], for probing and comparing.
pub struct EncodedKeys {
    rows: Rows,
    nulls: Option<arrow::buffer::NullBuffer>,
}

impl EncodedKeys {
    /// Encodes `columns` of `batch`.
    pub fn encode(batch: &RecordBatch, columns: &[usize]) -> Result<Self, ArrowError> {
        let converter = converter(&batch.schema(), columns)?;
        let arrays: Vec<ArrayRef> =
            columns.iter().map(|column| batch.column(*column).clone()).collect();
        Ok(Self { rows: converter.convert_columns(&arrays)?, nulls: key_nulls(batch, columns) })
    }

    /// The key of a row, or `None` if a part of it is null.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(self.rows.row(row).data())
    }

    /// The key of a row, nulls among it: equal keys have equal bytes, and null equals null.
    pub fn encoded(&self, row: usize) -> &[u8] {
        self.rows.row(row).data()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys compare by value, not by Arrow layout: a dictionary or view has the same key as the plain array.
fn converter(schema: &SchemaRef, columns: &[usize]) -> Result<RowConverter, ArrowError> {
    let fields = columns
        .iter()
        .map(|column| SortField::new(schema.field(*column).data_type().clone()))
        .collect();
    RowConverter::new(fields)
}

impl KeyIndex {
    /// Indexes `columns` of `batch`; keys with a null in them only `with_nulls`. Time and memory are linear in its rows.
    pub fn build(
        batch: &RecordBatch,
        columns: &[usize],
        with_nulls: bool,
    ) -> Result<Self, ArrowError> {
        let keys = EncodedKeys::encode(batch, columns)?;
        let mut offsets: HashMap<Box<[u8]>, Vec<u32>> = HashMap::with_capacity(keys.len());
        for row in 0..keys.len() {
            let key = if with_nulls { Some(keys.encoded(row)) } else { keys.get(row) };
            let Some(key) = key else { continue };
            match offsets.get_mut(key) {
                Some(rows) => rows.push(row as u32),
                None => {
                    offsets.insert(key.into(), vec![row as u32]);
                }
            }
        }
        Ok(Self { converter: converter(&batch.schema(), columns)?, offsets })
    }

    /// Offsets of the rows with this encoded key (see [`EncodedKeys`]), deleted ones included.
    pub fn find(&self, key: &[u8]) -> &[u32] {
        self.offsets.get(key).map_or(&[], Vec::as_slice)
    }

    /// The Arrow types of the key's columns.
    pub fn owned_key(&self, values: &[ArrayRef]) -> Result<OwnedRow, ArrowError> {
        let rows = self.converter.convert_columns(values)?;
        Ok(rows.row(0).owned())
    }

    /// Whether a type can be a key at all.
    pub fn supports(ty: &DataType) -> bool {
        RowConverter::supports_fields(&[SortField::new(ty.clone())])
    }
}
