//! Statements on roles and rights: their syntax tree, and how they are read.

pub mod ast;
mod grant;
mod graph;
mod role;

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::TokenWithSpan;

pub use ast::*;

use super::parse::whole;
use super::word::{eat, expect, word_at};
use crate::parser::error::ParseError;
use crate::parser::span::Span;

/// Reads the rest of a statement whose first words are known.
type Read = fn(&mut Parser<'_>) -> Result<RoleStatement, ParserError>;

/// The statement, if it is one of these.
pub(super) fn role_statement(
    text: &str,
    tokens: &[TokenWithSpan],
    end: Span,
) -> Result<Option<RoleStatement>, ParseError> {
    let Some((read, skip)) = reader(tokens) else { return Ok(None) };
    let rest = tokens.get(skip..).unwrap_or_default().to_vec();
    whole(text, rest, end, read).map(Some)
}

/// What reads the statement, and how many tokens it begins with.
fn reader(tokens: &[TokenWithSpan]) -> Option<(Read, usize)> {
    let word = |at: usize| word_at(tokens, at);
    let has = |wanted: &str| (0..tokens.len()).any(|at| word(at) == wanted);
    let (first, second) = (word(0), word(1));
    Some(match (first.as_str(), second.as_str()) {
        (_, "USER") if word(2) == "MAPPING" => return None,
        ("CREATE", "USER") => (role::create_user, 2),
        ("CREATE", "ROLE" | "GROUP") => (role::create, 2),
        ("ALTER", "ROLE" | "USER") => (role::alter, 2),
        ("ALTER", "GROUP") => (role::alter_group, 2),
        ("ALTER", "DATABASE") if word(3) == "SET" && word(4) == "TABLESPACE" => return None,
        ("ALTER", "DATABASE") if matches!(word(3).as_str(), "SET" | "RESET") => {
            (role::alter_database, 2)
        }
        ("ALTER", "DATABASE") if word(3) == "OWNER" => (role::database_owner, 2),
        ("ALTER", "PROPERTY") if has("OWNER") => (role::graph_owner, 3),
        ("ALTER", "DEFAULT") => (grant::default_rights, 2),
        ("DROP", "ROLE" | "USER" | "GROUP") => (role::drop, 2),
        ("DROP", "OWNED") => (role::drop_owned, 2),
        ("REASSIGN", "OWNED") => (role::reassign_owned, 2),
        ("RESET", "SESSION") => (role::reset_session_authorization, 1),
        ("GRANT", _) => (grant::grant, 1),
        ("REVOKE", _) => (grant::revoke, 1),
        ("DENY", _) => (graph::deny, 1),
        _ => return None,
    })
}

fn role_name(parser: &mut Parser<'_>) -> Result<RoleName, ParserError> {
    if eat(parser, "CURRENT_USER") || eat(parser, "CURRENT_ROLE") {
        return Ok(RoleName::Current);
    }
    if eat(parser, "SESSION_USER") {
        return Ok(RoleName::Session);
    }
    let name = parser.parse_identifier()?;
    match name.quote_style.is_none() && name.value.eq_ignore_ascii_case("public") {
        true => Ok(RoleName::Public),
        false => Ok(RoleName::Name(name)),
    }
}

/// Roles that are granted to; the word GROUP may stand before each.
fn role_names(parser: &mut Parser<'_>) -> Result<Vec<RoleName>, ParserError> {
    parser.parse_comma_separated(|parser| {
        let _ = parser.parse_keyword(Keyword::GROUP);
        role_name(parser)
    })
}

/// `CASCADE` or `RESTRICT`: whether it is the first.
fn cascade(parser: &mut Parser<'_>) -> bool {
    let cascade = parser.parse_keyword(Keyword::CASCADE);
    if !cascade {
        let _ = parser.parse_keyword(Keyword::RESTRICT);
    }
    cascade
}

fn granted_by(parser: &mut Parser<'_>) -> Result<Option<RoleName>, ParserError> {
    if !eat(parser, "GRANTED") {
        return Ok(None);
    }
    expect(parser, "BY")?;
    role_name(parser).map(Some)
}

#[cfg(test)]
mod tests;
