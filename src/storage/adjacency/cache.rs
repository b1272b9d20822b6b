//! Adjacency lists kept for the table versions they were built from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::common::HashMap;
use parking_lot::Mutex;

use super::csr::{Adjacency, Orientation};
use super::derive::{EndsChange, derive_ends};
use super::ends::{CancelFlag, EdgeEnds, EndColumns};
use crate::storage::{StorageError, TableVersion};
use crate::types::Oid;

/// What adjacency lists are built from: three table versions (by stamp) and the columns that join them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AdjacencyKey {
    /// Stamp of the edge table's version.
    pub edges: u64,
    /// Stamp of the source vertex table's version.
    pub sources: u64,
    /// Stamp of the destination vertex table's version.
    pub destinations: u64,
    /// The three tables.
    pub tables: [Oid; 3],
    /// How sources are found.
    pub source: EndColumns,
    /// How destinations are found.
    pub destination: EndColumns,
}

impl AdjacencyKey {
    /// Whether both are about the same tables and columns, at whatever versions.
    fn same_tables(&self, other: &Self) -> bool {
        self.tables == other.tables
            && self.source == other.source
            && self.destination == other.destination
    }
}

/// Versions of one edge table that are kept: the newest, and the one before for statements that still run on it.
const VERSIONS_MAX: usize = 2;

/// What is known of one [`AdjacencyKey`]: each part is built at first use, by one task at a time.
#[derive(Debug)]
struct Entry {
    tables: Tables,
    /// The version before, until this one has taken over what it can use of it.
    base: Mutex<Option<Arc<Entry>>>,
    change: OnceLock<Option<Arc<EndsChange>>>,
    ends: OnceLock<Arc<EdgeEnds>>,
    out: OnceLock<Arc<Adjacency>>,
    back: OnceLock<Arc<Adjacency>>,
    building: tokio::sync::Mutex<()>,
    last_used: AtomicU64,
}

/// An earlier version, and what changed since.
type Takeover = (Arc<Entry>, Arc<EndsChange>);

/// The engine's adjacency lists, least recently used ones dropped when they are more than `bytes_max`.
///
/// What a running statement holds stays alive until it ends, on top of the limit.
#[derive(Debug)]
pub struct AdjacencyCache {
    bytes_max: usize,
    clock: AtomicU64,
    entries: Mutex<HashMap<AdjacencyKey, Arc<Entry>>>,
}

/// The table versions behind an [`AdjacencyKey`].
#[derive(Debug, Clone)]
struct Tables {
    edges: Arc<TableVersion>,
    sources: Arc<TableVersion>,
    destinations: Arc<TableVersion>,
    source: EndColumns,
    destination: EndColumns,
}

impl AdjacencyCache {
    /// A cache that holds at most about `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, clock: AtomicU64::default(), entries: Mutex::default() }
    }

    /// The lists of one edge table in one orientation, built on a blocking thread if they are not there.
    ///
    /// A build that nobody waits for any more stops by itself.
    ///
    /// # Errors
    /// `54000` for a table of too many rows.
    pub async fn adjacency(
        &self,
        edges: &Arc<TableVersion>,
        source: (&Arc<TableVersion>, &EndColumns),
        destination: (&Arc<TableVersion>, &EndColumns),
        orientation: Orientation,
    ) -> Result<Arc<Adjacency>, StorageError> {
        let tables = Tables::new(edges, source, destination);
        let entry = self.entry(tables);
        if let Some(built) = entry.adjacency(orientation).get() {
            return Ok(Arc::clone(built));
        }
        let building = entry.building.lock().await;
        if let Some(built) = entry.adjacency(orientation).get() {
            return Ok(Arc::clone(built));
        }
        let built = run_blocking({
            let entry = Arc::clone(&entry);
            move |cancel| {
                let built = Arc::new(entry.build(orientation, cancel)?);
                Ok(Arc::clone(entry.adjacency(orientation).get_or_init(|| built)))
            }
        })
        .await?;
        if entry.out.get().is_some() && entry.back.get().is_some() {
            entry.base.lock().take();
        }
        drop(building);
        self.evict();
        Ok(built)
    }

    /// The ends of one edge table's edges; builds them on the calling thread if they are not there.
    ///
    /// # Errors
    /// `54000` for a table of too many rows.
    pub fn ends(
        &self,
        edges: &Arc<TableVersion>,
        source: (&Arc<TableVersion>, &EndColumns),
        destination: (&Arc<TableVersion>, &EndColumns),
    ) -> Result<Arc<EdgeEnds>, StorageError> {
        let tables = Tables::new(edges, source, destination);
        let entry = self.entry(tables);
        if let Some(built) = entry.ends.get() {
            return Ok(Arc::clone(built));
        }
        let built = entry.ends(&CancelFlag::default())?;
        self.evict();
        Ok(built)
    }

    /// Bytes held by the cache.
    pub fn bytes(&self) -> usize {
        self.entries.lock().values().map(|entry| entry.bytes()).sum()
    }

    /// The entry of these versions. A new one starts from the latest other version there is.
    fn entry(&self, tables: Tables) -> Arc<Entry> {
        let key = tables.key();
        let mut entries = self.entries.lock();
        let entry = match entries.get(&key) {
            Some(entry) => Arc::clone(entry),
            None => {
                let mut others: Vec<(u64, AdjacencyKey)> = entries
                    .iter()
                    .filter(|(other, _)| other.same_tables(&key))
                    .map(|(other, entry)| (entry.last_used.load(Ordering::Relaxed), other.clone()))
                    .collect();
                others.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(*used));
                let base = others.first().and_then(|(_, other)| entries.get(other)).cloned();
                for (_, old) in others.iter().skip(VERSIONS_MAX - 1) {
                    entries.remove(old);
                }
                let entry = Arc::new(Entry::new(tables, base));
                entries.insert(key, Arc::clone(&entry));
                entry
            }
        };
        entry.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        entry
    }

    /// Drops the least recently used entries until the rest fits; the newest always stays.
    fn evict(&self) {
        let mut entries = self.entries.lock();
        let mut by_age: Vec<(u64, usize, AdjacencyKey)> = entries
            .iter()
            .map(|(key, entry)| {
                (entry.last_used.load(Ordering::Relaxed), entry.bytes(), key.clone())
            })
            .collect();
        by_age.sort_unstable_by_key(|(used, _, _)| *used);
        let mut total: usize = by_age.iter().map(|(_, bytes, _)| bytes).sum();
        by_age.pop();
        for (_, bytes, key) in by_age {
            if total <= self.bytes_max {
                break;
            }
            // A build in progress would be done twice if its entry went.
            if entries.get(&key).is_some_and(|entry| entry.building.try_lock().is_ok()) {
                entries.remove(&key);
                total -= bytes;
            }
        }
    }
}

