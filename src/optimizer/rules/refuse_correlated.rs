//! Correlated subqueries that no rule could turn into a join.
//!
//! ```text
//! before  CASE WHEN t.kind = 'd' THEN (SELECT … WHERE x = t.oid) END
//! after   CASE WHEN t.kind = 'd' THEN correlated(t.oid) END
//! ```
//!
//! `correlated` refuses with `0A000` when it must give a value for a row. Catalog queries of clients guard such
//! subqueries by conditions that are never true here, or run them over relations that are empty.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::new_empty_array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Subquery, Volatility,
};

use crate::error::PgError;

/// Replaces what is left of correlated scalar and EXISTS subqueries. Runs after all other rules.
///
/// # Errors
/// What DataFusion says of a plan it cannot rebuild.
pub fn refuse_correlated(plan: LogicalPlan) -> Result<LogicalPlan> {
    let replaced = plan.transform_up(|node| {
        node.map_expressions(|expr| {
            let (qualifier, name) = expr.qualified_name();
            let replaced = expr.transform_up(|expr| {
                Ok(match expr {
                    Expr::ScalarSubquery(subquery) if is_correlated(&subquery) => {
                        let field = subquery.subquery.schema().fields().first().cloned();
                        Transformed::yes(call(&subquery, field))
                    }
                    Expr::Exists(exists) if is_correlated(&exists.subquery) => {
                        let field = Arc::new(Field::new("exists", DataType::Boolean, true));
                        Transformed::yes(call(&exists.subquery, Some(field)))
                    }
                    other => Transformed::no(other),
                })
            })?;
            // What stands above knows the expression by the name it had.
            Ok(if replaced.transformed && replaced.data.qualified_name().1 != name {
                replaced.update_data(|expr| expr.alias_qualified(qualifier, name))
            } else {
                replaced
            })
        })
    })?;
    Ok(replaced.data)
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

fn call(subquery: &Subquery, field: Option<FieldRef>) -> Expr {
    let field = field.unwrap_or_else(|| Arc::new(Field::new("value", DataType::Null, true)));
    let arguments = subquery
        .outer_ref_columns
        .iter()
        .filter_map(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) => Some(Expr::Column(Column::clone(column))),
            _ => None,
        })
        .collect();
    let field = Arc::new(field.as_ref().clone().with_nullable(true));
    ScalarUDF::from(Correlated { field }).call(arguments)
}

static ANY: LazyLock<Signature> = LazyLock::new(|| Signature::variadic_any(Volatility::Volatile));

#[derive(Debug, PartialEq, Eq)]
struct Correlated {
    field: FieldRef,
}

impl Hash for Correlated {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.field.hash(state);
    }
}

impl ScalarUDFImpl for Correlated {
    fn name(&self) -> &str {
        "correlated"
    }

    fn signature(&self) -> &Signature {
        &ANY
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if arguments.number_rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(self.field.data_type())));
        }
        Err(PgError::unsupported(
            "this form of correlated subquery is not supported yet",
            "Write it as a join, or with LATERAL.",
        )
        .into())
    }
}
