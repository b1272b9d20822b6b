//! What operators do with ranges.

use super::{Bound, Range, RangeKind};
use crate::types::error::TypeError;

/// Where an end lies among all ends: before all values, at one or next to it, or behind all.
type Position = (i8, i128, i8);

fn lower_position(bound: Bound) -> Position {
    match bound.value {
        None => (-1, 0, 0),
        Some(value) => (0, value, i8::from(!bound.inclusive)),
    }
}

fn upper_position(bound: Bound) -> Position {
    match bound.value {
        None => (1, 0, 0),
        Some(value) => (0, value, -i8::from(!bound.inclusive)),
    }
}

/// The ends of two ranges, neither of which is empty.
struct Both {
    left: (Bound, Bound),
    right: (Bound, Bound),
}

impl Both {
    fn of(left: &Range, right: &Range) -> Option<Self> {
        Some(Self { left: left.ends()?, right: right.ends()? })
    }

    fn lowers(&self) -> (Position, Position) {
        (lower_position(self.left.0), lower_position(self.right.0))
    }

    fn uppers(&self) -> (Position, Position) {
        (upper_position(self.left.1), upper_position(self.right.1))
    }

    fn overlap(&self) -> bool {
        let ((left_low, right_low), (left_high, right_high)) = (self.lowers(), self.uppers());
        left_low <= right_high && right_low <= left_high
    }

    fn hull(&self, kind: RangeKind) -> Result<Range, TypeError> {
        let ((left_low, right_low), (left_high, right_high)) = (self.lowers(), self.uppers());
        let lower = if left_low <= right_low { self.left.0 } else { self.right.0 };
        let upper = if left_high >= right_high { self.left.1 } else { self.right.1 };
        Range::new(kind, lower, upper)
    }
}

/// The same place as the other kind of end: what was in is out.
fn flipped(bound: Bound) -> Bound {
    Bound { inclusive: !bound.inclusive, ..bound }
}

/// Whether nothing is between the end of one range and the beginning of another, and nothing in both.
fn meet(kind: RangeKind, upper: Bound, lower: Bound) -> bool {
    let (Some(end), Some(begin)) = (upper.value, lower.value) else { return false };
    if end == begin {
        return upper.inclusive != lower.inclusive;
    }
    let discrete = matches!(kind, RangeKind::Int4 | RangeKind::Int8 | RangeKind::Date);
    end < begin
        && discrete
        && matches!(Range::new(kind, flipped(upper), flipped(lower)), Ok(Range::Empty))
}

impl Range {
    /// Both ends; none of a range that is empty.
    pub(crate) fn ends(&self) -> Option<(Bound, Bound)> {
        match self {
            Self::Empty => None,
            Self::Between { lower, upper } => Some((*lower, *upper)),
        }
    }

    /// Whether a value is in it.
    pub(crate) fn has(&self, value: i128) -> bool {
        let here = (0, value, 0);
        self.ends().is_some_and(|(lower, upper)| {
            lower_position(lower) <= here && here <= upper_position(upper)
        })
    }

    /// Whether all of another range is in it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        if *other == Self::Empty {
            return true;
        }
        Both::of(self, other).is_some_and(|both| {
            let (lowers, uppers) = (both.lowers(), both.uppers());
            lowers.0 <= lowers.1 && uppers.0 >= uppers.1
        })
    }

    /// Whether a value is in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        Both::of(self, other).is_some_and(|both| both.overlap())
    }

    /// Whether it ends before another begins.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        Both::of(self, other).is_some_and(|both| both.uppers().0 < both.lowers().1)
    }

    /// Whether it does not reach beyond another's end.
    pub(crate) fn ends_within(&self, other: &Self) -> bool {
        Both::of(self, other).is_some_and(|both| both.uppers().0 <= both.uppers().1)
    }

    /// Whether it does not begin before another.
    pub(crate) fn begins_within(&self, other: &Self) -> bool {
        Both::of(self, other).is_some_and(|both| both.lowers().0 >= both.lowers().1)
    }

    /// Whether one begins where the other ends.
    pub(crate) fn is_adjacent(&self, other: &Self, kind: RangeKind) -> bool {
        Both::of(self, other).is_some_and(|both| {
            meet(kind, both.left.1, both.right.0) || meet(kind, both.right.1, both.left.0)
        })
    }

    /// The smallest range that has both in it.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn merge(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        match Both::of(self, other) {
            Some(both) => both.hull(kind),
            None if *self == Self::Empty => Ok(*other),
            None => Ok(*self),
        }
    }

    /// The values that are in one or the other.
    ///
    /// # Errors
    /// `22000` if something is between them.
    pub(crate) fn union(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        let apart = Both::of(self, other)
            .is_some_and(|both| !both.overlap() && !self.is_adjacent(other, kind));
        if apart {
            let message = "result of range union would not be contiguous";
            return Err(TypeError::new("22000", message));
        }
        self.merge(other, kind)
    }

    /// The values that are in both.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn intersection(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        let Some(both) = Both::of(self, other).filter(Both::overlap) else {
            return Ok(Self::Empty);
        };
        let (lowers, uppers) = (both.lowers(), both.uppers());
        let lower = if lowers.0 >= lowers.1 { both.left.0 } else { both.right.0 };
        let upper = if uppers.0 <= uppers.1 { both.left.1 } else { both.right.1 };
        Self::new(kind, lower, upper)
    }

    /// The values that are in this one and not in another.
    ///
    /// # Errors
    /// `22000` if they are on both sides of the other.
    pub(crate) fn difference(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        match self.without(other, kind)?.as_slice() {
            [] => Ok(Self::Empty),
            [rest] => Ok(*rest),
            _ => {
                let message = "result of range difference would not be contiguous";
                Err(TypeError::new("22000", message))
            }
        }
    }

    /// What is in this one and not in another: nothing, or on one side, or on both.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(super) fn without(&self, other: &Self, kind: RangeKind) -> Result<Vec<Self>, TypeError> {
        let Some(both) = Both::of(self, other).filter(Both::overlap) else {
            return Ok(vec![*self]);
        };
        let (lowers, uppers) = (both.lowers(), both.uppers());
        let mut parts = Vec::new();
        if lowers.0 < lowers.1 {
            parts.push(Self::new(kind, both.left.0, flipped(both.right.0))?);
        }
        if uppers.0 > uppers.1 {
            parts.push(Self::new(kind, flipped(both.right.1), both.left.1)?);
        }
        Ok(parts)
    }
}
