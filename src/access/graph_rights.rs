//! Rights on parts of a graph, by label and property: what a role may not see is not there for it.
//!
//! An element table has its labels for good, so a hidden label hides tables, and a pattern is restricted by leaving them
//! out of it: every lowering of the pattern, paths and searches and counts among them, then never meets a hidden element.
//! An edge is hidden with either of its ends. A property that may not be read is null.
//!
//! Where a role has no rule for a graph, its rights on the element tables decide alone, and a missing one is an error.
//! With a rule, an element is seen if a rule grants it or the tables' rights do, and no rule denies it.
//!
//! Source: the rules are Neo4j's (Operations Manual, "Fine-grained access control": DENY wins, hidden data is absent).

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};

use super::caller::Caller;
use super::privilege::has_whole;
use super::require::{AsRole, Right};
use crate::catalog::{
    Catalog, ElementTable, GraphRight, GraphRule, PUBLIC, PropertyGraph, PropertySource, Relation,
    Rights, RoleSet,
};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::roles::{GraphAction, GraphElements, GraphRightsChange, GraphVerb};
use crate::planner::node::{GraphFunction, GraphFunctionKind, MatchPattern};
use crate::types::Oid;

/// Grants, denies or revokes rights on parts of a graph.
///
/// # Errors
/// `42501` unless the caller owns the graph.
pub fn change(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &GraphRightsChange,
) -> Result<(), PgError> {
    let Some(relation) = catalog.relation(change.graph).cloned() else { return Ok(()) };
    if !caller.has(relation.owner) {
        return Err(super::privilege::denied(&relation, Right::Own));
    }
    let mut rules = catalog.graph_rules(change.graph).to_vec();
    for rule in rules_of(change)? {
        match change.verb {
            GraphVerb::Grant | GraphVerb::Deny => {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
            GraphVerb::Revoke => {
                rules.retain(|known| GraphRule { deny: rule.deny, ..known.clone() } != rule);
            }
            GraphVerb::RevokeGrant | GraphVerb::RevokeDeny => rules.retain(|known| *known != rule),
        }
    }
    catalog.set_graph_rules(change.graph, rules);
    Ok(())
}

/// A statement's rules, each for one right, kind, label, property and role.
///
/// # Errors
/// `0A000` for rights to write: who may write is decided by the rights on the tables.
fn rules_of(change: &GraphRightsChange) -> Result<Vec<GraphRule>, PgError> {
    let rights: &[GraphRight] = match change.action {
        GraphAction::Traverse => &[GraphRight::Traverse],
        GraphAction::Read => &[GraphRight::Read],
        GraphAction::Match => &[GraphRight::Traverse, GraphRight::Read],
        GraphAction::Create
        | GraphAction::Delete
        | GraphAction::SetProperty
        | GraphAction::Merge
        | GraphAction::Write => {
            return Err(PgError::unsupported(
                "rights to write by label are not supported",
                "Grant INSERT, UPDATE and DELETE on the graph's tables.",
            ));
        }
    };
    let kinds: &[bool] = match change.elements {
        GraphElements::Nodes => &[false],
        GraphElements::Relationships => &[true],
        GraphElements::Both => &[false, true],
    };
    let each = |names: &[String]| match names {
        [] => vec![None],
        names => names.iter().cloned().map(Some).collect::<Vec<_>>(),
    };
    let deny = matches!(change.verb, GraphVerb::Deny | GraphVerb::RevokeDeny);
    let mut rules = Vec::new();
    for role in &change.roles {
        for (right, edges) in rights.iter().flat_map(|right| kinds.iter().map(move |k| (right, k)))
        {
            let properties = match right {
                GraphRight::Read | GraphRight::Set => each(&change.properties),
                _ => vec![None],
            };
            for label in each(&change.labels) {
                for property in &properties {
                    rules.push(GraphRule {
                        role: *role,
                        deny,
                        right: *right,
                        edges: *edges,
                        label: label.clone(),
                        property: property.clone(),
                    });
                }
            }
        }
    }
    Ok(rules)
}

/// The rules of a graph that are about a role, or about everybody.
fn rules_for<'a>(
    catalog: &'a Catalog,
    graph: Oid,
    role: &'a RoleSet,
) -> impl Iterator<Item = &'a GraphRule> + Clone {
    let mine = move |rule: &&GraphRule| rule.role == PUBLIC || role.inherits(rule.role);
    catalog.graph_rules(graph).iter().filter(mine)
}

