//! What a graph has, as far as a role may see it: labels, types, property keys, constraints, indexes.
//!
//! A [`GraphListing`] in a plan says what is asked; here its rows are put in its place, at each execution.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, ScalarValue};
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, Values};

use super::caller::Caller;
use super::graph_rights::View;
use super::require::{Needs, Right};
use crate::catalog::{
    Catalog, ConstraintKind, ElementTable, Index, IndexSource, LabelRule, LabelRuleKind,
    PropertyGraph, PropertySource, RoleSet, Table,
};
use crate::error::PgError;
use crate::planner::node::{GraphListing, Listing, ListingType};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A plan with the rows of its listings in their places.
///
/// # Errors
/// `XX000`: our own defect.
pub(super) fn with_listings(
    plan: LogicalPlan,
    needs: &Needs,
    caller: &Caller,
    catalog: &Catalog,
) -> Result<LogicalPlan, PgError> {
    if !needs.iter().any(|(_, right, _)| matches!(right, Right::Match(_))) {
        return Ok(plan);
    }
    let plan = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::Extension(extension) = &node else { return Ok(Transformed::no(node)) };
        let Some(listing) = extension.node.as_any().downcast_ref::<GraphListing>() else {
            return Ok(Transformed::no(node));
        };
        let role = match listing.as_role {
            None => Arc::clone(caller.roles()),
            Some(role) => catalog.role_set(role),
        };
        // The graph as it is now: it may have more than when the statement was bound.
        let rows = match catalog.relation(listing.graph.oid).map(|relation| &relation.kind) {
            Some(crate::catalog::RelationKind::PropertyGraph(graph)) => {
                Seen::new(catalog, graph, &role).rows(listing.listing)
            }
            _ => Vec::new(),
        };
        Ok(Transformed::yes(values(listing.listing, rows)?))
    })?;
    Ok(plan.data)
}

/// One value of a listing.
enum Cell {
    Text(String),
    Texts(Vec<String>),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Null,
}

fn values(listing: Listing, rows: Vec<Vec<Cell>>) -> datafusion::common::Result<LogicalPlan> {
    let columns = listing.columns();
    let schema: DFSchemaRef = columns.schema()?;
    if rows.is_empty() {
        return Ok(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }));
    }
    let text = |text: String| ScalarValue::Utf8View(Some(text));
    let scalar = |cell: Cell, ty: ListingType| match cell {
        Cell::Text(value) => Ok(text(value)),
        Cell::Texts(values) => {
            let values: Vec<ScalarValue> = values.into_iter().map(text).collect();
            Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8View)))
        }
        Cell::Integer(value) => Ok(ScalarValue::Int64(Some(value))),
        Cell::Float(value) => Ok(ScalarValue::Float64(Some(value))),
        Cell::Boolean(value) => Ok(ScalarValue::Boolean(Some(value))),
        Cell::Null => ScalarValue::try_from(&ty.cypher().arrow()),
    };
    let values = rows
        .into_iter()
        .map(|row| {
            row.into_iter()
                .zip(columns.columns)
                .map(|(cell, (_, ty))| Ok(Expr::Literal(scalar(cell, *ty)?, None)))
                .collect::<datafusion::common::Result<Vec<_>>>()
        })
        .collect::<datafusion::common::Result<Vec<_>>>()?;
    Ok(LogicalPlan::Values(Values { schema, values }))
}

/// A graph as a role sees it.
struct Seen<'a> {
    catalog: &'a Catalog,
    graph: &'a PropertyGraph,
    view: View<'a>,
}

/// An element table that is seen, and the properties of it that may be known.
struct SeenElement<'a> {
    element: &'a ElementTable,
    edge: bool,
    properties: BTreeMap<&'a str, (&'a PgType, bool)>,
}

/// A constraint or an index, whatever holds it.
struct Described<'a> {
    oid: Oid,
    name: String,
    edge: bool,
    labels: Vec<&'a str>,
    properties: Vec<String>,
    kind: LabelRuleKind,
    /// Of an index: whether a constraint rests on it.
    owned: bool,
}

