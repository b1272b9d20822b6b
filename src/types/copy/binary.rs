//! The binary format.
//!
//! ```text
//! 'PGCOPY\n' 0xff '\r\n' 0 | flags u32 | extension length u32 | extension
//! for each row: fields i16 | for each field: length i32, -1 for NULL | bytes
//! end: -1 i16
//! ```

use crate::types::error::TypeError;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

pub(super) const TRAILER: [u8; 2] = [0xff, 0xff];

pub(super) fn append_header(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]);
}

/// What the front of the data holds.
pub(super) enum Header {
    /// Not yet all of it.
    Partial,
    /// A header of this many bytes.
    Length(usize),
}

/// # Errors
/// `22P04` if the data does not begin as the format does, `0A000` for flags unknown to it.
pub(super) fn read_header(bytes: &[u8]) -> Result<Header, TypeError> {
    let start = bytes.get(..SIGNATURE.len().min(bytes.len())).unwrap_or_default();
    if !SIGNATURE.starts_with(start) {
        return Err(TypeError::new("22P04", "COPY file signature not recognized"));
    }
    let fields = bytes.get(SIGNATURE.len()..).and_then(|rest| rest.first_chunk::<8>());
    let Some([f0, f1, f2, f3, l0, l1, l2, l3]) = fields else { return Ok(Header::Partial) };
    let flags = u32::from_be_bytes([*f0, *f1, *f2, *f3]);
    if flags & (1 << 16) != 0 {
        return Err(TypeError::new("22P04", "invalid COPY file header (WITH OIDS)"));
    }
    if flags >> 16 != 0 {
        return Err(TypeError::new("22P04", "unrecognized critical flags in COPY file header"));
    }
    let extension = i32::from_be_bytes([*l0, *l1, *l2, *l3]);
    let extension = usize::try_from(extension)
        .map_err(|_| TypeError::new("22P04", "invalid COPY file header (missing length)"))?;
    let length = SIGNATURE.len() + 8 + extension;
    Ok(if bytes.len() < length { Header::Partial } else { Header::Length(length) })
}

/// A field at the front of the data.
pub(super) enum Field<'a> {
    Partial,
    Null,
    /// The value, and the number of bytes with its length.
    Value(&'a [u8], usize),
}

/// # Errors
/// `22P04` for a negative length.
pub(super) fn read_field(bytes: &[u8]) -> Result<Field<'_>, TypeError> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(Field::Partial) };
    let length = i32::from_be_bytes(*length);
    if length == -1 {
        return Ok(Field::Null);
    }
    let length =
        usize::try_from(length).map_err(|_| TypeError::new("22P04", "invalid field size"))?;
    Ok(match rest.get(..length) {
        Some(value) => Field::Value(value, length + 4),
        None => Field::Partial,
    })
}
