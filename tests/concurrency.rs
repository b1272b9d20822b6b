//! Transactions that overlap: each test stops all of them between their last write and their commit, which they reach
//! together or not at all.

use std::sync::Arc;
use std::time::Duration;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use tokio::sync::Barrier;

async fn open() -> Arc<Engine> {
    let login = LoginPolicy::TrustLoopback;
    Engine::open(EngineOptions { login, ..EngineOptions::default() }).await.unwrap()
}

async fn run(session: &mut Session, text: &str) {
    session.run_text(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Who waits for another where nobody should fails after this time.
const IMPATIENT: &str = "SET lock_timeout = '20s'";
const ALL_TOGETHER: Duration = Duration::from_secs(60);

/// Runs `writes` of each client in a transaction of a level; all commit when the last of them has written.
async fn overlap(engine: &Arc<Engine>, level: &str, writes: Vec<Vec<String>>) {
    let barrier = Arc::new(Barrier::new(writes.len()));
    let mut clients = Vec::new();
    for writes in writes {
        let mut session = Session::local(engine, "graphwire").await.unwrap();
        run(&mut session, IMPATIENT).await;
        let (barrier, begin) = (Arc::clone(&barrier), format!("BEGIN ISOLATION LEVEL {level}"));
        clients.push(tokio::spawn(async move {
            run(&mut session, &begin).await;
            for write in &writes {
                run(&mut session, write).await;
            }
            let all = tokio::time::timeout(ALL_TOGETHER, barrier.wait()).await;
            assert!(all.is_ok(), "another writer could not write while this one had not committed");
            run(&mut session, "COMMIT").await;
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

async fn one_value(engine: &Arc<Engine>, query: &str) -> String {
    let mut session = Session::local(engine, "graphwire").await.unwrap();
    let results = session.run_text(query).await.unwrap();
    let settings = session.output_settings();
    let text = graphwire::session::display::text_table(results.last().unwrap(), &settings).unwrap();
    text.lines().nth(2).unwrap_or_default().trim().to_owned()
}

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, v int, word text UNIQUE); \
     INSERT INTO t SELECT n, 0, 'word ' || n FROM generate_series(1, 1000) AS s(n)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_different_rows_overlap() {
    let engine = open().await;
    run(&mut Session::local(&engine, "graphwire").await.unwrap(), SETUP).await;
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let writes = |id: i32| {
            vec![
                format!("UPDATE t SET v = v + 1 WHERE id = {id}"),
                format!("UPDATE t SET word = word || '.' WHERE id = {}", id + 2),
                format!("DELETE FROM t WHERE id = {}", id + 4),
                format!("INSERT INTO t VALUES ({}, 0, 'word {}')", id + 4, id + 4),
            ]
        };
        overlap(&engine, level, vec![writes(1), writes(2)]).await;
    }
    let seen = "SELECT sum(v) || ' ' || count(*) || ' ' || sum(length(word)) FROM t";
    assert_eq!(one_value(&engine, seen).await, "6 1000 7899");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_one_row_do_not_overlap() {
    // The other way round, so that the test above is known to be able to fail.
    let engine = open().await;
    run(&mut Session::local(&engine, "graphwire").await.unwrap(), SETUP).await;
    let mut first = Session::local(&engine, "graphwire").await.unwrap();
    let mut second = Session::local(&engine, "graphwire").await.unwrap();
    run(&mut first, "BEGIN; UPDATE t SET v = 1 WHERE id = 1").await;
    run(&mut second, "SET lock_timeout = '50ms'").await;
    let error = second.run_text("UPDATE t SET v = 2 WHERE id = 1").await.unwrap_err();
    assert_eq!(error.code().0, "55P03", "{error}");
}

/// Keys that are read and written by one each: by equality, by a range, new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serializable_transactions_on_disjoint_keys_neither_wait_nor_abort() {
    const CLIENTS: i32 = 16;
    let engine = open().await;
    run(&mut Session::local(&engine, "graphwire").await.unwrap(), SETUP).await;
    for round in 0..5 {
        let writes = |client: i32| {
            let (from, new) = (client * 10 + 1, 2000 + round * CLIENTS + client);
            vec![
                format!("SELECT v FROM t WHERE id = {from}"),
                format!("UPDATE t SET v = v + 1 WHERE id = {from}"),
                format!("SELECT sum(v) FROM t WHERE id BETWEEN {} AND {}", from + 1, from + 8),
                format!("UPDATE t SET v = v + 1 WHERE id BETWEEN {} AND {}", from + 1, from + 8),
                format!("SELECT v FROM t WHERE id = {new}"),
                format!("INSERT INTO t VALUES ({new}, 1, 'new {new}')"),
            ]
        };
        overlap(&engine, "SERIALIZABLE", (0..CLIENTS).map(writes).collect()).await;
    }
    let expected = 5 * CLIENTS * (1 + 8 + 1);
    assert_eq!(one_value(&engine, "SELECT sum(v) FROM t").await, expected.to_string());
}
