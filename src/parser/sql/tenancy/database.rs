//! `CREATE DATABASE`, `ALTER DATABASE`, `DROP DATABASE`

use sqlparser::ast::Ident;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{DatabaseAction, Tenancy, TenancyOption};
use super::value;
use crate::parser::sql::word::{eat, eat_all, expect};

pub(super) fn create(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let name = parser.parse_identifier()?;
    let _ = eat(parser, "WITH");
    Ok(Tenancy::CreateDatabase { name, options: options(parser)? })
}

pub(super) fn alter(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let name = parser.parse_identifier()?;
    let action = if eat(parser, "RENAME") {
        expect(parser, "TO")?;
        DatabaseAction::Rename(parser.parse_identifier()?)
    } else if eat(parser, "OWNER") {
        expect(parser, "TO")?;
        DatabaseAction::Owner(parser.parse_identifier()?)
    } else {
        let _ = eat(parser, "WITH");
        let options = options(parser)?;
        if options.is_empty() {
            return parser.expected_ref("an option of the database", parser.peek_token_ref());
        }
        DatabaseAction::Options(options)
    };
    Ok(Tenancy::AlterDatabase { name, action })
}

pub(super) fn drop(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let if_exists = eat_all(parser, &["IF", "EXISTS"]);
    let name = parser.parse_identifier()?;
    let with = eat(parser, "WITH");
    let mut force = false;
    if with || matches!(parser.peek_token_ref().token, Token::LParen) {
        parser.expect_token(&Token::LParen)?;
        expect(parser, "FORCE")?;
        parser.expect_token(&Token::RParen)?;
        force = true;
    }
    Ok(Tenancy::DropDatabase { if_exists, name, force })
}

/// `name [ = ] value`, in any order; `CONNECTION LIMIT` has two words.
fn options(parser: &mut Parser<'_>) -> Result<Vec<TenancyOption>, ParserError> {
    let mut options = Vec::new();
    while matches!(parser.peek_token_ref().token, Token::Word(_)) {
        let mut name = parser.parse_identifier()?;
        if name.value.eq_ignore_ascii_case("CONNECTION") {
            expect(parser, "LIMIT")?;
            name = Ident { value: "connection_limit".to_owned(), ..name };
        }
        let _ = parser.consume_token(&Token::Eq);
        options.push(TenancyOption { name, value: value(parser)? });
    }
    Ok(options)
}
