//! The logical node for a graph pattern.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use super::{has_subquery, pattern_column};
use crate::error::PgError;
use crate::planner::pattern::{BoundPattern, PatternEdge, PatternGroup};

/// All matches of a pattern, for each row of the input if there is one.
///
/// ```text
/// input   columns of earlier clauses (any), among them the elements marked `bound`
/// output  input columns, then one column for each element that is not bound, in the order
///         vertices, edges, path variables:
///             vertex           UInt64 (ElementRef), not null
///             edge             UInt64 (ElementRef), not null
///             quantified edge  List<UInt64>; UInt64, perhaps null, if it is written with `?`
///             group variable   the same, after the edges, for each variable of a repeated pattern
///             path variable    Struct{vertices: List<UInt64>, edges: List<UInt64>}
/// ```
///
/// With `optional`, an input row without a match is given once with nulls (`OPTIONAL MATCH`); predicates that decide
/// about a match must then be inside the node (`filter`), not above it.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchPattern {
    /// Rows to match for; none means one empty row.
    pub input: Option<Arc<LogicalPlan>>,
    /// What to match.
    pub pattern: BoundPattern,
    /// A condition over the output columns that a match must satisfy.
    pub filter: Option<Expr>,
    /// Keep input rows without a match.
    pub optional: bool,
    /// Whose rights count: the owner of the view it stands in; `None` is the caller.
    pub as_role: Option<crate::types::Oid>,
    /// Which elements of which tables there are, for tables that are not to be seen as a whole. At most one for each.
    pub guards: Vec<ElementGuard>,
    /// Conditions without columns that DataFusion pushed where there is no input to push them to; for finished matches.
    pub above: Vec<Expr>,
    schema: DFSchemaRef,
}

/// An element table of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// By its index in [`crate::catalog::PropertyGraph::vertices`].
    Vertex(u16),
    /// By its index in [`crate::catalog::PropertyGraph::edges`].
    Edge(u16),
}

/// Hides elements of one table from a pattern: every other element of it is not there, neither as a match, nor on the way
/// of a path, nor for a count.
///
/// An edge is hidden too if one of the vertices it joins is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ElementGuard {
    /// The table.
    pub element: Element,
    /// The row ids (one `UInt64` column) of the elements that are there: a projection of [`super::RowPolicy`] over a scan,
    /// or no rows at all for a table that is hidden as a whole.
    pub plan: Arc<LogicalPlan>,
    /// Whether the plan is not among the inputs of the pattern for now, so that rules and planners that have nothing to do
    /// there do not go through it.
    pub apart: bool,
}

impl ElementGuard {
    /// A guard whose plan is an input of the pattern.
    pub fn new(element: Element, plan: LogicalPlan) -> Self {
        Self { element, plan: Arc::new(plan), apart: false }
    }
}

/// The Arrow type of a path column.
pub fn path_type() -> DataType {
    let list = || DataType::List(Arc::new(Field::new("item", DataType::UInt64, true)));
    DataType::Struct(Fields::from(vec![
        Field::new("vertices", list(), false),
        Field::new("edges", list(), false),
    ]))
}

impl MatchPattern {
    /// A match of `pattern` for each row of `input`.
    pub fn try_new(
        input: Option<Arc<LogicalPlan>>,
        pattern: BoundPattern,
        filter: Option<Expr>,
        optional: bool,
    ) -> Result<Self> {
        let mut fields: Vec<(Option<datafusion::common::TableReference>, FieldRef)> = match &input {
            Some(input) => input
                .schema()
                .iter()
                .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
                .collect(),
            None => Vec::new(),
        };
        let own = |name: &str, ty| (None, Arc::new(Field::new(name, ty, optional)));
        for vertex in pattern.vertices.iter().filter(|vertex| !vertex.bound) {
            fields.push(own(&vertex.variable, DataType::UInt64));
        }
        let list = || DataType::List(Arc::new(Field::new("item", DataType::UInt64, true)));
        let elements = |optional| if optional { DataType::UInt64 } else { list() };
        let maybe = |name: &str, ty| (None, Arc::new(Field::new(name, ty, true)));
        for edge in pattern.edges.iter().filter(|edge| !edge.bound) {
            fields.push(match edge.quantifier {
                None => own(&edge.variable, DataType::UInt64),
                Some(_) if edge.optional && edge.group.is_none() => {
                    maybe(&edge.variable, DataType::UInt64)
                }
                Some(_) => own(&edge.variable, list()),
            });
        }
        for (edge, group) in groups(&pattern) {
            for name in group.elements.iter().filter_map(|element| element.output.as_deref()) {
                fields.push(maybe(name, elements(edge.optional)));
            }
        }
        for variable in pattern.paths.iter().filter_map(|path| path.variable.as_deref()) {
            fields.push(own(variable, path_type()));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self {
            input,
            pattern,
            filter,
            optional,
            as_role: None,
            guards: Vec::new(),
            above: Vec::new(),
            schema,
        })
    }

