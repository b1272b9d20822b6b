//! `DECLARE`, `FETCH`, `MOVE` and `CLOSE`.
//!
//! A cursor's query starts with DECLARE, on the snapshot of that moment, and is read as it is fetched. One that can be
//! read backwards, or outlives its transaction, is read to its end at once and kept, see [`super::scroll`].

use std::sync::Arc;

use futures::StreamExt;
use sqlparser::ast::{CloseCursor, Declare, DeclareType, FetchDirection, Statement as Sql};

use super::outcome::{Completion, Outcome, RowStream};
use super::pipeline;
use super::scroll::{Direction, Scrolled};
use super::session_impl::{ScriptPosition, Session};
use super::statements::{PortalRows, Progress, read};
use crate::error::{PgError, SqlState};
use crate::parser::{Body, Statement};
use crate::planner::bind::PlanKind;
use crate::planner::bind::sql::fold;

/// What DECLARE says of a cursor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CursorOptions {
    /// Made by DECLARE, rather than by the protocol.
    pub(super) declared: bool,
    /// SCROLL
    pub(super) scroll: bool,
    /// WITH HOLD
    pub(super) hold: bool,
    /// BINARY
    pub(super) binary: bool,
}

/// `DECLARE`.
///
/// # Errors
/// `25P01` outside of a transaction block, `42P03` for a name that is taken, and what the query raises.
pub(super) async fn declare(
    session: &mut Session,
    declare: &Declare,
    query: Statement,
    position: ScriptPosition,
) -> Result<(), PgError> {
    let Declare { names, declare_type, binary, scroll, hold, for_query, .. } = declare;
    let (Some(DeclareType::Cursor), [name]) = (declare_type, names.as_slice()) else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in DECLARE"));
    };
    let options = CursorOptions {
        declared: true,
        scroll: *scroll == Some(true),
        hold: *hold == Some(true),
        binary: *binary == Some(true),
    };
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    if !in_block && !options.hold && position == ScriptPosition::Only {
        return Err(PgError::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "DECLARE CURSOR can only be used in transaction blocks",
        ));
    }
    let locks = for_query.as_ref().is_some_and(|query| !query.locks.is_empty());
    if locks && (options.hold || options.scroll) {
        let what = if options.hold { "DECLARE CURSOR WITH HOLD" } else { "DECLARE SCROLL CURSOR" };
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("{what} … FOR UPDATE is not supported"),
        )
        .detail(if options.hold {
            "Holdable cursors must be READ ONLY."
        } else {
            "Scrollable cursors must be READ ONLY."
        }));
    }
    open(session, &fold(name), query, options, locks).await
}

/// The query of a DECLARE.
///
/// # Errors
/// `42601` without one.
pub(super) fn query_of(declare: &Declare, outer: &Statement) -> Result<Statement, PgError> {
    let Some(query) = &declare.for_query else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in DECLARE"));
    };
    let graph_tables = match &outer.body {
        Body::Sql { graph_tables, .. } => graph_tables.clone(),
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => Vec::new(),
    };
    Ok(Statement {
        span: outer.span,
        text: outer.text.clone(),
        body: Body::Sql { statement: Box::new(Sql::Query(query.clone())), graph_tables },
    })
}

/// Opens a cursor over a query.
///
/// # Errors
/// As [`declare`].
async fn open(
    session: &mut Session,
    name: &str,
    statement: Statement,
    options: CursorOptions,
    locks: bool,
) -> Result<(), PgError> {
    let text = statement.text.clone();
    let prepared = pipeline::prepare_statement(session, Some(statement), Vec::new(), &text, true)?;
    session.open_portal(name, Arc::new(prepared), Vec::new(), options)?;
    // Rows are locked as they are fetched.
    if locks {
        return Ok(());
    }
    let started = start(session, name).await;
    if started.is_err() {
        session.statements.close_portal(name);
    }
    started
}

