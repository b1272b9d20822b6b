//! `row IS NULL`: whether all of its fields are; `row IS NOT NULL`: whether none is.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::{only, rows_of, shaped};
use crate::error::PgError;
use crate::types::row_type::Fields;

static ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));

#[derive(Debug, PartialEq, Eq, Hash)]
struct NullTest {
    /// IS NULL, rather than IS NOT NULL.
    is_null: bool,
}

impl ScalarUDFImpl for NullTest {
    fn name(&self) -> &str {
        if self.is_null { "row_is_null" } else { "row_is_not_null" }
    }

    fn signature(&self) -> &Signature {
        &ONE
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (array, is_scalar) = only(args.args)?;
        let rows = rows_of(&array)?;
        let holds = |row: usize| -> Result<bool, PgError> {
            if rows.is_null(row) {
                return Ok(self.is_null);
            }
            let mut fields = Fields::new(rows.value(row)).map_err(PgError::from)?;
            while let Some((_, value)) = fields.next_field().map_err(PgError::from)? {
                if value.is_none() != self.is_null {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let results = (0..rows.len()).map(holds).collect::<Result<Vec<_>, _>>()?;
        shaped(Arc::new(BooleanArray::from(results)), is_scalar)
    }
}

/// `IS NULL` or `IS NOT NULL` of a row.
pub(crate) fn null_test(expr: Expr, is_null: bool) -> Expr {
    let function = ScalarUDF::from(NullTest { is_null });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr]))
}
