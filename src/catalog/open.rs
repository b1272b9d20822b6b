//! Open graphs: how their partitions, properties and views come into being.
//!
//! ```text
//! graph g, in schema public
//! schema g     _id                      the sequence of all its vertices and edges
//!              _v1, _v2, …              a table for each label set:  _id, _more, then a column for each property
//!              _e1, _e2, …              a table for each type and pair of vertex partitions: _id, _src, _dst, _more, …
//!              "Person", "KNOWS", …     a view for each label and type
//! ```
//!
//! A property's column has the type of its first value. A value of another type goes to `_more`, a map in the form of
//! ANY, and the property counts as mixed in that partition from then on.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::catalog::graph::{
    EdgeTable, ElementLabel, ElementTable, EndPoint, HIDDEN_LABEL, OPEN_EDGE_COLUMNS,
    OPEN_VERTEX_COLUMNS, OpenGraph, PropertyDef, PropertyGraph, PropertySource,
};
use crate::catalog::object::{
    Column, Persistence, Relation, RelationKind, Schema, Sequence, SequenceCounter, Table, View,
    ViewRead,
};
use crate::catalog::snapshot::Catalog;
use crate::error::{PgError, SqlState};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Element tables of one kind are counted in 16 bits, and one number stands for deleted elements.
const PARTITIONS_MAX: usize = u16::MAX as usize - 1;

/// Something an open graph is to have. What is there already is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenDefinition {
    /// A vertex partition.
    Vertices {
        /// Its labels, sorted, each once.
        labels: Vec<String>,
        /// Names and types of its properties.
        properties: Vec<OpenProperty>,
    },
    /// An edge partition.
    Edges {
        /// The relationship type.
        label: String,
        /// Labels of the vertex partition its edges start from.
        source: Vec<String>,
        /// Labels of the one they end in.
        destination: Vec<String>,
        /// Names and types of its properties.
        properties: Vec<OpenProperty>,
    },
}

/// A property that a partition is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenProperty {
    /// Its name.
    pub name: String,
    /// The type of its first value; the one it has if it is there.
    pub ty: PgType,
    /// Whether values of another type come.
    pub mixed: bool,
}

/// A table that was made, or got columns.
#[derive(Debug, Clone)]
pub enum MadeTable {
    /// It is new, and has no rows.
    New(Oid, SchemaRef),
    /// It has these columns now.
    Widened(Oid, SchemaRef),
}

/// What is to be made of an open graph.
#[derive(Debug, Clone)]
pub struct NewOpenGraph {
    /// The schema it is named in.
    pub schema: Oid,
    /// Its name, and that of the schema of its parts.
    pub name: String,
    /// Who owns all of it.
    pub owner: Oid,
    /// A number of the storage's for the counter of its elements.
    pub counter: u64,
}

/// How values of a property's type are stored: temporal values, wider than PostgreSQL's, in the form of ANY.
pub fn stored_type(ty: &PgType) -> PgType {
    match ty {
        PgType::Bool | PgType::Int8 | PgType::Float8 | PgType::Text => ty.clone(),
        PgType::Array(element) if stored_type(element) == **element => ty.clone(),
        _ => PgType::Bytea,
    }
}

impl Catalog {
    /// Makes an open graph with its schema; its OID.
    ///
    /// # Errors
    /// `42P06` if there is a schema of its name.
    pub fn create_open_graph(&mut self, new: NewOpenGraph) -> Result<Oid, PgError> {
        let NewOpenGraph { schema: place, name, owner, counter } = new;
        if self.schema(&name).is_some() {
            return Err(PgError::new(
                SqlState::DUPLICATE_SCHEMA,
                format!("schema \"{name}\" already exists"),
            )
            .detail("The labels of an open graph are shown in a schema of its name.")
            .hint("Give the graph another name."));
        }
        let schema = self.allocate();
        self.put_schema(Schema { oid: schema, name: name.clone(), owner });
        let numbers = Sequence {
            ty: PgType::Int8,
            start: 1,
            increment: 1,
            min: 1,
            max: i64::MAX,
            cache: 1,
            cycle: false,
            counter: SequenceCounter { id: counter, value: 1, called: false },
            owner: None,
        };
        let sequence = self.allocate();
        let relation = |oid, schema, name: &str, kind| Relation {
            oid,
            schema,
            name: name.to_owned(),
            owner,
            comment: None,
            persistence: Persistence::Permanent,
            kind,
        };
        self.put_relation(relation(
            sequence,
            schema,
            "_id",
            RelationKind::Sequence(Arc::new(numbers)),
        ));
        let oid = self.allocate();
        let graph = PropertyGraph {
            oid,
            name: name.clone(),
            vertices: Vec::new(),
            edges: Vec::new(),
            open: Some(OpenGraph { schema, sequence }),
            label_rules: Vec::new(),
        };
        self.put_relation(relation(
            oid,
            place,
            &name,
            RelationKind::PropertyGraph(Arc::new(graph)),
        ));
        Ok(oid)
    }

