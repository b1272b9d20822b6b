//! The runner of `../common/checks.py` for the clients written in Rust.
//!
//! A check is a function that returns an error or panics to fail.  `run` gives each a thread and a
//! time limit, prints a line for each, and ends with `N passed, N failed, N skipped`.
use std::error::Error;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::time::Duration;

pub type Outcome = Result<(), Box<dyn Error>>;

#[derive(Clone, Copy)]
pub struct Check {
    pub name: &'static str,
    pub body: fn() -> Outcome,
    /// It asks a property graph, so it is skipped where the server is PostgreSQL.
    pub graph: bool,
}

pub const fn check(name: &'static str, body: fn() -> Outcome) -> Check {
    Check { name, body, graph: false }
}

pub const fn graph_check(name: &'static str, body: fn() -> Outcome) -> Check {
    Check { name, body, graph: true }
}

/// A connection string of libpq's, of the server that PGHOST and its like name.
pub fn connection_string() -> String {
    let mut text = format!(
        "host={} port={} user={} dbname={}",
        variable("PGHOST", "127.0.0.1"),
        variable("PGPORT", "5432"),
        variable("PGUSER", "graphwire"),
        variable("PGDATABASE", "graphwire"),
    );
    if let Ok(password) = std::env::var("PGPASSWORD") {
        text.push_str(&format!(" password={password}"));
    }
    text
}

/// The same as a URL.
pub fn connection_url() -> String {
    let password = std::env::var("PGPASSWORD").map(|p| format!(":{p}")).unwrap_or_default();
    format!(
        "postgres://{}{password}@{}:{}/{}",
        variable("PGUSER", "graphwire"),
        variable("PGHOST", "127.0.0.1"),
        variable("PGPORT", "5432"),
        variable("PGDATABASE", "graphwire"),
    )
}

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

pub const GRAPH_SQL: &str = include_str!("../../common/graph.sql");

/// Runs the checks and ends the process: with 1 if one failed.
pub fn run(checks: &[Check], is_graphwire: bool) -> ! {
    let wanted = std::env::var("COMPAT_ONLY").unwrap_or_default();
    let seconds = variable("COMPAT_SECONDS_MAX", "60").parse().unwrap_or(60);
    std::panic::set_hook(Box::new(|_| {}));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for check in checks.iter().filter(|check| check.name.contains(&wanted)) {
        if check.graph && !is_graphwire {
            println!("skipped  {}: no property graphs here", check.name);
            skipped += 1;
            continue;
        }
        match outcome_of(check.body, Duration::from_secs(seconds)) {
            Ok(()) => {
                println!("ok       {}", check.name);
                passed += 1;
            }
            Err(why) => {
                println!("FAILED   {}: {}", check.name, why.replace('\n', " | "));
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    std::process::exit(i32::from(failed > 0 || passed == 0));
}

fn outcome_of(body: fn() -> Outcome, limit: Duration) -> Result<(), String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let outcome = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(with_causes(error.as_ref())),
            Err(panic) => Err(panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "panicked".to_owned())),
        };
        let _ = send.send(outcome);
    });
    match receive.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => Err(format!("no answer within {} s", limit.as_secs())),
        Err(RecvTimeoutError::Disconnected) => Err("the check's thread ended".to_owned()),
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
