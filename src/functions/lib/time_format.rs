//! `to_char` of dates, times and intervals, and `to_date` and `to_timestamp` with templates.

use super::datetime::{displayed_year, iso_week};
use super::row;
use super::time::{
    date_to_timestamp, is_infinite, micros, split, timestamp_to_date, to_instant, to_local,
};
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::time_zone;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::calendar::{
    MICROS_PER_DAY, MICROS_PER_SECOND, UNIX_EPOCH_JULIAN, civil_from_days, days_from_civil,
    days_in_month, weekday,
};
use crate::types::pg_type::PgType;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN_MONTHS: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Template patterns, the longer ones of one beginning first.
const PATTERNS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "Day", "Dy", "D",
    "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY",
    "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "MON", "MS", "Month", "Mon", "OF", "P.M.", "PM",
    "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY",
    "YY", "Y", "a.d.", "a.m.", "ad", "am", "b.c.", "bc", "day", "dy", "month", "mon", "p.m.", "pm",
    "rm", "tz",
];

/// Patterns that may be written in lower case too.
const CASELESS: &[&str] = &[
    "cc", "ddd", "dd", "d", "ff1", "ff2", "ff3", "ff4", "ff5", "ff6", "hh24", "hh12", "hh", "iddd",
    "id", "iw", "iyyy", "iyy", "iy", "i", "j", "mi", "mm", "ms", "of", "q", "sssss", "ssss", "ss",
    "tzh", "tzm", "us", "ww", "w", "y,yyy", "yyyy", "yyy", "yy", "y",
];

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Field {
        pattern: String,
        fill: bool,
        ordinal: Option<bool>,
    },
    Text(String),
    /// Anything else in the template: copied on output, skipped on input.
    Other(char),
}

/// The pattern at the start of `rest`, with its length.
fn pattern_at(rest: &str) -> Option<(String, usize)> {
    let exact = PATTERNS
        .iter()
        .filter(|pattern| rest.starts_with(**pattern))
        .max_by_key(|pattern| pattern.len());
    let lower = CASELESS
        .iter()
        .filter(|pattern| {
            rest.get(..pattern.len()).is_some_and(|head| head.eq_ignore_ascii_case(pattern))
        })
        .max_by_key(|pattern| pattern.len());
    match (exact, lower) {
        (Some(exact), Some(lower)) if lower.len() > exact.len() => {
            Some((lower.to_uppercase(), lower.len()))
        }
        (Some(exact), _) => Some(((*exact).to_owned(), exact.len())),
        (None, Some(lower)) => Some((lower.to_uppercase(), lower.len())),
        (None, None) => None,
    }
}

fn parse_template(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = template;
    let mut fill = true;
    while let Some(first) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix('"') {
            let end = tail.find('"').unwrap_or(tail.len());
            parts.push(Part::Text(tail.get(..end).unwrap_or_default().to_owned()));
            rest = tail.get(end + 1..).unwrap_or_default();
            continue;
        }
        if let Some(tail) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            fill = false;
            rest = tail;
            continue;
        }
        if let Some(tail) = rest
            .strip_prefix("FX")
            .or_else(|| rest.strip_prefix("fx"))
            .or_else(|| rest.strip_prefix("TM"))
        {
            rest = tail;
            continue;
        }
        if let Some((pattern, length)) = pattern_at(rest) {
            rest = rest.get(length..).unwrap_or_default();
            let mut ordinal = None;
            if let Some(tail) = rest.strip_prefix("TH") {
                (ordinal, rest) = (Some(true), tail);
            } else if let Some(tail) = rest.strip_prefix("th") {
                (ordinal, rest) = (Some(false), tail);
            }
            parts.push(Part::Field { pattern, fill, ordinal });
            fill = true;
            continue;
        }
        if first == '\\' && rest.len() > 1 {
            rest = rest.get(1..).unwrap_or_default();
        }
        let next = rest.chars().next().unwrap_or(first);
        parts.push(Part::Other(next));
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    parts
}

/// The fields a template can show.
struct Fields {
    year: i64,
    month: u32,
    day: u32,
    /// Days since 1970-01-01; `None` for intervals, which have no calendar.
    days: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    zone: Option<(String, i32)>,
}

