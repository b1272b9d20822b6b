//! Assigning: conversions, and where the values go.

use std::sync::Arc;

use super::frame::{Frame, Holder, Typed, no_field};
use crate::error::{PgError, SqlState};
use crate::functions::cast::{plan_cast, typed_literal};
use crate::parser::plpgsql::Target;
use crate::session::session_impl::Session;
use crate::session::stored_expressions::evaluate_constant;
use crate::types::pg_type::PgType;

/// A value as one of another type: by an assignment cast, or by its text where there is none.
///
/// # Errors
/// What the conversion says.
pub(super) fn cast(session: &Session, value: Typed, to: &PgType) -> Result<Typed, PgError> {
    let to = &to.plain();
    if value.ty == *to {
        return Ok(value);
    }
    let literal = typed_literal(value.value, &value.ty);
    let functions = session.functions.session();
    let cast = match plan_cast(literal.clone(), &value.ty, to, false, functions) {
        Err(error)
            if matches!(error.code(), SqlState::DATATYPE_MISMATCH | SqlState::CANNOT_COERCE) =>
        {
            plan_cast(literal, &value.ty, to, true, functions)?
        }
        cast => cast?,
    };
    Ok(Typed { value: evaluate_constant(&session.engine, cast)?, ty: to.clone() })
}

/// Assigns a value to a variable, or to a field of one.
///
/// # Errors
/// `42601`, `22005`, `22004` for null where it may not be; what the conversion says.
pub(super) fn assign(
    session: &Session,
    frame: &mut Frame,
    target: &Target,
    value: Typed,
) -> Result<(), PgError> {
    let (variable, field) = frame.target(target)?;
    match (&mut variable.holder, field) {
        (Holder::Value(held), None) => {
            let value = cast(session, value, &held.ty)?;
            if variable.not_null && value.value.is_null() {
                let message = format!(
                    "null value cannot be assigned to variable \"{}\" declared NOT NULL",
                    variable.name
                );
                return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
            }
            *held = value;
            Ok(())
        }
        (Holder::Record { fields: Some(fields), .. }, Some(field)) => {
            match fields.iter_mut().find(|(name, _)| name == field) {
                Some((_, held)) => {
                    *held = cast(session, value, &held.ty)?;
                    Ok(())
                }
                None => Err(no_field(&variable.name, field)),
            }
        }
        (Holder::Record { .. }, None) => {
            let given = value.fields()?;
            match given {
                Some(given) => assign_row(session, frame, target, given),
                None if value.value.is_null() => assign_row(session, frame, target, Vec::new()),
                None => Err(PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    "cannot assign non-composite value to a record variable",
                )),
            }
        }
        (Holder::Record { .. } | Holder::Value(_), Some(field)) => {
            Err(no_field(&target.name, field))
        }
    }
}

/// Assigns a row to a record: as it is, or in the types that it was declared with, null where fields are missing.
pub(super) fn assign_row(
    session: &Session,
    frame: &mut Frame,
    target: &Target,
    given: Vec<(String, Typed)>,
) -> Result<(), PgError> {
    let (variable, _) = frame.target(target)?;
    let Holder::Record { row, fields } = &mut variable.holder else {
        return Err(PgError::internal("a row for what is no record"));
    };
    let Some(row) = row.as_ref().map(Arc::clone) else {
        *fields = Some(given);
        return Ok(());
    };
    let mut values = given.into_iter();
    let mut made = Vec::with_capacity(row.fields.len());
    for field in &row.fields {
        let value = match values.next() {
            Some((_, value)) => cast(session, value, &field.ty)?,
            None => Typed::null(field.ty.clone())?,
        };
        made.push((field.name.clone(), value));
    }
    *fields = Some(made);
    Ok(())
}

/// Assigns a row's columns: to the targets one by one, or all to a record.
///
/// # Errors
/// As [`assign`].
pub(super) fn assign_columns(
    session: &Session,
    frame: &mut Frame,
    targets: &[Target],
    columns: &[(String, PgType)],
    row: Option<Vec<Typed>>,
) -> Result<(), PgError> {
    if let [target] = targets {
        let (variable, field) = frame.target(target)?;
        if matches!((&variable.holder, field), (Holder::Record { .. }, None)) {
            let one_row = |row: &[Typed]| matches!(row, [one] if matches!(one.ty, PgType::Row(_)));
            let named = match row {
                // A row in one column is the record.
                Some(mut row) if one_row(&row) => {
                    row.pop().map(|one| one.fields()).transpose()?.flatten().unwrap_or_default()
                }
                Some(row) => columns.iter().map(|(name, _)| name.clone()).zip(row).collect(),
                None => {
                    let nulls = columns.iter();
                    let nulls =
                        nulls.map(|(name, ty)| Ok((name.clone(), Typed::null(ty.clone())?)));
                    nulls.collect::<Result<_, PgError>>()?
                }
            };
            return assign_row(session, frame, target, named);
        }
    }
    let mut row = row.unwrap_or_default().into_iter();
    for target in targets {
        let value = match row.next() {
            Some(value) => value,
            None => Typed::null(PgType::Text)?,
        };
        assign(session, frame, target, value)?;
    }
    Ok(())
}
