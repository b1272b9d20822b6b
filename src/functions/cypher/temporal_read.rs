//! Temporal values from strings (ISO 8601 as openCypher takes it) and from maps of parts.

use chrono::{Offset, TimeZone};

use super::temporal::{Temporal, civil, days};
use super::temporal_math::{iso_week, month_length};
use super::value::Value;
use crate::error::{PgError, SqlState};

const DAY: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

fn bad(kind: &str, text: &str) -> PgError {
    PgError::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid {kind}: \"{text}\""))
        .routine("InvalidArgumentValue")
}

fn out_of_range(what: &str) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} is out of range"))
        .routine("InvalidArgumentValue")
}

fn wrong(function: &str, value: &Value) -> PgError {
    PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!("function {function} does not take a value of type {}", value.type_name()),
    )
    .routine("InvalidArgumentType")
}

/// Reads digits from the front of a text.
struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let head = self.rest.get(..count)?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = self.rest.get(count..)?;
        head.parse().ok()
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// How many digits stand in front.
    fn run(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }
}

/// A date: calendar, week, ordinal or quarter form, with or without dashes; a year of more than four digits has a sign.
fn read_date(text: &str) -> Option<i64> {
    let mut scanner = Scanner { rest: text };
    let sign = if scanner.take('-') { -1 } else { 1 };
    let signed = sign < 0 || scanner.take('+');
    let run = scanner.run();
    let year_digits = if signed
        && run > 4
        && scanner.rest.get(run..).is_some_and(|rest| rest.starts_with('-') || rest.is_empty())
    {
        run.min(9)
    } else {
        4
    };
    let year = sign * scanner.digits(year_digits)?;
    if scanner.rest.is_empty() {
        return Some(days(year, 1, 1));
    }
    let dashed = scanner.take('-');
    if scanner.take('W') {
        let week = scanner.digits(2)?;
        if scanner.rest.is_empty() {
            return week_date(year, week, 1);
        }
        if dashed != scanner.take('-') {
            return None;
        }
        let day = scanner.digits(1)?;
        return scanner.rest.is_empty().then(|| week_date(year, week, day)).flatten();
    }
    match scanner.run() {
        3 => {
            let ordinal = scanner.digits(3)?;
            let length = days(year + 1, 1, 1) - days(year, 1, 1);
            (scanner.rest.is_empty() && (1..=length).contains(&ordinal))
                .then(|| days(year, 1, 1) + ordinal - 1)
        }
        _ => {
            let month = scanner.digits(2)?;
            if scanner.rest.is_empty() {
                return calendar(year, month, 1);
            }
            if dashed != scanner.take('-') {
                return None;
            }
            let day = scanner.digits(2)?;
            scanner.rest.is_empty().then(|| calendar(year, month, day)).flatten()
        }
    }
}

fn calendar(year: i64, month: i64, day: i64) -> Option<i64> {
    let month = u32::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
    let day =
        u32::try_from(day).ok().filter(|day| (1..=month_length(year, month)).contains(day))?;
    (year.abs() <= 999_999_999).then(|| days(year, month, day))
}

fn week_date(year: i64, week: i64, day: i64) -> Option<i64> {
    if !(1..=53).contains(&week) || !(1..=7).contains(&day) {
        return None;
    }
    // Week 1 has January 4th.
    let fourth = days(year, 1, 4);
    let monday = fourth - (fourth + 3).rem_euclid(7);
    let date = monday + (week - 1) * 7 + day - 1;
    (week < 53 || iso_week(date - day + 4).0 == year).then_some(date)
}

/// A time of day in nanoseconds.
fn read_time(text: &str) -> Option<i64> {
    let mut scanner = Scanner { rest: text };
    let hour = scanner.digits(2)?;
    let (mut minute, mut second, mut fraction) = (0, 0, 0);
    let colon = scanner.take(':');
    if colon || !scanner.rest.is_empty() {
        minute = scanner.digits(2)?;
        if !scanner.rest.is_empty() {
            if colon != scanner.take(':') {
                return None;
            }
            second = scanner.digits(2)?;
            if scanner.take('.') || scanner.take(',') {
                fraction = nanos_of(scanner.rest)?;
                scanner.rest = "";
            }
        }
    }
    (scanner.rest.is_empty() && hour < 24 && minute < 60 && second < 60)
        .then(|| ((hour * 60 + minute) * 60 + second) * NANOS + fraction)
}

