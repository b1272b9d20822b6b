//! Statements about the session itself: transactions, settings, prepared statements, cursors.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::metadata::ScalarAndMetadata;
use futures::StreamExt;
use sqlparser::ast::{
    CloseCursor, ContextModifier, Declare, DeclareType, DiscardObject, Expr, FetchDirection, Ident,
    Lock, ObjectName, Reset, Set, SetSessionParamKind, Statement as Sql, TransactionAccessMode,
    TransactionIsolationLevel, TransactionMode, UnaryOperator, Value,
};

use super::outcome::{Completion, Outcome, OutputColumn, RowStream};
use super::session_impl::{ScriptPosition, Session};
use super::statements::{PortalRows, Progress, read};
use super::transaction::Isolation;
use super::{pipeline, set_constraints, settings};
use crate::error::{PgError, Severity, SqlState};
use crate::functions::context::LockFacts as _;
use crate::parser::sql::definition::Definition;
use crate::parser::{Body, Statement, Utility};
use crate::planner::bind::PlanKind;
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
    if matches!(statement.body, Body::Utility(Utility::Checkpoint)) {
        return Ok(Some(None));
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
            | Sql::UNLISTEN { .. }
            | Sql::Lock(_)
    )
}

/// Runs a statement about the session; `None` if it is not one.
pub(super) async fn run(
    session: &mut Session,
    statement: &Statement,
    position: ScriptPosition,
) -> Result<Option<Outcome>, PgError> {
    if let Body::Utility(Utility::SetConstraints { names, deferred }) = &statement.body {
        set_constraints::run(session, names, *deferred)?;
        return Ok(Some(Outcome::Command("SET CONSTRAINTS".to_owned())));
    }
    if matches!(statement.body, Body::Utility(Utility::Checkpoint)) {
        session.refuse_if_failed()?;
        checkpoint(session).await?;
        return Ok(Some(Outcome::Command("CHECKPOINT".to_owned())));
    }
    if let Body::Utility(Utility::Definition(definition)) = &statement.body
        && let Definition::Maintain(maintenance) = definition.as_ref()
    {
        let tag = super::maintenance::run(session, maintenance, position)?;
        return Ok(Some(Outcome::Command(tag.to_owned())));
    }
    if let Body::Utility(Utility::Move(fetch)) = &statement.body
        && let Sql::Fetch { name, direction, .. } = fetch.as_ref()
    {
        return step_over(session, &fold(name), direction).await.map(Some);
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
            begin(session, modes)?;
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
        Sql::Set(set) => run_set(session, set).map(|()| Some(Outcome::Command("SET".to_owned()))),
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
                declare_cursor(session, declare, statement, position)?;
            }
            command("DECLARE CURSOR")
        }
        Sql::Fetch { name, direction, into: None, .. } => {
            fetch(session, &fold(name), direction, position).await.map(Some)
        }
        Sql::Close { cursor } => close(session, cursor).map(|tag| Some(Outcome::Command(tag))),
        Sql::UNLISTEN { .. } => {
            // Nothing can listen, so there is nothing to end.
            session.refuse_if_failed()?;
            command("UNLISTEN")
        }
        Sql::Discard { object_type } => {
            discard(session, object_type).map(|tag| Some(Outcome::Command(tag)))
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

fn modes(modes: &[TransactionMode]) -> Result<(Option<Isolation>, Option<bool>), PgError> {
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
    Ok((level, read_only))
}

fn begin(session: &mut Session, wanted: &[TransactionMode]) -> Result<(), PgError> {
    let (level, read_only) = modes(wanted)?;
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
        None => session.begin_transaction(true, level, read_only),
    }
}

/// Writes a checkpoint, on a thread that may block. Without a data directory there is nothing to write.
async fn checkpoint(session: &Session) -> Result<(), PgError> {
    if session.shared.settings.lock().value("is_superuser") != "on" {
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

fn run_set(session: &mut Session, set: &Set) -> Result<(), PgError> {
    match set {
        Set::SingleAssignment { scope, hivevar: false, variable, values } => {
            let name = variable.to_string().replace('"', "");
            let local = matches!(scope, Some(ContextModifier::Local));
            if matches!(
                name.to_lowercase().as_str(),
                "transaction_isolation" | "transaction_read_only"
            ) {
                return set_transaction_variable(
                    session,
                    &name.to_lowercase(),
                    &list_text(values)?,
                );
            }
            let value = if is_default(values) { None } else { Some(list_text(values)?) };
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
            set_transaction(session, wanted, *for_session)
        }
        Set::SetSessionParam(SetSessionParamKind::Generic(param)) => {
            assign(session, &param.names.join("."), Some(&param.value), false)
        }
        Set::SetRole { role_name, .. } => {
            let wanted = role_name.as_ref().map(fold);
            match wanted {
                None => Ok(()),
                Some(role) if role == session.shared.user || role == "none" => Ok(()),
                Some(role) if session.engine.role(&role).is_none() => Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("role \"{role}\" does not exist"),
                )),
                Some(_) => Err(PgError::unsupported(
                    "SET ROLE to another role is not supported yet",
                    "Connect as that role.",
                )),
            }
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
        return apply_modes(session, Some(level), None);
    }
    let read_only = matches!(value.to_lowercase().as_str(), "on" | "true" | "yes" | "1");
    apply_modes(session, None, Some(read_only))
}

fn set_transaction(
    session: &mut Session,
    wanted: &[TransactionMode],
    for_session: bool,
) -> Result<(), PgError> {
    let (level, read_only) = modes(wanted)?;
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
        return Ok(());
    }
    apply_modes(session, level, read_only)
}