    /// The same node with another condition.
    #[must_use]
    pub fn with_filter(&self, filter: Option<Expr>) -> Self {
        Self { filter, ..self.clone() }
    }

    /// The same node with other guards.
    #[must_use]
    pub fn with_guards(&self, guards: Vec<ElementGuard>) -> Self {
        Self { guards, ..self.clone() }
    }

    /// A plan in whose patterns the guards that are `wanted` are as `change` makes them.
    ///
    /// # Errors
    /// What `change` raises.
    pub fn change_guards(
        plan: LogicalPlan,
        wanted: impl Fn(&ElementGuard) -> bool,
        change: impl Fn(ElementGuard) -> Result<ElementGuard>,
    ) -> Result<LogicalPlan> {
        fn guarded(
            node: &LogicalPlan,
            wanted: impl Fn(&ElementGuard) -> bool,
        ) -> Option<&MatchPattern> {
            MatchPattern::of(node).filter(|pattern| pattern.guards.iter().any(wanted))
        }
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            found |= guarded(node, &wanted).is_some();
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if !found {
            return Ok(plan);
        }
        let changed = plan.transform_down_with_subqueries(|node| {
            let Some(pattern) = guarded(&node, &wanted) else { return Ok(Transformed::no(node)) };
            let mut pattern = pattern.clone();
            for guard in pattern.guards.iter_mut().filter(|guard| wanted(guard)) {
                *guard = change(guard.clone())?;
            }
            // Going on would only make the same pattern again.
            let next = if pattern.is_leaf() {
                TreeNodeRecursion::Jump
            } else {
                TreeNodeRecursion::Continue
            };
            let node = LogicalPlan::Extension(Extension { node: Arc::new(pattern) });
            Ok(Transformed::new(node, true, next))
        })?;
        Ok(changed.data)
    }

    /// The pattern that a node is.
    pub fn of(node: &LogicalPlan) -> Option<&Self> {
        let LogicalPlan::Extension(extension) = node else { return None };
        extension.node.as_any().downcast_ref()
    }

    /// Whether no other plans are in it: neither inputs nor subqueries.
    pub fn is_leaf(&self) -> bool {
        self.input.is_none()
            && self.planned_guards().next().is_none()
            && groups(&self.pattern).next().is_none()
            && !self.conditions().chain(&self.above).any(has_subquery)
    }

    /// What elements, paths and a match as a whole must satisfy.
    fn conditions(&self) -> impl Iterator<Item = &Expr> {
        let pattern = &self.pattern;
        let vertices = pattern.vertices.iter().filter_map(|vertex| vertex.predicate.as_ref());
        let edges = pattern.edges.iter().filter_map(|edge| edge.predicate.as_ref());
        let paths = pattern.paths.iter().filter_map(|path| path.condition.as_ref());
        vertices.chain(edges).chain(paths).chain(&self.filter)
    }

    /// The guards whose plans are inputs.
    fn planned_guards(&self) -> impl Iterator<Item = &ElementGuard> {
        self.guards.iter().filter(|guard| !guard.apart)
    }

    /// The element tables that any part of a match may come from, the vertices inside walks among them.
    pub fn elements(&self) -> BTreeSet<Element> {
        let pattern = &self.pattern;
        let vertices = pattern.vertices.iter().flat_map(|vertex| &vertex.tables);
        let mut elements: BTreeSet<Element> = vertices.map(|at| Element::Vertex(*at)).collect();
        for at in pattern.edges.iter().flat_map(|edge| &edge.tables) {
            elements.insert(Element::Edge(*at));
            if let Some(edge) = pattern.graph.edges.get(usize::from(*at)) {
                elements.insert(Element::Vertex(edge.source.vertex as u16));
                elements.insert(Element::Vertex(edge.destination.vertex as u16));
            }
        }
        elements
    }

