//! The whole parser: routing, splitting, positions, and texts that are no statements.

use super::*;
use crate::error::Report;

fn script(text: &str) -> Vec<Statement> {
    parse_script(text, QueryLanguage::Auto, &|name| name.eq_ignore_ascii_case("db.labels"))
        .unwrap_or_else(|error| panic!("{error} at {:?} in {text}", error.span()))
}

fn failure(text: &str) -> ParseError {
    match parse_script(text, QueryLanguage::Auto, &|_| false) {
        Ok(statements) => panic!("parsed {text}: {statements:?}"),
        Err(error) => error,
    }
}

/// `c` for Cypher, `s` for SQL, `g` for property-graph statements, `u` for other ones.
fn languages(text: &str) -> String {
    let letter = |statement: &Statement| match statement.body {
        Body::Cypher(_) => 'c',
        Body::Sql { .. } => 's',
        Body::PropertyGraph(_) => 'g',
        Body::Utility(_) => 'u',
    };
    script(text).iter().map(letter).collect()
}

#[test]
fn first_words_decide_the_language() {
    for text in [
        "MATCH (n) RETURN n",
        "match (n) return n",
        "OPTIONAL MATCH (n) RETURN n",
        "UNWIND [1] AS x RETURN x",
        "RETURN 1",
        "FOREACH (x IN [1] | CREATE ())",
        "LOAD CSV FROM 'f' AS line RETURN line",
        "USE g MATCH (n) RETURN n",
        "CREATE (a)",
        "CREATE p = (a)-[:T]->(b)",
        "CREATE CONSTRAINT c IF NOT EXISTS FOR (n:L) REQUIRE n.a IS UNIQUE",
        "CREATE INDEX FOR (n:L) ON (n.a)",
        "CREATE RANGE INDEX i FOR ()-[r:T]-() ON (r.a)",
        "CYPHER MATCH (n) RETURN n",
        "MERGE (n:A)",
        "WITH 1 AS x RETURN x",
        "WITH x AS y RETURN y",
        "WITH 1 AS recursive RETURN recursive",
        "CALL db.labels()",
        "CALL { RETURN 1 AS x } RETURN x",
        "CALL (x) { RETURN 1 AS y } RETURN y",
        "EXPLAIN MATCH (n) RETURN n",
        "EXPLAIN ANALYZE MATCH (n) RETURN n",
        "PROFILE MATCH (n) RETURN n",
        "/* c */ -- d\n // e\n MATCH (n) RETURN n",
        "MATCH (`a;b` {x: ';'}) RETURN \"it's;\"",
    ] {
        assert_eq!(languages(text), "c", "{text}");
    }
    for text in [
        "SELECT 1",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "WITH x (a, b) AS NOT MATERIALIZED (SELECT 1, 2) SELECT * FROM x",
        "WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "CREATE INDEX i ON t (a)",
        "CREATE TABLE t (a int)",
        "CALL p(1)",
        "EXPLAIN SELECT 1",
        "EXPLAIN (ANALYZE, COSTS OFF) SELECT 1",
        "SET graph_path = 'g'",
        "SHOW graph_path",
        "BEGIN",
        "COPY t FROM STDIN",
        "COPY t FROM STDIN;",
        "INSERT INTO t VALUES (1)",
    ] {
        assert_eq!(languages(text), "s", "{text}");
    }
}

#[test]
fn the_session_variable_decides_else() {
    let first = |text: &str, language| {
        let statements = parse_script(text, language, &|_| false);
        statements.map(|statements| matches!(statements[0].body, Body::Cypher(_)))
    };
    assert!(first("MATCH (n) RETURN n", QueryLanguage::Sql).is_err());
    assert!(first("SELECT 1", QueryLanguage::Cypher).is_err());
    assert!(first("CALL a.b()", QueryLanguage::Cypher).unwrap());
    assert!(first("SHOW INDEXES", QueryLanguage::Cypher).unwrap());
    assert!(!first("SHOW query_language", QueryLanguage::Cypher).unwrap());
    assert!(!first("SET query_language = 'auto'", QueryLanguage::Cypher).unwrap());
    assert!(!first("CREATE PROPERTY GRAPH g ANY", QueryLanguage::Cypher).unwrap());
}

