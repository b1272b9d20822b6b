//! The logical node for Cypher's clauses that write.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::{GraphCheck, RowEvent};
use crate::catalog::{PropertyGraph, Relation};
use crate::functions::cypher::CypherType;
use crate::types::Oid;

/// An input column with the Cypher type of its values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ValueColumn {
    /// Its name.
    pub name: String,
    /// The type.
    pub ty: CypherType,
}

/// The properties of a new element: by name, or those of a map.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct NewProperties {
    /// Names and values.
    pub named: Vec<(String, ValueColumn)>,
    /// A column of maps (ANY).
    pub map: Option<String>,
}

/// A row of a typed graph's table: what stands in each of its columns.
#[derive(Debug, Clone)]
pub struct TypedRow {
    /// Index of the element table in the graph.
    pub table: u16,
    /// The table.
    pub relation: Arc<Relation>,
    /// Input columns in the order of the table's; none for a column that the ends of an edge fill.
    pub columns: Vec<Option<ValueColumn>>,
}

/// A vertex to be made.
#[derive(Debug, Clone)]
pub struct NewVertex {
    /// Output column.
    pub column: String,
    /// Labels, sorted, each once.
    pub labels: Vec<String>,
    /// Its properties, in an open graph.
    pub properties: NewProperties,
    /// Its row, in a typed graph.
    pub row: Option<TypedRow>,
}

/// An edge to be made.
#[derive(Debug, Clone)]
pub struct NewEdge {
    /// Output column.
    pub column: String,
    /// Its type.
    pub label: String,
    /// Column of the vertex it starts from: of the input, or a new one.
    pub source: String,
    /// Column of the vertex it ends in.
    pub destination: String,
    /// Its properties, in an open graph.
    pub properties: NewProperties,
    /// Its row in each table it may go to, in a typed graph: the ends decide.
    pub rows: Vec<TypedRow>,
}

/// What a change does to one element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ElementChange {
    /// `n.key = value`; null removes it.
    Property(String, ValueColumn),
    /// `n[key] = value`: columns of keys (STRING) and values.
    Dynamic(ValueColumn, ValueColumn),
    /// `n = map` (all others go) or `n += map`; a column of maps (ANY).
    Properties { replace: bool, map: String },
    /// `n:A:B` and `REMOVE n:A:B`.
    Labels { add: Vec<String>, remove: Vec<String> },
}

/// An element and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetAction {
    /// Input column of the element; of type NODE, RELATIONSHIP or ANY.
    pub element: ValueColumn,
    /// The change.
    pub change: ElementChange,
    /// A boolean column: only where it is true.
    pub condition: Option<String>,
}

/// What a clause does for each row.
#[derive(Debug, Clone)]
pub enum GraphAction {
    /// Makes vertices and edges.
    Create { vertices: Vec<NewVertex>, edges: Vec<NewEdge> },
    /// Makes them for a row whose new columns, which the input has, are null; once for rows of equal keys.
    Merge {
        vertices: Vec<NewVertex>,
        edges: Vec<NewEdge>,
        /// What tells matches apart: values of properties, and bound elements.
        key: Vec<ValueColumn>,
        /// Those of the key that may change places: the ends of an edge without a direction.
        symmetric: Option<(usize, usize)>,
        /// Output column: whether the row's elements were made by it.
        created: String,
    },
    /// Changes elements, one item after the other.
    Set { items: Vec<SetAction> },
    /// Deletes elements.
    Delete { targets: Vec<ValueColumn>, detach: bool },
}

/// Writes to a property graph for each row of the input, all of which is read first.
///
/// ```text
/// input   any columns; then a column of row ids for each of `checks`
/// output  the columns named in `kept`, then a column for each new element (UInt64), and MERGE's flag; elements in all of
///         them as [`GraphFunctionKind::Attach`](super::GraphFunctionKind) takes them
/// ```
#[derive(Debug, Clone)]
pub struct GraphWrite {
    /// The graph as it was bound.
    pub graph: Arc<PropertyGraph>,
    /// Rows to write for.
    pub input: Arc<LogicalPlan>,
    /// What is done.
    pub action: GraphAction,
    /// Input columns that stay.
    pub kept: Vec<ValueColumn>,
    /// What policies say of the rows it writes; the gate puts them here.
    pub checks: Vec<GraphCheck>,
    schema: DFSchemaRef,
}

impl GraphAction {
    /// The word the clause begins with.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CREATE",
            Self::Merge { .. } => "MERGE",
            Self::Set { .. } => "SET",
            Self::Delete { .. } => "DELETE",
        }
    }

    /// The elements it makes.
    pub fn new_elements(&self) -> (&[NewVertex], &[NewEdge]) {
        match self {
            Self::Create { vertices, edges } | Self::Merge { vertices, edges, .. } => {
                (vertices, edges)
            }
            Self::Set { .. } | Self::Delete { .. } => (&[], &[]),
        }
    }
}

