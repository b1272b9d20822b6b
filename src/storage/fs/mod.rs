//! The file system as the server sees it. Everything that touches a disk goes through [`FileSystem`], so that a test
//! can stop or fail any operation.
//!
//! What survives a crash, as POSIX has it: a file's bytes after [`StoreFile::sync`], a name made, changed or removed
//! after [`FileSystem::sync_dir`] of its directory. Anything else may be there or not, in any part.

mod local;
pub(crate) mod objects;
#[cfg(test)]
pub(crate) mod simulated;

use std::any::Any;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use super::error::StorageError;

pub use local::LocalFileSystem;
pub use objects::FsObjects;

/// Operations on files. All of them block.
pub trait FileSystem: Debug + Send + Sync {
    /// The whole content of a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError>;

    /// Makes an empty file, or empties the one that is there.
    fn create(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError>;

    /// Opens a file that is there, to read and write.
    fn open_store(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError>;

    /// Opens a file that is there, to read.
    fn open_read(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError>;

    /// Gives a file another name; a file that had it is gone.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<(), StorageError>;

    /// Makes names in a directory durable: those made, changed and removed.
    fn sync_dir(&self, path: &Path) -> Result<(), StorageError>;

    /// The names in a directory, sorted.
    fn list(&self, path: &Path) -> Result<Vec<String>, StorageError>;

    /// Makes a directory and its parents.
    fn create_dir_all(&self, path: &Path) -> Result<(), StorageError>;

    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> Result<(), StorageError>;

    /// Whether the path is there.
    fn exists(&self, path: &Path) -> bool;

    /// A second name for a file, or a copy of it where the file system has no links or the two are on different ones.
    fn link_or_copy(&self, from: &Path, to: &Path) -> Result<(), StorageError>;

    /// Takes a lock on a file (made if it is not there) until the guard is dropped; `None` if another process has it.
    fn lock(&self, path: &Path) -> Result<Option<FileLock>, StorageError>;

    /// Opens a file of the server's machine for COPY, to read it in pieces.
    fn open(&self, path: &Path) -> Result<std::fs::File, StorageError>;

    /// Replaces a file's content so that after a crash either the old or the new content is there.
    fn write_atomic(&self, path: &Path, content: &[u8]) -> Result<(), StorageError> {
        let temporary = path.with_extension("new");
        let file = self.create(&temporary)?;
        file.write_at(0, content)?;
        file.sync()?;
        drop(file);
        self.rename(&temporary, path)?;
        match path.parent() {
            Some(parent) => self.sync_dir(parent),
            None => Ok(()),
        }
    }
}

/// An open file of the store. Offsets and lengths are in bytes.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait StoreFile: Debug + Send + Sync {
    /// Writes all of `bytes` at `offset`; the file grows as needed.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError>;

    /// Reads exactly `length` bytes at `offset`.
    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError>;

    /// Makes the content durable. If it fails, what was written since the last success may be lost, even if a later
    /// sync succeeds.
    fn sync(&self) -> Result<(), StorageError>;

    /// Cuts the file, or makes it longer by zeros.
    fn set_len(&self, length: u64) -> Result<(), StorageError>;

    /// Its length.
    fn len(&self) -> Result<u64, StorageError>;
}

/// Holds a lock on a file.
#[derive(Debug)]
pub struct FileLock {
    _held: Box<dyn Any + Send + Sync>,
    /// The locked file.
    pub path: PathBuf,
}

impl FileLock {
    fn new(held: impl Any + Send + Sync, path: &Path) -> Self {
        Self { _held: Box::new(held), path: path.to_owned() }
    }
}
