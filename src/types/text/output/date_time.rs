//! Dates, times and timestamps, in the four date styles.

use crate::types::calendar::{
    MICROS_PER_DAY, MICROS_PER_SECOND, MONTH_ABBREVIATIONS, WEEKDAY_ABBREVIATIONS, civil_from_days,
    weekday,
};
use crate::types::settings::{DateOrder, DateStyle, OutputSettings};

use super::{append_integer, two_digits};

/// A timestamp is at most `294246-12-31 23:59:59.999999+167:59:59 BC`, without its zone's name.
struct Line {
    bytes: [u8; 64],
    len: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }

    fn put(&mut self, text: &[u8]) {
        if let Some(slot) = self.bytes.get_mut(self.len..self.len + text.len()) {
            slot.copy_from_slice(text);
            self.len += text.len();
        }
    }

    fn put_two(&mut self, number: u32) {
        self.put(&two_digits(number));
    }

    /// At least four digits.
    fn put_year(&mut self, year: u32) {
        if year < 10_000 {
            self.put_two(year / 100);
            self.put_two(year % 100);
        } else {
            self.put(itoa::Buffer::new().format(year).as_bytes());
        }
    }

    /// `HH:MM:SS[.ffffff]`, the fraction without zeros at its end.
    fn put_time(&mut self, micros: i64) {
        let seconds = (micros / MICROS_PER_SECOND) as u32;
        let fraction = (micros % MICROS_PER_SECOND) as u32;
        self.put_two(seconds / 3600);
        self.put(b":");
        self.put_two(seconds / 60 % 60);
        self.put(b":");
        self.put_two(seconds % 60);
        if fraction != 0 {
            self.put(b".");
            self.put_two(fraction / 10_000);
            self.put_two(fraction / 100 % 100);
            self.put_two(fraction % 100);
            while self.bytes[self.len - 1] == b'0' {
                self.len -= 1;
            }
        }
    }

    /// `+HH[:MM[:SS]]` for seconds east of Greenwich.
    fn put_offset(&mut self, east: i32) {
        self.put(if east < 0 { b"-" } else { b"+" });
        let seconds = east.unsigned_abs();
        if seconds >= 360_000 {
            self.put(itoa::Buffer::new().format(seconds / 3600).as_bytes());
        } else {
            self.put_two(seconds / 3600);
        }
        if !seconds.is_multiple_of(3600) {
            self.put(b":");
            self.put_two(seconds / 60 % 60);
        }
        if !seconds.is_multiple_of(60) {
            self.put(b":");
            self.put_two(seconds % 60);
        }
    }

    fn put_day_and_month(&mut self, separator: &[u8], order: DateOrder, month: u32, day: u32) {
        let (first, second) = if order == DateOrder::Dmy { (day, month) } else { (month, day) };
        self.put_two(first);
        self.put(separator);
        self.put_two(second);
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
    }
}

/// A day taken apart; PostgreSQL has no year 0, and writes the years before 1 as BC.
struct Day {
    number: i64,
    year: u32,
    month: u32,
    day: u32,
    before_christ: bool,
}

impl Day {
    fn of(number: i64) -> Self {
        let (year, month, day) = civil_from_days(number);
        let before_christ = year <= 0;
        let year = if before_christ { 1 - year } else { year };
        Self { number, year: u32::try_from(year).unwrap_or(u32::MAX), month, day, before_christ }
    }

    /// `YYYY-MM-DD`, for years of four digits.
    #[inline]
    fn iso(&self) -> Option<[u8; 10]> {
        if self.before_christ || self.year >= 10_000 {
            return None;
        }
        let ([a, b], [c, d]) = (two_digits(self.year / 100), two_digits(self.year % 100));
        let ([e, f], [g, h]) = (two_digits(self.month), two_digits(self.day));
        Some([a, b, c, d, b'-', e, f, b'-', g, h])
    }
}

/// Days since 1970-01-01.
pub(crate) fn append_date(days: i32, settings: &OutputSettings, out: &mut Vec<u8>) {
    if days == i32::MAX || days == i32::MIN {
        return append_infinity(days < 0, out);
    }
    let day = Day::of(i64::from(days));
    if settings.date_style == DateStyle::Iso
        && let Some(date) = day.iso()
    {
        return out.extend_from_slice(&date);
    }
    let mut line = Line::new();
    let order = settings.date_order;
    match settings.date_style {
        DateStyle::Iso => put_iso_date(&mut line, &day),
        DateStyle::Sql => {
            line.put_day_and_month(b"/", order, day.month, day.day);
            line.put(b"/");
            line.put_year(day.year);
        }
        DateStyle::Postgres => {
            line.put_day_and_month(b"-", order, day.month, day.day);
            line.put(b"-");
            line.put_year(day.year);
        }
        DateStyle::German => {
            line.put_day_and_month(b".", DateOrder::Dmy, day.month, day.day);
            line.put(b".");
            line.put_year(day.year);
        }
    }
    if day.before_christ {
        line.put(b" BC");
    }
    line.append_to(out);
}

/// Microseconds since midnight, up to and with 24:00:00.
pub(crate) fn append_time(micros: i64, out: &mut Vec<u8>) {
    let mut line = Line::new();
    line.put_time(micros.clamp(0, MICROS_PER_DAY));
    line.append_to(out);
}

/// Microseconds since midnight, and seconds east of Greenwich.
pub(crate) fn append_timetz(micros: i64, east: i32, out: &mut Vec<u8>) {
    let mut line = Line::new();
    line.put_time(micros.clamp(0, MICROS_PER_DAY));
    line.put_offset(east);
    line.append_to(out);
}

