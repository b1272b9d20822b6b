//! Hides elements of a pattern.

use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder};

use crate::catalog::{PropertyGraph, Relation};
use crate::error::PgError;
use crate::planner::node::{Element, ElementGuard, MatchPattern};
use crate::planner::source::{ROW_ID, RelationSource};
use crate::types::Oid;

/// The table behind an element of a graph.
pub fn element_relation(graph: &PropertyGraph, element: Element) -> Option<Oid> {
    match element {
        Element::Vertex(table) => Some(graph.vertices.get(usize::from(table))?.relation),
        Element::Edge(table) => Some(graph.edges.get(usize::from(table))?.element.relation),
    }
}

/// Hides the elements of one table from a pattern, all of them or those for which a condition over the table's columns
/// (qualified with the table's name) is not true. Together with what hides elements of it already.
///
/// # Errors
/// What building a plan says.
pub fn hide(
    pattern: &mut MatchPattern,
    element: Element,
    relation: &Arc<Relation>,
    but: Option<Expr>,
) -> PlanResult<()> {
    let plan = match but {
        None => nothing(relation)?,
        Some(condition) => {
            let rows = LogicalPlanBuilder::from(rows_of(relation)?).filter(condition)?;
            rows.project([row_id()])?.build()?
        }
    };
    add(&mut pattern.guards, element, plan)
}

/// Adds a guard to those of a pattern; of two on one table, both must show an element.
pub(super) fn add(
    guards: &mut Vec<ElementGuard>,
    element: Element,
    plan: LogicalPlan,
) -> PlanResult<()> {
    let plan = match guards.iter().position(|guard| guard.element == element) {
        None => plan,
        Some(at) => {
            let known = guards.swap_remove(at).plan.as_ref().clone();
            LogicalPlanBuilder::intersect(known, plan, true)?
        }
    };
    guards.push(ElementGuard { element, plan: Arc::new(plan) });
    Ok(())
}

pub(super) fn row_id() -> Expr {
    Expr::Column(datafusion::common::Column::from_name(ROW_ID))
}

pub(super) fn source(
    relation: &Arc<Relation>,
    as_role: Option<Oid>,
) -> Result<RelationSource, PgError> {
    RelationSource::new(relation, true, as_role)
        .ok_or_else(|| PgError::internal(format!("\"{}\" has no rows", relation.name)))
}

fn rows_of(relation: &Arc<Relation>) -> PlanResult<LogicalPlan> {
    let source = Arc::new(source(relation, None)?);
    LogicalPlanBuilder::scan(relation.name.as_str(), source, None)?.build()
}

/// No row ids at all.
fn nothing(relation: &Arc<Relation>) -> PlanResult<LogicalPlan> {
    let plan = LogicalPlanBuilder::from(rows_of(relation)?).project([row_id()])?.build()?;
    let schema = Arc::clone(plan.schema());
    Ok(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }))
}
