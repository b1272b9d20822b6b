//! The logical node for what a graph has: labels, types, property keys, constraints, indexes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::PropertyGraph;
use crate::functions::cypher::CypherType;
use crate::types::Oid;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listing {
    /// Labels of vertices.
    Labels,
    /// Labels of edges.
    RelationshipTypes,
    /// Names of properties.
    PropertyKeys,
    /// Constraints on labels.
    Constraints,
    /// Indexes on labels, those of constraints among them.
    Indexes,
    /// Properties of the vertices of each label set.
    NodeProperties,
    /// Properties of the edges of each type.
    RelationshipProperties,
}

/// The type of a column of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingType {
    /// STRING.
    Text,
    /// LIST of STRING.
    Texts,
    /// INTEGER.
    Integer,
    /// FLOAT.
    Float,
    /// BOOLEAN.
    Boolean,
    /// Always null.
    Nothing,
}

/// Columns of a listing by name; those from `shown` on only where they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct ListingColumns {
    /// All columns.
    pub columns: &'static [(&'static str, ListingType)],
    /// How many are there without `YIELD`.
    pub shown: usize,
}

use ListingType::{Boolean, Float, Integer, Nothing, Text, Texts};

const CONSTRAINTS: &[(&str, ListingType)] = &[
    ("id", Integer),
    ("name", Text),
    ("type", Text),
    ("entityType", Text),
    ("labelsOrTypes", Texts),
    ("properties", Texts),
    ("ownedIndex", Text),
    ("propertyType", Nothing),
    ("createStatement", Text),
];

const INDEXES: &[(&str, ListingType)] = &[
    ("id", Integer),
    ("name", Text),
    ("state", Text),
    ("populationPercent", Float),
    ("type", Text),
    ("entityType", Text),
    ("labelsOrTypes", Texts),
    ("properties", Texts),
    ("indexProvider", Text),
    ("owningConstraint", Text),
    ("lastRead", Nothing),
    ("readCount", Nothing),
    ("failureMessage", Text),
    ("createStatement", Text),
];

const NODE_PROPERTIES: &[(&str, ListingType)] = &[
    ("nodeType", Text),
    ("nodeLabels", Texts),
    ("propertyName", Text),
    ("propertyTypes", Texts),
    ("mandatory", Boolean),
];

const RELATIONSHIP_PROPERTIES: &[(&str, ListingType)] =
    &[("relType", Text), ("propertyName", Text), ("propertyTypes", Texts), ("mandatory", Boolean)];

impl Listing {
    /// Its columns, as Neo4j 5 names them.
    pub fn columns(self) -> ListingColumns {
        let (columns, shown): (&'static [_], _) = match self {
            Self::Labels => (&[("label", Text)], 1),
            Self::RelationshipTypes => (&[("relationshipType", Text)], 1),
            Self::PropertyKeys => (&[("propertyKey", Text)], 1),
            Self::Constraints => (CONSTRAINTS, 8),
            Self::Indexes => (INDEXES, 12),
            Self::NodeProperties => (NODE_PROPERTIES, 5),
            Self::RelationshipProperties => (RELATIONSHIP_PROPERTIES, 4),
        };
        ListingColumns { columns, shown }
    }
}

impl ListingType {
    /// As a type of Cypher.
    pub fn cypher(self) -> CypherType {
        match self {
            Self::Text | Self::Nothing => CypherType::String,
            Self::Texts => CypherType::list(CypherType::String),
            Self::Integer => CypherType::Integer,
            Self::Float => CypherType::Float,
            Self::Boolean => CypherType::Boolean,
        }
    }
}

impl ListingColumns {
    /// The schema of its rows.
    ///
    /// # Errors
    /// None are expected: the names are different.
    pub fn schema(self) -> Result<DFSchemaRef> {
        let fields = self
            .columns
            .iter()
            .map(|(name, ty)| (None, Arc::new(Field::new(*name, ty.cypher().arrow(), true))));
        Ok(Arc::new(DFSchema::new_with_metadata(fields.collect(), Default::default())?))
    }
}

/// The rows of a listing. Which of them a role may see is for the gate to say, which puts the rows in its place.
#[derive(Debug, Clone)]
pub struct GraphListing {
    /// The graph.
    pub graph: Arc<PropertyGraph>,
    /// What is listed.
    pub listing: Listing,
    /// Whose rights count; `None` is the caller.
    pub as_role: Option<Oid>,
    schema: DFSchemaRef,
}

impl GraphListing {
    /// A listing.
    ///
    /// # Errors
    /// As [`ListingColumns::schema`].
    pub fn try_new(
        graph: Arc<PropertyGraph>,
        listing: Listing,
        as_role: Option<Oid>,
    ) -> Result<Self> {
        let schema = listing.columns().schema()?;
        Ok(Self { graph, listing, as_role, schema })
    }

    fn compared(&self) -> (Oid, Listing, Option<Oid>) {
        (self.graph.oid, self.listing, self.as_role)
    }
}

impl PartialEq for GraphListing {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for GraphListing {}

impl Hash for GraphListing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compared().hash(state);
    }
}

impl PartialOrd for GraphListing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for GraphListing {
    fn name(&self) -> &str {
        "GraphListing"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphListing: {:?} of {}", self.listing, self.graph.name)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}
