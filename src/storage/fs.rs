//! The file system as the server sees it. Everything that touches a disk goes through [`FileSystem`], so that a test
//! can stop or fail any operation.

use std::fmt::Debug;
use std::path::Path;

use super::error::StorageError;

/// Operations on files.
pub trait FileSystem: Debug + Send + Sync {
    /// The whole content of a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError>;

    /// Replaces a file's content so that after a crash either the old or the new content is there.
    fn write_atomic(&self, path: &Path, content: &[u8]) -> Result<(), StorageError>;

    /// Makes a directory and its parents.
    fn create_dir_all(&self, path: &Path) -> Result<(), StorageError>;

    /// Whether the path is there.
    fn exists(&self, path: &Path) -> bool;

    /// Opens a file to read it in pieces.
    fn open(&self, path: &Path) -> Result<std::fs::File, StorageError>;
}

/// The real file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct LocalFileSystem;

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StorageError {
    let path = path.display().to_string();
    move |source| StorageError::Io { operation, path, source }
}

impl FileSystem for LocalFileSystem {
    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        std::fs::read(path).map_err(io("read", path))
    }

    fn write_atomic(&self, path: &Path, content: &[u8]) -> Result<(), StorageError> {
        use std::io::Write as _;
        let temporary = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            #[expect(clippy::disallowed_methods, reason = "this is storage::fs")]
            let mut file = std::fs::File::create(&temporary)?;
            file.write_all(content)?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)?;
            match path.parent() {
                Some(parent) => std::fs::File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(io("write", path))
    }

    fn create_dir_all(&self, path: &Path) -> Result<(), StorageError> {
        std::fs::create_dir_all(path).map_err(io("create directory", path))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn open(&self, path: &Path) -> Result<std::fs::File, StorageError> {
        std::fs::File::open(path).map_err(io("open", path))
    }
}
