//! `DO`: anonymous blocks, in the form in which tools guard data definition, and with messages.
//!
//! ```text
//! DO $$ BEGIN statement; … RAISE …; … EXCEPTION WHEN condition [OR condition] … THEN NULL; END $$
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lexer::SqlLexer;
use super::place::byte_span;
use super::raise;
use super::word::{is_word, word_at};
use crate::error::SqlState;
use crate::parser::error::ParseError;
use crate::parser::span::Span;
use crate::parser::statement::{Body, DoBlock, DoStep, QueryLanguage, Statement, Utility};

/// Conditions by their names in PL/pgSQL.
const CONDITIONS: &[(&str, SqlState)] = &[
    ("DUPLICATE_OBJECT", SqlState::DUPLICATE_OBJECT),
    ("DUPLICATE_TABLE", SqlState::DUPLICATE_TABLE),
    ("DUPLICATE_COLUMN", SqlState::DUPLICATE_COLUMN),
    ("DUPLICATE_SCHEMA", SqlState::DUPLICATE_SCHEMA),
    ("DUPLICATE_FUNCTION", SqlState::DUPLICATE_FUNCTION),
    ("UNDEFINED_OBJECT", SqlState::UNDEFINED_OBJECT),
    ("UNDEFINED_TABLE", SqlState::UNDEFINED_TABLE),
    ("UNDEFINED_COLUMN", SqlState::UNDEFINED_COLUMN),
    ("UNDEFINED_FUNCTION", SqlState::UNDEFINED_FUNCTION),
    ("INVALID_TABLE_DEFINITION", SqlState::INVALID_TABLE_DEFINITION),
    ("UNIQUE_VIOLATION", SqlState::UNIQUE_VIOLATION),
    ("INSUFFICIENT_PRIVILEGE", SqlState::INSUFFICIENT_PRIVILEGE),
    ("NOT_NULL_VIOLATION", SqlState::NOT_NULL_VIOLATION),
    ("FOREIGN_KEY_VIOLATION", SqlState::FOREIGN_KEY_VIOLATION),
    ("CHECK_VIOLATION", SqlState::CHECK_VIOLATION),
    ("DIVISION_BY_ZERO", SqlState::DIVISION_BY_ZERO),
    ("FEATURE_NOT_SUPPORTED", SqlState::FEATURE_NOT_SUPPORTED),
    ("INVALID_PARAMETER_VALUE", SqlState::INVALID_PARAMETER_VALUE),
    ("RAISE_EXCEPTION", SqlState::RAISE_EXCEPTION),
];

/// The SQLSTATE of a condition of PL/pgSQL.
pub(crate) fn condition_named(name: &str) -> Option<SqlState> {
    let known = CONDITIONS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    known.map(|(_, code)| *code)
}

/// The block, if the statement is one.
pub(super) fn block(tokens: &[TokenWithSpan], whole: Span) -> Result<Option<Utility>, ParseError> {
    if word_at(tokens, 0) != "DO" {
        return Ok(None);
    }
    let refused = || {
        ParseError::unsupported(
            "DO is supported only as BEGIN, data definition and RAISE, EXCEPTION WHEN … THEN NULL, END",
            whole,
        )
    };
    let mut text = None;
    let mut rest = tokens.get(1..).unwrap_or_default().iter();
    while let Some(token) = rest.next() {
        match &token.token {
            Token::DollarQuotedString(quoted) if text.is_none() => text = Some(&quoted.value),
            Token::SingleQuotedString(quoted) if text.is_none() => text = Some(quoted),
            word if is_word(word, "LANGUAGE") => match rest.next().map(|token| &token.token) {
                Some(name) if is_word(name, "plpgsql") => {}
                _ => return Err(refused()),
            },
            Token::SemiColon => {}
            _ => return Err(refused()),
        }
    }
    let block = text.map(|text| read(text)).transpose()?.flatten();
    block.map(|block| Some(Utility::Do(Box::new(block)))).ok_or_else(refused)
}

