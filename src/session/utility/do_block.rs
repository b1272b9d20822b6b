//! Runs `DO`: data definition whose expected errors undo it and are forgotten, and messages.

use sqlparser::ast::{CastKind, DataType, Expr};

use super::prepared::constant;
use crate::error::{PgError, Severity, SqlState};
use crate::parser::sql::condition_named;
use crate::parser::sql::raise::{Raise, RaiseOption};
use crate::parser::{DoBlock, DoStep};
use crate::session::pipeline;
use crate::session::session_impl::{ScriptPosition, Session};
use crate::types::pg_type::PgType;

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
    for step in &block.steps {
        match step {
            DoStep::Statement(statement) => {
                Box::pin(pipeline::run(session, statement, ScriptPosition::Middle)).await?;
            }
            DoStep::Raise(raise) => raised(session, raise)?,
        }
    }
    Ok(())
}

/// Sends a message, or fails with it.
fn raised(session: &mut Session, raise: &Raise) -> Result<(), PgError> {
    let mut message = None;
    if let Some(format) = &raise.format {
        let mut arguments = Vec::with_capacity(raise.arguments.len());
        for argument in &raise.arguments {
            arguments.push(text_of(session, argument)?.unwrap_or_else(|| "<NULL>".to_owned()));
        }
        message = Some(formatted(format, arguments));
    }
    let severity = raise.severity.unwrap_or(Severity::Info);
    let mut code = raise.code.unwrap_or(match severity {
        Severity::Error | Severity::Fatal => SqlState::RAISE_EXCEPTION,
        Severity::Warning => SqlState::WARNING,
        Severity::Notice | Severity::Info => SqlState::SUCCESSFUL_COMPLETION,
    });
    let mut others = Vec::new();
    for (option, expr) in &raise.options {
        let Some(value) = text_of(session, expr)? else {
            let message = "RAISE statement option cannot be null";
            return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        };
        match option {
            RaiseOption::Message if message.is_some() => {
                let message = "RAISE option already specified: MESSAGE";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
            RaiseOption::Message => message = Some(value),
            RaiseOption::Errcode => code = code_of(&value)?,
            other => others.push((*other, value)),
        }
    }
    if raise.severity.is_none() {
        return Ok(());
    }
    let context = format!("PL/pgSQL function inline_code_block line {} at RAISE", raise.line);
    let message = message.unwrap_or_else(|| code.0.to_owned());
    let mut report = PgError::new(code, message).severity(severity).context(context);
    for (option, value) in others {
        report = match option {
            RaiseOption::Detail => report.detail(value),
            RaiseOption::Hint => report.hint(value),
            RaiseOption::Column => report.column(value),
            RaiseOption::Constraint => report.constraint(value),
            RaiseOption::Message | RaiseOption::Errcode => report,
        };
    }
    if matches!(severity, Severity::Error | Severity::Fatal) {
        return Err(report.routine("exec_stmt_raise").here());
    }
    session.shared.notify(report.routine("exec_stmt_raise").here());
    Ok(())
}

/// The value of an expression without columns, as text.
fn text_of(session: &mut Session, expr: &Expr) -> Result<Option<String>, PgError> {
    let cast = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr.clone()),
        data_type: DataType::Text,
        array: false,
        format: None,
    };
    let value = constant(session, &cast, &PgType::Text)?.value;
    Ok(value.try_as_str().flatten().map(str::to_owned))
}

/// `%` stands for an argument, `%%` for itself.
fn formatted(format: &str, arguments: Vec<String>) -> String {
    let mut arguments = arguments.into_iter();
    let mut text = String::with_capacity(format.len());
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '%' if letters.peek() == Some(&'%') => {
                letters.next();
                text.push('%');
            }
            '%' => text.push_str(&arguments.next().unwrap_or_default()),
            other => text.push(other),
        }
    }
    text
}

/// An SQLSTATE by its code or by the name of its condition.
fn code_of(value: &str) -> Result<SqlState, PgError> {
    match SqlState::given(value)?.or_else(|| condition_named(value)) {
        Some(code) => Ok(code),
        None => {
            let message = format!("unrecognized exception condition \"{value}\"");
            Err(PgError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}
