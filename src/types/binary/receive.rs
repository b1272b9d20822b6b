//! Receive functions for the types whose binary form is not simply their Arrow value in network order.
//!
//! The errors say `incorrect binary data format`; the caller adds where (`in bind parameter 1`).

use arrow::datatypes::IntervalMonthDayNano;

use crate::types::calendar::{
    DATE_MAX, DATE_MIN, MICROS_PER_DAY, PG_EPOCH_DAYS, PG_EPOCH_MICROS, TIMESTAMP_MIN,
};
use crate::types::error::TypeError;
use crate::types::text::input::{Decimal, read_numeric};

/// `22P03`: the bytes are not of the type's binary form.
pub(crate) fn incorrect() -> TypeError {
    TypeError::new("22P03", "incorrect binary data format")
}

fn insufficient() -> TypeError {
    TypeError::new("08P01", "insufficient data left in message")
}

/// The value as exactly `N` bytes.
pub(crate) fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], TypeError> {
    match bytes.split_first_chunk::<N>() {
        Some((chunk, [])) => Ok(*chunk),
        Some(_) => Err(incorrect()),
        None => Err(insufficient()),
    }
}

/// Takes `N` bytes off the front.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], TypeError> {
    let (chunk, rest) = bytes.split_first_chunk::<N>().ok_or_else(insufficient)?;
    *bytes = rest;
    Ok(*chunk)
}

pub(crate) fn date(bytes: &[u8]) -> Result<i32, TypeError> {
    let days = i32::from_be_bytes(exactly(bytes)?);
    if days == i32::MAX || days == i32::MIN {
        return Ok(days);
    }
    let unix = i64::from(days) + i64::from(PG_EPOCH_DAYS);
    match i32::try_from(unix) {
        Ok(day) if (DATE_MIN..=DATE_MAX).contains(&unix) => Ok(day),
        _ => Err(TypeError::new("22008", "date out of range")),
    }
}

pub(crate) fn time(bytes: &[u8]) -> Result<i64, TypeError> {
    let micros = i64::from_be_bytes(exactly(bytes)?);
    if (0..=MICROS_PER_DAY).contains(&micros) {
        return Ok(micros);
    }
    Err(TypeError::new("22008", "time out of range"))
}

/// The stored form, of [`super::send::stored_timetz`].
pub(crate) fn timetz(bytes: &[u8]) -> Result<[u8; 12], TypeError> {
    const OFFSET_MAX: u32 = 16 * 3600;
    let received: [u8; 12] = exactly(bytes)?;
    let mut rest = &received[..];
    let micros = time(&take::<8>(&mut rest)?)?;
    let west = i32::from_be_bytes(take(&mut rest)?);
    if west.unsigned_abs() >= OFFSET_MAX {
        return Err(TypeError::new("22009", "time zone displacement out of range"));
    }
    Ok(super::send::stored_timetz(micros, -west))
}

pub(crate) fn timestamp(bytes: &[u8]) -> Result<i64, TypeError> {
    let micros = i64::from_be_bytes(exactly(bytes)?);
    if micros == i64::MAX || micros == i64::MIN {
        return Ok(micros);
    }
    match micros.checked_add(PG_EPOCH_MICROS) {
        Some(unix) if (TIMESTAMP_MIN..i64::MAX).contains(&unix) => Ok(unix),
        _ => Err(TypeError::new("22008", "timestamp out of range")),
    }
}

pub(crate) fn interval(bytes: &[u8]) -> Result<IntervalMonthDayNano, TypeError> {
    let stored: [u8; 16] = exactly(bytes)?;
    let mut rest = &stored[..];
    let micros = i64::from_be_bytes(take(&mut rest)?);
    let days = i32::from_be_bytes(take(&mut rest)?);
    let months = i32::from_be_bytes(take(&mut rest)?);
    let nanos = micros.checked_mul(1000);
    let nanos = nanos.ok_or_else(|| TypeError::new("22008", "interval out of range"))?;
    Ok(IntervalMonthDayNano::new(months, days, nanos))
}

pub(crate) fn bool(bytes: &[u8]) -> Result<bool, TypeError> {
    let [byte] = exactly(bytes)?;
    Ok(byte != 0)
}

/// The text after the version byte.
pub(crate) fn jsonb(bytes: &[u8]) -> Result<&[u8], TypeError> {
    match bytes.split_first() {
        Some((&super::send::JSONB_VERSION, text)) => Ok(text),
        Some((version, _)) => {
            Err(TypeError::new("XX000", format!("unsupported jsonb version number {version}")))
        }
        None => Err(insufficient()),
    }
}

/// Base-10000 digits (see [`super::send::numeric`]), rounded to the column's scale.
pub(crate) fn numeric<D: Decimal>(
    bytes: &[u8],
    precision: u8,
    scale: i8,
    declared: bool,
) -> Result<D, TypeError> {
    // The decimal text is read like any other, so that rounding and limits are the same.
    read_numeric(decimal_text(bytes)?.as_bytes(), precision, scale, declared)
}

