//! Dates, times and timestamps.

use crate::types::calendar::{
    DATE_MAX, DATE_MIN, MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_MIN, days_from_civil,
    days_in_month,
};
use crate::types::error::{TypeError, lossy};
use crate::types::settings::InputSettings;

use super::decode::{Decoded, Moment, decode_date_time, decode_time};
use super::fields::{DateTimeError, split};

/// Days since 1970-01-01.
pub(crate) fn read_date(text: &[u8], settings: &InputSettings) -> Result<i32, TypeError> {
    if let Some((days, b"")) = iso_date(text) {
        return Ok(days);
    }
    let days = match decode(text, "date", settings)? {
        Decoded::Moment(moment) => moment.days,
        Decoded::Epoch => 0,
        Decoded::Infinity => return Ok(i32::MAX),
        Decoded::NegativeInfinity => return Ok(i32::MIN),
    };
    match i32::try_from(days) {
        Ok(day) if (DATE_MIN..=DATE_MAX).contains(&days) => Ok(day),
        _ => Err(TypeError::new("22008", format!("date out of range: \"{}\"", lossy(text)))),
    }
}

/// Microseconds since midnight.
pub(crate) fn read_time(text: &[u8], settings: &InputSettings) -> Result<i64, TypeError> {
    if let Some((micros, b"")) = iso_time(text) {
        return Ok(micros);
    }
    Ok(decode_time_of(text, "time", settings)?.time)
}

/// Microseconds since midnight and seconds east of Greenwich.
pub(crate) fn read_timetz(text: &[u8], settings: &InputSettings) -> Result<(i64, i32), TypeError> {
    let moment = decode_time_of(text, "time with time zone", settings)?;
    Ok((moment.time, moment.east))
}

/// Microseconds since 1970-01-01; a zone in the text is read and means nothing.
pub(crate) fn read_timestamp(text: &[u8], settings: &InputSettings) -> Result<i64, TypeError> {
    if let Some((micros, b"")) = iso_timestamp(text) {
        return Ok(micros);
    }
    match decode(text, "timestamp", settings)? {
        Decoded::Moment(moment) => micros_of(&moment, 0, text),
        special => Ok(special_micros(special)),
    }
}

/// Microseconds since 1970-01-01 UTC; a text without a zone is in the session's.
pub(crate) fn read_timestamptz(text: &[u8], settings: &InputSettings) -> Result<i64, TypeError> {
    if let Some((local, rest)) = iso_timestamp(text)
        && let Some(east) = iso_offset(rest, local, settings)
    {
        return Ok(local - i64::from(east) * MICROS_PER_SECOND);
    }
    match decode(text, "timestamp with time zone", settings)? {
        Decoded::Moment(moment) => micros_of(&moment, moment.east, text),
        special => Ok(special_micros(special)),
    }
}

fn special_micros(special: Decoded) -> i64 {
    match special {
        Decoded::Infinity => i64::MAX,
        Decoded::NegativeInfinity => i64::MIN,
        Decoded::Epoch | Decoded::Moment(_) => 0,
    }
}

fn micros_of(moment: &Moment, east: i32, text: &[u8]) -> Result<i64, TypeError> {
    let micros = moment.days.checked_mul(MICROS_PER_DAY);
    let micros = micros.and_then(|micros| micros.checked_add(moment.time));
    let shift = i64::from(east) * MICROS_PER_SECOND;
    match micros.and_then(|micros| micros.checked_sub(shift)) {
        Some(micros) if (TIMESTAMP_MIN..i64::MAX).contains(&micros) => Ok(micros),
        _ => Err(TypeError::new("22008", format!("timestamp out of range: \"{}\"", lossy(text)))),
    }
}

fn decode(text: &[u8], type_name: &str, settings: &InputSettings) -> Result<Decoded, TypeError> {
    let decoded = split(text).and_then(|fields| decode_date_time(&fields, settings));
    decoded.map_err(|error| date_time_error(error, type_name, text))
}

fn decode_time_of(
    text: &[u8],
    type_name: &str,
    settings: &InputSettings,
) -> Result<Moment, TypeError> {
    let decoded = split(text).and_then(|fields| decode_time(&fields, settings));
    decoded.map_err(|error| date_time_error(error, type_name, text))
}

pub(super) fn date_time_error(error: DateTimeError, type_name: &str, text: &[u8]) -> TypeError {
    let text = lossy(text);
    let overflow = || format!("date/time field value out of range: \"{text}\"");
    match error {
        DateTimeError::BadFormat => TypeError::new(
            "22007",
            format!("invalid input syntax for type {type_name}: \"{text}\""),
        ),
        DateTimeError::FieldOverflow => TypeError::new("22008", overflow()),
        DateTimeError::MonthDayOverflow => TypeError::new("22008", overflow())
            .with_hint("Perhaps you need a different \"datestyle\" setting."),
        DateTimeError::OffsetOverflow => {
            TypeError::new("22009", format!("time zone displacement out of range: \"{text}\""))
        }
        DateTimeError::IntervalOverflow => {
            TypeError::new("22015", format!("interval field value out of range: \"{text}\""))
        }
        DateTimeError::UnknownZone(zone) => {
            TypeError::new("22023", format!("time zone \"{zone}\" not recognized"))
        }
    }
}

// The forms PostgreSQL itself writes, which are most of what is ever read. Anything out of the
// ordinary is left to the general way.

/// `yyyy-mm-dd` and what follows it.
fn iso_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = digits(&date[..4])?;
    let month = digits(&date[5..7])?;
    let day = digits(&date[8..])?;
    let valid = year > 0
        && (1..=12).contains(&month)
        && (1..=days_in_month(i64::from(year), month)).contains(&day);
    let days = days_from_civil(i64::from(year), month, day);
    valid.then_some((i32::try_from(days).ok()?, rest))
}

/// `hh:mm:ss[.ffffff]` and what follows it.
fn iso_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (time, mut rest) = text.split_first_chunk::<8>()?;
    if time[2] != b':' || time[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&time[..2])?, digits(&time[3..5])?, digits(&time[6..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = i64::from((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND;
    if let Some((b'.', after)) = rest.split_first() {
        let len = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=6).contains(&len) {
            return None;
        }
        let (fraction, after) = after.split_at(len);
        micros += i64::from(digits(fraction)?) * 10_i64.pow(6 - len as u32);
        rest = after;
    }
    Some((micros, rest))
}

fn iso_timestamp(text: &[u8]) -> Option<(i64, &[u8])> {
    let (days, rest) = iso_date(text)?;
    let rest = match rest.split_first()? {
        (b' ' | b'T', rest) => rest,
        _ => return None,
    };
    let (micros, rest) = iso_time(rest)?;
    Some((i64::from(days) * MICROS_PER_DAY + micros, rest))
}

/// Nothing, `Z`, `+hh` or `+hh:mm`.
fn iso_offset(text: &[u8], local: i64, settings: &InputSettings) -> Option<i32> {
    match text {
        b"" => Some(settings.timezone.offset_of_local(local.div_euclid(MICROS_PER_SECOND))),
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest {
                [_, _] => (digits(rest)?, 0),
                [_, _, b':', _, _] => (digits(&rest[..2])?, digits(&rest[3..])?),
                _ => return None,
            };
            if hours > 15 || minutes > 59 {
                return None;
            }
            let east = ((hours * 60 + minutes) * 60) as i32;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u32::from(digit))
    })
}
