//! What adjacency lists need to know of a version, taken over from another one.
//!
//! Finding the vertices of all edges is what a build spends its time on. A version that shares most of its chunks with
//! one that is known has only those rows looked at that are in other chunks; what they change is a delta.
//!
//! ```text
//! known   [chunk a][chunk b][c][d]          same chunk: compare which rows are deleted
//! new     [chunk a][chunk b'][c d e]        other chunks: rows that went and rows that came, by id
//! ```

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use datafusion::common::{HashMap, HashSet};

use super::csr::ListEdge;
use super::ends::{CancelFlag, DANGLING, EdgeEnds, EndColumns, encode_keys, key_types};
use super::numbers::{Numbers, Places, live_offsets};
use crate::storage::StorageError;
use crate::storage::table::{Chunk, EncodedKeys, TableVersion};
use crate::types::{MemoryBranch, RowId};

/// More rows than this, and than a quarter of all, are not worth looking at one by one.
const ROWS_MAX: usize = 1 << 18;

/// What is known of one version of an edge table and its two vertex tables.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) edges: Arc<Places>,
    pub(super) sources: Arc<Places>,
    pub(super) destinations: Arc<Places>,
    pub(super) ends: Arc<EdgeEnds>,
}

/// A version taken over, and the edges in which its lists differ: each as (source, destination).
pub(super) struct Derived {
    pub(super) resolved: Resolved,
    pub(super) gone: Vec<ListEdge>,
    pub(super) came: Vec<ListEdge>,
}

/// The ends that edges have now, by number; `None` for edges that went.
type EndsChange = HashMap<u32, Option<[u32; 2]>>;

/// A row and its position.
type Row = (RowId, u64);

/// Live rows that only one of two versions has in a place.
#[derive(Debug, Default)]
struct RowDiff {
    gone: Vec<Row>,
    came: Vec<Row>,
}

impl Resolved {
    /// Looks at all rows.
    ///
    /// # Errors
    /// `54000` for a table with too many rows, `57014` when canceled.
    pub(super) fn anew(
        [edges, sources, destinations]: [&Arc<TableVersion>; 3],
        columns: [&EndColumns; 2],
        cancel: &CancelFlag,
    ) -> Result<Self, StorageError> {
        let place = |version: &Arc<TableVersion>| -> Result<Arc<Places>, StorageError> {
            let numbers = Arc::new(Numbers::of(version)?);
            cancel.check()?;
            Ok(Arc::new(Places::find(version, &numbers)?))
        };
        let edges = place(edges)?;
        let sources = place(sources)?;
        let destinations = if is_same(destinations, &sources) {
            Arc::clone(&sources)
        } else {
            place(destinations)?
        };
        let ends = EdgeEnds::resolve(
            [edges.version(), sources.version(), destinations.version()],
            [edges.numbers(), sources.numbers(), destinations.numbers()],
            columns,
            cancel,
        )?;
        Ok(Self { edges, sources, destinations, ends: Arc::new(ends) })
    }

    /// Charges for all arrays, as far as nobody did.
    pub(super) fn charge(&self, memory: &Arc<MemoryBranch>) {
        let Self { edges, sources, destinations, ends } = self;
        [edges, sources, destinations].into_iter().for_each(|places| places.charge(memory));
        ends.charge(memory);
    }

    /// The same of other versions, if it is cheap to have from this one.
    pub(super) fn follow(
        &self,
        [edges, sources, destinations]: [&Arc<TableVersion>; 3],
        columns: [&EndColumns; 2],
        cancel: &CancelFlag,
    ) -> Result<Option<Derived>, StorageError> {
        let follow = |places: &Arc<Places>, version: &Arc<TableVersion>| {
            if places.version().stamp == version.stamp {
                return Ok(Arc::clone(places));
            }
            places.follow(version).map(Arc::new)
        };
        let Some(diff) = diff(self.edges.version(), edges)? else { return Ok(None) };
        let mut lost = [HashSet::new(), HashSet::new()];
        let mut added = false;
        for ((places, version), (columns, lost)) in
            [(&self.sources, sources), (&self.destinations, destinations)]
                .into_iter()
                .zip(columns.into_iter().zip(&mut lost))
        {
            let Some(change) = vertex_change(places, version, columns)? else { return Ok(None) };
            // An edge whose vertex was missing may have found it.
            if change.added && self.ends.unresolved > 0 {
                return Ok(None);
            }
            *lost = change.lost;
            added |= change.added;
        }
        let new_sources = follow(&self.sources, sources)?;
        let new_destinations = if is_same(destinations, &new_sources)
            && Arc::ptr_eq(&self.sources, &self.destinations)
        {
            Arc::clone(&new_sources)
        } else {
            follow(&self.destinations, destinations)?
        };
        let resolved = Self {
            edges: follow(&self.edges, edges)?,
            sources: new_sources,
            destinations: new_destinations,
            ends: Arc::clone(&self.ends),
        };
        let Some(change) = self.edge_change(&diff, &resolved, columns, cancel)? else {
            return Ok(None);
        };
        let derived = self.with_change(resolved, change, lost);
        // An edge whose vertex went may be at another one now, that came with the same key.
        Ok(Some(derived).filter(|(_, dangling)| !(added && *dangling)).map(|(derived, _)| derived))
    }

