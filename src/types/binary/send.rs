//! Send functions for the types whose binary form is not simply their Arrow value in network order.

use arrow::datatypes::{IntervalMonthDayNano, i256};

use crate::types::calendar::{MICROS_PER_SECOND, PG_EPOCH_DAYS, PG_EPOCH_MICROS};
use crate::types::error::TypeError;

/// The first byte of a binary `jsonb`.
pub(crate) const JSONB_VERSION: u8 = 1;

/// Days since 2000-01-01; the infinities stay as they are.
pub(crate) fn date(days: i32, out: &mut Vec<u8>) {
    let days = match days {
        i32::MAX | i32::MIN => days,
        finite => finite.saturating_sub(PG_EPOCH_DAYS),
    };
    out.extend_from_slice(&days.to_be_bytes());
}

/// Microseconds since 2000-01-01; the infinities stay as they are.
pub(crate) fn timestamp(micros: i64, out: &mut Vec<u8>) {
    let micros = match micros {
        i64::MAX | i64::MIN => micros,
        finite => finite.saturating_sub(PG_EPOCH_MICROS),
    };
    out.extend_from_slice(&micros.to_be_bytes());
}

/// ```text
/// microseconds i64 | days i32 | months i32
/// ```
pub(crate) fn interval(value: IntervalMonthDayNano, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.nanoseconds.div_euclid(1000).to_be_bytes());
    out.extend_from_slice(&value.days.to_be_bytes());
    out.extend_from_slice(&value.months.to_be_bytes());
}

/// The order of the numbers is the order of their bytes, once the sign bit is turned over.
const SIGN_64: u64 = 1 << 63;
const SIGN_32: u32 = 1 << 31;

/// The stored form of a time with an offset east of Greenwich: twelve bytes whose order is
/// PostgreSQL's, by the moment and then by the offset.
///
/// ```text
/// microseconds in Greenwich, sign turned, u64 | seconds west, sign turned, u32
/// ```
pub(crate) fn stored_timetz(micros: i64, east: i32) -> [u8; 12] {
    let moment = micros.saturating_sub(i64::from(east) * MICROS_PER_SECOND);
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&(moment as u64 ^ SIGN_64).to_be_bytes());
    bytes[8..].copy_from_slice(&(east.saturating_neg() as u32 ^ SIGN_32).to_be_bytes());
    bytes
}

/// Microseconds since midnight and seconds east of Greenwich, of the stored form.
pub(crate) fn timetz_parts(bytes: &[u8]) -> (i64, i32) {
    let Some((moment, rest)) = bytes.split_first_chunk::<8>() else { return (0, 0) };
    let Some(west) = rest.first_chunk::<4>() else { return (0, 0) };
    let east = ((u32::from_be_bytes(*west) ^ SIGN_32) as i32).saturating_neg();
    let moment = (u64::from_be_bytes(*moment) ^ SIGN_64) as i64;
    (moment.saturating_add(i64::from(east) * MICROS_PER_SECOND), east)
}

/// ```text
/// microseconds since midnight i64 | seconds west i32
/// ```
pub(crate) fn timetz(stored: &[u8], out: &mut Vec<u8>) {
    let (micros, east) = timetz_parts(stored);
    out.extend_from_slice(&micros.to_be_bytes());
    out.extend_from_slice(&east.saturating_neg().to_be_bytes());
}

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;

/// A numeric as base-10000 digits.
///
/// ```text
/// digits u16 | weight i16 | sign u16 | display scale u16 | digit u16 …
/// ```
/// The value is the sum of `digit[i] * 10000^(weight - i)`. With `trim`, the display scale leaves out
/// zeros at the end of the fraction.
pub(crate) fn numeric(value: i128, scale: i8, trim: bool, out: &mut Vec<u8>) {
    match (i64::try_from(value), u32::try_from(scale)) {
        (Ok(value), Ok(scale)) if scale <= 16 => small_numeric(value, scale, trim, out),
        _ => numeric_of_text(itoa::Buffer::new().format(value), scale, trim, out),
    }
}