fn apply_modes(
    session: &mut Session,
    level: Option<Isolation>,
    read_only: Option<bool>,
) -> Result<(), PgError> {
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
        transaction.read_only = read_only;
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
    Ok(())
}

fn run_reset(session: &mut Session, reset: &Reset) -> Result<(), PgError> {
    match reset {
        Reset::ALL => {
            session.shared.settings.lock().reset_all();
            Ok(())
        }
        Reset::ConfigurationParameter(name) => {
            assign(session, &name.to_string().replace('"', ""), None, false)
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

// ---- cursors ----

fn declare_cursor(
    session: &mut Session,
    declare: &Declare,
    outer: &Statement,
    position: ScriptPosition,
) -> Result<(), PgError> {
    let Declare { names, declare_type, binary, scroll, hold, for_query, .. } = declare;
    let (Some(DeclareType::Cursor), [name], Some(query)) =
        (declare_type, names.as_slice(), for_query)
    else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in DECLARE"));
    };
    if *binary == Some(true) {
        return Err(PgError::unsupported(
            "DECLARE … BINARY is not supported yet",
            "Ask for binary results in Bind.",
        ));
    }
    if *scroll == Some(true) {
        return Err(PgError::unsupported("SCROLL cursors are not supported yet", "Read forward."));
    }
    if *hold == Some(true) {
        return Err(PgError::unsupported(
            "WITH HOLD cursors are not supported yet",
            "Read inside the transaction.",
        ));
    }
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    if !in_block && position == ScriptPosition::Only {
        return Err(PgError::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "DECLARE CURSOR can only be used in transaction blocks",
        ));
    }
    let graph_tables = match &outer.body {
        Body::Sql { graph_tables, .. } => graph_tables.clone(),
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => Vec::new(),
    };
    let statement = Statement {
        span: outer.span,
        text: outer.text.clone(),
        body: Body::Sql { statement: Box::new(Sql::Query(query.clone())), graph_tables },
    };
    let prepared =
        pipeline::prepare_statement(session, Some(statement), Vec::new(), &outer.text, true)?;
    session.open_portal(&fold(name), Arc::new(prepared), Vec::new(), true)
}

/// How many rows a forward FETCH asks for; `None` is all.
fn fetch_count(direction: &FetchDirection) -> Result<Option<usize>, PgError> {
    let count = |limit: &sqlparser::ast::ValueWithSpan| match limit.value.to_string().parse::<i64>()
    {
        Ok(count) if count >= 0 => Ok(Some(count as usize)),
        Ok(_) => Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cursor can only scan forward",
        )
        .hint("Declare it with SCROLL option to enable backward scan.")),
        Err(_) => Err(PgError::new(SqlState::SYNTAX_ERROR, "FETCH takes a whole number")),
    };
    match direction {
        FetchDirection::Next => Ok(Some(1)),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            count(limit)
        }
        FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        FetchDirection::Prior
        | FetchDirection::First
        | FetchDirection::Last
        | FetchDirection::Absolute { .. }
        | FetchDirection::Relative { .. }
        | FetchDirection::Backward { .. }
        | FetchDirection::BackwardAll => Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cursor can only scan forward",
        )
        .hint("Declare it with SCROLL option to enable backward scan.")),
    }
}

async fn fetch(
    session: &mut Session,
    name: &str,
    direction: &FetchDirection,
    _position: ScriptPosition,
) -> Result<Outcome, PgError> {
    session.refuse_if_failed()?;
    let count = fetch_count(direction)?;
    let portal = session.statements.portal(name)?;
    let prepared = Arc::clone(&portal.prepared);
    let values = portal.values.clone();
    let fresh = matches!(portal.progress, Progress::Fresh);
    if fresh && let Some(statement) = prepared.statement.clone() {
        let executed = Box::pin(pipeline::execute(session, &prepared, &statement, values)).await?;
        let mut rows = match executed {
            pipeline::Executed::Rows(rows) => rows,
            pipeline::Executed::Ready(ready) => ready.into_rows(),
            pipeline::Executed::Other(_) => {
                return Err(PgError::internal("a cursor's query gave no rows"));
            }
        };
        rows.kind = PlanKind::Select;
        session.statements.portal(name)?.progress =
            Progress::Rows(Arc::new(parking_lot::Mutex::new(rows)));
    }
    let portal = session.statements.portal(name)?;
    let Progress::Rows(rows) = &portal.progress else {
        return Err(PgError::new(
            SqlState::INVALID_CURSOR_STATE,
            format!("cursor \"{name}\" has no rows"),
        ));
    };
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
    Ok(Outcome::Rows {
        columns,
        rows: RowStream::new(schema, stream.boxed(), Arc::new(completion)),
    })
}

/// `MOVE`: a FETCH whose rows nobody gets.
async fn step_over(
    session: &mut Session,
    name: &str,
    direction: &FetchDirection,
) -> Result<Outcome, PgError> {
    let fetched = fetch(session, name, direction, ScriptPosition::Only).await?;
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

fn close(session: &mut Session, cursor: &CloseCursor) -> Result<String, PgError> {
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

fn discard(session: &mut Session, what: &DiscardObject) -> Result<String, PgError> {
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
            session.shared.sequence_state.lock().clear();
            session.shared.unlock_all();
            Ok("DISCARD ALL".to_owned())
        }
        DiscardObject::PLANS => Ok("DISCARD PLANS".to_owned()),
        DiscardObject::SEQUENCES => {
            session.shared.sequence_state.lock().clear();
            Ok("DISCARD SEQUENCES".to_owned())
        }
        DiscardObject::TEMP => Ok("DISCARD TEMP".to_owned()),
    }
}
