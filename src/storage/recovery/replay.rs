//! The log's commits done again, in order.
//!
//! Commits are many and small, so their steps are not done one at a time: what they do to a table is gathered, the last
//! image of each row counts, and the table's version takes all of it at once.
//!
//! ```text
//! insert   images, a run of ids                       looked up by id ──► an image, or the row of the version before
//! update   image; the row before goes                 flush: delete what went, append images in order of ids
//! delete   the image goes, or the row before
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use datafusion::common::{HashMap as FastMap, HashSet as FastSet};

use super::{Recovered, RecoveredDatabase, Until};
use crate::storage::batch::RowsBuilder;
use crate::storage::error::StorageError;
use crate::storage::manifest::Manifest;
use crate::storage::table::{RowIds, TableVersion};
use crate::storage::wal::record::{Head, Payload};
use crate::storage::wal::segment::Found;
use crate::types::{CommitNo, Oid, RowId};

/// What was gathered for a table is put into its version when it has so many bytes, or so many images of rows.
const GATHERED_BYTES_SOFT: usize = 64 << 20;
const GATHERED_ROWS_SOFT: usize = 4 << 20;

/// Databases on their way from a checkpoint to the last commit.
pub(super) struct Replay {
    databases: Recovered,
    gathered: HashMap<(Oid, Oid), Gathered>,
    /// What the checkpoint holds of each database already.
    through: HashMap<Oid, CommitNo>,
    until: Until,
    stopped: bool,
    last: CommitNo,
    log_bytes: u64,
}

/// What commits did to a table since its version.
struct Gathered {
    rows: RowsBuilder,
    /// Runs of rows that came: first id, how many, and where the first image is.
    runs: BTreeMap<u64, (u64, u32)>,
    /// Where the last image of a row is that was written again; `None` if it went.
    moved: FastMap<u64, Option<u32>>,
    /// Rows of the version before that were replaced or went.
    gone: FastSet<u64>,
}

impl Gathered {
    fn new(version: &TableVersion) -> Result<Self, StorageError> {
        Ok(Self {
            rows: RowsBuilder::new(&version.schema)?,
            runs: BTreeMap::new(),
            moved: FastMap::default(),
            gone: FastSet::default(),
        })
    }

    /// Whether a row has an image here.
    fn has_image(&self, id: u64) -> bool {
        match self.moved.get(&id) {
            Some(image) => image.is_some(),
            None => self.in_run(id).is_some(),
        }
    }

    fn in_run(&self, id: u64) -> Option<u32> {
        let (first, (count, at)) = self.runs.range(..=id).next_back()?;
        (id - first < *count).then(|| at + (id - first) as u32)
    }

    /// Rows that came, their images from `at` on.
    fn insert(&mut self, first: u64, count: u64, at: u32) -> Result<(), StorageError> {
        if let Some((start, (before, image))) = self.runs.range_mut(..=first).next_back() {
            if first - *start < *before {
                return Err(StorageError::WriteConflict);
            }
            if first - *start == *before && u64::from(at - *image) == *before {
                *before += count;
                return Ok(());
            }
        }
        self.runs.insert(first, (count, at));
        Ok(())
    }

    fn update(&mut self, id: u64, at: u32) -> Result<(), StorageError> {
        if !self.has_image(id) && !self.gone.insert(id) {
            return Err(StorageError::WriteConflict);
        }
        self.moved.insert(id, Some(at));
        Ok(())
    }