/// The digits behind a point, as nanoseconds.
fn nanos_of(digits: &str) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").parse().ok()
}

/// `Z`, `+01:00`, `-0930`, `+02`: seconds east.
fn read_offset(text: &str) -> Option<i32> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut scanner = Scanner { rest: text.get(1..)? };
    let hours = scanner.digits(2)?;
    let colon = scanner.take(':');
    let minutes = if scanner.rest.is_empty() && !colon { 0 } else { scanner.digits(2)? };
    let seconds = if scanner.rest.is_empty() {
        0
    } else {
        if colon != scanner.take(':') {
            return None;
        }
        scanner.digits(2)?
    };
    (scanner.rest.is_empty() && hours <= 18 && minutes < 60 && seconds < 60)
        .then(|| sign * ((hours * 60 + minutes) * 60 + seconds) as i32)
}

/// Time, offset text and zone name of `12:30+02:00[Europe/Stockholm]`.
fn split_zone(text: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    let (text, zone) = match text.split_once('[') {
        Some((text, zone)) => (text, Some(zone.strip_suffix(']')?)),
        None => (text, None),
    };
    let offset = text.find(['Z', 'z', '+', '-']);
    Some(match offset {
        Some(at) => (text.get(..at)?, text.get(at..), zone),
        None => (text, None, zone),
    })
}

/// The offset of a zone at a moment, seconds since 1970.
pub(super) fn offset_at_instant(zone: &str, seconds: i64) -> Option<i32> {
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    let instant = chrono::DateTime::from_timestamp(seconds, 0)?.naive_utc();
    Some(zone.offset_from_utc_datetime(&instant).fix().local_minus_utc())
}

/// The offset of a zone at a local date and time.
pub(super) fn offset_at(zone: &str, local_seconds: i64) -> Option<i32> {
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    let local = chrono::DateTime::from_timestamp(local_seconds, 0)?.naive_utc();
    zone.offset_from_local_datetime(&local).earliest().map(|offset| offset.fix().local_minus_utc())
}

/// A zone as a map or argument names it: an offset, or a name.
fn read_zone(text: &str, local_seconds: i64) -> Option<(i32, Option<String>)> {
    match read_offset(text) {
        Some(offset) => Some((offset, None)),
        None => offset_at(text, local_seconds).map(|offset| (offset, Some(text.to_owned()))),
    }
}

fn read_date_time(text: &str) -> Option<Temporal> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let (time, offset, zone) = split_zone(time)?;
    let nanos = read_time(time)?;
    let local = read_date(date)?.checked_mul(DAY)? + nanos / NANOS;
    let offset = match (offset, zone) {
        (Some(offset), _) => read_offset(offset)?,
        (None, Some(zone)) => offset_at(zone, local)?,
        (None, None) => 0,
    };
    // The zone must exist, whatever offset stands beside it.
    let zone = match zone {
        Some(zone) => {
            offset_at(zone, local)?;
            Some(zone.to_owned())
        }
        None => None,
    };
    Some(Temporal::DateTime {
        seconds: local - i64::from(offset),
        nanos: (nanos % NANOS) as u32,
        offset,
        zone,
    })
}

fn read_local_date_time(text: &str) -> Option<Temporal> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let nanos = read_time(time)?;
    let seconds = read_date(date)?.checked_mul(DAY)? + nanos / NANOS;
    Some(Temporal::LocalDateTime { seconds, nanos: (nanos % NANOS) as u32 })
}

