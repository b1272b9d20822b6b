//! Reads `CALL`: procedures and subqueries.

use super::ast::{
    Call, Clause, InTransactions, OnError, SubqueryCall, SubqueryScope, Yield, YieldItem,
};
use super::parser::Parser;
use super::query::QueryRole;
use crate::parser::error::ParseError;
use crate::parser::pattern::Name;
use crate::parser::pattern_parser::PatternLanguage;
use crate::parser::span::Span;

impl Parser<'_> {
    /// What follows `CALL`.
    pub(super) fn call_clause(
        &mut self,
        start: Span,
        optional: bool,
    ) -> Result<Clause, ParseError> {
        if self.cursor.is_symbol("{") || self.cursor.is_symbol("(") {
            return self.subquery_call(start, optional);
        }
        let mut name = vec![self.cursor.name()?];
        while self.cursor.eat_symbol(".") {
            name.push(self.cursor.name()?);
        }
        let arguments = match self.cursor.eat_symbol("(") {
            true => Some(self.bracketed(|parser| parser.values_until(")"))?),
            false => None,
        };
        let (yields, condition) = self.yields()?;
        let span = self.cursor.span_from(start);
        Ok(Clause::Call(Call { optional, name, arguments, yields, condition, span }))
    }

    /// `YIELD … [WHERE …]`, or nothing.
    pub(super) fn yields(&mut self) -> Result<(Yield, Option<super::Expr>), ParseError> {
        if !self.cursor.eat_word("YIELD") {
            return Ok((Yield::None, None));
        }
        let yields = if self.cursor.eat_symbol("*") {
            Yield::Star
        } else if self.cursor.eat_symbol("-") {
            Yield::Items(Vec::new())
        } else {
            let mut items = vec![self.yield_item()?];
            while self.cursor.eat_symbol(",") {
                items.push(self.yield_item()?);
            }
            Yield::Items(items)
        };
        let condition = match self.cursor.eat_word("WHERE") {
            true => Some(self.truth()?),
            false => None,
        };
        Ok((yields, condition))
    }

    fn yield_item(&mut self) -> Result<YieldItem, ParseError> {
        let start = self.cursor.peek().span;
        let field = self.cursor.name()?;
        let alias = match self.cursor.eat_word("AS") {
            true => Some(self.variable()?),
            false => None,
        };
        Ok(YieldItem { field, alias, span: self.cursor.span_from(start) })
    }

    fn subquery_call(&mut self, start: Span, optional: bool) -> Result<Clause, ParseError> {
        let scope = self.subquery_scope()?;
        self.cursor.expect_symbol("{")?;
        let query = self.bracketed(|parser| parser.query(QueryRole::Whole))?;
        self.cursor.expect_symbol("}")?;
        let transactions = match self.cursor.is_word("IN") {
            true => Some(self.in_transactions()?),
            false => None,
        };
        let span = self.cursor.span_from(start);
        Ok(Clause::Subquery(SubqueryCall { optional, scope, query, transactions, span }))
    }

    fn subquery_scope(&mut self) -> Result<SubqueryScope, ParseError> {
        if !self.cursor.eat_symbol("(") {
            return Ok(SubqueryScope::Importing);
        }
        if self.cursor.eat_symbol("*") {
            self.cursor.expect_symbol(")")?;
            return Ok(SubqueryScope::All);
        }
        let mut names: Vec<Name> = Vec::new();
        if !self.cursor.is_symbol(")") {
            names.push(self.variable()?);
        }
        while self.cursor.eat_symbol(",") {
            names.push(self.variable()?);
        }
        self.cursor.expect_symbol(")")?;
        Ok(SubqueryScope::Variables(names))
    }

    /// `IN [n CONCURRENT] TRANSACTIONS [OF n ROWS] [ON ERROR …] [REPORT STATUS AS s]`.
    fn in_transactions(&mut self) -> Result<InTransactions, ParseError> {
        let start = self.cursor.expect_word("IN")?;
        if !self.cursor.is_word("TRANSACTIONS") {
            let span = self.cursor.peek().span;
            let is_concurrent = (0..=1).any(|ahead| self.cursor.is_word_at(ahead, "CONCURRENT"));
            return match is_concurrent {
                true => self.unsupported("CONCURRENT", span, "Write IN TRANSACTIONS alone."),
                false => Err(self.cursor.unexpected(&["TRANSACTIONS"])),
            };
        }
        self.cursor.advance();
        let mut batch_rows = None;
        if self.cursor.eat_word("OF") {
            batch_rows = Some(self.value()?);
            if !self.cursor.eat_word("ROWS") {
                self.cursor.expect_word("ROW")?;
            }
        }
        let on_error = match self.cursor.eat_words(&["ON", "ERROR"]) {
            true => Some(self.on_error()?),
            false => None,
        };
        let span = self.cursor.peek().span;
        if self.cursor.is_word("REPORT") {
            return self.unsupported("REPORT STATUS", span, "Leave it out.");
        }
        Ok(InTransactions { batch_rows, on_error, span: self.cursor.span_from(start) })
    }

    fn on_error(&mut self) -> Result<OnError, ParseError> {
        match self.cursor.eat_any_word(&["CONTINUE", "BREAK", "FAIL"]) {
            Some("CONTINUE") => Ok(OnError::Continue),
            Some("BREAK") => Ok(OnError::Break),
            Some(_) => Ok(OnError::Fail),
            None => Err(self.cursor.unexpected(&["CONTINUE", "BREAK", "FAIL"])),
        }
    }
}
