//! SQL on a disk that fails: at any operation it fails, is full from there on, or the machine stops.
//!
//! What an engine without a disk holds after the statements that were acknowledged is what must be found; the statement
//! whose fate nobody knows may be there or not, but not half. `GRAPHWIRE_FAULTS_STEP=1` tries every operation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::display::text_table;
use super::{Engine, EngineOptions, LoginPolicy, Session};
use crate::error::PgError;
use crate::storage::fs::simulated::{Fault, SimulatedFileSystem};
use crate::storage::wal::LogOptions;
use crate::storage::{StoreOptions, verify};

/// Every so many operations one is tried, another for each kind of fault.
const STEP: u64 = 7;

/// A statement, or one of these words.
const CHECKPOINT: &str = "checkpoint";

const SETUP: &str = "CREATE TABLE account (id int PRIMARY KEY, owner text UNIQUE, balance int); \
     CREATE TABLE entry (id serial PRIMARY KEY, account int REFERENCES account, amount int); \
     INSERT INTO account SELECT n, 'owner ' || n, 100 FROM generate_series(1, 60) AS s(n)";

const WORKLOADS: &[&[&str]] = &[
    // Rows that come, change and go, in and out of files.
    &[
        "INSERT INTO entry (account, amount) VALUES (1, 5), (2, 7)",
        "UPDATE account SET balance = balance + 5 WHERE id = 1",
        CHECKPOINT,
        "BEGIN; UPDATE account SET balance = balance - 9 WHERE id IN (2, 3); \
         INSERT INTO entry (account, amount) VALUES (3, -9); COMMIT",
        "DELETE FROM account WHERE id > 50",
        "UPDATE account SET owner = 'new ' || id WHERE id < 40",
        CHECKPOINT,
        "INSERT INTO account VALUES (1000, 'last', 0) ON CONFLICT DO NOTHING",
        "BEGIN; DELETE FROM entry; ROLLBACK",
        "DELETE FROM entry WHERE amount < 0",
    ],
    // Definitions that change between rows.
    &[
        "CREATE TABLE note (id int, body text); INSERT INTO note VALUES (1, 'one')",
        "ALTER TABLE note ADD COLUMN extra int DEFAULT 7",
        CHECKPOINT,
        "INSERT INTO note VALUES (2, repeat('long ', 2000), 8)",
        "CREATE UNIQUE INDEX note_id ON note (id)",
        "BEGIN; TRUNCATE note; INSERT INTO note VALUES (3, 'three', 9); COMMIT",
        "ALTER TABLE account DROP COLUMN owner",
        CHECKPOINT,
        "CREATE VIEW rich AS SELECT id FROM account WHERE balance > 50",
        "DROP TABLE entry",
    ],
];

const QUESTIONS: &[&str] = &[
    "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT * FROM account ORDER BY id",
    "SELECT * FROM entry ORDER BY id",
    "SELECT * FROM note ORDER BY id",
    "SELECT count(*) FROM rich",
    "SELECT count(*) FROM account WHERE id = 27",
];

fn options(fs: Option<&SimulatedFileSystem>) -> EngineOptions {
    let store = fs.map(|fs| StoreOptions {
        fs: Arc::new(fs.clone()),
        log: LogOptions { segment_bytes: 4 << 10, sync_delay: Duration::from_millis(1) },
        // Nothing that was read stays: what is not read from files right is found out.
        cache_bytes: 0,
        ..StoreOptions::local("/data")
    });
    EngineOptions { login: LoginPolicy::TrustLoopback, store, ..EngineOptions::default() }
}

async fn close(engine: Arc<Engine>) {
    // Whether it could write a last checkpoint is another question.
    let _ = tokio::task::spawn_blocking(move || engine.close()).await.unwrap();
}

async fn step(engine: &Arc<Engine>, step: &str) -> Result<(), PgError> {
    if step == CHECKPOINT {
        let engine = Arc::clone(engine);
        return tokio::task::spawn_blocking(move || engine.checkpoint()).await.unwrap();
    }
    let mut session = Session::local(engine, "graphwire").await?;
    // The log's thread writes some commits, and the session's the others.
    session.commit_here(step.len().is_multiple_of(2));
    session.run_text(step).await.map(|_| ())
}

/// All that can be seen; an error counts as an answer.
async fn dump(engine: &Arc<Engine>) -> String {
    let mut session = Session::local(engine, "graphwire").await.unwrap();
    let mut text = String::new();
    for question in QUESTIONS {
        match session.run_text(question).await {
            Ok(results) => {
                let settings = session.output_settings();
                text += &text_table(results.last().unwrap(), &settings).unwrap();
            }
            Err(error) => {
                assert_eq!(error.code().0, "42P01", "{question}: {error}");
                text += "none\n";
            }
        }
    }
    text
}

