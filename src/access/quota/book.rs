//! All quotas, and who has which.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::counter::Window;
use super::definition::{Gauge, Keyed, Metric, QuotaDef};
use super::key_state::KeyState;
use super::permit::Quotas;
use super::tiers::built_in;
use crate::catalog::pg::QuotaUsageFacts;
use crate::types::{Clock, MemoryBranch, Oid, TenantId};

/// Who asks for its quotas.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its tenant.
    pub tenant: TenantId,
    /// That tenant's name.
    pub tenant_name: String,
    /// Quotas that the tenant's options name: `tier` and `quota`.
    pub named: Vec<String>,
    /// Its role.
    pub role: Oid,
    /// That role's name.
    pub role_name: String,
    /// Where it connects from.
    pub address: Option<IpAddr>,
    /// The memory of its tenant.
    pub memory: Arc<MemoryBranch>,
}

/// A window as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedUsage {
    tenant: TenantId,
    quota: String,
    key: String,
    metric: Metric,
    us: i64,
    start_us: i64,
    used: u64,
}

/// A quota's counts: whose, by which quota, under which key.
type Key = (TenantId, String, String);

/// All quotas of a server.
#[derive(Debug)]
pub struct QuotaBook {
    clock: Clock,
    /// Grows with each change; sessions look their quotas up again when it moved.
    version: AtomicU64,
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    quotas: BTreeMap<String, Arc<QuotaDef>>,
    keys: BTreeMap<Key, Arc<KeyState>>,
    /// Windows that were stored and that nobody has asked for yet.
    saved: BTreeMap<Key, Vec<SavedUsage>>,
}

impl QuotaBook {
    /// The built-in quotas, and those that were stored with their windows.
    pub fn new(clock: Clock, stored: Vec<QuotaDef>, saved: Vec<SavedUsage>) -> Self {
        let mut inner = Inner::default();
        for quota in built_in().into_iter().chain(stored) {
            inner.quotas.insert(quota.name.clone(), Arc::new(quota));
        }
        for usage in saved {
            let key = (usage.tenant, usage.quota.clone(), usage.key.clone());
            inner.saved.entry(key).or_default().push(usage);
        }
        Self { clock, version: AtomicU64::new(1), inner: RwLock::new(inner) }
    }

