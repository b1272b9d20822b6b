//! `MERGE INTO t USING a JOIN b ON … ON …`: the joined tables get the brackets that `sqlparser` wants.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Puts the joined source of each MERGE in brackets.
pub(super) fn merge_source(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        if keyword(tokens, at) == Keyword::MERGE
            && let Some((start, on)) = joined(tokens, at)
        {
            let place = |token, at: usize| TokenWithSpan::new(token, tokens[at].span);
            let (open, close) = (place(Token::LParen, start), place(Token::RParen, on));
            tokens.insert(on, close);
            tokens.insert(start, open);
        }
        at += 1;
    }
}

fn keyword(tokens: &[TokenWithSpan], at: usize) -> Keyword {
    match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// Where the source of the MERGE at a place begins and the ON behind it stands, if the source is joined tables.
fn joined(tokens: &[TokenWithSpan], merge: usize) -> Option<(usize, usize)> {
    let (mut depth, mut start, mut on, mut has_join) = (0_usize, None, None, false);
    for (at, token) in tokens.iter().enumerate().skip(merge + 1) {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.checked_sub(1)?,
            Token::Word(word) => match word.keyword {
                Keyword::CASE => depth += 1,
                Keyword::END => depth = depth.checked_sub(1)?,
                Keyword::USING if depth == 0 && start.is_none() => start = Some(at + 1),
                Keyword::JOIN if depth == 0 && start.is_some() => has_join = true,
                Keyword::ON if depth == 0 => on = Some(at),
                Keyword::WHEN if depth == 0 => break,
                _ => {}
            },
            _ => {}
        }
    }
    Some((start?, on?)).filter(|_| has_join)
}
