//! The files of chunks: written once, never changed, read in ranges, removed when neither a manifest nor a reader names
//! them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;

use super::paged_file::PagedFile;
use crate::storage::cache::BufferCache;
use crate::storage::error::StorageError;
use crate::storage::fs::FileSystem;
use crate::storage::manifest::StoredFile;
use crate::storage::recovery::CHUNKS_DIR;

/// What chunk files are called, after their number.
pub(crate) const CHUNK_SUFFIX: &str = ".parquet";

/// The path of a chunk file.
pub(crate) fn chunk_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(CHUNKS_DIR).join(format!("{number}{CHUNK_SUFFIX}"))
}

/// The chunk files of a store.
#[derive(Debug)]
pub(crate) struct ChunkStore {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    pub(crate) cache: Arc<BufferCache>,
    /// Files that chunks may still be read from, whether a manifest names them or not.
    open: Mutex<HashMap<u64, Weak<PagedFile>>>,
}

impl ChunkStore {
    pub(crate) fn new(fs: Arc<dyn FileSystem>, dir: PathBuf, cache: Arc<BufferCache>) -> Arc<Self> {
        Arc::new(Self { fs, dir, cache, open: Mutex::default() })
    }

    /// A file that a manifest names. Nothing is read.
    pub(crate) fn open(
        self: &Arc<Self>,
        stored: StoredFile,
        schema: SchemaRef,
        rows: usize,
        has_ids: bool,
    ) -> Arc<PagedFile> {
        let number = stored.number;
        let file = PagedFile::new(Arc::clone(self), stored, schema, rows, has_ids);
        let file = Arc::new(file);
        self.open.lock().insert(number, Arc::downgrade(&file));
        file
    }

    /// Numbers of the files that chunks may still be read from.
    pub(crate) fn in_use(&self, number: u64) -> bool {
        let mut open = self.open.lock();
        match open.get(&number) {
            Some(file) if file.strong_count() > 0 => true,
            Some(_) => {
                open.remove(&number);
                false
            }
            None => false,
        }
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        chunk_path(&self.dir, number)
    }

    /// Writes a new file, durable with its name.
    ///
    /// # Errors
    /// `53100` if there is no room; nothing is left behind then.
    pub(crate) fn put(&self, number: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let write = || {
            let file = self.fs.create(&self.path(number))?;
            file.write_at(0, bytes)?;
            file.sync()
        };
        write().inspect_err(|_| {
            // Best effort: it is named nowhere, and removed at the next start.
            let _ = self.fs.remove(&self.path(number));
        })
    }

    /// Makes the names of files durable that were put.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.fs.sync_dir(&self.dir.join(CHUNKS_DIR))
    }

    pub(crate) fn remove(&self, number: u64) -> Result<(), StorageError> {
        self.fs.remove(&self.path(number))
    }

    /// Some bytes of a file.
    ///
    /// # Errors
    /// `XX001` if it is too short.
    pub(crate) fn read(
        &self,
        number: u64,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, StorageError> {
        let path = self.path(number);
        let file = self.fs.open_read(&path)?;
        match file.read_at(offset, length) {
            Err(StorageError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::UnexpectedEof =>
            {
                Err(StorageError::corrupt(&path, "it is too short"))
            }
            read => read,
        }
    }

    /// A file's length.
    pub(crate) fn length(&self, number: u64) -> Result<u64, StorageError> {
        self.fs.open_read(&self.path(number))?.len()
    }
}
