//! Plans: what EXPLAIN prints for the questions of `plan/*.sql`, held to snapshots.
//!
//! A file is read record by record, blank lines between them. What is no EXPLAIN sets the stage. A record under `-- same`
//! must give the plan of the EXPLAIN before it, to the letter: one pattern has one plan in every language.
//!
//!     INSTA_UPDATE=always cargo test --test main plan
//!
//! writes the snapshots anew; they are read in review like code.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use graphwire::executor::runtime::RuntimeOptions;
use graphwire::session::display::cells;
use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};

async fn session() -> (Arc<Engine>, Session) {
    // As many partitions on every machine.
    let runtime = RuntimeOptions { partitions: 2, ..RuntimeOptions::default() };
    let options =
        EngineOptions { login: LoginPolicy::TrustLoopback, runtime, ..EngineOptions::default() };
    let engine = Engine::open(options).await.unwrap();
    let session = Session::local(&engine, "graphwire").await.unwrap();
    (engine, session)
}

/// The lines of an EXPLAIN.
async fn plan(session: &mut Session, text: &str) -> String {
    let results = session.run_text(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    let settings = session.output_settings();
    let rows = cells(results.last().unwrap(), &settings).unwrap();
    let lines = rows.into_iter().flatten().map(Option::unwrap_or_default);
    lines.collect::<Vec<_>>().join("\n")
}

/// The EXPLAINs of a file with what they print.
async fn plans(path: &Path) -> String {
    let (_engine, mut session) = session().await;
    let text = std::fs::read_to_string(path).unwrap();
    let (mut out, mut before) = (String::new(), String::new());
    for record in text.split("\n\n").map(str::trim).filter(|record| !record.is_empty()) {
        let comments = record.lines().take_while(|line| line.starts_with("--"));
        let same = comments.clone().any(|line| line == "-- same");
        let statement: String =
            record.lines().skip(comments.count()).collect::<Vec<_>>().join("\n");
        if statement.is_empty() {
            continue;
        }
        if !statement.to_uppercase().starts_with("EXPLAIN") {
            session
                .run_text(&statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
            continue;
        }
        let plan = plan(&mut session, &statement).await;
        if same {
            assert_eq!(plan, before, "{}: not the same plan:\n{statement}", path.display());
        }
        writeln!(out, "{record}\n----\n{plan}\n").unwrap();
        before = plan;
    }
    out
}

macro_rules! plan_files {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let file = concat!("tests/plan/", stringify!($name), ".sql");
                let plans = plans(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).await;
                let mut settings = insta::Settings::clone_current();
                settings.set_snapshot_path("plan");
                settings.set_prepend_module_to_snapshot(false);
                settings.set_omit_expression(true);
                settings.bind(|| insta::assert_snapshot!(stringify!($name), plans));
            }
        )*

        #[test]
        fn every_file_is_run() {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan");
            let known = [$(stringify!($name)),*];
            for entry in std::fs::read_dir(root).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let is_sql = path.extension().is_some_and(|extension| extension == "sql");
                assert!(!is_sql || known.contains(&name.as_str()), "{} is not run", path.display());
            }
        }
    };
}

plan_files!(patterns, push_down, keys, clauses);
