//! DataFusion's view of a branch of memory: operators take and give back, the branch counts.
//!
//! Operators that can spill share what the others leave evenly, as in DataFusion's `FairSpillPool`: one that has its share
//! spills rather than leave nothing for the next. Those that merge sorted runs take as many at a time as they get memory for,
//! so they share the half of it: two of them would otherwise leave nothing for a sort that has not begun.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

use crate::types::{Measure, MemoryBranch, OutOfMemory};

/// A pool that takes what operators reserve from a [`MemoryBranch`].
#[derive(Debug)]
pub(super) struct BranchPool {
    branch: Arc<MemoryBranch>,
    /// What is held in truth, if the branch is one statement's.
    measure: Option<Arc<Measure>>,
    users: Mutex<Users>,
}

fn exhausted(refused: OutOfMemory) -> DataFusionError {
    DataFusionError::ResourcesExhausted(refused.to_string())
}

/// Who takes from the pool.
#[derive(Debug, Default)]
struct Users {
    /// Operators that can spill.
    spilling: usize,
    /// Merges of sorted runs.
    merging: usize,
    /// Bytes of those that cannot.
    fixed: usize,
}

/// What DataFusion calls the merge of a sort's runs; a number follows.
const MERGE: &str = "ExternalSorterMerge";
/// What each sort sets aside for its merge before it begins (DataFusion's `sort_spill_reservation_bytes`).
const MERGE_BYTES_MIN: usize = 10 << 20;

fn merges(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(MERGE)
}

fn share_exhausted(share: usize, used: usize, requested: usize) -> DataFusionError {
    DataFusionError::ResourcesExhausted(format!(
        "The share of an operator is used up: limit={share} used={used} requested={requested} bytes."
    ))
}

impl BranchPool {
    pub(super) fn new(branch: &Arc<MemoryBranch>) -> Self {
        Self { branch: Arc::clone(branch), measure: None, users: Mutex::default() }
    }

    /// A pool of one statement: more is refused too when it holds more than its operators say.
    pub(super) fn measured(branch: &Arc<MemoryBranch>, measure: &Arc<Measure>) -> Self {
        Self { measure: Some(Arc::clone(measure)), ..Self::new(branch) }
    }
}

impl fmt::Display for BranchPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "branch(used: {}, limit: {})", self.branch.used(), self.branch.bytes_max())
    }
}

impl MemoryPool for BranchPool {
    fn name(&self) -> &str {
        "branch"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        let mut users = self.users.lock();
        users.spilling += usize::from(consumer.can_spill());
        users.merging += usize::from(merges(consumer));
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut users = self.users.lock();
        users.spilling = users.spilling.saturating_sub(usize::from(consumer.can_spill()));
        users.merging = users.merging.saturating_sub(usize::from(merges(consumer)));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if !reservation.consumer().can_spill() {
            self.users.lock().fixed += additional;
        }
        self.branch.take(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if !reservation.consumer().can_spill() {
            let mut users = self.users.lock();
            users.fixed = users.fixed.saturating_sub(shrink);
        }
        self.branch.give(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if let Some(measure) = &self.measure {
            measure.settle().map_err(exhausted)?;
        }
        let mut users = self.users.lock();
        let can_spill = reservation.consumer().can_spill();
        let limit = self.branch.bytes_max();
        let share = if can_spill {
            limit.saturating_sub(users.fixed) / users.spilling.max(1)
        } else if merges(reservation.consumer()) {
            (limit / 2 / users.merging.max(1)).max(MERGE_BYTES_MIN)
        } else {
            usize::MAX
        };
        if reservation.size().saturating_add(additional) > share {
            return Err(share_exhausted(share, reservation.size(), additional));
        }
        self.branch.try_take(additional).map_err(exhausted)?;
        if !can_spill {
            users.fixed += additional;
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.branch.used()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.branch.bytes_max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(name: &str, can_spill: bool, pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new(name).with_can_spill(can_spill).register(pool)
    }

    #[test]
    fn merges_leave_memory_to_sorts() {
        let branch = MemoryBranch::root("statements", 200 << 20);
        let pool: Arc<dyn MemoryPool> = Arc::new(BranchPool::new(&branch));
        let merges: Vec<_> =
            (0..2).map(|at| consumer(&format!("{MERGE}[{at}]"), false, &pool)).collect();
        // Each takes runs for as long as there is memory.
        for merge in &merges {
            while merge.try_grow(1 << 20).is_ok() {}
            assert_eq!(merge.size(), 50 << 20);
        }
        let sort = consumer("ExternalSorter[0]", true, &pool);
        sort.try_grow(100 << 20).unwrap();
        sort.try_grow(1 << 20).unwrap_err();
        // What a merge gave back may be taken by the other, up to its share.
        drop(merges);
        let last = consumer(&format!("{MERGE}[2]"), false, &pool);
        last.try_grow(100 << 20).unwrap();
        last.try_grow(1).unwrap_err();
    }

    #[test]
    fn a_merge_may_begin_in_little_memory() {
        let branch = MemoryBranch::root("statements", 16 << 20);
        let pool: Arc<dyn MemoryPool> = Arc::new(BranchPool::new(&branch));
        let merge = consumer(&format!("{MERGE}[0]"), false, &pool);
        merge.try_grow(MERGE_BYTES_MIN).unwrap();
        merge.try_grow(1).unwrap_err();
    }
}