    fn delete(&mut self, id: u64) -> Result<(), StorageError> {
        if self.has_image(id) {
            self.moved.insert(id, None);
        } else if !self.gone.insert(id) || self.moved.contains_key(&id) {
            return Err(StorageError::WriteConflict);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows.bytes() >= GATHERED_BYTES_SOFT || self.rows.rows() >= GATHERED_ROWS_SOFT
    }

    /// The version with all of it.
    fn apply(self, version: &TableVersion) -> Result<TableVersion, StorageError> {
        let mut gone: Vec<RowId> = self.gone.iter().map(|id| RowId(*id)).collect();
        gone.sort_unstable();
        let next = version.delete(&gone)?.ok_or(StorageError::WriteConflict)?;
        let mut came: Vec<(u64, u32)> = Vec::new();
        for (first, (count, at)) in &self.runs {
            came.extend((0..*count).filter_map(|row| {
                let id = first + row;
                let image = self.moved.get(&id).copied().unwrap_or(Some(at + row as u32));
                image.map(|image| (id, image))
            }));
        }
        let mut replaced: Vec<(u64, u32)> = self
            .moved
            .iter()
            .filter(|(id, _)| self.in_run(**id).is_none())
            .filter_map(|(id, image)| image.map(|image| (*id, image)))
            .collect();
        replaced.sort_unstable();
        let images = self.rows.finish()?;
        let append = |next: TableVersion, rows: Vec<(u64, u32)>| {
            let ids = RowIds::of_numbers(rows.iter().map(|(id, _)| *id).collect());
            let in_order = rows.iter().enumerate().all(|(at, (_, image))| at as u32 == *image);
            let batch = if in_order && rows.len() == images.num_rows() {
                images.clone()
            } else {
                let places = UInt32Array::from_iter_values(rows.iter().map(|(_, image)| *image));
                take_record_batch(&images, &places)?
            };
            next.append_rows(batch, ids)
        };
        Ok(append(append(next, replaced)?, came)?)
    }
}

impl Replay {
    pub(super) fn new(databases: Recovered, manifest: &Manifest, until: Until) -> Self {
        let through =
            manifest.databases.iter().map(|database| (database.oid, database.through)).collect();
        let last = manifest.through;
        let gathered = HashMap::new();
        Self { databases, gathered, through, until, stopped: false, last, log_bytes: 0 }
    }

    /// The databases, the last commit, and how many bytes of log it took.
    ///
    /// # Errors
    /// `XX001` if commits do not fit what is there.
    pub(super) fn finish(mut self) -> Result<(Recovered, CommitNo, u64), StorageError> {
        for ((database, table), gathered) in std::mem::take(&mut self.gathered) {
            let database = self.databases.entry(database).or_default();
            put_into(database, table, gathered)?;
        }
        for database in self.databases.values_mut() {
            database.store.commit = self.last;
        }
        Ok((self.databases, self.last, self.log_bytes))
    }

    /// Does one commit.
    ///
    /// # Errors
    /// `XX001` if it does not fit what is there.
    pub(super) fn commit(&mut self, path: &Path, found: Found) -> Result<(), StorageError> {
        let corrupt = |reason: &dyn std::fmt::Display| {
            StorageError::corrupt(path, &format!("commit {}: {reason}", found.number))
        };
        for payload in &found.payloads {
            self.log_bytes += payload.len() as u64;
            let payload = Payload::new(payload).map_err(|error| corrupt(&error))?;
            self.stopped |= match self.until {
                Until::End => false,
                Until::Commit(last) => found.number > last,
                Until::Time(time_us) => payload.time_us > time_us,
            };
            if self.stopped {
                return Ok(());
            }
            if self.through.get(&payload.database).is_some_and(|through| *through >= found.number) {
                continue;
            }
            self.payload(payload).map_err(|error| corrupt(&error))?;
        }
        self.last = found.number;
        Ok(())
    }

