//! `pg_export_snapshot()` and `SET TRANSACTION SNAPSHOT`: several sessions that read the same state, as `pg_dump -j` does.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::engine::HeldSnapshot;
use super::session_impl::Session;
use super::transaction::Isolation;
use crate::error::{PgError, SqlState};

/// How many a transaction may export.
const EXPORTS_MAX: usize = 64;

/// Snapshots that open transactions of a database have exported, by name.
#[derive(Debug, Default)]
pub(super) struct ExportedSnapshots {
    known: Mutex<BTreeMap<String, Weak<HeldSnapshot>>>,
}

impl ExportedSnapshots {
    fn add(&self, name: &str, held: &Arc<HeldSnapshot>) {
        let mut known = self.known.lock();
        known.retain(|_, held| held.strong_count() > 0);
        known.insert(name.to_owned(), Arc::downgrade(held));
    }

    fn find(&self, name: &str) -> Option<Arc<HeldSnapshot>> {
        self.known.lock().get(name)?.upgrade()
    }
}

/// What a session's transaction sees, and what it has exported.
#[derive(Debug, Default)]
pub(super) struct Exports {
    seen: Weak<HeldSnapshot>,
    /// Held up to the end of the transaction.
    exported: Vec<Arc<HeldSnapshot>>,
}

impl Exports {
    /// Its statement reads this.
    pub(super) fn sees(&mut self, held: &Arc<HeldSnapshot>) {
        self.seen = Arc::downgrade(held);
    }

    /// The transaction is over.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Gives what the statement reads a name, under which other sessions of the database find it.
    ///
    /// # Errors
    /// `54000` for too many in one transaction.
    pub(super) fn export(&mut self, session: i32, transaction: u64) -> Result<String, PgError> {
        let held = self.seen.upgrade();
        let held = held.ok_or_else(|| PgError::internal("a statement without a snapshot"))?;
        if self.exported.len() >= EXPORTS_MAX {
            let message = "too many snapshots exported by one transaction";
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let number = self.exported.len() + 1;
        let name = format!("{session:08X}-{transaction:08X}-{number}");
        held.database().exported.add(&name, &held);
        self.exported.push(held);
        Ok(name)
    }
}

/// `SET TRANSACTION SNAPSHOT`, in a transaction block.
///
/// # Errors
/// `25001` after a query, `0A000` but in REPEATABLE READ, `22023` for a name of none.
pub(super) fn import(session: &mut Session, name: &str) -> Result<(), PgError> {
    let database = Arc::clone(&session.database);
    let Some(transaction) = &mut session.transaction else { return Ok(()) };
    if transaction.started() {
        return Err(PgError::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "SET TRANSACTION SNAPSHOT must be called before any query",
        ));
    }
    match transaction.isolation {
        Isolation::RepeatableRead => {}
        Isolation::ReadCommitted | Isolation::ReadUncommitted => {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ",
            ));
        }
        Isolation::Serializable => {
            return Err(PgError::unsupported(
                "SET TRANSACTION SNAPSHOT is not supported in serializable transactions",
                "Use REPEATABLE READ.",
            ));
        }
    }
    let held = database.exported.find(name).ok_or_else(|| {
        let message = format!("invalid snapshot identifier: \"{name}\"");
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })?;
    transaction.begin_on(held);
    session.shared.set_catalog(&transaction.catalog);
    Ok(())
}