/// What must be seen after these statements.
struct Expected {
    known: HashMap<Vec<&'static str>, String>,
}

impl Expected {
    async fn after(&mut self, steps: &[&'static str]) -> String {
        if let Some(known) = self.known.get(steps) {
            return known.clone();
        }
        let engine = Engine::open(options(None)).await.unwrap();
        step(&engine, SETUP).await.unwrap();
        for text in steps {
            step(&engine, text).await.unwrap();
        }
        let text = dump(&engine).await;
        self.known.insert(steps.to_vec(), text.clone());
        text
    }
}

/// A disk that was set up and closed, as a start finds it.
async fn ready() -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new(1);
    let engine = Engine::open(options(Some(&fs))).await.unwrap();
    step(&engine, SETUP).await.unwrap();
    close(engine).await;
    fs
}

/// How a workload went.
#[derive(Default)]
struct Ran {
    acknowledged: Vec<&'static str>,
    /// The statement whose fate is not known.
    unknown: Option<&'static str>,
    failed: usize,
}

async fn run(fs: &SimulatedFileSystem, steps: &[&'static str], fault: Fault) -> Ran {
    let mut ran = Ran::default();
    fs.set_fault(fault);
    let Ok(engine) = Engine::open(options(Some(fs))).await else { return ran };
    for text in steps {
        match step(&engine, text).await {
            Ok(()) if *text == CHECKPOINT => {}
            Ok(()) => ran.acknowledged.push(text),
            Err(error) => {
                let code = error.code().0;
                // What failed before may be missed now.
                let is_expected = matches!(code, "53100" | "58030") || ran.failed > 0;
                assert!(is_expected, "{text}: {code} {error}");
                ran.failed += 1;
                if code == "58030" && *text != CHECKPOINT {
                    ran.unknown.get_or_insert(text);
                }
            }
        }
    }
    // The last checkpoint may fail as well; the log has everything then.
    close(engine).await;
    ran
}

async fn check(fs: &SimulatedFileSystem, ran: &Ran, expected: &mut Expected, what: &str) {
    let engine = Engine::open(options(Some(fs))).await;
    let engine = engine.unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = dump(&engine).await;
    let known = expected.after(&ran.acknowledged).await;
    let mut is_right = found == known;
    if let Some(unknown) = ran.unknown
        && !is_right
    {
        let more: Vec<_> = ran.acknowledged.iter().copied().chain([unknown]).collect();
        is_right = found == expected.after(&more).await;
    }
    assert!(is_right, "{what}: after {:?}\n{found}\nand not\n{known}", ran.acknowledged);
    step(&engine, "INSERT INTO account (id, balance) VALUES (5000, 1)").await.unwrap();
    let now = dump(&engine).await;
    close(engine).await;
    let inspected = options(Some(fs)).store.unwrap();
    let found = tokio::task::spawn_blocking(move || verify::inspect(&inspected)).await.unwrap();
    drop(found.unwrap_or_else(|error| panic!("{what}: {error}")));
    let engine = Engine::open(options(Some(&fs.after_crash()))).await.unwrap();
    assert_eq!(dump(&engine).await, now, "{what}: work after it is lost");
    close(engine).await;
}

/// Tries a kind of fault at operations of all workloads.
async fn try_all(fault: impl Fn(u64) -> Fault, first: u64) {
    let step = std::env::var("GRAPHWIRE_FAULTS_STEP").ok().and_then(|step| step.parse().ok());
    let step: u64 = step.unwrap_or(STEP);
    let base = ready().await;
    let mut tried = 0;
    for steps in WORKLOADS {
        let mut expected = Expected { known: HashMap::new() };
        let clean = base.copy();
        let before = clean.operations();
        let ran = run(&clean, steps, Fault::None).await;
        assert!(ran.unknown.is_none());
        let operations = clean.operations() - before;
        check(&clean.after_crash(), &ran, &mut expected, "nothing").await;
        for at in (first % step..operations).step_by(step as usize) {
            let fs = base.copy();
            let ran = run(&fs, steps, fault(at)).await;
            check(&fs.after_crash(), &ran, &mut expected, &format!("{:?}", fault(at))).await;
            tried += 1;
        }
    }
    println!("{tried} faults");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_may_stop_under_sql() {
    try_all(Fault::Stop, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_may_fail_under_sql() {
    try_all(Fault::Fail, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_may_be_full_under_sql() {
    try_all(Fault::Full, 4).await;
}
