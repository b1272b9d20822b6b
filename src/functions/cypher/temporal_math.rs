//! Arithmetic on temporal values, and their parts.

use super::temporal::{Temporal, civil, days};
use super::value::Value;
use crate::error::{PgError, SqlState};

const NANOS: i128 = 1_000_000_000;
const DAY: i64 = 86_400;
/// Seconds in an average month, for parts of months in products.
const MONTH_SECONDS: f64 = 2_629_746.0;

fn out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "temporal value out of range")
}

/// `left + sign × right`, if one is a duration; `None` if the two cannot be added.
pub fn add(left: &Temporal, right: &Temporal, sign: i64) -> Option<Result<Temporal, PgError>> {
    match (left, right) {
        (
            Temporal::Duration { months, days, seconds, nanos },
            Temporal::Duration { months: months2, days: days2, seconds: seconds2, nanos: nanos2 },
        ) => Some(duration_of(
            i128::from(*months) + i128::from(sign * months2),
            i128::from(*days) + i128::from(sign * days2),
            total(*seconds, *nanos) + i128::from(sign) * total(*seconds2, *nanos2),
        )),
        (Temporal::Duration { .. }, _) if sign > 0 => add(right, left, sign),
        (_, Temporal::Duration { months, days, seconds, nanos }) => Some(shift(
            left,
            sign * months,
            sign * days,
            i128::from(sign) * total(*seconds, *nanos),
        )),
        _ => None,
    }
}

fn total(seconds: i64, nanos: i32) -> i128 {
    i128::from(seconds) * NANOS + i128::from(nanos)
}

/// A duration of these parts.
///
/// # Errors
/// `22008`.
pub fn duration_of(months: i128, days: i128, nanos: i128) -> Result<Temporal, PgError> {
    let narrow = |part: i128| i64::try_from(part).map_err(|_| out_of_range());
    Ok(Temporal::Duration {
        months: narrow(months)?,
        days: narrow(days)?,
        seconds: narrow(nanos.div_euclid(NANOS))?,
        nanos: i32::try_from(nanos.rem_euclid(NANOS)).map_err(|_| out_of_range())?,
    })
}

/// A duration times a number; what is left of months goes to days, what is left of days to seconds.
pub fn scale(value: &Temporal, factor: f64) -> Result<Temporal, PgError> {
    let Temporal::Duration { months, days, seconds, nanos } = value else {
        return Err(out_of_range());
    };
    let months = *months as f64 * factor;
    let rest_of_months = months.fract() * MONTH_SECONDS / DAY as f64;
    let days = *days as f64 * factor + rest_of_months;
    let nanos = total(*seconds, *nanos) as f64 * factor + days.fract() * DAY as f64 * NANOS as f64;
    if !months.is_finite() || !days.is_finite() || !nanos.is_finite() {
        return Err(out_of_range());
    }
    duration_of(months.trunc() as i128, days.trunc() as i128, nanos.trunc() as i128)
}

fn shift(value: &Temporal, months: i64, day_count: i64, nanos: i128) -> Result<Temporal, PgError> {
    let narrow = |part: i128| i64::try_from(part).map_err(|_| out_of_range());
    let day_nanos = i128::from(DAY) * NANOS;
    Ok(match value {
        Temporal::Date(date) => Temporal::Date(
            shift_date(*date, months, day_count)?
                .checked_add(narrow(nanos / day_nanos)?)
                .ok_or_else(out_of_range)?,
        ),
        Temporal::LocalTime(time) => {
            Temporal::LocalTime(narrow((i128::from(*time) + nanos).rem_euclid(day_nanos))?)
        }
        Temporal::Time { nanos: time, offset } => Temporal::Time {
            nanos: narrow((i128::from(*time) + nanos).rem_euclid(day_nanos))?,
            offset: *offset,
        },
        Temporal::LocalDateTime { seconds, nanos: fraction } => {
            let (seconds, nanos) = shift_instant(*seconds, *fraction, 0, months, day_count, nanos)?;
            Temporal::LocalDateTime { seconds, nanos }
        }
        Temporal::DateTime { seconds, nanos: fraction, offset, zone } => {
            let (seconds, nanos) =
                shift_instant(*seconds, *fraction, *offset, months, day_count, nanos)?;
            Temporal::DateTime { seconds, nanos, offset: *offset, zone: zone.clone() }
        }
        Temporal::Duration { .. } => return Err(out_of_range()),
    })
}

fn shift_date(date: i64, months: i64, day_count: i64) -> Result<i64, PgError> {
    let (year, month, day) = civil(date);
    let index = year
        .checked_mul(12)
        .and_then(|index| index.checked_add(i64::from(month) - 1))
        .and_then(|index| index.checked_add(months))
        .ok_or_else(out_of_range)?;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u32 + 1);
    if year.abs() > 999_999_999 {
        return Err(out_of_range());
    }
    days(year, month, day.min(month_length(year, month)))
        .checked_add(day_count)
        .ok_or_else(out_of_range)
}

/// Days in a month.
pub fn month_length(year: i64, month: u32) -> u32 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days(next_year, next, 1) - days(year, month, 1)) as u32
}

