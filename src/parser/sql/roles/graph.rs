//! GRANT, DENY and REVOKE of rights on parts of a graph, in the form of Neo4j.

use sqlparser::ast::Ident;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{GraphAction, GraphElements, GraphGrant, GraphVerb, RoleStatement};
use super::role_names;
use crate::parser::sql::word::{eat, eat_all, expect, is_word};

/// An action and its properties.
pub(super) type Action = (GraphAction, Vec<Ident>);

pub(super) fn deny(parser: &mut Parser<'_>) -> Result<RoleStatement, ParserError> {
    match action(parser)? {
        Some(action) => rest(parser, GraphVerb::Deny, action),
        None => parser.expected_ref("a right on a graph", parser.peek_token_ref()),
    }
}

/// What REVOKE takes away, if it is about a graph; GRANT and DENY are taken then.
pub(super) fn revoked(parser: &mut Parser<'_>) -> Option<GraphVerb> {
    let is_graph = |at: usize| word_of(&parser.peek_nth_token_ref(at).token).is_some();
    let verb = |word: &str| is_word(&parser.peek_token_ref().token, word);
    if verb("GRANT") && is_graph(1) {
        parser.next_token();
        return Some(GraphVerb::RevokeGrant);
    }
    if verb("DENY") && is_graph(1) {
        parser.next_token();
        return Some(GraphVerb::RevokeDeny);
    }
    is_graph(0).then_some(GraphVerb::Revoke)
}

const WORDS: [(&str, GraphAction); 8] = [
    ("TRAVERSE", GraphAction::Traverse),
    ("READ", GraphAction::Read),
    ("MATCH", GraphAction::Match),
    ("CREATE", GraphAction::Create),
    ("DELETE", GraphAction::Delete),
    ("SET", GraphAction::SetProperty),
    ("MERGE", GraphAction::Merge),
    ("WRITE", GraphAction::Write),
];

fn word_of(token: &Token) -> Option<GraphAction> {
    WORDS.iter().find(|(word, _)| is_word(token, word)).map(|(_, action)| *action)
}

/// The action that stands here, if `ON GRAPH` follows it: rights on other objects have some of the same names.
pub(super) fn action(parser: &mut Parser<'_>) -> Result<Option<Action>, ParserError> {
    let Some(action) = word_of(&parser.peek_token_ref().token) else { return Ok(None) };
    let mut at = 1;
    if action == GraphAction::SetProperty {
        if !is_word(&parser.peek_nth_token_ref(1).token, "PROPERTY") {
            return Ok(None);
        }
        at = 2;
    }
    let mut end = at;
    if matches!(parser.peek_nth_token_ref(at).token, Token::LBrace | Token::LParen) {
        while !matches!(
            parser.peek_nth_token_ref(end).token,
            Token::RBrace | Token::RParen | Token::EOF
        ) {
            end += 1;
        }
        end += 1;
    }
    let on_graph = is_word(&parser.peek_nth_token_ref(end).token, "ON")
        && ["GRAPH", "GRAPHS"]
            .iter()
            .any(|word| is_word(&parser.peek_nth_token_ref(end + 1).token, word));
    if !on_graph {
        return Ok(None);
    }
    (0..at).for_each(|_| {
        parser.next_token();
    });
    Ok(Some((action, properties(parser)?)))
}

/// `{a, b}`, `(a, b)` or `*` in either; none is all.
fn properties(parser: &mut Parser<'_>) -> Result<Vec<Ident>, ParserError> {
    let close = if parser.consume_token(&Token::LBrace) {
        Token::RBrace
    } else if parser.consume_token(&Token::LParen) {
        Token::RParen
    } else {
        return Ok(Vec::new());
    };
    let names = match parser.consume_token(&Token::Mul) {
        true => Vec::new(),
        false => parser.parse_comma_separated(Parser::parse_identifier)?,
    };
    parser.expect_token(&close)?;
    Ok(names)
}

/// What stands behind the action.
pub(super) fn rest(
    parser: &mut Parser<'_>,
    verb: GraphVerb,
    (action, properties): Action,
) -> Result<RoleStatement, ParserError> {
    expect(parser, "ON")?;
    if !eat(parser, "GRAPHS") {
        expect(parser, "GRAPH")?;
    }
    let graph = parser.parse_object_name(false)?;
    let elements = elements(parser);
    let labels = match elements {
        Some(_) if !parser.consume_token(&Token::Mul) => {
            parser.parse_comma_separated(Parser::parse_identifier)?
        }
        Some(_) | None => Vec::new(),
    };
    if is_word(&parser.peek_token_ref().token, "FOR") {
        return Err(ParserError::ParserError(
            "rights by a pattern of properties (FOR) are not supported; use a row policy"
                .to_owned(),
        ));
    }
    let gives = matches!(verb, GraphVerb::Grant | GraphVerb::Deny);
    expect(parser, if gives { "TO" } else { "FROM" })?;
    let roles = role_names(parser)?;
    let elements = elements.unwrap_or(GraphElements::Both);
    Ok(RoleStatement::GraphRights(GraphGrant {
        verb,
        action,
        properties,
        graph,
        elements,
        labels,
        roles,
    }))
}

fn elements(parser: &mut Parser<'_>) -> Option<GraphElements> {
    if eat_all(parser, &["NODES"]) || eat(parser, "NODE") {
        Some(GraphElements::Nodes)
    } else if eat(parser, "RELATIONSHIPS") || eat(parser, "RELATIONSHIP") {
        Some(GraphElements::Relationships)
    } else if eat(parser, "ELEMENTS") || eat(parser, "ELEMENT") {
        Some(GraphElements::Both)
    } else {
        None
    }
}
