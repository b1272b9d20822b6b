//! GRANT and REVOKE, of rights and of roles, and ALTER DEFAULT PRIVILEGES.

use sqlparser::ast::Ident;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{
    GrantKind, GrantObjects, GraphVerb, MembershipGrant, MembershipOption, RightsGrant, RoleName,
    RoleStatement,
};
use super::{cascade, granted_by, graph, role_name, role_names};
use crate::parser::sql::word::{eat, eat_all, expect, is_word};

/// A right or a role, before it is known which.
struct Item {
    name: Ident,
    /// More words than one, or columns.
    is_right: bool,
    columns: Vec<Ident>,
}

/// What stands between GRANT and ON or TO.
struct Items {
    /// ALL
    all: bool,
    all_columns: Vec<Ident>,
    items: Vec<Item>,
}

pub(super) fn grant(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    if let Some(action) = graph::action(parser)? {
        return graph::rest(parser, GraphVerb::Grant, action);
    }
    let items = items(parser)?;
    if eat(parser, "ON") {
        let objects = objects(parser)?;
        expect(parser, "TO")?;
        let mut grant = rights(true, items, objects);
        grant.roles = role_names(parser)?;
        grant.option = eat_all(parser, &["WITH", "GRANT", "OPTION"]);
        grant.granted_by = granted_by(parser)?;
        return Ok(RoleStatement::Rights(grant));
    }
    expect(parser, "TO")?;
    let roles = granted_roles(parser, items)?;
    let members = role_names(parser)?;
    let options = match parser.parse_keyword(Keyword::WITH) {
        true => parser.parse_comma_separated(membership_option)?,
        false => Vec::new(),
    };
    let granted_by = granted_by(parser)?;
    Ok(RoleStatement::Membership(MembershipGrant {
        grant: true,
        roles,
        members,
        options,
        granted_by,
        cascade: false,
    }))
}

fn membership_option(parser: &mut Parser<'_>) -> Result<(MembershipOption, bool), ParserError> {
    let option = option_word(parser);
    let Some(option) = option else {
        return parser.expected_ref("ADMIN, INHERIT or SET", parser.peek_token_ref());
    };
    if eat(parser, "OPTION") || eat(parser, "TRUE") {
        return Ok((option, true));
    }
    expect(parser, "FALSE")?;
    Ok((option, false))
}

fn option_word(parser: &mut Parser<'_>) -> Option<MembershipOption> {
    if eat(parser, "ADMIN") {
        Some(MembershipOption::Admin)
    } else if eat(parser, "INHERIT") {
        Some(MembershipOption::Inherit)
    } else if eat(parser, "SET") {
        Some(MembershipOption::Set)
    } else {
        None
    }
}

pub(super) fn revoke(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    if let Some(verb) = graph::revoked(parser)
        && let Some(action) = graph::action(parser)?
    {
        return graph::rest(parser, verb, action);
    }
    let option = eat_all(parser, &["GRANT", "OPTION", "FOR"]);
    let mut options = Vec::new();
    for (word, which) in [
        ("ADMIN", MembershipOption::Admin),
        ("INHERIT", MembershipOption::Inherit),
        ("SET", MembershipOption::Set),
    ] {
        if eat_all(parser, &[word, "OPTION", "FOR"]) {
            options.push((which, false));
        }
    }
    let items = items(parser)?;
    if options.is_empty() && eat(parser, "ON") {
        let objects = objects(parser)?;
        expect(parser, "FROM")?;
        let mut grant = rights(false, items, objects);
        grant.roles = role_names(parser)?;
        grant.option = option;
        grant.granted_by = granted_by(parser)?;
        grant.cascade = cascade(parser);
        return Ok(RoleStatement::Rights(grant));
    }
    expect(parser, "FROM")?;
    let roles = granted_roles(parser, items)?;
    let members = role_names(parser)?;
    let granted_by = granted_by(parser)?;
    let cascade = cascade(parser);
    Ok(RoleStatement::Membership(MembershipGrant {
        grant: false,
        roles,
        members,
        options,
        granted_by,
        cascade,
    }))
}

