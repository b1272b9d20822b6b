//! What set-returning functions need of a plan: one column of their rows, and calls beside other tables of FROM.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{NullHandling, Result as DfResult, ScalarValue, TableReference};
use datafusion::logical_expr::{
    ColumnarValue, EmptyRelation, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder,
    Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Subquery,
    SubqueryAlias, Unnest, Volatility,
};

use crate::error::{PgError, SqlState};

/// `set_column(rows, 'name')`: one column of a list of rows, as a list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SetColumn;

static TWO: LazyLock<Signature> = LazyLock::new(|| Signature::any(2, Volatility::Immutable));

/// The function `set_column`.
pub(crate) fn set_column() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(SetColumn)));
    Arc::clone(&FUNCTION)
}

fn not_rows(name: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" not found in data type record"),
    )
}

fn column_name(value: Option<&ScalarValue>) -> DfResult<&str> {
    let name = value.and_then(|value| value.try_as_str()).flatten();
    Ok(name.ok_or_else(|| PgError::internal("set_column needs the name of a column"))?)
}

impl ScalarUDFImpl for SetColumn {
    fn name(&self) -> &str {
        "set_column"
    }

    fn signature(&self) -> &Signature {
        &TWO
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let name = column_name(args.scalar_arguments.get(1).copied().flatten())?;
        let rows = args.arg_fields.first().map(|field| field.data_type());
        if let Some(DataType::List(item)) = rows
            && let DataType::Struct(fields) = item.data_type()
            && let Some((_, field)) = fields.find(name)
        {
            let item = Field::new_list_field(field.data_type().clone(), true);
            return Ok(Arc::new(Field::new(name, DataType::List(Arc::new(item)), true)));
        }
        Err(not_rows(name).into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [rows, name] = args.args.as_slice() else {
            return Err(PgError::internal("set_column takes two arguments").into());
        };
        let name = match name {
            ColumnarValue::Scalar(value) => column_name(Some(value))?.to_owned(),
            ColumnarValue::Array(_) => {
                return Err(PgError::internal("set_column needs a constant name").into());
            }
        };
        let scalar = matches!(rows, ColumnarValue::Scalar(_));
        let rows = rows.to_array(if scalar { 1 } else { args.number_rows })?;
        let list = rows.as_list_opt::<i32>().ok_or_else(|| not_rows(&name))?;
        let items = list.values().as_struct_opt().ok_or_else(|| not_rows(&name))?;
        let column = Arc::clone(items.column_by_name(&name).ok_or_else(|| not_rows(&name))?);
        let field = Arc::new(Field::new_list_field(column.data_type().clone(), true));
        let result =
            ListArray::try_new(field, list.offsets().clone(), column, list.nulls().cloned())?;
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::List(Arc::new(result))));
        }
        Ok(ColumnarValue::Array(Arc::new(result)))
    }
}

/// `FROM t, f(t.x)`: a join whose right side only unnests values of its left side becomes that unnesting above the left
/// side. DataFusion has no operator for such a lateral join. The plan as it was if it is not one.
///
/// # Errors
/// What rebuilding a node says.
pub(crate) fn pull_up_lateral(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let LogicalPlan::Join(join) = &plan else { return Ok(plan) };
    let Some((subquery, alias)) = lateral_side(&join.right) else { return Ok(plan) };
    let outer = match join.join_type {
        JoinType::Inner => false,
        // Rows of the left side without any of the right are kept only where no condition may drop them later.
        JoinType::Left if join.on.is_empty() && is_true(join.filter.as_ref()) => true,
        _ => return Ok(plan),
    };
    // The names of the last projection may be those of left columns, so they get the alias at once.
    let LogicalPlan::Projection(top) = subquery.subquery.as_ref() else { return Ok(plan) };
    let Some(rebased) = rebase(&top.input, &join.left, outer)? else { return Ok(plan) };
    let pulled = output(rebased, join, top, alias)?;
    condition(pulled, join)
}

fn is_true(filter: Option<&Expr>) -> bool {
    matches!(filter, None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)))
}

fn lateral_side(plan: &LogicalPlan) -> Option<(&Subquery, Option<&TableReference>)> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some((subquery, None)),
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((subquery, Some(alias))),
            LogicalPlan::Projection(_) => None,
            _ => None,
        },
        _ => None,
    }
}

fn columns_of(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().iter().map(Expr::from).collect()
}

/// References to the left side's columns become columns: they are in the same plan now.
fn local(expr: &Expr, left: &LogicalPlan) -> DfResult<Expr> {
    expr.clone()
        .transform(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) if left.schema().has_column(&column) => {
                Ok(Transformed::yes(Expr::Column(column)))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|transformed| transformed.data)
}

/// The chain of projections, unnestings and filters over one empty row, put over `left` instead.
fn rebase(
    plan: &LogicalPlan,
    left: &Arc<LogicalPlan>,
    outer: bool,
) -> DfResult<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }) => {
            Ok(Some(left.as_ref().clone()))
        }
        LogicalPlan::Projection(projection) => {
            let Some(input) = rebase(&projection.input, left, outer)? else { return Ok(None) };
            let mut exprs = columns_of(left);
            for expr in &projection.expr {
                // The alias keeps the name that the outer reference gave the column.
                let name = expr.schema_name().to_string();
                exprs.push(local(expr, left)?.alias_if_changed(name)?);
            }
            Ok(Some(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?)))
        }
        LogicalPlan::Unnest(unnest) => {
            let Some(input) = rebase(&unnest.input, left, outer)? else { return Ok(None) };
            let mut options = unnest.options.clone();
            options.null_handling =
                if outer { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
            let unnest = Unnest::try_new(Arc::new(input), unnest.exec_columns.clone(), options)?;
            Ok(Some(LogicalPlan::Unnest(unnest)))
        }
        LogicalPlan::Filter(filter) if !outer => {
            let Some(input) = rebase(&filter.input, left, outer)? else { return Ok(None) };
            let predicate = local(&filter.predicate, left)?;
            Ok(Some(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?)))
        }
        _ => Ok(None),
    }
}

/// Left columns as they are, right columns under the alias: the join's schema.
fn output(
    plan: LogicalPlan,
    join: &Join,
    top: &Projection,
    alias: Option<&TableReference>,
) -> DfResult<LogicalPlan> {
    let mut exprs = columns_of(&join.left);
    for (expr, field) in top.expr.iter().zip(top.schema.fields()) {
        let expr = local(expr, &join.left)?.unalias();
        exprs.push(match alias {
            Some(alias) => expr.alias_qualified(Some(alias.clone()), field.name()),
            None => expr.alias(field.name()),
        });
    }
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

fn condition(plan: LogicalPlan, join: &Join) -> DfResult<LogicalPlan> {
    let equalities = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let filter = join.filter.clone().filter(|filter| !is_true(Some(filter)));
    match equalities.chain(filter).reduce(Expr::and) {
        Some(predicate) => LogicalPlanBuilder::from(plan).filter(predicate)?.build(),
        None => Ok(plan),
    }
}
