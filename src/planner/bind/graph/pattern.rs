//! Pattern trees of either language to a [`BoundPattern`].
//!
//! Only the shape is bound here: variables, labels, directions, quantifiers, modes and searches. Predicates are
//! collected with the element they stand in, for the language's own expression binder.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};

use super::names::{Dialect, tables_with};
use crate::catalog::PropertyGraph;
use crate::error::{PgError, SqlState};
use crate::parser::Span;
use crate::parser::pattern::{
    EdgeDirection, EdgePattern, ElementFiller, GraphPattern, GroupPattern, LabelExpr, MatchMode,
    Name, PathElement, PathMode as PathModeTree, PathPattern, PathPrefix, PathSelector, Properties,
    Quantifier as QuantifierTree, QuantifierForm, VertexPattern,
};
use crate::planner::pattern::{
    BoundPattern, Direction, EdgeRule, GroupElement, LabelTest, OpenLabels, PathMode, PathSearch,
    PatternEdge, PatternElement, PatternGroup, PatternPath, PatternVertex, Quantifier,
};

/// What a variable of a pattern stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// A vertex.
    Vertex,
    /// One edge.
    Edge,
    /// The edges of a variable-length edge, or what an edge of a repeated pattern stood for.
    EdgeList,
    /// What a vertex of a repeated pattern stood for.
    VertexList,
    /// A path.
    Path,
}

/// A variable that is known before the pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outer {
    /// An element: the name of its column.
    Element { column: String, kind: VariableKind },
    /// Something that cannot stand in a pattern: its type, for the message.
    Other { ty: String },
}

/// A variable the pattern binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatternVariable {
    /// As the language sees it (folded in SQL).
    pub(crate) name: String,
    /// Name of its column.
    pub(crate) column: String,
    /// What it is.
    pub(crate) kind: VariableKind,
}

/// Where a predicate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// In a vertex, by index.
    Vertex(usize),
    /// In an edge, by index.
    Edge(usize),
    /// In a parenthesized part: on any of the pattern's elements.
    Pattern,
    /// In the parentheses around a path of which only some matches are wanted: before they are chosen.
    Path(usize),
}

/// A predicate inside the pattern.
#[derive(Debug)]
pub(crate) enum Predicate<'a, E> {
    /// `WHERE …`.
    Condition(&'a E),
    /// `{key: value}`.
    Property(&'a Name, &'a E),
}

/// A pattern whose predicates are still trees.
#[derive(Debug)]
pub(crate) struct PatternDraft<'a, E> {
    /// Without predicates.
    pub(crate) pattern: BoundPattern,
    /// What it binds anew, in order of appearance.
    pub(crate) variables: Vec<PatternVariable>,
    /// Predicates with their places.
    pub(crate) predicates: Vec<(Slot, Predicate<'a, E>)>,
    /// Pairs of vertices that must be the same.
    pub(crate) equal: Vec<(usize, usize)>,
    /// Repeated patterns, whose bodies are still to be set.
    pub(crate) groups: Vec<GroupDraft<'a, E>>,
}

/// A repeated pattern whose predicates are still trees.
#[derive(Debug)]
pub(crate) struct GroupDraft<'a, E> {
    /// Index of its edge in the pattern around it.
    pub(crate) edge: usize,
    /// What is in the parentheses; its variables stand for single elements there.
    pub(crate) draft: PatternDraft<'a, E>,
}

/// What a pattern needs to know of its surroundings.
pub(crate) struct Surroundings<'s> {
    /// The graph.
    pub(crate) graph: &'s Arc<PropertyGraph>,
    /// Whose rules hold.
    pub(crate) dialect: Dialect,
    /// Variables known before.
    pub(crate) outer: &'s dyn Fn(&str) -> Option<Outer>,
    /// Makes names no user can write.
    pub(crate) fresh: &'s mut dyn FnMut() -> String,
}

