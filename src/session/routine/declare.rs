//! Declarations of variables.

use std::sync::Arc;

use super::cast::{assign, cast};
use super::frame::{Frame, Holder, Variable};
use super::statement::value;
use crate::catalog::QualifiedName;
use crate::error::{PgError, SqlState};
use crate::parser::plpgsql::{Declaration, DeclaredType, Target};
use crate::planner::bind::sql::sql_type;
use crate::session::session_impl::Session;
use crate::types::pg_type::PgType;

/// Makes a variable, in the innermost scope.
///
/// # Errors
/// `42704` for an unknown type, `22004` for null where it may not be; what its value says.
pub(super) async fn declare(
    session: &mut Session,
    frame: &mut Frame,
    declaration: &Declaration,
) -> Result<(), PgError> {
    let Declaration { name, ty, constant, not_null, value: given, line: _ } = declaration;
    let holder = match ty {
        DeclaredType::Alias(real) => {
            if let Some(scope) = frame.scopes.last_mut() {
                scope.aliases.push((name.clone(), real.clone()));
            }
            return Ok(());
        }
        DeclaredType::Record => Holder::of(&PgType::Record)?,
        DeclaredType::Type(text) | DeclaredType::Row(text) => Holder::of(&named(session, text)?)?,
        DeclaredType::Like(names) => Holder::of(&like(session, frame, names)?)?,
    };
    let first = match given {
        Some(given) => Some(value(session, frame, given).await?),
        None => None,
    };
    let mut variable = Variable::new(name, holder);
    match (first, &mut variable.holder) {
        (Some(first), Holder::Value(held)) => {
            *held = cast(session, first, &held.ty)?;
            if *not_null && held.value.is_null() {
                let message = format!(
                    "null value cannot be assigned to variable \"{name}\" declared NOT NULL"
                );
                return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
            }
            push(frame, variable);
        }
        (Some(first), Holder::Record { .. }) => {
            push(frame, variable);
            let target = Target { name: name.clone(), field: None };
            assign(session, frame, &target, first)?;
        }
        (None, _) => push(frame, variable),
    }
    let made = frame.scopes.last_mut().and_then(|scope| scope.variables.last_mut());
    if let Some(made) = made {
        (made.constant, made.not_null) = (*constant, *not_null);
    }
    Ok(())
}

fn push(frame: &mut Frame, variable: Variable) {
    if let Some(scope) = frame.scopes.last_mut() {
        scope.variables.push(variable);
    }
}

/// The type of a name.
fn named(session: &mut Session, text: &str) -> Result<PgType, PgError> {
    let tree = crate::parser::stored::parse_type(text)
        .map_err(|error| PgError::from(error).without_offset())?;
    session.statement_snapshot()?;
    let context = session.current_context()?;
    Ok(sql_type(context.types(), &tree)?.plain())
}

/// The type of a column or of another variable.
fn like(session: &mut Session, frame: &Frame, names: &[String]) -> Result<PgType, PgError> {
    if let Some(value) = frame.lookup(names)? {
        return Ok(value.ty);
    }
    session.statement_snapshot()?;
    let context = session.current_context()?;
    let (schema, table, column) = match names {
        [table, column] => (None, table, column),
        [schema, table, column] => (Some(schema.clone()), table, column),
        _ => {
            let message = format!("variable \"{}\" does not exist", names.join("."));
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        }
    };
    let relation = context.relation(&QualifiedName { schema, name: table.clone() })?;
    let relation = Arc::clone(&relation);
    match relation.columns().iter().find(|known| known.name == *column) {
        Some(found) => Ok(found.ty.clone()),
        None => {
            let message =
                format!("column \"{column}\" of relation \"{}\" does not exist", relation.name);
            Err(PgError::new(SqlState::UNDEFINED_COLUMN, message))
        }
    }
}
