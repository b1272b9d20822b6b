//! A file system in memory for tests: it can fail or stop at any operation, and lose what was not synced.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{FileLock, FileSystem, StoreFile};
use crate::storage::error::StorageError;

const SECTOR_BYTES: usize = 512;

/// What goes wrong, counted in operations that change something: create, write, sync, cut, rename, remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// This operation fails, the others work.
    Fail(u64),
    /// Writes from this operation on, until told otherwise, find the disk full.
    Full(u64),
    /// The machine stops in the middle of this operation; nothing works afterwards.
    Stop(u64),
}

/// The file system; clones share the disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedFileSystem {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    names: BTreeMap<PathBuf, u64>,
    /// Changes of names that are not durable, in order.
    pending: Vec<Vec<(PathBuf, Option<u64>)>>,
    durable_names: BTreeMap<PathBuf, u64>,
    directories: BTreeSet<PathBuf>,
    files: HashMap<u64, Content>,
    locked: BTreeSet<PathBuf>,
    next_file: u64,
    operations: u64,
    fault: Fault,
    stopped: bool,
    random: u64,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors of `now` that a sync will write.
    dirty: BTreeSet<usize>,
}

impl SimulatedFileSystem {
    /// An empty disk; `seed` decides what survives a crash.
    pub(crate) fn new(seed: u64) -> Self {
        let disk = Disk { random: seed, ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Sets what goes wrong; operations are counted from now on.
    pub(crate) fn set_fault(&self, fault: Fault) {
        let mut disk = self.disk.lock();
        disk.fault = fault;
        disk.operations = 0;
    }

    /// Operations since the fault was set.
    pub(crate) fn operations(&self) -> u64 {
        self.disk.lock().operations
    }

    /// The disk as the next start finds it: of what was not synced, anything may be there or not.
    pub(crate) fn after_crash(&self) -> Self {
        let mut disk = self.disk.lock();
        let mut names = disk.durable_names.clone();
        let changes = disk.pending.len() as u64;
        let survived = disk.pick(changes + 1) as usize;
        for (path, file) in disk.pending[..survived].concat() {
            match file {
                Some(file) => names.insert(path, file),
                None => names.remove(&path),
            };
        }
        let mut files = HashMap::new();
        let numbers: BTreeSet<u64> = names.values().copied().collect();
        for number in numbers {
            let content = disk.files.get(&number).cloned().unwrap_or_default();
            let mut bytes = content.durable.clone();
            if disk.pick(2) == 0 {
                bytes.resize(content.now.len(), 0);
            }
            for sector in content.dirty {
                let end = ((sector + 1) * SECTOR_BYTES).min(content.now.len()).min(bytes.len());
                if disk.pick(2) == 0 && sector * SECTOR_BYTES < end {
                    let range = sector * SECTOR_BYTES..end;
                    bytes[range.clone()].copy_from_slice(&content.now[range]);
                }
            }
            let content = Content { now: bytes.clone(), durable: bytes, dirty: BTreeSet::new() };
            files.insert(number, content);
        }
        let random = disk.pick(u64::MAX);
        let after = Disk {
            durable_names: names.clone(),
            names,
            files,
            directories: disk.directories.clone(),
            next_file: disk.next_file,
            random,
            ..Disk::default()
        };
        Self { disk: Arc::new(Mutex::new(after)) }
    }

    /// All files, by path.
    pub(crate) fn all_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let disk = self.disk.lock();
        disk.names.iter().map(|(path, file)| (path.clone(), disk.files[file].now.clone())).collect()
    }

    /// A copy of the disk that shares nothing with it.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new(1);
        {
            let mut disk = copy.disk.lock();
            disk.directories = self.disk.lock().directories.clone();
        }
        for (path, bytes) in self.all_files() {
            copy.put(&path, bytes);
        }
        copy
    }

    /// Puts a file on the disk, durably.
    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut disk = self.disk.lock();
        let file = disk.next_file;
        disk.next_file += 1;
        let content = Content { now: bytes.clone(), durable: bytes, dirty: BTreeSet::new() };
        disk.files.insert(file, content);
        disk.names.insert(path.to_owned(), file);
        disk.durable_names.insert(path.to_owned(), file);
    }
}

