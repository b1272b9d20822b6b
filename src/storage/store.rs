//! An open data directory: the log that commits go to, the lock that keeps other processes out, checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StorageError;
use super::fs::{FileLock, FileSystem};
use super::manifest::{Manifest, manifest_name};
use super::recovery::{CHUNKS_DIR, LOCK_FILE, Recovered, Recovery, Until, WAL_DIR};
use super::wal::frame::Place;
use super::wal::segment::{Segment, segment_name};
use super::wal::{Log, LogOptions};
use crate::types::CommitNo;

/// How a store is kept.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Its directory; made if it is not there.
    pub dir: PathBuf,
    /// What its files are on.
    pub fs: Arc<dyn FileSystem>,
    /// The log.
    pub log: LogOptions,
}

impl StoreOptions {
    /// A directory of this machine, with everything else as usual.
    pub fn local(dir: impl Into<PathBuf>) -> Self {
        let fs = Arc::new(super::fs::LocalFileSystem);
        Self { dir: dir.into(), fs, log: LogOptions::default() }
    }
}

/// An open data directory.
#[derive(Debug)]
pub struct Store {
    options: StoreOptions,
    log: Log,
    _lock: FileLock,
}

/// A store that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<Store>,
    /// Everything in it; empty if it is new.
    pub databases: Recovered,
    /// The last commit.
    pub last: CommitNo,
}

impl Store {
    /// Opens a data directory, or makes one. Blocks: reads the last checkpoint and replays the log.
    ///
    /// # Errors
    /// `55006` if another process has it, `XX001` for damage and for files that cannot be explained, `0A000` for a
    /// newer format, `53100` if there is no room to go on.
    pub fn open(options: StoreOptions) -> Result<Opened, StorageError> {
        let (fs, dir) = (options.fs.as_ref(), options.dir.as_path());
        fs.create_dir_all(dir)?;
        let lock = lock(fs, dir)?;
        let recovery = match Recovery::read(fs, dir, Until::End)? {
            Some(recovery) => recovery,
            None => {
                make(fs, dir, &options.log)?;
                let made = Recovery::read(fs, dir, Until::End)?;
                made.ok_or_else(|| super::recovery::unexplained(dir, "it changed meanwhile"))?
            }
        };
        let segment = recovery.settle(fs, dir, options.log.segment_bytes)?;
        let wal = dir.join(WAL_DIR);
        let last = recovery.last;
        let log = Log::start(Arc::clone(&options.fs), wal, segment, last, options.log.clone())?;
        let store = Arc::new(Self { options, log, _lock: lock });
        Ok(Opened { store, databases: recovery.databases, last })
    }

    /// Where commits go.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Ends the log: what is queued is written and synced, what comes later is refused.
    pub fn close(&self) {
        self.log.close();
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }
}

/// Keeps other processes out of the directory.
pub(crate) fn lock(fs: &dyn FileSystem, dir: &Path) -> Result<FileLock, StorageError> {
    let in_use = || StorageError::InUse { path: dir.display().to_string() };
    fs.lock(&dir.join(LOCK_FILE))?.ok_or_else(in_use)
}

/// Makes an empty store. The manifest comes last: without it, there is none.
fn make(fs: &dyn FileSystem, dir: &Path, options: &LogOptions) -> Result<(), StorageError> {
    let wal = dir.join(WAL_DIR);
    fs.create_dir_all(&wal)?;
    fs.create_dir_all(&dir.join(CHUNKS_DIR))?;
    // An earlier attempt may have come this far.
    let first = wal.join(segment_name(1));
    if fs.exists(&first) {
        fs.remove(&first)?;
    }
    let store = rand::random();
    let place = Place { store, segment: 1 };
    Segment::create(fs, &wal, place, CommitNo(0), options.segment_bytes)?;
    fs.sync_dir(dir)?;
    let manifest = Manifest {
        store,
        sequence: 1,
        time_us: chrono::Utc::now().timestamp_micros(),
        segment: 1,
        through: CommitNo(0),
        databases: Vec::new(),
    };
    fs.write_atomic(&dir.join(manifest_name(1)), &manifest.encode()?)
}
