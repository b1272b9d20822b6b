//! SQL: what our lexer and rewriting change in front of `sqlparser`.

use super::definition::{Definition, Maintenance};
use crate::parser::{Body, QueryLanguage, Utility, parse_script};

fn body(text: &str) -> Body {
    let mut statements = parse_script(text, QueryLanguage::Sql, &|_| false)
        .unwrap_or_else(|error| panic!("{error} at {:?} in {text}", error.span()));
    statements.remove(0).body
}

/// The statement as `sqlparser` prints it.
fn printed(text: &str) -> String {
    match body(text) {
        Body::Sql { statement, .. } => statement.to_string(),
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn postgresql_forms_become_those_of_sqlparser() {
    for (text, expected) in [
        ("ABORT", "ROLLBACK"),
        ("TABLE s.t", "SELECT * FROM s.t"),
        ("FETCH c", "FETCH NEXT FROM c"),
        ("FETCH FORWARD FROM c", "FETCH NEXT FROM c"),
        ("FETCH 5 c", "FETCH 5 FROM c"),
        ("FETCH -3 FROM c", "FETCH -3 FROM c"),
        ("FETCH ABSOLUTE -1 IN c", "FETCH ABSOLUTE -1 IN c"),
        ("FETCH ALL c", "FETCH ALL FROM c"),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, NOT DEFERRABLE",
            "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY",
        ),
        ("COPY t FROM STDIN (FREEZE on, HEADER 'off')", "COPY t FROM STDIN (FREEZE, HEADER FALSE)"),
        ("COMMENT ON TABLE t IS $a$x 'y'$a$", "COMMENT ON TABLE t IS 'x 'y''"),
        ("SELECT a OPERATOR(pg_catalog.=) ANY (b)", "SELECT a = ANY(b)"),
        (
            "SELECT * FROM s.f('g', $$x$$) AS (a text, b bigint)",
            "SELECT * FROM s.f('g', $$x$$) AS f (a TEXT, b BIGINT)",
        ),
        (
            "WITH f (a) AS (SELECT 1) SELECT x > -1, y<>-1, z->-1 FROM f",
            "WITH f (a) AS (SELECT 1) SELECT x > -1, y <> -1, z -> -1 FROM f",
        ),
        (
            "INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING",
            "INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING",
        ),
        (
            "SELECT 'a'\n 'b', $$a$b$$, U&'d!0061' UESCAPE '!', 0x10",
            "SELECT 'ab', $$a$b$$, 'da', 16",
        ),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn statements_without_a_form_in_sqlparser_are_utilities() {
    let utility = |text: &str| match body(text) {
        Body::Utility(utility) => utility,
        other => panic!("{text} is {other:?}"),
    };
    assert!(
        matches!(utility("MOVE 4 c"), Utility::Move(fetch) if fetch.to_string() == "FETCH 4 FROM c")
    );
    assert!(
        matches!(utility("SET CONSTRAINTS ALL IMMEDIATE"), Utility::SetConstraints { names, deferred: false } if names.is_empty())
    );
    assert!(
        matches!(utility("SET CONSTRAINTS a, s.b DEFERRED"), Utility::SetConstraints { names, deferred: true } if names.len() == 2)
    );
    assert_eq!(utility("CHECKPOINT"), Utility::Checkpoint);
    assert!(
        matches!(utility("VACUUM (FULL, ANALYZE) a, b"), Utility::Definition(definition) if matches!(
            definition.as_ref(),
            Definition::Maintain(Maintenance::Vacuum { full: true, analyze: true, tables, .. }) if tables.len() == 2
        ))
    );
    assert!(matches!(utility("vacuum analyze t"), Utility::Definition(definition) if matches!(
        definition.as_ref(),
        Definition::Maintain(Maintenance::Vacuum { full: false, analyze: true, tables, .. }) if tables.len() == 1
    )));
}

#[test]
fn known_statements_that_are_not_carried_out_are_0a000() {
    use crate::error::Report;
    for (text, near) in [
        ("CREATE RULE r AS ON INSERT TO t DO NOTHING", "CREATE"),
        ("PREPARE TRANSACTION 'x'", "PREPARE"),
        ("DO LANGUAGE sql $$ SELECT 1 $$", "DO"),
    ] {
        let error = parse_script(text, QueryLanguage::Auto, &|_| false).unwrap_err();
        assert_eq!((error.sqlstate().0, error.span().slice(text)), ("0A000", near), "{text}");
    }
}

/// `sqlparser` reads a chain of names again and again when a mistake ends it; found by fuzzing.
#[test]
fn long_chains_of_names_are_refused_before_they_are_read() {
    use crate::error::Report;
    for (chain, end) in [(40, ".com"), (2000, ""), (100_000, ".."), (5, "("), (3, "..com")] {
        let text = format!(
            "SELECT * FROM GRAPH_TABLE (g MATCH (w) COLUMNS (w{}{end}))",
            ".com".repeat(chain)
        );
        let error = parse_script(&text, QueryLanguage::Auto, &|_| false).unwrap_err();
        assert_eq!(error.sqlstate().0, "42601", "{chain} {end}");
    }
    let error = parse_script("SELECT 1, a.b .c.d.e", QueryLanguage::Auto, &|_| false).unwrap_err();
    assert_eq!(error.to_string(), "improper qualified name (too many dotted names): a.b.c.d.e");
    assert_eq!(error.span().start, 10);
}

/// What `sqlparser` reads in two ways would take 2 to the power of the depth; found by fuzzing.
#[test]
fn what_is_read_in_two_ways_is_read_in_bounds() {
    use crate::error::Report;
    for (open, inside) in [
        ("substring('abc', ", "1"),
        ("trim(", "'a' b"),
        ("extract(year FROM ", "now() now()"),
        ("a.f(", ""),
        ("coalesce(", ""),
    ] {
        let text = format!("SELECT {}{inside}", open.repeat(100));
        let error = parse_script(&text, QueryLanguage::Auto, &|_| false).unwrap_err();
        assert!(matches!(error.sqlstate().0, "42601" | "54001"), "{open}: {error}");
    }
    let text = format!("SELECT {}'abc'{}", "substring(".repeat(100), " FROM 2)".repeat(100));
    assert!(parse_script(&text, QueryLanguage::Auto, &|_| false).is_ok());
}

#[test]
fn keywords_of_other_dialects_are_names() {
    for text in [
        "SELECT top, prior, struct, sample, qualify, final FROM pivot AS unpivot",
        "SELECT a top, b AS final FROM t semi JOIN u anti ON semi.a = anti.a",
        "FETCH PRIOR FROM c",
    ] {
        assert_eq!(
            printed(text).to_lowercase().replace(" as ", " "),
            text.to_lowercase().replace(" as ", " ")
        );
    }
}

#[test]
fn places_in_the_tree_are_bytes() {
    let text = "SELECT 1; SELECT 'é', colé\n FROM t";
    let statements = parse_script(text, QueryLanguage::Sql, &|_| false).unwrap();
    let Body::Sql { statement, .. } = &statements[1].body else { panic!() };
    let sqlparser::ast::Statement::Query(query) = statement.as_ref() else { panic!() };
    let sqlparser::ast::SetExpr::Select(select) = query.body.as_ref() else { panic!() };
    let sqlparser::ast::SelectItem::UnnamedExpr(sqlparser::ast::Expr::Identifier(name)) =
        &select.projection[1]
    else {
        panic!()
    };
    assert_eq!(super::byte_span(name.span).unwrap().slice(text), "colé");
}
