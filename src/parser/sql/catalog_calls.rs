//! `pg_catalog.substring(…)`: behind its schema a function's name is a name, whatever `sqlparser` reads before a bracket.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::word::is_word;

/// Functions whose names `sqlparser` reads as forms of their own.
const FORMS: [Keyword; 18] = [
    Keyword::CEIL,
    Keyword::CEILING,
    Keyword::CONVERT,
    Keyword::CURRENT_CATALOG,
    Keyword::CURRENT_DATE,
    Keyword::CURRENT_ROLE,
    Keyword::CURRENT_USER,
    Keyword::EXTRACT,
    Keyword::FLOOR,
    Keyword::INTERVAL,
    Keyword::OVERLAY,
    Keyword::POSITION,
    Keyword::SESSION_USER,
    Keyword::SUBSTR,
    Keyword::SUBSTRING,
    Keyword::TRIM,
    Keyword::USER,
    Keyword::LOCALTIME,
];

/// Puts such names in quotes.
pub(super) fn catalog_calls(tokens: &mut [TokenWithSpan]) {
    for at in 3..tokens.len() {
        let is_call = matches!(tokens.get(at - 3..=at), Some([schema, dot, _, open])
            if is_word(&schema.token, "pg_catalog")
                && dot.token == Token::Period
                && open.token == Token::LParen);
        if is_call
            && let Some(Token::Word(word)) = tokens.get_mut(at - 1).map(|token| &mut token.token)
            && word.quote_style.is_none()
            && FORMS.contains(&word.keyword)
        {
            let name = word.value.to_ascii_lowercase();
            *word = match Token::make_word(&name, Some('"')) {
                Token::Word(quoted) => quoted,
                _ => continue,
            };
        }
    }
}
