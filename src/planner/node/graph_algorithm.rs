//! The logical node for a graph algorithm.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::PropertyGraph;
use crate::error::PgError;

/// The algorithms there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// PageRank by power iteration.
    PageRank,
    /// Weakly connected components.
    Wcc,
    /// Strongly connected components.
    Scc,
    /// Levels of a breadth-first search.
    Bfs,
    /// Least distances from one vertex along weighted edges.
    Sssp,
    /// Communities by label propagation, synchronous, the least label winning ties (LDBC Graphalytics).
    LabelPropagation,
    /// How many pairs of neighbors are neighbors.
    ClusteringCoefficient,
    /// Triangles through each vertex.
    TriangleCount,
    /// How many shortest paths lead through a vertex, perhaps from a sample of the vertices only.
    Betweenness,
    /// Communities by modularity.
    Louvain,
    /// Core numbers.
    KCore,
    /// Number, or sum of weights, of edges.
    Degree,
}

/// All of them with their names.
const NAMES: [(Algorithm, &str); 12] = [
    (Algorithm::PageRank, "pagerank"),
    (Algorithm::Wcc, "wcc"),
    (Algorithm::Scc, "scc"),
    (Algorithm::Bfs, "bfs"),
    (Algorithm::Sssp, "sssp"),
    (Algorithm::LabelPropagation, "label_propagation"),
    (Algorithm::ClusteringCoefficient, "clustering_coefficient"),
    (Algorithm::TriangleCount, "triangle_count"),
    (Algorithm::Betweenness, "betweenness"),
    (Algorithm::Louvain, "louvain"),
    (Algorithm::KCore, "k_core"),
    (Algorithm::Degree, "degree"),
];

impl Algorithm {
    /// The algorithm of a name, in any case, with or without underscores (`labelPropagation`).
    pub fn named(name: &str) -> Option<Self> {
        let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
        let name = plain(name);
        NAMES.iter().find(|(_, known)| plain(known) == name).map(|(algorithm, _)| *algorithm)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(algorithm, _)| *algorithm == self).map_or("", |(_, name)| name)
    }

    /// Name and type of what it says about each vertex.
    pub fn result(self) -> (&'static str, DataType) {
        match self {
            Self::PageRank | Self::Betweenness => ("score", DataType::Float64),
            Self::Wcc | Self::Scc => ("component", DataType::Int64),
            Self::Bfs => ("level", DataType::Int64),
            Self::Sssp => ("distance", DataType::Float64),
            Self::LabelPropagation | Self::Louvain => ("community", DataType::Int64),
            Self::ClusteringCoefficient => ("coefficient", DataType::Float64),
            Self::TriangleCount => ("triangles", DataType::Int64),
            Self::KCore => ("core", DataType::Int64),
            Self::Degree => ("degree", DataType::Float64),
        }
    }
}

/// A graph algorithm over a projected subgraph, for each row of the input.
///
/// ```text
/// rows      any columns
/// vertices  [n]  vertex: UInt64 (ElementRef)
/// edges     [m]  source: UInt64, target: UInt64, and perhaps weight: Float64
/// output    the columns of rows, node: UInt64, and the result (see [`Algorithm::result`]): one row for each vertex, in
///           the order of element references; vertices that a search does not reach are left out
/// ```
///
/// Vertices and edges are plans like any other, so rights, row policies and filters are theirs.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphAlgorithm {
    /// The graph.
    pub graph: Arc<PropertyGraph>,
    /// What is computed.
    pub algorithm: Algorithm,
    /// Rows to compute it for.
    pub rows: Arc<LogicalPlan>,
    /// The vertices.
    pub vertices: Arc<LogicalPlan>,
    /// The edges; those whose ends are not among the vertices are left out.
    pub edges: Arc<LogicalPlan>,
    /// The parameters as JSON text, over the columns of `rows`.
    pub parameters: Expr,
    /// Name of the column of vertices.
    pub node: String,
    /// Name of the column of results.
    pub result: String,
    schema: DFSchemaRef,
}

impl GraphAlgorithm {
    /// The node; `names` are those of the columns of vertices and of results.
    pub fn try_new(
        graph: Arc<PropertyGraph>,
        algorithm: Algorithm,
        [rows, vertices, edges]: [Arc<LogicalPlan>; 3],
        parameters: Expr,
        names: [String; 2],
    ) -> Result<Self> {
        let [node, result] = names;
        let mut fields: Vec<_> = rows
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        fields.push((None, Arc::new(Field::new(&node, DataType::UInt64, false))));
        fields.push((None, Arc::new(Field::new(&result, algorithm.result().1, false))));
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { graph, algorithm, rows, vertices, edges, parameters, node, result, schema })
    }
}

impl Eq for GraphAlgorithm {}

impl Hash for GraphAlgorithm {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.graph.oid.hash(state);
        self.algorithm.hash(state);
        self.rows.hash(state);
        self.vertices.hash(state);
        self.edges.hash(state);
        self.parameters.hash(state);
        self.node.hash(state);
        self.result.hash(state);
    }
}

impl PartialOrd for GraphAlgorithm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for GraphAlgorithm {
    fn name(&self) -> &str {
        "GraphAlgorithm"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.rows, &self.vertices, &self.edges]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.parameters.clone()]
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // What is asked of a result must not change what it is computed of.
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let all = |plan: &LogicalPlan| (0..plan.schema().fields().len()).collect();
        Some(vec![all(&self.rows), all(&self.vertices), all(&self.edges)])
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphAlgorithm: {} with {}", self.algorithm.name(), self.parameters)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let wrong = || PgError::internal("a graph algorithm has three inputs and one expression");
        let inputs: [LogicalPlan; 3] = inputs.try_into().map_err(|_| wrong())?;
        let parameters = exprs.into_iter().next().ok_or_else(wrong)?;
        let names = [self.node.clone(), self.result.clone()];
        Self::try_new(
            Arc::clone(&self.graph),
            self.algorithm,
            inputs.map(Arc::new),
            parameters,
            names,
        )
    }
}
