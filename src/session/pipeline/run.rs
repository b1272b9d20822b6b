//! A statement of a query string, from its tree to its outcome.

use std::sync::Arc;

use super::execute::Executed;
use super::prepare::bind_statement;
use super::start::start_cached;
use crate::error::{PgError, SqlState};
use crate::parser::Statement;
use crate::planner::bind::{Bound, Parameters};
use crate::session::outcome::{Outcome, RowStream};
use crate::session::session_impl::{ScriptPosition, Session};
use crate::session::statements::{ShortCache, read};
use crate::session::{copy, safe_snapshot, utility};

/// Runs a statement of a query string.
pub(in crate::session) async fn run(
    session: &mut Session,
    statement: &Statement,
    position: ScriptPosition,
) -> Result<Outcome, PgError> {
    session.settle_for(statement)?;
    if let Some(outcome) = utility::run(session, statement, position).await? {
        return Ok(outcome);
    }
    session.refuse_if_failed()?;
    safe_snapshot::wait(session).await?;
    if let Some(outcome) = copy::run(session, statement).await? {
        return Ok(outcome);
    }
    let bound = loop {
        let bound = bind_statement(session, statement, Parameters::default())?;
        if let Bound::Plan(plan) = &bound
            && !plan.parameters.is_empty()
        {
            return Err(PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if session.lock_bound(&bound).await? {
            break bound;
        }
    };
    outcome(start_cached(session, &bound, Vec::new(), &ShortCache::default()).await?)
}

pub(super) fn outcome(executed: Executed) -> Result<Outcome, PgError> {
    match executed {
        Executed::Rows(rows) => {
            let columns = Arc::clone(&rows.columns);
            let rows = Arc::new(parking_lot::Mutex::new(rows));
            Ok(Outcome::Rows { columns, rows: read(&rows, 0)? })
        }
        Executed::Ready(ready) => {
            let tag = ready.kind.tag(ready.batch.num_rows() as u64);
            let rows = RowStream::ready(ready.schema, ready.batch, tag);
            Ok(Outcome::Rows { columns: ready.columns, rows })
        }
        Executed::Other(outcome) => Ok(outcome),
    }
}