/// `P1Y2M3W4DT5H6M7.8S`, each amount with a sign and a fraction of its own.
fn read_duration(text: &str) -> Option<Temporal> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1.0, text),
        None => (1.0, text),
    };
    let body = text.strip_prefix('P')?;
    let (date, time) = match body.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (body, None),
    };
    if date.is_empty() && time.is_none_or(str::is_empty) {
        return None;
    }
    let mut parts = Parts::default();
    if date.contains('-') && date.chars().all(|one| one.is_ascii_digit() || one == '-') {
        parts.add_calendar(sign, date, time)?;
        return parts.duration().ok();
    }
    for (text, units) in [(date, "YMWD"), (time.unwrap_or(""), "HMS")] {
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.find(|character: char| character.is_ascii_alphabetic())?;
            let (amount, tail) = rest.split_at(at);
            let unit = tail.chars().next().filter(|unit| units.contains(*unit))?;
            parts.add_text(sign, amount, unit, units == "HMS")?;
            rest = tail.get(1..)?;
        }
    }
    parts.duration().ok()
}

/// The parts of a duration, fractions carried down.
#[derive(Default)]
struct Parts {
    months: f64,
    days: f64,
    /// Whole seconds and nanoseconds apart, so that no digit is lost.
    seconds: i128,
    nanos: i128,
}

impl Parts {
    fn add_text(&mut self, sign: f64, amount: &str, unit: char, time: bool) -> Option<()> {
        if unit == 'S' {
            let (negative, digits) = match amount.strip_prefix('-') {
                Some(digits) => (true, digits),
                None => (false, amount.strip_prefix('+').unwrap_or(amount)),
            };
            let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
            let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
            let fraction = if fraction.is_empty() { 0 } else { nanos_of(fraction)? };
            let sign = if negative != (sign < 0.0) { -1 } else { 1 };
            self.seconds += sign * whole;
            self.nanos += sign * i128::from(fraction);
            return Some(());
        }
        let amount = sign * amount.replace(',', ".").parse::<f64>().ok()?;
        self.add(amount, unit, time);
        Some(())
    }

    /// `2012-02-02T14:37:21.545`: a date and a time of day, taken as amounts.
    fn add_calendar(&mut self, sign: f64, date: &str, time: Option<&str>) -> Option<()> {
        let amounts: Vec<&str> = date.split('-').collect();
        let [year, month, day] = amounts.as_slice() else { return None };
        for (amount, unit) in [(year, 'Y'), (month, 'M'), (day, 'D')] {
            self.add_text(sign, amount, unit, false)?;
        }
        let Some(time) = time else { return Some(()) };
        let amounts: Vec<&str> = time.split(':').collect();
        if amounts.is_empty() || amounts.len() > 3 {
            return None;
        }
        for (amount, unit) in amounts.into_iter().zip(['H', 'M', 'S']) {
            let is_amount =
                |one: char| one.is_ascii_digit() || (unit == 'S' && (one == '.' || one == ','));
            if amount.is_empty() || !amount.chars().all(is_amount) {
                return None;
            }
            self.add_text(sign, amount, unit, true)?;
        }
        Some(())
    }

    fn add(&mut self, amount: f64, unit: char, time: bool) {
        match (unit, time) {
            ('Y', _) => self.months += amount * 12.0,
            ('Q', _) => self.months += amount * 3.0,
            ('M', false) => self.months += amount,
            ('W', _) => self.days += amount * 7.0,
            ('D', _) => self.days += amount,
            ('H', _) => self.add_seconds(amount * 3600.0),
            ('M', true) => self.add_seconds(amount * 60.0),
            _ => self.add_seconds(amount),
        }
    }

    fn add_seconds(&mut self, seconds: f64) {
        self.seconds += seconds.trunc() as i128;
        self.nanos += (seconds.fract() * NANOS as f64).round() as i128;
    }

    fn duration(mut self) -> Result<Temporal, PgError> {
        let too_large = || out_of_range("a duration");
        // A twelfth of 365.2425 days for a part of a month.
        self.days += self.months.fract() * 30.436_875;
        let (days, part) = (self.days.trunc(), self.days.fract());
        self.add_seconds(part * DAY as f64);
        let nanos = self.seconds * i128::from(NANOS) + self.nanos;
        Ok(Temporal::Duration {
            months: whole(self.months).ok_or_else(too_large)?,
            days: whole(days).ok_or_else(too_large)?,
            seconds: i64::try_from(nanos.div_euclid(i128::from(NANOS))).map_err(|_| too_large())?,
            nanos: nanos.rem_euclid(i128::from(NANOS)) as i32,
        })
    }
}

