//! `MATCH`, `OPTIONAL MATCH` and `UNWIND`.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, UnnestOptions};
use datafusion::logical_expr::{
    EmptyRelation, Expr as PlanExpr, Extension, LogicalPlan, LogicalPlanBuilder, lit,
};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row};
use super::error;
use super::typed::{Typed, null_of};
use super::walk::{conjuncts, has_subquery};
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::functions::cypher::lambda::{self, ListFunction, ListOperation};
use crate::parser::cypher::{ComparisonOperator, Expr, ExprKind, Match, Unwind};
use crate::parser::pattern::{GraphPattern, Name, PathElement, PathPattern};
use crate::planner::bind::graph::names::Dialect;
use crate::planner::bind::graph::pattern::{
    Outer, PatternDraft, PatternVariable, Predicate, Slot, Surroundings, VariableKind, draft,
    draft_paths,
};
use crate::planner::node::MatchPattern;
use crate::planner::pattern::{BoundPattern, EdgeRule};

impl Binder<'_> {
    pub(super) fn match_clause(&mut self, clause: &Match) -> Result<(), PgError> {
        let Match { optional, pattern, span: _ } = clause;
        self.nulls_as_elements(pattern)?;
        if let Some((pattern, renamed)) = self.without_bound_lists(pattern) {
            self.match_clause(&Match { optional: *optional, pattern, span: clause.span })?;
            self.scope.retain(|binding| !renamed.contains(&binding.name));
            return Ok(());
        }
        let deferred = pattern
            .condition
            .as_ref()
            .is_some_and(|condition| conjuncts(condition).into_iter().any(has_subquery));
        if *optional && deferred {
            return self.optional_by_join(pattern);
        }
        self.match_pattern(pattern, *optional)
    }

    /// Variables that are certainly null and stand for elements in the pattern become elements that are null.
    fn nulls_as_elements(&mut self, pattern: &GraphPattern<Expr>) -> Result<(), PgError> {
        let mut columns = Vec::new();
        for element in pattern.paths.iter().flat_map(|path| &path.elements) {
            let (filler, ty) = match element {
                PathElement::Vertex(vertex) => (&vertex.filler, CypherType::Node),
                PathElement::Edge(edge) if edge.quantifier.is_none() => {
                    (&edge.filler, CypherType::Relationship)
                }
                PathElement::Edge(_) | PathElement::Group(_) => continue,
            };
            let Some(name) = &filler.variable else { continue };
            let at = self.scope.iter().rposition(|binding| binding.name == name.text);
            let is_null = |at: &usize| {
                self.scope.get(*at).is_some_and(|binding| binding.ty == CypherType::Null)
            };
            let Some(at) = at.filter(is_null) else { continue };
            let known = self.fresh();
            if let Some(binding) = self.scope.get_mut(at) {
                columns.push((null_of(&ty), known.clone()));
                (binding.expr, binding.ty) = (column(&known), ty);
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        let own = self.plan.schema().columns().into_iter();
        let own = own.map(|column| (PlanExpr::Column(column.clone()), column.name));
        self.project(own.chain(columns).collect())
    }

    /// `()-[rs*]->()` where `rs` is known: a walk along any relationships that are those of `rs`. The pattern, and the
    /// names it gives to the relationships walked.
    fn without_bound_lists(
        &self,
        pattern: &GraphPattern<Expr>,
    ) -> Option<(GraphPattern<Expr>, Vec<String>)> {
        let relationships = CypherType::list(CypherType::Relationship);
        let mut changed = pattern.clone();
        let mut renamed = Vec::new();
        let mut conditions = Vec::new();
        for element in changed.paths.iter_mut().flat_map(|path| &mut path.elements) {
            let PathElement::Edge(edge) = element else { continue };
            let (Some(_), Some(name)) = (&edge.quantifier, &mut edge.filler.variable) else {
                continue;
            };
            if self.find(&name.text).is_none_or(|binding| binding.ty != relationships) {
                continue;
            }
            let variable =
                |name: &Name| Expr { kind: ExprKind::Variable(name.clone()), span: name.span };
            let walked = Name { text: self.fresh(), ..name.clone() };
            let rest = vec![(ComparisonOperator::Equal, variable(name))];
            let first = Box::new(variable(&walked));
            conditions.push(Expr { kind: ExprKind::Comparison { first, rest }, span: name.span });
            renamed.push(walked.text.clone());
            *name = walked;
        }
        if renamed.is_empty() {
            return None;
        }
        conditions.extend(changed.condition.take());
        let span = changed.span;
        changed.condition = Some(Expr { kind: ExprKind::And(conditions), span });
        Some((changed, renamed))
    }

    /// Appends a match of `pattern`; what its condition asks of other patterns is filtered above it.
    pub(super) fn match_pattern(
        &mut self,
        pattern: &GraphPattern<Expr>,
        optional: bool,
    ) -> Result<(), PgError> {
        let drafted = self.draft(pattern)?;
        self.place = AggregatePlace::Forbidden("MATCH");
        let (now, later): (Vec<_>, Vec<_>) = pattern
            .condition
            .as_ref()
            .map(conjuncts)
            .unwrap_or_default()
            .into_iter()
            .partition(|condition| !has_subquery(condition));
        self.append_match(drafted, &now, optional)?;
        for condition in later {
            let condition = self.condition(condition)?;
            self.filter(condition)?;
        }
        Ok(())
    }

    fn draft<'a>(
        &self,
        pattern: &'a GraphPattern<Expr>,
    ) -> Result<PatternDraft<'a, Expr>, PgError> {
        let outer = |name: &str| self.outer(name);
        let mut fresh = || self.fresh();
        draft(
            pattern,
            Surroundings {
                graph: self.graph()?,
                dialect: Dialect::Cypher,
                outer: &outer,
                fresh: &mut fresh,
            },
        )
    }

    /// Appends a match of one path, as a predicate or comprehension has it.
    pub(super) fn match_path(
        &mut self,
        path: &PathPattern<Expr>,
        condition: Option<&Expr>,
    ) -> Result<(), PgError> {
        let drafted = {
            let outer = |name: &str| self.outer(name);
            let mut fresh = || self.fresh();
            let surroundings = Surroundings {
                graph: self.graph()?,
                dialect: Dialect::Cypher,
                outer: &outer,
                fresh: &mut fresh,
            };
            draft_paths([path], None, EdgeRule::Distinct, surroundings)?
        };
        let (now, later): (Vec<_>, Vec<_>) = condition
            .map(conjuncts)
            .unwrap_or_default()
            .into_iter()
            .partition(|part| !has_subquery(part));
        self.append_match(drafted, &now, false)?;
        for condition in later {
            let condition = self.condition(condition)?;
            self.filter(condition)?;
        }
        Ok(())
    }

    pub(super) fn outer(&self, name: &str) -> Option<Outer> {
        let binding = self.find(name)?;
        let element = |kind| match &binding.expr {
            PlanExpr::Column(column) => Some(Outer::Element { column: column.name.clone(), kind }),
            _ => None,
        };
        let known = match &binding.ty {
            CypherType::Node => element(VariableKind::Vertex),
            CypherType::Relationship => element(VariableKind::Edge),
            CypherType::List(inner) if **inner == CypherType::Relationship => {
                element(VariableKind::EdgeList)
            }
            _ => None,
        };
        Some(known.unwrap_or_else(|| Outer::Other { ty: binding.ty.to_string() }))
    }

    pub(super) fn append_match(
        &mut self,
        drafted: PatternDraft<'_, Expr>,
        conditions: &[&Expr],
        optional: bool,
    ) -> Result<(), PgError> {
        let PatternDraft { mut pattern, variables, predicates, equal, groups } = drafted;
        for group in groups {
            let body = self.repeated(group.draft)?;
            if let Some(edge) = pattern.edges.get_mut(group.edge)
                && let Some(group) = &mut edge.group
            {
                group.body = body;
            }
        }
        self.know_labels(&pattern);
        self.push_variables(&variables);
        let own = own_columns(&pattern);
        let mut filters = same_vertices(&pattern, &equal);
        for (slot, predicate) in &predicates {
            let condition = self.element_predicate(&pattern, *slot, predicate)?;
            attach(&mut pattern, *slot, condition, &own, &mut filters);
        }
        for condition in conditions {
            let condition = self.condition(condition)?;
            let slot = only_element(&pattern, &condition, &own).unwrap_or(Slot::Pattern);
            attach(&mut pattern, slot, condition, &own, &mut filters);
        }
        let filter = filters.into_iter().reduce(PlanExpr::and);
        let plan = std::mem::replace(&mut self.plan, one_row());
        let node = MatchPattern::try_new(input_of(plan), pattern, filter, optional)?;
        self.plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        Ok(())
    }

    fn push_variables(&mut self, variables: &[PatternVariable]) {
        for variable in variables {
            let ty = match variable.kind {
                VariableKind::Vertex => CypherType::Node,
                VariableKind::Edge => CypherType::Relationship,
                VariableKind::EdgeList => CypherType::list(CypherType::Relationship),
                VariableKind::VertexList => CypherType::list(CypherType::Node),
                VariableKind::Path => CypherType::Path,
            };
            self.scope.push(Binding {
                name: variable.name.clone(),
                expr: column(&variable.column),
                ty,
            });
        }
    }

    /// The matches of a repeated pattern, in which its variables stand for single elements.
    fn repeated(&mut self, drafted: PatternDraft<'_, Expr>) -> Result<Arc<LogicalPlan>, PgError> {
        let PatternDraft { mut pattern, variables, predicates, equal, groups: _ } = drafted;
        let known = self.scope.len();
        self.know_labels(&pattern);
        self.push_variables(&variables);
        let own = own_columns(&pattern);
        let mut filters = same_vertices(&pattern, &equal);
        for (slot, predicate) in &predicates {
            let condition = self.element_predicate(&pattern, *slot, predicate)?;
            if !columns_of(&condition).is_subset(&own) {
                return Err(PgError::unsupported(
                    "a condition in a repeated pattern cannot read variables from outside of it",
                    "Compare them in the WHERE behind the pattern, with all(x IN list WHERE …).",
                ));
            }
            attach(&mut pattern, *slot, condition, &own, &mut filters);
        }
        self.scope.truncate(known);
        let filter = filters.into_iter().reduce(PlanExpr::and);
        let node = MatchPattern::try_new(None, pattern, filter, false)?;
        Ok(Arc::new(LogicalPlan::Extension(Extension { node: Arc::new(node) })))
    }

    /// Remembers what the pattern asks of the labels of its elements.
    pub(super) fn know_labels(&mut self, pattern: &BoundPattern) {
        let Some(open) = &pattern.open else { return };
        let vertices = pattern.vertices.iter().map(|vertex| (&vertex.variable, vertex.bound));
        let edges = pattern.edges.iter().map(|edge| (&edge.variable, edge.bound));
        let known = vertices.zip(open.vertices.iter().map(Some).chain(std::iter::repeat(None)));
        let known_edges = edges.zip(open.edges.iter().map(Some).chain(std::iter::repeat(None)));
        for ((name, bound), tests) in known.chain(known_edges) {
            let slot = self.labels.entry(name.clone()).or_default();
            if !bound {
                slot.clear();
            }
            slot.extend(tests.into_iter().flatten().cloned());
        }
    }

    fn element_predicate(
        &mut self,
        pattern: &BoundPattern,
        slot: Slot,
        predicate: &Predicate<'_, Expr>,
    ) -> Result<PlanExpr, PgError> {
        let (name, ty) = match slot {
            Slot::Vertex(at) => {
                (pattern.vertices.get(at).map(|vertex| &vertex.variable), CypherType::Node)
            }
            Slot::Edge(at) => {
                (pattern.edges.get(at).map(|edge| &edge.variable), CypherType::Relationship)
            }
            Slot::Pattern | Slot::Path(_) => (None, CypherType::Null),
        };
        let element = name.map(|name| Typed::new(column(name), ty));
        match (predicate, element) {
            (Predicate::Property(key, value), Some(element)) => {
                let property = self.property(element, key)?;
                let value = self.expr(value)?;
                self.equal_by_key(property, value)
            }
            (Predicate::Property(..), None) => {
                Err(PgError::internal("properties without an element"))
            }
            (Predicate::Condition(condition), element) => {
                // Inside a quantified edge its variable is one edge.
                let single = match (slot, &element) {
                    (Slot::Edge(at), Some(element))
                        if pattern.edges.get(at).is_some_and(|edge| edge.quantifier.is_some()) =>
                    {
                        self.scope.iter().position(|binding| binding.expr == element.expr)
                    }
                    _ => None,
                };
                let list = match single.and_then(|at| self.scope.get_mut(at)) {
                    Some(binding) => {
                        Some(std::mem::replace(&mut binding.ty, CypherType::Relationship))
                    }
                    None => None,
                };
                if has_subquery(condition) {
                    return Err(error::unsupported(
                        "a pattern inside the WHERE of an element",
                        condition.span,
                    ));
                }
                let bound = self.condition(condition);
                if let (Some(list), Some(binding)) =
                    (list, single.and_then(|at| self.scope.get_mut(at)))
                {
                    binding.ty = list;
                }
                bound
            }
        }
    }

    pub(super) fn unwind(&mut self, clause: &Unwind) -> Result<(), PgError> {
        let Unwind { list, variable, span: _ } = clause;
        self.place = AggregatePlace::Forbidden("UNWIND");
        if self.find(&variable.text).is_some() {
            return Err(error::already_bound(&variable.text, variable.span));
        }
        let value = self.expr(list)?;
        let value = self.normalized(value);
        let name = self.column_name(&variable.text);
        let mut columns = self
            .plan
            .schema()
            .columns()
            .into_iter()
            .map(|column| (PlanExpr::Column(column.clone()), column.name))
            .collect::<Vec<_>>();
        let element = match value.ty {
            CypherType::Null => {
                columns.push((null_of(&CypherType::Null), name.clone()));
                self.project(columns)?;
                self.filter(lit(false))?;
                self.scope.push(Binding {
                    name: variable.text.clone(),
                    expr: column(&name),
                    ty: CypherType::Null,
                });
                return Ok(());
            }
            CypherType::List(element) => {
                columns.push((value.expr, name.clone()));
                *element
            }
            CypherType::Any => {
                let list = CypherType::list(CypherType::Any);
                columns.push((self.coerce(value, &list)?, name.clone()));
                CypherType::Any
            }
            ty => {
                return Err(error::wrong_type(
                    format!("UNWIND needs a list, not a value of type {ty}"),
                    list.span,
                ));
            }
        };
        self.project(columns)?;
        let plan = std::mem::replace(&mut self.plan, one_row());
        let options = UnnestOptions::new().with_preserve_nulls(false);
        self.plan = LogicalPlanBuilder::from(plan)
            .unnest_column_with_options(Column::new_unqualified(name.clone()), options)?
            .build()?;
        self.scope.push(Binding { name: variable.text.clone(), expr: column(&name), ty: element });
        Ok(())
    }
}

