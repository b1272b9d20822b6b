//! Copies of a store, and a store made of a copy and the log that was kept since.
//!
//! A backup is a data directory: the newest checkpoint, and the log from there up to what was durable when it was
//! read. It can be taken while the server runs, as the files of a checkpoint never change and a log only grows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::BufferCache;
use super::checkpoint::{CheckpointDatabase, Checkpointer, ChunkStore, chunk_path};
use super::error::StorageError;
use super::fs::FileSystem;
use super::manifest::{Manifest, manifest_name};
use super::recovery::{CHUNKS_DIR, Listing, Recovery, Tail, Until, WAL_DIR, unexplained};
use super::store::lock;
use super::wal::frame::Place;
use super::wal::log::Rotated;
use super::wal::segment::{Segment, SegmentEnd, SegmentReader, segment_name, segment_of};
use crate::types::CommitNo;

/// A running server may write a checkpoint while its files are copied; then it is tried again.
const ATTEMPTS_MAX: usize = 10;
const COPY_BYTES: u64 = 4 << 20;
/// What a restore keeps of the rows it reads.
const CACHE_BYTES: usize = 256 << 20;
/// As much room as a log gets at first in a store that was restored.
const SEGMENT_BYTES: u64 = 16 << 20;

/// What a backup or a restored store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupSummary {
    /// Its last commit.
    pub last: CommitNo,
    /// How many table files it has.
    pub files: usize,
}

/// Copies a store to `target`, an empty directory or one that is not there. The store may be in use.
///
/// # Errors
/// `XX001` if the store is damaged, `53100` if there is no room, `58030` if it changes faster than it can be copied.
pub fn backup(
    fs: &dyn FileSystem,
    dir: &Path,
    target: &Path,
) -> Result<BackupSummary, StorageError> {
    require_empty(fs, target)?;
    let mut tried = 0;
    loop {
        tried += 1;
        match try_backup(fs, dir, target) {
            Ok(summary) => return Ok(summary),
            Err(error) if tried == ATTEMPTS_MAX => return Err(error),
            // A file was cut off by a checkpoint, or read while it was written.
            Err(_) => clear(fs, target)?,
        }
    }
}

fn require_empty(fs: &dyn FileSystem, target: &Path) -> Result<(), StorageError> {
    if fs.exists(target) && !fs.list(target)?.is_empty() {
        return Err(unexplained(target, "it is not empty"));
    }
    make_dirs(fs, target)
}

fn make_dirs(fs: &dyn FileSystem, target: &Path) -> Result<(), StorageError> {
    fs.create_dir_all(target)?;
    fs.create_dir_all(&target.join(WAL_DIR))?;
    fs.create_dir_all(&target.join(CHUNKS_DIR))
}

fn clear(fs: &dyn FileSystem, target: &Path) -> Result<(), StorageError> {
    for name in fs.list(target)?.iter().filter(|name| name.starts_with("manifest-")) {
        fs.remove(&target.join(name))?;
    }
    for part in [WAL_DIR, CHUNKS_DIR] {
        for name in fs.list(&target.join(part))? {
            fs.remove(&target.join(part).join(name))?;
        }
    }
    Ok(())
}

fn newest_manifest(fs: &dyn FileSystem, dir: &Path) -> Result<u64, StorageError> {
    let listing = Listing::read(fs, dir)?;
    listing.manifests.into_iter().max().ok_or_else(|| unexplained(dir, "it holds no store"))
}

fn try_backup(
    fs: &dyn FileSystem,
    dir: &Path,
    target: &Path,
) -> Result<BackupSummary, StorageError> {
    let sequence = newest_manifest(fs, dir)?;
    let manifest = Manifest::read(fs, dir, sequence)?;
    let mut files = 0;
    for number in manifest.files() {
        fs.link_or_copy(&chunk_path(dir, number), &chunk_path(target, number))?;
        files += 1;
    }
    let last = copy_log(fs, dir, target, &manifest)?;
    fs.sync_dir(&target.join(WAL_DIR))?;
    fs.sync_dir(&target.join(CHUNKS_DIR))?;
    // The manifest comes last here too: without it, there is no backup.
    let name = manifest_name(sequence);
    fs.write_atomic(&target.join(&name), &fs.read(&dir.join(&name))?)?;
    Ok(BackupSummary { last, files })
}

/// Copies the log from the manifest's segment on, as far as it is whole.
fn copy_log(
    fs: &dyn FileSystem,
    dir: &Path,
    target: &Path,
    manifest: &Manifest,
) -> Result<CommitNo, StorageError> {
    let (from, to) = (dir.join(WAL_DIR), target.join(WAL_DIR));
    let mut number = manifest.segment;
    loop {
        let place = Place { store: manifest.store, segment: number };
        let mut reader = SegmentReader::open(fs, &from, place)?;
        let end = loop {
            if let Err(end) = reader.next()? {
                break end;
            }
        };
        let name = segment_name(number);
        match end {
            SegmentEnd::Ended => copy(fs, &from.join(&name), &to.join(&name), u64::MAX)?,
            SegmentEnd::Open { end } => {
                copy(fs, &from.join(&name), &to.join(&name), end)?;
                return Ok(reader.last);
            }
        }
        number += 1;
    }
}

