//! Subqueries that DataFusion's rules do not join, or would join wrongly, become [`Apply`] nodes.
//!
//! ```text
//! Filter  p AND q AND r > (SELECT … LIMIT 1)
//!   t                                              p: no subquery; q: EXISTS (…) by equality
//!
//! Projection  t.*
//!   Filter  r > graphwire.apply1.value
//!     Apply 1: Scalar for each [t.k]
//!       Filter  p AND q                            DataFusion joins q
//!         t
//!       SELECT … LIMIT 1                           reads graphwire.apply1.key0 instead of t.k
//! ```
//!
//! Runs before DataFusion's rules, from the innermost subquery outward. `shape` says what is left to them.

mod hoist;
mod lateral;
mod quantified;
mod references;
mod shape;

use std::cell::Cell;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Sort,
};

use self::quantified::Quantified;
use self::references::of_plan;
use self::shape::{Asked, for_membership, is_plain, joins};
use crate::planner::node::{Apply, ApplyKind, ApplyParts, is_subquery};

/// Gives every subquery of a plan a form that can be run.
///
/// With `decorrelate` false nothing is left to DataFusion's rules but subqueries that read nothing around them.
///
/// # Errors
/// `0A000` for a lateral reference where the join's type does not allow one.
pub fn apply_subqueries(plan: LogicalPlan, decorrelate: bool) -> Result<LogicalPlan> {
    let pass = Pass { decorrelate, number: Cell::new(0) };
    Ok(plan.transform_up_with_subqueries(|node| pass.rewrite(node))?.data)
}

