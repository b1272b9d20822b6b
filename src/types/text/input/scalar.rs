//! Booleans, strings, bytes and the small types.

use std::net::IpAddr;

use crate::types::error::{TypeError, lossy};
use crate::types::pg_type::PgType;

use super::{trim, trim_end};

pub(crate) fn read_bool(text: &[u8]) -> Result<bool, TypeError> {
    let word = trim(text);
    // Any beginning of the word that says which word it is.
    let is = |full: &[u8], least: usize| {
        word.len() >= least
            && full.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if is(b"true", 1) || is(b"yes", 1) || is(b"on", 2) || word == b"1" {
        Ok(true)
    } else if is(b"false", 1) || is(b"no", 1) || is(b"off", 2) || word == b"0" {
        Ok(false)
    } else {
        Err(TypeError::syntax("boolean", text))
    }
}

/// UTF-8 without NUL characters.
#[inline]
pub(crate) fn read_text(text: &[u8]) -> Result<&str, TypeError> {
    if memchr::memchr(0, text).is_some() {
        return Err(invalid_bytes(&[0]));
    }
    std::str::from_utf8(text).map_err(|error| {
        let bad = text.get(error.valid_up_to()..).unwrap_or_default();
        // As many bytes as the first one announces.
        let announced = match bad.first() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => 1,
        };
        invalid_bytes(bad.get(..announced).unwrap_or(bad))
    })
}

fn invalid_bytes(bytes: &[u8]) -> TypeError {
    let listed: Vec<_> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let listed = listed.join(" ");
    TypeError::new("22021", format!("invalid byte sequence for encoding \"UTF8\": {listed}"))
}

/// Text of at most `length` characters. What is too long is refused, unless only spaces are lost; an
/// explicit cast cuts it.
pub(crate) fn read_varchar(text: &str, length: u32, explicit: bool) -> Result<&str, TypeError> {
    fit(text, length, explicit, || PgType::Varchar(Some(length)))
}

/// Text of at most `length` characters, without the spaces at its end: they mean nothing in
/// `character(n)`, and output puts them back.
pub(crate) fn read_bpchar(
    text: &str,
    length: Option<u32>,
    explicit: bool,
) -> Result<&str, TypeError> {
    let fitted = match length {
        Some(length) => fit(text, length, explicit, || PgType::Bpchar(Some(length)))?,
        None => text,
    };
    Ok(fitted.trim_end_matches(' '))
}

fn fit(
    text: &str,
    length: u32,
    explicit: bool,
    ty: impl Fn() -> PgType,
) -> Result<&str, TypeError> {
    let length = length as usize;
    // Bytes are at least as many as characters.
    if text.len() <= length {
        return Ok(text);
    }
    let Some((end, _)) = text.char_indices().nth(length) else { return Ok(text) };
    let (kept, lost) = text.split_at(end);
    if explicit || lost.bytes().all(|byte| byte == b' ') {
        return Ok(kept);
    }
    Err(TypeError::new("22001", format!("value too long for type {}", ty().name())))
}

/// A name is cut to 63 bytes, between characters.
pub(crate) fn read_name(text: &str) -> &str {
    const NAME_BYTES_MAX: usize = 63;
    text.get(..text.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(text)
}

pub(crate) fn read_bytea(text: &[u8]) -> Result<Vec<u8>, TypeError> {
    match text.strip_prefix(b"\\x") {
        Some(hex) => read_hex(hex),
        None => read_escaped(text),
    }
}

/// Pairs of digits; spaces may stand between the pairs.
fn read_hex(text: &[u8]) -> Result<Vec<u8>, TypeError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut rest = text.iter().enumerate();
    while let Some((_, first)) = rest.next() {
        if matches!(first, b' ' | b'\n' | b'\t' | b'\r') {
            continue;
        }
        let high = hex_digit(text, *first)?;
        let Some((_, second)) = rest.next() else {
            return Err(TypeError::new("22023", "invalid hexadecimal data: odd number of digits"));
        };
        bytes.push((high << 4) | hex_digit(text, *second)?);
    }
    Ok(bytes)
}

fn hex_digit(text: &[u8], byte: u8) -> Result<u8, TypeError> {
    if let Some(digit) = (byte as char).to_digit(16) {
        return Ok(digit as u8);
    }
    // The whole character, if the byte begins one.
    let at = text.iter().position(|other| *other == byte).unwrap_or(0);
    let rest = lossy(text.get(at..).unwrap_or_default());
    let character = rest.chars().next().map(String::from).unwrap_or_default();
    Err(TypeError::new("22023", format!("invalid hexadecimal digit: \"{character}\"")))
}

/// Bytes as they are, `\\` for a backslash and `\ooo` for a byte in octal.
fn read_escaped(text: &[u8]) -> Result<Vec<u8>, TypeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'\\' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            _ => return Err(TypeError::new("22P02", "invalid input syntax for type bytea")),
        }
    }
    Ok(bytes)
}

/// Sixteen bytes in hexadecimal, optionally in braces, with or without a hyphen after every fourth
/// digit.
pub(crate) fn read_uuid(text: &[u8]) -> Result<[u8; 16], TypeError> {
    let syntax = || TypeError::syntax("uuid", text);
    let braced = text.first() == Some(&b'{');
    let mut rest = if braced { &text[1..] } else { text };
    let mut bytes = [0; 16];
    for (index, slot) in bytes.iter_mut().enumerate() {
        let [high, low, after @ ..] = rest else { return Err(syntax()) };
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        *slot = (digit(*high).ok_or_else(syntax)? << 4) | digit(*low).ok_or_else(syntax)?;
        rest = match after {
            [b'-', after @ ..] if index % 2 == 1 && index < 15 => after,
            after => after,
        };
    }
    let end: &[u8] = if braced { b"}" } else { b"" };
    if rest == end { Ok(bytes) } else { Err(syntax()) }
}