    /// The ends of the edges that came, and those without ends that went, by number.
    fn edge_change(
        &self,
        diff: &RowDiff,
        new: &Self,
        [source, destination]: [&EndColumns; 2],
        cancel: &CancelFlag,
    ) -> Result<Option<EndsChange>, StorageError> {
        let mut change = HashMap::with_capacity(diff.gone.len() + diff.came.len());
        let numbers = self.edges.numbers();
        for (row, _) in &diff.gone {
            let Some(number) = numbers.number(*row) else { return Ok(None) };
            change.insert(number, None);
        }
        let positions: Vec<u64> = diff.came.iter().map(|(_, position)| *position).collect();
        let from = find_ends(&new.edges, &positions, &new.sources, source, cancel)?;
        let to = find_ends(&new.edges, &positions, &new.destinations, destination, cancel)?;
        let (Some(from), Some(to)) = (from, to) else { return Ok(None) };
        for (((row, _), from), to) in diff.came.iter().zip(from).zip(to) {
            let Some(number) = numbers.number(*row) else { return Ok(None) };
            let half = from == DANGLING || to == DANGLING;
            change.insert(number, Some(if half { [DANGLING; 2] } else { [from, to] }));
        }
        Ok(Some(change))
    }

    /// Puts together what changed. `lost`: source and destination vertices that went; edges that stayed at them dangle,
    /// and whether there are any is the second part of the answer.
    fn with_change(
        &self,
        mut new: Self,
        change: EndsChange,
        lost: [HashSet<u32>; 2],
    ) -> (Derived, bool) {
        let (mut gone, mut came, mut dangling) = (Vec::new(), Vec::new(), false);
        let mut unresolved = self.ends.unresolved as i64;
        let mut ends = Vec::with_capacity(change.len());
        for (edge, now) in &change {
            let before = self.ends.get(*edge);
            let after = now.unwrap_or([DANGLING; 2]);
            if before == after {
                continue;
            }
            if before[0] != DANGLING {
                gone.push(ListEdge { from: before[0], to: before[1], edge: *edge });
            }
            if after[0] != DANGLING {
                came.push(ListEdge { from: after[0], to: after[1], edge: *edge });
            }
            ends.push((*edge, after));
        }
        if lost.iter().any(|lost| !lost.is_empty()) {
            for (edge, [from, to]) in self.ends.iter().enumerate() {
                let edge = edge as u32;
                let dangles = lost[0].contains(&from) || lost[1].contains(&to);
                if dangles && !change.contains_key(&edge) {
                    gone.push(ListEdge { from, to, edge });
                    ends.push((edge, [DANGLING; 2]));
                    unresolved += 1;
                    dangling = true;
                }
            }
        }
        unresolved += self.unresolved_change(&change, &new);
        let unresolved = usize::try_from(unresolved).unwrap_or(0);
        new.ends = Arc::new(self.ends.changed_by(ends, unresolved));
        (Derived { resolved: new, gone, came }, dangling)
    }

    /// How many more edges without a vertex there are among those that came than among those that went.
    fn unresolved_change(&self, change: &EndsChange, new: &Self) -> i64 {
        let dangling = |ends: [u32; 2]| i64::from(ends[0] == DANGLING);
        let mut sum = 0;
        for (edge, now) in change {
            // Was it a live row before? Only then was it counted.
            if is_live(&self.edges, *edge) {
                sum -= dangling(self.ends.get(*edge));
            }
            if is_live(&new.edges, *edge) {
                sum += now.map_or(0, dangling);
            }
        }
        sum
    }
}

fn is_same(version: &TableVersion, places: &Places) -> bool {
    version.stamp == places.version().stamp
}

fn is_live(places: &Places, number: u32) -> bool {
    let position = places.position(number);
    position != DANGLING
        && places.version().is_live(u64::from(position))
        && places.number(position) == number
}

