//! Reads clauses: those that read, and projections. Those that write are in [`super::writing`], `CALL` in
//! [`super::call`].

use super::ast::{Clause, LoadCsv, Match, Projection, ProjectionItem, SortItem, Unwind};
use super::parser::Parser;
use super::writing::check_match_parameters;
use crate::parser::error::ParseError;
use crate::parser::pattern_parser::{PatternLanguage, graph_pattern};
use crate::parser::span::Span;

impl Parser<'_> {
    /// The clause that begins here, if one does.
    pub(super) fn clause(&mut self) -> Result<Option<Clause>, ParseError> {
        let start = self.cursor.peek().span;
        let clause = if self.cursor.eat_word("MATCH") {
            self.match_clause(start, false)?
        } else if self.cursor.is_word("OPTIONAL") {
            self.optional()?
        } else if self.cursor.eat_word("UNWIND") {
            self.unwind(start)?
        } else if self.cursor.eat_word("WITH") {
            Clause::With(self.with(start)?)
        } else if self.cursor.eat_word("RETURN") {
            Clause::Return(self.projection(start)?)
        } else if self.cursor.eat_word("FINISH") {
            Clause::Finish(start)
        } else if self.cursor.eat_words(&["LOAD", "CSV"]) {
            self.load_csv(start)?
        } else if self.cursor.eat_word("CALL") {
            self.call_clause(start, false)?
        } else {
            return self.writing_clause();
        };
        Ok(Some(clause))
    }

    fn optional(&mut self) -> Result<Clause, ParseError> {
        let start = self.cursor.expect_word("OPTIONAL")?;
        if self.cursor.eat_word("MATCH") {
            return self.match_clause(start, true);
        }
        if self.cursor.eat_word("CALL") {
            return self.call_clause(start, true);
        }
        Err(self.cursor.unexpected(&["MATCH", "CALL"]))
    }

    fn match_clause(&mut self, start: Span, optional: bool) -> Result<Clause, ParseError> {
        let pattern = graph_pattern(self)?;
        pattern.paths.iter().try_for_each(|path| check_match_parameters(&path.elements))?;
        if self.cursor.is_word("USING") {
            let span = self.cursor.peek().span;
            return self.unsupported("a planner hint (USING)", span, "Leave it out.");
        }
        Ok(Clause::Match(Match { optional, pattern, span: self.cursor.span_from(start) }))
    }

    fn unwind(&mut self, start: Span) -> Result<Clause, ParseError> {
        let list = self.value()?;
        self.cursor.expect_word("AS")?;
        let variable = self.variable()?;
        Ok(Clause::Unwind(Unwind { list, variable, span: self.cursor.span_from(start) }))
    }

    fn load_csv(&mut self, start: Span) -> Result<Clause, ParseError> {
        let with_headers = self.cursor.eat_words(&["WITH", "HEADERS"]);
        self.cursor.expect_word("FROM")?;
        let source = self.value()?;
        self.cursor.expect_word("AS")?;
        let variable = self.variable()?;
        let field_terminator = match self.cursor.eat_word("FIELDTERMINATOR") {
            true => Some(self.string_literal()?),
            false => None,
        };
        let span = self.cursor.span_from(start);
        Ok(Clause::LoadCsv(LoadCsv { with_headers, source, variable, field_terminator, span }))
    }

    /// `WITH`: a projection and a condition. That all items have names is for the binder to check, as errors in what
    /// they say come first.
    fn with(&mut self, start: Span) -> Result<Projection, ParseError> {
        let mut projection = self.projection(start)?;
        if self.cursor.eat_word("WHERE") {
            projection.condition = Some(self.truth()?);
            projection.span = self.cursor.span_from(start);
        }
        Ok(projection)
    }

    pub(super) fn projection(&mut self, start: Span) -> Result<Projection, ParseError> {
        let distinct = self.cursor.eat_word("DISTINCT");
        let star_span = self.cursor.peek().span;
        let star = self.cursor.eat_symbol("*").then_some(star_span);
        let mut items = Vec::new();
        if star.is_none() {
            items.push(self.projection_item()?);
        }
        while self.cursor.eat_symbol(",") {
            items.push(self.projection_item()?);
        }
        self.projection_of(distinct, star, items, start)
    }

    /// What may follow the items of a projection.
    pub(super) fn projection_of(
        &mut self,
        distinct: bool,
        star: Option<Span>,
        items: Vec<ProjectionItem>,
        start: Span,
    ) -> Result<Projection, ParseError> {
        let order_by = self.order_by()?;
        let skip = match self.cursor.eat_word("SKIP") || self.cursor.eat_word("OFFSET") {
            true => Some(self.value()?),
            false => None,
        };
        let limit = match self.cursor.eat_word("LIMIT") {
            true => Some(self.value()?),
            false => None,
        };
        let span = self.cursor.span_from(start);
        Ok(Projection { distinct, star, items, order_by, skip, limit, condition: None, span })
    }

    fn projection_item(&mut self) -> Result<ProjectionItem, ParseError> {
        let start = self.cursor.peek().span;
        let expr = self.value()?;
        let text = self.cursor.text_of(self.cursor.span_from(start)).to_owned();
        let alias = match self.cursor.eat_word("AS") {
            true => Some(self.cursor.name()?),
            false => None,
        };
        Ok(ProjectionItem { expr, alias, text, span: self.cursor.span_from(start) })
    }

    fn order_by(&mut self) -> Result<Vec<SortItem>, ParseError> {
        let mut items = Vec::new();
        if !self.cursor.eat_word("ORDER") {
            return Ok(items);
        }
        self.cursor.expect_word("BY")?;
        loop {
            items.push(self.sort_item()?);
            if !self.cursor.eat_symbol(",") {
                return Ok(items);
            }
        }
    }

    fn sort_item(&mut self) -> Result<SortItem, ParseError> {
        let start = self.cursor.peek().span;
        let expr = self.value()?;
        let order = self.cursor.eat_any_word(&["ASC", "ASCENDING", "DESC", "DESCENDING"]);
        let descending = order.is_some_and(|word| word.starts_with("DESC"));
        let nulls_first = match self.cursor.eat_word("NULLS") {
            true if self.cursor.eat_word("FIRST") => Some(true),
            true => self.cursor.expect_word("LAST").map(|_| Some(false))?,
            false => None,
        };
        Ok(SortItem { expr, descending, nulls_first, span: self.cursor.span_from(start) })
    }
}
