//! USAGE on types: looked at where it was taken from somebody, as everybody has it on all that is built in.

use super::caller::Caller;
use crate::catalog::pg::describe;
use crate::catalog::{AclClass, Catalog, Rights};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::ddl::{AlterStep, DdlCommand};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Checks the types of the columns that a command makes. An array is its elements' type to this right.
///
/// # Errors
/// `42501`
pub(super) fn check_types(
    command: &DdlCommand,
    caller: &Caller,
    catalog: &Catalog,
) -> Result<(), PgError> {
    let is_type = |(class, _): &&(AclClass, Oid)| *class == AclClass::Type;
    if caller.superuser || !catalog.grants.objects.keys().any(|key| is_type(&key)) {
        return Ok(());
    }
    let check = |ty: &PgType| check(ty, caller, catalog);
    match command {
        DdlCommand::CreateTable(table) => {
            table.columns.iter().try_for_each(|column| check(&column.ty))
        }
        DdlCommand::CreateView { view, .. } => {
            view.columns.iter().try_for_each(|column| check(&column.ty))
        }
        DdlCommand::AlterTable { relation: _, steps } => {
            steps.iter().try_for_each(|step| match step {
                AlterStep::AddColumn { column, fill: _ } => check(&column.column.ty),
                AlterStep::SetType { name: _, ty, convert: _ } => check(ty),
                _ => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

fn check(ty: &PgType, caller: &Caller, catalog: &Catalog) -> Result<(), PgError> {
    let mut plain = ty;
    while let PgType::Array(element) = plain {
        plain = element;
    }
    let oid = Oid(plain.oid());
    let Some(acl) = catalog.stored_acl(AclClass::Type, oid) else { return Ok(()) };
    if acl.rights_of(|role| caller.roles().inherits(role)).contains(Rights::USAGE) {
        return Ok(());
    }
    let message =
        format!("permission denied for type {}", describe::format_type(catalog, oid, None));
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
}
