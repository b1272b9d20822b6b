//! The kinds of things a catalog holds.

use std::sync::Arc;

use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::catalog::graph::PropertyGraph;
use crate::catalog::policy::RowSecurity;
use crate::types::pg_type::PgType;
use crate::types::{Oid, TenantId};

/// A database: owned by one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `pg_database.oid`.
    pub oid: Oid,
    /// Its name, unique in the cluster.
    pub name: String,
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// The owning role.
    pub owner: Oid,
    /// Sessions at once; -1 for any number.
    #[serde(default = "no_limit")]
    pub connection_limit: i32,
    /// Whether it may be a template.
    #[serde(default)]
    pub is_template: bool,
    /// Whether anybody may connect.
    #[serde(default = "yes")]
    pub allow_connections: bool,
}

fn no_limit() -> i32 {
    -1
}

fn yes() -> bool {
    true
}

/// A schema (namespace).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// `pg_namespace.oid`.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// The owning role.
    pub owner: Oid,
}

/// Anything with a row in `pg_class` that a statement can name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// The schema it is in.
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// The owning role.
    pub owner: Oid,
    /// `COMMENT ON`, if any.
    pub comment: Option<String>,
    /// How long it lives.
    pub persistence: Persistence,
    /// What it is.
    pub kind: RelationKind,
}

/// How long a relation lives (`pg_class.relpersistence`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Persistence {
    /// Until it is dropped.
    #[default]
    Permanent,
    /// Its definition until it is dropped; its rows until the server stops without being asked to.
    Unlogged,
    /// Until its session ends; in a schema of that session's own.
    Temporary,
}

/// What a relation is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RelationKind {
    /// A table with stored rows; the storage knows it by the relation's OID.
    Table(#[serde(with = "crate::catalog::stored::shared")] Arc<Table>),
    /// A view: a query under a name.
    View(#[serde(with = "crate::catalog::stored::shared")] Arc<View>),
    /// A materialized view: the rows a query had when it was last refreshed.
    MaterializedView(#[serde(with = "crate::catalog::stored::shared")] Arc<MaterializedView>),
    /// A sequence; its counter is in the storage.
    Sequence(#[serde(with = "crate::catalog::stored::shared")] Arc<Sequence>),
    /// A property graph over tables.
    PropertyGraph(#[serde(with = "crate::catalog::stored::shared")] Arc<PropertyGraph>),
    /// A relation of the system catalog, computed when it is read.
    #[serde(skip)]
    System(Arc<Table>),
}

/// Columns and constraints of a stored or computed table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// In order of `attnum`; dropped ones are gone, so `attnum` may have gaps.
    pub columns: Vec<Column>,
    /// PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY.
    pub constraints: Vec<Constraint>,
    /// Indexes that CREATE INDEX made; those behind constraints are with the constraints.
    pub indexes: Vec<Index>,
    /// What happens to the rows at COMMIT, for a temporary table.
    pub on_commit: OnCommit,
    /// Storage parameters, as `name=value`: shown, and without effect.
    pub options: Vec<String>,
    /// The index that CLUSTER goes by where none is named.
    pub clustered: Option<Oid>,
    /// The next `attnum` to give.
    pub next_attnum: i16,
    /// Which rows whom.
    #[serde(default)]
    pub row_security: RowSecurity,
    /// The open graph whose constraints on labels its rows obey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruled_by: Option<Oid>,
    /// Arrow schema of `columns`, field by field, with `graphwire.type` metadata.
    #[serde(skip, default = "no_columns")]
    pub schema: SchemaRef,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// `pg_attribute.attnum`: never used again in the table.
    pub attnum: i16,
    /// Its name.
    pub name: String,
    /// Its type with modifier.
    pub ty: PgType,
    /// NOT NULL (also set by PRIMARY KEY).
    pub not_null: bool,
    /// DEFAULT or GENERATED … STORED.
    pub default: Option<ColumnDefault>,
    /// `COMMENT ON COLUMN`, if any.
    pub comment: Option<String>,
    /// The type it was declared with, where a domain is in it; `ty` is what that stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<PgType>,
    /// `pg_collation.oid` of COLLATE. All that can be named compare by bytes, so that it is shown and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<Oid>,
}

impl Column {
    /// A column of a type, with nothing else said about it.
    pub fn of(attnum: i16, name: String, declared: PgType) -> Self {
        let mut column = Self {
            attnum,
            name,
            ty: PgType::Text,
            not_null: false,
            default: None,
            comment: None,
            domain: None,
            collation: None,
        };
        column.declare(declared);
        column
    }

    /// The type it was declared with.
    pub fn declared(&self) -> &PgType {
        self.domain.as_ref().unwrap_or(&self.ty)
    }

    /// Gives it a type.
    pub fn declare(&mut self, ty: PgType) {
        self.ty = ty.plain();
        self.domain = ty.has_domain().then_some(ty);
    }
}

/// What happens to a temporary table at COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnCommit {
    /// Nothing.
    #[default]
    PreserveRows,
    /// It is emptied.
    DeleteRows,
    /// It is dropped.
    Drop,
}

/// How a column gets a value that a statement does not give.
///
/// Texts name sequences by number, as `'16405'::regclass`, so that a new name changes nothing; see
/// [`crate::catalog::stored_text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ColumnDefault {
    /// DEFAULT: the expression's SQL text.
    Expression(String),
    /// GENERATED ALWAYS AS (…) STORED: the expression's SQL text, over the columns of the same row.
    Generated(String),
    /// GENERATED … AS IDENTITY.
    Identity {
        /// ALWAYS: a statement may not give the value unless it says OVERRIDING SYSTEM VALUE.
        always: bool,
        /// The sequence that gives it.
        sequence: Oid,
    },
}

/// A constraint of a table. Columns are positions in [`Table::columns`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// `pg_constraint.oid`.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Whether it is known of all rows; not so after NOT VALID, until VALIDATE CONSTRAINT.
    pub validated: bool,
    /// When it is checked.
    pub timing: ConstraintTiming,
}

