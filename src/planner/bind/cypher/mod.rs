//! Cypher statements to logical plans.
//!
//! * [`binder`]: the plan so far and the variables in scope; [`typed`]: expressions with Cypher types.
//! * [`matching`], [`projection`]: the clauses; [`subquery`]: patterns and queries inside expressions.
//! * [`expression`], [`operator`], [`function`], [`aggregate`], [`list`]: expressions.
//! * [`output`]: what a client sees; [`parameter`]: parameter types; [`walk`], [`error`]: helpers.

mod aggregate;
mod binder;
mod error;
mod expression;
mod function;
mod list;
mod matching;
mod operator;
mod output;
mod parameter;
mod procedure;
mod projection;
mod subquery;
mod typed;
mod walk;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::test_plan;

use std::cell::Cell;

use datafusion::logical_expr::{Distinct, LogicalPlan, LogicalPlanBuilder};
use std::sync::Arc;

use self::binder::{Binder, Binding, column, projection as project};
use self::parameter::Parameters;
use self::typed::Typed;
use crate::catalog::Catalog;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::parser::cypher::{Clause, CypherBody, CypherStatement, Query, SingleQuery, UnionKind};
use crate::planner::bind::graph::choose_graph;
use crate::types::pg_type::PgType;

/// What binding a Cypher statement may look at.
#[derive(Debug)]
pub struct CypherContext<'c> {
    /// The statement.
    pub statement: &'c CypherStatement,
    /// Names.
    pub catalog: &'c Catalog,
    /// Schemas searched for unqualified names.
    pub search_path: &'c [String],
    /// `SET graph_path`.
    pub graph_path: Option<&'c str>,
    /// Types of `$1` … as the client declared them.
    pub parameters: &'c [Option<PgType>],
    /// `cypher_temporal_output = 'iso'`.
    pub iso_temporals: bool,
}

/// A bound Cypher query.
#[derive(Debug, Clone)]
pub struct BoundQuery {
    /// What to run; parameters are placeholders.
    pub plan: LogicalPlan,
    /// Names and types of the result's columns, in the plan's order; none for `FINISH`.
    pub columns: Vec<(String, PgType)>,
    /// Types of the parameters, first first.
    pub parameters: Vec<PgType>,
    /// Things the user may want to know, such as properties that no element has.
    pub notices: Vec<PgError>,
}

/// Binds a Cypher statement that reads.
///
/// # Errors
/// With SQLSTATE, openCypher's detail word and byte offset (WIRE.md §6); `0A000` for what is not carried out.
pub fn bind_cypher(context: &CypherContext<'_>) -> Result<BoundQuery, PgError> {
    let query = match &context.statement.body {
        CypherBody::Query(query) => query,
        CypherBody::Schema(_) => {
            return Err(PgError::unsupported(
                "Cypher's constraints and indexes are not supported yet",
                "Declare them on the tables of the graph, in SQL.",
            ));
        }
        CypherBody::Show(_) => {
            return Err(PgError::unsupported(
                "Cypher's SHOW commands are not supported yet",
                "The catalogs pg_class and information_schema tell the same.",
            ));
        }
    };
    let parameters = Parameters::new(context.parameters, context.statement.parameter_count());
    let (plan, columns, notices) = bind_query(context, query, &parameters)?;
    if !parameters.changed() {
        return Ok(BoundQuery { plan, columns, parameters: parameters.types(), notices });
    }
    // A later use told the type of a parameter that an earlier one took for jsonb.
    let parameters = Parameters::new(&parameters.declared(), context.statement.parameter_count());
    let (plan, columns, notices) = bind_query(context, query, &parameters)?;
    Ok(BoundQuery { plan, columns, parameters: parameters.types(), notices })
}

type Part = (LogicalPlan, Vec<(String, PgType)>, Vec<PgError>);

