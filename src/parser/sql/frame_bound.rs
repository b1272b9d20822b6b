//! Bounds of window frames that are a string with its type: `'1 day'::interval PRECEDING`.
//!
//! `sqlparser` takes a string there for an interval's and reads no further, and the planner wants literals: an interval
//! loses its type, and a number its quotes.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::word::word_at;

/// Types whose literals are numbers.
const NUMBERS: [&str; 12] = [
    "INT", "INTEGER", "INT2", "INT4", "INT8", "SMALLINT", "BIGINT", "NUMERIC", "DECIMAL", "REAL",
    "FLOAT4", "FLOAT8",
];

fn keyword(tokens: &[TokenWithSpan], index: usize) -> Keyword {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// Makes such bounds literals.
pub(super) fn frame_bounds(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 4;
    while index < tokens.len() {
        if matches!(keyword(tokens, index), Keyword::PRECEDING | Keyword::FOLLOWING)
            && let Some(literal) = literal(tokens, index - 3)
        {
            if let Some(token) = tokens.get_mut(index - 3) {
                token.token = literal;
            }
            tokens.drain(index - 2..index);
        }
        index += 1;
    }
}

/// What stands for the three tokens at an index, where they are a whole bound of this form.
fn literal(tokens: &[TokenWithSpan], at: usize) -> Option<Token> {
    let begins = matches!(
        keyword(tokens, at.checked_sub(1)?),
        Keyword::BETWEEN | Keyword::AND | Keyword::RANGE | Keyword::ROWS | Keyword::GROUPS
    );
    let [text, colons] = tokens.get(at..at + 2)? else { return None };
    let Token::SingleQuotedString(text) = &text.token else { return None };
    if !begins || colons.token != Token::DoubleColon {
        return None;
    }
    let ty = word_at(tokens, at + 2);
    if ty == "INTERVAL" {
        return Some(Token::SingleQuotedString(text.clone()));
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().filter(|byte| *byte == b'.').count() <= 1;
    (NUMBERS.contains(&ty.as_str()) && is_number).then(|| Token::Number(text.clone(), false))
}