/// Copies a file, at most so many bytes of it, and syncs the copy.
fn copy(fs: &dyn FileSystem, from: &Path, to: &Path, most: u64) -> Result<(), StorageError> {
    let source = fs.open_read(from)?;
    let length = source.len()?.min(most);
    let copy = fs.create(to)?;
    let mut at = 0;
    while at < length {
        let bytes = source.read_at(at, (length - at).min(COPY_BYTES) as usize)?;
        copy.write_at(at, &bytes)?;
        at += bytes.len() as u64;
    }
    copy.sync()
}

/// Makes a store in `target` (empty, or not there) of a backup and, if given, archived log.
///
/// The new store has a log of its own, so that what it writes is never taken for the old one's.
///
/// # Errors
/// `XX001` if something is damaged or missing, `53100` if there is no room.
pub fn restore(
    fs: &Arc<dyn FileSystem>,
    backup: &Path,
    archives: &[PathBuf],
    target: &Path,
    until: Until,
) -> Result<BackupSummary, StorageError> {
    let disk = fs.as_ref();
    require_empty(disk, target)?;
    let _lock = lock(disk, target)?;
    let sequence = newest_manifest(disk, backup)?;
    let manifest = Manifest::read(disk, backup, sequence)?;
    for number in manifest.files() {
        disk.link_or_copy(&chunk_path(backup, number), &chunk_path(target, number))?;
    }
    let wal = target.join(WAL_DIR);
    let own = backup.join(WAL_DIR);
    for folder in std::iter::once(&own).chain(archives) {
        for name in disk.list(folder)? {
            if segment_of(&name).is_some_and(|number| number >= manifest.segment) {
                take_longer(disk, &folder.join(&name), &wal.join(&name), &manifest)?;
            }
        }
    }
    let name = manifest_name(sequence);
    disk.write_atomic(&target.join(&name), &disk.read(&backup.join(&name))?)?;
    let cache = Arc::new(BufferCache::new(CACHE_BYTES));
    let files = ChunkStore::new(Arc::clone(fs), target.to_owned(), cache);
    let found = Recovery::read(disk, target, &files, until, Tail::Archived)?;
    let recovery = found.ok_or_else(|| unexplained(target, "it changed meanwhile"))?;
    begin_anew(fs, files, target, recovery)
}

/// Takes a segment over unless the one that is there already holds more commits.
fn take_longer(
    fs: &dyn FileSystem,
    from: &Path,
    to: &Path,
    manifest: &Manifest,
) -> Result<(), StorageError> {
    let commits = |path: &Path| -> Result<CommitNo, StorageError> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(CommitNo(0));
        };
        let segment = segment_of(&name.to_string_lossy()).unwrap_or(0);
        let place = Place { store: manifest.store, segment };
        let mut reader = SegmentReader::open(fs, dir, place)?;
        while reader.next()?.is_ok() {}
        Ok(reader.last)
    };
    if fs.exists(to) && commits(to)? > commits(from)? {
        return Ok(());
    }
    copy(fs, from, to, u64::MAX)
}

/// Writes a checkpoint of what was recovered, under a new store number, and removes the old log.
fn begin_anew(
    fs: &Arc<dyn FileSystem>,
    files: Arc<ChunkStore>,
    target: &Path,
    recovery: Recovery,
) -> Result<BackupSummary, StorageError> {
    let disk = fs.as_ref();
    let wal = target.join(WAL_DIR);
    let newest = Listing::read(disk, target)?.segments.into_iter().max().unwrap_or(0);
    let place = Place { store: rand::random(), segment: newest + 1 };
    let last = recovery.last;
    Segment::create(disk, &wal, place, last, SEGMENT_BYTES)?;
    let manifest = Manifest { store: place.store, ..recovery.manifest };
    let checkpointer = Checkpointer::new(Arc::clone(fs), files, target.to_owned(), None, &manifest);
    let databases = recovery
        .databases
        .into_iter()
        .map(|(oid, database)| CheckpointDatabase {
            oid,
            through: last,
            tables: database.store.tables().cloned().collect(),
            objects: database.objects,
            // The server writes indexes when it writes the rows anew.
            keys: HashMap::new(),
        })
        .collect();
    let summary =
        checkpointer.write_at(Rotated { segment: place.segment, after: last }, databases)?;
    Ok(BackupSummary { last, files: summary.files_written + summary.files_kept })
}
