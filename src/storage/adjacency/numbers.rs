//! Numbers of rows that stay while a table changes, and where the rows are in one version.
//!
//! ```text
//! row id    given once, stays through updates           17 18 19 23
//! number    id − first (or its rank, where ids have      0  1  2  6
//!           many gaps): what adjacency lists hold
//! position  where the row is in one version              0  9  2  6     (18 was updated)
//! ```
//!
//! In a table whose rows were only added, number and position are the same and nothing is looked up.

use std::sync::Arc;

use datafusion::common::HashMap;

use super::charge::Charged;
use super::ends::DANGLING;
use crate::storage::StorageError;
use crate::storage::table::{Chunk, RowIds, TableVersion};
use crate::types::{MemoryBranch, Oid, RowId};

/// Ids may leave this many gaps (beside three for each row) before ranks are used.
const GAPS_MAX: u64 = 65_536;
/// More moved rows than this, and than an eighth of all, are written into the array.
const MOVED_MAX: usize = 4_096;

/// Dense numbers of a table's rows, the same for all versions that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The row with number 0.
    first: u64,
    /// Ids in ascending order by number, where ids have too many gaps; later ids follow the last.
    ranked: Option<Arc<[u64]>>,
}

impl Numbers {
    /// Numbers for the rows of a version and all later ones.
    ///
    /// # Errors
    /// `54000` for a table with too many rows.
    pub(super) fn of(version: &TableVersion) -> Result<Self, StorageError> {
        let (mut least, mut greatest, mut rows) = (u64::MAX, 0, 0);
        for chunk in version.chunks().iter().filter(|chunk| !chunk.is_empty()) {
            least = least.min(chunk.row_id(0)?.0);
            greatest = greatest.max(chunk.row_id(chunk.len() - 1)?.0);
            rows += chunk.live_rows() as u64;
        }
        let first = if least == u64::MAX { version.next_row() } else { least };
        let span = greatest.saturating_sub(first) + 1;
        let ranked = if span <= 4 * rows + GAPS_MAX {
            None
        } else {
            let mut ids = Vec::with_capacity(rows as usize);
            for chunk in version.chunks() {
                ids.extend(chunk.live_ids()?);
            }
            ids.sort_unstable();
            Some(ids.into())
        };
        let numbers = Self { first, ranked };
        match numbers.count(version)? {
            count if count >= u64::from(DANGLING) => Err(StorageError::TooManyRows),
            _ => Ok(numbers),
        }
    }

    /// One more than the largest number a row of `version` has.
    ///
    /// # Errors
    /// `XX001`, `58030` if ids could not be read.
    pub(super) fn count(&self, version: &TableVersion) -> Result<u64, StorageError> {
        let mut last = None;
        for chunk in version.chunks().iter().filter(|chunk| !chunk.is_empty()) {
            last = last.max(Some(chunk.row_id(chunk.len() - 1)?.0));
        }
        Ok(match (&self.ranked, last) {
            (_, None) => 0,
            (None, Some(last)) => (last + 1).saturating_sub(self.first),
            (Some(ids), Some(last)) => {
                let known = ids.len() as u64;
                known + ids.last().map_or(0, |greatest| last.saturating_sub(*greatest))
            }
        })
    }

    /// The number of a row; `None` for one that these numbers do not reach, which asks for others.
    pub(super) fn number(&self, row: RowId) -> Option<u32> {
        let number = match &self.ranked {
            None => row.0.checked_sub(self.first)?,
            Some(ids) => match ids.binary_search(&row.0) {
                Ok(rank) => rank as u64,
                Err(rank) if rank == ids.len() => {
                    let past = row.0 - ids.last().copied().unwrap_or(self.first);
                    ids.len() as u64 + past - 1
                }
                Err(_) => return None,
            },
        };
        u32::try_from(number).ok().filter(|number| *number != DANGLING)
    }
}

/// Offsets of the rows of a chunk that are not deleted.
pub(super) fn live_offsets(chunk: &Chunk) -> impl Iterator<Item = usize> + '_ {
    (0..chunk.len()).filter(|offset| chunk.is_live(*offset))
}

