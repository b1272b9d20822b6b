//! All limits of one quota for one key: a tenant, a role, an address.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::counter::{Counter, Window};
use super::definition::{Gauge, IntervalDef, IntervalLimits, Metric, QuotaDef};
use crate::types::{Clock, MemoryBranch};

/// The counts of a quota for one key.
#[derive(Debug)]
pub(super) struct KeyState {
    pub(super) quota: Arc<QuotaDef>,
    /// What the counts belong to, as `quota_usage` shows it.
    pub(super) key: String,
    /// The tenant's name, as messages show it.
    tenant: RwLock<String>,
    pub(super) counters: Vec<Counter>,
    pub(super) connections: AtomicU64,
    pub(super) running: AtomicU64,
    pub(super) rejected: AtomicU64,
    /// The memory of all sessions of the key, if the quota limits it and its key is smaller than a tenant.
    pub(super) memory: Option<Arc<MemoryBranch>>,
}

impl KeyState {
    pub(super) fn new(
        quota: &Arc<QuotaDef>,
        key: &str,
        tenant: &str,
        clock: &Clock,
        memory: Option<Arc<MemoryBranch>>,
    ) -> Self {
        let counters = quota.intervals.iter().flat_map(|interval| counters(interval, key, clock));
        Self {
            quota: Arc::clone(quota),
            key: key.to_owned(),
            tenant: RwLock::new(tenant.to_owned()),
            counters: counters.collect(),
            connections: AtomicU64::new(0),
            running: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            memory,
        }
    }

    /// The tenant's name.
    pub(super) fn tenant(&self) -> String {
        self.tenant.read().clone()
    }

    /// The tenant has another name from now on.
    pub(super) fn rename_tenant(&self, name: &str) {
        name.clone_into(&mut self.tenant.write());
    }

    /// Goes on with the counts of an earlier definition where both count the same.
    pub(super) fn take_over(&self, before: &Self, now_us: i64) {
        for counter in &self.counters {
            let same = before
                .counters
                .iter()
                .find(|old| (old.metric, old.us) == (counter.metric, counter.us));
            if let Some(window) = same.and_then(|old| old.look(now_us)) {
                counter.restore(window);
            }
        }
        self.connections.store(before.connections.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The windows that are to be stored: those of a minute and longer.
    pub(super) fn windows(&self, now_us: i64) -> impl Iterator<Item = (Metric, i64, Window)> {
        const STORED_FROM_US: i64 = 60_000_000;
        self.counters
            .iter()
            .filter(|counter| counter.us >= STORED_FROM_US)
            .filter_map(move |counter| Some((counter.metric, counter.us, counter.look(now_us)?)))
    }

    /// The limit of a gauge.
    pub(super) fn gauge(&self, gauge: Gauge) -> Option<u64> {
        self.quota.gauge(gauge)
    }
}

fn counters(interval: &IntervalDef, key: &str, clock: &Clock) -> Vec<Counter> {
    let offset_us = if interval.randomized {
        let mut hasher = DefaultHasher::new();
        (key, interval.us).hash(&mut hasher);
        i64::try_from(hasher.finish() % interval.us.unsigned_abs().max(1)).unwrap_or(0)
    } else {
        0
    };
    let window = |metric, max| Counter::window(metric, interval.us, offset_us, max);
    match &interval.limits {
        IntervalLimits::NoLimits => Vec::new(),
        IntervalLimits::TrackingOnly => {
            Metric::ALL.iter().map(|metric| window(*metric, None)).collect()
        }
        IntervalLimits::Max { metrics, burst: None } => {
            metrics.iter().map(|(metric, max)| window(*metric, Some(*max))).collect()
        }
        IntervalLimits::Max { metrics, burst: Some(burst) } => metrics
            .iter()
            .map(|(metric, max)| Counter::bucket(*metric, interval.us, *max, *burst, clock))
            .collect(),
    }
}