    /// Predicates as others may see them: see [`super::pattern_column`].
    fn closed_predicates(&self) -> Result<Vec<Expr>> {
        let mut elements = HashMap::new();
        let mut columns = HashMap::new();
        for vertex in self.pattern.vertices.iter().filter(|vertex| !vertex.bound) {
            elements.insert(vertex.variable.as_str(), DataType::UInt64);
        }
        for edge in self.pattern.edges.iter().filter(|edge| !edge.bound) {
            // In the predicate of a quantified edge its column is one edge, not the list.
            elements.insert(edge.variable.as_str(), DataType::UInt64);
        }
        let inputs = self.input.as_ref().map_or(0, |input| input.schema().fields().len());
        for field in self.schema.fields().iter().skip(inputs) {
            columns.insert(field.name().as_str(), field.data_type().clone());
        }
        let vertices = self.pattern.vertices.iter().filter_map(|vertex| vertex.predicate.as_ref());
        let edges = self.pattern.edges.iter().filter_map(|edge| edge.predicate.as_ref());
        let filter =
            self.filter.iter().map(|filter| pattern_column::close(filter.clone(), &columns));
        let paths = self.pattern.paths.iter().filter_map(|path| path.condition.as_ref());
        let paths = paths.map(|condition| pattern_column::close(condition.clone(), &columns));
        vertices
            .chain(edges)
            .map(|predicate| pattern_column::close(predicate.clone(), &elements))
            .chain(paths)
            .chain(filter)
            .collect()
    }
}

/// The edges that are repeated patterns, in order.
fn groups(pattern: &BoundPattern) -> impl Iterator<Item = (&PatternEdge, &PatternGroup)> {
    pattern.edges.iter().filter_map(|edge| Some((edge, edge.group.as_ref()?)))
}

/// A plan under a node, and the condition that DataFusion pushed to it: it pushes one to every input of a node.
fn without_pushed(
    plan: LogicalPlan,
    before: &Arc<LogicalPlan>,
) -> (Arc<LogicalPlan>, Option<Expr>) {
    match plan {
        LogicalPlan::Filter(filter) if filter.input == *before => {
            (filter.input, Some(filter.predicate))
        }
        other => (Arc::new(other), None),
    }
}

impl Eq for MatchPattern {}

impl Hash for MatchPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.pattern.graph.oid.hash(state);
        for vertex in &self.pattern.vertices {
            vertex.variable.hash(state);
            vertex.tables.hash(state);
        }
        for edge in &self.pattern.edges {
            edge.variable.hash(state);
            edge.tables.hash(state);
        }
        self.filter.hash(state);
        self.optional.hash(state);
        // Those that are apart do not change under a rule.
        self.planned_guards().for_each(|guard| guard.hash(state));
    }
}

