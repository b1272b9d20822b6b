//! Random questions in SQL, SQL/PGQ and Cypher.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A statement, and how its answers are compared.
pub(super) struct Question {
    pub(super) text: String,
    /// Whether the order of its rows is its own.
    pub(super) ordered: bool,
    /// Whether its answer is about the plan, which is another one without policies.
    pub(super) plan_only: bool,
}

pub(super) fn question(seed: u64) -> Question {
    let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut plan_only = false;
    let mut ordered = false;
    let mut text = match rng.random_range(0..3) {
        0 => sql(&mut rng, &mut ordered),
        1 => pgq(&mut rng, &mut ordered),
        _ => cypher(&mut rng),
    };
    if rng.random_range(0..12) == 0 {
        text = format!("EXPLAIN {text}");
        plan_only = true;
    }
    // Row counts of tables that can be seen as a whole are shown.
    plan_only |= text.contains("pg_class");
    Question { text, ordered, plan_only }
}

fn pick<'a>(rng: &mut StdRng, of: &[&'a str]) -> &'a str {
    of[rng.random_range(0..of.len())]
}

const PERSON_COLUMNS: [&str; 4] = ["id", "name", "age", "grp"];

/// A condition on a person, some of which fail for some values.
fn condition(rng: &mut StdRng, of: &str) -> String {
    let number = rng.random_range(-1..9);
    match rng.random_range(0..9) {
        0 => format!("{of}.age > {number}"),
        1 => format!("{of}.grp = {}", rng.random_range(0..4)),
        2 => format!("{of}.id IN ({number}, 3, 101, 104)"),
        3 => format!("12 / {of}.age > {number}"),
        4 => format!("{of}.name = '{}'", pick(rng, &["ann", "secret3", "x1"])),
        5 => format!("{of}.name IS NOT NULL"),
        6 => format!("{of}.id = {}", rng.random_range(1..110)),
        7 => format!("NOT ({of}.age < {number})"),
        _ => format!("{of}.age + {of}.grp <> {number}"),
    }
}

fn sql(rng: &mut StdRng, ordered: &mut bool) -> String {
    let where_ = match rng.random_range(0..4) {
        0 => String::new(),
        1 => format!(" WHERE {} AND {}", condition(rng, "p"), condition(rng, "p")),
        2 => format!(" WHERE {} OR {}", condition(rng, "p"), condition(rng, "p")),
        _ => format!(" WHERE {}", condition(rng, "p")),
    };
    let column = pick(rng, &PERSON_COLUMNS);
    let limit = rng.random_range(1..6);
    match rng.random_range(0..18) {
        0 => format!("SELECT p.id, p.{column} FROM person p{where_}"),
        1 => format!("SELECT count(*), min(p.{column}), max(p.{column}) FROM person p{where_}"),
        2 => format!("SELECT p.grp, count(*), sum(p.age) FROM person p{where_} GROUP BY p.grp"),
        3 => {
            *ordered = true;
            format!("SELECT p.id, p.{column} FROM person p{where_} ORDER BY p.{column}, p.id LIMIT {limit}")
        }
        4 => format!("SELECT p.id, k.id FROM person p JOIN knows k ON k.src = p.id{where_}"),
        5 => format!("SELECT p.id, k.dst, c.name FROM person p LEFT JOIN knows k ON k.src = p.id LEFT JOIN lives l ON l.person = p.id LEFT JOIN city c ON c.id = l.city{where_}"),
        6 => format!("SELECT p.id FROM person p WHERE EXISTS (SELECT 1 FROM knows k WHERE k.dst = p.id AND 9 / (k.since - {limit}) > 0)"),
        7 => format!("SELECT p.id, (SELECT count(*) FROM lives l WHERE l.person = p.id) FROM person p{where_}"),
        8 => format!("SELECT p.id FROM person p WHERE p.id NOT IN (SELECT k.src FROM knows k WHERE k.since > {limit})"),
        9 => format!("SELECT DISTINCT p.{column} FROM person p{where_}"),
        10 => format!("SELECT p.id, rank() OVER (PARTITION BY p.grp ORDER BY p.age, p.id) FROM person p{where_}"),
        11 => format!("WITH x AS (SELECT * FROM person p{where_}) SELECT a.id, b.id FROM x a JOIN x b ON a.grp = b.grp AND a.id < b.id"),
        12 => format!("SELECT CAST(p.name AS int) FROM person p WHERE p.id % 5 = {}", limit - 1),
        13 => format!("SELECT id FROM person p{where_} EXCEPT SELECT dst FROM knows"),
        14 => format!("SELECT c.name, count(*) FROM city c JOIN lives l ON l.city = c.id GROUP BY c.name HAVING count(*) > {limit}"),
        15 => "SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('person', 'knows', 'city', 'lives')".to_owned(),
        16 => format!("SELECT p.id FROM person p CROSS JOIN city c WHERE p.age = c.size AND {}", condition(rng, "p")),
        _ => format!("SELECT string_agg(p.name, ',' ORDER BY p.id) FROM person p{where_}"),
    }
}

