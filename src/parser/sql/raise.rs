//! `RAISE` of PL/pgSQL.
//!
//! ```text
//! RAISE [level] 'format' [, expression …] [USING option = expression, …]
//! RAISE [level] condition [USING …]       RAISE [level] SQLSTATE 'code' [USING …]       RAISE [level] USING …
//! ```

use sqlparser::ast::Expr;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::do_block::condition_named;
use super::parse;
use super::word::{is_word, word_at};
use crate::error::{Severity, SqlState};
use crate::parser::error::ParseError;
use crate::parser::span::Span;

/// A `RAISE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Raise {
    /// `None` for the levels that only a log would show: DEBUG and LOG.
    pub severity: Option<Severity>,
    /// The message with its `%`, or the name of a condition.
    pub format: Option<String>,
    /// What stands for each `%`.
    pub arguments: Vec<Expr>,
    /// The SQLSTATE of a condition that was named.
    pub code: Option<SqlState>,
    /// `USING`.
    pub options: Vec<(RaiseOption, Expr)>,
}

/// An option of `RAISE … USING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaiseOption {
    /// The message.
    Message,
    /// Its detail.
    Detail,
    /// Its hint.
    Hint,
    /// An SQLSTATE or the name of a condition.
    Errcode,
    /// The column concerned.
    Column,
    /// The constraint concerned.
    Constraint,
}

/// The statement that `tokens` are; `None` for a form that is not carried out.
pub(in crate::parser) fn raise(
    text: &str,
    tokens: &[TokenWithSpan],
) -> Result<Option<Raise>, ParseError> {
    let mut raise = Raise {
        severity: Some(Severity::Error),
        format: None,
        arguments: Vec::new(),
        code: None,
        options: Vec::new(),
    };
    let mut rest = tokens.get(1..).unwrap_or_default();
    if let Some(severity) = level(&word_at(rest, 0)) {
        raise.severity = severity;
        rest = rest.get(1..).unwrap_or_default();
    }
    let named = word_at(rest, 0);
    match rest.first().map(|token| &token.token) {
        Some(Token::SingleQuotedString(format)) => {
            raise.format = Some(format.clone());
            rest = rest.get(1..).unwrap_or_default();
            while rest.first().is_some_and(|token| token.token == Token::Comma) {
                let Some((expr, left)) = expression(text, rest.get(1..).unwrap_or_default())?
                else {
                    return Ok(None);
                };
                raise.arguments.push(expr);
                rest = left;
            }
            check_arguments(&raise)?;
        }
        Some(_) if named == "SQLSTATE" => {
            let Some(Token::SingleQuotedString(code)) = rest.get(1).map(|token| &token.token)
            else {
                return Ok(None);
            };
            let Ok(Some(code)) = SqlState::given(code) else { return Ok(None) };
            (raise.code, raise.format) = (Some(code), Some(code.0.to_owned()));
            rest = rest.get(2..).unwrap_or_default();
        }
        Some(_) if named == "USING" => {}
        Some(_) => {
            let Some(code) = condition_named(&named) else { return Ok(None) };
            (raise.code, raise.format) = (Some(code), Some(named.to_lowercase()));
            rest = rest.get(1..).unwrap_or_default();
        }
        // Raising again what a handler caught.
        None => return Ok(None),
    }
    using(text, rest, raise)
}

/// `None` for no level, `Some(None)` for one that no client is told.
fn level(word: &str) -> Option<Option<Severity>> {
    Some(match word {
        "EXCEPTION" => Some(Severity::Error),
        "WARNING" => Some(Severity::Warning),
        "NOTICE" => Some(Severity::Notice),
        "INFO" => Some(Severity::Info),
        "LOG" | "DEBUG" => None,
        _ => return None,
    })
}

fn check_arguments(raise: &Raise) -> Result<(), ParseError> {
    let at = Span::default();
    let format = raise.format.as_deref().unwrap_or_default().replace("%%", "");
    let expected = format.matches('%').count();
    match raise.arguments.len() {
        given if given < expected => {
            Err(ParseError::syntax("too few parameters specified for RAISE", at))
        }
        given if given > expected => {
            Err(ParseError::syntax("too many parameters specified for RAISE", at))
        }
        _ => Ok(()),
    }
}

fn using(
    text: &str,
    tokens: &[TokenWithSpan],
    mut raise: Raise,
) -> Result<Option<Raise>, ParseError> {
    if tokens.is_empty() {
        return Ok(Some(raise));
    }
    let mut rest = tokens;
    let mut before = is_word(&rest[0].token, "USING");
    while before {
        let option = match word_at(rest, 1).as_str() {
            "MESSAGE" => RaiseOption::Message,
            "DETAIL" => RaiseOption::Detail,
            "HINT" => RaiseOption::Hint,
            "ERRCODE" => RaiseOption::Errcode,
            "COLUMN" => RaiseOption::Column,
            "CONSTRAINT" => RaiseOption::Constraint,
            _ => return Ok(None),
        };
        if !rest.get(2).is_some_and(|token| matches!(token.token, Token::Eq | Token::Assignment)) {
            return Ok(None);
        }
        let Some((expr, left)) = expression(text, rest.get(3..).unwrap_or_default())? else {
            return Ok(None);
        };
        raise.options.push((option, expr));
        rest = left;
        before = rest.first().is_some_and(|token| token.token == Token::Comma);
    }
    Ok(rest.is_empty().then_some(raise))
}

/// An expression and the tokens behind it.
fn expression<'a>(
    text: &str,
    tokens: &'a [TokenWithSpan],
) -> Result<Option<(Expr, &'a [TokenWithSpan])>, ParseError> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let (expr, used) = parse::expression(text, tokens.to_vec(), Span::new(end, end))?;
    Ok(Some((expr, tokens.get(used..).unwrap_or_default())))
}
