//! `date.truncate` and its like: the start of the year, week, hour … that a value is in.

use super::temporal::{Temporal, civil, days};
use super::temporal_math::{iso_week, weekday};
use super::temporal_read::{Fields, date_of, time_of};
use super::value::Value;
use crate::error::{PgError, SqlState};

const DAY: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

fn bad_unit(function: &str, unit: &str) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{function} does not know the unit \"{unit}\""),
    )
    .hint("Units are millennium, century, decade, year, weekYear, quarter, month, week, day, hour, minute, second, millisecond, microsecond.")
    .routine("InvalidArgumentValue")
}

/// The first day of what a day is in; `None` for a unit that is not of days.
fn truncated_date(unit: &str, date: i64) -> Option<i64> {
    let (year, month, _) = civil(date);
    let first = |span: i64| days(year.div_euclid(span) * span, 1, 1);
    Some(match unit {
        "millennium" => first(1000),
        "century" => first(100),
        "decade" => first(10),
        "year" => first(1),
        "weekyear" => {
            // Week 1 has January 4th.
            let fourth = days(iso_week(date).0, 1, 4);
            fourth - weekday(fourth) + 1
        }
        "quarter" => days(year, (month - 1) / 3 * 3 + 1, 1),
        "month" => days(year, month, 1),
        "week" => date - weekday(date) + 1,
        "day" => date,
        _ => return None,
    })
}

/// The start of what a time of day is in; midnight for a unit of days.
fn truncated_time(unit: &str, time: i64) -> Option<i64> {
    let span = match unit {
        "hour" => 3600 * NANOS,
        "minute" => 60 * NANOS,
        "second" => NANOS,
        "millisecond" => 1_000_000,
        "microsecond" => 1000,
        unit => return truncated_date(unit, 0).map(|_| 0),
    };
    Some(time - time.rem_euclid(span))
}

/// A value that is truncated: its parts, and what is to be put in their place.
struct Truncation<'v> {
    date: Option<i64>,
    time: i64,
    fields: Fields<'v>,
    source: &'v Temporal,
}

fn truncation<'v>(
    function: &'static str,
    arguments: &'v [Value],
) -> Result<Truncation<'v>, PgError> {
    let wrong = || super::math::wrong_argument(function, arguments);
    let (unit, source, entries) = match arguments {
        [Value::String(unit), Value::Temporal(source)] => (unit, source, &[][..]),
        [Value::String(unit), Value::Temporal(source), Value::Map(entries)] => {
            (unit, source, entries.as_slice())
        }
        _ => return Err(wrong()),
    };
    let folded = unit.to_lowercase();
    let (date, time) = (date_of(source), time_of(source));
    if date.is_none() && time.is_none() {
        return Err(wrong());
    }
    // What is smaller than a day leaves the day alone.
    let truncated = date.map(|date| truncated_date(&folded, date).unwrap_or(date));
    let time =
        truncated_time(&folded, time.unwrap_or(0)).ok_or_else(|| bad_unit(function, unit))?;
    Ok(Truncation { date: truncated, time, fields: Fields { function, entries }, source })
}

impl Truncation<'_> {
    fn date(&self, arguments: &[Value]) -> Result<i64, PgError> {
        let date = self
            .date
            .ok_or_else(|| super::math::wrong_argument(self.fields.function, arguments))?;
        if self.fields.value("week").is_none()
            && let Some(day) = self.fields.integer("dayOfWeek")?
        {
            return Ok(date - weekday(date) + day);
        }
        self.with("date", Temporal::Date(date)).date()
    }

    /// The time, what is given below a second being put behind what is left of it.
    fn time(&self) -> Result<i64, PgError> {
        let part = |key, factor| Ok::<_, PgError>(self.fields.integer(key)?.unwrap_or(0) * factor);
        let added =
            part("millisecond", 1_000_000)? + part("microsecond", 1000)? + part("nanosecond", 1)?;
        let below = self.time % NANOS;
        let below_second = (0..NANOS).contains(&(below + added));
        if !below_second {
            return Err(PgError::new(
                SqlState::DATETIME_FIELD_OVERFLOW,
                "a part of a second is out of range",
            )
            .routine("InvalidArgumentValue"));
        }
        let whole = Temporal::LocalTime(self.time - below);
        let coarse = self.with("time", whole).whole_seconds()?;
        Ok(coarse + below + added)
    }

    fn zone(&self, local: i64) -> Result<(i32, Option<String>), PgError> {
        match self.fields.value("timezone") {
            Some(_) => self.fields.zone(local),
            None => Ok(match self.source {
                Temporal::DateTime { offset, zone: None, .. } | Temporal::Time { offset, .. } => {
                    (*offset, None)
                }
                Temporal::DateTime { offset, zone: Some(zone), .. } => {
                    let at = super::temporal_read::offset_at(zone, local).unwrap_or(*offset);
                    (at, Some(zone.clone()))
                }
                _ => (0, None),
            }),
        }
    }

    /// The given parts over a value.
    fn with(&self, key: &str, base: Temporal) -> Owned {
        let mut entries = vec![(key.to_owned(), Value::Temporal(base))];
        entries.extend(self.fields.entries.iter().cloned());
        Owned { function: self.fields.function, entries }
    }
}

