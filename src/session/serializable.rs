//! SERIALIZABLE: which transactions read what others wrote, and which of them must not commit.
//!
//! Every transaction reads its snapshot, so the only way two can disagree with every serial order is that one read what
//! the other overwrote. Where that happens twice in a row among concurrent transactions,
//!
//! ```text
//! first ──reads what is overwritten by──► pivot ──reads what is overwritten by──► last
//! ```
//!
//! and `last` committed before the other two, the order may have no place for all three, and one of them fails with
//! `40001`. No cycle exists without such a place. A `first` that only reads is in danger only if `last` was committed
//! before its snapshot.
//!
//! Source: Ports and Grittner, "Serializable Snapshot Isolation in PostgreSQL", PVLDB 5(12), 2012.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::error::{PgError, SqlState};
use crate::executor::ReadLog;
use crate::storage::StoreSnapshot;
use crate::storage::recent::Changes;
use crate::types::CommitNo;

/// The serializable transactions of a database: those that run, and those that ended while one that runs did.
#[derive(Debug, Default)]
pub(super) struct Serializable {
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    all: Vec<Arc<Member>>,
    /// Counts beginnings and ends.
    clock: u64,
    /// The last of their commits.
    last: CommitNo,
}

/// One serializable transaction.
#[derive(Debug)]
pub(super) struct Member {
    session: i32,
    began: u64,
    snapshot: StoreSnapshot,
    read_only: bool,
    /// What it read.
    pub(super) reads: Arc<ReadLog>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Running,
    Ended {
        at: u64,
        /// What it wrote, if anything.
        written: Option<Written>,
        /// The first commit that overwrote what it read, before it committed.
        overwritten: Option<CommitNo>,
    },
    RolledBack,
}

#[derive(Debug, Clone)]
struct Written {
    commit: CommitNo,
    changes: Arc<Changes>,
    after: StoreSnapshot,
}

/// What a transaction has written by now.
pub(super) struct Pending {
    pub(super) changes: Changes,
    pub(super) after: StoreSnapshot,
}

/// The right to commit, with what is remembered of the transaction afterwards. Nobody else commits meanwhile.
pub(super) struct Turn<'a> {
    members: MutexGuard<'a, Members>,
    member: Arc<Member>,
    overwritten: Option<CommitNo>,
}

impl Serializable {
    /// A transaction takes its snapshot.
    pub(super) fn begin(
        &self,
        session: i32,
        snapshot: StoreSnapshot,
        read_only: bool,
    ) -> Arc<Member> {
        let mut members = self.members.lock();
        members.clock += 1;
        let member = Arc::new(Member {
            session,
            began: members.clock,
            snapshot,
            read_only,
            reads: Arc::default(),
            state: Mutex::new(State::Running),
        });
        members.all.push(Arc::clone(&member));
        member
    }

    /// A snapshot, and who may still make it unsafe for one who only reads: those that run and write. `None` while a
    /// commit among them is not visible yet.
    pub(super) fn with_writers<T>(
        &self,
        snapshot: impl FnOnce() -> (T, CommitNo),
    ) -> Option<(T, Vec<Arc<Member>>)> {
        let members = self.members.lock();
        let (snapshot, commit) = snapshot();
        let writers = members.all.iter().filter(|member| !member.read_only && member.is_running());
        (commit >= members.last).then(|| (snapshot, writers.cloned().collect()))
    }

    /// A transaction ended without a commit.
    pub(super) fn roll_back(&self, member: &Arc<Member>) {
        let mut members = self.members.lock();
        if matches!(&*member.state.lock(), State::Ended { .. }) {
            return;
        }
        *member.state.lock() = State::RolledBack;
        members.forget();
    }

    /// Looks whether a running transaction may go on.
    ///
    /// # Errors
    /// `40001`.
    pub(super) fn check(
        &self,
        member: &Arc<Member>,
        pending: Option<&Pending>,
    ) -> Result<(), PgError> {
        let members = self.members.lock();
        members.dangers(member, pending, member.read_only).map(|_| ())
    }

    /// Looks whether a transaction may commit; if so, nobody else does until [`Turn::committed`].
    ///
    /// # Errors
    /// `40001`.
    pub(super) fn turn(
        &self,
        member: &Arc<Member>,
        pending: Option<&Pending>,
    ) -> Result<Turn<'_>, PgError> {
        let members = self.members.lock();
        let overwritten = members.dangers(member, pending, pending.is_none())?;
        Ok(Turn { members, member: Arc::clone(member), overwritten })
    }
}

