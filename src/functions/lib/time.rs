//! Arithmetic on dates, times and intervals. Microseconds since 1970-01-01; the largest and smallest numbers are
//! infinity and -infinity.

use arrow::datatypes::IntervalMonthDayNano;

use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::{datum_text, time_zone};
use crate::functions::context::SessionContext;
use crate::functions::datum::{Datum, Value};
use crate::types::binary::send;
use crate::types::calendar::{
    MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days, days_from_civil, days_in_month,
};
use crate::types::pg_type::PgType;
use crate::types::zone::TimeZone;

/// `22008` for timestamps.
pub(crate) fn timestamp_out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `22008` for intervals.
pub(crate) fn interval_out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

/// `22008` for dates.
pub(crate) fn date_out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range")
}

/// Whether a timestamp is infinity or -infinity.
pub(crate) fn is_infinite(timestamp: i64) -> bool {
    timestamp == i64::MAX || timestamp == i64::MIN
}

/// The time part of an interval in microseconds.
pub(crate) fn micros(interval: &IntervalMonthDayNano) -> i64 {
    interval.nanoseconds.div_euclid(1_000)
}

/// An interval of months, days and microseconds.
///
/// # Errors
/// `22008`.
pub(crate) fn interval(
    months: i64,
    days: i64,
    micros: i64,
) -> Result<IntervalMonthDayNano, PgError> {
    let months = i32::try_from(months).map_err(|_| interval_out_of_range())?;
    let days = i32::try_from(days).map_err(|_| interval_out_of_range())?;
    let nanoseconds = micros.checked_mul(1_000).ok_or_else(interval_out_of_range)?;
    Ok(IntervalMonthDayNano::new(months, days, nanoseconds))
}

/// The length of an interval as comparisons take it: a month has 30 days, a day 24 hours.
pub(crate) fn interval_span(interval: &IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * i128::from(MICROS_PER_DAY) + i128::from(micros(interval))
}

/// Whole days and the rest of a timestamp.
pub(crate) fn split(timestamp: i64) -> (i64, i64) {
    (timestamp.div_euclid(MICROS_PER_DAY), timestamp.rem_euclid(MICROS_PER_DAY))
}

fn add_months(timestamp: i64, months: i32) -> Result<i64, PgError> {
    if months == 0 {
        return Ok(timestamp);
    }
    let (days, time) = split(timestamp);
    let (year, month, day) = civil_from_days(days);
    let total = year * 12 + i64::from(month) - 1 + i64::from(months);
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    let days = days_from_civil(year, month, day.min(days_in_month(year, month)));
    days.checked_mul(MICROS_PER_DAY)
        .and_then(|midnight| midnight.checked_add(time))
        .ok_or_else(timestamp_out_of_range)
}

/// `timestamp + interval`: months first, with the day kept within its month, then days, then time.
///
/// # Errors
/// `22008`.
pub(crate) fn add_interval(
    timestamp: i64,
    interval: &IntervalMonthDayNano,
) -> Result<i64, PgError> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    i64::from(interval.days)
        .checked_mul(MICROS_PER_DAY)
        .and_then(|days| add_months(timestamp, interval.months).ok()?.checked_add(days))
        .and_then(|moved| moved.checked_add(micros(interval)))
        .filter(|moved| !is_infinite(*moved) && *moved >= crate::types::calendar::TIMESTAMP_MIN)
        .ok_or_else(timestamp_out_of_range)
}

/// A local time as an instant.
///
/// # Errors
/// `22008`.
pub(crate) fn to_instant(local: i64, zone: &TimeZone) -> Result<i64, PgError> {
    if is_infinite(local) {
        return Ok(local);
    }
    let offset = i64::from(zone.offset_of_local(local.div_euclid(MICROS_PER_SECOND)));
    local.checked_sub(offset * MICROS_PER_SECOND).ok_or_else(timestamp_out_of_range)
}

/// An instant as local time.
///
/// # Errors
/// `22008`.
pub(crate) fn to_local(instant: i64, zone: &TimeZone) -> Result<i64, PgError> {
    if is_infinite(instant) {
        return Ok(instant);
    }
    let offset = i64::from(zone.offset_at(instant.div_euclid(MICROS_PER_SECOND)));
    instant.checked_add(offset * MICROS_PER_SECOND).ok_or_else(timestamp_out_of_range)
}

