//! Functions whose calls stand for something else once the types of their arguments are known.
//!
//! While DataFusion's planner works, such a call only has a name and a result type; `resolve` and the planner put in its
//! place what it means, so none is ever computed.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::PgError;
use crate::functions::scalar::argument_types;
use crate::types::pg_type::PgType;

/// What a call stands for.
pub trait Meaning: Debug + Eq + Hash + Send + Sync + 'static {
    /// The type of its result for arguments of these types.
    ///
    /// # Errors
    /// `42883`, `42725`.
    fn returns(&self, types: &[PgType]) -> Result<PgType, PgError>;
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Unsettled<M> {
    name: String,
    meaning: M,
    signature: Signature,
}

/// A function that means this.
pub fn unsettled(name: &str, volatility: Volatility, meaning: impl Meaning) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(volatility);
    Arc::new(ScalarUDF::from(Unsettled { name: name.to_owned(), meaning, signature }))
}

/// What a function means, if it is one of these.
pub fn meaning<M: Meaning>(function: &ScalarUDF) -> Option<&M> {
    function.inner().downcast_ref::<Unsettled<M>>().map(|unsettled| &unsettled.meaning)
}

impl<M: Meaning> ScalarUDFImpl for Unsettled<M> {
    fn name(&self) -> &str {
        &self.name
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
        let returns = self.meaning.returns(&argument_types(&args))?;
        Ok(Arc::new(returns.field(&self.name, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(PgError::internal(format!("a call of {} that was not settled", self.name)).into())
    }
}
