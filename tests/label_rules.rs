//! Constraints on labels of open graphs: with transactions side by side, and after a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use graphwire::storage::StoreOptions;

async fn open(folder: Option<&Path>) -> Arc<Engine> {
    let login = LoginPolicy::TrustLoopback;
    let store = folder.map(StoreOptions::local);
    Engine::open(EngineOptions { login, store, ..EngineOptions::default() }).await.unwrap()
}

async fn session(engine: &Arc<Engine>) -> Session {
    Session::local(engine, "graphwire").await.unwrap()
}

async fn run(session: &mut Session, text: &str) {
    session.run_text(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
}

async fn code(session: &mut Session, text: &str) -> String {
    let failed = session.run_text(text).await.err();
    failed.map_or_else(|| "done".to_owned(), |error| error.code().to_string())
}

/// What the second of two transactions gets that wrote while the first had not committed.
async fn second(engine: &Arc<Engine>, first: &str, second: &'static str) -> String {
    let (mut one, mut other) = (session(engine).await, session(engine).await);
    run(&mut one, "BEGIN").await;
    run(&mut one, first).await;
    let waiting = tokio::spawn(async move {
        let outcome = code(&mut other, second).await;
        (outcome, other)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "{second} did not wait for {first}");
    run(&mut one, "COMMIT").await;
    let (outcome, _) =
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_unique_across_partitions_and_transactions() {
    let engine = open(None).await;
    let mut user = session(&engine).await;
    run(&mut user, "CREATE PROPERTY GRAPH g ANY").await;
    run(&mut user, "CREATE CONSTRAINT p FOR (n:P) REQUIRE n.k IS UNIQUE").await;
    for (first, then, outcome) in [
        ("CREATE (:P {k: 1})", "CREATE (:P {k: 1})", "23505"),
        ("CREATE (:P:A {k: 2})", "CREATE (:P:B {k: 2})", "23505"),
        ("CREATE (:P:C {k: 3})", "CREATE (:P {k: 3})", "23505"),
        ("CREATE (:Q {k: 4}) WITH 1 AS one MATCH (q:Q) SET q:P", "CREATE (:P {k: 4})", "23505"),
        ("CREATE (:P {k: 5})", "MERGE (p:P {k: 5}) SET p.found = true", "done"),
        ("MATCH (p:P {k: 5}) DELETE p", "CREATE (:P {k: 5})", "done"),
    ] {
        assert_eq!(second(&engine, first, then).await, outcome, "{first}; {then}");
    }
    // A new constraint waits for who writes, and who writes for it.
    let late = "CREATE CONSTRAINT d FOR (n:D) REQUIRE n.k IS UNIQUE";
    assert_eq!(second(&engine, "CREATE (:D {k: 1}), (:D:E {k: 1})", late).await, "23505");
    let rule = "CREATE CONSTRAINT f FOR (n:F) REQUIRE n.k IS UNIQUE";
    assert_eq!(second(&engine, rule, "CREATE (:F {k: 1}), (:F:E {k: 1})").await, "23505");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn constraints_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let engine = open(Some(folder.path())).await;
        let mut user = session(&engine).await;
        run(&mut user, "CREATE PROPERTY GRAPH g ANY").await;
        run(&mut user, "CREATE CONSTRAINT k FOR (n:P) REQUIRE n.k IS NODE KEY").await;
        run(&mut user, "CREATE (:P {k: 'a'}), (:P:A {k: 'b'})").await;
        drop(user);
        tokio::task::spawn_blocking(move || engine.close().unwrap()).await.unwrap();
    }
    let engine = open(Some(folder.path())).await;
    let mut user = session(&engine).await;
    assert_eq!(code(&mut user, "CREATE (:P {k: 'b'})").await, "23505");
    assert_eq!(code(&mut user, "CREATE (:P:New {k: 'a'})").await, "23505");
    assert_eq!(code(&mut user, "CREATE (:P:New)").await, "23502");
    assert_eq!(code(&mut user, "CREATE (:P:New {k: 'c'})").await, "done");
    assert_eq!(code(&mut user, "DROP CONSTRAINT k").await, "done");
    assert_eq!(code(&mut user, "CREATE (:P {k: 'a'})").await, "done");
}
