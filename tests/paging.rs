//! Tables that do not fit in memory: rows are read from files when they are asked for, through a cache that is small.

use std::path::Path;
use std::sync::Arc;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use graphwire::storage::StoreOptions;

const CACHE_BYTES: usize = 256 << 10;

async fn open(dir: &Path) -> Arc<Engine> {
    open_with(dir, CACHE_BYTES).await
}

async fn open_with(dir: &Path, cache_bytes: usize) -> Arc<Engine> {
    let options = EngineOptions {
        login: LoginPolicy::TrustLoopback,
        store: Some(StoreOptions { cache_bytes, ..StoreOptions::local(dir) }),
        ..EngineOptions::default()
    };
    Engine::open(options).await.unwrap()
}

async fn checkpoint(engine: &Arc<Engine>) {
    let engine = Arc::clone(engine);
    tokio::task::spawn_blocking(move || engine.checkpoint().unwrap()).await.unwrap();
}

async fn close(engine: Arc<Engine>) {
    tokio::task::spawn_blocking(move || engine.close().unwrap()).await.unwrap();
}

/// The rows of the last statement as text, `|` between columns.
async fn rows(engine: &Arc<Engine>, text: &str) -> Vec<String> {
    let mut session = Session::local(engine, "graphwire").await.unwrap();
    let results = session.run_text(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    let settings = session.output_settings();
    let text = graphwire::session::display::text_table(results.last().unwrap(), &settings).unwrap();
    let lines = text.lines().skip(2).filter(|line| !line.starts_with('(') && !line.is_empty());
    lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
}

const SETUP: &str = "
    CREATE TABLE big (id int PRIMARY KEY, word text UNIQUE, part int, note text);
    INSERT INTO big SELECT n, md5(n::text), n % 100, repeat('x', n % 50)
        FROM generate_series(1, 60000) AS s(n);
    CREATE TABLE small (part int PRIMARY KEY, name text);
    INSERT INTO small SELECT n, 'part ' || n FROM generate_series(0, 99) AS s(n);
    ALTER TABLE big ADD FOREIGN KEY (part) REFERENCES small";

/// What must be the same whether rows are in memory or in files.
const QUESTIONS: &[&str] = &[
    "SELECT count(*), sum(id), sum(length(note)) FROM big",
    "SELECT id, part, length(note) FROM big WHERE id = 31234",
    "SELECT id, part FROM big WHERE word = md5('59999')",
    "SELECT id FROM big WHERE word = 'not a word'",
    "SELECT name, count(*) FROM big JOIN small ON small.part = big.part WHERE big.part < 3 GROUP BY name ORDER BY 1",
    "SELECT id, word FROM big ORDER BY word LIMIT 3",
    "SELECT count(*) FROM big AS a JOIN big AS b ON a.word = b.word",
    "SELECT max(id), min(id) FROM big WHERE note = repeat('x', 49)",
];

async fn answers(engine: &Arc<Engine>) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push(rows(engine, question).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_do_not_depend_on_where_rows_are() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(&engine, &format!("{SETUP}; SELECT 1")).await;
    let fresh = answers(&engine).await;
    assert_eq!(fresh[0], ["60000|1800030000|1470000"]);
    checkpoint(&engine).await;
    assert_eq!(answers(&engine).await, fresh);
    close(engine).await;
    let engine = open(dir.path()).await;
    assert_eq!(answers(&engine).await, fresh);
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_reads_no_rows_and_a_look_up_reads_few() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(&engine, &format!("{SETUP}; SELECT 1")).await;
    close(engine).await;
    let engine = open(dir.path()).await;
    assert_eq!(engine.cache_reads(), 0);
    rows(&engine, QUESTIONS[1]).await;
    let reads = engine.cache_reads();
    assert!(reads > 0 && reads < 30, "{reads}");
    rows(&engine, "SELECT id FROM big WHERE id = 70000").await;
    assert_eq!(engine.cache_reads(), reads);
    close(engine).await;
}

/// Statements of the same shape take the short way from the third on; it reads what it needs on another thread, once.
#[tokio::test(flavor = "multi_thread")]
async fn the_short_way_reads_few_and_does_what_it_does_once() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(
        &engine,
        "CREATE TABLE t (id int PRIMARY KEY, v int, word text UNIQUE); \
         INSERT INTO t SELECT n, 0, 'word ' || (n::int8 * 7919 % 400009) FROM generate_series(1, 400000) AS s(n); \
         SELECT 1",
    )
    .await;
    close(engine).await;
    let engine = open(dir.path()).await;
    let (chunks, _) = engine.chunks_of("graphwire", "t").unwrap();
    assert!(chunks >= 4, "{chunks} chunks");
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    for id in [3, 100_003, 200_003, 300_003, 399_003, 50_003] {
        let reads = engine.cache_reads();
        let query = format!("SELECT word FROM t WHERE id = {id}");
        let results = session.run_text(&query).await.unwrap();
        let settings = session.output_settings();
        let found = graphwire::session::display::cells(results.last().unwrap(), &settings).unwrap();
        let word = format!("word {}", i64::from(id) * 7919 % 400_009);
        assert_eq!(found, [[Some(word)]]);
        let reads = engine.cache_reads() - reads;
        assert!(reads < 12, "a look-up read {reads} times");
    }
    let ids = [5, 100_005, 200_005, 300_005, 399_005, 50_005, 150_005];
    for id in ids {
        session.run_text(&format!("UPDATE t SET v = v + 1 WHERE id = {id}")).await.unwrap();
        session.run_text(&format!("DELETE FROM t WHERE id = {}", id + 1)).await.unwrap();
        let word = format!("INSERT INTO t VALUES ({}, 1, 'new {id}')", id + 1_000_000);
        session.run_text(&word).await.unwrap();
        // This word is there already.
        let word = format!("INSERT INTO t VALUES ({}, 1, 'word 7919')", id + 2_000_000);
        assert_eq!(session.run_text(&word).await.unwrap_err().code().0, "23505");
    }
    let seen = "SELECT count(*), sum(v), max(v) FROM t";
    assert_eq!(rows(&engine, seen).await, ["400000|14|1"]);
    drop(session);
    close(engine).await;
}

