//! `RAISE`: a message, or an error.

use super::cast::cast;
use super::frame::Frame;
use super::statement::value;
use crate::error::{PgError, Severity, SqlState};
use crate::parser::Statement;
use crate::parser::plpgsql::Raised;
use crate::parser::sql::condition_named;
use crate::parser::sql::raise::RaiseOption;
use crate::session::session_impl::Session;
use crate::types::pg_type::PgType;

/// Sends a message, or fails with it.
///
/// # Errors
/// The error that is raised; what its expressions say.
pub(super) async fn raised(
    session: &mut Session,
    frame: &mut Frame,
    raised: &Raised,
    line: usize,
) -> Result<(), PgError> {
    let raise = &raised.raise;
    let mut message = None;
    if let Some(format) = &raise.format {
        let mut arguments = Vec::with_capacity(raised.arguments.len());
        for argument in &raised.arguments {
            let text = text_of(session, frame, argument).await?;
            arguments.push(text.unwrap_or_else(|| "<NULL>".to_owned()));
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
    for (option, expr) in &raised.options {
        let Some(value) = text_of(session, frame, expr).await? else {
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
    let context = format!("{} line {line} at RAISE", frame.title);
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

async fn text_of(
    session: &mut Session,
    frame: &mut Frame,
    expression: &Statement,
) -> Result<Option<String>, PgError> {
    let found = value(session, frame, expression).await?;
    let text = cast(session, found, &PgType::Text)?;
    Ok(text.value.try_as_str().flatten().map(str::to_owned))
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
