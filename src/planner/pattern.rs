//! A graph pattern with its names resolved: a query graph of vertices and edges over one property graph.
//!
//! Both languages bind to this. Where they differ, the difference is a field here, set by the binder.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::catalog::{ElementTable, PropertyGraph};

/// A bound pattern: everything one `MATCH` asks for, apart from what is computed from its rows.
///
/// Predicates are ordinary expressions over the pattern's output columns; inside `predicate` of an element only that
/// element's own column (and columns of the node's input) may occur. Properties are read with
/// [`crate::planner::GraphFunction`] calls on the element's column.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundPattern {
    /// The graph, as the catalog snapshot of the statement has it.
    pub graph: Arc<PropertyGraph>,
    /// Query vertices.
    pub vertices: Vec<PatternVertex>,
    /// Query edges between them. A pattern may fall into several connected parts.
    pub edges: Vec<PatternEdge>,
    /// Named paths, and those a search runs along.
    pub paths: Vec<PatternPath>,
    /// Whether an edge may be matched by two query edges at once.
    pub edge_rule: EdgeRule,
    /// What elements of an open graph are asked for by label: its tables are known only when the pattern is run, as
    /// clauses before it may make new ones. `None` for a typed graph.
    pub open: Option<OpenLabels>,
}

/// What the labels of each element of a pattern must satisfy; an element beyond the end, nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpenLabels {
    /// By index in [`BoundPattern::vertices`]; all tests must hold.
    pub vertices: Vec<Vec<LabelTest>>,
    /// By index in [`BoundPattern::edges`].
    pub edges: Vec<Vec<LabelTest>>,
}

/// A condition on the labels of an element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LabelTest {
    /// It has this one.
    Label(String),
    /// It has any.
    Any,
    /// Never.
    Nothing,
    /// Not so.
    Not(Box<LabelTest>),
    /// All of them.
    All(Vec<LabelTest>),
    /// One of them at least.
    Some(Vec<LabelTest>),
}

impl LabelTest {
    /// Whether the elements of a table satisfy it.
    pub fn holds(&self, element: &ElementTable) -> bool {
        match self {
            Self::Label(name) => element.has_label(name),
            Self::Any => element.label_names().next().is_some(),
            Self::Nothing => false,
            Self::Not(inner) => !inner.holds(element),
            Self::All(parts) => parts.iter().all(|part| part.holds(element)),
            Self::Some(parts) => parts.iter().any(|part| part.holds(element)),
        }
    }
}

impl BoundPattern {
    /// The pattern over the tables that a graph has now.
    #[must_use]
    pub fn resolved(&self, graph: &Arc<PropertyGraph>) -> Self {
        let mut pattern = self.clone();
        let Some(open) = &self.open else { return pattern };
        pattern.graph = Arc::clone(graph);
        let holds = |tests: Option<&Vec<LabelTest>>, element: &ElementTable| {
            tests.is_none_or(|tests| tests.iter().all(|test| test.holds(element)))
        };
        for (at, vertex) in pattern.vertices.iter_mut().enumerate() {
            let elements = graph.vertices.iter().zip(0..);
            let fitting = elements.filter(|(it, _)| holds(open.vertices.get(at), it));
            vertex.tables = fitting.map(|(_, table)| table).collect();
        }
        for (at, edge) in pattern.edges.iter_mut().enumerate() {
            let elements = graph.edges.iter().zip(0..);
            let fitting = elements.filter(|(it, _)| holds(open.edges.get(at), &it.element));
            edge.tables = fitting.map(|(_, table)| table).collect();
        }
        pattern
    }
}

/// A query vertex.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternVertex {
    /// Name of its column in the node's output; generated (and never shown) for an anonymous vertex.
    pub variable: String,
    /// Element tables it may come from, as indexes in [`PropertyGraph::vertices`], ascending. Empty matches nothing.
    pub tables: Vec<u16>,
    /// What it must satisfy by itself.
    pub predicate: Option<Expr>,
    /// Given by the node's input (a column of the same name) rather than matched here.
    pub bound: bool,
}

/// A query edge.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternEdge {
    /// Name of its column in the node's output; generated for an anonymous edge.
    pub variable: String,
    /// Index in [`BoundPattern::vertices`] of the element written on its left.
    pub left: usize,
    /// Index of the element written on its right.
    pub right: usize,
    /// Which way the edge must point, seen from `left`.
    pub direction: Direction,
    /// Element tables it may come from, as indexes in [`PropertyGraph::edges`], ascending. Empty matches nothing.
    pub tables: Vec<u16>,
    /// What it (each edge of it, if quantified) must satisfy by itself.
    pub predicate: Option<Expr>,
    /// Variable length: the column is then a list of edges in the order walked. `None` is exactly one edge.
    pub quantifier: Option<Quantifier>,
    /// What may repeat along a quantified edge.
    pub mode: PathMode,
    /// Given by the node's input rather than matched here.
    pub bound: bool,
    /// Written `?`: at most once, and the column is the edge itself, null where there is none.
    pub optional: bool,
    /// A parenthesized pattern that is repeated instead of edges of `tables`, which are then those it may use. The edge's
    /// own column is not for others.
    pub group: Option<PatternGroup>,
}