    /// Grows with each change of a quota or of who has it.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Sessions look their quotas up again: a tenant or a role changed.
    pub fn moved(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The clock it counts by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A quota.
    pub fn quota(&self, name: &str) -> Option<Arc<QuotaDef>> {
        self.inner.read().quotas.get(name).cloned()
    }

    /// All quotas by name.
    pub fn quotas(&self) -> Vec<Arc<QuotaDef>> {
        self.inner.read().quotas.values().cloned().collect()
    }

    /// Adds or replaces a quota. What was counted by the old one goes on where both count the same.
    pub fn put(&self, quota: QuotaDef) {
        let now_us = self.clock.now_us();
        let quota = Arc::new(quota);
        let mut inner = self.inner.write();
        inner.quotas.insert(quota.name.clone(), Arc::clone(&quota));
        for state in inner.keys.values_mut().filter(|state| state.quota.name == quota.name) {
            if state.quota.keyed != quota.keyed {
                continue;
            }
            let memory = limited(&quota, state.memory.clone());
            let new = KeyState::new(&quota, &state.key, &state.tenant(), &self.clock, memory);
            new.take_over(state, now_us);
            *state = Arc::new(new);
        }
        drop(inner);
        self.moved();
    }

    /// Removes a quota and its counts.
    pub fn remove(&self, name: &str) {
        let mut inner = self.inner.write();
        inner.quotas.remove(name);
        inner.keys.retain(|(_, quota, _), _| quota != name);
        inner.saved.retain(|(_, quota, _), _| quota != name);
        drop(inner);
        self.moved();
    }

    /// A tenant has another name from now on.
    pub fn rename_tenant(&self, tenant: TenantId, name: &str) {
        let inner = self.inner.read();
        for (_, state) in inner.keys.iter().filter(|((known, _, _), _)| *known == tenant) {
            state.rename_tenant(name);
        }
        drop(inner);
        self.moved();
    }

    /// The smallest limit of a gauge among the quotas that a whole tenant has; `named` are those its options name.
    pub fn tenant_gauge(&self, tenant: TenantId, named: &[String], gauge: Gauge) -> Option<u64> {
        let inner = self.inner.read();
        let quotas = inner.quotas.values().filter(|quota| {
            quota.keyed == Keyed::Tenant
                && (named.contains(&quota.name) || quota.is_for(tenant, Oid::INVALID))
        });
        quotas.filter_map(|quota| quota.gauge(gauge)).min()
    }

    /// Forgets what a tenant used.
    pub fn forget_tenant(&self, tenant: TenantId) {
        let mut inner = self.inner.write();
        inner.keys.retain(|(known, _, _), _| *known != tenant);
        inner.saved.retain(|(known, _, _), _| *known != tenant);
        drop(inner);
        self.moved();
    }

    /// The quotas of a session; `None` if it has none.
    pub fn of(&self, subject: &Subject) -> Option<Quotas> {
        let known = {
            let inner = self.inner.read();
            let mut known = Vec::new();
            for quota in inner.quotas.values().filter(|quota| has(quota, subject)) {
                known.push((Arc::clone(quota), key_of(quota, subject)));
            }
            known
        };
        if known.is_empty() {
            return None;
        }
        let keys = known.iter().map(|(quota, key)| self.state(quota, key, subject));
        Some(Quotas { keys: keys.collect(), clock: self.clock.clone() })
    }

    /// The counts of a quota for a key, made at first use.
    fn state(&self, quota: &Arc<QuotaDef>, key: &str, subject: &Subject) -> Arc<KeyState> {
        let of_tenant =
            if quota.keyed == Keyed::Nobody { TenantId::SYSTEM } else { subject.tenant };
        let place = (of_tenant, quota.name.clone(), key.to_owned());
        let mut inner = self.inner.write();
        if let Some(state) = inner.keys.get(&place) {
            return Arc::clone(state);
        }
        let own = matches!(quota.keyed, Keyed::Role | Keyed::ClientAddress)
            .then(|| subject.memory.child("role", None));
        let memory = limited(quota, own);
        let state = KeyState::new(quota, key, &subject.tenant_name, &self.clock, memory);
        for saved in inner.saved.remove(&place).unwrap_or_default() {
            let counter = state
                .counters
                .iter()
                .find(|counter| (counter.metric, counter.us) == (saved.metric, saved.us));
            if let Some(counter) = counter {
                counter.restore(Window { start_us: saved.start_us, used: saved.used });
            }
        }
        let state = Arc::new(state);
        inner.keys.insert(place, Arc::clone(&state));
        state
    }

    /// The windows to be stored.
    pub fn save(&self) -> Vec<SavedUsage> {
        let now_us = self.clock.now_us();
        let inner = self.inner.read();
        let mut saved: Vec<SavedUsage> = inner.saved.values().flatten().cloned().collect();
        for ((tenant, quota, key), state) in &inner.keys {
            saved.extend(state.windows(now_us).map(|(metric, us, window)| SavedUsage {
                tenant: *tenant,
                quota: quota.clone(),
                key: key.clone(),
                metric,
                us,
                start_us: window.start_us,
                used: window.used,
            }));
        }
        saved
    }

    /// How far everything is used up; of one tenant, or of all.
    pub fn usage(&self, tenant: Option<TenantId>) -> Vec<QuotaUsageFacts> {
        let now_us = self.clock.now_us();
        let inner = self.inner.read();
        let mut rows = Vec::new();
        let keys = inner.keys.iter();
        for (_, state) in keys.filter(|((of, _, _), _)| tenant.is_none_or(|tenant| tenant == *of)) {
            usage_of(state, now_us, &mut rows);
        }
        rows
    }
}

/// Whether a subject has a quota.
fn has(quota: &QuotaDef, subject: &Subject) -> bool {
    subject.named.contains(&quota.name) || quota.is_for(subject.tenant, subject.role)
}

fn key_of(quota: &QuotaDef, subject: &Subject) -> String {
    match quota.keyed {
        // Its name may change.
        Keyed::Tenant => subject.tenant.to_string(),
        Keyed::Role => subject.role_name.clone(),
        Keyed::ClientAddress => {
            subject.address.map_or_else(|| "local".to_owned(), |address| address.to_string())
        }
        Keyed::Nobody => String::new(),
    }
}

/// A branch of memory with the quota's limit.
fn limited(quota: &QuotaDef, memory: Option<Arc<MemoryBranch>>) -> Option<Arc<MemoryBranch>> {
    let max = quota.gauge(Gauge::MemoryBytes);
    if let Some(memory) = &memory {
        memory.set_bytes_max(max.map(|max| usize::try_from(max).unwrap_or(usize::MAX)));
    }
    memory
}

fn usage_of(state: &KeyState, now_us: i64, rows: &mut Vec<QuotaUsageFacts>) {
    let row = |metric, window: Option<(i64, i64)>, used, max, rejected| {
        let is_used_up = matches!((used, max), (Some(used), Some(max)) if used >= max);
        QuotaUsageFacts {
            tenant: state.tenant(),
            quota: state.quota.name.clone(),
            key: match state.quota.keyed {
                Keyed::Tenant => state.tenant(),
                Keyed::Role | Keyed::ClientAddress | Keyed::Nobody => state.key.clone(),
            },
            metric,
            window,
            used,
            max,
            retry_after_us: window.filter(|_| is_used_up).map(|(_, end)| (end - now_us).max(0)),
            rejected,
        }
    };
    for counter in &state.counters {
        let window = counter.look(now_us);
        let times = window.map(|window| (window.start_us, window.start_us + counter.us));
        let used = window.map(|window| window.used);
        let rejected = counter.rejected.load(Ordering::Relaxed);
        rows.push(row(counter.metric.name(), times, used, counter.max, rejected));
    }
    for (gauge, max) in &state.quota.gauges {
        let used = match gauge {
            Gauge::Connections => Some(state.connections.load(Ordering::Relaxed)),
            Gauge::ConcurrentQueries => Some(state.running.load(Ordering::Relaxed)),
            Gauge::MemoryBytes => state.memory.as_ref().map(|memory| memory.used() as u64),
            Gauge::TempBytes | Gauge::StorageBytes | Gauge::StatementTime => None,
        };
        let rejected = state.rejected.load(Ordering::Relaxed);
        rows.push(row(gauge.name(), None, used, Some(*max), rejected));
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Exceeded, IntervalDef, IntervalLimits, Target};
    use super::super::permit::StatementClass;
    use super::*;

    fn subject(named: &[&str]) -> Subject {
        Subject {
            tenant: TenantId(2),
            tenant_name: "acme".to_owned(),
            named: named.iter().map(|name| (*name).to_owned()).collect(),
            role: Oid(16_500),
            role_name: "ann".to_owned(),
            address: None,
            memory: MemoryBranch::root("tenant", 1 << 20),
        }
    }

    /// Q-01 with the tier itself and 64 sessions: exactly 1000 statements in each of ten hours.
    #[test]
    fn bronze_is_a_thousand_statements_an_hour() {
        let clock = Clock::manual(1_700_000_000_000_000);
        let book = QuotaBook::new(clock.clone(), Vec::new(), Vec::new());
        assert!(book.of(&subject(&[])).is_none());
        let sessions: Vec<Quotas> =
            (0..64).map(|_| book.of(&subject(&["bronze"])).unwrap()).collect();
        for _ in 0..10 {
            let taken: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = sessions
                    .chunks(8)
                    .map(|chunk| {
                        scope.spawn(move || {
                            (0..40)
                                .flat_map(|_| chunk.iter())
                                .filter(|one| one.permit(StatementClass::Query).is_ok())
                                .count()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(taken, 1000);
            let refusal = sessions[0].permit(StatementClass::Query).unwrap_err();
            assert_eq!((refusal.used, refusal.max), (1000, 1000));
            clock.advance_us(3_600_000_000);
        }
    }

    #[test]
    fn what_was_stored_goes_on() {
        let clock = Clock::manual(1_700_000_000_000_000);
        let book = QuotaBook::new(clock.clone(), Vec::new(), Vec::new());
        let one = book.of(&subject(&["bronze"])).unwrap();
        for _ in 0..600 {
            one.permit(StatementClass::Query).unwrap();
        }
        let saved = book.save();
        let text = serde_json::to_string(&saved).unwrap();
        let again = QuotaBook::new(clock, Vec::new(), serde_json::from_str(&text).unwrap());
        let one = again.of(&subject(&["bronze"])).unwrap();
        let taken = (0..1000).filter(|_| one.permit(StatementClass::Query).is_ok()).count();
        assert_eq!(taken, 400);
    }

    #[test]
    fn slots_are_given_back_and_refusals_cost_nothing() {
        let quota = QuotaDef {
            name: "two".to_owned(),
            keyed: Keyed::Role,
            intervals: vec![IntervalDef {
                us: 60_000_000,
                randomized: false,
                limits: IntervalLimits::Max { metrics: vec![(Metric::Queries, 4)], burst: None },
            }],
            gauges: vec![(Gauge::ConcurrentQueries, 2), (Gauge::Connections, 1)],
            exceeded: Exceeded::Reject,
            to: vec![Target::Tenant(TenantId(2))],
        };
        let clock = Clock::manual(1_700_000_000_000_000);
        let book = QuotaBook::new(clock, vec![quota], Vec::new());
        let one = book.of(&subject(&[])).unwrap();
        let permits: Vec<_> = (0..2).map(|_| one.permit(StatementClass::Query).unwrap()).collect();
        assert_eq!(one.permit(StatementClass::Query).unwrap_err().what, "concurrent_queries");
        drop(permits);
        drop(one.permit(StatementClass::Query).unwrap());
        let last = one.permit(StatementClass::Query).unwrap();
        assert_eq!(last.warnings.last().map(|warning| warning.percent), Some(95));
        drop(last);
        assert_eq!(one.permit(StatementClass::Query).unwrap_err().what, "queries per 1 minute");
        let connected = one.connect().unwrap();
        assert!(one.connect().is_err());
        drop(connected);
        assert!(one.connect().is_ok());
    }
}
