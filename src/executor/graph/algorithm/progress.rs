//! How far running algorithms are, and whether they are to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::error::{PgError, SqlState};

/// One running algorithm.
#[derive(Debug)]
pub struct Progress {
    /// The session that runs it.
    pub pid: i32,
    /// Its name.
    pub algorithm: &'static str,
    /// Vertices and edges of its subgraph.
    pub size: (u64, u64),
    done: AtomicU64,
    total: AtomicU64,
    canceled: AtomicBool,
}

/// A line of the list of running algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressRow {
    /// The session that runs it.
    pub pid: i32,
    /// Its name.
    pub algorithm: &'static str,
    /// Vertices of its subgraph.
    pub vertices: u64,
    /// Edges of its subgraph.
    pub edges: u64,
    /// Steps done: iterations, sources or vertices, as the algorithm counts.
    pub done: u64,
    /// Steps there are at most.
    pub total: u64,
}

fn registry() -> &'static Mutex<Vec<Weak<Progress>>> {
    static RUNNING: OnceLock<Mutex<Vec<Weak<Progress>>>> = OnceLock::new();
    RUNNING.get_or_init(Mutex::default)
}

/// The algorithms that run in this process now.
pub fn running() -> Vec<ProgressRow> {
    let rows = registry().lock();
    rows.iter()
        .filter_map(Weak::upgrade)
        .map(|progress| ProgressRow {
            pid: progress.pid,
            algorithm: progress.algorithm,
            vertices: progress.size.0,
            edges: progress.size.1,
            done: progress.done.load(Ordering::Relaxed),
            total: progress.total.load(Ordering::Relaxed),
        })
        .collect()
}

impl Progress {
    /// A run that is listed until it is dropped.
    pub fn start(pid: i32, algorithm: &'static str, size: (u64, u64)) -> Arc<Self> {
        let progress = Arc::new(Self {
            pid,
            algorithm,
            size,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            canceled: AtomicBool::new(false),
        });
        let mut rows = registry().lock();
        rows.retain(|row| row.strong_count() > 0);
        rows.push(Arc::downgrade(&progress));
        progress
    }

    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Relaxed);
    }

    /// Says how many steps there are at most.
    pub(super) fn expect(&self, total: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total as u64, Ordering::Relaxed);
    }

    /// A step is done.
    ///
    /// # Errors
    /// `57014` once the run is to stop.
    pub(super) fn step(&self) -> Result<(), PgError> {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.check()
    }

    /// # Errors
    /// `57014` once the run is to stop.
    pub(super) fn check(&self) -> Result<(), PgError> {
        if self.canceled.load(Ordering::Relaxed) {
            return Err(PgError::new(
                SqlState::QUERY_CANCELED,
                "canceling statement due to user request",
            ));
        }
        Ok(())
    }
}