impl<'a> Seen<'a> {
    fn new(catalog: &'a Catalog, graph: &'a PropertyGraph, role: &'a RoleSet) -> Self {
        Self { catalog, graph, view: View::new(catalog, graph, role) }
    }

    fn rows(&self, listing: Listing) -> Vec<Vec<Cell>> {
        match listing {
            Listing::Labels => self.labels(false),
            Listing::RelationshipTypes => self.labels(true),
            Listing::PropertyKeys => self.property_keys(),
            Listing::Constraints => {
                let constraints = self.described().into_iter();
                constraints.filter(|one| one.kind.is_constraint()).map(constraint_row).collect()
            }
            Listing::Indexes => {
                let indexed = |one: &Described<'_>| one.kind != LabelRuleKind::NotNull;
                self.described().into_iter().filter(indexed).map(index_row).collect()
            }
            Listing::NodeProperties => self.element_properties(false),
            Listing::RelationshipProperties => self.element_properties(true),
        }
    }

    fn elements(&self, edge: bool) -> Vec<SeenElement<'a>> {
        let seen = |at: &usize| match edge {
            false => self.view.sees_vertex(*at),
            true => self.view.sees_edge(*at),
        };
        let count = if edge { self.graph.edges.len() } else { self.graph.vertices.len() };
        let element = |at: usize| match edge {
            false => self.graph.vertices.get(at),
            true => self.graph.edges.get(at).map(|edge| &edge.element),
        };
        (0..count)
            .filter(seen)
            .filter_map(element)
            .map(|element| {
                let known = element.properties().filter(|property| {
                    self.view.reads_property(element, edge, &property.name, &property.source)
                });
                let known = known.map(|property| {
                    let mixed = matches!(property.source, PropertySource::Open { mixed: true, .. });
                    (property.name.as_str(), (&property.ty, mixed))
                });
                SeenElement { element, edge, properties: known.collect() }
            })
            .collect()
    }

    fn labels(&self, edge: bool) -> Vec<Vec<Cell>> {
        let elements = self.elements(edge);
        let names: BTreeSet<&str> =
            elements.iter().flat_map(|one| one.element.label_names()).collect();
        names.into_iter().map(|name| vec![Cell::Text(name.to_owned())]).collect()
    }

    fn property_keys(&self) -> Vec<Vec<Cell>> {
        let (vertices, edges) = (self.elements(false), self.elements(true));
        let names: BTreeSet<&str> =
            vertices.iter().chain(&edges).flat_map(|one| one.properties.keys().copied()).collect();
        names.into_iter().map(|name| vec![Cell::Text(name.to_owned())]).collect()
    }

    /// The properties of each set of labels, or one row with nulls where it has none.
    fn element_properties(&self, edge: bool) -> Vec<Vec<Cell>> {
        let mut found: BTreeMap<Vec<&str>, BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
        for one in self.elements(edge) {
            let mut labels: Vec<&str> = one.element.label_names().collect();
            labels.sort_unstable();
            let known = found.entry(labels).or_default();
            for (name, (ty, mixed)) in one.properties {
                let ty = if mixed { "Any".to_owned() } else { type_name(ty) };
                known.entry(name).or_default().insert(ty);
            }
        }
        let mut rows = Vec::new();
        for (labels, properties) in found {
            let written: String =
                labels.iter().map(|label| format!(":`{label}`")).collect::<Vec<_>>().concat();
            let start = || {
                let mut row = vec![Cell::Text(written.clone())];
                if !edge {
                    row.push(Cell::Texts(labels.iter().map(|name| (*name).to_owned()).collect()));
                }
                row
            };
            if properties.is_empty() {
                let mut row = start();
                row.extend([Cell::Null, Cell::Null, Cell::Boolean(false)]);
                rows.push(row);
            }
            for (name, types) in properties {
                let mut row = start();
                row.push(Cell::Text(name.to_owned()));
                row.push(Cell::Texts(types.into_iter().collect()));
                row.push(Cell::Boolean(self.is_required(edge, &labels, name)));
                rows.push(row);
            }
        }
        rows
    }

    /// Whether a constraint demands a property of elements with these labels.
    fn is_required(&self, edge: bool, labels: &[&str], property: &str) -> bool {
        self.described().iter().any(|one| {
            one.kind.is_required()
                && one.edge == edge
                && one.labels.iter().any(|label| labels.contains(label))
                && one.properties.iter().any(|known| known == property)
        })
    }

    /// Constraints and indexes on labels and properties that are seen, by name.
    fn described(&self) -> Vec<Described<'a>> {
        let mut found: Vec<Described<'a>> = self
            .graph
            .label_rules
            .iter()
            .filter(|rule| self.sees_rule(rule))
            .map(|rule| Described {
                oid: rule.oid,
                name: rule.name.clone(),
                edge: rule.edge,
                labels: vec![&rule.label],
                properties: rule.properties.clone(),
                kind: rule.kind,
                owned: rule.kind.is_unique(),
            })
            .collect();
        if self.graph.open.is_none() {
            for one in self.elements(false).iter().chain(&self.elements(true)) {
                self.describe_table(one, &mut found);
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Whether an element with the label, if there are any, and the properties may be seen.
    fn sees_rule(&self, rule: &LabelRule) -> bool {
        let elements = self.elements(rule.edge);
        let mut with_label = elements.iter().filter(|one| one.element.has_label(&rule.label));
        let knows = |one: &SeenElement<'_>| {
            rule.properties.iter().all(|name| {
                one.element.property(name).is_none() || one.properties.contains_key(name.as_str())
            })
        };
        match self.graph.elements_with(rule.edge, &rule.label).next() {
            Some(_) => with_label.any(knows),
            None => self.view.has_graph,
        }
    }

    /// The constraints and indexes of a typed graph's table that are over properties.
    fn describe_table(&self, one: &SeenElement<'a>, found: &mut Vec<Described<'a>>) {
        let relation = self.catalog.relation(one.element.relation);
        let Some((relation, table)) = relation.and_then(|it| Some((it, it.table()?))) else {
            return;
        };
        let labels: Vec<&str> = one.element.label_names().collect();
        let mut add = |oid, name: String, properties: Option<Vec<String>>, kind| {
            if let Some(properties) = properties {
                let (labels, edge) = (labels.clone(), one.edge);
                let owned = kind != LabelRuleKind::Index;
                found.push(Described { oid, name, edge, labels, properties, kind, owned });
            }
        };
        for constraint in &table.constraints {
            let (columns, index) = match &constraint.kind {
                ConstraintKind::PrimaryKey { columns, index, .. }
                | ConstraintKind::Unique { columns, index, .. } => (columns, *index),
                ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => continue,
            };
            let required = columns.iter().all(|at| is_required(table, *at));
            let kind = if required { LabelRuleKind::Key } else { LabelRuleKind::Unique };
            add(index, constraint.name.clone(), one.named(columns), kind);
        }
        for index in &table.indexes {
            let Some(columns) = index_columns(index) else { continue };
            add(index.oid, index.name.clone(), one.named(&columns), LabelRuleKind::Index);
        }
        for (at, column) in table.columns.iter().enumerate().filter(|(_, it)| it.not_null) {
            let name = format!("{}_{}_not_null", relation.name, column.name);
            add(relation.oid, name, one.named(&[at]), LabelRuleKind::NotNull);
        }
    }
}

