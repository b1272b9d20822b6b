//! Definitions of graphs, names in them, and GRAPH_TABLE beside MATCH.

use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use sqlparser::ast::Expr as SqlTree;

use super::fixture::{catalog, define, plain_catalog, search_path};
use super::{bind_graph_table_plan, choose_graph};
use crate::catalog::PropertySource;
use crate::error::{PgError, SqlState};
use crate::parser::{Body, QueryLanguage, parse_script};
use crate::types::pg_type::PgType;

fn refused(text: &str) -> (&'static str, String) {
    let error = define(text).unwrap_err();
    (error.code().0, error.to_string())
}

#[test]
fn keys_and_labels_have_their_defaults() {
    let graph = define(
        "CREATE PROPERTY GRAPH g VERTEX TABLES (airport) EDGE TABLES (visit SOURCE KEY (airport) REFERENCES airport
         (iata) DESTINATION airport)",
    )
    .unwrap();
    let airport = &graph.vertices[0];
    assert_eq!(airport.key, [0]);
    assert_eq!(airport.labels[0].name, "airport");
    assert_eq!(airport.labels[0].properties.len(), 4);
    let visit = &graph.edges[0];
    assert_eq!(
        (visit.source.vertex, &visit.source.edge_columns, &visit.source.vertex_columns),
        (0, &vec![1], &vec![0])
    );
    assert_eq!(visit.destination, visit.source);
}

#[test]
fn properties_are_columns_or_expressions() {
    let graph = define(
        "CREATE PROPERTY GRAPH g VERTEX TABLES (airport AS a LABEL x PROPERTIES (iata AS code, 1 + 1 AS two)
         LABEL y NO PROPERTIES LABEL z PROPERTIES ALL COLUMNS EXCEPT (latitude, name))",
    )
    .unwrap();
    let labels = &graph.vertices[0].labels;
    assert_eq!(labels[0].properties[0].source, PropertySource::Column(0));
    assert_eq!(labels[0].properties[1].source, PropertySource::Expression("1 + 1".to_owned()));
    assert_eq!(labels[0].properties[1].ty, PgType::Int4);
    assert!(labels[1].properties.is_empty());
    assert_eq!(
        labels[2].properties.iter().map(|property| property.name.as_str()).collect::<Vec<_>>(),
        ["iata", "state"]
    );
}

#[test]
fn definitions_that_do_not_fit_are_refused_in_postgresqls_words() {
    for (text, code, message) in [
        ("VERTEX TABLES (nowhere)", "42P01", "relation \"nowhere\" does not exist"),
        ("VERTEX TABLES (airport, airport)", "42P07", "alias \"airport\" used more than once as element table"),
        (
            "VERTEX TABLES (nokey)",
            "42P17",
            "no key specified and no suitable primary key exists for definition of element \"nokey\"",
        ),
        ("VERTEX TABLES (nokey KEY (z))", "42703", "column \"z\" of relation \"nokey\" does not exist"),
        ("VERTEX TABLES (nokey KEY (x, x))", "42P17", "graph key columns list must not contain duplicates"),
        ("VERTEX TABLES (airport LABEL a LABEL a)", "42710", "label \"a\" already exists"),
        ("VERTEX TABLES (airport PROPERTIES (1 + 1))", "42601", "property name required"),
        ("VERTEX TABLES (airport PROPERTIES (name, iata AS name))", "42710", "property \"name\" specified more than once"),
        (
            "VERTEX TABLES (airport LABEL a PROPERTIES (name) LABEL b PROPERTIES (iata AS name))",
            "42P17",
            "element \"airport\" property \"name\" expression mismatch: column 2 vs. column 1",
        ),
        (
            "VERTEX TABLES (airport PROPERTIES (name), nokey KEY (x) PROPERTIES (x AS name))",
            "42601",
            "property \"name\" data type mismatch: text vs. integer",
        ),
        (
            "VERTEX TABLES (airport LABEL l PROPERTIES (name), nokey KEY (x) LABEL l NO PROPERTIES)",
            "42P17",
            "mismatching number of properties in definition of label \"l\"",
        ),
        (
            "VERTEX TABLES (airport) EDGE TABLES (flight SOURCE KEY (origin) REFERENCES x (iata) DESTINATION airport)",
            "42P17",
            "source vertex \"x\" of edge \"flight\" does not exist",
        ),
        (
            "VERTEX TABLES (airport) EDGE TABLES (flight SOURCE airport DESTINATION airport)",
            "42601",
            "more than one suitable foreign key exists for SOURCE key of edge \"flight\"",
        ),
        (
            "VERTEX TABLES (airport) EDGE TABLES (nokey KEY (x) SOURCE airport DESTINATION airport)",
            "42601",
            "no SOURCE key specified and no suitable foreign key exists for definition of edge \"nokey\"",
        ),
        (
            "VERTEX TABLES (airport) EDGE TABLES (nokey KEY (x) SOURCE KEY (airport) REFERENCES airport (iata)
             DESTINATION airport)",
            "42601",
            "no equality operator exists for SOURCE key comparison of edge \"nokey\"",
        ),
        (
            "VERTEX TABLES (airport) EDGE TABLES (flight SOURCE KEY (origin, destination) REFERENCES airport
             DESTINATION airport)",
            "42P17",
            "mismatching number of columns in SOURCE vertex definition of edge \"flight\"",
        ),
    ] {
        let refusal = refused(&format!("CREATE PROPERTY GRAPH g {text}"));
        assert_eq!(refusal, (code, message.to_owned()), "{text}");
    }
}

