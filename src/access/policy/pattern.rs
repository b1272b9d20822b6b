//! What hides elements of a pattern.

use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use crate::catalog::{PropertyGraph, Relation};
use crate::error::PgError;
use crate::planner::node::{Element, ElementGuard};
use crate::planner::source::{ROW_ID, RelationSource};
use crate::types::Oid;

/// The table behind an element of a graph.
pub(super) fn element_relation(graph: &PropertyGraph, element: Element) -> Option<Oid> {
    match element {
        Element::Vertex(table) => Some(graph.vertices.get(usize::from(table))?.relation),
        Element::Edge(table) => Some(graph.edges.get(usize::from(table))?.element.relation),
    }
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
    guards.push(ElementGuard::new(element, plan));
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
