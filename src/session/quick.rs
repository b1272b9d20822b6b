//! Statements that are answered at once: what they need is looked at, not waited for.
//!
//! A prepared SELECT of columns of one row by its key, outside a transaction block, reads the newest state and is over: no
//! transaction is begun for it, as nothing of one would be seen. Inside a block, and for writes of one row, there is a
//! transaction, but neither portal nor planning; BEGIN and COMMIT are of the same kind.
//!
//! Such a statement needs what any statement needs, and asks for it each time: that it was bound in this catalog and search
//! path, that it was admitted for this role, that nobody has to be waited for. Whatever is not as it should be goes the
//! ordinary way, which also finds the words for what is wrong; all that happened by then is that a transaction was begun
//! which the ordinary way would begin too, or that locks were taken which it would take too.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::ScalarValue;
use sqlparser::ast::{Statement as Sql, TransactionMode};

use super::outcome::{Format, OutputColumn};
use super::session_impl::Session;
use super::statements::{CachedBound, Prepared, Short};
use super::utility;
use super::values::read_plain;
use crate::error::PgError;
use crate::executor::short::{FoundRow, PointRead, PointRow, PointWrite};
use crate::parser::{Body, Statement};
use crate::planner::bind::{Bound, PlanKind};
use crate::storage::RowLock;
use crate::storage::locks::WhenHeld;
use crate::storage::reading::in_memory_only;
use crate::types::{Oid, RowId};

/// What a statement gave that was answered at once.
#[derive(Debug)]
pub enum AtOnce {
    /// A look-up. It may be sent if [`Session::admits`] says so.
    LookedUp(LookedUp),
    /// It is over; its command tag.
    Done(String),
    /// It is over when [`Session::finish`] has committed it; its command tag.
    Written(String),
    /// It is COMMIT, to be carried out by [`Session::commit_block`].
    Commit,
    /// Another transaction holds the row: it is to be asked again after [`Session::wait_for_row`].
    Held(HeldRow),
}

/// A row that another transaction holds.
#[derive(Debug, PartialEq, Eq)]
pub struct HeldRow {
    table: Oid,
    row: RowId,
}

/// Why a row was not written at once.
enum Otherwise {
    /// The ordinary way is needed.
    Ordinary,
    /// Somebody holds it.
    Held(HeldRow),
}

impl AtOnce {
    /// What its portal answers when it is executed again.
    fn tag(&self) -> &str {
        match self {
            Self::LookedUp(_) => "SELECT 0",
            Self::Done(tag) | Self::Written(tag) => tag,
            Self::Commit | Self::Held(_) => "",
        }
    }
}

/// What a look-up gave.
#[derive(Debug)]
pub struct LookedUp {
    /// The columns; the same that describing the statement gave.
    pub columns: Arc<[OutputColumn]>,
    /// The row, if there is one.
    pub row: Option<FoundRow>,
    /// When it was asked for.
    pub(super) begun: Instant,
}

/// How a transaction block begins and ends.
enum Bracket<'a> {
    Begin(&'a [TransactionMode]),
    Commit,
}

impl<'a> Bracket<'a> {
    fn of(statement: &'a Statement) -> Option<Self> {
        let Body::Sql { statement, .. } = &statement.body else { return None };
        match statement.as_ref() {
            Sql::StartTransaction { modes, modifier: None, statements, .. }
                if statements.is_empty() =>
            {
                Some(Self::Begin(modes))
            }
            Sql::Commit { chain: false, modifier: None, .. } => Some(Self::Commit),
            _ => None,
        }
    }
}

