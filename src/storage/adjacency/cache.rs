//! Adjacency lists kept for the table versions they were built from.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::common::{HashMap, HashSet};
use parking_lot::Mutex;

use super::charge::Charge;
use super::csr::{Adjacency, ListEdge, Orientation};
use super::derive::{Derived, Resolved};
use super::ends::{CancelFlag, DANGLING, EndColumns};
use super::numbers::Places;
use crate::storage::{StorageError, TableVersion};
use crate::types::{Measure, MemoryBranch, Oid};

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

/// Versions of one edge table that are kept: the newest, and those that statements may still run on. They share most of
/// what they hold.
const VERSIONS_MAX: usize = 8;

/// Bytes for each edge while lists are made of ends: a copy of the ends, two sorted orders, the lists.
const LISTS_EDGE_BYTES: usize = 24;
/// Bytes for each edge and vertex while ends are found: both ends, then pairs of them; keys, an index of keys, places.
const ENDS_EDGE_BYTES: usize = 20;
const ENDS_VERTEX_BYTES: usize = 48;

/// What is known of one [`AdjacencyKey`]: each part is built at first use, by one task at a time.
#[derive(Debug)]
struct Entry {
    tables: Tables,
    /// Another version, until this one has taken over what it can use of it.
    base: Mutex<Option<Arc<Entry>>>,
    resolved: OnceLock<Arc<Resolved>>,
    out: OnceLock<Arc<Adjacency>>,
    back: OnceLock<Arc<Adjacency>>,
    building: tokio::sync::Mutex<()>,
    last_used: AtomicU64,
    /// Whether it was taken over from another version.
    derived: AtomicBool,
    /// Memory of what differs from that one.
    changes: OnceLock<Charge>,
}

/// The lists of one edge table in one orientation, and where their rows are in the version they were asked for.
#[derive(Debug, Clone)]
pub struct Neighborhood {
    /// The lists, by numbers.
    pub lists: Arc<Adjacency>,
    /// The vertices the lists are of.
    pub from: Arc<Places>,
    /// The vertices in the lists.
    pub to: Arc<Places>,
    /// The edges in the lists.
    pub edges: Arc<Places>,
}

/// The ends of one edge table's edges, by position.
#[derive(Debug, Clone)]
pub struct EdgePlaces(Arc<Resolved>);

impl EdgePlaces {
    /// Positions of source and destination of the edge at a position; `None` if it has none.
    pub fn ends(&self, edge: u64) -> Option<(u32, u32)> {
        let Resolved { edges, sources, destinations, ends } = self.0.as_ref();
        let [from, to] = ends.get(edges.number(u32::try_from(edge).ok()?));
        (from != DANGLING).then(|| (sources.position(from), destinations.position(to)))
    }
}

/// The engine's adjacency lists, least recently used ones dropped when they are more than `bytes_max`.
///
/// What a running statement holds stays alive until it ends, on top of the limit. All of it counts for the tenant's
/// memory; a build for which there is none left is refused, and what nobody uses goes when others need the memory.
#[derive(Debug)]
pub struct AdjacencyCache {
    bytes_max: usize,
    memory: Arc<MemoryBranch>,
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
    /// A cache that holds at most about `bytes_max` bytes, which it takes from `memory`.
    pub fn new(bytes_max: usize, memory: &Arc<MemoryBranch>) -> Self {
        let memory = Arc::clone(memory);
        Self { bytes_max, memory, clock: AtomicU64::default(), entries: Mutex::default() }
    }

    /// The lists of one edge table in one orientation, built on a blocking thread if they are not there.
    ///
    /// A build that nobody waits for any more stops by itself.
    ///
    /// # Errors
    /// `54000` for a table of too many rows, `53200` if there is no memory for it.
    pub async fn adjacency(
        &self,
        edges: &Arc<TableVersion>,
        source: (&Arc<TableVersion>, &EndColumns),
        destination: (&Arc<TableVersion>, &EndColumns),
        orientation: Orientation,
    ) -> Result<Neighborhood, StorageError> {
        let tables = Tables::new(edges, source, destination);
        let entry = self.entry(tables);
        if let Some(built) = entry.neighborhood(orientation) {
            return Ok(built);
        }
        let building = entry.building.lock().await;
        if let Some(built) = entry.neighborhood(orientation) {
            return Ok(built);
        }
        let built = run_blocking({
            let (entry, memory) = (Arc::clone(&entry), Arc::clone(&self.memory));
            move |cancel| entry.build(orientation, &memory, cancel)
        })
        .await?;
        drop(building);
        self.evict();
        Ok(built)
    }

