//! Z-11: a word that stands in every cell of one tenant is never seen by another, whatever it sends.
//!
//! `GRAPHWIRE_CANARIES` says how many statements are sent; CI sends a sample.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::server::{Running, run, try_run};

const CANARY: &str = "c4n4ry";

/// Names, numbers and texts that mean something in the other tenant.
fn pieces() -> Vec<String> {
    let mut pieces: Vec<String> = [
        "secret",
        "beta",
        "bob",
        "public.secret",
        "beta.public.secret",
        "vault",
        "secret_pkey",
        "keeper",
        "net",
        "'secret'::regclass",
        "'bob'::regrole",
        "'beta'",
        "'public.secret'",
        "pg_class",
        "pg_stat_activity",
        "pg_database",
        "pg_roles",
        "pg_authid",
        "pg_locks",
        "graphwire.tenants",
        "graphwire.quota_usage",
        "graphwire.quotas",
        "pg_settings",
        "1",
        "0",
        "-1",
        "NULL",
        "*",
        "oid",
        "relname",
        "rolname",
        "datname",
        "query",
        "x",
        "y",
        "16400",
        "16401",
        "16402",
        "current_user",
        "current_database()",
        "version()",
    ]
    .map(str::to_owned)
    .to_vec();
    pieces.extend((1000..1012).map(|pid| pid.to_string()));
    pieces
}

const TEMPLATES: &[&str] = &[
    "SELECT {} FROM {}",
    "SELECT * FROM {}",
    "SELECT {} FROM {} WHERE {} = {}",
    "SELECT count(*) FROM {}, {}",
    "TABLE {}",
    "SELECT pg_cancel_backend({})",
    "SELECT pg_terminate_backend({})",
    "SELECT has_table_privilege({}, {}, 'SELECT')",
    "SELECT pg_get_viewdef({})",
    "SELECT pg_get_constraintdef({})",
    "SELECT obj_description({}, 'pg_class')",
    "SELECT pg_relation_size({}), pg_database_size({})",
    "SELECT {}::regclass, {}::regrole",
    "SELECT to_regclass({})",
    "SELECT nextval({})",
    "SELECT * FROM GRAPH_TABLE ({} MATCH (a)-[e]->(b) COLUMNS (a.{}))",
    "MATCH (n) RETURN n LIMIT 5",
    "MATCH (n)-[r]->(m) RETURN n.x, m.y",
    "USE {} MATCH (n) RETURN n",
    "INSERT INTO {} VALUES ({})",
    "UPDATE {} SET x = {}",
    "DELETE FROM {}",
    "CREATE VIEW v AS SELECT * FROM {}",
    "EXPLAIN SELECT * FROM {}",
    "EXPLAIN ANALYZE SELECT {} FROM {}",
    "SET ROLE {}",
    "SET graphwire.tenant = {}",
    "SET search_path = {}",
    "ALTER TABLE {} RENAME TO z",
    "DROP TABLE {}",
    "DROP DATABASE {}",
    "DROP ROLE {}",
    "GRANT {} TO ann",
    "CREATE DATABASE d TEMPLATE {}",
    "ALTER DATABASE {} RENAME TO e",
    "COMMENT ON TABLE {} IS {}",
    "SHOW QUOTA USAGE FOR TENANT {}",
    "SHOW QUOTA USAGE FOR ALL",
    "DECLARE c CURSOR FOR SELECT * FROM {}",
    "PREPARE p AS SELECT * FROM {}",
    "EXECUTE keeper",
    "FETCH ALL FROM keeper",
    "LOCK TABLE {}",
    "VACUUM {}",
    "REINDEX TABLE {}",
    "ALTER TENANT {} SUSPEND",
    "DROP TENANT {} CASCADE",
    "SELECT graphwire.drop_tenant({})",
];

fn statement(rng: &mut StdRng, pieces: &[String]) -> String {
    let mut text = (*TEMPLATES.choose(rng).unwrap()).to_owned();
    while let Some(at) = text.find("{}") {
        text.replace_range(at..at + 2, pieces.choose(rng).unwrap());
    }
    // Now and then a byte is lost.
    if rng.random_ratio(1, 20) && text.len() > 2 {
        text.remove(rng.random_range(0..text.len()));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_is_seen_next_door() {
    let count = std::env::var("GRAPHWIRE_CANARIES").ok().and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(1500);
    let seed = std::env::var("GRAPHWIRE_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or(11);
    println!("seed {seed}, {count} statements");
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start_in(Some(dir.path())).await;
    server.tenant("acme", "ann").await;
    server.tenant("beta", "bob").await;
    let bob = server.connect("user=bob application_name=c4n4ry").await;
    for text in [
        "CREATE TABLE secret (x text PRIMARY KEY, y text DEFAULT 'c4n4ry')",
        "COMMENT ON TABLE secret IS 'c4n4ry'",
        "INSERT INTO secret SELECT 'c4n4ry ' || i, 'c4n4ry' FROM generate_series(1, 50) AS s(i)",
        "CREATE TABLE knows (a text REFERENCES secret, b text REFERENCES secret, c text)",
        "INSERT INTO knows SELECT 'c4n4ry ' || i, 'c4n4ry ' || i + 1, 'c4n4ry' FROM generate_series(1, 49) AS s(i)",
        "CREATE PROPERTY GRAPH net VERTEX TABLES (secret) EDGE TABLES (knows KEY (a) SOURCE KEY (a) REFERENCES secret (x) DESTINATION KEY (b) REFERENCES secret (x))",
        "CREATE VIEW vault AS SELECT x || 'c4n4ry' AS x FROM secret",
        "CREATE SCHEMA keeper",
        "PREPARE keeper AS SELECT 'c4n4ry'",
        "BEGIN",
        "LOCK TABLE secret IN SHARE MODE",
    ] {
        run(&bob, text).await;
    }
    let mut ann = server.connect("user=ann").await;
    run(&ann, "CREATE TABLE mine (x int, y int)").await;
    let pieces = pieces();
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut ran, mut ended) = (0, 0);
    for number in 0..count {
        let text = statement(&mut rng, &pieces);
        match try_run(&ann, &text).await {
            Ok(rows) => {
                ran += 1;
                let leak = rows.iter().find(|row| row.contains(CANARY));
                assert!(leak.is_none(), "statement {number} {text}: {leak:?}");
            }
            Err(told) => {
                let parts = [&told.message, &told.detail, &told.hint, &told.constraint];
                assert!(parts.iter().all(|part| !part.contains(CANARY)), "{text}: {told:?}");
                assert_ne!(told.code, "XX000", "{text}: {told:?}");
            }
        }
        // It may end its own session, and no other.
        if text.starts_with("SELECT pg_terminate_backend") && ann.simple_query("").await.is_err() {
            ann = server.connect("user=ann").await;
            ended += 1;
        }
        if number % 50 == 0 {
            let _ = try_run(&ann, "ROLLBACK").await;
            let _ = try_run(&ann, "RESET ALL").await;
            let _ = try_run(&ann, "DEALLOCATE ALL").await;
        }
    }
    println!("{ran} of {count} statements gave rows, {ended} ended the session that sent them");
    // Nothing of it is in files that are not the other tenant's own.
    run(&bob, "COMMIT").await;
    assert_eq!(run(&bob, "SELECT count(*) FROM secret").await, ["50"]);
    server.stop().await;
    let own = dir.path().join("tenants/2");
    assert!(own.is_dir());
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path != own {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}
