//! MERGE: a match of the whole pattern, and where there is none, its creation.

use std::sync::Arc;

use datafusion::logical_expr::{Expr as PlanExpr, Extension, LogicalPlan};

use super::create::Parts;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::functions::cypher::output::{Conversion, Target};
use crate::parser::cypher::{ComparisonOperator, Expr, Merge};
use crate::parser::pattern::{
    EdgeDirection, ElementFiller, Name, PathElement, PathPattern, PathPrefix,
};
use crate::planner::bind::cypher::binder::{Binder, column, one_row};
use crate::planner::bind::cypher::matching::{attach, input_of, own_columns};
use crate::planner::bind::cypher::typed::Typed;
use crate::planner::bind::graph::names::Dialect;
use crate::planner::bind::graph::pattern::{PatternDraft, Slot, Surroundings, draft_paths};
use crate::planner::node::{GraphAction, MatchPattern, ValueColumn};
use crate::planner::pattern::{BoundPattern, EdgeRule};

/// A pattern whose variables have other names, and for each the old and the new one.
type Renamed = (PathPattern<Expr>, Vec<(String, String)>);

impl Binder<'_> {
    pub(super) fn merge_clause(&mut self, clause: &Merge) -> Result<(), PgError> {
        let Merge { path, on_create, on_match, span: _ } = clause;
        let mut parts = Parts::default();
        self.new_path(path, &mut parts, true)?;
        let Parts { vertices, edges, variables, columns, asked, bound, paths } = parts;
        for (name, _) in asked.iter().flat_map(|(_, asked)| asked) {
            if name.text.is_empty() {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "a property needs a name"));
            }
        }
        self.with_columns(columns)?;
        let names: Vec<String> = variables.iter().map(|new| new.column.clone()).collect();
        self.match_for_merge(path, &names, &asked)?;
        for (vertex, edge) in vertices
            .iter()
            .map(|vertex| (&vertex.properties, false))
            .chain(edges.iter().map(|edge| (&edge.properties, true)))
        {
            for (name, value) in &vertex.named {
                self.written.borrow_mut().note(edge, name, &value.ty);
            }
        }
        let mut key: Vec<ValueColumn> = bound
            .iter()
            .map(|name| ValueColumn { name: name.clone(), ty: CypherType::Node })
            .collect();
        key.extend(asked.iter().flat_map(|(_, asked)| asked).map(|(_, value)| value.clone()));
        let symmetric = match (path.elements.as_slice(), bound.len()) {
            ([PathElement::Vertex(_), PathElement::Edge(edge), PathElement::Vertex(_)], 2)
                if edge.direction == EdgeDirection::Any =>
            {
                Some((0, 1))
            }
            _ => None,
        };
        let created = self.fresh();
        let action =
            GraphAction::Merge { vertices, edges, key, symmetric, created: created.clone() };
        let mut new = variables;
        new.push(super::NewVariable {
            name: Some(created.clone()),
            column: created.clone(),
            ty: CypherType::Boolean,
        });
        self.write("MERGE", action, new)?;
        self.bind_paths(paths)?;
        if !on_create.is_empty() {
            self.set_items(on_create, Some((&created, true)))?;
        }
        if !on_match.is_empty() {
            self.set_items(on_match, Some((&created, false)))?;
        }
        self.scope.retain(|binding| binding.name != created);
        Ok(())
    }

    /// Matches the pattern for each row, if it can be; columns have the given names, vertices and edges in the order they
    /// are made in.
    fn match_for_merge(
        &mut self,
        path: &PathPattern<Expr>,
        names: &[String],
        asked: &[(String, Vec<(Name, ValueColumn)>)],
    ) -> Result<(), PgError> {
        let (tree, variables) = self.bare(path, names)?;
        let PatternDraft { mut pattern, variables: bound, predicates: _, equal, groups } = {
            let outer = |name: &str| self.outer(name);
            let mut fresh = || self.fresh();
            let surroundings = Surroundings {
                graph: self.graph()?,
                dialect: Dialect::Cypher,
                outer: &outer,
                fresh: &mut fresh,
            };
            draft_paths([&tree], None, EdgeRule::Distinct, surroundings)?
        };
        if !equal.is_empty() || !groups.is_empty() {
            return Err(PgError::unsupported(
                "MERGE of a parenthesized pattern is not supported",
                "Write the path without parentheses.",
            ));
        }
        // The pattern named its columns itself; they get the names that the clause knows them by.
        for variable in &bound {
            let Some((_, to)) = variables.iter().find(|(from, _)| *from == variable.name) else {
                continue;
            };
            rename(&mut pattern, &variable.column, to);
        }
        let own = own_columns(&pattern);
        let mut filters = Vec::new();
        for (element, properties) in asked {
            let (slot, ty) = slot_of(&pattern, element)?;
            for (key, value) in properties {
                let property = self.property(Typed::new(column(element), ty.clone()), key)?;
                let value = Typed::new(column(&value.name), value.ty.clone());
                let condition = self.equal_by_key(property, value)?;
                attach(&mut pattern, slot, condition, &own, &mut filters);
            }
        }
        let filter = filters.into_iter().reduce(PlanExpr::and);
        let plan = std::mem::replace(&mut self.plan, one_row());
        let node = MatchPattern::try_new(input_of(plan), pattern, filter, true)?;
        self.plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        Ok(())
    }

    /// The pattern without its properties, each new element with a name; the names, and the columns they stand for.
    fn bare(&self, path: &PathPattern<Expr>, names: &[String]) -> Result<Renamed, PgError> {
        let mut variables: Vec<(String, String)> = Vec::new();
        let mut elements = Vec::with_capacity(path.elements.len());
        // Vertices and edges are made in the order of the walk, an edge after both its vertices.
        let mut next = names.iter();
        let mut vertices = Vec::new();
        let mut edges = Vec::new();
        let known = |filler: &ElementFiller<Expr>, variables: &[(String, String)]| {
            filler.variable.as_ref().is_some_and(|name| {
                self.find(&name.text).is_some()
                    || variables.iter().any(|(known, _)| *known == name.text)
            })
        };
        let mut take = |filler: &ElementFiller<Expr>,
                        variables: &mut Vec<(String, String)>|
         -> Result<ElementFiller<Expr>, PgError> {
            let mut bare =
                ElementFiller { labels: filler.labels.clone(), ..ElementFiller::default() };
            if known(filler, variables) {
                bare.variable.clone_from(&filler.variable);
                return Ok(bare);
            }
            let column = next.next().ok_or_else(|| PgError::internal("a new element too many"))?;
            let name = match &filler.variable {
                Some(name) => name.clone(),
                None => Name { text: column.clone(), quoted: true, span: path.span },
            };
            variables.push((name.text.clone(), column.clone()));
            bare.variable = Some(name);
            Ok(bare)
        };
        let mut pending = None;
        for element in &path.elements {
            match element {
                PathElement::Vertex(vertex) => {
                    let filler = take(&vertex.filler, &mut variables)?;
                    if let Some(edge) = pending.take() {
                        let edge: &crate::parser::pattern::EdgePattern<Expr> = edge;
                        let filler = take(&edge.filler, &mut variables)?;
                        edges.push(crate::parser::pattern::EdgePattern { filler, ..edge.clone() });
                    }
                    vertices
                        .push(crate::parser::pattern::VertexPattern { filler, span: vertex.span });
                }
                PathElement::Edge(edge) => pending = Some(edge),
                PathElement::Group(_) => {}
            }
        }
        let mut edges = edges.into_iter();
        for (at, vertex) in vertices.into_iter().enumerate() {
            if at > 0 {
                elements.extend(edges.next().map(PathElement::Edge));
            }
            elements.push(PathElement::Vertex(vertex));
        }
        let tree = PathPattern {
            variable: None,
            prefix: PathPrefix::default(),
            elements,
            span: path.span,
        };
        Ok((tree, variables))
    }

    /// `=` as a condition of a pattern: by bytes that are equal for equal values, so that rows can be looked up by it, and
    /// then as the language has it.
    pub(in crate::planner::bind::cypher) fn equal_by_key(
        &mut self,
        left: Typed,
        right: Typed,
    ) -> Result<PlanExpr, PgError> {
        let plain = |ty: &CypherType| {
            matches!(ty, CypherType::Integer | CypherType::String | CypherType::Boolean)
        };
        let (left, right) = (self.normalized(left), self.normalized(right));
        let open = |ty: &CypherType| matches!(ty, CypherType::Any) || ty.is_temporal();
        let by_key = (open(&left.ty) || open(&right.ty))
            && left.ty != CypherType::Null
            && right.ty != CypherType::Null
            && !left.ty.holds_elements()
            && !right.ty.holds_elements()
            && (open(&left.ty) || plain(&left.ty) || left.ty == CypherType::Float)
            && (open(&right.ty) || plain(&right.ty) || right.ty == CypherType::Float);
        let equal = self.compare(ComparisonOperator::Equal, left.clone(), right.clone())?.expr;
        if !by_key {
            return Ok(equal);
        }
        let key = |value: Typed| Conversion::call(value.expr, value.ty, Target::GroupingKey);
        Ok(key(left).eq(key(right)).and(equal))
    }
}

fn rename(pattern: &mut BoundPattern, from: &str, to: &str) {
    for vertex in &mut pattern.vertices {
        if vertex.variable == from {
            to.clone_into(&mut vertex.variable);
        }
    }
    for edge in &mut pattern.edges {
        if edge.variable == from {
            to.clone_into(&mut edge.variable);
        }
    }
}

fn slot_of(pattern: &BoundPattern, name: &str) -> Result<(Slot, CypherType), PgError> {
    let vertex = pattern.vertices.iter().position(|vertex| vertex.variable == name);
    if let Some(at) = vertex {
        return Ok((Slot::Vertex(at), CypherType::Node));
    }
    let edge = pattern.edges.iter().position(|edge| edge.variable == name);
    edge.map(|at| (Slot::Edge(at), CypherType::Relationship))
        .ok_or_else(|| PgError::internal("an element that is not in the pattern"))
}