fn io(operation: &'static str, path: &Path, error: Error) -> StorageError {
    StorageError::Io { operation, path: path.display().to_string(), source: error }
}

impl Disk {
    /// A number below `bound`, from a linear congruential generator.
    fn pick(&mut self, bound: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 11) % bound
    }

    /// Counts an operation. `Err` if it must not be done; `Ok(false)` if the machine stops in the middle of it.
    fn count(&mut self, grows: bool) -> Result<bool, Error> {
        if self.stopped {
            return Err(Error::new(ErrorKind::BrokenPipe, "the machine has stopped"));
        }
        let now = self.operations;
        self.operations += 1;
        match self.fault {
            Fault::Fail(at) if at == now => Err(Error::other("injected")),
            Fault::Full(from) if grows && now >= from => Err(Error::from_raw_os_error(28)),
            Fault::Stop(at) if at == now => {
                self.stopped = true;
                Ok(false)
            }
            Fault::None | Fault::Fail(_) | Fault::Full(_) | Fault::Stop(_) => Ok(true),
        }
    }

    fn stopping() -> Error {
        Error::new(ErrorKind::BrokenPipe, "the machine stops")
    }

    fn name(&mut self, path: &Path, file: Option<u64>) {
        match file {
            Some(file) => self.names.insert(path.to_owned(), file),
            None => self.names.remove(path),
        };
        self.pending.push(vec![(path.to_owned(), file)]);
    }

    fn file(&self, path: &Path) -> Result<u64, Error> {
        self.names.get(path).copied().ok_or_else(|| Error::from(ErrorKind::NotFound))
    }
}

impl Content {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
    }

    fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let range = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(self.now.len());
            if range.start < range.end {
                self.durable[range.clone()].copy_from_slice(&self.now[range]);
            }
        }
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    file: u64,
    path: PathBuf,
}

impl SimulatedFile {
    fn change(
        &self,
        operation: &'static str,
        grows: bool,
        change: impl FnOnce(&mut Content),
        half: impl FnOnce(&mut Content, u64),
    ) -> Result<(), StorageError> {
        let mut disk = self.disk.lock();
        let counted = disk.count(grows).map_err(|error| io(operation, &self.path, error));
        let random = disk.pick(u64::MAX);
        let content = disk.files.entry(self.file).or_default();
        match counted {
            Ok(true) => {
                change(content);
                Ok(())
            }
            Ok(false) => {
                half(content, random);
                Err(io(operation, &self.path, Disk::stopping()))
            }
            Err(error) => {
                // What a sync that failed was to write is never written, as on Linux.
                if operation == "sync" {
                    content.dirty.clear();
                } else if operation == "write" {
                    half(content, random);
                }
                Err(error)
            }
        }
    }
}

impl StoreFile for SimulatedFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let offset = offset as usize;
        // Only a write past the end needs room.
        let grows = {
            let disk = self.disk.lock();
            disk.files.get(&self.file).is_none_or(|file| file.now.len() < offset + bytes.len())
        };
        self.change(
            "write",
            grows,
            |content| content.write(offset, bytes),
            |content, random| {
                let part = random as usize % (bytes.len() + 1);
                content.write(offset, &bytes[..part]);
            },
        )
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let disk = self.disk.lock();
        let range = offset as usize..offset as usize + length;
        disk.files
            .get(&self.file)
            .and_then(|content| content.now.get(range))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| io("read", &self.path, Error::from(ErrorKind::UnexpectedEof)))
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.change("sync", false, Content::sync, |_, _| {})
    }

    fn set_len(&self, length: u64) -> Result<(), StorageError> {
        let cut = |content: &mut Content| {
            content.now.resize(length as usize, 0);
            // As if the file's tail were of another generation: a cut that is not synced may be lost.
            content.dirty.insert(length as usize / SECTOR_BYTES);
        };
        self.change("truncate", false, cut, |_, _| {})
    }

    fn len(&self) -> Result<u64, StorageError> {
        let disk = self.disk.lock();
        Ok(disk.files.get(&self.file).map_or(0, |content| content.now.len() as u64))
    }
}

