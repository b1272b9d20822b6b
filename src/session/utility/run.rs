//! Which statement is which.

use std::sync::Arc;

use sqlparser::ast::{Lock, Statement as Sql};

use super::prepared::{
    deallocate, declared_types, discard, execute, explain, last_name, prepare, with_cypher,
};
use super::set::{run_reset, run_set};
use super::show::{explain_column, show, show_columns, show_name};
use super::transaction::{
    begin_block, begin_next, commit_block, in_block, in_transaction, next_of, rollback,
};
use crate::catalog::predefined_role;
use crate::error::{PgError, SqlState};
use crate::functions::context::ChannelFacts as _;
use crate::parser::sql::definition::Definition;
use crate::parser::sql::roles::RoleStatement;
use crate::parser::{Body, Statement, Utility};
use crate::planner::bind::sql::fold;
use crate::session::outcome::{Outcome, OutputColumn};
use crate::session::session_impl::{ScriptPosition, Session};
use crate::session::{cursors, roles, set_constraints};
use crate::storage::TableLock;
use crate::storage::locks::WhenHeld;

/// Whether a statement is allowed in a failed transaction.
pub(in crate::session) fn ends_transaction(statement: &Statement) -> bool {
    match &statement.body {
        Body::Sql { statement, .. } => {
            matches!(statement.as_ref(), Sql::Commit { .. } | Sql::Rollback { .. })
        }
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => false,
    }
}

/// The columns of a session statement: `Some(None)` if it gives none, `None` if the statement is not one of these.
pub(in crate::session) fn describe(
    session: &Session,
    statement: &Statement,
) -> Result<Option<Option<Arc<[OutputColumn]>>>, PgError> {
    if is_reset_session(statement) {
        return Ok(Some(None));
    }
    let silent = |utility: &Utility| {
        matches!(utility, Utility::Checkpoint | Utility::WithCypher { .. } | Utility::Do(_))
    };
    if matches!(&statement.body, Body::Utility(utility) if silent(utility)) {
        return Ok(Some(None));
    }
    if let Some((columns, _)) = crate::session::tenancy::describe(statement) {
        return Ok(Some(columns));
    }
    let Body::Sql { statement, .. } = &statement.body else { return Ok(None) };
    Ok(match statement.as_ref() {
        Sql::ShowVariable { variable } => Some(Some(show_columns(&show_name(variable)))),
        Sql::Execute { name, .. } => {
            let name = name.as_ref().map(last_name).unwrap_or_default();
            Some(session.statements.prepared(&name)?.columns.clone())
        }
        Sql::Explain { statement: inner, options, .. }
            if matches!(inner.as_ref(), Sql::Execute { .. }) =>
        {
            Some(Some([explain_column(options.as_deref().unwrap_or_default())].into()))
        }
        Sql::Fetch { name, into: None, .. } => {
            Some(session.statements.portal_columns(&fold(name))?)
        }
        other if is_session_statement(other) => Some(None),
        _ => None,
    })
}

fn is_reset_session(statement: &Statement) -> bool {
    matches!(&statement.body, Body::Utility(Utility::Roles(statement))
        if matches!(statement.as_ref(), RoleStatement::ResetSessionAuthorization))
}

pub(in crate::session) fn is_session_statement(statement: &Sql) -> bool {
    matches!(
        statement,
        Sql::StartTransaction { .. }
            | Sql::Commit { .. }
            | Sql::Rollback { .. }
            | Sql::Savepoint { .. }
            | Sql::ReleaseSavepoint { .. }
            | Sql::Set(_)
            | Sql::Reset(_)
            | Sql::Prepare { .. }
            | Sql::Deallocate { .. }
            | Sql::Declare { .. }
            | Sql::Close { .. }
            | Sql::Discard { .. }
            | Sql::LISTEN { .. }
            | Sql::UNLISTEN { .. }
            | Sql::NOTIFY { .. }
            | Sql::Lock(_)
    )
}