    /// Gives an open graph what is wanted and not there; the tables that were made or got columns.
    ///
    /// # Errors
    /// `54000` for too many partitions; `XX000` if it is no open graph.
    pub fn define_open(
        &mut self,
        graph: Oid,
        wanted: &[OpenDefinition],
    ) -> Result<Vec<MadeTable>, PgError> {
        let not_open = || PgError::internal("definitions are for open graphs alone");
        let relation = self.relation(graph).cloned().ok_or_else(not_open)?;
        let RelationKind::PropertyGraph(known) = &relation.kind else { return Err(not_open()) };
        let open = known.open.ok_or_else(not_open)?;
        let mut change = Change {
            graph: known.as_ref().clone(),
            open,
            owner: relation.owner,
            new: BTreeSet::new(),
            widened: BTreeSet::new(),
            views: BTreeSet::new(),
        };
        for definition in wanted {
            change.add(self, definition)?;
        }
        let Change { graph: definition, new, widened, views, .. } = change;
        if new.is_empty() && widened.is_empty() && definition == **known {
            return Ok(Vec::new());
        }
        let mut changed = relation.as_ref().clone();
        changed.kind = RelationKind::PropertyGraph(Arc::new(definition.clone()));
        self.put_relation(changed);
        for (edge, label) in views {
            put_view(self, &relation, &definition, open, edge, &label);
        }
        let schema_of = |oid: &Oid| {
            let table = self.relation(*oid).and_then(|relation| relation.table());
            table.map(|table| Arc::clone(&table.schema)).ok_or_else(not_open)
        };
        let made = new.iter().map(|oid| Ok(MadeTable::New(*oid, schema_of(oid)?)));
        let grown = widened.difference(&new);
        made.chain(grown.map(|oid| Ok(MadeTable::Widened(*oid, schema_of(oid)?)))).collect()
    }
}

/// An open graph on its way to have more.
struct Change {
    graph: PropertyGraph,
    open: OpenGraph,
    owner: Oid,
    new: BTreeSet<Oid>,
    widened: BTreeSet<Oid>,
    /// Labels (false) and types (true) whose views are to be made anew.
    views: BTreeSet<(bool, String)>,
}

impl Change {
    fn add(&mut self, catalog: &mut Catalog, wanted: &OpenDefinition) -> Result<(), PgError> {
        match wanted {
            OpenDefinition::Vertices { labels, properties } => {
                let at = self.vertices(catalog, labels)?;
                self.properties(catalog, false, at, properties);
            }
            OpenDefinition::Edges { label, source, destination, properties } => {
                let source = self.vertices(catalog, source)?;
                let destination = self.vertices(catalog, destination)?;
                let at = self.edges(catalog, label, source, destination)?;
                self.properties(catalog, true, at, properties);
            }
        }
        Ok(())
    }

    fn vertices(&mut self, catalog: &mut Catalog, labels: &[String]) -> Result<usize, PgError> {
        if let Some(at) = self.graph.vertices.iter().position(|it| it.has_exactly(labels)) {
            return Ok(at);
        }
        let at = self.graph.vertices.len();
        check_count(at)?;
        let shown = labels.iter().map(String::as_str).chain([HIDDEN_LABEL]);
        let element = self.table(catalog, "_v", at, &OPEN_VERTEX_COLUMNS, shown);
        self.views.extend(labels.iter().map(|label| (false, label.clone())));
        self.graph.vertices.push(element);
        Ok(at)
    }

    fn edges(
        &mut self,
        catalog: &mut Catalog,
        label: &str,
        source: usize,
        destination: usize,
    ) -> Result<usize, PgError> {
        let known = self.graph.edges.iter().position(|edge| {
            edge.element.has_label(label)
                && edge.source.vertex == source
                && edge.destination.vertex == destination
        });
        if let Some(at) = known {
            return Ok(at);
        }
        let at = self.graph.edges.len();
        check_count(at)?;
        let element = self.table(catalog, "_e", at, &OPEN_EDGE_COLUMNS, [label].into_iter());
        let end = |vertex, column| EndPoint {
            vertex,
            edge_columns: vec![column],
            vertex_columns: vec![0],
        };
        self.views.insert((true, label.to_owned()));
        let (source, destination) = (end(source, 1), end(destination, 2));
        self.graph.edges.push(EdgeTable { element, source, destination });
        Ok(at)
    }

