//! SET CONSTRAINTS: when a transaction checks deferrable constraints.

use sqlparser::ast::ObjectName;

use super::session_impl::Session;
use crate::catalog::{Catalog, Constraint, ConstraintTiming};
use crate::error::{PgError, Severity, SqlState};
use crate::planner::bind::sql::qualified_name;
use crate::types::Oid;

/// Runs `SET CONSTRAINTS`; no names stand for ALL.
///
/// # Errors
/// `42704` for a constraint that is not there, `42809` for one that is not deferrable; `23…` for one that is violated and
/// may not wait any more.
pub(super) fn run(
    session: &mut Session,
    names: &[ObjectName],
    deferred: bool,
) -> Result<(), PgError> {
    session.refuse_if_failed()?;
    if !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        session.shared.notify(
            PgError::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "SET CONSTRAINTS can only be used in transaction blocks",
            )
            .severity(Severity::Warning),
        );
    }
    let search_path = session.shared.search_path();
    let transaction = session.statement_snapshot()?;
    let mut constraints = Vec::new();
    for name in names {
        constraints.extend(named(&transaction.catalog, &search_path, name)?);
    }
    let constraints = (!names.is_empty()).then_some(constraints.as_slice());
    let catalog = std::sync::Arc::clone(&transaction.catalog);
    transaction.writes.lock().set_constraints(&catalog, constraints, deferred)
}

/// All constraints with this name in the schema it names, or in the first schema of the search path that has one.
fn named(
    catalog: &Catalog,
    search_path: &[String],
    name: &ObjectName,
) -> Result<Vec<Oid>, PgError> {
    let name = qualified_name(name)?;
    let schemas = match &name.schema {
        Some(schema) if catalog.schema(schema).is_none() => {
            return Err(PgError::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            ));
        }
        Some(schema) => std::slice::from_ref(schema),
        None => search_path,
    };
    for schema in schemas.iter().filter_map(|schema| catalog.schema(schema)) {
        let tables = catalog.relations.values().filter(|relation| relation.schema == schema.oid);
        let constraints: Vec<&Constraint> = tables
            .filter_map(|relation| relation.table())
            .flat_map(|table| &table.constraints)
            .filter(|constraint| constraint.name == name.name)
            .collect();
        if constraints.is_empty() {
            continue;
        }
        if constraints.iter().any(|known| known.timing == ConstraintTiming::NotDeferrable) {
            return Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("constraint \"{}\" is not deferrable", name.name),
            ));
        }
        return Ok(constraints.iter().map(|constraint| constraint.oid).collect());
    }
    Err(PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{}\" does not exist", name.name),
    ))
}
