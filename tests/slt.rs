//! sqllogictest files three ways: on a session of an in-process engine, on the wire in the simple protocol, and on the
//! wire in the extended protocol with binary results.
//!
//! Records that fail are held to `slt_expected_failures.txt` (`way file:line`), which may only shrink.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono_tz::Tz;
use futures::TryStreamExt as _;
use graphwire::error::PgError;
use graphwire::server::{Server, ServerOptions};
use graphwire::session::display::cells;
use graphwire::session::{Engine, EngineOptions, Finished, LoginPolicy, ObjectNames, Session};
use graphwire::types::PgType;
use sqllogictest::{AsyncDB, Connection, DBOutput, DefaultColumnType, Record, Runner};
use tokio_util::sync::CancellationToken;

use crate::binary_text::{Cell, Text};

/// A failed statement: its SQLSTATE first, as files assert it.
#[derive(Debug)]
struct Failure {
    code: String,
    message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self { code: error.code().to_string(), message: error.to_string() }
    }
}

/// A statement on a [`Session`], without a wire.
struct OnSession(Session);

fn shown(cell: Option<String>) -> String {
    match cell {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        Some(text) => text,
    }
}

#[async_trait]
impl AsyncDB for OnSession {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let results = self.0.run_text(sql).await?;
        let Some(last) = results.last() else { return Ok(DBOutput::StatementComplete(0)) };
        let Some(columns) = &last.columns else { return Ok(DBOutput::StatementComplete(0)) };
        // Numbers of objects are names on the wire.
        let objects: Vec<(usize, PgType)> = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| ObjectNames::are_for(&column.ty))
            .map(|(at, column)| (at, column.ty.clone()))
            .collect();
        let named = columns.iter().cloned().map(|mut column| {
            if ObjectNames::are_for(&column.ty) {
                column.ty = ObjectNames::written(&column.ty);
            }
            column
        });
        let names = self.0.object_names();
        let last = &Finished {
            columns: Some(named.collect()),
            batches: last
                .batches
                .iter()
                .map(|batch| names.write(batch.clone(), &objects))
                .collect::<Result<_, PgError>>()?,
            tag: last.tag.clone(),
        };
        let Some(columns) = &last.columns else { return Ok(DBOutput::StatementComplete(0)) };
        let types = vec![DefaultColumnType::Text; columns.len()];
        // A Boolean is t or f on the wire, and true or false only in a cast.
        let is_bool: Vec<bool> = columns.iter().map(|column| column.ty.category() == 'B').collect();
        let rows = cells(last, &self.0.output_settings())?
            .into_iter()
            .map(|row| {
                row.into_iter()
                    .zip(&is_bool)
                    .map(|(cell, is_bool)| {
                        let cell =
                            if *is_bool { cell.map(|text| text[..1].to_owned()) } else { cell };
                        shown(cell)
                    })
                    .collect()
            })
            .collect();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "graphwire"
    }

    fn error_sql_state(error: &Failure) -> Option<String> {
        Some(error.code.clone())
    }
}

/// A statement in the simple protocol.
struct OnWire(tokio_postgres::Client);

fn of_client(error: &tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        Some(error) => {
            Failure { code: error.code().code().to_owned(), message: error.message().to_owned() }
        }
        None => Failure { code: "08006".to_owned(), message: error.to_string() },
    }
}

