//! SQL/PGQ, construct by construct.

use super::*;
use crate::error::Report;
use crate::parser::pattern::{
    EdgeDirection, LabelExpr, PathElement, PathMode, PathSelector, QuantifierForm,
};
use crate::parser::{Body, ParseError, QueryLanguage, parse_script};

fn body(text: &str) -> Body {
    let mut statements = parse_script(text, QueryLanguage::Auto, &|_| false)
        .unwrap_or_else(|error| panic!("{error} at {:?} in {text}", error.span()));
    assert_eq!(statements.len(), 1);
    statements.remove(0).body
}

fn failure(text: &str) -> ParseError {
    match parse_script(text, QueryLanguage::Auto, &|_| false) {
        Ok(statements) => panic!("parsed {text}: {statements:?}"),
        Err(error) => error,
    }
}

/// The tables, and the rest of the statement as `sqlparser` prints it.
fn taken(text: &str) -> (String, Vec<GraphTable>) {
    match body(text) {
        Body::Sql { statement, graph_tables } => (statement.to_string(), graph_tables),
        other => panic!("{text} is {other:?}"),
    }
}

/// The elements of the only path of `GRAPH_TABLE (g MATCH <pattern> COLUMNS (1 AS one))`.
fn elements(pattern: &str) -> Vec<PathElement<SqlExpr>> {
    let text = format!("SELECT * FROM GRAPH_TABLE (g MATCH {pattern} COLUMNS (1 AS one))");
    let (_, mut tables) = taken(&text);
    tables.remove(0).pattern.paths.remove(0).elements
}

fn ddl(text: &str) -> PropertyGraphDdl {
    match body(text) {
        Body::PropertyGraph(ddl) => *ddl,
        other => panic!("{text} is {other:?}"),
    }
}

fn texts(names: &[crate::parser::pattern::Name]) -> Vec<&str> {
    names.iter().map(|name| name.text.as_str()).collect()
}

#[test]
fn graph_tables_leave_a_placeholder() {
    let text = "SELECT x FROM t, GRAPH_TABLE (s.g MATCH (a IS p WHERE a.x > -1) COLUMNS (a.x AS x, a.*)) AS q (x) WHERE q.x = 1";
    let (rest, tables) = taken(text);
    assert_eq!(rest, "SELECT x FROM t, LATERAL __graph_table(0) AS q (x) WHERE q.x = 1");
    let [table] = tables.as_slice() else { panic!("{tables:?}") };
    assert_eq!(texts(&table.graph.parts), ["s", "g"]);
    assert!(table.span.slice(text).starts_with("GRAPH_TABLE (s.g"));
    assert!(table.span.slice(text).ends_with("a.*))"));
    assert_eq!(table.rows, RowsPer::Match);
    let [
        GraphTableColumn::Expr { expr, name: Some(name) },
        GraphTableColumn::AllProperties { variable, .. },
    ] = table.columns.as_slice()
    else {
        panic!("{:?}", table.columns)
    };
    assert_eq!(
        (expr.span.slice(text), name.text.as_str(), variable.text.as_str()),
        ("a.x", "x", "a")
    );
    let PathElement::Vertex(vertex) = &table.pattern.paths[0].elements[0] else { panic!() };
    let condition = vertex.filler.condition.as_ref().unwrap();
    assert_eq!(condition.span.slice(text), "a.x > -1");
    assert_eq!(condition.expr.to_string(), "a.x > -1");
}

#[test]
fn graph_tables_nest() {
    let text = "SELECT * FROM GRAPH_TABLE (g MATCH (a) WHERE EXISTS (SELECT 1 FROM GRAPH_TABLE (h MATCH (b)-[e]-(c) COLUMNS (b.x AS y)) q WHERE q.y = a.x) COLUMNS (a.x AS x)), LATERAL (SELECT * FROM GRAPH_TABLE (i MATCH (c) COLUMNS (c.z AS z))) r";
    let (rest, tables) = taken(text);
    let names: Vec<_> = tables.iter().map(|table| table.graph.parts[0].text.as_str()).collect();
    assert_eq!(names, ["h", "g", "i"]);
    assert!(rest.contains("__graph_table(1)") && rest.contains("__graph_table(2)"), "{rest}");
    let condition = tables[1].pattern.condition.as_ref().unwrap();
    assert!(condition.expr.to_string().contains("__graph_table(0)"));
    assert!(condition.span.slice(text).starts_with("EXISTS (SELECT"));
}

