//! Why a text is not a statement.

use std::fmt;

use super::span::Span;
use crate::error::{PgError, Report, SqlState};

/// The openCypher TCK's word for what is wrong with a text; sent in the routine field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxDetail {
    UnexpectedSyntax,
    InvalidNumberLiteral,
    IntegerOverflow,
    FloatingPointOverflow,
    InvalidUnicodeLiteral,
    InvalidUnicodeCharacter,
    InvalidParameterUse,
    InvalidClauseComposition,
    InvalidRelationshipPattern,
    NoSingleRelationshipType,
    RequiresDirectedRelationship,
    CreatingVarLength,
    InvalidDelete,
    InvalidArgumentPassingMode,
}

impl SyntaxDetail {
    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::UnexpectedSyntax => "UnexpectedSyntax",
            Self::InvalidNumberLiteral => "InvalidNumberLiteral",
            Self::IntegerOverflow => "IntegerOverflow",
            Self::FloatingPointOverflow => "FloatingPointOverflow",
            Self::InvalidUnicodeLiteral => "InvalidUnicodeLiteral",
            Self::InvalidUnicodeCharacter => "InvalidUnicodeCharacter",
            Self::InvalidParameterUse => "InvalidParameterUse",
            Self::InvalidClauseComposition => "InvalidClauseComposition",
            Self::InvalidRelationshipPattern => "InvalidRelationshipPattern",
            Self::NoSingleRelationshipType => "NoSingleRelationshipType",
            Self::RequiresDirectedRelationship => "RequiresDirectedRelationship",
            Self::CreatingVarLength => "CreatingVarLength",
            Self::InvalidDelete => "InvalidDelete",
            Self::InvalidArgumentPassingMode => "InvalidArgumentPassingMode",
        }
    }
}

/// A text that is not a statement, or is one graphwire refuses to read.
///
/// The message is in PostgreSQL's words. Boxed inside, so that `Result<T, ParseError>` stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError(Box<Fields>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fields {
    code: SqlState,
    message: String,
    hint: Option<String>,
    detail: Option<SyntaxDetail>,
    span: Span,
}

impl ParseError {
    /// An error with its SQLSTATE, message and place.
    pub(super) fn new(code: SqlState, message: impl Into<String>, span: Span) -> Self {
        Self(Box::new(Fields { code, message: message.into(), hint: None, detail: None, span }))
    }

    /// `42601` with a message of its own.
    pub(super) fn syntax(message: impl Into<String>, span: Span) -> Self {
        Self::new(SqlState::SYNTAX_ERROR, message, span)
    }

    /// `42601`: `syntax error at or near "x"`, or `at end of input` where nothing is left.
    pub(super) fn unexpected(near: &str, span: Span) -> Self {
        Self::syntax(format!("syntax error {}", at_or_near(near)), span)
            .with_detail(SyntaxDetail::UnexpectedSyntax)
    }

    /// `0A000`: known, but not carried out.
    pub(super) fn unsupported(message: impl Into<String>, span: Span) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, message, span)
    }

    /// `54001`: nested too deeply.
    pub(super) fn too_complex(span: Span) -> Self {
        Self::new(SqlState::STATEMENT_TOO_COMPLEX, "statement is nested too deeply", span)
            .with_hint("Break the statement into smaller ones.")
    }

    /// `42601`: more names in a row than database, schema, table and column. The message shows a hundred at most.
    pub(super) fn too_many_names(names: &[&str], span: Span) -> Self {
        let shown = names.get(..100).map_or_else(|| names.join("."), |some| some.join(".") + "…");
        Self::syntax(format!("improper qualified name (too many dotted names): {shown}"), span)
    }

    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the hint if there is one to set.
    #[must_use]
    pub(super) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint.or(self.0.hint);
        self
    }

    #[must_use]
    pub(super) fn with_detail(mut self, detail: SyntaxDetail) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// The same error of a text inside of another one, of which `span` is the whole.
    #[must_use]
    pub(super) fn placed(mut self, span: Span) -> Self {
        self.0.span = span;
        self
    }

    /// The same error for a text that stands `base` bytes further on in the client's text.
    #[must_use]
    pub fn shifted(mut self, base: u32) -> Self {
        self.0.span = self.0.span.shifted(base);
        self
    }

    /// Where it is, in bytes of the client's text; at the end of the text the span is empty.
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// The openCypher detail word, for errors of Cypher texts.
    pub fn syntax_detail(&self) -> Option<SyntaxDetail> {
        self.0.detail
    }
}

/// `at or near "x"` or `at end of input`, PostgreSQL's words for a place.
pub(super) fn at_or_near(near: &str) -> String {
    if near.is_empty() { "at end of input".to_owned() } else { format!("at or near \"{near}\"") }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ParseError {}

impl Report for ParseError {
    fn sqlstate(&self) -> SqlState {
        self.0.code
    }

    fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }

    fn offset(&self) -> Option<usize> {
        Some(self.0.span.start as usize)
    }

    fn report(&self) -> PgError {
        let mut report =
            PgError::new(self.0.code, self.0.message.clone()).at(self.0.span.start as usize);
        if let Some(hint) = &self.0.hint {
            report = report.hint(hint.clone());
        }
        if let Some(detail) = self.0.detail {
            report = report.routine(detail.word());
        }
        report
    }
}

impl From<ParseError> for PgError {
    fn from(error: ParseError) -> Self {
        error.report()
    }
}