#[async_trait]
impl AsyncDB for OnWire {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        use tokio_postgres::SimpleQueryMessage as Message;
        let messages = self.0.simple_query(sql).await.map_err(|error| of_client(&error))?;
        let mut width = None;
        let mut rows = Vec::new();
        for message in messages {
            match message {
                Message::RowDescription(columns) => {
                    width = Some(columns.len());
                    rows.clear();
                }
                Message::Row(row) => {
                    rows.push(
                        (0..row.len()).map(|at| shown(row.get(at).map(str::to_owned))).collect(),
                    );
                }
                _ => {}
            }
        }
        Ok(match width {
            Some(width) => DBOutput::Rows { types: vec![DefaultColumnType::Text; width], rows },
            None => DBOutput::StatementComplete(0),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "graphwire"
    }

    fn error_sql_state(error: &Failure) -> Option<String> {
        Some(error.code.clone())
    }
}

/// A statement in the extended protocol, its results in binary and read back to text.
struct InBinary {
    simple: OnWire,
    zone: Tz,
}

/// Words whose statements may change the time zone, also by undoing that.
const CHANGES_SETTINGS: [&str; 6] = ["set", "reset", "rollback", "commit", "end", "discard"];

fn malformed(message: String) -> Failure {
    Failure { code: "08P01".to_owned(), message }
}

impl InBinary {
    fn client(&self) -> &tokio_postgres::Client {
        &self.simple.0
    }

    /// Several statements go in the simple protocol: the extended one takes one at a time.
    fn is_script(sql: &str) -> bool {
        sql.trim_end().trim_end_matches(';').contains(';')
    }

    async fn one_text(&mut self, sql: &str) -> Result<String, Failure> {
        match self.simple.run(sql).await? {
            DBOutput::Rows { rows, .. } => {
                Ok(rows.into_iter().flatten().next().unwrap_or_default())
            }
            _ => Ok(String::new()),
        }
    }

    async fn follow_time_zone(&mut self, sql: &str) -> Result<(), Failure> {
        let first = sql.split_whitespace().next().unwrap_or_default().trim_end_matches(';');
        if CHANGES_SETTINGS.iter().any(|word| first.eq_ignore_ascii_case(word)) {
            let zone = self.one_text("SHOW TimeZone").await?;
            self.zone = zone.parse().map_err(|_| malformed(format!("time zone {zone}")))?;
        }
        Ok(())
    }
}

#[async_trait]
impl AsyncDB for InBinary {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        if Self::is_script(sql) {
            let output = self.simple.run(sql).await?;
            self.follow_time_zone("set").await?;
            return Ok(output);
        }
        let statement = self.client().prepare(sql).await.map_err(|error| of_client(&error))?;
        if !statement.params().is_empty() {
            let message = "there is no parameter $1".to_owned();
            return Err(Failure { code: "42P02".to_owned(), message });
        }
        let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
        let stream =
            self.client().query_raw(&statement, none).await.map_err(|error| of_client(&error))?;
        let found: Vec<tokio_postgres::Row> =
            stream.try_collect().await.map_err(|error| of_client(&error))?;
        self.follow_time_zone(sql).await?;
        let width = statement.columns().len();
        if width == 0 && found.is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let mut cells = Vec::with_capacity(width);
            for at in 0..width {
                let cell: Option<Cell> = row.try_get(at).map_err(|error| of_client(&error))?;
                let text = match cell {
                    None => None,
                    Some(cell) => Some(match cell.text(self.zone).map_err(malformed)? {
                        Text::Known(text) => text,
                        Text::Lookup(expression) => {
                            self.one_text(&format!("SELECT {expression}")).await?
                        }
                    }),
                };
                cells.push(shown(text));
            }
            rows.push(cells);
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Text; width], rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "graphwire"
    }

    fn error_sql_state(error: &Failure) -> Option<String> {
        Some(error.code.clone())
    }
}

/// All files, or those with `SLT_ONLY` in their path.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let only = std::env::var("SLT_ONLY").unwrap_or_default();
    let mut files = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt")
                && path.to_string_lossy().contains(&only)
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

async fn engine() -> Arc<Engine> {
    let options = EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() };
    Engine::open(options).await.unwrap()
}

