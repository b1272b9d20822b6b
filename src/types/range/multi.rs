//! Multiranges: ranges that do not touch, in order.
//!
//! Stored as the ranges one after the other (see [`super`]), so that byte order is PostgreSQL's order here too.
//!
//! ```text
//! binary: count i32 | for each: length i32 | the range's binary form
//! ```

use super::text::{EMPTY, Reader, read_range};
use super::{Range, RangeKind, binary, text};
use crate::types::binary::receive::{incorrect, take};
use crate::types::error::TypeError;
use crate::types::settings::{InputSettings, OutputSettings};

/// Ranges in order, none of them empty, with something between any two. Made by [`Multirange::new`] alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Multirange(Vec<Range>);

impl Multirange {
    /// What is in any of the ranges.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn new(kind: RangeKind, mut ranges: Vec<Range>) -> Result<Self, TypeError> {
        ranges.retain(|range| *range != Range::Empty);
        ranges.sort_by_cached_key(|range| range.encode(kind));
        let mut apart: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match apart.last_mut() {
                Some(last) if last.overlaps(&range) || last.is_adjacent(&range, kind) => {
                    *last = last.merge(&range, kind)?;
                }
                _ => apart.push(range),
            }
        }
        Ok(Self(apart))
    }

    /// Its ranges.
    pub(crate) fn ranges(&self) -> &[Range] {
        &self.0
    }

    /// The smallest range that has all of it.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn hull(&self, kind: RangeKind) -> Result<Range, TypeError> {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => first.merge(last, kind),
            _ => Ok(Range::Empty),
        }
    }

    /// Whether a value is in it.
    pub(crate) fn has(&self, value: i128) -> bool {
        self.0.iter().any(|range| range.has(value))
    }

    /// Whether all of another is in it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|inner| self.0.iter().any(|range| range.contains(inner)))
    }

    /// Whether a value is in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().any(|left| other.0.iter().any(|right| left.overlaps(right)))
    }

    /// What is in one or the other.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn union(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        Self::new(kind, self.0.iter().chain(&other.0).copied().collect())
    }

    /// What is in both.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn intersection(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        let pairs = self.0.iter().flat_map(|left| other.0.iter().map(move |right| (left, right)));
        let common = pairs.map(|(left, right)| left.intersection(right, kind));
        Self::new(kind, common.collect::<Result<_, _>>()?)
    }

    /// What is in this one and not in another.
    ///
    /// # Errors
    /// As [`Range::new`].
    pub(crate) fn difference(&self, other: &Self, kind: RangeKind) -> Result<Self, TypeError> {
        let mut rest = self.0.clone();
        for taken in &other.0 {
            let parts = rest.iter().map(|range| range.without(taken, kind));
            rest = parts.collect::<Result<Vec<_>, _>>()?.concat();
        }
        Self::new(kind, rest)
    }

    /// The bytes that it is stored as.
    pub(crate) fn encode(&self, kind: RangeKind) -> Vec<u8> {
        self.0.iter().flat_map(|range| range.encode(kind)).collect()
    }

    /// The multirange that was stored.
    ///
    /// # Errors
    /// `XX001` for bytes that are none of this type.
    pub(crate) fn decode(kind: RangeKind, stored: &[u8]) -> Result<Self, TypeError> {
        let (mut rest, mut ranges) = (stored, Vec::new());
        while !rest.is_empty() {
            ranges.push(Range::take(kind, &mut rest)?);
        }
        Ok(Self(ranges))
    }
}