#[test]
fn the_graph_is_the_named_one_or_the_only_one() {
    let (catalog, path) = (catalog(), search_path());
    assert_eq!(choose_graph(&catalog, &path, None, None).unwrap().name, "air");
    assert_eq!(choose_graph(&catalog, &path, Some("AIR"), None).unwrap().name, "air");
    assert_eq!(choose_graph(&catalog, &path, Some("public.air"), None).unwrap().name, "air");
    let code =
        |path_setting| choose_graph(&catalog, &path, Some(path_setting), None).unwrap_err().code();
    assert_eq!(code("water"), SqlState::UNDEFINED_OBJECT);
    assert_eq!(code("nowhere.air"), SqlState::INVALID_SCHEMA_NAME);
    assert_eq!(code("airport"), SqlState::WRONG_OBJECT_TYPE);
    let none = choose_graph(&plain_catalog(), &path, None, None).unwrap_err();
    assert_eq!(none.code(), SqlState::UNDEFINED_OBJECT);
}

/// Knows names and a few forms: enough of an SQL planner to bind patterns with.
fn plan_sql(tree: &SqlTree, schema: &DFSchema) -> Result<Expr, PgError> {
    use datafusion::logical_expr::{Operator, binary_expr, lit};
    Ok(match tree {
        SqlTree::CompoundIdentifier(parts) => {
            let parts = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>();
            let column = datafusion::common::Column::new(Some(parts[0]), parts[1]);
            schema.index_of_column(&column)?;
            Expr::Column(column)
        }
        SqlTree::BinaryOp { left, op: _, right } => {
            binary_expr(plan_sql(left, schema)?, Operator::Gt, plan_sql(right, schema)?)
        }
        SqlTree::Value(_) => lit(5_i32),
        other => panic!("{other:?}"),
    })
}

fn graph_table(text: &str) -> Result<String, PgError> {
    let statements =
        parse_script(&format!("SELECT * FROM {text}"), QueryLanguage::Auto, &|_| false).unwrap();
    let Body::Sql { graph_tables, .. } = &statements[0].body else { panic!("not SQL") };
    let plan = bind_graph_table_plan(&catalog(), &search_path(), &graph_tables[0], &mut plan_sql)?;
    Ok(plan.display_indent().to_string())
}

#[test]
fn a_graph_table_is_a_projection_of_a_pattern() {
    let plan = graph_table(
        "GRAPH_TABLE (air MATCH (a IS \"Airport\")-[r IS \"FLIGHT\" WHERE r.flights > 5]->(b) COLUMNS (b.iata, r.flights AS n))",
    )
    .unwrap();
    assert_eq!(
        plan,
        "Projection: iata(b) AS iata, flights(r) AS n\n  MatchPattern: (a:0)-[r:0]->(b:0) [flights(r) > Int32(5)]"
    );
}

#[test]
fn graph_tables_refuse_names_that_do_not_exist() {
    for (text, code) in [
        ("GRAPH_TABLE (water MATCH (a) COLUMNS (a.iata))", "42704"),
        ("GRAPH_TABLE (airport MATCH (a) COLUMNS (a.iata))", "42809"),
        ("GRAPH_TABLE (air MATCH (a IS nothing) COLUMNS (a.iata))", "42704"),
        ("GRAPH_TABLE (air MATCH (a) COLUMNS (a.nothing))", "42703"),
        ("GRAPH_TABLE (air MATCH (a) COLUMNS (b.iata))", "42P01"),
        ("GRAPH_TABLE (air MATCH (a) COLUMNS (a.iata > 5))", "42601"),
        ("GRAPH_TABLE (air MATCH (a) COLUMNS (a.iata AS x, a.name AS x))", "42701"),
        ("GRAPH_TABLE (air MATCH (a)-[]->*(b) COLUMNS (a.iata))", "42601"),
        ("GRAPH_TABLE (air MATCH (a)~[]~(b) COLUMNS (a.iata))", "0A000"),
    ] {
        match graph_table(text) {
            Err(error) => assert_eq!(error.code().0, code, "{text}: {error}"),
            Ok(plan) => panic!("{text}: {plan}"),
        }
    }
}

#[test]
fn match_and_graph_table_make_the_same_pattern() {
    let pgq = graph_table(
        "GRAPH_TABLE (air MATCH (a IS \"Airport\")-[r IS \"FLIGHT\" WHERE r.flights > 5]->(b)-[t]->(a) COLUMNS (b.iata))",
    )
    .unwrap();
    let cypher = crate::planner::bind::cypher::test_plan(
        "MATCH (a:Airport)-[r:FLIGHT WHERE r.flights > 5]->(b)-[t]->(a) RETURN b.iata",
    )
    .unwrap();
    let pattern = |plan: &str| {
        let line =
            plan.lines().find(|line| line.contains("MatchPattern")).unwrap().trim().to_owned();
        line.split(" [").next().unwrap().to_owned()
    };
    assert_eq!(pattern(&pgq), "MatchPattern: (a:0)-[r:0]->(b:0), (b:0)-[t:0]->(a:0)");
    assert_eq!(pattern(&pgq), pattern(&cypher));
}
