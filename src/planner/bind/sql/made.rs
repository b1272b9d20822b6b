//! Calls of functions that `CREATE FUNCTION` made, among expressions: the body in place of the call.
//!
//! A body that reads no table is written out as an expression, as PostgreSQL does with it; another one is a scalar
//! subquery whose parameters are columns of the query around it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result as DfResult, ScalarValue, Spans};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Projection, ScalarUDF,
    Subquery, when,
};

use sqlparser::ast::{DataType, Ident, ObjectName};

use super::function::{check_execute, plan_body, with_arguments};
use super::types::sql_type;
use crate::catalog::{FunctionResult, QualifiedName, SqlFunction};
use crate::error::PgError;
use crate::functions::cast::typed_literal;
use crate::functions::made::{CastCall, MadeCall, MadeFunction, MadeFunctions};
use crate::functions::registry::registry;
use crate::functions::resolve::input_schema;
use crate::functions::unsettled::meaning;
use crate::planner::bind::context::BindContext;
use crate::planner::node::{RoutineCall, has_subquery};
use crate::types::pg_type::PgType;

/// The functions of a name, written as DataFusion's planner asks for it, unless a built-in one has it; or the type of
/// that name, as a function that casts to it.
pub(super) fn scalar(context: &BindContext, name: &str) -> Option<Arc<ScalarUDF>> {
    let qualified = match name.split_once('.') {
        Some((schema, name)) => {
            QualifiedName { schema: Some(schema.to_owned()), name: name.to_owned() }
        }
        None if is_built_in(context, name) => return None,
        None => QualifiedName { schema: None, name: name.to_owned() },
    };
    if !context.catalog.functions.is_empty()
        && let Some(functions) = named(context, &qualified).ok()?
    {
        return Some(functions.into_function());
    }
    let written = ObjectName::from(vec![Ident::with_quote('"', name)]);
    let ty = sql_type(context.types(), &DataType::Custom(written, Vec::new())).ok()?;
    Some(CastCall::function(name, ty))
}

fn is_built_in(context: &BindContext, name: &str) -> bool {
    let known = registry();
    known.scalar(name, context.functions.session()).is_some()
        || known.aggregate(name).is_some()
        || known.window(name).is_some()
        || known.higher_order(name).is_some()
}

/// All functions that a name stands for; `None` if there is none.
///
/// # Errors
/// What a default says.
pub(super) fn named(
    context: &BindContext,
    name: &QualifiedName,
) -> Result<Option<MadeFunctions>, PgError> {
    let found = context.catalog.functions_named(name, &context.search_path);
    if found.is_empty() {
        return Ok(None);
    }
    let functions = found.iter().map(|function| {
        Ok(MadeFunction {
            oid: function.oid,
            arguments: function.argument_types().cloned().collect(),
            defaults: super::function::defaults(context, function)?,
            variadic: function.variadic(),
            returns: match &function.result {
                FunctionResult::Value(ty) | FunctionResult::SetOf(ty) => ty.clone(),
                FunctionResult::Row(columns) | FunctionResult::Table(columns) => {
                    match columns.as_slice() {
                        [(_, ty)] => ty.clone(),
                        _ => PgType::Record,
                    }
                }
                FunctionResult::Void => PgType::Void,
            },
            volatility: function.volatility,
        })
    });
    let functions = functions.collect::<Result<Vec<MadeFunction>, PgError>>()?;
    let session = context.functions.session().clone();
    Ok(Some(MadeFunctions::new(&name.name, functions, session)))
}

