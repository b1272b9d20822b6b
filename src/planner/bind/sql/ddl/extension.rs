//! `CREATE EXTENSION` and `DROP EXTENSION`: those whose functions are built in are there in every database, and stay.

use sqlparser::ast::{CreateExtension, DropExtension};

use super::{DdlCommand, skipping};
use crate::catalog::pg::BUILT_IN_EXTENSIONS;
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::names::fold;

pub(super) fn create(create: &CreateExtension) -> Result<DdlCommand, PgError> {
    let CreateExtension { name, if_not_exists, cascade: _, schema: _, version: _ } = create;
    let name = fold(name);
    if !is_built_in(&name) {
        return Err(PgError::unsupported(
            format!("extension \"{name}\" is not available"),
            "Those in pg_extension are there in every database; others are not supported.",
        ));
    }
    let message = format!("extension \"{name}\" already exists");
    let error = PgError::new(SqlState::DUPLICATE_OBJECT, message);
    match if_not_exists {
        true => Ok(DdlCommand::Skip { tag: "CREATE EXTENSION", notice: skipping(&error) }),
        false => Err(error),
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN_EXTENSIONS.iter().any(|known| known.name == name)
}

pub(super) fn drop(drop: &DropExtension) -> Result<DdlCommand, PgError> {
    let DropExtension { names, if_exists, cascade_or_restrict: _ } = drop;
    let mut missing = None;
    for name in names.iter().map(fold) {
        if is_built_in(&name) {
            return Err(PgError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!(
                    "cannot drop extension {name} because it is required by the database system"
                ),
            ));
        }
        let message = format!("extension \"{name}\" does not exist");
        let error = PgError::new(SqlState::UNDEFINED_OBJECT, message);
        if !if_exists {
            return Err(error);
        }
        missing = Some(error);
    }
    let missing = missing.ok_or_else(|| PgError::internal("DROP EXTENSION without a name"))?;
    Ok(DdlCommand::Skip { tag: "DROP EXTENSION", notice: skipping(&missing) })
}
