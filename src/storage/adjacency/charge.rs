//! What adjacency takes of a tenant's memory.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::storage::StorageError;
use crate::types::MemoryBranch;

/// Memory that is given back when this goes.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Arc<MemoryBranch>,
    bytes: usize,
}

impl Charge {
    /// Memory for what is going to be built.
    ///
    /// # Errors
    /// `53200` if there is not so much.
    pub(super) fn reserve(memory: &Arc<MemoryBranch>, bytes: usize) -> Result<Self, StorageError> {
        memory.try_take(bytes).map_err(StorageError::OutOfMemory)?;
        Ok(Self { memory: Arc::clone(memory), bytes })
    }

    /// Memory of what is there already.
    pub(super) fn of(memory: &Arc<MemoryBranch>, bytes: usize) -> Self {
        memory.take(bytes);
        Self { memory: Arc::clone(memory), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.give(self.bytes);
    }
}

/// An array that versions share, with the memory it was charged for: once, by the first who asks, and until the last one
/// lets it go.
#[derive(Debug)]
pub(super) struct Charged<T> {
    value: T,
    charge: OnceLock<Charge>,
}

impl<T> Charged<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, charge: OnceLock::new() }
    }

    /// Charges for `bytes`, unless that was done.
    pub(super) fn charge(&self, memory: &Arc<MemoryBranch>, bytes: usize) {
        self.charge.get_or_init(|| Charge::of(memory, bytes));
    }

    /// Whose memory it counts for.
    pub(super) fn memory(&self) -> Option<&Arc<MemoryBranch>> {
        self.charge.get().map(|charge| &charge.memory)
    }
}

impl<T> Deref for Charged<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
