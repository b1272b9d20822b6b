//! Waiting for other transactions: which rows and keys a write locks, and what it does if they moved meanwhile.
//!
//! A statement finds its rows on its snapshot and locks them afterwards. If a commit after the snapshot replaced or
//! deleted one of them, READ COMMITTED runs the whole statement again on a new snapshot (it is *stale*), keeping its
//! locks, so that fewer rows can move each time; the other levels fail with `40001`. Once all locks are held and nothing
//! moved, what the statement writes cannot conflict any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use parking_lot::Mutex;

use super::constraints::{ForeignKeys, UniqueKey, computed_indexes, duplicate, unique_keys};
use super::{RowCheck, TableWork, Writes, constraints};
use crate::catalog::{Catalog, ConstraintKind, Relation, Table};
use crate::error::{PgError, SqlState};
use crate::storage::locks::{
    DeadlockStep, KEY_BITS, LockError, LockOwner, LockTarget, RowLock, TableLock, WaitLimits,
    WhenHeld,
};
use crate::storage::table::KeyProbe;
use crate::storage::{EncodedKeys, RecentWrites, StoreSnapshot, TableVersion};
use crate::types::{Oid, RowId};

/// What is committed, newer than any statement's snapshot.
pub trait Committed: Send + Sync {
    /// The newest state.
    fn latest(&self) -> StoreSnapshot;
    /// What was written lately.
    fn recent(&self) -> &RecentWrites;
}

/// How a statement locks.
#[derive(Clone)]
pub struct StatementLocks {
    /// Its transaction's locks.
    pub owner: Arc<LockOwner>,
    /// How long it waits.
    pub limits: WaitLimits,
    /// Whether its transaction keeps its snapshot, so that a row that moved is an error.
    pub keeps_snapshot: bool,
    /// Set when the statement must run again on a new snapshot.
    pub stale: Arc<AtomicBool>,
    /// The database.
    pub committed: Arc<dyn Committed>,
    /// The database's number, for messages.
    pub database: Oid,
}

impl StatementLocks {
    /// Locks rows found at `snapshot`. Gives those left out, which are none unless `when_held` says so.
    ///
    /// # Errors
    /// `55P03`, `40P01`; `40001` if a row moved, and the statement is stale then if it may run again.
    pub async fn lock_rows(
        &self,
        relation: &Relation,
        rows: &[RowId],
        lock: RowLock,
        when_held: WhenHeld,
        snapshot: &StoreSnapshot,
    ) -> Result<Vec<RowId>, PgError> {
        let skipped = self.hold_rows(relation, rows, lock, when_held).await?;
        let left_out: HashSet<RowId> = skipped.iter().copied().collect();
        let recent = self.committed.recent();
        let mut changed = recent.changed(relation.oid, rows, snapshot.commit);
        changed.retain(|row| !left_out.contains(row));
        if lock == RowLock::KeyShare && self.keep_their_keys(relation, &changed, snapshot)? {
            return Ok(skipped);
        }
        match changed.first() {
            Some(row) => Err(self.moved(relation.oid, Some(*row))),
            None => Ok(skipped),
        }
    }

    /// Whether rows that changed are there still, under the same keys: all that a KEY SHARE lock is about.
    fn keep_their_keys(
        &self,
        relation: &Relation,
        rows: &[RowId],
        snapshot: &StoreSnapshot,
    ) -> Result<bool, PgError> {
        let latest = self.committed.latest();
        let (Some(table), Some(before), Some(now)) =
            (relation.table(), snapshot.table(relation.oid), latest.table(relation.oid))
        else {
            return Ok(false);
        };
        if before.schema != now.schema {
            return Ok(false);
        }
        let places = now.find_rows(rows)?;
        let is_live = |(chunk, offset): &(usize, usize)| {
            now.chunks().get(*chunk).is_some_and(|chunk| chunk.is_live(*offset))
        };
        if !places.iter().all(|place| place.as_ref().is_some_and(is_live)) {
            return Ok(false);
        }
        let old = constraints::rows_by_id(before, rows)?;
        let new = constraints::rows_by_id(now, rows)?;
        Ok(update_lock(table, &old, &[new])? != RowLock::Update)
    }

