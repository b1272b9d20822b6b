//! Ranges: what they are over, and the bytes they are stored as.
//!
//! The order of the bytes is PostgreSQL's order of ranges, and ranges are equal when their bytes are, so that whatever
//! compares, sorts, groups or indexes bytes does so for ranges.
//!
//! ```text
//! 00                                                      empty
//! 01 | upper                                              without a lower bound
//! 02 | value | 00 inclusive, 01 exclusive | upper         with one
//! upper: 00 | value | 00 exclusive, 01 inclusive          with an upper bound
//!        01                                               without one
//! ```
//! A value is the number that its type is stored as, big-endian, its sign bit turned over. Ranges of integers and dates
//! are stored in their canonical form, `[a,b)`.

mod algebra;
mod binary;
mod multi;
mod stored;
mod text;

pub(crate) use binary::{append_binary, read_binary};
pub(crate) use multi::{
    Multirange, append_multi_binary, append_multi_text, multi_text_of, read_multi_binary,
    read_multi_text,
};
pub(crate) use text::{append_text, read_text, text_of};

use super::calendar::DATE_MAX;
use super::error::TypeError;
use super::pg_type::PgType;

/// Which range type: what its bounds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeKind {
    /// `int4range`
    Int4,
    /// `int8range`
    Int8,
    /// `numrange`
    Num,
    /// `tsrange`
    Ts,
    /// `tstzrange`
    Tstz,
    /// `daterange`
    Date,
}

impl RangeKind {
    /// The type of the bounds.
    #[must_use]
    pub fn subtype(self) -> PgType {
        match self {
            Self::Int4 => PgType::Int4,
            Self::Int8 => PgType::Int8,
            Self::Num => PgType::Numeric(None),
            Self::Ts => PgType::Timestamp(None),
            Self::Tstz => PgType::Timestamptz(None),
            Self::Date => PgType::Date,
        }
    }

    /// The range type over a type, its modifier aside.
    #[must_use]
    pub fn over(ty: &PgType) -> Option<Self> {
        Some(match ty {
            PgType::Int4 => Self::Int4,
            PgType::Int8 => Self::Int8,
            PgType::Numeric(_) => Self::Num,
            PgType::Timestamp(_) => Self::Ts,
            PgType::Timestamptz(_) => Self::Tstz,
            PgType::Date => Self::Date,
            _ => return None,
        })
    }

    /// Whether text of its values follows settings of the session.
    #[must_use]
    pub fn depends_on_session(self) -> bool {
        matches!(self, Self::Ts | Self::Tstz | Self::Date)
    }

    /// The value after this one, where there is such a thing; the infinities of dates stay as they are.
    fn next(self, value: i128) -> Result<Option<i128>, TypeError> {
        let next = value.saturating_add(1);
        let out_of_range =
            |code, what: &str| Err(TypeError::new(code, format!("{what} out of range")));
        match self {
            Self::Num | Self::Ts | Self::Tstz => Ok(None),
            Self::Date if value == i128::from(i32::MIN) || value == i128::from(i32::MAX) => {
                Ok(None)
            }
            Self::Date if next > i128::from(DATE_MAX) => out_of_range("22008", "date"),
            Self::Int4 if next > i128::from(i32::MAX) => out_of_range("22003", "integer"),
            Self::Int8 if next > i128::from(i64::MAX) => out_of_range("22003", "bigint"),
            Self::Date | Self::Int4 | Self::Int8 => Ok(Some(next)),
        }
    }
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The number its type is stored as; none where the range has no such end.
    pub(crate) value: Option<i128>,
    /// Whether the value is in the range.
    pub(crate) inclusive: bool,
}

/// A range. Made by [`Range::new`] alone, so that it is in its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// No value is in it.
    Empty,
    /// The values between two ends.
    Between {
        /// Where it begins.
        lower: Bound,
        /// Where it ends.
        upper: Bound,
    },
}

impl Range {
    /// The range between two bounds, in its canonical form.
    ///
    /// # Errors
    /// `22000` if the lower bound is above the upper one; `22003`, `22008` where the canonical form has a bound that its
    /// type cannot hold.
    pub(crate) fn new(kind: RangeKind, lower: Bound, upper: Bound) -> Result<Self, TypeError> {
        let finite =
            |bound: Bound| Bound { inclusive: bound.inclusive && bound.value.is_some(), ..bound };
        let (mut lower, mut upper) = (finite(lower), finite(upper));
        if is_empty(lower, upper)? {
            return Ok(Self::Empty);
        }
        if let Some(value) = lower.value
            && !lower.inclusive
            && let Some(next) = kind.next(value)?
        {
            lower = Bound { value: Some(next), inclusive: true };
        }
        if let Some(value) = upper.value
            && upper.inclusive
            && let Some(next) = kind.next(value)?
        {
            upper = Bound { value: Some(next), inclusive: false };
        }
        Ok(match is_empty(lower, upper)? {
            true => Self::Empty,
            false => Self::Between { lower, upper },
        })
    }
}

fn is_empty(lower: Bound, upper: Bound) -> Result<bool, TypeError> {
    let (Some(low), Some(high)) = (lower.value, upper.value) else { return Ok(false) };
    if low > high {
        let message = "range lower bound must be less than or equal to range upper bound";
        return Err(TypeError::new("22000", message));
    }
    Ok(low == high && !(lower.inclusive && upper.inclusive))
}

#[cfg(test)]
mod tests;
