//! `SELECT graphwire.create_tenant('acme', tier => 'gold')`: statements as functions, for clients that know PostgreSQL's
//! grammar alone.
//!
//! Such a call changes what is beyond any transaction, so it stands in a SELECT of its own, with constants and parameters
//! as its arguments.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::{Argument, Tenancy};
use crate::parser::sql::word::{eat, is_word};

/// The functions.
pub const FUNCTIONS: [&str; 13] = [
    "create_tenant",
    "alter_tenant",
    "rename_tenant",
    "set_tenant_owner",
    "suspend_tenant",
    "resume_tenant",
    "drop_tenant",
    "create_quota",
    "alter_quota",
    "drop_quota",
    "create_database",
    "alter_database",
    "drop_database",
];

/// Whether the statement begins with such a call.
pub(super) fn is_call(tokens: &[TokenWithSpan]) -> bool {
    let token = |at: usize| tokens.get(at).map(|token| &token.token);
    let is = |at: usize, expected: &str| token(at).is_some_and(|token| is_word(token, expected));
    is(0, "SELECT")
        && is(1, "graphwire")
        && token(2) == Some(&Token::Period)
        && FUNCTIONS.iter().any(|function| is(3, function))
        && token(4) == Some(&Token::LParen)
}

/// The call, from the function's name on.
pub(super) fn call(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let function = parser.parse_identifier()?.value.to_lowercase();
    parser.expect_token(&Token::LParen)?;
    let mut arguments = Vec::new();
    if !parser.consume_token(&Token::RParen) {
        arguments = parser.parse_comma_separated(argument)?;
        parser.expect_token(&Token::RParen)?;
    }
    let has_alias = eat(parser, "AS") || matches!(parser.peek_token_ref().token, Token::Word(_));
    let column = if has_alias { parser.parse_identifier()?.value } else { function.clone() };
    Ok(Tenancy::Call { function, arguments, column })
}

fn argument(parser: &mut Parser<'_>) -> Result<(Option<String>, Argument), ParserError> {
    let arrow = matches!(parser.peek_nth_token(1).token, Token::RArrow | Token::Assignment);
    let name = if arrow {
        let name = parser.parse_identifier()?.value.to_lowercase();
        parser.next_token();
        Some(name)
    } else {
        None
    };
    Ok((name, constant(parser)?))
}

fn constant(parser: &mut Parser<'_>) -> Result<Argument, ParserError> {
    let token = parser.next_token();
    let constant = match token.token {
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Argument::Text(text),
        Token::DollarQuotedString(quoted) => Argument::Text(quoted.value),
        Token::Number(number, _) => Argument::Text(number),
        Token::Placeholder(name) => match name.strip_prefix('$').map(str::parse::<usize>) {
            Some(Ok(number @ 1..)) => Argument::Parameter(number - 1),
            _ => return parser.expected_ref("a parameter", parser.peek_token_ref()),
        },
        Token::Word(word) if word.quote_style.is_none() => {
            match word.value.to_lowercase().as_str() {
                "null" => Argument::Null,
                value @ ("true" | "false") => Argument::Text(value.to_owned()),
                _ => {
                    parser.prev_token();
                    return parser
                        .expected_ref("a constant or a parameter", parser.peek_token_ref());
                }
            }
        }
        _ => {
            parser.prev_token();
            return parser.expected_ref("a constant or a parameter", parser.peek_token_ref());
        }
    };
    // `$1::text`, as drivers write it.
    if parser.consume_token(&Token::DoubleColon) {
        parser.parse_data_type()?;
    }
    Ok(constant)
}
