//! What `graphwire.tenants`, `graphwire.quotas` and `graphwire.quota_usage` show: to an operator in the system tenant
//! everything, to anybody else what is of its own tenant.

use std::sync::Arc;

use super::registry::TenantRecord;
use crate::access::quota::{
    Exceeded, Gauge, IntervalDef, IntervalLimits, Keyed, QuotaDef, Target, definition, tiers,
};
use crate::catalog::pg::{QuotaFacts, QuotaUsageFacts, TenantFacts};
use crate::session::engine::Engine;
use crate::session::shared::SessionShared;
use crate::types::TenantId;

/// The tenants whose rows a session sees; `None` for all.
fn scope(engine: &Engine, session: &SessionShared) -> Option<TenantId> {
    let is_system = engine.tenant.id == TenantId::SYSTEM;
    (!is_system || !session.caller().superuser).then_some(engine.tenant.id)
}

pub(in crate::session) fn tenants(
    engine: &Arc<Engine>,
    session: &SessionShared,
) -> Vec<TenantFacts> {
    let only = scope(engine, session);
    let system = engine.system();
    let others = engine.other_tenants();
    let all = system.iter().chain(&others).filter(|one| only.is_none_or(|id| id == one.tenant.id));
    all.map(|one| {
        let record = one.tenant.record();
        let owner = system.as_ref().and_then(|system| {
            system.cluster.latest().roles.get(&record.owner).map(|role| role.name.clone())
        });
        // Whose it is, is the operators' affair.
        tenant(&record, owner.filter(|_| only.is_none()))
    })
    .collect()
}

fn tenant(record: &TenantRecord, owner: Option<String>) -> TenantFacts {
    TenantFacts {
        name: record.name.clone(),
        tier: record.option("tier").map(str::to_owned),
        state: if record.suspended { "suspended" } else { "active" },
        owner,
        created_us: record.created_us,
        options: record.options.iter().map(|(name, value)| format!("{name}={value}")).collect(),
    }
}

pub(in crate::session) fn quotas(engine: &Arc<Engine>, session: &SessionShared) -> Vec<QuotaFacts> {
    let only = scope(engine, session);
    let named = engine.tenant.record().quotas();
    let all = engine.common.quotas.quotas();
    all.iter()
        .filter(|quota| {
            only.is_none_or(|tenant| {
                named.contains(&quota.name)
                    || quota.to.iter().any(|target| concerns(target, tenant))
            })
        })
        .map(|quota| self::quota(engine, quota, only))
        .collect()
}

/// Whether a target is of this tenant.
fn concerns(target: &Target, tenant: TenantId) -> bool {
    match target {
        Target::Tenant(known) | Target::Role(known, _) => *known == tenant,
        Target::All { .. } => tenant != TenantId::SYSTEM,
    }
}

fn quota(engine: &Arc<Engine>, quota: &QuotaDef, only: Option<TenantId>) -> QuotaFacts {
    let own = quota.to.iter().filter(|target| only.is_none_or(|id| concerns(target, id)));
    QuotaFacts {
        name: quota.name.clone(),
        keyed_by: match quota.keyed {
            Keyed::Tenant => "TENANT",
            Keyed::Role => "ROLE",
            Keyed::ClientAddress => "CLIENT ADDRESS",
            Keyed::Nobody => "NOT KEYED",
        },
        intervals: quota.intervals.iter().map(interval).collect(),
        limits: quota.gauges.iter().map(|(gauge, max)| limit(*gauge, *max)).collect(),
        exceeded: match quota.exceeded {
            Exceeded::Reject => "REJECT".to_owned(),
            Exceeded::Notice => "NOTICE".to_owned(),
            Exceeded::Delay(us) => format!("DELAY '{}'", definition::interval_text(us)),
        },
        to: own.map(|target| self::target(engine, target, only)).collect(),
        built_in: tiers::is_built_in(&quota.name),
    }
}

fn interval(interval: &IntervalDef) -> String {
    let randomized = if interval.randomized { "RANDOMIZED " } else { "" };
    let limits = match &interval.limits {
        IntervalLimits::NoLimits => "NO LIMITS".to_owned(),
        IntervalLimits::TrackingOnly => "TRACKING ONLY".to_owned(),
        IntervalLimits::Max { metrics, burst } => {
            let maxima: Vec<String> = metrics
                .iter()
                .map(|(metric, max)| match metric.is_time() {
                    true => format!("{} = '{}'", metric.name(), time(*max)),
                    false => format!("{} = {max}", metric.name()),
                })
                .collect();
            let burst = burst.map_or_else(String::new, |burst| format!(" BURST {burst}"));
            format!("MAX {}{burst}", maxima.join(", "))
        }
    };
    format!("FOR {randomized}INTERVAL '{}' {limits}", definition::interval_text(interval.us))
}

fn time(us: u64) -> String {
    definition::interval_text(i64::try_from(us).unwrap_or(i64::MAX))
}

fn limit(gauge: Gauge, max: u64) -> String {
    match gauge {
        Gauge::StatementTime => format!("{} = '{}'", gauge.name(), time(max)),
        _ => format!("{} = {max}", gauge.name()),
    }
}

fn target(engine: &Arc<Engine>, target: &Target, only: Option<TenantId>) -> String {
    match target {
        Target::Tenant(id) => {
            let name = engine.tenant_of(*id).map(|one| one.tenant.name());
            format!("TENANT {}", name.unwrap_or_else(|| id.to_string()))
        }
        Target::Role(tenant, role) => {
            let name = engine
                .tenant_of(*tenant)
                .and_then(|one| one.cluster.latest().roles.get(role).map(|role| role.name.clone()));
            name.unwrap_or_else(|| role.to_string())
        }
        // Who is not in it may be others' names.
        Target::All { except } if except.is_empty() || only.is_some() => "ALL".to_owned(),
        Target::All { except } => {
            let except: Vec<String> =
                except.iter().map(|target| self::target(engine, target, only)).collect();
            format!("ALL EXCEPT {}", except.join(", "))
        }
    }
}

pub(in crate::session) fn quota_usage(
    engine: &Arc<Engine>,
    session: &SessionShared,
) -> Vec<QuotaUsageFacts> {
    let mut rows = engine.common.quotas.usage(scope(engine, session));
    for row in &mut rows {
        row.used = row.used.or_else(|| measured(engine, &row.tenant, row.metric));
    }
    rows
}

/// What is not counted by the quotas but measured where it is.
fn measured(engine: &Arc<Engine>, tenant: &str, metric: &str) -> Option<u64> {
    let engine = engine.tenant_named(tenant)?;
    match metric {
        "memory_bytes" => Some(engine.runtime.memory().used() as u64),
        "temp_bytes" => Some(engine.runtime.temp_bytes_used()),
        "storage_bytes" => Some(engine.stored_bytes()),
        _ => None,
    }
}
