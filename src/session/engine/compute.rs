//! Threads of their own for statements that compute for long.

use crate::error::PgError;

/// Bytes of stack of each thread that plans or runs statements; memory is used as far as it is needed.
///
/// Trees of expressions are walked by recursion, DataFusion's own passes among it, and a thread that is out of stack
/// takes the server with it. Debug builds need several times as much as release builds.
pub const THREAD_STACK_BYTES: usize = 64 << 20;

/// Threads of their own for statements that compute for long.
pub(in crate::session) struct Compute(Option<tokio::runtime::Runtime>);

impl Compute {
    pub(in crate::session) fn new(threads: usize) -> Result<Self, PgError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("graphwire-compute")
            .thread_stack_size(THREAD_STACK_BYTES)
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| PgError::internal(format!("could not start compute threads: {error}")))
    }

    /// Whether nothing runs on the compute threads.
    pub(in crate::session) fn is_idle(&self) -> bool {
        self.0.as_ref().is_none_or(|runtime| runtime.metrics().num_alive_tasks() == 0)
    }

    /// Runs a task on the compute threads; it is aborted when the handle is dropped by its owner.
    pub(in crate::session) fn spawn<F>(
        &self,
        future: F,
    ) -> Option<tokio::task::JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.as_ref().map(|runtime| runtime.spawn(future))
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        // Dropping a runtime inside another one blocks; its tasks end with their streams.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
