//! Random graphs and patterns: Cypher, SQL/PGQ and SQL's joins must find the same bag of matches.
//!
//! ```text
//! Cypher   MATCH (v0:va)-[e0:t]->(v1), (v1)-[e1]-{0,2}(v0) WHERE v0.x < v1.x
//! PGQ      MATCH DIFFERENT EDGES …, or without it: then edges repeat, as in MATCH REPEATABLE ELEMENTS
//! SQL      FROM allv AS v0, allv AS v1, alle AS e0, …: one query for each length of each quantified edge
//! ```
//!
//! `PATTERN_CASES` says how many (25 by default), `PATTERN_SEED` where to begin, `PATTERN_SERVER` which server is asked:
//! a release build that runs already is faster than this one.

use graphwire::session::display::cells;
use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_postgres::SimpleQueryMessage;

const GRAPH: &str = "
    CREATE TABLE va (id int8 PRIMARY KEY, x int8);
    CREATE TABLE vb (id int8 PRIMARY KEY, x int8);
    CREATE TABLE t (id int8 PRIMARY KEY, src int8 REFERENCES va (id), dst int8 REFERENCES va (id), w int8);
    CREATE TABLE u (id int8 PRIMARY KEY, src int8 REFERENCES va (id), dst int8 REFERENCES vb (id), w int8);
    CREATE TABLE r (id int8 PRIMARY KEY, src int8 REFERENCES vb (id), dst int8 REFERENCES va (id), w int8);
    CREATE PROPERTY GRAPH g VERTEX TABLES (va, vb) EDGE TABLES (
        t SOURCE KEY (src) REFERENCES va (id) DESTINATION KEY (dst) REFERENCES va (id),
        u SOURCE KEY (src) REFERENCES va (id) DESTINATION KEY (dst) REFERENCES vb (id),
        r SOURCE KEY (src) REFERENCES vb (id) DESTINATION KEY (dst) REFERENCES va (id))";

const DROP: &str = "
    DROP PROPERTY GRAPH IF EXISTS g;
    DROP TABLE IF EXISTS t, u, r, va, vb, allv, alle";

/// All vertices and all edges, for joins: tables, as views of three tables each take long to plan.
const ALL: &str = "
    CREATE TABLE allv AS SELECT id, x, 'va' AS lab FROM va UNION ALL SELECT id, x, 'vb' FROM vb;
    CREATE TABLE alle AS SELECT id, src, dst, w, 't' AS lab FROM t
        UNION ALL SELECT id, src, dst, w, 'u' FROM u UNION ALL SELECT id, src, dst, w, 'r' FROM r";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Right,
    Left,
    Any,
}

#[derive(Debug, Clone)]
struct Vertex {
    label: Option<&'static str>,
    less: Option<i64>,
}

#[derive(Debug, Clone)]
struct Edge {
    left: usize,
    right: usize,
    direction: Direction,
    label: Option<&'static str>,
    least: Option<i64>,
    /// Least and greatest number of repetitions.
    repeat: Option<(usize, usize)>,
    /// A repeated pattern of two edges, whose middle vertex must have a greater `x` than this.
    pair: Option<i64>,
}

#[derive(Debug)]
struct Pattern {
    vertices: Vec<Vertex>,
    edges: Vec<Edge>,
    /// `v0.x < v1.x`, for a pair of vertices.
    ordered: Option<(usize, usize)>,
    /// An optional edge that leaves this vertex, to one with `x` greater than a number.
    optional: Option<(usize, i64)>,
}

fn random_rows(random: &mut StdRng) -> Vec<String> {
    let (a, b) = (random.random_range(1..6i64), random.random_range(1..4i64));
    let mut statements = Vec::new();
    for (table, first, count) in [("va", 0, a), ("vb", 100, b)] {
        for id in first..first + count {
            let x = random.random_range(0..4);
            statements.push(format!("INSERT INTO {table} VALUES ({id}, {x})"));
        }
    }
    let ends = [("t", 1_000, 0..a, 0..a), ("u", 2_000, 0..a, 100..100 + b)];
    let ends = ends.into_iter().chain([("r", 3_000, 100..100 + b, 0..a)]);
    for (table, first, from, to) in ends {
        for id in first..first + random.random_range(0..8i64) {
            let (from, to) = (random.random_range(from.clone()), random.random_range(to.clone()));
            let w = random.random_range(0..5);
            statements.push(format!("INSERT INTO {table} VALUES ({id}, {from}, {to}, {w})"));
        }
    }
    statements
}