/// Whether rules decide what a role sees of a graph.
pub(super) fn is_ruled(catalog: &Catalog, graph: Oid, role: &RoleSet) -> bool {
    !role.superuser && rules_for(catalog, graph, role).next().is_some()
}

/// Whether a role may use a graph at all: by SELECT on it, or because a rule grants it something.
pub(super) fn may_use(catalog: &Catalog, graph: Oid, role: &RoleSet) -> bool {
    let by_rule = rules_for(catalog, graph, role).any(|rule| !rule.deny);
    by_rule
        || catalog
            .relation(graph)
            .is_some_and(|relation| has_whole(catalog, relation, Right::Select, role))
}

/// What a role sees of a graph.
pub(super) struct View<'a> {
    catalog: &'a Catalog,
    graph: &'a PropertyGraph,
    role: &'a RoleSet,
    /// SELECT on the graph.
    pub(super) has_graph: bool,
    /// Whether rules on parts of the graph are about the role.
    is_ruled: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(catalog: &'a Catalog, graph: &'a PropertyGraph, role: &'a RoleSet) -> Self {
        let relation = catalog.relation(graph.oid);
        let has_graph =
            relation.is_some_and(|relation| has_whole(catalog, relation, Right::Select, role));
        let is_ruled = is_ruled(catalog, graph.oid, role);
        Self { catalog, graph, role, has_graph, is_ruled }
    }

    /// Whether a rule for a right fits an element table: (granted, denied).
    fn ruled(
        &self,
        element: &ElementTable,
        edges: bool,
        right: GraphRight,
        property: Option<&str>,
    ) -> (bool, bool) {
        let fits = |rule: &&GraphRule| {
            rule.right == right
                && rule.edges == edges
                && rule.label.as_ref().is_none_or(|label| element.has_label(label))
                && (rule.property.is_none() || rule.property.as_deref() == property)
        };
        let mut found = (false, false);
        if !self.is_ruled {
            return found;
        }
        for rule in rules_for(self.catalog, self.graph.oid, self.role).filter(fits) {
            match rule.deny {
                true => found.1 = true,
                false => found.0 = true,
            }
        }
        found
    }

    fn table(&self, element: &ElementTable) -> Option<&'a Arc<Relation>> {
        self.catalog.relation(element.relation)
    }

    /// Whether the role may read these columns of an element's table by its rights on the table.
    fn reads(&self, element: &ElementTable, columns: &[usize]) -> bool {
        let Some(table) = self.table(element) else { return false };
        self.has_graph
            && (has_whole(self.catalog, table, Right::Select, self.role)
                || super::privilege::has_columns(
                    self.catalog,
                    table,
                    Rights::SELECT,
                    self.role,
                    columns.iter().copied(),
                ))
    }

    fn sees(&self, element: &ElementTable, edges: bool) -> bool {
        let (granted, denied) = self.ruled(element, edges, GraphRight::Traverse, None);
        // The tables of an open graph are the server's: who may read the graph may read them.
        let by_graph = self.graph.open.is_some() && self.has_graph;
        !denied && (granted || by_graph || self.reads(element, &element.key))
    }

    pub(super) fn sees_vertex(&self, at: usize) -> bool {
        self.graph.vertices.get(at).is_some_and(|vertex| self.sees(vertex, false))
    }

    pub(super) fn sees_edge(&self, at: usize) -> bool {
        self.graph.edges.get(at).is_some_and(|edge| {
            self.sees(&edge.element, true)
                && self.sees_vertex(edge.source.vertex)
                && self.sees_vertex(edge.destination.vertex)
        })
    }

    /// Whether a property of the elements of a table may be read: those of an open graph by who may read the graph,
    /// unless rules say otherwise.
    pub(super) fn reads_property(
        &self,
        element: &ElementTable,
        edges: bool,
        name: &str,
        source: &PropertySource,
    ) -> bool {
        let (granted, denied) = self.ruled(element, edges, GraphRight::Read, Some(name));
        if denied {
            return false;
        }
        let by_table = || match source {
            _ if self.graph.open.is_some() => self.has_graph,
            PropertySource::Column(column) => self.reads(element, &[*column]),
            PropertySource::Open { .. } | PropertySource::Expression(_) => {
                let columns = self.table(element).map_or(0, |table| table.columns().len());
                self.reads(element, &(0..columns).collect::<Vec<_>>())
            }
        };
        granted || by_table()
    }

    /// Of the elements of an open graph that are seen: whether a property (all properties, if none is named) may be read
    /// of some, and whether it may not of some.
    fn readable_open(&self, edges: bool, name: Option<&str>) -> (bool, bool) {
        let reads = |element: &ElementTable| {
            let (granted, denied) = self.ruled(element, edges, GraphRight::Read, name);
            // A map of all properties is refused for one that may not be read.
            let fits = |rule: &GraphRule| {
                rule.deny
                    && rule.right == GraphRight::Read
                    && rule.edges == edges
                    && rule.label.as_ref().is_none_or(|label| element.has_label(label))
            };
            let denied = denied
                || name.is_none() && rules_for(self.catalog, self.graph.oid, self.role).any(fits);
            !denied && (granted || self.has_graph)
        };
        let (mut some, mut not_all) = (false, false);
        for element in self.seen(edges) {
            match reads(element) {
                true => some = true,
                false => not_all = true,
            }
        }
        (some, not_all)
    }

    /// Whether some property of an element that is seen may not be read.
    fn hides_some(&self, edges: bool) -> bool {
        match self.graph.open {
            Some(_) => self.readable_open(edges, None).1,
            None => self.readable(edges, None).1,
        }
    }

    /// The element tables of one kind that are seen.
    fn seen(&self, edges: bool) -> impl Iterator<Item = &'a ElementTable> {
        let vertices = self.graph.vertices.iter().enumerate();
        let vertices = vertices.filter(move |(at, _)| !edges && self.sees_vertex(*at));
        let all_edges = self.graph.edges.iter().enumerate();
        let all_edges = all_edges.filter(move |(at, _)| edges && self.sees_edge(*at));
        vertices.map(|(_, one)| one).chain(all_edges.map(|(_, one)| &one.element))
    }

    /// Of the elements that are seen and have the property (any property, if none is named): whether some may be read,
    /// and whether some may not.
    fn readable(&self, edges: bool, name: Option<&str>) -> (bool, bool) {
        let (mut some, mut not_all) = (false, false);
        for element in self.seen(edges) {
            let properties = element.labels.iter().flat_map(|label| &label.properties);
            for property in properties.filter(|one| name.is_none_or(|name| one.name == name)) {
                match self.reads_property(element, edges, &property.name, &property.source) {
                    true => some = true,
                    false => not_all = true,
                }
            }
        }
        (some, not_all)
    }
}

