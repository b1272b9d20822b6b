//! The Cypher parser's state, and what its parts share.

use super::expr::{Expr, ExprKind, Literal};
use crate::error::SqlState;
use crate::parser::error::{ParseError, SyntaxDetail};
use crate::parser::pattern::{Name, Properties};
use crate::parser::pattern_parser::PatternLanguage;
use crate::parser::span::Span;
use crate::parser::token::{Cursor, TokenKind};

/// How high an expression tree may grow; bounds the recursion of everything that walks it later.
///
/// Higher than the nesting of brackets, since `1 + 1 + …` grows to the left without any.
const EXPRESSION_HEIGHT_MAX: u32 = 512;

/// Stack that must be left where an expression or a subquery begins; between two such places it takes some 20 KiB in
/// a debug build.
const STACK_RESERVE_BYTES: usize = 256 << 10;

/// Stack that is added where that much is not left.
const STACK_CHUNK_BYTES: usize = 1 << 20;

/// Words that are no names of variables (openCypher's reserved words, without those it keeps for the future).
const RESERVED: &[&str] = &[
    "ALL",
    "AND",
    "AS",
    "ASC",
    "ASCENDING",
    "BY",
    "CASE",
    "CONTAINS",
    "CREATE",
    "DELETE",
    "DESC",
    "DESCENDING",
    "DETACH",
    "DISTINCT",
    "ELSE",
    "ENDS",
    "EXISTS",
    "FALSE",
    "IN",
    "IS",
    "LIMIT",
    "MATCH",
    "MERGE",
    "NOT",
    "NULL",
    "ON",
    "OPTIONAL",
    "OR",
    "ORDER",
    "REMOVE",
    "RETURN",
    "SET",
    "SKIP",
    "STARTS",
    "THEN",
    "TRUE",
    "UNION",
    "UNWIND",
    "WHEN",
    "WHERE",
    "WITH",
    "XOR",
];

/// Reads one statement from its tokens.
pub(super) struct Parser<'a> {
    pub(super) cursor: Cursor<'a>,
    /// Height of the tallest expression read since the last reset, see [`Parser::child`].
    pub(super) height: u32,
    /// A truth value is expected here, so a pattern may stand as one.
    pub(super) expects_truth: bool,
    /// A bar ends the expression here, so it does not join labels.
    pub(super) bar_ends: bool,
    /// Inside `CASE`, where `END` is no name.
    pub(super) cases: u32,
}

