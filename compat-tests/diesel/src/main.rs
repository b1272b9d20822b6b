//! What programs do with diesel over libpq: migrations, its query builder, types.
mod queries;
mod schema;
mod session;
mod types;

use checks::{connection_url, Outcome};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel_migrations::{embed_migrations, EmbeddedMigrations, MigrationHarness};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// A connection and a schema of its own.
fn fresh() -> Result<PgConnection, Box<dyn std::error::Error>> {
    let mut connection = PgConnection::establish(&connection_url())?;
    connection.batch_execute(
        "DROP SCHEMA IF EXISTS diesel_checks CASCADE; CREATE SCHEMA diesel_checks; SET search_path = diesel_checks",
    )?;
    Ok(connection)
}

/// The same, with the tables of the migrations.
fn migrated() -> Result<PgConnection, Box<dyn std::error::Error>> {
    let mut connection = fresh()?;
    connection.run_pending_migrations(MIGRATIONS).map_err(|error| error.to_string())?;
    Ok(connection)
}

fn with_tables(body: fn(&mut PgConnection) -> Outcome) -> Outcome {
    body(&mut migrated()?)
}

#[track_caller]
fn expect_kind<T>(result: QueryResult<T>, kind: &DatabaseErrorKind) -> Box<dyn diesel::result::DatabaseErrorInformation + Send + Sync> {
    match result {
        Ok(_) => panic!("no error, expected {kind:?}"),
        Err(Error::DatabaseError(found, information)) => {
            assert_eq!(format!("{found:?}"), format!("{kind:?}"), "{}", information.message());
            information
        }
        Err(error) => panic!("not of the server: {error}"),
    }
}

fn main() {
    let is_graphwire = PgConnection::establish(&connection_url()).is_ok_and(|mut connection| {
        let version = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("version()")).get_result::<String>(&mut connection);
        version.is_ok_and(|version| version.contains("graphwire"))
    });
    let all = [session::CHECKS, queries::CHECKS, types::CHECKS].concat();
    checks::run(&all, is_graphwire);
}