/// A pattern of SQL/PGQ, and the names of the persons in it.
fn pgq_pattern(rng: &mut StdRng) -> (String, Vec<&'static str>) {
    let hop = |rng: &mut StdRng| {
        pick(rng, &["-[e IS knows]->", "<-[e IS knows]-", "-[e IS knows]-"]).to_owned()
    };
    let bare = |rng: &mut StdRng| {
        pick(rng, &["-[IS knows]->", "<-[IS knows]-", "-[IS knows]-"]).to_owned()
    };
    match rng.random_range(0..10) {
        0 => ("(a IS person)".to_owned(), vec!["a"]),
        1 => (format!("(a IS person){}(b IS person)", hop(rng)), vec!["a", "b"]),
        2 => (
            format!("(a IS person){}(b IS person){}(c IS person)", bare(rng), bare(rng)),
            vec!["a", "b", "c"],
        ),
        3 => (
            "(a IS person)-[IS lives]->(t IS city)<-[IS lives]-(b IS person)".to_owned(),
            vec!["a", "b"],
        ),
        4 => (
            format!("(a IS person)-[e IS knows]->{{1,{}}}(b IS person)", rng.random_range(1..4)),
            vec!["a", "b"],
        ),
        5 => ("ANY SHORTEST (a IS person)-[e IS knows]->*(b IS person)".to_owned(), vec!["a", "b"]),
        6 => ("SIMPLE (a IS person)-[IS knows]-{1,3}(b IS person)".to_owned(), vec!["a", "b"]),
        7 => (
            "SHORTEST 2 GROUPS (a IS person)-[IS knows]->{1,3}(t)-[IS knows]-(b IS person)".to_owned(),
            vec!["a", "b"],
        ),
        8 => (
            "(a IS person) ((x)-[IS knows]->(y IS person WHERE y.age > 1)-[IS knows]-(z)){1,2} (b IS person)"
                .to_owned(),
            vec!["a", "b"],
        ),
        _ => (
            "(a IS person)-[IS knows]->(b IS person)-[IS knows]->(c IS person), (a)-[IS knows]-(c)"
                .to_owned(),
            vec!["a", "b", "c"],
        ),
    }
}

fn pgq(rng: &mut StdRng, ordered: &mut bool) -> String {
    let (pattern, persons) = pgq_pattern(rng);
    let first = persons[0];
    let last = persons[persons.len() - 1];
    let where_ = match rng.random_range(0..3) {
        0 => String::new(),
        _ => format!(" WHERE {}", condition(rng, first)),
    };
    let columns: Vec<String> =
        persons.iter().map(|person| format!("{person}.id AS {person}_id")).collect();
    let columns = columns.join(", ");
    let column = pick(rng, &["name", "age"]);
    let table = format!(
        "GRAPH_TABLE (g MATCH {pattern}{where_} COLUMNS ({columns}, {last}.{column} AS x))"
    );
    match rng.random_range(0..5) {
        0 => format!("SELECT count(*) FROM {table}"),
        1 => format!("SELECT x, count(*) FROM {table} GROUP BY x"),
        2 => {
            *ordered = true;
            let all: Vec<String> = persons.iter().map(|person| format!("{person}_id")).collect();
            format!("SELECT * FROM {table} ORDER BY {}, x", all.join(", "))
        }
        3 => format!("SELECT DISTINCT {last}_id FROM {table}"),
        _ => format!("SELECT * FROM {table}"),
    }
}