#[test]
fn scripts_are_split_by_the_rules_of_each_language() {
    assert_eq!(languages(""), "");
    assert_eq!(languages(" ; -- x\n ; /* y; /* z */ */ "), "");
    assert_eq!(languages("SELECT ';' AS \";\", $$;$$, $a$;$$;$a$, E'\\';'; RETURN ';';"), "sc");
    assert_eq!(languages("RETURN `;` // ;\n; SELECT 1 -- ;\n; MATCH (a) RETURN a"), "csc");
    assert_eq!(languages("CREATE PROPERTY GRAPH g ANY; CREATE (:A); SELECT 1"), "gcs");
    let statements = script(" SELECT 1 ;\n MATCH (né) RETURN né.x  ; ");
    assert_eq!(statements[0].text, "SELECT 1");
    assert_eq!(statements[1].text, "MATCH (né) RETURN né.x");
}

#[test]
fn errors_use_the_words_and_places_of_postgresql() {
    for (text, message, near, code) in [
        ("SELEC 1", "syntax error at or near \"SELEC\"", "SELEC", "42601"),
        ("SELECT 1 FROM", "syntax error at end of input", "", "42601"),
        ("SELECT 1 FROM;", "syntax error at or near \";\"", ";", "42601"),
        ("SELECT (1", "syntax error at end of input", "", "42601"),
        ("SELECT 1 1", "syntax error at or near \"1\"", "1", "42601"),
        ("SELECT 'é' é é", "syntax error at or near \"é\"", "é", "42601"),
        ("SELECT * FROM t WHERE", "syntax error at end of input", "", "42601"),
        ("CREATE TABLE t (a int b int)", "syntax error at or near \"b\"", "b", "42601"),
        ("SELECT 'abc", "unterminated quoted string at or near \"'abc\"", "'abc", "42601"),
        ("SELECT \"abc", "unterminated quoted identifier at or near \"\"abc\"", "\"abc", "42601"),
        ("SELECT /* abc", "unterminated /* comment at or near \"/* abc\"", "/* abc", "42601"),
        (
            "SELECT $a$abc",
            "unterminated dollar-quoted string at or near \"$a$abc\"",
            "$a$abc",
            "42601",
        ),
        ("SELECT \"\"", "zero-length delimited identifier at or near \"\"\"\"", "\"\"", "42601"),
        ("SELECT 1a", "trailing junk after numeric literal at or near \"1a\"", "1a", "42601"),
        ("SELECT * FROM a JOIN b", "syntax error at end of input", "", "42601"),
        (
            "SELECT 1 FROM (SELECT 1 FROM a LEFT JOIN b x) c",
            "syntax error at or near \")\"",
            ")",
            "42601",
        ),
        ("SELECT 1 ORDER 2", "syntax error at or near \"2\"", "2", "42601"),
        ("SELECT a, FROM t", "syntax error at or near \"FROM\"", "FROM", "42601"),
        ("SELECT * FORM t", "syntax error at or near \"FORM\"", "FORM", "42601"),
        ("SELECT NOT", "syntax error at end of input", "", "42601"),
        ("INSERT t VALUES (1)", "syntax error at or near \"t\"", "t", "42601"),
        ("EXPLAIN FOO", "syntax error at or near \"FOO\"", "FOO", "42601"),
        ("SELECT E'\\u00'", "invalid Unicode escape", "\\u00", "22025"),
        ("SELECT 1;\nMATCH (n RETURN n", "syntax error at or near \"RETURN\"", "RETURN", "42601"),
        ("MATCH (n) RETURN", "syntax error at end of input", "", "42601"),
        (
            "RETURN 9223372036854775808",
            "value \"9223372036854775808\" is out of range for type bigint",
            "9223372036854775808",
            "22003",
        ),
        ("MATCH (n) RETURN n.x + ;", "syntax error at end of input", "", "42601"),
        (
            "SELECT * FROM GRAPH_TABLE (g MATCH (a COLUMNS (a.x))",
            "syntax error at or near \"COLUMNS\"",
            "COLUMNS",
            "42601",
        ),
        (
            "CREATE PROPERTY GRAPH g VERTEX (t)",
            "syntax error at or near \"VERTEX\"",
            "VERTEX",
            "42601",
        ),
    ] {
        let error = failure(text);
        assert_eq!(error.to_string(), message, "{text}");
        assert_eq!(error.span().slice(text), near, "{text}");
        assert_eq!(error.sqlstate().0, code, "{text}");
        if near.is_empty() {
            assert_eq!(
                error.span().start as usize,
                text.trim_end_matches([' ', ';']).len(),
                "{text}"
            );
        }
    }
}

