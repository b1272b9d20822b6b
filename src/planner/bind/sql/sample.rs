//! `TABLESAMPLE`: each row of a table by chance.
//!
//! **Deviation from PostgreSQL:** `SYSTEM` chooses rows as `BERNOULLI` does, not whole pages, which graphwire's tables do
//! not have; `REPEATABLE` is refused (`0A000`).

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlannerContext, RelationPlanning,
};
use sqlparser::ast::{
    Expr as SqlExpr, TableFactor, TableSample, TableSampleKind, TableSampleMethod,
    TableSampleModifier,
};

use super::names::qualified_name;
use super::rewrite::call;
use crate::catalog::RelationKind;
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;

/// The function that tells whether a row is in a sample of so many percent.
const IN_SAMPLE: &str = "graphwire_in_sample";

fn sample_of(kind: &TableSampleKind) -> &TableSample {
    match kind {
        TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample) => {
            sample
        }
    }
}

/// Whether PostgreSQL has this form of the clause.
///
/// # Errors
/// `42601`; `0A000` for `REPEATABLE`.
pub(super) fn check(kind: &TableSampleKind) -> Result<(), PgError> {
    let TableSample { modifier, name, quantity, seed, bucket, offset } = sample_of(kind);
    let method = matches!(name, Some(TableSampleMethod::Bernoulli | TableSampleMethod::System));
    let percentage =
        quantity.as_ref().is_some_and(|part| part.parenthesized && part.unit.is_none());
    if *modifier != TableSampleModifier::TableSample
        || !method
        || !percentage
        || bucket.is_some()
        || offset.is_some()
    {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "this is no TABLESAMPLE clause")
            .hint("Write TABLESAMPLE BERNOULLI (percentage)."));
    }
    if seed.is_some() {
        return Err(PgError::unsupported(
            "TABLESAMPLE … REPEATABLE is not supported",
            "Each sample is another one.",
        ));
    }
    Ok(())
}

/// Plans a table with the clause; all else is left to DataFusion.
pub(super) fn plan(
    mut relation: TableFactor,
    context: &BindContext,
    planner: &mut dyn RelationPlannerContext,
) -> Result<RelationPlanning> {
    let TableFactor::Table { name, sample, args: None, .. } = &mut relation else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let Some(kind) = sample.take() else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let found = qualified_name(name)
        .ok()
        .and_then(|name| context.catalog.resolve(&name, &context.search_path).cloned());
    let is_view = found.is_some_and(|relation| {
        !matches!(
            relation.kind,
            RelationKind::Table(_) | RelationKind::MaterializedView(_) | RelationKind::System(_)
        )
    });
    if is_view {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "TABLESAMPLE clause can only be applied to tables and materialized views",
        )
        .into());
    }
    let Some(quantity) = &sample_of(&kind).quantity else {
        return Err(PgError::internal("a sample without a percentage").into());
    };
    let percentage = in_sample(quantity.value.clone());
    let nothing = DFSchema::empty();
    let condition = planner.sql_to_expr(percentage, &nothing)?;
    let condition = super::resolve::resolve_expression(condition, &nothing, context)?;
    let plan = planner.plan(relation)?;
    let plan = LogicalPlanBuilder::from(plan).filter(condition)?.build()?;
    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
}

fn in_sample(percentage: SqlExpr) -> SqlExpr {
    call(IN_SAMPLE, vec![percentage])
}
