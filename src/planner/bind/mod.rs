//! Binding: one module for each language, one for data definition, and what they share.

pub mod bound;
pub mod context;
pub mod cypher;
pub mod graph;
mod graph_schema;
mod graph_statement;
pub mod sql;

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use sqlparser::ast::{Statement as SqlStatement, UtilityOption};

pub use bound::{Bound, BoundColumn, BoundPlan, PlanKind};
pub use context::{BindContext, Parameters};

use crate::error::{PgError, SqlState};
use crate::parser::cypher::{CypherBody, CypherStatement, ExplainMode};
use crate::parser::pgq::GraphTable;
use crate::parser::{Body, Statement, Utility};

/// Binds a statement that touches tables or names. Session statements (`SET`, `BEGIN`, …) are not its business.
///
/// # Errors
/// As PostgreSQL's, with the offset of the text concerned; `0A000` for what is not carried out.
pub fn bind(context: &BindContext, statement: &Statement) -> Result<Bound, PgError> {
    match &statement.body {
        Body::Sql { statement: sql, graph_tables } => {
            bind_sql(context, sql, &statement.text, &graph_tables.clone().into())
                .map_err(|error| sql::at_literal(error, sql))
        }
        Body::PropertyGraph(ddl) => {
            graph_statement::bind_graph_statement(context, ddl).map(Bound::Ddl)
        }
        Body::Cypher(cypher) => match &cypher.body {
            CypherBody::Schema(command) => {
                graph_schema::bind_schema_command(context, cypher, command).map(Bound::Ddl)
            }
            CypherBody::Query(_) | CypherBody::Show(_) => {
                bind_cypher(context, cypher).map(Bound::Plan)
            }
        },
        Body::Utility(Utility::Definition(definition)) => {
            sql::ddl::bind_definition(context, definition, &statement.text).map(Bound::Ddl)
        }
        Body::Utility(Utility::Roles(statement)) => {
            sql::roles::bind_roles(context, statement).map(Bound::Ddl)
        }
        Body::Utility(utility) => Err(unsupported_utility(utility)),
    }
}

fn bind_sql(
    context: &BindContext,
    statement: &SqlStatement,
    text: &str,
    graphs: &Arc<[GraphTable]>,
) -> Result<Bound, PgError> {
    if let Some(ddl) = sql::ddl::bind_ddl(context, statement, text, graphs) {
        return ddl.map(Bound::Ddl);
    }
    bind_plan(context, statement, graphs).map(Bound::Plan)
}

fn bind_plan(
    context: &BindContext,
    statement: &SqlStatement,
    graphs: &Arc<[GraphTable]>,
) -> Result<BoundPlan, PgError> {
    match statement {
        SqlStatement::Query(query) if sql::has_writes(query) => {
            sql::bind_with(context, query, graphs)
        }
        SqlStatement::Query(query) => sql::bind_query(context, query, graphs),
        SqlStatement::Explain { analyze, verbose, statement, options, format: None, .. } => {
            let kind = explain_options(*analyze, *verbose, options.as_deref().unwrap_or_default())?;
            let inner = bind_plan(context, statement, graphs)?;
            Ok(sql::bind_explain(inner, kind))
        }
        SqlStatement::Call(call) => sql::bind_call(context, call, graphs),
        other => match sql::Dml::of(other) {
            Some(write) => sql::bind_write(context, write, graphs),
            None => Err(unsupported_statement(other)),
        },
    }
}

fn explain_options(
    mut analyze: bool,
    mut verbose: bool,
    options: &[UtilityOption],
) -> Result<PlanKind, PgError> {
    let mut json = false;
    for option in options {
        let value = option.arg.as_ref().is_none_or(|arg| {
            !matches!(
                arg.to_string().trim_matches('\'').to_lowercase().as_str(),
                "false" | "off" | "0"
            )
        });
        match option.name.value.to_lowercase().as_str() {
            "analyze" => analyze = value,
            "verbose" => verbose = value,
            // These only change what is printed beside the plan; off is what we print.
            "costs" | "buffers" | "timing" | "summary" | "settings" | "wal" if !value => {}
            "costs" | "timing" | "summary" => {}
            "format" => json = explain_format(option)?,
            "buffers" | "settings" | "wal" => {
                return Err(PgError::unsupported(
                    format!("EXPLAIN option {} is not supported yet", option.name.value),
                    "ANALYZE and VERBOSE are.",
                ));
            }
            other => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("unrecognized EXPLAIN option \"{other}\""),
                ));
            }
        }
    }
    Ok(PlanKind::Explain { analyze, verbose, json })
}

/// Cypher's `EXPLAIN`, and its `PROFILE`, which runs the query.
fn explained(analyze: bool) -> PlanKind {
    PlanKind::Explain { analyze, verbose: false, json: false }
}

