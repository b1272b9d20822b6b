//! Taking subqueries out of an expression: an apply below gives the value.
//!
//! CASE, COALESCE, AND and OR do not compute what they do not need, and a subquery in them may fail where it is not
//! needed; so each gets the condition under which it is reached as its guard.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{
    Case, Exists, InSubquery, ScalarFunction, SetComparison, SetQuantifier,
};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Subquery};

use super::quantified::{Quantified, counted, gathered};
use super::references::{free, of_plan};
use super::shape::{Asked, for_membership, is_plain};
use super::{Pass, asks_expr};
use crate::error::{PgError, SqlState};
use crate::functions::single_value::only;
use crate::planner::node::{ApplyKind, is_subquery};

impl Pass {
    /// The expression with columns of applies above `input` in place of its subqueries.
    pub(super) fn hoist(
        &self,
        expr: Expr,
        guard: Option<&Expr>,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        if !asks_expr(&expr)? {
            return Ok(expr);
        }
        check_columns(&expr)?;
        match expr {
            Expr::ScalarSubquery(subquery) => self.scalar(subquery, guard, input),
            Expr::Exists(Exists { subquery, negated }) => {
                let found = self.exists(subquery, guard, input)?;
                Ok(if negated { Expr::Not(Box::new(found)) } else { found })
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let expr = self.hoist(*expr, guard, input)?;
                let quantifier = SetQuantifier::Any;
                let asked = Quantified { expr, op: Operator::Eq, quantifier, subquery };
                let found = self.quantified(&asked, guard, input)?;
                Ok(if negated { Expr::Not(Box::new(found)) } else { found })
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let expr = self.hoist(*expr, guard, input)?;
                self.quantified(&Quantified { expr, op, quantifier, subquery }, guard, input)
            }
            Expr::Case(case) => self.case(case, guard, input),
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: op @ (Operator::And | Operator::Or),
                right,
            }) => {
                let left = self.hoist(*left, guard, input)?;
                let reached = match op {
                    Operator::And => Expr::IsNotFalse(Box::new(left.clone())),
                    _ => Expr::IsNotTrue(Box::new(left.clone())),
                };
                let right = self.hoist(*right, both(guard, reached).as_ref(), input)?;
                Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
            }
            Expr::ScalarFunction(call) if call.func.name() == "coalesce" => {
                self.coalesce(call, guard, input)
            }
            other => Ok(other
                .map_children(|child| Ok(Transformed::yes(self.hoist(child, guard, input)?)))?
                .data),
        }
    }

    fn case(&self, case: Case, guard: Option<&Expr>, input: &mut LogicalPlan) -> Result<Expr> {
        let base = match case.expr {
            Some(base) => Some(self.hoist(*base, guard, input)?),
            None => None,
        };
        let mut reached = guard.cloned();
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        for (when, then) in case.when_then_expr {
            let when = self.hoist(*when, reached.as_ref(), input)?;
            let holds = match &base {
                Some(base) => base.clone().eq(when.clone()),
                None => when.clone(),
            };
            let here = both(reached.as_ref(), Expr::IsTrue(Box::new(holds.clone())));
            let then = self.hoist(*then, here.as_ref(), input)?;
            reached = both(reached.as_ref(), Expr::IsNotTrue(Box::new(holds)));
            branches.push((Box::new(when), Box::new(then)));
        }
        let otherwise = match case.else_expr {
            Some(otherwise) => Some(Box::new(self.hoist(*otherwise, reached.as_ref(), input)?)),
            None => None,
        };
        Ok(Expr::Case(Case::new(base.map(Box::new), branches, otherwise)))
    }

    fn coalesce(
        &self,
        call: ScalarFunction,
        guard: Option<&Expr>,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        let mut reached = guard.cloned();
        let mut args = Vec::with_capacity(call.args.len());
        for arg in call.args {
            let arg = self.hoist(arg, reached.as_ref(), input)?;
            reached = both(reached.as_ref(), Expr::IsNull(Box::new(arg.clone())));
            args.push(arg);
        }
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(call.func, args)))
    }

    fn scalar(
        &self,
        subquery: Subquery,
        guard: Option<&Expr>,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        if self.keeps_scalar(&subquery.subquery, input.schema())? {
            return Ok(Expr::ScalarSubquery(subquery));
        }
        if self.decorrelate {
            let gathered = gathered(&subquery)?;
            if self.keeps_scalar(&gathered.subquery, input.schema())? {
                return Ok(only(Expr::ScalarSubquery(gathered)));
            }
        }
        let plan = subquery.subquery.as_ref().clone();
        self.apply(plan, ApplyKind::Scalar, guard.cloned(), input)
    }

    fn exists(
        &self,
        subquery: Subquery,
        guard: Option<&Expr>,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        let subquery = of_plan(for_membership(&subquery.subquery, true), subquery);
        let counted = counted(&subquery)?;
        if self.keeps_scalar(&counted.subquery, input.schema())? {
            return Ok(Expr::ScalarSubquery(counted));
        }
        let plan = subquery.subquery.as_ref().clone();
        self.apply(plan, ApplyKind::Exists, guard.cloned(), input)
    }

    fn quantified(
        &self,
        asked: &Quantified,
        guard: Option<&Expr>,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        let schema = input.schema().clone();
        let plan = &asked.subquery.subquery;
        let by_equality =
            matches!((asked.op, &asked.quantifier), (Operator::Eq, SetQuantifier::Any));
        let repeatable = !asked.expr.is_volatile() && !is_volatile(plan)?;
        let joined = is_plain(plan)? || self.leaves(plan, &schema, Asked::Membership)?;
        if self.decorrelate && by_equality && repeatable && joined && !asks_expr(&asked.expr)? {
            return asked
                .as_questions(&schema, &mut |question| self.exists(question, guard, input));
        }
        let value = asked.as_scalar(&schema)?;
        self.scalar(value, guard, input)
    }
}

