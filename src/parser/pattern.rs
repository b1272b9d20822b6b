//! The one syntax tree for graph patterns, of Cypher's `MATCH` and of SQL/PGQ's `GRAPH_TABLE`.
//!
//! Every type is generic over `E`, the expression of the surrounding language: [`crate::parser::cypher::Expr`] in
//! Cypher, [`crate::parser::pgq::SqlExpr`] in SQL. Nothing else differs, so the binder makes one `BoundPattern` from
//! both.
//!
//! ```text
//! GraphPattern   MATCH p = (a)-[e:T]->(b), ANY SHORTEST (b) ((x)-->(y) WHERE x.n > 1){1,3} (c)  WHERE a.n = 1
//!                      ├── PathPattern ──┤  ├────────────── PathPattern ──────────────────┤
//! PathPattern    variable  selector mode  elements: Vertex, Edge, Vertex | Vertex, Group, Vertex
//! ```

use super::span::Span;

/// A name as written, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The characters, escapes resolved, case kept.
    pub text: String,
    /// Written in `"…"` (SQL) or `` `…` `` (Cypher).
    pub quoted: bool,
    pub span: Span,
}

impl Name {
    /// The name as SQL sees it: unquoted names in lower case (ASCII), quoted ones as they are.
    pub fn folded(&self) -> String {
        if self.quoted { self.text.clone() } else { self.text.to_ascii_lowercase() }
    }
}

/// What follows `MATCH`: path patterns that are joined on shared variables, and the condition on all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphPattern<E> {
    /// `DIFFERENT EDGES` or `REPEATABLE ELEMENTS`, if written; else the language's own rule holds.
    pub match_mode: Option<MatchMode>,
    /// At least one.
    pub paths: Vec<PathPattern<E>>,
    /// SQL/PGQ's `KEEP`: a selector or mode for every path pattern.
    pub keep: Option<PathPrefix>,
    /// `WHERE` after the whole pattern.
    pub condition: Option<E>,
    pub span: Span,
}

/// How often one element may be used in one match of a whole graph pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchMode {
    /// An edge stands for at most one edge variable.
    DifferentEdges,
    /// No restriction.
    RepeatableElements,
}

/// One path pattern: `p = ANY SHORTEST TRAIL (a)-[e]->(b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPattern<E> {
    /// The path variable.
    pub variable: Option<Name>,
    pub prefix: PathPrefix,
    /// At least one. Vertices may be left out beside edges and groups (`-[e]->` alone is legal in the standard); two
    /// vertices side by side, possible only beside a group, are one vertex.
    pub elements: Vec<PathElement<E>>,
    pub span: Span,
}

/// Selector and mode in front of a path pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathPrefix {
    pub selector: Option<PathSelector>,
    pub mode: Option<PathMode>,
    /// Empty if nothing is written.
    pub span: Span,
}

/// Which paths between the same two end points are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathSelector {
    /// `ALL`.
    All,
    /// `ANY` or `ANY k`: any `k` of them.
    Any { count: u64 },
    /// `ANY SHORTEST`.
    AnyShortest,
    /// `ALL SHORTEST`.
    AllShortest,
    /// `SHORTEST k`: the `k` shortest, ties broken arbitrarily.
    Shortest { count: u64 },
    /// `SHORTEST k GROUPS`: all paths of the `k` smallest lengths.
    ShortestGroups { count: u64 },
    /// Cypher's `shortestPath((a)-[*]-(b))`: one shortest path, on which no edge repeats.
    ShortestPathFunction,
    /// Cypher's `allShortestPaths((a)-[*]-(b))`.
    AllShortestPathsFunction,
}

/// Which repetitions a path may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMode {
    /// Any.
    Walk,
    /// No edge twice.
    Trail,
    /// No vertex twice.
    Acyclic,
    /// No vertex twice, but the first may be the last.
    Simple,
}

/// One step of a path pattern.
#[derive(Debug, Clone, PartialEq)]
pub enum PathElement<E> {
    Vertex(VertexPattern<E>),
    Edge(EdgePattern<E>),
    Group(GroupPattern<E>),
}

