//! `SERIALIZABLE READ ONLY DEFERRABLE`: a transaction that waits for a snapshot in which nothing can go wrong, and then
//! reads without being looked at.
//!
//! Source: Ports and Grittner, "Serializable Snapshot Isolation in PostgreSQL", PVLDB 5(12), 2012, section 4.3.

use std::sync::Arc;
use std::time::Duration;

use super::session_impl::Session;
use crate::error::PgError;

/// How often it is looked whether the writers have ended.
const LOOK: Duration = Duration::from_millis(2);

/// Before a statement takes a snapshot: waits for a safe one if the transaction wants that.
///
/// # Errors
/// `XX000` for our own defects. Cancellation drops the future.
pub(super) async fn wait(session: &mut Session) -> Result<(), PgError> {
    if !session.transaction.as_ref().is_some_and(|one| one.wants_safe_snapshot()) {
        return Ok(());
    }
    let database = Arc::clone(&session.database);
    let attending = database.locks.attend(session.shared.pid.0);
    loop {
        let taken = database.serializable.with_writers(|| {
            let held = database.hold();
            let commit = held.latest.store.commit;
            (held, commit)
        });
        let Some((held, writers)) = taken else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        loop {
            let running: Vec<i32> =
                writers.iter().filter_map(|writer| writer.running_session()).collect();
            if running.is_empty() {
                break;
            }
            attending.for_sessions(running);
            tokio::time::sleep(LOOK).await;
        }
        let commit = held.latest.store.commit;
        if writers.iter().any(|writer| writer.spoils(commit)) {
            continue;
        }
        if let Some(transaction) = &mut session.transaction {
            transaction.begin_safely(held);
            session.shared.set_catalog(&transaction.catalog);
        }
        return Ok(());
    }
}
