//! Finds a row of a table by a whole key.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use parking_lot::Mutex;

use crate::storage::TableVersion;
use crate::storage::table::encoded_number;

/// The columns of a key.
pub(super) struct Key {
    columns: Vec<usize>,
    types: Vec<DataType>,
    /// For keys that are not one whole number.
    converter: Mutex<RowConverter>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Key {
    /// A key of columns of these types; `None` if they cannot be one.
    pub(super) fn new(columns: Vec<usize>, types: Vec<DataType>) -> Option<Self> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        let converter = Mutex::new(RowConverter::new(fields).ok()?);
        Some(Self { columns, types, converter })
    }

    /// Whether it is one column of whole numbers, which [`Self::find_number`] finds.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.types.as_slice(), [ty] if ty.is_signed_integer())
    }

    /// Chunk and offset of the row with a number.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub(super) fn find_number(
        &self,
        version: &TableVersion,
        number: i64,
    ) -> Result<Option<(usize, usize)>, ArrowError> {
        let ty = self.types.first().unwrap_or(&DataType::Null);
        let Some((encoded, length)) = encoded_number(ty, number) else { return Ok(None) };
        let encoded = encoded.get(..length).unwrap_or_default();
        let Some(column) = self.columns.first() else { return Ok(None) };
        version.find_number(*column, number, encoded)
    }

    /// Chunk and offset of the row with these values, one for each column; none has a null.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub(super) fn find(
        &self,
        version: &TableVersion,
        values: impl IntoIterator<Item = ArrayRef>,
    ) -> Result<Option<(usize, usize)>, ArrowError> {
        let mut key = Vec::with_capacity(self.types.len());
        for (value, ty) in values.into_iter().zip(&self.types) {
            // A number outside the column's range becomes null: no row has it.
            let value =
                if value.data_type() == ty { value } else { arrow::compute::cast(&value, ty)? };
            if value.is_null(0) {
                return Ok(None);
            }
            key.push(value);
        }
        let rows = self.converter.lock().convert_columns(&key)?;
        self.find_encoded(version, rows.row(0).data())
    }

    fn find_encoded(
        &self,
        version: &TableVersion,
        key: &[u8],
    ) -> Result<Option<(usize, usize)>, ArrowError> {
        // A key that is checked at the end of its transaction may be there twice until then.
        version.find_first_key(&self.columns, key)
    }
}
