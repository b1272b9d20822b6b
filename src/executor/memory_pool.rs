//! DataFusion's view of a branch of memory: operators take and give back, the branch counts.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};

use crate::types::MemoryBranch;

/// A pool that takes what operators reserve from a [`MemoryBranch`].
#[derive(Debug)]
pub(super) struct BranchPool(pub(super) Arc<MemoryBranch>);

impl fmt::Display for BranchPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "branch(used: {}, limit: {})", self.0.used(), self.0.bytes_max())
    }
}

impl MemoryPool for BranchPool {
    fn name(&self) -> &str {
        "branch"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.0.take(additional);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.0.give(shrink);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        self.0
            .try_take(additional)
            .map_err(|refused| DataFusionError::ResourcesExhausted(refused.to_string()))
    }

    fn reserved(&self) -> usize {
        self.0.used()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.0.bytes_max())
    }
}
