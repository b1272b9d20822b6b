//! `hstore` of the extension of that name: sets of keys with texts or NULL.
//!
//! A value is stored as the text that PostgreSQL shows for it. Its pairs are in the order of the lengths of their keys,
//! and of the keys where they are of one length; each key is there once, so equal values are equal texts.
//!
//! ```text
//! text     "a"=>"1", "bb"=>NULL
//! binary   pairs: u32   then for each   key bytes: u32, key, value bytes: i32 (-1 for NULL), value
//! ```

use super::error::TypeError;

/// `pg_type.oid`: below those that are given to what statements make, so that a type is a type without its catalog.
pub(super) const OID: u32 = 13_802;
/// That of the array over it.
pub(super) const ARRAY_OID: u32 = 13_803;

/// PostgreSQL's limit of a key's and of a value's length.
const PART_BYTES_MAX: usize = 0x3FFF_FFFF;

/// The pairs of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hstore(Vec<(String, Option<String>)>);

impl Hstore {
    /// A value of pairs in any order; of several with one key the first stays.
    pub(crate) fn new(mut pairs: Vec<(String, Option<String>)>) -> Self {
        pairs.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        pairs.dedup_by(|(later, _), (first, _)| later == first);
        Self(pairs)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// `42601` for what is none.
    pub(crate) fn parse(text: &str) -> Result<Self, TypeError> {
        let mut reader = Reader { text, at: 0 };
        let mut pairs = Vec::new();
        while let Some((key, _)) = reader.word(true)? {
            reader.skip_spaces();
            reader.expect('=')?;
            reader.expect('>')?;
            let (value, quoted) = reader.word(false)?.ok_or_else(unexpected_end)?;
            check_length(&key, "key")?;
            check_length(&value, "value")?;
            let is_null = !quoted && value.eq_ignore_ascii_case("null");
            pairs.push((key, (!is_null).then_some(value)));
            reader.skip_spaces();
            match reader.peek() {
                None => break,
                Some(',') => reader.at += 1,
                Some(_) => return Err(reader.syntax_error()),
            }
        }
        Ok(Self::new(pairs))
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// `08P01` for bytes that are none, `22021` for text that is not UTF-8, `22004` for a key that is null.
    pub(crate) fn receive(bytes: &[u8]) -> Result<Self, TypeError> {
        let mut rest = bytes;
        let count = length(&mut rest)?;
        let count = usize::try_from(count).map_err(|_| malformed())?;
        // Each pair has its two lengths: no room is made for what is not there.
        if count > rest.len() / 8 {
            return Err(malformed());
        }
        let mut pairs = Vec::with_capacity(count);
        for _ in 0..count {
            let key = part(&mut rest)?.ok_or_else(null_key)?;
            pairs.push((key, part(&mut rest)?));
        }
        match rest {
            [] => Ok(Self::new(pairs)),
            _ => Err(malformed()),
        }
    }

    /// Appends the binary form.
    pub(crate) fn send(&self, out: &mut Vec<u8>) {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        out.extend_from_slice(&length(self.0.len()));
        for (key, value) in &self.0 {
            out.extend_from_slice(&length(key.len()));
            out.extend_from_slice(key.as_bytes());
            match value {
                Some(value) => {
                    out.extend_from_slice(&length(value.len()));
                    out.extend_from_slice(value.as_bytes());
                }
                None => out.extend_from_slice(&(-1i32).to_be_bytes()),
            }
        }
    }

    /// In order.
    pub(crate) fn pairs(&self) -> &[(String, Option<String>)] {
        &self.0
    }

    /// They themselves.
    pub(crate) fn into_pairs(self) -> Vec<(String, Option<String>)> {
        self.0
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<Option<&str>> {
        let by_key =
            |(known, _): &(String, _)| (known.len(), known.as_str()).cmp(&(key.len(), key));
        let at = self.0.binary_search_by(by_key).ok()?;
        self.0.get(at).map(|(_, value)| value.as_deref())
    }
}

impl std::fmt::Display for Hstore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write_quoted(f, key)?;
            f.write_str("=>")?;
            match value {
                Some(value) => write_quoted(f, value)?,
                None => f.write_str("NULL")?,
            }
        }
        Ok(())
    }
}

fn write_quoted(f: &mut std::fmt::Formatter<'_>, text: &str) -> std::fmt::Result {
    use std::fmt::Write as _;
    f.write_char('"')?;
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(letter)?;
    }
    f.write_char('"')
}

/// A key may not be null.
pub(crate) fn null_key() -> TypeError {
    TypeError::new("22004", "null value not allowed for hstore key")
}

