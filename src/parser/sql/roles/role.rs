//! CREATE, ALTER and DROP ROLE and its like.

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{OwnedKind, RoleName, RoleOption, RoleStatement, SettingChange};
use super::{cascade, role_name, role_names};
use crate::parser::sql::word::{eat, eat_all, expect, is_word};

pub(super) fn create(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    let name = role_name(parser)?;
    Ok(RoleStatement::Create { name, options: options(parser, true)? })
}

pub(super) fn create_user(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    let name = role_name(parser)?;
    let mut options = options(parser, true)?;
    if !options.iter().any(|option| matches!(option, RoleOption::Login(_))) {
        options.push(RoleOption::Login(true));
    }
    Ok(RoleStatement::Create { name, options })
}

fn options(parser: &mut Parser<'_>, new: bool) -> Result<Vec<RoleOption>, ParserError> {
    let _ = parser.parse_keyword(Keyword::WITH);
    let mut options = Vec::new();
    while !matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon) {
        options.push(option(parser, new)?);
    }
    Ok(options)
}

/// A word for an attribute that is on.
type Attribute = (&'static str, fn(bool) -> RoleOption);

const ATTRIBUTES: [Attribute; 7] = [
    ("SUPERUSER", RoleOption::Superuser),
    ("CREATEDB", RoleOption::CreateDb),
    ("CREATEROLE", RoleOption::CreateRole),
    ("INHERIT", RoleOption::Inherit),
    ("LOGIN", RoleOption::Login),
    ("REPLICATION", RoleOption::Replication),
    ("BYPASSRLS", RoleOption::BypassRls),
];

fn option(parser: &mut Parser<'_>, new: bool) -> Result<RoleOption, ParserError> {
    for (word, attribute) in ATTRIBUTES {
        if eat(parser, word) {
            return Ok(attribute(true));
        }
        if eat(parser, &format!("NO{word}")) {
            return Ok(attribute(false));
        }
    }
    if eat(parser, "CONNECTION") {
        expect(parser, "LIMIT")?;
        return Ok(RoleOption::ConnectionLimit(signed(parser)?));
    }
    if eat(parser, "UNENCRYPTED") {
        return Err(ParserError::ParserError(
            "UNENCRYPTED PASSWORD is no longer supported".to_owned(),
        ));
    }
    if eat(parser, "ENCRYPTED") || is_word(&parser.peek_token_ref().token, "PASSWORD") {
        expect(parser, "PASSWORD")?;
        if parser.parse_keyword(Keyword::NULL) {
            return Ok(RoleOption::Password(None));
        }
        return Ok(RoleOption::Password(Some(parser.parse_literal_string()?)));
    }
    if eat(parser, "VALID") {
        expect(parser, "UNTIL")?;
        return Ok(RoleOption::ValidUntil(parser.parse_literal_string()?));
    }
    if new {
        if eat(parser, "SYSID") {
            signed(parser)?;
            return Ok(RoleOption::SysId);
        }
        if eat_all(parser, &["IN", "ROLE"]) || eat_all(parser, &["IN", "GROUP"]) {
            return Ok(RoleOption::InRole(role_names(parser)?));
        }
        if eat(parser, "ADMIN") {
            return Ok(RoleOption::Admins(role_names(parser)?));
        }
    }
    // PostgreSQL has these with ALTER GROUP in mind.
    if eat(parser, "ROLE") || eat(parser, "USER") {
        return Ok(RoleOption::Members(role_names(parser)?));
    }
    let token = parser.peek_token_ref();
    if let Token::Word(word) = &token.token
        && word.keyword == Keyword::NoKeyword
    {
        return Err(ParserError::ParserError(format!(
            "unrecognized role option \"{}\"",
            word.value.to_lowercase()
        )));
    }
    parser.expected_ref("a role option", token)
}

fn signed(parser: &mut Parser<'_>) -> Result<i64, ParserError> {
    let negative = parser.consume_token(&Token::Minus);
    let number = parser.parse_number()?.to_string();
    let number: i64 = number.parse().map_err(|_| {
        ParserError::ParserError(format!("value \"{number}\" is out of range for type integer"))
    })?;
    Ok(if negative { -number } else { number })
}

pub(super) fn alter(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    if parser.parse_keyword(Keyword::ALL) {
        return settings(parser, None);
    }
    let role = role_name(parser)?;
    if eat(parser, "RENAME") {
        return rename(parser, role);
    }
    let next = &parser.peek_token_ref().token;
    let sets = ["SET", "RESET"].iter().any(|word| is_word(next, word))
        || (is_word(next, "IN") && is_word(&parser.peek_nth_token_ref(1).token, "DATABASE"));
    if sets {
        return settings(parser, Some(role));
    }
    Ok(RoleStatement::Alter { role, options: options(parser, false)? })
}

fn rename(parser: &mut Parser<'_>, role: RoleName) -> Result<RoleStatement, ParserError> {
    expect(parser, "TO")?;
    let to = role_name(parser)?;
    match role {
        RoleName::Name(from) => Ok(RoleStatement::Rename { from, to }),
        _ => parser.expected_ref("a role's name", parser.peek_token_ref()),
    }
}

fn settings(parser: &mut Parser<'_>, role: Option<RoleName>) -> Result<RoleStatement, ParserError> {
    let database = match eat_all(parser, &["IN", "DATABASE"]) {
        true => Some(parser.parse_identifier()?),
        false => None,
    };
    let change = setting_change(parser)?;
    Ok(RoleStatement::Settings { role, database, change, of_database: false })
}

pub(super) fn alter_database(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    let database = Some(parser.parse_identifier()?);
    let change = setting_change(parser)?;
    Ok(RoleStatement::Settings { role: None, database, change, of_database: true })
}

pub(super) fn database_owner(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    owner(parser, OwnedKind::Database)
}

pub(super) fn graph_owner(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    owner(parser, OwnedKind::Graph)
}

fn owner(parser: &mut Parser<'_>, kind: OwnedKind) -> Result<RoleStatement, ParserError> {
    let name = parser.parse_object_name(false)?;
    expect(parser, "OWNER")?;
    expect(parser, "TO")?;
    Ok(RoleStatement::OwnerTo { kind, name, owner: role_name(parser)? })
}

fn setting_change(parser: &mut Parser<'_>) -> Result<SettingChange, ParserError> {
    if eat(parser, "RESET") {
        if parser.parse_keyword(Keyword::ALL) {
            return Ok(SettingChange::ResetAll);
        }
        return Ok(SettingChange::Reset(setting_name(parser)?));
    }
    expect(parser, "SET")?;
    if eat_all(parser, &["TIME", "ZONE"]) {
        return value(parser, "TimeZone".to_owned());
    }
    let name = setting_name(parser)?;
    if eat_all(parser, &["FROM", "CURRENT"]) {
        return Ok(SettingChange::FromCurrent(name));
    }
    if !parser.consume_token(&Token::Eq) {
        expect(parser, "TO")?;
    }
    value(parser, name)
}

fn setting_name(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let name = parser.parse_object_name(false)?;
    Ok(name.to_string().replace('"', ""))
}

fn value(parser: &mut Parser<'_>, name: String) -> Result<SettingChange, ParserError> {
    if parser.parse_keyword(Keyword::DEFAULT) {
        return Ok(SettingChange::Reset(name));
    }
    let values = parser.parse_comma_separated(|parser| {
        let minus = parser.consume_token(&Token::Minus);
        let token = parser.next_token();
        let text = match token.token {
            Token::Word(word) if word.quote_style.is_some() => word.value,
            Token::Word(word) => word.value.to_lowercase(),
            Token::Number(number, _) => number,
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text,
            _ => return parser.expected("a value", token),
        };
        Ok(if minus { format!("-{text}") } else { text })
    })?;
    Ok(SettingChange::Set { name, value: values.join(", ") })
}

pub(super) fn alter_group(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    let group = role_name(parser)?;
    if eat(parser, "RENAME") {
        return rename(parser, group);
    }
    let add = eat(parser, "ADD");
    if !add {
        expect(parser, "DROP")?;
    }
    expect(parser, "USER")?;
    Ok(RoleStatement::AlterGroup { group, add, members: role_names(parser)? })
}

pub(super) fn drop(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    Ok(RoleStatement::Drop { if_exists, names: parser.parse_comma_separated(role_name)? })
}

pub(super) fn drop_owned(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    expect(parser, "BY")?;
    let roles = parser.parse_comma_separated(role_name)?;
    Ok(RoleStatement::DropOwned { roles, cascade: cascade(parser) })
}

pub(super) fn reassign_owned(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    expect(parser, "BY")?;
    let from = parser.parse_comma_separated(role_name)?;
    expect(parser, "TO")?;
    Ok(RoleStatement::Reassign { from, to: role_name(parser)? })
}

pub(super) fn reset_session_authorization(
    parser: &mut Parser<'_>,
) -> Result<RoleStatement, ParserError> {
    expect(parser, "SESSION")?;
    expect(parser, "AUTHORIZATION")?;
    Ok(RoleStatement::ResetSessionAuthorization)
}
