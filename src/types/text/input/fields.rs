//! Splits the text of a date, time or interval into fields, by the look of each piece alone.

use super::is_space;

/// What a piece of text looks like; what it means is decided from the pieces before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Digits, perhaps with a decimal point.
    Number,
    /// Letters.
    Word,
    /// Numbers or words with `-`, `/` or `.` between them; or the name of a time zone.
    Date,
    /// Numbers with `:` between them.
    Time,
    /// A sign and numbers.
    Offset,
    /// A sign and letters: `-infinity`.
    SignedWord,
}

#[derive(Debug, Clone)]
pub(super) struct TextField {
    pub(super) kind: FieldKind,
    /// In lower case.
    pub(super) text: String,
}

/// Why a date, time or interval could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DateTimeError {
    BadFormat,
    FieldOverflow,
    /// A month or day out of range, perhaps because the date style has them in another order.
    MonthDayOverflow,
    OffsetOverflow,
    IntervalOverflow,
    UnknownZone(String),
}

/// No sensible text has more fields, or a longer one.
const FIELDS_MAX: usize = 25;
const TEXT_BYTES_MAX: usize = 128;

pub(super) fn split(text: &[u8]) -> Result<Vec<TextField>, DateTimeError> {
    let text = std::str::from_utf8(text).map_err(|_| DateTimeError::BadFormat)?;
    let mut cursor = Cursor { rest: text.as_bytes() };
    let mut fields = Vec::new();
    let mut length = 0;
    while let Some(first) = cursor.rest.first().copied() {
        let mut field = String::new();
        let kind = match first {
            byte if is_space(byte) => {
                cursor.skip();
                continue;
            }
            byte if byte.is_ascii_digit() => cursor.digits_first(&mut field),
            b'.' => {
                cursor.take(&mut field);
                cursor.take_while(&mut field, |byte| byte.is_ascii_digit());
                FieldKind::Number
            }
            byte if byte.is_ascii_alphabetic() => cursor.letters_first(&mut field),
            b'+' | b'-' => cursor.sign_first(&mut field)?,
            byte if byte.is_ascii_punctuation() => {
                cursor.skip();
                continue;
            }
            _ => return Err(DateTimeError::BadFormat),
        };
        length += field.len() + 1;
        if fields.len() >= FIELDS_MAX || length > TEXT_BYTES_MAX {
            return Err(DateTimeError::BadFormat);
        }
        fields.push(TextField { kind, text: field });
    }
    Ok(fields)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn take(&mut self, field: &mut String) {
        if let Some(byte) = self.peek() {
            field.push(byte.to_ascii_lowercase() as char);
            self.skip();
        }
    }

    fn take_while(&mut self, field: &mut String, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.take(field);
        }
    }

    fn digits_first(&mut self, field: &mut String) -> FieldKind {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        self.take_while(field, is_digit);
        match self.peek() {
            Some(b':') => {
                self.take_while(field, |byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
                FieldKind::Time
            }
            Some(delimiter @ (b'-' | b'/' | b'.')) => {
                self.take(field);
                if !self.peek().is_some_and(is_digit) {
                    self.take_while(field, |byte| {
                        byte.is_ascii_alphanumeric() || byte == delimiter
                    });
                    return FieldKind::Date;
                }
                self.take_while(field, is_digit);
                // A date of three numbers has the same delimiter twice.
                if self.peek() == Some(delimiter) {
                    self.take_while(field, |byte| byte.is_ascii_digit() || byte == delimiter);
                    return FieldKind::Date;
                }
                if delimiter == b'.' { FieldKind::Number } else { FieldKind::Date }
            }
            _ => FieldKind::Number,
        }
    }

    /// A word, unless it goes on as a date (`jan-05-2020`) or the name of a zone does.
    fn letters_first(&mut self, field: &mut String) -> FieldKind {
        self.take_while(field, |byte| byte.is_ascii_alphabetic());
        let goes_on = match self.peek() {
            Some(b'-' | b'/' | b'.') => true,
            Some(b'+' | b'0'..=b'9') => super::keyword::keyword(field).is_none(),
            _ => false,
        };
        if !goes_on {
            return FieldKind::Word;
        }
        self.take_while(field, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
        });
        FieldKind::Date
    }

    fn sign_first(&mut self, field: &mut String) -> Result<FieldKind, DateTimeError> {
        self.take(field);
        while self.peek().is_some_and(is_space) {
            self.skip();
        }
        match self.peek() {
            Some(b'0'..=b'9') => {
                self.take_while(field, |byte| {
                    byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-')
                });
                Ok(FieldKind::Offset)
            }
            Some(byte) if byte.is_ascii_alphabetic() => {
                self.take_while(field, |byte| byte.is_ascii_alphabetic());
                Ok(FieldKind::SignedWord)
            }
            _ => Err(DateTimeError::BadFormat),
        }
    }
}

/// The number at the start of `text`, and what follows it. Fails where 32 bits do not hold it.
pub(super) fn leading_number(text: &str) -> Result<(Option<i64>, &str), DateTimeError> {
    let signed = usize::from(text.starts_with(['-', '+']));
    let digits = text.bytes().skip(signed).take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((None, text));
    }
    let (number, rest) = text.split_at(signed + digits);
    let value: i32 = number.parse().map_err(|_| DateTimeError::FieldOverflow)?;
    Ok((Some(i64::from(value)), rest))
}

/// The microseconds of `.fraction`, rounded.
pub(super) fn fraction_micros(text: &str) -> Result<i64, DateTimeError> {
    if text == "." {
        return Ok(0);
    }
    let valid = text.starts_with('.') && text.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    let fraction: f64 = text.parse().map_err(|_| DateTimeError::BadFormat)?;
    if valid {
        Ok((fraction * 1e6).round_ties_even() as i64)
    } else {
        Err(DateTimeError::BadFormat)
    }
}
