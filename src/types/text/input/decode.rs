//! Decides what the fields of a date and time mean.
//!
//! The rules are PostgreSQL's: a field is read in the light of the fields already read. A number is a
//! year, month or day by what is still missing and by the order that `DateStyle` gives; six digits or
//! more run together are a date, or a time once there is a date.

use crate::types::calendar::{
    MICROS_PER_DAY, MICROS_PER_SECOND, SECONDS_PER_DAY, UNIX_EPOCH_JULIAN, civil_from_days,
    days_from_civil, days_in_month,
};
use crate::types::settings::{DateOrder, InputSettings};
use crate::types::zone::{self, TimeZone};

use super::clock::{read_clock, read_offset};
use super::fields::{DateTimeError, FieldKind, TextField, fraction_micros, leading_number};
use super::keyword::{Keyword, keyword};

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    Moment(Moment),
    Epoch,
    Infinity,
    NegativeInfinity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Days since 1970-01-01; 0 where only a time was given.
    pub(super) days: i64,
    /// Microseconds since midnight, up to a whole day.
    pub(super) time: i64,
    /// Seconds east of Greenwich: as written, else as the session's zone has it then.
    pub(super) east: i32,
}

const YEAR: u16 = 1;
const MONTH: u16 = 1 << 1;
const DAY: u16 = 1 << 2;
const DATE: u16 = YEAR | MONTH | DAY;
const TIME: u16 = 1 << 3;
const ZONE: u16 = 1 << 4;
const DAY_OF_YEAR: u16 = 1 << 5;
const HALF: u16 = 1 << 6;
const ERA: u16 = 1 << 7;
const WEEKDAY: u16 = 1 << 8;
const DAYLIGHT: u16 = 1 << 9;

/// What a label before a field announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Julian,
    IsoTime,
    Unit,
}

struct Decoder<'a> {
    settings: &'a InputSettings,
    time_only: bool,
    /// The fields that are known.
    known: u16,
    label: Option<Label>,
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    east: i32,
    zone: Option<TimeZone>,
    two_digit_year: bool,
    text_month: bool,
    is_julian: bool,
    before_christ: bool,
    afternoon: Option<bool>,
    special: Option<Decoded>,
}

/// Reads a date with an optional time and zone, in any order PostgreSQL takes.
pub(super) fn decode_date_time(
    fields: &[TextField],
    settings: &InputSettings,
) -> Result<Decoded, DateTimeError> {
    let mut decoder = Decoder::new(settings, false);
    decoder.read_all(fields)?;
    decoder.finish_date_time()
}

/// Reads a time with an optional zone; a date is taken too, where a zone's offset depends on it.
pub(super) fn decode_time(
    fields: &[TextField],
    settings: &InputSettings,
) -> Result<Moment, DateTimeError> {
    let mut decoder = Decoder::new(settings, true);
    decoder.read_all(fields)?;
    decoder.finish_time()
}

impl<'a> Decoder<'a> {
    fn new(settings: &'a InputSettings, time_only: bool) -> Self {
        Self {
            settings,
            time_only,
            known: 0,
            label: None,
            year: 0,
            month: 0,
            day: 0,
            day_of_year: 0,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            east: 0,
            zone: None,
            two_digit_year: false,
            text_month: false,
            is_julian: false,
            before_christ: false,
            afternoon: None,
            special: None,
        }
    }

    fn read_all(&mut self, fields: &[TextField]) -> Result<(), DateTimeError> {
        for (index, field) in fields.iter().enumerate() {
            let text = field.text.as_str();
            let found = match field.kind {
                FieldKind::Date => self.date_field(text)?,
                FieldKind::Time => {
                    if self.label.take().is_some_and(|label| label != Label::IsoTime) {
                        return Err(DateTimeError::BadFormat);
                    }
                    self.clock(text)?
                }
                FieldKind::Offset => {
                    self.east = read_offset(text)?;
                    ZONE
                }
                FieldKind::Number => self.number_field(text)?,
                FieldKind::Word | FieldKind::SignedWord => {
                    self.word(text, fields.get(index + 1).map(|next| next.kind))?
                }
            };
            if found & self.known != 0 {
                return Err(DateTimeError::BadFormat);
            }
            self.known |= found;
        }
        match self.label {
            // A unit that labels nothing.
            Some(_) if self.special.is_none() => Err(DateTimeError::BadFormat),
            _ => Ok(()),
        }
    }

