//! `CALL algo.…`: graph algorithms.
//!
//! The subgraph is what two patterns match, so labels, filters and rights are those of `MATCH`:
//!
//! ```text
//! {nodeLabels: ['A', 'B'], nodeFilter: 'n.age > 30'}      MATCH (n:A|B) WHERE n.age > 30
//! {relationshipTypes: ['T'], relationshipFilter: '…'}     MATCH (a)-[r:T]->(b) WHERE …
//! ```

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr as PlanExpr, Extension, LogicalPlan, lit};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row};
use super::error;
use super::typed::Typed;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::parser::Span;
use crate::parser::cypher::{
    Call, Clause, CypherBody, CypherStatement, Expr, ExprKind, Literal, Match, Yield,
};
use crate::parser::pattern::Name;
use crate::planner::bind::graph::names::with_near;
use crate::planner::node::{Algorithm, GraphAlgorithm};

/// The parameters that say what the subgraph is.
#[derive(Debug, Default)]
struct Subgraph {
    labels: Vec<String>,
    types: Vec<String>,
    node_filter: Option<String>,
    edge_filter: Option<String>,
    weight: Option<String>,
}

impl Binder<'_> {
    pub(super) fn procedure(&mut self, call: &Call) -> Result<(), PgError> {
        let Call { optional, name, arguments, yields, condition, span } = call;
        let algorithm = algorithm(name, *span)?;
        if *optional {
            return Err(error::unsupported("OPTIONAL CALL of a procedure", *span));
        }
        self.place = AggregatePlace::Forbidden("CALL");
        let parameters = match arguments.as_deref() {
            None | Some([]) => None,
            Some([parameters]) => Some(parameters),
            Some(_) => {
                return Err(PgError::new(
                    SqlState::UNDEFINED_FUNCTION,
                    format!("procedure algo.{} takes one map", algorithm.name()),
                )
                .routine("InvalidNumberOfArguments")
                .at(span.start as usize));
            }
        };
        let subgraph = parameters.map_or_else(|| Ok(Subgraph::default()), Subgraph::read)?;
        let text = match parameters {
            None => lit("{}"),
            Some(parameters) => {
                let value = self.expr(parameters)?;
                self.output(value)?.0
            }
        };
        let (vertices, edges) = self.subgraph(&subgraph)?;
        let rows = std::mem::replace(&mut self.plan, one_row());
        let (node, result) = (self.fresh(), self.fresh());
        let algorithm_node = GraphAlgorithm::try_new(
            Arc::clone(self.graph()?),
            algorithm,
            [Arc::new(rows), Arc::new(vertices), Arc::new(edges)],
            text,
            [node.clone(), result.clone()],
        )?;
        self.plan = LogicalPlan::Extension(Extension { node: Arc::new(algorithm_node) });
        let (result_name, result_type) = algorithm.result();
        let result_type = match result_type {
            DataType::Int64 => CypherType::Integer,
            _ => CypherType::Float,
        };
        let fields = [
            ("node", column(&node), CypherType::Node),
            (result_name, column(&result), result_type),
        ];
        self.yield_fields(yields, &fields)?;
        if let Some(condition) = condition {
            let condition = self.condition(condition)?;
            self.filter(condition)?;
        }
        Ok(())
    }

    pub(super) fn yield_fields(
        &mut self,
        yields: &Yield,
        fields: &[(&str, PlanExpr, CypherType)],
    ) -> Result<(), PgError> {
        let items: Vec<(&str, String, Span)> = match yields {
            Yield::None | Yield::Star => {
                let all = fields.iter();
                all.map(|(name, _, _)| (*name, (*name).to_owned(), Span::default())).collect()
            }
            Yield::Items(items) => items
                .iter()
                .map(|item| {
                    let alias = item.alias.as_ref().unwrap_or(&item.field);
                    (item.field.text.as_str(), alias.text.clone(), item.span)
                })
                .collect(),
        };
        for (field, name, span) in items {
            let Some((_, expr, ty)) = fields.iter().find(|(known, _, _)| *known == field) else {
                let error = PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("the procedure does not give \"{field}\""),
                )
                .at(span.start as usize);
                return Err(with_near(error, field, fields.iter().map(|(name, _, _)| *name)));
            };
            if self.find(&name).is_some() {
                return Err(error::already_bound(&name, span));
            }
            self.scope.push(Binding { name, expr: expr.clone(), ty: ty.clone() });
        }
        Ok(())
    }

    /// The plans of vertices and of edges.
    fn subgraph(&mut self, subgraph: &Subgraph) -> Result<(LogicalPlan, LogicalPlan), PgError> {
        let condition = |filter: &Option<String>| {
            filter.as_ref().map_or_else(String::new, |filter| format!(" WHERE ({filter}\n)"))
        };
        let labels = alternatives(&subgraph.labels);
        let nodes = format!("MATCH (n{labels}){} RETURN 1", condition(&subgraph.node_filter));
        let mut part = self.part(&nodes)?;
        let vertices = std::mem::replace(&mut part.plan, one_row());
        let vertices = super::binder::projection(vertices, vec![(column("n"), "n".to_owned())])?;
        let types = alternatives(&subgraph.types);
        let filter = condition(&subgraph.edge_filter);
        let between = format!("MATCH (a{labels})-[r{types}]->(b{labels}){filter} RETURN 1");
        let mut part = self.part(&between)?;
        let mut columns = vec![(column("a"), "a".to_owned()), (column("b"), "b".to_owned())];
        if let Some(weight) = &subgraph.weight {
            let name = Name { text: weight.clone(), quoted: true, span: Span::default() };
            let edge = Typed::new(column("r"), CypherType::Relationship);
            let value = part.property(edge, &name)?;
            let value = part.coerce(value, &CypherType::Float)?;
            let schema = part.plan.schema();
            let value = datafusion::logical_expr::ExprSchemable::cast_to(
                value,
                &DataType::Float64,
                schema.as_ref(),
            )?;
            columns.push((value, "~weight".to_owned()));
        }
        let notices = std::mem::take(&mut part.notices);
        let edges = std::mem::replace(&mut part.plan, one_row());
        drop(part);
        self.notices.extend(notices);
        Ok((vertices, super::binder::projection(edges, columns)?))
    }

    /// The binder of a text that is one `MATCH` with a `RETURN`, after the `MATCH`.
    fn part(&self, text: &str) -> Result<Self, PgError> {
        let wrong = || {
            PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "a filter of a graph algorithm must be a condition on n or r",
            )
        };
        let statement = crate::parser::cypher::parse(text, 0)
            .map_err(|error| wrong().detail(PgError::from(error).fields().message.to_string()))?;
        let clause = only_match(&statement).ok_or_else(wrong)?;
        let mut part = Binder::new(self.context, self.graph.clone(), self.names, self.parameters);
        part.match_clause(clause)?;
        Ok(part)
    }
}

