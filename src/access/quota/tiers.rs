//! The quotas that are there from the start. Nobody has one until an operator gives it.
//!
//! Source: SECURITY.md §3.2; the tiers are RustyDB's, its class limits are `default_rate`.

use super::definition::{Exceeded, Gauge, IntervalDef, IntervalLimits, Keyed, Metric, QuotaDef};

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
const GIGABYTE: u64 = 1 << 30;

/// The tiers' names, smallest first.
pub const TIERS: [&str; 4] = ["bronze", "silver", "gold", "platinum"];

/// All of them.
pub fn built_in() -> Vec<QuotaDef> {
    vec![
        tier("bronze", 1_000, 100 * GIGABYTE, 50),
        tier("silver", 5_000, 500 * GIGABYTE, 100),
        tier("gold", 25_000, 2_048 * GIGABYTE, 250),
        tier("platinum", 100_000, 10_240 * GIGABYTE, 500),
        default_rate(),
    ]
}

/// Whether a name is that of a built-in quota, which nobody can change.
pub fn is_built_in(name: &str) -> bool {
    TIERS.contains(&name) || name == "default_rate"
}

fn tier(name: &str, queries_per_hour: u64, storage_bytes: u64, connections: u64) -> QuotaDef {
    QuotaDef {
        name: name.to_owned(),
        keyed: Keyed::Tenant,
        intervals: vec![IntervalDef {
            us: HOUR_US,
            randomized: false,
            limits: IntervalLimits::Max {
                metrics: vec![(Metric::Queries, queries_per_hour)],
                burst: None,
            },
        }],
        gauges: vec![(Gauge::StorageBytes, storage_bytes), (Gauge::Connections, connections)],
        exceeded: Exceeded::Reject,
        to: Vec::new(),
    }
}

fn default_rate() -> QuotaDef {
    let rate = |metric, per_second, burst| IntervalDef {
        us: SECOND_US,
        randomized: false,
        limits: IntervalLimits::Max { metrics: vec![(metric, per_second)], burst: Some(burst) },
    };
    QuotaDef {
        name: "default_rate".to_owned(),
        keyed: Keyed::Tenant,
        intervals: vec![
            rate(Metric::QueriesQuery, 50, 100),
            rate(Metric::QueriesBatch, 10, 20),
            rate(Metric::QueriesAdmin, 20, 40),
            rate(Metric::QueriesMonitor, 100, 200),
            rate(Metric::Queries, 100, 200),
        ],
        gauges: Vec::new(),
        exceeded: Exceeded::Reject,
        to: Vec::new(),
    }
}
