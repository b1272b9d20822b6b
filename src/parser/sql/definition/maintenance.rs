//! `VACUUM`, `ANALYZE`, `REINDEX`, `CLUSTER`, `REFRESH MATERIALIZED VIEW`

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{Definition, Maintenance, ReindexTarget};
use super::eat;

/// Options of VACUUM and ANALYZE in parentheses; only these change what is done.
#[derive(Default)]
struct Options {
    analyze: bool,
    full: bool,
    skip_locked: bool,
}

const VACUUM_OPTIONS: [&str; 11] = [
    "FULL",
    "FREEZE",
    "VERBOSE",
    "ANALYZE",
    "ANALYSE",
    "DISABLE_PAGE_SKIPPING",
    "SKIP_LOCKED",
    "INDEX_CLEANUP",
    "PROCESS_TOAST",
    "TRUNCATE",
    "PARALLEL",
];

fn options(parser: &mut Parser<'_>) -> Result<Options, ParserError> {
    let mut options = Options::default();
    if !parser.consume_token(&Token::LParen) {
        return Ok(options);
    }
    loop {
        let Some(word) = VACUUM_OPTIONS.iter().find(|word| eat(parser, word)) else {
            return parser.expected_ref("an option", parser.peek_token_ref());
        };
        let value = match &parser.peek_token_ref().token {
            Token::Comma | Token::RParen => true,
            token => {
                let text = token.to_string().to_lowercase();
                parser.next_token();
                !matches!(text.trim_matches('\''), "false" | "off" | "0")
            }
        };
        match *word {
            "ANALYZE" | "ANALYSE" => options.analyze = value,
            "FULL" => options.full = value,
            "SKIP_LOCKED" => options.skip_locked = value,
            _ => {}
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RParen)?;
    Ok(options)
}

fn tables(
    parser: &mut Parser<'_>,
) -> Result<Vec<(sqlparser::ast::ObjectName, Vec<sqlparser::ast::Ident>)>, ParserError> {
    if matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon) {
        return Ok(Vec::new());
    }
    parser.parse_comma_separated(|parser| {
        let name = parser.parse_object_name(false)?;
        let columns = if parser.consume_token(&Token::LParen) {
            let columns = parser.parse_comma_separated(Parser::parse_identifier)?;
            parser.expect_token(&Token::RParen)?;
            columns
        } else {
            Vec::new()
        };
        Ok((name, columns))
    })
}

pub(super) fn vacuum(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let mut options = options(parser)?;
    options.full |= eat(parser, "FULL");
    // These change neither contents nor result.
    let _ = eat(parser, "FREEZE");
    let _ = eat(parser, "VERBOSE");
    options.analyze |= eat(parser, "ANALYZE") || eat(parser, "ANALYSE");
    let tables = tables(parser)?;
    Ok(Definition::Maintain(Maintenance::Vacuum {
        full: options.full,
        analyze: options.analyze,
        skip_locked: options.skip_locked,
        tables,
    }))
}

pub(super) fn analyze(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let skip_locked = options(parser)?.skip_locked;
    let _ = eat(parser, "VERBOSE");
    Ok(Definition::Maintain(Maintenance::Analyze { skip_locked, tables: tables(parser)? }))
}

pub(super) fn reindex(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let mut concurrently = false;
    if parser.consume_token(&Token::LParen) {
        loop {
            let known = ["VERBOSE", "CONCURRENTLY", "TABLESPACE"].iter().find(|w| eat(parser, w));
            let Some(known) = known else {
                return parser.expected_ref("an option", parser.peek_token_ref());
            };
            let mut value = true;
            if !matches!(parser.peek_token_ref().token, Token::Comma | Token::RParen) {
                let text = parser.next_token().to_string().to_lowercase();
                value = !matches!(text.trim_matches('\''), "false" | "off" | "0");
            }
            concurrently |= *known == "CONCURRENTLY" && value;
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        parser.expect_token(&Token::RParen)?;
    }
    let target = if eat(parser, "INDEX") {
        ReindexTarget::Index
    } else if eat(parser, "TABLE") {
        ReindexTarget::Table
    } else if eat(parser, "SCHEMA") {
        ReindexTarget::Schema
    } else if eat(parser, "DATABASE") || eat(parser, "SYSTEM") {
        ReindexTarget::Database
    } else {
        return parser.expected_ref("INDEX, TABLE, SCHEMA or DATABASE", parser.peek_token_ref());
    };
    concurrently |= eat(parser, "CONCURRENTLY");
    let name = parser.parse_object_name(false)?;
    Ok(Definition::Maintain(Maintenance::Reindex { target, concurrently, name }))
}

pub(super) fn refresh(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    if !eat(parser, "VIEW") {
        return parser.expected_ref("VIEW", parser.peek_token_ref());
    }
    let concurrently = eat(parser, "CONCURRENTLY");
    let name = parser.parse_object_name(false)?;
    let mut no_data = false;
    if parser.parse_keyword(Keyword::WITH) {
        no_data = parser.parse_keyword(Keyword::NO);
        if !eat(parser, "DATA") {
            return parser.expected_ref("DATA", parser.peek_token_ref());
        }
    }
    Ok(Definition::Refresh { concurrently, name, no_data })
}

pub(super) fn cluster(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let _ = eat(parser, "VERBOSE");
    if matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon) {
        return Ok(Definition::Cluster { table: None, index: None });
    }
    let table = parser.parse_object_name(false)?;
    let index = match parser.parse_keyword(Keyword::USING) {
        true => Some(parser.parse_identifier()?),
        false => None,
    };
    Ok(Definition::Cluster { table: Some(table), index })
}
