//! The threads that connections live on.
//!
//! Each thread has a scheduler of its own and keeps the connections it was given: a message is answered on the thread
//! that was woken for it, and nobody else is woken. A scheduler with one queue for all threads wakes a second thread
//! whenever a first one finds work, which costs a short statement more than its answer. Statements that compute for
//! long run on other threads anyway. More threads than processors would take turns with each other for nothing: with two
//! for each, a short transaction took a tenth more of the processor.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::session::THREAD_STACK_BYTES;

/// So many threads there are at least, so that one that plans for long does not keep all waiting.
const THREADS_MIN: usize = 2;
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
    /// Starts the threads: so many, or one for each processor.
    ///
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub(super) fn start(count: Option<NonZeroUsize>) -> io::Result<Self> {
        let count = count.map_or(cpus().clamp(THREADS_MIN, THREADS_MAX), NonZeroUsize::get);
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

/// Threads that look out for their client's next message, awake.
static LOOKOUTS: AtomicUsize = AtomicUsize::new(0);

/// One of the threads that may be awake with nothing to do: half of the processors at most are given to that.
pub(super) struct Lookout;

impl Lookout {
    /// `None` if there are enough of them.
    pub(super) fn take() -> Option<Self> {
        static MAX: LazyLock<usize> = LazyLock::new(|| cpus() / 2);
        let taken = Self;
        let before = LOOKOUTS.fetch_add(1, Ordering::Relaxed);
        (before < *MAX).then_some(taken)
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        LOOKOUTS.fetch_sub(1, Ordering::Relaxed);
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
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
