//! Writes of one row that are answered at once: the same as the ordinary way does, in blocks and outside, whoever else
//! writes.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::client::{Client, bind, describe, execute, flush, parse, sync};
use super::server::TestServer;

const TABLES: &str =
    "CREATE TABLE item (id int PRIMARY KEY, n int, note text, big bigint CHECK (big < 1000));
    CREATE TABLE event (item int, n int NOT NULL, at timestamp);
    INSERT INTO item SELECT i, 0, 'note ' || i, i FROM generate_series(0, 9) i";

/// Named statements, each with what it does.
const STATEMENTS: [(&str, &str); 8] = [
    ("begin", "BEGIN"),
    ("commit", "COMMIT"),
    ("rollback", "ROLLBACK"),
    ("add", "UPDATE item SET n = n + $1 WHERE id = $2"),
    ("set", "UPDATE item SET big = $1, note = 'n ' || $1 WHERE id = $2"),
    ("get", "SELECT n, note, big FROM item WHERE id = $1"),
    ("log", "INSERT INTO event (item, n, at) VALUES ($1, $2, CURRENT_TIMESTAMP)"),
    ("sum", "SELECT sum(n) FROM item"),
];

fn prepare(client: &mut Client) {
    for (name, text) in STATEMENTS {
        client.send(&[parse(name, text), sync()].concat());
        client.transcript();
    }
}

/// A server with the tables, and clients that have prepared the statements.
fn prepared<const N: usize>() -> (TestServer, [Client; N]) {
    let server = TestServer::trusting();
    server.login().query(TABLES);
    let clients = [(); N].map(|()| {
        let mut client = server.login();
        prepare(&mut client);
        client
    });
    (server, clients)
}

/// How the messages of an execution are sent.
#[derive(Clone, Copy)]
enum Way {
    /// As drivers do: these may be answered at once.
    Quick,
    /// With a Flush among them: these are not.
    Ordinary,
}

fn run(client: &mut Client, way: Way, name: &str, values: &[i64]) -> Vec<String> {
    let texts: Vec<String> = values.iter().map(i64::to_string).collect();
    let values: Vec<Option<&[u8]>> = texts.iter().map(|text| Some(text.as_bytes())).collect();
    let bound = bind("", name, &[], &values, &[]);
    let between = match way {
        Way::Quick => Vec::new(),
        Way::Ordinary => flush(),
    };
    client.send(&[bound, between, describe(b'P', ""), execute("", 0), sync()].concat());
    let mut lines = client.transcript();
    lines.retain(|line| !["BindComplete", "NoData", "RowDescription"].contains(&line.as_str()));
    lines
}

fn way(random: &mut StdRng) -> Way {
    if random.random_bool(0.8) { Way::Quick } else { Way::Ordinary }
}

type Row = (i64, String, i64);

/// What the tables should hold.
struct Model {
    committed: Vec<Row>,
    events: i64,
    /// What the open block wrote.
    own: Own,
}

#[derive(Clone, Default)]
struct Own {
    rows: BTreeMap<usize, Row>,
    events: i64,
}

impl Model {
    fn row(&self, id: usize) -> Option<Row> {
        self.own.rows.get(&id).or(self.committed.get(id)).cloned()
    }

    /// Changes a row, if it is there; how many there are.
    fn change(&mut self, id: usize, change: impl FnOnce(&mut Row)) -> usize {
        let Some(mut row) = self.row(id) else { return 0 };
        change(&mut row);
        self.own.rows.insert(id, row);
        1
    }

    fn sum(&self) -> i64 {
        (0..self.committed.len()).filter_map(|id| self.row(id)).map(|row| row.0).sum()
    }

    fn end(&mut self, committed: bool) {
        let own = std::mem::take(&mut self.own);
        if committed {
            for (id, row) in own.rows {
                self.committed[id] = row;
            }
            self.events += own.events;
        }
    }
}

