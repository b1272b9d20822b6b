//! Reads a whole text: one or several statements, of SQL and Cypher mixed, with `;` between.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cypher;
use super::error::ParseError;
use super::pgq::{is_property_graph_ddl, property_graph_ddl, take_graph_tables};
use super::route::{Language, language};
use super::span::Span;
use super::sql::{self, SqlLexer, byte_span};
use super::statement::{Body, QueryLanguage, Statement, Utility};
use crate::error::SqlState;

/// Reads all statements of a text; none for a text of blanks and comments.
///
/// `is_procedure` says whether Cypher has a procedure of this name, its parts joined by dots. Every span in the result
/// counts bytes of `text`. An error anywhere is the error of the whole text, so that nothing of it is executed.
///
/// # Errors
/// `42601` for what is no statement, `54001` for too deep nesting, `54000` for more than 4 GiB, `0A000` for what
/// graphwire does not carry out, `22003` for Cypher numbers out of range.
pub fn parse_script(
    text: &str,
    query_language: QueryLanguage,
    is_procedure: &dyn Fn(&str) -> bool,
) -> Result<Vec<Statement>, ParseError> {
    if u32::try_from(text.len()).is_err() {
        let message = "statement is too long";
        return Err(ParseError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message, Span::default()));
    }
    let mut statements = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at)? {
        let (statement, end) = match language(text, start, query_language, is_procedure) {
            Language::Sql => sql_statement(text, start)?,
            Language::Cypher => cypher_statement(text, start)?,
        };
        statements.extend(statement);
        at = end;
    }
    Ok(statements)
}

/// The offset of the next statement's first character; steps over blanks, comments of both languages, and `;`.
fn next_start(text: &str, at: usize) -> Result<Option<usize>, ParseError> {
    let mut at = at;
    loop {
        let mut lexer = SqlLexer::new(text, at);
        lexer.skip_blanks()?;
        at = lexer.offset();
        let rest = text.get(at..).unwrap_or("");
        if rest.is_empty() {
            return Ok(None);
        } else if rest.starts_with(';') {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        } else {
            return Ok(Some(at));
        }
    }
}

fn cypher_statement(text: &str, start: usize) -> Result<(Option<Statement>, usize), ParseError> {
    let rest = text.get(start..).unwrap_or("");
    let (statement, length) = cypher::parse_next(rest, u32::try_from(start).unwrap_or(u32::MAX))?;
    let statement = statement.map(|statement| Statement {
        span: statement.span,
        text: statement.span.slice(text).to_owned(),
        body: Body::Cypher(Box::new(statement)),
    });
    Ok((statement, start + length))
}

fn sql_statement(text: &str, start: usize) -> Result<(Option<Statement>, usize), ParseError> {
    let mut lexer = SqlLexer::new(text, start);
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    let mut semicolon = None;
    while let Some(token) = lexer.token()? {
        if token.token == Token::SemiColon {
            semicolon = byte_span(token.span);
            break;
        }
        tokens.push(token);
    }
    let place = |token: Option<&TokenWithSpan>| token.and_then(|token| byte_span(token.span));
    let (Some(first), Some(last)) = (place(tokens.first()), place(tokens.last())) else {
        return Ok((None, lexer.offset()));
    };
    let span = first.to(last);
    // Where the statement ends too early, that is said of the semicolon, or of the place behind the last token.
    let end = semicolon.unwrap_or(Span::new(last.end, last.end));
    let body = sql_body(text, tokens, end)?;
    Ok((Some(Statement { span, text: span.slice(text).to_owned(), body }), lexer.offset()))
}

fn sql_body(text: &str, tokens: Vec<TokenWithSpan>, end: Span) -> Result<Body, ParseError> {
    sql::check_complexity(&tokens)?;
    let words: Vec<&str> = tokens.iter().take(8).map_while(unquoted_word).collect();
    if is_property_graph_ddl(&words) {
        let ddl = property_graph_ddl(text, &tokens, end)?;
        return Ok(Body::PropertyGraph(Box::new(ddl)));
    }
    if let Some(utility) = sql::utility(text, &tokens, end)? {
        let query = match &utility {
            Utility::Tenancy(tenancy) => tenancy.query(),
            _ => None,
        };
        // What only shows something is a query of the view that has it.
        if let Some(query) = query
            && let Some(shown) = parse_script(&query, QueryLanguage::Sql, &|_| false)?.pop()
        {
            return Ok(shown.body);
        }
        return Ok(Body::Utility(utility));
    }
    let (tokens, graph_tables) = take_graph_tables(text, tokens, end)?;
    let statement = Box::new(sql::statement(text, tokens, end)?);
    Ok(Body::Sql { statement, graph_tables })
}

fn unquoted_word(token: &TokenWithSpan) -> Option<&str> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}
