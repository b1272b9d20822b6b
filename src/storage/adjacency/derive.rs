//! Adjacency of a version from that of an earlier one, where few edges came or went.
//!
//! Finding the vertices of all edges is what a build spends its time on. A version that shares most of its rows with one
//! whose lists are known only has to find those of its new rows; the rest is copied.
//!
//! ```text
//! base   [ rows that stayed ......... ][ rows that went ]      positions
//! new    [ the same rows, some deleted ][ rows that came ]
//!                                      ▲ stable
//! ```

use std::sync::Arc;

use arrow::error::ArrowError;

use super::csr::Adjacency;
use super::ends::{CancelFlag, DANGLING, EdgeEnds, EndColumns, encode_keys};
use crate::storage::StorageError;
use crate::storage::table::TableVersion;

/// More new rows than this, and than an eighth of all, are not worth finding one by one.
const ADDED_ROWS_MAX: usize = 4_096;

/// An edge that came, in the orientation of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Added {
    from: u32,
    to: u32,
    edge: u32,
}

/// How an edge table's ends differ from an earlier version's.
#[derive(Debug)]
pub(super) struct EndsChange {
    /// The ends of the new version.
    pub(super) ends: Arc<EdgeEnds>,
    /// Positions below this are the same rows in both versions.
    stable: usize,
}

/// The rows that two versions have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Common {
    /// Number of leading positions that hold the same rows in both.
    rows: u64,
    /// Whether one of them was deleted since.
    deleted: bool,
    /// Whether one of them is alive again: the base is the later version of the two.
    revived: bool,
}

fn common_rows(base: &TableVersion, new: &TableVersion) -> Result<Common, ArrowError> {
    let mut common = Common { rows: 0, deleted: false, revived: false };
    let mut note = |was_live: bool, live: bool| {
        common.deleted |= was_live && !live;
        common.revived |= live && !was_live;
    };
    let mut rows = 0;
    for (old, chunk) in base.chunks().iter().zip(new.chunks()) {
        if !Arc::ptr_eq(old, chunk) {
            if !old.has_rows_of(chunk) {
                break;
            }
            (0..old.len()).for_each(|at| note(old.is_live(at), chunk.is_live(at)));
        }
        rows += chunk.len() as u64;
    }
    // Small chunks at the end may have been merged: the rows may be the same all the same.
    let row = |version: &TableVersion, position: u64| {
        let (chunk, offset) = version.locate(position);
        let Some(chunk) = version.chunks().get(chunk) else { return Ok(None) };
        Ok::<_, ArrowError>(Some((chunk.row_id(offset)?, chunk.is_live(offset))))
    };
    while rows < base.positions().min(new.positions()) {
        match (row(base, rows)?, row(new, rows)?) {
            (Some((old, was_live)), Some((id, live))) if old == id => note(was_live, live),
            _ => break,
        }
        rows += 1;
    }
    Ok(Common { rows, ..common })
}

/// Whether every vertex of `base` is at the same place in `new`, and alive if it was.
fn keeps_vertices(base: &TableVersion, new: &TableVersion) -> Result<bool, ArrowError> {
    if base.stamp == new.stamp {
        return Ok(true);
    }
    let common = common_rows(base, new)?;
    let same = Common { rows: base.positions(), deleted: false, revived: false };
    Ok(base.schema == new.schema && common == same)
}

/// The ends of `new`, if they are cheap to have from those of `base`; each is an edge table with its source and
/// destination vertex tables.
pub(super) fn derive_ends(
    known: &EdgeEnds,
    base: [&TableVersion; 3],
    new: [&TableVersion; 3],
    columns: [&EndColumns; 2],
    cancel: &CancelFlag,
) -> Result<Option<EndsChange>, StorageError> {
    let vertices_same = base[1].stamp == new[1].stamp && base[2].stamp == new[2].stamp;
    if base[0].schema != new[0].schema
        || !keeps_vertices(base[1], new[1])?
        || !keeps_vertices(base[2], new[2])?
        // An edge whose vertex was missing may have found it.
        || (!vertices_same && known.unresolved > 0)
        || new.iter().any(|table| table.positions() >= u64::from(DANGLING))
    {
        return Ok(None);
    }
    let common = common_rows(base[0], new[0])?;
    if common.revived {
        return Ok(None);
    }
    let (stable, deleted) = (common.rows as usize, common.deleted);
    let added = new[0].positions() as usize - stable;
    if added > ADDED_ROWS_MAX.max(stable / 8) {
        return Ok(None);
    }
    let mut ends = EdgeEnds {
        source: known.source[..stable].to_vec(),
        destination: known.destination[..stable].to_vec(),
        unresolved: known.unresolved,
    };
    if deleted {
        for (position, (from, to)) in ends.source.iter_mut().zip(&mut ends.destination).enumerate()
        {
            if *from != DANGLING && !new[0].is_live(position as u64) {
                (*from, *to) = (DANGLING, DANGLING);
            }
        }
    }
    let from = find_ends(new[0], stable, new[1], columns[0], cancel)?;
    let to = find_ends(new[0], stable, new[2], columns[1], cancel)?;
    for (at, (from, to)) in from.into_iter().zip(to).enumerate() {
        if from == DANGLING || to == DANGLING {
            ends.unresolved += usize::from(new[0].is_live((stable + at) as u64));
            ends.source.push(DANGLING);
            ends.destination.push(DANGLING);
        } else {
            ends.source.push(from);
            ends.destination.push(to);
        }
    }
    Ok(Some(EndsChange { ends: Arc::new(ends), stable }))
}