fn random_pattern(random: &mut StdRng) -> Pattern {
    let count = random.random_range(1..4usize);
    let vertices = (0..count)
        .map(|_| Vertex {
            label: random.random_bool(0.4).then(|| ["va", "vb"][random.random_range(0..2)]),
            less: random.random_bool(0.3).then(|| random.random_range(1..4)),
        })
        .collect();
    let edges = (0..random.random_range(1..4usize))
        .map(|_| {
            let repeat = random.random_bool(0.3).then(|| {
                let least = random.random_range(0..2usize);
                (least, least + random.random_range(1..3usize) - usize::from(least == 1))
            });
            let pair =
                repeat.and_then(|_| random.random_bool(0.3).then(|| random.random_range(0..3)));
            Edge {
                left: random.random_range(0..count),
                right: random.random_range(0..count),
                direction: match (pair, random.random_range(0..3)) {
                    (None, 0) => Direction::Left,
                    (None, 1) => Direction::Any,
                    _ => Direction::Right,
                },
                label: random.random_bool(0.4).then(|| ["t", "u", "r"][random.random_range(0..3)]),
                least: random.random_bool(0.3).then(|| random.random_range(1..4)),
                repeat,
                pair,
            }
        })
        .collect();
    let pair = || (0usize, count - 1);
    Pattern {
        vertices,
        edges,
        ordered: (count > 1 && random.random_bool(0.3)).then(pair),
        optional: random.random_bool(0.3).then(|| (0, random.random_range(0..3))),
    }
}

/// What the two graph languages write differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Cypher,
    Pgq,
}

impl Pattern {
    fn vertex(&self, at: usize, language: Language) -> String {
        let Vertex { label, less } = &self.vertices[at];
        let label = label.map_or_else(String::new, |label| match language {
            Language::Cypher => format!(":{label}"),
            Language::Pgq => format!(" IS {label}"),
        });
        let less = less.map_or_else(String::new, |less| format!(" WHERE v{at}.x < {less}"));
        format!("(v{at}{label}{less})")
    }

    fn edge(&self, at: usize, language: Language) -> String {
        let edge = &self.edges[at];
        let label = edge.label.map_or_else(String::new, |label| match language {
            Language::Cypher => format!(":{label}"),
            Language::Pgq => format!(" IS {label}"),
        });
        let repeat =
            edge.repeat.map_or_else(String::new, |(least, most)| format!("{{{least},{most}}}"));
        let least = |name: &str| {
            edge.least.map_or_else(String::new, |least| format!(" WHERE {name}.w >= {least}"))
        };
        if let Some(greater) = edge.pair {
            let (one, two) = (format!("e{at}"), format!("f{at}"));
            return format!(
                "((p{at})-[{one}{label}{}]->(q{at} WHERE q{at}.x > {greater})-[{two}{label}{}]->(s{at})){repeat}",
                least(&one),
                least(&two)
            );
        }
        let (open, close) = match edge.direction {
            Direction::Right => ("-", "->"),
            Direction::Left => ("<-", "-"),
            Direction::Any => ("-", "-"),
        };
        format!("{open}[e{at}{label}{}]{close}{repeat}", least(&format!("e{at}")))
    }

    fn paths(&self, language: Language) -> String {
        let mut paths: Vec<String> =
            (0..self.vertices.len()).map(|at| self.vertex(at, language)).collect();
        for (at, edge) in self.edges.iter().enumerate() {
            let text = self.edge(at, language);
            paths.push(format!("(v{}){text}(v{})", edge.left, edge.right));
        }
        paths.join(", ")
    }

    fn condition(&self) -> String {
        self.ordered.map_or_else(String::new, |(one, two)| format!(" WHERE v{one}.x < v{two}.x"))
    }

    fn cypher(&self, distinct: bool) -> String {
        let mode = if distinct { "" } else { "REPEATABLE ELEMENTS " };
        let mut text = format!("MATCH {mode}{}{}", self.paths(Language::Cypher), self.condition());
        let mut columns: Vec<String> =
            (0..self.vertices.len()).map(|at| format!("v{at}.id AS v{at}_id")).collect();
        for (at, edge) in self.edges.iter().enumerate() {
            columns.push(match (edge.repeat, edge.pair) {
                (None, _) => format!("e{at}.id AS e{at}_id"),
                (Some(_), None) => {
                    format!("size(e{at}) * 100 + reduce(s = 0, r IN e{at} | s + r.w) AS e{at}_id")
                }
                (Some(_), Some(_)) => format!(
                    "size(e{at}) * 100 + reduce(s = 0, r IN e{at} | s + r.w) + reduce(s = 0, r IN f{at} | s + r.w) AS e{at}_id"
                ),
            });
        }
        if let Some((vertex, greater)) = self.optional {
            let names: Vec<String> = (0..self.vertices.len()).map(|at| format!("v{at}")).collect();
            let edges = (0..self.edges.len()).flat_map(|at| {
                let pair = self.edges[at].pair.map(|_| format!("f{at}"));
                [Some(format!("e{at}")), pair].into_iter().flatten()
            });
            let names: Vec<String> = names.into_iter().chain(edges).collect();
            text.push_str(&format!(
                " WITH {} OPTIONAL MATCH (v{vertex})-[o]->(w WHERE w.x > {greater})",
                names.join(", ")
            ));
            columns.push("o.id AS o_id, w.id AS w_id".to_owned());
        }
        format!("{text} RETURN {}", columns.join(", "))
    }

