//! The frames a segment is made of.
//!
//! ```text
//! offset  0  crc:u32       CRC-32 of: store id, segment number, offset of the frame, bytes 4 to 32 of it
//!         4  magic:u16     0x5747, "GW"
//!         6  kind:u8       1 part, 2 commit, 3 synced, 4 end
//!         7  reserved:u8   0
//!         8  number:u64    the commit; for synced and end, the last one before
//!        16  synced:u64    a commit that was durable, with all before it, when this frame was written
//!        24  length:u32    of the payload
//!        28  payload:u32   CRC-32 of the payload
//!        32  the payload, then zeros up to a multiple of 8
//! ```
//!
//! All numbers are little-endian. A commit is its parts in order and then one commit frame. As the checksum covers where
//! the frame is, one that was moved, or belongs to another store, is not taken for a frame.
//!
//! `synced` is what tells a write that a crash tore from damage done later: nothing at or before a commit that any later
//! frame calls synced can be missing.

use crate::storage::codec::Reader;
use crate::types::CommitNo;

pub(crate) const HEADER_BYTES: usize = 32;
/// Frames start at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
const MAGIC: u16 = 0x5747;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Some of a commit; more follows.
    Part,
    /// The last of a commit, or all of it.
    Commit,
    /// Says that what is before is durable.
    Synced,
    /// The log goes on in the next segment.
    End,
}

impl FrameKind {
    fn tag(self) -> u8 {
        match self {
            Self::Part => 1,
            Self::Commit => 2,
            Self::Synced => 3,
            Self::End => 4,
        }
    }

    fn of(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Self::Part),
            2 => Some(Self::Commit),
            3 => Some(Self::Synced),
            4 => Some(Self::End),
            _ => None,
        }
    }
}

/// Where frames are: part of their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The store's random number.
    pub(crate) store: u64,
    /// The segment's number.
    pub(crate) segment: u64,
}

/// A frame without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: FrameKind,
    pub(crate) number: CommitNo,
    pub(crate) synced: CommitNo,
    pub(crate) length: u32,
    pub(crate) payload_crc: u32,
}

impl FrameHeader {
    /// Bytes from this frame's start to the next one's.
    pub(crate) fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + (self.length as usize).next_multiple_of(ALIGNMENT)) as u64
    }

    /// The frame whose header `bytes` is, if it is one at this place and offset.
    pub(crate) fn read(bytes: &[u8], place: Place, offset: u64) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let mut reader = Reader::new(bytes, "log frame");
        let crc = reader.u32().ok()?;
        if u16::from_le_bytes(reader.array().ok()?) != MAGIC
            || header_crc(&bytes[4..], place, offset) != crc
        {
            return None;
        }
        let kind = FrameKind::of(reader.u8().ok()?)?;
        if reader.u8().ok()? != 0 {
            return None;
        }
        Some(Self {
            kind,
            number: CommitNo(reader.u64().ok()?),
            synced: CommitNo(reader.u64().ok()?),
            length: reader.u32().ok()?,
            payload_crc: reader.u32().ok()?,
        })
    }
}

fn header_crc(header: &[u8], place: Place, offset: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.store.to_le_bytes());
    hasher.update(&place.segment.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(header);
    hasher.finalize()
}

/// Appends a frame to `out`, whose first byte is at `start` of the segment.
///
/// The payload must be shorter than 2^32 bytes.
pub(crate) fn put_frame(
    out: &mut Vec<u8>,
    start: u64,
    place: Place,
    (kind, number, synced): (FrameKind, CommitNo, CommitNo),
    payload: &[u8],
) {
    let offset = start + out.len() as u64;
    let mut header = [0u8; HEADER_BYTES];
    header[4..6].copy_from_slice(&MAGIC.to_le_bytes());
    header[6] = kind.tag();
    header[8..16].copy_from_slice(&number.0.to_le_bytes());
    header[16..24].copy_from_slice(&synced.0.to_le_bytes());
    header[24..28].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[28..32].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let crc = header_crc(&header[4..], place, offset);
    header[..4].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { store: 7, segment: 3 };

    #[test]
    fn a_frame_is_one_at_its_place_only() {
        let mut out = Vec::new();
        let what = (FrameKind::Commit, CommitNo(5), CommitNo(4));
        put_frame(&mut out, 64, PLACE, what, b"payload");
        assert_eq!(out.len(), 40);
        let header = FrameHeader::read(&out, PLACE, 64).unwrap();
        assert_eq!((header.kind, header.number, header.synced), what);
        assert_eq!((header.length, header.frame_bytes()), (7, 40));
        assert_eq!(header.payload_crc, crc32fast::hash(b"payload"));
        assert!(FrameHeader::read(&out, PLACE, 72).is_none());
        assert!(FrameHeader::read(&out, Place { segment: 4, ..PLACE }, 64).is_none());
        assert!(FrameHeader::read(&out, Place { store: 8, ..PLACE }, 64).is_none());
        for at in 0..HEADER_BYTES {
            let mut bytes = out.clone();
            bytes[at] ^= 1;
            assert!(FrameHeader::read(&bytes, PLACE, 64).is_none(), "byte {at}");
        }
    }
}
