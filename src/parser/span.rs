//! Where in the client's text a piece of syntax stands.

/// A half-open range of byte offsets into the text the client sent.
///
/// Offsets always lie on character boundaries of that text. The error layer turns `start` into the 1-based character
/// position PostgreSQL clients expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end`; an `end` before `start` gives the empty range at `start`.
    pub fn new(start: u32, end: u32) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The smallest range that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The same range in a text where everything stands `base` bytes further on.
    pub fn shifted(self, base: u32) -> Span {
        Span { start: self.start.saturating_add(base), end: self.end.saturating_add(base) }
    }

    /// The part of `text` the range covers; empty where it does not fit `text`.
    pub fn slice(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// True if the range covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}