    fn pgq(&self, distinct: bool) -> String {
        let mode = if distinct { "DIFFERENT EDGES " } else { "" };
        let mut columns: Vec<String> =
            (0..self.vertices.len()).map(|at| format!("v{at}.id AS v{at}")).collect();
        for (at, edge) in self.edges.iter().enumerate() {
            columns.push(match (edge.repeat, edge.pair) {
                (None, _) => format!("e{at}.id AS e{at}"),
                (Some(_), None) => {
                    format!("COUNT(e{at}) * 100 + COALESCE(SUM(e{at}.w), 0) AS e{at}")
                }
                (Some(_), Some(_)) => format!(
                    "COUNT(e{at}) * 100 + COALESCE(SUM(e{at}.w), 0) + COALESCE(SUM(f{at}.w), 0) AS e{at}"
                ),
            });
        }
        let table = format!(
            "GRAPH_TABLE (g MATCH {mode}{}{} COLUMNS ({})) AS m",
            self.paths(Language::Pgq),
            self.condition(),
            columns.join(", ")
        );
        match self.optional {
            None => format!("SELECT * FROM {table}"),
            Some((vertex, greater)) => format!(
                "SELECT * FROM {table} LEFT JOIN GRAPH_TABLE (g MATCH (a WHERE a.id = m.v{vertex})-[o]->(w WHERE w.x > {greater}) COLUMNS (o.id AS o, w.id AS w)) AS n ON true"
            ),
        }
    }

    /// One query for each choice of lengths.
    fn sql(&self, distinct: bool) -> String {
        let mut lengths: Vec<Vec<usize>> = vec![vec![]];
        for edge in &self.edges {
            let own = edge.repeat.map_or(1..=1, |(least, most)| least..=most);
            lengths = lengths
                .into_iter()
                .flat_map(|before| {
                    own.clone().map(move |length| [before.clone(), vec![length]].concat())
                })
                .collect();
        }
        let queries: Vec<String> =
            lengths.iter().map(|lengths| self.sql_of(lengths, distinct)).collect();
        queries.join(" UNION ALL ")
    }

    fn sql_of(&self, lengths: &[usize], distinct: bool) -> String {
        let mut from: Vec<String> =
            (0..self.vertices.len()).map(|at| format!("allv AS v{at}")).collect();
        let mut conditions = vec!["true".to_owned()];
        let mut columns: Vec<String> =
            (0..self.vertices.len()).map(|at| format!("v{at}.id AS v{at}")).collect();
        for (at, Vertex { label, less }) in self.vertices.iter().enumerate() {
            conditions.extend(label.map(|label| format!("v{at}.lab = '{label}'")));
            conditions.extend(less.map(|less| format!("v{at}.x < {less}")));
        }
        conditions.extend(self.ordered.map(|(one, two)| format!("v{one}.x < v{two}.x")));
        let mut names = Vec::new();
        for (at, (edge, length)) in self.edges.iter().zip(lengths).enumerate() {
            let steps = length * if edge.pair.is_some() { 2 } else { 1 };
            let mut weights = vec!["0".to_owned()];
            for step in 0..steps {
                let name = format!("e{at}_{step}");
                let end = |place: usize| match place {
                    0 => format!("v{}", edge.left),
                    place if place == steps => format!("v{}", edge.right),
                    place => format!("m{at}_{place}"),
                };
                from.push(format!("alle AS {name}"));
                if step + 1 < steps {
                    from.push(format!("allv AS m{at}_{}", step + 1));
                }
                let (left, right) = (end(step), end(step + 1));
                let right_way = format!("{name}.src = {left}.id AND {name}.dst = {right}.id");
                let left_way = format!("{name}.src = {right}.id AND {name}.dst = {left}.id");
                conditions.push(match edge.direction {
                    Direction::Right => right_way,
                    Direction::Left => left_way,
                    Direction::Any => format!("(({right_way}) OR ({left_way}))"),
                });
                conditions.extend(edge.label.map(|label| format!("{name}.lab = '{label}'")));
                conditions.extend(edge.least.map(|least| format!("{name}.w >= {least}")));
                let middle = edge.pair.filter(|_| step % 2 == 0);
                conditions.extend(middle.map(|greater| format!("{right}.x > {greater}")));
                weights.push(format!("{name}.w"));
                names.push(name);
            }
            if steps == 0 {
                conditions.push(format!("v{}.id = v{}.id", edge.left, edge.right));
            }
            columns.push(match edge.repeat {
                None => format!("e{at}_0.id AS e{at}"),
                Some(_) => format!("{length} * 100 + {} AS e{at}", weights.join(" + ")),
            });
        }
        for (at, one) in names.iter().enumerate().filter(|_| distinct) {
            conditions.extend(names[..at].iter().map(|other| format!("{one}.id <> {other}.id")));
        }
        let query = format!(
            "SELECT {} FROM {} WHERE {}",
            columns.join(", "),
            from.join(", "),
            conditions.join(" AND ")
        );
        match self.optional {
            None => query,
            Some((vertex, greater)) => format!(
                "SELECT m.*, n.o, n.w FROM ({query}) AS m LEFT JOIN (SELECT o.id AS o, o.src, w.id AS w FROM alle AS o JOIN allv AS w ON o.dst = w.id WHERE w.x > {greater}) AS n ON n.src = m.v{vertex}"
            ),
        }
    }
}