    /// A date; or, once month and day are known, a zone's name or a time run together with an offset.
    fn date_field(&mut self, text: &str) -> Result<u16, DateTimeError> {
        if self.label == Some(Label::Julian) {
            self.label = None;
            let (number, rest) = leading_number(text)?;
            self.set_julian(number.ok_or(DateTimeError::BadFormat)?)?;
            self.east = read_offset(rest)?;
            return Ok(DATE | TIME | ZONE);
        }
        let has_date = self.known & (MONTH | DAY) == MONTH | DAY;
        let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
        let after_time = self.time_only && self.known & TIME != 0 && !starts_with_digit;
        if self.label.is_none() && !has_date && !after_time {
            return self.date(text);
        }
        if starts_with_digit || self.label.is_some() {
            if self.label.take().is_some_and(|label| label != Label::IsoTime)
                || self.known & TIME != 0
            {
                return Err(DateTimeError::BadFormat);
            }
            let at = text.find('-').ok_or(DateTimeError::BadFormat)?;
            self.east = read_offset(&text[at..])?;
            return Ok(self.run_together(&text[..at], self.known)? | ZONE);
        }
        let named = TimeZone::find(text);
        self.zone = Some(named.ok_or_else(|| DateTimeError::UnknownZone(text.to_owned()))?);
        Ok(ZONE)
    }