impl PartialOrd for MatchPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for MatchPattern {
    fn name(&self) -> &str {
        "MatchPattern"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        let guards = self.planned_guards().map(|guard| guard.plan.as_ref());
        let bodies = groups(&self.pattern).map(|(_, group)| group.body.as_ref());
        self.input.as_deref().into_iter().chain(guards).chain(bodies).collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        // Rewriting a column cannot fail.
        let mut predicates = self.closed_predicates().unwrap_or_default();
        predicates.extend(self.above.iter().cloned());
        predicates
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let all = |plan: &LogicalPlan| (0..plan.schema().fields().len()).collect::<Vec<_>>();
        let guards = self.planned_guards().map(|guard| all(&guard.plan));
        let guards = guards.chain(groups(&self.pattern).map(|(_, group)| all(&group.body)));
        let Some(input) = &self.input else { return Some(guards.collect()) };
        let schema = input.schema();
        let vertices = self.pattern.vertices.iter().filter(|vertex| vertex.bound);
        let edges = self.pattern.edges.iter().filter(|edge| edge.bound);
        let bound = vertices
            .map(|vertex| &vertex.variable)
            .chain(edges.map(|edge| &edge.variable))
            .map(|name| schema.index_of_column_by_name(None, name))
            .collect::<Option<Vec<_>>>()?;
        let read = self
            .conditions()
            .flat_map(Expr::column_refs)
            .filter_map(|column| schema.maybe_index_of_column(column));
        let passed = output_columns.iter().copied().filter(|at| *at < schema.fields().len());
        let mut needed: Vec<usize> = bound.into_iter().chain(read).chain(passed).collect();
        needed.sort_unstable();
        needed.dedup();
        Some(std::iter::once(needed).chain(guards).collect())
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // A condition on an input row alone may be tested before the row is matched, optional or not.
        let own = self.input.as_ref().map_or(0, |input| input.schema().fields().len());
        let names = self.schema.fields().iter().skip(own).map(|field| field.name().clone());
        names.collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.optional { "MatchPattern (optional): " } else { "MatchPattern: " })?;
        write!(f, "{}", self.pattern)?;
        match &self.filter {
            Some(filter) => write!(f, " where {filter}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(
        &self,
        exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let mut pattern = self.pattern.clone();
        let mut exprs =
            exprs.into_iter().map(pattern_column::open).collect::<Result<Vec<_>>>()?.into_iter();
        for vertex in &mut pattern.vertices {
            vertex.predicate = vertex.predicate.as_ref().and_then(|_| exprs.next());
        }
        for edge in &mut pattern.edges {
            edge.predicate = edge.predicate.as_ref().and_then(|_| exprs.next());
        }
        for path in &mut pattern.paths {
            path.condition = path.condition.as_ref().and_then(|_| exprs.next());
        }
        let filter = self.filter.as_ref().and_then(|_| exprs.next());
        let given = usize::from(self.input.is_some());
        if inputs.len() != given + self.planned_guards().count() + groups(&self.pattern).count() {
            return Err(PgError::internal("a pattern has not the inputs it had").into());
        }
        let mut above: Vec<Expr> = exprs.collect();
        let mut plans = inputs.split_off(given).into_iter();
        // The same condition comes for each input; it is lost unless one of them keeps it.
        let mut kept = self.input.is_some();
        let mut keep = |pushed: Option<Expr>| {
            if !kept {
                above.extend(pushed);
                kept = true;
            }
        };
        let mut guards = self.guards.clone();
        let planned = guards.iter_mut().filter(|guard| !guard.apart);
        for (guard, plan) in planned.zip(&mut plans) {
            let (plan, pushed) = without_pushed(plan, &guard.plan);
            guard.plan = plan;
            keep(pushed);
        }
        let bodies = pattern.edges.iter_mut().filter_map(|edge| edge.group.as_mut());
        for (group, plan) in bodies.zip(&mut plans) {
            let (body, pushed) = without_pushed(plan, &group.body);
            group.body = body;
            keep(pushed);
        }
        let input = inputs.pop().map(Arc::new);
        let node = Self::try_new(input, pattern, filter, self.optional)?;
        Ok(Self { guards, above, as_role: self.as_role, ..node })
    }
}

impl fmt::Display for BoundPattern {
    /// `(a:0)-[e:0 {1,3}]->(b:0,1)`, numbers being element tables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::planner::pattern::Direction;
        let tables =
            |tables: &[u16]| tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        for (at, edge) in self.edges.iter().enumerate() {
            let (left, right) = (&self.vertices[edge.left], &self.vertices[edge.right]);
            let (open, close) = match edge.direction {
                Direction::Right => ("-", "->"),
                Direction::Left => ("<-", "-"),
                Direction::Any => ("-", "-"),
            };
            let repeat = edge.quantifier.map_or_else(String::new, |quantifier| {
                let max = quantifier.max.map_or_else(String::new, |max| max.to_string());
                format!(" {{{},{max}}}", quantifier.min)
            });
            let comma = if at == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}({}:{}){open}[{}:{}{repeat}]{close}({}:{})",
                left.variable,
                tables(&left.tables),
                edge.variable,
                tables(&edge.tables),
                right.variable,
                tables(&right.tables)
            )?;
        }
        if self.edges.is_empty() {
            for vertex in &self.vertices {
                write!(f, "({}:{})", vertex.variable, tables(&vertex.tables))?;
            }
        }
        for predicate in self
            .vertices
            .iter()
            .filter_map(|vertex| vertex.predicate.as_ref())
            .chain(self.edges.iter().filter_map(|edge| edge.predicate.as_ref()))
        {
            write!(f, " [{predicate}]")?;
        }
        Ok(())
    }
}