impl Session {
    /// Runs a prepared statement without waiting for anybody, if it is one for which that may be; `None` says that it is
    /// to be bound and executed as any other.
    pub fn answer_at_once(
        &mut self,
        statement: &str,
        values: &[(Format, Option<&[u8]>)],
    ) -> Option<AtOnce> {
        let prepared = Arc::clone(self.statements.known(statement)?);
        match Bracket::of(prepared.statement.as_deref()?) {
            None => {
                let answer = self.run_at_once(&prepared, values)?;
                if matches!(answer, AtOnce::LookedUp(_) | AtOnce::Done(_)) && self.in_block() {
                    self.portal_done(&prepared, answer.tag());
                }
                Some(answer)
            }
            Some(_)
                if !values.is_empty()
                    || !self.gate.needs_nothing(&self.engine)
                    || !self.is_undisturbed() =>
            {
                None
            }
            Some(Bracket::Begin(modes)) => {
                if self.transaction.is_some() {
                    return None;
                }
                self.shared.note_at_once(&prepared.text, "idle in transaction");
                let text = &prepared.statement.as_ref()?.text;
                let tag = utility::begin_block(self, modes, text).ok()?;
                self.portal_done(&prepared, &tag);
                Some(AtOnce::Done(tag))
            }
            Some(Bracket::Commit) => {
                if !self.in_block() || self.transaction.as_ref()?.failed {
                    return None;
                }
                self.shared.note_at_once(&prepared.text, "active");
                Some(AtOnce::Commit)
            }
        }
    }

    /// COMMIT; its command tag.
    ///
    /// # Errors
    /// `40001`, `23…` if the work cannot be committed; it is undone then. Call [`Self::fail`].
    pub async fn commit_block(&mut self) -> Result<String, PgError> {
        let tag = utility::commit_block(self).await;
        self.shared.set_state("idle");
        tag
    }

    /// Waits until a row is free, and holds it. The statement is to be asked again then, on the state that was waited for.
    ///
    /// # Errors
    /// `40P01`, `55P03`, `57014`. Call [`Self::fail`].
    pub async fn wait_for_row(&mut self, held: HeldRow) -> Result<(), PgError> {
        let text = self.shared.now().query;
        let token = self.begin(&text);
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let Some(relation) = transaction.catalog.relation(held.table) else {
            return Err(PgError::internal("a table that is not there"));
        };
        let locks = self.statement_locks(transaction);
        let rows = [held.row];
        let holding = locks.hold_rows(relation, &rows, RowLock::NoKeyUpdate, WhenHeld::Wait);
        let waited = tokio::select! {
            biased;
            done = holding => done.map(|_| ()),
            () = token.cancelled() => Err(self.shared.canceled()),
        };
        self.stop_timer();
        waited
    }

