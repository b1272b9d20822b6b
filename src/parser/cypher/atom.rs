//! Reads what has no operator around it: literals, names, calls, brackets, `CASE`.

use super::expr::{
    Case, CaseBranch, ComparisonOperator, CypherType, CypherTypeName, Expr, ExprKind, FunctionCall,
    Literal, MapProjectionItem, Subquery,
};
use super::number;
use super::parser::{Parser, literal, misplaced_pattern};
use super::query::QueryRole;
use crate::parser::error::ParseError;
use crate::parser::pattern::{GraphPattern, Name, PathPattern};
use crate::parser::pattern_parser::{
    PatternLanguage, graph_pattern, path_pattern, shortest_path, shortest_path_selector,
};
use crate::parser::span::Span;
use crate::parser::token::TokenKind;

impl Parser<'_> {
    pub(super) fn atom(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let kind = match &self.cursor.peek().kind {
            TokenKind::Integer(magnitude) => match number::signed(*magnitude, false) {
                Some(value) => literal(Literal::Integer(value)),
                None => return Err(number::overflow(self.cursor.text_of(start), start)),
            },
            TokenKind::Float(value) => literal(Literal::Float(*value)),
            TokenKind::String(value) => literal(Literal::String(value.clone())),
            TokenKind::Parameter(name) => ExprKind::Parameter(name.clone()),
            TokenKind::Symbol("(") => return self.parenthesis(),
            TokenKind::Symbol("[") => return self.bracket(),
            TokenKind::Symbol("{") => {
                let entries = self.map_entries()?;
                return Ok(self.expr(ExprKind::Map(entries), start));
            }
            TokenKind::Word => return self.word(),
            TokenKind::QuotedName(_) => return self.named(),
            TokenKind::Symbol(_) | TokenKind::End => {
                return Err(self.cursor.unexpected(&["an expression"]));
            }
        };
        self.cursor.advance();
        Ok(self.expr(kind, start))
    }

    /// `(expression)`, or a pattern as a truth value.
    fn parenthesis(&mut self) -> Result<Expr, ParseError> {
        if self.is_path_at(0) {
            return self.pattern_predicate();
        }
        self.cursor.expect_symbol("(")?;
        let expects_truth = self.expects_truth;
        let inner = self.bracketed(|parser| match expects_truth {
            true => parser.truth(),
            false => parser.value(),
        })?;
        self.cursor.expect_symbol(")")?;
        Ok(inner)
    }

    fn pattern_predicate(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let path = self.bracketed(path_pattern)?;
        let expr = self.expr(ExprKind::PatternPredicate(Box::new(path)), start);
        match self.expects_truth {
            true => Ok(expr),
            false => Err(misplaced_pattern(self.cursor.text_of(expr.span), expr.span)),
        }
    }

    /// True if a vertex, an edge and another vertex stand `ahead`; decided from brackets and arrows alone, so that
    /// `(a) - [1]` and `(a) - -(1)` stay arithmetic.
    pub(super) fn is_path_at(&self, ahead: usize) -> bool {
        let Some(edge) = self.behind_vertex(self.cursor.position() + ahead) else { return false };
        let dash = edge + usize::from(self.is_symbol_index(edge, "<"));
        if !self.is_symbol_index(dash, "-") {
            return false;
        }
        let second_dash = match self.is_symbol_index(dash + 1, "[") {
            true => self.cursor.token(dash + 1).bracket.close as usize + 1,
            false => dash + 1,
        };
        if !self.is_symbol_index(second_dash, "-") {
            return false;
        }
        let vertex = second_dash + 1 + usize::from(self.is_symbol_index(second_dash + 1, ">"));
        self.behind_vertex(vertex).is_some()
    }

    fn is_symbol_index(&self, index: usize, symbol: &str) -> bool {
        matches!(self.cursor.token(index).kind, TokenKind::Symbol(found) if found == symbol)
    }

    /// The index behind what looks like a vertex at an index, if anything does.
    fn behind_vertex(&self, open: usize) -> Option<usize> {
        let token = self.cursor.token(open);
        let close = token.bracket.close as usize;
        if token.kind != TokenKind::Symbol("(") || close == 0 {
            return None;
        }
        let ahead = open.checked_sub(self.cursor.position())?;
        let inside = if self.cursor.is_name_at(ahead + 1) { open + 2 } else { open + 1 };
        let kind = &self.cursor.token(inside).kind;
        let looks_like_vertex = inside == close
            || matches!(kind, TokenKind::Symbol(":" | "{") | TokenKind::Parameter(_))
            || self.cursor.is_word_at(inside - open + ahead, "WHERE")
            || self.cursor.is_word_at(inside - open + ahead, "IS");
        looks_like_vertex.then_some(close + 1)
    }

    /// An unquoted word: a literal, a construct with a keyword, or a name.
    fn word(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let before_brace = self.cursor.is_symbol_at(1, "{");
        let before_parenthesis = self.cursor.is_symbol_at(1, "(");
        let text = self.cursor.text_of(start).to_ascii_uppercase();
        let constant = match text.as_str() {
            "TRUE" => Some(Literal::Boolean(true)),
            "FALSE" => Some(Literal::Boolean(false)),
            "NULL" => Some(Literal::Null),
            _ => None,
        };
        if let Some(value) = constant {
            self.cursor.advance();
            return Ok(self.expr(literal(value), start));
        }
        match text.as_str() {
            "CASE" => self.case(),
            "EXISTS" | "COUNT" | "COLLECT" if before_brace => self.subquery(&text),
            "EXISTS" if before_parenthesis => self.exists_call(),
            "COUNT" if before_parenthesis && self.cursor.is_symbol_at(2, "*") => self.count_star(),
            "ALL" | "ANY" | "NONE" | "SINGLE" if self.is_iteration() => self.quantified(&text),
            "REDUCE" if self.is_reduction() => self.reduce(),
            "SHORTESTPATH" | "ALLSHORTESTPATHS" if before_parenthesis => self.shortest_path_expr(),
            _ => self.named(),
        }
    }

    /// A call, a map projection or a variable.
    fn named(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        if let Some(length) = self.call_name_length() {
            return self.call(length);
        }
        let name = self.variable()?;
        if self.cursor.is_symbol("{") {
            return self.map_projection(name);
        }
        Ok(self.expr(ExprKind::Variable(name), start))
    }

    /// How many parts the name of a call here has; `None` if no `(` follows the name.
    fn call_name_length(&self) -> Option<usize> {
        let mut length = 1;
        while self.cursor.is_symbol_at(length * 2 - 1, ".") && self.cursor.is_name_at(length * 2) {
            length += 1;
        }
        let is_call = self.cursor.is_symbol_at(length * 2 - 1, "(");
        (is_call && (length > 1 || !self.is_reserved_call())).then_some(length)
    }

    /// Keywords that cannot name a function; `ALL(…)` and `EXISTS(…)` can.
    fn is_reserved_call(&self) -> bool {
        self.is_reserved_at(0) && !self.cursor.is_word("ALL") && !self.cursor.is_word("EXISTS")
    }

    fn call(&mut self, parts: usize) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let mut name = vec![self.cursor.name()?];
        while name.len() < parts {
            self.cursor.expect_symbol(".")?;
            name.push(self.cursor.name()?);
        }
        self.cursor.expect_symbol("(")?;
        if let [only] = name.as_slice()
            && only.text.eq_ignore_ascii_case("trim")
            && !only.quoted
        {
            let call = self.bracketed(|parser| parser.trim(only.span))?;
            return Ok(self.expr(ExprKind::Function(call), start));
        }
        let (distinct, arguments) = self.bracketed(|parser| {
            let distinct = parser.cursor.eat_word("DISTINCT");
            if !distinct {
                parser.cursor.eat_word("ALL");
            }
            Ok((distinct, parser.values_until(")")?))
        })?;
        let call = FunctionCall { name, distinct, arguments };
        Ok(self.expr(ExprKind::Function(call), start))
    }

    /// `trim([[BOTH | LEADING | TRAILING] [characters] FROM] text)`, behind its `(`; the closing one included.
    fn trim(&mut self, span: Span) -> Result<FunctionCall, ParseError> {
        let names_side = |word: &str| {
            self.cursor.is_word(word)
                && !self.cursor.is_symbol_at(1, ")")
                && !self.cursor.is_symbol_at(1, ".")
        };
        let side = ["BOTH", "LEADING", "TRAILING"].into_iter().find(|word| names_side(word));
        if side.is_some() {
            self.cursor.advance();
        }
        let mut arguments = Vec::new();
        if !self.cursor.is_symbol(")") && !self.cursor.is_word("FROM") {
            arguments.push(self.value()?);
        }
        if self.cursor.eat_word("FROM") {
            arguments.insert(0, self.value()?);
        } else if side.is_some() {
            return Err(self.cursor.unexpected(&["FROM"]));
        }
        while self.cursor.eat_symbol(",") {
            arguments.push(self.value()?);
        }
        if !self.cursor.eat_symbol(")") {
            return Err(self.cursor.unexpected(&["FROM", ")"]));
        }
        let function = match (side, arguments.len()) {
            (Some("LEADING"), _) => "lTrim",
            (Some("TRAILING"), _) => "rTrim",
            (Some(_), _) | (None, 2) => "btrim",
            (None, _) => "trim",
        };
        let name = vec![Name { text: function.to_owned(), quoted: false, span }];
        Ok(FunctionCall { name, distinct: false, arguments })
    }

    /// `value, value, … close`, the closing symbol included; none is legal.
    pub(super) fn values_until(&mut self, close: &str) -> Result<Vec<Expr>, ParseError> {
        let mut values = Vec::new();
        if self.cursor.eat_symbol(close) {
            return Ok(values);
        }
        loop {
            values.push(self.value()?);
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        if !self.cursor.eat_symbol(close) {
            return Err(self.cursor.unexpected(&[",", close]));
        }
        Ok(values)
    }

    /// `exists(n.key)`, a function, or `exists((a)-->(b))`, the truth value of the pattern.
    fn exists_call(&mut self) -> Result<Expr, ParseError> {
        if !self.is_path_at(2) {
            return self.named();
        }
        let start = self.cursor.peek().span;
        self.cursor.advance();
        self.cursor.expect_symbol("(")?;
        let path = self.bracketed(path_pattern)?;
        self.cursor.expect_symbol(")")?;
        let path = Subquery::Pattern(pattern_of(path));
        Ok(self.expr(ExprKind::Exists(Box::new(path)), start))
    }

    fn count_star(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        self.cursor.advance();
        self.cursor.expect_symbol("(")?;
        self.cursor.expect_symbol("*")?;
        self.cursor.expect_symbol(")")?;
        Ok(self.expr(ExprKind::CountStar, start))
    }

    fn shortest_path_expr(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        debug_assert!(shortest_path_selector(&self.cursor).is_some());
        let path = self.bracketed(shortest_path)?;
        Ok(self.expr(ExprKind::ShortestPath(Box::new(path)), start))
    }

    fn map_projection(&mut self, variable: Name) -> Result<Expr, ParseError> {
        let start = variable.span;
        self.cursor.expect_symbol("{")?;
        let items = self.bracketed(|parser| {
            let mut items = Vec::new();
            if parser.cursor.is_symbol("}") {
                return Ok(items);
            }
            loop {
                items.push(parser.map_projection_item()?);
                if !parser.cursor.eat_symbol(",") {
                    return Ok(items);
                }
            }
        })?;
        self.cursor.expect_symbol("}")?;
        Ok(self.expr(ExprKind::MapProjection { variable, items }, start))
    }

    fn map_projection_item(&mut self) -> Result<MapProjectionItem, ParseError> {
        let start = self.cursor.peek().span;
        if self.cursor.eat_symbol(".") {
            if self.cursor.eat_symbol("*") {
                return Ok(MapProjectionItem::AllProperties(self.cursor.span_from(start)));
            }
            return Ok(MapProjectionItem::Property(self.cursor.name()?));
        }
        if !self.cursor.is_symbol_at(1, ":") {
            return Ok(MapProjectionItem::Variable(self.variable()?));
        }
        let key = self.cursor.name()?;
        self.cursor.expect_symbol(":")?;
        Ok(MapProjectionItem::Entry(key, self.value()?))
    }

    fn case(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.expect_word("CASE")?;
        self.cursor.enter()?;
        self.cases += 1;
        let operand = match self.cursor.is_word("WHEN") {
            true => None,
            false => Some(self.value()?),
        };
        let mut branches = Vec::new();
        let mut tests = false;
        while self.cursor.eat_word("WHEN") {
            branches.push(self.case_branch(operand.as_ref(), &mut tests)?);
        }
        // Where one branch says how to compare, each condition is written out.
        let operand = match operand {
            Some(operand) if tests => {
                for when in branches.iter_mut().flat_map(|branch| &mut branch.when) {
                    if !is_test_of(when, &operand) {
                        *when = equal_to(&operand, when);
                    }
                }
                None
            }
            operand => operand,
        };
        if branches.is_empty() {
            return Err(self.cursor.unexpected(&["WHEN"]));
        }
        let otherwise = match self.cursor.eat_word("ELSE") {
            true => Some(self.value()?),
            false => None,
        };
        self.cursor.expect_word("END")?;
        self.cases -= 1;
        self.cursor.leave();
        let case = Case { operand, branches, otherwise };
        Ok(self.expr(ExprKind::Case(Box::new(case)), start))
    }

    /// What follows `WHEN`; `tests` is set where it says how the operand is compared.
    fn case_branch(
        &mut self,
        operand: Option<&Expr>,
        tests: &mut bool,
    ) -> Result<CaseBranch, ParseError> {
        let Some(operand) = operand else {
            let when = vec![self.truth()?];
            self.cursor.expect_word("THEN")?;
            return Ok(CaseBranch { when, then: self.value()? });
        };
        let mut when = Vec::new();
        loop {
            when.push(match self.test_of(operand)? {
                Some(test) => {
                    *tests = true;
                    test
                }
                None => self.value()?,
            });
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_word("THEN")?;
        Ok(CaseBranch { when, then: self.value()? })
    }

    /// `EXISTS { … }`, `COUNT { … }`, `COLLECT { … }`: a pattern, or a query that only reads.
    fn subquery(&mut self, keyword: &str) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        self.cursor.advance();
        self.cursor.expect_symbol("{")?;
        let body = self.bracketed(|parser| match (keyword, parser.starts_pattern()) {
            ("COLLECT", _) => Ok(Subquery::Query(parser.query(QueryRole::Collected)?)),
            (_, true) => Ok(Subquery::Pattern(graph_pattern(parser)?)),
            (_, false) => Ok(Subquery::Query(parser.query(QueryRole::Tested)?)),
        })?;
        self.cursor.expect_symbol("}")?;
        let body = Box::new(body);
        let kind = match keyword {
            "EXISTS" => ExprKind::Exists(body),
            "COUNT" => ExprKind::Count(body),
            _ => ExprKind::Collect(body),
        };
        Ok(self.expr(kind, start))
    }

    /// A pattern without `MATCH`: everything that does not begin as a clause.
    fn starts_pattern(&self) -> bool {
        let clauses = ["MATCH", "OPTIONAL", "WITH", "UNWIND", "RETURN", "CALL", "USE", "LOAD"];
        let updates = ["CREATE", "MERGE", "SET", "DELETE", "DETACH", "REMOVE", "FOREACH", "FINISH"];
        !clauses.iter().chain(&updates).any(|word| self.cursor.is_word(word))
    }

    /// `INTEGER`, `LIST<STRING NOT NULL>`, `A | B`.
    pub(super) fn cypher_type(&mut self) -> Result<CypherType, ParseError> {
        self.cursor.enter()?;
        let start = self.cursor.peek().span;
        let mut alternatives = vec![self.cypher_type_name()?];
        while !self.bar_ends && self.cursor.eat_symbol("|") {
            alternatives.push(self.cypher_type_name()?);
        }
        self.cursor.leave();
        Ok(CypherType { alternatives, span: self.cursor.span_from(start) })
    }

    fn cypher_type_name(&mut self) -> Result<CypherTypeName, ParseError> {
        let first = self.cursor.name()?;
        let mut name = first.text.to_ascii_uppercase();
        // Only these go on with further words.
        let seconds: &[&[&str]] = match name.as_str() {
            "ZONED" | "LOCAL" => &[&["DATETIME"], &["TIME"]],
            "SIGNED" => &[&["INTEGER"]],
            "PROPERTY" | "ANY" => &[&["PROPERTY", "VALUE"], &["VALUE"], &["NODE"], &["MAP"]],
            "TIMESTAMP" | "TIME" => &[&["WITH", "TIMEZONE"], &["WITHOUT", "TIMEZONE"]],
            _ => &[],
        };
        if let Some(words) = seconds.iter().find(|words| self.cursor.eat_words(words)) {
            name = format!("{name} {}", words.join(" "));
        }
        let inner = match (name == "LIST" || name == "ARRAY") && self.cursor.eat_symbol("<") {
            true => {
                let inner = self.bracketed(Self::cypher_type)?;
                self.cursor.expect_symbol(">")?;
                Some(Box::new(inner))
            }
            false => None,
        };
        let not_null = self.cursor.eat_words(&["NOT", "NULL"]);
        Ok(CypherTypeName { name, inner, not_null })
    }
}

/// Whether a condition is a test that was written of this operand, which stands in front of it in the text.
fn is_test_of(when: &Expr, operand: &Expr) -> bool {
    when.span.start == operand.span.start
}

/// `operand = value`, or for null `operand IS NULL`.
fn equal_to(operand: &Expr, value: &Expr) -> Expr {
    let span = value.span;
    let first = Box::new(operand.clone());
    let kind = match value.kind {
        ExprKind::Literal(Literal::Null) => ExprKind::IsNull { operand: first, negated: false },
        _ => {
            let rest = vec![(ComparisonOperator::Equal, value.clone())];
            ExprKind::Comparison { first, rest }
        }
    };
    Expr { kind, span }
}

/// A graph pattern of one path.
fn pattern_of(path: PathPattern<Expr>) -> GraphPattern<Expr> {
    let span = path.span;
    GraphPattern { match_mode: None, paths: vec![path], keep: None, condition: None, span }
}