fn cypher(rng: &mut StdRng) -> String {
    let condition_on = |rng: &mut StdRng, of: &str| {
        condition(rng, of).replace("IN (", "IN [").replace("101, 104)", "101, 104]")
    };
    let where_ = match rng.random_range(0..3) {
        0 => String::new(),
        _ => format!(" WHERE {}", condition_on(rng, "a")),
    };
    let hop = pick(rng, &["-[e:knows]->", "<-[e:knows]-", "-[e:knows]-"]);
    let far = rng.random_range(1..4);
    match rng.random_range(0..20) {
        0 => format!("MATCH (a:person){where_} RETURN a.id, a.name"),
        1 => format!("MATCH (a:person){where_} RETURN count(a), sum(a.age)"),
        2 => format!("MATCH (a:person){hop}(b:person){where_} RETURN a.id, b.id, e.since"),
        3 => format!("MATCH (a:person){hop}(b:person){where_} RETURN a.grp, count(*)"),
        4 => format!("MATCH (a:person)-[:knows*1..{far}]->(b){where_} RETURN a.id, b.id"),
        5 => format!("MATCH (a:person)-[:knows*1..{far}]-(b){where_} RETURN count(DISTINCT b.id)"),
        6 => format!(
            "MATCH p = shortestPath((a:person)-[:knows*..4]->(b:person)){where_} RETURN a.id, b.id, length(p)"
        ),
        7 => format!("MATCH (a:person) OPTIONAL MATCH (a){hop}(b:person) RETURN a.id, b.id"),
        8 => format!(
            "MATCH (a:person)-[:lives]->(t:city)<-[:lives]-(b:person){where_} RETURN t.name, count(*)"
        ),
        9 => format!(
            "MATCH (a:person){where_} WITH a MATCH (a)-[:knows]->(b)-[:knows]->(c) RETURN a.id, count(c)"
        ),
        10 => format!("MATCH (a:person){where_} RETURN labels(a), a.id"),
        11 => format!("MATCH (a){where_} RETURN count(a)"),
        12 => format!(
            "MATCH p = (a:person)-[:knows]->(b:person){where_} RETURN [n IN nodes(p) | n.id], length(p)"
        ),
        13 => {
            format!("MATCH (a:person)-[:knows]->(b:person)-[:knows]->(a){where_} RETURN a.id, b.id")
        }
        14 => format!(
            "MATCH (a:person) WHERE EXISTS {{ MATCH (a)-[:knows]->(b:person) WHERE b.age > {far} }} RETURN a.id"
        ),
        15 => format!(
            "MATCH (a:person) ((x)-[e:knows]->(y:person WHERE y.age > {far})){{1,2}} (b){where_} RETURN a.id, b.id, size(e)"
        ),
        16 => format!(
            "MATCH (a:person) ((x)-[:knows]-(y:person)-[:knows]->(z)){{1,2}} (b){where_} RETURN a.id, b.id, [n IN y | n.id]"
        ),
        17 | 18 => algorithm(rng),
        _ => format!("MATCH (a:person)-[e]->(b){where_} RETURN type(e), a.id, b.id"),
    }
}

/// A graph algorithm whose answers do not hang on the order of sums.
fn algorithm(rng: &mut StdRng) -> String {
    let algorithms = [
        ("wcc", "component"),
        ("scc", "component"),
        ("bfs", "level"),
        ("label_propagation", "community"),
        ("triangle_count", "triangles"),
        ("k_core", "core"),
        ("degree", "degree"),
    ];
    let (name, result) = algorithms[rng.random_range(0..algorithms.len())];
    let subgraph = pick(rng, &["", "nodeLabels: ['person'], ", "nodeFilter: 'n.age > 2', "]);
    let source = pick(rng, &["person:3", "person:101", "city:1", "nobody:1"]);
    let source = if name == "bfs" { format!("source: '{source}'") } else { "seed: 1".to_owned() };
    let part = format!("{{{subgraph}relationshipTypes: ['knows', 'lives'], {source}}}");
    format!("CALL algo.{name}({part}) YIELD node, {result} RETURN labels(node), node.id, {result}")
}
