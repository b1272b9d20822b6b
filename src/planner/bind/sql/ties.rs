//! `FETCH FIRST n ROWS WITH TIES`: rows are ranked by the query's order, and those of a rank up to `n` are kept.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{
    BinaryOperator, DataType, Expr as SqlExpr, Fetch, Ident, LimitClause, OrderByExpr, OrderByKind,
    Query, Select, SelectItem, SetExpr, Value, WindowType,
};

use super::names::fold;
use super::query::{bind_expression, plan_query};
use super::rewrite::cast_to;
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::planner::bind::context::BindContext;

/// The name of the column of ranks, which nobody sees.
const RANK: &str = "\u{2}rank";

/// Plans a query that ends in WITH TIES; `None` if it does not.
///
/// # Errors
/// `42601` without ORDER BY, `0A000` where the order is not that of a plain SELECT list.
pub(super) fn plan(
    context: &BindContext,
    query: &Query,
    graphs: &Arc<[GraphTable]>,
) -> Result<Option<LogicalPlan>, PgError> {
    let Some(Fetch { with_ties: true, percent: false, quantity }) = &query.fetch else {
        return Ok(None);
    };
    let mut ranked = query.clone();
    ranked.fetch = None;
    let offset = match ranked.limit_clause.take() {
        Some(LimitClause::LimitOffset { offset, limit: None, .. }) => offset,
        None => None,
        Some(_) => {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "multiple LIMIT clauses not allowed"));
        }
    };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind)
    else {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "WITH TIES cannot be specified without ORDER BY clause",
        ));
    };
    let SetExpr::Select(select) = ranked.body.as_mut() else { return Err(unsupported()) };
    if select.distinct.is_some() {
        return Err(unsupported());
    }
    let rank = rank(select, keys)?;
    select
        .projection
        .push(SelectItem::ExprWithAlias { expr: rank, alias: Ident::with_quote('"', RANK) });
    let plan = plan_query(context, &ranked, graphs)?;
    let one = || SqlExpr::value(Value::Number("1".to_owned(), false));
    let count = |expr: SqlExpr| cast_to(expr, DataType::BigInt(None));
    let wanted = count(quantity.clone().unwrap_or_else(one));
    let last = match &offset {
        Some(offset) => SqlExpr::BinaryOp {
            left: Box::new(wanted),
            op: BinaryOperator::Plus,
            right: Box::new(count(offset.value.clone())),
        },
        None => wanted,
    };
    let empty = DFSchema::empty();
    let last = bind_expression(context, &last, &empty)?;
    let mut columns = plan.schema().columns();
    let Some(rank) = columns.pop() else { return Err(unsupported()) };
    let mut kept = LogicalPlanBuilder::from(plan).filter(Expr::Column(rank).lt_eq(last))?;
    if let Some(offset) = &offset {
        let skip = bind_expression(context, &count(offset.value.clone()), &empty)?;
        kept = kept.limit_by_expr(Some(skip), None)?;
    }
    Ok(Some(kept.project(columns.into_iter().map(Expr::Column))?.build()?))
}

fn unsupported() -> PgError {
    PgError::unsupported(
        "FETCH FIRST … WITH TIES is not supported here",
        "Put the query into FROM of a plain SELECT that orders and fetches.",
    )
}

/// `rank() OVER (ORDER BY …)` by the keys of the query.
fn rank(select: &Select, keys: &[OrderByExpr]) -> Result<SqlExpr, PgError> {
    let mut rank = crate::parser::stored::parse_expression("rank() OVER (ORDER BY 1)")?;
    if let SqlExpr::Function(call) = &mut rank
        && let Some(WindowType::WindowSpec(spec)) = &mut call.over
    {
        spec.order_by = keys
            .iter()
            .map(|key| OrderByExpr { expr: key_of(select, &key.expr), ..key.clone() })
            .collect();
    }
    Ok(rank)
}

/// What a key of ORDER BY means: a column of the list by its number or alias, or itself.
fn key_of(select: &Select, key: &SqlExpr) -> SqlExpr {
    let of_item = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    };
    let found = match key {
        SqlExpr::Value(value) => match &value.value {
            Value::Number(number, _) => {
                let at = number.parse::<usize>().ok().and_then(|at| at.checked_sub(1));
                at.and_then(|at| select.projection.get(at)).and_then(of_item)
            }
            _ => None,
        },
        SqlExpr::Identifier(name) => {
            let named = |item: &&SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if fold(alias) == fold(name));
            select.projection.iter().find(named).and_then(of_item)
        }
        _ => None,
    };
    found.unwrap_or_else(|| key.clone())
}
