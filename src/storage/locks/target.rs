//! What can be locked, and how strongly.

use crate::types::{AdvisoryKey, Oid, RowId};

/// Rows that share an entry of the lock table.
const BLOCK_BITS: u32 = 10;

/// Bits of a key's hash that tell keys apart: so many that a load of a million keys makes one other insert in seventy wait,
/// so few that its locks are no more than 65,536 entries.
pub const KEY_BITS: u32 = 26;

/// How strongly a row is locked, as PostgreSQL has it. Each conflicts with all that the one before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowLock {
    /// The row's key stays (`FOR KEY SHARE`, a foreign key's look-up).
    KeyShare,
    /// The row stays as it is (`FOR SHARE`).
    Share,
    /// The row changes, its keys do not (`FOR NO KEY UPDATE`, most updates).
    NoKeyUpdate,
    /// The row goes, or its key does (`FOR UPDATE`, DELETE).
    Update,
}

/// The lock modes of tables, in PostgreSQL's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableLock {
    /// Reading.
    AccessShare,
    /// `SELECT … FOR UPDATE` and its like.
    RowShare,
    /// INSERT, UPDATE, DELETE.
    RowExclusive,
    /// Upkeep that leaves the rows alone.
    ShareUpdateExclusive,
    /// CREATE INDEX.
    Share,
    /// A new foreign key.
    ShareRowExclusive,
    /// `LOCK TABLE … IN EXCLUSIVE MODE`.
    Exclusive,
    /// ALTER, DROP, TRUNCATE.
    AccessExclusive,
}

/// What a lock is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockTarget {
    /// A table.
    Table(Oid),
    /// A row.
    Row(Oid, RowId),
    /// A key that a transaction inserts, by its constraint and the low [`KEY_BITS`] bits of its hash. Two keys that
    /// agree in them wait for each other for nothing.
    Key(Oid, u64),
    /// The definitions of the database.
    Definitions,
    /// A number of the clients'.
    Advisory(AdvisoryKey),
}

/// An entry of the lock table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Resource {
    Table(Oid),
    Rows(Oid, u64),
    Keys(Oid, u64),
    Definitions,
    Advisory(AdvisoryKey),
}

/// A lock's strength by number, meaningful together with the kind of its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mode(pub(super) u8);

impl Mode {
    pub(super) const SHARE: Self = Self(0);
    pub(super) const EXCLUSIVE: Self = Self(1);
}

impl From<RowLock> for Mode {
    fn from(lock: RowLock) -> Self {
        Self(lock as u8)
    }
}

impl From<TableLock> for Mode {
    fn from(lock: TableLock) -> Self {
        Self(lock as u8)
    }
}

/// Modes that each mode of a row conflicts with, a bit each.
const ROW_CONFLICTS: [u8; 4] = [0b1000, 0b1100, 0b1110, 0b1111];
/// The same of tables; the table in PostgreSQL's documentation, "Conflicting Lock Modes".
const TABLE_CONFLICTS: [u8; 8] = [
    0b1000_0000,
    0b1100_0000,
    0b1111_0000,
    0b1111_1000,
    0b1110_1100,
    0b1111_1100,
    0b1111_1110,
    0b1111_1111,
];
/// The same of what is shared or exclusive.
const SHARE_CONFLICTS: [u8; 2] = [0b10, 0b11];

impl Resource {
    /// Whether one mode excludes the other on this resource.
    pub(super) fn conflicts(self, one: Mode, other: Mode) -> bool {
        let table: &[u8] = match self {
            Self::Rows(..) => &ROW_CONFLICTS,
            Self::Table(_) => &TABLE_CONFLICTS,
            Self::Keys(..) | Self::Definitions | Self::Advisory(_) => &SHARE_CONFLICTS,
        };
        table.get(usize::from(one.0)).is_some_and(|mask| mask & (1 << other.0) != 0)
    }

    /// Whether who holds `held` has no need of `wanted`.
    pub(super) fn covers(self, held: Mode, wanted: Mode) -> bool {
        match self {
            Self::Rows(..) => held >= wanted,
            Self::Table(_) | Self::Keys(..) | Self::Definitions | Self::Advisory(_) => {
                held == wanted
            }
        }
    }

    /// A number that spreads resources over shards.
    pub(super) fn spread(self) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |kind: u64, one: u64, two: u64| {
            let mixed = (kind ^ one.wrapping_mul(ODD)).rotate_left(29) ^ two;
            mixed.wrapping_mul(ODD) >> 32
        };
        match self {
            Self::Table(table) => mix(1, u64::from(table.0), 0),
            Self::Rows(table, block) => mix(2, u64::from(table.0), block),
            Self::Keys(constraint, block) => mix(3, u64::from(constraint.0), block),
            Self::Definitions => mix(4, 0, 0),
            Self::Advisory(AdvisoryKey::One(key)) => mix(5, key as u64, 0),
            Self::Advisory(AdvisoryKey::Two(one, two)) => mix(6, one as u64, two as u64),
        }
    }
}

/// The block of a number, and its place there.
pub(super) fn block_of(number: u64) -> (u64, u16) {
    (number >> BLOCK_BITS, (number & ((1 << BLOCK_BITS) - 1)) as u16)
}

impl LockTarget {
    /// The entry a target belongs to, and its place there.
    pub(super) fn resource(self) -> (Resource, u16) {
        match self {
            Self::Table(table) => (Resource::Table(table), 0),
            Self::Row(table, row) => {
                let (block, place) = block_of(row.0);
                (Resource::Rows(table, block), place)
            }
            Self::Key(constraint, hash) => {
                let (block, place) = block_of(hash & ((1 << KEY_BITS) - 1));
                (Resource::Keys(constraint, block), place)
            }
            Self::Definitions => (Resource::Definitions, 0),
            Self::Advisory(key) => (Resource::Advisory(key), 0),
        }
    }

    /// The target at a place of an entry.
    pub(super) fn at(resource: Resource, place: u16) -> Self {
        match resource {
            Resource::Table(table) => Self::Table(table),
            Resource::Rows(table, block) => {
                Self::Row(table, RowId((block << BLOCK_BITS) | u64::from(place)))
            }
            Resource::Keys(constraint, block) => {
                Self::Key(constraint, (block << BLOCK_BITS) | u64::from(place))
            }
            Resource::Definitions => Self::Definitions,
            Resource::Advisory(key) => Self::Advisory(key),
        }
    }
}

impl TableLock {
    /// All modes, weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// As `pg_locks` and messages write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }
}
