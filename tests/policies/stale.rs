//! A prepared statement meets the policies and rights of its execution, whatever they were before (SECURITY.md Z-04).
//!
//! `POLICY_EXECUTIONS` is how many executions are looked at.

use graphwire::session::Session;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::worlds::engine;
use super::{Answer, ask, number};

const EXECUTIONS: u64 = 600;
const ROLES: [&str; 2] = ["stale_a", "stale_b"];

/// What decides about the answers.
#[derive(Debug, Clone, Copy)]
struct State {
    /// Index in [`ROLES`]; none is the superuser.
    role: Option<usize>,
    enabled: bool,
    /// Whether the policy is `owner = current_user`, `true` or `false`.
    policy: usize,
    granted: [bool; 2],
}

impl State {
    /// Rows that are there: two of the first role, three of the second.
    fn rows(self) -> Option<usize> {
        let Some(role) = self.role else { return Some(5) };
        if !self.granted[role] {
            return None;
        }
        Some(match (self.enabled, self.policy) {
            (false, _) | (true, 1) => 5,
            (true, 0) => [2, 3][role],
            (true, _) => 0,
        })
    }
}

async fn run(session: &mut Session, text: &str) {
    if let Err(error) = session.run_text(text).await {
        panic!("{text}: {error}");
    }
}

/// Something that changes what the next execution should give.
async fn change(session: &mut Session, state: &mut State, rng: &mut StdRng) {
    match rng.random_range(0..6) {
        0 | 1 => {
            state.role = [None, Some(0), Some(1)][rng.random_range(0..3)];
            run(session, "RESET ROLE").await;
        }
        2 => {
            state.policy = rng.random_range(0..3);
            let using = ["owner = current_user", "true", "false"][state.policy];
            run(session, "RESET ROLE").await;
            run(session, &format!("ALTER POLICY p ON item USING ({using})")).await;
        }
        3 => {
            state.enabled = !state.enabled;
            let action = if state.enabled { "ENABLE" } else { "DISABLE" };
            run(session, "RESET ROLE").await;
            run(session, &format!("ALTER TABLE item {action} ROW LEVEL SECURITY")).await;
        }
        _ => {
            let role = rng.random_range(0..2);
            state.granted[role] = rng.random_range(0..3) > 0;
            let (verb, to) = if state.granted[role] { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
            run(session, "RESET ROLE").await;
            run(session, &format!("{verb} SELECT ON item {to} {}", ROLES[role])).await;
        }
    }
    if let Some(role) = state.role {
        run(session, &format!("SET ROLE {}", ROLES[role])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_are_never_stale() {
    let (executions, seed) = (number("POLICY_EXECUTIONS", EXECUTIONS), number("POLICY_SEED", 1));
    let mut rng = StdRng::seed_from_u64(seed);
    let engine = engine().await;
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    for statement in [
        "CREATE ROLE stale_a",
        "CREATE ROLE stale_b",
        "CREATE TABLE item (id int PRIMARY KEY, owner text)",
        "INSERT INTO item VALUES (1, 'stale_a'), (2, 'stale_a'), (3, 'stale_b'), (4, 'stale_b'), (5, 'stale_b')",
        "CREATE POLICY p ON item USING (owner = current_user)",
        "CREATE PROPERTY GRAPH items VERTEX TABLES (item KEY (id) LABEL item PROPERTIES (id))",
        "GRANT SELECT ON PROPERTY GRAPH items TO stale_a, stale_b",
        "SET graph_path = 'items'",
        "PREPARE all_rows AS SELECT id FROM item",
        "PREPARE one_row(int) AS SELECT id FROM item WHERE id = $1",
        "PREPARE elements AS SELECT id FROM GRAPH_TABLE (items MATCH (i IS item) COLUMNS (i.id AS id))",
    ] {
        run(&mut session, statement).await;
    }
    let mut state = State { role: None, enabled: false, policy: 0, granted: [false; 2] };
    for number in 0..executions {
        change(&mut session, &mut state, &mut rng).await;
        let statement =
            ["EXECUTE all_rows", "EXECUTE elements", "EXECUTE one_row(1)", "EXECUTE one_row(4)"]
                [rng.random_range(0..4)];
        let answer = ask(&mut session, statement).await;
        let seen = match &answer {
            Answer::Rows(rows) => Some(rows.len()),
            Answer::Failed(code, _) if code == "42501" => None,
            Answer::Failed(..) => panic!("execution {number}: {answer:?}"),
        };
        let expected = match (state.rows(), statement) {
            (Some(rows), "EXECUTE one_row(1)") => Some(usize::from(rows == 5 || rows == 2)),
            (Some(rows), "EXECUTE one_row(4)") => Some(usize::from(rows == 5 || rows == 3)),
            (rows, _) => rows,
        };
        assert_eq!(seen, expected, "seed {seed}, execution {number}: {statement} in {state:?}");
    }
}