/// Binds the shape of a pattern.
///
/// # Errors
/// `42712` for a variable bound twice, `42804` for one of another kind, `42704` for unknown labels in SQL/PGQ, `0A000`
/// for forms that are not carried out.
pub(crate) fn draft<'a, E>(
    pattern: &'a GraphPattern<E>,
    surroundings: Surroundings<'_>,
) -> Result<PatternDraft<'a, E>, PgError> {
    let edge_rule = match (pattern.match_mode, surroundings.dialect) {
        (Some(MatchMode::DifferentEdges), _) | (None, Dialect::Cypher) => EdgeRule::Distinct,
        (Some(MatchMode::RepeatableElements), _) | (None, Dialect::Pgq) => EdgeRule::Repeat,
    };
    draft_paths(&pattern.paths, pattern.keep, edge_rule, surroundings)
}

/// Binds the shape of some paths; see [`draft`].
///
/// # Errors
/// As [`draft`].
pub(crate) fn draft_paths<'a, E>(
    paths: impl IntoIterator<Item = &'a PathPattern<E>>,
    keep: Option<PathPrefix>,
    edge_rule: EdgeRule,
    surroundings: Surroundings<'_>,
) -> Result<PatternDraft<'a, E>, PgError> {
    let paths = paths.into_iter().collect::<Vec<_>>();
    let mut builder = Builder {
        pattern: BoundPattern {
            graph: Arc::clone(surroundings.graph),
            vertices: Vec::new(),
            edges: Vec::new(),
            paths: Vec::new(),
            edge_rule,
            open: surroundings.graph.open.map(|_| OpenLabels::default()),
        },
        names: HashMap::new(),
        variables: Vec::new(),
        predicates: Vec::new(),
        equal: Vec::new(),
        groups: Vec::new(),
        only_path: paths.len() == 1,
        around: surroundings,
    };
    for path in paths {
        builder.path(path, keep)?;
    }
    Ok(builder.finish())
}

#[derive(Debug, Clone, Copy)]
enum Named {
    Vertex(usize),
    Edge,
    Path,
}

struct Builder<'a, 's, E> {
    pattern: BoundPattern,
    names: HashMap<String, Named>,
    variables: Vec<PatternVariable>,
    predicates: Vec<(Slot, Predicate<'a, E>)>,
    equal: Vec<(usize, usize)>,
    groups: Vec<GroupDraft<'a, E>>,
    only_path: bool,
    around: Surroundings<'s>,
}

fn unsupported(what: &str, span: Span) -> PgError {
    PgError::unsupported(
        format!("{what} is not supported yet"),
        "See docs/compat.md for the patterns that are.",
    )
    .at(span.start as usize)
}

impl<'a, E> Builder<'a, '_, E> {
    fn name(&self, name: &Name) -> String {
        match self.around.dialect {
            Dialect::Cypher => name.text.clone(),
            Dialect::Pgq => name.folded(),
        }
    }

    /// A column for a new variable: its own name unless that could be taken for a generated one.
    fn column(&mut self, name: &str) -> String {
        if name.starts_with('#') { (self.around.fresh)() } else { name.to_owned() }
    }