    fn in_block(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.explicit)
    }

    /// Whether neither a cancel nor a COPY nor the session's end has anything to say of the next statement.
    fn is_undisturbed(&self) -> bool {
        self.copy.is_none() && !self.shared.ended.is_cancelled() && !self.shared.cancel_waits()
    }

    /// As [`Self::answer_at_once`], of a statement that reads or writes.
    pub(super) fn run_at_once(
        &mut self,
        prepared: &Arc<Prepared>,
        values: &[(Format, Option<&[u8]>)],
    ) -> Option<AtOnce> {
        let begun = Instant::now();
        // A look-up's client gets it if the quotas admit it ([`Self::admits`]).
        if !self.gate.may_answer_at_once(&self.engine)
            || !self.is_undisturbed()
            || values.len() != prepared.parameters.len()
        {
            return None;
        }
        let known = prepared.bound.lock();
        let known = known.as_ref()?;
        let Bound::Plan(plan) = known.bound.as_ref() else { return None };
        let short = self.short_at_once(known)?;
        let mut parameters: Vec<ScalarValue> = Vec::with_capacity(values.len());
        for ((format, value), ty) in values.iter().zip(&prepared.parameters) {
            parameters.push(read_plain(ty, *format, *value)?);
        }
        match (short.plan.point(), short.plan.point_write()) {
            (Some(point), _) if plan.kind == PlanKind::Select => {
                if self.transaction.is_some() && !self.in_block() {
                    return None;
                }
                let row = self.read_row(known, point, &parameters)?;
                match &self.transaction {
                    None => self.shared.note_finished(&prepared.text),
                    Some(_) => self.shared.note_at_once(&prepared.text, "idle in transaction"),
                }
                Some(AtOnce::LookedUp(LookedUp { columns: short.columns, row, begun }))
            }
            (_, Some(write))
                if !plan.kind.gives_rows() && self.gate.needs_nothing(&self.engine) =>
            {
                if self.transaction.is_none() {
                    self.begin_transaction(false, None, None).ok()?;
                }
                let in_block = self.in_block();
                // A transaction around what came before goes on the way it began.
                if !in_block && self.transaction.as_ref()?.started() {
                    return None;
                }
                let state = if in_block { "idle in transaction" } else { "active" };
                self.shared.note_at_once(&prepared.text, state);
                match self.write_row(known, write, &parameters) {
                    Ok(rows) if in_block => Some(AtOnce::Done(plan.kind.tag(rows))),
                    Ok(rows) => Some(AtOnce::Written(plan.kind.tag(rows))),
                    Err(Otherwise::Held(held)) => Some(AtOnce::Held(held)),
                    Err(Otherwise::Ordinary) => None,
                }
            }
            _ => None,
        }
    }

    /// The compiled form of a statement, if it stands for the same as when it was bound, and is admitted.
    fn short_at_once(&self, known: &CachedBound) -> Option<Short> {
        {
            let settings = self.shared.settings.lock();
            let isolation = settings.transaction_defaults().0;
            let reads_newest = match &self.transaction {
                None => isolation != "serializable",
                Some(transaction) => transaction.may_run_at_once(),
            };
            if !reads_newest
                || self.shared.has_temporary()
                || !settings.policies_as_usual()
                || !settings.search_path_is(&known.search_path, &self.shared.user)
            {
                return None;
            }
        }
        known.admitted_short(&self.shared.caller())?
    }

    /// The row of a look-up in the newest state, and of the transaction's own rows, if one is open.
    fn read_row(
        &mut self,
        known: &CachedBound,
        point: &PointRead,
        parameters: &[ScalarValue],
    ) -> Option<Option<FoundRow>> {
        let Some(transaction) = &mut self.transaction else {
            let latest = self.database.latest();
            if known.catalog_version != latest.catalog.stamp()
                || self.shared.locks.readers_may_wait()
            {
                return None;
            }
            // What has to be read from a file is read by others.
            return in_memory_only(|| point.find(&latest.store, None, parameters))?.ok();
        };
        if !known.locks.try_take(&transaction.locks) {
            return None;
        }
        let latest = self.database.latest();
        if known.catalog_version != latest.catalog.stamp() || !transaction.may_follow(&latest) {
            return None;
        }
        let mut writes = transaction.writes.lock();
        if !writes.follow(&latest.store) {
            return None;
        }
        let found =
            in_memory_only(|| point.find(&latest.store, Some(&writes), parameters))?.ok()?;
        drop(writes);
        transaction.has_started();
        Some(found)
    }

    /// Writes a row in the transaction; how many were written.
    fn write_row(
        &mut self,
        known: &CachedBound,
        write: &PointWrite,
        parameters: &[ScalarValue],
    ) -> Result<u64, Otherwise> {
        let Some(transaction) = &self.transaction else { return Err(Otherwise::Ordinary) };
        if transaction.read_only
            || !transaction.may_run_at_once()
            || !known.locks.try_take(&transaction.locks)
        {
            return Err(Otherwise::Ordinary);
        }
        let latest = self.database.latest();
        if known.catalog_version != latest.catalog.stamp() || !transaction.may_follow(&latest) {
            return Err(Otherwise::Ordinary);
        }
        if write.computes() {
            self.answers.set_store(&latest.store);
        }
        let mut writes = transaction.writes.lock();
        if !writes.follow(&latest.store) {
            return Err(Otherwise::Ordinary);
        }
        let row = in_memory_only(|| write.work_out(&latest.store, &writes, parameters));
        let row = row.flatten().ok_or(Otherwise::Ordinary)?;
        let count = match row {
            None => 0,
            Some(PointRow { replaces, row }) => {
                let table = write.relation().oid;
                if let Some(id) = replaces {
                    if !transaction.locks.try_lock_row(table, id, RowLock::NoKeyUpdate) {
                        return Err(Otherwise::Held(HeldRow { table, row: id }));
                    }
                    if self.database.has_changed((table, id), latest.store.commit) {
                        return Err(Otherwise::Ordinary);
                    }
                }
                let checks = self.checks(transaction);
                let (catalog, relation) = (&latest.catalog, write.relation());
                let written = writes.write_at_once(catalog, relation, replaces, row, &checks);
                written.map_err(|_| Otherwise::Ordinary)?;
                1
            }
        };
        drop(writes);
        if let Some(transaction) = &mut self.transaction {
            transaction.has_started();
        }
        Ok(count)
    }
}