/// Runs every record of a file and gives the places of those that fail. What stands behind `connection alice` is run
/// in a session of the role alice, up to the next `connection` (sqllogictest itself means the next record alone).
async fn run_file<D: AsyncDB<ColumnType = DefaultColumnType>>(
    way: &str,
    path: &Path,
    connect: impl AsyncFn(&str) -> Result<D, D::Error>,
    failed: &mut BTreeSet<String>,
    count: &mut usize,
) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let name = path.strip_prefix(&root).unwrap().display().to_string();
    let user = std::sync::Mutex::new("graphwire".to_owned());
    let mut runner = Runner::new(async || {
        let user = user.lock().unwrap().clone();
        connect(&user).await
    });
    let mut current = Connection::Default;
    for mut record in sqllogictest::parse_file::<DefaultColumnType>(path).unwrap() {
        let line = match &mut record {
            Record::Statement { loc, connection, .. } | Record::Query { loc, connection, .. } => {
                connection.clone_from(&current);
                loc.line()
            }
            Record::Connection(connection) => {
                current = connection.clone();
                *user.lock().unwrap() = match connection {
                    Connection::Named(name) => name.clone(),
                    Connection::Default => "graphwire".to_owned(),
                };
                0
            }
            _ => 0,
        };
        let counted = line > 0;
        *count += usize::from(counted);
        if let Err(error) = runner.run_async(record).await
            && counted
        {
            let place = format!("{way} {name}:{line}");
            if std::env::var_os("SLT_VERBOSE").is_some() {
                println!("--- {place}\n{error}");
            }
            failed.insert(place);
        }
    }
}

fn expected() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt_expected_failures.txt");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Compares what failed with what is known to fail; `SLT_BLESS=1` writes the list anew.
fn judge(way: &str, failed: &BTreeSet<String>, count: usize) {
    let known: BTreeSet<String> =
        expected().into_iter().filter(|line| line.split(' ').next() == Some(way)).collect();
    println!("{way}: {} of {count} records as expected by their files", count - failed.len());
    if std::env::var_os("SLT_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt_expected_failures.txt");
        let mut all: BTreeSet<String> = expected();
        all.retain(|line| line.split(' ').next() != Some(way));
        all.extend(failed.iter().cloned());
        let text: Vec<String> = all.into_iter().collect();
        let head = "# Records of tests/slt that do not give PostgreSQL's answer yet. This list may only shrink.\n";
        std::fs::write(path, format!("{head}{}\n", text.join("\n"))).unwrap();
        return;
    }
    let new: Vec<_> = failed.difference(&known).collect();
    let gone: Vec<_> = known.difference(failed).collect();
    assert!(new.is_empty(), "these fail and are not listed: {new:#?}");
    assert!(gone.is_empty(), "these pass and are listed, take them out: {gone:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_session() {
    let (mut failed, mut count) = (BTreeSet::new(), 0);
    for path in files() {
        let engine = engine().await;
        let connect = async |user: &str| {
            let session = Session::local_as(&engine, "graphwire", user).await;
            session.map(OnSession).map_err(Failure::from)
        };
        run_file("session", &path, connect, &mut failed, &mut count).await;
    }
    judge("session", &failed, count);
}

/// Runs all files against servers of their own.
async fn against_servers<D: AsyncDB<ColumnType = DefaultColumnType, Error = Failure>>(
    way: &str,
    of_client: impl Fn(tokio_postgres::Client) -> D,
) {
    let (mut failed, mut count) = (BTreeSet::new(), 0);
    for path in files() {
        let options =
            ServerOptions { listen: "127.0.0.1:0".to_owned(), ..ServerOptions::default() };
        let server = Server::bind(options, engine().await).await.unwrap();
        let port = server.local_addr().port();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(stop.clone()));
        let connect = async |user: &str| connect(port, user.to_owned()).await.map(&of_client);
        run_file(way, &path, connect, &mut failed, &mut count).await;
        stop.cancel();
        let _ = serving.await;
    }
    judge(way, &failed, count);
}

async fn connect(port: u16, user: String) -> Result<tokio_postgres::Client, Failure> {
    let config = format!("host=127.0.0.1 port={port} user={user} dbname=graphwire");
    let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls)
        .await
        .map_err(|error| of_client(&error))?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_wire() {
    against_servers("wire", OnWire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_binary() {
    let of_client = |client| InBinary { simple: OnWire(client), zone: chrono_tz::UTC };
    against_servers("binary", of_client).await;
}
