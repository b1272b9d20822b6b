//! Vertices, edges and paths of a pattern, and their variables.

use super::super::names::tables_with;
use super::group::EdgeSource;
use super::{Builder, Named, Outer, PatternVariable, Predicate, Slot, VariableKind, unsupported};
use crate::error::{PgError, SqlState};
use crate::parser::Span;
use crate::parser::pattern::{
    EdgeDirection, EdgePattern, ElementFiller, LabelExpr, Name, Properties, QuantifierForm,
    VertexPattern,
};
use crate::planner::pattern::{
    Direction, LabelTest, PathMode, PathSearch, PatternEdge, PatternElement, PatternVertex,
    Quantifier,
};

impl<'a, E> Builder<'a, '_, E> {
    /// A second vertex pattern for a vertex that is there.
    pub(super) fn same_vertex(
        &mut self,
        at: usize,
        vertex: &'a VertexPattern<E>,
    ) -> Result<(), PgError> {
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

    pub(super) fn anonymous(&mut self) -> usize {
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

    pub(super) fn vertex(
        &mut self,
        filler: &'a ElementFiller<E>,
        span: Span,
    ) -> Result<usize, PgError> {
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

    pub(super) fn restrict(&mut self, vertex: usize, tables: &[u16]) {
        if let Some(vertex) = self.pattern.vertices.get_mut(vertex) {
            vertex.tables.retain(|table| tables.contains(table));
        }
    }

    pub(super) fn named_vertex(
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

    pub(super) fn conflict(&self, name: &Name, wanted: &str) -> PgError {
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

    pub(super) fn edge(
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
    pub(super) fn note_labels(&mut self, slot: Slot, test: Option<LabelTest>) {
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

    pub(super) fn bind_edge(
        &mut self,
        name: &Name,
        kind: VariableKind,
    ) -> Result<(String, bool), PgError> {
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

    pub(super) fn bind_path(&mut self, name: &Name) -> Result<String, PgError> {
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

    pub(super) fn predicates_of(
        &mut self,
        filler: &'a ElementFiller<E>,
        slot: Slot,
    ) -> Result<(), PgError> {
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
fn label_test(labels: &LabelExpr) -> LabelTest {
    match labels {
        LabelExpr::Label(name) => LabelTest::Label(name.text.clone()),
        LabelExpr::Wildcard(_) => LabelTest::Any,
        LabelExpr::Not(inner, _) => LabelTest::Not(Box::new(label_test(inner))),
        LabelExpr::And(parts, _) => LabelTest::All(parts.iter().map(label_test).collect()),
        LabelExpr::Or(parts, _) => LabelTest::Some(parts.iter().map(label_test).collect()),
    }
}
