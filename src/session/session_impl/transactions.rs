//! The transaction around a statement: how it begins, what it sees, how it ends.

use std::sync::Arc;

use super::state::Session;
use crate::error::{PgError, SqlState};
use crate::parser::Statement;
use crate::session::durable::Durably;
use crate::session::outcome::TransactionStatus;
use crate::session::transaction::{Isolation, Transaction};
use crate::session::{pipeline, utility};
use crate::storage::LockOwner;
use crate::storage::wal::Scribe;
use crate::types::Oid;

impl Session {
    /// Commits the implicit transaction, if one is open. Inside BEGIN … COMMIT nothing happens.
    ///
    /// # Errors
    /// `40001`, `23…` if the work cannot be committed; it is undone then.
    pub async fn finish(&mut self) -> Result<(), PgError> {
        self.stop_timer();
        self.gate.close();
        let result = match self.transaction.take_if(|transaction| !transaction.explicit) {
            None => Ok(()),
            Some(transaction) if transaction.failed => {
                self.after_transaction(false);
                Ok(())
            }
            Some(mut transaction) => {
                crate::session::temporary::at_commit(&self.shared, &mut transaction);
                let result = self.commit(&transaction).await;
                self.after_transaction(result.is_ok());
                result
            }
        };
        self.shared.set_state(match self.transaction_status() {
            TransactionStatus::Idle => "idle",
            TransactionStatus::InTransaction => "idle in transaction",
            TransactionStatus::Failed => "idle in transaction (aborted)",
        });
        result
    }

    /// Whether commits are waited for until they are on the disk.
    pub(super) fn syncs(&self) -> bool {
        self.shared.settings.lock().waits_for_disk()
    }

    fn durably(&self) -> Durably {
        let sync = self.syncs();
        let scribe = if sync && self.commits_here { Scribe::Caller } else { Scribe::Thread };
        // Where others compute, whoever lets them go first waits for all that they have to do.
        Durably { sync, scribe, others_first: self.nobody_computes() }
    }

    /// Whether this thread writes the log for the commits to come, and waits for the disk with them, if nobody else does:
    /// where no other connection is kept waiting by that, it is quicker than waking another thread.
    pub fn commit_here(&mut self, here: bool) {
        self.commits_here = here;
    }

    /// Whether no statement computes on other threads now.
    pub fn nobody_computes(&self) -> bool {
        self.engine.common.compute.is_idle()
    }

    /// Commits a transaction and waits until it is durable (unless `synchronous_commit` is off) and visible.
    pub(in crate::session) async fn commit(
        &self,
        transaction: &Transaction,
    ) -> Result<(), PgError> {
        self.check_announcements(&transaction.announced)?;
        if transaction.changed_anything() || transaction.reads().is_some() {
            let durably = self.durably();
            transaction.commit(&self.database, &self.checks(transaction), durably)?.wait().await?;
        }
        self.send_announcements(&transaction.announced);
        Ok(())
    }

    /// An error happened: the implicit transaction is undone, an explicit one has failed.
    pub fn fail(&mut self) {
        self.stop_timer();
        self.gate.failed();
        self.copy = None;
        self.shared.now().token.cancel();
        match &mut self.transaction {
            Some(transaction) if transaction.explicit => {
                transaction.fail();
                self.shared.set_state("idle in transaction (aborted)");
            }
            Some(_) => {
                self.transaction = None;
                self.after_transaction(false);
                self.shared.set_state("idle");
            }
            None => self.shared.set_state("idle"),
        }
    }

    /// `25P02` in a failed transaction.
    pub(in crate::session) fn refuse_if_failed(&self) -> Result<(), PgError> {
        match &self.transaction {
            Some(transaction) if transaction.failed => Err(PgError::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// The open transaction, or a new implicit one, with the snapshot for the next statement.
    pub(in crate::session) fn statement_snapshot(&mut self) -> Result<&mut Transaction, PgError> {
        if self.transaction.is_none() {
            self.begin_transaction(false, None, None)?;
        }
        let database = Arc::clone(&self.database);
        let shared = Arc::clone(&self.shared);
        match &mut self.transaction {
            Some(transaction) => {
                transaction.snapshot(&database)?;
                shared.set_catalog(&transaction.catalog);
                shared.exports.lock().sees(transaction.held());
                Ok(transaction)
            }
            None => Err(PgError::internal("no transaction")),
        }
    }

    /// As [`Self::statement_snapshot`], for a statement that reads these tables only.
    pub(in crate::session) fn snapshot_of(
        &mut self,
        only: &[Oid],
    ) -> Result<&mut Transaction, PgError> {
        if self.transaction.is_none() {
            return self.statement_snapshot();
        }
        match &mut self.transaction {
            Some(transaction) => {
                transaction.snapshot_of(only, &self.database)?;
                self.shared.set_catalog(&transaction.catalog);
                self.shared.exports.lock().sees(transaction.held());
                Ok(transaction)
            }
            None => Err(PgError::internal("no transaction")),
        }
    }

    /// Brings what the transaction wrote into its view, for a statement that takes no snapshot and may look at it.
    pub(in crate::session) fn settle_for(&self, statement: &Statement) -> Result<(), PgError> {
        match &self.transaction {
            Some(transaction)
                if !pipeline::is_plan(statement) && !utility::ends_transaction(statement) =>
            {
                transaction.settle()
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Opens a transaction with the session's defaults.
    pub(in crate::session) fn begin_transaction(
        &mut self,
        explicit: bool,
        isolation: Option<Isolation>,
        read_only: Option<bool>,
    ) -> Result<(), PgError> {
        let settings = self.shared.settings.lock();
        let isolation = match isolation {
            Some(isolation) => isolation,
            None => utility::isolation(settings.transaction_defaults().0)?,
        };
        let read_only = read_only.unwrap_or(settings.transaction_defaults().1);
        let read_only = read_only || self.gate.read_only;
        drop(settings);
        let number = self.engine.next_transaction();
        let locks = LockOwner::new(&self.database.locks, self.shared.pid.0, number);
        let mut transaction =
            Transaction::begin(&self.database, isolation, read_only, explicit, locks);
        if isolation == Isolation::Serializable && read_only {
            let settings = self.shared.settings.lock();
            transaction.deferrable = settings.value("default_transaction_deferrable") == "on";
        }
        self.shared.locks.set_transaction(&transaction.locks);
        self.shared.set_announcements(&transaction.announced);
        self.shared.begin_transaction(number);
        self.shared.undo.lock().before = Some(self.shared.settings.lock().clone());
        let mut settings = self.shared.settings.lock();
        let isolation = isolation.name();
        settings.transaction_is(isolation, read_only);
        drop(settings);
        self.transaction = Some(transaction);
        self.time_transaction();
        Ok(())
    }

    /// Settings, portals and the catalog that others see, after a transaction ended.
    pub(in crate::session) fn after_transaction(&mut self, committed: bool) {
        self.stop_transaction_timer();
        self.shared.exports.lock().end();
        self.statements.end_transaction(committed);
        let undo = std::mem::take(&mut *self.shared.undo.lock());
        let mut settings = self.shared.settings.lock();
        if !committed && let Some(before) = undo.before {
            *settings = before;
        } else {
            for (name, value) in undo.local.into_iter().rev() {
                // It was the value before, so it is one the setting takes.
                let _ = settings.set(&name, &value);
            }
        }
        if committed && let Some(identity) = undo.local_identity {
            drop(settings);
            self.shared.take_identity(identity);
            settings = self.shared.settings.lock();
        }
        settings.no_transaction();
        drop(settings);
        self.shared.set_catalog(&self.database.latest().catalog);
    }
}
