//! `CREATE QUOTA`, `ALTER QUOTA`, `DROP QUOTA`: from the syntax to what is counted.

use sqlparser::ast::Ident;

use super::statement::require_operator;
use super::tenants::apply_limits;
use crate::access::quota::{
    Exceeded, Gauge, IntervalDef, IntervalLimits, Keyed, Metric, QuotaDef, Target, tiers,
};
use crate::error::{PgError, SqlState};
use crate::parser::sql::tenancy::{
    OptionValue, QuotaBody, QuotaInterval, QuotaLimits, QuotaTarget, TenancyOption,
};
use crate::planner::bind::sql::fold;
use crate::session::session_impl::Session;
use crate::types::TenantId;

/// What to do if there is a quota of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Keep,
    Replace,
}

impl Existing {
    pub(super) fn of(or_replace: bool, if_not_exists: bool) -> Self {
        match (or_replace, if_not_exists) {
            (_, true) => Self::Keep,
            (true, false) => Self::Replace,
            (false, false) => Self::Refuse,
        }
    }
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

pub(super) fn create(
    session: &Session,
    name: &Ident,
    body: &QuotaBody,
    existing: Existing,
) -> Result<(), PgError> {
    require_operator(session, "create quota")?;
    let name = new_name(name)?;
    let book = &session.engine.common.quotas;
    match (book.quota(&name).is_some(), existing) {
        (true, Existing::Refuse) => return Err(exists(&name)),
        (true, Existing::Keep) => {
            session
                .shared
                .notify(PgError::notice(format!("quota \"{name}\" already exists, skipping")));
            return Ok(());
        }
        (true, Existing::Replace) => require_changeable(&name)?,
        (false, _) => {}
    }
    let empty = QuotaDef {
        name,
        keyed: Keyed::Tenant,
        intervals: Vec::new(),
        gauges: Vec::new(),
        exceeded: Exceeded::Reject,
        to: Vec::new(),
    };
    let quota = with_body(session, empty, body)?;
    put(session, None, quota)
}

pub(super) fn alter(
    session: &Session,
    name: &Ident,
    rename: Option<&Ident>,
    body: &QuotaBody,
) -> Result<(), PgError> {
    require_operator(session, "alter quota")?;
    let name = fold(name);
    let book = &session.engine.common.quotas;
    let quota = book.quota(&name).ok_or_else(|| missing(&name))?;
    // Who has a built-in quota may be said, what it is not.
    let only_to = QuotaBody { to: None, ..body.clone() } == QuotaBody::default();
    if rename.is_some() || !only_to {
        require_changeable(&name)?;
    }
    let mut quota = with_body(session, QuotaDef::clone(&quota), body)?;
    if let Some(new) = rename {
        let new = new_name(new)?;
        if book.quota(&new).is_some() {
            return Err(exists(&new));
        }
        require_unused(session, &name)?;
        quota.name = new;
    }
    put(session, Some(&name), quota)
}

pub(super) fn drop(session: &Session, if_exists: bool, name: &Ident) -> Result<(), PgError> {
    require_operator(session, "drop quota")?;
    let name = fold(name);
    let common = &session.engine.common;
    if common.quotas.quota(&name).is_none() {
        if if_exists {
            let notice = format!("quota \"{name}\" does not exist, skipping");
            session.shared.notify(PgError::notice(notice));
            return Ok(());
        }
        return Err(missing(&name));
    }
    require_changeable(&name)?;
    require_unused(session, &name)?;
    common.registry.change(|registry| registry.quotas.retain(|quota| quota.name != name))?;
    common.quotas.remove(&name);
    renew_limits(session);
    Ok(())
}

fn put(session: &Session, before: Option<&str>, quota: QuotaDef) -> Result<(), PgError> {
    let common = &session.engine.common;
    common.registry.change(|registry| {
        registry
            .quotas
            .retain(|known| known.name != quota.name && Some(known.name.as_str()) != before);
        registry.quotas.push(quota.clone());
    })?;
    if let Some(before) = before.filter(|before| *before != quota.name) {
        common.quotas.remove(before);
    }
    common.quotas.put(quota);
    renew_limits(session);
    Ok(())
}

/// Memory and temporary files are held by other rooms, which are told.
fn renew_limits(session: &Session) {
    for engine in session.engine.system().iter().chain(&session.engine.other_tenants()) {
        apply_limits(engine);
    }
}

fn exists(name: &str) -> PgError {
    PgError::new(SqlState::DUPLICATE_OBJECT, format!("quota \"{name}\" already exists"))
}

fn missing(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("quota \"{name}\" does not exist"))
}