/// When a constraint is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ConstraintTiming {
    /// At the end of each statement.
    #[default]
    NotDeferrable,
    /// DEFERRABLE INITIALLY IMMEDIATE.
    InitiallyImmediate,
    /// DEFERRABLE INITIALLY DEFERRED: at COMMIT.
    InitiallyDeferred,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// PRIMARY KEY; `index` is the `pg_class` OID of its index, which has the constraint's name.
    PrimaryKey { columns: Vec<usize>, index: Oid, include: Vec<usize> },
    /// UNIQUE; nulls are distinct unless it says otherwise.
    Unique { columns: Vec<usize>, index: Oid, include: Vec<usize>, nulls_not_distinct: bool },
    /// CHECK: the condition's SQL text.
    Check { condition: String },
    /// FOREIGN KEY. `referenced_columns` are positions in the referenced table.
    ForeignKey {
        columns: Vec<usize>,
        referenced: Oid,
        referenced_columns: Vec<usize>,
        on_update: ForeignKeyAction,
        on_delete: ForeignKeyAction,
        /// The columns that ON DELETE SET NULL and SET DEFAULT set; all of the key's if there are none.
        delete_columns: Vec<usize>,
        /// MATCH FULL: all of the key's columns are null, or none is.
        match_full: bool,
    },
}

/// What a foreign key does when the referenced row goes or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ForeignKeyAction {
    /// Refuse at the end of the statement.
    #[default]
    NoAction,
    /// Refuse at once.
    Restrict,
    /// Delete or update the referring rows too.
    Cascade,
    /// Set the referring columns to NULL.
    SetNull,
    /// Set the referring columns to their defaults.
    SetDefault,
}

/// A query under a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The query's text as given, to be bound again where it is used.
    pub query: String,
    /// Output columns as they were when the view was made (`attnum` from 1).
    pub columns: Vec<Column>,
    /// The search path that was in force, by which the query's names are resolved.
    pub search_path: Vec<String>,
    /// Relations its query names, and what of them it knows.
    pub reads: Vec<ViewRead>,
    /// `WITH (…)`, as `name=value`.
    #[serde(default)]
    pub options: Vec<String>,
}

/// A relation that a view reads, as it was when the view was made. What is renamed or added later changes nothing for
/// the view: inside it, the relation goes on to have this name and these columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewRead {
    /// The schema in front of the name, if the query has one.
    pub schema: Option<String>,
    /// The name in the query.
    pub name: String,
    /// What it stands for.
    pub relation: Oid,
    /// Its columns, in order; empty for a property graph.
    pub columns: Vec<ReadColumn>,
}

/// A column of a relation that a view reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadColumn {
    /// `pg_attribute.attnum` in the relation.
    pub attnum: i16,
    /// Its name in the query.
    pub name: String,
    /// Whether the view cannot be without it.
    pub used: bool,
}

/// A view with stored rows; the storage knows them by the relation's OID.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaterializedView {
    /// The query.
    pub view: View,
    /// Columns and indexes; it has no constraints.
    #[serde(with = "crate::catalog::stored::shared")]
    pub table: Arc<Table>,
    /// Whether it may be read; not so after WITH NO DATA, until REFRESH.
    pub populated: bool,
}

