//! What is found in a data directory at start, and what is made of it. `docs/recovery.md` lists every case.
//!
//! [`Recovery::read`] only reads: it gives the state after the last whole commit, or refuses. [`Recovery::settle`] then
//! removes what a crash left behind and ends the log where it was read to, so that a second start finds nothing to do.

mod replay;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{CHUNK_SUFFIX, ChunkStore, archive_segment, load_database};
use super::error::StorageError;
use super::fs::FileSystem;
use super::manifest::{Manifest, manifest_name, manifest_of};
use super::snapshot::StoreSnapshot;
use super::wal::ObjectKey;
use super::wal::frame::Place;
use super::wal::segment::{Segment, SegmentEnd, SegmentReader, segment_name, segment_of};
use crate::types::{CommitNo, Oid};

use replay::Replay;

pub(crate) const WAL_DIR: &str = "wal";
pub(crate) const CHUNKS_DIR: &str = "chunks";
pub(crate) const LOCK_FILE: &str = "graphwire.lock";
const TEMPORARY_SUFFIX: &str = ".new";

/// A database as it was at the last commit.
#[derive(Debug, Clone, Default)]
pub struct RecoveredDatabase {
    /// Its tables.
    pub store: StoreSnapshot,
    /// Its catalog objects.
    pub objects: BTreeMap<ObjectKey, Vec<u8>>,
}

/// All databases as they were at the last commit, by OID. The cluster's own objects are those of database 0.
pub type Recovered = BTreeMap<Oid, RecoveredDatabase>;

/// Where to stop replaying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// After the last commit there is.
    #[default]
    End,
    /// After this commit.
    Commit(CommitNo),
    /// Before the first commit made after this time, microseconds since 1970.
    Time(i64),
}

/// What the end of the log must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// As a server leaves it: the last segment is open.
    Live,
    /// The archive may end with a segment that says the log goes on.
    Archived,
}

/// The names in a data directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) manifests: Vec<u64>,
    pub(crate) segments: Vec<u64>,
    pub(crate) chunks: Vec<u64>,
    /// Files that a crash kept from getting their names.
    pub(crate) temporary: Vec<PathBuf>,
}

impl Listing {
    /// # Errors
    /// `XX001` for a name that nothing in graphwire gives.
    pub(crate) fn read(fs: &dyn FileSystem, dir: &Path) -> Result<Self, StorageError> {
        let mut listing = Self::default();
        for name in fs.list(dir)? {
            if let Some(sequence) = manifest_of(&name) {
                listing.manifests.push(sequence);
            } else if name.starts_with("manifest-") {
                if !name.ends_with(TEMPORARY_SUFFIX) {
                    return Err(unexplained(dir, &format!("\"{name}\" is no manifest's name")));
                }
                listing.temporary.push(dir.join(name));
            }
        }
        for name in names(fs, &dir.join(WAL_DIR))? {
            match segment_of(&name) {
                Some(segment) => listing.segments.push(segment),
                None => listing.add_temporary(dir, WAL_DIR, &name)?,
            }
        }
        for name in names(fs, &dir.join(CHUNKS_DIR))? {
            match name.strip_suffix(CHUNK_SUFFIX).and_then(|number| number.parse().ok()) {
                Some(number) => listing.chunks.push(number),
                None => listing.add_temporary(dir, CHUNKS_DIR, &name)?,
            }
        }
        Ok(listing)
    }

    fn add_temporary(&mut self, dir: &Path, part: &str, name: &str) -> Result<(), StorageError> {
        if !name.ends_with(TEMPORARY_SUFFIX) {
            let reason = format!("\"{part}/{name}\" does not belong there");
            return Err(unexplained(dir, &reason));
        }
        self.temporary.push(dir.join(part).join(name));
        Ok(())
    }
}