#[test]
fn random_blocks_are_what_a_model_says() {
    let (_server, [mut client, mut other]) = prepared();
    let mut random = StdRng::seed_from_u64(7);
    let committed = (0..10).map(|id| (0, format!("note {id}"), id)).collect();
    let mut model = Model { committed, events: 0, own: Own::default() };
    for round in 0..300 {
        let in_block = random.random_bool(0.8);
        let status = if in_block { "ReadyForQuery(T)" } else { "ReadyForQuery(I)" };
        let tagged = |tag: String| vec![format!("CommandComplete({tag})"), status.to_owned()];
        if in_block {
            let done = run(&mut client, way(&mut random), "begin", &[]);
            assert_eq!(done, tagged("BEGIN".to_owned()));
        }
        let mut saved = None;
        let mut failed = false;
        for _ in 0..random.random_range(1..8) {
            let way = way(&mut random);
            let id: usize = random.random_range(0..12);
            let key = id as i64;
            match random.random_range(0..100) {
                0..35 => {
                    let by = random.random_range(-5..6);
                    let count = model.change(id, |row| row.0 += by);
                    let done = run(&mut client, way, "add", &[by, key]);
                    assert_eq!(done, tagged(format!("UPDATE {count}")));
                }
                35..50 => {
                    let big = random.random_range(0..500);
                    let count = model.change(id, |row| (row.1, row.2) = (format!("n {big}"), big));
                    let done = run(&mut client, way, "set", &[big, key]);
                    assert_eq!(done, tagged(format!("UPDATE {count}")));
                }
                50..75 => {
                    let mut expected = match model.row(id) {
                        Some((n, note, big)) => vec![format!("DataRow({n}, {note}, {big})")],
                        None => Vec::new(),
                    };
                    expected.extend(tagged(format!("SELECT {}", expected.len())));
                    assert_eq!(run(&mut client, way, "get", &[key]), expected, "round {round}");
                }
                75..85 => {
                    model.own.events += 1;
                    let done = run(&mut client, way, "log", &[key, 1]);
                    assert_eq!(done, tagged("INSERT 0 1".to_owned()));
                }
                85..90 => {
                    let found = run(&mut client, way, "sum", &[]);
                    assert_eq!(found[0], format!("DataRow({})", model.sum()), "round {round}");
                }
                90..94 if in_block => {
                    client.query("SAVEPOINT s");
                    saved = Some(model.own.clone());
                }
                94..97 => {
                    if let Some(saved) = &saved {
                        client.query("ROLLBACK TO s");
                        model.own.clone_from(saved);
                    }
                }
                97.. if in_block && model.row(id).is_some() => {
                    let done = run(&mut client, way, "set", &[5000, key]);
                    assert_eq!(done, ["ErrorResponse(ERROR 23514)", "ReadyForQuery(E)"]);
                    failed = true;
                    break;
                }
                _ => {}
            }
            if !in_block {
                model.end(true);
            }
            // Another writes a row that the block has not written.
            let free = (0..10).find(|id| !model.own.rows.contains_key(id));
            let held = saved.as_ref().is_some_and(|saved: &Own| !saved.rows.is_empty());
            if let Some(free) = free.filter(|_| !held && random.random_bool(0.3)) {
                let done = run(&mut other, Way::Quick, "add", &[1, free as i64]);
                assert_eq!(done, ["CommandComplete(UPDATE 1)", "ReadyForQuery(I)"]);
                model.committed[free].0 += 1;
            }
        }
        if in_block {
            let commits = random.random_bool(0.7);
            let end = if commits { "commit" } else { "rollback" };
            let tag = if commits && !failed { "COMMIT" } else { "ROLLBACK" };
            let done = run(&mut client, way(&mut random), end, &[]);
            assert_eq!(done, [&format!("CommandComplete({tag})"), "ReadyForQuery(I)"]);
            model.end(commits && !failed);
        }
        let expected = format!("DataRow({}, {})", model.sum(), model.events);
        let counted = "SELECT sum(n), (SELECT count(*) FROM event) FROM item";
        assert_eq!(other.query(counted)[1], expected, "round {round}");
    }
}

/// Eight clients move amounts between few rows, so that they wait for each other and deadlock; the sum stays, and no
/// move is half there.
#[test]
fn transfers_keep_their_sum() {
    let (_server, clients) = prepared::<8>();
    std::thread::scope(|scope| {
        for (seed, mut client) in (0..).zip(clients) {
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed);
                client.query("SET deadlock_timeout = '20ms'");
                for _ in 0..60 {
                    let (from, to) = (random.random_range(0..4), random.random_range(0..4));
                    let amount = random.random_range(1..100);
                    run(&mut client, Way::Quick, "begin", &[]);
                    let mut done = Vec::new();
                    for values in [[-amount, from], [amount, to]] {
                        done = run(&mut client, way(&mut random), "add", &values);
                        if done != ["CommandComplete(UPDATE 1)", "ReadyForQuery(T)"] {
                            break;
                        }
                    }
                    let failed = done == ["ErrorResponse(ERROR 40P01)", "ReadyForQuery(E)"];
                    assert!(failed || done[0] == "CommandComplete(UPDATE 1)", "{done:?}");
                    if !failed {
                        run(&mut client, Way::Quick, "log", &[from, 1]);
                    }
                    let tag = if failed { "ROLLBACK" } else { "COMMIT" };
                    let ended = run(&mut client, Way::Quick, "commit", &[]);
                    assert_eq!(ended[0], format!("CommandComplete({tag})"));
                    let sum = run(&mut client, Way::Quick, "sum", &[]);
                    assert_eq!(sum[0], "DataRow(0)");
                }
            });
        }
    });
}

