//! `DO`: anonymous blocks, in the form in which tools guard data definition.
//!
//! ```text
//! DO $$ BEGIN statement; … EXCEPTION WHEN condition [OR condition] … THEN NULL; END $$
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lexer::SqlLexer;
use super::place::byte_span;
use super::word::{is_word, word_at};
use crate::error::SqlState;
use crate::parser::error::ParseError;
use crate::parser::span::Span;
use crate::parser::statement::{Body, DoBlock, QueryLanguage, Statement, Utility};

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
];

/// The block, if the statement is one.
pub(super) fn block(tokens: &[TokenWithSpan], whole: Span) -> Result<Option<Utility>, ParseError> {
    if word_at(tokens, 0) != "DO" {
        return Ok(None);
    }
    let refused = || {
        ParseError::unsupported(
            "DO is supported only as BEGIN, data definition, EXCEPTION WHEN … THEN NULL, END",
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
    let handler = tokens.iter().position(|token| is_word(&token.token, "EXCEPTION"));
    let body = tokens.get(1..handler.unwrap_or(tokens.len())).unwrap_or_default();
    let conditions = match handler.map(|at| tokens.get(at + 1..).unwrap_or_default()) {
        None => Vec::new(),
        Some(handlers) => match conditions(handlers) {
            Some(conditions) => conditions,
            None => return Ok(None),
        },
    };
    let spans = (
        body.first().and_then(|one| byte_span(one.span)),
        body.last().and_then(|one| byte_span(one.span)),
    );
    let (Some(first), Some(last)) = spans else { return Ok(None) };
    let Some(script) = text.get(first.start as usize..last.end as usize) else { return Ok(None) };
    // What is not SQL is PL/pgSQL.
    let Ok(statements) = crate::parser::parse_script(script, QueryLanguage::Sql, &|_| false) else {
        return Ok(None);
    };
    let block = DoBlock { statements, conditions };
    Ok(block.statements.iter().all(is_definition).then_some(block))
}

/// `WHEN a OR b THEN NULL; WHEN …`; `None` if a handler does something.
fn conditions(tokens: &[TokenWithSpan]) -> Option<Vec<SqlState>> {
    let mut found = Vec::new();
    let mut rest = tokens.iter().map(|token| &token.token).peekable();
    while rest.next().is_some_and(|word| is_word(word, "WHEN")) {
        loop {
            let Token::Word(name) = rest.next()? else { return None };
            let known = CONDITIONS.iter().find(|(known, _)| name.value.eq_ignore_ascii_case(known));
            found.push(known?.1);
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
