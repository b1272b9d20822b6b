//! Statements about the session itself: transactions, settings, prepared statements, cursors.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::metadata::ScalarAndMetadata;
use futures::StreamExt;
use sqlparser::ast::{
    ContextModifier, DiscardObject, Expr, Ident, Lock, ObjectName, Reset, Set,
    SetSessionAuthorizationParamKind, SetSessionParamKind, Statement as Sql, TransactionAccessMode,
    TransactionIsolationLevel, TransactionMode, UnaryOperator, Value,
};

use super::outcome::{Completion, Outcome, OutputColumn, RowStream};
use super::session_impl::{ScriptPosition, Session};
use super::statements::{PortalRows, read};
use super::transaction::Isolation;
use super::{cursors, pipeline, roles, set_constraints, settings};
use crate::catalog::predefined_role;
use crate::error::{PgError, Severity, SqlState};
use crate::functions::context::{ChannelFacts as _, LockFacts as _};
use crate::parser::sql::deferrable;
use crate::parser::sql::definition::Definition;
use crate::parser::sql::roles::RoleStatement;
use crate::parser::{Body, Statement, Utility};
use crate::planner::bind::sql::{bind_expression, fold, sql_type};
use crate::storage::TableLock;
use crate::storage::locks::WhenHeld;
use crate::types::pg_type::PgType;

/// Whether a statement is allowed in a failed transaction.
pub(super) fn ends_transaction(statement: &Statement) -> bool {
    match &statement.body {
        Body::Sql { statement, .. } => {
            matches!(statement.as_ref(), Sql::Commit { .. } | Sql::Rollback { .. })
        }
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => false,
    }
}