#[test]
fn definitions_that_change_are_heeded() {
    let (_server, [mut client, mut other]) = prepared();
    let add = |client: &mut Client| run(client, Way::Quick, "add", &[1, 3]);
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 1)");
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 1)");
    other.query("ALTER TABLE item ADD CHECK (n < 4)");
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 1)");
    assert_eq!(add(&mut client)[0], "ErrorResponse(ERROR 23514)");
    other.query("ALTER TABLE item DROP CONSTRAINT item_n_check");
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 1)");
    // In a block, what it holds keeps others from changing the table.
    run(&mut client, Way::Quick, "begin", &[]);
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 1)");
    other.query("SET lock_timeout = '50ms'");
    let held = other.query("ALTER TABLE item ADD CHECK (n < 2)");
    assert_eq!(held, ["ErrorResponse(ERROR 55P03)", "ReadyForQuery(I)"]);
    let held = other.query("TRUNCATE item");
    assert_eq!(held, ["ErrorResponse(ERROR 55P03)", "ReadyForQuery(I)"]);
    run(&mut client, Way::Quick, "commit", &[]);
    other.query("TRUNCATE item");
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 0)");
    other.query("REVOKE UPDATE ON item FROM PUBLIC");
    other.query("ALTER TABLE item ALTER n TYPE bigint");
    other.query("INSERT INTO item VALUES (3, 5000000000)");
    assert_eq!(add(&mut client)[0], "CommandComplete(UPDATE 1)");
    assert_eq!(other.query("SELECT n FROM item")[1], "DataRow(5000000001)");
}

#[test]
fn what_cannot_be_written_is_said_as_ever() {
    let (_server, [mut client]) = prepared();
    for _ in 0..3 {
        let big = run(&mut client, Way::Quick, "set", &[5000, 1]);
        assert_eq!(big, ["ErrorResponse(ERROR 23514)", "ReadyForQuery(I)"]);
        run(&mut client, Way::Quick, "add", &[i64::from(i32::MAX), 1]);
        let over = run(&mut client, Way::Quick, "add", &[1, 1]);
        assert_eq!(over, ["ErrorResponse(ERROR 22003)", "ReadyForQuery(I)"]);
        run(&mut client, Way::Quick, "add", &[-i64::from(i32::MAX), 1]);
        run(&mut client, Way::Quick, "begin", &[]);
        client.query("SET TRANSACTION READ ONLY");
        let kept = run(&mut client, Way::Quick, "add", &[1, 1]);
        assert_eq!(kept, ["ErrorResponse(ERROR 25006)", "ReadyForQuery(E)"]);
        let failed = run(&mut client, Way::Quick, "get", &[1]);
        assert_eq!(failed, ["ErrorResponse(ERROR 25P02)", "ReadyForQuery(E)"]);
        let ended = run(&mut client, Way::Quick, "commit", &[]);
        assert_eq!(ended, ["CommandComplete(ROLLBACK)", "ReadyForQuery(I)"]);
    }
    assert_eq!(run(&mut client, Way::Quick, "sum", &[])[0], "DataRow(0)");
}

#[test]
fn the_time_is_that_of_the_transaction_in_the_zone_of_the_session() {
    let (_server, [mut client]) = prepared();
    for zone in ["UTC", "America/New_York", "Asia/Kathmandu"] {
        client.query(&format!("SET TimeZone = '{zone}'"));
        run(&mut client, Way::Quick, "begin", &[]);
        let logged = run(&mut client, Way::Quick, "log", &[1, 1]);
        assert_eq!(logged, ["CommandComplete(INSERT 0 1)", "ReadyForQuery(T)"]);
        run(&mut client, Way::Ordinary, "log", &[1, 1]);
        let same = client.query("SELECT count(*) FROM event WHERE at = localtimestamp");
        assert_eq!(same[1], "DataRow(2)", "{zone}");
        run(&mut client, Way::Quick, "rollback", &[]);
    }
}
