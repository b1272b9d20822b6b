use super::*;

fn steps(body: &str) -> Steps {
    parse_routine(&format!("BEGIN {body} END")).unwrap().steps
}

#[test]
fn a_body_is_read_step_by_step() {
    let block = parse_routine(
        "<<main>> DECLARE a int := 1; b CONSTANT text NOT NULL DEFAULT 'x'; r record; \
         t pg_class%ROWTYPE; c pg_class.relname%TYPE; \
         BEGIN a := a + 1; EXCEPTION WHEN unique_violation OR SQLSTATE '22012' THEN NULL; \
         WHEN OTHERS THEN RAISE; END main;",
    )
    .unwrap();
    assert_eq!(block.label.as_deref(), Some("main"));
    let types: Vec<&DeclaredType> = block.declarations.iter().map(|one| &one.ty).collect();
    assert_eq!(types[0], &DeclaredType::Type("int".to_owned()));
    assert_eq!(types[2], &DeclaredType::Record);
    assert_eq!(types[3], &DeclaredType::Row("pg_class".to_owned()));
    assert_eq!(types[4], &DeclaredType::Like(vec!["pg_class".to_owned(), "relname".to_owned()]));
    assert!(block.declarations[1].constant && block.declarations[1].not_null);
    assert_eq!(block.handlers.len(), 2);
    assert_eq!(block.handlers[1].steps[0].kind, StepKind::RaiseAgain);
}

#[test]
fn ranges_are_told_from_queries() {
    for range in ["1..10", "1 .. n", "a.b..c.d BY 2", "REVERSE f(1, 2)..-1"] {
        let steps = steps(&format!("FOR i IN {range} LOOP NULL; END LOOP;"));
        let StepKind::For(ForLoop { over: Iteration::Range { .. }, .. }) = &steps[0].kind else {
            panic!("{range}: {steps:?}");
        };
    }
    let steps = steps("FOR r IN SELECT 1 AS a LOOP NULL; END LOOP;");
    assert!(matches!(&steps[0].kind, StepKind::For(ForLoop { over: Iteration::Query(_), .. })));
}

#[test]
fn into_is_cut_out_of_queries_only() {
    let steps = steps(
        "SELECT a, b INTO STRICT x, y.z FROM t; INSERT INTO t VALUES (1) RETURNING a INTO x; \
         INSERT INTO t SELECT 1;",
    );
    let into = |at: usize| match &steps[at].kind {
        StepKind::Sql(_, into) => into.clone(),
        other => panic!("{other:?}"),
    };
    let first = into(0).unwrap();
    assert!(first.strict && first.targets.len() == 2);
    assert_eq!(first.targets[1].field.as_deref(), Some("z"));
    assert_eq!(into(1).unwrap().targets.len(), 1);
    assert_eq!(into(2), None);
}

#[test]
fn what_is_no_body_is_an_error_and_no_panic() {
    for text in [
        "",
        "BEGIN",
        "BEGIN END END",
        "BEGIN x := ; END",
        "BEGIN IF THEN END IF; END",
        "BEGIN FOR i IN LOOP END LOOP; END",
        "DECLARE BEGIN END x",
        "BEGIN <<a>> x := 1; END",
        "DECLARE a; BEGIN END",
        "BEGIN EXIT a b; END",
        "BEGIN RETURN QUERY; END",
        "BEGIN RAISE",
        "BEGIN CASE END CASE; END",
        "<<",
        "BEGIN FOR i IN 1.. LOOP END LOOP; END",
        "BEGIN a.b.c := 1; END",
        "BEGIN FOR i IN 1 BY 2..3 LOOP END LOOP; END",
        "BEGIN DO 'BEGIN END'; END",
    ] {
        assert!(parse_routine(text).is_err(), "{text}");
    }
    let deep = format!("{}NULL;{}", "BEGIN ".repeat(500), "END;".repeat(500));
    assert!(parse_routine(&deep).is_err());
}