/// The input of a pattern: nothing where there is but one row without columns.
pub(super) fn input_of(plan: LogicalPlan) -> Option<Arc<LogicalPlan>> {
    match plan {
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema })
            if schema.fields().is_empty() =>
        {
            None
        }
        plan => Some(Arc::new(plan)),
    }
}

/// Conditions that pairs of vertices are the same.
fn same_vertices(pattern: &BoundPattern, equal: &[(usize, usize)]) -> Vec<PlanExpr> {
    let pairs = equal.iter().filter_map(|(left, right)| {
        Some((pattern.vertices.get(*left)?, pattern.vertices.get(*right)?))
    });
    pairs.map(|(left, right)| column(&left.variable).eq(column(&right.variable))).collect()
}

/// Columns the pattern makes.
pub(super) fn own_columns(pattern: &BoundPattern) -> BTreeSet<String> {
    let vertices =
        pattern.vertices.iter().filter(|vertex| !vertex.bound).map(|vertex| &vertex.variable);
    let edges = pattern.edges.iter().filter(|edge| !edge.bound).map(|edge| &edge.variable);
    let paths = pattern.paths.iter().filter_map(|path| path.variable.as_ref());
    let groups = pattern.edges.iter().filter_map(|edge| edge.group.as_ref());
    let inside = groups.flat_map(|group| group.elements.iter().filter_map(|it| it.output.as_ref()));
    vertices.chain(edges).chain(paths).chain(inside).cloned().collect()
}

