//! Interleaved sessions: the files of `tests/isolation`, whose text is the transcript of several sessions.
//!
//! ```text
//! t1> UPDATE test SET value = 11 WHERE id = 1        a session runs a statement …
//! UPDATE 1                                           … and this is its answer: rows, tag or SQLSTATE
//! t2> UPDATE test SET value = 12 WHERE id = 1
//! waits                                              it waits for another one
//! t1> COMMIT
//! COMMIT
//! t2 goes on                                         what t1 did lets t2 go on, with this answer
//! UPDATE 1
//! == serializable                                    a new database; what stands before the first such line is its setup
//! ```
//!
//! `ISOLATION_BLESS=1` writes the answers anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use graphwire::error::PgError;
use graphwire::session::display::cells;
use graphwire::session::{Engine, EngineOptions, Finished, LoginPolicy, Session};
use tokio::sync::{mpsc, oneshot};

type Answer = Result<Vec<Finished>, PgError>;

/// A session in a task of its own, so that it can wait.
struct Actor {
    pid: i32,
    statements: mpsc::UnboundedSender<(String, oneshot::Sender<Answer>)>,
    pending: Option<oneshot::Receiver<Answer>>,
}

impl Actor {
    async fn new(engine: &Arc<Engine>) -> Self {
        let mut session = Session::local(engine, "graphwire").await.unwrap();
        session.run_text("SET deadlock_timeout = '5ms'").await.unwrap();
        let pid = session.pid().0;
        let (statements, mut received) =
            mpsc::unbounded_channel::<(String, oneshot::Sender<Answer>)>();
        tokio::spawn(async move {
            while let Some((text, answer)) = received.recv().await {
                let _ = answer.send(session.run_text(&text).await);
            }
        });
        Self { pid, statements, pending: None }
    }
}

fn text(answer: Answer, session: &Session) -> Vec<String> {
    match answer {
        Err(error) => vec![format!("ERROR {}: {}", error.code(), error.fields().message)],
        Ok(results) => {
            let mut lines = Vec::new();
            for result in &results {
                if result.columns.is_none() {
                    lines.push(result.tag.clone());
                    continue;
                }
                for row in cells(result, &session.output_settings()).unwrap() {
                    let row: Vec<String> =
                        row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".into())).collect();
                    let row = row.join(" ");
                    lines.push(if row.is_empty() { "''".to_owned() } else { row });
                }
                lines.push(format!("({})", result.tag));
            }
            lines
        }
    }
}

/// One database with its sessions.
struct Stage {
    engine: Arc<Engine>,
    control: Session,
    actors: BTreeMap<String, Actor>,
}

impl Stage {
    async fn new(setup: &[String]) -> Self {
        let options =
            EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() };
        let engine = Engine::open(options).await.unwrap();
        let mut control = Session::local(&engine, "graphwire").await.unwrap();
        for statement in setup {
            control.run_text(statement).await.unwrap();
        }
        Self { engine, control, actors: BTreeMap::new() }
    }

    async fn is_blocked(&mut self, pid: i32) -> bool {
        let asked = format!("SELECT pg_blocking_pids({pid})");
        let answer = self.control.run_text(&asked).await.unwrap();
        cells(&answer[0], &self.control.output_settings()).unwrap()[0][0].as_deref() != Some("{}")
    }

    /// The answer of a session that runs a statement; `None` once it waits.
    async fn settle(&mut self, name: &str) -> Option<Answer> {
        // So long that a timeout or a deadlock of a few milliseconds ends the wait first.
        const POLLS_MIN: u32 = 40;
        let mut polls = 0;
        loop {
            let actor = self.actors.get_mut(name)?;
            let pid = actor.pid;
            let pending = actor.pending.as_mut()?;
            match tokio::time::timeout(Duration::from_millis(2), pending).await {
                Ok(answer) => {
                    actor.pending = None;
                    return Some(answer.unwrap());
                }
                Err(_) if !self.is_blocked(pid).await => polls = 0,
                Err(_) if polls > POLLS_MIN => return None,
                Err(_) => polls += 1,
            }
        }
    }

    /// Runs a step and gives what happened.
    async fn step(&mut self, name: &str, statement: &str) -> Vec<String> {
        if !self.actors.contains_key(name) {
            let actor = Actor::new(&self.engine).await;
            self.actors.insert(name.to_owned(), actor);
        }
        let (sender, receiver) = oneshot::channel();
        let actor = self.actors.get_mut(name).unwrap();
        assert!(actor.pending.is_none(), "{name} still waits");
        actor.statements.send((statement.to_owned(), sender)).unwrap();
        actor.pending = Some(receiver);
        let mut lines = match self.settle(name).await {
            Some(answer) => text(answer, &self.control),
            None => vec!["waits".to_owned()],
        };
        let others: Vec<String> =
            self.actors.keys().filter(|other| *other != name).cloned().collect();
        for other in others {
            if let Some(answer) = self.settle(&other).await {
                lines.push(format!("{other} goes on"));
                lines.extend(text(answer, &self.control));
            }
        }
        lines
    }
}

