//! Steps of PL/pgSQL.

use super::block::block;
use super::cast::{assign, assign_columns, cast};
use super::frame::{Frame, Typed};
use super::give;
use super::loops;
use super::raise::raised;
use super::statement::{Given, gives_rows, run, run_dynamic, value};
use crate::error::{PgError, SqlState};
use crate::parser::Statement;
use crate::parser::plpgsql::{Cases, Into, Step, StepKind, Target};
use crate::session::session_impl::Session;
use crate::types::pg_type::PgType;

/// Where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flow {
    /// With the next step.
    Next,
    /// Behind a loop or block: the innermost loop, or the one of this label.
    Exit(Option<String>),
    /// With the next turn of a loop.
    Continue(Option<String>),
    /// Behind the body.
    Return,
}

/// Runs steps one after another.
///
/// # Errors
/// What they say, with the line as context.
pub(super) async fn steps(
    session: &mut Session,
    frame: &mut Frame,
    steps: &[Step],
) -> Result<Flow, PgError> {
    for step in steps {
        match one(session, frame, step).await {
            Ok(Flow::Next) => {}
            Ok(flow) => return Ok(flow),
            Err(error) if error.fields().context.is_none() => {
                let word = word_of(&step.kind);
                let context = format!("{} line {} at {word}", frame.title, step.line);
                return Err(error.context(context));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Flow::Next)
}

/// What an error's context calls a step.
fn word_of(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Block(_) => "statement block",
        StepKind::Assign(..) => "assignment",
        StepKind::Cases(Cases { otherwise: Some(_), value: None, .. }) => "IF",
        StepKind::Cases(_) => "CASE",
        StepKind::Loop { condition: None, .. } => "LOOP",
        StepKind::Loop { .. } => "WHILE",
        StepKind::For(_) => "FOR",
        StepKind::Leave { exit: true, .. } => "EXIT",
        StepKind::Leave { .. } => "CONTINUE",
        StepKind::Return(_) => "RETURN",
        StepKind::ReturnNext(_) => "RETURN NEXT",
        StepKind::ReturnQuery(_) | StepKind::ReturnExecute(..) => "RETURN QUERY",
        StepKind::Raise(_) | StepKind::RaiseAgain => "RAISE",
        StepKind::Assert(..) => "ASSERT",
        StepKind::Perform(_) => "PERFORM",
        StepKind::Sql(..) => "SQL statement",
        StepKind::Execute { .. } => "EXECUTE",
        StepKind::RowCount(_) | StepKind::Stacked(_) => "GET DIAGNOSTICS",
        StepKind::Nothing => "NULL",
    }
}

async fn one(session: &mut Session, frame: &mut Frame, step: &Step) -> Result<Flow, PgError> {
    match &step.kind {
        StepKind::Block(inner) => return Box::pin(block(session, frame, inner)).await,
        StepKind::Cases(cases) => return Box::pin(self::cases(session, frame, cases)).await,
        StepKind::Loop { label, condition, steps } => {
            let label = label.as_deref();
            return Box::pin(loops::plain(session, frame, label, condition.as_ref(), steps)).await;
        }
        StepKind::For(inner) => return Box::pin(loops::over(session, frame, inner)).await,
        StepKind::Leave { exit, label, condition } => {
            if let Some(condition) = condition
                && !value(session, frame, condition).await?.is_true()
            {
                return Ok(Flow::Next);
            }
            let label = label.clone();
            return Ok(if *exit { Flow::Exit(label) } else { Flow::Continue(label) });
        }
        StepKind::Return(expression) => {
            give::returned(session, frame, expression.as_ref()).await?;
            return Ok(Flow::Return);
        }
        StepKind::ReturnNext(expression) => {
            give::next(session, frame, expression.as_ref()).await?;
        }
        StepKind::ReturnQuery(query) => {
            let given = run(session, frame, query).await?;
            give::all(frame, &given)?;
        }
        StepKind::ReturnExecute(text, using) => {
            let given = dynamic(session, frame, text, using).await?;
            give::all(frame, &given)?;
        }
        StepKind::Assign(target, expression) => {
            let value = value(session, frame, expression).await?;
            assign(session, frame, target, value)?;
        }
        StepKind::Raise(raise) => raised(session, frame, raise, step.line).await?,
        StepKind::RaiseAgain => {
            return Err(frame.caught.last().cloned().unwrap_or_else(|| {
                let message =
                    "RAISE without parameters cannot be used outside an exception handler";
                PgError::new(SqlState::STACKED_DIAGNOSTICS_WITHOUT_HANDLER, message)
            }));
        }
        StepKind::Assert(condition, message) => {
            assert(session, frame, condition, message.as_ref()).await?;
        }
        StepKind::Perform(query) => {
            let given = run(session, frame, query).await?;
            frame.row_count = given.count;
            frame.set_found(given.count > 0);
        }
        StepKind::Sql(statement, into) => {
            let given = run(session, frame, statement).await?;
            took(session, frame, &given, into.as_ref())?;
        }
        StepKind::Execute { text, into, using } => {
            let given = dynamic(session, frame, text, using).await?;
            frame.row_count = given.count;
            if let Some(into) = into {
                put(session, frame, &given, into)?;
            }
        }
        StepKind::RowCount(targets) => {
            for target in targets {
                let count = i64::try_from(frame.row_count).unwrap_or(i64::MAX);
                let value = datafusion::common::ScalarValue::Int64(Some(count));
                assign(session, frame, target, Typed { value, ty: PgType::Int8 })?;
            }
        }
        StepKind::Stacked(items) => stacked(session, frame, items)?,
        StepKind::Nothing => {}
    }
    Ok(Flow::Next)
}

/// Runs the text that an expression gives.
pub(super) async fn dynamic(
    session: &mut Session,
    frame: &mut Frame,
    text: &Statement,
    using: &[Statement],
) -> Result<Given, PgError> {
    let text = value(session, frame, text).await?;
    let text = cast(session, text, &PgType::Text)?;
    let Some(text) = text.value.try_as_str().flatten().map(str::to_owned) else {
        let message = "query string argument of EXECUTE is null";
        return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    };
    let mut values = Vec::with_capacity(using.len());
    for expression in using {
        values.push(value(session, frame, expression).await?);
    }
    run_dynamic(session, &text, values).await
}

/// What a statement gave, for `INTO`, `FOUND` and `ROW_COUNT`.
fn took(
    session: &Session,
    frame: &mut Frame,
    given: &Given,
    into: Option<&Into>,
) -> Result<(), PgError> {
    match into {
        Some(into) => put(session, frame, given, into)?,
        None if gives_rows(given) => {
            let message = "query has no destination for result data";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message)
                .hint("If you want to discard the results of a SELECT, use PERFORM instead."));
        }
        None => {}
    }
    frame.row_count = match into {
        Some(_) => given.count.min(1),
        None => given.count,
    };
    frame.set_found(given.count > 0);
    Ok(())
}