fn bind_query(
    context: &CypherContext<'_>,
    query: &Query,
    parameters: &Parameters,
) -> Result<Part, PgError> {
    let names = Cell::new(0);
    let mut parts = Vec::with_capacity(query.parts.len());
    for part in &query.parts {
        let chosen = choose_graph(
            context.catalog,
            context.search_path,
            context.graph_path,
            part.graph.as_ref().map(|graph| graph.parts.as_slice()),
        );
        // A graph that is named must exist, also where nothing is matched in it.
        if part.graph.is_some() {
            chosen.clone()?;
        }
        let mut binder = Binder::new(context, chosen, &names, parameters);
        binder.clauses(part)?;
        parts.push(binder);
    }
    let mut notices = Vec::new();
    for part in &mut parts {
        notices.append(&mut part.notices);
    }
    let Some(first) = parts.first() else { return Err(PgError::internal("a query without parts")) };
    let headings = first.scope.iter().map(|binding| binding.name.clone()).collect::<Vec<_>>();
    for (part, tree) in parts.iter().zip(&query.parts).skip(1) {
        if !part.scope.iter().map(|binding| &binding.name).eq(&headings) {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "all parts of a UNION must return columns of the same names",
            )
            .routine("DifferentColumnsInUnion")
            .at(tree.span.start as usize));
        }
    }
    let binder = match parts.len() {
        1 => parts.pop().ok_or_else(|| PgError::internal("a query without parts"))?,
        _ => union(parts, query.union == UnionKind::Distinct)?,
    };
    finish(binder, notices)
}

/// The parts of a `UNION` in one plan, columns brought to common types.
fn union(parts: Vec<Binder<'_>>, distinct: bool) -> Result<Binder<'_>, PgError> {
    let mut types: Vec<CypherType> = Vec::new();
    for part in &parts {
        for (at, binding) in part.scope.iter().enumerate() {
            let ty = part.normalized(Typed::new(binding.expr.clone(), binding.ty.clone())).ty;
            match types.get_mut(at) {
                Some(known) => *known = known.unify(&ty),
                None => types.push(ty),
            }
        }
    }
    let mut result: Option<(Binder<'_>, LogicalPlanBuilder)> = None;
    for mut part in parts {
        let mut columns = Vec::with_capacity(types.len());
        for (binding, ty) in part.scope.iter().zip(&types) {
            let value = Typed::new(binding.expr.clone(), binding.ty.clone());
            columns.push((part.coerce(value, ty)?, binding.name.clone()));
        }
        part.project(columns)?;
        let plan = part.plan.clone();
        result = Some(match result {
            None => (part, LogicalPlanBuilder::from(plan)),
            Some((first, builder)) => (first, builder.union(plan)?),
        });
    }
    let (mut first, builder) = result.ok_or_else(|| PgError::internal("a union without parts"))?;
    let plan = builder.build()?;
    first.plan = if distinct { LogicalPlan::Distinct(Distinct::All(Arc::new(plan))) } else { plan };
    for (binding, ty) in first.scope.iter_mut().zip(types) {
        *binding = Binding { name: binding.name.clone(), expr: column(&binding.name), ty };
    }
    Ok(first)
}

/// Converts the columns to what a client gets.
fn finish(binder: Binder<'_>, notices: Vec<PgError>) -> Result<Part, PgError> {
    let mut columns = Vec::with_capacity(binder.scope.len());
    let mut outputs = Vec::with_capacity(binder.scope.len());
    for binding in &binder.scope {
        let (expr, ty) = binder.output(Typed::new(binding.expr.clone(), binding.ty.clone()))?;
        outputs.push((expr, binding.name.clone()));
        columns.push((binding.name.clone(), ty));
    }
    Ok((project(binder.plan, outputs)?, columns, notices))
}

impl Binder<'_> {
    /// Binds the clauses of a query; afterwards the scope holds what it returns.
    fn clauses(&mut self, query: &SingleQuery) -> Result<(), PgError> {
        let mut returned = false;
        for clause in &query.clauses {
            match clause {
                Clause::Match(clause) => self.match_clause(clause)?,
                Clause::Unwind(clause) => self.unwind(clause)?,
                Clause::With(clause) => self.projection(clause, "WITH")?,
                Clause::Return(clause) => {
                    self.projection(clause, "RETURN")?;
                    returned = true;
                }
                Clause::Finish(_) => {}
                Clause::Create(_)
                | Clause::Merge(_)
                | Clause::Set(_)
                | Clause::Remove(_)
                | Clause::Delete(_)
                | Clause::Foreach(_) => {
                    return Err(PgError::unsupported(
                        "Cypher clauses that write are not supported yet",
                        "Write to the tables of the graph with INSERT, UPDATE and DELETE.",
                    )
                    .at(clause.span().start as usize));
                }
                Clause::Call(call) => {
                    self.procedure(call)?;
                    returned = matches!(query.clauses.last(), Some(Clause::Call(_)));
                }
                Clause::Subquery(_) => return Err(error::unsupported("CALL { }", clause.span())),
                Clause::LoadCsv(_) => return Err(error::unsupported("LOAD CSV", clause.span())),
            }
        }
        if !returned && self.carried.is_empty() {
            self.scope.clear();
        }
        Ok(())
    }
}
