//! Row literals: `(1,"a b",)`.

use crate::types::error::{TypeError, lossy};

use super::{is_space, trim_start};

/// Reads a row literal field by field.
pub(crate) struct RecordReader<'a> {
    literal: &'a [u8],
    rest: &'a [u8],
    is_first: bool,
}

impl<'a> RecordReader<'a> {
    /// # Errors
    /// `22P02` if the text does not begin a row.
    pub(crate) fn new(literal: &'a [u8]) -> Result<Self, TypeError> {
        match trim_start(literal).split_first() {
            Some((b'(', rest)) => Ok(Self { literal, rest, is_first: true }),
            _ => Err(malformed(literal).with_detail("Missing left parenthesis.")),
        }
    }

    /// The next field, its text in `text`, which is cleared first; whether it is not NULL.
    ///
    /// # Errors
    /// `22P02`
    pub(crate) fn next_field(&mut self, text: &mut Vec<u8>) -> Result<bool, TypeError> {
        text.clear();
        if !self.is_first {
            match self.rest.split_first() {
                Some((b',', rest)) => self.rest = rest,
                _ => return Err(malformed(self.literal).with_detail("Too few columns.")),
            }
        }
        self.is_first = false;
        if matches!(self.rest.first(), Some(b',' | b')')) {
            return Ok(false);
        }
        let mut quoted = false;
        let mut bytes = self.rest.iter().enumerate().peekable();
        let end = loop {
            let ends = || malformed(self.literal).with_detail("Unexpected end of input.");
            let (at, byte) = bytes.next().ok_or_else(ends)?;
            match byte {
                b',' | b')' if !quoted => break at,
                b'\\' => text.push(*bytes.next().ok_or_else(ends)?.1),
                b'"' if !quoted => quoted = true,
                b'"' => {
                    if bytes.next_if(|(_, next)| **next == b'"').is_some() {
                        text.push(b'"');
                    } else {
                        quoted = false;
                    }
                }
                byte => text.push(*byte),
            }
        };
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(true)
    }

    /// What follows the last field.
    ///
    /// # Errors
    /// `22P02`
    pub(crate) fn finish(mut self) -> Result<(), TypeError> {
        match self.rest.split_first() {
            Some((b')', rest)) => self.rest = rest,
            _ => return Err(malformed(self.literal).with_detail("Too many columns.")),
        }
        if self.rest.iter().all(|byte| is_space(*byte)) {
            return Ok(());
        }
        Err(malformed(self.literal).with_detail("Junk after right parenthesis."))
    }
}

fn malformed(literal: &[u8]) -> TypeError {
    TypeError::new("22P02", format!("malformed record literal: \"{}\"", lossy(literal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(literal: &str, count: usize) -> Result<Vec<Option<String>>, TypeError> {
        let mut reader = RecordReader::new(literal.as_bytes())?;
        let mut text = Vec::new();
        let mut fields = Vec::new();
        for _ in 0..count {
            let is_value = reader.next_field(&mut text)?;
            fields.push(is_value.then(|| String::from_utf8(text.clone()).unwrap()));
        }
        reader.finish()?;
        Ok(fields)
    }

    #[test]
    fn literals() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("(1,\"a b\",)", 3).unwrap(), [some("1"), some("a b"), None]);
        assert_eq!(
            read(" (\"\",\"a\"\"b\\\\\", x ) ", 3).unwrap(),
            [some(""), some("a\"b\\"), some(" x ")]
        );
        for (literal, count) in [("1,2", 2), ("(1)", 2), ("(1,2)", 1), ("(1,2", 2), ("(1)x", 1)] {
            assert_eq!(read(literal, count).unwrap_err().sqlstate, "22P02", "{literal}");
        }
    }
}