#[test]
fn arrows_have_their_directions() {
    for (pattern, direction) in [
        ("(a)-[e]->(b)", EdgeDirection::Right),
        ("(a)->(b)", EdgeDirection::Right),
        ("(a)<-[e]-(b)", EdgeDirection::Left),
        ("(a)<-(b)", EdgeDirection::Left),
        ("(a)-[e]-(b)", EdgeDirection::Any),
        ("(a)-(b)", EdgeDirection::Any),
        ("(a)<-[e]->(b)", EdgeDirection::LeftOrRight),
        ("(a)<->(b)", EdgeDirection::LeftOrRight),
        ("(a)~[e]~(b)", EdgeDirection::Undirected),
        ("(a)~(b)", EdgeDirection::Undirected),
        ("(a)<~[e]~(b)", EdgeDirection::LeftOrUndirected),
        ("(a)~[e]~>(b)", EdgeDirection::UndirectedOrRight),
        ("(a) - [e] - > (b)", EdgeDirection::Right),
        ("(a) < - [ e ] - (b)", EdgeDirection::Left),
    ] {
        let elements = elements(pattern);
        let [PathElement::Vertex(_), PathElement::Edge(edge), PathElement::Vertex(_)] =
            elements.as_slice()
        else {
            panic!("{pattern}: {elements:?}")
        };
        assert_eq!(edge.direction, direction, "{pattern}");
    }
}

#[test]
fn quantifiers_selectors_and_modes() {
    for (written, min, max, form) in [
        ("{2}", 2, Some(2), QuantifierForm::Postfix),
        ("{1,3}", 1, Some(3), QuantifierForm::Postfix),
        ("{1,}", 1, None, QuantifierForm::Postfix),
        ("{,3}", 0, Some(3), QuantifierForm::Postfix),
        ("*", 0, None, QuantifierForm::Postfix),
        ("+", 1, None, QuantifierForm::Postfix),
        ("?", 0, Some(1), QuantifierForm::Optional),
    ] {
        for pattern in [format!("(a)-[e]->{written}(b)"), format!("(a)->{written}(b)")] {
            let elements = elements(&pattern);
            let PathElement::Edge(edge) = &elements[1] else { panic!("{pattern}") };
            let quantifier = edge.quantifier.unwrap();
            assert_eq!(
                (quantifier.min, quantifier.max, quantifier.form),
                (min, max, form),
                "{pattern}"
            );
        }
    }
    let grouped = elements("(a) ((x)-[e]->(y) WHERE e.w > 1){1,5} (b)");
    let PathElement::Group(group) = &grouped[1] else { panic!("{grouped:?}") };
    assert_eq!((group.elements.len(), group.quantifier.unwrap().max), (3, Some(5)));
    assert_eq!(group.condition.as_ref().unwrap().expr.to_string(), "e.w > 1");
    let text = "SELECT * FROM GRAPH_TABLE (g MATCH ANY SHORTEST TRAIL PATHS (a)->*(b), p = SHORTEST 3 GROUPS (b)->(c) KEEP ACYCLIC PATH WHERE a.x = 1 ONE ROW PER STEP (v, e, w) IN (p) COLUMNS (v.x AS x))";
    let (_, tables) = taken(text);
    let pattern = &tables[0].pattern;
    assert_eq!(pattern.paths[0].prefix.selector, Some(PathSelector::AnyShortest));
    assert_eq!(pattern.paths[0].prefix.mode, Some(PathMode::Trail));
    assert_eq!(pattern.paths[1].prefix.selector, Some(PathSelector::ShortestGroups { count: 3 }));
    assert_eq!(pattern.paths[1].variable.as_ref().unwrap().text, "p");
    assert_eq!(pattern.keep.unwrap().mode, Some(PathMode::Acyclic));
    assert_eq!(pattern.condition.as_ref().unwrap().span.slice(text), "a.x = 1");
    assert!(matches!(&tables[0].rows, RowsPer::Step { paths, .. } if texts(paths) == ["p"]));
}

#[test]
fn labels_group_as_in_the_standard() {
    let labels = |pattern: &str| match elements(pattern).remove(0) {
        PathElement::Vertex(vertex) => vertex.filler.labels.unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(labels("(IS a)"), LabelExpr::Label(_)));
    assert!(matches!(labels("(v IS %)"), LabelExpr::Wildcard(_)));
    let LabelExpr::Or(parts, _) = labels("(v IS a|b&!c)") else { panic!() };
    let LabelExpr::And(both, _) = &parts[1] else { panic!() };
    assert!(matches!(both[1], LabelExpr::Not(..)));
    assert!(
        matches!(labels("(v:\"A b\")"), LabelExpr::Label(name) if name.quoted && name.text == "A b")
    );
}

#[test]
fn wrong_graph_tables_point_at_the_mistake() {
    for (text, near, code) in [
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a))", ")", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a) COLUMNS (a.x)", "", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a)-[e]>(b) COLUMNS (1))", ">", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a) (b) COLUMNS (1))", "(", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a {x: 1}) COLUMNS (1))", "{", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a)->{3,1}(b) COLUMNS (1))", "{3,1}", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a) | (b) COLUMNS (1))", "|", "0A000"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a) WHERE a.x = COLUMNS (1))", ")", "42601"),
        ("SELECT * FROM GRAPH_TABLE (g MATCH (a WHERE) COLUMNS (1))", ")", "42601"),
        ("SELECT * FROM __graph_table(0)", "__graph_table", "42601"),
    ] {
        let error = failure(text);
        assert_eq!((error.span().slice(text), error.sqlstate().0), (near, code), "{text}: {error}");
    }
}