impl Fields {
    fn of_local(local: i64) -> Self {
        let (days, time) = split(local);
        let (year, month, day) = civil_from_days(days);
        Self { year, month, day, days: Some(days), ..Self::of_time(time) }
    }

    fn of_time(time: i64) -> Self {
        Self {
            year: 0,
            month: 0,
            day: 0,
            days: None,
            hour: time / (3600 * MICROS_PER_SECOND),
            minute: time / (60 * MICROS_PER_SECOND) % 60,
            second: time / MICROS_PER_SECOND % 60,
            micro: time % MICROS_PER_SECOND,
            zone: None,
        }
    }
}

fn number(value: i64, width: usize, fill: bool) -> String {
    if !fill {
        return value.to_string();
    }
    // The sign does not count into the width.
    if value < 0 {
        format!("-{:0width$}", value.unsigned_abs())
    } else {
        format!("{value:0width$}")
    }
}

/// `st`, `nd`, `rd`, `th`.
pub(super) fn ordinal_suffix(digits: &str) -> &'static str {
    let mut last = digits.chars().rev().filter(char::is_ascii_digit);
    match (last.next(), last.next()) {
        (_, Some('1')) => "th",
        (Some('1'), _) => "st",
        (Some('2'), _) => "nd",
        (Some('3'), _) => "rd",
        _ => "th",
    }
}

fn name(text: &str, pattern: &str, width: usize, fill: bool) -> String {
    let first_two: Vec<bool> = pattern.chars().take(2).map(char::is_uppercase).collect();
    let cased = match first_two.as_slice() {
        [true, true] => text.to_uppercase(),
        [false, ..] => text.to_lowercase(),
        _ => text.to_owned(),
    };
    if fill { format!("{cased:width$}") } else { cased }
}

fn meridiem(pattern: &str, hour: i64) -> String {
    let afternoon = hour.rem_euclid(24) >= 12;
    let word = match (pattern.contains('.'), afternoon) {
        (true, true) => "p.m.",
        (true, false) => "a.m.",
        (false, true) => "pm",
        (false, false) => "am",
    };
    if pattern.starts_with(char::is_uppercase) { word.to_uppercase() } else { word.to_owned() }
}

fn era(pattern: &str, year: i64) -> String {
    let word = match (pattern.contains('.'), year > 0) {
        (true, true) => "a.d.",
        (true, false) => "b.c.",
        (false, true) => "ad",
        (false, false) => "bc",
    };
    if pattern.starts_with(char::is_uppercase) { word.to_uppercase() } else { word.to_owned() }
}

fn offset_text(seconds: i32) -> String {
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let mut text = format!("{sign}{:02}", seconds / 3600);
    if seconds % 3600 != 0 {
        text.push_str(&format!(":{:02}", seconds / 60 % 60));
    }
    text
}

/// The text of one field; `None` for a field of the calendar in an interval.
fn field_text(pattern: &str, fill: bool, fields: &Fields) -> Option<String> {
    let year = if fields.days.is_some() { displayed_year(fields.year).abs() } else { fields.year };
    let text = match pattern {
        "YYYY" => number(year, 4, fill),
        "YYY" => number(year % 1000, 3, fill),
        "YY" => number(year % 100, 2, fill),
        "Y" => number(year % 10, 1, fill),
        "Y,YYY" => format!("{},{:03}", year / 1000, year % 1000),
        "MM" => number(fields.month.into(), 2, fill),
        "DD" => number(fields.day.into(), 2, fill),
        "HH24" => number(fields.hour, 2, fill),
        "HH" | "HH12" => number(if fields.hour % 12 == 0 { 12 } else { fields.hour % 12 }, 2, fill),
        "MI" => number(fields.minute, 2, fill),
        "SS" => number(fields.second, 2, fill),
        "MS" => number(fields.micro / 1000, 3, fill),
        "US" => number(fields.micro, 6, fill),
        "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            let digits: usize = pattern.get(2..)?.parse().ok()?;
            format!("{:06}", fields.micro).get(..digits)?.to_owned()
        }
        "SSSS" | "SSSSS" => (fields.hour * 3600 + fields.minute * 60 + fields.second).to_string(),
        "AM" | "PM" | "am" | "pm" | "A.M." | "P.M." | "a.m." | "p.m." => {
            meridiem(pattern, fields.hour)
        }
        "CC" => {
            let century =
                if fields.year > 0 { (fields.year + 99) / 100 } else { (fields.year - 99) / 100 };
            number(century, 2, fill)
        }
        "TZ" => fields.zone.as_ref().map_or_else(String::new, |(name, _)| name.clone()),
        "tz" => fields.zone.as_ref().map_or_else(String::new, |(name, _)| name.to_lowercase()),
        "OF" => fields.zone.as_ref().map_or_else(String::new, |(_, offset)| offset_text(*offset)),
        "TZH" => {
            let offset = fields.zone.as_ref().map_or(0, |(_, offset)| *offset);
            format!("{}{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3600)
        }
        "TZM" => {
            format!("{:02}", fields.zone.as_ref().map_or(0, |(_, offset)| offset.abs() / 60 % 60))
        }
        pattern => return calendar_text(pattern, fill, fields),
    };
    Some(text)
}

