//! The state of binding one Cypher query: the plan so far, the variables in scope, names, parameters.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{EmptyRelation, Expr, Filter, LogicalPlan, Projection};

use super::error;
use super::typed::Typed;
use super::written::Writes;
use super::{CypherContext, parameter::Parameters};
use crate::catalog::PropertyGraph;
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::functions::cypher::output::{Conversion, Target};
use crate::parser::pattern::Name;
use crate::planner::LabelTest;
use crate::types::pg_type::PgType;

/// A variable in scope.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// As written.
    pub(super) name: String,
    /// A column of the plan, or the variable of a lambda.
    pub(super) expr: Expr,
    /// Its type.
    pub(super) ty: CypherType,
}

/// Where aggregate functions may stand now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AggregatePlace {
    /// Nowhere; the clause, for the message.
    Forbidden(&'static str),
    /// Here: they are collected.
    Allowed,
    /// Not inside another aggregate.
    Nested,
}

/// Binds one query (of a `UNION`, one part of it).
pub(super) struct Binder<'c> {
    pub(super) context: &'c CypherContext<'c>,
    pub(super) graph: Result<Arc<PropertyGraph>, PgError>,
    /// Rows so far: at first one without columns.
    pub(super) plan: LogicalPlan,
    pub(super) scope: Vec<Binding>,
    /// Columns that are no variables and must reach the end of a subquery: what it is correlated by.
    pub(super) carried: Vec<String>,
    pub(super) place: AggregatePlace,
    /// Aggregates found since the projection began, each with the name of its column.
    pub(super) aggregates: Vec<(Expr, String)>,
    /// Set while a lambda's body is bound: patterns cannot be asked there.
    pub(super) in_lambda: bool,
    pub(super) names: &'c Cell<u32>,
    pub(super) parameters: &'c Parameters,
    pub(super) notices: Vec<PgError>,
    /// What the statement's clauses wrote so far.
    pub(super) written: Writes,
    /// What the labels of elements in columns satisfy, as the patterns asked that matched them.
    pub(super) labels: BTreeMap<String, Vec<LabelTest>>,
}

/// One row without columns.
pub(super) fn one_row() -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: true,
        schema: Arc::new(DFSchema::empty()),
    })
}

/// A column by its exact name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

impl<'c> Binder<'c> {
    pub(super) fn new(
        context: &'c CypherContext<'c>,
        graph: Result<Arc<PropertyGraph>, PgError>,
        names: &'c Cell<u32>,
        parameters: &'c Parameters,
    ) -> Self {
        Self {
            context,
            graph,
            plan: one_row(),
            scope: Vec::new(),
            carried: Vec::new(),
            place: AggregatePlace::Forbidden("this clause"),
            aggregates: Vec::new(),
            in_lambda: false,
            names,
            parameters,
            notices: Vec::new(),
            written: Writes::default(),
            labels: BTreeMap::new(),
        }
    }

    /// A column name that no user can write: user names that begin with `#` get one of these themselves.
    pub(super) fn fresh(&self) -> String {
        let number = self.names.get() + 1;
        self.names.set(number);
        format!("#{number}")
    }

    /// A name for the variable of a lambda.
    pub(super) fn lambda_name(&self) -> String {
        self.fresh()
    }

    /// The column name for a user's variable.
    pub(super) fn column_name(&self, name: &str) -> String {
        if name.starts_with('#') { self.fresh() } else { name.to_owned() }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Binding> {
        self.scope.iter().rev().find(|binding| binding.name == name)
    }

    pub(super) fn variable(&self, name: &Name) -> Result<Typed, PgError> {
        match self.find(&name.text) {
            Some(binding) => Ok(Typed::new(binding.expr.clone(), binding.ty.clone())),
            None => {
                let error = error::undefined_variable(&name.text, name.span);
                let known = self.scope.iter().map(|binding| binding.name.as_str());
                Err(crate::planner::bind::graph::names::with_near(error, &name.text, known))
            }
        }
    }

    pub(super) fn filter(&mut self, condition: Expr) -> Result<(), PgError> {
        let input = std::mem::replace(&mut self.plan, one_row());
        self.plan = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(input))?);
        Ok(())
    }

    /// Replaces the plan by a projection of it; names are those of `columns`.
    pub(super) fn project(&mut self, columns: Vec<(Expr, String)>) -> Result<(), PgError> {
        let input = std::mem::replace(&mut self.plan, one_row());
        self.plan = projection(input, columns)?;
        Ok(())
    }

    /// A parameter: typed if the client or an earlier use says how, else open.
    pub(super) fn parameter(&self, number: usize) -> Typed {
        let index = number - 1;
        match self.parameters.known(index) {
            Some(ty) => typed_parameter(number, &ty),
            None => {
                self.parameters.use_open(index);
                let expr = Conversion::call(
                    placeholder(number, &PgType::Jsonb),
                    CypherType::String,
                    Target::FromJson,
                );
                Typed { expr, ty: CypherType::Any, parameter: Some(number) }
            }
        }
    }

    /// A value where `ty` is wanted: an open parameter gets the type.
    pub(super) fn expect(&self, value: Typed, ty: &CypherType) -> Typed {
        let Some(number) = value.parameter else { return value };
        let wanted = match ty {
            CypherType::Any | CypherType::Null | CypherType::Json => return value,
            CypherType::Node | CypherType::Relationship | CypherType::Path | CypherType::Map(_) => {
                return value;
            }
            ty => ty.wire(),
        };
        if wanted == PgType::Jsonb {
            return value;
        }
        self.parameters.infer(number - 1, &wanted);
        match self.parameters.known(number - 1) {
            Some(ty) => typed_parameter(number, &ty),
            None => value,
        }
    }
}

fn placeholder(number: usize, ty: &PgType) -> Expr {
    let field = ty.field(format!("${number}"), true);
    Expr::Placeholder(Placeholder::new_with_field(format!("${number}"), Some(Arc::new(field))))
}

fn typed_parameter(number: usize, ty: &PgType) -> Typed {
    let expr = placeholder(number, ty);
    match ty {
        PgType::Json | PgType::Jsonb => Typed::new(
            Conversion::call(expr, CypherType::String, Target::FromJson),
            CypherType::Any,
        ),
        other => Typed::new(expr, CypherType::of_property(other)),
    }
}

/// A projection of `input`; keeps its rows where there are no columns.
pub(super) fn projection(
    input: LogicalPlan,
    columns: Vec<(Expr, String)>,
) -> Result<LogicalPlan, PgError> {
    let exprs = columns
        .into_iter()
        .map(|(expr, name)| match &expr {
            Expr::Column(column) if column.relation.is_none() && column.name == name => expr,
            _ => expr.alias(name),
        })
        .collect();
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?))
}
