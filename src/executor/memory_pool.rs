//! DataFusion's view of a branch of memory: operators take and give back, the branch counts.
//!
//! Operators that can spill share what the others leave evenly, as in DataFusion's `FairSpillPool`: one that has its share
//! spills rather than leave nothing for the next.

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
    /// Bytes of those that cannot.
    fixed: usize,
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
        if consumer.can_spill() {
            self.users.lock().spilling += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut users = self.users.lock();
            users.spilling = users.spilling.saturating_sub(1);
        }
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
        if can_spill {
            let room = self.branch.bytes_max().saturating_sub(users.fixed);
            let share = room / users.spilling.max(1);
            if reservation.size().saturating_add(additional) > share {
                return Err(DataFusionError::ResourcesExhausted(format!(
                    "The share of an operator is used up: limit={share} used={} requested={additional} bytes.",
                    reservation.size()
                )));
            }
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
