//! Expressions that ask other queries.

use datafusion::logical_expr::Expr;

/// Whether an expression is itself a subquery, of whatever form.
pub fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
    )
}

/// Whether there is a subquery in an expression.
pub fn has_subquery(expr: &Expr) -> bool {
    use datafusion::common::tree_node::TreeNode as _;
    // The test never fails.
    expr.exists(|expr| Ok(is_subquery(expr))).unwrap_or(true)
}
