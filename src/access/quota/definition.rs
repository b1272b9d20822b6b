//! What a quota says, as it is stored and as `CREATE QUOTA` gave it.

use serde::{Deserialize, Serialize};

use crate::types::{Oid, TenantId};

/// A quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaDef {
    /// Its name.
    pub name: String,
    /// Who shares its counts.
    pub keyed: Keyed,
    /// Limits on what is done in a time.
    pub intervals: Vec<IntervalDef>,
    /// Limits on what there is at a time. Bytes and counts as they are, times in microseconds.
    pub gauges: Vec<(Gauge, u64)>,
    /// What happens over a limit.
    pub exceeded: Exceeded,
    /// Who has it, besides tenants whose options name it.
    pub to: Vec<Target>,
}

/// Who shares a quota's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Keyed {
    /// All of a tenant.
    #[default]
    Tenant,
    /// All sessions of a role.
    Role,
    /// All sessions from an address.
    ClientAddress,
    /// Everybody who has the quota.
    Nobody,
}

/// Limits on what is done in a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalDef {
    /// The time in microseconds; more than 0.
    pub us: i64,
    /// Windows of different keys begin at different times.
    pub randomized: bool,
    /// How much may be done in it.
    pub limits: IntervalLimits,
}

/// How much may be done in an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntervalLimits {
    /// At most so much of each.
    Max {
        /// What is counted, and its limit. Times are in microseconds.
        metrics: Vec<(Metric, u64)>,
        /// A token bucket of this size that fills up in the course of the interval, rather than a window.
        burst: Option<u32>,
    },
    /// Anything.
    NoLimits,
    /// Anything, and it is counted.
    TrackingOnly,
}

/// What is counted in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Metric {
    /// Statements.
    Queries,
    /// Queries, and statements that change rows.
    QueriesQuery,
    /// COPY, CREATE TABLE AS, REFRESH, VACUUM and their like.
    QueriesBatch,
    /// Data definition, roles, rights.
    QueriesAdmin,
    /// SHOW and EXPLAIN.
    QueriesMonitor,
    /// Statements that failed.
    Errors,
    /// Rows sent.
    ResultRows,
    /// Rows inserted, updated or deleted.
    WrittenRows,
    /// Time that statements took, in microseconds.
    ExecutionTime,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Queries,
        Self::QueriesQuery,
        Self::QueriesBatch,
        Self::QueriesAdmin,
        Self::QueriesMonitor,
        Self::Errors,
        Self::ResultRows,
        Self::WrittenRows,
        Self::ExecutionTime,
    ];

    /// Names of metrics that the grammar has and that are not counted yet.
    pub const NOT_COUNTED: [&str; 8] = [
        "auth_attempts",
        "failed_auth",
        "result_bytes",
        "read_rows",
        "read_bytes",
        "written_bytes",
        "traversed_edges",
        "cpu_time",
    ];

    /// Its name in the grammar.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::QueriesQuery => "queries_query",
            Self::QueriesBatch => "queries_batch",
            Self::QueriesAdmin => "queries_admin",
            Self::QueriesMonitor => "queries_monitor",
            Self::Errors => "errors",
            Self::ResultRows => "result_rows",
            Self::WrittenRows => "written_rows",
            Self::ExecutionTime => "execution_time",
        }
    }

    /// Whether it counts statements before they run, so that a token bucket can hold it.
    pub fn counts_statements(self) -> bool {
        match self {
            Self::Queries
            | Self::QueriesQuery
            | Self::QueriesBatch
            | Self::QueriesAdmin
            | Self::QueriesMonitor => true,
            Self::Errors | Self::ResultRows | Self::WrittenRows | Self::ExecutionTime => false,
        }
    }

    /// Whether its limit is a time.
    pub fn is_time(self) -> bool {
        matches!(self, Self::ExecutionTime)
    }
}