/// The columns of a session statement: `Some(None)` if it gives none, `None` if the statement is not one of these.
pub(super) fn describe(
    session: &Session,
    statement: &Statement,
) -> Result<Option<Option<Arc<[OutputColumn]>>>, PgError> {
    if is_reset_session(statement) {
        return Ok(Some(None));
    }
    if matches!(statement.body, Body::Utility(Utility::Checkpoint | Utility::WithCypher { .. })) {
        return Ok(Some(None));
    }
    if let Some((columns, _)) = super::tenancy::describe(statement) {
        return Ok(Some(columns));
    }
    let Body::Sql { statement, .. } = &statement.body else { return Ok(None) };
    Ok(match statement.as_ref() {
        Sql::ShowVariable { variable } => Some(Some(show_columns(&show_name(variable)))),
        Sql::Execute { name, .. } => {
            let name = name.as_ref().map(last_name).unwrap_or_default();
            Some(session.statements.prepared(&name)?.columns.clone())
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

pub(super) fn is_session_statement(statement: &Sql) -> bool {
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
pub(super) async fn run(
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
    if let Some(outcome) = super::tenancy::run(session, statement, position).await? {
        return Ok(Some(outcome));
    }
    if matches!(statement.body, Body::Utility(Utility::Checkpoint)) {
        session.refuse_if_failed()?;
        checkpoint(session).await?;
        return Ok(Some(Outcome::Command("CHECKPOINT".to_owned())));
    }
    if let Body::Utility(Utility::Definition(definition)) = &statement.body
        && let Definition::Maintain(maintenance) = definition.as_ref()
    {
        let tag = super::maintenance::run(session, maintenance, position).await?;
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
            begin(session, modes, &statement.text)?;
            command(if statement.text.trim_start().to_lowercase().starts_with("start") {
                "START TRANSACTION"
            } else {
                "BEGIN"
            })
        }
        Sql::Commit { chain: false, modifier: None, .. } => {
            commit(session).await.map(|tag| Some(Outcome::Command(tag)))
        }
        Sql::Rollback { chain: false, savepoint: None } => {
            rollback(session);
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
            let declared =
                data_types.iter().map(|ty| sql_type(ty).map(Some)).collect::<Result<_, _>>()?;
            prepare(session, &fold(name), declared, inner, statement)?;
            command("PREPARE")
        }
        Sql::Execute { name, parameters, .. } => {
            let name = name.as_ref().map(last_name).unwrap_or_default();
            Box::pin(execute(session, &name, parameters)).await.map(Some)
        }
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

/// `PREPARE` and `DECLARE` of a Cypher query.
async fn with_cypher(
    session: &mut Session,
    outer: &Sql,
    query: Statement,
    position: ScriptPosition,
) -> Result<Outcome, PgError> {
    match outer {
        Sql::Prepare { name, data_types, .. } => {
            let declared =
                data_types.iter().map(|ty| sql_type(ty).map(Some)).collect::<Result<_, _>>()?;
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

fn last_name(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(fold).unwrap_or_default()
}

// ---- transactions ----

/// The session's form of an isolation level's name.
///
/// # Errors
/// `22023` for what is none.
pub(super) fn isolation(name: &str) -> Result<Isolation, PgError> {
    match name {
        "read committed" | "read uncommitted" => Ok(Isolation::ReadCommitted),
        "repeatable read" => Ok(Isolation::RepeatableRead),
        "serializable" => Ok(Isolation::Serializable),
        _ => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"transaction_isolation\": \"{name}\""),
        )
        .hint(
            "Available values: serializable, repeatable read, read committed, read uncommitted.",
        )),
    }
}

/// What a statement says a transaction is to be.
#[derive(Debug, Clone, Copy, Default)]
struct Modes {
    level: Option<Isolation>,
    read_only: Option<bool>,
    deferrable: Option<bool>,
}

fn modes(modes: &[TransactionMode], text: &str) -> Modes {
    let (mut level, mut read_only) = (None, None);
    for mode in modes {
        match mode {
            TransactionMode::AccessMode(mode) => {
                read_only = Some(*mode == TransactionAccessMode::ReadOnly)
            }
            TransactionMode::IsolationLevel(wanted) => {
                level = Some(match wanted {
                    TransactionIsolationLevel::ReadUncommitted
                    | TransactionIsolationLevel::ReadCommitted => Isolation::ReadCommitted,
                    TransactionIsolationLevel::RepeatableRead => Isolation::RepeatableRead,
                    TransactionIsolationLevel::Serializable
                    | TransactionIsolationLevel::Snapshot => Isolation::Serializable,
                });
            }
        }
    }
    Modes { level, read_only, deferrable: deferrable(text) }
}

fn begin(session: &mut Session, wanted: &[TransactionMode], text: &str) -> Result<(), PgError> {
    let wanted = modes(wanted, text);
    match &mut session.transaction {
        Some(transaction) if transaction.explicit => {
            session.refuse_if_failed()?;
            session.shared.notify(
                PgError::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "there is already a transaction in progress",
                )
                .severity(Severity::Warning),
            );
            Ok(())
        }
        Some(transaction) => {
            // What the query string did before BEGIN becomes part of the block, as in PostgreSQL.
            transaction.explicit = true;
            Ok(())
        }
        None => {
            session.begin_transaction(true, wanted.level, wanted.read_only)?;
            if let (Some(transaction), Some(wanted)) = (&mut session.transaction, wanted.deferrable)
            {
                transaction.deferrable = wanted;
                session.shared.settings.lock().transaction_is_deferrable(wanted);
            }
            Ok(())
        }
    }
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

fn no_transaction(session: &Session) {
    session.shared.notify(
        PgError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress")
            .severity(Severity::Warning),
    );
}

async fn commit(session: &mut Session) -> Result<String, PgError> {
    let explicit = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    if !explicit {
        no_transaction(session);
    }
    let Some(mut transaction) = session.transaction.take() else { return Ok("COMMIT".to_owned()) };
    if transaction.failed {
        session.after_transaction(false);
        return Ok("ROLLBACK".to_owned());
    }
    super::temporary::at_commit(&session.shared, &mut transaction);
    let result = session.commit(&transaction).await;
    session.after_transaction(result.is_ok());
    result.map(|()| "COMMIT".to_owned())
}

fn rollback(session: &mut Session) {
    match session.transaction.take() {
        Some(transaction) => {
            if !transaction.explicit {
                no_transaction(session);
            }
            session.after_transaction(false);
        }
        None => no_transaction(session),
    }
}

/// The transaction of a block.
fn in_block<'a>(
    session: &'a mut Session,
    what: &str,
) -> Result<&'a mut super::transaction::Transaction, PgError> {
    match &mut session.transaction {
        Some(transaction) if transaction.explicit => Ok(transaction),
        Some(_) | None => Err(PgError::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        )),
    }
}

/// What the session's transaction announces, one around the statement if none is open.
fn in_transaction(session: &mut Session) -> Result<&super::shared::SessionShared, PgError> {
    if session.transaction.is_none() {
        session.begin_transaction(false, None, None)?;
    }
    Ok(&session.shared)
}

// ---- settings ----

fn set_text(expr: &Expr) -> Result<String, PgError> {
    match expr {
        Expr::Identifier(ident) => Ok(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => {
            Ok(parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."))
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Ok(text.clone()),
            Value::Boolean(value) => Ok(if *value { "on" } else { "off" }.to_owned()),
            other => Ok(other.to_string()),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(format!("-{}", set_text(expr)?)),
        Expr::Interval(interval) => set_text(&interval.value),
        other => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{other}\""),
        )),
    }
}

/// A list keeps its quotes, as a search path needs them.
fn list_text(values: &[Expr]) -> Result<String, PgError> {
    if let [value] = values {
        return set_text(value);
    }
    let items: Vec<String> = values
        .iter()
        .map(|value| match value {
            Expr::Identifier(Ident { value, quote_style: Some(_), .. }) => {
                Ok(format!("\"{value}\""))
            }
            Expr::Value(literal) => match &literal.value {
                Value::SingleQuotedString(text) => Ok(format!("\"{text}\"")),
                _ => set_text(value),
            },
            other => set_text(other),
        })
        .collect::<Result<_, PgError>>()?;
    Ok(items.join(", "))
}

fn is_default(values: &[Expr]) -> bool {
    matches!(values, [Expr::Identifier(ident)] if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// Sets or (`None`) resets one variable.
pub(super) fn assign(
    session: &Session,
    name: &str,
    value: Option<&str>,
    local: bool,
) -> Result<(), PgError> {
    let lower = name.to_lowercase();
    if matches!(lower.as_str(), "transaction_isolation" | "default_transaction_isolation")
        && let Some(value) = value
    {
        isolation(&value.to_lowercase())?;
    }
    match lower.as_str() {
        "role" => return roles::set_role(&session.shared, value, roles::Scope::of(session, local)),
        "session_authorization" => {
            return roles::set_session_authorization(
                &session.shared,
                value,
                roles::Scope::of(session, local),
            );
        }
        _ => {}
    }
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    let mut settings = session.shared.settings.lock();
    if local {
        if !in_block {
            drop(settings);
            session.shared.notify(
                PgError::new(
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "SET LOCAL can only be used in transaction blocks",
                )
                .severity(Severity::Warning),
            );
            return Ok(());
        }
        let before = settings.value(name).to_owned();
        session.shared.undo.lock().local.push((name.to_owned(), before));
    }
    match value {
        Some(value) => settings.set(name, value),
        None => settings.reset(name),
    }
}

fn run_set(session: &mut Session, set: &Set, text: &str) -> Result<(), PgError> {
    match set {
        Set::SingleAssignment { scope, hivevar: false, variable, values } => {
            let name = variable.to_string().replace('"', "");
            let local = matches!(scope, Some(ContextModifier::Local));
            if matches!(
                name.to_lowercase().as_str(),
                "transaction_isolation" | "transaction_read_only" | "transaction_deferrable"
            ) {
                return set_transaction_variable(
                    session,
                    &name.to_lowercase(),
                    &list_text(values)?,
                );
            }
            let value = if is_default(values) { None } else { Some(list_text(values)?) };
            if name.eq_ignore_ascii_case(super::tenancy::route::TENANT_SETTING) {
                return super::tenancy::set_tenant(session, value.as_deref(), local);
            }
            assign(session, &name, value.as_deref(), local)
        }
        Set::SetTimeZone { local, value } => {
            let value = match value {
                Expr::Identifier(ident)
                    if matches!(ident.value.to_lowercase().as_str(), "local" | "default")
                        && ident.quote_style.is_none() =>
                {
                    None
                }
                value => Some(set_text(value)?),
            };
            assign(session, "TimeZone", value.as_deref(), *local)
        }
        Set::SetNames { charset_name, collation_name: None } => {
            assign(session, "client_encoding", Some(charset_name.value.as_str()), false)
        }
        Set::SetNamesDefault {} => assign(session, "client_encoding", None, false),
        Set::SetTransaction { modes: wanted, snapshot: None, session: for_session } => {
            set_transaction(session, modes(wanted, text), *for_session)
        }
        Set::SetSessionParam(SetSessionParamKind::Generic(param)) => {
            assign(session, &param.names.join("."), Some(&param.value), false)
        }
        Set::SetRole { context_modifier, role_name } => {
            let local = matches!(context_modifier, Some(ContextModifier::Local));
            let name = role_name.as_ref().map(fold);
            let scope = roles::Scope::of(session, local);
            roles::set_role(&session.shared, name.as_deref(), scope)
        }
        Set::SetSessionAuthorization(param) => {
            let local = param.scope == ContextModifier::Local;
            let name = match &param.kind {
                SetSessionAuthorizationParamKind::Default => None,
                SetSessionAuthorizationParamKind::User(name) => Some(fold(name)),
            };
            let scope = roles::Scope::of(session, local);
            roles::set_session_authorization(&session.shared, name.as_deref(), scope)
        }
        other => Err(PgError::unsupported(
            format!("{other} is not supported yet"),
            "See docs/compat.md.",
        )),
    }
}

fn set_transaction_variable(session: &mut Session, name: &str, value: &str) -> Result<(), PgError> {
    if name == "transaction_isolation" {
        let level = isolation(&value.to_lowercase())?;
        return apply_modes(session, Modes { level: Some(level), ..Modes::default() });
    }
    let on = Some(matches!(value.to_lowercase().as_str(), "on" | "true" | "yes" | "1"));
    let wanted = match name {
        "transaction_read_only" => Modes { read_only: on, ..Modes::default() },
        _ => Modes { deferrable: on, ..Modes::default() },
    };
    apply_modes(session, wanted)
}

fn set_transaction(session: &mut Session, wanted: Modes, for_session: bool) -> Result<(), PgError> {
    let Modes { level, read_only, deferrable } = wanted;
    if for_session {
        if let Some(level) = level {
            let name = match level {
                Isolation::ReadCommitted => "read committed",
                Isolation::RepeatableRead => "repeatable read",
                Isolation::Serializable => "serializable",
            };
            assign(session, "default_transaction_isolation", Some(name), false)?;
        }
        if let Some(read_only) = read_only {
            let value = if read_only { "on" } else { "off" };
            assign(session, "default_transaction_read_only", Some(value), false)?;
        }
        if let Some(deferrable) = deferrable {
            let value = if deferrable { "on" } else { "off" };
            assign(session, "default_transaction_deferrable", Some(value), false)?;
        }
        return Ok(());
    }
    apply_modes(session, wanted)
}

fn apply_modes(session: &mut Session, wanted: Modes) -> Result<(), PgError> {
    let Modes { level, read_only, deferrable } = wanted;
    let Some(transaction) = session.transaction.as_mut().filter(|transaction| transaction.explicit)
    else {
        session.shared.notify(
            PgError::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION can only be used in transaction blocks",
            )
            .severity(Severity::Warning),
        );
        return Ok(());
    };
    if let Some(level) = level {
        if transaction.started() && transaction.isolation != level {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION ISOLATION LEVEL must be called before any query",
            ));
        }
        transaction.isolation = level;
    }
    if let Some(read_only) = read_only {
        if transaction.started() && transaction.read_only && !read_only {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "transaction read-write mode must be set before any query",
            ));
        }
        transaction.read_only = read_only || session.gate.read_only;
    }
    if let Some(deferrable) = deferrable {
        if transaction.started() {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION [NOT] DEFERRABLE must be called before any query",
            ));
        }
        transaction.deferrable = deferrable;
    }
    let (isolation, read_only) = (transaction.isolation, transaction.read_only);
    let mut settings = session.shared.settings.lock();
    settings.initialize(
        "transaction_isolation",
        match isolation {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        },
    );
    settings.initialize("transaction_read_only", if read_only { "on" } else { "off" });
    if let Some(deferrable) = deferrable {
        settings.transaction_is_deferrable(deferrable);
    }
    Ok(())
}

