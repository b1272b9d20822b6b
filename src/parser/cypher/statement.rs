//! Reads a whole Cypher statement.

use super::ast::{CypherBody, CypherStatement, ExplainMode};
use super::lexer::Lexer;
use super::parser::Parser;
use super::query::QueryRole;
use crate::error::SqlState;
use crate::parser::error::ParseError;
use crate::parser::span::Span;
use crate::parser::token::{Cursor, Token, TokenKind};

/// The versions of the language that may be named after `CYPHER`.
const VERSIONS: [u64; 3] = [5, 9, 25];

/// Reads one statement; a `;` may follow it.
///
/// Spans count from `base` bytes before `text`: pass where `text` stands in the client's text.
///
/// # Errors
/// `42601` and the openCypher detail word for what is no Cypher, `22003` for numbers out of range, `0A000` for what
/// graphwire does not carry out, `54001` for too deep nesting, `54000` for too long a text.
pub fn parse(text: &str, base: u32) -> Result<CypherStatement, ParseError> {
    let (statement, length) = parse_next(text, base)?;
    let rest = text.get(length..).unwrap_or("").trim_start();
    let left = rest.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
    let start = base.saturating_add(u32::try_from(text.len() - left.len()).unwrap_or(u32::MAX));
    match (statement, left.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, true) => Err(ParseError::unexpected("", Span::new(start, start))),
        (_, false) => {
            let word = left.split(char::is_whitespace).next().unwrap_or("");
            let length = u32::try_from(word.len()).unwrap_or(0);
            Err(ParseError::unexpected(word, Span::new(start, start.saturating_add(length)))
                .with_hint("Only one statement may stand here."))
        }
    }
}

/// Reads the first statement of a text, and how many bytes it takes, its `;` not included; `None` for an empty one.
pub(in crate::parser) fn parse_next(
    text: &str,
    base: u32,
) -> Result<(Option<CypherStatement>, usize), ParseError> {
    let end = u32::try_from(text.len()).ok().and_then(|length| base.checked_add(length));
    if end.is_none() {
        let message = "statement is too long";
        return Err(ParseError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            message,
            Span::new(base, base),
        ));
    }
    let mut lexer = Lexer::new(text, base);
    let tokens = lexer.statement()?;
    let length = lexer.offset();
    if tokens.is_empty() {
        return Ok((None, length));
    }
    let parameters = parameter_names(&tokens);
    // The end of input is right behind the last token, so that a client marks the end of what was written.
    let end = tokens.last().map_or(base, |token| token.span.end);
    let mut parser = Parser::new(Cursor::new(text, base, tokens, end));
    let mut statement = parser.statement()?;
    statement.parameters = parameters;
    Ok((Some(statement), length))
}

/// True if the words behind `SHOW` name a graph object of Cypher's `SHOW`, not a variable of the session.
pub(in crate::parser) fn shows_graph_object(words: &[&str]) -> bool {
    super::show::is_show_target(words)
}

/// Parameter names in the order of their first appearance, each once.
fn parameter_names(tokens: &[Token]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let names = tokens.iter().filter_map(|token| match &token.kind {
        TokenKind::Parameter(name) => Some(name),
        _ => None,
    });
    names.filter(|name| seen.insert(name.as_str())).cloned().collect()
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<CypherStatement, ParseError> {
        let start = self.cursor.peek().span;
        self.version()?;
        let explain = self.explain()?;
        let body = if let Some(command) = self.schema_command()? {
            CypherBody::Schema(Box::new(command))
        } else if let Some(command) = self.show_command()? {
            CypherBody::Show(Box::new(command))
        } else {
            CypherBody::Query(self.query(QueryRole::Whole)?)
        };
        if !self.cursor.at_end() {
            return Err(self.cursor.unexpected(&[]));
        }
        let span = self.cursor.span_from(start);
        Ok(CypherStatement { explain, body, parameters: Vec::new(), span })
    }

    /// `CYPHER [version]`; planner options are refused.
    fn version(&mut self) -> Result<(), ParseError> {
        if !self.cursor.eat_word("CYPHER") {
            return Ok(());
        }
        let span = self.cursor.peek().span;
        if let TokenKind::Integer(version) = self.cursor.peek().kind {
            if !VERSIONS.contains(&version) {
                let hint = "Versions 5, 9 and 25 are read as one language.";
                return self.unsupported("this version of Cypher", span, hint);
            }
            self.cursor.advance();
        }
        match self.cursor.is_name_at(0) && self.cursor.is_symbol_at(1, "=") {
            true => self.unsupported("a query option", self.cursor.peek().span, "Leave it out."),
            false => Ok(()),
        }
    }

    /// `EXPLAIN`, `EXPLAIN ANALYZE` or `PROFILE`.
    fn explain(&mut self) -> Result<Option<ExplainMode>, ParseError> {
        if self.cursor.eat_word("PROFILE") {
            return Ok(Some(ExplainMode::Profile));
        }
        if !self.cursor.eat_word("EXPLAIN") {
            return Ok(None);
        }
        let span = self.cursor.peek().span;
        if self.cursor.is_symbol("(") || self.cursor.is_word("VERBOSE") {
            let hint = "Write EXPLAIN or EXPLAIN ANALYZE alone in front of Cypher.";
            return self.unsupported("this option of EXPLAIN", span, hint);
        }
        let analyzes = self.cursor.eat_word("ANALYZE");
        Ok(Some(if analyzes { ExplainMode::Profile } else { ExplainMode::Explain }))
    }
}
