//! Cypher, construct by construct; and texts that nest deeply.

use super::*;
use crate::error::Report;
use crate::parser::ParseError;

fn failure(text: &str) -> ParseError {
    match parse(text, 0) {
        Ok(statement) => panic!("parsed {text}: {statement:?}"),
        Err(error) => error,
    }
}

/// Runs on a stack as small as a worker thread's, so that a missing bound shows.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap();
    thread.join().unwrap();
}

#[test]
fn deep_nesting_is_an_error() {
    on_small_stack(|| {
        let repeated = |open: &str, middle: &str, close: &str| {
            format!("RETURN {}{middle}{}", open.repeat(20_000), close.repeat(20_000))
        };
        let texts = [
            repeated("(", "1", ")"),
            repeated("[", "", "]"),
            repeated("{a: ", "1", "}"),
            repeated("NOT ", "true", ""),
            repeated("- ", "x", ""),
            repeated("CASE WHEN ", "true", " THEN 1 END"),
            repeated("", "x", ".y"),
            repeated("", "x", "[0]"),
            repeated("", "1", " + 1"),
            repeated("", "1", " ^ 1"),
            repeated("", "x", " IS NULL"),
            repeated("", "x", " XOR x"),
            repeated("EXISTS { MATCH (a) WHERE ", "true", " }"),
            repeated("[x IN ", "[]", "]"),
            repeated("[(a)-->(b) | ", "1", "]"),
            repeated("f(", "1", ")"),
            format!("MATCH {}", "(".repeat(20_000)),
            format!("MATCH (a:{}", "!".repeat(20_000)),
            format!("MATCH (a:{}", "(".repeat(20_000)),
            "CALL { ".repeat(20_000),
            "FOREACH (x IN [] | ".repeat(20_000),
            format!("RETURN x IS :: {}", "LIST<".repeat(20_000)),
        ];
        for text in texts {
            assert_eq!(failure(&text).sqlstate().0, "54001", "{}", &text[..40]);
        }
    });
}

#[test]
fn nesting_up_to_the_bound_fits_a_small_stack() {
    on_small_stack(|| {
        let texts = [
            format!("RETURN {}1{}", "(".repeat(100), ")".repeat(100)),
            format!("RETURN {}{}", "[".repeat(100), "]".repeat(100)),
            format!("RETURN 1{}", " + 1".repeat(500)),
            format!("RETURN x = 1{}", " OR x = 1".repeat(20_000)),
            format!("RETURN [1{}]", ", 1".repeat(20_000)),
            format!("RETURN {}true{}", "EXISTS { MATCH (a) WHERE ".repeat(40), " }".repeat(40)),
        ];
        for text in texts {
            parse(&text, 0).unwrap();
        }
    });
}

fn query(text: &str) -> Query {
    let statement =
        parse(text, 0).unwrap_or_else(|error| panic!("{error} at {:?} in {text}", error.span()));
    match statement.body {
        CypherBody::Query(query) => query,
        other => panic!("{text} is {other:?}"),
    }
}

/// The only item of `RETURN <text>`.
fn expression(text: &str) -> Expr {
    let Clause::Return(mut projection) =
        query(&format!("RETURN {text}")).parts.remove(0).clauses.remove(0)
    else {
        panic!("{text}")
    };
    projection.items.remove(0).expr
}

/// An expression in prefix form, so that a test shows how it groups.
fn grouped(expr: &Expr) -> String {
    let all = |parts: &[Expr]| parts.iter().map(grouped).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Literal(Literal::Integer(value)) => value.to_string(),
        ExprKind::Literal(Literal::Float(value)) => format!("{value:?}"),
        ExprKind::Literal(literal) => format!("{literal:?}"),
        ExprKind::Variable(name) => name.text.clone(),
        ExprKind::Parameter(name) => format!("${name}"),
        ExprKind::Property { base, key } => format!("{}.{}", grouped(base), key.text),
        ExprKind::Index { base, index } => format!("{}[{}]", grouped(base), grouped(index)),
        ExprKind::Slice { base, from, to } => {
            let bound = |bound: &Option<Box<Expr>>| {
                bound.as_ref().map(|bound| grouped(bound)).unwrap_or_default()
            };
            format!("{}[{}..{}]", grouped(base), bound(from), bound(to))
        }
        ExprKind::List(items) => format!("[{}]", all(items)),
        ExprKind::And(parts) => format!("(and {})", all(parts)),
        ExprKind::Or(parts) => format!("(or {})", all(parts)),
        ExprKind::Unary { operator, operand } => format!("({operator:?} {})", grouped(operand)),
        ExprKind::Binary { operator, left, right } => {
            format!("({operator:?} {} {})", grouped(left), grouped(right))
        }
        ExprKind::Comparison { first, rest } => {
            let rest: String = rest
                .iter()
                .map(|(operator, right)| format!(" {operator:?} {}", grouped(right)))
                .collect();
            format!("({}{rest})", grouped(first))
        }
        ExprKind::IsNull { operand, negated } => format!("(null? {negated} {})", grouped(operand)),
        ExprKind::HasLabels { operand, labels } => {
            format!("(labels {} {})", grouped(operand), shape(labels))
        }
        ExprKind::Function(call) => {
            format!("{}({})", call.name.last().unwrap().text, all(&call.arguments))
        }
        other => format!("{other:?}").chars().take_while(|c| c.is_alphanumeric()).collect(),
    }
}

