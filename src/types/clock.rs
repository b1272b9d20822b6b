//! The time as the server counts it: the system's, or one that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where the time comes from. Clones of a manual clock move together.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock that stands at `now_us` (microseconds since 1970) until it is moved.
    pub fn manual(now_us: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now_us))))
    }

    /// Moves a manual clock; the system's goes on by itself.
    pub fn advance_us(&self, by_us: i64) {
        if let Some(now) = &self.0 {
            now.fetch_add(by_us, Ordering::SeqCst);
        }
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn now_us(&self) -> i64 {
        match &self.0 {
            Some(now) => now.load(Ordering::SeqCst),
            None => {
                let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                since_1970.map_or(0, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }
}