pub(super) fn default_rights(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    expect(parser, "PRIVILEGES")?;
    let (mut roles, mut schemas) = (Vec::new(), Vec::new());
    loop {
        if eat_all(parser, &["FOR", "ROLE"]) || eat_all(parser, &["FOR", "USER"]) {
            roles = parser.parse_comma_separated(role_name)?;
        } else if eat_all(parser, &["IN", "SCHEMA"]) {
            schemas = parser.parse_comma_separated(Parser::parse_identifier)?;
        } else {
            break;
        }
    }
    let is_grant = eat(parser, "GRANT");
    if !is_grant {
        expect(parser, "REVOKE")?;
    }
    let revoked_option = !is_grant && eat_all(parser, &["GRANT", "OPTION", "FOR"]);
    let items = items(parser)?;
    expect(parser, "ON")?;
    let kind = future_kind(parser)?;
    expect(parser, if is_grant { "TO" } else { "FROM" })?;
    let mut grant = rights(is_grant, items, GrantObjects::Future(kind));
    grant.roles = role_names(parser)?;
    grant.option = match is_grant {
        true => eat_all(parser, &["WITH", "GRANT", "OPTION"]),
        false => revoked_option,
    };
    grant.cascade = !is_grant && cascade(parser);
    Ok(RoleStatement::DefaultRights { roles, schemas, grant })
}

fn future_kind(parser: &mut Parser<'_>) -> Result<GrantKind, ParserError> {
    for (word, kind) in [
        ("TABLES", GrantKind::Table),
        ("SEQUENCES", GrantKind::Sequence),
        ("FUNCTIONS", GrantKind::Function),
        ("ROUTINES", GrantKind::Function),
        ("TYPES", GrantKind::Type),
        ("SCHEMAS", GrantKind::Schema),
    ] {
        if eat(parser, word) {
            return Ok(kind);
        }
    }
    parser.expected_ref("TABLES, SEQUENCES, FUNCTIONS, TYPES or SCHEMAS", parser.peek_token_ref())
}

fn rights(grant: bool, items: Items, objects: GrantObjects) -> RightsGrant {
    let right = |item: Item| (item.name.value, item.columns);
    RightsGrant {
        grant,
        rights: if items.all { Vec::new() } else { items.items.into_iter().map(right).collect() },
        all_columns: items.all_columns,
        objects,
        roles: Vec::new(),
        option: false,
        granted_by: None,
        cascade: false,
    }
}

fn granted_roles(parser: &Parser<'_>, items: Items) -> Result<Vec<RoleName>, ParserError> {
    if items.all || items.items.iter().any(|item| item.is_right) {
        return parser.expected_ref("ON", parser.peek_token_ref());
    }
    Ok(items.items.into_iter().map(|item| RoleName::Name(item.name)).collect())
}

fn items(parser: &mut Parser<'_>) -> Result<Items, ParserError> {
    let next = &parser.peek_nth_token_ref(1).token;
    let is_all = is_word(&parser.peek_token_ref().token, "ALL")
        && (is_word(next, "PRIVILEGES") || is_word(next, "ON") || *next == Token::LParen);
    if is_all {
        parser.next_token();
        let _ = eat(parser, "PRIVILEGES");
        let all_columns = columns(parser)?;
        return Ok(Items { all: true, all_columns, items: Vec::new() });
    }
    let items = parser.parse_comma_separated(item)?;
    Ok(Items { all: false, all_columns: Vec::new(), items })
}

fn item(parser: &mut Parser<'_>) -> Result<Item, ParserError> {
    if eat_all(parser, &["ALTER", "SYSTEM"]) {
        return Ok(Item { name: Ident::new("ALTER SYSTEM"), is_right: true, columns: Vec::new() });
    }
    let name = parser.parse_identifier()?;
    let columns = columns(parser)?;
    Ok(Item { name, is_right: !columns.is_empty(), columns })
}

fn columns(parser: &mut Parser<'_>) -> Result<Vec<Ident>, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(Vec::new());
    }
    let columns = parser.parse_comma_separated(Parser::parse_identifier)?;
    parser.expect_token(&Token::RParen)?;
    Ok(columns)
}