fn names(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<String>, StorageError> {
    if fs.exists(dir) { fs.list(dir) } else { Ok(Vec::new()) }
}

pub(crate) fn unexplained(dir: &Path, reason: &str) -> StorageError {
    StorageError::Unexplained { path: dir.display().to_string(), reason: reason.to_owned() }
}

/// A store as it was found.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) manifest: Manifest,
    pub(crate) databases: Recovered,
    /// The last commit.
    pub(crate) last: CommitNo,
    /// Bytes of log that were replayed.
    pub(crate) log_bytes: u64,
    /// The segments that count, in order, and how each ends.
    segments: Vec<(u64, CommitNo, SegmentEnd)>,
    listing: Listing,
}

impl Recovery {
    /// Reads a store. `None` if the directory holds none, or one whose making was interrupted.
    ///
    /// # Errors
    /// `XX001` for damage, and for files that cannot be explained; `0A000` for a newer format.
    pub(crate) fn read(
        fs: &dyn FileSystem,
        dir: &Path,
        files: &Arc<ChunkStore>,
        until: Until,
        tail: Tail,
    ) -> Result<Option<Self>, StorageError> {
        let listing = Listing::read(fs, dir)?;
        let Some(sequence) = listing.manifests.iter().max().copied() else {
            check_is_new(fs, dir, &listing)?;
            return Ok(None);
        };
        let manifest = Manifest::read(fs, dir, sequence)?;
        if let Some(missing) = manifest.files().find(|file| !listing.chunks.contains(file)) {
            let reason = format!("\"{CHUNKS_DIR}/{missing}{CHUNK_SUFFIX}\" is missing");
            return Err(unexplained(dir, &reason));
        }
        let mut databases = Recovered::new();
        for database in &manifest.databases {
            databases.insert(database.oid, load_database(files, database)?);
        }
        let mut replay = Replay::new(databases, &manifest, until);
        let segments = replay_segments(fs, dir, &manifest, &listing, &mut replay)?;
        if tail == Tail::Live {
            require_open_end(dir, &segments)?;
        }
        let (databases, last, log_bytes) = replay.finish()?;
        Ok(Some(Self { manifest, databases, last, log_bytes, segments, listing }))
    }

    /// Removes what is left over, ends the log after the last commit, and goes on in a new segment.
    pub(crate) fn settle(
        &self,
        fs: &dyn FileSystem,
        dir: &Path,
        segment_bytes: u64,
        archive: Option<&Path>,
    ) -> Result<Segment, StorageError> {
        self.remove_leftovers(fs, dir, archive)?;
        let wal = dir.join(WAL_DIR);
        let place = |segment| Place { store: self.manifest.store, segment };
        let mut open = Vec::new();
        for (number, last, end) in &self.segments {
            if let SegmentEnd::Open { end } = end {
                let file = fs.open_store(&wal.join(segment_name(*number)))?;
                let mut segment = Segment { place: place(*number), file, end: *end };
                segment.cut(*end)?;
                open.push((segment, *last));
            }
        }
        let next = self.segments.last().map_or(self.manifest.segment, |(number, _, _)| number + 1);
        let segment = Segment::create(fs, &wal, place(next), self.last, segment_bytes)?;
        for (mut segment, last) in open {
            segment.finish(last)?;
            segment.file.sync()?;
        }
        Ok(segment)
    }

    fn remove_leftovers(
        &self,
        fs: &dyn FileSystem,
        dir: &Path,
        archive: Option<&Path>,
    ) -> Result<(), StorageError> {
        for path in &self.listing.temporary {
            fs.remove(path)?;
        }
        for manifest in &self.listing.manifests {
            if *manifest != self.manifest.sequence {
                fs.remove(&dir.join(manifest_name(*manifest)))?;
            }
        }
        for segment in &self.listing.segments {
            if *segment < self.manifest.segment {
                let path = dir.join(WAL_DIR).join(segment_name(*segment));
                // A crash came before the checkpoint had archived it.
                if let Some(archive) = archive {
                    archive_segment(fs, &path, archive, *segment)?;
                }
                fs.remove(&path)?;
            }
        }
        let named: std::collections::HashSet<u64> = self.manifest.files().collect();
        for chunk in &self.listing.chunks {
            if !named.contains(chunk) {
                fs.remove(&dir.join(CHUNKS_DIR).join(format!("{chunk}{CHUNK_SUFFIX}")))?;
            }
        }
        Ok(())
    }
}

