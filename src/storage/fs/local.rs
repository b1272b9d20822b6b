//! The real file system.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{FileLock, FileSystem, StoreFile};
use crate::storage::error::StorageError;

/// The real file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct LocalFileSystem;

#[derive(Debug)]
struct LocalFile {
    file: File,
    path: PathBuf,
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StorageError {
    let path = path.display().to_string();
    move |source| StorageError::Io { operation, path, source }
}

impl LocalFile {
    fn open(path: &Path, options: &OpenOptions) -> Result<Box<dyn StoreFile>, StorageError> {
        let file = options.open(path).map_err(io("open", path))?;
        Ok(Box::new(Self { file, path: path.to_owned() }))
    }
}

impl StoreFile for LocalFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all_at(bytes, offset).map_err(io("write", &self.path))
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(io("read", &self.path))?;
        Ok(bytes)
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(io("sync", &self.path))
    }

    fn set_len(&self, length: u64) -> Result<(), StorageError> {
        self.file.set_len(length).map_err(io("truncate", &self.path))
    }

    fn len(&self) -> Result<u64, StorageError> {
        self.file.metadata().map(|file| file.len()).map_err(io("stat", &self.path))
    }
}

impl FileSystem for LocalFileSystem {
    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        std::fs::read(path).map_err(io("read", path))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        let mut options = OpenOptions::new();
        LocalFile::open(path, options.read(true).write(true).create(true).truncate(true))
    }

    fn open_store(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        LocalFile::open(path, OpenOptions::new().read(true).write(true))
    }

    fn open_read(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        LocalFile::open(path, OpenOptions::new().read(true))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        std::fs::rename(from, to).map_err(io("rename", from))
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        std::fs::remove_file(path).map_err(io("remove", path))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), StorageError> {
        File::open(path).and_then(|dir| dir.sync_all()).map_err(io("sync", path))
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, StorageError> {
        let mut names = std::fs::read_dir(path)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into()))
                    .collect::<Result<Vec<String>, _>>()
            })
            .map_err(io("read directory", path))?;
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, path: &Path) -> Result<(), StorageError> {
        std::fs::create_dir_all(path).map_err(io("create directory", path))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<(), StorageError> {
        std::fs::remove_dir_all(path).map_err(io("remove directory", path))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn link_or_copy(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        if std::fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        std::fs::copy(from, to).map_err(io("copy", from))?;
        File::open(to).and_then(|file| file.sync_all()).map_err(io("sync", to))
    }

    fn lock(&self, path: &Path) -> Result<Option<FileLock>, StorageError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(io("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FileLock::new(file, path))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io("lock", path)(error)),
        }
    }

    fn open(&self, path: &Path) -> Result<File, StorageError> {
        File::open(path).map_err(io("open", path))
    }
}
