//! Times of day and offsets from Greenwich, each as one field.

use super::fields::{DateTimeError, fraction_micros, leading_number};

/// `hh:mm`, `hh:mm:ss[.f]`, `mm:ss.f` as hour, minute, second, microsecond.
pub(super) fn read_clock(text: &str) -> Result<(i64, i64, i64, i64), DateTimeError> {
    let part = |text: &'_ str| -> Result<(i64, usize), DateTimeError> {
        let (number, rest) = leading_number(text)?;
        Ok((number.unwrap_or(0), text.len() - rest.len()))
    };
    let (first, used) = part(text)?;
    let rest = text[used..].strip_prefix(':').ok_or(DateTimeError::BadFormat)?;
    let (second, used) = part(rest)?;
    let rest = &rest[used..];
    let (hour, minute, second, micros) = if rest.is_empty() {
        (first, second, 0, 0)
    } else if rest.starts_with('.') {
        (0, first, second, fraction_micros(rest)?)
    } else {
        let rest = rest.strip_prefix(':').ok_or(DateTimeError::BadFormat)?;
        let (third, used) = part(rest)?;
        let micros = match &rest[used..] {
            "" => 0,
            fraction => fraction_micros(fraction)?,
        };
        (first, second, third, micros)
    };
    if hour < 0 || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return Err(DateTimeError::FieldOverflow);
    }
    Ok((hour, minute, second, micros))
}

/// `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss` as seconds east of Greenwich.
pub(super) fn read_offset(text: &str) -> Result<i32, DateTimeError> {
    const HOURS_MAX: i64 = 15;
    let negative = match text.bytes().next() {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => return Err(DateTimeError::BadFormat),
    };
    let overflow = |error| match error {
        DateTimeError::FieldOverflow => DateTimeError::OffsetOverflow,
        other => other,
    };
    let (hours, mut rest) = leading_number(&text[1..]).map_err(overflow)?;
    let mut hours = hours.ok_or(DateTimeError::BadFormat)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        let (number, after) = leading_number(after).map_err(overflow)?;
        minutes = number.unwrap_or(0);
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            let (number, after) = leading_number(after).map_err(overflow)?;
            seconds = number.unwrap_or(0);
            rest = after;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hours, minutes) = (hours / 100, hours % 100);
    }
    if !(0..=HOURS_MAX).contains(&hours) || minutes > 59 || seconds > 59 {
        return Err(DateTimeError::OffsetOverflow);
    }
    if !rest.is_empty() {
        return Err(DateTimeError::BadFormat);
    }
    let east = ((hours * 60 + minutes) * 60 + seconds) as i32;
    Ok(if negative { -east } else { east })
}
