//! Property graphs: which tables hold vertices and edges, under which labels and properties.
//!
//! The model is that of SQL:2023 part 16 and PostgreSQL 19: an element table has a key, one or more labels, and each
//! label a list of properties, each a column or an expression over the table's columns.

use serde::{Deserialize, Serialize};

use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A property graph over tables of the same database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyGraph {
    /// `pg_class.oid` of the graph.
    pub oid: Oid,
    /// Its name, for messages.
    pub name: String,
    /// Vertex element tables; `ElementRef::table` of a vertex counts in this list.
    pub vertices: Vec<ElementTable>,
    /// Edge element tables; `ElementRef::table` of an edge counts in this list.
    pub edges: Vec<EdgeTable>,
    /// What an open graph (`CREATE PROPERTY GRAPH g ANY`) has beside its tables; `None` for a typed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenGraph>,
    /// Constraints and indexes of an open graph, by label; those of a typed graph are its tables'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_rules: Vec<LabelRule>,
}

/// The parts of an open graph: labels, types and properties come into being on first use.
///
/// Its element tables are partitions that the server makes: one vertex table for each label set, one edge table for each
/// relationship type and pair of vertex partitions. New ones are appended, so that an index stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenGraph {
    /// The schema of its partitions, and of the views of its labels and types.
    pub schema: Oid,
    /// The sequence that numbers vertices and edges.
    pub sequence: Oid,
}

/// A constraint or an index on the elements of an open graph that have a label, whatever other labels they have: so it
/// is about rows of several partitions, also of those that come into being later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// Its number.
    pub oid: Oid,
    /// Its name, unique among those of the graph.
    pub name: String,
    /// Whether it is about relationships.
    pub edge: bool,
    /// The label, or the relationship type.
    pub label: String,
    /// Names of its properties, at least one, each once.
    pub properties: Vec<String>,
    /// What it demands.
    pub kind: LabelRuleKind,
}

/// What a [`LabelRule`] demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelRuleKind {
    /// Nothing: elements are looked up by its properties.
    Index,
    /// No two elements that have all of the properties have the same values of them.
    Unique,
    /// Every element has the properties.
    NotNull,
    /// Both.
    Key,
}

impl LabelRuleKind {
    /// Whether it is a constraint.
    pub fn is_constraint(self) -> bool {
        self != Self::Index
    }

    /// Whether values may not come twice.
    pub fn is_unique(self) -> bool {
        matches!(self, Self::Unique | Self::Key)
    }

    /// Whether values may not be missing.
    pub fn is_required(self) -> bool {
        matches!(self, Self::NotNull | Self::Key)
    }
}

/// A table that holds the vertices (or edges) of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementTable {
    /// Alias, unique in the graph; the table's name unless given.
    pub alias: String,
    /// `pg_class.oid` of the table.
    pub relation: Oid,
    /// Positions of the key's columns in the table.
    pub key: Vec<usize>,
    /// At least one.
    pub labels: Vec<ElementLabel>,
}

/// An edge element table with its two ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeTable {
    /// Table, key, labels.
    pub element: ElementTable,
    /// Where its edges start.
    pub source: EndPoint,
    /// Where its edges end.
    pub destination: EndPoint,
}

/// How one end of an edge finds its vertex: equality of columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndPoint {
    /// Index in [`PropertyGraph::vertices`].
    pub vertex: usize,
    /// Positions in the edge table.
    pub edge_columns: Vec<usize>,
    /// Positions in the vertex table, pairwise equal to `edge_columns`.
    pub vertex_columns: Vec<usize>,
}

/// A label on an element table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementLabel {
    /// Its name.
    pub name: String,
    /// In order of declaration.
    pub properties: Vec<PropertyDef>,
}

/// A property of a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyDef {
    /// Its name.
    pub name: String,
    /// Its type: one for each property name in a graph.
    pub ty: PgType,
    /// Where the value comes from.
    pub source: PropertySource,
}

/// Where a property's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PropertySource {
    /// The column at this position of the element table.
    Column(usize),
    /// An SQL expression over the element table's columns.
    Expression(String),
    /// The property of an open graph.
    Open {
        /// The column of values that have the property's type.
        column: usize,
        /// Whether values of other types are in the overflow column.
        mixed: bool,
    },
}

/// Columns that every vertex partition of an open graph begins with: its number, and values of other types than their
/// properties' (a map in the form of ANY).
pub const OPEN_VERTEX_COLUMNS: [&str; 2] = ["_id", "_more"];
/// Columns that every edge partition of an open graph begins with.
pub const OPEN_EDGE_COLUMNS: [&str; 4] = ["_id", "_src", "_dst", "_more"];
/// Name of the label under which a partition without labels keeps its properties; never shown.
pub const HIDDEN_LABEL: &str = "";

impl ElementTable {
    /// Names of its labels, in order.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| label.name.as_str()).filter(|name| *name != HIDDEN_LABEL)
    }

    /// Whether its labels are exactly these, in any order.
    pub fn has_exactly(&self, labels: &[String]) -> bool {
        self.label_names().count() == labels.len() && labels.iter().all(|name| self.has_label(name))
    }

    /// All its properties, each label's in order.
    pub fn properties(&self) -> impl Iterator<Item = &PropertyDef> {
        self.labels.iter().flat_map(|label| &label.properties)
    }

    /// Whether one of its labels has exactly this name.
    pub fn has_label(&self, name: &str) -> bool {
        self.labels.iter().any(|label| label.name == name)
    }

    /// The property of this name, in any of its labels.
    pub fn property(&self, name: &str) -> Option<&PropertyDef> {
        self.labels
            .iter()
            .flat_map(|label| &label.properties)
            .find(|property| property.name == name)
    }
}

impl PropertyGraph {
    /// Where the overflow column of an open graph's partitions stands.
    pub fn overflow_column(edge: bool) -> usize {
        if edge { OPEN_EDGE_COLUMNS.len() - 1 } else { OPEN_VERTEX_COLUMNS.len() - 1 }
    }

    /// Constraints that the rows of an element table obey.
    pub fn constraints_on<'a>(
        &'a self,
        element: &'a ElementTable,
        edge: bool,
    ) -> impl Iterator<Item = &'a LabelRule> {
        self.label_rules.iter().filter(move |rule| {
            rule.kind.is_constraint() && rule.edge == edge && element.has_label(&rule.label)
        })
    }

    /// Element tables with a label: of edges or of vertices.
    pub fn elements_with<'a>(
        &'a self,
        edge: bool,
        label: &str,
    ) -> impl Iterator<Item = &'a ElementTable> {
        let vertices = self.vertices.iter().filter(move |_| !edge);
        let edges = self.edges.iter().filter(move |_| edge).map(|edge| &edge.element);
        vertices.chain(edges).filter(move |element| element.has_label(label))
    }

    /// All element tables, vertices first.
    pub fn elements(&self) -> impl Iterator<Item = &ElementTable> {
        self.vertices.iter().chain(self.edges.iter().map(|edge| &edge.element))
    }
}
