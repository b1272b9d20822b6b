//! The tokens of a body, and the SQL between them.

use sqlparser::ast::{Expr, SelectItem, SetExpr, Statement as Sql};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::tree::Target;
use crate::parser::error::ParseError;
use crate::parser::span::Span;
use crate::parser::sql::{SqlLexer, byte_span, is_word, word_at};
use crate::parser::{Body, QueryLanguage, Statement};

/// How deeply blocks and loops may stand in each other.
const NESTING_MAX: usize = 100;

/// Walks over the tokens of a body.
pub(super) struct Reader<'a> {
    text: &'a str,
    tokens: Vec<TokenWithSpan>,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, ParseError> {
        let mut lexer = SqlLexer::new(text, 0);
        let mut tokens = Vec::new();
        while let Some(token) = lexer.token()? {
            tokens.push(token);
        }
        Ok(Self { text, tokens, at: 0, depth: 0 })
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn tokens(&self, from: usize, to: usize) -> &[TokenWithSpan] {
        self.tokens.get(from..to).unwrap_or_default()
    }

    pub(super) fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|token| &token.token)
    }

    /// The word some tokens ahead in capitals; empty for anything else.
    pub(super) fn word(&self, ahead: usize) -> String {
        word_at(&self.tokens, self.at + ahead)
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.token(0).is_some_and(|token| is_word(token, word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.token(0) == Some(token);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), ParseError> {
        if self.eat(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Result<(), ParseError> {
        if self.eat_token(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The line of the next token, from 1.
    pub(super) fn line(&self) -> usize {
        let before = self.text.get(..self.start(self.at)).unwrap_or_default();
        1 + before.matches('\n').count()
    }

    fn span(&self, at: usize) -> Span {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let token = self.tokens.get(at);
        token.and_then(|token| byte_span(token.span)).unwrap_or(Span::new(end, end))
    }

    fn start(&self, at: usize) -> usize {
        self.span(at).start as usize
    }

    /// `42601` at the next token.
    pub(super) fn unexpected(&self) -> ParseError {
        let span = self.span(self.at);
        ParseError::unexpected(span.slice(self.text), span)
    }

    pub(super) fn wrong(&self, message: &str) -> ParseError {
        ParseError::syntax(message.to_owned(), self.span(self.at))
    }

    pub(super) fn refused(&self, what: &str) -> ParseError {
        let message = format!("{what} is not supported in PL/pgSQL");
        ParseError::unsupported(message, self.span(self.at))
    }

    /// Reads something that may hold more of its kind.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= NESTING_MAX {
            return Err(ParseError::too_complex(self.span(self.at)));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// A name.
    pub(super) fn name(&mut self) -> Result<String, ParseError> {
        let Some(Token::Word(word)) = self.token(0) else { return Err(self.unexpected()) };
        let name = match word.quote_style {
            Some(_) => word.value.clone(),
            None => word.value.to_lowercase(),
        };
        self.at += 1;
        Ok(name)
    }

    /// A variable, or a field of one.
    pub(super) fn target(&mut self) -> Result<Target, ParseError> {
        let name = self.name()?;
        let field = self.eat_token(&Token::Period).then(|| self.name()).transpose()?;
        if self.token(0) == Some(&Token::LBracket) {
            return Err(self.refused("assigning to an element of an array"));
        }
        if self.token(0) == Some(&Token::Period) {
            return Err(self.refused("assigning to a field of a field"));
        }
        Ok(Target { name, field })
    }

    pub(super) fn targets(&mut self) -> Result<Vec<Target>, ParseError> {
        let mut targets = vec![self.target()?];
        while self.eat_token(&Token::Comma) {
            targets.push(self.target()?);
        }
        Ok(targets)
    }

    /// Steps over tokens up to a `;` or one of some words, outside of parentheses and `CASE`; where it ends.
    pub(super) fn skip_to(&mut self, stops: &[&str]) -> usize {
        let (mut parens, mut cases) = (0usize, 0usize);
        while let Some(token) = self.token(0) {
            let is_outside = parens == 0 && cases == 0;
            match token {
                Token::SemiColon => break,
                _ if is_outside && stops.iter().any(|stop| is_word(token, stop)) => break,
                Token::Comma if is_outside && stops.contains(&",") => break,
                Token::LParen | Token::LBracket => parens += 1,
                Token::RParen | Token::RBracket => parens = parens.saturating_sub(1),
                word if is_word(word, "CASE") => cases += 1,
                word if is_word(word, "END") => cases = cases.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        self.at
    }

    /// The text of tokens.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        match to.checked_sub(1) {
            Some(last) if from < to => {
                self.text.get(self.start(from)..self.span(last).end as usize).unwrap_or_default()
            }
            _ => "",
        }
    }

    /// An expression up to a `;` or one of some words.
    pub(super) fn expression(&mut self, stops: &[&str]) -> Result<Statement, ParseError> {
        let from = self.at;
        let to = self.skip_to(stops);
        if from == to {
            return Err(self.wrong("missing expression"));
        }
        self.parsed(&format!("SELECT {}", self.slice(from, to)))
    }

    /// Expressions with commas between, up to a `;` or one of some words.
    pub(super) fn expressions(&mut self, stops: &[&str]) -> Result<Vec<Statement>, ParseError> {
        let mut all: Vec<&str> = stops.to_vec();
        all.push(",");
        let mut found = vec![self.expression(&all)?];
        while self.eat_token(&Token::Comma) {
            found.push(self.expression(&all)?);
        }
        Ok(found)
    }

    /// A statement of SQL.
    pub(super) fn parsed(&self, text: &str) -> Result<Statement, ParseError> {
        let mut statements = crate::parser::parse_script(text, QueryLanguage::Sql, &|_| false)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok(statement),
            _ => Err(self.unexpected()),
        }
    }
}

/// `SELECT expr`
pub(super) fn selected(expr: &Expr) -> Option<Statement> {
    let parsed = crate::parser::parse_script("SELECT 1", QueryLanguage::Sql, &|_| false);
    let mut statement = parsed.ok()?.pop()?;
    let Body::Sql { statement: tree, .. } = &mut statement.body else { return None };
    let Sql::Query(query) = tree.as_mut() else { return None };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    select.projection = vec![SelectItem::UnnamedExpr(expr.clone())];
    Some(statement)
}