fn check_length(text: &str, what: &str) -> Result<(), TypeError> {
    match text.len() {
        0..=PART_BYTES_MAX => Ok(()),
        _ => Err(TypeError::new("22001", format!("string too long for hstore {what}"))),
    }
}

fn malformed() -> TypeError {
    TypeError::new("08P01", "insufficient data left in message")
}

fn length(rest: &mut &[u8]) -> Result<i32, TypeError> {
    let (first, behind) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
    *rest = behind;
    Ok(i32::from_be_bytes(*first))
}

/// A text with its length before it; nothing for a length below 0.
fn part(rest: &mut &[u8]) -> Result<Option<String>, TypeError> {
    let Ok(bytes) = usize::try_from(length(rest)?) else { return Ok(None) };
    let (text, behind) = rest.split_at_checked(bytes).ok_or_else(malformed)?;
    *rest = behind;
    Ok(Some(super::text::input::read_text(text)?.to_owned()))
}

fn unexpected_end() -> TypeError {
    TypeError::new("42601", "syntax error in hstore: unexpected end of string")
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn syntax_error(&self) -> TypeError {
        let near = self.peek().map(String::from).unwrap_or_default();
        let message = format!("syntax error in hstore, near \"{near}\" at position {}", self.at);
        TypeError::new("42601", message)
    }

    fn expect(&mut self, wanted: char) -> Result<(), TypeError> {
        match self.peek() {
            Some(letter) if letter == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.syntax_error()),
            None => Err(unexpected_end()),
        }
    }

    /// A key, which ends at `=`, or a value, which ends at a comma, and whether it was in quotes; nothing at the end.
    fn word(&mut self, is_key: bool) -> Result<Option<(String, bool)>, TypeError> {
        self.skip_spaces();
        let quoted = match self.peek() {
            None => return Ok(None),
            Some('=') if is_key => return Err(self.syntax_error()),
            Some('"') => true,
            Some(_) => false,
        };
        let mut word = String::new();
        if quoted {
            self.at += 1;
            loop {
                match self.take().ok_or_else(unexpected_end)? {
                    '"' => return Ok(Some((word, true))),
                    '\\' => word.push(self.take().ok_or_else(unexpected_end)?),
                    letter => word.push(letter),
                }
            }
        }
        while let Some(letter) = self.peek() {
            let ends = if is_key { letter == '=' } else { letter == ',' };
            if (ends && !word.is_empty()) || is_space(letter) {
                break;
            }
            self.at += letter.len_utf8();
            match letter {
                '\\' => word.push(self.take().ok_or_else(unexpected_end)?),
                letter => word.push(letter),
            }
        }
        Ok(Some((word, false)))
    }
}

/// As C's `isspace`.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_written() {
        for (text, shown) in [
            ("", ""),
            (
                " a=>1 , b => NULL,\"c d\"=>\"x\\\"y\\\\\" ",
                r#""a"=>"1", "b"=>NULL, "c d"=>"x\"y\\""#,
            ),
            ("bb=>2,a=>\"null\",", r#""a"=>"null", "bb"=>"2""#),
            ("a=>1,a=>2", r#""a"=>"1""#),
            ("a\\=b=>c=d", r#""a=b"=>"c=d""#),
            ("\"\"=>\"\"", r#"""=>"""#),
            ("ä=>ö", r#""ä"=>"ö""#),
        ] {
            let value = Hstore::parse(text).unwrap();
            assert_eq!(value.to_string(), shown, "{text}");
            assert_eq!(Hstore::parse(shown).unwrap(), value);
            let mut bytes = Vec::new();
            value.send(&mut bytes);
            assert_eq!(Hstore::receive(&bytes).unwrap(), value);
            for end in 0..bytes.len() {
                assert!(Hstore::receive(&bytes[..end]).is_err(), "{text} to {end}");
            }
        }
    }

    #[test]
    fn what_is_no_text_form_is_refused() {
        for text in ["a", "a=", "a=>", "a=1", "=>1", "a=>1 b=>2", "a=>\"1", "\"a", "a=>1\\", "a =x"]
        {
            assert_eq!(Hstore::parse(text).unwrap_err().sqlstate, "42601", "{text}");
        }
    }

    #[test]
    fn bytes_of_a_client_are_measured() {
        let null_key = [0, 0, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0];
        assert_eq!(Hstore::receive(&null_key).unwrap_err().sqlstate, "22004");
        for bytes in [&[127, 255, 255, 255][..], &[255, 255, 255, 255], &[0, 0, 0, 0, 0]] {
            assert_eq!(Hstore::receive(bytes).unwrap_err().sqlstate, "08P01");
        }
        let not_text = [0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255, 255];
        assert_eq!(Hstore::receive(&not_text).unwrap_err().sqlstate, "22021");
    }
}
