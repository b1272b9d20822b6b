//! `CREATE DOMAIN`, `ALTER DOMAIN`, `DROP DOMAIN`.

use sqlparser::ast::{Expr, Ident};
use sqlparser::dialect::{Dialect as _, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{Definition, DomainAction, DomainCondition, DomainOption};
use super::sequence::object_action;
use super::{eat, if_exists};
use crate::parser::sql::word::{eat_all, is_word};

pub(super) fn create(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let name = parser.parse_object_name(false)?;
    let _ = parser.parse_keyword(Keyword::AS);
    let data_type = parser.parse_data_type()?;
    let mut options = Vec::new();
    while let Some(option) = option(parser)? {
        options.push(option);
    }
    Ok(Definition::CreateDomain { name, data_type, options })
}

fn option(parser: &mut Parser<'_>) -> Result<Option<DomainOption>, ParserError> {
    if parser.parse_keyword(Keyword::COLLATE) {
        return Ok(Some(DomainOption::Collate(parser.parse_object_name(false)?)));
    }
    if parser.parse_keyword(Keyword::DEFAULT) {
        return Ok(Some(DomainOption::Default(default(parser)?)));
    }
    Ok(condition(parser)?.map(|(name, condition)| DomainOption::Condition { name, condition }))
}

/// What may stand behind DEFAULT: an operand, so that NOT NULL behind it is not read as its part.
fn default(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.parse_subexpr(PostgreSqlDialect {}.prec_value(Precedence::Is))
}

/// `[CONSTRAINT name] NOT NULL | NULL | CHECK (…)`
fn condition(
    parser: &mut Parser<'_>,
) -> Result<Option<(Option<Ident>, DomainCondition)>, ParserError> {
    let name = match parser.parse_keyword(Keyword::CONSTRAINT) {
        true => Some(parser.parse_identifier()?),
        false => None,
    };
    let condition = if parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]) {
        DomainCondition::NotNull
    } else if parser.parse_keyword(Keyword::NULL) {
        DomainCondition::Null
    } else if parser.parse_keyword(Keyword::CHECK) {
        parser.expect_token(&Token::LParen)?;
        let condition = parser.parse_expr()?;
        parser.expect_token(&Token::RParen)?;
        DomainCondition::Check(condition)
    } else if let Some(word) = ["UNIQUE", "PRIMARY", "EXCLUDE", "REFERENCES", "FOREIGN"]
        .into_iter()
        .find(|word| is_word(&parser.peek_token_ref().token, word))
    {
        while parser.next_token().token != Token::EOF {}
        DomainCondition::Other(word)
    } else if name.is_some() {
        return parser.expected_ref("a condition of the domain", parser.peek_token_ref());
    } else {
        return Ok(None);
    };
    Ok(Some((name, condition)))
}

pub(super) fn alter(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let name = parser.parse_object_name(false)?;
    Ok(Definition::AlterDomain { name, action: Box::new(action(parser)?) })
}

fn action(parser: &mut Parser<'_>) -> Result<DomainAction, ParserError> {
    if parser.parse_keywords(&[Keyword::SET, Keyword::DEFAULT]) {
        return Ok(DomainAction::SetDefault(Some(parser.parse_expr()?)));
    }
    if parser.parse_keywords(&[Keyword::DROP, Keyword::DEFAULT]) {
        return Ok(DomainAction::SetDefault(None));
    }
    if parser.parse_keywords(&[Keyword::SET, Keyword::NOT, Keyword::NULL]) {
        return Ok(DomainAction::SetNotNull(true));
    }
    if parser.parse_keywords(&[Keyword::DROP, Keyword::NOT, Keyword::NULL]) {
        return Ok(DomainAction::SetNotNull(false));
    }
    if parser.parse_keyword(Keyword::ADD) {
        let Some((name, condition)) = condition(parser)? else {
            return parser.expected_ref("a condition of the domain", parser.peek_token_ref());
        };
        let not_valid = eat_all(parser, &["NOT", "VALID"]);
        return Ok(DomainAction::Add { name, condition, not_valid });
    }
    if parser.parse_keywords(&[Keyword::DROP, Keyword::CONSTRAINT]) {
        let if_exists = if_exists(parser);
        let name = parser.parse_identifier()?;
        let _ = cascade(parser);
        return Ok(DomainAction::DropConstraint { if_exists, name });
    }
    if eat_all(parser, &["VALIDATE", "CONSTRAINT"]) {
        return Ok(DomainAction::Validate(parser.parse_identifier()?));
    }
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::CONSTRAINT]) {
        let from = parser.parse_identifier()?;
        parser.expect_keyword(Keyword::TO)?;
        return Ok(DomainAction::RenameConstraint { from, to: parser.parse_identifier()? });
    }
    match object_action(parser)? {
        Some(action) => Ok(DomainAction::Object(action)),
        None => parser.expected_ref("a change of the domain", parser.peek_token_ref()),
    }
}

/// CASCADE or RESTRICT, if one stands here; whether it is the first.
pub(super) fn cascade(parser: &mut Parser<'_>) -> bool {
    let cascade = parser.parse_keyword(Keyword::CASCADE);
    if !cascade {
        let _ = eat(parser, "RESTRICT");
    }
    cascade
}

pub(super) fn drop(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let if_exists = if_exists(parser);
    let names = parser.parse_comma_separated(|parser| parser.parse_object_name(false))?;
    Ok(Definition::DropDomain { if_exists, names, cascade: cascade(parser) })
}
