//! Clauses that write: CREATE, MERGE, SET, REMOVE, DELETE, FOREACH.
//!
//! Each becomes a step of the statement: a [`GraphWrite`] over the plan so far. What follows reads the step's rows, whose
//! elements are found again in the graph as it is then:
//!
//! ```text
//! step 1   GraphWrite CREATE ─ Projection: values ─ MatchPattern …
//! step 2   GraphWrite SET ─ Projection: values ─ Projection: attach(n), … ─ rows of step 1
//! last     Projection: what is returned ─ Projection: attach(n), … ─ rows of step 2
//! ```

mod create;
mod foreach;
mod merge;
mod set;

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr as PlanExpr, Extension, LogicalPlan, LogicalPlanBuilder, lit};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row};
use super::error;
use super::typed::Typed;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::functions::cypher::references::may_hold;
use crate::parser::Span;
use crate::parser::cypher::{Clause, Delete, Expr, ExprKind};
use crate::planner::node::{
    GraphAction, GraphFunction, GraphFunctionKind, GraphWrite, ValueColumn, WrittenRows,
};

/// A variable that a clause makes, with its column.
pub(super) struct NewVariable {
    /// As written; `None` for an element without a name.
    name: Option<String>,
    column: String,
    ty: CypherType,
}

impl Binder<'_> {
    pub(super) fn writing_clause(&mut self, clause: &Clause) -> Result<(), PgError> {
        self.place = AggregatePlace::Forbidden("a clause that writes");
        match clause {
            Clause::Create(clause) => self.create_clauses([clause]),
            Clause::Merge(clause) => self.merge_clause(clause),
            Clause::Set(clause) => self.set_clause(&clause.items),
            Clause::Remove(clause) => self.remove_clause(&clause.items),
            Clause::Delete(clause) => self.delete_clause(clause),
            Clause::Foreach(clause) => self.foreach_clause(clause),
            other => Err(error::unsupported("this clause", other.span())),
        }
    }

    /// Appends a step; the plan goes on with its rows. `new` are the columns that the step adds.
    fn write(
        &mut self,
        verb: &'static str,
        action: GraphAction,
        new: Vec<NewVariable>,
    ) -> Result<(), PgError> {
        let graph = Arc::clone(self.graph()?);
        let kept: Vec<ValueColumn> = self.kept_columns()?;
        let mut columns: Vec<(String, CypherType)> =
            kept.iter().map(|kept| (kept.name.clone(), kept.ty.clone())).collect();
        columns.extend(new.iter().map(|new| (new.column.clone(), new.ty.clone())));
        let input = Arc::new(std::mem::replace(&mut self.plan, one_row()));
        let node = GraphWrite::try_new(Arc::clone(&graph), input, action, kept)?;
        let step = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let number = self.add_step(verb, step);
        self.plan = self.rows_of_step(number, &columns)?;
        for new in new {
            if let Some(name) = new.name {
                self.scope.push(Binding { name, expr: column(&new.column), ty: new.ty });
            }
        }
        Ok(())
    }

    fn add_step(&mut self, verb: &'static str, step: LogicalPlan) -> usize {
        let mut written = self.written.borrow_mut();
        written.verb.get_or_insert(verb);
        let number = written.steps.len();
        written.steps.push((number, step));
        number
    }

    /// The columns that reach what follows a clause.
    fn kept_columns(&self) -> Result<Vec<ValueColumn>, PgError> {
        let mut kept: Vec<ValueColumn> = Vec::with_capacity(self.scope.len());
        for binding in &self.scope {
            let PlanExpr::Column(column) = &binding.expr else {
                return Err(PgError::internal("a variable without a column"));
            };
            if kept.iter().all(|known| known.name != column.name) {
                kept.push(ValueColumn { name: column.name.clone(), ty: binding.ty.clone() });
            }
        }
        // What a subquery is correlated by is a number.
        for name in &self.carried {
            if kept.iter().all(|known| known.name != *name) {
                kept.push(ValueColumn { name: name.clone(), ty: CypherType::Integer });
            }
        }
        Ok(kept)
    }

    /// The rows of a step, elements as the graph has them then.
    pub(in crate::planner::bind::cypher) fn rows_of_step(
        &self,
        number: usize,
        columns: &[(String, CypherType)],
    ) -> Result<LogicalPlan, PgError> {
        let written = self.written.borrow();
        let step = written.steps.iter().find(|(known, _)| *known == number);
        let (_, step) = step.ok_or_else(|| PgError::internal("a step that is not there"))?;
        let schema = Arc::clone(step.schema().inner());
        let source = Arc::new(WrittenRows::new(number, schema));
        let table = format!("#step{number}");
        let table = TableReference::bare(table);
        let scan = LogicalPlanBuilder::scan(table.clone(), source, None)?;
        let graph = self.graph()?;
        let columns = columns.iter().map(|(name, ty)| {
            let column = PlanExpr::Column(Column::new(Some(table.clone()), name.as_str()));
            let column = match may_hold(ty) {
                true => {
                    let kind = GraphFunctionKind::Attach { ty: ty.clone() };
                    GraphFunction::call(graph, kind, column)
                }
                false => column,
            };
            column.alias(name.clone())
        });
        let columns: Vec<PlanExpr> = columns.collect();
        let columns = match columns.as_slice() {
            // Rows without columns are still counted.
            [] => vec![lit(true).alias(self.fresh())],
            _ => columns,
        };
        Ok(scan.project(columns)?.build()?)
    }

    /// Adds columns to the plan, beside all it has.
    fn with_columns(&mut self, new: Vec<(PlanExpr, String)>) -> Result<(), PgError> {
        if new.is_empty() {
            return Ok(());
        }
        let own = self.plan.schema().columns().into_iter();
        let mut columns: Vec<(PlanExpr, String)> =
            own.map(|column| (PlanExpr::Column(column.clone()), column.name)).collect();
        columns.extend(new);
        self.project(columns)
    }

    /// A value for a property; what can be told not to be one is refused.
    fn property_value(&mut self, value: &Expr) -> Result<Typed, PgError> {
        let bound = self.expr(value)?;
        let bound = self.normalized(bound);
        if !storable(&bound.ty) {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("a property cannot be a value of type {}", bound.ty),
            )
            .hint("Properties are booleans, numbers, strings, temporal values, and lists of them.")
            .routine("InvalidPropertyType")
            .at(value.span.start as usize));
        }
        Ok(bound)
    }

    /// The column of a value that is bound already; it is added to `columns`.
    fn value_column(&self, value: Typed, columns: &mut Vec<(PlanExpr, String)>) -> ValueColumn {
        let name = self.fresh();
        columns.push((value.expr, name.clone()));
        ValueColumn { name, ty: value.ty }
    }

    fn delete_clause(&mut self, clause: &Delete) -> Result<(), PgError> {
        let Delete { detach, targets, span: _ } = clause;
        let mut columns = Vec::new();
        let mut deleted = Vec::with_capacity(targets.len());
        for target in targets {
            if let ExprKind::HasLabels { .. } = target.kind {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "DELETE takes elements; REMOVE takes labels away",
                )
                .routine("InvalidDelete")
                .at(target.span.start as usize));
            }
            let value = self.expr(target)?;
            let value = self.normalized(value);
            match &value.ty {
                CypherType::Node
                | CypherType::Relationship
                | CypherType::Path
                | CypherType::Any
                | CypherType::Null => {}
                ty => {
                    return Err(error::wrong_type(
                        format!("a value of type {ty} cannot be deleted"),
                        target.span,
                    ));
                }
            }
            deleted.push(self.value_column(value, &mut columns));
        }
        self.with_columns(columns)?;
        let action = GraphAction::Delete { targets: deleted, detach: *detach };
        self.write("DELETE", action, Vec::new())
    }

    /// Makes the plan so far a step of its own, so that its rows can be read more than once; its number and columns.
    pub(in crate::planner::bind::cypher) fn freeze(
        &mut self,
        verb: &'static str,
    ) -> Result<(usize, Vec<(String, CypherType)>), PgError> {
        let columns = self.kept_columns()?.into_iter().map(|kept| (kept.name, kept.ty)).collect();
        self.write(verb, GraphAction::Set { items: Vec::new() }, Vec::new())?;
        Ok((self.written.borrow().steps.len() - 1, columns))
    }
}

/// Whether a value of a type may be a property, as far as can be told.
fn storable(ty: &CypherType) -> bool {
    match ty {
        CypherType::Node
        | CypherType::Relationship
        | CypherType::Path
        | CypherType::Map(_)
        | CypherType::Json => false,
        CypherType::List(element) => storable(element),
        _ => true,
    }
}

/// Whether an expression reads the graph, so that it must be computed after what is written before it.
fn reads_graph(expr: &PlanExpr) -> bool {
    let mut reads = false;
    // The visitor never fails.
    let _ = expr.apply(|expr| {
        if let PlanExpr::ScalarFunction(call) = expr {
            reads |= call.func.inner().downcast_ref::<GraphFunction>().is_some();
        }
        Ok(if reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    reads
}

fn already_bound(name: &str, span: Span) -> PgError {
    error::already_bound(name, span)
}
