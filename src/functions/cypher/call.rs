//! Cypher functions and operators as DataFusion scalar functions.
//!
//! A [`Kernel`] computes one value from values; [`Call`] runs it over whole columns, reading and writing by the static
//! Cypher types the binder found. Operators that decide how fast a query is (comparisons and arithmetic on one type,
//! string functions) do not come here: they are Arrow kernels, chosen by the binder.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::arrays;
use super::types::CypherType;
use super::value::Value;
use crate::error::PgError;

/// Computes one result from the values of one row.
pub type Kernel = fn(&[Value]) -> Result<Value, PgError>;

/// A function on Cypher values with its argument and result types settled.
#[derive(Debug)]
pub struct Call {
    name: &'static str,
    arguments: Vec<CypherType>,
    result: CypherType,
    /// Null if any argument is null, without asking the kernel.
    strict: bool,
    kernel: Kernel,
    signature: Signature,
}

/// How a [`Call`] treats null and whether it may be computed beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Any null argument makes the result null.
    Strict,
    /// The kernel sees nulls.
    Seen,
}

impl Call {
    /// The call of `kernel` on arguments of known types. `name` stands for the kernel in comparisons of plans.
    pub fn expression(
        name: &'static str,
        kernel: Kernel,
        nulls: Nulls,
        volatility: Volatility,
        arguments: Vec<(Expr, CypherType)>,
        result: CypherType,
    ) -> Expr {
        let (arguments, types): (Vec<_>, Vec<_>) = arguments.into_iter().unzip();
        let signature = if arguments.is_empty() {
            Signature::nullary(volatility)
        } else {
            Signature::any(arguments.len(), volatility)
        };
        let strict = nulls == Nulls::Strict;
        ScalarUDF::new_from_impl(Self { name, arguments: types, result, strict, kernel, signature })
            .call(arguments)
    }

    fn compute(&self, columns: &[ColumnarValue], rows: usize) -> Result<Vec<Value>> {
        let mut arguments = vec![Value::Null; columns.len()];
        // Constants are read once.
        let mut arrays = Vec::with_capacity(columns.len());
        for (at, (column, ty)) in columns.iter().zip(&self.arguments).enumerate() {
            match column {
                ColumnarValue::Array(array) => arrays.push(Some(Arc::clone(array))),
                ColumnarValue::Scalar(scalar) => {
                    arguments[at] = arrays::read(&scalar.to_array()?, ty, 0)?;
                    arrays.push(None);
                }
            }
        }
        let mut results = Vec::with_capacity(rows);
        for row in 0..rows {
            for (at, (array, ty)) in arrays.iter().zip(&self.arguments).enumerate() {
                if let Some(array) = array {
                    arguments[at] = arrays::read(array, ty, row)?;
                }
            }
            results.push(if self.strict && arguments.iter().any(Value::is_null) {
                Value::Null
            } else {
                (self.kernel)(&arguments)?
            });
        }
        Ok(results)
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.arguments == other.arguments && self.result == other.result
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.arguments.hash(state);
        self.result.hash(state);
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result.arrow())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name, self.result.arrow(), true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant =
            arguments.args.iter().all(|column| matches!(column, ColumnarValue::Scalar(_)));
        let volatile = self.signature.volatility == Volatility::Volatile;
        let rows = if constant && !volatile { 1 } else { arguments.number_rows };
        let column = arrays::build(&self.compute(&arguments.args, rows)?, &self.result)?;
        if constant && !volatile {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?))
        } else {
            Ok(ColumnarValue::Array(column))
        }
    }
}
