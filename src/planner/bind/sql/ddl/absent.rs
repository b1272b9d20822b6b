//! `DROP` of kinds of objects that are never there: an error, or with IF EXISTS a notice.

use sqlparser::ast::{DataType, ObjectName};

use super::{DdlCommand, skipping};
use crate::error::{PgError, SqlState};
use crate::functions::registry::registry;
use crate::parser::sql::definition::AbsentKind;
use crate::planner::bind::context::{BindContext, undefined_table};
use crate::planner::bind::sql::names::qualified_name;
use crate::planner::bind::sql::types::sql_type;

/// Binds the statement.
///
/// # Errors
/// As PostgreSQL's for an object that does not exist; `2BP01` for a built-in aggregate.
pub(super) fn drop(
    context: &BindContext,
    kind: AbsentKind,
    if_exists: bool,
    names: &[(ObjectName, Option<Vec<DataType>>)],
    table: Option<&ObjectName>,
) -> Result<DdlCommand, PgError> {
    let (tag, noun) = words(kind);
    for (name, arguments) in names {
        let name = qualified_name(name)?;
        if kind == AbsentKind::Aggregate && registry().aggregate(&name.name).is_some() {
            let message = format!(
                "cannot drop function {} because it is required by the database system",
                name.name
            );
            return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        let error = match (kind, table) {
            (AbsentKind::Trigger | AbsentKind::Rule, Some(table)) => {
                on_table(context, kind, if_exists, &name.name, table)?
            }
            (AbsentKind::Aggregate, _) => {
                let types = arguments.as_ref().map(|types| type_names(context, types));
                let types = types.transpose()?;
                without_arguments(kind, if_exists, &name.name, types.as_deref())
            }
            (AbsentKind::Collation, _) if !if_exists => undefined(format!(
                "collation \"{}\" for encoding \"UTF8\" does not exist",
                name.name
            )),
            _ => undefined(format!("{noun} \"{}\" does not exist", name.name)),
        };
        if !if_exists {
            return Err(error);
        }
        if names.len() == 1 {
            return Ok(DdlCommand::Skip { tag, notice: skipping(&error) });
        }
    }
    let all: Vec<String> = names.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let notice = undefined(format!("{noun}s {} do not exist", all.join(", ")));
    Ok(DdlCommand::Skip { tag, notice: skipping(&notice) })
}

fn undefined(message: String) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, message)
}

/// The command tag, and the word of messages.
fn words(kind: AbsentKind) -> (&'static str, &'static str) {
    match kind {
        AbsentKind::Trigger => ("DROP TRIGGER", "trigger"),
        AbsentKind::Rule => ("DROP RULE", "rule"),
        AbsentKind::Aggregate => ("DROP AGGREGATE", "aggregate"),
        AbsentKind::Collation => ("DROP COLLATION", "collation"),
        AbsentKind::Conversion => ("DROP CONVERSION", "conversion"),
        AbsentKind::Language => ("DROP LANGUAGE", "language"),
        AbsentKind::Server => ("DROP SERVER", "server"),
        AbsentKind::Publication => ("DROP PUBLICATION", "publication"),
        AbsentKind::Statistics => ("DROP STATISTICS", "statistics object"),
        AbsentKind::EventTrigger => ("DROP EVENT TRIGGER", "event trigger"),
        AbsentKind::ForeignDataWrapper => ("DROP FOREIGN DATA WRAPPER", "foreign-data wrapper"),
        AbsentKind::ForeignTable => ("DROP FOREIGN TABLE", "foreign table"),
    }
}

fn on_table(
    context: &BindContext,
    kind: AbsentKind,
    if_exists: bool,
    name: &str,
    table: &ObjectName,
) -> Result<PgError, PgError> {
    let table = qualified_name(table)?;
    let Some(relation) = context.catalog.resolve(&table, &context.search_path) else {
        return Ok(undefined_table(&table));
    };
    let (noun, owner) = match kind {
        AbsentKind::Trigger if !if_exists => ("trigger", "table"),
        AbsentKind::Trigger => ("trigger", "relation"),
        _ => ("rule", "relation"),
    };
    Ok(undefined(format!("{noun} \"{name}\" for {owner} \"{}\" does not exist", relation.name)))
}

fn type_names(context: &BindContext, types: &[DataType]) -> Result<Vec<String>, PgError> {
    types.iter().map(|ty| sql_type(context.types(), ty).map(|ty| ty.name())).collect()
}

fn without_arguments(
    kind: AbsentKind,
    if_exists: bool,
    name: &str,
    types: Option<&[String]>,
) -> PgError {
    let noun = words(kind).1;
    let message = match types {
        None if !if_exists => format!("could not find a {noun} named \"{name}\""),
        types => format!("{noun} {name}({}) does not exist", types.unwrap_or_default().join(", ")),
    };
    PgError::new(SqlState::UNDEFINED_FUNCTION, message)
}
