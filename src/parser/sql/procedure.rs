//! `CREATE PROCEDURE`, which `sqlparser` has in another dialect's form: a function with a result that no statement can name.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::word::{is_word, word_at};

/// What a procedure is said to return.
pub const PROCEDURE: &str = "\u{1}procedure";

/// `CREATE [OR REPLACE] PROCEDURE name (…)` as `CREATE [OR REPLACE] FUNCTION name (…) RETURNS …`.
pub(super) fn as_function(tokens: &mut Vec<TokenWithSpan>) {
    let replaces = word_at(tokens, 1) == "OR" && word_at(tokens, 2) == "REPLACE";
    let at = if replaces { 3 } else { 1 };
    if word_at(tokens, 0) != "CREATE" || word_at(tokens, at) != "PROCEDURE" {
        return;
    }
    let mut depth = 0usize;
    let mut behind = None;
    for (place, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 1 => {
                behind = Some(place + 1);
                break;
            }
            Token::RParen => depth = depth.saturating_sub(1),
            // A result of its own is not a procedure's: sqlparser says so.
            word if depth == 0 && is_word(word, "AS") => break,
            _ => {}
        }
    }
    let Some(behind) = behind else { return };
    let span =
        tokens.get(at).map(|token| token.span).unwrap_or(sqlparser::tokenizer::Span::empty());
    if let Some(token) = tokens.get_mut(at) {
        token.token = Token::make_word("FUNCTION", None);
    }
    let returns = [Token::make_word("RETURNS", None), Token::make_word(PROCEDURE, Some('"'))];
    let returns = returns.into_iter().map(|token| TokenWithSpan::new(token, span));
    tokens.splice(behind..behind, returns);
}