/// A parenthesized path pattern under a quantifier: each match of it is a step from its first vertex to its last.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternGroup {
    /// All matches of the pattern: a [`crate::planner::MatchPattern`] without input, a column for each element.
    pub body: Arc<LogicalPlan>,
    /// Its elements in the order written, vertices and edges in turn, starting and ending with a vertex.
    pub elements: Vec<GroupElement>,
}

/// An element of a [`PatternGroup`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupElement {
    /// Name of its column in the body.
    pub column: String,
    /// Name of the output column of what it stood for, step by step (`List<UInt64>`; a single element if the group is
    /// optional), if it has a variable.
    pub output: Option<String>,
}

/// How many times an edge is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quantifier {
    /// At least.
    pub min: u32,
    /// At most; `None` is unbounded (and then the mode or a search must bound it).
    pub max: Option<u32>,
}

/// Which way an edge points, seen from its left element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// `-[]->`
    Right,
    /// `<-[]-`
    Left,
    /// `-[]-`: either; a loop edge matches once.
    Any,
}

/// Whether an edge may be used by two query edges (or twice by one) of the same pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeRule {
    /// SQL/PGQ: edges repeat freely.
    Repeat,
    /// Cypher: all edges of one `MATCH` are different, including those inside variable-length ones.
    Distinct,
}

/// What may repeat along one quantified edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathMode {
    /// Anything.
    Walk,
    /// No edge.
    Trail,
    /// No vertex.
    Acyclic,
    /// No vertex, except that the first may equal the last.
    Simple,
}

/// A path: a walk through the pattern's elements, and how many of the matching ones are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternPath {
    /// Name of its output column, if the path has a variable: a `Struct{vertices: List<UInt64>, edges: List<UInt64>}`
    /// with one vertex more than edges.
    pub variable: Option<String>,
    /// Alternating vertices and edges, starting and ending with a vertex.
    pub elements: Vec<PatternElement>,
    /// Which of the paths between the same two ends are wanted.
    pub search: PathSearch,
    /// What may repeat along the whole path, beyond what its quantified edges say by themselves.
    pub mode: PathMode,
    /// What a path must satisfy before the search chooses among them. (The node's filter is for those that are chosen.)
    pub condition: Option<Expr>,
}

impl BoundPattern {
    /// Whether a column is of an element between the ends of a path of which only some are wanted.
    pub fn is_selected_by_path(&self, column: &str) -> bool {
        let searched = self.paths.iter().filter(|path| path.search != PathSearch::All);
        searched.into_iter().any(|path| path.is_inner(self, column))
    }
}

impl PatternPath {
    /// Whether a column is of an element between the path's ends, or the path itself.
    pub fn is_inner(&self, pattern: &BoundPattern, column: &str) -> bool {
        if self.variable.as_deref() == Some(column) {
            return true;
        }
        let ends = [self.elements.first(), self.elements.last()];
        self.elements.iter().any(|element| match element {
            PatternElement::Vertex(at) => {
                !ends.contains(&Some(element))
                    && pattern.vertices.get(*at).is_some_and(|vertex| vertex.variable == column)
            }
            PatternElement::Edge(at) => pattern.edges.get(*at).is_some_and(|edge| {
                let mut inside = edge.group.iter().flat_map(|group| &group.elements);
                edge.variable == column || inside.any(|it| it.output.as_deref() == Some(column))
            }),
        })
    }
}

/// A step of a [`PatternPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PatternElement {
    /// Index in [`BoundPattern::vertices`].
    Vertex(usize),
    /// Index in [`BoundPattern::edges`].
    Edge(usize),
}

/// Which of the matching paths between the same two ends are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathSearch {
    /// All of them.
    All,
    /// One, whichever.
    Any,
    /// One of the shortest (`shortestPath`, `ANY SHORTEST`).
    AnyShortest,
    /// All of the shortest (`allShortestPaths`, `ALL SHORTEST`).
    AllShortest,
    /// The `k` shortest.
    ShortestK(u32),
    /// All of the `k` least lengths.
    ShortestGroups(u32),
}
