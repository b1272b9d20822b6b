//! EXISTS, IN, ANY and ALL as values, with SQL's rules for null.

use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::bool_and_or::bool_or;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Case, SetQuantifier};
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit,
};

use super::references::of_plan;
use super::shape::for_membership;
use crate::error::PgError;
use crate::functions::single_value::up_to_two;

/// `expr op ANY (subquery)` or ALL.
pub(super) struct Quantified {
    pub(super) expr: Expr,
    pub(super) op: Operator,
    pub(super) quantifier: SetQuantifier,
    pub(super) subquery: Subquery,
}

impl Quantified {
    /// The comparison of the value with a row of the subquery, over the subquery's plan.
    fn comparison(&self, schema: &DFSchema) -> Result<Expr> {
        let left = outward(self.expr.clone(), schema)?;
        let right = Expr::Column(self.column()?);
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), self.op, Box::new(right))))
    }

    fn column(&self) -> Result<Column> {
        match self.subquery.subquery.schema().iter().next() {
            Some(pair) => Ok(Column::from(pair)),
            None => Err(PgError::internal("a quantified subquery without a column").into()),
        }
    }

    /// A query of one row and column: true, false or null as SQL has it.
    pub(super) fn as_scalar(&self, schema: &DFSchema) -> Result<Subquery> {
        let comparison = self.comparison(schema)?;
        let decided = match self.quantifier {
            SetQuantifier::Any => Expr::IsTrue(Box::new(comparison.clone())),
            SetQuantifier::All => Expr::IsFalse(Box::new(comparison.clone())),
        };
        let aggregates = vec![
            bool_or(decided).alias("decided"),
            bool_or(Expr::IsUnknown(Box::new(comparison))).alias("unknown"),
        ];
        let aggregated = LogicalPlanBuilder::from(self.subquery.subquery.as_ref().clone())
            .aggregate(Vec::<Expr>::new(), aggregates)?
            .build()?;
        let [decided, unknown] =
            ["decided", "unknown"].map(|name| Expr::Column(Column::new_unqualified(name)));
        let value = self.verdict(decided, unknown);
        let plan = LogicalPlanBuilder::from(aggregated).project(vec![value.alias("value")])?;
        Ok(of_plan(plan.build()?, self.subquery.clone()))
    }

    /// `IN` by three questions, of which the first is an equality that can be joined by.
    ///
    /// ```text
    /// EXISTS (… y = x) → true;  EXISTS (… y IS NULL), or x IS NULL and EXISTS (…) → null;  else false
    /// ```
    pub(super) fn as_questions(
        &self,
        schema: &DFSchema,
        ask: &mut dyn FnMut(Subquery) -> Result<Expr>,
    ) -> Result<Expr> {
        let plan = || LogicalPlanBuilder::from(self.subquery.subquery.as_ref().clone());
        let field = self.subquery.subquery.schema().field(0).clone();
        let y = Expr::Column(self.column()?);
        let equal = plan().filter(self.comparison(schema)?)?.build()?;
        let equal = ask(of_plan(equal, self.subquery.clone()))?;
        let mut unknown = Vec::new();
        if field.is_nullable() {
            let nulls = plan().filter(y.is_null())?.build()?;
            unknown.push(ask(of_plan(nulls, self.subquery.clone()))?);
        }
        let any = ask(of_plan(plan().build()?, self.subquery.clone()))?;
        unknown.push(self.expr.clone().is_null().and(any));
        let unknown = unknown.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false));
        Ok(self.verdict(equal, unknown))
    }

    fn verdict(&self, decided: Expr, unknown: Expr) -> Expr {
        let any = matches!(self.quantifier, SetQuantifier::Any);
        Expr::Case(Case::new(
            None,
            vec![
                (Box::new(decided), Box::new(lit(any))),
                (Box::new(unknown), Box::new(Expr::Literal(ScalarValue::Boolean(None), None))),
            ],
            Some(Box::new(lit(!any))),
        ))
    }

    /// `NOT IN` where null is as good as false: no row is equal, or may be.
    pub(super) fn as_absence(&self, schema: &DFSchema) -> Result<LogicalPlan> {
        let comparison = self.comparison(schema)?;
        let possible = Expr::IsNotFalse(Box::new(comparison));
        LogicalPlanBuilder::from(self.subquery.subquery.as_ref().clone()).filter(possible)?.build()
    }
}

/// An expression as the plan of a subquery sees it.
pub(super) fn outward(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    use datafusion::common::ExprSchema;
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let moved = expr.transform_up(|expr| match expr {
        Expr::Column(column) if schema.has_column(&column) => {
            let field = schema.field_from_column(&column)?.clone();
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(moved.data)
}

/// A query of one row and column: whether a subquery has rows, by counting them.
pub(super) fn counted(subquery: &Subquery) -> Result<Subquery> {
    let mut rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    if subquery.outer_ref_columns.is_empty() {
        rows = rows.limit(0, Some(1))?;
    }
    let counted =
        rows.aggregate(Vec::<Expr>::new(), vec![count(lit(1i64)).alias("number")])?.build()?;
    let number = Expr::Column(Column::new_unqualified("number"));
    let found = number.gt(lit(0i64)).alias("value");
    let plan = LogicalPlanBuilder::from(counted).project(vec![found])?.build()?;
    Ok(of_plan(plan, subquery.clone()))
}

/// A query of one row and column: up to two values of a subquery, from which [`only`] takes the one.
///
/// [`only`]: crate::functions::single_value::only
pub(super) fn gathered(subquery: &Subquery) -> Result<Subquery> {
    let plan = for_membership(&subquery.subquery, false);
    let Some(pair) = plan.schema().iter().next() else {
        return Err(PgError::internal("a scalar subquery without a column").into());
    };
    let values = up_to_two(Expr::Column(Column::from(pair))).alias("values");
    let gathered = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![values])?;
    Ok(of_plan(gathered.build()?, subquery.clone()))
}
