//! What `ARRAY(SELECT …)` gives for a query without rows: an empty array, where the aggregate gives null.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, ListArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::PgError;

/// The name statements are rewritten to; a user's own function cannot have it.
pub const ARRAY_OR_EMPTY: &str = "graphwire.array_or_empty";

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(ArrayOrEmpty { signature: Signature::any(1, Volatility::Immutable) }))
});

/// The function: its argument, an empty list for null.
pub fn array_or_empty() -> Arc<ScalarUDF> {
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayOrEmpty {
    signature: Signature,
}

impl ScalarUDFImpl for ArrayOrEmpty {
    fn name(&self) -> &str {
        ARRAY_OR_EMPTY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match arguments.arg_fields.first() {
            Some(field) => Ok(Arc::new(field.as_ref().clone().with_nullable(false))),
            None => Err(PgError::internal("array_or_empty takes an array").into()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let Some(argument) = arguments.args.into_iter().next() else {
            return Err(PgError::internal("array_or_empty takes an array").into());
        };
        let array = argument.into_array(rows)?;
        let Some(list) = array.as_list_opt::<i32>() else { return Ok(ColumnarValue::Array(array)) };
        if list.null_count() == 0 {
            return Ok(ColumnarValue::Array(array));
        }
        let lengths = (0..list.len())
            .map(|row| if list.is_null(row) { 0 } else { list.value_length(row) as usize });
        let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
        let parts: Vec<_> =
            (0..list.len()).filter(|row| list.is_valid(*row)).map(|row| list.value(row)).collect();
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let values = if parts.is_empty() {
            arrow::array::new_empty_array(&list.value_type())
        } else {
            arrow::compute::concat(&parts)?
        };
        let DataType::List(field) = list.data_type() else {
            return Err(PgError::internal("array_or_empty takes an array").into());
        };
        let list = ListArray::try_new(Arc::clone(field), offsets, values, None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}
