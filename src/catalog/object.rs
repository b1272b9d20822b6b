//! The kinds of things a catalog holds.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::catalog::graph::PropertyGraph;
use crate::types::pg_type::PgType;
use crate::types::{Oid, TenantId};

/// A database: owned by one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// `pg_database.oid`.
    pub oid: Oid,
    /// Its name, unique in the cluster.
    pub name: String,
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// The owning role.
    pub owner: Oid,
}

/// A role. What it may do is decided in `access`; this is what `pg_authid` shows, less the verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `pg_authid.oid`.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// Passes every privilege check.
    pub superuser: bool,
    /// May start a connection.
    pub login: bool,
    /// A `SCRAM-SHA-256$…` verifier; `None` never matches a password.
    pub verifier: Option<String>,
}

/// A schema (namespace).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// `pg_namespace.oid`.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// The owning role.
    pub owner: Oid,
}

/// Anything with a row in `pg_class` that a statement can name.
#[derive(Debug, Clone)]
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
    /// What it is.
    pub kind: RelationKind,
}

/// What a relation is.
#[derive(Debug, Clone)]
pub enum RelationKind {
    /// A table with stored rows; the storage knows it by the relation's OID.
    Table(Arc<Table>),
    /// A view: a query under a name.
    View(Arc<View>),
    /// A property graph over tables.
    PropertyGraph(Arc<PropertyGraph>),
    /// A relation of the system catalog, computed when it is read.
    System(Arc<Table>),
}

/// Columns and constraints of a stored or computed table.
#[derive(Debug, Clone)]
pub struct Table {
    /// In order of `attnum`; dropped ones are gone, so `attnum` may have gaps.
    pub columns: Vec<Column>,
    /// PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY.
    pub constraints: Vec<Constraint>,
    /// The next `attnum` to give.
    pub next_attnum: i16,
    /// Arrow schema of `columns`, field by field, with `graphwire.type` metadata.
    pub schema: SchemaRef,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
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
}

/// How a column gets a value that a statement does not give.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnDefault {
    /// DEFAULT: the expression's SQL text.
    Expression(String),
}

/// A constraint of a table. Columns are positions in [`Table::columns`].
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// `pg_constraint.oid`.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    /// PRIMARY KEY; `index` is the `pg_class` OID of its index, which has the constraint's name.
    PrimaryKey { columns: Vec<usize>, index: Oid },
    /// UNIQUE, nulls distinct.
    Unique { columns: Vec<usize>, index: Oid },
    /// CHECK: the condition's SQL text.
    Check { condition: String },
    /// FOREIGN KEY. `referenced_columns` are positions in the referenced table.
    ForeignKey {
        columns: Vec<usize>,
        referenced: Oid,
        referenced_columns: Vec<usize>,
        on_update: ForeignKeyAction,
        on_delete: ForeignKeyAction,
    },
}

/// What a foreign key does when the referenced row goes or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone)]
pub struct View {
    /// The query's text as given, to be bound again where it is used.
    pub query: String,
    /// Output columns as they were when the view was made (`attnum` from 1).
    pub columns: Vec<Column>,
    /// The search path that was in force, by which the query's names are resolved.
    pub search_path: Vec<String>,
    /// Relations its query names.
    pub depends_on: Vec<Oid>,
}

impl Relation {
    /// The columns a `SELECT *` of it gives; none for a property graph.
    pub fn columns(&self) -> &[Column] {
        match &self.kind {
            RelationKind::Table(table) | RelationKind::System(table) => &table.columns,
            RelationKind::View(view) => &view.columns,
            RelationKind::PropertyGraph(_) => &[],
        }
    }

    /// The stored table, if it is one.
    pub fn table(&self) -> Option<&Arc<Table>> {
        match &self.kind {
            RelationKind::Table(table) => Some(table),
            RelationKind::View(_) | RelationKind::PropertyGraph(_) | RelationKind::System(_) => {
                None
            }
        }
    }
}

impl Table {
    /// A table of these columns and constraints.
    pub fn new(columns: Vec<Column>, constraints: Vec<Constraint>) -> Self {
        let next_attnum = columns.iter().map(|column| column.attnum + 1).max().unwrap_or(1);
        let schema = Arc::new(arrow::datatypes::Schema::new(
            columns
                .iter()
                .map(|column| column.ty.field(&column.name, !column.not_null))
                .collect::<Vec<_>>(),
        ));
        Self { columns, constraints, next_attnum, schema }
    }

    /// Position of a column by its exact name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
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
