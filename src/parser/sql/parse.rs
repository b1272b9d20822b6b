//! Runs `sqlparser`, within bounds, and words its errors as PostgreSQL does.

use sqlparser::ast::{Expr, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::copy_where;
use super::dialect::GraphwireDialect;
use super::empty_select::with_from;
use super::forms;
use super::join;
use super::lexer::SqlLexer;
use super::place::{byte_span, sqlparser_span};
use super::rewrite::for_sqlparser;
use crate::parser::error::ParseError;
use crate::parser::hint;
use crate::parser::span::Span;

/// How deeply `sqlparser` may nest. It takes about two levels for a pair of parentheses, and grows its stack.
const NESTING_MAX: usize = 300;

/// What may stand behind `EXPLAIN`.
const EXPLAINED: [Keyword; 13] = [
    Keyword::ANALYZE,
    Keyword::VERBOSE,
    Keyword::SELECT,
    Keyword::INSERT,
    Keyword::UPDATE,
    Keyword::DELETE,
    Keyword::MERGE,
    Keyword::WITH,
    Keyword::VALUES,
    Keyword::TABLE,
    Keyword::CREATE,
    Keyword::DECLARE,
    Keyword::EXECUTE,
];

/// A whole statement; tokens that are left over are an error. `end` is where the text of the statement ends, or the `;`
/// behind it.
pub(in crate::parser) fn statement(
    text: &str,
    tokens: Vec<TokenWithSpan>,
    end: Span,
) -> Result<Statement, ParseError> {
    check_start(text, &tokens, end)?;
    check_tables(text, &tokens, end)?;
    let mut tokens = for_sqlparser(with_from(tokens));
    let condition = copy_where::cut(&mut tokens);
    let marks = forms::mark(&mut tokens);
    let has_join = tokens
        .iter()
        .any(|token| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::JOIN));
    // COPY FROM STDIN wants its semicolon, whether one was written or not.
    tokens.push(TokenWithSpan::new(Token::SemiColon, sqlparser_span(end)));
    let (mut statement, rest) = run(text, tokens, end, |parser| parser.parse_statement())?;
    if has_join {
        join::associate(&mut statement, text);
    }
    if has_join && let Some(behind) = join::without_condition(&statement) {
        return Err(unexpected(text, token_span(text, behind, end), Some("ON or USING")));
    }
    match rest.token {
        Token::SemiColon | Token::EOF => {
            let statement = forms::settle(statement, marks);
            match condition {
                Some(condition) => copy_where::put(statement, text, condition, end),
                None => Ok(statement),
            }
        }
        _ => {
            let span = byte_span(rest.span).unwrap_or(end);
            Err(unexpected(text, corrected(text, span, "", end), None))
        }
    }
}

/// Words that `sqlparser` takes for a table's name and PostgreSQL does not.
const NO_TABLES: [Keyword; 14] = [
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::ORDER,
    Keyword::HAVING,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::WINDOW,
    Keyword::RETURNING,
    Keyword::FETCH,
    Keyword::ON,
    Keyword::USING,
];

fn check_tables(text: &str, tokens: &[TokenWithSpan], end: Span) -> Result<(), ParseError> {
    let words: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    for pair in words.windows(2) {
        let [Token::Word(before), Token::Word(after)] = [&pair[0].token, &pair[1].token] else {
            continue;
        };
        let begins = matches!(before.keyword, Keyword::FROM | Keyword::JOIN);
        if begins && after.quote_style.is_none() && NO_TABLES.contains(&after.keyword) {
            return Err(unexpected(text, byte_span(pair[1].span).unwrap_or(end), None));
        }
    }
    Ok(())
}

/// The expression that `tokens` begin with, and how many of them it takes.
pub(in crate::parser) fn expression(
    text: &str,
    tokens: Vec<TokenWithSpan>,
    end: Span,
) -> Result<(Expr, usize), ParseError> {
    let parse = |parser: &mut Parser<'_>| parser.parse_expr().map(|expr| (expr, parser.index()));
    run(text, tokens, end, parse).map(|(result, _)| result)
}

