//! `CALL { … }`: a query for each row.
//!
//! One that only reads is a dependent join ([`Apply`]), run once for each combination of the outer values it uses. One
//! that writes runs for all rows together: the outer rows are numbered and kept, the subquery starts from them, and what
//! it returns is joined back by number.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr as PlanExpr, ExprSchemable, LogicalPlanBuilder, cast};

use super::binder::{Binder, Binding, column, one_row, projection};
use super::error;
use super::{Clause, union};
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::parser::cypher::{ExprKind, Query, SingleQuery, SubqueryCall, SubqueryScope};
use crate::planner::node::{Apply, ApplyKind, ApplyParts};

/// Numbers of applies made here start above those that the optimizer makes.
const FIRST_NUMBER: u32 = 1 << 20;

impl Binder<'_> {
    pub(super) fn call_subquery(&mut self, call: &SubqueryCall) -> Result<(), PgError> {
        let SubqueryCall { optional, scope, query, transactions, span } = call;
        if let Some(transactions) = transactions {
            return Err(PgError::unsupported(
                "CALL { } IN TRANSACTIONS is not supported",
                "A statement is one transaction; send the batches as statements of their own.",
            )
            .at(transactions.span.start as usize));
        }
        let imported = self.imported(scope, query)?;
        let writes = query.parts.iter().any(|part| part.clauses.iter().any(Clause::is_writing));
        match (writes, query.parts.as_slice()) {
            (false, _) => self.call_reading(query, &imported, *optional),
            (true, [part]) if !*optional => self.call_writing(part, &imported),
            _ => Err(error::unsupported("this form of CALL { } that writes", *span)),
        }
    }

    /// Outer variables that the subquery sees.
    fn imported(&self, scope: &SubqueryScope, query: &Query) -> Result<Vec<Binding>, PgError> {
        let find = |name: &crate::parser::pattern::Name| {
            self.variable(name)?;
            let binding = self.find(&name.text).cloned();
            binding.ok_or_else(|| PgError::internal("a variable that is not there"))
        };
        match scope {
            SubqueryScope::All => Ok(self.scope.clone()),
            SubqueryScope::Variables(names) => names.iter().map(find).collect(),
            SubqueryScope::Importing => {
                let mut imported: Vec<Binding> = Vec::new();
                for part in &query.parts {
                    let Some(Clause::With(with)) = part.clauses.first() else { continue };
                    if with.star.is_some() {
                        return Ok(self.scope.clone());
                    }
                    for item in &with.items {
                        let ExprKind::Variable(name) = &item.expr.kind else { continue };
                        if imported.iter().all(|known| known.name != name.text)
                            && let Some(binding) = self.find(&name.text)
                        {
                            imported.push(binding.clone());
                        }
                    }
                }
                Ok(imported)
            }
        }
    }

    fn call_reading(
        &mut self,
        query: &Query,
        imported: &[Binding],
        optional: bool,
    ) -> Result<(), PgError> {
        let name = self.fresh();
        let number: u32 = name.trim_start_matches('#').parse().unwrap_or(0);
        let number = (FIRST_NUMBER + number) as usize;
        let mut keys = Vec::with_capacity(imported.len());
        let mut start = Vec::with_capacity(imported.len());
        let mut scope = Vec::with_capacity(imported.len());
        for (at, binding) in imported.iter().enumerate() {
            let (_, field) = binding.expr.to_field(self.plan.schema().as_ref())?;
            let inner = Apply::key_column(number, at);
            let reference = PlanExpr::OuterReferenceColumn(field, inner);
            let known = self.fresh();
            start.push((reference, known.clone()));
            keys.push(binding.expr.clone());
            if let PlanExpr::Column(outer) = &binding.expr
                && let Some(tests) = self.labels.get(&outer.name).cloned()
            {
                self.labels.insert(known.clone(), tests);
            }
            let (name, ty) = (binding.name.clone(), binding.ty.clone());
            scope.push(Binding { name, expr: column(&known), ty });
        }
        let mut parts = Vec::with_capacity(query.parts.len());
        for part in &query.parts {
            let mut inner = self.inner();
            if !start.is_empty() {
                inner.plan = projection(one_row(), start.clone())?;
            }
            inner.scope.clone_from(&scope);
            inner.clauses(part)?;
            parts.push(inner);
        }
        let headings: Vec<String> = parts
            .first()
            .map(|part| part.scope.iter().map(|binding| binding.name.clone()).collect())
            .unwrap_or_default();
        for (part, tree) in parts.iter().zip(&query.parts).skip(1) {
            if !part.scope.iter().map(|binding| &binding.name).eq(&headings) {
                return Err(super::different_columns(tree));
            }
        }
        let distinct = query.union == crate::parser::cypher::UnionKind::Distinct;
        let inner = match parts.len() {
            1 => parts.pop().ok_or_else(|| PgError::internal("a query without parts"))?,
            _ => union(parts, distinct)?,
        };
        let (mut outputs, mut bindings) = (Vec::new(), Vec::new());
        for binding in &inner.scope {
            if self.find(&binding.name).is_some() {
                return Err(error::already_bound(&binding.name, query.span));
            }
            let known = self.fresh();
            outputs.push((binding.expr.clone(), known.clone()));
            let (name, ty) = (binding.name.clone(), binding.ty.clone());
            bindings.push(Binding { name, expr: column(&known), ty });
        }
        let subplan = Arc::new(projection(inner.plan, outputs)?);
        let notices = inner.notices;
        let input = Arc::new(std::mem::replace(&mut self.plan, one_row()));
        let kind = ApplyKind::Rows { optional };
        let parts = ApplyParts { number, kind, keys, guard: None };
        self.plan = Apply::try_new(input, subplan, parts)?.into_plan();
        self.notices.extend(notices);
        self.scope.extend(bindings);
        Ok(())
    }

    fn call_writing(&mut self, part: &SingleQuery, imported: &[Binding]) -> Result<(), PgError> {
        let row = self.number_rows()?;
        let (number, columns) = self.freeze("SET")?;
        let outside: Vec<Binding> =
            self.scope.iter().filter(|binding| binding.name != row).cloned().collect();
        let mut inner = self.inner();
        inner.plan = self.rows_of_step(number, &columns)?;
        inner.scope = imported.to_vec();
        inner.carried = vec![row.clone()];
        inner.clauses(part)?;
        let returns = matches!(part.clauses.last(), Some(Clause::Return(_)));
        let (plan, found, notices) = (inner.plan, inner.scope, inner.notices);
        self.notices.extend(notices);
        self.plan = self.rows_of_step(number, &columns)?;
        self.scope = outside;
        if !returns {
            return Ok(());
        }
        let back = self.fresh();
        let mut outputs = vec![(column(&row), back.clone())];
        let mut bindings = Vec::new();
        for binding in found {
            if self.find(&binding.name).is_some() {
                return Err(error::already_bound(&binding.name, part.span));
            }
            let known = self.fresh();
            outputs.push((binding.expr, known.clone()));
            bindings.push(Binding { name: binding.name, expr: column(&known), ty: binding.ty });
        }
        let right = projection(plan, outputs)?;
        let left = std::mem::replace(&mut self.plan, one_row());
        self.plan = LogicalPlanBuilder::from(left)
            .join_on(right, JoinType::Inner, [column(&row).eq(column(&back))])?
            .build()?;
        self.scope.extend(bindings);
        Ok(())
    }

    /// Adds a number to each row, under a name that only the binder knows.
    fn number_rows(&mut self) -> Result<String, PgError> {
        let name = self.fresh();
        let plan = std::mem::replace(&mut self.plan, one_row());
        let window = row_number();
        let numbered = window.schema_name().to_string();
        let own: Vec<(PlanExpr, String)> = plan
            .schema()
            .columns()
            .into_iter()
            .map(|column| (PlanExpr::Column(column.clone()), column.name))
            .collect();
        let plan = LogicalPlanBuilder::from(plan).window([window])?.build()?;
        let mut columns = own;
        columns.push((cast(column(&numbered), CypherType::Integer.arrow()), name.clone()));
        self.plan = projection(plan, columns)?;
        self.scope.push(Binding {
            name: name.clone(),
            expr: column(&name),
            ty: CypherType::Integer,
        });
        Ok(name)
    }
}
