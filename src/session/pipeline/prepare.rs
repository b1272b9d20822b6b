//! Binding a statement, now or to be executed later.

use std::sync::Arc;

use super::values::output_columns;
use crate::error::{PgError, SqlState};
use crate::parser::{Body, Statement};
use crate::planner::bind::{Bound, Parameters, bind};
use crate::session::engine::now_us;
use crate::session::locking::BoundLocks;
use crate::session::session_impl::Session;
use crate::session::statements::{CachedBound, Prepared};
use crate::session::utility;
use crate::types::pg_type::PgType;

/// Binds a statement in the session's transaction.
pub(in crate::session) fn bind_statement(
    session: &mut Session,
    statement: &Statement,
    parameters: Parameters,
) -> Result<Bound, PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let context = session.bind_context(transaction, parameters);
    let bound = bind(&context, statement)?;
    for notice in context.notices.lock().drain(..) {
        session.shared.notify(notice);
    }
    Ok(bound)
}

/// Parses and binds a text to be executed later.
pub(in crate::session) fn prepare(
    session: &mut Session,
    text: &str,
    parameter_oids: &[u32],
    from_sql: bool,
) -> Result<Prepared, PgError> {
    let mut statements = session.parse(text)?;
    if statements.len() > 1 {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
        ));
    }
    let declared = declared_types(session, parameter_oids)?;
    prepare_statement(session, statements.pop(), declared, text, from_sql)
}

/// Binds a statement to be executed later.
pub(in crate::session) fn prepare_statement(
    session: &mut Session,
    statement: Option<Statement>,
    declared: Vec<Option<PgType>>,
    text: &str,
    from_sql: bool,
) -> Result<Prepared, PgError> {
    let mut prepared = Prepared {
        statement: None,
        declared,
        parameters: Vec::new(),
        described: Vec::new(),
        columns: None,
        typed_by: None,
        bound: parking_lot::Mutex::default(),
        text: text.to_owned(),
        from_sql,
        prepared_us: now_us(),
    };
    let Some(statement) = statement else { return Ok(prepared) };
    if !utility::ends_transaction(&statement) {
        session.refuse_if_failed()?;
    }
    if let Some(columns) = utility::describe(session, &statement)? {
        prepared.columns = columns;
        if let Some((_, parameters)) = crate::session::tenancy::describe(&statement) {
            prepared.parameters = vec![PgType::Text; parameters];
            prepared.described.clone_from(&prepared.parameters);
        }
    } else if is_plan(&statement) {
        let parameters = Parameters { types: prepared.declared.clone() };
        let bound = bind_statement(session, &statement, parameters)?;
        if let Bound::Plan(plan) = &bound {
            prepared.parameters = plan.parameters.iter().map(PgType::plain).collect();
            prepared.described.clone_from(&plan.parameters);
            prepared.columns = plan.kind.gives_rows().then(|| output_columns(&plan.columns));
        }
        let bound = cached(session, bound)?;
        prepared.typed_by = Some((bound.catalog_version, bound.search_path.clone()));
        prepared.bound = parking_lot::Mutex::new(Some(bound));
    }
    prepared.statement = Some(Arc::new(statement));
    Ok(prepared)
}

pub(super) fn cached(session: &Session, bound: Bound) -> Result<CachedBound, PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    Ok(CachedBound {
        locks: Arc::new(BoundLocks::of(&bound, &transaction.catalog, &session.answers)?),
        bound: Arc::new(bound),
        short: Arc::default(),
        catalog_version: transaction.catalog.stamp(),
        search_path: session.shared.search_path(),
        role: session.shared.caller().role,
    })
}

/// Whether binding is more than reading names: data definition and COPY are bound when they run.
pub(in crate::session) fn is_plan(statement: &Statement) -> bool {
    use sqlparser::ast::Statement as Sql;
    match &statement.body {
        Body::Cypher(cypher) => !cypher.body.defines(),
        Body::PropertyGraph(_) | Body::Utility(_) => false,
        Body::Sql { statement, .. } => matches!(
            statement.as_ref(),
            Sql::Query(_)
                | Sql::Insert(_)
                | Sql::Update(_)
                | Sql::Delete(_)
                | Sql::Merge(_)
                | Sql::Call(_)
                | Sql::Explain { .. }
        ),
    }
}

/// The types that a client declares. The catalog is asked for those alone that are not built in, as a statement that
/// reads it takes a snapshot.
fn declared_types(session: &mut Session, oids: &[u32]) -> Result<Vec<Option<PgType>>, PgError> {
    let built_in = |oid: &u32| *oid == 0 || PgType::from_oid(*oid, -1).is_some();
    let context = match oids.iter().all(built_in) {
        true => None,
        false => {
            session.statement_snapshot()?;
            Some(session.current_context()?)
        }
    };
    let known = |oid: u32| match &context {
        Some(context) => context.catalog.type_of_oid(oid, -1),
        None => PgType::from_oid(oid, -1),
    };
    oids.iter()
        .map(|oid| match oid {
            0 | 705 => Ok(None),
            oid => known(*oid).map(Some).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("type with OID {oid} does not exist"),
                )
            }),
        })
        .collect()
}
