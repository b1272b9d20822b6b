//! The syntax tree.

use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, ConstraintCharacteristics, DataType, Expr, Ident,
    ObjectName, Owner, SqlOption,
};

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
    /// `ALTER TABLE`
    AlterTable {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: ObjectName,
        /// In order of writing.
        actions: Vec<AlterAction>,
    },
    /// `COMMENT ON CONSTRAINT`
    CommentOnConstraint {
        /// The constraint.
        name: Ident,
        /// Its table, or domain.
        table: ObjectName,
        /// Whether it is a domain's.
        of_domain: bool,
        /// The text; `None` removes it.
        text: Option<String>,
    },
    /// `COMMENT ON PROPERTY GRAPH`
    CommentOnGraph {
        /// The graph.
        name: ObjectName,
        /// The text; `None` removes it.
        text: Option<String>,
    },
    /// What changes how rows are kept, and nothing else.
    Maintain(Maintenance),
    /// `REFRESH MATERIALIZED VIEW`
    Refresh {
        /// CONCURRENTLY
        concurrently: bool,
        /// The view.
        name: ObjectName,
        /// WITH NO DATA
        no_data: bool,
    },
    /// `CLUSTER`; without a table, all that have been clustered before.
    Cluster {
        /// The table.
        table: Option<ObjectName>,
        /// USING
        index: Option<Ident>,
    },
    /// `ALTER TYPE`
    AlterType {
        /// Its name.
        name: ObjectName,
        /// What is done.
        action: TypeAction,
    },
    /// `CREATE DOMAIN`
    CreateDomain {
        /// Its name.
        name: ObjectName,
        /// What it stands on.
        data_type: DataType,
        /// In order of writing.
        options: Vec<DomainOption>,
    },
    /// `ALTER DOMAIN`
    AlterDomain {
        /// Its name.
        name: ObjectName,
        /// What is done.
        action: Box<DomainAction>,
    },
    /// `DROP DOMAIN`
    DropDomain {
        /// IF EXISTS
        if_exists: bool,
        /// Their names.
        names: Vec<ObjectName>,
        /// CASCADE
        cascade: bool,
    },
    /// `DROP` of a kind of object that no database has.
    DropAbsent {
        /// Which kind.
        kind: AbsentKind,
        /// IF EXISTS
        if_exists: bool,
        /// Their names, with the types in brackets where there are brackets.
        names: Vec<(ObjectName, Option<Vec<DataType>>)>,
        /// `ON table`
        table: Option<ObjectName>,
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

/// What CREATE DOMAIN says of it.
#[derive(Debug, Clone, PartialEq)]
pub enum DomainOption {
    /// COLLATE
    Collate(ObjectName),
    /// DEFAULT
    Default(Expr),
    /// A condition.
    Condition {
        /// CONSTRAINT
        name: Option<Ident>,
        /// What must hold.
        condition: DomainCondition,
    },
}

/// What must hold for values of a domain.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a statement has few of them")]
pub enum DomainCondition {
    /// NOT NULL
    NotNull,
    /// NULL: nothing.
    Null,
    /// CHECK
    Check(Expr),
    /// A constraint that only tables have, by its first word.
    Other(&'static str),
}

/// An action of `ALTER DOMAIN`.
#[derive(Debug, Clone, PartialEq)]
pub enum DomainAction {
    /// One that other objects have too.
    Object(ObjectAction),
    /// SET DEFAULT; `None` is DROP DEFAULT.
    SetDefault(Option<Expr>),
    /// SET NOT NULL, DROP NOT NULL
    SetNotNull(bool),
    /// ADD
    Add {
        /// CONSTRAINT
        name: Option<Ident>,
        /// What must hold.
        condition: DomainCondition,
        /// NOT VALID
        not_valid: bool,
    },
    /// DROP CONSTRAINT
    DropConstraint {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: Ident,
    },
    /// VALIDATE CONSTRAINT
    Validate(Ident),
    /// RENAME CONSTRAINT
    RenameConstraint {
        /// Old name.
        from: Ident,
        /// New name.
        to: Ident,
    },
}

/// An action of `ALTER TYPE`.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeAction {
    /// One that other objects have too.
    Object(ObjectAction),
    /// ADD VALUE
    AddValue {
        /// IF NOT EXISTS
        if_not_exists: bool,
        /// The new label.
        label: String,
        /// Where it goes; at the end if nothing is said.
        place: Option<LabelPlace>,
    },
    /// What is done to the fields of a composite type.
    Attributes(Vec<AttributeAction>),
    /// RENAME VALUE
    RenameValue {
        /// Old label.
        from: String,
        /// New label.
        to: String,
    },
}

/// A change of a composite type's field.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeAction {
    /// ADD ATTRIBUTE
    Add {
        /// Its name.
        name: Ident,
        /// Its type.
        data_type: DataType,
    },
    /// DROP ATTRIBUTE
    Drop {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: Ident,
    },
    /// ALTER ATTRIBUTE … TYPE
    Type {
        /// Its name.
        name: Ident,
        /// Its type from now on.
        data_type: DataType,
    },
    /// RENAME ATTRIBUTE
    Rename {
        /// Old name.
        from: Ident,
        /// New name.
        to: Ident,
    },
}

