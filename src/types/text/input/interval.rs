//! Intervals: PostgreSQL's own form, the verbose one, the SQL standard's and ISO 8601's.

use crate::types::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND};
use crate::types::error::TypeError;
use crate::types::settings::{InputSettings, IntervalStyle};

use super::date_time::date_time_error;
use super::fields::{DateTimeError, FieldKind, TextField, fraction_micros, leading_number, split};

use super::clock::read_clock;

/// An interval as it is stored, but in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

pub(crate) fn read_interval(text: &[u8], settings: &InputSettings) -> Result<Interval, TypeError> {
    let read = split(text).and_then(|fields| decode(&fields, settings));
    let read = match read {
        Err(DateTimeError::BadFormat) => decode_iso(text),
        other => other,
    };
    let sum = read.map_err(|error| {
        let error = match error {
            DateTimeError::FieldOverflow => DateTimeError::IntervalOverflow,
            other => other,
        };
        date_time_error(error, "interval", text)
    })?;
    let out_of_range = || TypeError::new("22008", "interval out of range");
    let months = sum.years.checked_mul(12).and_then(|months| months.checked_add(sum.months));
    Ok(Interval {
        months: months.ok_or_else(out_of_range)?,
        days: sum.days,
        // Stored in nanoseconds.
        micros: sum.micros.checked_mul(1000).map(|_| sum.micros).ok_or_else(out_of_range)?,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Unit {
    const MINUTE: u16 = 1 << Self::Minute as u16;
    const HOUR: u16 = 1 << Self::Hour as u16;
    const SECONDS: u16 =
        1 << Self::Microsecond as u16 | 1 << Self::Millisecond as u16 | 1 << Self::Second as u16;
    const TIME: u16 = Self::SECONDS | Self::MINUTE | Self::HOUR;

    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "us" | "usec" | "usecond" | "useconds" | "usecs" => Self::Microsecond,
            word if word.starts_with("microsecon") => Self::Microsecond,
            "ms" | "msec" | "msecond" | "mseconds" | "msecs" => Self::Millisecond,
            word if word.starts_with("millisecon") => Self::Millisecond,
            "s" | "sec" | "second" | "seconds" | "secs" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hour" | "hours" | "hr" | "hrs" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "y" | "year" | "years" | "yr" | "yrs" => Self::Year,
            "dec" | "decade" | "decades" | "decs" => Self::Decade,
            "c" | "cent" | "centuries" | "century" => Self::Century,
            "mil" | "millennia" | "millennium" | "mils" => Self::Millennium,
            _ => return None,
        })
    }
}

/// The fields of an interval while they are added up.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
}

impl Sum {
    /// Adds a number and a fraction of a unit. What is less than a month goes to days of 30 to the
    /// month, what is less than a day to the time.
    fn add(&mut self, value: i64, fraction: f64, unit: Unit) -> Result<(), DateTimeError> {
        match unit {
            Unit::Microsecond => self.add_time(value, fraction, 1),
            Unit::Millisecond => self.add_time(value, fraction, 1000),
            Unit::Second => self.add_time(value, fraction, MICROS_PER_SECOND),
            Unit::Minute => self.add_time(value, fraction, 60 * MICROS_PER_SECOND),
            Unit::Hour => self.add_time(value, fraction, 3600 * MICROS_PER_SECOND),
            Unit::Day => self.add_days(value, fraction, 1),
            Unit::Week => self.add_days(value, fraction, 7),
            Unit::Month => {
                self.months = add(self.months, value)?;
                self.add_days(0, fraction, 30)
            }
            Unit::Year => self.add_years(value, fraction, 1),
            Unit::Decade => self.add_years(value, fraction, 10),
            Unit::Century => self.add_years(value, fraction, 100),
            Unit::Millennium => self.add_years(value, fraction, 1000),
        }
    }

    fn add_time(&mut self, value: i64, fraction: f64, scale: i64) -> Result<(), DateTimeError> {
        let whole = value.checked_mul(scale).and_then(|micros| self.micros.checked_add(micros));
        self.micros = whole.ok_or(DateTimeError::FieldOverflow)?;
        let fraction = fraction * scale as f64;
        let mut micros = fraction as i64;
        let rest = fraction - micros as f64;
        micros += i64::from(rest > 0.5) - i64::from(rest < -0.5);
        self.micros = self.micros.checked_add(micros).ok_or(DateTimeError::FieldOverflow)?;
        Ok(())
    }

    fn add_days(&mut self, value: i64, fraction: f64, scale: i64) -> Result<(), DateTimeError> {
        let days = value.checked_mul(scale).ok_or(DateTimeError::FieldOverflow)?;
        let fraction = fraction * scale as f64;
        let whole = fraction as i64;
        self.days = add(add(self.days, days)?, whole)?;
        self.add_time(0, fraction - whole as f64, MICROS_PER_DAY)
    }