/// What there is at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Gauge {
    /// Sessions.
    Connections,
    /// Statements that run.
    ConcurrentQueries,
    /// Memory that statements reserve.
    MemoryBytes,
    /// Temporary files of statements.
    TempBytes,
    /// What is stored.
    StorageBytes,
    /// How long one statement runs, in microseconds.
    StatementTime,
}

impl Gauge {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Connections,
        Self::ConcurrentQueries,
        Self::MemoryBytes,
        Self::TempBytes,
        Self::StorageBytes,
        Self::StatementTime,
    ];

    /// Names of gauges that the grammar has and that are not held yet.
    pub const NOT_HELD: [&str; 4] = ["vertices", "edges", "prepared_statements", "message_bytes"];

    /// Its name in the grammar.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConcurrentQueries => "concurrent_queries",
            Self::MemoryBytes => "memory_bytes",
            Self::TempBytes => "temp_bytes",
            Self::StorageBytes => "storage_bytes",
            Self::StatementTime => "statement_time",
        }
    }

    /// Whether its limit is in bytes.
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::MemoryBytes | Self::TempBytes | Self::StorageBytes)
    }
}

/// What happens over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Exceeded {
    /// The statement is refused.
    #[default]
    Reject,
    /// It waits for at most so many microseconds; then it is refused.
    Delay(i64),
    /// The client gets a warning.
    Notice,
}

/// Who has a quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A tenant.
    Tenant(TenantId),
    /// A role of a tenant.
    Role(TenantId, Oid),
    /// Every tenant but the system's own, less these tenants and roles.
    All {
        /// Those that do not have it.
        except: Vec<Target>,
    },
}

impl QuotaDef {
    /// The limit of a gauge.
    pub fn gauge(&self, gauge: Gauge) -> Option<u64> {
        self.gauges.iter().find(|(known, _)| *known == gauge).map(|(_, max)| *max)
    }

    /// Whether it is given to this role of this tenant by its own TO.
    pub fn is_for(&self, tenant: TenantId, role: Oid) -> bool {
        let hits = |target: &Target| match target {
            Target::Tenant(known) => *known == tenant,
            Target::Role(of, known) => *of == tenant && *known == role,
            Target::All { .. } => false,
        };
        self.to.iter().any(|target| match target {
            Target::All { except } => tenant != TenantId::SYSTEM && !except.iter().any(hits),
            target => hits(target),
        })
    }
}

/// A time as a text with whole units, as messages name intervals: `1 hour`, `90 seconds`.
pub fn interval_text(us: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000, "day"),
        (3_600_000_000, "hour"),
        (60_000_000, "minute"),
        (1_000_000, "second"),
        (1_000, "millisecond"),
    ];
    let unit = UNITS.iter().find(|(unit, _)| us % unit == 0).unwrap_or(&(1, "microsecond"));
    let count = us / unit.0;
    format!("{count} {}{}", unit.1, if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_named_in_whole_units() {
        assert_eq!(interval_text(3_600_000_000), "1 hour");
        assert_eq!(interval_text(90_000_000), "90 seconds");
        assert_eq!(interval_text(250_000), "250 milliseconds");
        assert_eq!(interval_text(172_800_000_000), "2 days");
    }

    #[test]
    fn all_is_every_tenant_but_the_systems() {
        let mut quota = QuotaDef {
            name: "q".into(),
            keyed: Keyed::Tenant,
            intervals: Vec::new(),
            gauges: Vec::new(),
            exceeded: Exceeded::Reject,
            to: vec![Target::All { except: vec![Target::Tenant(TenantId(3))] }],
        };
        assert!(quota.is_for(TenantId(2), Oid(10)));
        assert!(!quota.is_for(TenantId(3), Oid(10)));
        assert!(!quota.is_for(TenantId::SYSTEM, Oid(10)));
        quota.to = vec![Target::Role(TenantId::SYSTEM, Oid(10))];
        assert!(quota.is_for(TenantId::SYSTEM, Oid(10)));
        assert!(!quota.is_for(TenantId(2), Oid(10)));
    }
}
