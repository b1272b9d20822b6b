//! A segment file of the log, and reading it back.
//!
//! ```text
//! offset  0  magic        "GWLOG\0\r\n"
//!         8  version:u32  1
//!        12  reserved:u32 0
//!        16  store:u64    the store's random number
//!        24  segment:u64  its number, which is its name too: 20 digits and ".wal"
//!        32  after:u64    the last commit before it
//!        40  allocated:u64  bytes that were written as zeros before the file got its name
//!        48  reserved, zeros
//!        60  crc:u32      CRC-32 of bytes 0 to 60
//!        64  frames
//! ```
//!
//! Space is allocated ahead so that syncing a commit writes data blocks and nothing else, and so that a full disk shows
//! when a segment is made rather than in the middle of a commit.

use std::path::{Path, PathBuf};

use super::frame::{ALIGNMENT, FrameHeader, FrameKind, HEADER_BYTES, Place, put_frame};
use crate::storage::codec::Reader;
use crate::storage::error::StorageError;
use crate::storage::fs::{FileSystem, StoreFile};
use crate::types::CommitNo;

const MAGIC: &[u8; 8] = b"GWLOG\0\r\n";
const VERSION: u32 = 1;
/// Bytes before the first frame.
pub(crate) const FILE_HEADER_BYTES: u64 = 64;
const ZEROS_BYTES: usize = 1 << 20;
const AHEAD_BYTES: usize = 1 << 20;
const SUFFIX: &str = ".wal";

/// The file name of a segment.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:020}{SUFFIX}")
}

/// The segment of a file name; `None` if it is not one of a segment.
pub(crate) fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// A segment that is written to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) place: Place,
    pub(crate) file: Box<dyn StoreFile>,
    /// Where the next frame goes.
    pub(crate) end: u64,
}

impl Segment {
    /// Makes a segment that follows commit `after`, durable with its name.
    ///
    /// # Errors
    /// `53100` if there is no room; nothing is left behind then.
    pub(crate) fn create(
        fs: &dyn FileSystem,
        dir: &Path,
        place: Place,
        after: CommitNo,
        allocated: u64,
    ) -> Result<Self, StorageError> {
        let path = dir.join(segment_name(place.segment));
        let temporary = path.with_extension("new");
        let make = || {
            let file = fs.create(&temporary)?;
            let allocated = allocated.max(FILE_HEADER_BYTES);
            let zeros = vec![0; ZEROS_BYTES.min(allocated as usize)];
            let mut at = 0;
            while at < allocated {
                let length = (allocated - at).min(zeros.len() as u64);
                file.write_at(at, &zeros[..length as usize])?;
                at += length;
            }
            file.write_at(0, &file_header(place, after, allocated))?;
            file.sync()?;
            fs.rename(&temporary, &path)?;
            fs.sync_dir(dir)?;
            Ok(Self { place, file, end: FILE_HEADER_BYTES })
        };
        make().inspect_err(|_| {
            // Best effort: recovery knows both, and removes them.
            let _ = fs.remove(&temporary);
            let _ = fs.remove(&path);
        })
    }

    /// Writes frames that were made for [`Self::end`].
    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<(), StorageError> {
        self.file.write_at(self.end, frames)?;
        self.end += frames.len() as u64;
        Ok(())
    }

    /// Takes back what was written from `end` on, durably.
    pub(crate) fn cut(&mut self, end: u64) -> Result<(), StorageError> {
        self.file.set_len(end)?;
        self.file.sync()?;
        self.end = end;
        Ok(())
    }

    /// Says that the log goes on in the next segment, which must be durable, after commit `last`. Does not sync.
    pub(crate) fn finish(&mut self, last: CommitNo) -> Result<(), StorageError> {
        let mut frame = Vec::new();
        put_frame(&mut frame, self.end, self.place, (FrameKind::End, last, last), &[]);
        self.write(&frame)
    }
}

fn file_header(place: Place, after: CommitNo, allocated: u64) -> [u8; FILE_HEADER_BYTES as usize] {
    let mut header = [0; FILE_HEADER_BYTES as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&place.store.to_le_bytes());
    header[24..32].copy_from_slice(&place.segment.to_le_bytes());
    header[32..40].copy_from_slice(&after.0.to_le_bytes());
    header[40..48].copy_from_slice(&allocated.to_le_bytes());
    let crc = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// A whole commit as it is in the log.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) number: CommitNo,
    /// Its payloads in order.
    pub(crate) payloads: Vec<Vec<u8>>,
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentEnd {
    /// It says that the log goes on in the next one.
    Ended,
    /// After the last whole commit, at this offset: the rest is unused, or a write that a crash tore.
    Open { end: u64 },
}

/// Reads a segment from its start, commit by commit.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    pub(crate) path: PathBuf,
    file: Box<dyn StoreFile>,
    length: u64,
    place: Place,
    /// The last commit read, or the one before the segment.
    pub(crate) last: CommitNo,
    at: u64,
    /// What was read ahead, from this offset on.
    ahead: (u64, Vec<u8>),
}

