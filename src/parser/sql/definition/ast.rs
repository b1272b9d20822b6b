//! The syntax tree.

use sqlparser::ast::{DataType, Ident, ObjectName, Owner};

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// `CREATE SEQUENCE`
    CreateSequence {
        /// TEMPORARY
        temporary: bool,
        /// IF NOT EXISTS
        if_not_exists: bool,
        /// Its name.
        name: ObjectName,
        /// In order of writing.
        options: Vec<SequenceOption>,
    },
    /// `ALTER SEQUENCE` with options.
    AlterSequence {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: ObjectName,
        /// In order of writing.
        options: Vec<SequenceOption>,
    },
    /// `ALTER kind name` with an action that all kinds have.
    AlterObject {
        /// What it must be.
        kind: ObjectKind,
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: ObjectName,
        /// What is done.
        action: ObjectAction,
    },
}

/// What an object must be, by the word in the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// SEQUENCE
    Sequence,
    /// INDEX
    Index,
    /// VIEW
    View,
    /// MATERIALIZED VIEW
    MaterializedView,
    /// SCHEMA
    Schema,
}

impl ObjectKind {
    /// The words in the statement.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sequence => "SEQUENCE",
            Self::Index => "INDEX",
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Schema => "SCHEMA",
        }
    }
}

/// An action that objects of several kinds have.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectAction {
    /// RENAME TO
    Rename(Ident),
    /// RENAME COLUMN
    RenameColumn(Ident, Ident),
    /// SET SCHEMA
    SetSchema(Ident),
    /// OWNER TO
    OwnerTo(Owner),
}

/// An option of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum SequenceOption {
    /// AS
    Type(DataType),
    /// INCREMENT BY
    Increment(String),
    /// MINVALUE; `None` is NO MINVALUE.
    Min(Option<String>),
    /// MAXVALUE; `None` is NO MAXVALUE.
    Max(Option<String>),
    /// START WITH
    Start(String),
    /// RESTART WITH
    Restart(Option<String>),
    /// CACHE
    Cache(String),
    /// CYCLE, NO CYCLE
    Cycle(bool),
    /// OWNED BY; `None` is NONE.
    OwnedBy(Option<ObjectName>),
    /// SEQUENCE NAME, of an identity column.
    Name(ObjectName),
}
