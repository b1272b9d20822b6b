//! An open data directory: the log that commits go to, the lock that keeps other processes out, checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::cache::BufferCache;
use super::checkpoint::{CheckpointDatabase, CheckpointSummary, Checkpointer, ChunkStore};
use super::error::StorageError;
use super::fs::{FileLock, FileSystem};
use super::manifest::{Manifest, manifest_name};
use super::recovery::{CHUNKS_DIR, LOCK_FILE, Recovered, Recovery, Tail, Until, WAL_DIR};
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
    /// A checkpoint is due after so many bytes of log.
    pub checkpoint_bytes: u64,
    /// A checkpoint is due after so long, if anything was committed.
    pub checkpoint_interval: Duration,
    /// Rows that were read of files stay in memory up to so many bytes.
    pub cache_bytes: usize,
    /// A checkpoint is due when so many bytes of rows are in no file and so cannot leave memory.
    pub fresh_bytes: usize,
    /// Where log segments are kept when a checkpoint has cut them off, for a restore to a point in time.
    pub archive: Option<PathBuf>,
}

impl StoreOptions {
    /// A directory of this machine, with everything else as usual.
    pub fn local(dir: impl Into<PathBuf>) -> Self {
        let fs = Arc::new(super::fs::LocalFileSystem);
        Self {
            dir: dir.into(),
            fs,
            log: LogOptions::default(),
            checkpoint_bytes: 256 << 20,
            checkpoint_interval: Duration::from_secs(300),
            cache_bytes: 1 << 30,
            fresh_bytes: 512 << 20,
            archive: None,
        }
    }
}

impl StoreOptions {
    /// Its files of rows, with a cache of their own.
    pub(crate) fn chunk_store(&self) -> Arc<ChunkStore> {
        let cache = Arc::new(BufferCache::new(self.cache_bytes));
        ChunkStore::new(Arc::clone(&self.fs), self.dir.clone(), cache)
    }
}

/// An open data directory.
#[derive(Debug)]
pub struct Store {
    options: StoreOptions,
    log: Log,
    checkpointer: Checkpointer,
    files: Arc<ChunkStore>,
    /// Of the log, counted as [`Log::bytes_written`], less what was replayed at the start.
    checkpointed: Mutex<(i64, Instant)>,
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
        let files = options.chunk_store();
        let recovery = match Recovery::read(fs, dir, &files, Until::End, Tail::Live)? {
            Some(recovery) => recovery,
            None => {
                make(fs, dir, &options.log)?;
                let made = Recovery::read(fs, dir, &files, Until::End, Tail::Live)?;
                made.ok_or_else(|| super::recovery::unexplained(dir, "it changed meanwhile"))?
            }
        };
        let segment =
            recovery.settle(fs, dir, options.log.segment_bytes, options.archive.as_deref())?;
        let wal = dir.join(WAL_DIR);
        let last = recovery.last;
        let log = Log::start(Arc::clone(&options.fs), wal, segment, last, options.log.clone())?;
        let (fs, dir) = (Arc::clone(&options.fs), options.dir.clone());
        let archive = options.archive.clone();
        let checkpointer =
            Checkpointer::new(fs, Arc::clone(&files), dir, archive, &recovery.manifest);
        let replayed = i64::try_from(recovery.log_bytes).unwrap_or(i64::MAX);
        let checkpointed = Mutex::new((-replayed, Instant::now()));
        let store = Arc::new(Self { options, log, checkpointer, files, checkpointed, _lock: lock });
        Ok(Opened { store, databases: recovery.databases, last })
    }

    /// Writes a checkpoint and cuts the log before it. Blocks; commits go on meanwhile.
    ///
    /// `look` gives the databases as they are visible, all of them and the cluster.
    ///
    /// # Errors
    /// What `look` gives; `53100` or `58030` if files could not be written: the checkpoint before and the log since stay.
    pub fn checkpoint<E: From<StorageError>>(
        &self,
        look: impl FnOnce() -> Result<Vec<CheckpointDatabase>, E>,
    ) -> Result<CheckpointSummary, E> {
        let written = self.written();
        let summary = self.checkpointer.run(&self.log, look)?;
        *self.checkpointed.lock() = (written, Instant::now());
        Ok(summary)
    }

    fn written(&self) -> i64 {
        i64::try_from(self.log.bytes_written()).unwrap_or(i64::MAX)
    }

    /// Whether anything is in the log that is in no checkpoint.
    pub fn has_news(&self) -> bool {
        self.written() > self.checkpointed.lock().0
    }

    /// Bytes that it takes on the disk: table files, and the log since the last checkpoint. Blocks: looks at each file.
    pub fn stored_bytes(&self) -> u64 {
        let fs = self.options.fs.as_ref();
        let chunks = self.options.dir.join(CHUNKS_DIR);
        // A file that a checkpoint removes meanwhile takes nothing.
        let names = fs.list(&chunks).unwrap_or_default();
        let files =
            names.iter().filter_map(|name| fs.open_read(&chunks.join(name)).ok()?.len().ok());
        let log = self.written() - self.checkpointed.lock().0;
        files.sum::<u64>() + u64::try_from(log).unwrap_or(0)
    }

    /// Whether a checkpoint is due.
    pub fn is_checkpoint_due(&self) -> bool {
        let (bytes, time) = *self.checkpointed.lock();
        let news = self.written().saturating_sub(bytes).cast_unsigned();
        news >= self.options.checkpoint_bytes
            || (news > 0 && time.elapsed() >= self.options.checkpoint_interval)
    }

    /// How many bytes of rows may be in no file before a checkpoint is due.
    pub fn fresh_bytes_max(&self) -> usize {
        self.options.fresh_bytes
    }

    /// What is kept in memory of the rows in files.
    pub fn cache(&self) -> &Arc<BufferCache> {
        &self.files.cache
    }

    /// Where commits go.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Ends the log: what is queued is written and synced, what comes later is refused.
    pub fn close(&self) {
        self.log.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.log.is_closing()
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

#[cfg(test)]
mod tests;