    /// Numbers and at most one month's name, between any delimiters.
    fn date(&mut self, text: &str) -> Result<u16, DateTimeError> {
        let mut parts: Vec<&str> = Vec::with_capacity(3);
        for run in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            // Letters and digits with nothing between them are two parts.
            let mut rest = run;
            while !rest.is_empty() {
                let alphabetic = rest.starts_with(|c: char| c.is_ascii_alphabetic());
                let end = rest
                    .find(|c: char| c.is_ascii_alphabetic() != alphabetic)
                    .unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                parts.push(part);
                // The character after a part is dropped, whatever it is.
                rest = after.get(1..).unwrap_or_default();
            }
        }
        if text.ends_with(|c: char| !c.is_ascii_alphanumeric()) {
            return Err(DateTimeError::BadFormat);
        }
        let mut known = self.known;
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            match keyword(part) {
                Some(Keyword::Ignored) => continue,
                Some(Keyword::Month(month)) if known & MONTH == 0 => self.month = i64::from(month),
                _ => return Err(DateTimeError::BadFormat),
            }
            self.text_month = true;
            known |= MONTH;
        }
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            let found = self.number(part, known)?;
            if found & known != 0 {
                return Err(DateTimeError::BadFormat);
            }
            known |= found;
        }
        if known & !(DAY_OF_YEAR | ZONE) != DATE {
            return Err(DateTimeError::BadFormat);
        }
        Ok(known & !self.known)
    }

    fn number_field(&mut self, text: &str) -> Result<u16, DateTimeError> {
        match self.label.take() {
            Some(Label::Julian) => {
                let (number, rest) = leading_number(text)?;
                self.set_julian(number.ok_or(DateTimeError::BadFormat)?)?;
                if rest.is_empty() {
                    return Ok(DATE);
                }
                let fraction: f64 = rest.parse().map_err(|_| DateTimeError::BadFormat)?;
                let time = (fraction * MICROS_PER_DAY as f64) as i64;
                self.set_time(time);
                return Ok(DATE | TIME);
            }
            Some(Label::IsoTime) => {
                let found = self.run_together(text, self.known | DATE)?;
                return if found == TIME { Ok(TIME) } else { Err(DateTimeError::BadFormat) };
            }
            Some(Label::Unit) => return Err(DateTimeError::BadFormat),
            None => {}
        }
        if self.time_only {
            return self.run_together(text, self.known | DATE);
        }
        let before_point = text.find('.');
        match before_point {
            Some(_) if self.known & DATE == 0 => self.date(text),
            Some(digits) if digits > 2 => self.run_together(text, self.known),
            _ if text.len() >= 6 && (self.known & DATE == 0 || self.known & TIME == 0) => {
                self.run_together(text, self.known)
            }
            _ => self.number(text, self.known),
        }
    }

    /// One number of a date, by what is known already.
    fn number(&mut self, text: &str, known: u16) -> Result<u16, DateTimeError> {
        let (value, rest) = leading_number(text)?;
        let value = value.ok_or(DateTimeError::BadFormat)?;
        if rest.starts_with('.') {
            if text.len() - rest.len() > 2 {
                return self.run_together(text, known | DATE);
            }
            self.micros = fraction_micros(rest)?;
        } else if !rest.is_empty() {
            return Err(DateTimeError::BadFormat);
        }
        let digits = text.len();
        if digits == 3 && known & DATE == YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(DAY_OF_YEAR | MONTH | DAY);
        }
        let order = self.settings.date_order;
        let year_first = digits >= 3 || order == DateOrder::Ymd;
        let found = match known & DATE {
            0 if year_first => YEAR,
            0 if order == DateOrder::Dmy => DAY,
            0 => MONTH,
            YEAR => MONTH,
            MONTH if self.text_month && year_first => YEAR,
            MONTH => DAY,
            DAY => MONTH,
            DATE => return self.run_together(text, known),
            found if found == MONTH | DAY => YEAR,
            found if found == YEAR | MONTH => {
                if self.text_month && digits >= 3 && self.two_digit_year {
                    // The first number was taken for a year, and is the day.
                    self.day = self.year;
                    self.year = value;
                    self.two_digit_year = false;
                    return Ok(DAY);
                }
                DAY
            }
            _ => return Err(DateTimeError::BadFormat),
        };
        match found {
            YEAR => {
                self.year = value;
                self.two_digit_year = digits <= 2;
            }
            MONTH => self.month = value,
            _ => self.day = value,
        }
        Ok(found)
    }

    /// Digits run together: `yymmdd`, `yyyymmdd`, or once there is a date `hhmm`, `hhmmss[.f]`.
    fn run_together(&mut self, text: &str, known: u16) -> Result<u16, DateTimeError> {
        let (digits, fraction) = match text.find('.') {
            Some(at) => (&text[..at], Some(&text[at..])),
            None => (text, None),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DateTimeError::BadFormat);
        }
        let number = |from: usize, to: usize| {
            let digits = digits.get(from..to).unwrap_or_default();
            digits.parse::<i32>().map(i64::from).map_err(|_| DateTimeError::BadFormat)
        };
        let len = digits.len();
        if let Some(fraction) = fraction {
            self.micros = fraction_micros(fraction)?;
        } else if known & DATE != DATE && len >= 6 {
            self.day = number(len - 2, len)?;
            self.month = number(len - 4, len - 2)?;
            self.year = number(0, len - 4)?;
            self.two_digit_year = len == 6;
            return Ok(DATE);
        }
        if known & TIME == 0 && (len == 6 || len == 4) {
            self.hour = number(0, 2)?;
            self.minute = number(2, 4)?;
            self.second = if len == 6 { number(4, 6)? } else { 0 };
            return Ok(TIME);
        }
        Err(DateTimeError::BadFormat)
    }

    /// `hh:mm`, `hh:mm:ss[.f]`, `mm:ss.f`.
    fn clock(&mut self, text: &str) -> Result<u16, DateTimeError> {
        let clock = read_clock(text)?;
        (self.hour, self.minute, self.second, self.micros) = clock;
        if self.time_overflows() {
            return Err(DateTimeError::FieldOverflow);
        }
        Ok(TIME)
    }

    fn word(&mut self, text: &str, next: Option<FieldKind>) -> Result<u16, DateTimeError> {
        if let Some(east) = zone::abbreviation_offset(text) {
            self.east = east;
            return Ok(ZONE);
        }
        if matches!(text, "z" | "zulu" | "utc" | "gmt") {
            self.east = 0;
            return Ok(ZONE);
        }
        let Some(keyword) = keyword(text) else {
            // A zone's name may be letters alone.
            self.zone = Some(TimeZone::find(text).ok_or(DateTimeError::BadFormat)?);
            return Ok(ZONE);
        };
        self.keyword(keyword, next)
    }

    fn keyword(&mut self, keyword: Keyword, next: Option<FieldKind>) -> Result<u16, DateTimeError> {
        match keyword {
            Keyword::Now => {
                self.set_now(0)?;
                let time = self.local_now().rem_euclid(MICROS_PER_DAY);
                self.set_time(time);
                self.east = self.now_offset();
                Ok(if self.time_only { TIME } else { DATE | TIME | ZONE })
            }
            Keyword::Midnight => {
                self.set_time(0);
                self.east = 0;
                Ok(TIME | ZONE)
            }
            _ if self.time_only
                && matches!(
                    keyword,
                    Keyword::Today
                        | Keyword::Tomorrow
                        | Keyword::Yesterday
                        | Keyword::Epoch
                        | Keyword::Infinity
                        | Keyword::NegativeInfinity
                        | Keyword::Month(_)
                ) =>
            {
                Err(DateTimeError::BadFormat)
            }
            Keyword::Today => self.set_now(0),
            Keyword::Tomorrow => self.set_now(1),
            Keyword::Yesterday => self.set_now(-1),
            Keyword::Epoch => self.set_special(Decoded::Epoch),
            Keyword::Infinity => self.set_special(Decoded::Infinity),
            Keyword::NegativeInfinity => self.set_special(Decoded::NegativeInfinity),
            Keyword::Month(month) => self.set_text_month(i64::from(month)),
            Keyword::Weekday => Ok(WEEKDAY),
            Keyword::Am | Keyword::Pm => {
                self.afternoon = Some(keyword == Keyword::Pm);
                Ok(HALF)
            }
            Keyword::Ad | Keyword::Bc => {
                self.before_christ = keyword == Keyword::Bc;
                Ok(ERA)
            }
            Keyword::Daylight => {
                self.east += 3600;
                Ok(DAYLIGHT)
            }
            Keyword::Ignored => Ok(0),
            Keyword::IsoTime => self.iso_time(next),
            Keyword::Julian => self.set_label(Label::Julian),
            Keyword::Unit => self.set_label(Label::Unit),
        }
    }

    fn set_label(&mut self, label: Label) -> Result<u16, DateTimeError> {
        match self.label.replace(label) {
            None => Ok(0),
            Some(_) => Err(DateTimeError::BadFormat),
        }
    }

    /// `t`: a date must be there, and a time must follow.
    fn iso_time(&mut self, next: Option<FieldKind>) -> Result<u16, DateTimeError> {
        let follows = matches!(next, Some(FieldKind::Number | FieldKind::Time | FieldKind::Date));
        if !follows || (!self.time_only && self.known & DATE != DATE) {
            return Err(DateTimeError::BadFormat);
        }
        self.set_label(Label::IsoTime)
    }

    fn set_special(&mut self, special: Decoded) -> Result<u16, DateTimeError> {
        self.special = Some(special);
        Ok(DATE | TIME | ZONE)
    }

    /// A month's name. A number before it that was taken for the month is then the day.
    fn set_text_month(&mut self, month: i64) -> Result<u16, DateTimeError> {
        let substitute = self.known & MONTH != 0
            && !self.text_month
            && self.known & DAY == 0
            && (1..=31).contains(&self.month);
        let found = if substitute {
            self.day = self.month;
            DAY
        } else {
            MONTH
        };
        self.text_month = true;
        self.month = month;
        Ok(found)
    }

    fn now_offset(&self) -> i32 {
        self.settings.timezone.offset_at(self.settings.now.div_euclid(MICROS_PER_SECOND))
    }

    fn local_now(&self) -> i64 {
        self.settings.now.saturating_add(i64::from(self.now_offset()) * MICROS_PER_SECOND)
    }

    fn set_now(&mut self, days_later: i64) -> Result<u16, DateTimeError> {
        self.set_days(self.local_now().div_euclid(MICROS_PER_DAY) + days_later);
        Ok(DATE)
    }

    fn set_days(&mut self, days: i64) {
        let (year, month, day) = civil_from_days(days);
        self.year = year;
        self.month = i64::from(month);
        self.day = i64::from(day);
        // The year is astronomical, not one of an era.
        self.is_julian = true;
    }

    fn set_julian(&mut self, number: i64) -> Result<(), DateTimeError> {
        if number < 0 {
            return Err(DateTimeError::FieldOverflow);
        }
        self.set_days(number - UNIX_EPOCH_JULIAN);
        Ok(())
    }

    fn set_time(&mut self, micros: i64) {
        let seconds = micros / MICROS_PER_SECOND;
        self.hour = seconds / 3600;
        self.minute = seconds / 60 % 60;
        self.second = seconds % 60;
        self.micros = micros % MICROS_PER_SECOND;
    }

    fn time(&self) -> i64 {
        ((self.hour * 60 + self.minute) * 60 + self.second) * MICROS_PER_SECOND + self.micros
    }

    fn time_overflows(&self) -> bool {
        !(0..=24).contains(&self.hour)
            || !(0..60).contains(&self.minute)
            || !(0..=60).contains(&self.second)
            || !(0..=MICROS_PER_SECOND).contains(&self.micros)
            || self.time() > MICROS_PER_DAY
    }

    /// Gives the year its era or century, and checks month and day.
    fn check_date(&mut self) -> Result<(), DateTimeError> {
        if self.known & YEAR != 0 && !self.is_julian {
            if self.before_christ {
                if self.year <= 0 {
                    return Err(DateTimeError::FieldOverflow);
                }
                self.year = 1 - self.year;
            } else if self.two_digit_year {
                self.year += if self.year < 70 { 2000 } else { 1900 };
            } else if self.year <= 0 {
                return Err(DateTimeError::FieldOverflow);
            }
        }
        if self.known & DAY_OF_YEAR != 0 {
            let days = days_from_civil(self.year, 1, 1) + self.day_of_year - 1;
            self.set_days(days);
        }
        if self.known & MONTH != 0 && !(1..=12).contains(&self.month)
            || self.known & DAY != 0 && !(1..=31).contains(&self.day)
        {
            return Err(DateTimeError::MonthDayOverflow);
        }
        let last = || i64::from(days_in_month(self.year, self.month as u32));
        if self.known & DATE == DATE && self.day > last() {
            return Err(DateTimeError::FieldOverflow);
        }
        Ok(())
    }

    fn apply_half(&mut self) -> Result<(), DateTimeError> {
        let Some(afternoon) = self.afternoon else { return Ok(()) };
        if self.hour > 12 {
            return Err(DateTimeError::FieldOverflow);
        }
        self.hour = self.hour % 12 + if afternoon { 12 } else { 0 };
        Ok(())
    }

    fn finish_date_time(mut self) -> Result<Decoded, DateTimeError> {
        if let Some(special) = self.special {
            return Ok(special);
        }
        self.check_date()?;
        self.apply_half()?;
        if self.known & DATE != DATE {
            return Err(DateTimeError::BadFormat);
        }
        let days = days_from_civil(self.year, self.month as u32, self.day as u32);
        let time = self.time();
        let has_named_zone = self.zone.is_some();
        if self.known & DAYLIGHT != 0 && (has_named_zone || self.known & ZONE == 0) {
            return Err(DateTimeError::BadFormat);
        }
        if has_named_zone || self.known & ZONE == 0 {
            let zone = self.zone.unwrap_or(self.settings.timezone);
            let seconds = time / MICROS_PER_SECOND;
            self.east = zone.offset_of_local(days * SECONDS_PER_DAY + seconds);
        }
        Ok(Decoded::Moment(Moment { days, time, east: self.east }))
    }

    fn finish_time(mut self) -> Result<Moment, DateTimeError> {
        if self.special.is_some() || self.known & TIME == 0 {
            return Err(DateTimeError::BadFormat);
        }
        self.check_date()?;
        self.apply_half()?;
        if self.time_overflows() {
            return Err(DateTimeError::FieldOverflow);
        }
        let time = self.time();
        let has_date = self.known & DATE == DATE;
        let days = if has_date {
            days_from_civil(self.year, self.month as u32, self.day as u32)
        } else {
            self.local_now().div_euclid(MICROS_PER_DAY)
        };
        let local = days * SECONDS_PER_DAY + time / MICROS_PER_SECOND;
        if let Some(zone) = self.zone {
            let fixed = fixed_offset(&zone);
            self.east = match fixed {
                Some(east) => east,
                // The offset depends on the date.
                None if !has_date => return Err(DateTimeError::BadFormat),
                None => zone.offset_of_local(local),
            };
        } else if self.known & ZONE == 0 {
            self.east = self.settings.timezone.offset_of_local(local);
        }
        Ok(Moment { days, time, east: self.east })
    }
}

/// The offset of a zone that never changes.
fn fixed_offset(zone: &TimeZone) -> Option<i32> {
    const HALF_YEAR: i64 = 182 * SECONDS_PER_DAY;
    let first = zone.offset_at(0);
    let steady = (-200..=200).all(|half| zone.offset_at(half * HALF_YEAR) == first);
    steady.then_some(first)
}