/// The block's body; `None` for a form that is not carried out.
fn read(text: &str) -> Result<Option<DoBlock>, ParseError> {
    let mut lexer = SqlLexer::new(text, 0);
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    if tokens.last().is_some_and(|token| token.token == Token::SemiColon) {
        tokens.pop();
    }
    let ends = tokens.pop().is_some_and(|token| is_word(&token.token, "END"));
    if word_at(&tokens, 0) != "BEGIN" || !ends {
        return Ok(None);
    }
    let handler = tokens.windows(2).position(|pair| match pair {
        [exception, when] => is_word(&exception.token, "EXCEPTION") && is_word(&when.token, "WHEN"),
        _ => false,
    });
    let body = tokens.get(1..handler.unwrap_or(tokens.len())).unwrap_or_default();
    let conditions = match handler.map(|at| tokens.get(at + 1..).unwrap_or_default()) {
        None => Vec::new(),
        Some(handlers) => match conditions(handlers) {
            Some(conditions) => conditions,
            None => return Ok(None),
        },
    };
    let Some(steps) = steps(text, body)? else { return Ok(None) };
    Ok((!steps.is_empty()).then_some(DoBlock { steps, conditions }))
}

/// The statements of a block in order; `None` for what is not carried out.
fn steps(text: &str, body: &[TokenWithSpan]) -> Result<Option<Vec<DoStep>>, ParseError> {
    let mut steps = Vec::new();
    for tokens in body.split(|token| token.token == Token::SemiColon) {
        let spans = (
            tokens.first().and_then(|one| byte_span(one.span)),
            tokens.last().and_then(|one| byte_span(one.span)),
        );
        let (Some(first), Some(last)) = spans else { continue };
        if word_at(tokens, 0) == "RAISE" {
            match raise::raise(text, tokens)? {
                Some(raise) => steps.push(DoStep::Raise(raise)),
                None => return Ok(None),
            }
            continue;
        }
        let script = text.get(first.start as usize..last.end as usize).unwrap_or_default();
        // What is not SQL is PL/pgSQL.
        let Ok(statements) = crate::parser::parse_script(script, QueryLanguage::Sql, &|_| false)
        else {
            return Ok(None);
        };
        if !statements.iter().all(is_definition) {
            return Ok(None);
        }
        steps.extend(statements.into_iter().map(DoStep::Statement));
    }
    Ok(Some(steps))
}

/// `WHEN a OR b THEN NULL; WHEN …`; `None` if a handler does something.
fn conditions(tokens: &[TokenWithSpan]) -> Option<Vec<SqlState>> {
    let mut found = Vec::new();
    let mut rest = tokens.iter().map(|token| &token.token).peekable();
    while rest.next().is_some_and(|word| is_word(word, "WHEN")) {
        loop {
            let Token::Word(name) = rest.next()? else { return None };
            found.push(condition_named(&name.value)?);
            match rest.next()? {
                word if is_word(word, "OR") => {}
                word if is_word(word, "THEN") => break,
                _ => return None,
            }
        }
        if !is_word(rest.next()?, "NULL") || *rest.next()? != Token::SemiColon {
            return None;
        }
        if rest.peek().is_none() {
            return Some(found);
        }
    }
    None
}

/// Whether a statement defines something, and gives no rows.
fn is_definition(statement: &Statement) -> bool {
    use sqlparser::ast::Statement as Sql;
    match &statement.body {
        Body::Sql { statement, .. } => matches!(
            statement.as_ref(),
            Sql::CreateType { .. }
                | Sql::CreateTable(_)
                | Sql::CreateIndex(_)
                | Sql::CreateSchema { .. }
                | Sql::CreateView(_)
                | Sql::CreateFunction(_)
                | Sql::Drop { .. }
                | Sql::Comment { .. }
        ),
        Body::Utility(Utility::Definition(definition)) => {
            use super::definition::Definition as D;
            !matches!(definition.as_ref(), D::Maintain(_) | D::Cluster { .. } | D::Refresh { .. })
        }
        Body::Utility(Utility::Roles(_)) => true,
        _ => false,
    }
}
