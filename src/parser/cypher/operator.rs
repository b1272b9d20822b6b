//! Reads Cypher's operators, from the loosest to the tightest.
//!
//! ```text
//! OR  XOR  AND  NOT  = <> < <= > >=  [STARTS WITH, ENDS WITH, CONTAINS, =~, IN, IS NULL, IS ::]  + - ||  * / %  ^  unary + -  .key [i] :Label
//! ```

use super::expr::{BinaryOperator, ComparisonOperator, Expr, ExprKind, Literal, UnaryOperator};
use super::number;
use super::parser::{Parser, literal, refuse_pattern};
use crate::parser::error::ParseError;
use crate::parser::label_parser::{conjunction, label_expression};
use crate::parser::span::Span;
use crate::parser::token::TokenKind;

const COMPARISONS: [(&str, ComparisonOperator); 7] = [
    ("=", ComparisonOperator::Equal),
    ("<>", ComparisonOperator::NotEqual),
    ("!=", ComparisonOperator::NotEqual),
    ("<=", ComparisonOperator::LessOrEqual),
    (">=", ComparisonOperator::GreaterOrEqual),
    ("<", ComparisonOperator::Less),
    (">", ComparisonOperator::Greater),
];

/// Arithmetic, with how tightly each operator binds.
const ARITHMETIC: [(&str, (u8, BinaryOperator)); 7] = [
    ("+", (0, BinaryOperator::Add)),
    ("-", (0, BinaryOperator::Subtract)),
    ("||", (0, BinaryOperator::Concat)),
    ("*", (1, BinaryOperator::Multiply)),
    ("/", (1, BinaryOperator::Divide)),
    ("%", (1, BinaryOperator::Modulo)),
    ("^", (2, BinaryOperator::Power)),
];

