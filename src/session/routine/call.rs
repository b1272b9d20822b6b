//! One call of a function or procedure, and `DO`.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::block::block;
use super::cast::cast;
use super::frame::{Frame, Holder, Scope, Typed, Variable};
use super::give::ended;
use super::statement::run;
use super::step::Flow;
use crate::catalog::{FunctionResult, RoutineLanguage, SqlFunction};
use crate::error::{PgError, SqlState};
use crate::parser::plpgsql::{self, Block};
use crate::planner::bind::sql::function::sql_statements;
use crate::session::session_impl::Session;

/// How deeply calls may run in each other.
const DEPTH_MAX: usize = 40;

impl Frame {
    fn new(title: String) -> Self {
        let found = Variable::new("found", Holder::Value(Typed::boolean(false)));
        Self {
            title,
            columns: Vec::new(),
            gives_rows: false,
            named_columns: false,
            strict_names: true,
            arguments: Vec::new(),
            scopes: vec![Scope { variables: vec![found], ..Scope::default() }],
            rows: Vec::new(),
            row_count: 0,
            caught: Vec::new(),
            compiled: HashMap::new(),
        }
    }

    /// The variable of a column of the result.
    pub(super) fn lookup_outermost(&self, name: &str) -> Result<Typed, PgError> {
        let label = self.scopes.get(1).and_then(|scope| scope.label.clone()).unwrap_or_default();
        let found = self.lookup(&[label, name.to_owned()])?;
        found.ok_or_else(|| PgError::internal("a result that is no variable"))
    }
}

/// Runs a `DO` block.
///
/// # Errors
/// What it says.
pub(in crate::session) fn run_block<'a>(
    session: &'a mut Session,
    body: &'a Block,
) -> BoxFuture<'a, Result<(), PgError>> {
    Box::pin(ran_block(session, body))
}

async fn ran_block(session: &mut Session, body: &Block) -> Result<(), PgError> {
    session.refuse_if_failed()?;
    session.statement_snapshot()?;
    let mut frame = Frame::new("PL/pgSQL function inline_code_block".to_owned());
    enter(session)?;
    let flow = block(session, &mut frame, body).await;
    session.routine_depth -= 1;
    left(flow?)
}

/// Counts how deep calls are.
fn enter(session: &mut Session) -> Result<(), PgError> {
    if session.routine_depth >= DEPTH_MAX {
        return Err(PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
            .hint("Functions call each other too deeply."));
    }
    session.routine_depth += 1;
    Ok(())
}

/// An EXIT or CONTINUE that no loop took.
fn left(flow: Flow) -> Result<(), PgError> {
    let (word, label) = match flow {
        Flow::Next | Flow::Return => return Ok(()),
        Flow::Exit(label) => ("EXIT", label),
        Flow::Continue(label) => ("CONTINUE", label),
    };
    let message = match label {
        None => format!("{word} cannot be used outside a loop, unless it has a label"),
        Some(label) => {
            format!(
                "there is no label \"{label}\" attached to any block or loop enclosing this statement"
            )
        }
    };
    Err(PgError::new(SqlState::SYNTAX_ERROR, message))
}

