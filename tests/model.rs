//! Random histories of transactions on two tables and a graph over them, against a plain model: maps, copied.
//!
//! Up to four transactions are open at a time, each READ COMMITTED or REPEATABLE READ, with savepoints. What each sees
//! by SELECT and by MATCH, how many rows it changes, and which errors it gets must be what the model says. Steps that
//! would wait for another transaction are left out: `isolation/` has those. Checkpoints, merges and restarts happen in
//! between, and change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use graphwire::session::display::cells;
use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use graphwire::storage::StoreOptions;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

const VERTICES: i32 = 8;
const EDGES: i32 = 12;
const OPEN_MAX: usize = 4;

const SETUP: &str = "CREATE TABLE a (id int PRIMARY KEY, v int NOT NULL); \
     CREATE TABLE b (id int PRIMARY KEY, s int NOT NULL REFERENCES a, d int NOT NULL REFERENCES a); \
     CREATE PROPERTY GRAPH g VERTEX TABLES (a) EDGE TABLES (b \
         SOURCE KEY (s) REFERENCES a (id) DESTINATION KEY (d) REFERENCES a (id)); \
     INSERT INTO a SELECT n, 0 FROM generate_series(1, 8) AS s(n)";

/// A row of `a` or of `b`, by its key.
type Key = (char, i32);
/// The other columns; `b` has two.
type Row = (i32, i32);
type Rows = BTreeMap<Key, Row>;

/// What is committed, and the commit that changed each row last.
#[derive(Default)]
struct Committed {
    rows: Rows,
    changed: BTreeMap<Key, u64>,
    commit: u64,
}

/// An open transaction.
struct Open {
    session: Session,
    repeatable: bool,
    /// Taken by the first statement, if it is kept.
    snapshot: Option<(u64, Rows)>,
    /// What it wrote; `None` is a deleted row.
    own: BTreeMap<Key, Option<Row>>,
    savepoints: Vec<BTreeMap<Key, Option<Row>>>,
    locked: BTreeSet<Key>,
}

impl Open {
    fn begin_statement(&mut self, committed: &Committed) {
        if self.repeatable && self.snapshot.is_none() {
            self.snapshot = Some((committed.commit, committed.rows.clone()));
        }
    }

    fn view(&self, committed: &Committed) -> Rows {
        let base = self.snapshot.as_ref().map_or(&committed.rows, |(_, rows)| rows);
        let mut rows = base.clone();
        for (key, row) in &self.own {
            match row {
                Some(row) => rows.insert(*key, *row),
                None => rows.remove(key),
            };
        }
        rows
    }

    /// Whether others changed a row since the snapshot, where that counts.
    fn has_moved(&self, committed: &Committed, key: Key) -> bool {
        let Some((since, _)) = &self.snapshot else { return false };
        committed.changed.get(&key).is_some_and(|changed| changed > since)
    }
}

/// What a statement does to rows.
enum Change {
    Insert(Key, Row),
    /// Of the rows with these keys, as they are in the view.
    Update(Vec<(Key, Row)>),
    Delete(Key),
}

struct History {
    engine: Arc<Engine>,
    committed: Committed,
    open: Vec<Open>,
    random: StdRng,
    /// Commits, changes, conflicts, questions.
    counts: [usize; 4],
    log: Vec<String>,
}

async fn open_engine(dir: &Path) -> Arc<Engine> {
    let store = StoreOptions { cache_bytes: 64 << 10, ..StoreOptions::local(dir) };
    let options = EngineOptions {
        login: LoginPolicy::TrustLoopback,
        store: Some(store),
        ..EngineOptions::default()
    };
    Engine::open(options).await.unwrap()
}

/// The rows of a query, or the error's code.
async fn ask(session: &mut Session, text: &str) -> Result<(String, Vec<Vec<i32>>), String> {
    let results = session.run_text(text).await.map_err(|error| error.code().0.to_owned())?;
    let result = results.last().unwrap();
    let rows = cells(result, &session.output_settings()).unwrap();
    let number = |cell: &Option<String>| cell.as_ref().unwrap().parse().unwrap();
    let rows = rows.iter().map(|row| row.iter().map(number).collect()).collect();
    Ok((result.tag.clone(), rows))
}

impl History {
    fn pick(&mut self, bound: i32) -> i32 {
        self.random.random_range(0..bound)
    }

    async fn begin(&mut self) {
        let mut session = Session::local(&self.engine, "graphwire").await.unwrap();
        let repeatable = self.pick(2) == 0;
        let level = if repeatable { "REPEATABLE READ" } else { "READ COMMITTED" };
        session.run_text(&format!("BEGIN ISOLATION LEVEL {level}")).await.unwrap();
        self.log.push(format!("{} begins: {level}", self.open.len()));
        self.open.push(Open {
            session,
            repeatable,
            snapshot: None,
            own: BTreeMap::new(),
            savepoints: Vec::new(),
            locked: BTreeSet::new(),
        });
    }

