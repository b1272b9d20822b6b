//! Blocks: their variables, their steps, and what catches their errors.

use super::declare::declare;
use super::frame::{Frame, Holder, Scope, Typed, Variable};
use super::step::{Flow, steps};
use crate::error::{PgError, SqlState};
use crate::parser::plpgsql::{Block, Condition, Handler};
use crate::session::session_impl::Session;

/// A name that no statement can give a savepoint.
const SAVEPOINT: &str = "\u{1}block";

/// Runs a block.
///
/// # Errors
/// What its steps say and no handler catches.
pub(super) async fn block(
    session: &mut Session,
    frame: &mut Frame,
    block: &Block,
) -> Result<Flow, PgError> {
    let depth = frame.scopes.len();
    frame.scopes.push(Scope { label: block.label.clone(), ..Scope::default() });
    let result = within(session, frame, block).await;
    frame.scopes.truncate(depth);
    match result? {
        Flow::Exit(Some(label)) if block.label.as_deref() == Some(label.as_str()) => Ok(Flow::Next),
        flow => Ok(flow),
    }
}

async fn within(session: &mut Session, frame: &mut Frame, block: &Block) -> Result<Flow, PgError> {
    for declaration in &block.declarations {
        declare(session, frame, declaration).await?;
    }
    if block.handlers.is_empty() {
        return Box::pin(steps(session, frame, &block.steps)).await;
    }
    session.statement_snapshot()?;
    if let Some(transaction) = &mut session.transaction {
        transaction.savepoint(SAVEPOINT.to_owned());
    }
    let depth = frame.scopes.len();
    let error = match Box::pin(steps(session, frame, &block.steps)).await {
        Ok(flow) => {
            release(session)?;
            return Ok(flow);
        }
        Err(error) => error,
    };
    let handler = block.handlers.iter().find(|handler| catches(handler, error.code()));
    let Some(handler) = handler else { return Err(error) };
    if let Some(transaction) = &mut session.transaction {
        transaction.rollback_to(SAVEPOINT)?;
    }
    release(session)?;
    frame.scopes.truncate(depth);
    handled(session, frame, handler, error).await
}

fn release(session: &mut Session) -> Result<(), PgError> {
    match &mut session.transaction {
        Some(transaction) => transaction.release(SAVEPOINT),
        None => Ok(()),
    }
}

fn catches(handler: &Handler, code: SqlState) -> bool {
    handler.conditions.iter().any(|condition| match condition {
        Condition::Code(wanted) if wanted.0.ends_with("000") => {
            // The code of a class is caught by all of it.
            wanted.0.get(..2) == code.0.get(..2)
        }
        Condition::Code(wanted) => *wanted == code,
        Condition::Others => code != SqlState::QUERY_CANCELED && code != SqlState::ASSERT_FAILURE,
    })
}

async fn handled(
    session: &mut Session,
    frame: &mut Frame,
    handler: &Handler,
    error: PgError,
) -> Result<Flow, PgError> {
    let variable = |name: &str, text: &str| Variable::new(name, Holder::Value(Typed::text(text)));
    let depth = frame.scopes.len();
    frame.scopes.push(Scope {
        variables: vec![
            variable("sqlstate", error.code().0),
            variable("sqlerrm", &error.fields().message),
        ],
        ..Scope::default()
    });
    frame.caught.push(error);
    let result = Box::pin(steps(session, frame, &handler.steps)).await;
    frame.caught.pop();
    frame.scopes.truncate(depth);
    result
}
