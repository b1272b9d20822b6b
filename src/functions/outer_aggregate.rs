//! Aggregates of the query around: in a subquery, over columns of that query alone.
//!
//! SQL has them aggregate the rows of the query around it; DataFusion would aggregate the subquery's for each of them.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunctionParams;

use crate::error::PgError;

/// Refuses such an aggregate.
///
/// # Errors
/// `0A000`
pub(crate) fn refuse(params: &AggregateFunctionParams, schema: &DFSchema) -> Result<()> {
    let (mut own, mut outer) = (false, false);
    let keys = params.order_by.iter().map(|key| &key.expr);
    let parts = params.args.iter().chain(params.filter.as_deref()).chain(keys);
    for part in parts {
        part.apply(|expr| {
            match expr {
                Expr::Column(_) => own = true,
                Expr::OuterReferenceColumn(_, column) => outer |= !schema.has_column(column),
                // What it asks of this query is asked through its outer columns.
                Expr::ScalarSubquery(subquery) => {
                    for asked in &subquery.outer_ref_columns {
                        if let Expr::OuterReferenceColumn(_, column) = asked {
                            let is_own = schema.has_column(column);
                            own |= is_own;
                            outer |= !is_own;
                        }
                    }
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    if own || !outer {
        return Ok(());
    }
    Err(PgError::unsupported(
        "aggregates of the query around are not supported",
        "Aggregate in that query itself.",
    )
    .into())
}
