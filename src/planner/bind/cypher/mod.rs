//! Cypher statements to logical plans.
//!
//! * [`binder`]: the plan so far and the variables in scope; [`typed`]: expressions with Cypher types.
//! * [`matching`], [`projection`]: the clauses; [`subquery`]: patterns and queries inside expressions.
//! * [`expression`], [`operator`], [`function`], [`aggregate`], [`list`]: expressions.
//! * [`show`]: `SHOW`; [`listing`]: procedures that list the same.
//! * [`call`]: procedures; [`call_subquery`]: `CALL { }`.
//! * [`writing`]: clauses that write; [`written`]: the steps they become.
//! * [`output`]: what a client sees; [`parameter`]: parameter types; [`walk`], [`error`]: helpers.

mod aggregate;
mod binder;
mod call;
mod call_subquery;
mod error;
mod expression;
mod function;
mod list;
mod list_query;
mod listing;
mod load_csv;
mod matching;
mod operator;
mod order;
mod output;
mod parameter;
mod procedure;
mod projection;
mod show;
mod subquery;
mod typed;
mod walk;
mod writing;
mod written;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::test_plan;

use std::cell::Cell;

use datafusion::logical_expr::{Distinct, Extension, LogicalPlan, LogicalPlanBuilder, lit};
use std::sync::Arc;

use self::binder::{Binder, Binding, column, projection as project};
use self::parameter::Parameters;
use self::typed::Typed;
use self::written::Writes;
use crate::catalog::Catalog;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::parser::cypher::{Clause, CypherBody, CypherStatement, Query, SingleQuery, UnionKind};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::graph::choose_graph;
use crate::planner::node::WithWrites;
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
    /// Where defaults of columns are bound, for statements that write to typed graphs.
    pub bind: Option<&'c BindContext>,
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
    /// The first clause that writes, if one does.
    pub writes: Option<&'static str>,
    /// Whether there are rows for the client.
    pub returns: bool,
}

/// Binds a Cypher statement.
///
/// # Errors
/// With SQLSTATE, openCypher's detail word and byte offset (WIRE.md §6); `0A000` for what is not carried out.
pub fn bind_cypher(context: &CypherContext<'_>) -> Result<BoundQuery, PgError> {
    let bind = |parameters: &Parameters| match &context.statement.body {
        CypherBody::Query(query) => bind_query(context, query, parameters),
        CypherBody::Show(command) => show::bind_show(context, command, parameters),
        CypherBody::Schema(_) => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "constraints and indexes cannot be made or dropped inside of another statement",
        )),
    };
    let parameters = Parameters::new(context.parameters, context.statement.parameter_count());
    let part = bind(&parameters)?;
    if !parameters.changed() {
        return Ok(part.bound(&parameters));
    }
    // A later use told the type of a parameter that an earlier one took for jsonb.
    let parameters = Parameters::new(&parameters.declared(), context.statement.parameter_count());
    Ok(bind(&parameters)?.bound(&parameters))
}

/// A query that is bound, but for its parameters.
struct Part {
    plan: LogicalPlan,
    columns: Vec<(String, PgType)>,
    notices: Vec<PgError>,
    writes: Option<&'static str>,
    returns: bool,
}

impl Part {
    fn bound(self, parameters: &Parameters) -> BoundQuery {
        let Self { plan, columns, notices, writes, returns } = self;
        BoundQuery { plan, columns, parameters: parameters.types(), notices, writes, returns }
    }
}

fn bind_query(
    context: &CypherContext<'_>,
    query: &Query,
    parameters: &Parameters,
) -> Result<Part, PgError> {
    let names = Cell::new(0);
    let mut parts = Vec::with_capacity(query.parts.len());
    let written = Writes::default();
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
        binder.written = Writes::clone(&written);
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
            return Err(different_columns(tree));
        }
    }
    let binder = match parts.len() {
        1 => parts.pop().ok_or_else(|| PgError::internal("a query without parts"))?,
        _ => union(parts, query.union == UnionKind::Distinct)?,
    };
    let returns = query
        .parts
        .iter()
        .all(|part| matches!(part.clauses.last(), Some(Clause::Return(_) | Clause::Call(_))));
    finish(binder, notices, returns)
}

