//! What a client is told of its quota. Codes and fields are those of SECURITY.md §3.3.

use chrono::{DateTime, SecondsFormat};

use crate::error::{PgError, Severity, SqlState};

/// A limit was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The quota's name.
    pub quota: String,
    /// What was used up: `queries per 1 hour`, `connections`.
    pub what: String,
    /// The tenant's name.
    pub tenant: String,
    /// The tenant, role or address whose limit it is.
    pub key: String,
    /// Used up so far.
    pub used: u64,
    /// The limit.
    pub max: u64,
    /// When to come back; `None` where nobody can tell.
    pub retry_after_us: Option<i64>,
    /// When the window ends, microseconds since 1970.
    pub reset_us: Option<i64>,
    /// Which kind of limit it is.
    pub kind: RefusalKind,
}

/// Whose connections are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// A tenant's.
    Tenant,
    /// A role's.
    Role,
    /// An address's.
    Address,
}

/// Which kind of limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// What is done in a time, and statements at a time.
    Rate,
    /// Connections.
    Connections(Connections),
    /// What is stored.
    Storage,
}

impl Refusal {
    /// As an error.
    pub fn error(self) -> PgError {
        let Self { quota, what, tenant, key, used, max, retry_after_us, reset_us, kind } = self;
        let error = match kind {
            RefusalKind::Rate => PgError::new(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!("quota \"{quota}\" exceeded: {what}"),
            ),
            RefusalKind::Connections(whose) => {
                let whose = match whose {
                    Connections::Tenant => format!("tenant \"{tenant}\""),
                    Connections::Role => format!("role \"{key}\""),
                    Connections::Address => format!("address \"{key}\""),
                };
                let message = format!("too many connections for {whose}");
                PgError::new(SqlState::TOO_MANY_CONNECTIONS, message).severity(Severity::Fatal)
            }
            RefusalKind::Storage => {
                PgError::new(SqlState::DISK_FULL, format!("quota \"{quota}\" exceeded: {what}"))
            }
        };
        let mut detail = format!("tenant={tenant} limit={max} used={used}");
        if let Some(time) = reset_us.and_then(DateTime::from_timestamp_micros) {
            let time = time.to_rfc3339_opts(SecondsFormat::Millis, true);
            detail.push_str(&format!(" window_reset={time}"));
        }
        let error = error.detail(detail).constraint(quota);
        match retry_after_us {
            // Rounded up: who comes back then must find room.
            Some(us) => {
                let us = u64::try_from(us).unwrap_or(0).max(1);
                error.hint(format!("retry_after_ms={}", us.div_ceil(1000)))
            }
            None => error,
        }
    }
}

/// A limit is nearly reached, or was passed and that only tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The quota's name.
    pub quota: String,
    /// What is used up: `queries per 1 hour`.
    pub what: String,
    /// The tenant's name.
    pub tenant: String,
    /// Used up so far.
    pub used: u64,
    /// The limit.
    pub max: u64,
    /// 80, 95 or 100.
    pub percent: u8,
    /// When the window ends, microseconds since 1970.
    pub reset_us: i64,
}

impl Warning {
    /// As a warning.
    pub fn error(self) -> PgError {
        let Self { quota, what, tenant, used, max, percent, reset_us: _ } = self;
        let message = match percent {
            100 => format!("quota \"{quota}\" exceeded: {what}"),
            percent => format!("{percent} % of quota \"{quota}\" used up: {what}"),
        };
        PgError::new(SqlState::WARNING, message)
            .severity(Severity::Warning)
            .detail(format!("tenant={tenant} limit={max} used={used}"))
            .constraint(quota)
    }
}
