//! Correlated subqueries used as an expression: at most one row each.
//!
//! DataFusion turns such a subquery into a join only if it is an aggregate, and refuses it otherwise.
//! PostgreSQL takes any and complains when a second row turns up. So the rows are collected in a list,
//! and the outer query takes the only one out:
//!
//! ```text
//! (SELECT x FROM t WHERE t.a = o.a)   →   only_row((SELECT array_agg(x) FROM t WHERE t.a = o.a))
//! (… ORDER BY y LIMIT 1)              →   only_row((SELECT array_agg(x ORDER BY y)[:1] …)), first row
//! ```
//!
//! The check stands outside, as the join also makes lists for values of `a` that `o` does not have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DfResult, ScalarValue, internal_err};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, FetchType, Limit, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, SkipType, Subquery, Volatility,
};

use crate::error::{PgError, SqlState};

/// Rewrites every correlated scalar subquery of a plan that is not an aggregate already.
pub(super) fn single_rows(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(collect_rows)?.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(rewritten.data)
}

fn collect_rows(expr: Expr) -> DfResult<Transformed<Expr>> {
    let Expr::ScalarSubquery(subquery) = expr else { return Ok(Transformed::no(expr)) };
    let is_plain = subquery.outer_ref_columns.is_empty()
        || is_aggregate(&subquery.subquery)
        || subquery.subquery.schema().fields().len() != 1;
    if is_plain {
        return Ok(Transformed::no(Expr::ScalarSubquery(subquery)));
    }
    let (input, order, first_only) = without_limit(&subquery.subquery);
    let (qualifier, field) = input.schema().qualified_field(0);
    let value = Expr::Column((qualifier, field).into());
    let field = Arc::new(field.as_ref().clone().with_nullable(true));
    let rows = Expr::AggregateFunction(AggregateFunction::new_udf(
        array_agg_udaf(),
        vec![value],
        false,
        None,
        order,
        None,
    ));
    let collected = LogicalPlanBuilder::from(input)
        .aggregate(Vec::<Expr>::new(), vec![rows.alias(field.name())])?
        .build()?;
    let collected = Subquery { subquery: Arc::new(collected), ..subquery };
    let only = ScalarUDF::from(OnlyRow { signature: Signature::any(1, Volatility::Immutable), field, first_only });
    Ok(Transformed::yes(only.call(vec![Expr::ScalarSubquery(collected)])))
}

/// Whether the subquery gives one row in any case. A grouped one may give several.
fn is_aggregate(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_aggregate(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_aggregate(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// Takes `ORDER BY … LIMIT 1` off: the rows, their order, and whether only the first counts.
fn without_limit(plan: &Arc<LogicalPlan>) -> (LogicalPlan, Vec<Sort>, bool) {
    if let LogicalPlan::Limit(limit) = plan.as_ref()
        && fetches_one(limit)
    {
        return match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() && sorts_by_output(sort) => {
                (sort.input.as_ref().clone(), sort.expr.clone(), true)
            }
            LogicalPlan::Sort(_) => (plan.as_ref().clone(), Vec::new(), false),
            input => (input.clone(), Vec::new(), true),
        };
    }
    (plan.as_ref().clone(), Vec::new(), false)
}

fn fetches_one(limit: &Limit) -> bool {
    matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(1))))
        && matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)))
}

/// Whether the input of the sort has the sort's columns and the one value first.
fn sorts_by_output(sort: &datafusion::logical_expr::Sort) -> bool {
    sort.input.schema().fields().len() == 1
}

/// Takes the only element out of a list of rows.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyRow {
    signature: Signature,
    /// What the subquery gives: its type with metadata, which a list does not keep.
    field: FieldRef,
    /// The subquery had LIMIT 1: more rows are no error.
    first_only: bool,
}

impl ScalarUDFImpl for OnlyRow {
    fn name(&self) -> &str {
        "only_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.number_rows;
        let Some(list) = args.args.into_iter().next() else {
            return internal_err!("only_row takes a list");
        };
        let is_scalar = matches!(list, ColumnarValue::Scalar(_));
        let list = list.into_array(if is_scalar { 1 } else { rows })?;
        let value = self.elements(&list)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&value, 0)?),
            false => ColumnarValue::Array(value),
        })
    }
}

impl OnlyRow {
    fn elements(&self, list: &ArrayRef) -> DfResult<ArrayRef> {
        let Some(list) = list.as_list_opt::<i32>() else {
            return Ok(arrow::array::new_null_array(self.field.data_type(), list.len()));
        };
        let mut indices = Vec::with_capacity(list.len());
        for row in 0..list.len() {
            let (start, length) = match list.is_null(row) {
                true => (0, 0),
                false => (list.value_offsets()[row], list.value_length(row)),
            };
            if length > 1 && !self.first_only {
                let message = "more than one row returned by a subquery used as an expression";
                return Err(PgError::new(SqlState::CARDINALITY_VIOLATION, message).into());
            }
            indices.push((length > 0).then(|| u64::try_from(start).unwrap_or(0)));
        }
        Ok(take(list.values(), &UInt64Array::from(indices), None)?)
    }
}
