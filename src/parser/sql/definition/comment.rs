//! `COMMENT ON CONSTRAINT` and `ON PROPERTY GRAPH`; `sqlparser` reads the other kinds.

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use super::ast::Definition;

pub(super) fn on_constraint(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    parser.expect_keyword(Keyword::CONSTRAINT)?;
    let name = parser.parse_identifier()?;
    parser.expect_keyword(Keyword::ON)?;
    let of_domain = super::eat(parser, "DOMAIN");
    let table = parser.parse_object_name(false)?;
    parser.expect_keyword(Keyword::IS)?;
    let text = match parser.parse_keyword(Keyword::NULL) {
        true => None,
        false => Some(parser.parse_literal_string()?),
    };
    Ok(Definition::CommentOnConstraint { name, table, of_domain, text })
}

/// `COMMENT ON PROPERTY GRAPH name IS …`
pub(super) fn on_graph(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let name = parser.parse_object_name(false)?;
    parser.expect_keyword(Keyword::IS)?;
    let text = match parser.parse_keyword(Keyword::NULL) {
        true => None,
        false => Some(parser.parse_literal_string()?),
    };
    Ok(Definition::CommentOnGraph { name, text })
}