/// Runs a call: its rows, in the types that the function declares.
///
/// # Errors
/// What its body says.
pub(super) async fn call(
    session: &mut Session,
    function: &Arc<SqlFunction>,
    arguments: Vec<Typed>,
) -> Result<Vec<Vec<Typed>>, PgError> {
    let columns = function.columns();
    let gives_rows = matches!(function.result, FunctionResult::SetOf(_) | FunctionResult::Table(_));
    if function.strict && arguments.iter().any(|one| one.value.is_null()) {
        if gives_rows {
            return Ok(Vec::new());
        }
        let nulls = columns.into_iter().map(|(_, ty)| Typed::null(ty));
        return Ok(vec![nulls.collect::<Result<_, _>>()?]);
    }
    let language = match function.language {
        RoutineLanguage::Sql => "SQL",
        RoutineLanguage::PlPgSql => "PL/pgSQL",
    };
    let mut frame = Frame::new(format!("{language} function {}", function.signature()));
    frame.gives_rows = gives_rows;
    frame.named_columns =
        matches!(function.result, FunctionResult::Row(_) | FunctionResult::Table(_));
    frame.strict_names = function.language == RoutineLanguage::PlPgSql;
    let mut scope = Scope { label: Some(function.name.clone()), ..Scope::default() };
    for (declared, given) in function.arguments.iter().zip(&arguments) {
        if let Some(name) = &declared.name {
            let holder = match given.fields()? {
                Some(_) => record_of(given)?,
                None => Holder::Value(given.clone()),
            };
            scope.variables.push(Variable::new(name, holder));
        }
    }
    if frame.named_columns && function.language == RoutineLanguage::PlPgSql {
        for (name, ty) in &columns {
            if !scope.variables.iter().any(|one| one.name == *name) {
                scope.variables.push(Variable::new(name, Holder::of(ty)?));
            }
        }
    }
    frame.scopes.push(scope);
    (frame.columns, frame.arguments) = (columns, arguments);
    enter(session)?;
    let ran = match function.language {
        RoutineLanguage::PlPgSql => run_plpgsql(session, function, frame).await,
        RoutineLanguage::Sql => run_sql(session, function, frame).await,
    };
    session.routine_depth -= 1;
    Ok(ran?.rows)
}

fn record_of(given: &Typed) -> Result<Holder, PgError> {
    let row = given.ty.as_row().cloned();
    let fields = if given.value.is_null() { None } else { given.fields()? };
    match fields {
        Some(fields) => Ok(Holder::Record { row, fields: Some(fields) }),
        None => Holder::of(&given.ty),
    }
}

async fn run_plpgsql(
    session: &mut Session,
    function: &SqlFunction,
    mut frame: Frame,
) -> Result<Frame, PgError> {
    let body = plpgsql::parse_routine(&function.body)
        .map_err(|error| PgError::from(error).without_offset())?;
    match block(session, &mut frame, &body).await? {
        Flow::Return => {}
        flow => {
            left(flow)?;
            let title = frame.title.clone();
            ended(session, &mut frame).map_err(|error| error.context(title))?;
        }
    }
    // A procedure without results, and `void`, give one row of nothing.
    if !frame.gives_rows && frame.rows.is_empty() {
        frame.rows.push(Vec::new());
    }
    Ok(frame)
}

/// Runs the statements of a body in SQL; the last one's rows are what it gives.
async fn run_sql(
    session: &mut Session,
    function: &SqlFunction,
    mut frame: Frame,
) -> Result<Frame, PgError> {
    let statements = sql_statements(&function.body)?;
    let mut last = None;
    for (at, statement) in statements.iter().enumerate() {
        let given = run(session, &mut frame, statement).await.map_err(|error| {
            match error.fields().context {
                None => error.context(format!(
                    "SQL function \"{}\" statement {}",
                    function.name,
                    at + 1
                )),
                Some(_) => error,
            }
        })?;
        last = Some(given);
    }
    if frame.columns.is_empty() {
        frame.rows = vec![Vec::new()];
        return Ok(frame);
    }
    let found = last.as_ref().and_then(|last| last.columns.as_deref()).unwrap_or_default();
    if found.len() != frame.columns.len() {
        let message = "return type mismatch in function declared to return its result";
        let detail = "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING.";
        return Err(PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message).detail(detail));
    }
    let Some(last) = last else { return Ok(frame) };
    let count = usize::try_from(last.count).unwrap_or(usize::MAX);
    let wanted = if frame.gives_rows { count } else { 1 };
    for at in 0..wanted {
        let row: Result<Vec<Typed>, PgError> = match last.row(at)? {
            Some(row) => {
                let cells = row.into_iter().zip(&frame.columns);
                cells.map(|(value, (_, ty))| cast(session, value, ty)).collect()
            }
            None => frame.columns.iter().map(|(_, ty)| Typed::null(ty.clone())).collect(),
        };
        frame.rows.push(row?);
    }
    Ok(frame)
}