    fn payload(&mut self, mut payload: Payload<'_>) -> Result<(), StorageError> {
        let oid = payload.database;
        let database = self.databases.entry(oid).or_default();
        while let Some(head) = payload.head()? {
            match head {
                Head::Insert { table, first } => {
                    let gathered = gather(&mut self.gathered, database, (oid, table))?;
                    let at = gathered.rows.rows() as u32;
                    let count = payload.rows(&mut gathered.rows)? as u64;
                    gathered.insert(first.0, count, at)?;
                    if let Some(version) = database.store.table(table) {
                        version.give_no_id_below(RowId(first.0.saturating_add(count)));
                    }
                    flush_full(&mut self.gathered, database, (oid, table))?;
                }
                Head::Update { table, ids } => {
                    let gathered = gather(&mut self.gathered, database, (oid, table))?;
                    let at = gathered.rows.rows() as u32;
                    if payload.rows(&mut gathered.rows)? != ids.len() {
                        return Err(payload.malformed().into());
                    }
                    for (row, id) in ids.into_iter().enumerate() {
                        gathered.update(id, at + row as u32)?;
                    }
                    flush_full(&mut self.gathered, database, (oid, table))?;
                }
                Head::Delete { table, ids } => {
                    let gathered = gather(&mut self.gathered, database, (oid, table))?;
                    ids.into_iter().try_for_each(|id| gathered.delete(id))?;
                }
                Head::Begin { table, next_row, schema } => {
                    self.gathered.remove(&(oid, table));
                    let version = TableVersion::restore(table, schema, Vec::new(), next_row);
                    put(&mut database.store, version);
                }
                Head::Chunk { table, ids } => {
                    flush(&mut self.gathered, database, (oid, table))?;
                    let version = database.store.table(table).ok_or(StorageError::TableChanged)?;
                    let mut rows = RowsBuilder::new(&version.schema)?;
                    if payload.rows(&mut rows)? != ids.len() {
                        return Err(payload.malformed().into());
                    }
                    let next = version.append_rows(rows.finish()?, RowIds::of_numbers(ids))?;
                    put(&mut database.store, next);
                }
                Head::Widen { table, schema } => {
                    flush(&mut self.gathered, database, (oid, table))?;
                    let version = database.store.table(table).ok_or(StorageError::TableChanged)?;
                    let next = version.widened(&schema)?;
                    put(&mut database.store, next);
                }
                Head::Gone(table) => {
                    self.gathered.remove(&(oid, table));
                    database.store = std::mem::take(&mut database.store).without_table(table);
                }
                Head::Put(key, object) => {
                    database.objects.insert(key, object);
                }
                Head::Remove(key) => {
                    database.objects.remove(&key);
                }
            }
        }
        Ok(())
    }
}

type AllGathered = HashMap<(Oid, Oid), Gathered>;

/// What is gathered for a table.
fn gather<'a>(
    all: &'a mut AllGathered,
    database: &RecoveredDatabase,
    key: (Oid, Oid),
) -> Result<&'a mut Gathered, StorageError> {
    match all.entry(key) {
        std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
        std::collections::hash_map::Entry::Vacant(entry) => {
            let version = database.store.table(key.1).ok_or(StorageError::TableChanged)?;
            Ok(entry.insert(Gathered::new(version)?))
        }
    }
}

fn flush_full(
    all: &mut AllGathered,
    database: &mut RecoveredDatabase,
    key: (Oid, Oid),
) -> Result<(), StorageError> {
    match all.get(&key) {
        Some(gathered) if gathered.is_full() => flush(all, database, key),
        Some(_) | None => Ok(()),
    }
}

fn flush(
    all: &mut AllGathered,
    database: &mut RecoveredDatabase,
    key: (Oid, Oid),
) -> Result<(), StorageError> {
    match all.remove(&key) {
        Some(gathered) => put_into(database, key.1, gathered),
        None => Ok(()),
    }
}

fn put_into(
    database: &mut RecoveredDatabase,
    table: Oid,
    gathered: Gathered,
) -> Result<(), StorageError> {
    let version = database.store.table(table).ok_or(StorageError::TableChanged)?;
    let next = gathered.apply(version)?;
    put(&mut database.store, next);
    Ok(())
}

fn put(store: &mut crate::storage::StoreSnapshot, version: TableVersion) {
    *store = std::mem::take(store).with_table(Arc::new(version));
}
