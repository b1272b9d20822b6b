//! One limit of a quota, and how far it is used up.
//!
//! A window counts from its beginning and starts anew at its end; it is exact. A bucket holds tokens that come back one by
//! one.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::definition::{Metric, interval_text};
use crate::types::Clock;

/// Tokens that come back one by one, by the generic cell rate algorithm: all that is kept is when the bucket will be full
/// again.
///
/// Source: ITU-T I.371, as virtual scheduling.
#[derive(Debug)]
struct Bucket {
    /// When it is full, in nanoseconds since `start_us`.
    full_at: AtomicI64,
    start_us: i64,
    /// Nanoseconds in which a token comes back.
    period: i64,
    /// Nanoseconds in which an empty bucket fills up.
    depth: i64,
}

impl Bucket {
    /// A full bucket of `burst` tokens, of which `max` come back in `us`.
    fn new(us: i64, max: u64, burst: u32, now_us: i64) -> Self {
        let max = i64::try_from(max).unwrap_or(i64::MAX).max(1);
        let period = (us.saturating_mul(1000) / max).max(1);
        let depth = period.saturating_mul(i64::from(burst.max(1)));
        Self { full_at: AtomicI64::new(0), start_us: now_us, period, depth }
    }

    fn nanoseconds(&self, now_us: i64) -> i64 {
        now_us.saturating_sub(self.start_us).saturating_mul(1000)
    }

    /// When it will be full if one more token is taken; `None` if there is none.
    fn after_one(&self, full_at: i64, now: i64) -> Option<i64> {
        let next = full_at.max(now).saturating_add(self.period);
        (next.saturating_sub(now) <= self.depth).then_some(next)
    }

    fn has_token(&self, now_us: i64) -> bool {
        let full_at = self.full_at.load(Ordering::Relaxed);
        self.after_one(full_at, self.nanoseconds(now_us)).is_some()
    }

    /// Takes a token.
    ///
    /// # Errors
    /// If there is none: in how many microseconds there will be one.
    fn take(&self, now_us: i64) -> Result<(), i64> {
        let now = self.nanoseconds(now_us);
        let taken = |full_at: i64| self.after_one(full_at, now);
        match self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken) {
            Ok(_) => Ok(()),
            Err(full_at) => {
                let missing = full_at.saturating_add(self.period) - now - self.depth;
                Err(missing.unsigned_abs().div_ceil(1000).try_into().unwrap_or(i64::MAX))
            }
        }
    }
}

/// From how much of a window on a client is warned.
pub(super) const WARNED_PERCENT: u8 = 80;

/// How far a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start_us: i64,
    pub(super) used: u64,
}

enum State {
    Window(Mutex<Window>),
    Bucket(Bucket),
}

/// One limit.
pub(super) struct Counter {
    pub(super) metric: Metric,
    /// The interval.
    pub(super) us: i64,
    /// Windows begin so many microseconds after a multiple of the interval.
    offset_us: i64,
    /// `None`: it only counts.
    pub(super) max: Option<u64>,
    state: State,
    pub(super) rejected: AtomicU64,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").field("metric", &self.metric).field("us", &self.us).finish()
    }
}

/// A limit that is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsedUp {
    pub(super) used: u64,
    pub(super) max: u64,
    /// When there is room again.
    pub(super) retry_after_us: i64,
    /// When the window ends.
    pub(super) reset_us: i64,
}

impl Counter {
    /// A window of `us`.
    pub(super) fn window(metric: Metric, us: i64, offset_us: i64, max: Option<u64>) -> Self {
        let state = State::Window(Mutex::new(Window { start_us: i64::MIN, used: 0 }));
        Self { metric, us, offset_us, max, state, rejected: AtomicU64::new(0) }
    }

    /// A bucket that holds `burst` and gets `max` back in the course of `us`.
    pub(super) fn bucket(metric: Metric, us: i64, max: u64, burst: u32, clock: &Clock) -> Self {
        Self {
            metric,
            us,
            offset_us: 0,
            max: Some(max),
            state: State::Bucket(Bucket::new(us, max, burst, clock.now_us())),
            rejected: AtomicU64::new(0),
        }
    }

    /// Its words in messages: `queries per 1 hour`.
    pub(super) fn words(&self) -> String {
        format!("{} per {}", self.metric.name(), interval_text(self.us))
    }

    fn start_of(&self, now_us: i64) -> i64 {
        let since = (now_us - self.offset_us).rem_euclid(self.us);
        now_us - since
    }

    /// The window that `now_us` is in; an older one is forgotten.
    fn current(&self, window: &mut Window, now_us: i64) {
        // A clock that was set back does not give a window twice.
        if now_us < window.start_us {
            return;
        }
        let start_us = self.start_of(now_us);
        if start_us != window.start_us {
            *window = Window { start_us, used: 0 };
        }
    }

    fn used_up(&self, window: &Window, max: u64, now_us: i64) -> UsedUp {
        let reset_us = window.start_us + self.us;
        UsedUp { used: window.used, max, retry_after_us: (reset_us - now_us).max(0), reset_us }
    }

    /// Counts `count` if that is within the limit.
    ///
    /// # Errors
    /// How far it is used up.
    pub(super) fn try_add(&self, count: u64, now_us: i64) -> Result<(), UsedUp> {
        match &self.state {
            State::Window(window) => {
                let mut window = window.lock();
                self.current(&mut window, now_us);
                let sum = window.used.saturating_add(count);
                if let Some(max) = self.max.filter(|max| sum > *max) {
                    return Err(self.used_up(&window, max, now_us));
                }
                window.used = sum;
                Ok(())
            }
            State::Bucket(bucket) => bucket.take(now_us).map_err(|wait_us| {
                let (max, wait_us) = (self.max.unwrap_or(0), wait_us.max(1));
                UsedUp { used: max, max, retry_after_us: wait_us, reset_us: now_us + wait_us }
            }),
        }
    }