    /// The ends of one edge table's edges; builds them on the calling thread if they are not there.
    ///
    /// # Errors
    /// `54000` for a table of too many rows, `53200` if there is no memory for it.
    pub fn ends(
        &self,
        edges: &Arc<TableVersion>,
        source: (&Arc<TableVersion>, &EndColumns),
        destination: (&Arc<TableVersion>, &EndColumns),
    ) -> Result<EdgePlaces, StorageError> {
        let tables = Tables::new(edges, source, destination);
        let entry = self.entry(tables);
        if let Some(known) = entry.resolved.get() {
            return Ok(EdgePlaces(Arc::clone(known)));
        }
        let _scope = Measure::outside();
        let resolved = entry.resolved(&self.memory, &CancelFlag::default())?;
        self.evict();
        Ok(EdgePlaces(resolved))
    }

    /// Bytes held by the cache.
    pub fn bytes(&self) -> usize {
        let mut seen = HashSet::new();
        self.entries.lock().values().map(|entry| entry.bytes(&mut seen)).sum()
    }

    /// The entry of these versions. A new one starts from the latest other version that is known.
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
                let mut known = others.iter().filter_map(|(_, other)| entries.get(other));
                let base = known.find(|entry| entry.resolved.get().is_some()).cloned();
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

    /// Drops entries, the least recently used first, until so many bytes are free; how many are then. What a statement
    /// still uses stays in memory without an entry.
    pub fn free(&self, wanted: usize) -> usize {
        let _scope = Measure::outside();
        // Whoever holds the entries may be the one who needs memory.
        let Some(mut entries) = self.entries.try_lock() else { return 0 };
        let mut by_age: Vec<(u64, AdjacencyKey)> = entries
            .iter()
            .filter(|(_, entry)| entry.building.try_lock().is_ok())
            .map(|(key, entry)| (entry.last_used.load(Ordering::Relaxed), key.clone()))
            .collect();
        by_age.sort_unstable_by_key(|(used, _)| *used);
        let before = self.memory.used();
        let mut freed = 0;
        for (_, key) in by_age {
            entries.remove(&key);
            freed = before.saturating_sub(self.memory.used());
            if freed >= wanted {
                break;
            }
        }
        freed
    }

