//! `DO`: anonymous blocks in PL/pgSQL, and the names of its conditions.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::word::{is_word, word_at};
use crate::error::SqlState;
use crate::parser::error::ParseError;
use crate::parser::plpgsql;
use crate::parser::span::Span;
use crate::parser::statement::Utility;

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
    ("NO_DATA_FOUND", SqlState::NO_DATA_FOUND),
    ("TOO_MANY_ROWS", SqlState::TOO_MANY_ROWS),
    ("ASSERT_FAILURE", SqlState::ASSERT_FAILURE),
    ("CASE_NOT_FOUND", SqlState::CASE_NOT_FOUND),
    ("CARDINALITY_VIOLATION", SqlState::CARDINALITY_VIOLATION),
    ("QUERY_CANCELED", SqlState::QUERY_CANCELED),
    ("NUMERIC_VALUE_OUT_OF_RANGE", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("INVALID_TEXT_REPRESENTATION", SqlState::INVALID_TEXT_REPRESENTATION),
    ("STRING_DATA_RIGHT_TRUNCATION", SqlState::STRING_DATA_RIGHT_TRUNCATION),
    ("DATATYPE_MISMATCH", SqlState::DATATYPE_MISMATCH),
    ("SYNTAX_ERROR", SqlState::SYNTAX_ERROR),
    ("SERIALIZATION_FAILURE", SqlState::T_R_SERIALIZATION_FAILURE),
    ("DEADLOCK_DETECTED", SqlState::T_R_DEADLOCK_DETECTED),
    ("LOCK_NOT_AVAILABLE", SqlState::LOCK_NOT_AVAILABLE),
    ("NULL_VALUE_NOT_ALLOWED", SqlState::NULL_VALUE_NOT_ALLOWED),
    ("DEPENDENT_OBJECTS_STILL_EXIST", SqlState::DEPENDENT_OBJECTS_STILL_EXIST),
    ("INTEGRITY_CONSTRAINT_VIOLATION", SqlState::INTEGRITY_CONSTRAINT_VIOLATION),
    ("DATA_EXCEPTION", SqlState::DATA_EXCEPTION),
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
    let refused = || ParseError::unsupported("DO is supported in LANGUAGE plpgsql only", whole);
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
    let Some(text) = text else {
        return Err(ParseError::syntax("no inline code specified", whole));
    };
    let block = plpgsql::parse_routine(text).map_err(|error| error.placed(whole))?;
    Ok(Some(Utility::Do(Box::new(block))))
}