pub(crate) fn wide_numeric(value: i256, scale: i8, out: &mut Vec<u8>) {
    numeric_of_text(&value.to_string(), scale, false, out);
}

/// [`numeric`] by arithmetic: scales up to 16 have at most four digits after the point.
fn small_numeric(value: i64, scale: u32, trim: bool, out: &mut Vec<u8>) {
    let magnitude = value.unsigned_abs();
    let power = 10_u64.pow(scale);
    let (mut whole, fraction) = (magnitude / power, magnitude % power);
    let fraction_digits = scale.div_ceil(4);
    // Padded to whole base-10000 digits: below 10^16.
    let mut padded = fraction * 10_u64.pow(fraction_digits * 4 - scale);
    let mut display_scale = scale;
    if trim {
        let mut rest = fraction;
        while display_scale > 0 && rest % 10 == 0 {
            rest /= 10;
            display_scale -= 1;
        }
    }
    // Least significant first: 4 of the fraction, 5 of the whole part.
    let mut digits = [0_u16; 9];
    for digit in digits.iter_mut().take(fraction_digits as usize) {
        *digit = (padded % 10_000) as u16;
        padded /= 10_000;
    }
    let mut len = fraction_digits as usize;
    while whole > 0 {
        digits[len] = (whole % 10_000) as u16;
        whole /= 10_000;
        len += 1;
    }
    let weight = len as i32 - fraction_digits as i32 - 1;
    let digits = digits.get(..len).unwrap_or_default().iter().rev().copied();
    put_numeric(digits, len, weight, value < 0, display_scale, out);
}

/// [`numeric`] by the decimal text of the unscaled value, for any size.
fn numeric_of_text(text: &str, scale: i8, trim: bool, out: &mut Vec<u8>) {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits.as_bytes()),
        None => (false, text.as_bytes()),
    };
    let scale = i32::from(scale);
    // Position of a decimal digit relative to the point: 0 is the ones, -1 the tenths.
    let highest = digits.len() as i32 - 1 - scale;
    let weight = highest.div_euclid(4);
    let lowest_group = (-scale).div_euclid(4);
    let digit_at = |position: i32| {
        let index = usize::try_from(highest - position).ok();
        index.and_then(|index| digits.get(index)).map_or(0, |digit| u16::from(digit - b'0'))
    };
    let group =
        |group: i32| (0..4).rev().fold(0, |sum, place| sum * 10 + digit_at(group * 4 + place));
    let mut display_scale = scale.max(0);
    if trim {
        while display_scale > 0 && digit_at(-display_scale) == 0 {
            display_scale -= 1;
        }
    }
    let count = usize::try_from(weight - lowest_group + 1).unwrap_or(0);
    let groups = (lowest_group..=weight).rev().map(group);
    put_numeric(groups, count, weight, negative, display_scale.unsigned_abs(), out);
}

/// Leaves out zero digits at both ends.
fn put_numeric(
    digits: impl Iterator<Item = u16>,
    count: usize,
    weight: i32,
    negative: bool,
    display_scale: u32,
    out: &mut Vec<u8>,
) {
    let header = out.len();
    out.extend_from_slice(&[0; 8]);
    let mut weight = weight;
    let mut written = 0_u16;
    let mut end = out.len();
    for digit in digits.take(count) {
        if written == 0 && digit == 0 {
            weight -= 1;
            continue;
        }
        out.extend_from_slice(&digit.to_be_bytes());
        written += 1;
        if digit != 0 {
            end = out.len();
        }
    }
    out.truncate(end);
    let kept = ((end - header - 8) / 2) as u16;
    let (weight, sign) = match kept {
        0 => (0, POSITIVE),
        _ if negative => (weight, NEGATIVE),
        _ => (weight, POSITIVE),
    };
    let fields = [kept, weight as i16 as u16, sign, display_scale as u16];
    if let Some(slot) = out.get_mut(header..header + 8) {
        for (bytes, field) in slot.chunks_exact_mut(2).zip(fields) {
            bytes.copy_from_slice(&field.to_be_bytes());
        }
    }
}