/// The stored form of a multirange literal: `{[1,3),[5,7)}`.
///
/// # Errors
/// `22P02`, `22000`; what the type of the bounds says.
pub(crate) fn read_multi_text(
    kind: RangeKind,
    literal: &[u8],
    settings: &InputSettings,
) -> Result<Vec<u8>, TypeError> {
    let mut reader = Reader { what: "multirange", literal, rest: literal };
    reader.skip_spaces();
    if reader.next() != Some(b'{') {
        return Err(reader.malformed("Missing left brace."));
    }
    let mut ranges = Vec::new();
    reader.skip_spaces();
    if reader.rest.first() == Some(&b'}') {
        reader.next();
    } else {
        loop {
            reader.skip_spaces();
            ranges.push(read_range(kind, reader.range()?, settings)?);
            reader.skip_spaces();
            match reader.next() {
                Some(b',') => {}
                Some(b'}') => break,
                Some(_) => return Err(reader.malformed("Expected comma or end of multirange.")),
                None => return Err(reader.malformed("Unexpected end of input.")),
            }
        }
    }
    reader.finish("Junk after closing right brace.")?;
    Ok(Multirange::new(kind, ranges)?.encode(kind))
}

impl<'a> Reader<'a> {
    /// The text of the next range.
    fn range(&mut self) -> Result<&'a [u8], TypeError> {
        let start = self.rest;
        if let Some((word, rest)) = start.split_at_checked(EMPTY.len())
            && word.eq_ignore_ascii_case(EMPTY)
        {
            self.rest = rest;
            return Ok(word);
        }
        match self.next() {
            Some(b'[' | b'(') => {}
            Some(_) => return Err(self.malformed("Expected range start.")),
            None => return Err(self.malformed("Unexpected end of input.")),
        }
        let mut quoted = false;
        loop {
            let over = |reader: &Self| reader.malformed("Unexpected end of input.");
            match self.next().ok_or_else(|| over(self))? {
                b'\\' => {
                    self.next().ok_or_else(|| over(self))?;
                }
                b'"' => quoted = !quoted,
                b']' | b')' if !quoted => break,
                _ => {}
            }
        }
        let length = start.len() - self.rest.len();
        Ok(start.get(..length).unwrap_or_default())
    }
}

/// Appends the text of a stored multirange; nothing for bytes that are none, which would be our own mistake.
pub(crate) fn append_multi_text(
    kind: RangeKind,
    stored: &[u8],
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) {
    let Ok(Multirange(ranges)) = Multirange::decode(kind, stored) else { return };
    out.push(b'{');
    for (at, range) in ranges.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text::append_range(kind, range, settings, out);
    }
    out.push(b'}');
}

/// The text of a stored multirange with the default settings.
pub(crate) fn multi_text_of(kind: RangeKind, stored: &[u8]) -> String {
    let mut text = Vec::new();
    append_multi_text(kind, stored, &OutputSettings::default(), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The stored form of a multirange that a client sent.
///
/// # Errors
/// `08P01`, `22P03`, `22000`; what the type of the bounds says.
pub(crate) fn read_multi_binary(kind: RangeKind, bytes: &[u8]) -> Result<Vec<u8>, TypeError> {
    let mut rest = bytes;
    let count = u32::from_be_bytes(take(&mut rest)?);
    let mut ranges = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(u32::from_be_bytes(take(&mut rest)?)).unwrap_or(usize::MAX);
        let insufficient = || TypeError::new("08P01", "insufficient data left in message");
        let (range, after) = rest.split_at_checked(length).ok_or_else(insufficient)?;
        rest = after;
        ranges.push(binary::read_range(kind, range)?);
    }
    if !rest.is_empty() {
        return Err(incorrect());
    }
    Ok(Multirange::new(kind, ranges)?.encode(kind))
}

/// Appends the binary form of a stored multirange.
///
/// # Errors
/// `XX001` for bytes that are none of this type.
pub(crate) fn append_multi_binary(
    kind: RangeKind,
    stored: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    let Multirange(ranges) = Multirange::decode(kind, stored)?;
    out.extend_from_slice(&(ranges.len() as u32).to_be_bytes());
    for range in &ranges {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        binary::append_range(kind, range, out);
        let length = (out.len() - at - 4) as u32;
        if let Some(slot) = out.get_mut(at..at + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}