/// The vertices of the edges from a position on, found one by one.
fn find_ends(
    edges: &TableVersion,
    first: usize,
    vertices: &TableVersion,
    columns: &EndColumns,
    cancel: &CancelFlag,
) -> Result<Vec<u32>, StorageError> {
    let types: Vec<_> = columns
        .vertex
        .iter()
        .map(|column| vertices.schema.field(*column).data_type().clone())
        .collect();
    let mut found = Vec::new();
    for (chunk, start) in edges.chunks().iter().zip(edges.chunk_starts()) {
        let from = first.saturating_sub(*start as usize).min(chunk.len());
        if from == chunk.len() {
            continue;
        }
        let rows = chunk.project(&columns.edge)?.slice(from, chunk.len() - from);
        let keys = encode_keys(&rows, &types)?;
        for at in 0..rows.num_rows() {
            cancel.check()?;
            let key = if chunk.is_live(from + at) { keys.get(at) } else { None };
            let vertex = match key {
                Some(key) => vertices.find_key(&columns.vertex, key)?.first().copied(),
                None => None,
            };
            found.push(vertex.map_or(DANGLING, |vertex| vertex as u32));
        }
    }
    Ok(found)
}

impl EndsChange {
    /// Ends that came (in the orientation given by `from` and `to`), sorted.
    fn added(&self, from: &[u32], to: &[u32]) -> Vec<Added> {
        let places = self.stable..from.len();
        let mut added: Vec<Added> = places
            .filter(|edge| from[*edge] != DANGLING)
            .map(|edge| Added { from: from[edge], to: to[edge], edge: edge as u32 })
            .collect();
        added.sort_unstable();
        added
    }

    /// Whether an edge of the base is still there.
    fn keeps(&self, edge: u32) -> bool {
        (edge as usize) < self.stable && self.ends.source[edge as usize] != DANGLING
    }

    /// The new version's lists from those of the base, for `from_count` vertices. Time and memory are linear, but it is
    /// copying.
    pub(super) fn lists(&self, base: &Adjacency, out: bool, from_count: usize) -> Adjacency {
        let (from, to) = if out {
            (&self.ends.source, &self.ends.destination)
        } else {
            (&self.ends.destination, &self.ends.source)
        };
        let mut added = self.added(from, to).into_iter().peekable();
        let mut offsets = Vec::with_capacity(from_count + 1);
        let mut neighbors = Vec::with_capacity(base.len() + added.len());
        let mut edges = Vec::with_capacity(base.len() + added.len());
        offsets.push(0);
        for vertex in 0..from_count as u32 {
            let (old_neighbors, old_edges) = base.neighbors(vertex);
            for (neighbor, edge) in old_neighbors.iter().zip(old_edges) {
                // New edges have higher positions than those that stayed, so they follow equal neighbors.
                while let Some(new) = added.next_if(|new| new.from == vertex && new.to < *neighbor)
                {
                    neighbors.push(new.to);
                    edges.push(new.edge);
                }
                if self.keeps(*edge) {
                    neighbors.push(*neighbor);
                    edges.push(*edge);
                }
            }
            while let Some(new) = added.next_if(|new| new.from == vertex) {
                neighbors.push(new.to);
                edges.push(new.edge);
            }
            offsets.push(edges.len() as u32);
        }
        Adjacency::from_parts(offsets, neighbors, edges)
    }
}
