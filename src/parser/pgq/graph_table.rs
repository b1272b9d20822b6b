//! Takes `GRAPH_TABLE ( … )` out of an SQL statement's tokens and reads it.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::{GraphTable, GraphTableColumn, RowsPer};
use super::parser::Parser;
use crate::parser::error::ParseError;
use crate::parser::pattern_parser::graph_pattern;
use crate::parser::span::Span;
use crate::parser::sql::{byte_span, sqlparser_span};
use crate::parser::token::NESTING_MAX;

/// The table function that stands in the SQL tree for each `GRAPH_TABLE`, with its number as the argument.
pub const GRAPH_TABLE_FUNCTION: &str = "__graph_table";

/// Replaces each `GRAPH_TABLE ( … )` by `__graph_table(n)`, and gives the tables in the order of `n`.
///
/// Those inside others come first. The placeholder's tokens have the places of what they replace.
pub(in crate::parser) fn take_graph_tables(
    text: &str,
    tokens: Vec<TokenWithSpan>,
    end: Span,
) -> Result<(Vec<TokenWithSpan>, Vec<GraphTable>), ParseError> {
    let is_word = |token: &TokenWithSpan, word: &str| match &token.token {
        Token::Word(found) => found.value.eq_ignore_ascii_case(word),
        _ => false,
    };
    if let Some(token) = tokens.iter().find(|token| is_word(token, GRAPH_TABLE_FUNCTION)) {
        let message = format!("name \"{GRAPH_TABLE_FUNCTION}\" is reserved");
        return Err(ParseError::syntax(message, byte_span(token.span).unwrap_or(end)));
    }
    let mut tables = Vec::new();
    if !tokens.iter().any(|token| is_word(token, "GRAPH_TABLE")) {
        return Ok((tokens, tables));
    }
    let tokens = replaced(text, &tokens, end, &mut tables, 0)?;
    Ok((tokens, tables))
}

fn replaced(
    text: &str,
    tokens: &[TokenWithSpan],
    end: Span,
    tables: &mut Vec<GraphTable>,
    depth: u32,
) -> Result<Vec<TokenWithSpan>, ParseError> {
    let mut result = Vec::with_capacity(tokens.len());
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let opening = tokens.get(index + 1).filter(|_| is_graph_table(tokens, index));
        let Some(opening) = opening else {
            result.push(token.clone());
            index += 1;
            continue;
        };
        if depth > NESTING_MAX {
            return Err(ParseError::too_complex(byte_span(token.span).unwrap_or(end)));
        }
        let rest = tokens.get(index + 2..).unwrap_or(&[]);
        let length = inside_length(rest);
        let closing = rest.get(length);
        let inside_end = closing.and_then(|token| byte_span(token.span)).unwrap_or(end);
        let inside =
            replaced(text, rest.get(..length).unwrap_or(&[]), inside_end, tables, depth + 1)?;
        let span = byte_span(token.span).unwrap_or(end).to(inside_end);
        let table = graph_table(Parser::new(text, &inside, inside_end), span)?;
        let Some(closing) = closing else {
            return Err(ParseError::unexpected("", end));
        };
        let number = Token::Number(tables.len().to_string(), false);
        tables.push(table);
        if may_refer_left(&result) {
            result.push(TokenWithSpan::new(Token::make_keyword("LATERAL"), token.span));
        }
        result.push(TokenWithSpan::new(Token::make_word(GRAPH_TABLE_FUNCTION, None), token.span));
        result.push(opening.clone());
        result.push(TokenWithSpan::new(number, sqlparser_span(span)));
        result.push(closing.clone());
        index += length + 3;
    }
    Ok(result)
}

/// Whether what follows these tokens stands beside tables it may refer to, as PostgreSQL's functions in FROM may: behind a
/// comma or a join that allows it.
fn may_refer_left(before: &[TokenWithSpan]) -> bool {
    let word = |back: usize| match before.iter().rev().nth(back).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _ => String::new(),
    };
    if matches!(before.last().map(|token| &token.token), Some(Token::Comma)) {
        return true;
    }
    let kind = if word(1) == "OUTER" { word(2) } else { word(1) };
    word(0) == "JOIN" && kind != "RIGHT" && kind != "FULL"
}

