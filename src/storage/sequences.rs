//! Counters of sequences: outside of transactions, so that nobody waits for a number and a rollback gives none back.
//!
//! ```text
//! Counter   value: i64, called: bool     the last value given, or the first one to give
//!           ahead: i64                   values that may still be given before the next record
//! ```
//!
//! A record says where a counter stands at most: it is written 32 values ahead, as PostgreSQL does, so that most values
//! cost no record. After a crash the counter goes on from there; after a clean stop from where it was.
//!
//! **Invariant:** a counter's record is handed to the log before a value that it covers is given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use parking_lot::Mutex;

/// Values a record covers beyond those asked for.
const VALUES_AHEAD: i64 = 32;

/// Where a counter stands, as it is kept: on disk, and in the catalog for a counter that was never used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterRecord {
    /// Never used again in the database.
    pub id: u64,
    /// The last value given, or the first one to give.
    pub value: i64,
    /// Whether `value` was given.
    pub called: bool,
}

/// Where a counter stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterState {
    /// The last value given, or the first one to give.
    pub value: i64,
    /// Whether `value` was given.
    pub called: bool,
    /// `log_cnt`: values that may be given before the next record.
    pub ahead: i64,
}

/// How a counter moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Not 0.
    pub increment: i64,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Begins again at the other end.
    pub cycle: bool,
    /// How many values are wanted, at least 1; fewer are given where the end is near.
    pub count: i64,
}

/// Values that a session may give out: `first`, `first + increment`, … `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The first value.
    pub first: i64,
    /// The last value.
    pub last: i64,
}

/// The end of a sequence that does not cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sequence is at its end")]
pub struct Exhausted;

/// Where records go. Called with the counter locked, so that records of one counter come in order.
pub trait SequenceLog: Send + Sync + std::fmt::Debug {
    /// Hands over a record; it must be durable before the next commit is acknowledged.
    fn append(&self, record: CounterRecord);
}

/// All counters of a database.
#[derive(Debug, Default)]
pub struct Sequences {
    counters: DashMap<u64, Arc<Mutex<CounterState>>>,
    next_id: AtomicU64,
    log: OnceLock<Arc<dyn SequenceLog>>,
}

impl Sequences {
    /// Sends records to `log` from now on; the first call counts.
    pub fn log_to(&self, log: Arc<dyn SequenceLog>) {
        let _ = self.log.set(log);
    }

