//! The column of a scalar subquery is null where the subquery gives no row, whatever its table says.
//!
//! DataFusion takes the subquery's column for the value's nullability, and so a NOT NULL column for a value that is
//! never null: a test for null becomes false, and a row without the value cannot be made.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::error::PgError;

static MAYBE_NULL: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(MaybeNull { signature: Signature::any(1, Volatility::Immutable) }))
});

/// A scalar subquery whose column may be null, if it may give no row.
///
/// # Errors
/// What DataFusion says of a plan it cannot make anew.
pub(crate) fn scalar_subquery(subquery: Subquery) -> Result<Expr> {
    let plan = subquery.subquery.as_ref();
    if plan.schema().fields().first().is_none_or(|field| field.is_nullable()) || has_a_row(plan) {
        return Ok(Expr::ScalarSubquery(subquery));
    }
    let plan = match plan {
        LogicalPlan::Projection(projection) => {
            let mut exprs = projection.expr.clone();
            wrap(&mut exprs, plan);
            Projection::try_new(exprs, Arc::clone(&projection.input))?
        }
        _ => {
            let mut exprs: Vec<Expr> =
                plan.schema().columns().into_iter().map(Expr::Column).collect();
            wrap(&mut exprs, plan);
            Projection::try_new(exprs, Arc::clone(&subquery.subquery))?
        }
    };
    let plan = Arc::new(LogicalPlan::Projection(plan));
    Ok(Expr::ScalarSubquery(Subquery { subquery: plan, ..subquery }))
}

/// Wraps the first of a plan's columns, which keeps its name.
fn wrap(exprs: &mut [Expr], plan: &LogicalPlan) {
    let Some(Column { relation, name, .. }) = plan.schema().columns().into_iter().next() else {
        return;
    };
    if let Some(first) = exprs.first_mut() {
        let value = std::mem::take(first).unalias();
        *first = MAYBE_NULL.call(vec![value]).alias_qualified(relation, name);
    }
}

/// Whether a plan gives a row whatever its tables hold.
fn has_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_a_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_a_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

/// A value as it is, of a type that allows null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MaybeNull {
    signature: Signature,
}

impl ScalarUDFImpl for MaybeNull {
    fn name(&self) -> &str {
        "graphwire.maybe_null"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(PgError::internal("the result type needs the argument field").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields.first() {
            Some(field) => Ok(Arc::new(field.as_ref().clone().with_nullable(true))),
            None => Err(PgError::internal("a value that is not there").into()),
        }
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.pop() {
            Some(value) => Ok(value),
            None => Err(PgError::internal("a value that is not there").into()),
        }
    }
}