/// A subquery that is compared or is a value has one column.
pub(super) fn check_columns(expr: &Expr) -> Result<()> {
    let subquery = match expr {
        Expr::ScalarSubquery(subquery) => subquery,
        Expr::InSubquery(inner) => &inner.subquery,
        Expr::SetComparison(inner) => &inner.subquery,
        _ => return Ok(()),
    };
    let message = match subquery.subquery.schema().fields().len() {
        1 => return Ok(()),
        0 if !matches!(expr, Expr::ScalarSubquery(_)) => "subquery has too few columns",
        _ if !matches!(expr, Expr::ScalarSubquery(_)) => "subquery has too many columns",
        _ => "subquery must return only one column",
    };
    Err(PgError::new(SqlState::SYNTAX_ERROR, message).into())
}

/// Both conditions. A condition that asks a subquery of its own, or gives another answer each time, is left out: the
/// guard only spares work and errors.
fn both(guard: Option<&Expr>, condition: Expr) -> Option<Expr> {
    let usable = !condition.is_volatile() && !asks_expr(&condition).unwrap_or(true);
    match (guard, usable) {
        (guard, false) => guard.cloned(),
        (None, true) => Some(condition),
        (Some(guard), true) => Some(guard.clone().and(condition)),
    }
}

fn is_volatile(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

/// The columns that the subqueries of an expression read of the rows around them.
pub(super) fn outer_columns(expr: &Expr) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    expr.apply(|expr| {
        let subquery = match expr {
            Expr::ScalarSubquery(subquery) => subquery,
            Expr::Exists(exists) => &exists.subquery,
            Expr::InSubquery(inner) => &inner.subquery,
            Expr::SetComparison(inner) => &inner.subquery,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        columns.extend(free(&subquery.subquery)?.into_iter().map(|(_, column)| column));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(columns)
}

/// Replaces each largest part of an expression that asks a subquery and is neither an aggregate nor a window call.
pub(super) fn column_for(expr: Expr, replace: &mut dyn FnMut(Expr) -> Expr) -> Result<Expr> {
    let replaced = expr.transform_down(|expr| {
        if !asks_expr(&expr)? {
            return Ok(Transformed::new(expr, false, TreeNodeRecursion::Jump));
        }
        let groups = expr.exists(|expr| {
            Ok(matches!(expr, Expr::AggregateFunction(_) | Expr::WindowFunction(_)))
        })?;
        if groups || matches!(expr, Expr::Alias(_)) {
            return Ok(Transformed::no(expr));
        }
        Ok(Transformed::new(replace(expr), true, TreeNodeRecursion::Jump))
    })?;
    debug_assert!(!replaced.data.exists(|expr| Ok(is_subquery(expr)))?, "a subquery stayed");
    Ok(replaced.data)
}
