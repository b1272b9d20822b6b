//! `CREATE` and `ALTER PROPERTY GRAPH`: element tables, keys, labels and properties by PostgreSQL 19's rules.

use std::collections::BTreeSet;

use sqlparser::ast::Expr as SqlTree;

use crate::catalog::{
    Catalog, ConstraintKind, EdgeTable, ElementLabel, ElementTable, EndPoint, PropertyDef,
    PropertyGraph, PropertySource, QualifiedName, Relation, RelationKind, Table,
};
use crate::error::{PgError, SqlState};
use crate::parser::Span;
use crate::parser::pattern::Name;
use crate::parser::pgq::{
    AlterAction, CreatePropertyGraph, DropBehavior, EdgeTable as EdgeTree, ElementKind,
    ElementLabels, ElementTable as ElementTree, ElementTableChange, EndPoint as EndPointTree,
    LabelDefinition, LabelProperties, PropertyDefinition, QualifiedName as NameTree, SqlExpr,
};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// The type of an SQL expression over the columns of a relation; errors as for a query.
pub type TypeOf<'t> = dyn FnMut(&SqlExpr, &Relation) -> Result<PgType, PgError> + 't;

/// Makes the graph a statement describes; its OID is the caller's to give.
///
/// # Errors
/// `42P01`, `42809` for tables, `42703` for columns, `42P07` for an alias used twice, `42P17`, `42601` and `42710` for
/// keys, labels and properties that do not fit together.
pub fn bind_graph_definition(
    catalog: &Catalog,
    search_path: &[String],
    create: &CreatePropertyGraph,
    type_of: &mut TypeOf<'_>,
) -> Result<PropertyGraph, PgError> {
    let CreatePropertyGraph {
        name,
        or_replace: _,
        if_not_exists: _,
        temporary: _,
        open,
        vertex_tables,
        edge_tables,
        span,
    } = create;
    let offset = span.start as usize;
    if *open {
        return Err(PgError::internal("an open graph has no element tables").at(offset));
    }
    let graph_name = qualified(name)?.name;
    let graph = PropertyGraph {
        oid: Oid::INVALID,
        name: graph_name,
        vertices: Vec::new(),
        edges: Vec::new(),
        open: None,
        label_rules: Vec::new(),
    };
    let mut definition = Definition { catalog, search_path, type_of, graph };
    definition.add_tables(vertex_tables, edge_tables)?;
    definition.check()?;
    Ok(definition.graph)
}

/// The graph as an `ALTER PROPERTY GRAPH` leaves it.
///
/// # Errors
/// As [`bind_graph_definition`]; `42704` for an element table or label that does not exist, `2BP01` where something
/// depends on what would go.
pub fn bind_graph_change(
    catalog: &Catalog,
    search_path: &[String],
    graph: &PropertyGraph,
    action: &AlterAction,
    type_of: &mut TypeOf<'_>,
) -> Result<PropertyGraph, PgError> {
    let mut definition = Definition { catalog, search_path, type_of, graph: graph.clone() };
    match action {
        AlterAction::AddTables { vertex_tables, edge_tables } => {
            definition.add_tables(vertex_tables, edge_tables)?
        }
        AlterAction::DropTables { kind, aliases, behavior } => {
            for alias in aliases {
                definition.drop_table(*kind, alias, *behavior)?;
            }
        }
        AlterAction::AlterTable { kind, alias, change } => {
            definition.alter_table(*kind, alias, change)?
        }
        AlterAction::OwnerTo(name) | AlterAction::RenameTo(name) | AlterAction::SetSchema(name) => {
            // They concern the relation, not the graph.
            return Err(PgError::internal("not a change of the graph").at(name.span.start as usize));
        }
    }
    definition.check()?;
    Ok(definition.graph)
}

/// A name of at most two parts, folded.
///
/// # Errors
/// `42601` for more.
pub fn qualified(name: &NameTree) -> Result<QualifiedName, PgError> {
    match name.parts.as_slice() {
        [name] => Ok(QualifiedName { schema: None, name: name.folded() }),
        [schema, name] => Ok(QualifiedName { schema: Some(schema.folded()), name: name.folded() }),
        parts => {
            let text = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".");
            Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("improper qualified name (too many dotted names): {text}"),
            )
            .at(name.span.start as usize))
        }
    }
}