#[test]
fn property_graphs_are_created() {
    let PropertyGraphDdl::Create(graph) = ddl(
        "CREATE OR REPLACE TEMP PROPERTY GRAPH s.g
         NODE TABLES (person, s.c AS company KEY (id, k) LABEL l1 PROPERTIES (a, b * 2 AS c) DEFAULT LABEL NO PROPERTIES, t PROPERTIES ARE ALL COLUMNS EXCEPT (z))
         RELATIONSHIP TABLES (w KEY (i) SOURCE KEY (p) REFERENCES person (id) DESTINATION company LABEL works, k SOURCE a DESTINATION b NO PROPERTIES)",
    ) else {
        panic!()
    };
    assert!(graph.or_replace && graph.temporary && !graph.open && !graph.if_not_exists);
    assert_eq!((graph.vertex_tables.len(), graph.edge_tables.len()), (3, 2));
    let company = &graph.vertex_tables[1];
    assert_eq!(company.alias.as_ref().unwrap().text, "company");
    assert_eq!(texts(&company.key), ["id", "k"]);
    let ElementLabels::Explicit(labels) = &company.labels else { panic!() };
    assert_eq!((labels[0].name.as_ref().unwrap().text.as_str(), &labels[1].name), ("l1", &None));
    let LabelProperties::List(properties) = &labels[0].properties else { panic!() };
    assert_eq!(properties[1].expr.expr.to_string(), "b * 2");
    assert_eq!(properties[1].name.as_ref().unwrap().text, "c");
    assert_eq!(labels[1].properties, LabelProperties::None);
    let ElementLabels::Implicit(LabelProperties::AllColumns { except }) =
        &graph.vertex_tables[2].labels
    else {
        panic!()
    };
    assert_eq!(texts(except), ["z"]);
    let works = &graph.edge_tables[0];
    assert_eq!(texts(&works.source.columns), ["p"]);
    assert_eq!(
        (works.source.vertex.text.as_str(), texts(&works.source.referenced)),
        ("person", vec!["id"])
    );
    assert_eq!(works.destination.columns, []);
    let PropertyGraphDdl::Create(open) = ddl("CREATE PROPERTY GRAPH IF NOT EXISTS g ANY") else {
        panic!()
    };
    assert!(open.open && open.if_not_exists);
}

#[test]
fn property_graphs_are_altered_and_dropped() {
    let action = |rest: &str| match ddl(&format!("ALTER PROPERTY GRAPH IF EXISTS g {rest}")) {
        PropertyGraphDdl::Alter(AlterPropertyGraph { action, if_exists: true, .. }) => action,
        other => panic!("{other:?}"),
    };
    assert!(matches!(action("ADD VERTEX TABLES (a, b) EDGE TABLES (e SOURCE a DESTINATION b)"),
        AlterAction::AddTables { vertex_tables, edge_tables } if vertex_tables.len() == 2 && edge_tables.len() == 1));
    assert!(matches!(action("DROP EDGE TABLES (e, f) CASCADE"),
        AlterAction::DropTables { kind: ElementKind::Edge, aliases, behavior: DropBehavior::Cascade } if aliases.len() == 2));
    let change = |rest: &str| match action(&format!("ALTER NODE TABLE a {rest}")) {
        AlterAction::AlterTable { kind: ElementKind::Vertex, change, .. } => change,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(change("ADD LABEL l NO PROPERTIES ADD LABEL m"), ElementTableChange::AddLabels(labels) if labels.len() == 2)
    );
    assert!(matches!(change("DROP LABEL l RESTRICT"), ElementTableChange::DropLabel { .. }));
    assert!(matches!(
        change("ALTER LABEL l ADD PROPERTIES (a + 1 AS b)"),
        ElementTableChange::AddProperties { .. }
    ));
    assert!(
        matches!(change("ALTER LABEL l DROP PROPERTIES (a, b)"), ElementTableChange::DropProperties { properties, .. } if properties.len() == 2)
    );
    assert!(matches!(action("OWNER TO CURRENT_USER"), AlterAction::OwnerTo(_)));
    assert!(matches!(action("RENAME TO h"), AlterAction::RenameTo(_)));
    assert!(matches!(action("SET SCHEMA s"), AlterAction::SetSchema(_)));
    let PropertyGraphDdl::Drop(dropped) = ddl("DROP PROPERTY GRAPH IF EXISTS g, s.h CASCADE")
    else {
        panic!()
    };
    assert_eq!(
        (dropped.names.len(), dropped.if_exists, dropped.behavior),
        (2, true, DropBehavior::Cascade)
    );
    assert_eq!(failure("DROP PROPERTY GRAPH g x").sqlstate().0, "42601");
    assert_eq!(
        failure("CREATE PROPERTY GRAPH g EDGE TABLES (e DESTINATION b)").sqlstate().0,
        "42601"
    );
}
