//! Tenants, databases and quotas: their statements, and the functions that do the same.
//!
//! Reading order: [`ast`], then one file for each kind of object; `call` reads `SELECT graphwire.create_tenant(…)`.

pub mod ast;
mod call;
mod database;
mod quota;
mod tenant;

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

pub use ast::{
    Argument, DatabaseAction, OptionValue, QuotaBody, QuotaInterval, QuotaLimits, QuotaTarget,
    Tenancy, TenancyOption, TenantAction, Usage,
};
pub use call::FUNCTIONS as TENANCY_FUNCTIONS;

use super::parse::whole;
use super::word::word_at;
use crate::parser::error::ParseError;
use crate::parser::span::Span;

/// Reads the rest of a statement whose first words are known.
type Read = fn(&mut Parser<'_>) -> Result<Tenancy, ParserError>;

/// The statement, if it is one of these.
pub(super) fn tenancy(
    text: &str,
    tokens: &[TokenWithSpan],
    end: Span,
) -> Result<Option<Tenancy>, ParseError> {
    if call::is_call(tokens) {
        let tokens = tokens.get(3..).unwrap_or_default().to_vec();
        return whole(text, tokens, end, call::call).map(Some);
    }
    let Some((read, skip)) = reader(tokens) else { return Ok(None) };
    let rest = tokens.get(skip..).unwrap_or_default().to_vec();
    whole(text, rest, end, read).map(Some)
}

/// What reads the statement, and how many tokens it begins with.
fn reader(tokens: &[TokenWithSpan]) -> Option<(Read, usize)> {
    let word = |at: usize| word_at(tokens, at);
    let replace = word(1) == "OR" && word(2) == "REPLACE" && word(3) == "QUOTA";
    match (word(0).as_str(), word(1).as_str()) {
        ("CREATE", "TENANT") => Some((tenant::create, 2)),
        ("ALTER", "TENANT") => Some((tenant::alter, 2)),
        ("DROP", "TENANT") => Some((tenant::drop, 2)),
        ("SHOW", "TENANTS") => Some((|_| Ok(Tenancy::ShowTenants), 2)),
        ("CREATE", "OR") if replace => Some((quota::replace, 4)),
        ("CREATE", "QUOTA") => Some((quota::create, 2)),
        ("ALTER", "QUOTA") => Some((quota::alter, 2)),
        ("DROP", "QUOTA") => Some((quota::drop, 2)),
        ("SHOW", "QUOTAS") => Some((|_| Ok(Tenancy::ShowQuotas), 2)),
        ("SHOW", "QUOTA") if word(2) == "USAGE" => Some((quota::usage, 3)),
        ("CREATE", "DATABASE") => Some((database::create, 2)),
        ("ALTER", "DATABASE") => Some((database::alter, 2)),
        ("DROP", "DATABASE") => Some((database::drop, 2)),
        _ => None,
    }
}

/// `( option = value [, …] )`
fn options(parser: &mut Parser<'_>) -> Result<Vec<TenancyOption>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let options = parser.parse_comma_separated(option)?;
    parser.expect_token(&Token::RParen)?;
    Ok(options)
}

fn option(parser: &mut Parser<'_>) -> Result<TenancyOption, ParserError> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::Eq)?;
    Ok(TenancyOption { name, value: value(parser)? })
}

/// A constant: a text, a number, or a word.
fn value(parser: &mut Parser<'_>) -> Result<OptionValue, ParserError> {
    let token = parser.next_token();
    Ok(match token.token {
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
            OptionValue::Text(text)
        }
        Token::Number(number, _) => OptionValue::Number(number),
        Token::Minus => match parser.next_token().token {
            Token::Number(number, _) => OptionValue::Number(format!("-{number}")),
            _ => return parser.expected_ref("a number", parser.peek_token_ref()),
        },
        Token::Word(word) => OptionValue::Word(match word.quote_style {
            Some(_) => word.value,
            None => word.value.to_lowercase(),
        }),
        _ => {
            parser.prev_token();
            return parser.expected_ref("a value", parser.peek_token_ref());
        }
    })
}

#[cfg(test)]
mod tests;
