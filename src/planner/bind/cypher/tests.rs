//! Statements against the airport graph: plans, column types, errors.

use super::{BoundQuery, CypherContext, bind_cypher};
use crate::error::PgError;
use crate::planner::bind::graph::fixture::{catalog, cypher, search_path};
use crate::types::pg_type::PgType;

fn bind(text: &str) -> Result<BoundQuery, PgError> {
    let statement = cypher(text)?;
    bind_cypher(&CypherContext {
        statement: &statement,
        catalog: &catalog(),
        search_path: &search_path(),
        graph_path: None,
        parameters: &[],
        iso_temporals: false,
        bind: None,
    })
}

/// The plan of a statement on the airport graph, as text.
pub(crate) fn test_plan(text: &str) -> Result<String, PgError> {
    bind(text).map(|bound| bound.plan.display_indent().to_string())
}

fn columns(text: &str) -> Vec<(String, String)> {
    bind(text).unwrap().columns.into_iter().map(|(name, ty)| (name, ty.to_string())).collect()
}

fn types(text: &str) -> Vec<String> {
    columns(text).into_iter().map(|(_, ty)| ty).collect()
}

#[test]
fn a_pattern_takes_its_own_predicates() {
    let plan = test_plan(
        "MATCH (a:Airport {iata: 'SFO'})-[r:FLIGHT]->(b) WHERE b.state = 'CA' AND r.flights > 5 AND a.name <> b.name
         RETURN b.iata, r.flights ORDER BY r.flights DESC LIMIT 5",
    )
    .unwrap();
    assert_eq!(
        plan,
        "\
Projection: b.iata AS b.iata, r.flights AS r.flights
  Limit: skip=0, fetch=5
    Sort: r.flights DESC NULLS FIRST
      Projection: iata(b) AS b.iata, flights(r) AS r.flights
        MatchPattern: (a:0)-[r:0]->(b:0) [iata(a) = Utf8View(\"SFO\")] [state(b) = Utf8View(\"CA\")] \
         [CAST(flights(r) AS Int64) > Int64(5)] where name(a) != name(b)"
            .replace("Projection: b.iata AS b.iata, r.flights AS r.flights", "Projection: b.iata, r.flights")
    );
}

#[test]
fn names_match_exactly_or_folded_or_nothing() {
    assert!(test_plan("MATCH (a:Place) RETURN a.NAME").unwrap().contains("(a:0)"));
    assert!(test_plan("MATCH (a:Nothing) RETURN a.name").unwrap().contains("(a:)"));
    let bound = bind("MATCH (a:Airport) RETURN a.nme").unwrap();
    assert_eq!(bound.columns, [("a.nme".to_owned(), PgType::Text)]);
    assert_eq!(bound.notices[0].fields().hint.as_deref(), Some("Perhaps you meant \"name\"."));
}

#[test]
fn columns_have_the_types_of_the_wire_convention() {
    assert_eq!(
        columns(
            "MATCH (a)-[r]->(b) RETURN a, r.flights, r.distance, r.flights + 1, a.iata AS code, count(*)"
        ),
        [
            ("a", "jsonb"),
            ("r.flights", "integer"),
            ("r.distance", "numeric(8,1)"),
            ("r.flights + 1", "bigint"),
            ("code", "text"),
            ("count(*)", "bigint"),
        ]
        .map(|(name, ty)| (name.to_owned(), ty.to_owned()))
    );
    assert_eq!(
        types(
            "RETURN 1, 2.5, 'a', true, null, [1], ['a', null], [[1]], [1, 'a'], [], {a: 1}, date('2020-01-01'), [duration('P1D')]"
        ),
        [
            "bigint",
            "double precision",
            "text",
            "boolean",
            "text",
            "bigint[]",
            "text[]",
            "jsonb",
            "jsonb",
            "jsonb",
            "jsonb",
            "date",
            "interval[]",
        ]
    );
    assert_eq!(
        types(
            "MATCH p = (a)-[r*]->(b) RETURN p, r, nodes(p), length(p), collect(a.iata), labels(a)"
        ),
        ["jsonb", "jsonb", "jsonb", "bigint", "text[]", "text[]"]
    );
    assert_eq!(types("RETURN 1 AS x UNION RETURN 'a' AS x"), ["jsonb"]);
    assert_eq!(types("RETURN CASE WHEN true THEN 1 ELSE 2.5 END"), ["jsonb"]);
}

#[test]
fn parameters_take_their_types_from_their_uses() {
    let parameters = |text| bind(text).unwrap().parameters;
    assert_eq!(
        parameters("MATCH (a {iata: $code}) RETURN a LIMIT $n"),
        [PgType::Text, PgType::Int8]
    );
    assert_eq!(parameters("RETURN $1, $2 + 1"), [PgType::Jsonb, PgType::Int8]);
    assert_eq!(
        parameters("WITH $x AS y MATCH (a) WHERE a.latitude < $x RETURN y"),
        [PgType::Float8]
    );
    assert_eq!(
        parameters("MATCH (a) WHERE a.iata IN $codes RETURN a"),
        [PgType::array_of(PgType::Text)]
    );
}

#[test]
fn mistakes_have_their_code_word_and_place() {
    for (text, code, word, offset) in [
        ("MATCH (a) RETURN b", "42703", "UndefinedVariable", 17),
        ("MATCH (a) WITH a.name AS n RETURN a", "42703", "UndefinedVariable", 34),
        ("MATCH (a)-[r]->()-[r]->() RETURN a", "42712", "RelationshipUniquenessViolation", 19),
        ("MATCH (a)-[a]->() RETURN a", "42804", "VariableTypeConflict", 11),
        ("MATCH (a), a = ()-->() RETURN a", "42712", "VariableAlreadyBound", 11),
        ("UNWIND [1] AS a MATCH (a) RETURN a", "42804", "VariableTypeConflict", 23),
        ("UNWIND [1] AS a UNWIND [2] AS a RETURN a", "42712", "VariableAlreadyBound", 30),
        ("MATCH (a) RETURN a.name AS x, a.iata AS x", "42701", "ColumnNameConflict", 30),
        ("MATCH (a) RETURN foo(a)", "42883", "UnknownFunction", 17),
        ("RETURN toUpper('a', 'b')", "42883", "InvalidNumberOfArguments", 7),
        ("MATCH (a) WHERE count(a) > 1 RETURN a", "42803", "InvalidAggregation", 16),
        ("MATCH (a) RETURN count(count(a))", "42803", "NestedAggregation", 23),
        ("MATCH (a) RETURN a.latitude + count(*)", "42803", "AmbiguousAggregationExpression", 17),
        ("MATCH (a) RETURN a ORDER BY count(a)", "42803", "InvalidAggregation", 28),
        ("MATCH (a) RETURN DISTINCT a.name ORDER BY a.iata", "42703", "UndefinedVariable", 42),
        ("RETURN 1 + true", "42804", "InvalidArgumentType", 7),
        ("RETURN 1 AND true", "42804", "InvalidArgumentType", 7),
        ("MATCH (a) RETURN a LIMIT -1", "2201W", "NegativeIntegerArgument", 25),
        ("MATCH (a) RETURN a SKIP -1", "2201X", "NegativeIntegerArgument", 24),
        ("MATCH (a) RETURN a LIMIT 1.5", "42804", "InvalidArgumentType", 25),
        ("MATCH (a) RETURN a LIMIT a.latitude", "42601", "NonConstantExpression", 25),
        ("RETURN 1 AS a UNION RETURN 2 AS b", "42601", "DifferentColumnsInUnion", 20),
        ("RETURN *", "42601", "NoVariablesInScope", 7),
        ("MATCH (a) WHERE (a)-->(b) RETURN a", "42703", "UndefinedVariable", 16),
    ] {
        let error = bind(text).map(|bound| bound.plan.display_indent().to_string()).unwrap_err();
        let fields = error.fields();
        assert_eq!(
            (error.code().0, fields.routine.unwrap_or(""), fields.offset.unwrap_or(0)),
            (code, word, offset),
            "{text}: {error}"
        );
    }
}

#[test]
fn what_is_not_carried_out_is_refused() {
    assert_eq!(bind("SHOW DATABASES").unwrap_err().code().0, "0A000");
}

#[test]
fn expressions_need_no_graph() {
    let statement = cypher("UNWIND range(1, 3) AS x RETURN x, x * x AS y").unwrap();
    let bound = bind_cypher(&CypherContext {
        statement: &statement,
        catalog: &crate::planner::bind::graph::fixture::plain_catalog(),
        search_path: &search_path(),
        graph_path: None,
        parameters: &[],
        iso_temporals: false,
        bind: None,
    });
    assert_eq!(bound.unwrap().columns.len(), 2);
}

#[test]
fn subqueries_are_joined_on_the_outer_values_they_use() {
    let plan = test_plan("MATCH (a:Airport) WHERE NOT EXISTS { (a)-[:FLIGHT]->(b) WHERE b.state = a.state } RETURN a.iata").unwrap();
    assert!(plan.contains("Left Join: a = "), "{plan}");
    assert!(plan.contains("Distinct:"), "{plan}");
    // Nothing outer is used: one row is joined to all.
    let plan =
        test_plan("MATCH (a:Airport) WHERE EXISTS { (x:Airport {iata: 'SFO'}) } RETURN a.iata")
            .unwrap();
    assert!(plan.contains("Left Join:"), "{plan}");
}