fn run_reset(session: &mut Session, reset: &Reset) -> Result<(), PgError> {
    match reset {
        Reset::ALL => {
            session.shared.settings.lock().reset_all();
            let identity = session.shared.settings.lock().identity;
            session.shared.take_identity(identity);
            Ok(())
        }
        Reset::ConfigurationParameter(name) => {
            let name = name.to_string().replace('"', "");
            if name.eq_ignore_ascii_case(super::tenancy::route::TENANT_SETTING) {
                return super::tenancy::set_tenant(session, None, false);
            }
            assign(session, &name, None, false)
        }
    }
}

fn show_name(variable: &[Ident]) -> String {
    let words: Vec<String> = variable.iter().map(|word| word.value.to_lowercase()).collect();
    match words.join(" ").as_str() {
        "transaction isolation level" => "transaction_isolation".to_owned(),
        "time zone" => "TimeZone".to_owned(),
        "session authorization" => "session_authorization".to_owned(),
        _ => variable.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join("."),
    }
}

fn text_column(name: &str) -> OutputColumn {
    OutputColumn { name: name.to_owned(), ty: PgType::Text, table: 0, attnum: 0, declared: false }
}

fn show_columns(name: &str) -> Arc<[OutputColumn]> {
    if name.eq_ignore_ascii_case("all") {
        return ["name", "setting", "description"].into_iter().map(text_column).collect();
    }
    let name = settings::definition(name).map_or(name, |definition| definition.name);
    [text_column(name)].into()
}

