//! `SELECT` with nothing in its list and no `FROM`: `sqlparser` reads an empty list before `FROM` alone.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::word::is_word;

/// Words that may stand behind an empty list.
const BEHIND: [&str; 12] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FOR",
];

/// Statements in which `SELECT` is the name of a right or of a command.
const NAMING: [&str; 4] = ["GRANT", "REVOKE", "ALTER", "DENY"];

/// Puts `FROM (VALUES (1)) AS "*SELECT*"` behind each `SELECT` that nothing follows.
pub(super) fn with_from(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let names = |token: &TokenWithSpan| NAMING.iter().any(|word| is_word(&token.token, word));
    let is_policy = tokens.get(1).is_some_and(|token| is_word(&token.token, "POLICY"));
    let none = !tokens.iter().enumerate().any(|(at, _)| is_empty(&tokens, at));
    if none || is_policy || tokens.first().is_some_and(names) {
        return tokens;
    }
    let mut found = Vec::with_capacity(tokens.len() + 16);
    for (at, token) in tokens.iter().enumerate() {
        found.push(token.clone());
        if is_empty(&tokens, at) {
            found.extend(one_row().map(|one| TokenWithSpan::new(one, token.span)));
        }
    }
    found
}

fn is_empty(tokens: &[TokenWithSpan], at: usize) -> bool {
    if !tokens.get(at).is_some_and(|token| is_word(&token.token, "SELECT")) {
        return false;
    }
    match tokens.get(at + 1).map(|token| &token.token) {
        None => true,
        Some(Token::SemiColon | Token::RParen | Token::EOF) => true,
        Some(word) => BEHIND.iter().any(|behind| is_word(word, behind)),
    }
}

fn one_row() -> [Token; 9] {
    let word = |value: &str, quote_style, keyword| {
        Token::Word(Word { value: value.to_owned(), quote_style, keyword })
    };
    [
        word("FROM", None, Keyword::FROM),
        Token::LParen,
        word("VALUES", None, Keyword::VALUES),
        Token::LParen,
        Token::Number("1".to_owned(), false),
        Token::RParen,
        Token::RParen,
        word("AS", None, Keyword::AS),
        word("*SELECT*", Some('"'), Keyword::NoKeyword),
    ]
}
