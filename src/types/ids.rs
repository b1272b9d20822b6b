//! Identifiers: one type for each kind of number, so that they cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A tenant: the owner of databases and roles. Tenant 0 is the system tenant.
    TenantId(u32)
);
id!(
    /// A PostgreSQL object identifier, stored at creation and never recomputed.
    Oid(u32)
);
id!(
    /// A commit number: the order in which transactions became visible.
    CommitNo(u64)
);
id!(
    /// A row of a table, unique within the table and never used again.
    RowId(u64)
);
id!(
    /// The process number a client sees for its connection (`pg_backend_pid`).
    BackendPid(i32)
);

impl TenantId {
    /// The tenant that owns the server's own objects and, until tenants are made, everything else.
    pub const SYSTEM: Self = Self(0);
}

impl Oid {
    /// The value that stands for "no object" in the catalogs.
    pub const INVALID: Self = Self(0);
    /// The first identifier given to objects that users make (`FirstNormalObjectId`).
    pub const FIRST_NORMAL: Self = Self(16384);
}

/// A number, or two, that clients agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdvisoryKey {
    /// One 64-bit number.
    One(i64),
    /// Two 32-bit numbers.
    Two(i32, i32),
}

impl AdvisoryKey {
    /// As `pg_locks` writes it: `classid`, `objid`, `objsubid`.
    pub fn parts(self) -> (u32, u32, u16) {
        match self {
            Self::One(key) => ((key as u64 >> 32) as u32, key as u32, 1),
            Self::Two(one, two) => (one as u32, two as u32, 2),
        }
    }
}

/// A reference to a graph element in a plan: which element table of the graph, and which row of its snapshot.
///
/// Packed into a `UInt64` column: the upper 16 bits are the index of the element table in the graph (vertex and edge
/// tables are counted apart), the lower 48 bits the row's position in the table version of the statement's snapshot.
/// Valid within one statement only; what a client sees as an identifier is made from the element's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementRef(pub u64);

impl ElementRef {
    const POSITION_BITS: u32 = 48;
    /// Set in the position of an element that was deleted; the rest of it is then the row's id.
    const DELETED: u64 = 1 << (Self::POSITION_BITS - 1);

    /// Packs a table index and a position below 2^48.
    pub fn new(table: u16, position: u64) -> Self {
        debug_assert!(position < 1 << Self::POSITION_BITS);
        Self((u64::from(table) << Self::POSITION_BITS) | position)
    }

    /// The reference of an element that is not there any more, by the id its row had.
    pub fn deleted(table: u16, row: u64) -> Self {
        Self::new(table, (row & (Self::DELETED - 1)) | Self::DELETED)
    }

    /// Whether the element is not there any more.
    pub fn is_deleted(self) -> bool {
        self.0 & Self::DELETED != 0
    }

    /// The id of a row, from [`Self::deleted`] or where the position is one.
    pub fn row(self) -> u64 {
        self.position() & (Self::DELETED - 1)
    }

    /// Index of the element table in its graph.
    pub fn table(self) -> u16 {
        (self.0 >> Self::POSITION_BITS) as u16
    }

    /// Position of the row in its table version.
    pub fn position(self) -> u64 {
        self.0 & ((1 << Self::POSITION_BITS) - 1)
    }
}