impl SimulatedFileSystem {
    fn handle(&self, path: &Path, file: u64) -> Box<dyn StoreFile> {
        Box::new(SimulatedFile { disk: Arc::clone(&self.disk), file, path: path.to_owned() })
    }

    fn existing(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        let file = self.disk.lock().file(path).map_err(|error| io("open", path, error))?;
        Ok(self.handle(path, file))
    }

    fn change_names(
        &self,
        operation: &'static str,
        path: &Path,
        change: impl FnOnce(&mut Disk) -> Result<(), Error>,
    ) -> Result<(), StorageError> {
        let mut disk = self.disk.lock();
        match disk.count(false) {
            Ok(true) => change(&mut disk).map_err(|error| io(operation, path, error)),
            Ok(false) => {
                if disk.pick(2) == 0 {
                    change(&mut disk).map_err(|error| io(operation, path, error))?;
                }
                Err(io(operation, path, Disk::stopping()))
            }
            Err(error) => Err(io(operation, path, error)),
        }
    }
}

impl FileSystem for SimulatedFileSystem {
    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        let disk = self.disk.lock();
        let file = disk.file(path).map_err(|error| io("read", path, error))?;
        Ok(disk.files[&file].now.clone())
    }

    fn create(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        let mut made = 0;
        self.change_names("create", path, |disk| {
            made = disk.next_file;
            disk.next_file += 1;
            disk.files.insert(made, Content::default());
            disk.name(path, Some(made));
            Ok(())
        })?;
        Ok(self.handle(path, made))
    }

    fn open_store(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        self.existing(path)
    }

    fn open_read(&self, path: &Path) -> Result<Box<dyn StoreFile>, StorageError> {
        self.existing(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        self.change_names("rename", from, |disk| {
            let file = disk.file(from)?;
            disk.names.remove(from);
            disk.names.insert(to.to_owned(), file);
            // One entry, so that a crash keeps both halves or none.
            disk.pending.push(vec![(from.to_owned(), None), (to.to_owned(), Some(file))]);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        self.change_names("remove", path, |disk| {
            disk.file(path)?;
            disk.name(path, None);
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<(), StorageError> {
        self.change_names("sync", path, |disk| {
            for change in std::mem::take(&mut disk.pending) {
                if change.iter().any(|(name, _)| name.parent() != Some(path)) {
                    disk.pending.push(change);
                    continue;
                }
                for (name, file) in change {
                    match file {
                        Some(file) => disk.durable_names.insert(name, file),
                        None => disk.durable_names.remove(&name),
                    };
                }
            }
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, StorageError> {
        let disk = self.disk.lock();
        let files = disk.names.keys().filter(|name| name.parent() == Some(path));
        Ok(files.map(|name| name.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn create_dir_all(&self, path: &Path) -> Result<(), StorageError> {
        self.disk.lock().directories.insert(path.to_owned());
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> Result<(), StorageError> {
        self.change_names("remove directory", path, |disk| {
            let inside: Vec<PathBuf> =
                disk.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
            for name in inside {
                disk.name(&name, None);
            }
            disk.directories.retain(|name| !name.starts_with(path));
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> bool {
        let disk = self.disk.lock();
        disk.names.contains_key(path) || disk.directories.contains(path)
    }

    fn link_or_copy(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        self.change_names("link", from, |disk| {
            let file = disk.file(from)?;
            disk.name(to, Some(file));
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> Result<Option<FileLock>, StorageError> {
        if !self.disk.lock().locked.insert(path.to_owned()) {
            return Ok(None);
        }
        let held = Held { disk: Arc::clone(&self.disk), path: path.to_owned() };
        Ok(Some(FileLock::new(held, path)))
    }

    fn open(&self, path: &Path) -> Result<std::fs::File, StorageError> {
        Err(io("open", path, Error::from(ErrorKind::Unsupported)))
    }
}

struct Held {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock().locked.remove(&self.path);
    }
}
