//! Puts locking clauses into the form `sqlparser` reads.
//!
//! PostgreSQL has four strengths and lists of tables where `sqlparser` has two and one name, so both go into the name:
//! `FOR NO KEY UPDATE OF a, b NOWAIT` becomes `FOR UPDATE OF "no key update"."a"."b" NOWAIT`. A clause in front of `LIMIT`
//! goes behind it, and one of a query without `FROM`, which locks nothing, is left out.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Rewrites the locking clauses of a statement.
pub(super) fn locking_clauses(tokens: &mut Vec<TokenWithSpan>) {
    // `CREATE POLICY … FOR UPDATE` is about something else.
    let is_policy = (0..3).any(|index| word(tokens, index) == Keyword::POLICY);
    if is_policy {
        return;
    }
    let mut index = 0;
    while index < tokens.len() {
        match strength(tokens, index) {
            Some((strength, length)) => index = clause(tokens, index, strength, length),
            None => index += 1,
        }
    }
}

fn word(tokens: &[TokenWithSpan], index: usize) -> Keyword {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// The strength named at an index, and how many tokens name it.
fn strength(tokens: &[TokenWithSpan], index: usize) -> Option<(&'static str, usize)> {
    if word(tokens, index) != Keyword::FOR {
        return None;
    }
    match (word(tokens, index + 1), word(tokens, index + 2), word(tokens, index + 3)) {
        (Keyword::UPDATE, ..) => Some(("update", 2)),
        (Keyword::SHARE, ..) => Some(("share", 2)),
        (Keyword::KEY, Keyword::SHARE, _) => Some(("key share", 3)),
        (Keyword::NO, Keyword::KEY, Keyword::UPDATE) => Some(("no key update", 4)),
        _ => None,
    }
}

/// Rewrites the clause at an index; where to go on.
fn clause(tokens: &mut Vec<TokenWithSpan>, start: usize, strength: &str, length: usize) -> usize {
    let span = tokens[start].span;
    let token = |token| TokenWithSpan::new(token, span);
    let mut names = Vec::new();
    let mut end = start + length;
    if word(tokens, end) == Keyword::OF {
        end += 1;
        while let Some(Token::Word(_)) = tokens.get(end).map(|token| &token.token) {
            names.push(tokens[end].clone());
            end += 1;
            if tokens.get(end).is_none_or(|token| token.token != Token::Comma) {
                break;
            }
            end += 1;
        }
    }
    let names_nothing = names.is_empty();
    let mut written = vec![
        token(Token::make_word("FOR", None)),
        token(Token::make_word("UPDATE", None)),
        token(Token::make_word("OF", None)),
        token(Token::make_word(strength, Some('"'))),
    ];
    for name in names {
        written.push(token(Token::Period));
        written.push(name);
    }
    let after = start + written.len();
    tokens.splice(start..end, written);
    let mut end = after;
    match (word(tokens, end), word(tokens, end + 1)) {
        (Keyword::NOWAIT, _) => end += 1,
        (Keyword::SKIP, Keyword::LOCKED) => end += 2,
        _ => {}
    }
    if names_nothing && !reads_tables(tokens, start) {
        tokens.drain(start..end);
        return start;
    }
    let limit = limit_length(tokens, end);
    tokens[start..end + limit].rotate_left(end - start);
    // A clause that went behind LIMIT is not read again.
    end + limit
}

/// Whether the query that a clause at an index belongs to has a FROM. Where it has none the clause locks nothing, and
/// `sqlparser` does not read it.
fn reads_tables(tokens: &[TokenWithSpan], start: usize) -> bool {
    let mut depth = 0usize;
    for index in (0..start).rev() {
        match tokens.get(index).map(|token| &token.token) {
            Some(Token::RParen) => depth += 1,
            Some(Token::LParen) if depth == 0 => return true,
            Some(Token::LParen) => depth -= 1,
            _ if depth > 0 => {}
            _ => match word(tokens, index) {
                Keyword::FROM => return true,
                Keyword::SELECT => return false,
                _ => {}
            },
        }
    }
    true
}

/// How many tokens a LIMIT, OFFSET or FETCH clause at an index has; 0 if there is none.
fn limit_length(tokens: &[TokenWithSpan], start: usize) -> usize {
    if !matches!(word(tokens, start), Keyword::LIMIT | Keyword::OFFSET | Keyword::FETCH) {
        return 0;
    }
    let mut depth = 0usize;
    let mut index = start;
    while let Some(token) = tokens.get(index) {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => break,
            Token::RParen => depth -= 1,
            Token::SemiColon => break,
            _ if depth == 0 && strength(tokens, index).is_some() => break,
            _ => {}
        }
        index += 1;
    }
    index - start
}