fn calendar_text(pattern: &str, fill: bool, fields: &Fields) -> Option<String> {
    let month = usize::try_from(fields.month).ok()?.checked_sub(1)?;
    if matches!(pattern, "RM" | "rm") {
        return Some(name(ROMAN_MONTHS.get(month)?, pattern, 4, fill));
    }
    let days = fields.days?;
    let start = days_from_civil(fields.year, 1, 1);
    let (iso_year, week) = iso_week(days);
    let iso_start = days - (days + 3).rem_euclid(7) - (week - 1) * 7;
    Some(match pattern {
        "MONTH" | "Month" | "month" => name(MONTHS.get(month)?, pattern, 9, fill),
        "MON" | "Mon" | "mon" => name(MONTHS.get(month)?.get(..3)?, pattern, 3, fill),
        "DAY" | "Day" | "day" => name(WEEKDAYS.get(weekday(days))?, pattern, 9, fill),
        "DY" | "Dy" | "dy" => name(WEEKDAYS.get(weekday(days))?.get(..3)?, pattern, 3, fill),
        "DDD" => number(days - start + 1, 3, fill),
        "IDDD" => number(days - iso_start + 1, 3, fill),
        "D" => (weekday(days) + 1).to_string(),
        "ID" => ((days + 3).rem_euclid(7) + 1).to_string(),
        "Q" => ((fields.month - 1) / 3 + 1).to_string(),
        "WW" => number((days - start) / 7 + 1, 2, fill),
        "W" => ((fields.day - 1) / 7 + 1).to_string(),
        "IW" => number(week, 2, fill),
        "IYYY" => number(iso_year, 4, fill),
        "IYY" => number(iso_year % 1000, 3, fill),
        "IY" => number(iso_year % 100, 2, fill),
        "I" => number(iso_year % 10, 1, fill),
        "J" => (days + UNIX_EPOCH_JULIAN).to_string(),
        era_pattern => era(era_pattern, fields.year),
    })
}

fn render(template: &str, fields: &Fields) -> Result<Value, PgError> {
    let mut result = String::new();
    for part in parse_template(template) {
        match part {
            Part::Text(text) => result.push_str(&text),
            Part::Other(c) => result.push(c),
            Part::Field { pattern, fill, ordinal } => {
                let text = field_text(&pattern, fill, fields).ok_or_else(|| {
                    PgError::new(
                        SqlState::INVALID_DATETIME_FORMAT,
                        "invalid format specification for an interval value",
                    )
                    .hint("Intervals are not tied to specific calendar dates.")
                })?;
                result.push_str(&text);
                if let Some(upper) = ordinal {
                    let suffix = ordinal_suffix(&text);
                    result.push_str(&if upper { suffix.to_uppercase() } else { suffix.to_owned() });
                }
            }
        }
    }
    Ok(Datum::text(result))
}

fn timestamp_to_char(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = args.timestamp(0)?;
    let template = args.text(1)?;
    if is_infinite(value) || template.is_empty() {
        return Ok(Datum::Null);
    }
    if !matches!(call.arg_type(0), PgType::Timestamptz(_)) {
        return render(template, &Fields::of_local(value));
    }
    let zone = time_zone(call.session);
    let seconds = value.div_euclid(MICROS_PER_SECOND);
    let offset = zone.offset_at(seconds);
    let name = zone.abbreviation_at(seconds);
    let fields = Fields { zone: Some((name, offset)), ..Fields::of_local(to_local(value, &zone)?) };
    render(template, &fields)
}

