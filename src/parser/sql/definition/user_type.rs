//! `ALTER TYPE`; `sqlparser` reads CREATE TYPE and DROP TYPE.

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use super::ast::{AttributeAction, Definition, LabelPlace, TypeAction};
use super::sequence::object_action;
use super::{eat, if_exists, if_not_exists};
use crate::parser::sql::word::{eat_all, is_word};

pub(super) fn alter(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let name = parser.parse_object_name(false)?;
    Ok(Definition::AlterType { name, action: action(parser)? })
}

fn action(parser: &mut Parser<'_>) -> Result<TypeAction, ParserError> {
    if eat_all(parser, &["RENAME", "ATTRIBUTE"]) {
        let from = parser.parse_identifier()?;
        parser.expect_keyword(Keyword::TO)?;
        let to = parser.parse_identifier()?;
        behavior(parser);
        return Ok(TypeAction::Attributes(vec![AttributeAction::Rename { from, to }]));
    }
    let is_attribute = ["ADD", "DROP", "ALTER"].into_iter().any(|word| {
        is_word(&parser.peek_token_ref().token, word)
            && is_word(&parser.peek_nth_token_ref(1).token, "ATTRIBUTE")
    });
    if is_attribute {
        return parser.parse_comma_separated(attribute).map(TypeAction::Attributes);
    }
    if parser.parse_keywords(&[Keyword::ADD, Keyword::VALUE]) {
        let if_not_exists = if_not_exists(parser);
        let label = parser.parse_literal_string()?;
        let place = if eat(parser, "BEFORE") {
            Some(LabelPlace::Before(parser.parse_literal_string()?))
        } else if eat(parser, "AFTER") {
            Some(LabelPlace::After(parser.parse_literal_string()?))
        } else {
            None
        };
        return Ok(TypeAction::AddValue { if_not_exists, label, place });
    }
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::VALUE]) {
        let from = parser.parse_literal_string()?;
        parser.expect_keyword(Keyword::TO)?;
        return Ok(TypeAction::RenameValue { from, to: parser.parse_literal_string()? });
    }
    match object_action(parser)? {
        Some(action) => Ok(TypeAction::Object(action)),
        None => parser.expected_ref("a change of the type", parser.peek_token_ref()),
    }
}

/// CASCADE or RESTRICT: nothing depends on an attribute in a way that they would tell apart.
fn behavior(parser: &mut Parser<'_>) {
    if !eat(parser, "CASCADE") {
        eat(parser, "RESTRICT");
    }
}

fn attribute(parser: &mut Parser<'_>) -> Result<AttributeAction, ParserError> {
    let action = if eat_all(parser, &["ADD", "ATTRIBUTE"]) {
        let name = parser.parse_identifier()?;
        AttributeAction::Add { name, data_type: parser.parse_data_type()? }
    } else if eat_all(parser, &["DROP", "ATTRIBUTE"]) {
        let if_exists = if_exists(parser);
        AttributeAction::Drop { if_exists, name: parser.parse_identifier()? }
    } else if eat_all(parser, &["ALTER", "ATTRIBUTE"]) {
        let name = parser.parse_identifier()?;
        eat_all(parser, &["SET", "DATA"]);
        if !eat(parser, "TYPE") {
            return parser.expected_ref("TYPE", parser.peek_token_ref());
        }
        AttributeAction::Type { name, data_type: parser.parse_data_type()? }
    } else {
        return parser.expected_ref("a change of an attribute", parser.peek_token_ref());
    };
    behavior(parser);
    Ok(action)
}
