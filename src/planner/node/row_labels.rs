//! The condition on a row's label mask.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::PgError;

/// Whether a role holds every label of a row: `mask & !held = 0`. No mask is no labels.
///
/// A mask is an `integer`, a `bigint` (their bits), or a `uuid` (128 bits, the first label the lowest).
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HoldsLabels {
    held: u128,
    signature: Signature,
}

impl HoldsLabels {
    /// The condition on a column of masks.
    pub fn call(held: u128, mask: Expr) -> Expr {
        let function = Self { held, signature: Signature::any(1, Volatility::Immutable) };
        ScalarUDF::new_from_impl(function).call(vec![mask])
    }

    /// Whether a type can be that of a column of masks, and how many labels it has room for.
    pub fn labels_max(ty: &DataType) -> Option<usize> {
        match ty {
            DataType::Int32 => Some(32),
            DataType::Int64 => Some(64),
            DataType::FixedSizeBinary(16) => Some(128),
            _ => None,
        }
    }
}

fn masks_below(held: u128, masks: &ArrayRef) -> Option<BooleanArray> {
    let missing = !held;
    let nulls = masks.logical_nulls();
    let fits = |row: usize, mask: u128| {
        nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || mask & missing == 0
    };
    let values: Vec<bool> = if let Some(masks) = masks.as_primitive_opt::<Int32Type>() {
        let mask = |(row, mask): (usize, &i32)| fits(row, u128::from(mask.cast_unsigned()));
        masks.values().iter().enumerate().map(mask).collect()
    } else if let Some(masks) = masks.as_primitive_opt::<Int64Type>() {
        let mask = |(row, mask): (usize, &i64)| fits(row, u128::from(mask.cast_unsigned()));
        masks.values().iter().enumerate().map(mask).collect()
    } else {
        let masks = masks.as_fixed_size_binary_opt()?;
        let mask = |row: usize| {
            let bytes = masks.value(row).try_into().ok()?;
            Some(fits(row, u128::from_be_bytes(bytes)))
        };
        (0..masks.len()).map(mask).collect::<Option<_>>()?
    };
    Some(BooleanArray::from(values))
}

impl ScalarUDFImpl for HoldsLabels {
    fn name(&self) -> &str {
        "holds_row_labels"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let Some(masks) = arguments.args.into_iter().next() else {
            return Err(PgError::internal("row labels without a mask").into());
        };
        let masks = masks.into_array(rows)?;
        let fits = masks_below(self.held, &masks).ok_or_else(|| {
            PgError::internal(format!("{} is no type of row label masks", masks.data_type()))
        })?;
        Ok(ColumnarValue::Array(Arc::new(fits)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{FixedSizeBinaryArray, Int64Array};

    use super::*;

    #[test]
    fn a_row_is_seen_by_who_holds_all_its_labels() {
        let masks: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(3), Some(4), None, Some(-1)]));
        let seen = |held| masks_below(held, &masks).unwrap().values().iter().collect::<Vec<_>>();
        assert_eq!(seen(0), [true, false, false, false, true, false]);
        assert_eq!(seen(3), [true, true, true, false, true, false]);
        assert_eq!(seen(u128::MAX), [true; 6]);
    }

    #[test]
    fn a_mask_has_128_bits() {
        let highest = (1u128 << 127).to_be_bytes();
        let masks = FixedSizeBinaryArray::try_from_iter([highest, [0; 16]].iter()).unwrap();
        let masks: ArrayRef = Arc::new(masks);
        let seen = |held| masks_below(held, &masks).unwrap().values().iter().collect::<Vec<_>>();
        assert_eq!(seen(1), [false, true]);
        assert_eq!(seen(1 << 127), [true, true]);
    }
}
