//! `PREPARE`, `EXECUTE`, `DEALLOCATE`, `DISCARD`, and Cypher inside them.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::metadata::ScalarAndMetadata;
use sqlparser::ast::{DataType, DiscardObject, Expr, Ident, ObjectName, Statement as Sql};

use super::show::explain_column;
use super::transaction::in_transaction;
use crate::error::{PgError, SqlState};
use crate::functions::context::LockFacts as _;
use crate::parser::{Body, Statement};
use crate::planner::bind::sql::{TypeScope, bind_expression, fold, sql_type};
use crate::session::outcome::Outcome;
use crate::session::session_impl::{ScriptPosition, Session};
use crate::session::statements::{PortalRows, Prepared, read};
use crate::session::{cursors, pipeline, roles};
use crate::types::pg_type::PgType;

pub(super) fn prepare(
    session: &mut Session,
    name: &str,
    declared: Vec<Option<PgType>>,
    inner: &Sql,
    outer: &Statement,
) -> Result<(), PgError> {
    let graph_tables = match &outer.body {
        Body::Sql { graph_tables, .. } => graph_tables.clone(),
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => Vec::new(),
    };
    let statement = Statement {
        span: outer.span,
        text: outer.text.clone(),
        body: Body::Sql { statement: Box::new(inner.clone()), graph_tables },
    };
    let prepared =
        pipeline::prepare_statement(session, Some(statement), declared, &outer.text, true)?;
    session.statements.prepare(name, Arc::new(prepared))
}

pub(super) async fn execute(
    session: &mut Session,
    name: &str,
    arguments: &[Expr],
) -> Result<Outcome, PgError> {
    let prepared = session.statements.prepared(name)?;
    let values = arguments_of(session, &prepared, name, arguments)?;
    let Some(statement) = prepared.statement.clone() else { return Ok(Outcome::Empty) };
    run(session, &prepared, &statement, values).await
}

/// `EXPLAIN … EXECUTE`: `explain` with the prepared statement in its place.
pub(super) async fn explain(
    session: &mut Session,
    explain: &Sql,
    name: &str,
    arguments: &[Expr],
) -> Result<Outcome, PgError> {
    session.refuse_if_failed()?;
    let prepared = session.statements.prepared(name)?;
    let values = arguments_of(session, &prepared, name, arguments)?;
    let (Some(known), Sql::Explain { options, .. }) = (&prepared.statement, explain) else {
        return Err(PgError::internal("EXPLAIN without a statement"));
    };
    let Body::Sql { statement: inner, graph_tables } = &known.body else {
        return Err(PgError::unsupported(
            "EXPLAIN EXECUTE of a statement in Cypher is not supported",
            "EXPLAIN the statement itself.",
        ));
    };
    let mut outer = explain.clone();
    if let Sql::Explain { statement, .. } = &mut outer {
        statement.clone_from(inner);
    }
    let body = Body::Sql { statement: Box::new(outer), graph_tables: graph_tables.clone() };
    let statement = Statement { span: known.span, text: known.text.clone(), body };
    let explained = Prepared {
        statement: None,
        declared: prepared.declared.clone(),
        parameters: prepared.parameters.clone(),
        described: prepared.described.clone(),
        columns: Some([explain_column(options.as_deref().unwrap_or_default())].into()),
        typed_by: None,
        bound: parking_lot::Mutex::default(),
        text: prepared.text.clone(),
        from_sql: true,
        prepared_us: prepared.prepared_us,
    };
    run(session, &explained, &statement, values).await
}

async fn run(
    session: &mut Session,
    prepared: &Prepared,
    statement: &Statement,
    values: Vec<ScalarAndMetadata>,
) -> Result<Outcome, PgError> {
    match Box::pin(pipeline::execute(session, prepared, statement, values)).await? {
        pipeline::Executed::Rows(rows) => Ok(all_rows(rows)?),
        pipeline::Executed::Ready(ready) => Ok(all_rows(ready.into_rows())?),
        pipeline::Executed::Other(outcome) => Ok(outcome),
    }
}

/// The values of EXECUTE's arguments, as many as the statement has parameters.
fn arguments_of(
    session: &mut Session,
    prepared: &Prepared,
    name: &str,
    arguments: &[Expr],
) -> Result<Vec<ScalarAndMetadata>, PgError> {
    if arguments.len() != prepared.parameters.len() {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("wrong number of parameters for prepared statement \"{name}\""),
        )
        .detail(format!(
            "Expected {} parameters but got {}.",
            prepared.parameters.len(),
            arguments.len()
        )));
    }
    let mut values = Vec::with_capacity(arguments.len());
    for (argument, ty) in arguments.iter().zip(&prepared.parameters) {
        values.push(constant(session, argument, ty)?);
    }
    Ok(values)
}

