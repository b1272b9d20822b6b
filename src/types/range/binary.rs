//! The binary form of ranges.
//!
//! ```text
//! flags u8 | length i32 | lower bound, if there is one | length i32 | upper bound, if there is one
//! flags: 01 empty, 02 lower inclusive, 04 upper inclusive, 08 no lower bound, 10 no upper bound
//! ```

use super::{Bound, Range, RangeKind};
use crate::types::binary::receive::{self, exactly, incorrect, take};
use crate::types::binary::send;
use crate::types::error::TypeError;
use crate::types::pg_type::NUMERIC_STORAGE;

const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const WITHOUT_LOWER: u8 = 0x08;
const WITHOUT_UPPER: u8 = 0x10;

/// The stored form of a range that a client sent.
///
/// # Errors
/// `08P01`, `22P03`, `22000`; what the type of the bounds says.
pub(crate) fn read_binary(kind: RangeKind, bytes: &[u8]) -> Result<Vec<u8>, TypeError> {
    Ok(read_range(kind, bytes)?.encode(kind))
}

/// The range that a client sent.
///
/// # Errors
/// As [`read_binary`].
pub(super) fn read_range(kind: RangeKind, bytes: &[u8]) -> Result<Range, TypeError> {
    let mut rest = bytes;
    let [flags] = take(&mut rest)?;
    let has = |flag: u8| flags & flag != 0;
    let mut bound = |absent: u8, inclusive: u8| -> Result<Bound, TypeError> {
        let value = match has(EMPTY) || has(absent) {
            true => None,
            false => Some(take_value(kind, &mut rest)?),
        };
        Ok(Bound { value, inclusive: has(inclusive) })
    };
    let lower = bound(WITHOUT_LOWER, LOWER_INCLUSIVE)?;
    let upper = bound(WITHOUT_UPPER, UPPER_INCLUSIVE)?;
    if !rest.is_empty() {
        return Err(incorrect());
    }
    match has(EMPTY) {
        true => Ok(Range::Empty),
        false => Range::new(kind, lower, upper),
    }
}

fn take_value(kind: RangeKind, rest: &mut &[u8]) -> Result<i128, TypeError> {
    let length = i32::from_be_bytes(take(rest)?);
    let length = usize::try_from(length).map_err(|_| incorrect())?;
    let insufficient = || TypeError::new("08P01", "insufficient data left in message");
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(insufficient)?;
    *rest = after;
    Ok(match kind {
        RangeKind::Int4 => i32::from_be_bytes(exactly(bytes)?).into(),
        RangeKind::Int8 => i64::from_be_bytes(exactly(bytes)?).into(),
        RangeKind::Num => {
            let (precision, scale) = NUMERIC_STORAGE;
            receive::numeric(bytes, precision, scale, false)?
        }
        RangeKind::Ts | RangeKind::Tstz => receive::timestamp(bytes)?.into(),
        RangeKind::Date => receive::date(bytes)?.into(),
    })
}

/// Appends the binary form of a stored range.
///
/// # Errors
/// `XX001` for bytes that are no range of this type.
pub(crate) fn append_binary(
    kind: RangeKind,
    stored: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    append_range(kind, &Range::decode(kind, stored)?, out);
    Ok(())
}

pub(super) fn append_range(kind: RangeKind, range: &Range, out: &mut Vec<u8>) {
    let Range::Between { lower, upper } = range else {
        out.push(EMPTY);
        return;
    };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(
        flag(lower.inclusive, LOWER_INCLUSIVE)
            | flag(upper.inclusive, UPPER_INCLUSIVE)
            | flag(lower.value.is_none(), WITHOUT_LOWER)
            | flag(upper.value.is_none(), WITHOUT_UPPER),
    );
    for value in [lower.value, upper.value].into_iter().flatten() {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        match kind {
            RangeKind::Int4 => out.extend_from_slice(&(value as i32).to_be_bytes()),
            RangeKind::Int8 => out.extend_from_slice(&(value as i64).to_be_bytes()),
            RangeKind::Num => send::numeric(value, NUMERIC_STORAGE.1, true, out),
            RangeKind::Ts | RangeKind::Tstz => send::timestamp(value as i64, out),
            RangeKind::Date => send::date(value as i32, out),
        }
        let length = (out.len() - at - 4) as i32;
        if let Some(slot) = out.get_mut(at..at + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
    }
}
