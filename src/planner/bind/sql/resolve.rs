//! Literals, casts and operators by PostgreSQL's rules, on the plan DataFusion's planner made.
//!
//! DataFusion reads `1` as a 64-bit integer and leaves a quoted literal a string wherever it stands. PostgreSQL reads
//! the first as `integer` and the second as *unknown*: it takes the type of what it is compared with or assigned to.
//! The rules themselves are in `functions`; here they meet a plan.

use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::query::planner_error;
use crate::error::PgError;
use crate::functions::cast::plan_cast;
use crate::functions::resolve as rules;
use crate::planner::bind::context::BindContext;
use crate::types::pg_type::PgType;

/// Applies the rules to every expression of a plan.
pub(super) fn resolve_plan(
    plan: LogicalPlan,
    context: &BindContext,
) -> Result<LogicalPlan, PgError> {
    rules::resolve_plan(plan, context.functions.session()).map_err(|error| planner_error(&error))
}

/// Applies the rules to one expression over `schema`.
pub(super) fn resolve_expression(
    expr: Expr,
    schema: &DFSchema,
    context: &BindContext,
) -> Result<Expr, PgError> {
    rules::resolve_expr(expr, schema, context.functions.session())
        .map_err(|error| planner_error(&error))
}

/// A quoted literal whose type nothing has said yet.
pub(super) fn is_unknown(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(_) | ScalarValue::Utf8View(_) | ScalarValue::Null,
            None,
        ) => true,
        Expr::Alias(alias) => is_unknown(&alias.expr),
        _ => false,
    }
}

/// Casts for assignment (INSERT, UPDATE, DEFAULT): what PostgreSQL allows without being asked.
///
/// # Errors
/// `42846` if there is no such cast; what reading a literal raises.
pub fn assign(
    context: &BindContext,
    expr: Expr,
    to: &PgType,
    schema: &DFSchema,
) -> Result<Expr, PgError> {
    let from =
        if is_unknown(&expr) { PgType::Unknown } else { super::query::type_of(&expr, schema)? };
    if from == *to {
        return Ok(expr);
    }
    plan_cast(expr, &from, to, false, context.functions.session())
}