impl Turn<'_> {
    /// It committed: `written` if it wrote anything.
    pub(super) fn committed(mut self, written: Option<(CommitNo, Pending)>) {
        self.members.clock += 1;
        if let Some((commit, _)) = &written {
            self.members.last = *commit;
        }
        let written = written.map(|(commit, pending)| Written {
            commit,
            changes: Arc::new(pending.changes),
            after: pending.after,
        });
        *self.member.state.lock() =
            State::Ended { at: self.members.clock, written, overwritten: self.overwritten };
        self.members.forget();
    }
}

impl Member {
    /// The session, while it runs.
    pub(super) fn running_session(&self) -> Option<i32> {
        self.is_running().then_some(self.session)
    }

    /// Whether who reads a snapshot up to `commit` could see it in an order that no serial one has: it wrote, after
    /// another that is in the snapshot had overwritten what it read.
    pub(super) fn spoils(&self, commit: CommitNo) -> bool {
        match &*self.state.lock() {
            State::Ended { written: Some(_), overwritten: Some(last), .. } => *last <= commit,
            State::Running | State::Ended { .. } | State::RolledBack => false,
        }
    }

    fn is_running(&self) -> bool {
        matches!(&*self.state.lock(), State::Running)
    }
}

impl Members {
    /// Forgets those that ended before every transaction that runs began.
    fn forget(&mut self) {
        let oldest = self.all.iter().filter(|m| m.is_running()).map(|member| member.began).min();
        self.all.retain(|member| match &*member.state.lock() {
            State::Running => true,
            State::Ended { at, .. } => oldest.is_some_and(|oldest| oldest < *at),
            State::RolledBack => false,
        });
    }

    /// Those that ran at the same time as a transaction that runs.
    fn concurrent<'a>(&'a self, member: &'a Arc<Member>) -> impl Iterator<Item = &'a Arc<Member>> {
        self.all.iter().filter(move |other| {
            !Arc::ptr_eq(other, member)
                && match &*other.state.lock() {
                    State::Running => true,
                    State::Ended { at, .. } => *at > member.began,
                    State::RolledBack => false,
                }
        })
    }

    /// The first commit that overwrote what a transaction read.
    ///
    /// # Errors
    /// `40001` if the transaction is the first or the pivot of a dangerous place.
    fn dangers(
        &self,
        member: &Arc<Member>,
        pending: Option<&Pending>,
        only_reads: bool,
    ) -> Result<Option<CommitNo>, PgError> {
        let mut first: Option<CommitNo> = None;
        for other in self.concurrent(member) {
            let State::Ended { written: Some(written), overwritten, .. } = &*other.state.lock()
            else {
                continue;
            };
            let is_seen = written.commit <= member.snapshot.commit;
            if is_seen
                || !member.reads.concerned_by(&written.changes, &member.snapshot, &written.after)
            {
                continue;
            }
            first = Some(first.map_or(written.commit, |first| first.min(written.commit)));
            if let Some(last) = overwritten
                && (!only_reads || *last <= member.snapshot.commit)
            {
                return Err(failure());
            }
        }
        if let (Some(last), Some(pending)) = (first, pending)
            && self.concurrent(member).any(|other| reads_before(other, pending, last))
        {
            return Err(failure());
        }
        Ok(first)
    }
}

/// Whether `first` read what is about to be overwritten, and the commit `last` came before its own.
fn reads_before(first: &Member, pending: &Pending, last: CommitNo) -> bool {
    let in_danger = match &*first.state.lock() {
        State::Running => !first.read_only || last <= first.snapshot.commit,
        // The first and the last may be one.
        State::Ended { written: Some(written), .. } => last <= written.commit,
        State::Ended { written: None, .. } => last <= first.snapshot.commit,
        State::RolledBack => false,
    };
    in_danger && first.reads.concerned_by(&pending.changes, &first.snapshot, &pending.after)
}

fn failure() -> PgError {
    PgError::new(
        SqlState::T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to read/write dependencies among transactions",
    )
    .detail("Reason code: Canceled on identification as a pivot.")
    .hint("The transaction might succeed if retried.")
}
