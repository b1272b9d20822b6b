//! Pattern trees of either language to a [`BoundPattern`].
//!
//! Only the shape is bound here: variables, labels, directions, quantifiers, modes and searches. Predicates are
//! collected with the element they stand in, for the language's own expression binder. `element` has vertices and edges,
//! `group` parentheses under a quantifier, `quantifier` how often and how many.

mod element;
mod group;
mod quantifier;

use std::collections::HashMap;
use std::sync::Arc;

use self::group::{EdgeSource, refuse_group_parts, single_edge};
use self::quantifier::search;
use super::names::Dialect;
use crate::catalog::PropertyGraph;
use crate::error::PgError;
use crate::parser::Span;
use crate::parser::pattern::{
    GraphPattern, GroupPattern, MatchMode, Name, PathElement, PathMode as PathModeTree,
    PathPattern, PathPrefix,
};
use crate::planner::pattern::{
    BoundPattern, EdgeRule, OpenLabels, PathMode, PathSearch, PatternElement, PatternPath,
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
}