/// What `parse` makes of a whole statement; tokens that are left over are an error.
pub(super) fn whole<T>(
    text: &str,
    tokens: Vec<TokenWithSpan>,
    end: Span,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, ParseError> {
    let (result, rest) = run(text, tokens, end, parse)?;
    match rest.token {
        Token::EOF => Ok(result),
        _ => Err(unexpected(text, byte_span(rest.span).unwrap_or(end), None)),
    }
}

/// Runs `parse`, and gives the token it stopped at too.
fn run<T>(
    text: &str,
    tokens: Vec<TokenWithSpan>,
    end: Span,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<(T, TokenWithSpan), ParseError> {
    let dialect = GraphwireDialect::new(tokens.len());
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
    match parse(&mut parser) {
        Ok(result) => Ok((result, parser.peek_token())),
        Err(error) => {
            let next = byte_span(parser.peek_token().span).unwrap_or(end);
            Err(translated(&error, text, next, end))
        }
    }
}

/// An error of `sqlparser` as PostgreSQL would put it. `next` is the token it had come to.
fn translated(error: &ParserError, text: &str, next: Span, end: Span) -> ParseError {
    let message = match error {
        ParserError::RecursionLimitExceeded => return ParseError::too_complex(next),
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
    };
    let (message, place) = placed(message);
    let at_end = message.ends_with("found: EOF");
    let span = match place {
        Some(offset) => token_span(text, offset, end),
        None if at_end => end,
        None => next,
    };
    let Some((expected, found)) = message.rsplit_once(", found: ") else {
        return other_error(message, text, span);
    };
    let span = corrected(text, span, found, end);
    let expected = expected.strip_prefix("Expected").unwrap_or(expected);
    unexpected(text, span, Some(expected.trim_start_matches([':', ' '])))
}

/// `sqlparser` sometimes points at the token behind the one it means, or at `ORDER` where `BY` is missing behind it.
fn corrected(text: &str, span: Span, found: &str, end: Span) -> Span {
    let near = span.slice(text);
    if near.eq_ignore_ascii_case("ORDER") || near.eq_ignore_ascii_case("GROUP") {
        let next = token_span(text, span.end, end);
        return if next.slice(text).eq_ignore_ascii_case("BY") { span } else { next };
    }
    let before = word_before(text, span);
    if before.is_empty() || near == found || !before.eq_ignore_ascii_case(found) {
        return span;
    }
    let trimmed = text.get(..span.start as usize).unwrap_or("").trim_end().len();
    let end = u32::try_from(trimmed).unwrap_or(span.start);
    Span::new(end.saturating_sub(u32::try_from(before.len()).unwrap_or(0)), end)
}

/// Refuses beginnings that `sqlparser` takes and PostgreSQL does not.
fn check_start(text: &str, tokens: &[TokenWithSpan], end: Span) -> Result<(), ParseError> {
    let keyword = |index: usize| match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => Some(word.keyword),
        Some(_) => Some(Keyword::NoKeyword),
        None => None,
    };
    let second = keyword(1);
    let (is_legal, expected) = match keyword(0) {
        Some(Keyword::INSERT) => (second == Some(Keyword::INTO), "INTO"),
        Some(Keyword::DELETE) => (second == Some(Keyword::FROM), "FROM"),
        Some(Keyword::SHOW) => (second.is_some(), "a parameter"),
        Some(Keyword::EXPLAIN) => {
            let is_option = tokens.get(1).is_some_and(|token| token.token == Token::LParen);
            (is_option || second.is_some_and(|word| EXPLAINED.contains(&word)), "a query")
        }
        Some(Keyword::DESCRIBE | Keyword::DESC) => {
            let span = tokens.first().and_then(|token| byte_span(token.span)).unwrap_or(end);
            return Err(unexpected(text, span, None).with_hint("Use \\d in psql."));
        }
        _ => (true, ""),
    };
    if is_legal {
        return Ok(());
    }
    let span = tokens.get(1).and_then(|token| byte_span(token.span)).unwrap_or(end);
    Err(unexpected(text, span, Some(expected)))
}

/// `sqlparser` also refuses things in sentences of its own; those say more than `syntax error`.
fn other_error(message: &str, text: &str, span: Span) -> ParseError {
    let message = message.trim_end_matches('.');
    if let Some(expected) = message.strip_prefix("expected ").or(message.strip_prefix("Expected "))
    {
        return unexpected(text, span, Some(expected));
    }
    let mut characters = message.chars();
    match characters.next() {
        Some(first) if message.contains(' ') => {
            ParseError::syntax(format!("{}{}", first.to_lowercase(), characters.as_str()), span)
        }
        _ => unexpected(text, span, None),
    }
}

/// Cuts ` at Line: 1, Column: n` off a message; `n` is a byte offset + 1, see [`super::place`].
fn placed(message: &str) -> (&str, Option<u32>) {
    let found = message.rsplit_once(" at Line: 1, Column: ");
    match found.map(|(message, column)| (message, column.trim().parse::<u32>())) {
        Some((message, Ok(column))) => (message, column.checked_sub(1)),
        _ => (message, None),
    }
}

/// The span of the token at an offset.
fn token_span(text: &str, offset: u32, end: Span) -> Span {
    if offset >= end.start {
        return end;
    }
    let mut lexer = SqlLexer::new(text, offset as usize);
    match lexer.token() {
        Ok(Some(token)) => byte_span(token.span).unwrap_or(end),
        Ok(None) | Err(_) => Span::new(offset, end.start),
    }
}

/// `syntax error at or near` what a span covers.
pub(super) fn unexpected(text: &str, span: Span, expected: Option<&str>) -> ParseError {
    let near = span.slice(text);
    let first = expected.is_some_and(|expected| expected.contains("SQL statement"));
    let words = if first { hint::STATEMENT_WORDS } else { hint::SQL_WORDS };
    let expected = expected.filter(|expected| !first && expected.len() < 80);
    // A misspelled keyword is often taken for an alias, and the error found one token later.
    let hint = hint::near_miss(near, words)
        .or_else(|| hint::near_miss(word_before(text, span), words))
        .map(|word| format!("Perhaps you meant \"{word}\"."))
        .or_else(|| expected.map(|expected| format!("Expected {expected}.")));
    ParseError::unexpected(near, span).maybe_hint(hint)
}

/// The word that ends where `span` begins, blanks aside.
fn word_before(text: &str, span: Span) -> &str {
    let before = text.get(..span.start as usize).unwrap_or("").trim_end();
    let start = before.rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    // The character found may be longer than a byte.
    before.get(start..).unwrap_or("")
}