/// Where the rows of one table version are, by number, and which number is where.
#[derive(Debug)]
pub struct Places {
    version: Arc<TableVersion>,
    numbers: Arc<Numbers>,
    /// The ids of each chunk's rows, where positions are looked up.
    ids: Vec<RowIds>,
    positions: Positions,
}

/// The id at an offset of a chunk.
fn id_at(ids: &RowIds, offset: usize) -> Option<RowId> {
    match ids {
        RowIds::Range(start) => Some(RowId(start + offset as u64)),
        RowIds::Sorted(ids) => ids.get(offset).copied().map(RowId),
    }
}

fn ids_of(version: &TableVersion) -> Result<Vec<RowIds>, StorageError> {
    Ok(version.chunks().iter().map(|chunk| chunk.row_ids()).collect::<Result<_, _>>()?)
}

#[derive(Debug)]
enum Positions {
    /// Each row's position is its number.
    Same,
    /// By number; those in `moved` count first.
    Mapped { by_number: Arc<Charged<Vec<u32>>>, moved: HashMap<u32, u32> },
}

impl Positions {
    fn mapped(by_number: Vec<u32>) -> Self {
        let by_number = Arc::new(Charged::new(by_number));
        Self::Mapped { by_number, moved: HashMap::new() }
    }
}

impl Places {
    /// Numbers that are positions, of no table.
    pub fn same() -> Self {
        Self::of_no_table(Positions::Same)
    }

    /// Positions by number, of no table. Only [`Self::position`] may be asked.
    pub fn listed(by_number: Vec<u32>) -> Self {
        Self::of_no_table(Positions::mapped(by_number))
    }

    fn of_no_table(positions: Positions) -> Self {
        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let version = Arc::new(TableVersion::empty(Oid(0), schema));
        let numbers = Arc::new(Numbers { first: 0, ranked: None });
        Self { version, numbers, ids: Vec::new(), positions }
    }

    /// Finds all rows of a version. Time and memory are linear in its rows, unless positions are numbers already.
    pub(super) fn find(
        version: &Arc<TableVersion>,
        numbers: &Arc<Numbers>,
    ) -> Result<Self, StorageError> {
        if version.positions() >= u64::from(DANGLING) {
            return Err(StorageError::TooManyRows);
        }
        if is_in_place(version, numbers)? {
            let (version, numbers) = (Arc::clone(version), Arc::clone(numbers));
            return Ok(Self { version, numbers, ids: Vec::new(), positions: Positions::Same });
        }
        let ids = ids_of(version)?;
        let positions = {
            let mut by_number = vec![DANGLING; numbers.count(version)? as usize];
            for_live_rows((version, &ids), 0, numbers, |number, position| {
                if let Some(slot) = by_number.get_mut(number as usize) {
                    *slot = position;
                }
            });
            Positions::mapped(by_number)
        };
        Ok(Self { version: Arc::clone(version), numbers: Arc::clone(numbers), ids, positions })
    }