/// Runs a statement about the session; `None` if it is not one.
pub(in crate::session) async fn run(
    session: &mut Session,
    statement: &Statement,
    position: ScriptPosition,
) -> Result<Option<Outcome>, PgError> {
    if is_reset_session(statement) {
        session.refuse_if_failed()?;
        roles::set_session_authorization(&session.shared, None, roles::Scope::Session)?;
        return Ok(Some(Outcome::Command("RESET".to_owned())));
    }
    if let Body::Utility(Utility::SetConstraints { names, deferred }) = &statement.body {
        set_constraints::run(session, names, *deferred)?;
        return Ok(Some(Outcome::Command("SET CONSTRAINTS".to_owned())));
    }
    if let Some(outcome) = crate::session::tenancy::run(session, statement, position).await? {
        return Ok(Some(outcome));
    }
    if matches!(statement.body, Body::Utility(Utility::Checkpoint)) {
        session.refuse_if_failed()?;
        session.refresh_rights();
        checkpoint(session).await?;
        return Ok(Some(Outcome::Command("CHECKPOINT".to_owned())));
    }
    if let Body::Utility(Utility::Do(block)) = &statement.body {
        crate::session::routine::run_block(session, block).await?;
        return Ok(Some(Outcome::Command("DO".to_owned())));
    }
    if let Body::Utility(Utility::Definition(definition)) = &statement.body
        && let Definition::Maintain(maintenance) = definition.as_ref()
    {
        let tag = crate::session::maintenance::run(session, maintenance, position).await?;
        return Ok(Some(Outcome::Command(tag.to_owned())));
    }
    if let Body::Utility(Utility::Move(fetch)) = &statement.body
        && let Sql::Fetch { name, direction, .. } = fetch.as_ref()
    {
        return cursors::step_over(session, &fold(name), direction).await.map(Some);
    }
    if let Body::Utility(Utility::WithCypher { outer, query }) = &statement.body {
        session.refuse_if_failed()?;
        let inner = Statement {
            span: statement.span,
            text: statement.text.clone(),
            body: Body::Cypher(query.clone()),
        };
        return with_cypher(session, outer, inner, position).await.map(Some);
    }
    let Body::Sql { statement: sql, .. } = &statement.body else { return Ok(None) };
    if !ends_transaction(statement)
        && (is_session_statement(sql) || matches!(sql.as_ref(), Sql::ShowVariable { .. }))
        && !matches!(sql.as_ref(), Sql::StartTransaction { .. })
        && !matches!(sql.as_ref(), Sql::Rollback { .. })
    {
        session.refuse_if_failed()?;
    }
    let command = |tag: &str| Ok(Some(Outcome::Command(tag.to_owned())));
    match sql.as_ref() {
        Sql::StartTransaction { modes, modifier: None, statements, .. }
            if statements.is_empty() =>
        {
            begin_block(session, modes, &statement.text).map(|tag| Some(Outcome::Command(tag)))
        }
        Sql::Commit { chain, modifier: None, .. } => {
            let next = chain.then(|| next_of(session, "COMMIT AND CHAIN")).transpose()?;
            let tag = commit_block(session).await?;
            begin_next(session, next)?;
            Ok(Some(Outcome::Command(tag)))
        }
        Sql::Rollback { chain, savepoint: None } => {
            let next = chain.then(|| next_of(session, "ROLLBACK AND CHAIN")).transpose()?;
            rollback(session);
            begin_next(session, next)?;
            command("ROLLBACK")
        }
        Sql::Rollback { chain: false, savepoint: Some(name) } => {
            in_block(session, "ROLLBACK TO SAVEPOINT")?.rollback_to(&fold(name))?;
            command("ROLLBACK")
        }
        Sql::Savepoint { name } => {
            let name = fold(name);
            in_block(session, "SAVEPOINT")?.savepoint(name);
            command("SAVEPOINT")
        }
        Sql::ReleaseSavepoint { name } => {
            in_block(session, "RELEASE SAVEPOINT")?.release(&fold(name))?;
            command("RELEASE")
        }
        Sql::Set(set) => run_set(session, set, &statement.text)
            .map(|()| Some(Outcome::Command("SET".to_owned()))),
        Sql::Reset(reset) => {
            run_reset(session, &reset.reset)?;
            command("RESET")
        }
        Sql::ShowVariable { variable } => show(session, &show_name(variable)).map(Some),
        Sql::Prepare { name, data_types, statement: inner } => {
            let declared = declared_types(session, data_types)?;
            prepare(session, &fold(name), declared, inner, statement)?;
            command("PREPARE")
        }
        Sql::Execute { name, parameters, .. } => {
            let name = name.as_ref().map(last_name).unwrap_or_default();
            Box::pin(execute(session, &name, parameters)).await.map(Some)
        }
        explaining @ Sql::Explain { statement: inner, .. } => match inner.as_ref() {
            Sql::Execute { name, parameters, .. } => {
                let name = name.as_ref().map(last_name).unwrap_or_default();
                Box::pin(explain(session, explaining, &name, parameters)).await.map(Some)
            }
            _ => Ok(None),
        },
        Sql::Deallocate { name, .. } => {
            deallocate(session, name).map(|tag| Some(Outcome::Command(tag)))
        }
        Sql::Declare { stmts } => {
            for declare in stmts {
                let query = cursors::query_of(declare, statement)?;
                Box::pin(cursors::declare(session, declare, query, position)).await?;
            }
            command("DECLARE CURSOR")
        }
        Sql::Fetch { name, direction, into: None, .. } => {
            cursors::fetch(session, &fold(name), direction).await.map(Some)
        }
        Sql::Close { cursor } => {
            cursors::close(session, cursor).map(|tag| Some(Outcome::Command(tag)))
        }
        Sql::LISTEN { channel } => {
            in_transaction(session)?.listen(fold(channel));
            command("LISTEN")
        }
        Sql::UNLISTEN { channel } => {
            let all = channel.quote_style.is_none() && channel.value == "*";
            in_transaction(session)?.unlisten((!all).then(|| fold(channel)));
            command("UNLISTEN")
        }
        Sql::NOTIFY { channel, payload } => {
            let payload = payload.as_deref().unwrap_or_default();
            in_transaction(session)?.announce(&fold(channel), payload)?;
            command("NOTIFY")
        }
        Sql::Discard { object_type } => {
            discard(session, object_type).await.map(|tag| Some(Outcome::Command(tag)))
        }
        Sql::Lock(lock) => {
            lock_tables(session, lock).await?;
            command("LOCK TABLE")
        }
        _ => Ok(None),
    }
}

