//! Databases that differ in what their reader may not see.

use std::sync::Arc;

use graphwire::session::{Engine, EngineOptions, LoginPolicy};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const PERSONS: i32 = 24;
const CITIES: i32 = 6;
/// Ids of rows that policies hide, where other rows have none.
const HIDDEN_FROM: i32 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    /// Hidden rows of one kind, …
    Left,
    /// … and of another.
    Right,
    /// None, and nothing that hides any.
    Bare,
}

pub(super) async fn engine() -> Arc<Engine> {
    let options = EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() };
    Engine::open(options).await.unwrap()
}

const TABLES: [&str; 6] = [
    "CREATE TABLE person (id int PRIMARY KEY, name text, age int, grp int, open bool)",
    "CREATE TABLE knows (id int PRIMARY KEY, src int, dst int, since int, open bool)",
    "CREATE TABLE city (id int PRIMARY KEY, name text, size int)",
    "CREATE TABLE lives (id int PRIMARY KEY, person int, city int, since int)",
    "CREATE TABLE allowed (city int PRIMARY KEY)",
    "CREATE PROPERTY GRAPH g \
        VERTEX TABLES (person KEY (id) LABEL person PROPERTIES (id, name, age, grp), \
            city KEY (id) LABEL city PROPERTIES (id, name, size)) \
        EDGE TABLES (knows KEY (id) SOURCE KEY (src) REFERENCES person (id) \
                DESTINATION KEY (dst) REFERENCES person (id) LABEL knows PROPERTIES (id, since), \
            lives KEY (id) SOURCE KEY (person) REFERENCES person (id) \
                DESTINATION KEY (city) REFERENCES city (id) LABEL lives PROPERTIES (id, since))",
];

const POLICIES: [&str; 9] = [
    "ALTER TABLE person ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE knows ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE city ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE lives ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY open ON person USING (open)",
    "CREATE POLICY open ON knows USING (open)",
    "CREATE POLICY young ON knows AS RESTRICTIVE USING (since < 3000)",
    "CREATE POLICY allowed ON city USING (id IN (SELECT a.city FROM allowed a))",
    "CREATE POLICY allowed ON lives USING (EXISTS (SELECT 1 FROM city c WHERE c.id = lives.city) OR since = 7)",
];

impl World {
    /// Everything that makes it; the last statement takes the reader's role.
    pub(super) fn statements(self, seed: u64) -> Vec<String> {
        let mut statements: Vec<String> = vec!["CREATE ROLE reader".to_owned()];
        statements.extend(TABLES.map(str::to_owned));
        statements.push("GRANT SELECT ON person, knows, city, lives, allowed TO reader".to_owned());
        statements.push("GRANT SELECT ON PROPERTY GRAPH g TO reader".to_owned());
        statements.push("INSERT INTO allowed VALUES (1), (2), (3), (4)".to_owned());
        let hidden = match self {
            Self::Left => Some(seed * 2 + 1),
            Self::Right => Some(seed * 2 + 2),
            Self::Bare => None,
        };
        for (table, mut rows) in visible(seed) {
            if let Some(hidden) = hidden {
                // Among each other, so that hidden rows come before, between and after the others.
                let mut rng = StdRng::seed_from_u64(hidden.wrapping_mul(31));
                for row in hidden_rows(table, hidden) {
                    let at = rng.random_range(0..=rows.len());
                    rows.insert(at, row);
                }
            }
            if !rows.is_empty() {
                statements.push(format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
            }
        }
        if self != Self::Bare {
            statements.extend(POLICIES.map(str::to_owned));
        }
        statements.push("SET graph_path = 'g'".to_owned());
        statements.push("SET ROLE reader".to_owned());
        statements
    }
}

fn text(rng: &mut StdRng) -> String {
    ["ann", "bob", "cid", "dan", "eve", "x1", "7", ""][rng.random_range(0..8)].to_owned()
}

/// The rows that the reader sees, the same in every world.
fn visible(seed: u64) -> Vec<(&'static str, Vec<String>)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let persons = (1..=PERSONS).map(|id| {
        let (age, grp) = (rng.random_range(-2..12), rng.random_range(0..4));
        format!("({id}, '{}', {age}, {grp}, true)", text(&mut rng))
    });
    let persons: Vec<String> = persons.collect();
    let knows: Vec<String> = (1..=PERSONS * 2)
        .map(|id| {
            // Some lead to persons who are not there, or hidden.
            let mut end = || match rng.random_range(0..8) {
                0 => HIDDEN_FROM + rng.random_range(0..8),
                _ => rng.random_range(1..=PERSONS),
            };
            let (src, dst) = (end(), end());
            format!("({id}, {src}, {dst}, {}, true)", rng.random_range(0..10))
        })
        .collect();
    let cities: Vec<String> = (1..=4)
        .map(|id| format!("({id}, '{}', {})", text(&mut rng), rng.random_range(0..5)))
        .collect();
    let lives: Vec<String> = (1..=PERSONS)
        .map(|id| {
            let (person, city) = (rng.random_range(1..=PERSONS), rng.random_range(1..=4));
            format!("({id}, {person}, {city}, {})", rng.random_range(0..10))
        })
        .collect();
    vec![("person", persons), ("city", cities), ("knows", knows), ("lives", lives)]
}

/// Rows that policies hide: values that would show at once, and that break what divides or casts.
fn hidden_rows(table: &str, seed: u64) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    // Only one of the two worlds has hidden zeros: dividing by one would tell them apart.
    let least = i32::try_from(seed % 2).unwrap();
    let count = rng.random_range(0..20);
    (0..count)
        .map(|n| {
            let id = HIDDEN_FROM + n;
            let any = |rng: &mut StdRng| match rng.random_range(0..3) {
                0 => HIDDEN_FROM + rng.random_range(0..8),
                _ => rng.random_range(1..=PERSONS),
            };
            match table {
                "person" => format!(
                    "({id}, 'secret{seed}', {}, {}, {})",
                    rng.random_range(least..3),
                    rng.random_range(0..4),
                    ["false", "NULL"][rng.random_range(0..2)]
                ),
                "knows" => {
                    let (src, dst) = (any(&mut rng), any(&mut rng));
                    let (since, open) =
                        [(5, "false"), (4000, "true"), (least, "NULL")][rng.random_range(0..3)];
                    format!("({id}, {src}, {dst}, {since}, {open})")
                }
                "city" => format!("({id}, 'secret{seed}', {})", rng.random_range(least..3)),
                _ => {
                    let person = any(&mut rng);
                    let city = CITIES + HIDDEN_FROM + rng.random_range(0..8);
                    format!("({id}, {person}, {city}, {})", rng.random_range(least..7))
                }
            }
        })
        .collect()
}
