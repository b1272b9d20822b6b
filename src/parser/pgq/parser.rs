//! What the SQL/PGQ parsers share: names, and SQL expressions among pattern tokens.

use sqlparser::tokenizer::{Token as SqlToken, TokenWithSpan};

use super::ast::{QualifiedName, SqlExpr};
use super::tokens::elementary;
use crate::parser::error::ParseError;
use crate::parser::pattern::{Name, Properties};
use crate::parser::pattern_parser::PatternLanguage;
use crate::parser::span::Span;
use crate::parser::sql::{self, byte_span};
use crate::parser::token::{Cursor, TokenKind};

/// Reads SQL/PGQ from the tokens of a statement, or of one `GRAPH_TABLE ( … )`.
pub(super) struct Parser<'a> {
    pub(super) cursor: Cursor<'a>,
    text: &'a str,
    tokens: &'a [TokenWithSpan],
    /// For each token of the cursor the index in `tokens` it was made of.
    origins: Vec<usize>,
    /// Where the text ends.
    end: Span,
}

impl<'a> Parser<'a> {
    /// A parser of `tokens`, behind which `end` stands.
    pub(super) fn new(text: &'a str, tokens: &'a [TokenWithSpan], end: Span) -> Self {
        let (elementary, origins) = elementary(text, tokens);
        let mut cursor = Cursor::new(text, 0, elementary, end.start);
        cursor.set_end(end);
        Self { cursor, text, tokens, origins, end }
    }

    /// An SQL expression, read by `sqlparser` from the tokens here up to a comma or a bracket that closes.
    pub(super) fn expression(&mut self) -> Result<SqlExpr, ParseError> {
        if self.cursor.at_end() {
            return Err(self.cursor.unexpected(&["an expression"]));
        }
        let start = self.origins.get(self.cursor.position()).copied().unwrap_or(self.tokens.len());
        let rest = self.tokens.get(start..).unwrap_or(&[]);
        let length = expression_extent(rest);
        let end = match rest.get(length) {
            Some(behind) => byte_span(behind.span).unwrap_or(self.end),
            None => self.end,
        };
        let (expr, used) =
            sql::expression(self.text, rest.get(..length).unwrap_or(&[]).to_vec(), end)?;
        let next = start + used;
        self.cursor.jump(self.origins.partition_point(|origin| *origin < next));
        let place = |index: usize| self.tokens.get(index).and_then(|token| byte_span(token.span));
        let first = place(start).unwrap_or(end);
        let last = place(next.saturating_sub(1)).unwrap_or(first);
        Ok(SqlExpr { expr: Box::new(expr), span: first.to(last) })
    }

    /// `name`, `schema.name`, …
    pub(super) fn qualified_name(&mut self) -> Result<QualifiedName, ParseError> {
        let start = self.cursor.peek().span;
        let mut parts = vec![self.cursor.name()?];
        while self.cursor.eat_symbol(".") {
            parts.push(self.cursor.name()?);
        }
        Ok(QualifiedName { parts, span: self.cursor.span_from(start) })
    }

    /// `(name, name, …)`.
    pub(super) fn name_list(&mut self) -> Result<Vec<Name>, ParseError> {
        self.cursor.expect_symbol("(")?;
        let names = self.cursor.names()?;
        self.cursor.expect_symbol(")")?;
        Ok(names)
    }

    /// `[AS name]`.
    pub(super) fn alias(&mut self) -> Result<Option<Name>, ParseError> {
        match self.cursor.eat_word("AS") {
            true => Ok(Some(self.cursor.name()?)),
            false => Ok(None),
        }
    }
}

/// How many of `tokens` an expression at their start can take at most.
fn expression_extent(tokens: &[TokenWithSpan]) -> usize {
    let mut open = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.token {
            SqlToken::LParen | SqlToken::LBracket | SqlToken::LBrace => open += 1,
            SqlToken::RParen | SqlToken::RBracket | SqlToken::RBrace => match open.checked_sub(1) {
                Some(left) => open = left,
                None => return index,
            },
            SqlToken::Comma if open == 0 => return index,
            _ => {}
        }
    }
    tokens.len()
}

impl<'a> PatternLanguage<'a> for Parser<'a> {
    type Expr = SqlExpr;

    const IS_CYPHER: bool = false;

    fn cursor(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn condition(&mut self) -> Result<SqlExpr, ParseError> {
        self.expression()
    }

    fn properties(&mut self) -> Result<Option<Properties<SqlExpr>>, ParseError> {
        let token = self.cursor.peek();
        match token.kind {
            TokenKind::Symbol("{") => {
                let error = ParseError::unexpected("{", token.span);
                Err(error
                    .with_hint("Property maps are Cypher; write WHERE inside the element pattern."))
            }
            _ => Ok(None),
        }
    }

    fn variable(&mut self) -> Result<Name, ParseError> {
        self.cursor.name()
    }
}
