//! `inet '10.0.0.1'`, `mood 'ok'`: a literal with the name of its type before it, where `sqlparser` knows no such type.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Words behind which an expression begins.
const BEFORE: [Keyword; 17] = [
    Keyword::SELECT,
    Keyword::WHERE,
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::ON,
    Keyword::HAVING,
    Keyword::WHEN,
    Keyword::THEN,
    Keyword::ELSE,
    Keyword::BETWEEN,
    Keyword::DISTINCT,
    Keyword::BY,
    Keyword::RETURNING,
    Keyword::CASE,
    Keyword::DEFAULT,
    Keyword::LIKE,
];

fn begins_expression(before: &Token) -> bool {
    match before {
        Token::Word(word) => word.quote_style.is_none() && BEFORE.contains(&word.keyword),
        Token::LParen
        | Token::LBracket
        | Token::Comma
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::StringConcat
        | Token::AtArrow
        | Token::ArrowAt
        | Token::Mod
        | Token::Tilde
        | Token::Overlap
        | Token::ShiftLeft
        | Token::ShiftRight
        | Token::CustomBinaryOperator(_) => true,
        _ => false,
    }
}

/// `name 'text'` as `'text'::name`, which means the same.
pub(super) fn typed_strings(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 2;
    while at < tokens.len() {
        let is_typed = match tokens.get(at - 2..=at) {
            Some([before, name, text]) => {
                matches!(&text.token, Token::SingleQuotedString(_))
                    && matches!(&name.token, Token::Word(word) if word.keyword == Keyword::NoKeyword)
                    && begins_expression(&before.token)
            }
            _ => false,
        };
        if is_typed && let Some(span) = tokens.get(at).map(|text| text.span) {
            tokens.swap(at - 1, at);
            tokens.insert(at, TokenWithSpan { token: Token::DoubleColon, span });
        }
        at += 1;
    }
}