    /// A number for a new counter.
    pub fn allocate(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a counter where a record says, when a database is opened; later records of a counter win.
    pub fn recover(&self, record: CounterRecord) {
        self.reserve(record.id);
        let state = CounterState { value: record.value, called: record.called, ahead: 0 };
        self.counters.insert(record.id, Arc::new(Mutex::new(state)));
    }

    /// Makes sure that `id` is not given by [`Self::allocate`]; for the counters a recovered catalog names.
    pub fn reserve(&self, id: u64) {
        self.next_id.fetch_max(id.saturating_add(1), Ordering::Relaxed);
    }

    /// All counters that were used, where they stand: what a checkpoint keeps, taken with no commit in between.
    pub fn records(&self) -> Vec<CounterRecord> {
        self.counters
            .iter()
            .map(|entry| {
                let state = *entry.value().lock();
                CounterRecord { id: *entry.key(), value: state.value, called: state.called }
            })
            .collect()
    }

    /// Forgets counters that no catalog names any more.
    pub fn retain(&self, is_named: impl Fn(u64) -> bool) {
        self.counters.retain(|id, _| is_named(*id));
    }

    fn counter(&self, start: CounterRecord) -> Arc<Mutex<CounterState>> {
        let fresh = || CounterState { value: start.value, called: start.called, ahead: 0 };
        let entry = self.counters.entry(start.id);
        Arc::clone(&entry.or_insert_with(|| Arc::new(Mutex::new(fresh()))))
    }

    /// Where a counter stands; `start` is where it stood before its first use.
    pub fn state(&self, start: CounterRecord) -> CounterState {
        match self.counters.get(&start.id) {
            Some(counter) => *counter.lock(),
            None => CounterState { value: start.value, called: start.called, ahead: 0 },
        }
    }

    /// Moves a counter to a value.
    pub fn set(&self, start: CounterRecord, value: i64, called: bool) {
        let counter = self.counter(start);
        let mut state = counter.lock();
        self.write(CounterRecord { id: start.id, value, called });
        *state = CounterState { value, called, ahead: 0 };
    }

    /// Takes the next values.
    ///
    /// # Errors
    /// [`Exhausted`]; nothing moved then.
    pub fn take(&self, start: CounterRecord, steps: Steps) -> Result<Taken, Exhausted> {
        let counter = self.counter(start);
        let mut state = counter.lock();
        let (taken, next, record) = advance(*state, steps)?;
        if let Some(value) = record {
            self.write(CounterRecord { id: start.id, value, called: true });
        }
        *state = next;
        Ok(taken)
    }

    fn write(&self, record: CounterRecord) {
        if let Some(log) = self.log.get() {
            log.append(record);
        }
    }
}

/// One step: `None` past the end.
fn step(value: i64, steps: Steps) -> Option<i64> {
    let next = value.checked_add(steps.increment)?;
    (steps.min..=steps.max).contains(&next).then_some(next)
}

/// The values taken, where the counter stands then, and the value of the record that must be written first.
fn advance(
    state: CounterState,
    steps: Steps,
) -> Result<(Taken, CounterState, Option<i64>), Exhausted> {
    let wanted = steps.count.max(1);
    let (mut given, mut first, mut last, mut at) = (0i64, state.value, state.value, state.value);
    if !state.called {
        given = 1;
    }
    let mut ahead = state.ahead;
    let mut left = wanted - given;
    let writes = ahead < left || !state.called;
    if writes {
        left = left.saturating_add(VALUES_AHEAD);
        ahead = left;
    }
    while left > 0 {
        match step(at, steps) {
            Some(next) => at = next,
            None if given > 0 => break,
            None if !steps.cycle => return Err(Exhausted),
            None => at = if steps.increment > 0 { steps.min } else { steps.max },
        }
        left -= 1;
        if given < wanted {
            given += 1;
            ahead -= 1;
            last = at;
            if given == 1 {
                first = at;
            }
        }
    }
    ahead -= left;
    let next = CounterState { value: last, called: true, ahead: ahead.max(0) };
    Ok((Taken { first, last }, next, writes.then_some(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: CounterRecord = CounterRecord { id: 0, value: 1, called: false };

    fn steps(increment: i64, min: i64, max: i64, cycle: bool, count: i64) -> Steps {
        Steps { increment, min, max, cycle, count }
    }

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<CounterRecord>>);

    impl SequenceLog for Kept {
        fn append(&self, record: CounterRecord) {
            self.0.lock().push(record);
        }
    }

    #[test]
    fn records_are_written_ahead_and_cover_every_value() {
        let (sequences, kept) = (Sequences::default(), Arc::new(Kept::default()));
        sequences.log_to(Arc::clone(&kept) as _);
        let all = steps(1, 1, i64::MAX, false, 1);
        for value in 1..=100 {
            let taken = sequences.take(START, all).unwrap();
            assert_eq!(taken, Taken { first: value, last: value });
            let covered = kept.0.lock().last().map(|record| record.value);
            assert!(covered.is_some_and(|covered| covered >= value));
        }
        assert!(kept.0.lock().len() <= 5, "{:?}", kept.0.lock());
        // As PostgreSQL shows it: 33 values after the first record, 33 after the second, …
        let fresh = Sequences::default();
        fresh.take(START, all).unwrap();
        assert_eq!(fresh.state(START), CounterState { value: 1, called: true, ahead: 32 });
        fresh.take(START, all).unwrap();
        assert_eq!(fresh.state(START), CounterState { value: 2, called: true, ahead: 31 });
    }

    #[test]
    fn ends_and_cycles() {
        let sequences = Sequences::default();
        let short = steps(2, 1, 5, false, 1);
        let taken: Vec<_> = (0..4).map(|_| sequences.take(START, short).map(|t| t.first)).collect();
        assert_eq!(taken, [Ok(1), Ok(3), Ok(5), Err(Exhausted)]);
        assert_eq!(sequences.take(START, Steps { cycle: true, ..short }).map(|t| t.first), Ok(1));
        let down = CounterRecord { id: 1, value: i64::MIN + 1, called: false };
        let steps = steps(-2, i64::MIN, -1, true, 1);
        assert_eq!(sequences.take(down, steps).map(|t| t.first), Ok(i64::MIN + 1));
        assert_eq!(sequences.take(down, steps).map(|t| t.first), Ok(-1));
    }

    #[test]
    fn several_values_are_taken_at_once() {
        let sequences = Sequences::default();
        let ten = steps(1, 1, 25, false, 10);
        assert_eq!(sequences.take(START, ten), Ok(Taken { first: 1, last: 10 }));
        assert_eq!(sequences.take(START, ten), Ok(Taken { first: 11, last: 20 }));
        assert_eq!(sequences.take(START, ten), Ok(Taken { first: 21, last: 25 }));
        assert_eq!(sequences.take(START, ten), Err(Exhausted));
        sequences.set(START, 5, false);
        assert_eq!(sequences.take(START, ten), Ok(Taken { first: 5, last: 14 }));
    }

    #[test]
    fn recovered_counters_go_on() {
        let sequences = Sequences::default();
        sequences.recover(CounterRecord { id: 7, value: 33, called: true });
        let start = CounterRecord { id: 7, ..START };
        let all = steps(1, 1, i64::MAX, false, 1);
        assert_eq!(sequences.take(start, all).map(|t| t.first), Ok(34));
        assert_eq!(sequences.allocate(), 8);
        sequences.retain(|id| id != 7);
        assert!(sequences.records().is_empty());
    }
}