    /// Finds the rows of a later (or earlier) version: only those are looked at that are not where they were.
    pub(super) fn follow(&self, version: &Arc<TableVersion>) -> Result<Self, StorageError> {
        let numbers = Arc::clone(&self.numbers);
        let Positions::Mapped { by_number, moved } = &self.positions else {
            return Self::find(version, &numbers);
        };
        if version.positions() >= u64::from(DANGLING) {
            return Err(StorageError::TooManyRows);
        }
        let ids = ids_of(version)?;
        let (old, new) = (&self.version, version);
        let same = old
            .chunks()
            .iter()
            .zip(new.chunks())
            .take_while(|(old, new)| old.same_rows(new))
            .count();
        let mut moved = moved.clone();
        // A row that is deleted in the other version may be at its old place in this one.
        let shared = old.chunks().iter().zip(new.chunks()).zip(new.chunk_starts()).zip(&ids);
        let changed = shared.take(same).filter(|(((old, new), _), _)| !Arc::ptr_eq(old, new));
        for (((before, after), start), ids) in changed {
            before.differing(after, |offset, live| {
                let id = id_at(ids, offset).filter(|_| live);
                if let Some(number) = id.and_then(|id| numbers.number(id)) {
                    moved.insert(number, (start + offset as u64) as u32);
                }
            });
        }
        for_live_rows((new, &ids), same, &numbers, |number, position| {
            moved.insert(number, position);
        });
        let positions = if moved.len() > MOVED_MAX.max(by_number.len() / 8) {
            let mut flat = Vec::clone(by_number);
            flat.resize((numbers.count(new)? as usize).max(flat.len()), DANGLING);
            for (number, position) in moved {
                if let Some(slot) = flat.get_mut(number as usize) {
                    *slot = position;
                }
            }
            Positions::mapped(flat)
        } else {
            Positions::Mapped { by_number: Arc::clone(by_number), moved }
        };
        Ok(Self { version: Arc::clone(version), numbers, ids, positions })
    }

    /// Where a live row is. For a number that no row has, some position without one.
    pub fn position(&self, number: u32) -> u32 {
        match &self.positions {
            Positions::Same => number,
            Positions::Mapped { by_number, moved } => {
                if !moved.is_empty()
                    && let Some(position) = moved.get(&number)
                {
                    return *position;
                }
                by_number.get(number as usize).copied().unwrap_or(DANGLING)
            }
        }
    }

    /// The number of the row at a position; one that no row has past the end.
    pub fn number(&self, position: u32) -> u32 {
        match &self.positions {
            Positions::Same => position,
            Positions::Mapped { .. } => {
                let (chunk, offset) = self.version.locate(u64::from(position));
                let inside = self.version.chunks().get(chunk).is_some_and(|it| offset < it.len());
                let ids = self.ids.get(chunk).filter(|_| inside);
                ids.and_then(|ids| id_at(ids, offset))
                    .and_then(|id| self.numbers.number(id))
                    .unwrap_or(DANGLING)
            }
        }
    }

    /// The numbering.
    pub(super) fn numbers(&self) -> &Arc<Numbers> {
        &self.numbers
    }

    /// The version.
    pub(super) fn version(&self) -> &Arc<TableVersion> {
        &self.version
    }

    /// Charges for the array, if there is one.
    pub(super) fn charge(&self, memory: &Arc<MemoryBranch>) {
        if let Positions::Mapped { by_number, .. } = &self.positions {
            by_number.charge(memory, by_number.capacity() * size_of::<u32>());
        }
    }

    /// The array, if there is one: its address, to count it once, and its bytes.
    pub(super) fn array(&self) -> Option<(usize, usize)> {
        match &self.positions {
            Positions::Same => None,
            Positions::Mapped { by_number, .. } => {
                Some((Arc::as_ptr(by_number) as usize, by_number.capacity() * size_of::<u32>()))
            }
        }
    }
}

/// Whether the position of every row is its number.
fn is_in_place(version: &TableVersion, numbers: &Numbers) -> Result<bool, StorageError> {
    if numbers.ranked.is_some() {
        return Ok(false);
    }
    for (chunk, start) in version.chunks().iter().zip(version.chunk_starts()) {
        let in_place = chunk.is_empty()
            || matches!(chunk.row_ids()?, RowIds::Range(id) if id.checked_sub(numbers.first) == Some(*start));
        if !in_place {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives number and position of each live row from a chunk on.
fn for_live_rows(
    (version, ids): (&TableVersion, &[RowIds]),
    from_chunk: usize,
    numbers: &Numbers,
    mut give: impl FnMut(u32, u32),
) {
    let chunks = version.chunks().iter().zip(version.chunk_starts()).zip(ids).skip(from_chunk);
    for ((chunk, start), ids) in chunks {
        for offset in live_offsets(chunk) {
            if let Some(number) = id_at(ids, offset).and_then(|id| numbers.number(id)) {
                give(number, (start + offset as u64) as u32);
            }
        }
    }
}
