//! Row policies that are conditions on rows, and nothing else, are out of the way of the other rules.
//!
//! ```text
//! Filter id = 7                            Filter id = 7                      Filter id = 7
//!   SubqueryAlias account                    TableScan account        ──►       RowPolicy
//!     RowPolicy                   ──►          (the policy is in its              Filter owner = 'ann'
//!       Filter owner = 'ann'                    source)                             TableScan account
//!         TableScan
//! ```
//!
//! There is nothing in them for the rules: no condition goes through the barrier, in either direction, and which columns
//! are asked for is said of the scan. For a look at a few rows, taking the policies of three tables through each rule took
//! longer than everything else. What hides elements of a pattern is set apart in the pattern itself.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{
    Column, Constraints, DFSchema, DFSchemaRef, Result, ScalarValue, TableReference,
};
use datafusion::execution::SessionState;
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, Filter, LogicalPlan, Operator, Projection,
    ReturnFieldArgs, ScalarFunctionArgs, SubqueryAlias, TableScan, TableScanBuilder, TableSource,
    Volatility,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::planner::MatchPattern;
use crate::planner::node::{ElementGuard, RowPolicy, conditions_on_scan};
use crate::planner::source::ROW_ID;

/// A guarded scan whose policy is known.
struct PolicySource {
    /// The policy's.
    number: u32,
    /// What all rows must satisfy; its columns have no qualifier.
    condition: Option<Expr>,
    /// What is scanned.
    source: Arc<dyn TableSource>,
}

impl TableSource for PolicySource {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.source.constraints()
    }
}

