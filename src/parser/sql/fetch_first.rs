//! `FETCH FIRST (n) ROWS ONLY`: `sqlparser` reads a number there and no expression.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// `FETCH FIRST (expression) ROWS ONLY` is `LIMIT (expression)`; in front of `WITH TIES` a number in parentheses stands
/// without them.
pub(super) fn fetch_first(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 0;
    while index + 2 < tokens.len() {
        if word(tokens, index) == Keyword::FETCH
            && matches!(word(tokens, index + 1), Keyword::FIRST | Keyword::NEXT)
            && tokens[index + 2].token == Token::LParen
            && let Some(close) = closing(tokens, index + 2)
            && matches!(word(tokens, close + 1), Keyword::ROW | Keyword::ROWS)
        {
            if word(tokens, close + 2) == Keyword::ONLY {
                tokens.drain(close + 1..=close + 2);
                tokens.remove(index + 1);
                tokens[index].token = Token::make_keyword("LIMIT");
            } else if close == index + 4 {
                tokens.remove(close);
                tokens.remove(index + 2);
            }
        }
        index += 1;
    }
}

/// Where the parenthesis at an index is closed.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

fn word(tokens: &[TokenWithSpan], index: usize) -> Keyword {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}