/// Leaves out of a plan's patterns what their reader may not see. The plan has the queries of views in their places.
///
/// # Errors
/// `XX000`: our own defect.
pub(super) fn restrict(
    plan: LogicalPlan,
    caller: &Caller,
    catalog: &Catalog,
) -> Result<LogicalPlan, PgError> {
    if !catalog.has_graph_rules() {
        return Ok(plan);
    }
    let restrictor = Restrictor { caller, catalog };
    let roles = reader_roles(&plan)?;
    let plan = plan.transform_down_with_subqueries(|node| {
        let node = restrictor.pattern(node)?;
        node.transform_data(|node| {
            node.map_expressions(|expr| {
                expr.transform_down(|expr| restrictor.function(expr, &roles))
            })
        })
    })?;
    Ok(plan.data)
}

/// Whose rights count for the functions on a graph: that of the patterns over it. Where it is matched both by a caller
/// and through a view, the stricter one: each is asked.
fn reader_roles(plan: &LogicalPlan) -> Result<BTreeMap<Oid, Vec<AsRole>>, PgError> {
    use datafusion::common::tree_node::TreeNodeRecursion;
    let mut roles: BTreeMap<Oid, Vec<AsRole>> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(pattern) = extension.node.as_any().downcast_ref::<MatchPattern>()
        {
            let known = roles.entry(pattern.pattern.graph.oid).or_default();
            if !known.contains(&pattern.as_role) {
                known.push(pattern.as_role);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(roles)
}

struct Restrictor<'a> {
    caller: &'a Caller,
    catalog: &'a Catalog,
}

impl Restrictor<'_> {
    fn role(&self, as_role: AsRole) -> Arc<RoleSet> {
        match as_role {
            None => Arc::clone(self.caller.roles()),
            Some(role) => self.catalog.role_set(role),
        }
    }

    fn pattern(&self, node: LogicalPlan) -> datafusion::common::Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Extension(extension) = &node else { return Ok(Transformed::no(node)) };
        let Some(found) = extension.node.as_any().downcast_ref::<MatchPattern>() else {
            return Ok(Transformed::no(node));
        };
        let role = self.role(found.as_role);
        let graph = Arc::clone(&found.pattern.graph);
        if !is_ruled(self.catalog, graph.oid, &role) {
            return Ok(Transformed::no(node));
        }
        let mut restricted = found.clone();
        let view = View::new(self.catalog, &graph, &role);
        for vertex in &mut restricted.pattern.vertices {
            vertex.tables.retain(|table| view.sees_vertex(usize::from(*table)));
        }
        for edge in &mut restricted.pattern.edges {
            edge.tables.retain(|table| view.sees_edge(usize::from(*table)));
        }
        // Tables that come later are not looked at.
        restricted.pattern.open = None;
        let node = LogicalPlan::Extension(Extension { node: Arc::new(restricted) });
        Ok(Transformed::yes(node))
    }

    /// A property that may not be read is null. Where only some of the elements that have it may be asked for it, and
    /// for an element as a whole that has one of them, the statement is refused.
    fn function(
        &self,
        expr: Expr,
        roles: &BTreeMap<Oid, Vec<AsRole>>,
    ) -> datafusion::common::Result<Transformed<Expr>> {
        let Expr::ScalarFunction(call) = &expr else { return Ok(Transformed::no(expr)) };
        let Some(function) = call.func.inner().downcast_ref::<GraphFunction>() else {
            return Ok(Transformed::no(expr));
        };
        let graph = &function.graph;
        for as_role in roles.get(&graph.oid).map_or(&[None][..], Vec::as_slice) {
            let role = self.role(*as_role);
            if !is_ruled(self.catalog, graph.oid, &role) {
                continue;
            }
            let view = View::new(self.catalog, graph, &role);
            let (some, not_all) = match &function.kind {
                GraphFunctionKind::Property { name, edge, ty: _ } => {
                    view.readable(*edge, Some(name))
                }
                // Properties of an open graph are not in its definition.
                GraphFunctionKind::OpenProperty { name, edge, ty: _ } => {
                    view.readable_open(*edge, Some(name))
                }
                GraphFunctionKind::Properties { edge }
                | GraphFunctionKind::PropertyMap { edge }
                | GraphFunctionKind::Keys { edge }
                | GraphFunctionKind::ElementJson { edge } => (true, view.hides_some(*edge)),
                GraphFunctionKind::PathJson => {
                    (true, view.hides_some(false) || view.hides_some(true))
                }
                GraphFunctionKind::Number { .. }
                | GraphFunctionKind::Attach { .. }
                | GraphFunctionKind::Labels { .. }
                | GraphFunctionKind::HasLabel { .. }
                | GraphFunctionKind::ElementId { .. }
                | GraphFunctionKind::EndPoint { .. } => continue,
            };
            if not_all && some {
                let message = format!("permission denied for property graph {}", graph.name);
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
                    .detail("Some of the properties that are asked for may not be read.")
                    .hint("Name the properties and labels that may be read.")
                    .into());
            }
            if not_all {
                let field = function.result_field();
                let null = ScalarValue::try_from(field.data_type())?;
                let metadata = FieldMetadata::from(field.metadata());
                let name = expr.schema_name().to_string();
                return Ok(Transformed::yes(Expr::Literal(null, Some(metadata)).alias(name)));
            }
        }
        Ok(Transformed::no(expr))
    }
}
