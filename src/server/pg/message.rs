//! Decodes the bodies of frontend messages. Pure; borrows from the frame.
//!
//! Each body is consumed exactly. A body that is too short, too long or whose counts do not fit it is a protocol
//! violation (FATAL `08P01`); bytes that are not UTF-8 are an ordinary error (`22021`), as in PostgreSQL.

use bytes::Bytes;

use super::frame::violation;
use crate::error::{PgError, SqlState};
use crate::types::Format;

/// A message from the client.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    Query(&'a str),
    Parse { name: &'a str, text: &'a str, parameter_oids: Vec<u32> },
    Bind(Bind<'a>),
    Describe(Target<'a>),
    Execute { portal: &'a str, max_rows: usize },
    Close(Target<'a>),
    FunctionCall,
    Flush,
    Sync,
    CopyData,
    CopyDone,
    CopyFail(&'a str),
    Terminate,
}

/// What Describe and Close name.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

/// The body of Bind, formats not yet expanded.
#[derive(Debug, PartialEq)]
pub(super) struct Bind<'a> {
    pub(super) portal: &'a str,
    pub(super) statement: &'a str,
    pub(super) parameter_formats: Formats,
    /// `None` is NULL.
    pub(super) values: Vec<Option<Bytes>>,
    pub(super) result_formats: Formats,
}

/// Format codes as they are sent: none (all text), one for all, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Formats {
    #[default]
    AllText,
    All(Format),
    Each(Vec<Format>),
}

impl Formats {
    fn from_codes(codes: Vec<Format>) -> Self {
        match codes.as_slice() {
            [] => Self::AllText,
            [one] => Self::All(*one),
            _ => Self::Each(codes),
        }
    }

    /// How many codes there were, if there was one for each.
    pub(super) fn each_len(&self) -> Option<usize> {
        match self {
            Self::AllText | Self::All(_) => None,
            Self::Each(codes) => Some(codes.len()),
        }
    }

    /// The format of the column or parameter at `index`.
    pub(super) fn at(&self, index: usize) -> Format {
        match self {
            Self::AllText => Format::Text,
            Self::All(format) => *format,
            Self::Each(codes) => codes.get(index).copied().unwrap_or_default(),
        }
    }
}

/// Decodes the body of a message of type `tag`.
///
/// # Errors
/// FATAL `08P01` for a malformed body; `22021` for text that is not UTF-8; `22023` for an unknown format code.
pub(super) fn decode(tag: u8, body: &Bytes) -> Result<Message<'_>, PgError> {
    let mut reader = Reader { body, at: 0 };
    let message = match tag {
        b'Q' => Message::Query(reader.text()?),
        b'P' => parse(&mut reader)?,
        b'B' => Message::Bind(bind(&mut reader)?),
        b'D' => Message::Describe(reader.target("DESCRIBE")?),
        b'C' => Message::Close(reader.target("CLOSE")?),
        b'E' => Message::Execute {
            portal: reader.text()?,
            // A negative limit means all, as in PostgreSQL.
            max_rows: usize::try_from(reader.i32()?).unwrap_or(0),
        },
        b'f' => Message::CopyFail(reader.text()?),
        // Their bodies are not looked into: the one is refused, the other belongs to COPY.
        b'F' => return Ok(Message::FunctionCall),
        b'd' => return Ok(Message::CopyData),
        b'c' => Message::CopyDone,
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        other => return Err(violation(format!("invalid frontend message type {other}"))),
    };
    reader.finish()?;
    Ok(message)
}

fn parse<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, PgError> {
    let name = reader.text()?;
    let text = reader.text()?;
    let count = reader.count(4)?;
    let mut parameter_oids = Vec::with_capacity(count);
    for _ in 0..count {
        parameter_oids.push(reader.i32()?.cast_unsigned());
    }
    Ok(Message::Parse { name, text, parameter_oids })
}

fn bind<'a>(reader: &mut Reader<'a>) -> Result<Bind<'a>, PgError> {
    let portal = reader.text()?;
    let statement = reader.text()?;
    let parameter_formats = reader.formats()?;
    let count = reader.count(4)?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let value = match reader.i32()? {
            -1 => None,
            length => {
                let length = usize::try_from(length).map_err(|_| short())?;
                let start = reader.at;
                reader.take(length)?;
                Some(reader.body.slice(start..reader.at))
            }
        };
        values.push(value);
    }
    let result_formats = reader.formats()?;
    Ok(Bind { portal, statement, parameter_formats, values, result_formats })
}

/// A position in a body that never goes past its end.
struct Reader<'a> {
    body: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], PgError> {
        let end = self.at.checked_add(length).ok_or_else(short)?;
        let taken = self.body.get(self.at..end).ok_or_else(short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PgError> {
        self.take(N)?.first_chunk::<N>().copied().ok_or_else(short)
    }

    fn i32(&mut self) -> Result<i32, PgError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A 16-bit count of items of at least `item_bytes` each; refused before anything is reserved for them.
    fn count(&mut self, item_bytes: usize) -> Result<usize, PgError> {
        let count = usize::from(self.array().map(u16::from_be_bytes)?);
        if count * item_bytes > self.body.len().saturating_sub(self.at) {
            return Err(short());
        }
        Ok(count)
    }

    /// A string that ends with a NUL, which is not part of it.
    fn text(&mut self) -> Result<&'a str, PgError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let length =
            memchr::memchr(0, rest).ok_or_else(|| violation("invalid string in message"))?;
        let bytes = self.take(length)?;
        self.at += 1;
        utf8(bytes)
    }

    fn formats(&mut self) -> Result<Formats, PgError> {
        let count = self.count(2)?;
        let mut codes = Vec::with_capacity(count);
        for _ in 0..count {
            codes.push(match self.array().map(i16::from_be_bytes)? {
                0 => Format::Text,
                1 => Format::Binary,
                other => {
                    return Err(PgError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("unsupported format code: {other}"),
                    ));
                }
            });
        }
        Ok(Formats::from_codes(codes))
    }

    fn target(&mut self, message: &str) -> Result<Target<'a>, PgError> {
        match self.array::<1>()? {
            [b'S'] => self.text().map(Target::Statement),
            [b'P'] => self.text().map(Target::Portal),
            [other] => Err(violation(format!("invalid {message} message subtype {other}"))),
        }
    }

    fn finish(&self) -> Result<(), PgError> {
        if self.at == self.body.len() { Ok(()) } else { Err(violation("invalid message format")) }
    }
}

fn short() -> PgError {
    violation("insufficient data left in message")
}

/// Checks that `bytes` are UTF-8.
///
/// # Errors
/// `22021`, naming the bytes at fault as PostgreSQL does.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, PgError> {
    std::str::from_utf8(bytes)
        .map_err(|error| invalid_utf8(bytes.get(error.valid_up_to()..).unwrap_or_default()))
}

/// Checks a parameter in text format: UTF-8 without NUL, which PostgreSQL has in no text value.
///
/// # Errors
/// `22021`.
pub(super) fn check_text_value(bytes: &[u8]) -> Result<(), PgError> {
    let text = utf8(bytes)?;
    if text.as_bytes().contains(&0) { Err(invalid_utf8(&[0])) } else { Ok(()) }
}

fn invalid_utf8(rest: &[u8]) -> PgError {
    let sequence = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let shown: Vec<String> =
        rest.iter().take(sequence).map(|byte| format!("0x{byte:02x}")).collect();
    PgError::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}

#[cfg(test)]
mod tests;
