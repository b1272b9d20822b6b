//! Connections that have not logged in yet, oldest first.
//!
//! Whoever opens sockets and says nothing can hold as many as there are, for as long as a login may take. When they are
//! all taken, the oldest makes room: an honest client needs a few round trips, and is not the oldest for that long.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The connections that are logging in.
#[derive(Default)]
pub(crate) struct HalfOpen(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    tokens: BTreeMap<u64, CancellationToken>,
}

/// A place in [`HalfOpen`], left when it is dropped.
pub(super) struct Place<'a> {
    half_open: &'a HalfOpen,
    number: u64,
    /// Canceled when the connection must make room (or the server stops).
    pub(super) leave: CancellationToken,
}

impl HalfOpen {
    /// Enters a connection; `leave` tells it to go.
    pub(super) fn enter(&self, leave: CancellationToken) -> Place<'_> {
        let mut waiting = self.0.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.tokens.insert(number, leave.clone());
        Place { half_open: self, number, leave }
    }

    /// Tells the oldest connection to go, if there is one.
    pub(super) fn evict_oldest(&self) {
        if let Some((_, token)) = self.0.lock().tokens.pop_first() {
            token.cancel();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.half_open.0.lock().tokens.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_still_waits_goes_first() {
        let half_open = HalfOpen::default();
        let first = half_open.enter(CancellationToken::new());
        let second = half_open.enter(CancellationToken::new());
        let third = half_open.enter(CancellationToken::new());
        drop(first);
        half_open.evict_oldest();
        assert!(second.leave.is_cancelled());
        assert!(!third.leave.is_cancelled());
        drop((second, third));
        half_open.evict_oldest();
        assert!(half_open.0.lock().tokens.is_empty());
    }
}
