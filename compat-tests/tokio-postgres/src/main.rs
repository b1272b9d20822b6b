//! What programs do with tokio-postgres; every value here goes and comes in binary.
mod copy;
mod session;
mod statements;
mod types;

use checks::{connection_string, Outcome};
use std::future::Future;
use tokio_postgres::{Client, NoTls};

/// Runs the body on a connection and in a schema of its own.
fn with_client<F, R>(body: F) -> Outcome
where
    F: FnOnce(Client) -> R,
    R: Future<Output = Outcome>,
{
    runtime()?.block_on(async {
        let client = connect().await?;
        client
            .batch_execute("DROP SCHEMA IF EXISTS tokio_pg CASCADE; CREATE SCHEMA tokio_pg; SET search_path = tokio_pg")
            .await?;
        body(client).await
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn connect() -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&connection_string(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Fails unless this is an error of the server with this SQLSTATE.
#[track_caller]
fn expect_code<T>(result: Result<T, tokio_postgres::Error>, code: &str) -> tokio_postgres::error::DbError {
    let error = result.err().expect("no error");
    let database = error.as_db_error().unwrap_or_else(|| panic!("not of the server: {error:?}")).clone();
    assert_eq!(database.code().code(), code, "{database:?}");
    database
}

fn main() {
    let is_graphwire = runtime().ok().is_some_and(|runtime| {
        runtime.block_on(async {
            let Ok(client) = connect().await else { return false };
            let version = client.query_one("SELECT version()", &[]).await;
            version.is_ok_and(|row| row.get::<_, String>(0).contains("graphwire"))
        })
    });
    let all = [types::CHECKS, statements::CHECKS, copy::CHECKS, session::CHECKS].concat();
    checks::run(&all, is_graphwire);
}
