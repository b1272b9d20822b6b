//! The columns of a pattern, as rules that know only its input see them.
//!
//! DataFusion's analyzer and optimizer look up the columns of an extension node's expressions in the schemas of its
//! inputs. The predicates of a pattern are over columns that the node itself makes, so the node gives them out with
//! each such column as a function of no arguments that has the column's type, and turns it back when it takes them.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

#[derive(Debug, PartialEq, Eq, Hash)]
struct PatternColumn {
    name: String,
    ty: DataType,
    signature: Signature,
}

/// `expr` with the columns in `own` as functions.
pub(super) fn close(expr: Expr, own: &HashMap<&str, DataType>) -> Result<Expr> {
    expr.transform_up(|expr| {
        let Expr::Column(Column { relation: None, name, .. }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let Some(ty) = own.get(name.as_str()) else { return Ok(Transformed::no(expr)) };
        let column = PatternColumn {
            name: name.clone(),
            ty: ty.clone(),
            signature: Signature::nullary(Volatility::Immutable),
        };
        Ok(Transformed::yes(ScalarUDF::new_from_impl(column).call(Vec::new())))
    })
    .map(|transformed| transformed.data)
}

/// `expr` as it was before [`close`].
pub(super) fn open(expr: Expr) -> Result<Expr> {
    expr.transform_up(|expr| match &expr {
        Expr::ScalarFunction(ScalarFunction { func, .. }) => {
            match func.inner().downcast_ref::<PatternColumn>() {
                Some(column) => {
                    Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name.clone()))))
                }
                None => Ok(Transformed::no(expr)),
            }
        }
        _ => Ok(Transformed::no(expr)),
    })
    .map(|transformed| transformed.data)
}

impl ScalarUDFImpl for PatternColumn {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.ty.clone())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(format!("pattern column {} has no value here", self.name)))
    }
}
