//! `VACUUM`, `ANALYZE` and `REINDEX`: what changes how rows are kept, and nothing that a query could tell.

use std::sync::Arc;

use sqlparser::ast::{Ident, ObjectName};

use super::session_impl::{ScriptPosition, Session};
use crate::catalog::{ConstraintKind, Relation, RelationKind};
use crate::error::{PgError, Severity, SqlState};
use crate::executor::write::{check_key_is_unique, lock_error};
use crate::parser::sql::definition::{Maintenance, ReindexTarget};
use crate::planner::bind::BindContext;
use crate::planner::bind::sql::{fold, qualified_name};
use crate::storage::TableLock;
use crate::storage::locks::WhenHeld;
use crate::types::Oid;

/// Carries a statement out; its tag.
///
/// # Errors
/// `25001` for what cannot run in a transaction block, `42P01`, `42703` and `42704` for names that stand for nothing,
/// `23505` for a key that is not unique, `55P03`, `40P01`.
pub(super) async fn run(
    session: &mut Session,
    statement: &Maintenance,
    position: ScriptPosition,
) -> Result<&'static str, PgError> {
    session.refuse_if_failed()?;
    match statement {
        Maintenance::Vacuum { full, analyze, skip_locked, tables } => {
            outside_blocks(session, position, "VACUUM")?;
            let lock =
                if *full { TableLock::AccessExclusive } else { TableLock::ShareUpdateExclusive };
            let found = stored_tables(session, tables, "vacuum", *analyze)?;
            let found = permitted(session, found, "vacuum");
            for table in lock_each(session, found, lock, ("vacuum", *skip_locked)).await? {
                session.database.merge_all(table.oid)?;
            }
            Ok("VACUUM")
        }
        Maintenance::Analyze { skip_locked, tables } => {
            // Row counts are exact without it; the names are still held to be right.
            let found = stored_tables(session, tables, "analyze", true)?;
            let found = permitted(session, found, "analyze");
            if !tables.is_empty() {
                let lock = TableLock::ShareUpdateExclusive;
                lock_each(session, found, lock, ("analyze", *skip_locked)).await?;
            }
            Ok("ANALYZE")
        }
        Maintenance::Reindex { target, concurrently, name } => {
            let what = match target {
                _ if *concurrently => Some("REINDEX CONCURRENTLY"),
                ReindexTarget::Schema => Some("REINDEX SCHEMA"),
                ReindexTarget::Database => Some("REINDEX DATABASE"),
                ReindexTarget::Index | ReindexTarget::Table => None,
            };
            if let Some(what) = what {
                outside_blocks(session, position, what)?;
            }
            reindex(session, *target, name, *concurrently).await?;
            Ok("REINDEX")
        }
    }
}

fn outside_blocks(session: &Session, position: ScriptPosition, what: &str) -> Result<(), PgError> {
    let explicit = session.transaction.as_ref().is_some_and(|open| open.explicit);
    if explicit || position != ScriptPosition::Only {
        return Err(PgError::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            format!("{what} cannot run inside a transaction block"),
        ));
    }
    Ok(())
}

/// Locks tables one after the other; those that are still there then. With `skip` those that others hold are left out,
/// with a warning.
async fn lock_each(
    session: &mut Session,
    tables: Vec<Arc<Relation>>,
    lock: TableLock,
    (verb, skip): (&str, bool),
) -> Result<Vec<Arc<Relation>>, PgError> {
    let mut locked = Vec::with_capacity(tables.len());
    for table in tables {
        let catalog = context(session)?.catalog;
        let when_held = if skip { WhenHeld::Fail } else { WhenHeld::Wait };
        match session.lock_table(&catalog, table.oid, lock, when_held).await {
            Ok(_) => {}
            Err(error) if skip && error.code() == SqlState("55P03") => {
                let message =
                    format!("skipping {verb} of \"{}\" --- lock not available", table.name);
                session
                    .shared
                    .notify(PgError::new(SqlState("55P03"), message).severity(Severity::Warning));
                continue;
            }
            Err(error) => return Err(error),
        }
        locked.extend(context(session)?.catalog.relation(table.oid).cloned());
    }
    Ok(locked)
}

fn context(session: &mut Session) -> Result<BindContext, PgError> {
    session.statement_snapshot()?;
    match &session.transaction {
        Some(transaction) => Ok(session.bind_context(transaction, Default::default())),
        None => Err(PgError::internal("no transaction")),
    }
}

/// The stored tables a statement names; all of them if it names none. Others are left out with a warning.
fn stored_tables(
    session: &mut Session,
    names: &[(ObjectName, Vec<Ident>)],
    verb: &str,
    with_columns: bool,
) -> Result<Vec<Arc<Relation>>, PgError> {
    let context = context(session)?;
    if names.is_empty() {
        let all = context.catalog.relations.values();
        return Ok(all.filter(|relation| relation.table().is_some()).cloned().collect());
    }
    let mut tables = Vec::with_capacity(names.len());
    for (name, columns) in names {
        let relation = context.relation(&qualified_name(name)?)?;
        if !columns.is_empty() && !with_columns {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "ANALYZE option must be specified when a column list is provided",
            ));
        }
        for column in columns.iter().map(fold) {
            if !relation.columns().iter().any(|known| known.name == column) {
                return Err(PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{column}\" of relation \"{}\" does not exist", relation.name),
                ));
            }
        }
        match &relation.kind {
            RelationKind::Table(_) | RelationKind::MaterializedView(_) => tables.push(relation),
            RelationKind::System(_) => {}
            RelationKind::View(_) | RelationKind::Sequence(_) | RelationKind::PropertyGraph(_) => {
                session.shared.notify(
                    PgError::new(
                        SqlState::WARNING,
                        format!(
                            "skipping \"{}\" --- cannot {verb} non-tables or special system tables",
                            relation.name
                        ),
                    )
                    .severity(Severity::Warning),
                )
            }
        }
    }
    Ok(tables)
}

