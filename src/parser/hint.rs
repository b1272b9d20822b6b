//! Hints for syntax errors: what was probably meant, or what would have been legal.

/// Words that begin a statement or a clause, in all three languages.
pub(super) const STATEMENT_WORDS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "CLOSE",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DETACH",
    "DISCARD",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "FOREACH",
    "GRANT",
    "INSERT",
    "LOCK",
    "MATCH",
    "MERGE",
    "OPTIONAL",
    "PREPARE",
    "PROFILE",
    "REFRESH",
    "RELEASE",
    "REMOVE",
    "RESET",
    "RETURN",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TABLE",
    "TRUNCATE",
    "UNWIND",
    "UPDATE",
    "USE",
    "VACUUM",
    "VALUES",
    "WITH",
];

/// Words inside SQL statements that people mistype.
pub(super) const SQL_WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "VALUES",
    "RETURNING",
    "INTO",
    "TABLE",
    "UNION",
    "DISTINCT",
    "BETWEEN",
    "COLUMNS",
    "MATCH",
    "PROPERTY",
    "GRAPH",
    "VERTEX",
    "EDGE",
    "SOURCE",
    "DESTINATION",
    "REFERENCES",
    "LABEL",
    "PROPERTIES",
];

/// A hint for a token `near` where one of `expected` was legal: a near miss among the keywords, else a short list.
pub(super) fn expectation(near: &str, expected: &[&str]) -> Option<String> {
    if let Some(word) = near_miss(near, expected) {
        return Some(format!("Perhaps you meant \"{word}\"."));
    }
    let listed: Vec<String> = expected.iter().take(6).map(|item| described(item)).collect();
    match listed.as_slice() {
        [] => None,
        [only] => Some(format!("Expected {only}.")),
        [first @ .., last] => Some(format!("Expected {} or {last}.", first.join(", "))),
    }
}

/// Keywords as they are, prose as it is, symbols in quotes.
fn described(item: &str) -> String {
    if item.chars().all(|c| c.is_ascii_punctuation()) {
        format!("\"{item}\"")
    } else {
        item.to_owned()
    }
}

/// The keyword (upper case) among `words` that `near` misspells.
pub(super) fn near_miss<'w>(near: &str, words: &[&'w str]) -> Option<&'w str> {
    let near = near.to_ascii_uppercase();
    if near.len() < 3 || near.len() > 16 || !near.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let limit = if near.len() < 5 { 1 } else { 2 };
    words
        .iter()
        .filter(|word| word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase()))
        .map(|word| (distance(near.as_bytes(), word.as_bytes()), *word))
        .filter(|(distance, _)| (1..=limit).contains(distance))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edit distance in which two neighbors swapped count once. Both are short.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let mut best = (above[column] + usize::from(from != to))
                .min(above[column + 1] + 1)
                .min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && from == &right[column - 1] && &left[row - 1] == to;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found() {
        assert_eq!(near_miss("SELCT", STATEMENT_WORDS), Some("SELECT"));
        assert_eq!(near_miss("form", SQL_WORDS), Some("FROM"));
        assert_eq!(near_miss("mtach", STATEMENT_WORDS), Some("MATCH"));
        assert_eq!(near_miss("banana", STATEMENT_WORDS), None);
        assert_eq!(near_miss("select", STATEMENT_WORDS), None);
    }

    #[test]
    fn expectations_read_as_sentences() {
        assert_eq!(expectation("x", &[")"]).unwrap(), "Expected \")\".");
        assert_eq!(
            expectation("x", &["SET", "a name", "]"]).unwrap(),
            "Expected SET, a name or \"]\"."
        );
        assert_eq!(expectation("SETT", &["SET", "REMOVE"]).unwrap(), "Perhaps you meant \"SET\".");
    }
}
