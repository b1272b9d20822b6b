//! Which columns of its target a write reads: those need the right to SELECT, and SELECT's policies count.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, Projection};

use crate::catalog::Table;
use crate::planner::node::TableWrite;

/// The target of a write, by the name that its expressions have for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) table: &'a Table,
    pub(super) alias: &'a str,
}

impl Read<'_> {
    /// Adds the columns that an expression reads, in subqueries too.
    pub(super) fn expression(self, expr: &Expr, found: &mut BTreeSet<usize>) -> PlanResult<()> {
        expr.apply(|expr| {
            match expr {
                Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => {
                    let own = column.relation.as_ref();
                    if own.is_some_and(|relation| relation.table() == self.alias) {
                        // A view calls its columns otherwise; that it reads any is what counts then.
                        found.insert(self.table.position(&column.name).unwrap_or(0));
                    }
                }
                Expr::Exists(exists) => self.outer(&exists.subquery.subquery, found)?,
                Expr::InSubquery(inner) => self.outer(&inner.subquery.subquery, found)?,
                Expr::SetComparison(inner) => self.outer(&inner.subquery.subquery, found)?,
                Expr::ScalarSubquery(subquery) => self.outer(&subquery.subquery, found)?,
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    /// What a subquery reads of the rows around it.
    fn outer(self, plan: &LogicalPlan, found: &mut BTreeSet<usize>) -> PlanResult<()> {
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    if matches!(expr, Expr::OuterReferenceColumn(..)) {
                        self.expression(expr, found)?;
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(())
    }

    /// What the conditions of a query read that otherwise gives every column: of `SELECT * FROM target, … WHERE …`.
    pub(super) fn conditions(self, query: &LogicalPlan) -> PlanResult<BTreeSet<usize>> {
        let mut found = BTreeSet::new();
        let below = match query {
            LogicalPlan::Projection(projection) => &projection.input,
            other => other,
        };
        below.apply(|node| {
            node.apply_expressions(|expr| {
                self.expression(expr, &mut found)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(found)
    }

    /// A write, perhaps below RETURNING, that knows of what it reads, RETURNING included.
    pub(super) fn note(
        self,
        plan: LogicalPlan,
        mut found: BTreeSet<usize>,
    ) -> PlanResult<LogicalPlan> {
        match plan {
            LogicalPlan::Projection(projection) => {
                for expr in &projection.expr {
                    self.expression(expr, &mut found)?;
                }
                let input = self.note(projection.input.as_ref().clone(), found)?;
                let projection = Projection::try_new(projection.expr, Arc::new(input))?;
                Ok(LogicalPlan::Projection(projection))
            }
            LogicalPlan::Extension(extension) => {
                let Some(write) = extension.node.as_any().downcast_ref::<TableWrite>() else {
                    return Ok(LogicalPlan::Extension(extension));
                };
                found.extend(&write.reads);
                let write = write.with_reads(found.into_iter().collect());
                Ok(LogicalPlan::Extension(Extension { node: Arc::new(write) }))
            }
            other => Ok(other),
        }
    }
}
