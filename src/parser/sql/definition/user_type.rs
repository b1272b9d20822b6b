//! `ALTER TYPE`; `sqlparser` reads CREATE TYPE and DROP TYPE.

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use super::ast::{Definition, LabelPlace, TypeAction};
use super::sequence::object_action;
use super::{eat, if_not_exists};

pub(super) fn alter(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let name = parser.parse_object_name(false)?;
    Ok(Definition::AlterType { name, action: action(parser)? })
}

fn action(parser: &mut Parser<'_>) -> Result<TypeAction, ParserError> {
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