impl Parser<'_> {
    /// `a OR b OR …`: the loosest level.
    pub(super) fn disjunction(&mut self) -> Result<Expr, ParseError> {
        self.joined("OR", Self::exclusive, ExprKind::Or)
    }

    fn exclusive(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let mut left = self.conjunction()?;
        while self.cursor.eat_word("XOR") {
            let right = self.operand(Self::conjunction)?;
            self.grow()?;
            left = self.binary(BinaryOperator::Xor, left, right, start);
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr, ParseError> {
        self.joined("AND", Self::negation, ExprKind::And)
    }

    /// Operands with one word between them, in one flat node.
    fn joined(
        &mut self,
        word: &str,
        read: fn(&mut Self) -> Result<Expr, ParseError>,
        join: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let first = read(self)?;
        if !self.cursor.is_word(word) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.cursor.eat_word(word) {
            operands.push(self.operand(read)?);
        }
        self.grow()?;
        Ok(self.expr(join(operands), start))
    }

    fn negation(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        if !self.cursor.eat_word("NOT") {
            return self.comparison();
        }
        self.cursor.enter()?;
        let operand = Box::new(self.negation()?);
        self.cursor.leave();
        self.grow()?;
        Ok(self.expr(ExprKind::Unary { operator: UnaryOperator::Not, operand }, start))
    }

    fn comparison(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let first = self.predicate()?;
        let mut rest = Vec::new();
        while let Some(operator) = self.eat_operator(&COMPARISONS) {
            if rest.is_empty() {
                self.check_value(&first)?;
            }
            rest.push((operator, self.value_operand(Self::predicate)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        self.grow()?;
        Ok(self.expr(ExprKind::Comparison { first: Box::new(first), rest }, start))
    }

    /// Predicates on strings, lists, null and types.
    fn predicate(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let mut left = self.additive()?;
        loop {
            if self.cursor.is_word("IS") {
                self.check_value(&left)?;
                left = self.is_predicate(left, start)?;
            } else if let Some(operator) = self.eat_predicate_operator()? {
                self.check_value(&left)?;
                let right = self.value_operand(Self::additive)?;
                left = self.binary(operator, left, right, start);
            } else {
                return Ok(left);
            }
            self.grow()?;
        }
    }

    fn eat_predicate_operator(&mut self) -> Result<Option<BinaryOperator>, ParseError> {
        let operator = if self.cursor.eat_word("IN") {
            BinaryOperator::In
        } else if self.cursor.eat_symbol("=~") {
            BinaryOperator::RegexMatch
        } else if self.cursor.eat_word("CONTAINS") {
            BinaryOperator::Contains
        } else if self.cursor.eat_word("STARTS") {
            self.cursor.expect_word("WITH")?;
            BinaryOperator::StartsWith
        } else if self.cursor.eat_word("ENDS") {
            self.cursor.expect_word("WITH")?;
            BinaryOperator::EndsWith
        } else {
            return Ok(None);
        };
        Ok(Some(operator))
    }

    /// Refuses to write out again and again what is long, or what does so itself: trees would grow without bound.
    fn check_repeatable(&self, operand: &Expr) -> Result<(), ParseError> {
        /// Bytes of an operand that is repeated.
        const REPEATED_BYTES_MAX: usize = 64;
        let text = self.cursor.text_of(operand.span);
        if text.len() <= REPEATED_BYTES_MAX && !text.to_ascii_uppercase().contains("CASE") {
            return Ok(());
        }
        let message = "a test behind WHEN of such a long expression";
        self.unsupported(message, operand.span, "Give it a name before: WITH expression AS x.")
    }

    /// `> value`, `IS NULL` and its like behind `WHEN`, as a test of what stands behind `CASE`.
    pub(super) fn test_of(&mut self, operand: &Expr) -> Result<Option<Expr>, ParseError> {
        let start = operand.span;
        if let Some(operator) = self.eat_operator(&COMPARISONS) {
            self.check_repeatable(operand)?;
            let rest = vec![(operator, self.value_operand(Self::predicate)?)];
            let first = Box::new(operand.clone());
            return Ok(Some(self.expr(ExprKind::Comparison { first, rest }, start)));
        }
        let is_test = self.cursor.is_word("IS")
            && (["NULL", "NOT", "TYPED"].iter().any(|word| self.cursor.is_word_at(1, word))
                || self.cursor.is_symbol_at(1, "::"));
        if is_test {
            self.check_repeatable(operand)?;
            return self.is_predicate(operand.clone(), start).map(Some);
        }
        let begins = (self.cursor.is_word("STARTS") || self.cursor.is_word("ENDS"))
            && self.cursor.is_word_at(1, "WITH");
        let contains = (self.cursor.is_word("CONTAINS") || self.cursor.is_word("IN"))
            && !self.cursor.is_word_at(1, "THEN");
        if !begins && !contains && !self.cursor.is_symbol("=~") {
            return Ok(None);
        }
        self.check_repeatable(operand)?;
        let Some(operator) = self.eat_predicate_operator()? else { return Ok(None) };
        let right = self.value_operand(Self::additive)?;
        Ok(Some(self.binary(operator, operand.clone(), right, start)))
    }

    /// `IS [NOT] NULL`, `IS [NOT] :: TYPE`, `IS [NOT] TYPED TYPE`.
    fn is_predicate(&mut self, operand: Expr, start: Span) -> Result<Expr, ParseError> {
        self.cursor.expect_word("IS")?;
        let negated = self.cursor.eat_word("NOT");
        let operand = Box::new(operand);
        if self.cursor.eat_word("NULL") {
            return Ok(self.expr(ExprKind::IsNull { operand, negated }, start));
        }
        if self.cursor.eat_symbol("::") || self.cursor.eat_word("TYPED") {
            let ty = self.cypher_type()?;
            return Ok(self.expr(ExprKind::IsTyped { operand, ty, negated }, start));
        }
        let span = self.cursor.peek().span;
        let forms = ["NFC", "NFD", "NFKC", "NFKD", "NORMALIZED"];
        if forms.iter().any(|word| self.cursor.is_word(word)) {
            return self.unsupported(
                "IS NORMALIZED",
                span,
                "Compare with normalize(text) instead.",
            );
        }
        Err(self.cursor.unexpected(&["NULL", "NOT", "::"]))
    }

    fn additive(&mut self) -> Result<Expr, ParseError> {
        self.arithmetic(0)
    }

    /// Operators that bind at least as tightly as `binding`; each level groups to the left.
    fn arithmetic(&mut self, binding: u8) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let mut left = self.signed()?;
        while let Some((tighter, operator)) = self.peek_operator(&ARITHMETIC)
            && tighter >= binding
        {
            self.check_value(&left)?;
            self.cursor.advance();
            let outer_height = std::mem::take(&mut self.height);
            let outer_expects = std::mem::replace(&mut self.expects_truth, false);
            let right = self.arithmetic(tighter + 1)?;
            self.expects_truth = outer_expects;
            self.height = self.height.max(outer_height);
            self.grow()?;
            left = self.binary(operator, left, right, start);
        }
        Ok(left)
    }

    /// A sign, which belongs to the digits directly behind it: only so is -2^63 an integer.
    fn signed(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let negative = self.cursor.is_symbol("-");
        if !negative && !self.cursor.is_symbol("+") {
            return self.postfix();
        }
        self.cursor.advance();
        if negative && let Some(kind) = self.negative_number()? {
            self.cursor.advance();
            return Ok(self.expr(kind, start));
        }
        self.cursor.enter()?;
        let operand = self.value_operand(Self::signed)?;
        self.cursor.leave();
        self.grow()?;
        let operator = if negative { UnaryOperator::Minus } else { UnaryOperator::Plus };
        Ok(self.expr(ExprKind::Unary { operator, operand: Box::new(operand) }, start))
    }

    /// The literal that a number here makes with a minus in front, unless an access follows the number.
    fn negative_number(&self) -> Result<Option<ExprKind>, ParseError> {
        let token = self.cursor.peek();
        if [".", "[", ":"].iter().any(|symbol| self.cursor.is_symbol_at(1, symbol)) {
            return Ok(None);
        }
        match token.kind {
            TokenKind::Integer(magnitude) => match number::signed(magnitude, true) {
                Some(value) => Ok(Some(literal(Literal::Integer(value)))),
                None => Err(number::overflow(self.cursor.text_of(token.span), token.span)),
            },
            TokenKind::Float(value) => Ok(Some(literal(Literal::Float(-value)))),
            _ => Ok(None),
        }
    }

    /// An atom with `.key`, `[index]`, `[from..to]` and, last, `:Label`.
    pub(super) fn postfix(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.peek().span;
        let mut base = self.atom()?;
        loop {
            if self.cursor.is_symbol(".") {
                self.check_value(&base)?;
                self.cursor.advance();
                let key = self.cursor.name()?;
                base = self.expr(ExprKind::Property { base: Box::new(base), key }, start);
            } else if self.cursor.is_symbol("[") {
                self.check_value(&base)?;
                base = self.subscript(base, start)?;
            } else {
                break;
            }
            self.grow()?;
        }
        if !self.cursor.is_symbol(":") {
            return Ok(base);
        }
        self.check_value(&base)?;
        self.cursor.advance();
        let labels = match self.bar_ends {
            true => conjunction(&mut self.cursor, true)?,
            false => label_expression(&mut self.cursor, true)?,
        };
        self.grow()?;
        Ok(self.expr(ExprKind::HasLabels { operand: Box::new(base), labels }, start))
    }

    fn subscript(&mut self, base: Expr, start: Span) -> Result<Expr, ParseError> {
        self.cursor.expect_symbol("[")?;
        let base = Box::new(base);
        let kind = self.bracketed(|parser| {
            let from = match parser.cursor.is_symbol("..") {
                true => None,
                false => Some(Box::new(parser.value()?)),
            };
            let is_slice = parser.cursor.eat_symbol("..");
            let from = match from {
                Some(index) if !is_slice => return Ok(ExprKind::Index { base, index }),
                other => other,
            };
            let to = match parser.cursor.is_symbol("]") {
                true => None,
                false => Some(Box::new(parser.value()?)),
            };
            Ok(ExprKind::Slice { base, from, to })
        })?;
        self.cursor.expect_symbol("]")?;
        Ok(self.expr(kind, start))
    }

    /// Reads the right operand of an operator on values.
    fn value_operand(
        &mut self,
        read: fn(&mut Self) -> Result<Expr, ParseError>,
    ) -> Result<Expr, ParseError> {
        let outer = std::mem::replace(&mut self.expects_truth, false);
        let operand = self.operand(read)?;
        self.expects_truth = outer;
        Ok(operand)
    }

    /// Refuses a pattern as the left operand of an operator on values.
    fn check_value(&self, expr: &Expr) -> Result<(), ParseError> {
        refuse_pattern(expr, self.cursor.text_of(expr.span))
    }

    fn binary(&self, operator: BinaryOperator, left: Expr, right: Expr, start: Span) -> Expr {
        let kind = ExprKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
        self.expr(kind, start)
    }

    fn eat_operator<T: Copy>(&mut self, operators: &[(&str, T)]) -> Option<T> {
        let operator = self.peek_operator(operators)?;
        self.cursor.advance();
        Some(operator)
    }

    fn peek_operator<T: Copy>(&self, operators: &[(&str, T)]) -> Option<T> {
        let TokenKind::Symbol(symbol) = self.cursor.peek().kind else { return None };
        operators.iter().find(|(text, _)| *text == symbol).map(|(_, operator)| *operator)
    }
}