impl SegmentReader {
    /// Opens a segment.
    ///
    /// # Errors
    /// `XX001` if it is not a whole one of this store under its own name; `0A000` if a newer version wrote it.
    pub(crate) fn open(
        fs: &dyn FileSystem,
        dir: &Path,
        place: Place,
    ) -> Result<Self, StorageError> {
        let path = dir.join(segment_name(place.segment));
        let file = fs.open_read(&path)?;
        let length = file.len()?;
        let corrupt = |reason: &str| StorageError::corrupt(&path, reason);
        if length < FILE_HEADER_BYTES {
            return Err(corrupt("it is shorter than a log segment's header"));
        }
        let header = file.read_at(0, FILE_HEADER_BYTES as usize)?;
        let (body, crc) = header.split_at(60);
        if body[..8] != *MAGIC || crc != crc32fast::hash(body).to_le_bytes() {
            return Err(corrupt("its header is damaged"));
        }
        let mut reader = Reader::new(&body[8..], "log segment header");
        let malformed = |_| corrupt("its header is damaged");
        let version = reader.u32().map_err(malformed)?;
        if version != VERSION {
            return Err(StorageError::Version { path: path.display().to_string(), version });
        }
        reader.u32().map_err(malformed)?;
        let found = Place {
            store: reader.u64().map_err(malformed)?,
            segment: reader.u64().map_err(malformed)?,
        };
        if found != place {
            return Err(corrupt("it belongs to another store, or has another segment's name"));
        }
        let last = CommitNo(reader.u64().map_err(malformed)?);
        Ok(Self { path, file, length, place, last, at: FILE_HEADER_BYTES, ahead: (0, Vec::new()) })
    }

    /// The next whole commit, or how the segment ends.
    ///
    /// # Errors
    /// `XX001` if something that was durable is damaged.
    pub(crate) fn next(&mut self) -> Result<Result<Found, SegmentEnd>, StorageError> {
        let mut payloads = Vec::new();
        let mut at = self.at;
        loop {
            let Some(header) = self.header_at(at)? else { return self.open_end().map(Err) };
            let Some(payload) = self.payload_at(at, &header)? else {
                return self.open_end().map(Err);
            };
            at += header.frame_bytes();
            let expected = match header.kind {
                FrameKind::Part | FrameKind::Commit => self.last.0 + 1,
                FrameKind::Synced | FrameKind::End => self.last.0,
            };
            if header.number.0 != expected {
                return Err(self.corrupt(at, "a commit is missing before"));
            }
            match header.kind {
                FrameKind::Part => payloads.push(payload),
                FrameKind::Commit => {
                    payloads.push(payload);
                    self.last = header.number;
                    self.at = at;
                    return Ok(Ok(Found { number: header.number, payloads }));
                }
                FrameKind::Synced | FrameKind::End if !payloads.is_empty() => {
                    return Err(self.corrupt(at, "a commit is incomplete before"));
                }
                FrameKind::Synced => self.at = at,
                FrameKind::End => return Ok(Err(SegmentEnd::Ended)),
            }
        }
    }

    fn corrupt(&self, at: u64, reason: &str) -> StorageError {
        StorageError::corrupt(&self.path, &format!("{reason} offset {at}"))
    }

    /// Bytes of the file, which must be inside of it. Frames are small, so more are read at a time.
    fn bytes_at(&mut self, at: u64, length: usize) -> Result<&[u8], StorageError> {
        let inside = |ahead: &(u64, Vec<u8>)| {
            let from = usize::try_from(at.checked_sub(ahead.0)?).ok()?;
            let to = from.checked_add(length)?;
            (to <= ahead.1.len()).then_some((from, to))
        };
        if inside(&self.ahead).is_none() {
            let wanted = (self.length - at).min(AHEAD_BYTES.max(length) as u64) as usize;
            self.ahead = (at, self.file.read_at(at, wanted)?);
        }
        let (from, to) = inside(&self.ahead).unwrap_or((0, 0));
        Ok(&self.ahead.1[from..to])
    }

    fn header_at(&mut self, at: u64) -> Result<Option<FrameHeader>, StorageError> {
        if at + HEADER_BYTES as u64 > self.length {
            return Ok(None);
        }
        let place = self.place;
        Ok(FrameHeader::read(self.bytes_at(at, HEADER_BYTES)?, place, at))
    }

    /// The payload of a frame, if it is whole.
    fn payload_at(
        &mut self,
        at: u64,
        header: &FrameHeader,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let start = at + HEADER_BYTES as u64;
        if at + header.frame_bytes() > self.length {
            return Ok(None);
        }
        let padded = (header.length as usize).next_multiple_of(ALIGNMENT);
        let (payload, zeros) = self.bytes_at(start, padded)?.split_at(header.length as usize);
        let is_whole =
            crc32fast::hash(payload) == header.payload_crc && zeros.iter().all(|byte| *byte == 0);
        Ok(is_whole.then(|| payload.to_vec()))
    }

    /// The segment ends where it was read to, if no later frame says that more was durable.
    fn open_end(&self) -> Result<SegmentEnd, StorageError> {
        let mut at = self.at;
        while at + HEADER_BYTES as u64 <= self.length {
            let wanted = (self.length - at).min(ZEROS_BYTES as u64) as usize;
            let bytes = self.file.read_at(at, wanted)?;
            for offset in (0..=bytes.len() - HEADER_BYTES).step_by(ALIGNMENT) {
                let here = at + offset as u64;
                let header = FrameHeader::read(&bytes[offset..], self.place, here);
                if header.is_some_and(|header| header.synced > self.last) {
                    return Err(self.corrupt(self.at, "a durable commit is damaged after"));
                }
            }
            // The last few bytes may begin a frame that ends in the next piece.
            at += (bytes.len() - HEADER_BYTES + ALIGNMENT) as u64 / ALIGNMENT as u64
                * ALIGNMENT as u64;
        }
        Ok(SegmentEnd::Open { end: self.at })
    }

    /// Whether no commit is in it.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) fn is_unused(&mut self) -> Result<bool, StorageError> {
        Ok(matches!(self.next()?, Err(SegmentEnd::Open { end }) if end == FILE_HEADER_BYTES))
    }
}
