//! SQL tokens as the shared pattern parser wants them.

use sqlparser::tokenizer::{Token as SqlToken, TokenWithSpan};

use crate::parser::span::Span;
use crate::parser::sql::byte_span;
use crate::parser::token::{Token, TokenKind};

/// Single characters that can stand in a pattern or in a property-graph statement.
const SYMBOLS: [&str; 24] = [
    "(", ")", "[", "]", "{", "}", "<", ">", "-", "+", "*", "/", "%", "^", "=", ".", ",", ":", "|",
    "&", "!", "?", "~", ";",
];

/// Cuts operators into single characters, so that `]->(` and `] - > (` read alike.
///
/// With each token comes the index of the SQL token it was made of.
pub(super) fn elementary(text: &str, tokens: &[TokenWithSpan]) -> (Vec<Token>, Vec<usize>) {
    let mut result = Vec::with_capacity(tokens.len());
    let mut origins = Vec::with_capacity(tokens.len());
    for (origin, token) in tokens.iter().enumerate() {
        let span = byte_span(token.span).unwrap_or_default();
        match kind(&token.token) {
            Some(kind) => {
                result.push(Token::new(kind, span));
                origins.push(origin);
            }
            None => {
                let mut start = span.start;
                for character in span.slice(text).chars() {
                    let end = start + u32::try_from(character.len_utf8()).unwrap_or(1);
                    result.push(Token::new(symbol(character), Span::new(start, end)));
                    origins.push(origin);
                    start = end;
                }
            }
        }
    }
    (result, origins)
}

fn symbol(character: char) -> TokenKind {
    let known = SYMBOLS.iter().find(|symbol| symbol.starts_with(character));
    TokenKind::Symbol(known.copied().unwrap_or("#"))
}

/// The kind of a token that is not cut up.
fn kind(token: &SqlToken) -> Option<TokenKind> {
    match token {
        SqlToken::Word(word) => Some(match word.quote_style {
            Some(_) => TokenKind::QuotedName(word.value.clone()),
            None => TokenKind::Word,
        }),
        SqlToken::Number(digits, _) => Some(match digits.parse::<u64>() {
            Ok(value) => TokenKind::Integer(value),
            Err(_) => TokenKind::Float(digits.parse().unwrap_or(f64::INFINITY)),
        }),
        SqlToken::SingleQuotedString(value)
        | SqlToken::EscapedStringLiteral(value)
        | SqlToken::UnicodeStringLiteral(value)
        | SqlToken::NationalStringLiteral(value)
        | SqlToken::SingleQuotedByteStringLiteral(value)
        | SqlToken::HexStringLiteral(value) => Some(TokenKind::String(value.clone())),
        SqlToken::DollarQuotedString(string) => Some(TokenKind::String(string.value.clone())),
        SqlToken::Placeholder(name) => Some(TokenKind::Parameter(name.clone())),
        _ => None,
    }
}
