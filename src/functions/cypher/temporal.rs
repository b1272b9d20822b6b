//! openCypher's temporal values: wider than Arrow's types (years to ±999,999,999, nanoseconds, zone names).

use std::cmp::Ordering;
use std::fmt;

/// A temporal value. Civil fields count as in the proleptic Gregorian calendar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Temporal {
    /// Days since 1970-01-01.
    Date(i64),
    /// Nanoseconds since midnight.
    LocalTime(i64),
    /// Nanoseconds since midnight where it was read, and seconds east of UTC.
    Time { nanos: i64, offset: i32 },
    /// Seconds since 1970-01-01T00:00 in no zone, and nanoseconds below a second.
    LocalDateTime { seconds: i64, nanos: u32 },
    /// Seconds since 1970-01-01T00:00Z, nanoseconds below a second, seconds east of UTC, and the zone's name.
    DateTime { seconds: i64, nanos: u32, offset: i32, zone: Option<String> },
    /// Four parts that are never carried into one another, but seconds and nanoseconds.
    Duration { months: i64, days: i64, seconds: i64, nanos: i32 },
}

const SECONDS_PER_DAY: i64 = 86_400;
/// A month's length in seconds for ordering durations: a 12th of 365.2425 days.
const SECONDS_PER_MONTH: i64 = 2_629_746;

impl Temporal {
    /// The type's name, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Date(_) => "DATE",
            Self::LocalTime(_) => "LOCAL TIME",
            Self::Time { .. } => "ZONED TIME",
            Self::LocalDateTime { .. } => "LOCAL DATETIME",
            Self::DateTime { .. } => "ZONED DATETIME",
            Self::Duration { .. } => "DURATION",
        }
    }

    /// The static type of values like it.
    pub fn static_type(&self) -> super::types::CypherType {
        use super::types::CypherType as T;
        match self {
            Self::Date(_) => T::Date,
            Self::LocalTime(_) => T::LocalTime,
            Self::Time { .. } => T::Time,
            Self::LocalDateTime { .. } => T::LocalDateTime,
            Self::DateTime { .. } => T::DateTime,
            Self::Duration { .. } => T::Duration,
        }
    }

    /// How `<` sees two values; `None` for different types and for durations.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Date(a), Self::Date(b)) | (Self::LocalTime(a), Self::LocalTime(b)) => {
                Some(a.cmp(b))
            }
            (Self::Duration { .. }, Self::Duration { .. }) => None,
            (a, b) if a.type_name() == b.type_name() => Some(a.sort_key().cmp(&b.sort_key())),
            _ => None,
        }
    }

    /// Orders values of one type: two numbers, compared one after the other.
    pub fn sort_key(&self) -> (i64, i64) {
        match self {
            Self::Date(days) => (*days, 0),
            Self::LocalTime(nanos) => (*nanos, 0),
            Self::Time { nanos, offset } => {
                (nanos - i64::from(*offset) * 1_000_000_000, i64::from(*offset))
            }
            Self::LocalDateTime { seconds, nanos } | Self::DateTime { seconds, nanos, .. } => {
                (*seconds, i64::from(*nanos))
            }
            Self::Duration { months, days, seconds, nanos } => (
                months
                    .saturating_mul(SECONDS_PER_MONTH)
                    .saturating_add(days.saturating_mul(SECONDS_PER_DAY))
                    .saturating_add(*seconds),
                i64::from(*nanos),
            ),
        }
    }
}

/// Year, month and day of a day count (Howard Hinnant's `civil_from_days`).
pub fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u32;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day count of a civil date (Howard Hinnant's `days_from_civil`).
pub fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let day_of_year =
        (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Temporal {
    /// The openCypher form: seconds left out where zero, `Z` for offset zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(days) => write_date(f, *days),
            Self::LocalTime(nanos) => write_time(f, *nanos),
            Self::Time { nanos, offset } => {
                write_time(f, *nanos)?;
                write_offset(f, *offset)
            }
            Self::LocalDateTime { seconds, nanos } => write_local(f, *seconds, *nanos),
            Self::DateTime { seconds, nanos, offset, zone } => {
                write_local(f, seconds + i64::from(*offset), *nanos)?;
                write_offset(f, *offset)?;
                match zone {
                    Some(zone) => write!(f, "[{zone}]"),
                    None => Ok(()),
                }
            }
            Self::Duration { months, days, seconds, nanos } => {
                write_duration(f, *months, *days, *seconds, *nanos)
            }
        }
    }
}

fn write_date(f: &mut fmt::Formatter<'_>, count: i64) -> fmt::Result {
    let (year, month, day) = civil(count);
    match year {
        0..=9999 => write!(f, "{year:04}")?,
        10_000.. => write!(f, "+{year}")?,
        _ => write!(f, "-{:04}", -year)?,
    }
    write!(f, "-{month:02}-{day:02}")
}

fn write_local(f: &mut fmt::Formatter<'_>, seconds: i64, nanos: u32) -> fmt::Result {
    write_date(f, seconds.div_euclid(SECONDS_PER_DAY))?;
    f.write_str("T")?;
    write_time(f, seconds.rem_euclid(SECONDS_PER_DAY) * 1_000_000_000 + i64::from(nanos))
}

fn write_time(f: &mut fmt::Formatter<'_>, nanos: i64) -> fmt::Result {
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    write!(f, "{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
    if seconds % 60 != 0 || fraction != 0 {
        write!(f, ":{:02}", seconds % 60)?;
    }
    write_fraction(f, fraction)
}

fn write_fraction(f: &mut fmt::Formatter<'_>, fraction: i64) -> fmt::Result {
    if fraction == 0 {
        return Ok(());
    }
    let digits = format!("{fraction:09}");
    write!(f, ".{}", digits.trim_end_matches('0'))
}

fn write_offset(f: &mut fmt::Formatter<'_>, offset: i32) -> fmt::Result {
    if offset == 0 {
        return f.write_str("Z");
    }
    let (sign, seconds) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
    if seconds % 60 != 0 { write!(f, ":{:02}", seconds % 60) } else { Ok(()) }
}

fn write_duration(
    f: &mut fmt::Formatter<'_>,
    months: i64,
    days: i64,
    seconds: i64,
    nanos: i32,
) -> fmt::Result {
    if (months, days, seconds, nanos) == (0, 0, 0, 0) {
        return f.write_str("PT0S");
    }
    f.write_str("P")?;
    for (amount, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if amount != 0 {
            write!(f, "{amount}{unit}")?;
        }
    }
    if (seconds, nanos) == (0, 0) {
        return Ok(());
    }
    f.write_str("T")?;
    // Seconds and nanoseconds are one signed amount; each unit shows its sign.
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let (whole, fraction) = (total / 1_000_000_000, (total % 1_000_000_000) as i64);
    for (amount, unit) in [(whole / 3600, 'H'), (whole / 60 % 60, 'M')] {
        if amount != 0 {
            write!(f, "{amount}{unit}")?;
        }
    }
    let rest = whole % 60;
    if rest != 0 || fraction != 0 {
        let sign = if rest < 0 || fraction < 0 { "-" } else { "" };
        write!(f, "{sign}{}", rest.abs())?;
        write_fraction(f, fraction.abs())?;
        f.write_str("S")?;
    }
    Ok(())
}