    /// A partition's table.
    fn table<'n>(
        &mut self,
        catalog: &mut Catalog,
        prefix: &str,
        at: usize,
        columns: &[&str],
        labels: impl Iterator<Item = &'n str>,
    ) -> ElementTable {
        let oid = catalog.allocate();
        let mut number = at + 1;
        while catalog.name_is_taken(self.open.schema, &format!("{prefix}{number}")) {
            number += PARTITIONS_MAX;
        }
        let name = format!("{prefix}{number}");
        let columns = columns.iter().zip(1..).map(|(name, attnum)| Column {
            attnum,
            name: (*name).to_owned(),
            ty: if *name == "_more" { PgType::Bytea } else { PgType::Int8 },
            not_null: *name != "_more",
            default: None,
            comment: None,
            domain: None,
            collation: None,
        });
        let mut table = Table::new(columns.collect(), Vec::new());
        let shown: Vec<ElementLabel> = labels
            .map(|name| ElementLabel { name: name.to_owned(), properties: Vec::new() })
            .collect();
        let element =
            ElementTable { alias: name.clone(), relation: oid, key: vec![0], labels: shown };
        let is_ruled = self.graph.constraints_on(&element, prefix == "_e").next().is_some();
        table.ruled_by = is_ruled.then_some(self.graph.oid);
        catalog.put_relation(Relation {
            oid,
            schema: self.open.schema,
            name,
            owner: self.owner,
            comment: None,
            persistence: Persistence::Permanent,
            kind: RelationKind::Table(Arc::new(table)),
        });
        self.new.insert(oid);
        element
    }

    fn properties(
        &mut self,
        catalog: &mut Catalog,
        edge: bool,
        at: usize,
        wanted: &[OpenProperty],
    ) {
        let element = if edge {
            self.graph.edges.get_mut(at).map(|edge| &mut edge.element)
        } else {
            self.graph.vertices.get_mut(at)
        };
        let Some(element) = element else { return };
        let names = element.label_names().map(|label| (edge, label.to_owned()));
        let views: Vec<(bool, String)> = names.collect();
        let relation = element.relation;
        for property in wanted {
            let known = element
                .labels
                .iter_mut()
                .flat_map(|label| &mut label.properties)
                .find(|known| known.name == property.name);
            match known {
                Some(known) => {
                    if let PropertySource::Open { mixed, .. } = &mut known.source
                        && property.mixed
                        && !*mixed
                    {
                        *mixed = true;
                        self.views.extend(views.iter().cloned());
                    }
                }
                None => {
                    let Some(column) = add_column(catalog, relation, property) else { continue };
                    let source = PropertySource::Open { column, mixed: property.mixed };
                    let (name, ty) = (property.name.clone(), property.ty.clone());
                    if let Some(label) = element.labels.last_mut() {
                        label.properties.push(PropertyDef { name, ty, source });
                    }
                    self.widened.insert(relation);
                    self.views.extend(views.iter().cloned());
                }
            }
        }
    }
}

fn check_count(known: usize) -> Result<(), PgError> {
    if known < PARTITIONS_MAX {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "the graph has too many combinations of labels and relationship types",
    ))
}

/// Adds a property's column to a partition; its position.
fn add_column(catalog: &mut Catalog, table: Oid, property: &OpenProperty) -> Option<usize> {
    let relation = catalog.relation(table)?.clone();
    let stored = relation.table()?;
    let mut name = property.name.clone();
    while name.is_empty() || stored.position(&name).is_some() {
        name.push('_');
    }
    let mut columns = stored.columns.clone();
    columns.push(Column {
        attnum: stored.next_attnum,
        name,
        ty: stored_type(&property.ty),
        not_null: false,
        default: None,
        comment: None,
        domain: None,
        collation: None,
    });
    let at = columns.len() - 1;
    let table = stored.reshaped(columns, stored.constraints.clone());
    catalog.put_relation(relation.with_table(table));
    Some(at)
}