/// Where a label goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelPlace {
    /// BEFORE this one
    Before(String),
    /// AFTER this one
    After(String),
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

/// An action of `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a statement has few of them")]
pub enum AlterAction {
    /// One that `sqlparser` knows.
    Known(Box<AlterTableOperation>),
    /// `ALTER COLUMN`, as `sqlparser` has it.
    Column {
        /// The column.
        column: Ident,
        /// What is done.
        op: AlterColumnOperation,
    },
    /// RENAME, SET SCHEMA, OWNER TO.
    Object(ObjectAction),
    /// `ALTER COLUMN … ADD GENERATED … AS IDENTITY`
    AddIdentity {
        /// The column.
        column: Ident,
        /// ALWAYS, not BY DEFAULT.
        always: bool,
        /// In order of writing.
        options: Vec<SequenceOption>,
    },
    /// `ALTER COLUMN … SET GENERATED …`, `SET sequence option`, `RESTART`
    SetIdentity {
        /// The column.
        column: Ident,
        /// In order of writing.
        changes: Vec<IdentityChange>,
    },
    /// `ALTER COLUMN … DROP IDENTITY`
    DropIdentity {
        /// The column.
        column: Ident,
        /// IF EXISTS
        if_exists: bool,
    },
    /// `ALTER COLUMN … DROP EXPRESSION`
    DropExpression {
        /// The column.
        column: Ident,
        /// IF EXISTS
        if_exists: bool,
    },
    /// `ALTER COLUMN … SET STATISTICS`
    SetStatistics {
        /// The column.
        column: Ident,
        /// The number.
        target: String,
    },
    /// `ALTER COLUMN … SET STORAGE`
    SetStorage {
        /// The column.
        column: Ident,
        /// PLAIN, EXTENDED, …
        storage: Ident,
    },
    /// `ALTER CONSTRAINT`
    AlterConstraint {
        /// Its name.
        name: Ident,
        /// When it is checked.
        timing: Option<ConstraintCharacteristics>,
    },
    /// `SET (option = value, …)`
    SetOptions(Vec<SqlOption>),
    /// `RESET (option, …)`
    ResetOptions(Vec<Ident>),
    /// `SET LOGGED`, `SET UNLOGGED`
    SetLogged(bool),
    /// `SET TABLESPACE`
    SetTablespace(Ident),
    /// `SET ACCESS METHOD`
    SetAccessMethod(Ident),
    /// `CLUSTER ON`
    ClusterOn(Ident),
    /// `SET WITHOUT CLUSTER`
    WithoutCluster,
}

/// A change of an identity column.
#[derive(Debug, Clone, PartialEq)]
pub enum IdentityChange {
    /// `SET GENERATED ALWAYS` or `BY DEFAULT`
    Always(bool),
    /// An option of its sequence.
    Option(SequenceOption),
}

/// A statement on how rows are kept. Tables come with columns; no tables stand for all.
#[derive(Debug, Clone, PartialEq)]
pub enum Maintenance {
    /// `VACUUM`
    Vacuum {
        /// FULL
        full: bool,
        /// ANALYZE
        analyze: bool,
        /// Tables that are locked are left out.
        skip_locked: bool,
        /// What is named.
        tables: Vec<(ObjectName, Vec<Ident>)>,
    },
    /// `ANALYZE`
    Analyze {
        /// Tables that are locked are left out.
        skip_locked: bool,
        /// What is named.
        tables: Vec<(ObjectName, Vec<Ident>)>,
    },
    /// `REINDEX`
    Reindex {
        /// What the name is of.
        target: ReindexTarget,
        /// Without keeping others from writing.
        concurrently: bool,
        /// The name.
        name: ObjectName,
    },
}

/// What REINDEX names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReindexTarget {
    /// INDEX
    Index,
    /// TABLE
    Table,
    /// SCHEMA
    Schema,
    /// DATABASE, SYSTEM
    Database,
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

/// Kinds of objects that PostgreSQL has and graphwire does not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentKind {
    /// `TRIGGER`
    Trigger,
    /// `RULE`
    Rule,
    /// `AGGREGATE`
    Aggregate,
    /// `COLLATION`
    Collation,
    /// `CONVERSION`
    Conversion,
    /// `LANGUAGE`
    Language,
    /// `SERVER`
    Server,
    /// `PUBLICATION`
    Publication,
    /// `STATISTICS`
    Statistics,
    /// `EVENT TRIGGER`
    EventTrigger,
    /// `FOREIGN DATA WRAPPER`
    ForeignDataWrapper,
    /// `FOREIGN TABLE`
    ForeignTable,
}