impl<'a> Parser<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self { cursor, height: 0, expects_truth: false, bar_ends: false, cases: 0 }
    }

    /// Reads an expression of any value.
    pub(super) fn value(&mut self) -> Result<Expr, ParseError> {
        self.child(false)
    }

    /// Reads an expression that is used as a truth value, so that a pattern may stand in it.
    pub(super) fn truth(&mut self) -> Result<Expr, ParseError> {
        self.child(true)
    }

    /// Reads an expression below another, or on its own, and accounts for its height.
    fn child(&mut self, expects_truth: bool) -> Result<Expr, ParseError> {
        let outer_height = std::mem::take(&mut self.height);
        let outer_expects = std::mem::replace(&mut self.expects_truth, expects_truth);
        let expr = self.deeper(Self::disjunction)?;
        self.expects_truth = outer_expects;
        self.height = outer_height.max(self.height + 1);
        Ok(expr)
    }

    /// Runs `read` one level deeper, on a new piece of stack where the thread's own runs short.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        self.cursor.enter()?;
        let result = stacker::maybe_grow(STACK_RESERVE_BYTES, STACK_CHUNK_BYTES, || read(self))?;
        self.cursor.leave();
        Ok(result)
    }

    /// Reads one operand; afterwards `height` is that of the tallest of this and the operands before it.
    pub(super) fn operand(
        &mut self,
        read: fn(&mut Self) -> Result<Expr, ParseError>,
    ) -> Result<Expr, ParseError> {
        let outer_height = std::mem::take(&mut self.height);
        let expr = read(self)?;
        self.height = self.height.max(outer_height);
        Ok(expr)
    }

    /// Accounts for a node on top of the operands just read.
    pub(super) fn grow(&mut self) -> Result<(), ParseError> {
        self.height += 1;
        if self.height > EXPRESSION_HEIGHT_MAX {
            return Err(ParseError::too_complex(self.cursor.peek().span));
        }
        Ok(())
    }

    /// Runs `read` in brackets: what a bar meant outside is forgotten.
    pub(super) fn bracketed<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let outer_bar = std::mem::replace(&mut self.bar_ends, false);
        let outer_cases = std::mem::take(&mut self.cases);
        let result = read(self)?;
        self.bar_ends = outer_bar;
        self.cases = outer_cases;
        Ok(result)
    }

    /// Runs `read` where a bar ends an expression.
    pub(super) fn before_bar<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let outer = std::mem::replace(&mut self.bar_ends, true);
        let result = read(self)?;
        self.bar_ends = outer;
        Ok(result)
    }

    /// True if the token `ahead` is a word that cannot name a variable.
    pub(super) fn is_reserved_at(&self, ahead: usize) -> bool {
        let token = self.cursor.peek_at(ahead);
        let word = self.cursor.text_of(token.span);
        token.kind == TokenKind::Word
            && (RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
                || (self.cases > 0 && word.eq_ignore_ascii_case("END")))
    }

    /// `{key: value, …}`; the cursor stands on the brace.
    pub(super) fn map_entries(&mut self) -> Result<Vec<(Name, Expr)>, ParseError> {
        self.cursor.expect_symbol("{")?;
        self.bracketed(|parser| {
            let mut entries = Vec::new();
            if parser.cursor.eat_symbol("}") {
                return Ok(entries);
            }
            loop {
                let key = parser.cursor.name()?;
                parser.cursor.expect_symbol(":")?;
                entries.push((key, parser.value()?));
                if !parser.cursor.eat_symbol(",") {
                    break;
                }
            }
            parser.cursor.expect_symbol("}")?;
            Ok(entries)
        })
    }

    /// A string literal where no expression is legal.
    pub(super) fn string_literal(&mut self) -> Result<String, ParseError> {
        match &self.cursor.peek().kind {
            TokenKind::String(value) => {
                let value = value.clone();
                self.cursor.advance();
                Ok(value)
            }
            _ => Err(self.cursor.unexpected(&["a string"])),
        }
    }

    /// An expression from `start` to the last token read.
    pub(super) fn expr(&self, kind: ExprKind, start: Span) -> Expr {
        Expr { kind, span: self.cursor.span_from(start) }
    }

    /// Refuses a construct that is understood but not carried out.
    pub(super) fn unsupported<T>(
        &self,
        what: &str,
        span: Span,
        hint: &str,
    ) -> Result<T, ParseError> {
        let error = ParseError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("{what} is not supported"),
            span,
        );
        Err(error.with_hint(hint))
    }
}

impl<'a> PatternLanguage<'a> for Parser<'a> {
    type Expr = Expr;

    const IS_CYPHER: bool = true;

    fn cursor(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn condition(&mut self) -> Result<Expr, ParseError> {
        self.truth()
    }

    fn properties(&mut self) -> Result<Option<Properties<Expr>>, ParseError> {
        let start = self.cursor.peek().span;
        if let TokenKind::Parameter(name) = &self.cursor.peek().kind {
            let kind = ExprKind::Parameter(name.clone());
            self.cursor.advance();
            return Ok(Some(Properties::Parameter(self.expr(kind, start))));
        }
        if !self.cursor.is_symbol("{") {
            return Ok(None);
        }
        let entries = self.map_entries()?;
        Ok(Some(Properties::Map { entries, span: self.cursor.span_from(start) }))
    }

    fn variable(&mut self) -> Result<Name, ParseError> {
        if self.is_reserved_at(0) {
            let word = self.cursor.text_of(self.cursor.peek().span);
            return Err(self.cursor.unexpected(&["a name"]).with_hint(format!(
                "\"{word}\" is a keyword; write it in backticks to use it as a name."
            )));
        }
        self.cursor.name()
    }
}

/// Refuses a pattern where its truth value is of no use.
pub(super) fn refuse_pattern(expr: &Expr, text: &str) -> Result<(), ParseError> {
    match &expr.kind {
        ExprKind::PatternPredicate(_) => Err(misplaced_pattern(text, expr.span)),
        _ => Ok(()),
    }
}

/// The error of a pattern in a place for values.
pub(super) fn misplaced_pattern(near: &str, span: Span) -> ParseError {
    ParseError::unexpected(near, span)
        .with_detail(SyntaxDetail::UnexpectedSyntax)
        .with_hint("A pattern can stand only where a truth value is expected; use EXISTS { … } or a pattern comprehension.")
}

/// A literal without children.
pub(super) fn literal(value: Literal) -> ExprKind {
    ExprKind::Literal(value)
}
