//! Cuts bytes of a file into records and fields, as `LOAD CSV` reads them.
//!
//! A field in quotes may hold terminators, newlines, and quotes, each written twice or behind a backslash. An empty field
//! is null, unless it stands in quotes.

use crate::error::{PgError, SqlState};

/// One record: its fields in order.
pub(super) type CsvRecord = Vec<Option<String>>;

/// `22P04`, as COPY answers for a file of a wrong form.
const BAD_FILE: SqlState = SqlState("22P04");
/// `22021`, as for any text that is no UTF-8.
const NOT_UTF8: SqlState = SqlState("22021");

/// Where in a record the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// Within quotes.
    Quoted,
    /// Within quotes, behind a backslash.
    Escaped,
    /// Behind a quote that ends the field, or is the first of two.
    Closed,
}

/// The records of bytes that come in pieces.
#[derive(Debug)]
pub(super) struct CsvRecords {
    terminator: u8,
    place: Place,
    field: Vec<u8>,
    record: CsvRecord,
    /// Behind a carriage return that ended a record: a newline belongs to it.
    after_return: bool,
    /// Records begun so far.
    number: u64,
    is_start: bool,
}

impl CsvRecords {
    pub(super) fn new(terminator: u8) -> Self {
        Self {
            terminator,
            place: Place::Start,
            field: Vec::new(),
            record: Vec::new(),
            after_return: false,
            number: 1,
            is_start: true,
        }
    }

    /// Bytes of the record that is not at its end yet.
    pub(super) fn pending_bytes(&self) -> usize {
        let field = |field: &Option<String>| field.as_ref().map_or(0, String::len) + 24;
        self.field.capacity() + self.record.iter().map(field).sum::<usize>()
    }

    /// Reads the next piece; whole records go to `records`.
    ///
    /// # Errors
    /// `22021` for what is no UTF-8.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        records: &mut Vec<CsvRecord>,
    ) -> Result<(), PgError> {
        for byte in piece {
            let after_return = std::mem::take(&mut self.after_return);
            if after_return && *byte == b'\n' {
                continue;
            }
            self.byte(*byte, records)?;
        }
        Ok(())
    }

    /// Ends the last record, which need not have a newline behind it.
    ///
    /// # Errors
    /// `22P04` if the file ends within quotes.
    pub(super) fn finish(&mut self, records: &mut Vec<CsvRecord>) -> Result<(), PgError> {
        if matches!(self.place, Place::Quoted | Place::Escaped) {
            return Err(PgError::new(BAD_FILE, "unterminated CSV quoted field")
                .context(format!("LOAD CSV, record {}", self.number)));
        }
        match self.place == Place::Start && self.record.is_empty() {
            true => Ok(()),
            false => self.end_record(records),
        }
    }

    fn byte(&mut self, byte: u8, records: &mut Vec<CsvRecord>) -> Result<(), PgError> {
        match (self.place, byte) {
            (Place::Quoted, b'"') => self.place = Place::Closed,
            (Place::Quoted, b'\\') => self.place = Place::Escaped,
            (Place::Quoted, byte) => self.field.push(byte),
            (Place::Escaped, byte) => {
                if !matches!(byte, b'"' | b'\\') {
                    self.field.push(b'\\');
                }
                self.field.push(byte);
                self.place = Place::Quoted;
            }
            (Place::Closed, b'"') => {
                self.field.push(b'"');
                self.place = Place::Quoted;
            }
            (Place::Start, b'"') => self.place = Place::Quoted,
            (_, b'\n') => self.end_record(records)?,
            (_, b'\r') => {
                self.end_record(records)?;
                self.after_return = true;
            }
            (_, byte) if byte == self.terminator => self.end_field()?,
            (Place::Start, byte) => {
                self.field.push(byte);
                self.place = Place::Plain;
            }
            (Place::Plain | Place::Closed, byte) => self.field.push(byte),
        }
        if self.is_start && self.field.len() == 3 {
            self.is_start = false;
            if self.field == b"\xEF\xBB\xBF" {
                // A mark of the byte order says nothing in UTF-8.
                self.field.clear();
                self.place = Place::Start;
            }
        }
        Ok(())
    }

    fn end_field(&mut self) -> Result<(), PgError> {
        self.is_start = false;
        let is_quoted = self.place == Place::Closed;
        self.place = Place::Start;
        let bytes = std::mem::take(&mut self.field);
        let text = String::from_utf8(bytes).map_err(|_| {
            PgError::new(NOT_UTF8, "invalid byte sequence for encoding \"UTF8\"")
                .context(format!("LOAD CSV, record {}", self.number))
        })?;
        self.record.push((is_quoted || !text.is_empty()).then_some(text));
        Ok(())
    }

    /// An empty line is no record.
    fn end_record(&mut self, records: &mut Vec<CsvRecord>) -> Result<(), PgError> {
        let is_empty_line = self.record.is_empty() && self.place == Place::Start;
        if !is_empty_line {
            self.end_field()?;
            records.push(std::mem::take(&mut self.record));
        }
        self.number += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> Result<Vec<Vec<Option<String>>>, PgError> {
        let mut reader = CsvRecords::new(b',');
        let mut records = Vec::new();
        for piece in text.chunks(piece) {
            reader.push(piece, &mut records)?;
        }
        reader.finish(&mut records)?;
        Ok(records)
    }

    #[test]
    fn records_are_the_same_in_whatever_pieces_they_come() {
        let text = "\u{feff}a,\"b,\"\"c\"\"\",\r\n\n\"\",\"x\ny\",\"q\\\"r\"\nlast,ä";
        let some = |text: &str| Some(text.to_owned());
        let wanted = vec![
            vec![some("a"), some("b,\"c\""), None],
            vec![some(""), some("x\ny"), some("q\"r")],
            vec![some("last"), some("ä")],
        ];
        for piece in 1..text.len() {
            assert_eq!(read(text.as_bytes(), piece).unwrap(), wanted, "pieces of {piece}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        assert_eq!(read(b"a,\"b", 2).unwrap_err().code(), BAD_FILE);
        assert_eq!(read(b"a\xff,b\n", 2).unwrap_err().code(), NOT_UTF8);
    }
}
