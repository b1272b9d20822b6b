//! Which conditions may be evaluated on rows that nobody may see.

use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

/// Whether evaluating an expression tells nothing about its arguments but by its result: it raises no error, has no effect
/// and runs no function. Comparisons of plain types, and what joins them, are all so far.
pub fn is_leak_proof(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) | Expr::Placeholder(_) => true,
        Expr::Alias(alias) => is_leak_proof(&alias.expr),
        Expr::Not(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => is_leak_proof(inner),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let plain = matches!(
                op,
                Operator::Eq
                    | Operator::NotEq
                    | Operator::Lt
                    | Operator::LtEq
                    | Operator::Gt
                    | Operator::GtEq
                    | Operator::And
                    | Operator::Or
                    | Operator::IsDistinctFrom
                    | Operator::IsNotDistinctFrom
            );
            plain && is_leak_proof(left) && is_leak_proof(right)
        }
        Expr::Between(Between { expr, negated: _, low, high }) => {
            is_leak_proof(expr) && is_leak_proof(low) && is_leak_proof(high)
        }
        Expr::InList(InList { expr, list, negated: _ }) => {
            is_leak_proof(expr) && list.iter().all(is_leak_proof)
        }
        Expr::Case(case) => {
            let parts = case.when_then_expr.iter().flat_map(|(when, then)| [when, then]);
            case.expr.iter().chain(parts).chain(&case.else_expr).all(|part| is_leak_proof(part))
        }
        _ => false,
    }
}
