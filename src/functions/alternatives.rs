//! `coalesce` and `nullif` until the types of their arguments are settled.
//!
//! DataFusion's own judge Arrow types while a statement is planned, when a literal beside a `uuid` or a value of an
//! enumerated type is still a string. These take anything; [`super::resolve`] puts DataFusion's in their place.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::PgError;
use crate::functions::overload::common_type;
use crate::functions::scalar::literal_type;
use crate::types::pg_type::PgType;

/// The function of that name that takes anything, if it is one of these.
pub fn alternatives(name: &str) -> Option<Arc<ScalarUDF>> {
    let name = match name {
        "coalesce" => "coalesce",
        "nullif" => "nullif",
        _ => return None,
    };
    let signature = Signature::user_defined(Volatility::Immutable);
    Some(Arc::new(ScalarUDF::from(Alternatives { name, signature })))
}

/// DataFusion's function of that name.
pub(super) fn settled(name: &str) -> Option<Arc<ScalarUDF>> {
    match name {
        "coalesce" => Some(datafusion::functions::core::coalesce()),
        "nullif" => Some(datafusion::functions::core::nullif()),
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Alternatives {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Alternatives {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let literal = |at: usize| args.scalar_arguments.get(at).copied().flatten();
        let fields = args.arg_fields.iter().enumerate();
        let types: Vec<PgType> =
            fields.map(|(at, field)| literal_type(field, literal(at))).collect();
        // What cannot be matched is an error when it is resolved.
        let ty = common_type(&types).unwrap_or(PgType::Text);
        Ok(Arc::new(ty.field(self.name, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(PgError::internal(format!("{} was not resolved", self.name)).into())
    }
}