/// Begins a cursor's query, if it has not begun.
async fn start(session: &mut Session, name: &str) -> Result<(), PgError> {
    let portal = session.statements.portal(name)?;
    if !matches!(portal.progress, Progress::Fresh) {
        return Ok(());
    }
    let (prepared, values, options) =
        (Arc::clone(&portal.prepared), portal.values.clone(), portal.options);
    let Some(statement) = prepared.statement.clone() else { return Ok(()) };
    let executed = Box::pin(pipeline::execute(session, &prepared, &statement, values)).await?;
    let mut rows = match executed {
        pipeline::Executed::Rows(rows) => rows,
        pipeline::Executed::Ready(ready) => ready.into_rows(),
        pipeline::Executed::Other(_) => {
            return Err(PgError::internal("a cursor's query gave no rows"));
        }
    };
    rows.kind = PlanKind::Select;
    let progress = if options.scroll || options.hold {
        let context = session.engine.runtime.task_context();
        Progress::Kept(Box::new(Scrolled::read(rows, options.scroll, context.memory_pool()).await?))
    } else {
        Progress::Rows(Arc::new(parking_lot::Mutex::new(rows)))
    };
    session.statements.portal(name)?.progress = progress;
    Ok(())
}

/// `FETCH`.
///
/// # Errors
/// `34000` for no such cursor, `55000` for a direction it cannot be read in.
pub(super) async fn fetch(
    session: &mut Session,
    name: &str,
    direction: &FetchDirection,
) -> Result<Outcome, PgError> {
    session.refuse_if_failed()?;
    let direction = Direction::of(direction)?;
    start(session, name).await?;
    let portal = session.statements.portal(name)?;
    let binary = portal.options.binary;
    match &mut portal.progress {
        Progress::Rows(rows) => fetch_forward(rows, direction.forward_only()?, binary),
        Progress::Kept(kept) => {
            let columns = Arc::clone(&kept.columns);
            let batch = kept.fetch(direction)?;
            let tag = format!("FETCH {}", batch.num_rows());
            let rows = RowStream::ready(batch.schema(), batch, tag).in_binary(binary);
            Ok(Outcome::Rows { columns, rows })
        }
        Progress::Fresh | Progress::Done(_) => Err(PgError::new(
            SqlState::INVALID_CURSOR_STATE,
            format!("cursor \"{name}\" has no rows"),
        )),
    }
}

/// The next rows; `None` for all that are left.
fn fetch_forward(
    rows: &Arc<parking_lot::Mutex<PortalRows>>,
    count: Option<usize>,
    binary: bool,
) -> Result<Outcome, PgError> {
    let columns = Arc::clone(&rows.lock().columns);
    if count == Some(0) {
        return Ok(Outcome::Rows { columns, rows: empty_rows(&rows.lock().schema) });
    }
    let stream = read(rows, count.unwrap_or(0))?;
    let schema = Arc::clone(stream.schema());
    let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = Arc::clone(&counted);
    let stream = stream.inspect(move |batch| {
        if let Ok(batch) = batch {
            count.fetch_add(batch.num_rows() as u64, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let completion = move || {
        Completion::Complete(format!(
            "FETCH {}",
            counted.load(std::sync::atomic::Ordering::Relaxed)
        ))
    };
    let rows = RowStream::new(schema, stream.boxed(), Arc::new(completion)).in_binary(binary);
    Ok(Outcome::Rows { columns, rows })
}

/// `MOVE`: a FETCH whose rows nobody gets.
///
/// # Errors
/// As [`fetch`].
pub(super) async fn step_over(
    session: &mut Session,
    name: &str,
    direction: &FetchDirection,
) -> Result<Outcome, PgError> {
    let fetched = fetch(session, name, direction).await?;
    let Outcome::Rows { mut rows, .. } = fetched else { return Ok(fetched) };
    let mut count = 0u64;
    while let Some(batch) = rows.next().await {
        count += batch?.num_rows() as u64;
    }
    Ok(Outcome::Command(format!("MOVE {count}")))
}

fn empty_rows(schema: &arrow::datatypes::SchemaRef) -> RowStream {
    let completion = Arc::new(|| Completion::Complete("FETCH 0".to_owned()));
    RowStream::new(Arc::clone(schema), futures::stream::empty().boxed(), completion)
}

/// `CLOSE`; its tag.
///
/// # Errors
/// `34000` for no such cursor.
pub(super) fn close(session: &mut Session, cursor: &CloseCursor) -> Result<String, PgError> {
    match cursor {
        CloseCursor::All => {
            session.statements.close_all_portals();
            Ok("CLOSE CURSOR ALL".to_owned())
        }
        CloseCursor::Specific { name } => {
            let name = fold(name);
            session.statements.portal(&name)?;
            session.statements.close_portal(&name);
            Ok("CLOSE CURSOR".to_owned())
        }
    }
}