/// `(block,offset)`, brought to that form.
pub(crate) fn read_tid(text: &[u8]) -> Result<String, TypeError> {
    let syntax = || TypeError::syntax("tid", text);
    let trimmed = std::str::from_utf8(trim(text)).map_err(|_| syntax())?;
    let inner = trimmed.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let (block, offset) = inner.and_then(|text| text.split_once(',')).ok_or_else(syntax)?;
    let block: u32 = block.trim().parse().map_err(|_| syntax())?;
    let offset: u16 = offset.trim().parse().map_err(|_| syntax())?;
    Ok(format!("({block},{offset})"))
}

/// Two halves in hexadecimal with a slash between them.
pub(crate) fn read_lsn(text: &[u8]) -> Result<u64, TypeError> {
    let syntax = || TypeError::syntax("pg_lsn", text);
    let text = std::str::from_utf8(text).map_err(|_| syntax())?;
    let (high, low) = text.split_once('/').ok_or_else(syntax)?;
    let half = |text: &str| {
        let valid = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        u32::from_str_radix(text, 16).ok().filter(|_| valid)
    };
    let high = half(high).ok_or_else(syntax)?;
    let low = half(low).ok_or_else(syntax)?;
    Ok((u64::from(high) << 32) | u64::from(low))
}

/// An address with an optional prefix length, which is left out where it covers the whole address.
pub(crate) fn read_inet(text: &[u8]) -> Result<String, TypeError> {
    let syntax = || TypeError::syntax("inet", text);
    let trimmed = std::str::from_utf8(trim_end(text)).map_err(|_| syntax())?;
    let (address, prefix) = match trimmed.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (trimmed, None),
    };
    let address: IpAddr = address.parse().map_err(|_| syntax())?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    match prefix {
        None => Ok(address.to_string()),
        Some(prefix) => match prefix.parse::<u8>() {
            Ok(bits) if bits == full => Ok(address.to_string()),
            Ok(bits) if bits < full && prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(format!("{address}/{bits}"))
            }
            _ => Err(syntax()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        for text in ["t", "TRUE", "tr", "y", "yes", "on", "1", " true "] {
            assert_eq!(read_bool(text.as_bytes()), Ok(true), "{text}");
        }
        for text in ["f", "false", "n", "NO", "of", "off", "0"] {
            assert_eq!(read_bool(text.as_bytes()), Ok(false), "{text}");
        }
        for text in ["", "o", "2", "truee", "yess", "10"] {
            assert_eq!(read_bool(text.as_bytes()).unwrap_err().sqlstate, "22P02", "{text}");
        }
    }

    #[test]
    fn strings_fit_or_are_refused() {
        assert_eq!(read_varchar("abc", 3, false), Ok("abc"));
        assert_eq!(read_varchar("äöü", 3, false), Ok("äöü"));
        assert_eq!(read_varchar("abc  ", 3, false), Ok("abc"));
        assert_eq!(read_varchar("abcd", 3, true), Ok("abc"));
        let error = read_varchar("abcd", 3, false).unwrap_err();
        assert_eq!(
            (error.sqlstate, error.message.as_str()),
            ("22001", "value too long for type character varying(3)")
        );
        assert_eq!(read_bpchar("ab ", Some(3), false), Ok("ab"));
        assert_eq!(
            read_text(b"a\xff").unwrap_err().message,
            "invalid byte sequence for encoding \"UTF8\": 0xff"
        );
        assert_eq!(
            read_text(b"\xe4a").unwrap_err().message,
            "invalid byte sequence for encoding \"UTF8\": 0xe4 0x61"
        );
        assert_eq!(read_text(b"a\0").unwrap_err().sqlstate, "22021");
        assert_eq!(read_name(&"ä".repeat(40)).len(), 62);
    }

    #[test]
    fn bytes_and_uuids() {
        assert_eq!(read_bytea(b"\\xDE ad"), Ok(vec![0xde, 0xad]));
        assert_eq!(read_bytea(b"a\\\\b\\001"), Ok(b"a\\b\x01".to_vec()));
        assert_eq!(
            read_bytea(b"\\xabc").unwrap_err().message,
            "invalid hexadecimal data: odd number of digits"
        );
        assert_eq!(read_bytea(b"\\xzz").unwrap_err().message, "invalid hexadecimal digit: \"z\"");
        assert_eq!(read_bytea(b"\\8").unwrap_err().sqlstate, "22P02");
        let text = b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let bytes = read_uuid(text).unwrap();
        for other in [
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            assert_eq!(read_uuid(other.as_bytes()), Ok(bytes), "{other}");
        }
        for bad in [
            "",
            "a0eebc99",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a1g",
            "a-0eebc999c0b4ef8bb6d6bb9bd380a11",
        ] {
            assert_eq!(read_uuid(bad.as_bytes()).unwrap_err().sqlstate, "22P02", "{bad}");
        }
        assert_eq!(read_inet(b"10.0.0.1/32"), Ok("10.0.0.1".to_owned()));
        assert_eq!(read_inet(b"10.0.0.1/8"), Ok("10.0.0.1/8".to_owned()));
        assert_eq!(read_lsn(b"16/B374D848"), Ok(0x16_B374_D848));
    }
}
