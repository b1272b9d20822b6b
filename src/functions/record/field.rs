//! `(row).field`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::{only, rows_of, shaped};
use crate::error::{PgError, SqlState};
use crate::functions::scalar::field_type;
use crate::functions::syntax::FIELD;
use crate::types::pg_type::PgType;
use crate::types::row_type::RowType;

static ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));

/// Takes one field of rows.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldOf {
    ty: Arc<RowType>,
    at: usize,
}

impl FieldOf {
    fn name(&self) -> &str {
        self.ty.fields.get(self.at).map_or("", |field| &field.name)
    }

    fn field_type(&self) -> PgType {
        self.ty.fields.get(self.at).map_or(PgType::Text, |field| field.ty.clone())
    }
}

impl ScalarUDFImpl for FieldOf {
    fn name(&self) -> &str {
        "field_of"
    }

    fn signature(&self) -> &Signature {
        &ONE
    }

    fn schema_name(&self, _: &[Expr]) -> DfResult<String> {
        Ok(Self::name(self).to_owned())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.field_type().arrow())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::new(self.field_type().field(Self::name(self), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (array, is_scalar) = only(args.args)?;
        let field = self.ty.decode_field(&rows_of(&array)?, self.at).map_err(PgError::from)?;
        shaped(field, is_scalar)
    }
}

/// The field of a row at a position.
#[must_use]
pub fn field_of(expr: Expr, ty: &Arc<RowType>, at: usize) -> Expr {
    // What was just put together need not be taken apart.
    if let Expr::ScalarFunction(call) = &expr
        && super::is_row_call(call)
        && let Some(arg) = call.args.get(at)
    {
        return arg.clone();
    }
    let function = ScalarUDF::from(FieldOf { ty: Arc::clone(ty), at });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr]))
}

/// The type's error for a field it does not have.
pub(crate) fn no_field(ty: &RowType, name: &str) -> PgError {
    let message = match ty.is_record() {
        true => format!("could not identify column \"{name}\" in record data type"),
        false => format!("column \"{name}\" not found in data type {}", ty.name),
    };
    PgError::new(SqlState::UNDEFINED_COLUMN, message)
}

/// `(value).field` before it is known of what type the value is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AnyField;

static TWO: LazyLock<Signature> = LazyLock::new(|| Signature::any(2, Volatility::Immutable));

impl ScalarUDFImpl for AnyField {
    fn name(&self) -> &str {
        FIELD
    }

    fn signature(&self) -> &Signature {
        &TWO
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        datafusion::functions::core::get_field().inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let name = args.scalar_arguments.get(1).copied().flatten();
        let name = name.and_then(|name| name.try_as_str().flatten()).unwrap_or_default();
        match args.arg_fields.first().map(|field| field_type(field)) {
            Some(PgType::Row(ty)) => {
                let at = ty.position(name).ok_or_else(|| no_field(&ty, name))?;
                let field = FieldOf { ty, at };
                Ok(Arc::new(field.field_type().field(name, true)))
            }
            _ => datafusion::functions::core::get_field().inner().return_field_from_args(args),
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(PgError::internal("a field of a value without a type").into())
    }
}

/// The function that `(value).field` becomes in a query.
#[must_use]
pub fn any_field() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(AnyField))
}

/// The field that such a call means; the call as it is if it is another.
pub(crate) fn resolve_field(call: ScalarFunction, of: &PgType) -> Result<Expr, PgError> {
    let ScalarFunction { func: _, mut args } = call;
    let name = match args.get(1) {
        Some(Expr::Literal(name, _)) => name.try_as_str().flatten().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let PgType::Row(ty) = of else {
        let get = datafusion::functions::core::get_field();
        return Ok(Expr::ScalarFunction(ScalarFunction::new_udf(get, args)));
    };
    let at = ty.position(&name).ok_or_else(|| no_field(ty, &name))?;
    let Some(value) = args.drain(..).next() else {
        return Err(PgError::internal("a field of nothing"));
    };
    Ok(field_of(value, ty, at))
}

/// Whether a call is one of [`any_field`].
pub(crate) fn is_any_field(call: &ScalarFunction) -> bool {
    call.func.inner().is::<AnyField>()
}