/// A sequence, less its counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// `smallint`, `integer` or `bigint`.
    pub ty: PgType,
    /// `START WITH`: what RESTART goes back to.
    pub start: i64,
    /// Not 0; negative for a descending one.
    pub increment: i64,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Values a session takes at once, at least 1.
    pub cache: i64,
    /// Begins again at the other end instead of failing.
    pub cycle: bool,
    /// Where the storage counts. RESTART takes a new one, so that it can be rolled back; `nextval` cannot.
    pub counter: SequenceCounter,
    /// The column it goes with, if any.
    pub owner: Option<SequenceOwner>,
}

/// A counter that the storage keeps, and where it stands before its first use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceCounter {
    /// Never used again in the database.
    pub id: u64,
    /// The first value, or the last one if `called`.
    pub value: i64,
    /// Whether `value` was given already.
    pub called: bool,
}

/// The column a sequence goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceOwner {
    /// The table.
    pub table: Oid,
    /// `attnum` of the column.
    pub attnum: i16,
    /// Part of an identity column, rather than OWNED BY (as SERIAL's).
    pub identity: bool,
}

/// An index that CREATE INDEX made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// Its name, unique in the table's schema.
    pub name: String,
    /// How it finds rows.
    pub method: IndexMethod,
    /// What it is over, in order; at least one.
    pub keys: Vec<IndexKey>,
    /// INCLUDE: positions in the table.
    pub include: Vec<usize>,
    /// Whether two rows may not have the same keys.
    pub unique: bool,
    /// Whether null counts as a value for `unique`.
    pub nulls_not_distinct: bool,
    /// WHERE: the condition's SQL text, over the table's columns. Rows for which it is not true are not in the index.
    pub predicate: Option<String>,
    /// `COMMENT ON INDEX`, if any.
    pub comment: Option<String>,
}

/// How an index finds rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexMethod {
    /// In order.
    Btree,
    /// By equality.
    Hash,
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexKey {
    /// What is compared.
    pub source: IndexSource,
    /// DESC
    pub descending: bool,
    /// NULLS FIRST
    pub nulls_first: bool,
    /// The operator class, if one was named that is not the type's own: `text_pattern_ops`.
    pub operator_class: Option<String>,
}

/// What an index compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum IndexSource {
    /// A column, by position in the table.
    Column(usize),
    /// An expression over the table's columns.
    Expression {
        /// Its SQL text.
        text: String,
        /// Its type.
        ty: PgType,
        /// The name of the index's column.
        name: String,
    },
}

impl Relation {
    /// The columns a `SELECT *` of it gives; none for a property graph.
    pub fn columns(&self) -> &[Column] {
        match &self.kind {
            RelationKind::Table(table) | RelationKind::System(table) => &table.columns,
            RelationKind::View(view) => &view.columns,
            RelationKind::MaterializedView(view) => &view.table.columns,
            RelationKind::Sequence(_) => sequence_columns(),
            RelationKind::PropertyGraph(_) => &[],
        }
    }

    /// The stored table, if it is one, or a materialized view's.
    pub fn table(&self) -> Option<&Arc<Table>> {
        match &self.kind {
            RelationKind::Table(table) => Some(table),
            RelationKind::MaterializedView(view) => Some(&view.table),
            RelationKind::View(_)
            | RelationKind::Sequence(_)
            | RelationKind::PropertyGraph(_)
            | RelationKind::System(_) => None,
        }
    }

    /// The query of a view, materialized or not.
    pub fn view(&self) -> Option<&View> {
        match &self.kind {
            RelationKind::View(view) => Some(view),
            RelationKind::MaterializedView(view) => Some(&view.view),
            RelationKind::Table(_)
            | RelationKind::Sequence(_)
            | RelationKind::PropertyGraph(_)
            | RelationKind::System(_) => None,
        }
    }

    /// The sequence, if it is one.
    pub fn sequence(&self) -> Option<&Arc<Sequence>> {
        match &self.kind {
            RelationKind::Sequence(sequence) => Some(sequence),
            RelationKind::Table(_)
            | RelationKind::View(_)
            | RelationKind::MaterializedView(_)
            | RelationKind::PropertyGraph(_)
            | RelationKind::System(_) => None,
        }
    }

