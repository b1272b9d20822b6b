//! A small catalog to bind against: airports, the flights between them, and a graph of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition::bind_graph_definition;
use crate::catalog::{
    Catalog, Cluster, Column, Constraint, ConstraintKind, Database, ForeignKeyAction,
    PropertyGraph, Relation, RelationKind, Schema, Table,
};
use crate::error::{PgError, Report};
use crate::parser::pgq::{CreatePropertyGraph, PropertyGraphDdl};
use crate::parser::{Body, QueryLanguage, parse_script};
use crate::types::pg_type::PgType;
use crate::types::{Oid, TenantId};

/// The graph of [`catalog`].
pub(crate) const AIR: &str = "CREATE PROPERTY GRAPH air
    VERTEX TABLES (airport LABEL \"Airport\" LABEL place PROPERTIES (name))
    EDGE TABLES (flight SOURCE KEY (origin) REFERENCES airport (iata)
                        DESTINATION KEY (destination) REFERENCES airport (iata)
                        LABEL \"FLIGHT\" PROPERTIES (flights, distance))";

const PUBLIC: Oid = Oid(2200);

fn table(
    oid: u32,
    name: &str,
    columns: &[(&str, PgType)],
    constraints: Vec<ConstraintKind>,
) -> Relation {
    let columns = columns.iter().enumerate();
    let columns =
        columns.map(|(at, (name, ty))| Column::of(at as i16 + 1, (*name).to_owned(), ty.clone()));
    let constraints =
        constraints.into_iter().map(|kind| Constraint::new(Oid(1), "c".to_owned(), kind));
    let table = Table::new(columns.collect(), constraints.collect());
    relation(oid, name, RelationKind::Table(Arc::new(table)))
}

fn relation(oid: u32, name: &str, kind: RelationKind) -> Relation {
    Relation {
        oid: Oid(oid),
        schema: PUBLIC,
        name: name.to_owned(),
        owner: Oid(10),
        comment: None,
        persistence: Default::default(),
        kind,
    }
}

fn primary_key(columns: &[usize]) -> ConstraintKind {
    ConstraintKind::PrimaryKey { columns: columns.to_vec(), index: Oid(1), include: Vec::new() }
}

fn foreign_key(column: usize, referenced: u32) -> ConstraintKind {
    ConstraintKind::ForeignKey {
        columns: vec![column],
        referenced: Oid(referenced),
        referenced_columns: vec![0],
        on_update: ForeignKeyAction::NoAction,
        on_delete: ForeignKeyAction::NoAction,
        delete_columns: Vec::new(),
        match_full: false,
    }
}

fn of(relations: Vec<Relation>) -> Catalog {
    let database = Database {
        oid: Oid(5),
        name: "test".to_owned(),
        tenant: TenantId::SYSTEM,
        owner: Oid(10),
        connection_limit: -1,
        is_template: false,
        allow_connections: true,
    };
    let public = Schema { oid: PUBLIC, name: "public".to_owned(), owner: Oid(10) };
    let names = relations
        .iter()
        .map(|relation| ((relation.schema, relation.name.clone()), relation.oid))
        .collect();
    let relations =
        relations.into_iter().map(|relation| (relation.oid, Arc::new(relation))).collect();
    Catalog {
        version: 1,
        database: Arc::new(database),
        cluster: Arc::new(Cluster::default()),
        schemas: Arc::new(BTreeMap::from([(PUBLIC, public)])),
        relations: Arc::new(relations),
        names: Arc::new(names),
        comments: Arc::default(),
        functions: Arc::default(),
        types: Arc::default(),
        grants: Arc::default(),
        index_names: Default::default(),
        next_oid: 20_000,
    }
}

fn tables() -> Vec<Relation> {
    vec![
        table(
            100,
            "airport",
            &[
                ("iata", PgType::Text),
                ("name", PgType::Text),
                ("state", PgType::Text),
                ("latitude", PgType::Float8),
            ],
            vec![primary_key(&[0])],
        ),
        table(
            101,
            "flight",
            &[
                ("origin", PgType::Text),
                ("destination", PgType::Text),
                ("flights", PgType::Int4),
                ("distance", PgType::Numeric(Some((8, 1)))),
            ],
            vec![primary_key(&[0, 1]), foreign_key(0, 100), foreign_key(1, 100)],
        ),
        table(102, "nokey", &[("x", PgType::Int4), ("airport", PgType::Int4)], vec![]),
        table(
            103,
            "visit",
            &[("id", PgType::Int8), ("airport", PgType::Text)],
            vec![primary_key(&[0]), foreign_key(1, 100)],
        ),
    ]
}

/// Tables without a graph.
pub(crate) fn plain_catalog() -> Catalog {
    of(tables())
}

/// Tables and the graph [`AIR`].
pub(crate) fn catalog() -> Catalog {
    let graph = define(AIR).unwrap();
    let mut relations = tables();
    relations.push(relation(200, "air", RelationKind::PropertyGraph(Arc::new(graph))));
    of(relations)
}

/// The search path of every test.
pub(crate) fn search_path() -> Vec<String> {
    vec!["public".to_owned()]
}

/// The statement's tree.
pub(crate) fn create(text: &str) -> CreatePropertyGraph {
    let statements = parse_script(text, QueryLanguage::Auto, &|_| false).unwrap();
    match statements.into_iter().next().unwrap().body {
        Body::PropertyGraph(ddl) => match *ddl {
            PropertyGraphDdl::Create(create) => create,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The graph a statement defines over [`plain_catalog`]; expressions are all of type int4.
pub(crate) fn define(text: &str) -> Result<PropertyGraph, PgError> {
    bind_graph_definition(&plain_catalog(), &search_path(), &create(text), &mut |_, _| {
        Ok(PgType::Int4)
    })
}

/// A parsed Cypher statement, or the parser's error as a client gets it.
pub(crate) fn cypher(text: &str) -> Result<crate::parser::cypher::CypherStatement, PgError> {
    crate::parser::cypher::parse(text, 0).map_err(|error| error.report())
}