/// Row ids that do not follow each other are in the file; they are read for a statement, not for each of its rows.
#[tokio::test(flavor = "multi_thread")]
async fn row_ids_are_read_once_for_all_rows() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(&engine, &format!("{SETUP}; UPDATE big SET note = '' WHERE id % 7 = 0; SELECT 1")).await;
    close(engine).await;
    let engine = open_with(dir.path(), 0).await;
    let reads = engine.cache_reads();
    rows(&engine, "DELETE FROM big WHERE id % 14 = 0; SELECT 1").await;
    let reads = engine.cache_reads() - reads;
    assert!(reads < 1000, "{reads} reads for 4,285 rows");
    rows(&engine, "UPDATE big SET note = 'changed' WHERE id % 21 = 0; SELECT 1").await;
    let seen = "SELECT count(*), count(*) FILTER (WHERE note = 'changed') FROM big";
    assert_eq!(rows(&engine, seen).await, ["55715|1429"]);
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_files_are_changed_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(&engine, &format!("{SETUP}; SELECT 1")).await;
    close(engine).await;
    let engine = open(dir.path()).await;
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    for (text, code) in [
        ("INSERT INTO big VALUES (777, 'new', 1, '')", "23505"),
        ("INSERT INTO big VALUES (70000, md5('123'), 1, '')", "23505"),
        ("INSERT INTO big VALUES (70000, 'new', 100, '')", "23503"),
        ("DELETE FROM small WHERE part = 7", "23503"),
        ("UPDATE big SET id = id + 1 WHERE id = 500", "23505"),
    ] {
        let error = session.run_text(text).await.unwrap_err();
        assert_eq!(error.code().0, code, "{text}: {error}");
    }
    for round in 0..3 {
        session
            .run_text(&format!(
                "UPDATE big SET note = 'round {round}' WHERE id % 7 = {round}; \
                 DELETE FROM big WHERE id % 1000 = {round}; \
                 INSERT INTO big VALUES ({}, 'new {round}', 5, '')",
                70_000 + round
            ))
            .await
            .unwrap();
        let before = answers(&engine).await;
        checkpoint(&engine).await;
        assert_eq!(answers(&engine).await, before, "round {round}");
        let note = format!("SELECT note FROM big WHERE id = {}", 7 * 1501 + round);
        assert_eq!(rows(&engine, &note).await, [format!("round {round}")]);
    }
    let before = answers(&engine).await;
    session.run_text("VACUUM big").await.unwrap();
    assert_eq!(answers(&engine).await, before);
    drop(session);
    close(engine).await;
    let engine = open(dir.path()).await;
    assert_eq!(answers(&engine).await, before);
    close(engine).await;
    let options = StoreOptions::local(dir.path());
    tokio::task::spawn_blocking(move || {
        graphwire::storage::verify::inspect(&options).unwrap();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_are_derived_from_rows_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(
        &engine,
        "CREATE TABLE node (id int PRIMARY KEY, name text); \
         CREATE TABLE link (id int PRIMARY KEY, a int REFERENCES node, b int REFERENCES node); \
         INSERT INTO node SELECT n, 'node ' || n FROM generate_series(0, 20000) AS s(n); \
         INSERT INTO link SELECT n, n, (n * 7) % 20001 FROM generate_series(0, 20000) AS s(n); \
         CREATE PROPERTY GRAPH g VERTEX TABLES (node) EDGE TABLES (link \
             SOURCE KEY (a) REFERENCES node (id) DESTINATION KEY (b) REFERENCES node (id)); \
         SELECT 1",
    )
    .await;
    let question = "SELECT name FROM GRAPH_TABLE (g MATCH (x IS node WHERE x.id = 11)\
                    -[IS link]->(y IS node)-[IS link]->(z IS node) COLUMNS (z.name))";
    assert_eq!(rows(&engine, question).await, ["node 539"]);
    close(engine).await;
    let engine = open(dir.path()).await;
    assert_eq!(rows(&engine, question).await, ["node 539"]);
    rows(&engine, "UPDATE node SET name = 'other' WHERE id = 539; SELECT 1").await;
    assert_eq!(rows(&engine, question).await, ["other"]);
    rows(&engine, "INSERT INTO link VALUES (30000, 11, 12); SELECT 1").await;
    let mut both = rows(&engine, question).await;
    both.sort();
    assert_eq!(both, ["node 84", "other"]);
    checkpoint(&engine).await;
    let mut both = rows(&engine, question).await;
    both.sort();
    assert_eq!(both, ["node 84", "other"]);
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_commits_do_not_leave_a_thousand_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    session.run_text("CREATE TABLE t (id int PRIMARY KEY, x int)").await.unwrap();
    for at in 0..1000 {
        session.run_text(&format!("INSERT INTO t VALUES ({at}, 0)")).await.unwrap();
        if at % 50 == 0 {
            checkpoint(&engine).await;
        }
    }
    for at in 0..200 {
        session.run_text(&format!("UPDATE t SET x = x + 1 WHERE id = {at}")).await.unwrap();
    }
    let e = Arc::clone(&engine);
    tokio::task::spawn_blocking(move || e.merge_in_background().unwrap()).await.unwrap();
    let (chunks, dead) = engine.chunks_of("graphwire", "t").unwrap();
    assert!(chunks <= 16, "{chunks} chunks");
    assert!(dead <= 256, "{dead} deleted rows");
    assert_eq!(rows(&engine, "SELECT count(*), sum(x) FROM t").await, ["1000|200"]);
    drop(session);
    close(engine).await;
    let engine = open(dir.path()).await;
    assert_eq!(rows(&engine, "SELECT count(*), sum(x) FROM t").await, ["1000|200"]);
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_waits_for_checkpoints_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreOptions { fresh_bytes: 64 << 10, ..StoreOptions::local(dir.path()) };
    let options = EngineOptions {
        login: LoginPolicy::TrustLoopback,
        store: Some(store),
        ..EngineOptions::default()
    };
    let engine = Engine::open(options).await.unwrap();
    rows(&engine, "CREATE TABLE t (id int PRIMARY KEY, x int); SELECT 1").await;
    for at in 0..5 {
        let insert = format!(
            "INSERT INTO t SELECT n, n FROM generate_series({at} * 70000 + 1, {at} * 70000 + 70000) AS s(n); SELECT 1"
        );
        rows(&engine, &insert).await;
    }
    rows(&engine, "DELETE FROM t WHERE id % 3 > 0; SELECT 1").await;
    // What is merged is more than may be fresh, and nothing is committed meanwhile.
    let begun = std::time::Instant::now();
    while engine.chunks_of("graphwire", "t").unwrap().1 > 0 {
        assert!(begun.elapsed().as_secs() < 60, "{:?}", engine.chunks_of("graphwire", "t"));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(rows(&engine, "SELECT count(*), min(x) FROM t").await, ["116666|3"]);
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_go_when_no_snapshot_needs_them() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).await;
    rows(
        &engine,
        "CREATE TABLE t (id int PRIMARY KEY, x int); \
                   INSERT INTO t SELECT n, 0 FROM generate_series(1, 5000) AS s(n); SELECT 1",
    )
    .await;
    checkpoint(&engine).await;
    let mut old = Session::local(&engine, "graphwire").await.unwrap();
    old.run_text("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").await.unwrap();
    rows(&engine, "UPDATE t SET x = 1; SELECT 1").await;
    rows(&engine, "UPDATE t SET x = 2; SELECT 1").await;
    for _ in 0..3 {
        checkpoint(&engine).await;
        let e = Arc::clone(&engine);
        tokio::task::spawn_blocking(move || e.merge_in_background().unwrap()).await.unwrap();
    }
    // The old snapshot still has its rows, though no newer version does and their file is in no manifest.
    let results = old.run_text("SELECT sum(x), count(*) FROM t").await.unwrap();
    let settings = old.output_settings();
    let text = graphwire::session::display::text_table(results.last().unwrap(), &settings).unwrap();
    assert!(text.contains("0 |  5000"), "{text}");
    old.run_text("COMMIT").await.unwrap();
    drop((old, results));
    let (_, dead) = engine.chunks_of("graphwire", "t").unwrap();
    assert_eq!(dead, 0);
    rows(&engine, "INSERT INTO t VALUES (6000, 0); SELECT 1").await;
    checkpoint(&engine).await;
    let files = std::fs::read_dir(dir.path().join("chunks")).unwrap().count();
    assert!(files <= 2, "{files} files");
    close(engine).await;
}