fn is_required(table: &Table, column: usize) -> bool {
    table.columns.get(column).is_some_and(|column| column.not_null)
}

/// The columns of an index over columns of all rows.
fn index_columns(index: &Index) -> Option<Vec<usize>> {
    let columns = index.keys.iter().map(|key| match &key.source {
        IndexSource::Column(at) => Some(*at),
        IndexSource::Expression { .. } => None,
    });
    columns.collect::<Option<Vec<_>>>().filter(|_| index.predicate.is_none())
}

impl SeenElement<'_> {
    /// The properties that columns are, if all of them are properties that may be known.
    fn named(&self, columns: &[usize]) -> Option<Vec<String>> {
        let property = |column: &usize| {
            let mut all = self.element.properties();
            let found = all.find(|one| one.source == PropertySource::Column(*column))?;
            self.properties.contains_key(found.name.as_str()).then(|| found.name.clone())
        };
        columns.iter().map(property).collect()
    }
}

/// The name of a property's type in Neo4j's listings.
fn type_name(ty: &PgType) -> String {
    let name = match ty {
        PgType::Int2 | PgType::Int4 | PgType::Int8 => "Long",
        PgType::Float4 | PgType::Float8 => "Double",
        PgType::Text | PgType::Varchar(_) | PgType::Bpchar(_) | PgType::Name => "String",
        PgType::Bool => "Boolean",
        PgType::Date => "Date",
        PgType::Time(_) => "LocalTime",
        PgType::Timetz(_) => "Time",
        PgType::Timestamp(_) => "LocalDateTime",
        PgType::Timestamptz(_) => "DateTime",
        PgType::Interval => "Duration",
        PgType::Array(element) => return format!("{}Array", type_name(element)),
        other => return other.name(),
    };
    name.to_owned()
}

