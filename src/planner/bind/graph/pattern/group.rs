//! Parenthesized patterns under a quantifier.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};

use super::{
    Builder, GroupDraft, Named, Outer, PatternDraft, PatternVariable, Predicate, Slot,
    Surroundings, VariableKind, unsupported,
};
use crate::error::{PgError, SqlState};
use crate::parser::Span;
use crate::parser::pattern::{
    EdgePattern, ElementFiller, GroupPattern, Name, PathElement, PathPrefix,
    Quantifier as QuantifierTree, QuantifierForm, VertexPattern,
};
use crate::planner::pattern::{
    BoundPattern, Direction, GroupElement, OpenLabels, PathMode, PathSearch, PatternEdge,
    PatternElement, PatternGroup,
};

impl<'a, E> Builder<'a, '_, E> {
    /// A parenthesized pattern under a quantifier.
    pub(super) fn group(
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
    pub(super) fn body(
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
    pub(super) fn group_variable(
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
}

/// An edge pattern and the quantifier that counts for it.
pub(super) struct EdgeSource<'a, E> {
    pub(super) edge: &'a EdgePattern<E>,
    pub(super) quantifier: Option<QuantifierTree>,
}

/// `((a)-[e]->(b)){m,n}` with nothing on its vertices is `-[e]->{m,n}`.
pub(super) fn single_edge<E>(group: &GroupPattern<E>) -> Option<EdgeSource<'_, E>> {
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
pub(super) fn nested_quantifier<E>(element: &PathElement<E>) -> Option<Span> {
    match element {
        PathElement::Vertex(_) => None,
        PathElement::Edge(edge) => edge.quantifier.map(|quantifier| quantifier.span),
        PathElement::Group(group) => group.quantifier.map(|quantifier| quantifier.span),
    }
}

pub(super) fn refuse_group_parts(
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