/// The transcript of a file as it is now.
async fn play(source: &str) -> String {
    let mut setup: Vec<String> = Vec::new();
    let mut stage = None;
    let mut out: Vec<String> = Vec::new();
    for line in source.lines() {
        if line.starts_with("==") || (stage.is_none() && line.starts_with('t')) {
            stage = Some(Stage::new(&setup).await);
        }
        let step = line.split_once("> ").filter(|(name, _)| {
            name.starts_with('t') && name[1..].chars().all(|c| c.is_ascii_digit())
        });
        match (&mut stage, step) {
            (Some(stage), Some((name, statement))) => {
                out.push(line.to_owned());
                out.extend(stage.step(name, statement).await);
            }
            (_, None) if line.starts_with("==") || line.starts_with('#') || line.is_empty() => {
                out.push(line.to_owned());
            }
            (None, _) => {
                setup.push(line.to_owned());
                out.push(line.to_owned());
            }
            // An answer, which is written anew.
            (Some(_), None) => {}
        }
    }
    out.join("\n") + "\n"
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isolation");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interleavings() {
    let bless = std::env::var_os("ISOLATION_BLESS").is_some();
    let files = files();
    assert!(files.len() >= 10);
    for path in files {
        let source = std::fs::read_to_string(&path).unwrap();
        let played = play(&source).await;
        if bless {
            std::fs::write(&path, played).unwrap();
        } else {
            assert_eq!(source, played, "{}", path.display());
        }
    }
}

/// The sum of all balances, seen by a session in between.
async fn sum(session: &mut Session) -> String {
    let answer = session.run_text("SELECT sum(balance) FROM account").await.unwrap();
    cells(&answer[0], &session.output_settings()).unwrap()[0][0].clone().unwrap()
}

/// Sixteen clients move money; whoever looks sees the same sum, at every level.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_keep_the_sum() {
    use rand::{Rng as _, SeedableRng as _};
    let stage = Stage::new(&[
        "CREATE TABLE account (id int4 PRIMARY KEY, balance int4 CHECK (balance >= 0))".to_owned(),
        "INSERT INTO account SELECT id, 100 FROM generate_series(1, 20) AS s(id)".to_owned(),
    ])
    .await;
    let mut clients = Vec::new();
    for client in 0..16u64 {
        let mut session = Session::local(&stage.engine, "graphwire").await.unwrap();
        session.run_text("SET deadlock_timeout = '5ms'").await.unwrap();
        let level = ["read committed", "repeatable read", "serializable"][client as usize % 3];
        clients.push(tokio::spawn(async move {
            let mut random = rand::rngs::StdRng::seed_from_u64(client);
            let mut moved = 0;
            for _ in 0..12 {
                let (from, to) = (random.random_range(1..=20), random.random_range(1..=20));
                let amount = random.random_range(1..=30);
                let steps = [
                    format!("BEGIN ISOLATION LEVEL {level}"),
                    format!("UPDATE account SET balance = balance - {amount} WHERE id = {from}"),
                    format!("UPDATE account SET balance = balance + {amount} WHERE id = {to}"),
                    "COMMIT".to_owned(),
                ];
                let mut failed = false;
                for step in &steps {
                    if let Err(error) = session.run_text(step).await {
                        let code = error.code().to_string();
                        assert!(["40001", "40P01", "23514"].contains(&code.as_str()), "{error}");
                        session.run_text("ROLLBACK").await.unwrap();
                        failed = true;
                        break;
                    }
                }
                moved += u32::from(!failed);
                assert_eq!(sum(&mut session).await, "2000");
            }
            moved
        }));
    }
    let mut moved = 0;
    for client in clients {
        moved += client.await.unwrap();
    }
    let mut session = Session::local(&stage.engine, "graphwire").await.unwrap();
    assert_eq!(sum(&mut session).await, "2000");
    assert!(moved > 16, "only {moved} transfers went through");
}

