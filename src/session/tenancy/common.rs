//! What all tenants of a process share: threads, memory, quotas, and the list of tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize};

use parking_lot::Mutex;

use super::fair::FairQueue;
use super::registry::{StoredRegistry, TenantFiles};
use crate::access::quota::{QuotaBook, SavedUsage};
use crate::error::PgError;
use crate::session::engine::{Compute, EngineOptions, now_us};
use crate::types::MemoryBranch;

/// Statements that may compute at once for each compute thread, where there is more than one tenant.
const SLOTS_PER_THREAD: usize = 2;

/// What all tenants share.
pub(in crate::session) struct Common {
    /// Where long statements run, so that they leave the connections' threads alone.
    pub(in crate::session) compute: Compute,
    pub(in crate::session) memory: Arc<MemoryBranch>,
    pub(in crate::session) quotas: QuotaBook,
    pub(in crate::session) fair: Arc<FairQueue>,
    pub(in crate::session) registry: StoredRegistry,
    /// What is used of quotas, as it was stored last.
    pub(in crate::session) saved_usage: Mutex<Vec<SavedUsage>>,
    /// One change of tenants, databases or quotas at a time.
    pub(in crate::session) changing: tokio::sync::Mutex<()>,
    pub(in crate::session) next_pid: AtomicI32,
    pub(in crate::session) mock_secret: [u8; 32],
    /// Connections that may be logged in.
    pub(in crate::session) connections_max: AtomicUsize,
    /// Start of the process, microseconds since 1970.
    pub(in crate::session) started_us: i64,
}

impl Common {
    pub(in crate::session) fn open(options: &EngineOptions) -> Result<Self, PgError> {
        let files = options.store.as_ref();
        let files = files.map(|store| TenantFiles::new(Arc::clone(&store.fs), store.dir.clone()));
        let registry = StoredRegistry::open(files)?;
        let usage = registry.files().map(TenantFiles::read_usage).transpose()?;
        let stored = registry.get().quotas;
        Ok(Self {
            compute: Compute::new(options.runtime.partitions)?,
            memory: MemoryBranch::root("server", options.runtime.memory_bytes_max),
            quotas: QuotaBook::new(options.clock.clone(), stored, usage.unwrap_or_default()),
            fair: FairQueue::new(options.runtime.partitions * SLOTS_PER_THREAD),
            registry,
            saved_usage: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            next_pid: AtomicI32::new(1000),
            mock_secret: rand::random(),
            connections_max: AtomicUsize::new(usize::MAX),
            started_us: now_us(),
        })
    }
}
