//! Bytes, identifiers of 16 bytes, and the quoting of array elements.

use crate::types::settings::ByteaOutput;

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(crate) fn append_bytea(bytes: &[u8], format: ByteaOutput, out: &mut Vec<u8>) {
    match format {
        ByteaOutput::Hex => {
            out.extend_from_slice(b"\\x");
            append_hex(bytes, out);
        }
        ByteaOutput::Escape => {
            for byte in bytes {
                match *byte {
                    b'\\' => out.extend_from_slice(b"\\\\"),
                    printable @ 0x20..=0x7e => out.push(printable),
                    byte => {
                        let octal = [byte >> 6, (byte >> 3) & 7, byte & 7].map(|d| b'0' + d);
                        out.push(b'\\');
                        out.extend_from_slice(&octal);
                    }
                }
            }
        }
    }
}

fn append_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(
        bytes.iter().flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
    );
}

/// `a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11`.
pub(crate) fn append_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().take(16).enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// Quotes the field that was appended from `start` on, if a row's text needs it: it is empty, or has a character that
/// means something there. Quotes and backslashes are doubled.
pub(crate) fn append_record_field(start: usize, out: &mut Vec<u8>) {
    let field = out.get(start..).unwrap_or_default();
    let is_special = |byte: u8| {
        matches!(
            byte,
            b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c
        )
    };
    if !field.is_empty() && !field.iter().any(|byte| is_special(*byte)) {
        return;
    }
    let field = field.to_vec();
    out.truncate(start);
    out.push(b'"');
    for byte in field {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Quotes the element that was appended from `start` on, if an array's text needs it: it is empty,
/// the word NULL, or has a character that means something there.
pub(crate) fn append_array_element(start: usize, delimiter: u8, out: &mut Vec<u8>) {
    let element = out.get(start..).unwrap_or_default();
    let is_special = |byte: u8| {
        matches!(byte, b'"' | b'\\' | b'{' | b'}' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
            || byte == delimiter
    };
    let needs_quotes = element.is_empty()
        || element.eq_ignore_ascii_case(b"null")
        || element.iter().any(|byte| is_special(*byte));
    if !needs_quotes {
        return;
    }
    let escapes = element.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let old_len = out.len();
    let new_len = old_len + escapes + 2;
    out.resize(new_len, b'"');
    // From the end backwards, so that nothing is overwritten before it is moved.
    let mut to = new_len - 1;
    for from in (start..old_len).rev() {
        let byte = out[from];
        to -= 1;
        out[to] = byte;
        if matches!(byte, b'"' | b'\\') {
            to -= 1;
            out[to] = b'\\';
        }
    }
    out[start] = b'"';
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_quoted_where_needed() {
        for (element, expected) in [
            ("a", "a"),
            ("", "\"\""),
            ("nULL", "\"nULL\""),
            ("a b", "\"a b\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("{x,y}", "\"{x,y}\""),
        ] {
            let mut out = b"{".to_vec();
            out.extend_from_slice(element.as_bytes());
            append_array_element(1, b',', &mut out);
            assert_eq!(&out[1..], expected.as_bytes());
        }
    }

    #[test]
    fn bytes() {
        let mut out = Vec::new();
        append_bytea(b"\x00a\\\xff", ByteaOutput::Hex, &mut out);
        assert_eq!(out, b"\\x00615cff");
        out.clear();
        append_bytea(b"\x00a\\\xff", ByteaOutput::Escape, &mut out);
        assert_eq!(out, b"\\000a\\\\\\377");
    }
}