/// What a random statement of a transaction does depends on what it reads: rows by key, all rows, a graph pattern.
fn statement(random: &mut rand::rngs::StdRng) -> String {
    use rand::Rng as _;
    let (one, two) = (random.random_range(1..=4), random.random_range(1..=4));
    let edge = random.random_range(1..=6);
    match random.random_range(0..7) {
        0 | 1 => format!(
            "UPDATE a SET v = v % 1000 + 1 + (SELECT sum(v) FROM a WHERE id = {two}) WHERE id = {one}"
        ),
        2 => format!("UPDATE a SET v = (SELECT count(*) FROM b WHERE d = {one}) WHERE id = {two}"),
        3 => format!(
            "UPDATE a SET v = found.n FROM (SELECT count(*) AS n FROM GRAPH_TABLE (g MATCH \
             (x IS a)-[IS b]->(y IS a) WHERE x.id = {one} COLUMNS (y.id AS y))) AS found \
             WHERE id = {two}"
        ),
        4 => format!(
            "INSERT INTO b SELECT {edge}, {one}, (SELECT max(v) % 4 + 1 FROM a) \
             WHERE NOT EXISTS (SELECT 1 FROM b WHERE id = {edge})"
        ),
        5 => format!("DELETE FROM b WHERE id = {edge}"),
        _ => format!("UPDATE b SET d = {one} WHERE s = {two}"),
    }
}

/// All orders of a few things.
fn orders<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for at in 0..things.len() {
        let mut rest = things.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            found.push(order);
        }
    }
    found
}

/// Runs three transactions in a random interleaving; those that committed.
async fn interleave(stage: &mut Stage, random: &mut rand::rngs::StdRng) -> Vec<Vec<String>> {
    use rand::Rng as _;
    let mut scripts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut todo: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in ["t1", "t2", "t3"] {
        let count = random.random_range(1..=4);
        let script: Vec<String> = (0..count).map(|_| statement(random)).collect();
        scripts.insert(name.to_owned(), script.clone());
        let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE".to_owned();
        let steps = std::iter::once(begin).chain(script).chain(["COMMIT".to_owned()]);
        todo.insert(name.to_owned(), steps.rev().collect());
    }
    let mut committed = Vec::new();
    while !todo.is_empty() {
        let free: Vec<String> = todo
            .keys()
            .filter(|name| stage.actors.get(*name).is_none_or(|actor| actor.pending.is_none()))
            .cloned()
            .collect();
        let name = free[random.random_range(0..free.len())].clone();
        let Some(step) = todo.get_mut(&name).and_then(Vec::pop) else {
            todo.remove(&name);
            continue;
        };
        let mut who = name.clone();
        for line in stage.step(&name, &step).await {
            if let Some(other) = line.strip_suffix(" goes on") {
                who = other.to_owned();
            } else if line == "COMMIT" {
                committed.push(scripts[&who].clone());
            } else if line.starts_with("ERROR") {
                let expected = ["40001", "40P01", "23503", "23505"];
                assert!(expected.iter().any(|code| line.contains(code)), "{line}");
                todo.insert(who.clone(), vec!["ROLLBACK".to_owned()]);
            }
        }
    }
    committed
}

/// Random serializable transactions on two tables and a graph over them give what some order of them gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_are_serial() {
    use rand::SeedableRng as _;
    const STATE: &str =
        "SELECT 'a', id, v, 0 FROM a UNION ALL SELECT 'b', id, s, d FROM b ORDER BY 1, 2";
    let setup = [
        "CREATE TABLE a (id int4 PRIMARY KEY, v int8)",
        "CREATE TABLE b (id int4 PRIMARY KEY, s int4 REFERENCES a, d int8)",
        "CREATE PROPERTY GRAPH g VERTEX TABLES (a) EDGE TABLES (b \
         SOURCE KEY (s) REFERENCES a (id) DESTINATION KEY (d) REFERENCES a (id))",
        "INSERT INTO a SELECT id, 0 FROM generate_series(1, 4) AS s(id)",
    ];
    let setup = setup.map(str::to_owned);
    let mut committed_all = 0;
    for seed in 0..4 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let mut stage = Stage::new(&setup).await;
        let mut model = Stage::new(&setup).await;
        for round in 0..12 {
            let committed = interleave(&mut stage, &mut random).await;
            committed_all += committed.len();
            let real = text(stage.control.run_text(STATE).await, &stage.control);
            let mut fits = None;
            for order in orders(&committed) {
                model.control.run_text("BEGIN").await.unwrap();
                let mut failed = false;
                for statement in order.iter().flatten() {
                    failed = failed || model.control.run_text(statement).await.is_err();
                }
                let serial = text(model.control.run_text(STATE).await, &model.control);
                if !failed && serial == real {
                    model.control.run_text("COMMIT").await.unwrap();
                    fits = Some(order);
                    break;
                }
                model.control.run_text("ROLLBACK").await.unwrap();
            }
            assert!(fits.is_some(), "seed {seed}, round {round}: {committed:#?} give {real:#?}");
        }
    }
    assert!(committed_all > 60, "only {committed_all} transactions committed");
}