impl GraphWrite {
    /// A write for each row of `input`.
    ///
    /// # Errors
    /// `XX000` for a kept column that the input does not have.
    pub fn try_new(
        graph: Arc<PropertyGraph>,
        input: Arc<LogicalPlan>,
        action: GraphAction,
        kept: Vec<ValueColumn>,
    ) -> Result<Self> {
        let mut fields = Vec::with_capacity(kept.len());
        for column in &kept {
            let field = input.schema().field_with_unqualified_name(&column.name)?;
            fields.push((None, Arc::new(field.as_ref().clone().with_nullable(true))));
        }
        let (vertices, edges) = action.new_elements();
        let new = vertices.iter().map(|vertex| &vertex.column);
        for column in new.chain(edges.iter().map(|edge| &edge.column)) {
            fields.push((None, Arc::new(Field::new(column, DataType::UInt64, true))));
        }
        if let GraphAction::Merge { created, .. } = &action {
            fields.push((None, Arc::new(Field::new(created, DataType::Boolean, true))));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { graph, input, action, kept, checks: Vec::new(), schema })
    }

    /// The node with what policies say.
    #[must_use]
    pub fn with_checks(&self, checks: Vec<GraphCheck>) -> Self {
        Self { checks, ..self.clone() }
    }

    /// The tables of a typed graph whose rows it may write, and how; each once.
    pub fn row_events(&self) -> Vec<(Oid, RowEvent)> {
        let (vertices, edges) = self.action.new_elements();
        let new = vertices.iter().filter_map(|vertex| vertex.row.as_ref());
        let new = new.chain(edges.iter().flat_map(|edge| &edge.rows));
        let mut events: Vec<_> = new.map(|row| (row.relation.oid, RowEvent::Inserted)).collect();
        let known = match &self.action {
            GraphAction::Create { .. } | GraphAction::Merge { .. } => None,
            GraphAction::Set { items: _ } => Some(RowEvent::Updated),
            GraphAction::Delete { targets: _, detach: _ } => Some(RowEvent::Deleted),
        };
        if let Some(event) = known {
            events.extend(self.graph.elements().map(|element| (element.relation, event)));
        }
        events.sort_unstable();
        events.dedup();
        events
    }
}

impl PartialEq for GraphWrite {
    fn eq(&self, other: &Self) -> bool {
        // Columns are named for the clause that made them, so that no two nodes of a plan are taken for one.
        self.graph.oid == other.graph.oid
            && self.input == other.input
            && self.schema == other.schema
            && self.action.verb() == other.action.verb()
            && self.checks.len() == other.checks.len()
    }
}

impl Eq for GraphWrite {}

impl Hash for GraphWrite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.graph.oid.hash(state);
        self.input.hash(state);
        self.action.verb().hash(state);
        self.kept.hash(state);
    }
}

impl PartialOrd for GraphWrite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for GraphWrite {
    fn name(&self) -> &str {
        "GraphWrite"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        let checks = self.checks.iter().map(|check| check.plan.as_ref());
        std::iter::once(self.input.as_ref()).chain(checks).collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphWrite: {self}")
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut inputs = inputs.into_iter().map(Arc::new);
        let input = inputs.next().unwrap_or_else(|| Arc::clone(&self.input));
        let checks = self.checks.iter().zip(inputs);
        let checks = checks.map(|(check, plan)| GraphCheck { plan, ..check.clone() }).collect();
        Ok(Self { input, checks, ..self.clone() })
    }
}

impl fmt::Display for GraphWrite {
    /// `CREATE (n:A), (n)-[r:T]->(m) in g`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action.verb())?;
        let (vertices, edges) = self.action.new_elements();
        let mut parts: Vec<String> = vertices
            .iter()
            .map(|vertex| {
                let labels = vertex.labels.iter().map(|label| format!(":{label}"));
                format!("({}{})", vertex.column, labels.collect::<String>())
            })
            .collect();
        parts.extend(edges.iter().map(|edge| {
            format!("({})-[{}:{}]->({})", edge.source, edge.column, edge.label, edge.destination)
        }));
        match &self.action {
            GraphAction::Set { items } => parts.extend(items.iter().map(|item| {
                let element = &item.element.name;
                match &item.change {
                    ElementChange::Property(name, _) => format!("{element}.{name}"),
                    ElementChange::Dynamic(..) => format!("{element}[…]"),
                    ElementChange::Properties { replace: true, .. } => format!("{element} ="),
                    ElementChange::Properties { replace: false, .. } => format!("{element} +="),
                    ElementChange::Labels { add, remove } => {
                        let signed = add.iter().map(|label| format!("+:{label}"));
                        let signed = signed.chain(remove.iter().map(|label| format!("-:{label}")));
                        format!("{element} {}", signed.collect::<Vec<_>>().join(" "))
                    }
                }
            })),
            GraphAction::Delete { targets, detach } => {
                parts.extend(targets.iter().map(|target| target.name.clone()));
                if *detach {
                    parts.push("with their relationships".to_owned());
                }
            }
            GraphAction::Create { .. } | GraphAction::Merge { .. } => {}
        }
        write!(f, " {} in {}", parts.join(", "), self.graph.name)
    }
}
