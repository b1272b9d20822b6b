//! Reads what iterates over lists and patterns: comprehensions, `all( … )` and its like, `reduce( … )`.

use super::expr::{
    Expr, ExprKind, ListComprehension, ListQuantifier, PatternComprehension, Quantified, Reduce,
};
use super::parser::Parser;
use crate::parser::error::ParseError;
use crate::parser::pattern::Name;
use crate::parser::pattern_parser::{PatternLanguage, path_pattern};

impl Parser<'_> {
    /// `[…]` as an expression: a list, or one of the two comprehensions.
    ///
    /// Which one is decided before reading: a comprehension has no comma directly inside, and that of a pattern has a
    /// bar.
    pub(super) fn bracket(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let bracket = self.cursor.peek().bracket;
        let path_ahead =
            if self.cursor.is_name_at(1) && self.cursor.is_symbol_at(2, "=") { 3 } else { 1 };
        let is_pattern = bracket.bar && self.is_path_at(path_ahead);
        let is_list =
            self.cursor.is_name_at(1) && self.cursor.is_word_at(2, "IN") && !bracket.comma;
        self.cursor.expect_symbol("[")?;
        let kind = self.bracketed(|parser| match (is_pattern, is_list) {
            (true, _) => parser.pattern_comprehension(),
            (false, true) => parser.list_comprehension(),
            (false, false) => Ok(ExprKind::List(parser.values_until("]")?)),
        })?;
        Ok(self.expr(kind, start))
    }

    fn list_comprehension(&mut self) -> Result<ExprKind, ParseError> {
        let (variable, list) = self.iteration()?;
        let filter = self.filter()?;
        let map = match self.cursor.eat_symbol("|") {
            true => Some(self.value()?),
            false => None,
        };
        self.cursor.expect_symbol("]")?;
        let comprehension = ListComprehension { variable, list, filter, map };
        Ok(ExprKind::ListComprehension(Box::new(comprehension)))
    }

    fn pattern_comprehension(&mut self) -> Result<ExprKind, ParseError> {
        let pattern = path_pattern(self)?;
        let filter = self.filter()?;
        self.cursor.expect_symbol("|")?;
        let map = self.value()?;
        self.cursor.expect_symbol("]")?;
        let comprehension = PatternComprehension { pattern, filter, map };
        Ok(ExprKind::PatternComprehension(Box::new(comprehension)))
    }

    /// `variable IN list`.
    pub(super) fn iteration(&mut self) -> Result<(Name, Expr), ParseError> {
        let variable = self.variable()?;
        self.cursor.expect_word("IN")?;
        Ok((variable, self.before_bar(Self::value)?))
    }

    fn filter(&mut self) -> Result<Option<Expr>, ParseError> {
        match self.cursor.eat_word("WHERE") {
            true => self.before_bar(Self::truth).map(Some),
            false => Ok(None),
        }
    }

    /// True for `word ( name IN`.
    pub(super) fn is_iteration(&self) -> bool {
        self.cursor.is_symbol_at(1, "(")
            && self.cursor.is_name_at(2)
            && self.cursor.is_word_at(3, "IN")
    }

    pub(super) fn quantified(&mut self, keyword: &str) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let quantifier = match keyword {
            "ALL" => ListQuantifier::All,
            "ANY" => ListQuantifier::Any,
            "NONE" => ListQuantifier::None,
            _ => ListQuantifier::Single,
        };
        self.cursor.advance();
        self.cursor.expect_symbol("(")?;
        let quantified = self.bracketed(|parser| {
            let (variable, list) = parser.iteration()?;
            let predicate = parser.filter()?;
            Ok(Quantified { quantifier, variable, list, predicate })
        })?;
        self.cursor.expect_symbol(")")?;
        Ok(self.expr(ExprKind::Quantified(Box::new(quantified)), start))
    }

    /// True for `word ( name =`.
    pub(super) fn is_reduction(&self) -> bool {
        self.cursor.is_symbol_at(1, "(")
            && self.cursor.is_name_at(2)
            && self.cursor.is_symbol_at(3, "=")
    }

    pub(super) fn reduce(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        self.cursor.advance();
        self.cursor.expect_symbol("(")?;
        let reduce = self.bracketed(|parser| {
            let accumulator = parser.variable()?;
            parser.cursor.expect_symbol("=")?;
            let initial = parser.value()?;
            parser.cursor.expect_symbol(",")?;
            let (variable, list) = parser.iteration()?;
            parser.cursor.expect_symbol("|")?;
            let step = parser.value()?;
            Ok(Reduce { accumulator, initial, variable, list, step })
        })?;
        self.cursor.expect_symbol(")")?;
        Ok(self.expr(ExprKind::Reduce(Box::new(reduce)), start))
    }
}
