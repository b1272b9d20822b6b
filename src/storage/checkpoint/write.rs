//! A checkpoint written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::chunk_store::ChunkStore;
use super::chunk_write::{Written, encode_chunk, has_ids};
use super::paged_file::PagedFile;
use crate::storage::error::StorageError;
use crate::storage::fs::FileSystem;
use crate::storage::manifest::{Manifest, StoredChunk, StoredDatabase, StoredTable, manifest_name};
use crate::storage::recovery::{Listing, WAL_DIR};
use crate::storage::table::{Chunk, TableVersion, Zones};
use crate::storage::wal::log::Rotated;
use crate::storage::wal::segment::segment_name;
use crate::storage::wal::{Log, ObjectKey};
use crate::types::{CommitNo, Oid};

/// A database as a checkpoint is to hold it: what was visible at one moment.
#[derive(Debug)]
pub struct CheckpointDatabase {
    /// The database; 0 for the cluster.
    pub oid: Oid,
    /// The last commit that is in it.
    pub through: CommitNo,
    /// All of its catalog objects.
    pub objects: BTreeMap<ObjectKey, Vec<u8>>,
    /// All of its tables that are kept.
    pub tables: Vec<Arc<TableVersion>>,
    /// Columns that rows of a table are looked for by; each gets an index in the table's files.
    pub keys: HashMap<Oid, Vec<Vec<usize>>>,
}

/// What a checkpoint did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointSummary {
    /// Its number.
    pub sequence: u64,
    /// Commits up to this are in it.
    pub through: CommitNo,
    /// Chunk files written.
    pub files_written: usize,
    /// Chunk files it has in common with an earlier one.
    pub files_kept: usize,
}

/// Writes the checkpoints of a store, one at a time.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    fs: Arc<dyn FileSystem>,
    files: Arc<ChunkStore>,
    dir: PathBuf,
    archive: Option<PathBuf>,
    store: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last manifest's number.
    sequence: u64,
    next_file: u64,
}

impl Checkpointer {
    /// Goes on after `manifest`.
    pub(crate) fn new(
        fs: Arc<dyn FileSystem>,
        files: Arc<ChunkStore>,
        dir: PathBuf,
        archive: Option<PathBuf>,
        manifest: &Manifest,
    ) -> Self {
        let next_file = manifest.files().max().unwrap_or(0) + 1;
        let state = State { sequence: manifest.sequence, next_file };
        Self { fs, files, dir, archive, store: manifest.store, state: Mutex::new(state) }
    }

    /// Writes a checkpoint and cuts the log before it. Blocks.
    ///
    /// `look` gives the databases as they are visible, all of them and the cluster.
    ///
    /// # Errors
    /// What `look` gives; `53100` or `58030` if files could not be written: the checkpoint before and the log since stay.
    pub(crate) fn run<E: From<StorageError>>(
        &self,
        log: &Log,
        look: impl FnOnce() -> Result<Vec<CheckpointDatabase>, E>,
    ) -> Result<CheckpointSummary, E> {
        let mut state = self.state.lock();
        let rotated = log.rotate()?;
        let databases = look()?;
        Ok(self.write(&mut state, rotated, databases)?)
    }

    /// Writes a checkpoint for a log that has nothing but what is given.
    pub(crate) fn write_at(
        &self,
        rotated: Rotated,
        databases: Vec<CheckpointDatabase>,
    ) -> Result<CheckpointSummary, StorageError> {
        self.write(&mut self.state.lock(), rotated, databases)
    }