/// `timestamptz + interval`: months and days in local time, the rest in real time.
///
/// # Errors
/// `22008`.
pub(crate) fn add_zoned(
    instant: i64,
    interval: &IntervalMonthDayNano,
    zone: &TimeZone,
) -> Result<i64, PgError> {
    if is_infinite(instant) {
        return Ok(instant);
    }
    let mut moved = instant;
    if interval.months != 0 || interval.days != 0 {
        let whole = IntervalMonthDayNano::new(interval.months, interval.days, 0);
        moved = to_instant(add_interval(to_local(instant, zone)?, &whole)?, zone)?;
    }
    moved.checked_add(micros(interval)).ok_or_else(timestamp_out_of_range)
}

/// The interval with all signs turned.
///
/// # Errors
/// `22008`.
pub(crate) fn negate(value: &IntervalMonthDayNano) -> Result<IntervalMonthDayNano, PgError> {
    interval(
        -i64::from(value.months),
        -i64::from(value.days),
        micros(value).checked_neg().ok_or_else(interval_out_of_range)?,
    )
}

/// `left - right` of timestamps: days and time, no months.
///
/// # Errors
/// `22008`.
pub(crate) fn difference(left: i64, right: i64) -> Result<IntervalMonthDayNano, PgError> {
    if is_infinite(left) || is_infinite(right) {
        return Err(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let span = left.checked_sub(right).ok_or_else(interval_out_of_range)?;
    interval(0, span / MICROS_PER_DAY, span % MICROS_PER_DAY)
}

/// `age(left, right)`: years and months as a calendar counts them.
///
/// # Errors
/// `22008`.
pub(crate) fn age(left: i64, right: i64) -> Result<IntervalMonthDayNano, PgError> {
    if is_infinite(left) || is_infinite(right) {
        return Err(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let negative = left < right;
    let (later, earlier) = if negative { (right, left) } else { (left, right) };
    let ((later_days, later_time), (earlier_days, earlier_time)) = (split(later), split(earlier));
    let (y1, m1, d1) = civil_from_days(later_days);
    let (y2, m2, d2) = civil_from_days(earlier_days);
    let mut months = (y1 - y2) * 12 + i64::from(m1) - i64::from(m2);
    let mut days = i64::from(d1) - i64::from(d2);
    let mut time = later_time - earlier_time;
    if time < 0 {
        time += MICROS_PER_DAY;
        days -= 1;
    }
    // Days are borrowed from the month the earlier date is in; of the later one, if signs are turned.
    let (borrow_year, borrow_month) = if negative { (y1, m1) } else { (y2, m2) };
    while days < 0 {
        days += i64::from(days_in_month(borrow_year, borrow_month));
        months -= 1;
    }
    let result = interval(months, days, time)?;
    if negative { negate(&result) } else { Ok(result) }
}

/// An interval times a number; parts of months become days of 30 a month, parts of days time.
///
/// # Errors
/// `22008`.
pub(crate) fn scale(
    value: &IntervalMonthDayNano,
    factor: f64,
) -> Result<IntervalMonthDayNano, PgError> {
    if !factor.is_finite() {
        return Err(interval_out_of_range());
    }
    let months = f64::from(value.months) * factor;
    let days = f64::from(value.days) * factor;
    let (whole_months, whole_days) = (months.trunc(), days.trunc());
    // Rounded to microseconds, as the fractions are not exact.
    let month_days = round_micro((months - whole_months) * 30.0);
    let day_seconds = round_micro((days - whole_days + month_days - month_days.trunc()) * 86_400.0);
    let mut days = whole_days + month_days.trunc();
    let mut seconds = day_seconds;
    if seconds.abs() >= 86_400.0 {
        days += (seconds / 86_400.0).trunc();
        seconds %= 86_400.0;
    }
    let time = (micros(value) as f64 * factor + seconds * 1_000_000.0).round_ties_even();
    let fits = |value: f64, limit: f64| value.is_finite() && value.abs() <= limit;
    if !fits(whole_months, f64::from(i32::MAX))
        || !fits(days, f64::from(i32::MAX))
        || !fits(time, 9.2e15)
    {
        return Err(interval_out_of_range());
    }
    interval(whole_months as i64, days as i64, time as i64)
}

fn round_micro(value: f64) -> f64 {
    (value * 1_000_000.0).round_ties_even() / 1_000_000.0
}

/// A date as the timestamp of its first moment.
///
/// # Errors
/// `22008`.
pub(crate) fn date_to_timestamp(date: i32) -> Result<i64, PgError> {
    match date {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        date => i64::from(date).checked_mul(MICROS_PER_DAY).ok_or_else(|| {
            PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
        }),
    }
}

/// The day a timestamp is in.
///
/// # Errors
/// `22008`.
pub(crate) fn timestamp_to_date(timestamp: i64) -> Result<i32, PgError> {
    match timestamp {
        i64::MAX => Ok(i32::MAX),
        i64::MIN => Ok(i32::MIN),
        timestamp => i32::try_from(split(timestamp).0).map_err(|_| date_out_of_range()),
    }
}

/// Microseconds since midnight, and seconds west of Greenwich, of a stored timetz.
pub(crate) fn timetz_parts(bytes: &[u8]) -> Option<(i64, i32)> {
    let (time, east) = (bytes.len() == 12).then(|| send::timetz_parts(bytes))?;
    Some((time, -east))
}

fn timetz(time: i64, west: i32) -> Value {
    Datum::bytes(send::stored_timetz(time, -west).to_vec())
}

/// The start of a transaction as `timestamp`, in the session's time zone.
///
/// # Errors
/// `22008`
pub(crate) fn local_transaction_start(session: &dyn SessionContext) -> Result<i64, PgError> {
    to_local(session.transaction_timestamp(), &time_zone(Some(session)))
}

/// Casts among date, time, timestamp and interval types.
///
/// # Errors
/// `22008`; `XX000` for a pair that is not one.
pub(crate) fn cast(
    value: &Datum<'_>,
    from: &PgType,
    to: &PgType,
    session: Option<&dyn SessionContext>,
) -> Result<Value, PgError> {
    use PgType as T;
    let zone = || time_zone(session);
    let zoned = matches!(from, T::Timestamptz(_));
    Ok(match (value, to) {
        (Datum::Date(date), T::Timestamp(_)) => Datum::Timestamp(date_to_timestamp(*date)?),
        (Datum::Date(date), T::Timestamptz(_)) => {
            Datum::Timestamp(to_instant(date_to_timestamp(*date)?, &zone())?)
        }
        (Datum::Timestamp(value), T::Timestamptz(_)) if !zoned => {
            Datum::Timestamp(to_instant(*value, &zone())?)
        }
        (Datum::Timestamp(value), T::Timestamp(_)) if zoned => {
            Datum::Timestamp(to_local(*value, &zone())?)
        }
        (Datum::Timestamp(value), T::Timestamp(_) | T::Timestamptz(_)) => Datum::Timestamp(*value),
        (Datum::Timestamp(value), to) => {
            let local = if zoned { to_local(*value, &zone())? } else { *value };
            match to {
                T::Date => Datum::Date(timestamp_to_date(local)?),
                _ if is_infinite(local) => Datum::Null,
                T::Time(_) => Datum::Time(split(local).1),
                T::Timetz(_) => {
                    let offset = zone().offset_at(value.div_euclid(MICROS_PER_SECOND));
                    timetz(split(local).1, -offset)
                }
                _ => return Err(no_conversion(from, to)),
            }
        }
        (Datum::Time(time), T::Interval) => Datum::Interval(interval(0, 0, *time)?),
        (Datum::Time(time), T::Timetz(_)) => {
            let now = session.map_or(0, SessionContext::transaction_timestamp);
            timetz(*time, -zone().offset_at(now.div_euclid(MICROS_PER_SECOND)))
        }
        (Datum::Bytes(bytes), T::Time(_)) if matches!(from, T::Timetz(_)) => {
            timetz_parts(bytes).map_or(Datum::Null, |(time, _)| Datum::Time(time))
        }
        (Datum::Interval(value), T::Time(_)) => {
            Datum::Time(micros(value).rem_euclid(MICROS_PER_DAY))
        }
        (value, to) if from.without_modifier() == to.without_modifier() => {
            value.clone().into_owned()
        }
        _ => return Err(no_conversion(from, to)),
    })
}

fn no_conversion(from: &PgType, to: &PgType) -> PgError {
    PgError::internal(format!("no conversion from {from} to {to}"))
}

/// A timestamptz in ISO form with its offset in full: `2020-01-01 10:00:00+01:00`.
///
/// # Errors
/// `XX000`.
pub(crate) fn iso_zoned(
    value: &Datum<'_>,
    session: Option<&dyn SessionContext>,
) -> Result<String, PgError> {
    let Datum::Timestamp(instant) = value else { return Ok(String::new()) };
    let zone = time_zone(session);
    let local = Datum::Timestamp(to_local(*instant, &zone)?);
    let text = datum_text(&local, &PgType::Timestamp(None), None)?.unwrap_or_default();
    if is_infinite(*instant) {
        return Ok(text);
    }
    let offset = zone.offset_at(instant.div_euclid(MICROS_PER_SECOND));
    let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let mut suffix = format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 != 0 {
        suffix.push_str(&format!(":{:02}", seconds % 60));
    }
    Ok(match text.strip_suffix(" BC") {
        Some(text) => format!("{text}{suffix} BC"),
        None => text + &suffix,
    })
}