fn shape(labels: &crate::parser::pattern::LabelExpr) -> String {
    use crate::parser::pattern::LabelExpr;
    let all = |parts: &[LabelExpr]| parts.iter().map(shape).collect::<Vec<_>>();
    match labels {
        LabelExpr::Label(name) => name.text.clone(),
        LabelExpr::Wildcard(_) => "%".to_owned(),
        LabelExpr::Not(inner, _) => format!("!{}", shape(inner)),
        LabelExpr::And(parts, _) => format!("({})", all(parts).join("&")),
        LabelExpr::Or(parts, _) => format!("({})", all(parts).join("|")),
    }
}

#[test]
fn operators_group_by_their_tightness() {
    for (text, tree) in [
        ("1 + 2 * 3 ^ 4 ^ 5", "(Add 1 (Multiply 2 (Power (Power 3 4) 5)))"),
        ("1 - 2 - 3", "(Subtract (Subtract 1 2) 3)"),
        ("-2 ^ 2", "(Power -2 2)"),
        ("- x ^ 2", "(Power (Minus x) 2)"),
        ("-1.5", "-1.5"),
        ("- -1", "(Minus -1)"),
        ("x -1", "(Subtract x 1)"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0x1F + 0o17 + 1_000", "(Add (Add 31 15) 1000)"),
        ("a OR b XOR c AND NOT d = e", "(or a (Xor b (and c (Not (d Equal e)))))"),
        ("a OR b OR c", "(or a b c)"),
        ("a < b <= c <> d", "(a Less b LessOrEqual c NotEqual d)"),
        ("(a < b) < c", "((a Less b) Less c)"),
        ("a + 1 IN b = c", "((In (Add a 1) b) Equal c)"),
        ("a STARTS WITH b + c", "(StartsWith a (Add b c))"),
        ("a =~ 'x' IS NOT NULL", "(null? true (RegexMatch a String(\"x\")))"),
        ("NOT NOT a IS NULL", "(Not (Not (null? false a)))"),
        ("a.b[1].c[..2]", "a.b[1].c[..2]"),
        ("a[1..][0]", "a[1..][0]"),
        ("[1, 2][0] + a.b:C:D", "(Add [1 2][0] (labels a.b (C&D)))"),
        ("n:(A|B)&!C", "(labels n ((A|B)&!C))"),
        ("a || b + c", "(Add (Concat a b) c)"),
        ("a <-1", "(a Less -1)"),
        ("(a)-(b)", "(Subtract a b)"),
        ("(a)-[1]", "(Subtract a [1])"),
        ("(a)- -(1)", "(Subtract a (Minus 1))"),
        ("a.b.c(1)", "c(1)"),
        ("all(a, b)", "all(a b)"),
        ("end + count", "(Add end count)"),
        ("CASE WHEN true THEN 1 END", "Case"),
        ("count(*)", "CountStar"),
        ("[x IN xs WHERE x:A | x.b]", "ListComprehension"),
        ("[x IN xs, 1]", "[(In x xs) 1]"),
        ("[(a)-->(b) | b]", "PatternComprehension"),
        ("[p = (a)-->(b) WHERE b:(X|Y) | p]", "PatternComprehension"),
        ("any(x IN xs WHERE x)", "Quantified"),
        ("reduce(a = 0, x IN xs | a + x)", "Reduce"),
        ("n {.a, .*, b: 1, c}", "MapProjection"),
        ("exists((a)-->())", "Exists"),
        ("COUNT { (a)-->() WHERE a.x }", "Count"),
        ("x IS :: LIST<INTEGER NOT NULL> | STRING", "IsTyped"),
        ("shortestPath((a)-[*]-(b))", "ShortestPath"),
    ] {
        assert_eq!(grouped(&expression(text)), tree, "{text}");
    }
}

#[test]
fn columns_are_named_as_written() {
    let query = query("MATCH (n) RETURN n.x  + 1, (1 + 2), count( * ) AS c, `a b`, n");
    let Some(Clause::Return(projection)) = query.parts[0].clauses.last() else { panic!() };
    let names: Vec<_> = projection.items.iter().map(ProjectionItem::column_name).collect();
    assert_eq!(names, ["n.x  + 1", "(1 + 2)", "c", "a b", "n"]);
}

#[test]
fn all_clauses_parse() {
    for text in [
        "OPTIONAL MATCH (a)-[r:A|:B*1..3 {x: 1}]-(b:C:D), (c) WHERE a.x = 1 OR (a)-->(b) RETURN *",
        "MATCH p = allShortestPaths((a)-[*..5]->(b)) RETURN p",
        "MATCH ALL SHORTEST (a)-[:T]->+(b) RETURN a",
        "MATCH SHORTEST 2 GROUPS (a) ((x)-[:T]->(y) WHERE x.a < y.a){1,5} (b) RETURN a",
        "MATCH (a WHERE a.x = 1), (end:Match)-[start IS T]->(`where`) RETURN end.order AS limit",
        "MATCH (n:A|B&!C) WHERE n:A|B RETURN n",
        "WITH *, 1 AS x ORDER BY x DESC NULLS LAST, y ASCENDING SKIP 1 LIMIT $n WHERE x > 0 RETURN DISTINCT x",
        "UNWIND range(1, 3) AS x RETURN x OFFSET 1",
        "CREATE (a:A {x: 1}), p = (a)-[:T {y: 2}]->(b $props) SET a.x = 1, a:B:C, a += {z: 1}, b = $p, a['k'] = 2, (CASE WHEN true THEN a END).y = 3 REMOVE a.x, b:A DELETE a, b.x",
        "MATCH (n) DETACH DELETE n",
        "MATCH (n) DELETE n RETURN count(*)",
        "MERGE (a)-[r:T]-(b) ON CREATE SET a.x = 1 ON MATCH SET a.x = 2, b.y = 3 RETURN a",
        "FOREACH (x IN [1, 2] | CREATE (:A {x: x}) FOREACH (y IN [x] | MERGE (:B {y: y})))",
        "CALL db.labels",
        "CALL db.labels() YIELD label AS l WHERE l <> 'x' RETURN l",
        "CALL { WITH x MATCH (x)-->(y) RETURN y UNION ALL MATCH (y) RETURN y } RETURN y",
        "MATCH (a) CALL (a) { CREATE (a)-[:T]->(:B) } IN TRANSACTIONS OF 10 ROWS ON ERROR CONTINUE RETURN a",
        "MATCH (a) WHERE EXISTS { MATCH (a)-->(b) WHERE COUNT { (b)-->() } > 1 } RETURN COLLECT { MATCH (c) RETURN c.x }",
        "RETURN 1 AS a UNION RETURN 2 AS a UNION RETURN 3 AS a",
        "LOAD CSV WITH HEADERS FROM 'file:///x.csv' AS row FIELDTERMINATOR ';' RETURN row.a",
        "USE a.b MATCH (n) RETURN n",
        "EXPLAIN MATCH (n) RETURN n",
        "CYPHER 5 PROFILE MATCH (n) RETURN n",
        "MATCH (n) FINISH",
        "CREATE CONSTRAINT c IF NOT EXISTS FOR (n:L) REQUIRE (n.a, n.b) IS NODE KEY",
        "CREATE CONSTRAINT FOR ()-[r:T]-() REQUIRE r.a IS :: STRING",
        "DROP CONSTRAINT c IF EXISTS",
        "CREATE FULLTEXT INDEX i FOR (n:A|B) ON EACH [n.a, n.b] OPTIONS {x: 1}",
        "CREATE LOOKUP INDEX FOR (n) ON EACH labels(n)",
        "SHOW RELATIONSHIP TYPES YIELD * WHERE true",
        "RETURN datetime({year: 2020}).year, duration('P1D') + date(), toUpper('a')",
        "RETURN \"it's\" = 'x\\'\\u00e9\\n'",
    ] {
        if let Err(error) = parse(text, 0) {
            panic!("{error} at {:?} in {text}", error.span());
        }
    }
}

#[test]
fn wrong_queries_say_why() {
    for (text, near, word) in [
        ("MATCH (n)", "", "InvalidClauseComposition"),
        ("RETURN 1 MATCH (n) RETURN n", "MATCH", "InvalidClauseComposition"),
        ("CREATE (a) MATCH (b) RETURN b", "MATCH", "InvalidClauseComposition"),
        (
            "MATCH (n) WHERE EXISTS { CREATE (a) RETURN a } RETURN n",
            "CREATE",
            "InvalidClauseComposition",
        ),
        ("FOREACH (x IN [] | RETURN 1)", "RETURN", "InvalidClauseComposition"),
        ("RETURN 1 UNION RETURN 2 UNION ALL RETURN 3", "UNION ALL", "InvalidClauseComposition"),
        ("MATCH (a)-->(b) RETURN (a)-->(b)", "(a)-->(b)", "UnexpectedSyntax"),
        ("MATCH (a) WHERE (a)-->() = true RETURN a", "(a)-->()", "UnexpectedSyntax"),
        ("MATCH (a) WHERE size((a)-->()) > 1 RETURN a", "(a)-->()", "UnexpectedSyntax"),
        ("CREATE (a)-[:T*2]->(b)", "*2", "CreatingVarLength"),
        ("CREATE (a)-[:A|B]->(b)", "-[:A|B]->", "NoSingleRelationshipType"),
        ("CREATE (a)-[:A]-(b)", "-[:A]-", "RequiresDirectedRelationship"),
        ("CREATE (a:A|B)", "A|B", "UnexpectedSyntax"),
        ("MATCH (n {x: 1} {y: 2}) RETURN n", "{", "UnexpectedSyntax"),
        ("MATCH (a)->(b) RETURN a", ">", "UnexpectedSyntax"),
        ("MATCH (order) RETURN order", "order", "UnexpectedSyntax"),
        ("MATCH (n $p) RETURN n", "$p", "InvalidParameterUse"),
        ("MATCH (n)-[*$p]-() RETURN n", "$p", "InvalidParameterUse"),
        ("MATCH (n) CALL p YIELD x RETURN x", "CALL p YIELD x", "InvalidArgumentPassingMode"),
        ("MATCH (n) CALL p() YIELD * RETURN n", "CALL p() YIELD *", "UnexpectedSyntax"),
        ("RETURN 1 — 2", "—", "InvalidUnicodeCharacter"),
        ("RETURN '\\ud800'", "\\ud800", "InvalidUnicodeLiteral"),
        ("RETURN 'a\\q'", "\\q", "UnexpectedSyntax"),
        ("RETURN 'abc", "'abc", "UnexpectedSyntax"),
        ("RETURN 1e999", "1e999", "FloatingPointOverflow"),
        ("RETURN 12abc", "12abc", "InvalidNumberLiteral"),
        ("RETURN 0b1", "0b1", "InvalidNumberLiteral"),
        ("RETURN 1; RETURN 2", "RETURN", "UnexpectedSyntax"),
    ] {
        let error = failure(text);
        let found = error.syntax_detail().map_or("", |detail| detail.word());
        assert_eq!((error.span().slice(text), found), (near, word), "{text}: {error}");
    }
}

#[test]
fn parameters_count_as_the_wire_says() {
    let numbered = parse("RETURN $2, '$9', `$8`, $2, /* $7 */ $10", 0).unwrap();
    assert_eq!(numbered.parameters, ["2", "10"]);
    assert_eq!((numbered.parameter_number("10"), numbered.parameter_count()), (Some(10), 10));
    let named = parse("RETURN $b, $1, $`a b`, $b", 0).unwrap();
    assert_eq!(named.parameters, ["b", "1", "a b"]);
    assert_eq!((named.parameter_number("1"), named.parameter_count()), (Some(2), 3));
    assert_eq!(named.parameter_number("x"), None);
    assert_eq!(parse("RETURN 1", 0).unwrap().parameter_count(), 0);
}

#[test]
fn places_count_from_the_base() {
    let outer = "SELECT * FROM cypher('g', $$ MATCH (né) RETURN né.x $$)";
    let start = outer.find("$$").unwrap() + 2;
    let inner = outer[start..].split("$$").next().unwrap();
    let statement = parse(inner, u32::try_from(start).unwrap()).unwrap();
    assert_eq!(statement.span.slice(outer), "MATCH (né) RETURN né.x");
    let error = parse(" RETURN é é", 100).unwrap_err();
    assert_eq!((error.span().start, error.span().end), (111, 113));
}
