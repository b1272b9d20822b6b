//! Asking the quotas before a statement, and charging them for what it did.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::counter::{Counter, UsedUp, WARNED_PERCENT};
use super::definition::{Exceeded, Gauge, Keyed, Metric};
use super::error::{Connections, Refusal, RefusalKind, Warning};
use super::key_state::KeyState;
use crate::types::{Clock, MemoryBranch};

/// What kind of statement asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementClass {
    /// Reads or changes rows.
    Query,
    /// Moves many rows: COPY, CREATE TABLE AS, VACUUM.
    Batch,
    /// Changes definitions, roles or rights.
    Admin,
    /// Looks at the server: SHOW, EXPLAIN.
    Monitor,
}

impl StatementClass {
    fn metric(self) -> Metric {
        match self {
            Self::Query => Metric::QueriesQuery,
            Self::Batch => Metric::QueriesBatch,
            Self::Admin => Metric::QueriesAdmin,
            Self::Monitor => Metric::QueriesMonitor,
        }
    }
}

/// The quotas of a session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Quotas {
    pub(super) keys: Arc<[Arc<KeyState>]>,
    pub(super) clock: Clock,
}

/// What a statement may use; its slots are free again when it is dropped.
#[derive(Debug)]
pub struct Permit {
    running: Vec<Arc<KeyState>>,
    quotas: Quotas,
    started: Instant,
    /// How long it may run, if a quota says so: the limit, and the quota's name.
    pub deadline: Option<(Duration, String)>,
    /// Warnings to be sent.
    pub warnings: Vec<Warning>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        for key in &self.running {
            key.running.fetch_sub(1, Ordering::Relaxed);
        }
        let us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.quotas.add(Metric::ExecutionTime, us);
    }
}

