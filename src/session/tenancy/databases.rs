//! `CREATE DATABASE`, `ALTER DATABASE`, `DROP DATABASE`
//!
//! A database is a row of its tenant's cluster and a [`DatabaseState`] beside it. The row is committed by an ordinary
//! transaction; what the new database starts with is in the log before it.
//!
//! [`DatabaseState`]: crate::session::engine::DatabaseState

use std::sync::Arc;
use std::time::Duration;

use sqlparser::ast::Ident;

use crate::catalog::Database;
use crate::error::{PgError, SqlState};
use crate::parser::sql::tenancy::{DatabaseAction, OptionValue, TenancyOption};
use crate::planner::bind::sql::fold;
use crate::session::session_impl::Session;
use crate::types::{Oid, TenantId};

/// How long DROP and RENAME wait for a database's sessions to leave, those that FORCE has ended among them. PostgreSQL waits
/// as long.
const ENDING_WAIT: Duration = Duration::from_secs(5);
const ENDING_POLL: Duration = Duration::from_millis(10);

fn missing(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
}

fn exists(name: &str) -> PgError {
    PgError::new(SqlState::DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))
}

pub(super) async fn create(
    session: &mut Session,
    name: &Ident,
    options: &[TenancyOption],
) -> Result<(), PgError> {
    let caller = session.shared.caller();
    let engine = Arc::clone(&session.engine);
    let cluster = engine.cluster.latest();
    let may =
        caller.superuser || cluster.roles.get(&caller.role).is_some_and(|role| role.create_db);
    if !may {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            "permission denied to create database",
        ));
    }
    let name = fold(name);
    if name.is_empty() || name.len() > 63 {
        let message = format!("invalid database name \"{name}\"");
        return Err(PgError::new(SqlState::INVALID_NAME, message));
    }
    let mut database = Database {
        oid: Oid::INVALID,
        name,
        tenant: TenantId::SYSTEM,
        owner: caller.role,
        connection_limit: -1,
        is_template: false,
        allow_connections: true,
    };
    for option in options {
        create_option(session, &mut database, option)?;
    }
    if engine.database(&database.name).is_some() {
        return Err(exists(&database.name));
    }
    let limit = engine.tenant.record().limit("max_databases");
    if let Some(limit) = limit.filter(|limit| engine.database_names().len() >= *limit) {
        return Err(PgError::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            format!("tenant \"{}\" may have {limit} databases", engine.tenant.name()),
        ));
    }
    database.oid = cluster.next_oid.take();
    let state = engine.new_database(&database).await?;
    change(session, |databases| {
        databases.insert(database.oid, database.clone());
    })
    .await?;
    engine.add_database(&database.name, state);
    Ok(())
}

fn create_option(
    session: &Session,
    database: &mut Database,
    option: &TenancyOption,
) -> Result<(), PgError> {
    let text = option.value.text();
    let is_default = matches!(&option.value, OptionValue::Word(word) if word == "default");
    let name = fold(&option.name).to_lowercase();
    match name.as_str() {
        _ if is_default => Ok(()),
        "owner" => {
            database.owner = owner(session, text)?;
            Ok(())
        }
        "template" => template(session, text),
        "encoding" if text.to_ascii_uppercase().replace('-', "") == "UTF8" => Ok(()),
        "encoding" => Err(PgError::unsupported(
            format!("encoding \"{text}\" is not supported"),
            "Databases are in UTF8.",
        )),
        "lc_collate" | "locale" if matches!(text, "C" | "POSIX" | "C.UTF-8" | "C.utf8") => Ok(()),
        "lc_ctype" if matches!(text, "C" | "POSIX" | "C.UTF-8" | "C.utf8") => Ok(()),
        "locale_provider" if text.eq_ignore_ascii_case("libc") => Ok(()),
        "lc_collate" | "lc_ctype" | "locale" | "locale_provider" | "icu_locale" => {
            Err(PgError::unsupported(
                format!("{} \"{text}\" is not supported", name.to_uppercase()),
                "Text is compared byte by byte, as under the locale C.",
            ))
        }
        "tablespace" if text == "pg_default" => Ok(()),
        "tablespace" => Err(PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("tablespace \"{text}\" does not exist"),
        )),
        "strategy" if matches!(text.to_lowercase().as_str(), "wal_log" | "file_copy") => Ok(()),
        _ => set_option(database, &name, &option.value),
    }
}

/// An option that ALTER DATABASE has too.
fn set_option(database: &mut Database, name: &str, value: &OptionValue) -> Result<(), PgError> {
    let text = value.text();
    match name {
        "connection_limit" => {
            let limit = text.parse::<i32>().ok().filter(|limit| *limit >= -1);
            database.connection_limit = limit.ok_or_else(|| {
                PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("invalid connection limit: {text}"),
                )
            })?;
        }
        "is_template" => database.is_template = boolean(name, text)?,
        "allow_connections" => database.allow_connections = boolean(name, text)?,
        _ => {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("option \"{name}\" not recognized"),
            ));
        }
    }
    Ok(())
}

fn boolean(name: &str, text: &str) -> Result<bool, PgError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))),
    }
}

