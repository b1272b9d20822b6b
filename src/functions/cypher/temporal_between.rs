//! `duration.between` and its like: how far two temporal values are apart.
//!
//! A value without a time is taken at midnight, one without a date on the other's day, one without a zone in the other's.
//! Months and days are counted on the calendar of the first value's zone, the rest as time that passes.

use super::temporal::{Temporal, civil};
use super::temporal_math::{duration_of, month_length};
use super::temporal_read::{offset_at, offset_at_instant};
use super::value::Value;
use crate::error::{PgError, SqlState};

const DAY: i64 = 86_400;
const NANOS: i128 = 1_000_000_000;
const DAY_NANOS: i64 = DAY * 1_000_000_000;

/// A moment in parts, of which some may not be there.
#[derive(Debug, Clone)]
struct Moment {
    date: Option<i64>,
    /// Nanoseconds since midnight.
    time: i64,
    offset: Option<i32>,
    zone: Option<String>,
}

impl Moment {
    fn of(temporal: &Temporal) -> Option<Self> {
        let local = |seconds: i64, nanos: u32| {
            let time = seconds.rem_euclid(DAY) * 1_000_000_000 + i64::from(nanos);
            (Some(seconds.div_euclid(DAY)), time)
        };
        let (date, time, offset, zone) = match temporal {
            Temporal::Date(date) => (Some(*date), 0, None, None),
            Temporal::LocalTime(time) => (None, *time, None, None),
            Temporal::Time { nanos, offset } => (None, *nanos, Some(*offset), None),
            Temporal::LocalDateTime { seconds, nanos } => {
                let (date, time) = local(*seconds, *nanos);
                (date, time, None, None)
            }
            Temporal::DateTime { seconds, nanos, offset, zone } => {
                let (date, time) = local(seconds + i64::from(*offset), *nanos);
                (date, time, Some(*offset), zone.clone())
            }
            Temporal::Duration { .. } => return None,
        };
        Some(Self { date, time, offset, zone })
    }

    fn day(&self) -> i64 {
        self.date.unwrap_or(0)
    }

    fn local_seconds(&self) -> i64 {
        self.day().saturating_mul(DAY).saturating_add(self.time / 1_000_000_000)
    }

    /// Takes another's zone, the clock showing the same.
    fn enter(&mut self, other: &Self) {
        self.zone.clone_from(&other.zone);
        self.offset = other.offset;
        self.settle();
    }

    /// The offset that the zone has by this clock.
    fn settle(&mut self) {
        if let Some(zone) = &self.zone
            && let Some(offset) = offset_at(zone, self.local_seconds())
        {
            self.offset = Some(offset);
        }
    }

    /// Nanoseconds since 1970, in UTC where there is a zone.
    fn instant(&self) -> i128 {
        let local = i128::from(self.day()) * i128::from(DAY_NANOS) + i128::from(self.time);
        local - i128::from(self.offset.unwrap_or(0)) * NANOS
    }

    /// The same moment by the clocks of another's zone.
    fn seen_from(&self, other: &Self) -> Self {
        if other.offset.is_none() {
            return self.clone();
        }
        let instant = self.instant();
        let seconds = i64::try_from(instant.div_euclid(NANOS)).unwrap_or(i64::MAX);
        let offset = match &other.zone {
            Some(zone) => offset_at_instant(zone, seconds).or(other.offset),
            None => other.offset,
        };
        let local = instant + i128::from(offset.unwrap_or(0)) * NANOS;
        let day = i64::try_from(local.div_euclid(i128::from(DAY_NANOS))).unwrap_or(i64::MAX);
        let time = i64::try_from(local.rem_euclid(i128::from(DAY_NANOS))).unwrap_or(0);
        Self { date: Some(day), time, offset, zone: other.zone.clone() }
    }
}

/// Both values with all the parts that either has, and whether both have a date of their own.
fn moments(function: &str, arguments: &[Value]) -> Result<(Moment, Moment, bool), PgError> {
    let [Value::Temporal(from), Value::Temporal(to)] = arguments else {
        return Err(super::math::wrong_argument(function, arguments));
    };
    let (Some(mut from), Some(mut to)) = (Moment::of(from), Moment::of(to)) else {
        return Err(super::math::wrong_argument(function, arguments));
    };
    let dated = from.date.is_some() && to.date.is_some();
    match (from.date, to.date) {
        (Some(date), None) => to.date = Some(date),
        (None, Some(date)) => from.date = Some(date),
        _ => {}
    }
    match (from.offset, to.offset) {
        (Some(_), None) => to.enter(&from.clone()),
        (None, Some(_)) => from.enter(&to.clone()),
        _ => {}
    }
    Ok((from, to, dated))
}

/// The day that whole days are counted to: the one before where the time of day is not reached.
fn last_day(from: &Moment, to: &Moment) -> i64 {
    match (to.day().cmp(&from.day()), to.time.cmp(&from.time)) {
        (std::cmp::Ordering::Greater, std::cmp::Ordering::Less) => to.day() - 1,
        (std::cmp::Ordering::Less, std::cmp::Ordering::Greater) => to.day() + 1,
        _ => to.day(),
    }
}

fn whole_months(from: &Moment, to: &Moment) -> i64 {
    let packed = |day: i64| {
        let (year, month, day) = civil(day);
        (year * 12 + i64::from(month) - 1) * 32 + i64::from(day)
    };
    (packed(last_day(from, to)) - packed(from.day())) / 32
}

fn later_by_months(from: &Moment, months: i64) -> Moment {
    let (year, month, day) = civil(from.day());
    let index = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u32 + 1);
    let date = super::temporal::days(year, month, day.min(month_length(year, month)));
    let mut later = Moment { date: Some(date), ..from.clone() };
    later.settle();
    later
}

/// `duration.between(from, to)`.
///
/// # Errors
/// `42804`, `22008`.
pub fn between(arguments: &[Value]) -> Result<Value, PgError> {
    let (from, to, dated) = moments("duration.between", arguments)?;
    if !dated {
        return given(0, 0, to.instant() - from.instant());
    }
    let there = to.seen_from(&from);
    let months = whole_months(&from, &there);
    let from = later_by_months(&from, months);
    let days = last_day(&from, &there) - from.day();
    let mut from = Moment { date: Some(from.day() + days), ..from };
    from.settle();
    given(months, days, to.instant() - from.instant())
}

/// `duration.inMonths(from, to)`.
///
/// # Errors
/// `42804`.
pub fn in_months(arguments: &[Value]) -> Result<Value, PgError> {
    let (from, to, dated) = moments("duration.inMonths", arguments)?;
    let months = if dated { whole_months(&from, &to.seen_from(&from)) } else { 0 };
    given(months, 0, 0)
}

/// `duration.inDays(from, to)`.
///
/// # Errors
/// `42804`.
pub fn in_days(arguments: &[Value]) -> Result<Value, PgError> {
    let (from, to, dated) = moments("duration.inDays", arguments)?;
    let days = if dated { last_day(&from, &to.seen_from(&from)) - from.day() } else { 0 };
    given(0, days, 0)
}

/// `duration.inSeconds(from, to)`.
///
/// # Errors
/// `42804`, `22008`.
pub fn in_seconds(arguments: &[Value]) -> Result<Value, PgError> {
    let (from, to, _) = moments("duration.inSeconds", arguments)?;
    given(0, 0, to.instant() - from.instant())
}

fn given(months: i64, days: i64, nanos: i128) -> Result<Value, PgError> {
    let duration = duration_of(i128::from(months), i128::from(days), nanos);
    duration.map(Value::Temporal).map_err(|_| {
        PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "the duration is out of range")
    })
}