    fn finish(self) -> PatternDraft<'a, E> {
        let Self { pattern, names: _, variables, predicates, equal, groups, .. } = self;
        PatternDraft { pattern, variables, predicates, equal, groups }
    }

    fn path(&mut self, path: &'a PathPattern<E>, keep: Option<PathPrefix>) -> Result<(), PgError> {
        let prefix = match keep {
            Some(keep) if path.prefix.selector.is_none() && path.prefix.mode.is_none() => keep,
            _ => path.prefix,
        };
        let search = search(prefix)?;
        let slot = match search {
            PathSearch::All => Slot::Pattern,
            _ => Slot::Path(self.pattern.paths.len()),
        };
        let elements = self.flat(&path.elements, slot)?;
        let (mode, whole) = self.mode(prefix, &elements, search);
        let walked = self.elements(elements, mode, search)?;
        let fixed = walked.iter().all(|element| match element {
            PatternElement::Edge(at) => {
                self.pattern.edges.get(*at).is_some_and(|edge| edge.quantifier.is_none())
            }
            PatternElement::Vertex(_) => true,
        });
        // Where all paths are equally long, all of them are shortest.
        let search = match search {
            PathSearch::AllShortest | PathSearch::ShortestGroups(_) if fixed => PathSearch::All,
            search => search,
        };
        let variable = match &path.variable {
            Some(name) => Some(self.bind_path(name)?),
            None => None,
        };
        let needed = search != PathSearch::All || whole != PathMode::Walk;
        if variable.is_some() || needed || slot != Slot::Pattern {
            let (elements, mode, condition) = (walked, whole, None);
            self.pattern.paths.push(PatternPath { variable, elements, search, mode, condition });
        }
        Ok(())
    }

    /// The elements of a path without the parentheses that only hold them together; a condition in those stands in
    /// `slot`.
    fn flat(
        &mut self,
        elements: &'a [PathElement<E>],
        slot: Slot,
    ) -> Result<Vec<&'a PathElement<E>>, PgError> {
        let mut flat = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                PathElement::Group(group) if group.quantifier.is_none() => {
                    let GroupPattern { variable, prefix, elements, condition, quantifier: _, span } =
                        group;
                    refuse_group_parts(variable.as_ref(), *prefix, *span)?;
                    if let Some(condition) = condition {
                        self.predicates.push((slot, Predicate::Condition(condition)));
                    }
                    flat.extend(self.flat(elements, slot)?);
                }
                element => flat.push(element),
            }
        }
        Ok(flat)
    }

    /// The mode of the quantified edges of a path, and that of the whole path where this says more.
    fn mode(
        &mut self,
        prefix: PathPrefix,
        elements: &[&'a PathElement<E>],
        search: PathSearch,
    ) -> (PathMode, PathMode) {
        if self.pattern.edge_rule == EdgeRule::Distinct && prefix.mode.is_none() {
            return (PathMode::Trail, PathMode::Walk);
        }
        let edges = elements.iter().filter(|element| !matches!(element, PathElement::Vertex(_)));
        let quantified = elements.iter().any(|element| match element {
            PathElement::Edge(edge) => edge.quantifier.is_some(),
            PathElement::Group(_) => true,
            PathElement::Vertex(_) => false,
        });
        let one_walk = edges.count() == 1 && quantified;
        let mode = match prefix.mode {
            None | Some(PathModeTree::Walk) => return (PathMode::Walk, PathMode::Walk),
            Some(PathModeTree::Trail) => PathMode::Trail,
            Some(PathModeTree::Acyclic) => PathMode::Acyclic,
            Some(PathModeTree::Simple) => PathMode::Simple,
        };
        if mode == PathMode::Trail && self.only_path && !one_walk && search == PathSearch::All {
            // The only path: no edge twice in the path is no edge twice in the match.
            self.pattern.edge_rule = EdgeRule::Distinct;
            return (mode, PathMode::Walk);
        }
        (mode, if one_walk { PathMode::Walk } else { mode })
    }

    fn elements(
        &mut self,
        elements: Vec<&'a PathElement<E>>,
        mode: PathMode,
        search: PathSearch,
    ) -> Result<Vec<PatternElement>, PgError> {
        let mut walked = Vec::new();
        let mut pending: Option<(usize, &'a PathElement<E>)> = None;
        for element in elements {
            let PathElement::Vertex(vertex) = element else {
                // Between two edges, and in front of the first, there is a vertex even if none is written.
                let left = match (pending.take(), walked.last()) {
                    (Some((left, source)), _) => {
                        let middle = self.anonymous();
                        self.step(&mut walked, left, source, middle, (mode, search))?;
                        middle
                    }
                    (None, Some(PatternElement::Vertex(left))) => *left,
                    (None, _) => {
                        let first = self.anonymous();
                        walked.push(PatternElement::Vertex(first));
                        first
                    }
                };
                pending = Some((left, element));
                continue;
            };
            match (pending.take(), walked.last()) {
                (Some((left, source)), _) => {
                    let at = self.vertex(&vertex.filler, vertex.span)?;
                    self.step(&mut walked, left, source, at, (mode, search))?;
                }
                // Two vertices side by side, beside parentheses, are one.
                (None, Some(PatternElement::Vertex(at))) => self.same_vertex(*at, vertex)?,
                (None, _) => {
                    let at = self.vertex(&vertex.filler, vertex.span)?;
                    walked.push(PatternElement::Vertex(at));
                }
            }
        }
        if let Some((left, source)) = pending {
            let last = self.anonymous();
            self.step(&mut walked, left, source, last, (mode, search))?;
        }
        Ok(walked)
    }

    fn step(
        &mut self,
        walked: &mut Vec<PatternElement>,
        left: usize,
        source: &'a PathElement<E>,
        right: usize,
        (mode, search): (PathMode, PathSearch),
    ) -> Result<(), PgError> {
        match source {
            PathElement::Edge(edge) => {
                let source = EdgeSource { edge, quantifier: edge.quantifier };
                self.edge(walked, left, source, right, mode, search)
            }
            PathElement::Group(group) => match single_edge(group) {
                Some(source) => self.edge(walked, left, source, right, mode, search),
                None => self.group(walked, (left, right), group, (mode, search)),
            },
            PathElement::Vertex(_) => Ok(()),
        }
    }

    /// A second vertex pattern for a vertex that is there.
    fn same_vertex(&mut self, at: usize, vertex: &'a VertexPattern<E>) -> Result<(), PgError> {
        let filler = &vertex.filler;
        let tables =
            tables_with(&self.pattern.graph, filler.labels.as_ref(), false, self.around.dialect)?;
        self.restrict(at, &tables);
        self.note_labels(Slot::Vertex(at), filler.labels.as_ref().map(label_test));
        if let Some(name) = &filler.variable {
            let text = self.name(name);
            let known = self.names.contains_key(&text) || (self.around.outer)(&text).is_some();
            match (known, self.pattern.vertices.get(at)) {
                (false, Some(first)) => {
                    let column = first.variable.clone();
                    self.names.insert(text.clone(), Named::Vertex(at));
                    let kind = VariableKind::Vertex;
                    self.variables.push(PatternVariable { name: text, column, kind });
                }
                _ => {
                    let other = self.named_vertex(name, tables, vertex.span)?;
                    if other != at {
                        self.equal.push((at, other));
                    }
                }
            }
        }
        self.predicates_of(filler, Slot::Vertex(at))
    }

    /// A parenthesized pattern under a quantifier.
    fn group(
        &mut self,
        walked: &mut Vec<PatternElement>,
        (left, right): (usize, usize),
        group: &'a GroupPattern<E>,
        (mode, search): (PathMode, PathSearch),
    ) -> Result<(), PgError> {
        let GroupPattern { variable, prefix, elements, condition, quantifier, span } = group;
        refuse_group_parts(variable.as_ref(), *prefix, *span)?;
        let Some(written) = *quantifier else {
            return Err(PgError::internal("a repeated pattern without a quantifier"));
        };
        let optional = written.form == QuantifierForm::Optional;
        let Some(quantifier) = self.quantifier(written, mode, search)? else {
            return Err(unsupported("this quantifier", written.span));
        };
        let (inside, order) = self.body(elements, condition.as_ref())?;
        let mut group_elements = Vec::with_capacity(order.len());
        let mut tables: Vec<u16> = Vec::new();
        for element in &order {
            let (column, kind) = match element {
                PatternElement::Vertex(at) => {
                    (&inside.pattern.vertices[*at].variable, VariableKind::Vertex)
                }
                PatternElement::Edge(at) => {
                    tables.extend(&inside.pattern.edges[*at].tables);
                    (&inside.pattern.edges[*at].variable, VariableKind::Edge)
                }
            };
            let seen = group_elements.iter().any(|it: &GroupElement| it.column == *column);
            let output = match inside.variables.iter().find(|it| it.column == *column) {
                Some(variable) if !seen => Some(self.group_variable(variable, kind, optional)),
                _ => None,
            };
            group_elements.push(GroupElement { column: column.clone(), output });
        }
        tables.sort_unstable();
        tables.dedup();
        let edge = self.pattern.edges.len();
        let variable = (self.around.fresh)();
        let body = Arc::new(LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: false,
            schema: Arc::new(DFSchema::empty()),
        }));
        self.pattern.edges.push(PatternEdge {
            variable,
            left,
            right,
            direction: Direction::Right,
            tables,
            predicate: None,
            quantifier: Some(quantifier),
            mode,
            bound: false,
            optional,
            group: Some(PatternGroup { body, elements: group_elements }),
        });
        self.groups.push(GroupDraft { edge, draft: inside });
        walked.push(PatternElement::Edge(edge));
        walked.push(PatternElement::Vertex(right));
        Ok(())
    }

    /// Binds what is in the parentheses, where outer variables are not to be used again.
    fn body(
        &mut self,
        elements: &'a [PathElement<E>],
        condition: Option<&'a E>,
    ) -> Result<(PatternDraft<'a, E>, Vec<PatternElement>), PgError> {
        let (names, outer) = (&self.names, self.around.outer);
        let taken = |name: &str| {
            let other = || Outer::Other { ty: "outside of the parentheses".to_owned() };
            (names.contains_key(name) || outer(name).is_some()).then(other)
        };
        let mut inside = Builder {
            pattern: BoundPattern {
                graph: Arc::clone(&self.pattern.graph),
                vertices: Vec::new(),
                edges: Vec::new(),
                paths: Vec::new(),
                edge_rule: self.pattern.edge_rule,
                open: self.pattern.open.as_ref().map(|_| OpenLabels::default()),
            },
            names: HashMap::new(),
            variables: Vec::new(),
            predicates: Vec::new(),
            equal: Vec::new(),
            groups: Vec::new(),
            only_path: true,
            around: Surroundings {
                graph: self.around.graph,
                dialect: self.around.dialect,
                outer: &taken,
                fresh: &mut *self.around.fresh,
            },
        };
        let elements = inside.flat(elements, Slot::Pattern)?;
        if let Some(span) = elements.iter().find_map(|element| nested_quantifier(element)) {
            return Err(unsupported("a quantifier inside a repeated pattern", span));
        }
        if !elements.iter().any(|element| matches!(element, PathElement::Edge(_))) {
            let span = elements.first().map(|element| element.span()).unwrap_or_default();
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "a repeated pattern must have at least one edge",
            )
            .at(span.start as usize));
        }
        let order = inside.elements(elements, PathMode::Walk, PathSearch::All)?;
        if let Some(condition) = condition {
            inside.predicates.push((Slot::Pattern, Predicate::Condition(condition)));
        }
        Ok((inside.finish(), order))
    }

    /// Binds a variable of a repeated pattern for what is outside; the name of its column.
    fn group_variable(
        &mut self,
        inside: &PatternVariable,
        kind: VariableKind,
        optional: bool,
    ) -> String {
        let column = self.column(&inside.name);
        let kind = match kind {
            kind if optional => kind,
            VariableKind::Vertex => VariableKind::VertexList,
            _ => VariableKind::EdgeList,
        };
        self.names.insert(inside.name.clone(), Named::Edge);
        let name = inside.name.clone();
        self.variables.push(PatternVariable { name, column: column.clone(), kind });
        column
    }

    fn anonymous(&mut self) -> usize {
        let variable = (self.around.fresh)();
        let tables = (0..self.pattern.graph.vertices.len())
            .filter_map(|at| u16::try_from(at).ok())
            .collect();
        self.pattern.vertices.push(PatternVertex {
            variable,
            tables,
            predicate: None,
            bound: false,
        });
        self.pattern.vertices.len() - 1
    }

    fn vertex(&mut self, filler: &'a ElementFiller<E>, span: Span) -> Result<usize, PgError> {
        let tables =
            tables_with(&self.pattern.graph, filler.labels.as_ref(), false, self.around.dialect)?;
        let at = match &filler.variable {
            None => {
                let at = self.anonymous();
                self.restrict(at, &tables);
                at
            }
            Some(name) => self.named_vertex(name, tables, span)?,
        };
        self.note_labels(Slot::Vertex(at), filler.labels.as_ref().map(label_test));
        self.predicates_of(filler, Slot::Vertex(at))?;
        Ok(at)
    }

    fn restrict(&mut self, vertex: usize, tables: &[u16]) {
        if let Some(vertex) = self.pattern.vertices.get_mut(vertex) {
            vertex.tables.retain(|table| tables.contains(table));
        }
    }

    fn named_vertex(
        &mut self,
        name: &Name,
        tables: Vec<u16>,
        _span: Span,
    ) -> Result<usize, PgError> {
        let text = self.name(name);
        match self.names.get(&text) {
            Some(Named::Vertex(at)) => {
                let at = *at;
                self.restrict(at, &tables);
                return Ok(at);
            }
            Some(Named::Edge | Named::Path) => return Err(self.conflict(name, "a node")),
            None => {}
        }
        let (column, bound) = match (self.around.outer)(&text) {
            Some(Outer::Element { column, kind: VariableKind::Vertex }) => (column, true),
            Some(_) => return Err(self.conflict(name, "a node")),
            None => (self.column(&text), false),
        };
        let at = self.pattern.vertices.len();
        self.pattern.vertices.push(PatternVertex {
            variable: column.clone(),
            tables,
            predicate: None,
            bound,
        });
        self.names.insert(text.clone(), Named::Vertex(at));
        if !bound {
            self.variables.push(PatternVariable { name: text, column, kind: VariableKind::Vertex });
        }
        Ok(at)
    }

    fn conflict(&self, name: &Name, wanted: &str) -> PgError {
        PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "variable \"{}\" is already bound to something that is not {wanted}",
                name.text
            ),
        )
        .routine("VariableTypeConflict")
        .at(name.span.start as usize)
    }

    fn edge(
        &mut self,
        walked: &mut Vec<PatternElement>,
        left: usize,
        source: EdgeSource<'a, E>,
        right: usize,
        mode: PathMode,
        search: PathSearch,
    ) -> Result<(), PgError> {
        let EdgePattern { filler, direction, quantifier: _, span } = source.edge;
        let direction = match direction {
            EdgeDirection::Right => Direction::Right,
            EdgeDirection::Left => Direction::Left,
            EdgeDirection::Any | EdgeDirection::LeftOrRight => Direction::Any,
            EdgeDirection::Undirected
            | EdgeDirection::LeftOrUndirected
            | EdgeDirection::UndirectedOrRight => {
                return Err(PgError::unsupported(
                    "undirected edges are not supported",
                    "Edges of a property graph are directed here; -[ ]- matches them either way.",
                )
                .at(span.start as usize));
            }
        };
        let mut tables =
            tables_with(&self.pattern.graph, filler.labels.as_ref(), true, self.around.dialect)?;
        let mut never = false;
        let quantifier = match source.quantifier {
            None => None,
            Some(written) => match self.quantifier(written, mode, search)? {
                Some(quantifier) => Some(quantifier),
                None => {
                    // From more to fewer: legal in Cypher, and nothing matches.
                    tables.clear();
                    never = true;
                    Some(Quantifier { min: 1, max: Some(1) })
                }
            },
        };
        let optional =
            source.quantifier.is_some_and(|written| written.form == QuantifierForm::Optional);
        let kind = match quantifier {
            Some(_) if !optional => VariableKind::EdgeList,
            _ => VariableKind::Edge,
        };
        let (variable, bound) = match &filler.variable {
            None => ((self.around.fresh)(), false),
            Some(name) => self.bind_edge(name, kind)?,
        };
        if bound && optional {
            return Err(unsupported("the quantifier ? on an edge that is bound", *span));
        }
        let at = self.pattern.edges.len();
        self.pattern.edges.push(PatternEdge {
            variable,
            left,
            right,
            direction,
            tables,
            predicate: None,
            quantifier,
            mode,
            bound,
            optional,
            group: None,
        });
        self.note_labels(Slot::Edge(at), filler.labels.as_ref().map(label_test));
        if never {
            self.note_labels(Slot::Edge(at), Some(LabelTest::Nothing));
        }
        self.predicates_of(filler, Slot::Edge(at))?;
        walked.push(PatternElement::Edge(at));
        walked.push(PatternElement::Vertex(right));
        Ok(())
    }

    /// Remembers what the labels of an open graph's element must satisfy.
    fn note_labels(&mut self, slot: Slot, test: Option<LabelTest>) {
        let (Some(open), Some(test)) = (&mut self.pattern.open, test) else { return };
        let (tests, at) = match slot {
            Slot::Vertex(at) => (&mut open.vertices, at),
            Slot::Edge(at) => (&mut open.edges, at),
            Slot::Pattern | Slot::Path(_) => return,
        };
        if tests.len() <= at {
            tests.resize(at + 1, Vec::new());
        }
        if let Some(tests) = tests.get_mut(at) {
            tests.push(test);
        }
    }

    /// `None` for a quantifier that nothing satisfies.
    fn quantifier(
        &self,
        written: QuantifierTree,
        mode: PathMode,
        search: PathSearch,
    ) -> Result<Option<Quantifier>, PgError> {
        let QuantifierTree { min, max, form: _, span } = written;
        if max.is_some_and(|max| max < min) {
            return Ok(None);
        }
        if max.is_none() && mode == PathMode::Walk && search == PathSearch::All {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "a quantifier without an upper bound needs a path mode or a shortest-path selector",
            )
            .hint("Write TRAIL, ACYCLIC, SIMPLE, ANY SHORTEST or ALL SHORTEST in front of the path, or {m,n}.")
            .at(span.start as usize));
        }
        let narrow = |count: u64| {
            u32::try_from(count).map_err(|_| {
                PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "quantifier out of range")
                    .at(span.start as usize)
            })
        };
        Ok(Some(Quantifier { min: narrow(min)?, max: max.map(narrow).transpose()? }))
    }

    fn bind_edge(&mut self, name: &Name, kind: VariableKind) -> Result<(String, bool), PgError> {
        let text = self.name(name);
        match self.names.get(&text) {
            Some(Named::Edge) => {
                return Err(PgError::new(
                    SqlState::DUPLICATE_ALIAS,
                    format!(
                        "relationship variable \"{}\" is used more than once in a pattern",
                        name.text
                    ),
                )
                .routine("RelationshipUniquenessViolation")
                .at(name.span.start as usize));
            }
            Some(Named::Vertex(_) | Named::Path) => {
                return Err(self.conflict(name, "a relationship"));
            }
            None => {}
        }
        let (column, bound) = match (self.around.outer)(&text) {
            Some(Outer::Element { column, kind: outer }) if outer == kind => {
                if kind == VariableKind::EdgeList {
                    return Err(unsupported(
                        "a variable-length relationship bound before",
                        name.span,
                    ));
                }
                (column, true)
            }
            Some(_) => return Err(self.conflict(name, "a relationship")),
            None => (self.column(&text), false),
        };
        self.names.insert(text.clone(), Named::Edge);
        if !bound {
            self.variables.push(PatternVariable { name: text, column: column.clone(), kind });
        }
        Ok((column, bound))
    }

    fn bind_path(&mut self, name: &Name) -> Result<String, PgError> {
        let text = self.name(name);
        if self.names.contains_key(&text) || (self.around.outer)(&text).is_some() {
            return Err(PgError::new(
                SqlState::DUPLICATE_ALIAS,
                format!("variable \"{}\" is already bound", name.text),
            )
            .routine("VariableAlreadyBound")
            .at(name.span.start as usize));
        }
        let column = self.column(&text);
        self.names.insert(text.clone(), Named::Path);
        self.variables.push(PatternVariable {
            name: text,
            column: column.clone(),
            kind: VariableKind::Path,
        });
        Ok(column)
    }

    fn predicates_of(&mut self, filler: &'a ElementFiller<E>, slot: Slot) -> Result<(), PgError> {
        let ElementFiller { variable: _, labels: _, properties, condition } = filler;
        match properties {
            Some(Properties::Map { entries, span: _ }) => {
                for (key, value) in entries {
                    self.predicates.push((slot, Predicate::Property(key, value)));
                }
            }
            Some(Properties::Parameter(_)) => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "a parameter cannot stand for the properties of a pattern that is matched",
                )
                .hint("Name the properties: {key: $parameter}.")
                .routine("InvalidParameterUse"));
            }
            None => {}
        }
        if let Some(condition) = condition {
            self.predicates.push((slot, Predicate::Condition(condition)));
        }
        Ok(())
    }
}