/// A template must be empty: what a database holds is not copied.
fn template(session: &Session, name: &str) -> Result<(), PgError> {
    if matches!(name, "template0" | "template1") {
        return Ok(());
    }
    let Some(state) = session.engine.database(name) else {
        return Err(PgError::new(
            SqlState::INVALID_CATALOG_NAME,
            format!("template database \"{name}\" does not exist"),
        ));
    };
    if state.latest().catalog.relations.keys().all(|oid| *oid < Oid::FIRST_NORMAL) {
        return Ok(());
    }
    Err(PgError::unsupported(
        "copying a database that is not empty is not supported",
        "Use TEMPLATE template0, and pg_dump.",
    ))
}

fn owner(session: &Session, name: &str) -> Result<Oid, PgError> {
    let role = session.engine.known_role(name).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
    })?;
    if !session.shared.caller().is_member(role.oid) {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("must be member of role \"{name}\""),
        ));
    }
    Ok(role.oid)
}

/// A database that the caller owns.
fn owned(session: &Session, name: &str) -> Result<Database, PgError> {
    let cluster = session.engine.cluster.latest();
    let found = cluster.databases.values().find(|database| database.name == name).cloned();
    let database = found.ok_or_else(|| missing(name))?;
    if !session.shared.caller().has(database.owner) {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("must be owner of database {name}"),
        ));
    }
    Ok(database)
}

pub(super) async fn alter(
    session: &mut Session,
    name: &Ident,
    action: &DatabaseAction,
) -> Result<(), PgError> {
    let name = fold(name);
    let mut database = owned(session, &name)?;
    match action {
        DatabaseAction::Rename(new) => {
            let new = fold(new);
            let caller = session.shared.caller();
            let cluster = session.engine.cluster.latest();
            let may = caller.superuser
                || cluster.roles.get(&caller.role).is_some_and(|role| role.create_db);
            if !may {
                return Err(PgError::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    "permission denied to rename database",
                ));
            }
            if session.engine.database(&new).is_some() {
                return Err(exists(&new));
            }
            if database.oid == session.database.oid() {
                return Err(PgError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "current database cannot be renamed",
                ));
            }
            require_unused(session, &database).await?;
            database.name = new;
        }
        DatabaseAction::Owner(role) => database.owner = owner(session, &fold(role))?,
        DatabaseAction::Options(options) => {
            for option in options {
                let option_name = fold(&option.name).to_lowercase();
                set_option(&mut database, &option_name, &option.value)?;
            }
        }
    }
    change(session, |databases| {
        databases.insert(database.oid, database.clone());
    })
    .await?;
    session.engine.redefine_database(&name, &database);
    Ok(())
}

pub(super) async fn drop(
    session: &mut Session,
    if_exists: bool,
    name: &Ident,
    force: bool,
) -> Result<(), PgError> {
    let name = fold(name);
    let database = match owned(session, &name) {
        Ok(database) => database,
        Err(error) if if_exists && error.code() == SqlState::INVALID_CATALOG_NAME => {
            let notice = format!("database \"{name}\" does not exist, skipping");
            session.shared.notify(PgError::notice(notice));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if database.oid == session.database.oid() {
        return Err(PgError::new(
            SqlState::OBJECT_IN_USE,
            "cannot drop the currently open database",
        ));
    }
    if database.is_template {
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, "cannot drop a template database"));
    }
    if force {
        end_sessions(session, &database);
    }
    require_unused(session, &database).await?;
    change(session, |databases| {
        databases.remove(&database.oid);
    })
    .await?;
    session.engine.remove_database(&name);
    Ok(())
}

/// Sessions that are connected to a database.
fn sessions_of(
    session: &Session,
    database: &Database,
) -> Vec<Arc<crate::session::shared::SessionShared>> {
    let all = session.engine.all_sessions().into_iter();
    all.filter(|one| one.catalog().database.oid == database.oid).collect()
}

fn end_sessions(session: &Session, database: &Database) {
    for one in sessions_of(session, database) {
        one.end(PgError::new(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection due to administrator command",
        ));
    }
}

/// Waits a while for other sessions to leave, as whoever closed a connection may come before its end.
async fn require_unused(session: &Session, database: &Database) -> Result<(), PgError> {
    let gone = async {
        while !sessions_of(session, database).is_empty() {
            tokio::time::sleep(ENDING_POLL).await;
        }
    };
    let token = session.shared.token();
    tokio::select! {
        () = gone => return Ok(()),
        () = token.cancelled() => return Err(session.shared.canceled()),
        () = tokio::time::sleep(ENDING_WAIT) => {}
    }
    let count = sessions_of(session, database).len();
    let plural = if count == 1 { "session" } else { "sessions" };
    Err(PgError::new(
        SqlState::OBJECT_IN_USE,
        format!("database \"{}\" is being accessed by other users", database.name),
    )
    .detail(format!("There are {count} other {plural} using the database.")))
}

/// Commits a change of the cluster's databases.
async fn change(
    session: &mut Session,
    change: impl FnOnce(&mut std::collections::BTreeMap<Oid, Database>),
) -> Result<(), PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &mut session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let mut catalog = crate::catalog::Catalog::clone(&transaction.catalog);
    change(&mut catalog.cluster_mut().databases);
    transaction.set_catalog(catalog);
    // The implicit transaction's own commit: what follows relies on it.
    session.finish().await
}