fn new_name(name: &Ident) -> Result<String, PgError> {
    let name = fold(name);
    if name.is_empty() || name.len() > 63 || name.chars().any(char::is_control) {
        let message = format!("invalid quota name \"{name}\"");
        return Err(PgError::new(SqlState::INVALID_NAME, message));
    }
    Ok(name)
}

fn require_changeable(name: &str) -> Result<(), PgError> {
    if !tiers::is_built_in(name) {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("quota \"{name}\" is built in and cannot be changed"),
    )
    .hint("Create one of another name."))
}

fn require_unused(session: &Session, name: &str) -> Result<(), PgError> {
    let user = session
        .engine
        .other_tenants()
        .into_iter()
        .find(|engine| engine.tenant.record().option("quota") == Some(name));
    match user {
        None => Ok(()),
        Some(engine) => Err(PgError::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot change quota {name} because tenants have it"),
        )
        .detail(format!("Tenant \"{}\" names it in its options.", engine.tenant.name()))
        .hint("Use ALTER TENANT ... RESET (quota) first.")),
    }
}

/// A quota with the parts that a statement gave.
fn with_body(
    session: &Session,
    mut quota: QuotaDef,
    body: &QuotaBody,
) -> Result<QuotaDef, PgError> {
    let QuotaBody { keyed, intervals, gauges, exceeded, to } = body;
    if let Some(keyed) = keyed {
        quota.keyed = self::keyed(keyed)?;
    }
    if let Some(intervals) = intervals {
        quota.intervals = intervals.iter().map(interval).collect::<Result<_, _>>()?;
    }
    if let Some(gauges) = gauges {
        quota.gauges = gauges.iter().map(gauge).collect::<Result<_, _>>()?;
    }
    if let Some((word, delay)) = exceeded {
        quota.exceeded = match (word.as_str(), delay) {
            ("NOTICE", _) => Exceeded::Notice,
            ("DELAY", Some(delay)) => Exceeded::Delay(time_us(delay)?),
            _ => Exceeded::Reject,
        };
    }
    if let Some(to) = to {
        quota.to =
            to.iter().map(|target| self::target(session, target)).collect::<Result<_, _>>()?;
    }
    check_whole(&quota)?;
    Ok(quota)
}

/// What makes sense only together.
fn check_whole(quota: &QuotaDef) -> Result<(), PgError> {
    let is_for_roles = quota.to.iter().any(|target| matches!(target, Target::Role(..)));
    for (gauge, _) in &quota.gauges {
        let of_tenants = matches!(gauge, Gauge::TempBytes | Gauge::StorageBytes);
        if of_tenants && quota.keyed != Keyed::Tenant {
            return Err(PgError::unsupported(
                format!("a limit on {} is supported in quotas KEYED BY TENANT only", gauge.name()),
                "Make a quota of its own for it.",
            ));
        }
        let whole = of_tenants || *gauge == Gauge::MemoryBytes;
        if whole && is_for_roles && quota.keyed == Keyed::Tenant {
            return Err(PgError::unsupported(
                format!("a limit on {} of a tenant cannot be given to a role", gauge.name()),
                "Say KEYED BY ROLE for a limit on memory.",
            ));
        }
        if *gauge == Gauge::MemoryBytes && quota.keyed == Keyed::Nobody {
            return Err(PgError::unsupported(
                "a limit on memory_bytes in a quota that is NOT KEYED is not supported",
                "Say KEYED BY TENANT or KEYED BY ROLE.",
            ));
        }
    }
    Ok(())
}

fn keyed(words: &str) -> Result<Keyed, PgError> {
    match words {
        "" => Ok(Keyed::Nobody),
        "TENANT" => Ok(Keyed::Tenant),
        "ROLE" => Ok(Keyed::Role),
        "CLIENT ADDRESS" => Ok(Keyed::ClientAddress),
        other => Err(PgError::unsupported(
            format!("KEYED BY {other} is not supported"),
            "Quotas are keyed by TENANT, ROLE or CLIENT ADDRESS.",
        )),
    }
}

