//! `SET a[1] = x` as the whole value with a part put into it: `SET a = graphwire_set_element(a, x, 1)`.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The function that puts an element, or a member of a JSON value, in its place.
const SET_ELEMENT: &str = "graphwire_set_element";
/// The function that puts an array in the place of a slice.
const SET_SLICE: &str = "graphwire_set_slice";

/// Rewrites such assignments of UPDATE, ON CONFLICT and MERGE.
pub(super) fn set_subscripts(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 1;
    while at < tokens.len() {
        at += 1;
        if keyword(tokens, at - 1) != Keyword::SET {
            continue;
        }
        let target = target(tokens, at - 1);
        while let Some(next) = assignment(tokens, at, target.as_ref()) {
            at = next;
        }
    }
}

fn keyword(tokens: &[TokenWithSpan], at: usize) -> Keyword {
    match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn token(tokens: &[TokenWithSpan], at: usize) -> Option<&Token> {
    tokens.get(at).map(|token| &token.token)
}

/// What the table to be changed is called, for the SET at a place.
fn target(tokens: &[TokenWithSpan], set: usize) -> Option<Token> {
    let last_word_before = |end: usize| {
        let word = tokens.get(end.checked_sub(1)?)?;
        matches!(&word.token, Token::Word(_)).then(|| word.token.clone())
    };
    let before = set.checked_sub(1)?;
    if keyword(tokens, before) != Keyword::UPDATE {
        // UPDATE [ONLY] name [AS alias] SET
        return last_word_before(set);
    }
    let back = |wanted: Keyword| (0..before).rev().find(|at| keyword(tokens, *at) == wanted);
    match before.checked_sub(1).map(|at| keyword(tokens, at)) {
        // INSERT INTO name [AS alias] …
        Some(Keyword::DO) => {
            let name = back(Keyword::INTO)? + 1;
            let mut end = name + 1;
            while token(tokens, end) == Some(&Token::Period) {
                end += 2;
            }
            if keyword(tokens, end) == Keyword::AS {
                end += 2;
            }
            last_word_before(end)
        }
        // MERGE INTO name [AS alias] USING
        _ => last_word_before(back(Keyword::USING)?),
    }
}

/// Rewrites the assignment at a place, if it is one to a part; where the next one begins, if there is one.
fn assignment(
    tokens: &mut Vec<TokenWithSpan>,
    start: usize,
    target: Option<&Token>,
) -> Option<usize> {
    if matches!(token(tokens, start), Some(Token::Word(_)))
        && token(tokens, start + 1) == Some(&Token::LBracket)
    {
        rewrite(tokens, start, target);
    }
    let end = end_of_value(tokens, start);
    (token(tokens, end) == Some(&Token::Comma)).then_some(end + 1)
}

fn rewrite(tokens: &mut Vec<TokenWithSpan>, start: usize, target: Option<&Token>) -> Option<()> {
    let mut subscripts: Vec<Vec<TokenWithSpan>> = Vec::new();
    let mut is_slice = false;
    let mut at = start + 1;
    while token(tokens, at) == Some(&Token::LBracket) {
        let end = closing(tokens, at)?;
        let inside = tokens.get(at + 1..end)?;
        let colon = inside.iter().position(|token| token.token == Token::Colon);
        match colon {
            Some(colon) => {
                is_slice = true;
                subscripts.push(inside.get(..colon)?.to_vec());
                subscripts.push(inside.get(colon + 1..)?.to_vec());
            }
            None => subscripts.push(inside.to_vec()),
        }
        at = end + 1;
    }
    let is_whole = subscripts.iter().all(|part| !part.is_empty());
    if token(tokens, at) != Some(&Token::Eq) || !is_whole || is_slice && subscripts.len() != 2 {
        return None;
    }
    let end = end_of_value(tokens, at + 1);
    let (name, equals) = (tokens.get(start)?.clone(), tokens.get(at)?.clone());
    let value = tokens.get(at + 1..end)?.to_vec();
    let place = |token| TokenWithSpan::new(token, equals.span);
    let function = if is_slice { SET_SLICE } else { SET_ELEMENT };
    let mut new = vec![name.clone(), equals.clone()];
    new.extend([place(Token::make_word(function, None)), place(Token::LParen)]);
    if let Some(target) = target {
        new.extend([place(target.clone()), place(Token::Period)]);
    }
    new.push(name);
    for part in std::iter::once(value).chain(subscripts) {
        new.push(place(Token::Comma));
        new.extend(part);
    }
    new.push(place(Token::RParen));
    tokens.splice(start..end, new);
    Some(())
}

/// The bracket that closes the one at a place.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LBracket | Token::LParen => depth += 1,
            Token::RBracket | Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The token behind the value that begins at a place.
fn end_of_value(tokens: &[TokenWithSpan], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match &token.token {
            Token::LBracket | Token::LParen => depth += 1,
            Token::RBracket | Token::RParen if depth == 0 => return at,
            Token::RBracket | Token::RParen => depth -= 1,
            Token::Comma | Token::SemiColon if depth == 0 => return at,
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::CASE => depth += 1,
                Keyword::END => depth = depth.saturating_sub(1),
                Keyword::WHERE | Keyword::FROM | Keyword::RETURNING | Keyword::WHEN
                    if depth == 0 =>
                {
                    return at;
                }
                _ => {}
            },
            _ => {}
        }
    }
    tokens.len()
}
