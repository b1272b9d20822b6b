//! Texts the catalog keeps: defaults, CHECK conditions, property expressions, views.

use sqlparser::ast::{DataType, Expr, Query, Statement as Sql};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::error::ParseError;
use super::span::Span;
use super::sql::{self, SqlLexer, byte_span};
use super::statement::{Body, QueryLanguage, Statement};

fn one(text: &str, language: QueryLanguage) -> Result<Statement, ParseError> {
    let mut statements = super::parse_script(text, language, &super::is_graph_procedure)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(ParseError::syntax("exactly one statement is expected", Span::default())),
    }
}

/// An SQL expression.
///
/// # Errors
/// `42601` if it is none.
pub fn parse_expression(text: &str) -> Result<Expr, ParseError> {
    let mut lexer = SqlLexer::new(text, 0);
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    sql::check_complexity(&tokens)?;
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let count = tokens.len();
    let (expr, used) = sql::expression(text, tokens, Span::new(end, end))?;
    match used == count {
        true => Ok(expr),
        false => Err(ParseError::syntax("not an expression", Span::default())),
    }
}

/// The name of a type.
///
/// # Errors
/// `42601` if it is none.
pub fn parse_type(text: &str) -> Result<DataType, ParseError> {
    match parse_expression(&format!("CAST(NULL AS {text})"))? {
        Expr::Cast { data_type, .. } => Ok(data_type),
        _ => Err(ParseError::syntax("not a type", Span::default())),
    }
}

/// A query without graph tables.
///
/// # Errors
/// `42601` if it is none.
pub fn parse_query(text: &str) -> Result<Query, ParseError> {
    match one(text, QueryLanguage::Sql)?.body {
        Body::Sql { statement, .. } => match *statement {
            Sql::Query(query) => Ok(*query),
            _ => Err(ParseError::syntax("not a query", Span::default())),
        },
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => {
            Err(ParseError::syntax("not a query", Span::default()))
        }
    }
}

/// The query of a view, in any language.
///
/// # Errors
/// `42601` if it is none.
pub fn parse_view_query(text: &str) -> Result<Statement, ParseError> {
    one(text, QueryLanguage::Auto)
}

/// The text behind the first AS outside parentheses: the query of a `CREATE VIEW … AS …`.
pub fn view_query_text(text: &str) -> Option<&str> {
    let mut lexer = SqlLexer::new(text, 0);
    let mut depth = 0usize;
    while let Ok(Some(token)) = lexer.token() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.keyword == Keyword::AS => {
                let rest = text.get(byte_span(token.span)?.end as usize..)?;
                return Some(rest.trim().trim_end_matches(';').trim_end());
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_view_is_cut_out() {
        assert_eq!(view_query_text("CREATE VIEW v (a, \"as\") AS SELECT 1;"), Some("SELECT 1"));
        assert_eq!(
            view_query_text("create view ä as\n  SELECT 'as' AS x"),
            Some("SELECT 'as' AS x")
        );
        assert_eq!(view_query_text("CREATE VIEW v"), None);
    }

    #[test]
    fn expressions_and_types_are_read() {
        assert_eq!(parse_expression("a + 1").unwrap().to_string(), "a + 1");
        assert!(parse_expression("1, 2").is_err());
        assert!(parse_expression("1; DROP TABLE t").is_err());
        let ty = parse_type("character varying(10)").unwrap();
        assert_eq!(ty.to_string().to_lowercase(), "character varying(10)");
    }
}
