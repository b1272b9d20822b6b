//! The relations of schema `graphwire`: tenants, quotas, and how far they are used up.
//!
//! They can be queried and are in no catalog, so that `pg_dump` and tools that list what there is leave them alone.

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};

/// Microseconds between 1970-01-01 and 2000-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

fn timestamptz(us: i64) -> Value<'static> {
    Value::Timestamptz(us - POSTGRES_EPOCH_US)
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn tenants(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for tenant in source.session.tenants() {
        row!(out,
            tenant: tenant.name,
            tier: tenant.tier,
            state: tenant.state,
            owner: tenant.owner,
            created_at: timestamptz(tenant.created_us),
            options: tenant.options,
        );
    }
    Ok(())
}

pub(super) fn quotas(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for quota in source.session.quotas() {
        row!(out,
            quota: quota.name,
            keyed_by: quota.keyed_by,
            intervals: quota.intervals,
            limits: quota.limits,
            on_exceeded: quota.exceeded,
            assigned_to: quota.to,
            built_in: quota.built_in,
        );
    }
    Ok(())
}

pub(super) fn quota_usage(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for usage in source.session.quota_usage() {
        let remaining = match (usage.used, usage.max) {
            (Some(used), Some(max)) => Some(number(max.saturating_sub(used))),
            _ => None,
        };
        row!(out,
            tenant: usage.tenant,
            quota: usage.quota,
            key: usage.key,
            metric: usage.metric,
            window_start: usage.window.map(|(start, _)| timestamptz(start)),
            window_end: usage.window.map(|(_, end)| timestamptz(end)),
            used: usage.used.map(number),
            max: usage.max.map(number),
            remaining: remaining,
            retry_after_ms: usage.retry_after_us.map(|us| us.saturating_add(999) / 1000),
            rejected: number(usage.rejected),
        );
    }
    Ok(())
}
