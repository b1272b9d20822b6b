//! The files of chunks: written once, never changed, read in ranges, removed when neither a manifest nor a reader names
//! them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::FutureExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parking_lot::Mutex;

use super::paged_file::PagedFile;
use crate::storage::cache::BufferCache;
use crate::storage::error::StorageError;
use crate::storage::fs::objects::storage_error;
use crate::storage::fs::{FileSystem, FsObjects};
use crate::storage::manifest::StoredFile;
use crate::storage::recovery::CHUNKS_DIR;

/// What chunk files are called, after their number.
pub(crate) const CHUNK_SUFFIX: &str = ".parquet";

/// The path of a chunk file.
pub(crate) fn chunk_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(CHUNKS_DIR).join(format!("{number}{CHUNK_SUFFIX}"))
}

/// The chunk files of a store: objects below `chunks/`.
#[derive(Debug)]
pub(crate) struct ChunkStore {
    objects: Arc<dyn ObjectStore>,
    dir: PathBuf,
    pub(crate) cache: Arc<BufferCache>,
    /// Files that chunks may still be read from, whether a manifest names them or not.
    open: Mutex<HashMap<u64, Weak<PagedFile>>>,
}

fn location(number: u64) -> ObjectPath {
    ObjectPath::from_iter([CHUNKS_DIR.to_owned(), format!("{number}{CHUNK_SUFFIX}")])
}

/// Runs an operation of an object store on this thread, which may block.
fn wait<T>(operation: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
    let mut operation = std::pin::pin!(operation);
    // A directory of this machine never lets anyone wait.
    match operation.as_mut().now_or_never() {
        Some(done) => done,
        None => futures::executor::block_on(operation),
    }
}

impl ChunkStore {
    /// Files below a directory.
    pub(crate) fn new(fs: Arc<dyn FileSystem>, dir: PathBuf, cache: Arc<BufferCache>) -> Arc<Self> {
        let objects = Arc::new(FsObjects::new(fs, dir.clone()));
        Arc::new(Self { objects, dir, cache, open: Mutex::default() })
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
    /// `53100` if there is no room; nothing is left behind then, if it can be helped.
    pub(crate) fn put(&self, number: u64, bytes: Vec<u8>) -> Result<(), StorageError> {
        let put = wait(self.objects.put(&location(number), bytes.into()));
        put.map(|_| ()).map_err(|error| {
            // Best effort: it is named nowhere, and removed at the next start.
            let _ = self.remove(number);
            storage_error(error, &self.path(number))
        })
    }

    pub(crate) fn remove(&self, number: u64) -> Result<(), StorageError> {
        let removed = wait(self.objects.delete(&location(number)));
        removed.map_err(|error| storage_error(error, &self.path(number)))
    }

    /// Some bytes of a file, at least one.
    ///
    /// # Errors
    /// `XX001` if it is too short.
    pub(crate) fn read(
        &self,
        number: u64,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StorageError> {
        let path = self.path(number);
        let range = offset..offset.saturating_add(length as u64);
        let read = wait(self.objects.get_range(&location(number), range));
        let bytes = read.map_err(|error| storage_error(error, &path))?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(StorageError::corrupt(&path, "it is too short"))
        }
    }

    /// A file's length.
    pub(crate) fn length(&self, number: u64) -> Result<u64, StorageError> {
        let head = wait(self.objects.head(&location(number)));
        head.map(|meta| meta.size).map_err(|error| storage_error(error, &self.path(number)))
    }
}
