//! Words that stand where they are expected, known to `sqlparser` as keywords or not.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Whether a token is a word, however it is written, but for quotes.
pub(in crate::parser) fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

/// The word at a place in capitals; empty if there is none, or one in quotes.
pub(in crate::parser) fn word_at(tokens: &[TokenWithSpan], at: usize) -> String {
    match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _ => String::new(),
    }
}

/// Takes a word, if it stands here.
pub(super) fn eat(parser: &mut Parser<'_>, expected: &str) -> bool {
    let found = is_word(&parser.peek_token_ref().token, expected);
    if found {
        parser.next_token();
    }
    found
}

/// Takes several words, if all of them stand here.
pub(super) fn eat_all(parser: &mut Parser<'_>, expected: &[&str]) -> bool {
    let mut words = expected.iter().enumerate();
    let found = words.all(|(at, word)| is_word(&parser.peek_nth_token_ref(at).token, word));
    if found {
        for _ in expected {
            parser.next_token();
        }
    }
    found
}

/// Takes a word that must stand here.
pub(super) fn expect(parser: &mut Parser<'_>, expected: &str) -> Result<(), ParserError> {
    match eat(parser, expected) {
        true => Ok(()),
        false => parser.expected_ref(expected, parser.peek_token_ref()),
    }
}
