//! The threads that connections live on.
//!
//! Each thread has a scheduler of its own and keeps the connections it was given: a message is answered on the thread
//! that was woken for it, and nobody else is woken. A scheduler with one queue for all threads wakes a second thread
//! whenever a first one finds work, which costs a short statement more than its answer. Statements that compute for
//! long run on other threads anyway; there are more threads than processors so that one that plans for long, or is
//! encoding, is taken turns with by the system.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::session::THREAD_STACK_BYTES;

/// Threads for each processor.
const THREADS_PER_CPU: usize = 2;
/// No more than this, however many processors there are.
const THREADS_MAX: usize = 64;

/// Threads that run connections until they are dropped.
pub(super) struct ConnectionThreads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl ConnectionThreads {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub(super) fn start() -> io::Result<Self> {
        let cpus = std::thread::available_parallelism().map_or(2, usize::from);
        let count = (cpus * THREADS_PER_CPU).min(THREADS_MAX);
        let stop = CancellationToken::new();
        let mut started =
            Self { handles: Vec::new(), next: AtomicUsize::new(0), stop, threads: Vec::new() };
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            started.handles.push(runtime.handle().clone());
            let stop = started.stop.clone();
            let run = move || runtime.block_on(stop.cancelled());
            let name = format!("graphwire-conn-{number}");
            let thread = std::thread::Builder::new().name(name).stack_size(THREAD_STACK_BYTES);
            started.threads.push(thread.spawn(run)?);
        }
        Ok(started)
    }

    /// The thread for the next connection.
    pub(super) fn next(&self) -> Option<&Handle> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles.get(at % self.handles.len().max(1))
    }
}

thread_local! {
    static RESIDENTS: Cell<usize> = const { Cell::new(0) };
}

/// A connection that lives on this thread.
pub(super) struct Resident;

impl Resident {
    /// Until it is dropped, there is one more.
    pub(super) fn enter() -> Self {
        RESIDENTS.set(RESIDENTS.get() + 1);
        Self
    }

    /// Whether there is no other.
    pub(super) fn is_alone(&self) -> bool {
        RESIDENTS.get() <= 1
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        RESIDENTS.set(RESIDENTS.get().saturating_sub(1));
    }
}

impl Drop for ConnectionThreads {
    /// What still runs on them is dropped.
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}