fn shift_instant(
    seconds: i64,
    fraction: u32,
    offset: i32,
    months: i64,
    day_count: i64,
    nanos: i128,
) -> Result<(i64, u32), PgError> {
    let local = seconds + i64::from(offset);
    let date = shift_date(local.div_euclid(DAY), months, day_count)?;
    let instant = (i128::from(date) * i128::from(DAY) + i128::from(local.rem_euclid(DAY))) * NANOS
        + i128::from(fraction)
        + nanos
        - i128::from(offset) * NANOS;
    Ok((
        i64::try_from(instant.div_euclid(NANOS)).map_err(|_| out_of_range())?,
        u32::try_from(instant.rem_euclid(NANOS)).map_err(|_| out_of_range())?,
    ))
}

/// A part of a temporal value by its name (`year`, `epochMillis`, `minutesOfHour`); `None` for a name it has not.
pub fn field(value: &Temporal, name: &str) -> Option<Value> {
    match value {
        Temporal::Date(date) => date_field(*date, name).map(Value::Integer),
        Temporal::LocalTime(time) => time_field(*time, name).map(Value::Integer),
        Temporal::Time { nanos, offset } => {
            time_field(*nanos, name).map(Value::Integer).or_else(|| zone_field(*offset, None, name))
        }
        Temporal::LocalDateTime { seconds, nanos } => {
            local_field(*seconds, *nanos, name).map(Value::Integer)
        }
        Temporal::DateTime { seconds, nanos, offset, zone } => match name {
            "epochSeconds" => Some(Value::Integer(*seconds)),
            "epochMillis" => Some(Value::Integer(seconds * 1000 + i64::from(nanos / 1_000_000))),
            _ => local_field(seconds + i64::from(*offset), *nanos, name)
                .map(Value::Integer)
                .or_else(|| zone_field(*offset, zone.as_deref(), name)),
        },
        Temporal::Duration { months, days, seconds, nanos } => {
            duration_field(*months, *days, *seconds, *nanos, name).map(Value::Integer)
        }
    }
}

fn zone_field(offset: i32, zone: Option<&str>, name: &str) -> Option<Value> {
    let text = {
        let (sign, seconds) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
    };
    match name {
        "timezone" => Some(Value::String(zone.map_or(text, str::to_owned))),
        "offset" => Some(Value::String(text)),
        "offsetMinutes" => Some(Value::Integer(i64::from(offset / 60))),
        "offsetSeconds" => Some(Value::Integer(i64::from(offset))),
        _ => None,
    }
}

fn local_field(seconds: i64, nanos: u32, name: &str) -> Option<i64> {
    date_field(seconds.div_euclid(DAY), name)
        .or_else(|| time_field(seconds.rem_euclid(DAY) * 1_000_000_000 + i64::from(nanos), name))
}

fn date_field(date: i64, name: &str) -> Option<i64> {
    let (year, month, day) = civil(date);
    let quarter = (i64::from(month) - 1) / 3;
    Some(match name {
        "year" => year,
        "quarter" => quarter + 1,
        "month" => month.into(),
        "week" => iso_week(date).1,
        "weekYear" => iso_week(date).0,
        "dayOfQuarter" => date - days(year, quarter as u32 * 3 + 1, 1) + 1,
        "day" => day.into(),
        "ordinalDay" => date - days(year, 1, 1) + 1,
        "dayOfWeek" | "weekDay" => weekday(date),
        _ => return None,
    })
}

/// 1 for Monday.
pub fn weekday(date: i64) -> i64 {
    (date + 3).rem_euclid(7) + 1
}

/// ISO week year and week.
pub fn iso_week(date: i64) -> (i64, i64) {
    // The week belongs to the year that has its Thursday.
    let thursday = date - weekday(date) + 4;
    let (year, _, _) = civil(thursday);
    (year, (thursday - days(year, 1, 1)) / 7 + 1)
}

fn time_field(nanos: i64, name: &str) -> Option<i64> {
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Some(match name {
        "hour" => seconds / 3600,
        "minute" => seconds / 60 % 60,
        "second" => seconds % 60,
        "millisecond" => fraction / 1_000_000,
        "microsecond" => fraction / 1000,
        "nanosecond" => fraction,
        _ => return None,
    })
}

fn duration_field(months: i64, days: i64, seconds: i64, nanos: i32, name: &str) -> Option<i64> {
    let fraction = i64::from(nanos);
    Some(match name {
        "years" => months / 12,
        "quarters" => months / 3,
        "months" => months,
        "weeks" => days / 7,
        "days" => days,
        "hours" => seconds / 3600,
        "minutes" => seconds / 60,
        "seconds" => seconds,
        "milliseconds" => seconds * 1000 + fraction / 1_000_000,
        "microseconds" => seconds * 1_000_000 + fraction / 1000,
        "nanoseconds" => seconds * 1_000_000_000 + fraction,
        "quartersOfYear" => months % 12 / 3,
        "monthsOfQuarter" => months % 3,
        "monthsOfYear" => months % 12,
        "daysOfWeek" => days % 7,
        "minutesOfHour" => seconds / 60 % 60,
        "secondsOfMinute" => seconds % 60,
        "millisecondsOfSecond" => fraction / 1_000_000,
        "microsecondsOfSecond" => fraction / 1000,
        "nanosecondsOfSecond" => fraction,
        _ => return None,
    })
}