/// The condition of a label expression, names as written.
pub(crate) fn label_test(labels: &LabelExpr) -> LabelTest {
    match labels {
        LabelExpr::Label(name) => LabelTest::Label(name.text.clone()),
        LabelExpr::Wildcard(_) => LabelTest::Any,
        LabelExpr::Not(inner, _) => LabelTest::Not(Box::new(label_test(inner))),
        LabelExpr::And(parts, _) => LabelTest::All(parts.iter().map(label_test).collect()),
        LabelExpr::Or(parts, _) => LabelTest::Some(parts.iter().map(label_test).collect()),
    }
}

/// An edge pattern and the quantifier that counts for it.
struct EdgeSource<'a, E> {
    edge: &'a EdgePattern<E>,
    quantifier: Option<QuantifierTree>,
}

/// `((a)-[e]->(b)){m,n}` with nothing on its vertices is `-[e]->{m,n}`.
fn single_edge<E>(group: &GroupPattern<E>) -> Option<EdgeSource<'_, E>> {
    let plain = |vertex: &VertexPattern<E>| {
        let ElementFiller { variable, labels, properties, condition } = &vertex.filler;
        variable.is_none() && labels.is_none() && properties.is_none() && condition.is_none()
    };
    let edge = match group.elements.as_slice() {
        [PathElement::Edge(edge)] => edge,
        [PathElement::Vertex(left), PathElement::Edge(edge), PathElement::Vertex(right)]
            if plain(left) && plain(right) =>
        {
            edge
        }
        _ => return None,
    };
    let simple = group.variable.is_none()
        && group.prefix.mode.is_none()
        && group.condition.is_none()
        && edge.quantifier.is_none();
    simple.then_some(EdgeSource { edge, quantifier: group.quantifier })
}

