//! `COPY t (a, b) FROM … WHERE condition`, which `sqlparser` does not read.
//!
//! The condition is cut off before, and put back as that of a query: the source becomes
//! `(SELECT a, b FROM t WHERE condition)`, which no statement that copies into a table has otherwise.

use sqlparser::ast::{CopySource, Expr, Ident, ObjectName, Query, SetExpr, Statement, TableFactor};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::parse;
use super::place::byte_span;
use crate::parser::error::ParseError;
use crate::parser::span::Span;

/// The table, the columns and the condition of a source that [`put`] made.
pub type Filtered<'a> = (&'a ObjectName, Vec<Ident>, &'a Expr);

fn keyword(token: &TokenWithSpan) -> Keyword {
    match &token.token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// Cuts off what stands behind a COPY's own `WHERE`, with the word.
pub(super) fn cut(tokens: &mut Vec<TokenWithSpan>) -> Option<Vec<TokenWithSpan>> {
    if tokens.first().map(keyword) != Some(Keyword::COPY) {
        return None;
    }
    let mut depth = 0usize;
    let at = tokens.iter().position(|token| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && keyword(token) == Keyword::WHERE
    })?;
    Some(tokens.split_off(at))
}

/// Puts the condition back.
pub(super) fn put(
    statement: Statement,
    text: &str,
    condition: Vec<TokenWithSpan>,
    end: Span,
) -> Result<Statement, ParseError> {
    let at = condition.first().and_then(|word| byte_span(word.span)).unwrap_or(end);
    let behind = condition.get(1..).unwrap_or_default();
    let (expr, used) = parse::expression(text, behind.to_vec(), end)?;
    if let Some(left) = behind.get(used).filter(|left| left.token != Token::SemiColon) {
        let span = byte_span(left.span).unwrap_or(end);
        let near = span.slice(text);
        return Err(ParseError::syntax(format!("syntax error at or near \"{near}\""), span));
    }
    let Statement::Copy { source: CopySource::Table { table_name, columns }, to, .. } = &statement
    else {
        return Err(ParseError::syntax("syntax error at or near \"WHERE\"", at));
    };
    if *to {
        return Err(ParseError::syntax("WHERE clause not allowed with COPY TO", at));
    }
    let query = query(table_name, columns, expr)
        .ok_or_else(|| ParseError::syntax("syntax error at or near \"WHERE\"", at))?;
    let mut statement = statement;
    if let Statement::Copy { source, .. } = &mut statement {
        *source = CopySource::Query(query);
    }
    Ok(statement)
}

fn query(table: &ObjectName, columns: &[Ident], condition: Expr) -> Option<Box<Query>> {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let list = if names.is_empty() { "*".to_owned() } else { names.join(", ") };
    let mut query = crate::parser::stored::parse_query(&format!("SELECT {list} FROM t")).ok()?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if let Some(TableFactor::Table { name, .. }) =
        select.from.first_mut().map(|from| &mut from.relation)
    {
        *name = table.clone();
    }
    select.selection = Some(condition);
    Some(Box::new(query))
}

/// What [`put`] made of a COPY from somewhere; `None` for another query.
pub fn filtered(query: &Query) -> Option<Filtered<'_>> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let TableFactor::Table { name, .. } = &select.from.first()?.relation else { return None };
    let columns = select.projection.iter().filter_map(|item| match item {
        sqlparser::ast::SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some(column.clone()),
        _ => None,
    });
    Some((name, columns.collect(), select.selection.as_ref()?))
}
