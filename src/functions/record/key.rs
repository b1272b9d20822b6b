//! The order of rows: field by field, nulls last.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, BinaryViewBuilder};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::{only, rows_of, shaped};
use crate::error::PgError;
use crate::types::pg_type::PgType;
use crate::types::row_type::RowType;

static ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));

/// Bytes that sort as rows do.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SortKey {
    ty: Arc<RowType>,
}

impl ScalarUDFImpl for SortKey {
    fn name(&self) -> &str {
        "row_key"
    }

    fn signature(&self) -> &Signature {
        &ONE
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::new(PgType::Bytea.field("row_key", true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (array, is_scalar) = only(args.args)?;
        let rows = rows_of(&array)?;
        let mut columns = self.ty.decode(&rows).map_err(PgError::from)?;
        for (column, field) in columns.iter_mut().zip(&self.ty.fields) {
            if let PgType::Row(ty) = &field.ty {
                let key = ScalarUDF::from(Self { ty: Arc::clone(ty) });
                let inner = ScalarFunctionArgs {
                    args: vec![ColumnarValue::Array(Arc::clone(column))],
                    arg_fields: args.arg_fields.clone(),
                    number_rows: rows.len(),
                    return_field: Arc::clone(&args.return_field),
                    config_options: Arc::clone(&args.config_options),
                };
                *column = key.invoke_with_args(inner)?.to_array(rows.len())?;
            }
        }
        let options = SortOptions { descending: false, nulls_first: false };
        let fields = columns
            .iter()
            .map(|column| SortField::new_with_options(column.data_type().clone(), options));
        let mut keys = BinaryViewBuilder::with_capacity(rows.len());
        if columns.is_empty() {
            (0..rows.len()).for_each(|_| keys.append_value(b""));
            return shaped(Arc::new(keys.finish()), is_scalar);
        }
        let converter = RowConverter::new(fields.collect())?;
        let converted = converter.convert_columns(&columns)?;
        for row in 0..rows.len() {
            match rows.is_null(row) {
                true => keys.append_null(),
                false => keys.append_value(converted.row(row).as_ref()),
            }
        }
        shaped(Arc::new(keys.finish()), is_scalar)
    }
}

/// What a row is compared and sorted by.
pub(crate) fn sort_key(expr: Expr, ty: &Arc<RowType>) -> Expr {
    let function = ScalarUDF::from(SortKey { ty: Arc::clone(ty) });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr]))
}