/// The plan with the bodies of functions in place of their calls.
///
/// # Errors
/// `42501` without EXECUTE; `0A000` for functions that give rows; what the bodies say.
pub(super) fn write_out(plan: LogicalPlan, context: &BindContext) -> Result<LogicalPlan, PgError> {
    if context.catalog.functions.is_empty() || !has_calls(&plan) {
        return Ok(plan);
    }
    let written = plan.transform_up_with_subqueries(|node| {
        let schema = input_schema(&node)?;
        let names = NamePreserver::new(&node);
        let place = Place::of(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            write_out_calls(expr, &schema, place, context)?.map_data(|expr| Ok(name.restore(expr)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    });
    written.data().map_err(|error| super::query::planner_error(&error))
}

/// As [`write_out`], for one expression over `schema`.
///
/// # Errors
/// As [`write_out`].
pub(super) fn write_out_expression(
    expr: Expr,
    schema: &DFSchema,
    context: &BindContext,
) -> Result<Expr, PgError> {
    if context.catalog.functions.is_empty() {
        return Ok(expr);
    }
    let written = write_out_calls(expr, schema, Place::Stored, context).data();
    written.map_err(|error| super::query::planner_error(&error))
}

fn write_out_calls(
    expr: Expr,
    schema: &DFSchema,
    place: Place,
    context: &BindContext,
) -> DfResult<Transformed<Expr>> {
    let place = if perhaps_calls(&expr)? { place.perhaps() } else { place };
    expr.transform_up(|expr| match &expr {
        Expr::ScalarFunction(call) => match made_call(call) {
            Some(made) => {
                Ok(Transformed::yes(written_out(made, call.args.clone(), schema, place, context)?))
            }
            None => Ok(Transformed::no(expr)),
        },
        _ => Ok(Transformed::no(expr)),
    })
}

fn made_call(call: &ScalarFunction) -> Option<&MadeCall> {
    meaning(&call.func)
}

fn has_calls(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let looked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                found |= matches!(expr, Expr::ScalarFunction(call) if made_call(call).is_some());
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    found || looked.is_err()
}

/// Where a call stands, which decides how often it would be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Once.
    Once,
    /// Once, unless what stands around it makes do without.
    Perhaps,
    /// For each row.
    EachRow,
    /// In an expression by itself, such as a default or the argument of another function.
    Stored,
}

impl Place {
    fn of(node: &LogicalPlan) -> Self {
        match node {
            LogicalPlan::Values(_) => Self::Once,
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }) => {
                    Self::Once
                }
                _ => Self::EachRow,
            },
            _ => Self::EachRow,
        }
    }

    fn perhaps(self) -> Self {
        if self == Self::Once { Self::Perhaps } else { self }
    }
}

/// Whether a call stands where it may be left out: in a CASE and its like.
fn perhaps_calls(expr: &Expr) -> DfResult<bool> {
    expr.exists(|expr| {
        let lazy = match expr {
            Expr::Case(_) => true,
            Expr::BinaryExpr(binary) => matches!(binary.op, Operator::And | Operator::Or),
            Expr::ScalarFunction(call) => matches!(call.func.name(), "coalesce" | "nullif"),
            _ => false,
        };
        let calls = |inner: &Expr| {
            Ok(matches!(inner, Expr::ScalarFunction(call) if made_call(call).is_some()))
        };
        Ok(lazy && expr.exists(calls)?)
    })
}

/// A call of a function whose body is run: once, before the rest.
fn run_once(function: &SqlFunction, arguments: Vec<Expr>, place: Place) -> Result<Expr, PgError> {
    let refused = |what: &str| {
        PgError::unsupported(
            format!("function {} is run statement by statement, and {what}", function.name),
            "Call it by itself: SELECT f(…), SELECT * FROM f(…).",
        )
    };
    if arguments.iter().any(|argument| argument.any_column_refs() || argument.contains_outer()) {
        return Err(refused("its arguments may not be columns"));
    }
    // What is the same each time is computed once, as PostgreSQL may do.
    match place {
        Place::Stored => return Err(refused("may not be called here")),
        Place::EachRow if function.volatility == 'v' => {
            return Err(refused("may not be called for each of several rows"));
        }
        Place::Perhaps if function.volatility == 'v' => {
            return Err(refused("may not be called under a condition"));
        }
        Place::Once | Place::Perhaps | Place::EachRow => {}
    }
    let columns = match &function.result {
        FunctionResult::Void => vec![(function.name.clone(), PgType::Void)],
        _ => function.columns(),
    };
    let call = RoutineCall::new(function.oid, &function.name, arguments, columns)?;
    Ok(Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(call.into_plan()),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    }))
}