fn decimal_text(bytes: &[u8]) -> Result<String, TypeError> {
    const NEGATIVE: u16 = 0x4000;
    const NAN: u16 = 0xc000;
    const INFINITY: u16 = 0xd000;
    const NEGATIVE_INFINITY: u16 = 0xf000;
    let external =
        |what| TypeError::new("22P03", format!("invalid {what} in external \"numeric\" value"));
    let mut rest = bytes;
    let count = u16::from_be_bytes(take(&mut rest)?);
    let weight = i16::from_be_bytes(take(&mut rest)?);
    let sign = u16::from_be_bytes(take(&mut rest)?);
    let scale = u16::from_be_bytes(take(&mut rest)?);
    let mut text = String::with_capacity(usize::from(count) * 4 + 8);
    match sign {
        0 => {}
        NEGATIVE => text.push('-'),
        NAN => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Ok("-Infinity".to_owned()),
        _ => return Err(external("sign")),
    }
    if scale > 0x3fff {
        return Err(external("scale"));
    }
    text.push('0');
    for _ in 0..count {
        let digit = u16::from_be_bytes(take(&mut rest)?);
        if digit >= 10_000 {
            return Err(external("digit"));
        }
        for place in [1000, 100, 10, 1] {
            text.push(char::from(b'0' + (digit / place % 10) as u8));
        }
    }
    if !rest.is_empty() {
        return Err(incorrect());
    }
    // The digits as one integer, whose last digit counts 10000^(weight - count + 1).
    let exponent = (i32::from(weight) - i32::from(count) + 1) * 4;
    text.push('e');
    text.push_str(itoa::Buffer::new().format(exponent));
    Ok(text)
}

/// `(block,offset)`.
pub(crate) fn tid(bytes: &[u8]) -> Result<String, TypeError> {
    let stored: [u8; 6] = exactly(bytes)?;
    let mut rest = &stored[..];
    let block = u32::from_be_bytes(take(&mut rest)?);
    let offset = u16::from_be_bytes(take(&mut rest)?);
    Ok(format!("({block},{offset})"))
}

/// See [`super::send::inet`].
pub(crate) fn inet(bytes: &[u8]) -> Result<String, TypeError> {
    let mut rest = bytes;
    let [family, bits, _, length] = take(&mut rest)?;
    let (address, full): (std::net::IpAddr, u8) = match (family, length) {
        (2, 4) => (exactly::<4>(rest)?.into(), 32),
        (3, 16) => (exactly::<16>(rest)?.into(), 128),
        _ => {
            return Err(TypeError::new(
                "22P03",
                "invalid address family in external \"inet\" value",
            ));
        }
    };
    if bits > full {
        return Err(TypeError::new("22P03", "invalid bits in external \"inet\" value"));
    }
    Ok(if bits == full { address.to_string() } else { format!("{address}/{bits}") })
}

/// The elements of a binary array, each NULL or bytes.
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
    left: usize,
    /// The length of each dimension, outermost first.
    pub(crate) lengths: Vec<usize>,
}

impl<'a> Elements<'a> {
    /// Reads the header; the format is drawn at `append_binary_array`.
    ///
    /// # Errors
    /// `42804` if the elements are not of type `element_oid`, `0A000` for dimensions that do not begin at 1,
    /// `22P03` or `08P01` for malformed bytes.
    pub(crate) fn new(bytes: &'a [u8], element_oid: u32) -> Result<Self, TypeError> {
        const DIMENSIONS_MAX: i32 = 6;
        const FIRST_OWN_OID: u32 = 16_384;
        let mut rest = bytes;
        let dimensions = i32::from_be_bytes(take(&mut rest)?);
        let flags = i32::from_be_bytes(take(&mut rest)?);
        let found_oid = u32::from_be_bytes(take(&mut rest)?);
        if !(0..=DIMENSIONS_MAX).contains(&dimensions) {
            return Err(TypeError::new(
                "22P03",
                format!("invalid number of dimensions: {dimensions}"),
            ));
        }
        if flags != 0 && flags != 1 {
            return Err(TypeError::new("22P03", "invalid array flags"));
        }
        // Elements of a domain, which only the catalog knows, are those of what it stands on.
        let is_own = |oid: u32| oid >= FIRST_OWN_OID;
        if found_oid != element_oid && (is_own(element_oid) || !is_own(found_oid)) {
            return Err(TypeError::new(
                "42804",
                format!(
                    "binary data has array element type {found_oid} instead of expected \
                     {element_oid}"
                ),
            ));
        }
        let mut lengths = Vec::new();
        for _ in 0..dimensions {
            let length = i32::from_be_bytes(take(&mut rest)?);
            let first_index = i32::from_be_bytes(take(&mut rest)?);
            if dimensions > 1 && first_index != 1 {
                let message = "arrays whose index does not begin at 1 are not supported";
                return Err(TypeError::unsupported(message));
            }
            lengths.push(usize::try_from(length).map_err(|_| incorrect())?);
        }
        let elements = lengths.iter().try_fold(1_usize, |all, length| all.checked_mul(*length));
        let left = if lengths.is_empty() { 0 } else { elements.ok_or_else(insufficient)? };
        // Each element takes at least its length.
        if left > rest.len() / 4 {
            return Err(insufficient());
        }
        if left == 0 {
            lengths.clear();
        }
        Ok(Self { rest, left, lengths })
    }

    /// Checks that nothing follows the last element.
    ///
    /// # Errors
    /// `22P03`
    pub(crate) fn finish(&self) -> Result<(), TypeError> {
        if self.left == 0 && self.rest.is_empty() { Ok(()) } else { Err(incorrect()) }
    }

    /// The next element; `None` after the last one.
    pub(crate) fn next_element(&mut self) -> Result<Option<Option<&'a [u8]>>, TypeError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(incorrect()) };
        }
        self.left -= 1;
        let length = i32::from_be_bytes(take(&mut self.rest)?);
        if length == -1 {
            return Ok(Some(None));
        }
        let length = usize::try_from(length).map_err(|_| insufficient())?;
        let (element, rest) = self.rest.split_at_checked(length).ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(Some(Some(element)))
    }
}
