//! Data directories: what is committed is there after a restart, and every format ever written can be read.

use std::path::Path;
use std::sync::Arc;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use graphwire::storage::StoreOptions;

async fn open(dir: &Path) -> Arc<Engine> {
    let options = EngineOptions {
        login: LoginPolicy::TrustLoopback,
        store: Some(StoreOptions::local(dir)),
        ..EngineOptions::default()
    };
    Engine::open(options).await.unwrap()
}

async fn close(engine: Arc<Engine>) {
    tokio::task::spawn_blocking(move || engine.close().unwrap()).await.unwrap();
}

/// The rows of a query as text, `|` between columns.
async fn rows(engine: &Arc<Engine>, query: &str) -> Vec<String> {
    let mut session = Session::local(engine, "graphwire").await.unwrap();
    let results = session.run_text(query).await.unwrap();
    let settings = session.output_settings();
    let text = graphwire::session::display::text_table(results.last().unwrap(), &settings).unwrap();
    let lines = text.lines().skip(2).filter(|line| !line.starts_with('(') && !line.is_empty());
    lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

const PEOPLE: &str = "SELECT id, name, born, score, tags, stay, at AT TIME ZONE 'UTC', extra, raw FROM person ORDER BY id";

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_version_1_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/v1");
    copy_dir(&fixture, dir.path());
    // Git keeps no empty directories.
    std::fs::create_dir_all(dir.path().join("chunks")).unwrap();
    for _ in 0..2 {
        let engine = open(dir.path()).await;
        assert_eq!(
            rows(&engine, PEOPLE).await,
            [
                "1|Ada|1815-12-10|9.50|{a,NULL}|1 mon 2 days|2020-01-01 00:00:00|{\"k\": 1}|\\x00ff",
                "2|Bob|||||||",
                "3|Cy|2000-02-29|-1.25|{}|-03:00:00||[1, 2]|\\x",
            ]
        );
        let knows = "MATCH (a:person)-[]->(b:person) RETURN a.name, b.name ORDER BY a.name";
        assert_eq!(rows(&engine, knows).await, ["Ada|Bob", "Bob|Cy", "Cy|Ada"]);
        assert_eq!(rows(&engine, "SELECT name FROM named ORDER BY id").await, ["Bob", "Cy"]);
        assert_eq!(rows(&engine, "SELECT count(*) FROM later").await, ["0"]);
        let comment = "SELECT obj_description('person'::regclass, 'pg_class')";
        assert_eq!(rows(&engine, comment).await, ["people"]);
        // The second time, from the checkpoint that closing wrote.
        close(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_version_2_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/v2");
    copy_dir(&fixture, dir.path());
    for _ in 0..2 {
        let engine = open(dir.path()).await;
        let people = rows(&engine, PEOPLE).await;
        assert_eq!(people.len(), 3);
        assert!(
            people[0].starts_with("1|Ada|1815-12-10|9.50|{a,NULL}|1 mon 2 days|"),
            "{people:?}"
        );
        let words = "SELECT count(*), sum(part), max(id) FROM word";
        assert_eq!(rows(&engine, words).await, ["16983|88693|20000"]);
        for (word, expected) in [("w7919", "1|1"), ("w3746", "3|78"), ("late", "20000|1")] {
            let query = format!("SELECT id, part FROM word WHERE word = '{word}'");
            assert_eq!(rows(&engine, &query).await, [expected], "{word}");
        }
        let changed = "SELECT part FROM word WHERE id IN (4, 105, 1007, 16905) ORDER BY id";
        assert_eq!(rows(&engine, changed).await, ["77", "77"]);
        assert_eq!(rows(&engine, "SELECT count(*) FROM later").await, ["2"]);
        close(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_keep_rows_names_numbers_and_counters() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    assert!(engine.is_new());
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    session
        .run_text(
            "CREATE TABLE t (id serial PRIMARY KEY, x int CHECK (x > 0)); \
             INSERT INTO t (x) VALUES (1), (2); CREATE SCHEMA s; CREATE TABLE s.u (y text); \
             CREATE TEMPORARY TABLE gone (z int); INSERT INTO gone VALUES (1)",
        )
        .await
        .unwrap();
    session.run_text("BEGIN; INSERT INTO t (x) VALUES (99); ROLLBACK").await.unwrap();
    drop(session);
    let oid = "SELECT 't'::regclass::oid, 's.u'::regclass::oid";
    let oids = rows(&engine, oid).await;
    close(engine).await;
    for round in 0..2 {
        let engine = open(dir.path()).await;
        assert!(!engine.is_new());
        assert_eq!(rows(&engine, oid).await, oids);
        assert_eq!(
            rows(&engine, "SELECT id, x FROM t WHERE x < 3 ORDER BY id").await,
            ["1|1", "2|2"]
        );
        let gone = "SELECT count(*) FROM pg_class WHERE relname = 'gone'";
        assert_eq!(rows(&engine, gone).await, ["0"]);
        let mut session = Session::local(&engine, "graphwire").await.unwrap();
        let error = session.run_text("INSERT INTO t (id, x) VALUES (1, 5)").await.unwrap_err();
        assert_eq!(error.code().0, "23505");
        let error = session.run_text("INSERT INTO t (x) VALUES (0)").await.unwrap_err();
        assert_eq!(error.code().0, "23514");
        let insert = "INSERT INTO t (x) VALUES (7) RETURNING id";
        // Numbers go on where they were, less those that failed inserts took.
        assert_eq!(rows(&engine, insert).await, [(5 + 2 * round).to_string()]);
        let error = Engine::open(EngineOptions {
            store: Some(StoreOptions::local(dir.path())),
            ..EngineOptions::default()
        })
        .await
        .unwrap_err();
        assert_eq!(error.code().0, "55006");
        drop(session);
        close(engine).await;
    }
}

/// Ranges come back as they were, from the log and from a checkpoint, and their keys are still keys.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_come_back_from_the_log_and_from_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    session
        .run_text(
            "CREATE TABLE b (during daterange PRIMARY KEY, price numrange DEFAULT '[0,1.5]', at tstzrange[]); \
             INSERT INTO b VALUES ('[2020-01-01,2020-01-05)', DEFAULT, '{\"[2020-01-01 00:00+00,)\",empty}'), \
             ('empty', '(,2)', NULL)",
        )
        .await
        .unwrap();
    drop(session);
    let question = "SELECT during, price, at[2], price @> 1.0 FROM b ORDER BY during";
    let expected = ["empty|(,2)||t", "[2020-01-01,2020-01-05)|[0,1.5]|empty|t"];
    assert_eq!(rows(&engine, question).await, expected);
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), copy.path());
    close(engine).await;
    for folder in [copy.path(), dir.path()] {
        let engine = open(folder).await;
        assert_eq!(rows(&engine, question).await, expected);
        let of_key = "SELECT price FROM b WHERE during = '(2019-12-31,2020-01-04]'";
        assert_eq!(rows(&engine, of_key).await, ["[0,1.5]"]);
        let mut session = Session::local(&engine, "graphwire").await.unwrap();
        let error = session.run_text("INSERT INTO b VALUES ('(2020-01-01,2020-01-01)')").await;
        assert_eq!(error.unwrap_err().code().0, "23505");
        drop(session);
        close(engine).await;
    }
}

/// An open graph's partitions get columns while it is written to; the log and a checkpoint both bring them back.
#[tokio::test(flavor = "multi_thread")]
async fn open_graphs_come_back_from_the_log_and_from_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    for statement in [
        "CREATE PROPERTY GRAPH g ANY",
        "CREATE (:A {x: 1})-[:T]->(:B {y: 'one'})",
        "MATCH (a:A) SET a.z = date('2020-02-29'), a.x = 'mixed'",
        "CREATE (:A {w: 2.5})",
        "MATCH (b:B) SET b:C",
    ] {
        session.run_text(statement).await.unwrap();
    }
    let questions = [
        "MATCH (a:A)-[:T]->(b:B:C) RETURN a.x, toString(a.z), b.y",
        "MATCH (a:A) WHERE a.w > 2 RETURN a.w",
        "SELECT count(*) FROM g.\"A\"",
    ];
    let expected =
        [vec!["\"mixed\"|2020-02-29|one".to_owned()], vec!["2.5".to_owned()], vec!["2".to_owned()]];
    for (question, expected) in questions.iter().zip(&expected) {
        assert_eq!(rows(&engine, question).await, *expected, "{question}");
    }
    // As a crash leaves it: nothing but the log.
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), copy.path());
    let from_log = open(copy.path()).await;
    for (question, expected) in questions.iter().zip(&expected) {
        assert_eq!(rows(&from_log, question).await, *expected, "{question}");
    }
    drop(session);
    close(engine).await;
    let engine = open(dir.path()).await;
    for (question, expected) in questions.iter().zip(&expected) {
        assert_eq!(rows(&engine, question).await, *expected, "{question}");
    }
}