fn whole(float: f64) -> Option<i64> {
    (float.abs() < 9.2e18).then_some(float as i64)
}

/// The entries of a map of temporal parts.
pub(super) struct Fields<'m> {
    pub(super) function: &'static str,
    pub(super) entries: &'m [(String, Value)],
}

impl<'m> Fields<'m> {
    pub(super) fn value(&self, key: &str) -> Option<&'m Value> {
        self.entries
            .iter()
            .find(|entry| entry.0 == key)
            .map(|entry| &entry.1)
            .filter(|value| !value.is_null())
    }

    pub(super) fn integer(&self, key: &'static str) -> Result<Option<i64>, PgError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Integer(integer)) => Ok(Some(*integer)),
            Some(other) => Err(wrong(self.function, other)),
        }
    }

    /// Within `low..=high`, `default` if absent.
    fn part(&self, key: &'static str, default: i64, low: i64, high: i64) -> Result<i64, PgError> {
        let part = self.integer(key)?.unwrap_or(default);
        if (low..=high).contains(&part) { Ok(part) } else { Err(out_of_range(key)) }
    }

    /// The temporal value another key of the map starts from.
    fn base(&self, keys: &[&str]) -> Result<Option<&'m Temporal>, PgError> {
        for key in keys {
            match self.value(key) {
                None => {}
                Some(Value::Temporal(temporal)) => return Ok(Some(temporal)),
                Some(other) => return Err(wrong(self.function, other)),
            }
        }
        Ok(None)
    }

    pub(super) fn date(&self) -> Result<i64, PgError> {
        let base = self.base(&["date", "datetime"])?.and_then(date_of);
        let (base_year, base_month, base_day) = base.map_or((0, 1, 1), civil);
        let year = match self.integer("year")? {
            Some(year) if year.abs() <= 999_999_999 => year,
            Some(_) => return Err(out_of_range("year")),
            None if base.is_some() => base_year,
            None => return Err(out_of_range("a date without a year")),
        };
        let date = if let Some(week) = self.integer("week")? {
            let (year, weekday) = match base {
                Some(base) if self.value("year").is_none() => {
                    (iso_week(base).0, super::temporal_math::weekday(base))
                }
                Some(base) => (year, super::temporal_math::weekday(base)),
                None => (year, 1),
            };
            week_date(year, week, self.integer("dayOfWeek")?.unwrap_or(weekday))
        } else if let Some(ordinal) = self.integer("ordinalDay")? {
            let length = days(year + 1, 1, 1) - days(year, 1, 1);
            (1..=length).contains(&ordinal).then(|| days(year, 1, 1) + ordinal - 1)
        } else if let Some(quarter) = self.integer("quarter")? {
            if !(1..=4).contains(&quarter) {
                return Err(out_of_range("quarter"));
            }
            let first = days(year, quarter as u32 * 3 - 2, 1);
            let default = base.map_or(1, |base| {
                let (year, month, _) = civil(base);
                base - days(year, (month - 1) / 3 * 3 + 1, 1) + 1
            });
            (1..=92)
                .contains(&default)
                .then_some(())
                .and(self.integer("dayOfQuarter")?.or(Some(default)))
                .filter(|day| (1..=92).contains(day))
                .map(|day| first + day - 1)
        } else {
            let month = self.integer("month")?.unwrap_or(i64::from(base_month));
            calendar(year, month, self.integer("day")?.unwrap_or(i64::from(base_day)))
        };
        date.ok_or_else(|| out_of_range("date"))
    }

    pub(super) fn time(&self) -> Result<i64, PgError> {
        let base = self.base(&["time", "datetime"])?.and_then(time_of).unwrap_or(0);
        let (base_seconds, base_nanos) = (base / NANOS, base % NANOS);
        let hour = self.part("hour", base_seconds / 3600, 0, 23)?;
        let minute = self.part("minute", base_seconds / 60 % 60, 0, 59)?;
        let second = self.part("second", base_seconds % 60, 0, 59)?;
        let given = ["millisecond", "microsecond", "nanosecond"]
            .iter()
            .any(|key| self.value(key).is_some());
        let nanos = if given {
            let milli = self.part("millisecond", 0, 0, 999)?;
            let micro = self.part(
                "microsecond",
                0,
                0,
                if milli > 0 || self.value("millisecond").is_some() { 999 } else { 999_999 },
            )?;
            let smaller =
                self.value("millisecond").is_some() || self.value("microsecond").is_some();
            let nano =
                self.part("nanosecond", 0, 0, if smaller { 999_999 } else { 999_999_999 })?;
            milli * 1_000_000 + micro * 1000 + nano
        } else {
            base_nanos
        };
        Ok(((hour * 60 + minute) * 60 + second) * NANOS + nanos)
    }

    pub(super) fn zone(&self, local_seconds: i64) -> Result<(i32, Option<String>), PgError> {
        match self.value("timezone") {
            None => self.base_zone(local_seconds).map(|zone| zone.unwrap_or((0, None))),
            Some(Value::String(text)) => {
                read_zone(text, local_seconds).ok_or_else(|| bad("time zone", text))
            }
            Some(other) => Err(wrong(self.function, other)),
        }
    }

    /// The zone of the value that the time is taken from, if it has one: its offset on the new date.
    fn base_zone(&self, local_seconds: i64) -> Result<Option<(i32, Option<String>)>, PgError> {
        Ok(match self.base(&["datetime", "time"])? {
            Some(Temporal::DateTime { offset, zone, .. }) => {
                let at = zone.as_deref().and_then(|zone| offset_at(zone, local_seconds));
                Some((at.unwrap_or(*offset), zone.clone()))
            }
            Some(Temporal::Time { offset, .. }) => Some((*offset, None)),
            _ => None,
        })
    }

    /// The moment that a clock shows in the zone the time is taken from, in the zone that is asked for.
    fn zoned(&self, local_seconds: i64) -> Result<(i64, i32, Option<String>), PgError> {
        let given = self.value("timezone").is_some();
        let Some((from, _)) = self.base_zone(local_seconds)?.filter(|_| given) else {
            let (offset, zone) = self.zone(local_seconds)?;
            return Ok((local_seconds - i64::from(offset), offset, zone));
        };
        let instant = local_seconds - i64::from(from);
        let (offset, zone) = self.zone(local_seconds)?;
        let offset = match &zone {
            Some(zone) => offset_at_instant(zone, instant).unwrap_or(offset),
            None => offset,
        };
        Ok((instant, offset, zone))
    }
}