fn backticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Makes the view of a label or type, or gives it new columns behind those it has.
fn put_view(
    catalog: &mut Catalog,
    relation: &Relation,
    graph: &PropertyGraph,
    open: OpenGraph,
    edge: bool,
    label: &str,
) {
    let place = |name: &str| catalog.relation_in(open.schema, name).cloned();
    let own = |known: &Relation| {
        known.view().is_some_and(|view| {
            let of_type = view.columns.get(1).is_some_and(|column| column.name == "_src");
            view.reads(graph.oid) && of_type == edge
        })
    };
    let mut name = label.to_owned();
    let mut known = place(&name);
    while known.as_ref().is_some_and(|known| !own(known)) {
        name.push_str(if edge { " (type)" } else { " (label)" });
        known = place(&name);
    }
    let before = known.as_ref().and_then(|known| known.view().cloned());
    let properties = properties_of(graph, edge, label);
    let fixed: &[&str] = if edge { &["_id", "_src", "_dst"] } else { &["_id"] };
    let order = order_of(before.as_ref(), fixed, &properties);
    let schema_name =
        |oid: Oid| catalog.schemas.get(&oid).map_or_else(String::new, |schema| schema.name.clone());
    let graph_schema = schema_name(relation.schema);
    let mut items: Vec<String> = match edge {
        false => vec!["id(n) AS _id".to_owned()],
        true => ["id(n) AS _id", "id(a) AS _src", "id(b) AS _dst"].map(str::to_owned).to_vec(),
    };
    let mut columns: Vec<(String, PgType)> =
        fixed.iter().map(|name| ((*name).to_owned(), PgType::Int8)).collect();
    for (property, ty) in order {
        let mut shown = property.clone();
        while columns.iter().any(|(known, _)| *known == shown) {
            shown.push('_');
        }
        items.push(format!("n.{} AS {}", backticked(&property), backticked(&shown)));
        columns.push((shown, ty));
    }
    let pattern = match edge {
        false => format!("(n:{})", backticked(label)),
        true => format!("(a)-[n:{}]->(b)", backticked(label)),
    };
    let query = format!(
        "USE {}.{} MATCH {pattern} RETURN {}",
        backticked(&graph_schema),
        backticked(&relation.name),
        items.join(", ")
    );
    let columns = columns.into_iter().zip(1..).map(|((name, ty), attnum)| Column {
        attnum,
        name,
        ty,
        not_null: false,
        default: None,
        comment: None,
        domain: None,
        collation: None,
    });
    let read = ViewRead {
        schema: None,
        name: relation.name.clone(),
        relation: graph.oid,
        columns: Vec::new(),
    };
    let view = View {
        query,
        columns: columns.collect(),
        search_path: vec![graph_schema],
        reads: vec![read],
        options: Vec::new(),
    };
    let oid = known.map_or_else(|| catalog.allocate(), |known| known.oid);
    catalog.put_relation(Relation {
        oid,
        schema: open.schema,
        name,
        owner: relation.owner,
        comment: None,
        persistence: Persistence::Permanent,
        kind: RelationKind::View(Arc::new(view)),
    });
}

/// Properties that elements with a label have, with the type all their values have, or jsonb.
fn properties_of(graph: &PropertyGraph, edge: bool, label: &str) -> Vec<(String, PgType)> {
    let elements = graph.edges.iter().map(|edge| &edge.element).filter(|_| edge);
    let elements = elements.chain(graph.vertices.iter().filter(|_| !edge));
    let mut properties: Vec<(String, PgType)> = Vec::new();
    for property in elements.filter(|it| it.has_label(label)).flat_map(ElementTable::properties) {
        let mixed = matches!(property.source, PropertySource::Open { mixed: true, .. });
        let ty = if mixed { PgType::Jsonb } else { property.ty.clone() };
        match properties.iter_mut().find(|(name, _)| *name == property.name) {
            Some((_, known)) if *known != ty => *known = PgType::Jsonb,
            Some(_) => {}
            None => properties.push((property.name.clone(), ty)),
        }
    }
    properties
}

/// Properties in the order a view shows them: those it has first.
fn order_of(
    before: Option<&View>,
    fixed: &[&str],
    properties: &[(String, PgType)],
) -> Vec<(String, PgType)> {
    let known = before.map_or(&[][..], |view| view.columns.as_slice());
    let mut order: Vec<(String, PgType)> = Vec::with_capacity(properties.len());
    for column in known.iter().skip(fixed.len()) {
        order.extend(properties.iter().find(|(name, _)| *name == column.name).cloned());
    }
    for property in properties {
        if !order.contains(property) {
            order.push(property.clone());
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporal_values_are_stored_in_the_form_of_any() {
        assert_eq!(stored_type(&PgType::Int8), PgType::Int8);
        assert_eq!(stored_type(&PgType::Timestamptz(None)), PgType::Bytea);
        assert_eq!(stored_type(&PgType::array_of(PgType::Date)), PgType::Bytea);
        let texts = PgType::array_of(PgType::Text);
        assert_eq!(stored_type(&texts), texts);
    }
}