fn interval_to_char(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = args.interval(0)?;
    let months = i64::from(value.months);
    let fields = Fields {
        year: months / 12,
        month: u32::try_from(months % 12).unwrap_or(0),
        day: u32::try_from(value.days).unwrap_or(0),
        ..Fields::of_time(micros(&value))
    };
    render(args.text(1)?, &fields)
}

/// What was read so far of a date and time.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    julian: Option<i64>,
    week: Option<i64>,
    week_of_month: Option<i64>,
    century: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    day_seconds: Option<i64>,
    afternoon: Option<bool>,
    twelve_hours: bool,
    before_christ: bool,
    zone: Option<(i64, i64)>,
}

fn bad_format(message: String) -> PgError {
    PgError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

fn field_out_of_range(text: &str) -> PgError {
    PgError::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("date/time field value out of range: \"{text}\""),
    )
}

/// How many digits a numeric pattern reads when another number follows at once.
fn width_of(pattern: &str) -> usize {
    match pattern {
        "YYYY" | "IYYY" | "FF4" => 4,
        "YYY" | "IYY" | "DDD" | "IDDD" | "MS" | "FF3" => 3,
        "Y" | "I" | "D" | "ID" | "Q" | "W" | "FF1" => 1,
        "US" | "FF6" => 6,
        "FF5" | "SSSS" | "SSSSS" => 5,
        "J" => 7,
        _ => 2,
    }
}

struct Reader<'t> {
    rest: &'t str,
    read: Read,
}