/// Without a manifest there must be nothing that a store could have consisted of.
fn check_is_new(fs: &dyn FileSystem, dir: &Path, listing: &Listing) -> Result<(), StorageError> {
    if !listing.chunks.is_empty() {
        return Err(unexplained(dir, "there are table files but no manifest"));
    }
    match listing.segments.as_slice() {
        [] => Ok(()),
        // The first segment is made before the first manifest.
        [1] => {
            let file = fs.open_read(&dir.join(WAL_DIR).join(segment_name(1)))?;
            let length = file.len()?;
            let mut at = super::wal::segment::FILE_HEADER_BYTES.min(length);
            while at < length {
                let bytes = file.read_at(at, (length - at).min(1 << 20) as usize)?;
                if bytes.iter().any(|byte| *byte != 0) {
                    return Err(unexplained(dir, "there is a log but no manifest"));
                }
                at += bytes.len() as u64;
            }
            Ok(())
        }
        _ => Err(unexplained(dir, "there is a log but no manifest")),
    }
}

/// Replays the log from the manifest's segment on.
fn replay_segments(
    fs: &dyn FileSystem,
    dir: &Path,
    manifest: &Manifest,
    listing: &Listing,
    replay: &mut Replay,
) -> Result<Vec<(u64, CommitNo, SegmentEnd)>, StorageError> {
    let wal = dir.join(WAL_DIR);
    let newest = listing.segments.iter().max().copied().unwrap_or(0);
    let mut ends: Vec<(u64, CommitNo, SegmentEnd)> = Vec::new();
    for number in manifest.segment..=newest.max(manifest.segment) {
        if !listing.segments.contains(&number) {
            let name = segment_name(number);
            return Err(unexplained(dir, &format!("\"{WAL_DIR}/{name}\" is missing")));
        }
        let place = Place { store: manifest.store, segment: number };
        let mut reader = SegmentReader::open(fs, &wal, place)?;
        let before = ends.last().map_or(manifest.through, |(_, last, _)| *last);
        let unfinished = matches!(ends.last(), Some((_, _, SegmentEnd::Open { .. })));
        if unfinished && reader.last < before && number == newest {
            // It was made, but its name could not be made durable, so the log went on in the one before.
            if reader.is_unused()? {
                break;
            }
        }
        if reader.last != before {
            let reason = format!("it begins after commit {}, not {before}", reader.last);
            return Err(StorageError::corrupt(&reader.path, &reason));
        }
        let end = loop {
            match reader.next()? {
                Ok(_) if unfinished => {
                    let reason = format!("segment {} before it does not end", number - 1);
                    return Err(StorageError::corrupt(&reader.path, &reason));
                }
                Ok(found) => replay.commit(&reader.path, found)?,
                Err(end) => break end,
            }
        };
        ends.push((number, reader.last, end));
        if end != SegmentEnd::Ended && number + 1 < newest {
            let reason = "it does not end, but later segments are there";
            return Err(StorageError::corrupt(&reader.path, reason));
        }
    }
    Ok(ends)
}

/// A segment that says the log goes on must have one after it.
fn require_open_end(
    dir: &Path,
    segments: &[(u64, CommitNo, SegmentEnd)],
) -> Result<(), StorageError> {
    match segments.last() {
        Some((number, _, SegmentEnd::Ended)) => {
            let name = segment_name(number + 1);
            Err(unexplained(dir, &format!("\"{WAL_DIR}/{name}\" is missing")))
        }
        Some((_, _, SegmentEnd::Open { .. })) | None => Ok(()),
    }
}
