//! What programs do with sqlx on tokio: migrations, describing, pools, types, transactions.
mod migrations;
mod statements;
mod types;

use checks::{connection_url, Outcome};
use sqlx::{Connection, Executor, PgConnection};
use std::future::Future;

/// Runs the body on a connection and in a schema of its own.
fn with_connection<F, R>(body: F) -> Outcome
where
    F: FnOnce(PgConnection) -> R,
    R: Future<Output = Outcome>,
{
    runtime()?.block_on(async {
        let mut connection = PgConnection::connect(&connection_url()).await?;
        fresh_schema(&mut connection).await?;
        body(connection).await
    })
}

async fn fresh_schema(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection
        .execute("DROP SCHEMA IF EXISTS sqlx_checks CASCADE; CREATE SCHEMA sqlx_checks; SET search_path = sqlx_checks")
        .await?;
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Fails unless this is an error of the server with this SQLSTATE.
#[track_caller]
fn expect_code<T>(result: Result<T, sqlx::Error>, code: &str) -> Box<sqlx::postgres::PgDatabaseError> {
    match result {
        Ok(_) => panic!("no error, expected {code}"),
        Err(sqlx::Error::Database(error)) => {
            let error = error.downcast::<sqlx::postgres::PgDatabaseError>();
            assert_eq!(error.code(), code, "{error}");
            error
        }
        Err(error) => panic!("not of the server: {error}"),
    }
}

fn main() {
    let is_graphwire = runtime().ok().is_some_and(|runtime| {
        runtime.block_on(async {
            let Ok(mut connection) = PgConnection::connect(&connection_url()).await else { return false };
            let version = sqlx::query_scalar::<_, String>("SELECT version()").fetch_one(&mut connection).await;
            version.is_ok_and(|version| version.contains("graphwire"))
        })
    });
    let all = [migrations::CHECKS, statements::CHECKS, types::CHECKS].concat();
    checks::run(&all, is_graphwire);
}
