//! Running what was prepared; it is bound again if names may stand for something else by now.

use datafusion::common::metadata::ScalarAndMetadata;

use super::prepare::{bind_statement, cached, is_plan};
use super::run::outcome;
use super::start::{short_plan, start_cached};
use super::values::output_columns;
use crate::error::{PgError, SqlState};
use crate::parser::{Body, Statement};
use crate::planner::bind::{Bound, Parameters};
use crate::session::outcome::Outcome;
use crate::session::session_impl::{ScriptPosition, Session};
use crate::session::statements::{CachedBound, PortalRows, Prepared, ReadyRows, Short};
use crate::session::{copy, safe_snapshot, utility};
use crate::types::pg_type::PgType;

/// What a statement's execution gave.
pub(in crate::session) enum Executed {
    /// Rows, perhaps not computed yet.
    Rows(PortalRows),
    /// A few rows that are here.
    Ready(ReadyRows),
    /// Anything else.
    Other(Outcome),
}

/// Runs a prepared statement with the values of its parameters.
pub(in crate::session) async fn execute(
    session: &mut Session,
    prepared: &Prepared,
    statement: &Statement,
    values: Vec<ScalarAndMetadata>,
) -> Result<Executed, PgError> {
    if matches!(&statement.body, Body::Utility(crate::parser::Utility::Tenancy(_)))
        && let Some(outcome) =
            crate::session::tenancy::run_call(session, statement, &values, ScriptPosition::Only)
                .await?
    {
        return Ok(Executed::Other(outcome));
    }
    session.settle_for(statement)?;
    if let Some(outcome) = utility::run(session, statement, ScriptPosition::Only).await? {
        return Ok(Executed::Other(outcome));
    }
    session.refuse_if_failed()?;
    safe_snapshot::wait(session).await?;
    if let Some(outcome) = copy::run(session, statement).await? {
        return Ok(Executed::Other(outcome));
    }
    let CachedBound { bound, short, .. } = loop {
        let known = current_bound(session, prepared, statement)?;
        if session.lock_all(&known.locks).await? {
            break known;
        }
    };
    start_cached(session, &bound, values, &short).await
}

/// Runs a shape of the simple protocol; `None` if names may stand for something else by now, and with them its literals for
/// values of other types. Nothing has happened then.
pub(in crate::session) async fn run_prepared(
    session: &mut Session,
    prepared: &Prepared,
    values: Vec<ScalarAndMetadata>,
) -> Result<Option<Outcome>, PgError> {
    safe_snapshot::wait(session).await?;
    let CachedBound { bound, short, .. } = loop {
        let Ok(Some(known)) = known_bound(session, prepared) else { return Ok(None) };
        if session.lock_all(&known.locks).await? {
            break known;
        }
    };
    outcome(start_cached(session, &bound, values, &short).await?).map(Some)
}

/// Whether a statement that was prepared has a short way for the current role.
pub(in crate::session) fn has_short_way(session: &Session, prepared: &Prepared) -> bool {
    let known = prepared.bound.lock().clone();
    known.is_some_and(|known| match known.bound.as_ref() {
        Bound::Plan(plan) => matches!(short_plan(session, plan, &known.short), Ok(Some(_))),
        Bound::Ddl(_) => false,
    })
}

/// Whether what names stood for when a statement was prepared is what they stand for now: preparing it anew would give the
/// same.
pub(in crate::session) fn still_stands(session: &Session, prepared: &Prepared) -> bool {
    let version = match &session.transaction {
        Some(transaction) => transaction.catalog.stamp(),
        None => session.database.catalog_stamp(),
    };
    let bound = prepared.bound.lock();
    let (Some(known), Some((typed_by, typed_path))) = (&*bound, &prepared.typed_by) else {
        return false;
    };
    let path = session.shared.search_path();
    known.catalog_version == version
        && known.search_path == path
        && *typed_by == version
        && *typed_path == path
}

/// The short way that a prepared statement will take if nothing has changed, if it is known which tables it reads.
fn short_of(session: &Session, prepared: &Prepared) -> Option<Short> {
    if !session.shared.settings.lock().policies_as_usual() {
        return None;
    }
    let bound = prepared.bound.lock();
    let short = bound.as_ref()?.admitted_short(&session.shared.caller())??;
    short.plan.tables().is_some().then_some(short)
}

/// Whether a client is told the same of two types: what fields a composite type has is not said, nor how many dimensions
/// an array.
fn is_same(now: &PgType, then: &PgType) -> bool {
    match (now, then) {
        (PgType::Row(now), PgType::Row(then)) if !now.is_record() => now.oid == then.oid,
        (PgType::Array(_), PgType::Array(_)) => now.oid() == then.oid(),
        _ => now == then,
    }
}

/// The cached bound statement, on a new snapshot; `None` if names may stand for something else by now.
fn known_bound(session: &mut Session, prepared: &Prepared) -> Result<Option<CachedBound>, PgError> {
    let version = match short_of(session, prepared) {
        Some(short) => {
            session.snapshot_of(short.plan.tables().unwrap_or_default())?.catalog.stamp()
        }
        None => session.statement_snapshot()?.catalog.stamp(),
    };
    let search_path = session.shared.search_path();
    let role = session.shared.caller().role;
    let stands = |known: &CachedBound| {
        known.catalog_version == version && known.search_path == search_path && known.role == role
    };
    Ok(prepared.bound.lock().clone().filter(stands))
}

/// The same, bound again if need be.
fn current_bound(
    session: &mut Session,
    prepared: &Prepared,
    statement: &Statement,
) -> Result<CachedBound, PgError> {
    if let Some(known) = known_bound(session, prepared)? {
        return Ok(known);
    }
    let types = prepared.parameters.iter().cloned().map(Some).collect();
    let bound = bind_statement(session, statement, Parameters { types })?;
    if let (Bound::Plan(plan), true) = (&bound, is_plan(statement)) {
        let columns = plan.kind.gives_rows().then(|| output_columns(&plan.columns));
        let same = match (&columns, &prepared.columns) {
            (Some(now), Some(then)) => {
                now.len() == then.len()
                    && now
                        .iter()
                        .zip(then.iter())
                        .all(|(now, then)| now.name == then.name && is_same(&now.ty, &then.ty))
            }
            (now, then) => now.is_none() == then.is_none(),
        };
        if !same {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cached plan must not change result type",
            )
            // asyncpg tells by it that it may prepare anew.
            .routine("RevalidateCachedQuery"));
        }
    }
    let renewed = cached(session, bound)?;
    if is_plan(statement) {
        *prepared.bound.lock() = Some(renewed.clone());
    }
    Ok(renewed)
}
