//! Fields of a line in the text format, and their escapes.

/// Takes the field up to the next delimiter off `rest`; `None` in `rest` when it was the last.
///
/// A delimiter after a backslash is data. `has_escapes` says whether the field has a backslash.
pub(super) fn next_field<'a>(
    rest: &mut Option<&'a [u8]>,
    delimiter: u8,
) -> Option<(&'a [u8], bool)> {
    let line = (*rest)?;
    let mut from = 0;
    let mut has_escapes = false;
    loop {
        let tail = line.get(from..).unwrap_or_default();
        match memchr::memchr2(delimiter, b'\\', tail) {
            None => {
                *rest = None;
                return Some((line, has_escapes));
            }
            Some(at) if tail[at] == delimiter => {
                let end = from + at;
                *rest = line.get(end + 1..);
                return Some((&line[..end], has_escapes));
            }
            Some(at) => {
                has_escapes = true;
                from = (from + at + 2).min(line.len());
            }
        }
    }
}

/// Replaces `out` by the field without its escapes. `None` if it holds `\.`, which ends the data.
pub(super) fn unescape(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let mut rest = field;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, used) = match rest.get(at + 1..).unwrap_or_default() {
            // A backslash at the end stands for itself.
            [] => (b'\\', 0),
            [b'.', ..] => return None,
            [b'b', ..] => (0x08, 1),
            [b'f', ..] => (0x0c, 1),
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'v', ..] => (0x0b, 1),
            [b'x', digits @ ..] => match number(digits, 16, 2) {
                (_, 0) => (b'x', 1),
                (value, used) => (value, used + 1),
            },
            digits @ [b'0'..=b'7', ..] => number(digits, 8, 3),
            [other, ..] => (*other, 1),
        };
        out.push(byte);
        rest = rest.get(at + 1 + used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Up to `most` digits at the start, as a byte, and how many there are.
fn number(digits: &[u8], radix: u32, most: usize) -> (u8, usize) {
    let mut value = 0_u32;
    let mut used = 0;
    for byte in digits.iter().take(most) {
        let Some(digit) = (*byte as char).to_digit(radix) else { break };
        value = value * radix + digit;
        used += 1;
    }
    ((value & 0xff) as u8, used)
}

/// Appends a value's text with the characters escaped that mean something in a line.
pub(super) fn append_escaped(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let mut written = 0;
    for (at, byte) in value.iter().enumerate() {
        let escape = match byte {
            b'\\' => b'\\',
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            byte if *byte == delimiter => delimiter,
            _ => continue,
        };
        out.extend_from_slice(&value[written..at]);
        out.extend_from_slice(&[b'\\', escape]);
        written = at + 1;
    }
    out.extend_from_slice(&value[written..]);
}