/// The `MATCH` of a statement that is `MATCH … RETURN …` and nothing else.
fn only_match(statement: &CypherStatement) -> Option<&Match> {
    let CypherBody::Query(query) = &statement.body else { return None };
    let [part] = query.parts.as_slice() else { return None };
    match part.clauses.as_slice() {
        [Clause::Match(clause), Clause::Return(_)] => Some(clause),
        _ => None,
    }
}

/// `:a|b`, or nothing.
fn alternatives(names: &[String]) -> String {
    let quoted: Vec<String> =
        names.iter().map(|name| format!("`{}`", name.replace('`', "``"))).collect();
    if quoted.is_empty() { String::new() } else { format!(":{}", quoted.join("|")) }
}

fn algorithm(name: &[Name], span: Span) -> Result<Algorithm, PgError> {
    let full = name.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".");
    let missing = || {
        PgError::new(SqlState::UNDEFINED_FUNCTION, format!("procedure {full} does not exist"))
            .routine("ProcedureNotFound")
            .at(span.start as usize)
    };
    match name {
        [schema, name] if schema.text.eq_ignore_ascii_case("algo") => Algorithm::named(&name.text)
            .ok_or_else(|| with_near(missing(), &name.text, Algorithm::names())),
        _ => Err(missing()),
    }
}

impl Subgraph {
    /// From the map of parameters, where these must be literals.
    fn read(parameters: &Expr) -> Result<Self, PgError> {
        let mut subgraph = Self::default();
        let ExprKind::Map(entries) = &parameters.kind else {
            return Err(error::wrong_type(
                "the parameters of a graph algorithm must be written as a map".to_owned(),
                parameters.span,
            ));
        };
        for (key, value) in entries {
            let text = || match texts(value)?.as_slice() {
                [text] => Ok(Some(text.clone())),
                _ => Err(not_literal(key)),
            };
            match key.text.replace('_', "").to_ascii_lowercase().as_str() {
                "nodelabels" => subgraph.labels = texts(value)?,
                "relationshiptypes" => subgraph.types = texts(value)?,
                "nodefilter" => subgraph.node_filter = text()?,
                "relationshipfilter" => subgraph.edge_filter = text()?,
                "weight" | "weightproperty" | "relationshipweightproperty" => {
                    subgraph.weight = text()?;
                }
                _ => {}
            }
        }
        // `*` is all of them.
        for names in [&mut subgraph.labels, &mut subgraph.types] {
            if names.iter().any(|name| name == "*") {
                names.clear();
            }
        }
        Ok(subgraph)
    }
}

fn not_literal(key: &Name) -> PgError {
    PgError::unsupported(
        format!("parameter \"{}\" of a graph algorithm must be a literal", key.text),
        "What the subgraph is must be known before the statement runs.",
    )
    .at(key.span.start as usize)
}

/// A literal text or list of texts.
fn texts(value: &Expr) -> Result<Vec<String>, PgError> {
    let text = |value: &Expr| match &value.kind {
        ExprKind::Literal(Literal::String(text)) => Ok(text.clone()),
        _ => Err(PgError::unsupported(
            "what the subgraph of a graph algorithm is must be written as a literal",
            "Write a text, or a list of texts.",
        )
        .at(value.span.start as usize)),
    };
    match &value.kind {
        ExprKind::List(values) => values.iter().map(text).collect(),
        _ => Ok(vec![text(value)?]),
    }
}