/// True if `GRAPH_TABLE (` stands at an index.
fn is_graph_table(tokens: &[TokenWithSpan], index: usize) -> bool {
    let is_name = match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => {
            word.quote_style.is_none() && word.value.eq_ignore_ascii_case("GRAPH_TABLE")
        }
        _ => false,
    };
    is_name && matches!(tokens.get(index + 1).map(|token| &token.token), Some(Token::LParen))
}

/// How many tokens stand before the parenthesis that closes; all of them if none does.
fn inside_length(tokens: &[TokenWithSpan]) -> usize {
    let mut open = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => open += 1,
            Token::RParen => match open.checked_sub(1) {
                Some(left) => open = left,
                None => return index,
            },
            _ => {}
        }
    }
    tokens.len()
}

/// What stands between the parentheses.
fn graph_table(mut parser: Parser<'_>, span: Span) -> Result<GraphTable, ParseError> {
    let graph = parser.qualified_name()?;
    parser.cursor.expect_word("MATCH")?;
    let pattern = graph_pattern(&mut parser)?;
    let rows = rows_per(&mut parser)?;
    refuse_export(&mut parser)?;
    parser.cursor.expect_word("COLUMNS")?;
    parser.cursor.expect_symbol("(")?;
    let mut columns = vec![column(&mut parser)?];
    while parser.cursor.eat_symbol(",") {
        columns.push(column(&mut parser)?);
    }
    parser.cursor.expect_symbol(")")?;
    refuse_export(&mut parser)?;
    match parser.cursor.at_end() {
        true => Ok(GraphTable { graph, pattern, rows, columns, span }),
        false => Err(parser.cursor.unexpected(&[")"])),
    }
}

fn refuse_export(parser: &mut Parser<'_>) -> Result<(), ParseError> {
    if !parser.cursor.is_word("EXPORT") {
        return Ok(());
    }
    let place = parser.cursor.peek().span;
    Err(ParseError::unsupported("EXPORT of graph variables is not supported", place)
        .with_hint("List what is needed in COLUMNS."))
}

fn rows_per(parser: &mut Parser<'_>) -> Result<RowsPer, ParseError> {
    if !parser.cursor.eat_words(&["ONE", "ROW", "PER"]) {
        return Ok(RowsPer::Match);
    }
    if parser.cursor.eat_word("MATCH") {
        return Ok(RowsPer::Match);
    }
    if parser.cursor.eat_word("VERTEX") || parser.cursor.eat_word("NODE") {
        parser.cursor.expect_symbol("(")?;
        let variable = parser.cursor.name()?;
        parser.cursor.expect_symbol(")")?;
        return Ok(RowsPer::Vertex { variable, paths: in_paths(parser)? });
    }
    if parser.cursor.eat_word("STEP") {
        parser.cursor.expect_symbol("(")?;
        let from = parser.cursor.name()?;
        parser.cursor.expect_symbol(",")?;
        let edge = parser.cursor.name()?;
        parser.cursor.expect_symbol(",")?;
        let to = parser.cursor.name()?;
        parser.cursor.expect_symbol(")")?;
        return Ok(RowsPer::Step { from, edge, to, paths: in_paths(parser)? });
    }
    Err(parser.cursor.unexpected(&["MATCH", "VERTEX", "STEP"]))
}

fn in_paths(parser: &mut Parser<'_>) -> Result<Vec<crate::parser::pattern::Name>, ParseError> {
    match parser.cursor.eat_word("IN") {
        true => parser.name_list(),
        false => Ok(Vec::new()),
    }
}

fn column(parser: &mut Parser<'_>) -> Result<GraphTableColumn, ParseError> {
    let start = parser.cursor.peek().span;
    let is_star = parser.cursor.is_name_at(0)
        && parser.cursor.is_symbol_at(1, ".")
        && parser.cursor.is_symbol_at(2, "*");
    if is_star {
        let variable = parser.cursor.name()?;
        parser.cursor.expect_symbol(".")?;
        parser.cursor.expect_symbol("*")?;
        return Ok(GraphTableColumn::AllProperties {
            variable,
            span: parser.cursor.span_from(start),
        });
    }
    let expr = parser.expression()?;
    Ok(GraphTableColumn::Expr { expr, name: parser.alias()? })
}