    fn add_years(&mut self, value: i64, fraction: f64, scale: i64) -> Result<(), DateTimeError> {
        let years = value.checked_mul(scale).ok_or(DateTimeError::FieldOverflow)?;
        self.years = add(self.years, years)?;
        let months = (fraction * scale as f64 * 12.0).round_ties_even() as i64;
        self.months = add(self.months, months)?;
        Ok(())
    }

    fn negate(&mut self) -> Result<(), DateTimeError> {
        let overflow = DateTimeError::FieldOverflow;
        let negated = || {
            Some(Self {
                years: self.years.checked_neg()?,
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                micros: self.micros.checked_neg()?,
            })
        };
        *self = negated().ok_or(overflow)?;
        Ok(())
    }
}

fn add(field: i32, value: i64) -> Result<i32, DateTimeError> {
    let value = i32::try_from(value).map_err(|_| DateTimeError::FieldOverflow)?;
    field.checked_add(value).ok_or(DateTimeError::FieldOverflow)
}

/// Reads the fields from the last to the first, so that a unit is known before its number.
fn decode(fields: &[TextField], settings: &InputSettings) -> Result<Sum, DateTimeError> {
    let mut sum = Sum::default();
    let mut unit = None;
    let mut known = 0_u16;
    let mut ago = false;
    for field in fields.iter().rev() {
        let text = field.text.as_str();
        let found = match field.kind {
            FieldKind::Time => {
                unit = Some(Unit::Day);
                add_clock(text, false, &mut sum)?
            }
            FieldKind::Offset if text.contains(':') && read_clock(&text[1..]).is_ok() => {
                unit = Some(Unit::Day);
                add_clock(&text[1..], text.starts_with('-'), &mut sum)?
            }
            FieldKind::Offset | FieldKind::Date | FieldKind::Number => {
                add_number(text, &mut unit, &mut sum)?
            }
            FieldKind::Word | FieldKind::SignedWord => {
                if text == "ago" {
                    ago = true;
                    continue;
                }
                unit = Some(Unit::of(text).ok_or(DateTimeError::BadFormat)?);
                continue;
            }
        };
        if found & known != 0 {
            return Err(DateTimeError::BadFormat);
        }
        known |= found;
    }
    if known == 0 {
        return Err(DateTimeError::BadFormat);
    }
    if settings.interval_style == IntervalStyle::SqlStandard {
        apply_leading_sign(fields, &mut sum);
    }
    if ago {
        sum.negate()?;
    }
    Ok(sum)
}

/// The SQL standard lets one sign at the start stand for all fields.
fn apply_leading_sign(fields: &[TextField], sum: &mut Sum) {
    let Some((first, others)) = fields.split_first() else { return };
    let alone = !others.iter().any(|field| field.text.starts_with(['-', '+']));
    if first.text.starts_with('-') && alone {
        sum.years = -sum.years.saturating_abs();
        sum.months = -sum.months.saturating_abs();
        sum.days = -sum.days.saturating_abs();
        sum.micros = -sum.micros.saturating_abs();
    }
}

fn add_clock(text: &str, negative: bool, sum: &mut Sum) -> Result<u16, DateTimeError> {
    let (hour, minute, second, micros) = read_clock(text)?;
    let total = hour.checked_mul(3600 * MICROS_PER_SECOND);
    let total = total
        .and_then(|total| total.checked_add((minute * 60 + second) * MICROS_PER_SECOND + micros));
    let total = total.ok_or(DateTimeError::FieldOverflow)?;
    let total = if negative { -total } else { total };
    sum.micros = sum.micros.checked_add(total).ok_or(DateTimeError::FieldOverflow)?;
    Ok(Unit::TIME)
}

/// A number of the unit after it, or `years-months`. Without a unit it is seconds, or days where a
/// time follows.
fn add_number(text: &str, unit: &mut Option<Unit>, sum: &mut Sum) -> Result<u16, DateTimeError> {
    let negative = text.starts_with('-');
    let (value, rest) = leading_number_64(text)?;
    let mut value = value;
    let mut fraction = 0.0;
    let mut counted = unit.unwrap_or(Unit::Second);
    if let Some(months) = rest.strip_prefix('-') {
        let (months, rest) = leading_number(months)?;
        let months = months.unwrap_or(0);
        if !(0..12).contains(&months) {
            return Err(DateTimeError::FieldOverflow);
        }
        if !rest.is_empty() {
            return Err(DateTimeError::BadFormat);
        }
        let months = if negative { -months } else { months };
        value = value.checked_mul(12).ok_or(DateTimeError::FieldOverflow)? + months;
        counted = Unit::Month;
        *unit = Some(Unit::Month);
    } else if rest.starts_with('.') {
        fraction_micros(rest)?;
        let magnitude = if rest == "." { 0.0 } else { rest.parse().unwrap_or(0.0) };
        fraction = if negative { -magnitude } else { magnitude };
    } else if !rest.is_empty() {
        return Err(DateTimeError::BadFormat);
    }
    sum.add(value, fraction, counted)?;
    if unit.is_none() {
        *unit = Some(counted);
    }
    if counted == Unit::Hour {
        *unit = Some(Unit::Day);
    }
    let whole_seconds = counted == Unit::Second && fraction == 0.0;
    Ok(match counted {
        Unit::Second if !whole_seconds => Unit::SECONDS,
        other => 1 << other as u16,
    })
}