fn constraint_row(one: Described<'_>) -> Vec<Cell> {
    let ty = match (one.kind, one.edge) {
        (LabelRuleKind::Unique, false) => "UNIQUENESS",
        (LabelRuleKind::Unique, true) => "RELATIONSHIP_UNIQUENESS",
        (LabelRuleKind::Key, false) => "NODE_KEY",
        (LabelRuleKind::Key, true) => "RELATIONSHIP_KEY",
        (LabelRuleKind::NotNull | LabelRuleKind::Index, false) => "NODE_PROPERTY_EXISTENCE",
        (LabelRuleKind::NotNull | LabelRuleKind::Index, true) => "RELATIONSHIP_PROPERTY_EXISTENCE",
    };
    let owned = if one.kind.is_unique() { Cell::Text(one.name.clone()) } else { Cell::Null };
    let statement = Cell::Text(create_statement(&one));
    let mut row = common(&one);
    row.insert(2, Cell::Text(ty.to_owned()));
    row.extend([owned, Cell::Null, statement]);
    row
}

fn index_row(one: Described<'_>) -> Vec<Cell> {
    let owner = if one.owned { Cell::Text(one.name.clone()) } else { Cell::Null };
    let statement = Cell::Text(create_statement(&one));
    let mut row = common(&one);
    row.insert(2, Cell::Text("ONLINE".to_owned()));
    row.insert(3, Cell::Float(100.0));
    row.insert(4, Cell::Text("RANGE".to_owned()));
    row.extend([Cell::Text("range-1.0".to_owned()), owner, Cell::Null, Cell::Null]);
    row.extend([Cell::Text(String::new()), statement]);
    row
}

/// Number, name, kind of element, labels, properties.
fn common(one: &Described<'_>) -> Vec<Cell> {
    let entity = if one.edge { "RELATIONSHIP" } else { "NODE" };
    vec![
        Cell::Integer(i64::from(one.oid.0)),
        Cell::Text(one.name.clone()),
        Cell::Text(entity.to_owned()),
        Cell::Texts(one.labels.iter().map(|label| (*label).to_owned()).collect()),
        Cell::Texts(one.properties.clone()),
    ]
}

/// The statement that makes it anew.
fn create_statement(one: &Described<'_>) -> String {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let (name, label) = (quoted(&one.name), quoted(one.labels.first().copied().unwrap_or("")));
    let (element, variable) = match one.edge {
        false => (format!("(n:{label})"), "n"),
        true => (format!("()-[r:{label}]-()"), "r"),
    };
    let each: Vec<String> =
        one.properties.iter().map(|name| format!("{variable}.{}", quoted(name))).collect();
    let properties = each.join(", ");
    let demand = match (one.kind, one.edge) {
        (LabelRuleKind::Index, _) => {
            return format!("CREATE RANGE INDEX {name} FOR {element} ON ({properties})");
        }
        (LabelRuleKind::Unique, _) => "UNIQUE",
        (LabelRuleKind::NotNull, _) => "NOT NULL",
        (LabelRuleKind::Key, false) => "NODE KEY",
        (LabelRuleKind::Key, true) => "RELATIONSHIP KEY",
    };
    format!("CREATE CONSTRAINT {name} FOR {element} REQUIRE ({properties}) IS {demand}")
}
