//! `DROP` of kinds of objects that a database of graphwire never has.

use sqlparser::ast::DataType;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::super::word::{eat, eat_all};
use super::ast::{AbsentKind, Definition};
use super::{domain::cascade, if_exists};

/// `DROP TRIGGER [IF EXISTS] name ON table`, and `DROP RULE`.
pub(super) fn trigger(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    on_table(parser, AbsentKind::Trigger)
}

/// See [`trigger`].
pub(super) fn rule(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    on_table(parser, AbsentKind::Rule)
}

fn on_table(parser: &mut Parser<'_>, kind: AbsentKind) -> Result<Definition, ParserError> {
    let if_exists = if_exists(parser);
    let names = vec![(parser.parse_object_name(false)?, None)];
    parser.expect_keyword_is(Keyword::ON)?;
    let table = Some(parser.parse_object_name(false)?);
    cascade(parser);
    Ok(Definition::DropAbsent { kind, if_exists, names, table })
}

/// `DROP AGGREGATE [IF EXISTS] name (types)`
pub(super) fn aggregate(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    with_arguments(parser, AbsentKind::Aggregate)
}

fn with_arguments(parser: &mut Parser<'_>, kind: AbsentKind) -> Result<Definition, ParserError> {
    let if_exists = if_exists(parser);
    let names = parser.parse_comma_separated(|parser| {
        let name = parser.parse_object_name(false)?;
        let arguments = arguments(parser)?;
        match (kind, arguments) {
            (AbsentKind::Aggregate, None) => parser.expected_ref("(", parser.peek_token_ref()),
            (_, arguments) => Ok((name, arguments)),
        }
    })?;
    cascade(parser);
    Ok(Definition::DropAbsent { kind, if_exists, names, table: None })
}

/// The types in brackets; `(*)` has none.
fn arguments(parser: &mut Parser<'_>) -> Result<Option<Vec<DataType>>, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(None);
    }
    if parser.consume_token(&Token::RParen) {
        return Ok(Some(Vec::new()));
    }
    let types = match parser.consume_token(&Token::Mul) {
        true => Vec::new(),
        false => parser.parse_comma_separated(Parser::parse_data_type)?,
    };
    parser.expect_token(&Token::RParen)?;
    Ok(Some(types))
}

/// `DROP kind [IF EXISTS] name [, …]`, from the word of the kind on.
pub(super) fn named(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let kind = match () {
        () if eat(parser, "COLLATION") => AbsentKind::Collation,
        () if eat(parser, "CONVERSION") => AbsentKind::Conversion,
        () if eat(parser, "LANGUAGE") => AbsentKind::Language,
        () if eat(parser, "SERVER") => AbsentKind::Server,
        () if eat(parser, "PUBLICATION") => AbsentKind::Publication,
        () if eat(parser, "STATISTICS") => AbsentKind::Statistics,
        () if eat_all(parser, &["EVENT", "TRIGGER"]) => AbsentKind::EventTrigger,
        () if eat_all(parser, &["FOREIGN", "DATA", "WRAPPER"]) => AbsentKind::ForeignDataWrapper,
        () if eat_all(parser, &["FOREIGN", "TABLE"]) => AbsentKind::ForeignTable,
        () => return parser.expected_ref("a kind of object", parser.peek_token_ref()),
    };
    let if_exists = if_exists(parser);
    let names =
        parser.parse_comma_separated(|parser| Ok((parser.parse_object_name(false)?, None)))?;
    cascade(parser);
    Ok(Definition::DropAbsent { kind, if_exists, names, table: None })
}
