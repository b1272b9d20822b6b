//! `CREATE EXTENSION` and `DROP EXTENSION`: those whose functions are built in are there in every database, and stay;
//! `hstore` comes and goes with its type.

use sqlparser::ast::{CreateExtension, DropExtension, ReferentialAction};

use super::user_type::{check_name, command};
use super::{DdlCommand, TypeCommand, creation_schema, skipping};
use crate::catalog::pg::BUILT_IN_EXTENSIONS;
use crate::catalog::{HSTORE, QualifiedName, UserType};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::fold;
use crate::types::Oid;

pub(super) fn create(
    context: &BindContext,
    create: &CreateExtension,
) -> Result<DdlCommand, PgError> {
    let CreateExtension { name, if_not_exists, cascade: _, schema, version: _ } = create;
    let name = fold(name);
    let known = is_built_in(&name) || name == HSTORE;
    if !known {
        return Err(PgError::unsupported(
            format!("extension \"{name}\" is not available"),
            "Those in pg_extension and hstore are supported; others are not.",
        ));
    }
    if name == HSTORE && created(context, &name).is_none() {
        return create_hstore(context, schema.as_ref().map(fold));
    }
    let message = format!("extension \"{name}\" already exists");
    let error = PgError::new(SqlState::DUPLICATE_OBJECT, message);
    match if_not_exists {
        true => Ok(DdlCommand::Skip { tag: "CREATE EXTENSION", notice: skipping(&error) }),
        false => Err(error),
    }
}

fn create_hstore(context: &BindContext, schema: Option<String>) -> Result<DdlCommand, PgError> {
    let place = QualifiedName { schema, name: HSTORE.to_owned() };
    let schema = creation_schema(context, &place)?;
    let public = context.catalog.schema("public").map(|public| public.oid);
    if public != Some(schema) {
        return Err(PgError::unsupported(
            "extensions in another schema than public are not supported",
            "CREATE EXTENSION hstore SCHEMA public",
        ));
    }
    check_name(&context.catalog, schema, HSTORE)?;
    Ok(command(TypeCommand::CreateHstore { schema }))
}

/// The type of an extension that was created.
fn created<'a>(context: &'a BindContext, name: &str) -> Option<&'a UserType> {
    let of = |ty: &UserType| ty.extension().is_some_and(|(known, _)| known == name);
    context.catalog.types.values().map(AsRef::as_ref).find(|ty| of(ty))
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN_EXTENSIONS.iter().any(|known| known.name == name)
}

pub(super) fn drop(context: &BindContext, drop: &DropExtension) -> Result<DdlCommand, PgError> {
    const TAG: &str = "DROP EXTENSION";
    let DropExtension { names, if_exists, cascade_or_restrict } = drop;
    let (mut types, mut missing): (Vec<Oid>, Vec<PgError>) = (Vec::new(), Vec::new());
    for name in names.iter().map(fold) {
        if is_built_in(&name) {
            let why = "because it is required by the database system";
            let message = format!("cannot drop extension {name} {why}");
            return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        if let Some(found) = created(context, &name) {
            if !context.roles.superuser && !context.system && !context.roles.has(found.owner) {
                let message = format!("must be owner of extension {name}");
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            types.push(found.oid());
            continue;
        }
        let message = format!("extension \"{name}\" does not exist");
        let error = PgError::new(SqlState::UNDEFINED_OBJECT, message);
        if !if_exists {
            return Err(error);
        }
        missing.push(error);
    }
    if let (true, Some(error)) = (types.is_empty(), missing.first()) {
        return Ok(DdlCommand::Skip { tag: TAG, notice: skipping(error) });
    }
    let cascade = matches!(cascade_or_restrict, Some(ReferentialAction::Cascade));
    let missing = missing.iter().map(ToString::to_string).collect();
    Ok(command(TypeCommand::Drop { tag: TAG, types, missing, cascade }))
}
