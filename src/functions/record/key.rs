//! The order of rows: field by field, nulls last.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, BinaryViewArray, BinaryViewBuilder};
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
use crate::functions::scalar::field_type;
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
        // Literals in the row may have got other types since the call was made.
        let ty = match args.arg_fields.first().map(|field| field_type(field)) {
            Some(PgType::Row(ty)) => ty,
            _ => Arc::clone(&self.ty),
        };
        let (array, is_scalar) = only(args.args)?;
        shaped(Arc::new(keys(&ty, &rows_of(&array)?)?), is_scalar)
    }
}

fn keys(ty: &RowType, rows: &BinaryViewArray) -> DfResult<BinaryViewArray> {
    let mut columns = ty.decode(rows).map_err(PgError::from)?;
    for (column, field) in columns.iter_mut().zip(&ty.fields) {
        if let PgType::Row(ty) = &field.ty {
            *column = Arc::new(keys(ty, &rows_of(column)?)?);
        }
    }
    let options = SortOptions { descending: false, nulls_first: false };
    let fields = columns
        .iter()
        .map(|column| SortField::new_with_options(column.data_type().clone(), options));
    let mut keys = BinaryViewBuilder::with_capacity(rows.len());
    if columns.is_empty() {
        (0..rows.len()).for_each(|_| keys.append_value(b""));
        return Ok(keys.finish());
    }
    let converter = RowConverter::new(fields.collect())?;
    let converted = converter.convert_columns(&columns)?;
    for row in 0..rows.len() {
        match rows.is_null(row) {
            true => keys.append_null(),
            false => keys.append_value(converted.row(row).as_ref()),
        }
    }
    Ok(keys.finish())
}

/// What a row is compared and sorted by.
pub(crate) fn sort_key(expr: Expr, ty: &Arc<RowType>) -> Expr {
    let function = ScalarUDF::from(SortKey { ty: Arc::clone(ty) });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr]))
}