#[test]
fn near_misses_are_hinted() {
    for (text, word) in [
        ("SELCT 1", "SELECT"),
        ("MTACH (n) RETURN n", "MATCH"),
        ("MATCH (n) RETRUN n", "RETURN"),
        ("SELECT * FROM t WHER x = 1 GROUP BY x", "WHERE"),
        ("MATCH (n) WHERE n.x = 1 RETURN n ORDER BYY n", "BY"),
    ] {
        let hint = failure(text).hint().unwrap_or_default();
        assert!(hint.contains(word), "{text}: {hint}");
    }
}

#[test]
fn too_complex_statements_are_refused() {
    let deep = |open: &str, middle: &str, close: &str, count: usize| {
        format!("SELECT {}{middle}{}", open.repeat(count), close.repeat(count))
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for text in [
                deep("(", "1", ")", 20_000),
                deep("NOT ", "true", "", 20_000),
                deep("- ", "1", "", 20_000),
                deep("", "1", " + 1", 20_000),
                deep("", "true", " OR true", 20_000),
                deep("", "1", "::int", 20_000),
                deep("", "x", " IS NULL", 20_000),
                deep("", "1", " UNION SELECT 1", 20_000),
                deep("CASE WHEN ", "true", " THEN 1 END", 20_000),
                deep("(SELECT ", "1", ")", 20_000),
                deep("ARRAY[", "1", "]", 20_000),
                deep("f(", "1", ")", 20_000),
                "SELECT * FROM GRAPH_TABLE (".repeat(5_000),
            ] {
                let code = failure(&text).sqlstate().0;
                assert_eq!(code, "54001", "{}", &text[..40]);
            }
            for text in [
                deep("(", "1", ")", 60),
                deep("", "1", " + 1", 5_000),
                deep("", "x = 1", " OR x = 1", 1_900),
                deep("", "1", ", 1", 20_000),
                format!("SELECT 1 FROM a JOIN b ON true{}", " OR true".repeat(5_000)),
                format!("SELECT 1 FROM a JOIN b ON true{}", " UNION SELECT 1".repeat(5_000)),
            ] {
                script(&text);
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

/// A text made of fragments that mean something to the parser, and of characters that do not.
fn fragments() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    const FRAGMENTS: &[&str] = &[
        "SELECT",
        "FROM",
        "WHERE",
        "MATCH",
        "RETURN",
        "WITH",
        "AS",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "->",
        "<-",
        "-",
        "--",
        "*",
        "1..3",
        "..",
        "|",
        ":",
        "::",
        "'",
        "\"",
        "`",
        "$$",
        "$a$",
        "$1",
        "$x",
        ";",
        ",",
        ".",
        "/*",
        "*/",
        "//",
        "\n",
        " ",
        "n",
        "a",
        "é",
        "😀",
        "1",
        "1.5",
        "0x",
        "1e",
        "9223372036854775808",
        "GRAPH_TABLE",
        "COLUMNS",
        "GRAPH_TABLE (g MATCH (a)-[e]->(b) COLUMNS (a.x))",
        "CREATE",
        "PROPERTY",
        "GRAPH",
        "VERTEX",
        "TABLES",
        "KEY",
        "SOURCE",
        "DESTINATION",
        "LABEL",
        "UNWIND",
        "CALL",
        "EXISTS",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "IN",
        "IS",
        "NOT",
        "NULL",
        "AND",
        "OR",
        "=",
        "<",
        ">",
        "=~",
        "+=",
        "!",
        "%",
        "&",
        "E'\\",
        "\\",
        "U&'\\",
        "ALL",
        "SHORTEST",
        "ANY",
        "SET",
        "MERGE",
        "DELETE",
        "UNION",
        "ORDER",
        "BY",
        "reduce(",
        "[x IN",
        "INSERT INTO t VALUES",
        "COPY",
        "JOIN",
        "ON",
        "INTERVAL",
        "DATE",
        "ARRAY",
        "CAST(",
        "EXTRACT(",
        "{1,3}",
        "shortestPath(",
        "\u{0}",
        "\u{a0}",
    ];
    let fragment = prop_oneof![
        8 => proptest::sample::select(FRAGMENTS).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec((fragment, any::<bool>()), 0..40).prop_map(|parts| {
        let spaced =
            parts.iter().map(|(part, space)| format!("{part}{}", if *space { " " } else { "" }));
        spaced.collect()
    })
}

/// Whatever the text, the answer is a tree or an error whose place lies in the text, on character boundaries.
fn check_any(text: &str) {
    for language in [QueryLanguage::Auto, QueryLanguage::Sql, QueryLanguage::Cypher] {
        match parse_script(text, language, &|_| true) {
            Ok(statements) => {
                for statement in statements {
                    assert_eq!(statement.span.slice(text), statement.text);
                }
            }
            Err(error) => {
                let Span { start, end } = error.span();
                assert!(
                    text.get(start as usize..end as usize).is_some(),
                    "{error} at {start}..{end} in {text:?}"
                );
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: if cfg!(debug_assertions) { 3_000 } else { 300_000 },
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn fragments_never_panic(text in fragments()) {
        check_any(&text);
    }

    #[test]
    fn random_texts_never_panic(text in "\\PC{0,60}") {
        check_any(&text);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(0u8.., 0..60)) {
        check_any(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn truncated_texts_never_panic() {
    for text in [
        "MATCH p = ANY SHORTEST (a:A|B {x: $p})-[r:T*1..3 {y: 'é'}]->(b WHERE b.x > 0x1F) RETURN a.x AS x, [n IN nodes(p) | n.y] ORDER BY x SKIP 1 LIMIT 2",
        "CREATE (a)-[:T]->(b) WITH a CALL (a) { MATCH (a)-->(c) RETURN c } IN TRANSACTIONS OF 10 ROWS RETURN CASE c.x WHEN 1 THEN \"é\\u00e9\" ELSE 1.5e3 END",
        "SELECT * FROM t, GRAPH_TABLE (g MATCH (a IS p WHERE a.x = 'é')-[e IS k]->{1,3}(b) WHERE b.y > 1 COLUMNS (a.x AS x, b.*)) AS q (x, y) WHERE q.x IN (SELECT $1::int) ORDER BY 1",
        "CREATE PROPERTY GRAPH g VERTEX TABLES (s.v AS a KEY (id) LABEL l PROPERTIES (x, y * 2 AS z) DEFAULT LABEL NO PROPERTIES) EDGE TABLES (e SOURCE KEY (s) REFERENCES a (id) DESTINATION a)",
        "WITH x AS (SELECT E'\\n', U&'\\0061' UESCAPE '!', $a$ b $a$, 1.5, '\\x00'::bytea) INSERT INTO t SELECT * FROM x ON CONFLICT DO NOTHING RETURNING *",
    ] {
        for (at, _) in text.char_indices() {
            check_any(&text[..at]);
            check_any(&text[at..]);
        }
    }
}
