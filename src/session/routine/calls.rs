//! The calls in a plan: run, and their rows in their place.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, Values};
use futures::future::BoxFuture;

use super::call::call;
use super::frame::Typed;
use super::statement::taken;
use crate::catalog::{FunctionResult, RoutineLanguage, SqlFunction};
use crate::error::{PgError, SqlState};
use crate::functions::cast::typed_literal;
use crate::planner::bind::{Bound, BoundColumn, BoundPlan, PlanKind};
use crate::planner::node::RoutineCall;
use crate::session::pipeline;
use crate::session::session_impl::Session;
use crate::types::pg_type::PgType;

/// What calls gave, by their ids.
type Results = HashMap<u64, Vec<Vec<Typed>>>;

/// The plan with what its calls gave in their place; `None` where it has none.
///
/// # Errors
/// What the calls say.
pub(in crate::session) fn settle<'a>(
    session: &'a mut Session,
    bound: &'a BoundPlan,
    values: &'a [ScalarAndMetadata],
) -> BoxFuture<'a, Result<Option<BoundPlan>, PgError>> {
    // A statement may call what runs statements: the future is one of itself.
    Box::pin(settled(session, bound, values))
}

async fn settled(
    session: &mut Session,
    bound: &BoundPlan,
    values: &[ScalarAndMetadata],
) -> Result<Option<BoundPlan>, PgError> {
    let Some(transaction) = &session.transaction else { return Ok(None) };
    let mut functions = transaction.catalog.functions.values();
    let is_run = |one: &Arc<SqlFunction>| one.runs || matches!(one.result, FunctionResult::Void);
    if !functions.any(is_run) || matches!(bound.kind, PlanKind::Explain { .. }) {
        return Ok(None);
    }
    let calls = calls_of(&bound.plan)?;
    if calls.is_empty() {
        return Ok(None);
    }
    let mut results = Results::new();
    for one in calls {
        if let Entry::Vacant(place) = results.entry(one.id) {
            place.insert(run_one(session, &one, values).await?);
        }
    }
    let plan = with_results(bound.plan.clone(), &results)?;
    Ok(Some(BoundPlan { plan, ..bound.clone() }))
}

fn calls_of(plan: &LogicalPlan) -> Result<Vec<RoutineCall>, PgError> {
    let mut calls = Vec::new();
    plan.apply_with_subqueries(|node| {
        let Some(call) = RoutineCall::of(node) else { return Ok(TreeNodeRecursion::Continue) };
        // The calls among its arguments are run with them.
        calls.push(call.clone());
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(calls)
}

async fn run_one(
    session: &mut Session,
    one: &RoutineCall,
    values: &[ScalarAndMetadata],
) -> Result<Vec<Vec<Typed>>, PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let Some(function) = transaction.catalog.functions.get(&one.oid).map(Arc::clone) else {
        let message = format!("function {} does not exist", one.name);
        return Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message));
    };
    if one.arguments.iter().any(|one| one.any_column_refs() || one.contains_outer()) {
        return Err(PgError::unsupported(
            format!("columns as arguments of function {} are not supported", one.name),
            "It is run statement by statement: give it values.",
        ));
    }
    let types: Vec<PgType> = function.argument_types().cloned().collect();
    let arguments = evaluated(session, &one.arguments, types, values).await?;
    let mut rows = Box::pin(call(session, &function, arguments)).await?;
    if let [(_, PgType::Void)] = one.columns.as_slice() {
        // What each of PostgreSQL's languages gives for nothing.
        let nothing = match function.language {
            RoutineLanguage::Sql => ScalarValue::Utf8View(None),
            RoutineLanguage::PlPgSql => ScalarValue::Utf8View(Some(String::new())),
        };
        rows = vec![vec![Typed { value: nothing, ty: PgType::Void }]];
    }
    Ok(rows)
}

/// The values of a call's arguments.
async fn evaluated(
    session: &mut Session,
    arguments: &[Expr],
    types: Vec<PgType>,
    values: &[ScalarAndMetadata],
) -> Result<Vec<Typed>, PgError> {
    if arguments.is_empty() {
        return Ok(Vec::new());
    }
    let one_row = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: true,
        schema: Arc::new(DFSchema::empty()),
    });
    let named = arguments.iter().enumerate();
    let named = named.map(|(at, expr)| expr.clone().alias(format!("argument{at}")));
    let plan = LogicalPlanBuilder::from(one_row).project(named)?.build()?;
    let columns = types.iter().enumerate().map(|(at, ty)| BoundColumn {
        name: format!("argument{at}"),
        ty: ty.clone(),
        kept: ty.clone(),
        table: 0,
        attnum: 0,
        declared: false,
    });
    let columns = columns.collect();
    let bound = BoundPlan { plan, kind: PlanKind::Select, parameters: Vec::new(), columns };
    let bound = Bound::Plan(bound);
    let started = pipeline::start(session, &bound, values.to_vec());
    let given = taken(Box::pin(started).await?).await?;
    let row = given.row(0)?.ok_or_else(|| PgError::internal("arguments of no call"))?;
    let cells = row.into_iter().zip(types);
    Ok(cells.map(|(one, ty)| Typed { value: one.value, ty }).collect())
}

/// First the calls among expressions, then those that are tables.
fn with_results(plan: LogicalPlan, results: &Results) -> Result<LogicalPlan, PgError> {
    let written = plan.transform_down_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let written = expr.transform_up(|expr| {
                let Expr::ScalarSubquery(subquery) = &expr else {
                    return Ok(Transformed::no(expr));
                };
                let Some(one) = RoutineCall::of(&subquery.subquery) else {
                    return Ok(Transformed::no(expr));
                };
                let value = results.get(&one.id).and_then(|rows| rows.first()?.first());
                let value = match (value, one.columns.first()) {
                    (Some(value), _) => value.clone(),
                    (None, Some((_, ty))) => Typed::null(ty.clone())?,
                    (None, None) => return Err(PgError::internal("a call of nothing").into()),
                };
                Ok(Transformed::yes(typed_literal(value.value, &value.ty)))
            })?;
            written.map_data(|expr| Ok(name.restore(expr)))
        })
    });
    let written = written.data()?.transform_up_with_subqueries(|node| {
        let Some(one) = RoutineCall::of(&node) else {
            return Ok(Transformed::no(node));
        };
        let rows = results.get(&one.id).map(Vec::as_slice).unwrap_or_default();
        let schema = Arc::clone(node.schema());
        if rows.is_empty() || one.columns.is_empty() {
            let produce_one_row = !rows.is_empty();
            return Ok(Transformed::yes(LogicalPlan::EmptyRelation(EmptyRelation {
                produce_one_row,
                schema,
            })));
        }
        let literal = |value: &Typed| typed_literal(value.value.clone(), &value.ty);
        let values = rows.iter().map(|row| row.iter().map(literal).collect()).collect();
        Ok(Transformed::yes(LogicalPlan::Values(Values { schema, values })))
    });
    Ok(written.data()?)
}