fn written_out(
    call: &MadeCall,
    arguments: Vec<Expr>,
    schema: &DFSchema,
    place: Place,
    context: &BindContext,
) -> Result<Expr, PgError> {
    let Some(function) = context.catalog.functions.get(&call.oid) else {
        return Err(PgError::internal("a function that is not there"));
    };
    check_execute(context, function)?;
    if function.procedure {
        return Err(super::function::is_procedure(function));
    }
    if matches!(function.result, FunctionResult::Void) {
        return run_once(function, arguments, place);
    }
    let returns = match &function.result {
        FunctionResult::Value(returns) => returns,
        FunctionResult::Row(columns) if let [(_, returns)] = columns.as_slice() => returns,
        _ => return Err(gives_rows(function)),
    };
    if function.runs {
        return run_once(function, arguments, place);
    }
    let body = plan_body(context, function)?;
    let value = match lone_expression(&body) {
        Some(expr) => {
            refuse_repeated(function, &expr, &arguments)?;
            expr.transform_up(|expr| super::function::with_argument(expr, &arguments)).data()?
        }
        None => subquery(body, &arguments, schema)?,
    };
    if !function.strict {
        return Ok(value);
    }
    let known = arguments.into_iter().map(Expr::is_not_null).reduce(Expr::and);
    let Some(known) = known else { return Ok(value) };
    let null = typed_literal(ScalarValue::try_from(&returns.arrow())?, returns);
    Ok(when(known, value).otherwise(null)?)
}

fn gives_rows(function: &SqlFunction) -> PgError {
    PgError::unsupported(
        format!("function {} gives rows, and is called where a value stands", function.name),
        format!("Write (SELECT … FROM {}(…)).", function.name),
    )
}

/// The expression that a body without FROM computes.
fn lone_expression(plan: &LogicalPlan) -> Option<Expr> {
    let LogicalPlan::Projection(Projection { expr, input, .. }) = plan else { return None };
    let [expr] = expr.as_slice() else { return None };
    let expr = expr.clone().unalias();
    if has_subquery(&expr) {
        return None;
    }
    match input.as_ref() {
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }) => Some(expr),
        input @ LogicalPlan::Projection(_) => {
            let [column] = input.schema().columns().try_into().ok()?;
            let inner = lone_expression(input)?;
            let replaced = expr.transform_up(|expr| match &expr {
                Expr::Column(found) if *found == column => Ok(Transformed::yes(inner.clone())),
                _ => Ok(Transformed::no(expr)),
            });
            Some(replaced.data().ok()?)
        }
        _ => None,
    }
}

/// An argument is computed once, so one that differs each time may stand in one place only.
fn refuse_repeated(function: &SqlFunction, body: &Expr, arguments: &[Expr]) -> Result<(), PgError> {
    for (at, argument) in arguments.iter().enumerate() {
        if !argument.is_volatile() {
            continue;
        }
        let id = format!("${}", at + 1);
        let mut count = usize::from(function.strict);
        body.apply(|expr| {
            if matches!(expr, Expr::Placeholder(placeholder) if placeholder.id == id) {
                count += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        if count > 1 {
            return Err(PgError::unsupported(
                format!("a volatile argument of function {} is not supported", function.name),
                "Compute it in a derived table first.",
            ));
        }
    }
    Ok(())
}

/// A body with FROM: its first row, for each row of the query around it.
fn subquery(body: LogicalPlan, arguments: &[Expr], schema: &DFSchema) -> Result<Expr, PgError> {
    let outer: Vec<Expr> = arguments
        .iter()
        .map(|argument| {
            let outer = argument.clone().transform_up(|expr| match &expr {
                Expr::Column(column) => Ok(Transformed::yes(outer_column(column, schema)?)),
                _ => Ok(Transformed::no(expr)),
            });
            outer.data()
        })
        .collect::<DfResult<Vec<Expr>>>()?;
    let plan = with_arguments(body, &outer)?;
    let plan = match plan.max_rows() {
        Some(0 | 1) => plan,
        _ => LogicalPlanBuilder::from(plan).limit(0, Some(1))?.build()?,
    };
    let outer_ref_columns = plan.all_out_ref_exprs();
    Ok(Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: Spans::new(),
    }))
}

fn outer_column(column: &Column, schema: &DFSchema) -> DfResult<Expr> {
    let at = schema.index_of_column(column)?;
    Ok(Expr::OuterReferenceColumn(Arc::clone(&schema.fields()[at]), column.clone()))
}