/// Where a quantifier stands in an element, if one does.
fn nested_quantifier<E>(element: &PathElement<E>) -> Option<Span> {
    match element {
        PathElement::Vertex(_) => None,
        PathElement::Edge(edge) => edge.quantifier.map(|quantifier| quantifier.span),
        PathElement::Group(group) => group.quantifier.map(|quantifier| quantifier.span),
    }
}

fn refuse_group_parts(
    variable: Option<&Name>,
    prefix: PathPrefix,
    span: Span,
) -> Result<(), PgError> {
    if variable.is_some() {
        return Err(unsupported("a sub-path variable", span));
    }
    if prefix.mode.is_some() || prefix.selector.is_some() {
        return Err(unsupported("a path mode inside parentheses", span));
    }
    Ok(())
}

fn search(prefix: PathPrefix) -> Result<PathSearch, PgError> {
    let narrow = |count: u64| {
        u32::try_from(count).map_err(|_| {
            PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number of paths out of range")
                .at(prefix.span.start as usize)
        })
    };
    Ok(match prefix.selector {
        None | Some(PathSelector::All) => PathSearch::All,
        Some(PathSelector::Any { count: 1 }) => PathSearch::Any,
        Some(
            PathSelector::AnyShortest
            | PathSelector::Shortest { count: 1 }
            | PathSelector::ShortestPathFunction,
        ) => PathSearch::AnyShortest,
        Some(
            PathSelector::AllShortest
            | PathSelector::ShortestGroups { count: 1 }
            | PathSelector::AllShortestPathsFunction,
        ) => PathSearch::AllShortest,
        // The shortest ones are as good as any.
        Some(PathSelector::Shortest { count } | PathSelector::Any { count }) => {
            PathSearch::ShortestK(narrow(count)?)
        }
        Some(PathSelector::ShortestGroups { count }) => PathSearch::ShortestGroups(narrow(count)?),
    })
}
