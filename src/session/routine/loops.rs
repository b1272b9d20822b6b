//! Loops of PL/pgSQL.

use datafusion::common::ScalarValue;

use super::cast::{assign, assign_columns, cast};
use super::frame::{Frame, Holder, Scope, Typed, Variable};
use super::statement::{Given, run, value};
use super::step::{Flow, dynamic, steps};
use crate::error::{PgError, SqlState};
use crate::parser::Statement;
use crate::parser::plpgsql::{ForLoop, Iteration, Step, Target};
use crate::session::session_impl::Session;
use crate::types::pg_type::PgType;

/// What a turn of a loop means for the loop: `None` to go on.
fn after(flow: Flow, label: Option<&str>) -> Option<Flow> {
    let is_own = |name: &Option<String>| match name {
        None => true,
        Some(name) => label == Some(name.as_str()),
    };
    match flow {
        Flow::Next => None,
        Flow::Continue(name) if is_own(&name) => None,
        Flow::Exit(name) if is_own(&name) => Some(Flow::Next),
        flow => Some(flow),
    }
}

/// `LOOP` and `WHILE`
///
/// # Errors
/// What its steps say.
pub(super) async fn plain(
    session: &mut Session,
    frame: &mut Frame,
    label: Option<&str>,
    condition: Option<&Statement>,
    body: &[Step],
) -> Result<Flow, PgError> {
    loop {
        if let Some(condition) = condition
            && !value(session, frame, condition).await?.is_true()
        {
            return Ok(Flow::Next);
        }
        if let Some(flow) = after(steps(session, frame, body).await?, label) {
            return Ok(flow);
        }
        // A loop of nothing can be canceled too.
        tokio::task::yield_now().await;
    }
}

/// `FOR` and `FOREACH`
///
/// # Errors
/// What its steps say.
pub(super) async fn over(
    session: &mut Session,
    frame: &mut Frame,
    looped: &ForLoop,
) -> Result<Flow, PgError> {
    match &looped.over {
        Iteration::Range { reverse, from, to, step } => {
            let range = Range {
                from: bound(session, frame, from, "lower bound").await?,
                to: bound(session, frame, to, "upper bound").await?,
                step: match step {
                    Some(step) => bound(session, frame, step, "BY value").await?,
                    None => 1,
                },
                reverse: *reverse,
            };
            numbers(session, frame, looped, range).await
        }
        Iteration::Query(query) => {
            let given = run(session, frame, query).await?;
            rows(session, frame, looped, &given).await
        }
        Iteration::Execute(text, using) => {
            let given = dynamic(session, frame, text, using).await?;
            rows(session, frame, looped, &given).await
        }
        Iteration::Array(array) => elements(session, frame, looped, array).await,
    }
}

async fn bound(
    session: &mut Session,
    frame: &mut Frame,
    expression: &Statement,
    what: &str,
) -> Result<i32, PgError> {
    let found = value(session, frame, expression).await?;
    match cast(session, found, &PgType::Int4)?.value {
        ScalarValue::Int32(Some(number)) => Ok(number),
        _ => {
            let message = format!("{what} of FOR loop cannot be null");
            Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message))
        }
    }
}

struct Range {
    from: i32,
    to: i32,
    step: i32,
    reverse: bool,
}

async fn numbers(
    session: &mut Session,
    frame: &mut Frame,
    looped: &ForLoop,
    range: Range,
) -> Result<Flow, PgError> {
    if range.step <= 0 {
        let message = "BY value of FOR loop must be greater than zero";
        return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    let [target] = looped.targets.as_slice() else {
        let message = "integer FOR loop must have only one target variable";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    };
    let depth = frame.scopes.len();
    let first = Typed { value: ScalarValue::Int32(None), ty: PgType::Int4 };
    frame.scopes.push(Scope {
        label: looped.label.clone(),
        variables: vec![Variable::new(&target.name, Holder::Value(first))],
        aliases: Vec::new(),
    });
    let result = counted(session, frame, looped, range).await;
    frame.scopes.truncate(depth);
    result
}

async fn counted(
    session: &mut Session,
    frame: &mut Frame,
    looped: &ForLoop,
    Range { from, to, step, reverse }: Range,
) -> Result<Flow, PgError> {
    let label = looped.label.as_deref();
    let mut next = Some(from);
    let mut found = false;
    while let Some(number) = next.filter(|next| if reverse { *next >= to } else { *next <= to }) {
        found = true;
        let value = Typed { value: ScalarValue::Int32(Some(number)), ty: PgType::Int4 };
        let target = looped.targets.first().map(|target| target.name.clone()).unwrap_or_default();
        assign(session, frame, &Target { name: target, field: None }, value)?;
        if let Some(flow) = after(steps(session, frame, &looped.steps).await?, label) {
            frame.set_found(true);
            return Ok(flow);
        }
        next = if reverse { number.checked_sub(step) } else { number.checked_add(step) };
        tokio::task::yield_now().await;
    }
    frame.set_found(found);
    Ok(Flow::Next)
}

async fn rows(
    session: &mut Session,
    frame: &mut Frame,
    looped: &ForLoop,
    given: &Given,
) -> Result<Flow, PgError> {
    let Some(columns) = &given.columns else {
        let message = "cannot open a query that gives no rows as a loop";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    };
    let count = usize::try_from(given.count).unwrap_or(usize::MAX);
    for at in 0..count {
        let row = given.row(at)?;
        assign_columns(session, frame, &looped.targets, columns, row)?;
        let flow = steps(session, frame, &looped.steps).await?;
        if let Some(flow) = after(flow, looped.label.as_deref()) {
            frame.set_found(true);
            return Ok(flow);
        }
        tokio::task::yield_now().await;
    }
    if count == 0 {
        assign_columns(session, frame, &looped.targets, columns, None)?;
    }
    frame.set_found(count > 0);
    Ok(Flow::Next)
}

async fn elements(
    session: &mut Session,
    frame: &mut Frame,
    looped: &ForLoop,
    array: &Statement,
) -> Result<Flow, PgError> {
    let found = value(session, frame, array).await?;
    let PgType::Array(element) = found.ty.clone() else {
        let message = format!("FOREACH expression must yield an array, not type {}", found.ty);
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    };
    let mut leaf = *element;
    while let PgType::Array(inner) = leaf {
        leaf = *inner;
    }
    let mut values = Vec::new();
    match &found.value {
        list if list.is_null() => {
            let message = "FOREACH expression must not be null";
            return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
        ScalarValue::List(list) => flatten(list.values(), &mut values)?,
        _ => return Err(PgError::internal("an array that is none")),
    }
    let count = values.len();
    for value in values {
        let row = vec![Typed { value, ty: leaf.clone() }];
        let columns = [("element".to_owned(), leaf.clone())];
        assign_columns(session, frame, &looped.targets, &columns, Some(row))?;
        let flow = steps(session, frame, &looped.steps).await?;
        if let Some(flow) = after(flow, looped.label.as_deref()) {
            frame.set_found(true);
            return Ok(flow);
        }
        tokio::task::yield_now().await;
    }
    frame.set_found(count > 0);
    Ok(Flow::Next)
}

/// The elements of an array of any number of dimensions.
fn flatten(array: &arrow::array::ArrayRef, out: &mut Vec<ScalarValue>) -> Result<(), PgError> {
    use arrow::array::AsArray as _;
    if let Some(lists) = array.as_list_opt::<i32>() {
        return flatten(lists.values(), out);
    }
    for row in 0..array.len() {
        out.push(ScalarValue::try_from_array(array, row)?);
    }
    Ok(())
}
