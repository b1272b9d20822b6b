//! What a body gives: `RETURN` in its forms.

use super::cast::cast;
use super::frame::{Frame, Typed};
use super::statement::{Given, value};
use crate::error::{PgError, SqlState};
use crate::parser::Statement;
use crate::session::session_impl::Session;
use crate::types::pg_type::PgType;

/// The values of the variables that the columns are.
fn of_variables(session: &Session, frame: &Frame) -> Result<Vec<Typed>, PgError> {
    let columns = frame.columns.iter().map(|(name, ty)| {
        let found = frame.lookup_outermost(name)?;
        cast(session, found, ty)
    });
    columns.collect()
}

/// `RETURN [expression]`
///
/// # Errors
/// `42804` where an expression is not wanted, or is; what it says.
pub(super) async fn returned(
    session: &mut Session,
    frame: &mut Frame,
    expression: Option<&Statement>,
) -> Result<(), PgError> {
    let wrong = |message: &'static str| Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    match expression {
        None if frame.gives_rows || frame.columns.is_empty() => Ok(()),
        None if frame.named_columns => {
            let row = of_variables(session, frame)?;
            frame.rows = vec![row];
            Ok(())
        }
        None => wrong("missing expression at or near \";\""),
        Some(_) if frame.gives_rows => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            "RETURN cannot have a parameter in function returning set",
        )
        .hint("Use RETURN NEXT or RETURN QUERY.")),
        Some(_) if frame.named_columns => {
            wrong("RETURN cannot have a parameter in function with OUT parameters")
        }
        Some(_) if frame.columns.is_empty() => {
            wrong("RETURN cannot have a parameter in function returning void")
        }
        Some(expression) => {
            let found = value(session, frame, expression).await?;
            let (_, ty) = frame.columns.first().cloned().unwrap_or((String::new(), PgType::Text));
            frame.rows = vec![vec![cast(session, found, &ty)?]];
            Ok(())
        }
    }
}

/// `RETURN NEXT [expression]`
///
/// # Errors
/// `42804` outside of functions that give rows; what the expression says.
pub(super) async fn next(
    session: &mut Session,
    frame: &mut Frame,
    expression: Option<&Statement>,
) -> Result<(), PgError> {
    if !frame.gives_rows {
        let message = "cannot use RETURN NEXT in a non-SETOF function";
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let row = match expression {
        None if frame.named_columns => of_variables(session, frame)?,
        None => {
            let message = "RETURN NEXT must have a parameter";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        Some(_) if frame.named_columns => {
            let message = "RETURN NEXT cannot have a parameter in function with OUT parameters";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
        }
        Some(expression) => {
            let found = value(session, frame, expression).await?;
            one_row(session, frame, found)?
        }
    };
    frame.rows.push(row);
    Ok(())
}

/// A value as a row of the columns: the value, or its fields.
fn one_row(session: &Session, frame: &Frame, found: Typed) -> Result<Vec<Typed>, PgError> {
    if let [(_, ty)] = frame.columns.as_slice() {
        return Ok(vec![cast(session, found, ty)?]);
    }
    let fields = found.fields()?.unwrap_or_default();
    if fields.len() != frame.columns.len() {
        let message = "wrong record type supplied in RETURN NEXT";
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let columns = frame.columns.iter().zip(fields);
    columns.map(|((_, ty), (_, field))| cast(session, field, ty)).collect()
}

/// `RETURN QUERY`
///
/// # Errors
/// `42804` where the query's columns are others than the function's.
pub(super) fn all(frame: &mut Frame, given: &Given) -> Result<(), PgError> {
    if !frame.gives_rows {
        let message = "cannot use RETURN QUERY in a non-SETOF function";
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let differs = |detail: String| {
        let message = "structure of query does not match function result type";
        PgError::new(SqlState::DATATYPE_MISMATCH, message).detail(detail)
    };
    let found = given.columns.as_deref().unwrap_or_default();
    if found.len() != frame.columns.len() {
        return Err(differs(format!(
            "Number of returned columns ({}) does not match expected column count ({}).",
            found.len(),
            frame.columns.len()
        )));
    }
    for (at, ((_, found), (_, wanted))) in found.iter().zip(&frame.columns).enumerate() {
        if found.without_modifier() != wanted.without_modifier() && found.oid() != wanted.oid() {
            return Err(differs(format!(
                "Returned type {found} does not match expected type {wanted} in column {}.",
                at + 1
            )));
        }
    }
    let count = usize::try_from(given.count).unwrap_or(usize::MAX);
    for at in 0..count {
        frame.rows.extend(given.row(at)?);
    }
    frame.row_count = given.count;
    frame.set_found(count > 0);
    Ok(())
}

/// What stands where a body ended without `RETURN`.
///
/// # Errors
/// `2F005`.
pub(super) fn ended(session: &Session, frame: &mut Frame) -> Result<(), PgError> {
    if frame.gives_rows || frame.columns.is_empty() {
        return Ok(());
    }
    if frame.named_columns {
        let row = of_variables(session, frame)?;
        frame.rows = vec![row];
        return Ok(());
    }
    let message = "control reached end of function without RETURN";
    Err(PgError::new(SqlState::NO_RETURN, message))
}
