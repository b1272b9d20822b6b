//! Time zones: what local time an instant has, and which instant a local time means.

use chrono::{DateTime, Offset, TimeZone as _};
use chrono_tz::{OffsetName, Tz};

use super::calendar::{SECONDS_PER_DAY, civil_from_days, days_from_civil, is_leap_year, weekday};

/// The time zone of a session: a zone of the IANA database, or a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeZone {
    Named(Tz),
    /// Seconds east of Greenwich, below 168 hours either way.
    Fixed(i32),
}

impl TimeZone {
    pub const UTC: Self = Self::Named(Tz::UTC);

    /// The zone with this name, compared without case; or a numeric offset as `SET timezone` takes
    /// it (`+2`, `-03:30`, hours east of Greenwich).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(tz) = find_named(name) {
            return Some(Self::Named(tz));
        }
        let (sign, digits) = match name.as_bytes().first()? {
            b'-' => (-1, &name[1..]),
            b'+' => (1, &name[1..]),
            _ => (1, name),
        };
        let mut parts = digits.split(':');
        let hours = parse_part(parts.next()?, 167)?;
        let minutes = parts.next().map_or(Some(0), |part| parse_part(part, 59))?;
        let seconds = parts.next().map_or(Some(0), |part| parse_part(part, 59))?;
        let end = parts.next().is_none();
        end.then_some(Self::Fixed(sign * (hours * 3600 + minutes * 60 + seconds)))
    }

    /// The name as `SHOW timezone` gives it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Named(tz) => tz.name().to_owned(),
            Self::Fixed(seconds) => {
                let sign = |negative: bool| if negative { '-' } else { '+' };
                let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
                let text = if minutes == 0 {
                    format!("{hours:02}")
                } else {
                    format!("{hours:02}:{minutes:02}")
                };
                // A POSIX zone: the offset is west of Greenwich.
                format!("<{}{text}>{}{text}", sign(*seconds < 0), sign(*seconds > 0))
            }
        }
    }

    /// Whether every instant has the offset zero.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        matches!(
            self,
            Self::Fixed(0)
                | Self::Named(Tz::UTC | Tz::Etc__UTC | Tz::Etc__GMT | Tz::GMT | Tz::Zulu | Tz::UCT)
        )
    }

    /// Seconds east of Greenwich at an instant, given in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn offset_at(&self, instant: i64) -> i32 {
        match self {
            Self::Fixed(seconds) => *seconds,
            zone if zone.is_utc() => 0,
            Self::Named(tz) => {
                tz.offset_from_utc_datetime(&datetime(equivalent(instant))).fix().local_minus_utc()
            }
        }
    }

    /// The abbreviation in force at an instant (`CEST`), where the zone has one.
    #[must_use]
    pub fn abbreviation_at(&self, instant: i64) -> Option<String> {
        let Self::Named(tz) = self else { return None };
        let offset = tz.offset_from_utc_datetime(&datetime(equivalent(instant)));
        offset.abbreviation().map(str::to_owned)
    }

    /// The offset that applies to a local time, given in seconds as if it were UTC.
    ///
    /// As PostgreSQL has it: a time that a clock change skips is read with the offset before the
    /// change, one that it repeats with the offset after it.
    #[must_use]
    pub fn offset_of_local(&self, local: i64) -> i32 {
        if let Self::Fixed(seconds) = self {
            return *seconds;
        }
        let before = self.offset_at(local.saturating_sub(SECONDS_PER_DAY));
        let after = self.offset_at(local.saturating_add(SECONDS_PER_DAY));
        if before == after {
            return before;
        }
        let holds = |offset: i32| self.offset_at(local.saturating_sub(i64::from(offset))) == offset;
        if holds(after) { after } else { before }
    }
}

fn parse_part(part: &str, max: i32) -> Option<i32> {
    let valid = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|number| valid && *number <= max)
}

/// The IANA zone of this name, compared without case.
pub(crate) fn find_named(name: &str) -> Option<Tz> {
    if name.len() > 40 {
        return None;
    }
    if let Ok(tz) = name.parse() {
        return Some(tz);
    }
    chrono_tz::TZ_VARIANTS.iter().copied().find(|tz| tz.name().eq_ignore_ascii_case(name))
}

/// Offset in seconds east of Greenwich of an abbreviation, as PostgreSQL's default set
/// (`timezone_abbreviations`) has it.
pub(crate) fn abbreviation_offset(abbreviation: &str) -> Option<i32> {
    let table = super::zone_abbreviations::ABBREVIATIONS;
    let found = table.binary_search_by(|(name, _)| (*name).cmp(abbreviation)).ok()?;
    table.get(found).map(|(_, offset)| *offset)
}

/// An instant at which the zone's rules give the same answer. The tables of chrono-tz end in 2100;
/// the rules in force then repeat every 400 years, and a year looks like any other that starts on
/// the same day of the week.
fn equivalent(instant: i64) -> i64 {
    const LAST: i64 = 4_102_444_800; // 2100-01-01
    const FIRST: i64 = -9_000_000_000; // in 1684, before any zone's first rule
    if instant < LAST - SECONDS_PER_DAY {
        return instant.max(FIRST);
    }
    let days = instant.div_euclid(SECONDS_PER_DAY);
    let (year, _, _) = civil_from_days(days);
    let start = days_from_civil(year, 1, 1);
    let alike = (2062..2090).find(|candidate| {
        is_leap_year(*candidate) == is_leap_year(year)
            && weekday(days_from_civil(*candidate, 1, 1)) == weekday(start)
    });
    let start_alike = days_from_civil(alike.unwrap_or(2062), 1, 1);
    instant - (start - start_alike) * SECONDS_PER_DAY
}

/// `instant` is within the years that `equivalent` returns.
fn datetime(instant: i64) -> chrono::NaiveDateTime {
    DateTime::from_timestamp(instant, 0).unwrap_or_default().naive_utc()
}