    /// Drops the least recently used entries until the rest fits; the newest always stays.
    fn evict(&self) {
        let mut entries = self.entries.lock();
        let mut by_age: Vec<(u64, AdjacencyKey)> = entries
            .iter()
            .map(|(key, entry)| (entry.last_used.load(Ordering::Relaxed), key.clone()))
            .collect();
        by_age.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(*used));
        // What newer versions hold too is counted with them.
        let mut seen = HashSet::new();
        let mut total = 0;
        for (at, (_, key)) in by_age.iter().enumerate() {
            total += entries.get(key).map_or(0, |entry| entry.bytes(&mut seen));
            // A build in progress would be done twice if its entry went.
            let idle = entries.get(key).is_some_and(|entry| entry.building.try_lock().is_ok());
            if at > 0 && total > self.bytes_max && idle {
                entries.remove(key);
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

    fn versions(&self) -> [&Arc<TableVersion>; 3] {
        [&self.edges, &self.sources, &self.destinations]
    }

    fn columns(&self) -> [&EndColumns; 2] {
        [&self.source, &self.destination]
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
        Self {
            tables,
            base: Mutex::new(base),
            resolved: OnceLock::new(),
            out: OnceLock::new(),
            back: OnceLock::new(),
            building: tokio::sync::Mutex::default(),
            last_used: AtomicU64::default(),
            derived: AtomicBool::new(false),
            changes: OnceLock::new(),
        }
    }

    /// The lists of one orientation with what they are about, if they are there.
    fn neighborhood(&self, orientation: Orientation) -> Option<Neighborhood> {
        let lists = Arc::clone(self.adjacency(orientation).get()?);
        let Resolved { edges, sources, destinations, ends: _ } = self.resolved.get()?.as_ref();
        let (from, to) = match orientation {
            Orientation::Out => (sources, destinations),
            Orientation::In => (destinations, sources),
        };
        let (from, to, edges) = (Arc::clone(from), Arc::clone(to), Arc::clone(edges));
        Some(Neighborhood { lists, from, to, edges })
    }

    /// Builds the lists of one orientation, if taking over another version's did not give them already.
    fn build(
        &self,
        orientation: Orientation,
        memory: &Arc<MemoryBranch>,
        cancel: &CancelFlag,
    ) -> Result<Neighborhood, StorageError> {
        let resolved = self.resolved(memory, cancel)?;
        if self.adjacency(orientation).get().is_none() {
            let count = |places: &Places| places.numbers().count(places.version());
            let (from, to) = match orientation {
                Orientation::Out => (&resolved.sources, &resolved.destinations),
                Orientation::In => (&resolved.destinations, &resolved.sources),
            };
            let (from, to) = (count(from)? as usize, count(to)? as usize);
            let edges = count(&resolved.edges)? as usize;
            let _building = Charge::reserve(memory, LISTS_EDGE_BYTES * edges + 8 * (from + to))?;
            let lists = Adjacency::build(&resolved.ends, orientation, from, to, cancel)?;
            lists.charge(memory);
            self.adjacency(orientation).get_or_init(|| Arc::new(lists));
        }
        self.neighborhood(orientation).ok_or(StorageError::Canceled)
    }

    /// What is known apart from the lists. Taken over from another version, it brings that one's lists with it.
    fn resolved(
        &self,
        memory: &Arc<MemoryBranch>,
        cancel: &CancelFlag,
    ) -> Result<Arc<Resolved>, StorageError> {
        if let Some(known) = self.resolved.get() {
            return Ok(Arc::clone(known));
        }
        // Held until all is set: lists and what they are about must come from one thread.
        let mut base = self.base.lock();
        if let Some(known) = self.resolved.get() {
            return Ok(Arc::clone(known));
        }
        let (versions, columns) = (self.tables.versions(), self.tables.columns());
        if let Some(base) = base.take()
            && let Some(known) = base.resolved.get()
            && let Some(derived) = known.follow(versions, columns, cancel)?
        {
            let Derived { resolved, gone, came } = derived;
            if let Some(lists) = base.out.get() {
                let lists = changed(lists, gone.clone(), came.clone());
                self.out.get_or_init(|| lists);
            }
            if let Some(lists) = base.back.get() {
                let lists = changed(lists, turned(gone), turned(came));
                self.back.get_or_init(|| lists);
            }
            self.derived.store(true, Ordering::Relaxed);
            resolved.charge(memory);
            let resolved = self.resolved.get_or_init(|| Arc::new(resolved));
            self.charge_changes(memory, resolved);
            return Ok(Arc::clone(resolved));
        }
        let _building = Charge::reserve(memory, build_bytes(versions))?;
        let resolved = Resolved::anew(versions, columns, cancel)?;
        resolved.charge(memory);
        Ok(Arc::clone(self.resolved.get_or_init(|| Arc::new(resolved))))
    }

    /// Charges for what this version has beside the arrays that it shares with others.
    fn charge_changes(&self, memory: &Arc<MemoryBranch>, resolved: &Resolved) {
        let lists = [&self.out, &self.back].into_iter().filter_map(OnceLock::get);
        let bytes = resolved.ends.delta_bytes() + lists.map(|it| it.delta_bytes()).sum::<usize>();
        self.changes.get_or_init(|| Charge::of(memory, bytes));
    }

    /// Bytes held that `seen` does not have yet.
    fn bytes(&self, seen: &mut HashSet<usize>) -> usize {
        let mut bytes = 0;
        let mut shared = |(address, size): (usize, usize)| {
            if seen.insert(address) {
                bytes += size;
            }
        };
        let mut delta = 0;
        if let Some(resolved) = self.resolved.get() {
            let Resolved { edges, sources, destinations, ends } = resolved.as_ref();
            [edges, sources, destinations].iter().filter_map(|it| it.array()).for_each(&mut shared);
            shared(ends.base_bytes());
            delta += ends.delta_bytes();
        }
        for lists in [&self.out, &self.back].into_iter().filter_map(OnceLock::get) {
            shared(lists.base_bytes());
            delta += lists.delta_bytes();
        }
        bytes + delta
    }
}

/// Bytes that finding the ends of all edges takes at most about, while it is done.
fn build_bytes([edges, sources, destinations]: [&Arc<TableVersion>; 3]) -> usize {
    let rows = |version: &TableVersion| version.positions() as usize;
    let vertices = match sources.stamp == destinations.stamp {
        true => rows(sources),
        false => rows(sources) + rows(destinations),
    };
    ENDS_EDGE_BYTES * rows(edges) + ENDS_VERTEX_BYTES * vertices
}

/// Lists with some edges less and some more; the same where there are none.
fn changed(lists: &Arc<Adjacency>, gone: Vec<ListEdge>, came: Vec<ListEdge>) -> Arc<Adjacency> {
    if gone.is_empty() && came.is_empty() {
        return Arc::clone(lists);
    }
    Arc::new(lists.changed_by(gone, came))
}

/// Edges seen from their other end.
fn turned(edges: Vec<ListEdge>) -> Vec<ListEdge> {
    edges.into_iter().map(|it| ListEdge { from: it.to, to: it.from, edge: it.edge }).collect()
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