impl Tables {
    fn new(
        edges: &Arc<TableVersion>,
        source: (&Arc<TableVersion>, &EndColumns),
        destination: (&Arc<TableVersion>, &EndColumns),
    ) -> Self {
        Self {
            edges: Arc::clone(edges),
            sources: Arc::clone(source.0),
            destinations: Arc::clone(destination.0),
            source: source.1.clone(),
            destination: destination.1.clone(),
        }
    }

    fn versions(&self) -> [&TableVersion; 3] {
        [&self.edges, &self.sources, &self.destinations]
    }

    fn key(&self) -> AdjacencyKey {
        AdjacencyKey {
            edges: self.edges.stamp,
            sources: self.sources.stamp,
            destinations: self.destinations.stamp,
            tables: [self.edges.table, self.sources.table, self.destinations.table],
            source: self.source.clone(),
            destination: self.destination.clone(),
        }
    }
}

impl Entry {
    fn adjacency(&self, orientation: Orientation) -> &OnceLock<Arc<Adjacency>> {
        match orientation {
            Orientation::Out => &self.out,
            Orientation::In => &self.back,
        }
    }

    fn new(tables: Tables, base: Option<Arc<Entry>>) -> Self {
        // What the base itself was made from is not needed any more.
        if let Some(base) = &base {
            base.base.lock().take();
        }
        Self {
            tables,
            base: Mutex::new(base),
            change: OnceLock::new(),
            ends: OnceLock::new(),
            out: OnceLock::new(),
            back: OnceLock::new(),
            building: tokio::sync::Mutex::default(),
            last_used: AtomicU64::default(),
        }
    }

    /// The base whose lists this version can start from, and what changed since.
    fn change(&self, cancel: &CancelFlag) -> Result<Option<Takeover>, StorageError> {
        let Some(base) = self.base.lock().clone() else { return Ok(None) };
        if let Some(known) = self.change.get() {
            return Ok(known.clone().map(|change| (base, change)));
        }
        let Some(ends) = base.ends.get() else { return Ok(None) };
        let change = derive_ends(
            ends,
            base.tables.versions(),
            self.tables.versions(),
            [&self.tables.source, &self.tables.destination],
            cancel,
        )?;
        let change = self.change.get_or_init(|| change.map(Arc::new)).clone();
        Ok(change.map(|change| (base, change)))
    }

    /// The lists of one orientation.
    fn build(
        &self,
        orientation: Orientation,
        cancel: &CancelFlag,
    ) -> Result<Adjacency, StorageError> {
        let ends = self.ends(cancel)?;
        let (from, to) = match orientation {
            Orientation::Out => (&self.tables.sources, &self.tables.destinations),
            Orientation::In => (&self.tables.destinations, &self.tables.sources),
        };
        let (from, to) = (from.positions() as usize, to.positions() as usize);
        if let Some((base, change)) = self.change(cancel)?
            && let Some(lists) = base.adjacency(orientation).get()
        {
            return Ok(change.lists(lists, orientation == Orientation::Out, from));
        }
        Adjacency::build(&ends, orientation, from, to, cancel)
    }

    fn ends(&self, cancel: &CancelFlag) -> Result<Arc<EdgeEnds>, StorageError> {
        if let Some(built) = self.ends.get() {
            return Ok(Arc::clone(built));
        }
        let built = match self.change(cancel)? {
            Some((_, change)) => Arc::clone(&change.ends),
            None => {
                let Tables { edges, sources, destinations, source, destination } = &self.tables;
                Arc::new(EdgeEnds::resolve(
                    edges,
                    (sources, source),
                    (destinations, destination),
                    cancel,
                )?)
            }
        };
        Ok(Arc::clone(self.ends.get_or_init(|| built)))
    }

    fn bytes(&self) -> usize {
        self.ends.get().map_or(0, |ends| ends.bytes())
            + self.out.get().map_or(0, |lists| lists.bytes())
            + self.back.get().map_or(0, |lists| lists.bytes())
    }
}

/// Cancels its flag when it is dropped, so that a build ends with the statement that wanted it.
struct CancelOnDrop(Arc<CancelFlag>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce(&CancelFlag) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let flag = Arc::new(CancelFlag::default());
    let _guard = CancelOnDrop(Arc::clone(&flag));
    match tokio::task::spawn_blocking(move || work(&flag)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            // The runtime is going down.
            Err(_) => Err(StorageError::Canceled),
        },
    }
}

#[cfg(test)]
mod tests;