/// Whether `FORMAT` asks for JSON.
fn explain_format(option: &UtilityOption) -> Result<bool, PgError> {
    let format = option.arg.as_ref().map(ToString::to_string).unwrap_or_default();
    let format = format.trim_matches(['\'', '"']);
    match format.to_lowercase().as_str() {
        "text" => Ok(false),
        "json" => Ok(true),
        "xml" | "yaml" => Err(PgError::unsupported(
            format!("EXPLAIN option FORMAT {format} is not supported yet"),
            "TEXT and JSON are.",
        )),
        _ => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unrecognized value for EXPLAIN option \"format\": \"{format}\""),
        )),
    }
}

fn unsupported_utility(utility: &Utility) -> PgError {
    let (name, hint) = match utility {
        Utility::Move(_) => ("this form of MOVE", "FETCH the rows and leave them."),
        Utility::SetConstraints { .. } => ("SET CONSTRAINTS here", "Run it by itself."),
        Utility::WithCypher { .. } | Utility::Tenancy(_) => {
            ("this statement here", "Run it by itself.")
        }
        Utility::Do(_) => ("DO here", "Run it by itself."),
        Utility::Definition(_) | Utility::Roles(_) => ("this statement", "See docs/compat.md."),
        Utility::Checkpoint => {
            ("CHECKPOINT", "Tables are in memory; there is nothing to write yet.")
        }
    };
    PgError::unsupported(format!("{name} is not supported yet"), hint)
}

/// A statement that parses and that we do not carry out.
pub fn unsupported_statement(statement: &SqlStatement) -> PgError {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    PgError::unsupported(
        format!("{} is not supported yet", words.join(" ").trim_end_matches(['(', ';'])),
        "See docs/compat.md for the statements that are.",
    )
}

/// Binds the body of a view: a query, or Cypher.
pub(crate) fn bind_view_body(
    context: &BindContext,
    statement: &Statement,
) -> Result<LogicalPlan, PgError> {
    match bind(context, statement)? {
        Bound::Plan(BoundPlan { plan, kind: PlanKind::Select, parameters, .. })
            if parameters.is_empty() =>
        {
            Ok(plan)
        }
        Bound::Plan(BoundPlan { kind: PlanKind::Select, .. }) => {
            Err(PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"))
        }
        Bound::Plan(_) | Bound::Ddl(_) => {
            Err(PgError::new(SqlState::SYNTAX_ERROR, "the body of a view must be a query"))
        }
    }
}

/// Binds a Cypher statement, bare or inside `cypher()`.
fn bind_cypher(context: &BindContext, statement: &CypherStatement) -> Result<BoundPlan, PgError> {
    let bound = cypher::bind_cypher(&cypher::CypherContext {
        statement,
        catalog: &context.catalog,
        search_path: &context.search_path,
        graph_path: context.graph_path.as_deref(),
        parameters: &context.parameters.types,
        iso_temporals: context.cypher_iso_temporals,
        bind: Some(context),
    })?;
    context.notices.lock().extend(bound.notices);
    let columns = bound
        .columns
        .into_iter()
        .map(|(name, ty)| {
            let kept = ty.clone();
            BoundColumn { name, ty, kept, table: 0, attnum: 0, declared: false }
        })
        .collect();
    let plan = BoundPlan {
        plan: bound.plan,
        kind: match bound.writes {
            None => PlanKind::Select,
            Some(verb) => PlanKind::Cypher { verb, returning: bound.returns },
        },
        parameters: bound.parameters,
        columns,
    };
    Ok(match statement.explain {
        None => plan,
        Some(ExplainMode::Explain) => sql::bind_explain(plan, explained(false)),
        Some(ExplainMode::Profile) => sql::bind_explain(plan, explained(true)),
    })
}

/// Binds the text inside `cypher('graph', $$ … $$)`; `offset` is where it stands in the client's text.
pub(crate) fn bind_cypher_call(
    context: &BindContext,
    graph: Option<&str>,
    text: &str,
    offset: Option<usize>,
) -> Result<LogicalPlan, PgError> {
    let base = u32::try_from(offset.unwrap_or(0)).unwrap_or(0);
    let statement = crate::parser::cypher::parse(text, base)?;
    let mut inner = context.clone();
    if let Some(graph) = graph {
        // A graph that is named must exist, also where nothing is matched in it.
        graph::choose_graph(&context.catalog, &context.search_path, Some(graph), None)
            .map_err(|error| error.or_at(offset))?;
        // What a view reads is noted.
        let (schema, name) = match graph.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, graph.to_owned()),
        };
        let _ = context.relation(&crate::catalog::QualifiedName { schema, name });
        inner.graph_path = Some(graph.to_owned());
    }
    let bound = bind_cypher(&inner, &statement)?;
    if bound.kind.writes() {
        return Err(PgError::unsupported(
            "clauses that write are not supported inside cypher()",
            "Send the Cypher statement by itself.",
        )
        .or_at(offset));
    }
    let names: Vec<_> = bound
        .plan
        .schema()
        .columns()
        .into_iter()
        .zip(&bound.columns)
        .map(|(column, named)| datafusion::logical_expr::Expr::Column(column).alias(&named.name))
        .collect();
    Ok(datafusion::logical_expr::LogicalPlanBuilder::from(bound.plan).project(names)?.build()?)
}