fn interval(interval: &QuotaInterval) -> Result<IntervalDef, PgError> {
    let us = time_us(&interval.interval)?;
    let limits = match &interval.limits {
        QuotaLimits::NoLimits => IntervalLimits::NoLimits,
        QuotaLimits::TrackingOnly => IntervalLimits::TrackingOnly,
        QuotaLimits::Max(maxima, burst) => {
            let metrics: Vec<(Metric, u64)> =
                maxima.iter().map(metric).collect::<Result<_, _>>()?;
            let burst = burst.as_deref().map(self::burst).transpose()?;
            if burst.is_some() {
                check_bucket(&metrics)?;
            }
            IntervalLimits::Max { metrics, burst }
        }
    };
    Ok(IntervalDef { us, randomized: interval.randomized, limits })
}

fn burst(text: &str) -> Result<u32, PgError> {
    let burst = text.parse::<u32>().ok().filter(|burst| *burst > 0);
    burst.ok_or_else(|| invalid(format!("invalid BURST: \"{text}\"")))
}

/// A bucket holds statements, and there must be some of them.
fn check_bucket(metrics: &[(Metric, u64)]) -> Result<(), PgError> {
    for (metric, max) in metrics {
        if !metric.counts_statements() {
            return Err(PgError::unsupported(
                format!("BURST is not supported for {}", metric.name()),
                "BURST is for counts of statements.",
            ));
        }
        if *max == 0 {
            return Err(invalid(format!("{} with a BURST must be more than 0", metric.name())));
        }
    }
    Ok(())
}

fn metric(option: &TenancyOption) -> Result<(Metric, u64), PgError> {
    let name = fold(&option.name);
    let Some(metric) = Metric::ALL.into_iter().find(|metric| metric.name() == name) else {
        if Metric::NOT_COUNTED.contains(&name.as_str()) {
            return Err(PgError::unsupported(
                format!("quotas on {name} are not supported"),
                format!("There are {}.", Metric::ALL.map(Metric::name).join(", ")),
            ));
        }
        return Err(invalid(format!("unrecognized quota metric \"{name}\""))
            .hint(format!("There are {}.", Metric::ALL.map(Metric::name).join(", "))));
    };
    let max =
        if metric.is_time() { time_limit(&option.value)? } else { count(&name, &option.value)? };
    Ok((metric, max))
}

fn gauge(option: &TenancyOption) -> Result<(Gauge, u64), PgError> {
    let name = fold(&option.name);
    let Some(gauge) = Gauge::ALL.into_iter().find(|gauge| gauge.name() == name) else {
        if Gauge::NOT_HELD.contains(&name.as_str()) {
            return Err(PgError::unsupported(
                format!("a limit on {name} is not supported"),
                format!("There are {}.", Gauge::ALL.map(Gauge::name).join(", ")),
            ));
        }
        return Err(invalid(format!("unrecognized quota limit \"{name}\""))
            .hint(format!("There are {}.", Gauge::ALL.map(Gauge::name).join(", "))));
    };
    let max = match gauge {
        Gauge::StatementTime => time_limit(&option.value)?,
        gauge if gauge.is_bytes() => bytes(&name, option.value.text())?,
        _ => count(&name, &option.value)?,
    };
    Ok((gauge, max))
}

fn count(name: &str, value: &OptionValue) -> Result<u64, PgError> {
    let text = value.text();
    text.parse().map_err(|_| invalid(format!("invalid value for \"{name}\": \"{text}\"")))
}