/// Parts that are put together here.
struct Owned {
    function: &'static str,
    entries: Vec<(String, Value)>,
}

impl Owned {
    fn fields(&self) -> Fields<'_> {
        Fields { function: self.function, entries: &self.entries }
    }

    fn date(&self) -> Result<i64, PgError> {
        self.fields().date()
    }

    fn whole_seconds(&self) -> Result<i64, PgError> {
        let small = ["millisecond", "microsecond", "nanosecond"];
        let entries = self.entries.iter().filter(|(key, _)| !small.contains(&key.as_str()));
        let coarse = Self { function: self.function, entries: entries.cloned().collect() };
        coarse.fields().time()
    }
}

/// `date.truncate(unit, temporal [, parts])`.
///
/// # Errors
/// `22023`, `42804`, `22008`.
pub fn date(arguments: &[Value]) -> Result<Value, PgError> {
    let truncation = truncation("date.truncate", arguments)?;
    if let [Value::String(unit), ..] = arguments
        && truncated_date(&unit.to_lowercase(), 0).is_none()
    {
        return Err(bad_unit("date.truncate", unit));
    }
    Ok(Value::Temporal(Temporal::Date(truncation.date(arguments)?)))
}

/// `localtime.truncate(unit, temporal [, parts])`.
///
/// # Errors
/// As [`date`].
pub fn local_time(arguments: &[Value]) -> Result<Value, PgError> {
    let truncation = truncation("localtime.truncate", arguments)?;
    Ok(Value::Temporal(Temporal::LocalTime(truncation.time()?)))
}

/// `time.truncate(unit, temporal [, parts])`.
///
/// # Errors
/// As [`date`].
pub fn time(arguments: &[Value]) -> Result<Value, PgError> {
    let truncation = truncation("time.truncate", arguments)?;
    let nanos = truncation.time()?;
    let (offset, _) = truncation.zone(0)?;
    Ok(Value::Temporal(Temporal::Time { nanos, offset }))
}

/// `localdatetime.truncate(unit, temporal [, parts])`.
///
/// # Errors
/// As [`date`].
pub fn local_date_time(arguments: &[Value]) -> Result<Value, PgError> {
    let truncation = truncation("localdatetime.truncate", arguments)?;
    let (date, nanos) = (truncation.date(arguments)?, truncation.time()?);
    Ok(Value::Temporal(Temporal::LocalDateTime {
        seconds: date * DAY + nanos / NANOS,
        nanos: (nanos % NANOS) as u32,
    }))
}

/// `datetime.truncate(unit, temporal [, parts])`.
///
/// # Errors
/// As [`date`].
pub fn date_time(arguments: &[Value]) -> Result<Value, PgError> {
    let truncation = truncation("datetime.truncate", arguments)?;
    let (date, nanos) = (truncation.date(arguments)?, truncation.time()?);
    let local = date * DAY + nanos / NANOS;
    let (offset, zone) = truncation.zone(local)?;
    Ok(Value::Temporal(Temporal::DateTime {
        seconds: local - i64::from(offset),
        nanos: (nanos % NANOS) as u32,
        offset,
        zone,
    }))
}