/// Rows in which two versions of a table differ; `None` if they are too many, or columns are others.
fn diff(old: &TableVersion, new: &TableVersion) -> Result<Option<RowDiff>, StorageError> {
    let mut diff = RowDiff::default();
    if old.stamp == new.stamp {
        return Ok(Some(diff));
    }
    if old.schema != new.schema {
        return Ok(None);
    }
    let mut known: HashMap<usize, (&Arc<Chunk>, u64)> = HashMap::with_capacity(old.chunks().len());
    for (chunk, start) in old.chunks().iter().zip(old.chunk_starts()) {
        known.insert(chunk.rows_key(), (chunk, *start));
    }
    let mut fresh = Vec::new();
    for (chunk, start) in new.chunks().iter().zip(new.chunk_starts()) {
        match known.remove(&chunk.rows_key()) {
            Some((before, _)) if Arc::ptr_eq(before, chunk) => {}
            Some((before, before_start)) => {
                let mut changed = Vec::new();
                before.differing(chunk, |offset, live| changed.push((offset, live)));
                for (offset, live) in changed {
                    let row = chunk.row_id(offset)?;
                    if live {
                        diff.came.push((row, start + offset as u64));
                    } else {
                        diff.gone.push((row, before_start + offset as u64));
                    }
                }
            }
            None => fresh.push((chunk, *start)),
        }
    }
    let count = |chunk: &Arc<Chunk>| chunk.live_rows();
    let rows = known.values().map(|(chunk, _)| count(chunk)).sum::<usize>()
        + fresh.iter().map(|(chunk, _)| count(chunk)).sum::<usize>();
    if rows > ROWS_MAX.min(4_096.max(old.live_rows() as usize / 4)) {
        return Ok(None);
    }
    for (chunk, start) in known.into_values() {
        for at in live_offsets(chunk) {
            diff.gone.push((chunk.row_id(at)?, start + at as u64));
        }
    }
    for (chunk, start) in fresh {
        for at in live_offsets(chunk) {
            diff.came.push((chunk.row_id(at)?, start + at as u64));
        }
    }
    Ok(Some(diff))
}

/// How a vertex table changed.
#[derive(Debug, Default)]
struct VertexChange {
    /// Numbers of vertices that went, or whose key changed.
    lost: HashSet<u32>,
    /// Whether a vertex came, or a key changed.
    added: bool,
}

fn vertex_change(
    places: &Places,
    new: &TableVersion,
    columns: &EndColumns,
) -> Result<Option<VertexChange>, StorageError> {
    let old = places.version();
    let mut change = VertexChange::default();
    let Some(diff) = diff(old, new)? else { return Ok(None) };
    let came: HashMap<RowId, u64> = diff.came.iter().copied().collect();
    let mut stayed = Vec::new();
    for (row, position) in &diff.gone {
        let Some(number) = places.numbers().number(*row) else { return Ok(None) };
        match came.get(row) {
            Some(now) => stayed.push((number, *position, *now)),
            None => {
                change.lost.insert(number);
            }
        }
    }
    for (row, _) in &diff.came {
        if places.numbers().number(*row).is_none() {
            return Ok(None);
        }
    }
    change.added = stayed.len() < diff.came.len();
    if !stayed.is_empty() {
        let before = keys_at(old, stayed.iter().map(|row| row.1).collect(), columns)?;
        let after = keys_at(new, stayed.iter().map(|row| row.2).collect(), columns)?;
        for (at, (number, _, _)) in stayed.iter().enumerate() {
            if before.get(at) != after.get(at) {
                change.lost.insert(*number);
                change.added = true;
            }
        }
    }
    Ok(Some(change))
}

/// Encoded vertex keys of some rows.
fn keys_at(
    version: &TableVersion,
    positions: Vec<u64>,
    columns: &EndColumns,
) -> Result<EncodedKeys, StorageError> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for column in &columns.vertex {
        let values = version.gather(*column, &positions)?;
        fields.push(Field::new(format!("k{column}"), values.data_type().clone(), true));
        arrays.push(values);
    }
    let batch = RecordBatch::try_new(Schema::new(fields).into(), arrays)?;
    Ok(EncodedKeys::encode(&batch, &(0..batch.num_columns()).collect::<Vec<_>>())?)
}

/// The vertices of some edges, found by the vertices' key index; `None` if one has no number.
fn find_ends(
    edges: &Places,
    positions: &[u64],
    vertices: &Places,
    columns: &EndColumns,
    cancel: &CancelFlag,
) -> Result<Option<Vec<u32>>, StorageError> {
    if positions.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let version = edges.version();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for column in &columns.edge {
        let values = version.gather(*column, positions)?;
        fields.push(Field::new(format!("e{column}"), values.data_type().clone(), true));
        arrays.push(values);
    }
    let batch = RecordBatch::try_new(Schema::new(fields).into(), arrays)?;
    let keys = encode_keys(&batch, &key_types(vertices.version(), columns))?;
    cancel.check()?;
    let mut first: Vec<Option<(u64, RowId)>> = vec![None; positions.len()];
    vertices.version().find_keys(
        &columns.vertex,
        &keys,
        0..positions.len(),
        |at, place, row| {
            if first[at].is_none_or(|(least, _)| place < least) {
                first[at] = Some((place, row));
            }
        },
    )?;
    cancel.check()?;
    let mut found = Vec::with_capacity(positions.len());
    for first in first {
        found.push(match first {
            None => DANGLING,
            Some((_, row)) => match vertices.numbers().number(row) {
                Some(number) => number,
                None => return Ok(None),
            },
        });
    }
    Ok(Some(found))
}
