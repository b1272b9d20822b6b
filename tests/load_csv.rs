//! `LOAD CSV` of files that are really there.

use std::sync::Arc;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};

async fn session(engine: &Arc<Engine>) -> Session {
    Session::local(engine, "graphwire").await.unwrap()
}

async fn shown(session: &mut Session, query: &str) -> String {
    let results = session.run_text(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let settings = session.output_settings();
    let text = graphwire::session::display::text_table(results.last().unwrap(), &settings).unwrap();
    let lines = text.lines().skip(2).map(|line| line.trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.starts_with('(')).collect::<Vec<_>>().join("\n")
}

async fn code(session: &mut Session, query: &str) -> String {
    let failed = session.run_text(query).await.err();
    failed.map_or_else(|| "no error".to_owned(), |error| error.code().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_read_as_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some people.csv");
    let url = format!("file://{}/some%20people.csv", folder.path().display());
    std::fs::write(&path, "id;name;\n1;Ada;x\n2;\"Grace; \"\"G\"\"\"\n3;;\n").unwrap();
    let login = LoginPolicy::TrustLoopback;
    let engine = Engine::open(EngineOptions { login, ..EngineOptions::default() }).await.unwrap();
    let mut user = session(&engine).await;
    shown(&mut user, "CREATE PROPERTY GRAPH g ANY").await;

    let load = format!("LOAD CSV WITH HEADERS FROM '{url}' AS row FIELDTERMINATOR ';'");
    let merge = format!(
        "{load} MERGE (p:Person {{id: toInteger(row.id)}}) SET p.name = row.name RETURN count(*)"
    );
    assert_eq!(shown(&mut user, &merge).await, "3");
    let names =
        "MATCH (p:Person) RETURN toString(p.id) + ': ' + coalesce(p.name, 'none') AS x ORDER BY x";
    assert_eq!(shown(&mut user, names).await, "1: Ada\n2: Grace; \"G\"\n3: none");

    // Without headers a record is a list; for each row of what is before.
    let lists = format!(
        "UNWIND ['{url}', null, '{url}'] AS url LOAD CSV FROM url AS line FIELDTERMINATOR ';' \
         RETURN toString(count(*)) + ' ' + toString(sum(size(line))) AS x"
    );
    assert_eq!(shown(&mut user, &lists).await, "8 22");

    // Only as much is read as is wanted.
    let many: String = (0..300_000).map(|row| format!("{row},{}\n", row * 2)).collect();
    std::fs::write(folder.path().join("many.csv"), many).unwrap();
    let all = format!("LOAD CSV FROM 'file://{}/many.csv' AS l", folder.path().display());
    let sum =
        format!("{all} RETURN toString(count(*)) + ' ' + toString(sum(toInteger(l[1]))) AS x");
    assert_eq!(shown(&mut user, &sum).await, "300000 89999700000");
    assert_eq!(shown(&mut user, &format!("{all} RETURN l[0] AS x LIMIT 1")).await, "0");

    for (wrong, expected) in [
        ("LOAD CSV FROM 'file:///no/such/file.csv' AS l RETURN l", "58P01"),
        ("LOAD CSV FROM 'http://example.com/a.csv' AS l RETURN l", "0A000"),
        ("LOAD CSV FROM 'a.csv' AS l RETURN l", "22023"),
        ("LOAD CSV FROM 1 AS l RETURN l", "42804"),
        ("LOAD CSV FROM 'file:///a' AS l FIELDTERMINATOR ';;' RETURN l", "22023"),
    ] {
        assert_eq!(code(&mut user, wrong).await, expected, "{wrong}");
    }
    std::fs::write(&path, "id;name\n1;\"open\n").unwrap();
    assert_eq!(code(&mut user, &format!("{load} RETURN row")).await, "22P04");

    // Others may not, unless they have the role that may.
    shown(&mut user, "CREATE ROLE reader LOGIN").await;
    shown(&mut user, "GRANT SELECT ON PROPERTY GRAPH g TO reader").await;
    shown(&mut user, "SET ROLE reader").await;
    assert_eq!(code(&mut user, &format!("{all} RETURN count(*)")).await, "42501");
    let inside = format!("SELECT * FROM cypher('g', $$ {all} RETURN count(*) $$)");
    assert_eq!(code(&mut user, &inside).await, "42501");
    shown(&mut user, "RESET ROLE").await;
    shown(&mut user, "GRANT pg_read_server_files TO reader").await;
    shown(&mut user, "SET ROLE reader").await;
    assert_eq!(shown(&mut user, &format!("{all} RETURN count(*)")).await, "300000");
}