struct Definition<'d, 't> {
    catalog: &'d Catalog,
    search_path: &'d [String],
    type_of: &'d mut TypeOf<'t>,
    graph: PropertyGraph,
}

fn invalid(message: String, span: Span) -> PgError {
    PgError::new(SqlState::INVALID_OBJECT_DEFINITION, message).at(span.start as usize)
}

impl<'d> Definition<'d, '_> {
    fn add_tables(&mut self, vertices: &[ElementTree], edges: &[EdgeTree]) -> Result<(), PgError> {
        for vertex in vertices {
            let (element, _) = self.element(vertex)?;
            self.graph.vertices.push(element);
        }
        for edge in edges {
            let (element, relation) = self.element(&edge.element)?;
            let table = stored(relation, edge.span)?;
            let (source, destination) = (
                self.end_point(&edge.source, table, &element.alias, "source", edge.span)?,
                self.end_point(&edge.destination, table, &element.alias, "destination", edge.span)?,
            );
            self.graph.edges.push(EdgeTable { element, source, destination });
        }
        Ok(())
    }

    fn relation(&self, tree: &NameTree) -> Result<&'d Relation, PgError> {
        let name = qualified(tree)?;
        if let Some(schema) = &name.schema
            && self.catalog.schema(schema).is_none()
        {
            return Err(PgError::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            )
            .at(tree.span.start as usize));
        }
        self.catalog.resolve(&name, self.search_path).map(AsRef::as_ref).ok_or_else(|| {
            let full = match &name.schema {
                Some(schema) => format!("{schema}.{}", name.name),
                None => name.name.clone(),
            };
            PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{full}\" does not exist"))
                .at(tree.span.start as usize)
        })
    }

    fn element(&mut self, tree: &ElementTree) -> Result<(ElementTable, &'d Relation), PgError> {
        let ElementTree { table: name, alias, key, labels, span } = tree;
        let relation = self.relation(name)?;
        let table = stored(relation, name.span)?;
        let alias = alias.as_ref().map_or_else(|| relation.name.clone(), Name::folded);
        if self.graph.elements().any(|element| element.alias == alias) {
            return Err(PgError::new(
                SqlState::DUPLICATE_TABLE,
                format!("alias \"{alias}\" used more than once as element table"),
            )
            .at(span.start as usize));
        }
        let key = if key.is_empty() {
            table.primary_key().map(<[usize]>::to_vec).ok_or_else(|| {
                invalid(
                    format!(
                        "no key specified and no suitable primary key exists for definition of element \"{alias}\""
                    ),
                    *span,
                )
            })?
        } else {
            positions(key, relation, table)?
        };
        let labels = match labels {
            ElementLabels::Implicit(properties) => vec![ElementLabel {
                name: alias.clone(),
                properties: self.properties(properties, relation, table)?,
            }],
            ElementLabels::Explicit(definitions) => {
                let mut labels = Vec::with_capacity(definitions.len());
                for definition in definitions {
                    self.add_label(&mut labels, definition, &alias, relation, table)?;
                }
                labels
            }
        };
        Ok((ElementTable { alias, relation: relation.oid, key, labels }, relation))
    }

    fn add_label(
        &mut self,
        labels: &mut Vec<ElementLabel>,
        definition: &LabelDefinition,
        alias: &str,
        relation: &Relation,
        table: &Table,
    ) -> Result<(), PgError> {
        let LabelDefinition { name, properties, span } = definition;
        let name = name.as_ref().map_or_else(|| alias.to_owned(), Name::folded);
        if labels.iter().any(|label| label.name == name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_OBJECT,
                format!("label \"{name}\" already exists"),
            )
            .at(span.start as usize));
        }
        let properties = self.properties(properties, relation, table)?;
        labels.push(ElementLabel { name, properties });
        Ok(())
    }

    fn properties(
        &mut self,
        tree: &LabelProperties,
        relation: &Relation,
        table: &Table,
    ) -> Result<Vec<PropertyDef>, PgError> {
        match tree {
            LabelProperties::None => Ok(Vec::new()),
            LabelProperties::AllColumns { except } => {
                let except = positions(except, relation, table)?;
                let columns =
                    table.columns.iter().enumerate().filter(|(at, _)| !except.contains(at));
                Ok(columns
                    .map(|(at, column)| PropertyDef {
                        name: column.name.clone(),
                        ty: column.ty.clone(),
                        source: PropertySource::Column(at),
                    })
                    .collect())
            }
            LabelProperties::List(definitions) => self.property_list(definitions, relation, table),
        }
    }

    fn property_list(
        &mut self,
        definitions: &[PropertyDefinition],
        relation: &Relation,
        table: &Table,
    ) -> Result<Vec<PropertyDef>, PgError> {
        let mut properties: Vec<PropertyDef> = Vec::with_capacity(definitions.len());
        for PropertyDefinition { expr, name } in definitions {
            let offset = expr.span.start as usize;
            let column = column_name(&expr.expr);
            let (source, ty, default) = match &column {
                Some(column) => {
                    let at = table.position(column).ok_or_else(|| {
                        PgError::new(
                            SqlState::UNDEFINED_COLUMN,
                            format!("column \"{column}\" does not exist"),
                        )
                        .at(offset)
                    })?;
                    let ty = table
                        .columns
                        .get(at)
                        .map(|column| column.ty.clone())
                        .unwrap_or(PgType::Text);
                    (PropertySource::Column(at), ty, Some(column.clone()))
                }
                None => {
                    let ty = (self.type_of)(expr, relation)?;
                    (PropertySource::Expression(expr.expr.to_string()), ty, None)
                }
            };
            let Some(name) = name.as_ref().map(Name::folded).or(default) else {
                return Err(
                    PgError::new(SqlState::SYNTAX_ERROR, "property name required").at(offset)
                );
            };
            if properties.iter().any(|property| property.name == name) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_OBJECT,
                    format!("property \"{name}\" specified more than once"),
                )
                .at(offset));
            }
            properties.push(PropertyDef { name, ty, source });
        }
        Ok(properties)
    }

    fn end_point(
        &self,
        tree: &EndPointTree,
        edge: &Table,
        alias: &str,
        side: &str,
        span: Span,
    ) -> Result<EndPoint, PgError> {
        let wanted = tree.vertex.folded();
        let Some(vertex) = self.graph.vertices.iter().position(|vertex| vertex.alias == wanted)
        else {
            return Err(invalid(
                format!("{side} vertex \"{wanted}\" of edge \"{alias}\" does not exist"),
                span,
            ));
        };
        let element = self
            .graph
            .vertices
            .get(vertex)
            .ok_or_else(|| PgError::internal("a vertex that was found"))?;
        let relation = self
            .catalog
            .relation(element.relation)
            .ok_or_else(|| PgError::internal("the table of a vertex is gone"))?;
        let vertex_table = stored(relation, tree.span)?;
        let kind = side.to_uppercase();
        if tree.columns.is_empty() {
            let (edge_columns, vertex_columns) =
                foreign_key(edge, relation.oid, &kind, alias, span)?;
            return Ok(EndPoint { vertex, edge_columns, vertex_columns });
        }
        let own = self.edge_positions(&tree.columns, edge, alias)?;
        let referenced = if tree.referenced.is_empty() {
            element.key.clone()
        } else {
            positions(&tree.referenced, relation, vertex_table)?
        };
        if own.len() != referenced.len() {
            return Err(invalid(
                format!(
                    "mismatching number of columns in {kind} vertex definition of edge \"{alias}\""
                ),
                span,
            ));
        }
        for (own, referenced) in own.iter().zip(&referenced) {
            let types = (edge.columns.get(*own), vertex_table.columns.get(*referenced));
            let (Some(a), Some(b)) = types else {
                return Err(PgError::internal("a key column that was found"));
            };
            if !comparable(&a.ty, &b.ty) {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!(
                        "no equality operator exists for {kind} key comparison of edge \"{alias}\""
                    ),
                )
                .detail(format!(
                    "Column \"{}\" is {}, column \"{}\" is {}.",
                    a.name, a.ty, b.name, b.ty
                ))
                .at(span.start as usize));
            }
        }
        Ok(EndPoint { vertex, edge_columns: own, vertex_columns: referenced })
    }

    fn edge_positions(
        &self,
        names: &[Name],
        edge: &Table,
        alias: &str,
    ) -> Result<Vec<usize>, PgError> {
        column_positions(names, edge, alias)
    }

    fn drop_table(
        &mut self,
        kind: ElementKind,
        alias: &Name,
        behavior: DropBehavior,
    ) -> Result<(), PgError> {
        let name = alias.folded();
        match kind {
            ElementKind::Edge => {
                let at = self.graph.edges.iter().position(|edge| edge.element.alias == name);
                self.graph.edges.remove(at.ok_or_else(|| self.no_element("edge", alias))?);
            }
            ElementKind::Vertex => {
                let at = self.graph.vertices.iter().position(|vertex| vertex.alias == name);
                let at = at.ok_or_else(|| self.no_element("vertex", alias))?;
                let depends =
                    |edge: &EdgeTable| edge.source.vertex == at || edge.destination.vertex == at;
                if let (DropBehavior::Restrict, Some(edge)) =
                    (behavior, self.graph.edges.iter().find(|edge| depends(edge)))
                {
                    let graph = &self.graph.name;
                    return Err(PgError::new(
                        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                        format!("cannot drop vertex {name} of property graph {graph} because other objects depend on it"),
                    )
                    .detail(format!(
                        "edge {} of property graph {graph} depends on vertex {name} of property graph {graph}",
                        edge.element.alias
                    ))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too.")
                    .at(alias.span.start as usize));
                }
                self.graph.edges.retain(|edge| !depends(edge));
                self.graph.vertices.remove(at);
                for edge in &mut self.graph.edges {
                    for end in [&mut edge.source, &mut edge.destination] {
                        end.vertex -= usize::from(end.vertex > at);
                    }
                }
            }
        }
        Ok(())
    }

    fn no_element(&self, kind: &str, alias: &Name) -> PgError {
        PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!(
                "property graph \"{}\" has no element with alias \"{}\"",
                self.graph.name,
                alias.folded()
            ),
        )
        .detail(format!("It has no {kind} of that alias."))
        .at(alias.span.start as usize)
    }

    fn alter_table(
        &mut self,
        kind: ElementKind,
        alias: &Name,
        change: &ElementTableChange,
    ) -> Result<(), PgError> {
        let name = alias.folded();
        let (word, found) = match kind {
            ElementKind::Vertex => {
                ("vertex", self.graph.vertices.iter().find(|vertex| vertex.alias == name))
            }
            ElementKind::Edge => (
                "edge",
                self.graph
                    .edges
                    .iter()
                    .map(|edge| &edge.element)
                    .find(|element| element.alias == name),
            ),
        };
        let mut element = found.cloned().ok_or_else(|| self.no_element(word, alias))?;
        let relation = self
            .catalog
            .relation(element.relation)
            .map(AsRef::as_ref)
            .ok_or_else(|| PgError::internal("the table of an element is gone"))?;
        let table = stored(relation, alias.span)?;
        match change {
            ElementTableChange::AddLabels(definitions) => {
                let mut labels = std::mem::take(&mut element.labels);
                for definition in definitions {
                    self.add_label(&mut labels, definition, &name, relation, table)?;
                }
                element.labels = labels;
            }
            ElementTableChange::DropLabel { label, behavior: _ } => {
                let at = label_position(&element, label)?;
                if element.labels.len() == 1 {
                    return Err(invalid(
                        format!("cannot drop the last label from element \"{}\"", element.alias),
                        label.span,
                    ));
                }
                element.labels.remove(at);
            }
            ElementTableChange::AddProperties { label, properties } => {
                let at = label_position(&element, label)?;
                let added = self.property_list(properties, relation, table)?;
                if let Some(target) = element.labels.get_mut(at) {
                    for property in added {
                        if target.properties.iter().any(|known| known.name == property.name) {
                            return Err(PgError::new(
                                SqlState::DUPLICATE_OBJECT,
                                format!("property \"{}\" already exists", property.name),
                            )
                            .at(label.span.start as usize));
                        }
                        target.properties.push(property);
                    }
                }
            }
            ElementTableChange::DropProperties { label, properties, behavior: _ } => {
                let at = label_position(&element, label)?;
                for property in properties {
                    let name = property.folded();
                    let target = element.labels.get_mut(at).map(|label| &mut label.properties);
                    let position = target
                        .as_ref()
                        .and_then(|known| known.iter().position(|known| known.name == name));
                    match (target, position) {
                        (Some(known), Some(position)) => {
                            known.remove(position);
                        }
                        _ => {
                            return Err(PgError::new(
                                SqlState::UNDEFINED_OBJECT,
                                format!(
                                    "property graph \"{}\" element \"{}\" label \"{}\" has no property \"{name}\"",
                                    self.graph.name,
                                    element.alias,
                                    label.folded()
                                ),
                            )
                            .at(property.span.start as usize));
                        }
                    }
                }
            }
        }
        let vertices = self.graph.vertices.iter_mut();
        let edges = self.graph.edges.iter_mut().map(|edge| &mut edge.element);
        for target in vertices.chain(edges).filter(|target| target.alias == element.alias) {
            *target = element.clone();
        }
        Ok(())
    }

    /// The rules that hold for the graph as a whole.
    fn check(&self) -> Result<(), PgError> {
        for element in self.graph.elements() {
            check_element(element)?;
        }
        self.check_types()?;
        self.check_labels()
    }

    /// Properties of one name have one type.
    fn check_types(&self) -> Result<(), PgError> {
        let mut known: Vec<&PropertyDef> = Vec::new();
        for property in self
            .graph
            .elements()
            .flat_map(|element| &element.labels)
            .flat_map(|label| &label.properties)
        {
            match known.iter().find(|known| known.name == property.name) {
                Some(first) if first.ty != property.ty => {
                    return Err(PgError::new(
                        SqlState::SYNTAX_ERROR,
                        format!("property \"{}\" data type mismatch: {} vs. {}", property.name, first.ty, property.ty),
                    )
                    .detail(
                        "In a property graph, a property of the same name has to have the same data type in each label.",
                    ));
                }
                Some(_) => {}
                None => known.push(property),
            }
        }
        Ok(())
    }

    /// Labels of one name have the same properties.
    fn check_labels(&self) -> Result<(), PgError> {
        let mut known: Vec<&ElementLabel> = Vec::new();
        for label in self.graph.elements().flat_map(|element| &element.labels) {
            let Some(first) = known.iter().find(|known| known.name == label.name) else {
                known.push(label);
                continue;
            };
            if first.properties.len() != label.properties.len() {
                return Err(PgError::new(
                    SqlState::INVALID_OBJECT_DEFINITION,
                    format!(
                        "mismatching number of properties in definition of label \"{}\"",
                        label.name
                    ),
                ));
            }
            let names = |label: &ElementLabel| {
                label
                    .properties
                    .iter()
                    .map(|property| property.name.clone())
                    .collect::<BTreeSet<_>>()
            };
            if names(first) != names(label) {
                return Err(PgError::new(
                    SqlState::INVALID_OBJECT_DEFINITION,
                    format!(
                        "mismatching properties names in definition of label \"{}\"",
                        label.name
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Properties of one name have one source in an element table.
fn check_element(element: &ElementTable) -> Result<(), PgError> {
    let mut known: Vec<&PropertyDef> = Vec::new();
    for property in element.labels.iter().flat_map(|label| &label.properties) {
        match known.iter().find(|known| known.name == property.name) {
            Some(first) if first.source != property.source => {
                let show = |source: &PropertySource| match source {
                    PropertySource::Column(at) | PropertySource::Open { column: at, .. } => {
                        format!("column {}", at + 1)
                    }
                    PropertySource::Expression(text) => text.clone(),
                };
                return Err(PgError::new(
                    SqlState::INVALID_OBJECT_DEFINITION,
                    format!(
                        "element \"{}\" property \"{}\" expression mismatch: {} vs. {}",
                        element.alias,
                        property.name,
                        show(&first.source),
                        show(&property.source)
                    ),
                )
                .detail(
                    "In a property graph element, a property of the same name has to have the same expression in each label.",
                ));
            }
            Some(_) => {}
            None => known.push(property),
        }
    }
    Ok(())
}

fn label_position(element: &ElementTable, label: &Name) -> Result<usize, PgError> {
    let name = label.folded();
    element.labels.iter().position(|known| known.name == name).ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("element \"{}\" has no label \"{name}\"", element.alias),
        )
        .at(label.span.start as usize)
    })
}

/// The stored table behind an element.
fn stored(relation: &Relation, span: Span) -> Result<&Table, PgError> {
    match &relation.kind {
        RelationKind::Table(table) => Ok(table),
        RelationKind::View(_) => Err(PgError::unsupported(
            format!("view \"{}\" cannot be an element table yet", relation.name),
            "Use the table behind it, with properties that are expressions.",
        )
        .at(span.start as usize)),
        RelationKind::MaterializedView(_) => Err(PgError::unsupported(
            format!("materialized view \"{}\" cannot be an element table yet", relation.name),
            "Use a table.",
        )
        .at(span.start as usize)),
        RelationKind::PropertyGraph(_) | RelationKind::Sequence(_) | RelationKind::System(_) => {
            Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a table", relation.name),
            )
            .at(span.start as usize))
        }
    }
}

fn positions(names: &[Name], relation: &Relation, table: &Table) -> Result<Vec<usize>, PgError> {
    column_positions(names, table, &relation.name)
}

fn column_positions(names: &[Name], table: &Table, relation: &str) -> Result<Vec<usize>, PgError> {
    let mut positions = Vec::with_capacity(names.len());
    for name in names {
        let folded = name.folded();
        let at = table.position(&folded).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{folded}\" of relation \"{relation}\" does not exist"),
            )
            .at(name.span.start as usize)
        })?;
        if positions.contains(&at) {
            return Err(invalid(
                "graph key columns list must not contain duplicates".to_owned(),
                name.span,
            ));
        }
        positions.push(at);
    }
    Ok(positions)
}

