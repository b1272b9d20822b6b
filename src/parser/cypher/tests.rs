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
            format!("RETURN {}{middle}{}", open.repeat(100_000), close.repeat(100_000))
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
            format!("MATCH {}", "(".repeat(100_000)),
            format!("MATCH (a:{}", "!".repeat(100_000)),
            format!("MATCH (a:{}", "(".repeat(100_000)),
            "CALL { ".repeat(100_000),
            "FOREACH (x IN [] | ".repeat(100_000),
            format!("RETURN x IS :: {}", "LIST<".repeat(100_000)),
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