/// `(block,offset)` as u32 and u16.
pub(crate) fn tid(text: &str, out: &mut Vec<u8>) -> Result<(), TypeError> {
    let parts = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let parts = parts.and_then(|text| text.split_once(','));
    let numbers = parts.and_then(|(block, offset)| {
        Some((block.parse::<u32>().ok()?, offset.parse::<u16>().ok()?))
    });
    let (block, offset) = numbers.ok_or_else(|| TypeError::syntax("tid", text))?;
    out.extend_from_slice(&block.to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
    Ok(())
}

/// ```text
/// family u8: 2 or 3 | prefix length u8 | is cidr u8: 0 | address length u8 | address
/// ```
pub(crate) fn inet(text: &str, out: &mut Vec<u8>) -> Result<(), TypeError> {
    let invalid = || TypeError::syntax("inet", text);
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| invalid())?)),
        None => (text, None),
    };
    match address.parse::<std::net::IpAddr>().map_err(|_| invalid())? {
        std::net::IpAddr::V4(address) => {
            out.extend_from_slice(&[2, prefix.unwrap_or(32), 0, 4]);
            out.extend_from_slice(&address.octets());
        }
        std::net::IpAddr::V6(address) => {
            out.extend_from_slice(&[3, prefix.unwrap_or(128), 0, 16]);
            out.extend_from_slice(&address.octets());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: i128, scale: i8, trim: bool) -> Vec<i16> {
        let mut out = Vec::new();
        numeric(value, scale, trim, &mut out);
        out.chunks_exact(2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]])).collect()
    }

    #[test]
    fn numerics() {
        assert_eq!(sent(0, 2, false), [0, 0, 0, 2]);
        assert_eq!(sent(1, 0, false), [1, 0, 0, 0, 1]);
        assert_eq!(sent(-12_345_678, 2, false), [3, 1, 0x4000, 2, 12, 3456, 7800]);
        assert_eq!(sent(5, 4, false), [1, -1, 0, 4, 5]);
        assert_eq!(sent(5, 5, false), [1, -2, 0, 5, 5000]);
        assert_eq!(sent(15 * 10_i128.pow(15), 16, true), [2, 0, 0, 1, 1, 5000]);
        assert_eq!(sent(120_000, 0, false), [1, 1, 0, 0, 12]);
        assert_eq!(sent(120_000, 0, false)[3..4], [0]);
        assert_eq!(sent(12, -2, false), [1, 0, 0, 0, 1200]);
        let large = 10_i128.pow(37) + 1;
        assert_eq!(sent(large, 36, false), [10, 0, 0, 36, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn stored_times_with_offsets_have_the_order_of_their_moments() {
        const HOUR: i64 = 3600 * MICROS_PER_SECOND;
        // In Greenwich 22:00 the day before, 09:00, 10:00 and 11:00.
        let times = [(HOUR, 3 * 3600), (10 * HOUR, 3600), (10 * HOUR, 0), (10 * HOUR, -3600)];
        let stored = times.map(|(micros, east)| stored_timetz(micros, east));
        assert!(stored.is_sorted());
        assert_eq!(stored.map(|bytes| timetz_parts(&bytes)), times);
    }

    #[test]
    fn both_ways_of_sending_agree() {
        for scale in 0..=16 {
            for value in [0_i64, 1, -1, 9_999, 10_000, 123_456_789_012, i64::MAX, i64::MIN] {
                let (mut arithmetic, mut text) = (Vec::new(), Vec::new());
                small_numeric(value, scale, true, &mut arithmetic);
                numeric_of_text(&value.to_string(), scale as i8, true, &mut text);
                assert_eq!(arithmetic, text, "{value} scale {scale}");
            }
        }
    }
}