/// Names of the columns an expression reads.
pub(super) fn columns_of(expr: &PlanExpr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // The visitor never fails.
    let _ = expr.apply(|expr| {
        if let PlanExpr::Column(column) = expr {
            names.insert(column.name.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    names
}

/// The one unquantified element that a condition of the whole pattern is about, if it is about one.
fn only_element(
    pattern: &BoundPattern,
    condition: &PlanExpr,
    own: &BTreeSet<String>,
) -> Option<Slot> {
    let used = columns_of(condition);
    let mut used = used.intersection(own);
    let (Some(name), None) = (used.next(), used.next()) else { return None };
    if pattern.is_selected_by_path(name) {
        return None;
    }
    if let Some(at) = pattern.vertices.iter().position(|vertex| vertex.variable == *name) {
        return Some(Slot::Vertex(at));
    }
    pattern
        .edges
        .iter()
        .position(|edge| edge.variable == *name && edge.quantifier.is_none())
        .map(Slot::Edge)
}

/// Puts a predicate where it belongs: in its element if it is about that alone, else on the whole pattern.
pub(super) fn attach(
    pattern: &mut BoundPattern,
    slot: Slot,
    condition: PlanExpr,
    own: &BTreeSet<String>,
    filters: &mut Vec<PlanExpr>,
) {
    let used = columns_of(&condition);
    let local = |name: &str| used.intersection(own).all(|used| used == name);
    let place = match slot {
        Slot::Vertex(at) => pattern
            .vertices
            .get_mut(at)
            .filter(|vertex| local(&vertex.variable))
            .map(|vertex| &mut vertex.predicate),
        Slot::Edge(at) => match pattern.edges.get_mut(at) {
            Some(edge) if local(&edge.variable) => Some(&mut edge.predicate),
            Some(edge) if edge.quantifier.is_some() => {
                // Of each edge of the list, beside other elements.
                filters.push(for_each_edge(&edge.variable, condition));
                return;
            }
            _ => None,
        },
        Slot::Path(at) => pattern.paths.get_mut(at).map(|path| &mut path.condition),
        Slot::Pattern => None,
    };
    match place {
        Some(place) => {
            *place = Some(match place.take() {
                Some(before) => before.and(condition),
                None => condition,
            });
        }
        None => filters.push(condition),
    }
}

/// `all(e IN edges WHERE condition)`, the condition being over one edge under the list's name.
fn for_each_edge(edges: &str, condition: PlanExpr) -> PlanExpr {
    let name = format!("{edges}#");
    let body = condition.transform(|expr| match &expr {
        PlanExpr::Column(column) if column.relation.is_none() && column.name == edges => {
            Ok(Transformed::yes(lambda::variable(&name, &CypherType::Relationship)))
        }
        _ => Ok(Transformed::no(expr)),
    });
    match body {
        Ok(body) => ListFunction::quantifier(
            ListOperation::All,
            column(edges),
            &CypherType::Relationship,
            &name,
            body.data,
        ),
        // The rewriting never fails.
        Err(_) => lit(false),
    }
}