    /// Locks rows whether they moved or not.
    ///
    /// # Errors
    /// `55P03`, `40P01`.
    pub async fn hold_rows(
        &self,
        relation: &Relation,
        rows: &[RowId],
        lock: RowLock,
        when_held: WhenHeld,
    ) -> Result<Vec<RowId>, PgError> {
        let held = self.owner.lock_rows(relation.oid, rows, lock, when_held, self.limits).await;
        held.map_err(|error| {
            lock_error(error, self.database, || {
                format!("could not obtain lock on row in relation \"{}\"", relation.name)
            })
        })
    }

    /// A row, or what a check looked at, is not as the snapshot has it.
    pub fn moved(&self, table: Oid, row: Option<RowId>) -> PgError {
        if !self.keeps_snapshot {
            self.stale.store(true, Ordering::Relaxed);
        }
        let is_gone = row.is_some_and(|row| {
            let latest = self.committed.latest();
            let version = latest.table(table);
            version.is_none_or(|version| matches!(version.find_live(row), Ok(None)))
        });
        let what = if is_gone { "delete" } else { "update" };
        PgError::new(
            SqlState::T_R_SERIALIZATION_FAILURE,
            format!("could not serialize access due to concurrent {what}"),
        )
    }

    /// Whether the statement has to run again.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    pub(super) async fn lock_keys(
        &self,
        constraint: Oid,
        mut hashes: Vec<u64>,
    ) -> Result<(), PgError> {
        hashes.sort_unstable();
        hashes.dedup();
        let held = self.owner.lock_keys(constraint, &hashes, self.limits).await;
        held.map_err(|error| lock_error(error, self.database, String::new))
    }
}

/// An error of a lock in PostgreSQL's words; `unavailable` is said of one that was not waited for.
pub fn lock_error(
    error: LockError,
    database: Oid,
    unavailable: impl FnOnce() -> String,
) -> PgError {
    const LOCK_NOT_AVAILABLE: SqlState = SqlState("55P03");
    match error {
        LockError::NotAvailable => PgError::new(LOCK_NOT_AVAILABLE, unavailable()),
        LockError::TimedOut => {
            PgError::new(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
        }
        LockError::Deadlock(steps) => {
            let lines: Vec<String> =
                steps.iter().map(|step| deadlock_line(step, database)).collect();
            PgError::new(SqlState::T_R_DEADLOCK_DETECTED, "deadlock detected")
                .detail(lines.join("\n"))
                .hint("See server log for query details.")
        }
        LockError::Ended => PgError::internal("a lock was asked for after its transaction"),
    }
}

fn deadlock_line(step: &DeadlockStep, database: Oid) -> String {
    let exclusive = if step.mode == 0 { "ShareLock" } else { "ExclusiveLock" };
    let waits = match step.target {
        LockTarget::Row(..) | LockTarget::Key(..) => {
            format!("ShareLock on transaction {}", step.blocking_transaction)
        }
        LockTarget::Table(table) => {
            let mode = TableLock::ALL.get(usize::from(step.mode)).map_or("", |mode| mode.name());
            format!("{mode} on relation {table} of database {database}")
        }
        LockTarget::Definitions => format!("ExclusiveLock on database {database}"),
        LockTarget::Advisory(key) => {
            let (class, object, kind) = key.parts();
            format!("{exclusive} on advisory lock [{database},{class},{object},{kind}]")
        }
    };
    format!("Process {} waits for {waits}; blocked by process {}.", step.session, step.blocked_by)
}

/// What writes a key that another committed after the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collision {
    /// INSERT or UPDATE: a statement that may look again does, the others fail with `23505`.
    Write,
    /// MERGE, which does not look again: `23505`.
    Merge,
    /// ON CONFLICT: a statement that may look again does, the others fail with `40001`.
    Arbiter,
}

impl Collision {
    /// Whether it is an error in itself.
    pub(super) fn is_violation(self, keeps_snapshot: bool) -> bool {
        match self {
            Self::Write => keeps_snapshot,
            Self::Merge => true,
            Self::Arbiter => false,
        }
    }
}