/// A session's place among the connections of its quotas.
#[derive(Debug)]
pub struct ConnectionPermit {
    keys: Vec<Arc<KeyState>>,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        for key in &self.keys {
            key.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Quotas {
    /// A permit for a statement.
    ///
    /// # Errors
    /// The limit that is reached. Nothing is counted then.
    pub fn permit(&self, class: StatementClass) -> Result<Permit, Box<Refusal>> {
        let now_us = self.clock.now_us();
        let mut warnings = Vec::new();
        self.check_used(now_us, &mut warnings)?;
        self.count_statement(class, now_us, &mut warnings)?;
        let mut permit = Permit {
            running: Vec::new(),
            quotas: self.clone(),
            started: Instant::now(),
            deadline: self.statement_time(),
            warnings: Vec::new(),
        };
        if let Err(refusal) = self.take_slots(&mut permit.running, &mut warnings) {
            for counter in self.statement_counters(class) {
                counter.1.take_back(1);
            }
            return Err(refusal);
        }
        self.note_levels(class, now_us, &mut warnings);
        permit.warnings = warnings;
        Ok(permit)
    }

    /// Counts a statement that was answered at once, with `rows` rows in `taken`; `false`, and nothing is counted, if a
    /// limit is near, so that it is to be run with a permit.
    pub fn count_answered(&self, class: StatementClass, rows: u64, taken: Duration) -> bool {
        let now_us = self.clock.now_us();
        let metric = class.metric();
        let us = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let count = |counter: &Counter| match counter.metric {
            Metric::ResultRows => rows,
            Metric::ExecutionTime => us,
            counted if counted == Metric::Queries || counted == metric => 1,
            _ => 0,
        };
        let is_full = |key: &KeyState| {
            let max = key.gauge(Gauge::ConcurrentQueries);
            max.is_some_and(|max| key.running.load(Ordering::Relaxed) >= max)
        };
        let counters = || self.keys.iter().flat_map(|key| &key.counters);
        if self.keys.iter().any(|key| is_full(key))
            || counters().any(|counter| counter.is_near(count(counter), now_us))
        {
            return false;
        }
        let mut counted = counters().filter(|counter| count(counter) > 0).enumerate();
        // Others may have come as far as the limit meanwhile.
        let refused = counted.find(|(_, counter)| counter.try_add(count(counter), now_us).is_err());
        if let Some((before, _)) = refused {
            let counted = counters().filter(|counter| count(counter) > 0).take(before);
            counted.for_each(|counter| counter.take_back(count(counter)));
        }
        refused.is_none()
    }

    /// How long a statement may wait for a permit: what DELAY says.
    pub fn longest_delay_us(&self) -> i64 {
        let delays = self.keys.iter().map(|key| match key.quota.exceeded {
            Exceeded::Delay(us) => us,
            Exceeded::Reject | Exceeded::Notice => 0,
        });
        delays.max().unwrap_or(0)
    }

    /// How long a statement may run, and by which quota.
    fn statement_time(&self) -> Option<(Duration, String)> {
        let limits = self.keys.iter().filter_map(|key| {
            let us = key.gauge(Gauge::StatementTime)?;
            Some((Duration::from_micros(us), &key.quota.name))
        });
        limits.min_by_key(|(limit, _)| *limit).map(|(limit, name)| (limit, name.clone()))
    }

    /// Limits on what statements did before this one.
    fn check_used(&self, now_us: i64, warnings: &mut Vec<Warning>) -> Result<(), Box<Refusal>> {
        for key in self.keys.iter() {
            for counter in key.counters.iter().filter(|one| !one.metric.counts_statements()) {
                if let Err(used_up) = counter.check(now_us) {
                    over(key, counter, used_up, warnings)?;
                }
            }
        }
        Ok(())
    }

    fn statement_counters(
        &self,
        class: StatementClass,
    ) -> impl Iterator<Item = (&Arc<KeyState>, &Counter)> {
        let metric = class.metric();
        self.keys.iter().flat_map(move |key| {
            let counters = key.counters.iter();
            counters
                .filter(move |one| one.metric == Metric::Queries || one.metric == metric)
                .map(move |counter| (key, counter))
        })
    }

    /// Counts a statement everywhere or nowhere.
    fn count_statement(
        &self,
        class: StatementClass,
        now_us: i64,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Box<Refusal>> {
        let mut counted: Vec<&Counter> = Vec::new();
        for (key, counter) in self.statement_counters(class) {
            match counter.try_add(1, now_us) {
                Ok(()) => counted.push(counter),
                Err(used_up) => {
                    if let Err(refusal) = over(key, counter, used_up, warnings) {
                        counted.iter().for_each(|counter| counter.take_back(1));
                        return Err(refusal);
                    }
                    counter.add(1, now_us);
                    counted.push(counter);
                }
            }
        }
        Ok(())
    }

    fn take_slots(
        &self,
        running: &mut Vec<Arc<KeyState>>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Box<Refusal>> {
        for key in self.keys.iter() {
            let Some(max) = key.gauge(Gauge::ConcurrentQueries) else { continue };
            let before = key.running.fetch_add(1, Ordering::Relaxed);
            running.push(Arc::clone(key));
            if before < max {
                continue;
            }
            let refusal = at_gauge(
                key,
                Gauge::ConcurrentQueries,
                (before, max),
                Some(SLOT_RETRY_US),
                RefusalKind::Rate,
            );
            if key.quota.exceeded == Exceeded::Notice {
                warnings.push(warning(&refusal));
            } else {
                key.rejected.fetch_add(1, Ordering::Relaxed);
                for key in running.drain(..) {
                    key.running.fetch_sub(1, Ordering::Relaxed);
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// Windows of which this statement used the 80th or 95th part of a hundred.
    fn note_levels(&self, class: StatementClass, now_us: i64, warnings: &mut Vec<Warning>) {
        for (key, counter) in self.statement_counters(class) {
            let (Some(max), Some(window)) = (counter.max, counter.look(now_us)) else { continue };
            let reached = [95, WARNED_PERCENT].into_iter().find(|percent| {
                u128::from(window.used) * 100 >= u128::from(max) * u128::from(*percent)
            });
            if let Some(percent) = reached.filter(|_| window.used <= max) {
                warnings.push(Warning {
                    quota: key.quota.name.clone(),
                    what: counter.words(),
                    tenant: key.tenant(),
                    used: window.used,
                    max,
                    percent,
                    reset_us: window.start_us + counter.us,
                });
            }
        }
    }

    /// Charges what a statement did.
    pub fn add(&self, metric: Metric, count: u64) {
        if count == 0 {
            return;
        }
        let now_us = self.clock.now_us();
        for key in self.keys.iter() {
            for counter in key.counters.iter().filter(|counter| counter.metric == metric) {
                counter.add(count, now_us);
            }
        }
    }

    /// Charges rows before they are sent.
    ///
    /// # Errors
    /// The limit that they would pass.
    pub fn try_add(&self, metric: Metric, count: u64) -> Result<(), Box<Refusal>> {
        let now_us = self.clock.now_us();
        for key in self.keys.iter() {
            for counter in key.counters.iter().filter(|counter| counter.metric == metric) {
                if let Err(used_up) = counter.try_add(count, now_us) {
                    over(key, counter, used_up, &mut Vec::new())?;
                    counter.add(count, now_us);
                }
            }
        }
        Ok(())
    }

    /// Whether any quota counts this.
    pub fn counts(&self, metric: Metric) -> bool {
        self.keys.iter().any(|key| key.counters.iter().any(|counter| counter.metric == metric))
    }

    /// The smallest limit of a gauge, and the quota that has it.
    pub fn gauge(&self, gauge: Gauge) -> Option<(u64, &str)> {
        let limits =
            self.keys.iter().filter_map(|key| Some((key.gauge(gauge)?, key.quota.name.as_str())));
        limits.min_by_key(|(max, _)| *max)
    }

    /// The memory that this session's statements take theirs from, if it is less than their tenant's.
    pub fn memory(&self) -> Option<&Arc<MemoryBranch>> {
        self.keys.iter().find_map(|key| key.memory.as_ref())
    }

    /// Refuses what stores more if so much is stored already.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn check_storage(&self, stored_bytes: u64) -> Result<(), Box<Refusal>> {
        for key in self.keys.iter() {
            if let Some(max) = key.gauge(Gauge::StorageBytes).filter(|max| stored_bytes >= *max) {
                key.rejected.fetch_add(1, Ordering::Relaxed);
                let used = (stored_bytes, max);
                return Err(at_gauge(key, Gauge::StorageBytes, used, None, RefusalKind::Storage));
            }
        }
        Ok(())
    }

    /// A place for a connection.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn connect(&self) -> Result<ConnectionPermit, Box<Refusal>> {
        let mut taken = ConnectionPermit { keys: Vec::new() };
        for key in self.keys.iter() {
            let before = key.connections.fetch_add(1, Ordering::Relaxed);
            taken.keys.push(Arc::clone(key));
            let Some(max) = key.gauge(Gauge::Connections).filter(|max| before >= *max) else {
                continue;
            };
            key.rejected.fetch_add(1, Ordering::Relaxed);
            let whose = match key.quota.keyed {
                Keyed::Tenant | Keyed::Nobody => Connections::Tenant,
                Keyed::Role => Connections::Role,
                Keyed::ClientAddress => Connections::Address,
            };
            let kind = RefusalKind::Connections(whose);
            let used = (before, max);
            return Err(at_gauge(key, Gauge::Connections, used, Some(SLOT_RETRY_US), kind));
        }
        Ok(taken)
    }
}

/// When to come back where nobody knows when a slot will be free.
const SLOT_RETRY_US: i64 = 100_000;

/// What is told of a gauge that is at its limit.
fn at_gauge(
    key: &KeyState,
    gauge: Gauge,
    (used, max): (u64, u64),
    retry_after_us: Option<i64>,
    kind: RefusalKind,
) -> Box<Refusal> {
    Box::new(Refusal {
        quota: key.quota.name.clone(),
        what: gauge.name().to_owned(),
        tenant: key.tenant(),
        key: key.key.clone(),
        used,
        max,
        retry_after_us,
        reset_us: None,
        kind,
    })
}

/// A limit is used up: an error, or with NOTICE a warning.
fn over(
    key: &KeyState,
    counter: &Counter,
    used_up: UsedUp,
    warnings: &mut Vec<Warning>,
) -> Result<(), Box<Refusal>> {
    let UsedUp { used, max, retry_after_us, reset_us } = used_up;
    let refusal = Box::new(Refusal {
        quota: key.quota.name.clone(),
        what: counter.words(),
        tenant: key.tenant(),
        key: key.key.clone(),
        used,
        max,
        retry_after_us: Some(retry_after_us),
        reset_us: Some(reset_us),
        kind: RefusalKind::Rate,
    });
    if key.quota.exceeded == Exceeded::Notice {
        warnings.push(warning(&refusal));
        return Ok(());
    }
    counter.reject();
    Err(refusal)
}

fn warning(refusal: &Refusal) -> Warning {
    Warning {
        quota: refusal.quota.clone(),
        what: refusal.what.clone(),
        tenant: refusal.tenant.clone(),
        used: refusal.used,
        max: refusal.max,
        percent: 100,
        reset_us: refusal.reset_us.unwrap_or(i64::MAX),
    }
}