/// `LOCK TABLE`. Takes no snapshot, so that the first query behind it sees what was waited for.
async fn lock_tables(session: &mut Session, lock: &Lock) -> Result<(), PgError> {
    use sqlparser::ast::LockTableMode as Mode;
    in_block(session, "LOCK TABLE")?;
    let mode = match lock.lock_mode {
        Some(Mode::AccessShare) => TableLock::AccessShare,
        Some(Mode::RowShare) => TableLock::RowShare,
        Some(Mode::RowExclusive) => TableLock::RowExclusive,
        Some(Mode::ShareUpdateExclusive) => TableLock::ShareUpdateExclusive,
        Some(Mode::Share) => TableLock::Share,
        Some(Mode::ShareRowExclusive) => TableLock::ShareRowExclusive,
        Some(Mode::Exclusive) => TableLock::Exclusive,
        Some(Mode::AccessExclusive) | None => TableLock::AccessExclusive,
    };
    let when_held = if lock.nowait { WhenHeld::Fail } else { WhenHeld::Wait };
    for target in &lock.tables {
        session.lock_named(&target.name, mode, when_held).await?;
    }
    Ok(())
}

/// Writes a checkpoint, on a thread that may block. Without a data directory there is nothing to write.
async fn checkpoint(session: &Session) -> Result<(), PgError> {
    if !session.shared.caller().has(predefined_role::CHECKPOINT) {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT",
        ));
    }
    let engine = Arc::clone(&session.engine);
    tokio::task::spawn_blocking(move || engine.checkpoint())
        .await
        .map_err(|error| PgError::internal(format!("the checkpoint ended: {error}")))?
}