/// One statement's view of what it writes to.
pub(super) struct Waiting<'a> {
    pub(super) locks: &'a StatementLocks,
    pub(super) catalog: &'a Catalog,
    pub(super) writes: &'a Mutex<Writes>,
    pub(super) check: &'a dyn RowCheck,
}

/// A table as the transaction sees it, and as it is committed now if that is another.
pub(super) struct TwoViews {
    pub(super) mine: Arc<TableVersion>,
    pub(super) newer: Option<Arc<TableVersion>>,
}

impl Waiting<'_> {
    pub(super) fn views(&self, table: Oid) -> Option<TwoViews> {
        let (mine, base) = {
            let writes = self.writes.lock();
            (Arc::clone(writes.view().table(table)?), writes.base(table))
        };
        let latest = self.locks.committed.latest();
        let newer = latest.table(table).filter(|latest| latest.stamp != base).cloned();
        Some(TwoViews { mine, newer })
    }

    /// Rows that the transaction wrote itself.
    pub(super) fn own_rows(&self, table: Oid) -> HashSet<RowId> {
        let writes = self.writes.lock();
        match writes.tables.get(&table) {
            Some(TableWork::Rows { writes, .. }) => {
                writes.touched().chain(writes.written()).collect()
            }
            Some(TableWork::Whole { .. } | TableWork::Gone { .. } | TableWork::Widened { .. })
            | None => HashSet::new(),
        }
    }

    /// Locks rows that are to be replaced or deleted.
    pub(super) async fn rows(
        &self,
        relation: &Relation,
        rows: &[RowId],
        lock: RowLock,
    ) -> Result<(), PgError> {
        let snapshot = self.writes.lock().view().clone();
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        self.locks.lock_rows(relation, &rows, lock, WhenHeld::Wait, &snapshot).await.map(|_| ())
    }

    /// Locks the keys of rows that come, so that whoever inserts one of them too waits, and waits for those who did or
    /// who are deleting the row that has it.
    pub(super) async fn new_keys(
        &self,
        relation: &Relation,
        key: &UniqueKey<'_>,
        rows: &[RecordBatch],
        collision: Collision,
    ) -> Result<(), PgError> {
        let columns = &key.columns;
        let mut keys = Vec::with_capacity(rows.len());
        let mut hashes = Vec::new();
        for batch in rows {
            let encoded = EncodedKeys::encode(batch, columns)?;
            hashes.extend((0..encoded.len()).filter_map(|row| encoded.get(row)).map(key_hash));
            keys.push(encoded);
        }
        self.locks.lock_keys(key.oid, hashes).await?;
        let wanted = Wanted { relation, key, batches: rows, keys, collision };
        loop {
            let holders = self.holders_of(&wanted)?;
            if holders.is_empty() {
                return Ok(());
            }
            // Whoever is deleting one of them decides whether its key is free. It is not kept from anything afterwards.
            let mark = self.locks.owner.mark();
            let before = self.locks.committed.latest().commit;
            let rows: Vec<RowId> = holders.into_iter().collect();
            self.locks.hold_rows(relation, &rows, RowLock::KeyShare, WhenHeld::Wait).await?;
            self.locks.owner.release_after(mark);
            if self.locks.committed.latest().commit == before {
                return Ok(());
            }
            // Somebody committed: perhaps the one that was waited for.
            if self.holders_of(&wanted)? == rows.into_iter().collect() {
                return Ok(());
            }
        }
    }

    /// The rows of others that have one of these keys.
    fn holders_of(&self, wanted: &Wanted<'_>) -> Result<BTreeSet<RowId>, PgError> {
        let (table, columns) = (wanted.relation.oid, &wanted.key.columns);
        let mut holders = BTreeSet::new();
        let Some(views) = self.views(table) else { return Ok(holders) };
        let mut own = None;
        for (keys, batch) in wanted.keys.iter().zip(wanted.batches) {
            let mut found: BTreeMap<usize, (Vec<RowId>, Vec<RowId>)> = BTreeMap::new();
            let all = || 0..keys.len();
            views.mine.find_keys(columns, keys, all(), |row, _, id| {
                found.entry(row).or_default().0.push(id);
            })?;
            match &views.newer {
                Some(newer) => newer.find_keys(columns, keys, all(), |row, _, id| {
                    found.entry(row).or_default().1.push(id);
                })?,
                None => found.values_mut().for_each(|(mine, newer)| newer.clone_from(mine)),
            }
            for (row, (mut mine, mut newer)) in found {
                mine.sort_unstable();
                newer.sort_unstable();
                let own = own.get_or_insert_with(|| self.own_rows(table));
                mine.retain(|row| !own.contains(row));
                newer.retain(|row| !own.contains(row));
                if mine != newer {
                    let came = newer.iter().any(|row| !mine.contains(row));
                    let violates = wanted.collision.is_violation(self.locks.keeps_snapshot);
                    if came && violates {
                        let (relation, key) = (wanted.relation, wanted.key);
                        return Err(duplicate(self.catalog, relation, key, batch, row));
                    }
                    return Err(self.locks.moved(table, mine.first().copied()));
                }
                holders.extend(mine);
            }
        }
        Ok(holders)
    }

    /// Locks the keys that `new` brings, compared with the rows `old` it replaces (none are replaced by an INSERT).
    pub(super) async fn unique_keys(
        &self,
        relation: &Relation,
        new: &[RecordBatch],
        old: Option<&RecordBatch>,
        collision: Collision,
    ) -> Result<(), PgError> {
        let Some(table) = relation.table() else { return Ok(()) };
        for key in unique_keys(table) {
            let changed = changed_rows(new, old, &key.columns)?;
            self.new_keys(relation, &key, &changed, collision).await?;
        }
        for index in computed_indexes(table) {
            self.computed_keys(relation, table, index, (new, old), collision).await?;
        }
        Ok(())
    }

    /// Locks the rows that new rows refer to, so that their keys stay.
    pub(super) async fn referenced_rows(
        &self,
        relation: &Relation,
        new: &[RecordBatch],
        old: Option<&RecordBatch>,
    ) -> Result<(), PgError> {
        let Some(table) = relation.table() else { return Ok(()) };
        for constraint in &table.constraints {
            let ConstraintKind::ForeignKey { columns, referenced, referenced_columns, .. } =
                &constraint.kind
            else {
                continue;
            };
            let Some(target) = self.catalog.relation(*referenced) else { continue };
            let Some(target_table) = target.table() else { continue };
            let mut keys = Vec::new();
            for batch in changed_rows(new, old, columns)? {
                let encoded = ForeignKeys::new(&batch, columns, target_table, referenced_columns)?;
                keys.extend(encoded.present().map(<[u8]>::to_vec));
            }
            keys.sort_unstable();
            keys.dedup();
            self.keep_referenced(target, referenced_columns, &keys).await?;
        }
        Ok(())
    }

    async fn keep_referenced(
        &self,
        target: &Relation,
        columns: &[usize],
        keys: &[Vec<u8>],
    ) -> Result<(), PgError> {
        let Some(views) = self.views(target.oid) else { return Ok(()) };
        let mut rows = BTreeSet::new();
        // Sorted, as they come here.
        let range = keys.first().zip(keys.last());
        let range = range.map(|(least, greatest)| (least.as_slice(), greatest.as_slice()));
        let mine = views.mine.probe_between(columns, range)?;
        let newer = views.newer.as_ref().map(|newer| newer.probe_between(columns, range));
        let newer = newer.transpose()?;
        for key in keys {
            let found = rows_with(&mine, key)?;
            if found.is_empty()
                && !self.locks.keeps_snapshot
                && let Some(newer) = &newer
                && !rows_with(newer, key)?.is_empty()
            {
                // It came after the snapshot; it counts for a statement that may look again.
                return Err(self.locks.moved(target.oid, None));
            }
            rows.extend(found);
        }
        let rows: Vec<RowId> = rows.into_iter().collect();
        self.locks.hold_rows(target, &rows, RowLock::KeyShare, WhenHeld::Wait).await?;
        let Some(TwoViews { mine, newer: Some(newer) }) = self.views(target.oid) else {
            return Ok(());
        };
        let mine = mine.probe_between(columns, range)?;
        let newer = newer.probe_between(columns, range)?;
        for key in keys {
            let gone = rows_with(&newer, key)?.is_empty();
            let Some(row) = rows_with(&mine, key)?.first().copied().filter(|_| gone) else {
                continue;
            };
            if !self.own_rows(target.oid).contains(&row) {
                return Err(self.locks.moved(target.oid, Some(row)));
            }
        }
        Ok(())
    }

    /// Looks again if rows that refer to `old`, whose keys go, came after the snapshot. The rows are locked.
    pub(super) fn new_referring(
        &self,
        relation: &Relation,
        table: &Table,
        old: &RecordBatch,
    ) -> Result<(), PgError> {
        let own = self.catalog.relation(relation.oid).cloned();
        for other in self.catalog.dependents(relation.oid).into_iter().chain(own) {
            let Some(other_table) = other.table() else { continue };
            for constraint in &other_table.constraints {
                let ConstraintKind::ForeignKey { columns, referenced, referenced_columns, .. } =
                    &constraint.kind
                else {
                    continue;
                };
                if *referenced != relation.oid || table.columns.is_empty() {
                    continue;
                }
                let Some(TwoViews { mine, newer: Some(newer) }) = self.views(other.oid) else {
                    continue;
                };
                let keys = ForeignKeys::new(old, referenced_columns, other_table, columns)?;
                for key in keys.present() {
                    if !newer.find_key(columns, key)?.is_empty()
                        && mine.find_key(columns, key)?.is_empty()
                        && !self.locks.keeps_snapshot
                    {
                        return Err(self.locks.moved(other.oid, None));
                    }
                }
            }
        }
        Ok(())
    }
}

