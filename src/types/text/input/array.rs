//! Array literals: `{1,NULL,"a b"}`, of one dimension; the others are in [`super::nested`].

use crate::types::error::{TypeError, lossy};

use super::{is_space, trim_start};

/// One element of an array literal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ArrayItem {
    Null,
    /// The element's text is in the buffer that was passed.
    Text,
}

/// Reads an array literal element by element.
pub(crate) struct ArrayReader<'a> {
    literal: &'a [u8],
    rest: &'a [u8],
    is_first: bool,
    /// Closed, and checked that nothing follows.
    is_done: bool,
    /// Whether it is part of a literal that goes on behind it.
    is_inner: bool,
}

impl<'a> ArrayReader<'a> {
    /// # Errors
    /// `22P02` if the text does not begin an array.
    pub(crate) fn new(literal: &'a [u8]) -> Result<Self, TypeError> {
        let rest = trim_start(literal);
        match rest.first() {
            Some(b'{') => Ok(Self {
                literal,
                rest: &rest[1..],
                is_first: true,
                is_done: false,
                is_inner: false,
            }),
            _ => Err(malformed(literal)
                .with_detail("Array value must start with \"{\" or dimension information.")),
        }
    }

    /// A list of elements inside of a literal.
    ///
    /// # Errors
    /// `22P02`
    pub(super) fn within(literal: &'a [u8], text: &'a [u8]) -> Result<Self, TypeError> {
        Ok(Self { literal, is_inner: true, ..Self::new(text)? })
    }

    /// What follows the list, once it was read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next element, its text in `text`, which is cleared first; `None` after the last one.
    ///
    /// # Errors
    /// `22P02` for a malformed literal.
    pub(crate) fn next_item(&mut self, text: &mut Vec<u8>) -> Result<Option<ArrayItem>, TypeError> {
        if self.is_done {
            return Ok(None);
        }
        self.rest = trim_start(self.rest);
        if self.is_first && self.rest.first() == Some(&b'}') {
            self.rest = &self.rest[1..];
            self.finish()?;
            return Ok(None);
        }
        self.is_first = false;
        text.clear();
        let item = match self.rest.first() {
            None => return Err(self.ends()),
            Some(b'"') => {
                self.quoted(text)?;
                ArrayItem::Text
            }
            Some(b'{') => {
                let detail =
                    "Multidimensional arrays must have sub-arrays with matching dimensions.";
                return Err(malformed(self.literal).with_detail(detail));
            }
            Some(punct @ (b'}' | b',')) => return Err(self.unexpected(*punct)),
            Some(_) => self.bare(text)?,
        };
        self.delimiter()?;
        Ok(Some(item))
    }

    fn quoted(&mut self, text: &mut Vec<u8>) -> Result<(), TypeError> {
        let mut bytes = self.rest.iter().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(());
                }
                b'\\' => match bytes.next() {
                    Some((_, escaped)) => text.push(*escaped),
                    None => return Err(self.ends()),
                },
                byte => text.push(*byte),
            }
        }
        Err(self.ends())
    }

    fn bare(&mut self, text: &mut Vec<u8>) -> Result<ArrayItem, TypeError> {
        let mut end = self.rest.len();
        // Spaces at the end do not belong to the element, unless a backslash precedes them.
        let mut significant = 0;
        let mut escaped = false;
        let mut bytes = self.rest.iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b',' | b'}' => {
                    end = at;
                    break;
                }
                b'{' | b'"' => {
                    let detail = if *byte == b'{' {
                        "Unexpected \"{\" character."
                    } else {
                        "Unexpected array element."
                    };
                    return Err(malformed(self.literal).with_detail(detail));
                }
                b'\\' => {
                    let Some((_, byte)) = bytes.next() else { return Err(self.ends()) };
                    text.push(*byte);
                    escaped = true;
                    significant = text.len();
                }
                byte => {
                    text.push(*byte);
                    if !is_space(*byte) {
                        significant = text.len();
                    }
                }
            }
        }
        text.truncate(significant);
        self.rest = self.rest.get(end..).unwrap_or_default();
        let is_null = !escaped && text.eq_ignore_ascii_case(b"null");
        Ok(if is_null { ArrayItem::Null } else { ArrayItem::Text })
    }

    /// The comma or brace after an element.
    fn delimiter(&mut self) -> Result<(), TypeError> {
        self.rest = trim_start(self.rest);
        match self.rest.split_first() {
            Some((b',', rest)) => {
                self.rest = rest;
                Ok(())
            }
            Some((b'}', rest)) => {
                self.rest = rest;
                self.finish()
            }
            Some(_) => Err(malformed(self.literal).with_detail("Unexpected array element.")),
            None => Err(self.ends()),
        }
    }

    fn finish(&mut self) -> Result<(), TypeError> {
        self.is_done = true;
        if self.is_inner || trim_start(self.rest).is_empty() {
            return Ok(());
        }
        Err(malformed(self.literal).with_detail("Junk after closing right brace."))
    }

    fn ends(&self) -> TypeError {
        malformed(self.literal).with_detail("Unexpected end of input.")
    }

    fn unexpected(&self, punct: u8) -> TypeError {
        let detail = format!("Unexpected \"{}\" character.", punct as char);
        malformed(self.literal).with_detail(detail)
    }
}

pub(super) fn malformed(literal: &[u8]) -> TypeError {
    TypeError::new("22P02", format!("malformed array literal: \"{}\"", lossy(literal)))
}

/// The numbers of an `int2vector` or `oidvector`: words with spaces between them.
pub(crate) fn read_vector(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(literal: &str) -> Result<Vec<Option<String>>, TypeError> {
        let mut reader = ArrayReader::new(literal.as_bytes())?;
        let (mut items, mut text) = (Vec::new(), Vec::new());
        while let Some(item) = reader.next_item(&mut text)? {
            let text = String::from_utf8(text.clone()).unwrap();
            items.push((item == ArrayItem::Text).then_some(text));
        }
        Ok(items)
    }

    #[test]
    fn literals() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("{}"), Ok(vec![]));
        assert_eq!(read(" { } "), Ok(vec![]));
        assert_eq!(read("{1, 2 ,NULL}"), Ok(vec![some("1"), some("2"), None]));
        assert_eq!(
            read(r#"{"a b","x\"y",\NULL,"null","",a\ }"#),
            Ok(vec![some("a b"), some("x\"y"), some("NULL"), some("null"), some(""), some("a ")])
        );
        for bad in [
            "", "1", "{", "{1", "{1,}", "{,1}", "{1}x", "{a\"b\"}", "{\"a\"b}", "{\"a", "{1\\",
            "{{1}}",
        ] {
            assert_eq!(read(bad).unwrap_err().sqlstate, "22P02", "{bad}");
        }
    }
}