fn show(session: &Session, name: &str) -> Result<Outcome, PgError> {
    let settings = session.shared.settings.lock();
    let columns = show_columns(name);
    let values: Vec<Vec<String>> = if name.eq_ignore_ascii_case("all") {
        let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
        for (definition, value) in settings.all() {
            columns[0].push(definition.name.to_owned());
            columns[1].push(value.to_owned());
            columns[2].push(definition.description.to_owned());
        }
        columns
    } else {
        let value = settings.get(name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("unrecognized configuration parameter \"{name}\""),
            )
        })?;
        vec![vec![value.to_owned()]]
    };
    drop(settings);
    rows_of_text(columns, values, "SHOW")
}

/// Rows made here: text columns and a fixed tag.
fn rows_of_text(
    columns: Arc<[OutputColumn]>,
    values: Vec<Vec<String>>,
    tag: &str,
) -> Result<Outcome, PgError> {
    let fields: Vec<Field> =
        columns.iter().map(|column| Field::new(&column.name, DataType::Utf8View, false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let rows = values.first().map_or(0, Vec::len);
    let arrays: Vec<ArrayRef> = values
        .into_iter()
        .map(|values| Arc::new(StringViewArray::from_iter_values(values)) as ArrayRef)
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?;
    let tag = tag.to_owned();
    let rows = RowStream::new(
        schema,
        futures::stream::iter([Ok(batch)]).boxed(),
        Arc::new(move || Completion::Complete(tag.clone())),
    );
    Ok(Outcome::Rows { columns, rows })
}

// ---- prepared statements ----

fn prepare(
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

async fn execute(
    session: &mut Session,
    name: &str,
    arguments: &[Expr],
) -> Result<Outcome, PgError> {
    let prepared = session.statements.prepared(name)?;
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
    let Some(statement) = prepared.statement.clone() else { return Ok(Outcome::Empty) };
    match Box::pin(pipeline::execute(session, &prepared, &statement, values)).await? {
        pipeline::Executed::Rows(rows) => Ok(all_rows(rows)?),
        pipeline::Executed::Ready(ready) => Ok(all_rows(ready.into_rows())?),
        pipeline::Executed::Other(outcome) => Ok(outcome),
    }
}

fn all_rows(rows: PortalRows) -> Result<Outcome, PgError> {
    let columns = Arc::clone(&rows.columns);
    let rows = read(&Arc::new(parking_lot::Mutex::new(rows)), 0)?;
    Ok(Outcome::Rows { columns, rows })
}

/// The value of an expression without columns, as a parameter of a type.
fn constant(session: &mut Session, expr: &Expr, ty: &PgType) -> Result<ScalarAndMetadata, PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let context = session.bind_context(transaction, Default::default());
    let empty = DFSchema::empty();
    let bound = bind_expression(&context, expr, &empty)?;
    let bound = crate::planner::bind::sql::assign_expression(&context, bound, ty, &empty)?;
    let value = super::facts::evaluate_constant(&session.engine, bound)?;
    Ok(pipeline::typed_value(value, ty))
}

fn deallocate(session: &mut Session, name: &Ident) -> Result<String, PgError> {
    if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
        session.statements.close_all_prepared();
        return Ok("DEALLOCATE ALL".to_owned());
    }
    let name = fold(name);
    session.statements.prepared(&name)?;
    session.statements.close_prepared(&name);
    Ok("DEALLOCATE".to_owned())
}

async fn discard(session: &mut Session, what: &DiscardObject) -> Result<String, PgError> {
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
            super::temporary::discard(session).await?;
            Ok("DISCARD ALL".to_owned())
        }
        DiscardObject::PLANS => Ok("DISCARD PLANS".to_owned()),
        DiscardObject::SEQUENCES => {
            session.shared.sequence_state.lock().clear();
            Ok("DISCARD SEQUENCES".to_owned())
        }
        DiscardObject::TEMP => {
            super::temporary::discard(session).await?;
            Ok("DISCARD TEMP".to_owned())
        }
    }
}