    /// The same relation with another table behind it; unchanged if it has none.
    #[must_use]
    pub fn with_table(&self, table: Table) -> Self {
        let kind = match &self.kind {
            RelationKind::Table(_) => RelationKind::Table(Arc::new(table)),
            RelationKind::MaterializedView(view) => {
                let view = MaterializedView { table: Arc::new(table), ..view.as_ref().clone() };
                RelationKind::MaterializedView(Arc::new(view))
            }
            other => other.clone(),
        };
        Self { kind, ..self.clone() }
    }
}

impl View {
    /// Whether what it reads is read with the rights of who reads it, not of who owns it.
    pub fn security_invoker(&self) -> bool {
        self.options.iter().any(|option| option == "security_invoker=true")
    }

    /// Whether nothing that its reader says is computed before its own conditions.
    pub fn security_barrier(&self) -> bool {
        self.options.iter().any(|option| option == "security_barrier=true")
    }

    /// Whether its query names the relation.
    pub fn reads(&self, relation: Oid) -> bool {
        self.reads.iter().any(|read| read.relation == relation)
    }
}

impl Index {
    /// Its columns, if it is unique, over columns alone and of all rows: then it is as good as a UNIQUE constraint.
    pub fn unique_columns(&self) -> Option<Vec<usize>> {
        if !self.unique || self.predicate.is_some() {
            return None;
        }
        let column = |key: &IndexKey| match key.source {
            IndexSource::Column(at) => Some(at),
            IndexSource::Expression { .. } => None,
        };
        self.keys.iter().map(column).collect()
    }
}

impl Constraint {
    /// A constraint that holds for all rows and is checked at the end of each statement.
    pub fn new(oid: Oid, name: String, kind: ConstraintKind) -> Self {
        Self { oid, name, kind, validated: true, timing: ConstraintTiming::default() }
    }

    /// The `pg_class` OID of the index behind a PRIMARY KEY or UNIQUE constraint.
    pub fn index(&self) -> Option<Oid> {
        match &self.kind {
            ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } => {
                Some(*index)
            }
            ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => None,
        }
    }
}

/// What `SELECT * FROM` a sequence gives.
pub fn sequence_columns() -> &'static [Column] {
    static COLUMNS: std::sync::LazyLock<Vec<Column>> = std::sync::LazyLock::new(|| {
        [("last_value", PgType::Int8), ("log_cnt", PgType::Int8), ("is_called", PgType::Bool)]
            .into_iter()
            .zip(1..)
            .map(|((name, ty), attnum)| Column {
                attnum,
                name: name.to_owned(),
                ty,
                not_null: true,
                default: None,
                comment: None,
                domain: None,
                collation: None,
            })
            .collect()
    });
    &COLUMNS
}

fn schema_of(columns: &[Column]) -> SchemaRef {
    let fields =
        columns.iter().map(|column| column.declared().field(&column.name, !column.not_null));
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// What [`Table::schema`] is until [`Table::with_schema`] is called on a table that was read.
fn no_columns() -> SchemaRef {
    Arc::new(ArrowSchema::empty())
}

impl Table {
    /// The table with the Arrow schema of its columns.
    #[must_use]
    pub(super) fn with_schema(self) -> Self {
        Self { schema: schema_of(&self.columns), ..self }
    }

    /// A table of these columns and constraints.
    pub fn new(columns: Vec<Column>, constraints: Vec<Constraint>) -> Self {
        let next_attnum = columns.iter().map(|column| column.attnum + 1).max().unwrap_or(1);
        let schema = schema_of(&columns);
        Self {
            columns,
            constraints,
            indexes: Vec::new(),
            on_commit: OnCommit::default(),
            options: Vec::new(),
            clustered: None,
            next_attnum,
            row_security: RowSecurity::default(),
            ruled_by: None,
            schema,
        }
    }

    /// This table with other columns and constraints.
    #[must_use]
    pub fn reshaped(&self, columns: Vec<Column>, constraints: Vec<Constraint>) -> Self {
        let new = Self::new(columns, constraints);
        Self {
            indexes: self.indexes.clone(),
            on_commit: self.on_commit,
            options: self.options.clone(),
            clustered: self.clustered,
            row_security: self.row_security.clone(),
            ruled_by: self.ruled_by,
            next_attnum: new.next_attnum.max(self.next_attnum),
            ..new
        }
    }

    /// Position of a column by its exact name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The column with this `attnum`.
    pub fn column(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }

    /// Positions of the primary key's columns, if there is one.
    pub fn primary_key(&self) -> Option<&[usize]> {
        self.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, .. } => Some(columns.as_slice()),
            ConstraintKind::Unique { .. }
            | ConstraintKind::Check { .. }
            | ConstraintKind::ForeignKey { .. } => None,
        })
    }
}