/// Whether a plan can be run as it is: its only subqueries are scalar and read nothing around them.
///
/// # Errors
/// None of its own.
pub fn is_settled(plan: &LogicalPlan) -> Result<bool> {
    let mut settled = references::free(plan)?.is_empty();
    plan.apply_with_subqueries(|node| {
        settled &= !matches!(node, LogicalPlan::Join(join) if references::is_lateral(join)?);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                settled &= match expr {
                    Expr::ScalarSubquery(subquery) => subquery.outer_ref_columns.is_empty(),
                    other => !is_subquery(other),
                };
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(settled)
}

struct Pass {
    decorrelate: bool,
    /// How many applies there are.
    number: Cell<usize>,
}

impl Pass {
    fn rewrite(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let node = lateral::strip(node)?;
        let node = match node {
            LogicalPlan::Join(join) => match self.lateral(join)? {
                Transformed { data: LogicalPlan::Join(join), transformed: false, .. } => {
                    return self.join_condition(join);
                }
                rewritten => return Ok(rewritten),
            },
            LogicalPlan::Values(values) => {
                let rows = lateral::values_as_union(values)?;
                return match rows.transformed {
                    true => rows.data.transform_up(|node| self.rewrite(node)),
                    false => Ok(rows),
                };
            }
            other => other,
        };
        if !asks(&node)? {
            return Ok(Transformed::no(node));
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                hoist::check_columns(expr)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        let node = node.map_expressions(references::refresh)?.data;
        match node {
            LogicalPlan::Filter(filter) => self.filter(filter).map(Transformed::yes),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Sort(sort) => self.sort(sort).map(Transformed::yes),
            LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(_) => {
                self.below(node).map(Transformed::yes)
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Puts an apply above `input`; the column of its value.
    fn apply(
        &self,
        subplan: LogicalPlan,
        kind: ApplyKind,
        guard: Option<Expr>,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        let number = self.number.get() + 1;
        self.number.set(number);
        let (subplan, keys) = keyed(subplan, input.schema(), number)?;
        let parts = ApplyParts { number, kind, keys, guard };
        let node = Apply::try_new(input.clone().into(), subplan.into(), parts)?;
        *input = node.into_plan();
        Ok(Expr::Column(Apply::value_column(number)))
    }

    fn filter(&self, filter: Filter) -> Result<LogicalPlan> {
        let schema = filter.input.schema().clone();
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for conjunct in split_conjunction_owned(filter.predicate) {
            match self.joinable(&conjunct, &schema, true)? {
                Some(conjunct) => below.push(conjunct),
                None => above.push(conjunct),
            }
        }
        let mut plan = filter.input.as_ref().clone();
        if let Some(predicate) = conjunction(below) {
            plan = LogicalPlan::Filter(Filter::try_new(predicate, plan.into())?);
        }
        let Some(predicate) = conjunction(above) else { return Ok(plan) };
        let predicate = self.hoist(predicate, None, &mut plan)?;
        let columns: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
        LogicalPlanBuilder::from(plan).filter(predicate)?.project(columns)?.build()
    }

    /// A condition that DataFusion's rules carry out, perhaps in another form; `None` if they do not. `loose` says that
    /// null is as good as false.
    fn joinable(&self, expr: &Expr, schema: &DFSchema, loose: bool) -> Result<Option<Expr>> {
        let exists = |plan: LogicalPlan, subquery, negated| {
            Expr::Exists(Exists { subquery: of_plan(plan, subquery), negated })
        };
        match expr {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: op @ (Operator::And | Operator::Or),
                right,
            }) => {
                let Some(left) = self.joinable(left, schema, loose)? else { return Ok(None) };
                let Some(right) = self.joinable(right, schema, loose)? else { return Ok(None) };
                Ok(Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), *op, Box::new(right)))))
            }
            Expr::Not(inner) => match inner.as_ref() {
                Expr::Exists(inner) => {
                    let turned = Exists { negated: !inner.negated, ..inner.clone() };
                    self.joinable(&Expr::Exists(turned), schema, loose)
                }
                Expr::InSubquery(inner) => {
                    let turned = InSubquery { negated: !inner.negated, ..inner.clone() };
                    self.joinable(&Expr::InSubquery(turned), schema, loose)
                }
                _ => self.plain_condition(expr, schema),
            },
            Expr::Exists(Exists { subquery, negated }) => {
                let plan = for_membership(&subquery.subquery, true);
                Ok(self
                    .leaves(&plan, schema, Asked::Membership)?
                    .then(|| exists(plan, subquery.clone(), *negated)))
            }
            Expr::InSubquery(inner) if loose && !asks_expr(&inner.expr)? => {
                let plan = for_membership(&inner.subquery.subquery, false);
                if !inner.negated || is_plain(&plan)? {
                    let subquery = of_plan(plan, inner.subquery.clone());
                    let alone = !inner.negated || !inner.expr.is_volatile();
                    return Ok((alone
                        && self.leaves(&subquery.subquery, schema, Asked::Membership)?)
                    .then(|| {
                        let kept = InSubquery::new(inner.expr.clone(), subquery, inner.negated);
                        Expr::InSubquery(kept)
                    }));
                }
                let absence = Quantified {
                    expr: inner.expr.as_ref().clone(),
                    op: Operator::Eq,
                    quantifier: SetQuantifier::Any,
                    subquery: of_plan(plan, inner.subquery.clone()),
                }
                .as_absence(schema)?;
                Ok(self
                    .leaves(&absence, schema, Asked::Membership)?
                    .then(|| exists(absence, inner.subquery.clone(), true)))
            }
            _ => self.plain_condition(expr, schema),
        }
    }

    /// A condition with no subqueries but scalar ones that need no apply.
    fn plain_condition(&self, expr: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
        let mut fine = true;
        expr.apply(|expr| {
            fine &= match expr {
                Expr::ScalarSubquery(subquery) => self.keeps_scalar(&subquery.subquery, schema)?,
                other => !is_subquery(other),
            };
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(fine.then(|| expr.clone()))
    }

    /// Whether DataFusion's rules may have a subquery.
    fn leaves(&self, plan: &LogicalPlan, outer: &DFSchema, asked: Asked) -> Result<bool> {
        Ok(is_plain(plan)? || (self.decorrelate && joins(plan, outer, asked)?))
    }

    /// Whether a scalar subquery of a filter or projection stays one.
    fn keeps_scalar(&self, plan: &LogicalPlan, outer: &DFSchema) -> Result<bool> {
        Ok(references::free(plan)?.is_empty()
            || (self.decorrelate && joins(plan, outer, Asked::Value)?))
    }

    fn projection(&self, projection: Projection) -> Result<Transformed<LogicalPlan>> {
        let mut plan = projection.input.as_ref().clone();
        let names = NamePreserver::new_for_projection();
        let exprs = projection
            .expr
            .into_iter()
            .map(|expr| {
                let name = names.save(&expr);
                Ok(name.restore(self.hoist(expr, None, &mut plan)?))
            })
            .collect::<Result<Vec<_>>>()?;
        let projection = Projection::try_new(exprs, plan.into())?;
        Ok(Transformed::yes(LogicalPlan::Projection(projection)))
    }

    /// ORDER BY may name columns of FROM that the SELECT list does not give.
    fn sort(&self, sort: Sort) -> Result<LogicalPlan> {
        let columns: Vec<Expr> =
            sort.input.schema().columns().into_iter().map(Expr::Column).collect();
        let mut input = sort.input.as_ref().clone();
        if let LogicalPlan::Projection(projection) = &input {
            let mut missing = Vec::new();
            for key in &sort.expr {
                for column in hoist::outer_columns(&key.expr)? {
                    let known = input.schema().has_column(&column) || missing.contains(&column);
                    if !known && projection.input.schema().has_column(&column) {
                        missing.push(column);
                    }
                }
            }
            if !missing.is_empty() {
                let mut exprs = projection.expr.clone();
                exprs.extend(missing.into_iter().map(Expr::Column));
                let wider = Projection::try_new(exprs, projection.input.clone())?;
                input = LogicalPlan::Projection(wider);
            }
        }
        let sort = Sort { input: input.into(), ..sort };
        let plan = self.below(LogicalPlan::Sort(sort))?;
        LogicalPlanBuilder::from(plan).project(columns)?.build()
    }

    /// Computes what asks a subquery in a projection below the node.
    fn below(&self, node: LogicalPlan) -> Result<LogicalPlan> {
        let output: Vec<(Column, Column)> =
            node.schema().columns().into_iter().map(|column| (column.clone(), column)).collect();
        let Some(input) = node.inputs().first().map(|input| (*input).clone()) else {
            return Ok(node);
        };
        let mut exprs: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let names = NamePreserver::new(&node);
        let keeps_names = !matches!(node, LogicalPlan::Sort(_));
        let replaced = node
            .expressions()
            .into_iter()
            .map(|expr| {
                let name = names.save(&expr);
                let expr = hoist::column_for(expr, &mut |expr| {
                    let column = format!("graphwire.value{}", self.number.get() + 1);
                    self.number.set(self.number.get() + 1);
                    exprs.push(expr.alias(column.clone()));
                    Expr::Column(Column::new_unqualified(column))
                })?;
                Ok(if keeps_names { name.restore(expr) } else { expr })
            })
            .collect::<Result<Vec<_>>>()?;
        let projection = Projection::try_new(exprs, input.into())?;
        let input = self.projection(projection)?.data;
        let plan = node.with_new_exprs(replaced, vec![input])?;
        // A window passes its input's columns on, those made here too.
        if plan.schema().fields().len() == output.len() {
            return Ok(plan);
        }
        let columns: Vec<Expr> = output.into_iter().map(|(from, _)| Expr::Column(from)).collect();
        LogicalPlanBuilder::from(plan).project(columns)?.build()
    }
}

/// The plan reading its free references to `schema` as keys of an apply, and the keys.
fn keyed(plan: LogicalPlan, schema: &DFSchema, number: usize) -> Result<(LogicalPlan, Vec<Expr>)> {
    use datafusion::common::ExprSchema;
    use datafusion::logical_expr::expr::Cast;
    let mut columns: Vec<Column> = Vec::new();
    let plan = references::map_free(plan, &mut |field, column| {
        if Apply::is_key(column) || !schema.has_column(column) {
            return Ok(None);
        }
        let key = columns.iter().position(|known| known == column).unwrap_or_else(|| {
            columns.push(column.clone());
            columns.len() - 1
        });
        let now = schema.field_from_column(column)?;
        let reference = Expr::OuterReferenceColumn(now.clone(), Apply::key_column(number, key));
        // The reference was planned before literals around it had their types.
        if now.data_type() == field.data_type() {
            return Ok(Some(reference));
        }
        let as_planned = field.as_ref().clone().with_nullable(true);
        Ok(Some(Expr::Cast(Cast::new_from_field(Box::new(reference), as_planned.into()))))
    })?;
    Ok((plan, columns.into_iter().map(Expr::Column).collect()))
}

/// Whether a node's own expressions ask subqueries.
fn asks(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= asks_expr(expr)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn asks_expr(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| Ok(is_subquery(expr)))
}