/// The tables that the caller owns, or all if it owns the database; others are left out with a warning.
fn permitted(session: &Session, tables: Vec<Arc<Relation>>, verb: &str) -> Vec<Arc<Relation>> {
    let (caller, catalog) = (session.shared.caller(), session.shared.catalog());
    if caller.has(catalog.database_owner()) {
        return tables;
    }
    let mut kept = tables;
    kept.retain(|table| {
        let is_owner = caller.has(table.owner);
        if !is_owner {
            let name = &table.name;
            let message =
                format!("skipping \"{name}\" --- only table or database owner can {verb} it");
            let warning = PgError::new(SqlState::WARNING, message).severity(Severity::Warning);
            session.shared.notify(warning);
        }
        is_owner
    });
    kept
}

/// Looks through every key anew: whether it is unique, and where each row is.
async fn reindex(
    session: &mut Session,
    target: ReindexTarget,
    name: &ObjectName,
    concurrently: bool,
) -> Result<(), PgError> {
    let context = context(session)?;
    let name = qualified_name(name)?;
    let tables: Vec<Arc<Relation>> = match target {
        ReindexTarget::Table => {
            let relation = context.relation(&name)?;
            if relation.table().is_none() {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a table or materialized view", relation.name),
                ));
            }
            vec![relation]
        }
        ReindexTarget::Index => vec![table_of_index(&context, &name)?],
        ReindexTarget::Schema => {
            let schema = context.catalog.schema(&name.name).ok_or_else(|| {
                PgError::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    format!("schema \"{}\" does not exist", name.name),
                )
            })?;
            let all = context.catalog.relations.values();
            all.filter(|relation| relation.schema == schema.oid).cloned().collect()
        }
        ReindexTarget::Database => {
            if name.name != context.catalog.database.name {
                return Err(PgError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "can only reindex the currently open database",
                ));
            }
            context.catalog.relations.values().cloned().collect()
        }
    };
    check_reindex(session, target, &name.name, &tables)?;
    let lock = if concurrently { TableLock::ShareUpdateExclusive } else { TableLock::Share };
    for relation in tables {
        if relation.table().is_none() {
            continue;
        }
        for relation in lock_each(session, vec![relation], lock, ("reindex", false)).await? {
            if concurrently {
                let all = TableLock::AccessExclusive;
                // Who writes now, then who could still use the index as it was, and once more before that one would go.
                for others in [TableLock::Share, all, all] {
                    wait_for_holders(session, relation.oid, others).await?;
                }
                session.statement_snapshot()?;
            }
            rebuild(session, &relation)?;
        }
    }
    Ok(())
}

/// REINDEX is for the owner of what it names.
fn check_reindex(
    session: &Session,
    target: ReindexTarget,
    name: &str,
    tables: &[Arc<Relation>],
) -> Result<(), PgError> {
    let (caller, catalog) = (session.shared.caller(), session.shared.catalog());
    let of_database = caller.has(catalog.database_owner());
    let (is_owner, what) = match target {
        ReindexTarget::Table | ReindexTarget::Index => {
            let word = if target == ReindexTarget::Table { "table" } else { "index" };
            (tables.iter().all(|table| caller.has(table.owner)), word)
        }
        ReindexTarget::Schema => {
            let owner = catalog.schema(name).is_some_and(|schema| caller.has(schema.owner));
            (owner, "schema")
        }
        ReindexTarget::Database => (of_database, "database"),
    };
    if is_owner || of_database {
        return Ok(());
    }
    let message = format!("must be owner of {what} {name}");
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
}

async fn wait_for_holders(session: &Session, table: Oid, lock: TableLock) -> Result<(), PgError> {
    let Some(transaction) = &session.transaction else { return Ok(()) };
    let limits = session.shared.wait_limits();
    let waited = transaction.locks.wait_for_holders(table, lock, limits).await;
    waited.map_err(|error| lock_error(error, transaction.catalog.database.oid, String::new))
}

fn table_of_index(
    context: &BindContext,
    name: &crate::catalog::QualifiedName,
) -> Result<Arc<Relation>, PgError> {
    let schemas = match &name.schema {
        Some(schema) => vec![schema.clone()],
        None => context.search_path.clone(),
    };
    let found = schemas.iter().find_map(|schema| {
        let schema = context.catalog.schema(schema)?;
        context.catalog.index_named(schema.oid, &name.name)
    });
    match found {
        Some((table, _)) => Ok(Arc::clone(table)),
        None if context.relation(name).is_ok() => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not an index", name.name),
        )),
        None => Err(PgError::new(
            SqlState::UNDEFINED_TABLE,
            format!("relation \"{name}\" does not exist"),
        )),
    }
}

fn rebuild(session: &Session, relation: &Arc<Relation>) -> Result<(), PgError> {
    let Some(transaction) = &session.transaction else { return Ok(()) };
    let store = transaction.writes.lock().view().clone();
    let table: Oid = relation.oid;
    let (Some(definition), Some(version)) = (relation.table(), store.table(table)) else {
        return Ok(());
    };
    for constraint in &definition.constraints {
        if let ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } =
            &constraint.kind
        {
            check_key_is_unique(relation, &constraint.name, columns, version)?;
        }
    }
    Ok(())
}
