//! Runs `DO`: data definition whose expected errors undo it and are forgotten.

use crate::error::PgError;
use crate::parser::DoBlock;
use crate::session::pipeline;
use crate::session::session_impl::{ScriptPosition, Session};

/// A name that no statement can give a savepoint.
const SAVEPOINT: &str = "\u{1}do";

/// Runs the statements; where one of the block's conditions is raised, none of them was done.
///
/// # Errors
/// Whatever else they raise.
pub(super) async fn run(session: &mut Session, block: &DoBlock) -> Result<(), PgError> {
    session.refuse_if_failed()?;
    session.statement_snapshot()?;
    if let Some(transaction) = &mut session.transaction {
        transaction.savepoint(SAVEPOINT.to_owned());
    }
    let result = statements(session, block).await;
    let Some(transaction) = &mut session.transaction else { return result };
    match result {
        Err(error) if block.conditions.contains(&error.code()) => {
            transaction.rollback_to(SAVEPOINT)?;
            transaction.release(SAVEPOINT)
        }
        Err(error) => Err(error),
        Ok(()) => transaction.release(SAVEPOINT),
    }
}

async fn statements(session: &mut Session, block: &DoBlock) -> Result<(), PgError> {
    for statement in &block.statements {
        Box::pin(pipeline::run(session, statement, ScriptPosition::Middle)).await?;
    }
    Ok(())
}