fn leading_number_64(text: &str) -> Result<(i64, &str), DateTimeError> {
    let signed = usize::from(text.starts_with(['-', '+']));
    let digits = text.bytes().skip(signed).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(signed + digits);
    if digits == 0 {
        // `.5` and `-.5` have no digit before the point.
        let is_fraction = rest.starts_with('.');
        return if is_fraction { Ok((0, rest)) } else { Err(DateTimeError::BadFormat) };
    }
    Ok((number.parse().map_err(|_| DateTimeError::FieldOverflow)?, rest))
}

/// `P1Y2M3W4DT5H6M7S`, and the alternative `P0001-02-03T04:05:06`, either with signs.
fn decode_iso(text: &[u8]) -> Result<Sum, DateTimeError> {
    let text = std::str::from_utf8(text).map_err(|_| DateTimeError::BadFormat)?;
    let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty());
    let rest = rest.ok_or(DateTimeError::BadFormat)?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    let mut sum = Sum::default();
    let date_units = [('Y', Unit::Year), ('M', Unit::Month), ('W', Unit::Week), ('D', Unit::Day)];
    add_iso_part(date, '-', &date_units, [Unit::Year, Unit::Month, Unit::Day], &mut sum)?;
    if let Some(time) = time {
        let time_units = [('H', Unit::Hour), ('M', Unit::Minute), ('S', Unit::Second)];
        add_iso_part(time, ':', &time_units, [Unit::Hour, Unit::Minute, Unit::Second], &mut sum)?;
    }
    Ok(sum)
}

/// Either numbers each with its letter, or up to three numbers with a separator between them.
fn add_iso_part(
    part: &str,
    separator: char,
    letters: &[(char, Unit)],
    positions: [Unit; 3],
    sum: &mut Sum,
) -> Result<(), DateTimeError> {
    let mut rest = part;
    let mut has_letters = false;
    let mut position = 0;
    while !rest.is_empty() {
        let start = rest;
        let (value, fraction, after) = iso_number(rest)?;
        let mut after = after.chars();
        match after.next() {
            Some(letter) if letter != separator => {
                let unit = letters.iter().find(|(known, _)| *known == letter);
                let (_, unit) = unit.ok_or(DateTimeError::BadFormat)?;
                if position > 0 {
                    return Err(DateTimeError::BadFormat);
                }
                sum.add(value, fraction, *unit)?;
                has_letters = true;
            }
            next => {
                let digits = start.bytes().take_while(u8::is_ascii_digit).count();
                let basic = position == 0 && next.is_none() && !has_letters;
                if basic && digits == if separator == '-' { 8 } else { 6 } {
                    return add_iso_basic(value, fraction, separator, positions, sum);
                }
                if has_letters {
                    return Err(DateTimeError::BadFormat);
                }
                let unit = positions.get(position).ok_or(DateTimeError::BadFormat)?;
                sum.add(value, fraction, *unit)?;
                position += 1;
                if next.is_some() && after.as_str().is_empty() {
                    return Err(DateTimeError::BadFormat);
                }
            }
        }
        rest = after.as_str();
    }
    Ok(())
}

/// `yyyymmdd` or `hhmmss`.
fn add_iso_basic(
    value: i64,
    fraction: f64,
    separator: char,
    positions: [Unit; 3],
    sum: &mut Sum,
) -> Result<(), DateTimeError> {
    let last = if separator == '-' { Unit::Day } else { Unit::Second };
    for (unit, number) in positions.iter().zip([value / 10_000, value / 100 % 100, value % 100]) {
        sum.add(number, 0.0, *unit)?;
    }
    sum.add(0, fraction, last)
}

fn iso_number(text: &str) -> Result<(i64, f64, &str), DateTimeError> {
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let signed = usize::from(text.starts_with(['-', '+']));
    let len = signed + text.bytes().skip(signed).take_while(|byte| is_number(*byte)).count();
    let (number, rest) = text.split_at(len);
    let value: f64 = number.parse().map_err(|_| DateTimeError::BadFormat)?;
    if value.abs() > 1e15 {
        return Err(DateTimeError::FieldOverflow);
    }
    Ok((value.trunc() as i64, value.fract(), rest))
}
