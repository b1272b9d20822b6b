//! CREATE, and the elements that CREATE and MERGE make.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::functions::core::named_struct;
use datafusion::functions_nested::make_array::make_array;
use datafusion::logical_expr::{Expr as PlanExpr, cast, lit};

use super::{NewVariable, already_bound};
use crate::catalog::{ElementTable, PropertySource, Relation};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::parser::Span;
use crate::parser::cypher::{Create, Expr};
use crate::parser::pattern::{
    EdgeDirection, EdgePattern, ElementFiller, Name, PathElement, PathPattern, Properties,
};
use crate::planner::bind::cypher::binder::{AggregatePlace, Binder, Binding, column};
use crate::planner::bind::cypher::error;
use crate::planner::bind::cypher::expression::empty_list;
use crate::planner::bind::cypher::typed::Typed;
use crate::planner::bind::cypher::walk::{has_subquery, uses_variable};
use crate::planner::bind::graph::names;
use crate::planner::node::{GraphAction, NewEdge, NewProperties, NewVertex, TypedRow, ValueColumn};

/// Whether a value in a path reads what is not there yet: a variable of these parts, or the graph.
fn reads_what_is_made(path: &PathPattern<Expr>, parts: &Parts) -> bool {
    let is_made = |name: &str| {
        parts.variables.iter().any(|new| new.name.as_deref() == Some(name))
            || parts.paths.iter().any(|path| path.name == name)
    };
    let reads = |value: &Expr| has_subquery(value) || uses_variable(value, &is_made);
    path.elements.iter().any(|element| {
        let filler = match element {
            PathElement::Vertex(vertex) => &vertex.filler,
            PathElement::Edge(edge) => &edge.filler,
            PathElement::Group(_) => return false,
        };
        match &filler.properties {
            None => false,
            Some(Properties::Map { entries, span: _ }) => {
                entries.iter().any(|(_, value)| reads(value))
            }
            Some(Properties::Parameter(map)) => reads(map),
        }
    })
}

/// Elements that a clause is to make, and what it needs for that.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) vertices: Vec<NewVertex>,
    pub(super) edges: Vec<NewEdge>,
    pub(super) variables: Vec<NewVariable>,
    /// Columns of values, to be added to the plan.
    pub(super) columns: Vec<(PlanExpr, String)>,
    /// For each element of a MERGE: its column, and names and columns of its properties.
    pub(super) asked: Vec<(String, Vec<(Name, ValueColumn)>)>,
    /// Columns of bound vertices that edges join.
    pub(super) bound: Vec<String>,
    /// Path variables, with the columns along them.
    pub(super) paths: Vec<PathColumns>,
}

/// A path variable and the columns of its vertices and edges.
pub(super) struct PathColumns {
    name: String,
    vertices: Vec<String>,
    edges: Vec<String>,
}

