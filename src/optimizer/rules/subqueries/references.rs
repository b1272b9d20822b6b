//! Outer references of a plan: which are free, and what stands for them.

use arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Subquery};

use crate::planner::node::Apply;

/// What stands for a reference; `None` leaves it.
type Replace<'a> = &'a mut dyn FnMut(&FieldRef, &Column) -> Result<Option<Expr>>;

/// Replaces the references of a plan that nothing inside it resolves.
///
/// # Errors
/// What `replace` says, and rebuilding a node.
pub(super) fn map_free(plan: LogicalPlan, replace: Replace<'_>) -> Result<LogicalPlan> {
    let plan = map_children(plan, replace)?;
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let mut changed = false;
    let mapped = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = map_expression(expr, &schema, replace)?;
        changed |= expr.transformed;
        Ok(if expr.transformed { expr.update_data(|expr| name.restore(expr)) } else { expr })
    })?;
    if changed { mapped.data.recompute_schema() } else { Ok(mapped.data) }
}

fn map_children(plan: LogicalPlan, replace: Replace<'_>) -> Result<LogicalPlan> {
    let LogicalPlan::Join(mut join) = plan else {
        return Ok(plan
            .map_children(|child| Ok(Transformed::yes(map_free(child, replace)?)))?
            .data);
    };
    // A lateral side reads the other side's columns.
    let left = map_free(join.left.as_ref().clone(), replace)?;
    let schema = left.schema().clone();
    let right = map_free(join.right.as_ref().clone(), &mut |field, column| {
        if schema.has_column(column) { Ok(None) } else { replace(field, column) }
    })?;
    join.left = left.into();
    join.right = right.into();
    LogicalPlan::Join(join).recompute_schema()
}

fn map_expression(
    expr: Expr,
    schema: &DFSchema,
    replace: Replace<'_>,
) -> Result<Transformed<Expr>> {
    expr.transform_down(|expr| {
        if let Expr::OuterReferenceColumn(field, column) = &expr {
            return Ok(match replace(field, column)? {
                Some(expr) => Transformed::new(expr, true, TreeNodeRecursion::Jump),
                None => Transformed::no(expr),
            });
        }
        let inner = |subquery: Subquery, replace: Replace<'_>| {
            map_subquery(subquery, &mut |field, column| {
                if schema.has_column(column) { Ok(None) } else { replace(field, column) }
            })
        };
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(inner(subquery, replace)?))
            }
            Expr::Exists(Exists { subquery, negated }) => Transformed::yes(Expr::Exists(Exists {
                subquery: inner(subquery, replace)?,
                negated,
            })),
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let subquery = inner(subquery, replace)?;
                Transformed::yes(Expr::InSubquery(InSubquery::new(expr, subquery, negated)))
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let subquery = inner(subquery, replace)?;
                let comparison = SetComparison::new(expr, subquery, op, quantifier);
                Transformed::yes(Expr::SetComparison(comparison))
            }
            other => Transformed::no(other),
        })
    })
}

fn map_subquery(subquery: Subquery, replace: Replace<'_>) -> Result<Subquery> {
    let plan = map_free(subquery.subquery.as_ref().clone(), replace)?;
    Ok(of_plan(plan, subquery))
}

/// A subquery with another plan, its list of outer references made anew.
pub(super) fn of_plan(plan: LogicalPlan, subquery: Subquery) -> Subquery {
    let outer_ref_columns = match free(&plan) {
        Ok(free) => {
            let free = free.into_iter();
            free.map(|(field, column)| Expr::OuterReferenceColumn(field, column)).collect()
        }
        // Only a replacement that fails could fail here, and there is none.
        Err(_) => subquery.outer_ref_columns,
    };
    Subquery { subquery: plan.into(), outer_ref_columns, spans: subquery.spans }
}

/// Whether anything in a plan refers to what is around it, or around a subquery in it. Most plans have nothing of the kind,
/// and looking is cheaper than rebuilding them.
fn refers_outward(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                found |= matches!(expr, Expr::OuterReferenceColumn(..));
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(found)
}

/// The references that nothing inside the plan resolves, each once. Keys of applies inside are not among them.
///
/// # Errors
/// None of its own.
pub(super) fn free(plan: &LogicalPlan) -> Result<Vec<(FieldRef, Column)>> {
    let mut found: Vec<(FieldRef, Column)> = Vec::new();
    if !refers_outward(plan)? {
        return Ok(found);
    }
    map_free(plan.clone(), &mut |field, column| {
        if !Apply::is_key(column) && !found.iter().any(|(_, known)| known == column) {
            found.push((field.clone(), column.clone()));
        }
        Ok(None)
    })?;
    Ok(found)
}

/// Whether an expression refers outward or asks a query that does, beyond `schema`.
pub(super) fn mentions_outer(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    let mut found = false;
    map_expression(expr.clone(), schema, &mut |_, _| {
        found = true;
        Ok(None)
    })?;
    Ok(found)
}

/// Whether a join's right side reads columns of its left side.
///
/// # Errors
/// None of its own.
pub(super) fn is_lateral(join: &Join) -> Result<bool> {
    let schema = join.left.schema();
    Ok(free(&join.right)?.iter().any(|(_, column)| schema.has_column(column)))
}

/// The expression with the lists of outer references of its subqueries made anew.
pub(super) fn refresh(expr: Expr) -> Result<Transformed<Expr>> {
    map_expression(expr, &DFSchema::empty(), &mut |_, _| Ok(None))
}