/// How strongly rows are locked that become `new`: fully if a key changes.
pub(super) fn update_lock(
    table: &Table,
    old: &RecordBatch,
    new: &[RecordBatch],
) -> Result<RowLock, PgError> {
    for constraint in &table.constraints {
        let (ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. }) =
            &constraint.kind
        else {
            continue;
        };
        let before = EncodedKeys::encode(old, columns)?;
        let mut at = 0;
        for batch in new {
            let after = EncodedKeys::encode(batch, columns)?;
            if (0..after.len()).any(|row| after.get(row) != before.get(at + row)) {
                return Ok(RowLock::Update);
            }
            at += after.len();
        }
    }
    Ok(RowLock::NoKeyUpdate)
}

/// Those of the new rows whose values in `columns` are others than in the rows they replace.
fn changed_rows(
    new: &[RecordBatch],
    old: Option<&RecordBatch>,
    columns: &[usize],
) -> Result<Vec<RecordBatch>, PgError> {
    let Some(old) = old else { return Ok(new.to_vec()) };
    let before = EncodedKeys::encode(old, columns)?;
    let mut at = 0;
    let mut changed = Vec::new();
    for batch in new {
        let after = EncodedKeys::encode(batch, columns)?;
        let differs: Vec<bool> =
            (0..after.len()).map(|row| after.get(row) != before.get(at + row)).collect();
        at += after.len();
        if differs.iter().any(|differs| *differs) {
            changed.push(filter_record_batch(batch, &BooleanArray::from(differs))?);
        }
    }
    Ok(changed)
}

/// Ids of the live rows with a key, ascending.
fn rows_with(probe: &KeyProbe<'_>, key: &[u8]) -> Result<Vec<RowId>, PgError> {
    let mut rows = Vec::new();
    probe.find(key, |_, row| rows.push(row))?;
    rows.sort_unstable();
    Ok(rows)
}

/// Keys that come.
struct Wanted<'a> {
    relation: &'a Relation,
    key: &'a UniqueKey<'a>,
    batches: &'a [RecordBatch],
    /// Those of the batches.
    keys: Vec<EncodedKeys>,
    collision: Collision,
}

/// The bits of a key's hash that tell keys apart.
pub(super) fn key_hash(key: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(key);
    hasher.finish() & ((1 << KEY_BITS) - 1)
}
