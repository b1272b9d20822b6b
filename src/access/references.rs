//! Foreign keys: who makes one needs REFERENCES on what it refers to.

use super::caller::Caller;
use super::privilege::{denied, has_columns, has_whole};
use super::require::Right;
use crate::catalog::{Catalog, Rights};
use crate::error::PgError;
use crate::planner::bind::sql::ddl::{AlterStep, DdlCommand, NewConstraint, NewConstraintKind};

/// Checks what the foreign keys of a command refer to.
///
/// # Errors
/// `42501`
pub(super) fn check_references(
    command: &DdlCommand,
    caller: &Caller,
    catalog: &Catalog,
) -> Result<(), PgError> {
    if caller.superuser {
        return Ok(());
    }
    match command {
        DdlCommand::CreateTable(table) => {
            table.constraints.iter().try_for_each(|one| check(one, caller, catalog))
        }
        DdlCommand::AlterTable { relation: _, steps } => {
            steps.iter().try_for_each(|step| match step {
                AlterStep::AddConstraint(constraint) => check(constraint, caller, catalog),
                AlterStep::AddColumn { column, fill: _ } => {
                    column.constraints.iter().try_for_each(|one| check(one, caller, catalog))
                }
                _ => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

fn check(constraint: &NewConstraint, caller: &Caller, catalog: &Catalog) -> Result<(), PgError> {
    let NewConstraintKind::ForeignKey { referenced: Some(table), referenced_columns, .. } =
        &constraint.kind
    else {
        return Ok(());
    };
    let Some(relation) = catalog.relation(*table) else { return Ok(()) };
    if has_whole(catalog, relation, Right::References, caller.roles()) {
        return Ok(());
    }
    let Some(stored) = relation.table() else { return Err(denied(relation, Right::References)) };
    let columns: Vec<usize> = match referenced_columns.as_slice() {
        [] => stored.primary_key().unwrap_or_default().to_vec(),
        names => names.iter().filter_map(|name| stored.position(name)).collect(),
    };
    let has = !columns.is_empty()
        && has_columns(catalog, relation, Rights::REFERENCES, caller.roles(), columns.into_iter());
    if has { Ok(()) } else { Err(denied(relation, Right::References)) }
}
