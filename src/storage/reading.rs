//! Work that must not wait for a disk: it is tried with what is in memory, and where that is not all it needs, it is done
//! again by someone who may wait.
//!
//! ```text
//! connection's thread ──► work ──► all in memory? ──► yes: done
//!                                  └─────────────────► no:  given up; the same work, on a thread that may wait
//! ```
//!
//! What was found out on the way is thrown away, so the work must be one that can be done again.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::error::StorageError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Allowed,
    Forbidden,
    /// Forbidden, and somebody tried.
    Refused,
}

thread_local! {
    static READING: Cell<Reading> = const { Cell::new(Reading::Allowed) };
}

/// Reading is as it was before when this is dropped, however the work ends.
struct Guard(Reading);

impl Guard {
    fn forbid() -> Self {
        Self(READING.replace(Reading::Forbidden))
    }

    fn was_refused(&self) -> bool {
        READING.get() == Reading::Refused
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        READING.set(self.0);
    }
}

/// Asked before anything is read from a chunk's file.
///
/// # Errors
/// [`StorageError::NotInMemory`] if this thread must not wait.
pub(in crate::storage) fn may_read() -> Result<(), StorageError> {
    match READING.get() {
        Reading::Allowed => Ok(()),
        Reading::Forbidden | Reading::Refused => {
            READING.set(Reading::Refused);
            Err(StorageError::NotInMemory)
        }
    }
}

/// Does something without reading a file of a chunk; `None` if one had to be read.
pub fn in_memory_only<T>(work: impl FnOnce() -> T) -> Option<T> {
    let guard = Guard::forbid();
    let done = work();
    (!guard.was_refused()).then_some(done)
}

/// As [`in_memory_only`], for what may wait for others; it is dropped where it is when a file would have to be read.
pub async fn in_memory_only_while<F: Future>(work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let guard = Guard::forbid();
        let polled = work.as_mut().poll(context);
        match polled {
            _ if guard.was_refused() => Poll::Ready(None),
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_must_not_wait_is_told() {
        assert_eq!(in_memory_only(|| 1), Some(1));
        assert_eq!(in_memory_only(|| may_read().is_ok()), None);
        assert_eq!(in_memory_only_while(async { 2 }).await, Some(2));
        let reads = async {
            tokio::task::yield_now().await;
            may_read().is_ok()
        };
        assert_eq!(in_memory_only_while(reads).await, None);
        assert!(may_read().is_ok());
    }

    #[tokio::test]
    async fn others_on_the_thread_may_read_while_it_waits() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let waits = in_memory_only_while(async { receiver.await.is_ok() });
        let reads = async {
            assert!(may_read().is_ok());
            sender.send(()).unwrap();
        };
        assert_eq!(tokio::join!(waits, reads).0, Some(true));
    }
}