impl<E> PathElement<E> {
    /// Where the element stands, its quantifier included.
    pub fn span(&self) -> Span {
        match self {
            Self::Vertex(vertex) => vertex.span,
            Self::Edge(edge) => edge.span,
            Self::Group(group) => group.span,
        }
    }
}

/// `(a:Label {key: 1} WHERE …)`.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexPattern<E> {
    pub filler: ElementFiller<E>,
    pub span: Span,
}

/// `<-[e:Label*1..3 {key: 1} WHERE …]-`.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgePattern<E> {
    pub filler: ElementFiller<E>,
    pub direction: EdgeDirection,
    /// `{1,3}`, `*`, `+`, `?` behind the edge, or Cypher's `*1..3` inside it.
    pub quantifier: Option<Quantifier>,
    pub span: Span,
}

/// What may stand inside a vertex or an edge.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementFiller<E> {
    pub variable: Option<Name>,
    pub labels: Option<LabelExpr>,
    pub properties: Option<Properties<E>>,
    /// `WHERE` inside the element.
    pub condition: Option<E>,
}

impl<E> Default for ElementFiller<E> {
    fn default() -> Self {
        Self { variable: None, labels: None, properties: None, condition: None }
    }
}

/// The property map of an element: a filter in `MATCH`, the values in `CREATE`.
#[derive(Debug, Clone, PartialEq)]
pub enum Properties<E> {
    /// `{key: value, …}`.
    Map { entries: Vec<(Name, E)>, span: Span },
    /// `$parameter`, a whole map; legal in `CREATE` alone.
    Parameter(E),
}

/// Which way an edge is walked, relative to the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeDirection {
    /// `-[]->`: leaves the left vertex.
    Right,
    /// `<-[]-`: enters the left vertex.
    Left,
    /// `-[]-`: any edge, either way.
    Any,
    /// `<-[]->`: directed, either way.
    LeftOrRight,
    /// `~[]~`.
    Undirected,
    /// `<~[]~`.
    LeftOrUndirected,
    /// `~[]~>`.
    UndirectedOrRight,
}

/// A parenthesized path pattern: `(p = TRAIL (a)-[e]->(b) WHERE …){2,5}`.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPattern<E> {
    /// The sub-path variable.
    pub variable: Option<Name>,
    /// A mode; the parser refuses selectors here.
    pub prefix: PathPrefix,
    pub elements: Vec<PathElement<E>>,
    pub condition: Option<E>,
    pub quantifier: Option<Quantifier>,
    pub span: Span,
}

/// How often an element repeats; `max` absent is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantifier {
    pub min: u64,
    pub max: Option<u64>,
    pub form: QuantifierForm,
    pub span: Span,
}

/// How a quantifier was written, where that changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantifierForm {
    /// `{m,n}`, `*`, `+`: variables inside become lists.
    Postfix,
    /// `?`: like `{0,1}`, but variables inside stay single and may be null.
    Optional,
    /// Cypher's `[r*1..3]`: `r` is the list of relationships. `max < min` is legal and matches nothing.
    VariableLength,
}

/// A condition on the labels of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelExpr {
    /// One label.
    Label(Name),
    /// `%`: at least one label.
    Wildcard(Span),
    /// `!a`.
    Not(Box<LabelExpr>, Span),
    /// `a&b`, and Cypher's `:A:B`; two or more.
    And(Vec<LabelExpr>, Span),
    /// `a|b`; two or more.
    Or(Vec<LabelExpr>, Span),
}

impl LabelExpr {
    /// Where the expression stands, without the `:` or `IS` in front.
    pub fn span(&self) -> Span {
        match self {
            Self::Label(name) => name.span,
            Self::Wildcard(span) | Self::Not(_, span) | Self::And(_, span) | Self::Or(_, span) => {
                *span
            }
        }
    }

    /// The labels, if the expression asks for all of a list of them (`:A:B`, `A&B`, one label) and nothing else.
    pub fn conjunction(&self) -> Option<Vec<&Name>> {
        match self {
            Self::Label(name) => Some(vec![name]),
            Self::And(parts, _) => {
                let mut names = Vec::with_capacity(parts.len());
                for part in parts {
                    names.extend(part.conjunction()?);
                }
                Some(names)
            }
            Self::Wildcard(_) | Self::Not(..) | Self::Or(..) => None,
        }
    }
}