pub(super) fn date_of(temporal: &Temporal) -> Option<i64> {
    match temporal {
        Temporal::Date(date) => Some(*date),
        Temporal::LocalDateTime { seconds, .. } => Some(seconds.div_euclid(DAY)),
        Temporal::DateTime { seconds, offset, .. } => {
            Some((seconds + i64::from(*offset)).div_euclid(DAY))
        }
        _ => None,
    }
}

pub(super) fn time_of(temporal: &Temporal) -> Option<i64> {
    match temporal {
        Temporal::LocalTime(nanos) | Temporal::Time { nanos, .. } => Some(*nanos),
        Temporal::LocalDateTime { seconds, nanos } => {
            Some(seconds.rem_euclid(DAY) * NANOS + i64::from(*nanos))
        }
        Temporal::DateTime { seconds, nanos, offset, .. } => {
            Some((seconds + i64::from(*offset)).rem_euclid(DAY) * NANOS + i64::from(*nanos))
        }
        _ => None,
    }
}

/// The one argument: text, a map, or a temporal value.
enum Source<'v> {
    Text(&'v str),
    Fields(Fields<'v>),
    Temporal(&'v Temporal),
}

fn source<'v>(function: &'static str, arguments: &'v [Value]) -> Result<Source<'v>, PgError> {
    match arguments {
        [Value::String(text)] => Ok(Source::Text(text)),
        [Value::Map(entries)] => Ok(Source::Fields(Fields { function, entries })),
        [Value::Temporal(temporal)] => Ok(Source::Temporal(temporal)),
        [other, ..] => Err(wrong(function, other)),
        [] => Err(PgError::internal("a temporal function without an argument")),
    }
}

/// `date(text | map | temporal)`.
///
/// # Errors
/// `22007`, `22008`, `42804`.
pub fn date(arguments: &[Value]) -> Result<Value, PgError> {
    let date = match source("date", arguments)? {
        Source::Text(text) => read_date(text).ok_or_else(|| bad("date", text))?,
        Source::Fields(fields) => fields.date()?,
        Source::Temporal(temporal) => {
            date_of(temporal).ok_or_else(|| wrong("date", &Value::Temporal(temporal.clone())))?
        }
    };
    Ok(Value::Temporal(Temporal::Date(date)))
}

/// `localtime(text | map | temporal)`.
///
/// # Errors
/// `22007`, `22008`, `42804`.
pub fn local_time(arguments: &[Value]) -> Result<Value, PgError> {
    let nanos = match source("localtime", arguments)? {
        Source::Text(text) => read_time(text).ok_or_else(|| bad("local time", text))?,
        Source::Fields(fields) => fields.time()?,
        Source::Temporal(temporal) => time_of(temporal)
            .ok_or_else(|| wrong("localtime", &Value::Temporal(temporal.clone())))?,
    };
    Ok(Value::Temporal(Temporal::LocalTime(nanos)))
}

/// `time(text | map | temporal)`.
///
/// # Errors
/// `22007`, `22008`, `42804`.
pub fn time(arguments: &[Value]) -> Result<Value, PgError> {
    let (nanos, offset) = match source("time", arguments)? {
        Source::Text(text) => {
            let read = || {
                let (time, offset, zone) = split_zone(text)?;
                let offset = match (offset, zone) {
                    (Some(offset), None) => read_offset(offset)?,
                    (None, None) => 0,
                    _ => return None,
                };
                Some((read_time(time)?, offset))
            };
            read().ok_or_else(|| bad("time", text))?
        }
        Source::Fields(fields) => {
            let nanos = fields.time()?;
            let (instant, offset, _) = fields.zoned(nanos / NANOS)?;
            ((instant + i64::from(offset)).rem_euclid(DAY) * NANOS + nanos % NANOS, offset)
        }
        Source::Temporal(temporal) => {
            let offset = match temporal {
                Temporal::Time { offset, .. } | Temporal::DateTime { offset, .. } => *offset,
                _ => 0,
            };
            (
                time_of(temporal)
                    .ok_or_else(|| wrong("time", &Value::Temporal(temporal.clone())))?,
                offset,
            )
        }
    };
    Ok(Value::Temporal(Temporal::Time { nanos, offset }))
}

/// `localdatetime(text | map | temporal)`.
///
/// # Errors
/// `22007`, `22008`, `42804`.
pub fn local_date_time(arguments: &[Value]) -> Result<Value, PgError> {
    let (date, nanos) = match source("localdatetime", arguments)? {
        Source::Text(text) => {
            return read_local_date_time(text)
                .map(Value::Temporal)
                .ok_or_else(|| bad("local datetime", text));
        }
        Source::Fields(fields) => (fields.date()?, fields.time()?),
        Source::Temporal(temporal) => {
            let date = date_of(temporal)
                .ok_or_else(|| wrong("localdatetime", &Value::Temporal(temporal.clone())))?;
            (date, time_of(temporal).unwrap_or(0))
        }
    };
    Ok(Value::Temporal(Temporal::LocalDateTime {
        seconds: date * DAY + nanos / NANOS,
        nanos: (nanos % NANOS) as u32,
    }))
}

/// `datetime(text | map | temporal)`.
///
/// # Errors
/// `22007`, `22008`, `42804`.
pub fn date_time(arguments: &[Value]) -> Result<Value, PgError> {
    Ok(Value::Temporal(match source("datetime", arguments)? {
        Source::Text(text) => read_date_time(text).ok_or_else(|| bad("datetime", text))?,
        Source::Fields(fields) => {
            match (fields.integer("epochSeconds")?, fields.integer("epochMillis")?) {
                (Some(seconds), _) => {
                    Temporal::DateTime { seconds, nanos: 0, offset: 0, zone: None }
                }
                (None, Some(millis)) => Temporal::DateTime {
                    seconds: millis.div_euclid(1000),
                    nanos: millis.rem_euclid(1000) as u32 * 1_000_000,
                    offset: 0,
                    zone: None,
                },
                (None, None) => {
                    let (date, nanos) = (fields.date()?, fields.time()?);
                    let (seconds, offset, zone) = fields.zoned(date * DAY + nanos / NANOS)?;
                    Temporal::DateTime { seconds, nanos: (nanos % NANOS) as u32, offset, zone }
                }
            }
        }
        Source::Temporal(zoned @ Temporal::DateTime { .. }) => zoned.clone(),
        Source::Temporal(temporal) => {
            let date = date_of(temporal)
                .ok_or_else(|| wrong("datetime", &Value::Temporal(temporal.clone())))?;
            let nanos = time_of(temporal).unwrap_or(0);
            Temporal::DateTime {
                seconds: date * DAY + nanos / NANOS,
                nanos: (nanos % NANOS) as u32,
                offset: 0,
                zone: None,
            }
        }
    }))
}

/// `duration(text | map | duration)`.
///
/// # Errors
/// `22007`, `22008`, `42804`.
pub fn duration(arguments: &[Value]) -> Result<Value, PgError> {
    let entries = match source("duration", arguments)? {
        Source::Text(text) => {
            return read_duration(text).map(Value::Temporal).ok_or_else(|| bad("duration", text));
        }
        Source::Temporal(duration @ Temporal::Duration { .. }) => {
            return Ok(Value::Temporal(duration.clone()));
        }
        Source::Temporal(other) => return Err(wrong("duration", &Value::Temporal(other.clone()))),
        Source::Fields(fields) => fields.entries,
    };
    let mut parts = Parts::default();
    for (key, value) in entries {
        let amount = match value {
            Value::Null => continue,
            Value::Integer(integer) => *integer as f64,
            Value::Float(float) => *float,
            other => return Err(wrong("duration", other)),
        };
        match key.as_str() {
            "years" => parts.add(amount, 'Y', false),
            "quarters" => parts.add(amount, 'Q', false),
            "months" => parts.add(amount, 'M', false),
            "weeks" => parts.add(amount, 'W', false),
            "days" => parts.add(amount, 'D', false),
            "hours" => parts.add(amount, 'H', true),
            "minutes" => parts.add(amount, 'M', true),
            "seconds" => parts.add(amount, 'S', true),
            "milliseconds" => parts.nanos += (amount * 1e6) as i128,
            "microseconds" => parts.nanos += (amount * 1e3) as i128,
            "nanoseconds" => parts.nanos += amount as i128,
            other => return Err(bad("part of a duration", other)),
        }
    }
    parts.duration().map(Value::Temporal)
}

/// The datetime so many seconds, and nanoseconds, after 1970 in UTC.
///
/// # Errors
/// `42804`, `22008`.
pub fn from_epoch(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Integer(seconds), Value::Integer(nanos)] => {
            let carried = seconds.checked_add(nanos.div_euclid(1_000_000_000));
            since_epoch(carried, nanos.rem_euclid(1_000_000_000))
        }
        _ => Err(super::math::wrong_argument("datetime.fromEpoch", arguments)),
    }
}

