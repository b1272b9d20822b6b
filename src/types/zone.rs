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

    /// The zone that `SET timezone` takes: a name or a POSIX specification as [`Self::find`] has
    /// them, or a number of hours east of Greenwich (`+2`, `-03:30`).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(zone) = Self::find(name) {
            return Some(zone);
        }
        parse_offset(name).map(Self::Fixed)
    }

    /// The zone with this name of the IANA database, compared without case; or a POSIX specification
    /// without summer time: an abbreviation and hours **west** of Greenwich (`GMT+3`, `<+03>-03`).
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        if let Some(tz) = find_named(name) {
            return Some(Self::Named(tz));
        }
        let offset = match name.strip_prefix('<') {
            Some(rest) => rest.split_once('>').filter(|(word, _)| word.len() >= 3)?.1,
            None => {
                let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
                name.get(letters..).filter(|_| letters >= 3)?
            }
        };
        parse_offset(offset).map(|west| Self::Fixed(-west))
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

    /// The abbreviation in force at an instant: `CEST`, or the offset where the zone has no word for
    /// it: `-03`.
    #[must_use]
    pub fn abbreviation_at(&self, instant: i64) -> String {
        if let Self::Named(tz) = self {
            let offset = tz.offset_from_utc_datetime(&datetime(equivalent(instant)));
            if let Some(abbreviation) = offset.abbreviation() {
                return abbreviation.to_owned();
            }
        }
        let east = self.offset_at(instant);
        let (hours, minutes) = (east.abs() / 3600, east.abs() / 60 % 60);
        let sign = if east < 0 { '-' } else { '+' };
        if minutes == 0 {
            format!("{sign}{hours:02}")
        } else {
            format!("{sign}{hours:02}{minutes:02}")
        }
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

/// `[+-]hh[:mm[:ss]]` in seconds.
fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut parts = digits.split(':');
    let hours = parse_part(parts.next()?, 167)?;
    let minutes = parts.next().map_or(Some(0), |part| parse_part(part, 59))?;
    let seconds = parts.next().map_or(Some(0), |part| parse_part(part, 59))?;
    let end = parts.next().is_none();
    end.then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn parse_part(part: &str, max: i32) -> Option<i32> {
    let valid = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|number| valid && *number <= max)
}

/// The IANA zone of this name, compared without case.
fn find_named(name: &str) -> Option<Tz> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_offsets() {
        assert_eq!(TimeZone::parse("utc"), Some(TimeZone::UTC));
        assert_eq!(TimeZone::parse("+2"), Some(TimeZone::Fixed(7200)));
        assert_eq!(TimeZone::parse("-03:30"), Some(TimeZone::Fixed(-12_600)));
        assert_eq!(TimeZone::parse("GMT+3"), Some(TimeZone::Fixed(-10_800)));
        assert_eq!(
            TimeZone::parse("<+03>-03").map(|zone| zone.name()),
            Some("<+03>-03".to_owned())
        );
        assert_eq!(
            TimeZone::parse("america/new_york").map(|zone| zone.name()),
            Some("America/New_York".to_owned())
        );
        for bad in ["", "Mars/Base", "+", "+200", "1:2:3:4", "+1:60", "é", "AB+3", "<+0>3"] {
            assert_eq!(TimeZone::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn rules_go_on_for_ever() {
        let zone = TimeZone::parse("Europe/Berlin").unwrap();
        for year in [2030, 2099, 2100, 2101, 2400, 9999, 200_000] {
            let summer = days_from_civil(year, 7, 1) * SECONDS_PER_DAY;
            let winter = days_from_civil(year, 1, 15) * SECONDS_PER_DAY;
            assert_eq!((zone.offset_at(summer), zone.offset_at(winter)), (7200, 3600), "{year}");
        }
        assert_eq!(zone.offset_at(i64::MIN / 4), 3208);
    }
}