fn put(session: &Session, frame: &mut Frame, given: &Given, into: &Into) -> Result<(), PgError> {
    let Some(columns) = &given.columns else {
        let message = "INTO used with a command that cannot return data";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    };
    if into.strict && given.count == 0 {
        return Err(PgError::new(SqlState::NO_DATA_FOUND, "query returned no rows"));
    }
    if into.strict && given.count > 1 {
        let message = "query returned more than one row";
        return Err(PgError::new(SqlState::TOO_MANY_ROWS, message)
            .hint("Make sure the query returns a single row, or use LIMIT 1."));
    }
    let row = given.row(0)?;
    assign_columns(session, frame, &into.targets, columns, row)
}

async fn cases(session: &mut Session, frame: &mut Frame, cases: &Cases) -> Result<Flow, PgError> {
    let compared = match &cases.value {
        Some(expression) => Some(value(session, frame, expression).await?),
        None => None,
    };
    for (conditions, then) in &cases.branches {
        for condition in conditions {
            let found = value(session, frame, condition).await?;
            let holds = match &compared {
                None => cast(session, found, &PgType::Bool)?.is_true(),
                Some(compared) => equal(session, compared.clone(), found).await?,
            };
            if holds {
                return steps(session, frame, then).await;
            }
        }
    }
    match &cases.otherwise {
        Some(otherwise) => steps(session, frame, otherwise).await,
        None => Err(PgError::new(SqlState::CASE_NOT_FOUND, "case not found")
            .hint("CASE statement is missing ELSE part.")),
    }
}

/// Whether two values are equal, by SQL's `=`.
async fn equal(session: &mut Session, left: Typed, right: Typed) -> Result<bool, PgError> {
    let given = run_dynamic(session, "SELECT $1 = $2", vec![left, right]).await?;
    Ok(given.row(0)?.and_then(|mut row| row.pop()).is_some_and(|value| value.is_true()))
}

async fn assert(
    session: &mut Session,
    frame: &mut Frame,
    condition: &Statement,
    message: Option<&Statement>,
) -> Result<(), PgError> {
    if value(session, frame, condition).await?.is_true() {
        return Ok(());
    }
    let text = match message {
        Some(message) => {
            let message = value(session, frame, message).await?;
            cast(session, message, &PgType::Text)?.value.try_as_str().flatten().map(str::to_owned)
        }
        None => None,
    };
    let text = text.unwrap_or_else(|| "assertion failed".to_owned());
    Err(PgError::new(SqlState::ASSERT_FAILURE, text))
}

fn stacked(
    session: &Session,
    frame: &mut Frame,
    items: &[(Target, String)],
) -> Result<(), PgError> {
    let Some(error) = frame.caught.last().cloned() else {
        let message = "GET STACKED DIAGNOSTICS cannot be used outside an exception handler";
        return Err(PgError::new(SqlState::STACKED_DIAGNOSTICS_WITHOUT_HANDLER, message));
    };
    let fields = error.fields();
    for (target, item) in items {
        let text = match item.as_str() {
            "RETURNED_SQLSTATE" => fields.code.0.to_owned(),
            "MESSAGE_TEXT" => fields.message.to_string(),
            "PG_EXCEPTION_DETAIL" => fields.detail.clone().unwrap_or_default(),
            "PG_EXCEPTION_HINT" => fields.hint.clone().unwrap_or_default(),
            "PG_EXCEPTION_CONTEXT" => fields.context.clone().unwrap_or_default(),
            "COLUMN_NAME" => fields.column.clone().unwrap_or_default(),
            "CONSTRAINT_NAME" => fields.constraint.clone().unwrap_or_default(),
            "TABLE_NAME" => fields.table.clone().unwrap_or_default(),
            "SCHEMA_NAME" => fields.schema.clone().unwrap_or_default(),
            _ => fields.datatype.clone().unwrap_or_default(),
        };
        assign(session, frame, target, Typed::text(text))?;
    }
    Ok(())
}