/// The datetime so many milliseconds after 1970 in UTC.
///
/// # Errors
/// `42804`, `22008`.
pub fn from_epoch_millis(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Integer(millis)] => {
            since_epoch(Some(millis.div_euclid(1000)), millis.rem_euclid(1000) * 1_000_000)
        }
        _ => Err(super::math::wrong_argument("datetime.fromEpochMillis", arguments)),
    }
}

fn since_epoch(seconds: Option<i64>, nanos: i64) -> Result<Value, PgError> {
    /// Seconds of 999,999,999 years.
    const SECONDS_MAX: i64 = 31_556_889_864_403_199;
    let seconds = seconds.filter(|seconds| (-SECONDS_MAX..=SECONDS_MAX).contains(seconds));
    let (Some(seconds), Ok(nanos)) = (seconds, u32::try_from(nanos)) else {
        return Err(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "the number of seconds is out of range for a datetime",
        ));
    };
    Ok(Value::Temporal(Temporal::DateTime { seconds, nanos, offset: 0, zone: None }))
}

/// Milliseconds since 1970 of a datetime (`timestamp()`).
///
/// # Errors
/// `42804`.
pub fn epoch_millis(arguments: &[Value]) -> Result<Value, PgError> {
    match arguments {
        [Value::Temporal(Temporal::DateTime { seconds, nanos, .. })] => {
            Ok(Value::Integer(seconds * 1000 + i64::from(nanos / 1_000_000)))
        }
        _ => Err(super::math::wrong_argument("timestamp", arguments)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kernel: fn(&[Value]) -> Result<Value, PgError>, text: &str) -> String {
        match kernel(&[Value::String(text.to_owned())]) {
            Ok(Value::Temporal(temporal)) => temporal.to_string(),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.code().to_string(),
        }
    }

    #[test]
    fn dates_are_read_in_every_form() {
        for (text, expected) in [
            ("2015-07-21", "2015-07-21"),
            ("20150721", "2015-07-21"),
            ("2015-07", "2015-07-01"),
            ("201507", "2015-07-01"),
            ("2015-W30-2", "2015-07-21"),
            ("2015W302", "2015-07-21"),
            ("2015-W30", "2015-07-20"),
            ("2015-202", "2015-07-21"),
            ("2015202", "2015-07-21"),
            ("2015", "2015-01-01"),
            ("-999999999-01-01", "-999999999-01-01"),
            ("+999999999-12-31", "+999999999-12-31"),
            ("2015-02-30", "22007"),
            ("2015-13-01", "22007"),
            ("x", "22007"),
        ] {
            assert_eq!(shown(date, text), expected, "{text}");
        }
    }

    #[test]
    fn times_and_datetimes_keep_their_zones() {
        for (text, expected) in [
            ("21:40:32.142", "21:40:32.142Z"),
            ("2140-0130", "21:40-01:30"),
            ("21:40:32+01", "21:40:32+01:00"),
            ("25:00", "22007"),
        ] {
            assert_eq!(shown(time, text), expected, "{text}");
        }
        for (text, expected) in [
            ("2015-07-21T21:40:32.142+0100", "2015-07-21T21:40:32.142+01:00"),
            ("2015-W30-2T214032.142Z", "2015-07-21T21:40:32.142Z"),
            (
                "2015-07-21T21:40:32.142[Europe/London]",
                "2015-07-21T21:40:32.142+01:00[Europe/London]",
            ),
            ("2015-07-21T21:40:32.142[Nowhere/Land]", "22007"),
        ] {
            assert_eq!(shown(date_time, text), expected, "{text}");
        }
    }

    #[test]
    fn durations_carry_fractions_down() {
        for (text, expected) in [
            ("P14DT16H12M", "P14DT16H12M"),
            ("P5M1.5D", "P5M1DT12H"),
            ("PT0.75M", "PT45S"),
            ("P2.5W", "P17DT12H"),
            ("P12Y5M14DT16H12M70S", "P12Y5M14DT16H13M10S"),
            ("PT-0.5S", "PT-0.5S"),
            ("P2012-02-02T14:37:21.545", "P2012Y2M2DT14H37M21.545S"),
            ("P2012-02T14:37", "22007"),
            ("P", "22007"),
        ] {
            assert_eq!(shown(duration, text), expected, "{text}");
        }
    }
}