/// The one foreign key of an edge table that refers to a vertex table.
fn foreign_key(
    edge: &Table,
    vertex: Oid,
    kind: &str,
    alias: &str,
    span: Span,
) -> Result<(Vec<usize>, Vec<usize>), PgError> {
    let mut found = None;
    for constraint in &edge.constraints {
        if let ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            on_update: _,
            on_delete: _,
            delete_columns: _,
            match_full: _,
        } = &constraint.kind
        {
            if *referenced != vertex {
                continue;
            }
            if found.is_some() {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("more than one suitable foreign key exists for {kind} key of edge \"{alias}\""),
                )
                .at(span.start as usize));
            }
            found = Some((columns.clone(), referenced_columns.clone()));
        }
    }
    found.ok_or_else(|| {
        PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("no {kind} key specified and no suitable foreign key exists for definition of edge \"{alias}\""),
        )
        .at(span.start as usize)
    })
}

/// Whether values of two types can be equal: the same type, or two of the numbers or of the strings.
fn comparable(a: &PgType, b: &PgType) -> bool {
    a.without_modifier() == b.without_modifier()
        || a.category() == b.category() && matches!(a.category(), 'N' | 'S')
}

fn column_name(expr: &SqlTree) -> Option<String> {
    match expr {
        SqlTree::Identifier(identifier) => Some(match identifier.quote_style {
            Some(_) => identifier.value.clone(),
            None => identifier.value.to_ascii_lowercase(),
        }),
        _ => None,
    }
}