impl Binder<'_> {
    /// Binds CREATE clauses that follow each other: one step, however many there are, up to a value that reads what they
    /// make.
    pub(in crate::planner::bind::cypher) fn create_clauses<'e>(
        &mut self,
        clauses: impl IntoIterator<Item = &'e Create>,
    ) -> Result<(), PgError> {
        self.place = AggregatePlace::Forbidden("a clause that writes");
        let mut parts = Parts::default();
        for path in clauses.into_iter().flat_map(|clause| &clause.paths) {
            if !parts.variables.is_empty() && reads_what_is_made(path, &parts) {
                self.create(std::mem::take(&mut parts))?;
            }
            self.new_path(path, &mut parts, false)?;
        }
        self.create(parts)
    }

    fn create(&mut self, parts: Parts) -> Result<(), PgError> {
        let Parts { vertices, edges, variables, columns, paths, .. } = parts;
        self.with_columns(columns)?;
        self.write("CREATE", GraphAction::Create { vertices, edges }, variables)?;
        self.bind_paths(paths)
    }

    /// Collects what a path makes. `merges`: values of properties are asked for before they are given.
    pub(super) fn new_path(
        &mut self,
        path: &PathPattern<Expr>,
        parts: &mut Parts,
        merges: bool,
    ) -> Result<(), PgError> {
        let known = |binder: &Self, parts: &Parts, name: &str| -> bool {
            binder.find(name).is_some()
                || parts.variables.iter().any(|new| new.name.as_deref() == Some(name))
                || parts.paths.iter().any(|path| path.name == name)
        };
        let mut along =
            PathColumns { name: String::new(), vertices: Vec::new(), edges: Vec::new() };
        let mut pending: Option<&EdgePattern<Expr>> = None;
        let alone = path.elements.len() == 1;
        for element in &path.elements {
            match element {
                PathElement::Vertex(vertex) => {
                    let at = self.new_vertex(&vertex.filler, vertex.span, parts, alone, merges)?;
                    if let (Some(edge), Some(left)) = (pending.take(), along.vertices.last()) {
                        let made = self.new_edge(edge, left, &at, parts, merges)?;
                        along.edges.push(made);
                    }
                    along.vertices.push(at);
                }
                PathElement::Edge(edge) => pending = Some(edge),
                PathElement::Group(group) => {
                    return Err(error::unsupported(
                        "a group in a pattern that is made",
                        group.span,
                    ));
                }
            }
        }
        if let Some(name) = &path.variable {
            if known(self, parts, &name.text) {
                return Err(already_bound(&name.text, name.span));
            }
            along.name.clone_from(&name.text);
            parts.paths.push(along);
        }
        Ok(())
    }

    /// The column of a vertex: one that is known, or a new one.
    fn new_vertex(
        &mut self,
        filler: &ElementFiller<Expr>,
        span: Span,
        parts: &mut Parts,
        alone: bool,
        merges: bool,
    ) -> Result<String, PgError> {
        let ElementFiller { variable, labels, properties, condition: _ } = filler;
        if let Some(name) = variable {
            let of_clause = parts
                .variables
                .iter()
                .find(|new| new.name.as_deref() == Some(name.text.as_str()))
                .map(|new| (new.column.clone(), new.ty.clone()));
            let of_scope = self.find(&name.text).map(|binding| {
                let column = match &binding.expr {
                    PlanExpr::Column(column) => column.name.clone(),
                    _ => String::new(),
                };
                (column, binding.ty.clone())
            });
            if let Some((column, ty)) = of_clause.clone().or(of_scope) {
                if alone || labels.is_some() || properties.is_some() {
                    return Err(already_bound(&name.text, name.span));
                }
                if ty != CypherType::Node {
                    return Err(conflict(name, "a node"));
                }
                if of_clause.is_none() && !parts.bound.contains(&column) {
                    parts.bound.push(column.clone());
                }
                return Ok(column);
            }
        }
        let labels = match labels {
            None => Vec::new(),
            Some(labels) => {
                let names = labels.conjunction().ok_or_else(|| not_a_conjunction(labels.span()))?;
                let mut names: Vec<String> =
                    names.into_iter().map(|name| name.text.clone()).collect();
                names.sort_unstable();
                names.dedup();
                names
            }
        };
        let column = match variable {
            Some(name) => self.column_name(&name.text),
            None => self.fresh(),
        };
        let (given, asked) = self.new_properties(properties.as_ref(), false, parts, merges)?;
        parts.asked.push((column.clone(), asked));
        let row = self.typed_vertex(&labels, &given, span, parts)?;
        parts.vertices.push(NewVertex { column: column.clone(), labels, properties: given, row });
        parts.variables.push(NewVariable {
            name: variable.as_ref().map(|name| name.text.clone()),
            column: column.clone(),
            ty: CypherType::Node,
        });
        Ok(column)
    }

    fn new_edge(
        &mut self,
        edge: &EdgePattern<Expr>,
        left: &str,
        right: &str,
        parts: &mut Parts,
        merges: bool,
    ) -> Result<String, PgError> {
        let EdgePattern { filler, direction, quantifier: _, span } = edge;
        let ElementFiller { variable, labels, properties, condition: _ } = filler;
        if let Some(name) = variable {
            let known = self.find(&name.text).is_some()
                || parts.variables.iter().any(|new| new.name.as_deref() == Some(&name.text));
            if known {
                return Err(already_bound(&name.text, name.span));
            }
        }
        let names = labels.as_ref().and_then(|labels| labels.conjunction());
        let label = match names.as_deref() {
            Some([name]) => name.text.clone(),
            _ => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "a relationship that is made needs exactly one type",
                )
                .routine("NoSingleRelationshipType")
                .at(span.start as usize));
            }
        };
        let (source, destination) = match direction {
            EdgeDirection::Left => (right, left),
            _ => (left, right),
        };
        let column = match variable {
            Some(name) => self.column_name(&name.text),
            None => self.fresh(),
        };
        let (given, asked) = self.new_properties(properties.as_ref(), true, parts, merges)?;
        parts.asked.push((column.clone(), asked));
        let rows = self.typed_edges(&label, &given, *span, parts)?;
        parts.edges.push(NewEdge {
            column: column.clone(),
            label,
            source: source.to_owned(),
            destination: destination.to_owned(),
            properties: given,
            rows,
        });
        parts.variables.push(NewVariable {
            name: variable.as_ref().map(|name| name.text.clone()),
            column: column.clone(),
            ty: CypherType::Relationship,
        });
        Ok(column)
    }

    /// Values of the properties of a new element, and what of them MERGE asks for.
    fn new_properties(
        &mut self,
        properties: Option<&Properties<Expr>>,
        edge: bool,
        parts: &mut Parts,
        merges: bool,
    ) -> Result<(NewProperties, Vec<(Name, ValueColumn)>), PgError> {
        let mut given = NewProperties::default();
        let mut asked = Vec::new();
        match properties {
            None => {}
            Some(Properties::Map { entries, span: _ }) => {
                for (key, value) in entries {
                    let value = self.property_value(value)?;
                    let value = self.expected(value, edge, &key.text);
                    if !merges {
                        self.written.borrow_mut().note(edge, &key.text, &value.ty);
                    }
                    let column = self.value_column(value, &mut parts.columns);
                    asked.push((key.clone(), column.clone()));
                    given.named.push((key.text.clone(), column));
                }
            }
            Some(Properties::Parameter(map)) => {
                let value = self.expr(map)?;
                let value = self.map_value(value, map.span)?;
                self.written.borrow_mut().note_any(edge);
                given.map = Some(self.value_column(value, &mut parts.columns).name);
            }
        }
        Ok((given, asked))
    }

    /// A parameter that is the value of a property has the property's type; in an open graph, that of its values so far.
    pub(super) fn expected(&self, value: Typed, edge: bool, key: &str) -> Typed {
        if value.parameter.is_none() {
            return value;
        }
        let Ok(graph) = self.graph() else { return value };
        if graph.open.is_some() {
            return match self.known_type(graph, edge, key, &|_| true) {
                Some(ty) => self.expect(value, &ty),
                None => value,
            };
        }
        match names::cypher_property(graph, key, edge) {
            Some(property) if graph.open.is_none() => {
                self.expect(value, &CypherType::of_property(&property.ty))
            }
            _ => value,
        }
    }

    /// A value that is to be a map of properties, as ANY.
    pub(super) fn map_value(&mut self, value: Typed, span: Span) -> Result<Typed, PgError> {
        let value = self.normalized(value);
        match &value.ty {
            CypherType::Map(_) | CypherType::Any | CypherType::Null => {}
            CypherType::Node | CypherType::Relationship => {
                return self.properties_of(value);
            }
            ty => {
                return Err(error::wrong_type(
                    format!("properties are a map, not a value of type {ty}"),
                    span,
                ));
            }
        }
        Ok(Typed::new(self.to_any(value)?, CypherType::Any))
    }

    /// Path variables, of elements that have columns by now.
    pub(super) fn bind_paths(&mut self, paths: Vec<PathColumns>) -> Result<(), PgError> {
        let mut columns = Vec::with_capacity(paths.len());
        let mut bindings = Vec::with_capacity(paths.len());
        for PathColumns { name, vertices, edges } in paths {
            let list = |names: &[String], empty| match names {
                [] => empty_list(&empty),
                names => {
                    let items = names.iter().map(|name| cast(column(name), DataType::UInt64));
                    make_array(items.collect())
                }
            };
            let path = named_struct().call(vec![
                lit("vertices"),
                list(&vertices, CypherType::Node),
                lit("edges"),
                list(&edges, CypherType::Relationship),
            ]);
            let at = self.column_name(&name);
            bindings.push(Binding { name, expr: column(&at), ty: CypherType::Path });
            columns.push((path, at));
        }
        self.with_columns(columns)?;
        self.scope.extend(bindings);
        Ok(())
    }

    /// The row of a new vertex in a typed graph; `None` in an open one.
    fn typed_vertex(
        &mut self,
        labels: &[String],
        given: &NewProperties,
        span: Span,
        parts: &mut Parts,
    ) -> Result<Option<TypedRow>, PgError> {
        let graph = Arc::clone(self.graph()?);
        if graph.open.is_some() {
            return Ok(None);
        }
        let has = |element: &ElementTable, label: &String| {
            element.has_label(label) || element.has_label(&label.to_lowercase())
        };
        let fitting: Vec<usize> = (0..graph.vertices.len())
            .filter(|at| {
                let element = graph.vertices.get(*at);
                element.is_some_and(|element| labels.iter().all(|label| has(element, label)))
            })
            .collect();
        let exact = fitting.iter().copied().find(|at| {
            let element = graph.vertices.get(*at);
            element.is_some_and(|element| element.label_names().count() == labels.len())
        });
        let at = match (fitting.as_slice(), exact) {
            ([only], _) => *only,
            (_, Some(exact)) => exact,
            ([], None) => {
                let wanted = labels.join("\" and \"");
                let error = PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("no vertex table of graph \"{}\" has label \"{wanted}\"", graph.name),
                )
                .at(span.start as usize);
                let known = graph.vertices.iter().flat_map(|element| element.label_names());
                let first = labels.first().map_or("", String::as_str);
                return Err(names::with_near(error, first, known));
            }
            _ => {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    "the labels of a new node name more than one vertex table",
                )
                .hint("Give it the labels of one table.")
                .at(span.start as usize));
            }
        };
        let Some(element) = graph.vertices.get(at) else {
            return Err(PgError::internal("no vertex table"));
        };
        self.typed_row(element, at as u16, given, &[], span, parts).map(Some)
    }

    fn typed_edges(
        &mut self,
        label: &str,
        given: &NewProperties,
        span: Span,
        parts: &mut Parts,
    ) -> Result<Vec<TypedRow>, PgError> {
        let graph = Arc::clone(self.graph()?);
        if graph.open.is_some() {
            return Ok(Vec::new());
        }
        let folded = label.to_lowercase();
        let mut rows = Vec::new();
        for (at, edge) in graph.edges.iter().enumerate() {
            if !edge.element.has_label(label) && !edge.element.has_label(&folded) {
                continue;
            }
            let ends: Vec<usize> = [&edge.source, &edge.destination]
                .iter()
                .flat_map(|end| end.edge_columns.clone())
                .collect();
            rows.push(self.typed_row(&edge.element, at as u16, given, &ends, span, parts)?);
        }
        if rows.is_empty() {
            let error = PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("no edge table of graph \"{}\" has label \"{label}\"", graph.name),
            )
            .at(span.start as usize);
            let known = graph.edges.iter().flat_map(|edge| edge.element.label_names());
            return Err(names::with_near(error, label, known));
        }
        Ok(rows)
    }

    /// What stands in each column of a new row: a property, or the column's default.
    fn typed_row(
        &mut self,
        element: &ElementTable,
        table: u16,
        given: &NewProperties,
        ends: &[usize],
        span: Span,
        parts: &mut Parts,
    ) -> Result<TypedRow, PgError> {
        let (Some(bind), Some(relation)) =
            (self.context.bind, self.context.catalog.relation(element.relation).cloned())
        else {
            return Err(PgError::internal("a typed graph cannot be written to here"));
        };
        if given.map.is_some() {
            return Err(error::unsupported(
                "a map of properties for a new element of a typed graph",
                span,
            ));
        }
        let mut columns: Vec<Option<ValueColumn>> = vec![None; relation.columns().len()];
        for (name, value) in &given.named {
            let at = property_column(element, &relation, name, span)?;
            if let Some(slot) = columns.get_mut(at) {
                *slot = Some(value.clone());
            }
        }
        for (at, slot) in columns.iter_mut().enumerate() {
            if slot.is_some() || ends.contains(&at) {
                continue;
            }
            let Some(definition) = relation.columns().get(at) else { continue };
            if let Some(crate::catalog::ColumnDefault::Generated(_)) = definition.default {
                return Err(error::unsupported(
                    "a generated column in a table that Cypher writes to",
                    span,
                ));
            }
            let default = crate::planner::bind::sql::bind_default(bind, definition)?;
            let name = self.fresh();
            parts.columns.push((default, name.clone()));
            *slot = Some(ValueColumn { name, ty: CypherType::Pg(definition.ty.clone()) });
        }
        Ok(TypedRow { table, relation, columns })
    }
}

/// The column of a property that is to be written.
fn property_column(
    element: &ElementTable,
    relation: &Relation,
    name: &str,
    span: Span,
) -> Result<usize, PgError> {
    let property = element.property(name).or_else(|| element.property(&name.to_lowercase()));
    match property.map(|property| &property.source) {
        Some(PropertySource::Column(at)) => Ok(*at),
        Some(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("property \"{name}\" is computed and cannot be set"),
        )
        .at(span.start as usize)),
        None => {
            let error = PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("property \"{name}\" of \"{}\" does not exist", relation.name),
            )
            .at(span.start as usize);
            let known = element.properties().map(|property| property.name.as_str());
            Err(names::with_near(error, name, known))
        }
    }
}

fn not_a_conjunction(span: Span) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, "a new node has labels, not a label expression")
        .at(span.start as usize)
}

fn conflict(name: &Name, wanted: &str) -> PgError {
    PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!("variable \"{}\" is already bound to something that is not {wanted}", name.text),
    )
    .routine("VariableTypeConflict")
    .at(name.span.start as usize)
}