/// A number of bytes, with a unit perhaps: `2 TB`, `256 MiB`, `1024`.
fn bytes(name: &str, text: &str) -> Result<u64, PgError> {
    let wrong = || {
        invalid(format!("invalid value for \"{name}\": \"{text}\"")).hint(
            "Valid units are \"B\", \"kB\", \"MB\", \"GB\" and \"TB\", 1024 of the one before.",
        )
    };
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "gb" | "gib" => 30,
        "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let bytes = number * (1u64 << shift) as f64;
    if !bytes.is_finite() || bytes < 0.0 || bytes > u64::MAX as f64 / 2.0 {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

/// A time in microseconds: `1 hour`; a number alone is in seconds.
fn time_limit(value: &OptionValue) -> Result<u64, PgError> {
    let us = match value {
        OptionValue::Number(seconds) => time_us(&format!("{seconds} seconds"))?,
        OptionValue::Text(text) | OptionValue::Word(text) => time_us(text)?,
    };
    Ok(us.unsigned_abs())
}

/// `1 hour`, `90 seconds`, `1 day 12 hours`; more than 0.
fn time_us(text: &str) -> Result<i64, PgError> {
    let wrong = || {
        PgError::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type interval: \"{text}\""),
        )
    };
    let mut total = 0f64;
    let spaced: String = text
        .chars()
        .scan(false, |was_digit, c| {
            let starts_unit = *was_digit && c.is_alphabetic();
            *was_digit = c.is_ascii_digit() || c == '.';
            Some(if starts_unit { format!(" {c}") } else { c.to_string() })
        })
        .collect();
    let mut words = spaced.split_whitespace();
    while let Some(number) = words.next() {
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit = words.next().ok_or_else(wrong)?.to_ascii_lowercase();
        let us = match unit.trim_end_matches('s') {
            "u" | "microsecond" => 1.0,
            "m" if unit == "ms" => 1e3,
            "millisecond" => 1e3,
            "" | "sec" | "second" => 1e6,
            "min" | "minute" => 60e6,
            "h" | "hour" => 3_600e6,
            "d" | "day" => 86_400e6,
            "w" | "week" => 604_800e6,
            "mon" | "month" => 2_592_000e6,
            _ => return Err(wrong()),
        };
        total += number * us;
    }
    // A hundred years and less than a microsecond are nobody's interval.
    if !total.is_finite() || !(1.0..=3.2e15).contains(&total) {
        return Err(wrong());
    }
    Ok(total as i64)
}

fn target(session: &Session, target: &QuotaTarget) -> Result<Target, PgError> {
    match target {
        QuotaTarget::Tenant(name) => tenant(session, &fold(name)).map(Target::Tenant),
        QuotaTarget::Role(name) => role(session, &fold(name)),
        QuotaTarget::All(except) => {
            let except = except.iter().map(|name| {
                let name = fold(name);
                match tenant(session, &name) {
                    Ok(tenant) => Ok(Target::Tenant(tenant)),
                    Err(_) => role(session, &name),
                }
            });
            Ok(Target::All { except: except.collect::<Result<_, _>>()? })
        }
    }
}

fn tenant(session: &Session, name: &str) -> Result<TenantId, PgError> {
    let found = session.engine.tenant_named(name).map(|engine| engine.tenant.id);
    found.ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("tenant \"{name}\" does not exist"))
    })
}

/// A role of the tenant that the session is in.
fn role(session: &Session, name: &str) -> Result<Target, PgError> {
    let found = session.engine.known_role(name);
    found.map(|role| Target::Role(session.engine.tenant.id, role.oid)).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
            .hint("Roles are those of the tenant that the session is in; see SET graphwire.tenant.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(time_us("1 hour").unwrap(), 3_600_000_000);
        assert_eq!(time_us("90 seconds").unwrap(), 90_000_000);
        assert_eq!(time_us("1 day 12 hours").unwrap(), 129_600_000_000);
        assert_eq!(time_us("500ms").unwrap(), 500_000);
        assert_eq!(time_us("1.5 min").unwrap(), 90_000_000);
        for wrong in ["", "hour", "1", "0 seconds", "-1 hour", "1 fortnight", "nan s", "1e300 d"] {
            assert!(time_us(wrong).is_err(), "{wrong}");
        }
        assert_eq!(bytes("x", "2 TB").unwrap(), 2 << 40);
        assert_eq!(bytes("x", "256MiB").unwrap(), 256 << 20);
        assert_eq!(bytes("x", "0").unwrap(), 0);
        for wrong in ["", "x", "1 XB", "-1", "1 TB TB", "99999999999 TB", "é"] {
            assert!(bytes("x", wrong).is_err(), "{wrong}");
        }
    }
}