    fn write(
        &self,
        state: &mut State,
        rotated: Rotated,
        databases: Vec<CheckpointDatabase>,
    ) -> Result<CheckpointSummary, StorageError> {
        let (mut written, mut kept) = (0, 0);
        let mut stored = Vec::with_capacity(databases.len());
        for database in databases {
            let mut tables = Vec::with_capacity(database.tables.len());
            let none = Vec::new();
            for version in &database.tables {
                let keys = database.keys.get(&version.table).unwrap_or(&none);
                let mut chunks = Vec::with_capacity(version.chunks().len());
                for chunk in version.chunks().iter().filter(|chunk| chunk.live_rows() > 0) {
                    let file = match chunk.file() {
                        Some(file) => {
                            kept += 1;
                            Arc::clone(file)
                        }
                        None => {
                            written += 1;
                            self.write_file(state, chunk, version, keys)?
                        }
                    };
                    chunks.push(stored_chunk(chunk, &file)?);
                }
                tables.push(StoredTable {
                    oid: version.table,
                    next_row: version.next_row(),
                    schema: Arc::clone(&version.schema),
                    chunks,
                });
            }
            // Its own commits up to the rotation are visible, whenever the last one was.
            let through = database.through.max(rotated.after);
            let objects = database.objects.into_iter().collect();
            stored.push(StoredDatabase { oid: database.oid, through, objects, tables });
        }
        let manifest = Manifest {
            store: self.store,
            sequence: state.sequence + 1,
            time_us: chrono::Utc::now().timestamp_micros(),
            segment: rotated.segment,
            through: rotated.after,
            databases: stored,
        };
        let path = self.dir.join(manifest_name(manifest.sequence));
        self.fs.write_atomic(&path, &manifest.encode()?)?;
        state.sequence = manifest.sequence;
        self.remove_unnamed(&manifest);
        Ok(CheckpointSummary {
            sequence: manifest.sequence,
            through: rotated.after,
            files_written: written,
            files_kept: kept,
        })
    }

    fn write_file(
        &self,
        state: &mut State,
        chunk: &Chunk,
        version: &TableVersion,
        keys: &[Vec<usize>],
    ) -> Result<Arc<PagedFile>, StorageError> {
        let number = state.next_file;
        state.next_file += 1;
        let schema = &version.schema;
        let Written { bytes, file, keys, zones } =
            encode_chunk((number, self.store), chunk, schema, keys)?;
        let zones = Zones::read(&zones, schema).map_err(StorageError::Malformed)?;
        let has_ids = has_ids(schema, chunk.first_id().is_some());
        // Known as in use before it is there: nothing may take it for a left-over.
        let file = self.files.open(file, Arc::clone(schema), chunk.len(), has_ids);
        self.files.put(number, bytes)?;
        Ok(chunk.set_file(file, &keys, zones))
    }

    /// Removes what the checkpoint does not name. It counts already, so what cannot be removed now only takes room.
    fn remove_unnamed(&self, manifest: &Manifest) {
        if let Err(error) = self.try_remove_unnamed(manifest) {
            tracing::warn!(%error, "could not remove files of an old checkpoint");
        }
    }

    fn try_remove_unnamed(&self, manifest: &Manifest) -> Result<(), StorageError> {
        let fs = self.fs.as_ref();
        let listing = Listing::read(fs, &self.dir)?;
        for old in listing.manifests.iter().filter(|number| **number < manifest.sequence) {
            fs.remove(&self.dir.join(manifest_name(*old)))?;
        }
        for old in listing.segments.iter().filter(|number| **number < manifest.segment) {
            let path = self.dir.join(WAL_DIR).join(segment_name(*old));
            if let Some(archive) = &self.archive {
                archive_segment(fs, &path, archive, *old)?;
            }
            fs.remove(&path)?;
        }
        let named: HashSet<u64> = manifest.files().collect();
        for number in listing.chunks {
            if !named.contains(&number) && !self.files.in_use(number) {
                self.files.remove(number)?;
            }
        }
        Ok(())
    }
}

/// Puts a segment that is complete into the archive, unless it is there.
pub(crate) fn archive_segment(
    fs: &dyn FileSystem,
    path: &Path,
    archive: &Path,
    number: u64,
) -> Result<(), StorageError> {
    let target = archive.join(segment_name(number));
    if fs.exists(&target) {
        return Ok(());
    }
    fs.create_dir_all(archive)?;
    let temporary = target.with_extension("new");
    if fs.exists(&temporary) {
        fs.remove(&temporary)?;
    }
    fs.link_or_copy(path, &temporary)?;
    fs.rename(&temporary, &target)?;
    fs.sync_dir(archive)
}

fn stored_chunk(chunk: &Chunk, file: &PagedFile) -> Result<StoredChunk, StorageError> {
    let deleted = chunk.deleted.as_ref().map(|bits| {
        let mut packed = bits.sliced().as_slice()[..bits.len().div_ceil(8)].to_vec();
        if !bits.len().is_multiple_of(8)
            && let Some(last) = packed.last_mut()
        {
            *last &= (1 << (bits.len() % 8)) - 1;
        }
        packed
    });
    Ok(StoredChunk {
        rows: chunk.len(),
        ids: chunk.stored_ids()?,
        deleted,
        file: file.stored.clone(),
        zones: chunk.zones().map(|zones| zones.stored().clone()).unwrap_or_default(),
        keys: chunk.stored_keys(),
    })
}