    /// Takes back what [`Self::try_add`] counted. A bucket's token is gone.
    pub(super) fn take_back(&self, count: u64) {
        if let State::Window(window) = &self.state {
            let mut window = window.lock();
            window.used = window.used.saturating_sub(count);
        }
    }

    /// Counts what has happened, over the limit or not.
    pub(super) fn add(&self, count: u64, now_us: i64) {
        if let State::Window(window) = &self.state {
            let mut window = window.lock();
            self.current(&mut window, now_us);
            window.used = window.used.saturating_add(count);
        }
    }

    /// Whether nothing more may happen.
    ///
    /// # Errors
    /// How far it is used up.
    pub(super) fn check(&self, now_us: i64) -> Result<(), UsedUp> {
        let (State::Window(window), Some(max)) = (&self.state, self.max) else { return Ok(()) };
        let mut window = window.lock();
        self.current(&mut window, now_us);
        if window.used >= max { Err(self.used_up(&window, max, now_us)) } else { Ok(()) }
    }

    /// Whether `count` more may be refused, or warned of: the limit is not far any more.
    pub(super) fn is_near(&self, count: u64, now_us: i64) -> bool {
        match (&self.state, self.max) {
            (State::Bucket(bucket), _) => count > 0 && !bucket.has_token(now_us),
            (State::Window(_), None) => false,
            (State::Window(window), Some(max)) => {
                let mut window = window.lock();
                self.current(&mut window, now_us);
                let sum = u128::from(window.used) + u128::from(count);
                sum * 100 >= u128::from(max) * u128::from(WARNED_PERCENT)
            }
        }
    }

    /// The window now; `None` for a bucket.
    pub(super) fn look(&self, now_us: i64) -> Option<Window> {
        let State::Window(window) = &self.state else { return None };
        let mut window = window.lock();
        self.current(&mut window, now_us);
        Some(*window)
    }

    /// Goes on with a window that was stored, if it is not over.
    pub(super) fn restore(&self, saved: Window) {
        if let State::Window(window) = &self.state {
            *window.lock() = saved;
        }
    }

    /// Notes a refusal.
    pub(super) fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    /// exactly the limit in each of ten windows.
    #[test]
    fn a_window_takes_exactly_its_limit() {
        let counter = Counter::window(Metric::Queries, HOUR, 0, Some(1000));
        let mut now = 1_000 * HOUR + 17;
        for _ in 0..10 {
            let taken = (0..1500).filter(|_| counter.try_add(1, now).is_ok()).count();
            assert_eq!(taken, 1000);
            let used_up = counter.try_add(1, now).unwrap_err();
            assert_eq!((used_up.used, used_up.max), (1000, 1000));
            assert_eq!(used_up.retry_after_us, HOUR - 17);
            now += HOUR;
        }
    }

    /// 100 a second with a burst of 200, for ten seconds.
    #[test]
    fn a_bucket_takes_its_burst_and_its_rate() {
        let clock = Clock::manual(5_000_000);
        let counter = Counter::bucket(Metric::Queries, 1_000_000, 100, 200, &clock);
        let mut taken = 0;
        // A thousand attempts a second.
        for _ in 0..10_000 {
            taken += u32::from(counter.try_add(1, clock.now_us()).is_ok());
            clock.advance_us(1000);
        }
        assert!((1188..=1200).contains(&taken), "{taken}");
        while counter.try_add(1, clock.now_us()).is_ok() {}
        let used_up = counter.try_add(1, clock.now_us()).unwrap_err();
        assert!((1..=10_000).contains(&used_up.retry_after_us), "{used_up:?}");
        clock.advance_us(used_up.retry_after_us);
        assert!(counter.try_add(1, clock.now_us()).is_ok());
    }

    #[test]
    fn a_limit_is_near_from_where_clients_are_warned() {
        let counter = Counter::window(Metric::Queries, HOUR, 0, Some(10));
        let far = (0..20).take_while(|_| {
            !counter.is_near(1, 10 * HOUR) && counter.try_add(1, 10 * HOUR).is_ok()
        });
        assert_eq!(far.count(), 7);
        assert!(!counter.is_near(1, 11 * HOUR));
        let clock = Clock::manual(5_000_000);
        let bucket = Counter::bucket(Metric::Queries, 1_000_000, 100, 2, &clock);
        for _ in 0..2 {
            assert!(!bucket.is_near(1, clock.now_us()));
            bucket.try_add(1, clock.now_us()).unwrap();
        }
        assert!(bucket.is_near(1, clock.now_us()));
    }

    #[test]
    fn a_clock_set_back_gives_nothing_anew() {
        let counter = Counter::window(Metric::Queries, HOUR, 0, Some(1));
        counter.try_add(1, 10 * HOUR).unwrap();
        assert!(counter.try_add(1, 9 * HOUR).is_err());
        assert!(counter.try_add(1, 11 * HOUR).is_ok());
    }

    #[test]
    fn an_offset_moves_the_windows() {
        let counter = Counter::window(Metric::Queries, HOUR, HOUR / 2, Some(1));
        counter.try_add(1, 10 * HOUR + HOUR / 4).unwrap();
        assert!(counter.try_add(1, 10 * HOUR + HOUR / 3).is_err());
        assert!(counter.try_add(1, 10 * HOUR + HOUR / 2).is_ok());
    }
}
