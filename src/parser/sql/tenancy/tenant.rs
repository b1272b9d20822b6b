//! `CREATE TENANT`, `ALTER TENANT`, `DROP TENANT`

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{Tenancy, TenantAction};
use super::options;
use crate::parser::sql::word::{eat, eat_all, expect};

pub(super) fn create(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let if_not_exists = eat_all(parser, &["IF", "NOT", "EXISTS"]);
    let name = parser.parse_identifier()?;
    let options = if eat(parser, "WITH") { options(parser)? } else { Vec::new() };
    Ok(Tenancy::CreateTenant { if_not_exists, name, options })
}

pub(super) fn alter(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let name = parser.parse_identifier()?;
    let action = if parser.parse_keyword(Keyword::SET) {
        TenantAction::Set(options(parser)?)
    } else if parser.parse_keyword(Keyword::RESET) {
        parser.expect_token(&Token::LParen)?;
        let names = parser.parse_comma_separated(Parser::parse_identifier)?;
        parser.expect_token(&Token::RParen)?;
        TenantAction::Reset(names)
    } else if eat(parser, "RENAME") {
        expect(parser, "TO")?;
        TenantAction::Rename(parser.parse_identifier()?)
    } else if eat(parser, "OWNER") {
        expect(parser, "TO")?;
        TenantAction::Owner(parser.parse_identifier()?)
    } else if eat(parser, "SUSPEND") {
        TenantAction::Suspend
    } else if eat(parser, "RESUME") {
        TenantAction::Resume
    } else {
        return parser
            .expected_ref("SET, RESET, RENAME, OWNER, SUSPEND or RESUME", parser.peek_token_ref());
    };
    Ok(Tenancy::AlterTenant { name, action })
}

pub(super) fn drop(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let if_exists = eat_all(parser, &["IF", "EXISTS"]);
    let name = parser.parse_identifier()?;
    let cascade = eat(parser, "CASCADE");
    if !cascade {
        let _ = eat(parser, "RESTRICT");
    }
    Ok(Tenancy::DropTenant { if_exists, name, cascade })
}
