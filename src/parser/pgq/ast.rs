//! The syntax tree of SQL/PGQ: `GRAPH_TABLE ( … )` and property-graph statements.
//!
//! SQL:2023 part 16, and PostgreSQL 19's `CREATE`, `ALTER` and `DROP PROPERTY GRAPH`.

use sqlparser::ast::Expr;

use crate::parser::pattern::{GraphPattern, Name};
use crate::parser::span::Span;

/// An SQL expression inside a graph pattern, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlExpr {
    /// Its own spans count bytes, see [`crate::parser::sql::byte_span`].
    pub expr: Box<Expr>,
    pub span: Span,
}

/// A name of one or more parts: `schema.name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualifiedName {
    /// At least one.
    pub parts: Vec<Name>,
    pub span: Span,
}

/// `GRAPH_TABLE (graph MATCH … [ONE ROW PER …] COLUMNS (…))`.
///
/// The table alias behind it stays with the placeholder table function in the SQL tree.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphTable {
    pub graph: QualifiedName,
    /// The pattern with its `WHERE` and `KEEP`.
    pub pattern: GraphPattern<SqlExpr>,
    pub rows: RowsPer,
    /// At least one.
    pub columns: Vec<GraphTableColumn>,
    /// From `GRAPH_TABLE` to the closing parenthesis.
    pub span: Span,
}

/// What makes a row of the result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RowsPer {
    /// `ONE ROW PER MATCH`, also where nothing is written.
    #[default]
    Match,
    /// `ONE ROW PER VERTEX (v) [IN (paths)]`.
    Vertex { variable: Name, paths: Vec<Name> },
    /// `ONE ROW PER STEP (v1, e, v2) [IN (paths)]`.
    Step { from: Name, edge: Name, to: Name, paths: Vec<Name> },
}

/// One entry of `COLUMNS ( … )`.
#[derive(Debug, Clone, PartialEq)]
pub enum GraphTableColumn {
    /// `expr [AS name]`. Without a name only `a.name` has a column name; the binder refuses the rest.
    Expr { expr: SqlExpr, name: Option<Name> },
    /// `a.*`: all properties of an element.
    AllProperties { variable: Name, span: Span },
}

/// A statement on a property graph.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyGraphDdl {
    Create(CreatePropertyGraph),
    Alter(AlterPropertyGraph),
    Drop(DropPropertyGraph),
}

/// `CREATE [OR REPLACE] [TEMP] PROPERTY GRAPH [IF NOT EXISTS] name …`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatePropertyGraph {
    pub name: QualifiedName,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
    /// `ANY`: an open graph, without element tables.
    pub open: bool,
    pub vertex_tables: Vec<ElementTable>,
    pub edge_tables: Vec<EdgeTable>,
    pub span: Span,
}

/// An element table of a graph: the whole of a vertex table, the common part of an edge table.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementTable {
    pub table: QualifiedName,
    /// `AS alias`: the element table's name within the graph.
    pub alias: Option<Name>,
    /// `KEY (…)`; empty where not written: the primary key.
    pub key: Vec<Name>,
    pub labels: ElementLabels,
    pub span: Span,
}

/// An edge table with its end points.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeTable {
    pub element: ElementTable,
    pub source: EndPoint,
    pub destination: EndPoint,
    pub span: Span,
}

/// `SOURCE [KEY (columns) REFERENCES] vertex [(referenced)]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EndPoint {
    /// Columns of the edge table; empty where not written: the foreign key.
    pub columns: Vec<Name>,
    /// The alias, or table name, of a vertex table of the graph.
    pub vertex: Name,
    /// Columns of the vertex table; empty where not written: its key.
    pub referenced: Vec<Name>,
    pub span: Span,
}

/// Labels and properties of an element table.
#[derive(Debug, Clone, PartialEq)]
pub enum ElementLabels {
    /// No label written: one label, named as the element table.
    Implicit(LabelProperties),
    /// At least one.
    Explicit(Vec<LabelDefinition>),
}

/// `LABEL name properties` or `DEFAULT LABEL properties`.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelDefinition {
    /// Absent for `DEFAULT LABEL`.
    pub name: Option<Name>,
    pub properties: LabelProperties,
    pub span: Span,
}

/// Which properties a label has.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelProperties {
    /// `PROPERTIES [ARE] ALL COLUMNS [EXCEPT (…)]`, also where nothing is written.
    AllColumns { except: Vec<Name> },
    /// `NO PROPERTIES`.
    None,
    /// `PROPERTIES (expr [AS name], …)`; at least one.
    List(Vec<PropertyDefinition>),
}

/// `expr [AS name]`; without a name the expression is a column.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyDefinition {
    pub expr: SqlExpr,
    pub name: Option<Name>,
}

/// `ALTER PROPERTY GRAPH [IF EXISTS] name action`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterPropertyGraph {
    pub name: QualifiedName,
    pub if_exists: bool,
    pub action: AlterAction,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterAction {
    /// `ADD VERTEX TABLES (…) EDGE TABLES (…)`, either or both.
    AddTables { vertex_tables: Vec<ElementTable>, edge_tables: Vec<EdgeTable> },
    /// `DROP VERTEX TABLES (alias, …)`.
    DropTables { kind: ElementKind, aliases: Vec<Name>, behavior: DropBehavior },
    /// `ALTER VERTEX TABLE alias change`.
    AlterTable { kind: ElementKind, alias: Name, change: ElementTableChange },
    /// `OWNER TO role`; `CURRENT_USER` and its like come unquoted.
    OwnerTo(Name),
    /// `RENAME TO name`.
    RenameTo(Name),
    /// `SET SCHEMA name`.
    SetSchema(Name),
}

#[derive(Debug, Clone, PartialEq)]
pub enum ElementTableChange {
    /// `ADD LABEL … ADD LABEL …`; at least one, each with a name.
    AddLabels(Vec<LabelDefinition>),
    /// `DROP LABEL name`.
    DropLabel { label: Name, behavior: DropBehavior },
    /// `ALTER LABEL name ADD PROPERTIES (…)`.
    AddProperties { label: Name, properties: Vec<PropertyDefinition> },
    /// `ALTER LABEL name DROP PROPERTIES (…)`.
    DropProperties { label: Name, properties: Vec<Name>, behavior: DropBehavior },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementKind {
    Vertex,
    Edge,
}

/// What happens to things that depend on what is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropBehavior {
    /// They are in the way; also where nothing is written.
    #[default]
    Restrict,
    /// They go too.
    Cascade,
}

/// `DROP PROPERTY GRAPH [IF EXISTS] name, … [CASCADE | RESTRICT]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DropPropertyGraph {
    /// At least one.
    pub names: Vec<QualifiedName>,
    pub if_exists: bool,
    pub behavior: DropBehavior,
    pub span: Span,
}