    async fn end(&mut self, at: usize, commit: bool) {
        let mut open = self.open.remove(at);
        let text = if commit { "COMMIT" } else { "ROLLBACK" };
        self.log.push(format!("{at}: {text}"));
        let (tag, _) = ask(&mut open.session, text).await.unwrap();
        assert_eq!(tag, text, "{:#?}", self.log);
        if commit && !open.own.is_empty() {
            self.committed.commit += 1;
            self.counts[0] += 1;
            for (key, row) in open.own {
                self.committed.changed.insert(key, self.committed.commit);
                match row {
                    Some(row) => self.committed.rows.insert(key, row),
                    None => self.committed.rows.remove(&key),
                };
            }
        }
    }

    async fn savepoint(&mut self, at: usize) {
        let back = self.pick(2) == 0;
        let open = &mut self.open[at];
        let text = match open.savepoints.last() {
            Some(own) if back => {
                open.own = own.clone();
                "ROLLBACK TO s"
            }
            _ => {
                open.savepoints.push(open.own.clone());
                "SAVEPOINT s"
            }
        };
        self.log.push(format!("{at}: {text}"));
        open.session.run_text(text).await.unwrap();
    }

    /// Asks for all rows, by SELECT or by MATCH.
    async fn question(&mut self, at: usize) {
        let kind = self.pick(4);
        self.counts[3] += 1;
        let open = &mut self.open[at];
        open.begin_statement(&self.committed);
        let view = open.view(&self.committed);
        let of = |table| view.iter().filter(move |((of, _), _)| *of == table);
        let (text, mut expected): (&str, Vec<Vec<i32>>) = match kind {
            0 => ("SELECT id, v FROM a", of('a').map(|((_, id), (v, _))| vec![*id, *v]).collect()),
            1 => (
                "SELECT id, s, d FROM b",
                of('b').map(|((_, id), (s, d))| vec![*id, *s, *d]).collect(),
            ),
            2 => (
                "SELECT x, v, e, y FROM GRAPH_TABLE (g MATCH (x IS a)-[e IS b]->(y IS a) \
                 COLUMNS (x.id AS x, x.v, e.id AS e, y.id AS y))",
                of('b').map(|((_, id), (s, d))| vec![*s, view[&('a', *s)].0, *id, *d]).collect(),
            ),
            _ => (
                "SELECT x, z FROM GRAPH_TABLE (g MATCH (x IS a)-[IS b]->(y IS a)-[IS b]->(z IS a) \
                 COLUMNS (x.id AS x, z.id AS z))",
                of('b')
                    .flat_map(|(_, (s, d))| {
                        let next = of('b').filter(move |(_, (from, _))| from == d);
                        next.map(move |(_, (_, to))| vec![*s, *to])
                    })
                    .collect(),
            ),
        };
        let (_, mut found) = ask(&mut open.session, text).await.unwrap();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{at}: {text}\n{:#?}", self.log);
    }

    /// A random statement, as text and as what it does to the model.
    fn change(&mut self, view: &Rows) -> (String, Change) {
        let (vertex, other) = (1 + self.pick(VERTICES), 1 + self.pick(VERTICES));
        let (edge, value) = (1 + self.pick(EDGES), self.pick(1000));
        match self.pick(6) {
            0 | 1 => {
                let of = view.get(&('a', vertex)).map(|_| (('a', vertex), (value, 0)));
                let text = format!("UPDATE a SET v = {value} WHERE id = {vertex}");
                (text, Change::Update(of.into_iter().collect()))
            }
            2 => {
                let of =
                    view.iter().filter(|((table, id), _)| *table == 'a' && id % 3 == value % 3);
                let of = of.map(|(key, (v, _))| (*key, (v + 1, 0))).collect();
                (format!("UPDATE a SET v = v + 1 WHERE id % 3 = {}", value % 3), Change::Update(of))
            }
            3 => {
                let text = format!("INSERT INTO b VALUES ({edge}, {vertex}, {other})");
                (text, Change::Insert(('b', edge), (vertex, other)))
            }
            4 => (format!("DELETE FROM b WHERE id = {edge}"), Change::Delete(('b', edge))),
            _ => {
                let of = view.get(&('b', edge)).map(|(s, _)| (('b', edge), (*s, other)));
                let text = format!("UPDATE b SET d = {other} WHERE id = {edge}");
                (text, Change::Update(of.into_iter().collect()))
            }
        }
    }

    /// Runs a random statement, if it need not wait.
    async fn write(&mut self, at: usize) {
        self.open[at].begin_statement(&self.committed);
        let view = self.open[at].view(&self.committed);
        let (text, change) = self.change(&view);
        let keys: Vec<Key> = match &change {
            Change::Insert(key, _) | Change::Delete(key) => vec![*key],
            Change::Update(rows) => rows.iter().map(|(key, _)| *key).collect(),
        };
        let others = self.open.iter().enumerate().filter(|(other, _)| *other != at);
        if others.flat_map(|(_, other)| &other.locked).any(|locked| keys.contains(locked)) {
            return;
        }
        let open = &mut self.open[at];
        let moved = keys.iter().any(|key| open.has_moved(&self.committed, *key));
        let expected = match &change {
            // Which of two errors it is, or that it is none, is not the model's to say.
            Change::Insert(..) if moved => return,
            Change::Insert(key, _) if view.contains_key(key) => Err("23505"),
            Change::Insert(..) => Ok("INSERT 0 1".to_owned()),
            Change::Delete(key) if !view.contains_key(key) => Ok("DELETE 0".to_owned()),
            Change::Update(_) | Change::Delete(_) if moved => Err("40001"),
            Change::Delete(_) => Ok("DELETE 1".to_owned()),
            Change::Update(rows) => Ok(format!("UPDATE {}", rows.len())),
        };
        self.log.push(format!("{at}: {text}"));
        let found = ask(&mut open.session, &text).await.map(|(tag, _)| tag);
        assert_eq!(found, expected.clone().map_err(str::to_owned), "{:#?}", self.log);
        if expected.is_err() {
            self.counts[2] += 1;
            return self.end(at, false).await;
        }
        self.counts[1] += 1;
        open.locked.extend(&keys);
        match change {
            Change::Insert(key, row) => drop(open.own.insert(key, Some(row))),
            Change::Update(rows) => {
                open.own.extend(rows.into_iter().map(|(key, row)| (key, Some(row))))
            }
            Change::Delete(key) if view.contains_key(&key) => drop(open.own.insert(key, None)),
            Change::Delete(_) => {}
        }
    }

    /// What goes on behind the transactions.
    async fn background(&mut self) {
        let (engine, checkpoint) = (Arc::clone(&self.engine), self.pick(2) == 0);
        self.log.push(if checkpoint { "checkpoint" } else { "merge" }.to_owned());
        let work =
            move || if checkpoint { engine.checkpoint() } else { engine.merge_in_background() };
        tokio::task::spawn_blocking(work).await.unwrap().unwrap();
    }

    async fn step(&mut self) {
        let chosen = self.pick(100);
        if self.open.is_empty() || (chosen < 10 && self.open.len() < OPEN_MAX) {
            return self.begin().await;
        }
        let at = self.pick(self.open.len() as i32) as usize;
        match chosen {
            0..50 => self.write(at).await,
            50..78 => self.question(at).await,
            78..84 => self.savepoint(at).await,
            84..96 => self.end(at, chosen < 93).await,
            _ => self.background().await,
        }
    }
}

async fn play(seed: u64, steps: usize) -> [usize; 4] {
    let dir = tempfile::tempdir().unwrap();
    let engine = open_engine(dir.path()).await;
    Session::local(&engine, "graphwire").await.unwrap().run_text(SETUP).await.unwrap();
    let rows = (1..=VERTICES).map(|id| (('a', id), (0, 0))).collect();
    let committed = Committed { rows, ..Committed::default() };
    let random = StdRng::seed_from_u64(seed);
    let (open, counts) = (Vec::new(), [0; 4]);
    let log = vec![format!("seed {seed}")];
    let mut history = History { engine, committed, open, random, counts, log };
    for _ in 0..3 {
        for _ in 0..steps {
            history.step().await;
        }
        // What is open is gone with the engine.
        history.open.clear();
        let History { engine, .. } = history;
        let closing = Arc::clone(&engine);
        tokio::task::spawn_blocking(move || closing.close().unwrap()).await.unwrap();
        drop(engine);
        history.engine = open_engine(dir.path()).await;
        history.log.push("restart".to_owned());
        history.begin().await;
        for _ in 0..8 {
            history.question(0).await;
        }
    }
    history.counts
}

/// `MODEL_SEED` plays one history, `MODEL_STEPS` says how long each part of it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_match_a_model() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let steps = number("MODEL_STEPS").unwrap_or(150) as usize;
    let seeds = number("MODEL_SEED").map_or(0..4, |seed| seed..seed + 1);
    let mut all = [0; 4];
    for seed in seeds {
        for (all, count) in all.iter_mut().zip(play(seed, steps).await) {
            *all += count;
        }
    }
    let [commits, changes, conflicts, questions] = all;
    println!("{commits} commits, {changes} changes, {conflicts} conflicts, {questions} questions");
    assert!(commits > 20 && changes > 100 && conflicts > 5 && questions > 100, "{all:?}");
}