/// Where statements are asked.
enum Asked {
    Here(Box<Session>),
    OnWire(tokio_postgres::Client),
}

impl Asked {
    /// An engine of its own, or what is at `PATTERN_SERVER` (a connection string), without what the one before made.
    async fn new() -> Self {
        if let Ok(address) = std::env::var("PATTERN_SERVER") {
            let (client, connection) =
                tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(DROP).await.unwrap();
            return Self::OnWire(client);
        }
        let options =
            EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() };
        let engine = Engine::open(options).await.unwrap();
        Self::Here(Box::new(Session::local(&engine, "graphwire").await.unwrap()))
    }

    async fn run(&mut self, text: &str) {
        self.rows(text).await.unwrap();
    }

    /// The rows of the last statement, sorted.
    async fn rows(&mut self, text: &str) -> Result<Vec<Vec<String>>, String> {
        let cells = match self {
            Self::Here(session) => {
                let results = session.run_text(text).await;
                let results = results
                    .map_err(|error| format!("{}: {}", error.code(), error.fields().message))?;
                let Some(last) = results.last() else { return Ok(Vec::new()) };
                cells(last, &session.output_settings()).map_err(|error| error.to_string())?
            }
            Self::OnWire(client) => {
                let messages = client.simple_query(text).await.map_err(|error| {
                    error.as_db_error().map_or_else(|| error.to_string(), |it| it.to_string())
                })?;
                let rows = messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                rows.map(|row| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
                    .collect()
            }
        };
        let null = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
        let mut rows: Vec<Vec<String>> =
            cells.into_iter().map(|row| row.into_iter().map(null).collect()).collect();
        rows.sort();
        Ok(rows)
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn three_languages_find_the_same_matches() {
    const PATTERNS_FOR_EACH_GRAPH: u64 = 20;
    let (cases, first) = (setting("PATTERN_CASES", 25), setting("PATTERN_SEED", 1));
    let (mut found, mut done) = (0, 0);
    let mut seed = first;
    while done < cases {
        let mut asked = Asked::new().await;
        let mut random = StdRng::seed_from_u64(seed);
        asked.run(GRAPH).await;
        for statement in random_rows(&mut random) {
            asked.run(&statement).await;
        }
        asked.run(ALL).await;
        for _ in 0..PATTERNS_FOR_EACH_GRAPH.min(cases - done) {
            let pattern = random_pattern(&mut random);
            for distinct in [true, false] {
                let sql = pattern.sql(distinct);
                let expected = asked.rows(&sql).await;
                assert!(expected.is_ok(), "seed {seed}: {expected:?}\n{sql}");
                for text in [pattern.cypher(distinct), pattern.pgq(distinct)] {
                    let got = asked.rows(&text).await;
                    assert_eq!(got, expected, "seed {seed}\n{text}\n{sql}");
                }
                found += expected.map_or(0, |rows| rows.len());
            }
            done += 1;
        }
        seed += 1;
    }
    assert!(found as u64 > cases, "only {found} matches in {cases} cases");
}
