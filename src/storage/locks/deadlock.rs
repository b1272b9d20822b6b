//! Finds transactions that wait for each other in a circle.
//!
//! The graph is read shard by shard while others go on, so a circle that was seen is read again: whoever is in it has
//! the same wait as before, so it has been waiting all the time and has released nothing, and the circle is real.

use super::table::{LockTable, Wait, Who};
use super::target::LockTarget;

/// One session of a circle.
#[derive(Debug, Clone, Copy)]
pub struct DeadlockStep {
    /// The session that waits.
    pub session: i32,
    /// What it waits for.
    pub target: LockTarget,
    /// How strongly it wants it, by number.
    pub mode: u8,
    /// The session it waits for.
    pub blocked_by: i32,
    /// That session's transaction.
    pub blocking_transaction: u64,
}

/// A wait, and who ends it.
#[derive(Debug, Clone, Copy)]
struct Edge {
    session: i32,
    wait: Wait,
    blocker: Who,
    in_queue: bool,
}

/// The circle `wait` is part of. One that hangs on the order of a queue alone is undone by changing the order.
pub(super) fn find(table: &LockTable, session: i32, wait: &Wait) -> Option<Vec<DeadlockStep>> {
    let circle = search(table, session, wait)?;
    if !circle.iter().all(|edge| still_there(table, edge)) {
        return None;
    }
    // The last one of the path first, as PostgreSQL does: it is the wait that has gone on longest.
    if let Some(edge) = circle.iter().rfind(|edge| edge.in_queue) {
        table.move_up(&edge.wait);
        return None;
    }
    Some(circle.into_iter().map(step).collect())
}

/// The circle of a wait that would begin and of one in the same queue.
pub(super) fn of_two(who: Who, wait: &Wait, other: (Who, Wait)) -> Vec<DeadlockStep> {
    let edge = |session, wait: Wait, blocker| Edge { session, wait, blocker, in_queue: false };
    let (other_who, other_wait) = other;
    vec![step(edge(who.session, *wait, other_who)), step(edge(other_who.session, other_wait, who))]
}

fn step(edge: Edge) -> DeadlockStep {
    DeadlockStep {
        session: edge.session,
        target: LockTarget::at(edge.wait.resource, edge.wait.place),
        mode: edge.wait.mode.0,
        blocked_by: edge.blocker.session,
        blocking_transaction: edge.blocker.transaction,
    }
}

fn still_there(table: &LockTable, edge: &Edge) -> bool {
    table.blockers_of(edge.session, &edge.wait).iter().any(|blocker| {
        blocker.who.session == edge.blocker.session && blocker.in_queue == edge.in_queue
    })
}

/// A path of waits from `session` back to itself; depth first, each session once.
fn search(table: &LockTable, session: i32, wait: &Wait) -> Option<Vec<Edge>> {
    let mut seen = std::collections::HashSet::from([session]);
    let mut path: Vec<Edge> = Vec::new();
    let mut open: Vec<(usize, Edge)> = edges(table, session, wait, 0);
    while let Some((depth, edge)) = open.pop() {
        path.truncate(depth);
        path.push(edge);
        let next = edge.blocker.session;
        if next == session {
            return Some(path);
        }
        if !seen.insert(next) {
            continue;
        }
        let waits = table.waiting.lock().get(&next).cloned().unwrap_or_default();
        for wait in &waits {
            open.extend(edges(table, next, wait, depth + 1));
        }
    }
    None
}

fn edges(table: &LockTable, session: i32, wait: &Wait, depth: usize) -> Vec<(usize, Edge)> {
    // Holders last: they are looked at first.
    let mut edges: Vec<(usize, Edge)> = table
        .blockers_of(session, wait)
        .into_iter()
        .map(|blocker| {
            let edge =
                Edge { session, wait: *wait, blocker: blocker.who, in_queue: blocker.in_queue };
            (depth, edge)
        })
        .collect();
    edges.sort_by_key(|(_, edge)| !edge.in_queue);
    edges
}