impl Reader<'_> {
    /// An integer, of at most `width` digits where the next pattern is one too.
    fn number(&mut self, pattern: &str, limit: Option<usize>) -> Result<(i64, usize), PgError> {
        self.rest = self.rest.trim_start();
        let (negative, digits) = match self.rest.strip_prefix('-') {
            Some(tail) => (true, tail),
            None => (false, self.rest.strip_prefix('+').unwrap_or(self.rest)),
        };
        let mut end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if let Some(limit) = limit {
            end = end.min(limit);
        }
        let (number, tail) = digits.split_at(end);
        let value: i64 = number.parse().map_err(|_| {
            let shown: String = self.rest.chars().take(width_of(pattern)).collect();
            let error = bad_format(format!("invalid value \"{shown}\" for \"{pattern}\""));
            if number.is_empty() {
                error.detail("Value must be an integer.")
            } else {
                error.detail("Value must be in the range -2147483648 to 2147483647.")
            }
        })?;
        self.rest = tail;
        Ok((if negative { -value } else { value }, end))
    }

    fn word(&mut self, pattern: &str, names: &[&str], short: bool) -> Result<usize, PgError> {
        let found = names.iter().enumerate().filter_map(|(index, name)| {
            let name = if short { name.get(..3).unwrap_or(name) } else { name };
            let head = self.rest.get(..name.len())?;
            head.eq_ignore_ascii_case(name).then_some((index, name.len()))
        });
        let best = found.max_by_key(|(_, length)| *length);
        let (index, length) = best.ok_or_else(|| {
            let shown: String = self.rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            bad_format(format!("invalid value \"{shown}\" for \"{pattern}\""))
                .detail("The given value did not match any of the allowed values for this field.")
        })?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(index)
    }

    fn field(&mut self, pattern: &str, limit: Option<usize>) -> Result<(), PgError> {
        match pattern {
            "MONTH" | "Month" | "month" => {
                self.read.month = Some(self.word(pattern, &MONTHS, false)? as i64 + 1)
            }
            "MON" | "Mon" | "mon" => {
                self.read.month = Some(self.word(pattern, &MONTHS, true)? as i64 + 1)
            }
            "DAY" | "Day" | "day" => {
                self.word(pattern, &WEEKDAYS, false)?;
            }
            "DY" | "Dy" | "dy" => {
                self.word(pattern, &WEEKDAYS, true)?;
            }
            "RM" | "rm" => {
                self.read.month = Some(self.word(pattern, &ROMAN_MONTHS, false)? as i64 + 1)
            }
            "AM" | "PM" | "am" | "pm" | "A.M." | "P.M." | "a.m." | "p.m." => {
                let at = self.word(pattern, &["am", "pm", "a.m.", "p.m."], false)?;
                self.read.afternoon = Some(at % 2 == 1);
                self.read.twelve_hours = true;
            }
            "AD" | "BC" | "ad" | "bc" | "A.D." | "B.C." | "a.d." | "b.c." => {
                self.read.before_christ =
                    self.word(pattern, &["ad", "bc", "a.d.", "b.c."], false)? % 2 == 1;
            }
            "TZH" => {
                let (hours, _) = self.number(pattern, Some(2))?;
                self.read.zone = Some((hours, 0));
            }
            "TZM" => {
                let (minutes, _) = self.number(pattern, Some(2))?;
                let hours = self.read.zone.map_or(0, |(hours, _)| hours);
                self.read.zone = Some((hours, minutes));
            }
            "TZ" | "tz" | "OF" => {
                return Err(PgError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("formatting field \"{pattern}\" is only supported in to_char"),
                ));
            }
            "Y,YYY" => {
                let (thousands, _) = self.number(pattern, None)?;
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                let (rest, _) = self.number(pattern, Some(3))?;
                self.read.year = Some(thousands * 1000 + rest);
            }
            pattern => self.numeric(pattern, limit)?,
        }
        Ok(())
    }

    fn numeric(&mut self, pattern: &str, limit: Option<usize>) -> Result<(), PgError> {
        let (value, digits) = self.number(pattern, limit)?;
        let read = &mut self.read;
        match pattern {
            "YYYY" => read.year = Some(value),
            "YYY" | "YY" | "Y" => {
                read.year = Some(if digits <= 3 { full_year(value) } else { value })
            }
            "IYYY" => read.iso_year = Some(value),
            "IYY" | "IY" | "I" => read.iso_year = Some(full_year(value)),
            "MM" => read.month = Some(value),
            "DD" => read.day = Some(value),
            "DDD" => read.day_of_year = Some(value),
            "IW" => read.iso_week = Some(value),
            "ID" => read.iso_day = Some(value),
            "WW" => read.week = Some(value),
            "W" => read.week_of_month = Some(value),
            "J" => read.julian = Some(value),
            "CC" => read.century = Some(value),
            "HH24" => read.hour = value,
            "HH" | "HH12" => {
                read.hour = value;
                read.twelve_hours = true;
            }
            "MI" => read.minute = value,
            "SS" => read.second = value,
            "SSSS" | "SSSSS" => read.day_seconds = Some(value),
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                // Digits after the point: `.12` is 120 milliseconds.
                let scale = 6_usize.saturating_sub(digits);
                read.micro += value * 10_i64.pow(u32::try_from(scale).unwrap_or(0));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Two and three digit years are near 2020.
fn full_year(value: i64) -> i64 {
    match value {
        0..=69 => value + 2000,
        70..=99 => value + 1900,
        100..=519 => value + 2000,
        520..=999 => value + 1000,
        value => value,
    }
}

fn scan(text: &str, template: &str) -> Result<Read, PgError> {
    let parts = parse_template(template);
    let mut reader = Reader { rest: text, read: Read::default() };
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text(literal) => {
                let skip = literal.chars().count();
                let end =
                    reader.rest.char_indices().nth(skip).map_or(reader.rest.len(), |(at, _)| at);
                reader.rest = reader.rest.get(end..).unwrap_or_default();
            }
            Part::Other(c) if c.is_whitespace() => reader.rest = reader.rest.trim_start(),
            Part::Other(_) => {
                reader.rest = reader.rest.trim_start();
                let first = reader.rest.chars().next();
                if first.is_some_and(|c| !c.is_alphanumeric()) {
                    let length = first.map_or(0, char::len_utf8);
                    reader.rest = reader.rest.get(length..).unwrap_or_default();
                }
            }
            Part::Field { pattern, ordinal, .. } => {
                reader.rest = reader.rest.trim_start();
                if reader.rest.is_empty() {
                    break;
                }
                // Between two fields separators may stand that the template does not have.
                let adjacent = matches!(parts.get(index + 1), Some(Part::Field { .. }));
                let limit = adjacent.then(|| width_of(pattern));
                let limit = if matches!(pattern.as_str(), "MS" | "US") {
                    Some(width_of(pattern))
                } else {
                    limit
                };
                reader.field(pattern, limit)?;
                if ordinal.is_some() {
                    reader.rest = reader.rest.get(2..).unwrap_or_default();
                }
            }
        }
    }
    if reader.read.twelve_hours && !(1..=12).contains(&reader.read.hour) {
        return Err(bad_format(format!(
            "hour \"{}\" is invalid for the 12-hour clock",
            reader.read.hour
        ))
        .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
    }
    Ok(reader.read)
}

/// The day that was read; the first of January of year 1 BC where nothing was.
fn day_of(read: &Read, text: &str) -> Result<i64, PgError> {
    if let Some(julian) = read.julian {
        return Ok(julian - UNIX_EPOCH_JULIAN);
    }
    if let (Some(year), Some(week)) = (read.iso_year, read.iso_week) {
        let january_fourth = days_from_civil(year, 1, 4);
        let monday = january_fourth - (january_fourth + 3).rem_euclid(7);
        return Ok(monday + (week - 1) * 7 + read.iso_day.unwrap_or(1) - 1);
    }
    let mut year = read.year.or(read.century.map(|century| (century - 1) * 100 + 1)).unwrap_or(0);
    if read.before_christ {
        year = 1 - year;
    } else if year < 0 {
        year += 1;
    }
    if let (Some(day), None) = (read.day_of_year, read.month) {
        let length = if days_in_month(year, 2) == 29 { 366 } else { 365 };
        if !(1..=length).contains(&day) {
            return Err(field_out_of_range(text));
        }
        return Ok(days_from_civil(year, 1, 1) + day - 1);
    }
    if let (Some(week), None) = (read.week, read.month) {
        return Ok(days_from_civil(year, 1, 1) + (week - 1) * 7);
    }
    let month =
        u32::try_from(read.month.unwrap_or(1)).ok().filter(|month| (1..=12).contains(month));
    let month = month.ok_or_else(|| field_out_of_range(text))?;
    let day = read.day.or(read.week_of_month.map(|week| (week - 1) * 7 + 1)).unwrap_or(1);
    let day = u32::try_from(day).ok().filter(|day| (1..=days_in_month(year, month)).contains(day));
    let day = day.ok_or_else(|| field_out_of_range(text))?;
    Ok(days_from_civil(year, month, day))
}

fn time_of(read: &Read, text: &str) -> Result<i64, PgError> {
    if let Some(seconds) = read.day_seconds {
        return Ok(seconds * MICROS_PER_SECOND + read.micro);
    }
    let hour = match (read.twelve_hours, read.afternoon) {
        (true, Some(true)) if read.hour < 12 => read.hour + 12,
        (true, Some(false) | None) if read.hour == 12 => 0,
        _ => read.hour,
    };
    if !(0..24).contains(&hour)
        || !(0..60).contains(&read.minute)
        || !(0..60).contains(&read.second)
    {
        return Err(field_out_of_range(text));
    }
    Ok(((hour * 60 + read.minute) * 60 + read.second) * MICROS_PER_SECOND + read.micro)
}

fn to_date(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let read = scan(args.text(0)?, args.text(1)?)?;
    let days = day_of(&read, args.text(0)?)?;
    Ok(Datum::Date(timestamp_to_date(
        days.checked_mul(MICROS_PER_DAY).ok_or_else(|| field_out_of_range(""))?,
    )?))
}

fn to_timestamp(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let text = args.text(0)?;
    let read = scan(text, args.text(1)?)?;
    let days = day_of(&read, text)?;
    let day = i32::try_from(days).map_err(|_| field_out_of_range(text))?;
    let local = date_to_timestamp(day)?
        .checked_add(time_of(&read, text)?)
        .ok_or_else(|| field_out_of_range(text))?;
    Ok(Datum::Timestamp(match read.zone {
        Some((hours, minutes)) => {
            let minutes = if hours < 0 { -minutes } else { minutes };
            local - (hours * 60 + minutes) * 60 * MICROS_PER_SECOND
        }
        None => to_instant(local, &time_zone(call.session))?,
    }))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("to_char(timestamp, text) text", row(timestamp_to_char)),
    def("to_char(timestamptz, text) text", row(timestamp_to_char)).stable(),
    def("to_char(interval, text) text", row(interval_to_char)),
    def("to_date(text, text) date", row(to_date)),
    def("to_timestamp(text, text) timestamptz", row(to_timestamp)).stable(),
];