fn different_columns(part: &SingleQuery) -> PgError {
    PgError::new(
        SqlState::SYNTAX_ERROR,
        "all parts of a UNION must return columns of the same names",
    )
    .routine("DifferentColumnsInUnion")
    .at(part.span.start as usize)
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
        columns.extend(part.carried.iter().map(|name| (column(name), name.clone())));
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
fn finish(mut binder: Binder<'_>, notices: Vec<PgError>, returns: bool) -> Result<Part, PgError> {
    let (steps, rounds, writes) = {
        let mut written = binder.written.borrow_mut();
        let (steps, rounds) = (&mut written.steps, std::collections::BTreeMap::new());
        let steps = std::mem::take(steps);
        (steps, std::mem::replace(&mut written.rounds, rounds), written.verb)
    };
    if writes.is_some() && !returns {
        binder.scope.clear();
    }
    let mut columns = Vec::with_capacity(binder.scope.len());
    let mut outputs = Vec::with_capacity(binder.scope.len());
    for binding in &binder.scope {
        let (expr, ty) = binder.output(Typed::new(binding.expr.clone(), binding.ty.clone()))?;
        outputs.push((expr, binding.name.clone()));
        columns.push((binding.name.clone(), ty));
    }
    if writes.is_some() && !returns {
        // The rows are counted.
        outputs.push((lit(true), "written".to_owned()));
    }
    let mut plan = project(binder.plan, outputs)?;
    if writes.is_some() {
        let node = WithWrites::in_order(steps, rounds, plan);
        plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    }
    Ok(Part { plan, columns, notices, writes, returns })
}

impl Binder<'_> {
    /// Binds the clauses of a query; afterwards the scope holds what it returns.
    fn clauses(&mut self, query: &SingleQuery) -> Result<(), PgError> {
        let mut returned = false;
        let mut rest = query.clauses.as_slice();
        while let Some((clause, after)) = rest.split_first() {
            rest = after;
            match clause {
                Clause::Match(clause) => self.match_clause(clause)?,
                Clause::Unwind(clause) => self.unwind(clause)?,
                Clause::With(clause) => self.projection(clause, "WITH")?,
                Clause::Return(clause) => {
                    self.projection(clause, "RETURN")?;
                    returned = true;
                }
                Clause::Finish(_) => {}
                Clause::Create(first) => {
                    let following = after.iter().map_while(|clause| match clause {
                        Clause::Create(clause) => Some(clause),
                        _ => None,
                    });
                    let following: Vec<_> = following.collect();
                    rest = after.get(following.len()..).unwrap_or_default();
                    self.create_clauses(std::iter::once(first).chain(following))?;
                }
                Clause::Merge(_)
                | Clause::Set(_)
                | Clause::Remove(_)
                | Clause::Delete(_)
                | Clause::Foreach(_) => self.writing_clause(clause)?,
                Clause::Call(call) => {
                    let is_algorithm = matches!(
                        call.name.as_slice(),
                        [schema, _] if schema.text.eq_ignore_ascii_case("algo")
                    );
                    let alone = query.clauses.len() == 1;
                    if self.catalog_procedure(call, alone)? {
                        returned = alone;
                    } else if is_algorithm {
                        self.procedure(call)?;
                        returned = matches!(query.clauses.last(), Some(Clause::Call(_)));
                    } else {
                        self.call_procedure(call, alone)?;
                        returned = alone;
                    }
                }
                Clause::Subquery(call) => self.call_subquery(call)?,
                Clause::LoadCsv(clause) => self.load_csv(clause)?,
            }
        }
        if !returned && self.carried.is_empty() {
            self.scope.clear();
        }
        Ok(())
    }
}