/// Microseconds since 1970-01-01 in local time.
pub(crate) fn append_timestamp(micros: i64, settings: &OutputSettings, out: &mut Vec<u8>) {
    if micros == i64::MAX || micros == i64::MIN {
        return append_infinity(micros < 0, out);
    }
    append_date_time(micros, None, settings, out);
}

/// Microseconds since 1970-01-01 UTC, written in the session's zone.
pub(crate) fn append_timestamptz(micros: i64, settings: &OutputSettings, out: &mut Vec<u8>) {
    if micros == i64::MAX || micros == i64::MIN {
        return append_infinity(micros < 0, out);
    }
    let instant = micros.div_euclid(MICROS_PER_SECOND);
    let east = settings.timezone.offset_at(instant);
    let local = micros.saturating_add(i64::from(east) * MICROS_PER_SECOND);
    let abbreviation = match settings.date_style {
        DateStyle::Iso => None,
        _ => Some(settings.timezone.abbreviation_at(instant)),
    };
    append_date_time(local, Some(Zone { east, abbreviation }), settings, out);
}

struct Zone {
    east: i32,
    abbreviation: Option<String>,
}

fn append_date_time(local: i64, zone: Option<Zone>, settings: &OutputSettings, out: &mut Vec<u8>) {
    let day = Day::of(local.div_euclid(MICROS_PER_DAY));
    let time = local.rem_euclid(MICROS_PER_DAY);
    if settings.date_style == DateStyle::Iso
        && let Some(date) = day.iso()
    {
        return append_iso(date, time, zone.map(|zone| zone.east), out);
    }
    let order = settings.date_order;
    let mut line = Line::new();
    match settings.date_style {
        DateStyle::Iso => put_iso_date(&mut line, &day),
        DateStyle::Sql => {
            line.put_day_and_month(b"/", order, day.month, day.day);
            line.put(b"/");
            line.put_year(day.year);
        }
        DateStyle::German => {
            line.put_day_and_month(b".", DateOrder::Dmy, day.month, day.day);
            line.put(b".");
            line.put_year(day.year);
        }
        DateStyle::Postgres => {
            put_postgres_date(&mut line, &day, order);
            line.put(b" ");
            line.put_time(time);
            line.put(b" ");
            line.put_year(day.year);
        }
    }
    if settings.date_style != DateStyle::Postgres {
        line.put(b" ");
        line.put_time(time);
    }
    line.append_to(out);
    if let Some(zone) = zone {
        append_zone(&zone, out);
    }
    if day.before_christ {
        out.extend_from_slice(b" BC");
    }
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff][+HH]`: what most timestamps are, in pieces of constant length.
fn append_iso(date: [u8; 10], time: i64, east: Option<i32>, out: &mut Vec<u8>) {
    let seconds = (time / MICROS_PER_SECOND) as u32;
    let fraction = (time % MICROS_PER_SECOND) as u32;
    let ([a, b], [c, d]) = (two_digits(seconds / 3600), two_digits(seconds / 60 % 60));
    let [e, f] = two_digits(seconds % 60);
    let mut bytes = [0; 19];
    bytes[..10].copy_from_slice(&date);
    bytes[10..].copy_from_slice(&[b' ', a, b, b':', c, d, b':', e, f]);
    out.extend_from_slice(&bytes);
    if fraction != 0 {
        let ([a, b], [c, d]) = (two_digits(fraction / 10_000), two_digits(fraction / 100 % 100));
        let [e, f] = two_digits(fraction % 100);
        out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    let Some(east) = east else {
        return;
    };
    if east % 3600 == 0 && east.abs() < 360_000 {
        let [a, b] = two_digits(east.unsigned_abs() / 3600);
        return out.extend_from_slice(&[if east < 0 { b'-' } else { b'+' }, a, b]);
    }
    let mut line = Line::new();
    line.put_offset(east);
    line.append_to(out);
}

/// The offset; in the styles other than ISO the zone's abbreviation.
fn append_zone(zone: &Zone, out: &mut Vec<u8>) {
    if let Some(abbreviation) = &zone.abbreviation {
        out.push(b' ');
        out.extend_from_slice(abbreviation.as_bytes());
        return;
    }
    let mut line = Line::new();
    line.put_offset(zone.east);
    line.append_to(out);
}

fn put_iso_date(line: &mut Line, day: &Day) {
    line.put_year(day.year);
    line.put(b"-");
    line.put_two(day.month);
    line.put(b"-");
    line.put_two(day.day);
}

/// `Sat Nov 21`, or with the day first `Sat 21 Nov`.
fn put_postgres_date(line: &mut Line, day: &Day, order: DateOrder) {
    let month = (day.month as usize).wrapping_sub(1);
    let month = MONTH_ABBREVIATIONS.get(month).copied().unwrap_or_default().as_bytes();
    line.put(WEEKDAY_ABBREVIATIONS[weekday(day.number)].as_bytes());
    line.put(b" ");
    if order == DateOrder::Dmy {
        line.put_two(day.day);
        line.put(b" ");
        line.put(month);
    } else {
        line.put(month);
        line.put(b" ");
        line.put_two(day.day);
    }
}

fn append_infinity(negative: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if negative { b"-infinity" } else { b"infinity" });
}

/// `SS[.ffffff]` of an interval: the sign dropped, zeros at the end of the fraction too.
pub(super) fn append_seconds(seconds: i64, micros: i64, fill: bool, out: &mut Vec<u8>) {
    let seconds = seconds.unsigned_abs();
    if fill && seconds < 10 {
        out.push(b'0');
    }
    append_integer(seconds, out);
    let fraction = micros.unsigned_abs() as u32;
    if fraction != 0 {
        out.push(b'.');
        for part in [fraction / 10_000, fraction / 100 % 100, fraction % 100] {
            out.extend_from_slice(&two_digits(part));
        }
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}
