//! Cuts COPY data into lines: a line may span pieces, and a newline may be data.

use crate::types::error::TypeError;

use super::options::{CopyFormat, CopyOptions};

/// Where lines end; the first line decides.
///
/// **Deviation from PostgreSQL:** a carriage return alone ends no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    Unknown,
    Newline,
    /// Carriage return and newline.
    Both,
}

/// Finds the ends of lines, across pieces.
#[derive(Debug)]
pub(super) struct LineFinder {
    is_csv: bool,
    quote: u8,
    /// 0 where the escape is the quote itself, or there is none.
    escape: u8,
    end: LineEnd,
    /// State at the end of what was looked at: within quotes, after an escape.
    quoted: bool,
    escaped: bool,
}

impl LineFinder {
    pub(super) fn new(options: &CopyOptions) -> Self {
        let is_csv = options.format == CopyFormat::Csv;
        let escape = match (is_csv, options.escape == options.quote) {
            (false, _) => b'\\',
            (true, true) => 0,
            (true, false) => options.escape,
        };
        Self {
            is_csv,
            quote: options.quote,
            escape,
            end: LineEnd::Unknown,
            quoted: false,
            escaped: false,
        }
    }

    /// Whether the data ended within quotes.
    pub(super) fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// The place after the first newline in `bytes` that ends a line; looks at each byte once, also
    /// when a line comes in several pieces.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_csv { self.find_csv(bytes) } else { self.find_text(bytes) }
    }

    fn find_text(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = usize::from(std::mem::take(&mut self.escaped) && !bytes.is_empty());
        loop {
            let rest = bytes.get(from..).unwrap_or_default();
            let Some(found) = memchr::memchr(b'\n', rest) else {
                self.escaped = is_escaped(rest);
                return None;
            };
            if !is_escaped(&rest[..found]) {
                return Some(from + found + 1);
            }
            from += found + 1;
        }
    }

    fn find_csv(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        loop {
            let rest = bytes.get(from..).unwrap_or_default();
            let found = if self.escape == 0 {
                memchr::memchr2(b'\n', self.quote, rest)
            } else {
                memchr::memchr3(b'\n', self.quote, self.escape, rest)
            };
            let Some(found) = found else {
                self.escaped &= rest.is_empty();
                return None;
            };
            // An escape holds for the very next byte.
            let escaped = std::mem::take(&mut self.escaped) && found == 0;
            let byte = rest[found];
            from += found + 1;
            if byte == b'\n' && !self.quoted {
                return Some(from);
            }
            if self.escape != 0 && byte == self.escape {
                self.escaped = !escaped;
            }
            if byte == self.quote && !escaped {
                self.quoted = !self.quoted;
            }
        }
    }

    /// The line without its end; checks that lines end alike.
    pub(super) fn strip<'a>(&mut self, line: &'a [u8]) -> Result<&'a [u8], TypeError> {
        let is_data = |rest: &[u8]| !self.is_csv && is_escaped(rest);
        let line = line.strip_suffix(b"\n").filter(|rest| !is_data(rest)).unwrap_or(line);
        let stripped = match line.strip_suffix(b"\r") {
            // The carriage return is data if a backslash is before it.
            Some(rest) if !is_data(rest) => Some(rest),
            _ => None,
        };
        match (self.end, stripped) {
            (LineEnd::Unknown, Some(rest)) => {
                self.end = LineEnd::Both;
                Ok(rest)
            }
            (LineEnd::Unknown, None) => {
                self.end = LineEnd::Newline;
                Ok(line)
            }
            (LineEnd::Both, Some(rest)) => Ok(rest),
            (LineEnd::Newline, None) => Ok(line),
            (LineEnd::Both, None) => Err(self.literal("newline", "\\n")),
            (LineEnd::Newline, Some(_)) => Err(self.literal("carriage return", "\\r")),
        }
    }

    /// What is before `\.` at the end of a line, which ends the data; in csv it must stand alone.
    pub(super) fn before_end_marker<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let before = line.strip_suffix(b"\\.")?;
        let is_marker = if self.is_csv { before.is_empty() } else { !is_escaped(before) };
        is_marker.then_some(before)
    }

    /// Refuses a carriage return within a line.
    pub(super) fn check_inside(&self, line: &[u8]) -> Result<(), TypeError> {
        if self.is_csv {
            return Ok(());
        }
        for at in memchr::memchr_iter(b'\r', line) {
            if !is_escaped(&line[..at]) {
                return Err(self.literal("carriage return", "\\r"));
            }
        }
        Ok(())
    }

    fn literal(&self, what: &str, escape: &str) -> TypeError {
        if self.is_csv {
            return TypeError::new("22P04", format!("unquoted {what} found in data"))
                .with_hint(format!("Use quoted CSV field to represent {what}."));
        }
        TypeError::new("22P04", format!("literal {what} found in data"))
            .with_hint(format!("Use \"{escape}\" to represent {what}."))
    }
}

/// Whether a backslash before it makes the byte after `bytes` data.
fn is_escaped(bytes: &[u8]) -> bool {
    bytes.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}
