//! A range as the bytes it is stored as, and back.

use super::{Bound, Range, RangeKind};
use crate::types::error::TypeError;

const EMPTY: u8 = 0;
const WITHOUT_LOWER: u8 = 1;
const WITH_LOWER: u8 = 2;
const WITH_UPPER: u8 = 0;
const WITHOUT_UPPER: u8 = 1;

const SIGN_32: u32 = 1 << 31;
const SIGN_64: u64 = 1 << 63;
const SIGN_128: u128 = 1 << 127;

impl RangeKind {
    /// Appends a value as bytes whose order is that of the values.
    fn push_value(self, value: i128, out: &mut Vec<u8>) {
        match self {
            // Values come from the type's own storage, so they fit.
            Self::Int4 | Self::Date => {
                out.extend_from_slice(&(value as i32 as u32 ^ SIGN_32).to_be_bytes());
            }
            Self::Int8 | Self::Ts | Self::Tstz => {
                out.extend_from_slice(&(value as i64 as u64 ^ SIGN_64).to_be_bytes());
            }
            Self::Num => out.extend_from_slice(&(value as u128 ^ SIGN_128).to_be_bytes()),
        }
    }

    fn take_value(self, bytes: &mut &[u8]) -> Option<i128> {
        Some(match self {
            Self::Int4 | Self::Date => {
                i128::from((u32::from_be_bytes(take(bytes)?) ^ SIGN_32) as i32)
            }
            Self::Int8 | Self::Ts | Self::Tstz => {
                i128::from((u64::from_be_bytes(take(bytes)?) ^ SIGN_64) as i64)
            }
            Self::Num => (u128::from_be_bytes(take(bytes)?) ^ SIGN_128) as i128,
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*chunk)
}

/// A byte that is 0 or 1.
fn take_flag(bytes: &mut &[u8]) -> Option<bool> {
    match take(bytes)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

impl Range {
    /// The bytes that it is stored as.
    pub(crate) fn encode(&self, kind: RangeKind) -> Vec<u8> {
        let Self::Between { lower, upper } = self else { return vec![EMPTY] };
        let mut out = Vec::with_capacity(36);
        match lower.value {
            None => out.push(WITHOUT_LOWER),
            Some(value) => {
                out.push(WITH_LOWER);
                kind.push_value(value, &mut out);
                out.push(u8::from(!lower.inclusive));
            }
        }
        match upper.value {
            None => out.push(WITHOUT_UPPER),
            Some(value) => {
                out.push(WITH_UPPER);
                kind.push_value(value, &mut out);
                out.push(u8::from(upper.inclusive));
            }
        }
        out
    }

    /// The range that was stored.
    ///
    /// # Errors
    /// `XX001` for bytes that are no range of this type.
    pub(crate) fn decode(kind: RangeKind, stored: &[u8]) -> Result<Self, TypeError> {
        let mut rest = stored;
        let range = Self::take(kind, &mut rest)?;
        if rest.is_empty() { Ok(range) } else { Err(damaged()) }
    }

    /// Takes a stored range off the front.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(super) fn take(kind: RangeKind, rest: &mut &[u8]) -> Result<Self, TypeError> {
        Self::read(kind, rest).ok_or_else(damaged)
    }

    fn read(kind: RangeKind, rest: &mut &[u8]) -> Option<Self> {
        let [first] = take(rest)?;
        let lower = match first {
            EMPTY => return Some(Self::Empty),
            WITHOUT_LOWER => Bound { value: None, inclusive: false },
            WITH_LOWER => {
                let value = Some(kind.take_value(rest)?);
                Bound { value, inclusive: !take_flag(rest)? }
            }
            _ => return None,
        };
        let upper = match take_flag(rest)? {
            true => Bound { value: None, inclusive: false },
            false => {
                let value = Some(kind.take_value(rest)?);
                Bound { value, inclusive: take_flag(rest)? }
            }
        };
        Some(Self::Between { lower, upper })
    }
}

fn damaged() -> TypeError {
    TypeError::new("XX001", "a stored range is damaged")
}