fn all_rows(rows: PortalRows) -> Result<Outcome, PgError> {
    let columns = Arc::clone(&rows.columns);
    let rows = read(&Arc::new(parking_lot::Mutex::new(rows)), 0)?;
    Ok(Outcome::Rows { columns, rows })
}

/// The value of an expression without columns, as a parameter of a type.
pub(super) fn constant(
    session: &mut Session,
    expr: &Expr,
    ty: &PgType,
) -> Result<ScalarAndMetadata, PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let context = session.bind_context(transaction, Default::default());
    let empty = DFSchema::empty();
    let bound = bind_expression(&context, expr, &empty)?;
    let bound = crate::planner::bind::sql::assign_expression(&context, bound, ty, &empty)?;
    let value = crate::session::stored_expressions::evaluate_constant(&session.engine, bound)?;
    Ok(pipeline::typed_value(value, ty))
}

pub(super) fn deallocate(session: &mut Session, name: &Ident) -> Result<String, PgError> {
    if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
        session.statements.close_all_prepared();
        return Ok("DEALLOCATE ALL".to_owned());
    }
    let name = fold(name);
    session.statements.prepared(&name)?;
    session.statements.close_prepared(&name);
    Ok("DEALLOCATE".to_owned())
}

pub(super) async fn discard(
    session: &mut Session,
    what: &DiscardObject,
) -> Result<String, PgError> {
    match what {
        DiscardObject::ALL => {
            if session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
                return Err(PgError::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "DISCARD ALL cannot run inside a transaction block",
                ));
            }
            session.statements.close_all_portals();
            session.statements.close_all_prepared();
            session.shared.settings.lock().reset_all();
            roles::set_session_authorization(&session.shared, None, roles::Scope::Session)?;
            session.shared.sequence_state.lock().clear();
            session.shared.unlock_all();
            in_transaction(session)?.unlisten(None);
            crate::session::temporary::discard(session).await?;
            Ok("DISCARD ALL".to_owned())
        }
        DiscardObject::PLANS => Ok("DISCARD PLANS".to_owned()),
        DiscardObject::SEQUENCES => {
            session.shared.sequence_state.lock().clear();
            Ok("DISCARD SEQUENCES".to_owned())
        }
        DiscardObject::TEMP => {
            crate::session::temporary::discard(session).await?;
            Ok("DISCARD TEMP".to_owned())
        }
    }
}

/// `PREPARE` and `DECLARE` of a Cypher query.
pub(super) async fn with_cypher(
    session: &mut Session,
    outer: &Sql,
    query: Statement,
    position: ScriptPosition,
) -> Result<Outcome, PgError> {
    match outer {
        Sql::Prepare { name, data_types, .. } => {
            let declared = declared_types(session, data_types)?;
            let text = query.text.clone();
            let prepared =
                pipeline::prepare_statement(session, Some(query), declared, &text, true)?;
            session.statements.prepare(&fold(name), Arc::new(prepared))?;
            Ok(Outcome::Command("PREPARE".to_owned()))
        }
        Sql::Declare { stmts } => {
            for declare in stmts {
                let opening = cursors::declare(session, declare, query.clone(), position);
                Box::pin(opening).await?;
            }
            Ok(Outcome::Command("DECLARE CURSOR".to_owned()))
        }
        _ => Err(PgError::internal("a Cypher query in another statement")),
    }
}

pub(super) fn last_name(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(fold).unwrap_or_default()
}

/// The types that PREPARE declares. The catalog is asked for those alone that are not built in, as a statement that
/// reads it takes a snapshot.
pub(super) fn declared_types(
    session: &mut Session,
    types: &[DataType],
) -> Result<Vec<Option<PgType>>, PgError> {
    let built_in = TypeScope { catalog: None, search_path: &[] };
    let known: Result<Vec<_>, _> =
        types.iter().map(|ty| sql_type(built_in, ty).map(|ty| Some(ty.plain()))).collect();
    if known.is_ok() {
        return known;
    }
    session.statement_snapshot()?;
    let context = session.current_context()?;
    types.iter().map(|ty| sql_type(context.types(), ty).map(|ty| Some(ty.plain()))).collect()
}