/// The plan with such policies set apart, their conditions done with; and whether there are any on scans.
///
/// # Errors
/// What the analyzer finds wrong with a condition.
pub fn policies_apart(state: &SessionState, plan: LogicalPlan) -> Result<(LogicalPlan, bool)> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |=
            matches!(node, LogicalPlan::SubqueryAlias(alias) if is_policy(&alias.input).is_some());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    let plan = match found {
        true => scans_apart(state, plan)?,
        false => plan,
    };
    let is_planned = |guard: &ElementGuard| !guard.apart;
    let plan = MatchPattern::change_guards(plan, is_planned, |guard| {
        let mut conditions = Vec::new();
        let Some(scan) = conditions_on_scan(&guard.plan, &mut conditions) else { return Ok(guard) };
        let condition = simplified(state, conditions, &scan.projected_schema)?;
        let settled = guard.plan.as_ref().clone().transform_up(|node| match node {
            LogicalPlan::TableScan(scan) => {
                Ok(Transformed::yes(narrowed(&scan, condition.as_ref(), &[])?))
            }
            LogicalPlan::Filter(filter) => Ok(Transformed::yes(filtered(
                Arc::unwrap_or_clone(filter.input),
                condition.clone(),
            )?)),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(ElementGuard { apart: true, ..ElementGuard::new(guard.element, settled.data) })
    })?;
    Ok((plan, found))
}

fn scans_apart(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_down_with_subqueries(|node| match &node {
        LogicalPlan::SubqueryAlias(alias) => Ok(match set_apart(state, alias)? {
            Some(scan) => Transformed::new(scan, true, TreeNodeRecursion::Jump),
            None => Transformed::no(node),
        }),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

/// The plan with the policies on scans in their places again. What is apart in a pattern stays so.
///
/// # Errors
/// `XX000`: our own defect.
pub fn policies_back(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::TableScan(scan) => Ok(match scan.source.downcast_ref::<PolicySource>() {
            Some(source) => Transformed::yes(put_back(scan, source)?),
            None => Transformed::no(node),
        }),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

fn is_policy(plan: &LogicalPlan) -> Option<&RowPolicy> {
    let LogicalPlan::Extension(extension) = plan else { return None };
    extension.node.as_any().downcast_ref::<RowPolicy>()
}

/// The scan that a policy under a name becomes; `None` if there is more to the policy.
fn set_apart(state: &SessionState, alias: &SubqueryAlias) -> Result<Option<LogicalPlan>> {
    let Some(policy) = is_policy(&alias.input).filter(|policy| policy.above.is_empty()) else {
        return Ok(None);
    };
    let mut conditions = Vec::new();
    let scan = conditions_on_scan(&policy.input, &mut conditions);
    let Some(scan) = scan.filter(|scan| scan.filters.is_empty()) else { return Ok(None) };
    let condition = simplified(state, conditions, &scan.projected_schema)?;
    let condition = condition.map(|condition| qualified(condition, None)).transpose()?;
    let source =
        PolicySource { number: policy.number, condition, source: Arc::clone(&scan.source) };
    let scan = TableScanBuilder::new(alias.alias.clone(), Arc::new(source))
        .with_projection(scan.projection.clone());
    Ok(Some(LogicalPlan::TableScan(scan.build()?)))
}

/// A limit that the scan was told of is not one on rows that the policy has not seen yet: it stands above as well.
fn put_back(scan: &TableScan, source: &PolicySource) -> Result<LogicalPlan> {
    let asked: Vec<usize> = match &scan.projection {
        Some(asked) => asked.clone(),
        None => (0..source.schema().fields().len()).collect(),
    };
    let condition = source.condition.clone();
    let condition =
        condition.map(|condition| qualified(condition, Some(&scan.table_name))).transpose()?;
    let below = TableScanBuilder::new(scan.table_name.clone(), Arc::clone(&source.source));
    let below = narrowed(&below.build()?, condition.as_ref(), &asked)?;
    let has_more = below.schema().fields().len() != scan.projected_schema.fields().len()
        || below.schema().columns() != scan.projected_schema.columns();
    let plan = RowPolicy::new(source.number, filtered(below, condition)?).into_plan();
    if !has_more {
        return Ok(plan);
    }
    let columns = scan.projected_schema.columns().into_iter().map(Expr::Column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

/// A scan of the columns that are asked for or that a condition reads, and of the row ids that a pattern asks for.
fn narrowed(scan: &TableScan, condition: Option<&Expr>, asked: &[usize]) -> Result<LogicalPlan> {
    let read = condition.map(Expr::column_refs).unwrap_or_default();
    let read: HashSet<&str> = read.into_iter().map(Column::name).collect();
    let schema = scan.source.schema();
    let ids = asked.is_empty().then_some(ROW_ID);
    let columns = schema.fields().iter().enumerate().filter(|(at, field)| {
        let name = field.name().as_str();
        asked.contains(at) || read.contains(name) || Some(name) == ids
    });
    let columns = columns.map(|(at, _)| at).collect();
    let narrowed = TableScanBuilder::new(scan.table_name.clone(), Arc::clone(&scan.source));
    Ok(LogicalPlan::TableScan(narrowed.with_projection(Some(columns)).build()?))
}

fn filtered(plan: LogicalPlan, condition: Option<Expr>) -> Result<LogicalPlan> {
    match condition {
        None => Ok(plan),
        Some(condition) => Ok(LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?)),
    }
}

/// What the rules would make of conditions: types that fit, constants computed; `None` if all rows satisfy them.
fn simplified(
    state: &SessionState,
    conditions: Vec<Expr>,
    schema: &DFSchemaRef,
) -> Result<Option<Expr>> {
    let Some(condition) = conjunction(conditions) else { return Ok(None) };
    if let Some(simple) = simple(state, &condition, schema) {
        return Ok(Some(simple));
    }
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(schema))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    // Policies are short, and bound anew for each statement: what one round makes of them will do.
    let simplifier = ExprSimplifier::new(context).with_canonicalize(false).with_max_cycles(1);
    let condition = simplifier.simplify(simplifier.coerce(condition, schema)?)?;
    let is_true = matches!(condition, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    Ok((!is_true).then_some(condition))
}

/// A condition that compares columns with values of their types, and does nothing else: `None` for any other. This is what
/// most policies are, and the simplifier takes ten times as long to find that there is nothing to do.
fn simple(state: &SessionState, condition: &Expr, schema: &DFSchemaRef) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (left, right) = match (op, left.as_ref()) {
        (Operator::And, left) => (simple(state, left, schema)?, simple(state, right, schema)?),
        (
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq,
            Expr::Column(column),
        ) => {
            let ty = schema.field(schema.maybe_index_of_column(column)?).data_type();
            let value = value_of(state, right)?;
            let fits = !value.is_null() && *ty == value.data_type();
            fits.then(|| (Expr::Column(column.clone()), Expr::Literal(value, None)))?
        }
        _ => return None,
    };
    Some(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op: *op, right: Box::new(right) }))
}

/// What a constant is, or a function of constants (`current_user` as a text) for this statement; `None` if that is not
/// said so easily.
fn value_of(state: &SessionState, expr: &Expr) -> Option<ScalarValue> {
    let call = match expr {
        Expr::Literal(value, _) => return Some(value.clone()),
        Expr::ScalarFunction(call) => call,
        _ => return None,
    };
    let waits = call.func.inner().is::<AsyncScalarUDF>();
    if waits || call.func.signature().volatility == Volatility::Volatile {
        return None;
    }
    let values = call.args.iter().map(|one| value_of(state, one)).collect::<Option<Vec<_>>>()?;
    let arg_fields = call.args.iter().map(|one| Some(one.to_field(&DFSchema::empty()).ok()?.1));
    let arg_fields = arg_fields.collect::<Option<Vec<_>>>()?;
    let scalar_arguments: Vec<Option<&ScalarValue>> = values.iter().map(Some).collect();
    let asked = ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalar_arguments };
    let return_field = call.func.return_field_from_args(asked).ok()?;
    let args = ScalarFunctionArgs {
        args: values.into_iter().map(ColumnarValue::Scalar).collect(),
        arg_fields,
        number_rows: 1,
        return_field,
        config_options: Arc::clone(state.config_options()),
    };
    match call.func.invoke_with_args(args).ok()? {
        ColumnarValue::Scalar(value) => Some(value),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0).ok(),
    }
}

/// A condition whose columns are of this table.
fn qualified(condition: Expr, table: Option<&TableReference>) -> Result<Expr> {
    let condition = condition.transform(|expr| match expr {
        Expr::Column(column) => {
            Ok(Transformed::yes(Expr::Column(Column::new(table.cloned(), column.name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(condition.data)
}