fn objects(parser: &mut Parser<'_>) -> Result<GrantObjects, ParserError> {
    if parser.parse_keyword(Keyword::ALL) {
        return all_in(parser);
    }
    if eat(parser, "FUNCTION") || eat(parser, "PROCEDURE") || eat(parser, "ROUTINE") {
        return Ok(GrantObjects::Functions(parser.parse_comma_separated(function)?));
    }
    let kinds: [(&[&str], GrantKind); 13] = [
        (&["TABLE"], GrantKind::Table),
        (&["SEQUENCE"], GrantKind::Sequence),
        (&["DATABASE"], GrantKind::Database),
        (&["DOMAIN"], GrantKind::Type),
        (&["TYPE"], GrantKind::Type),
        (&["FOREIGN", "DATA", "WRAPPER"], GrantKind::ForeignDataWrapper),
        (&["FOREIGN", "SERVER"], GrantKind::ForeignServer),
        (&["LANGUAGE"], GrantKind::Language),
        (&["LARGE", "OBJECT"], GrantKind::LargeObject),
        (&["PARAMETER"], GrantKind::Parameter),
        (&["SCHEMA"], GrantKind::Schema),
        (&["TABLESPACE"], GrantKind::Tablespace),
        (&["PROPERTY", "GRAPH"], GrantKind::Graph),
    ];
    let kind = kinds.iter().find(|(words, _)| {
        // A table may have the name of a kind: then no name follows it.
        let names = !matches!(
            parser.peek_nth_token_ref(words.len()).token,
            Token::Comma | Token::Period | Token::EOF
        ) && !is_word(&parser.peek_nth_token_ref(words.len()).token, "TO")
            && !is_word(&parser.peek_nth_token_ref(words.len()).token, "FROM");
        names
            && words
                .iter()
                .enumerate()
                .all(|(at, word)| is_word(&parser.peek_nth_token_ref(at).token, word))
    });
    let kind = match kind {
        Some((words, kind)) => {
            words.iter().for_each(|_| {
                parser.next_token();
            });
            *kind
        }
        None => GrantKind::Table,
    };
    if kind == GrantKind::LargeObject {
        let name = |parser: &mut Parser<'_>| {
            Ok(sqlparser::ast::ObjectName::from(vec![Ident::new(
                parser.parse_number()?.to_string(),
            )]))
        };
        return Ok(GrantObjects::Named(kind, parser.parse_comma_separated(name)?));
    }
    let names = parser.parse_comma_separated(|parser| parser.parse_object_name(false))?;
    Ok(GrantObjects::Named(kind, names))
}

fn all_in(parser: &mut Parser<'_>) -> Result<GrantObjects, ParserError> {
    let kinds = [
        ("TABLES", GrantKind::Table),
        ("SEQUENCES", GrantKind::Sequence),
        ("FUNCTIONS", GrantKind::Function),
        ("PROCEDURES", GrantKind::Function),
        ("ROUTINES", GrantKind::Function),
    ];
    let Some((_, kind)) = kinds.iter().find(|(word, _)| eat(parser, word)) else {
        return parser.expected_ref("TABLES, SEQUENCES or FUNCTIONS", parser.peek_token_ref());
    };
    expect(parser, "IN")?;
    expect(parser, "SCHEMA")?;
    Ok(GrantObjects::AllIn(*kind, parser.parse_comma_separated(Parser::parse_identifier)?))
}

/// A function's name, with its arguments' types if they are given, as text.
fn function(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let mut text = parser.parse_object_name(false)?.to_string();
    if !parser.consume_token(&Token::LParen) {
        return Ok(text);
    }
    text.push('(');
    let mut depth = 1;
    loop {
        let token = parser.next_token().token;
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::EOF => return parser.expected_ref(")", parser.peek_token_ref()),
            _ => {}
        }
        if !text.ends_with(['(', '['])
            && !matches!(
                token,
                Token::RParen | Token::Comma | Token::RBracket | Token::LBracket | Token::LParen
            )
        {
            text.push(' ');
        }
        text.push_str(&token.to_string());
        if depth == 0 {
            return Ok(text);
        }
    }
}
