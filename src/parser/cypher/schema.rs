//! Reads Cypher's commands on indexes and constraints.

use super::ast::{ConstraintKind, SchemaCommand, SchemaElement};
use super::expr::ExprKind;
use super::parser::Parser;
use crate::parser::error::ParseError;
use crate::parser::label_parser::label_expression;
use crate::parser::pattern::Name;
use crate::parser::pattern_parser::PatternLanguage;
use crate::parser::span::Span;

const INDEX_KINDS: [&str; 7] = ["RANGE", "BTREE", "TEXT", "POINT", "LOOKUP", "FULLTEXT", "VECTOR"];

impl Parser<'_> {
    /// The command that begins here, if one does: `CREATE` or `DROP` of a constraint or an index.
    pub(super) fn schema_command(&mut self) -> Result<Option<SchemaCommand>, ParseError> {
        let start = self.cursor.peek().span;
        let creates = self.cursor.is_word("CREATE");
        if !creates && !self.cursor.is_word("DROP") {
            return Ok(None);
        }
        let is_index_kind = INDEX_KINDS.iter().any(|kind| self.cursor.is_word_at(1, kind));
        let index_at = if is_index_kind { 2 } else { 1 };
        let command = if self.cursor.is_word_at(1, "CONSTRAINT") {
            self.cursor.advance();
            self.cursor.advance();
            match creates {
                true => self.create_constraint(start)?,
                false => self.drop_named(start, true)?,
            }
        } else if self.cursor.is_word_at(index_at, "INDEX") {
            self.cursor.advance();
            match creates {
                true => self.create_index(start)?,
                false => {
                    self.cursor.expect_word("INDEX")?;
                    self.drop_named(start, false)?
                }
            }
        } else {
            return Ok(None);
        };
        Ok(Some(command))
    }

    fn drop_named(&mut self, start: Span, constraint: bool) -> Result<SchemaCommand, ParseError> {
        let name = self.cursor.name()?;
        let if_exists = self.cursor.eat_words(&["IF", "EXISTS"]);
        let span = self.cursor.span_from(start);
        Ok(match constraint {
            true => SchemaCommand::DropConstraint { name, if_exists, span },
            false => SchemaCommand::DropIndex { name, if_exists, span },
        })
    }

    /// `[name] [IF NOT EXISTS] FOR`.
    fn new_object(&mut self) -> Result<(Option<Name>, bool), ParseError> {
        let unnamed = ["FOR", "IF", "ON"].iter().any(|word| self.cursor.is_word(word));
        let name = if unnamed { None } else { Some(self.cursor.name()?) };
        let if_not_exists = self.cursor.eat_words(&["IF", "NOT", "EXISTS"]);
        if self.cursor.is_word("ON") {
            return Err(self.cursor.unexpected(&["FOR"]).with_hint(
                "Write CREATE CONSTRAINT name FOR (n:Label) REQUIRE n.property IS UNIQUE, or CREATE INDEX name FOR \
                 (n:Label) ON (n.property).",
            ));
        }
        self.cursor.expect_word("FOR")?;
        Ok((name, if_not_exists))
    }

    fn create_constraint(&mut self, start: Span) -> Result<SchemaCommand, ParseError> {
        let (name, if_not_exists) = self.new_object()?;
        let element = self.schema_element()?;
        self.cursor.expect_word("REQUIRE")?;
        let properties = self.schema_properties(&element)?;
        self.cursor.expect_word("IS")?;
        let kind = self.constraint_kind(element.is_edge)?;
        self.refuse_options()?;
        let span = self.cursor.span_from(start);
        Ok(SchemaCommand::CreateConstraint { name, if_not_exists, element, properties, kind, span })
    }

    fn constraint_kind(&mut self, is_edge: bool) -> Result<ConstraintKind, ParseError> {
        if self.cursor.eat_words(&["NOT", "NULL"]) {
            return Ok(ConstraintKind::NotNull);
        }
        if self.cursor.eat_symbol("::") || self.cursor.eat_word("TYPED") {
            return Ok(ConstraintKind::Typed(self.cypher_type()?));
        }
        let prefixes: &[&str] = if is_edge { &["RELATIONSHIP", "REL"] } else { &["NODE"] };
        for prefix in prefixes {
            if self.cursor.eat_word(prefix) {
                break;
            }
        }
        if self.cursor.eat_word("KEY") {
            return Ok(ConstraintKind::Key);
        }
        if self.cursor.eat_word("UNIQUE") {
            return Ok(ConstraintKind::Unique);
        }
        Err(self.cursor.unexpected(&["UNIQUE", "NOT NULL", "KEY", "::"]))
    }

    fn create_index(&mut self, start: Span) -> Result<SchemaCommand, ParseError> {
        let kind = self.cursor.eat_any_word(&INDEX_KINDS).map(str::to_owned);
        self.cursor.expect_word("INDEX")?;
        let (name, if_not_exists) = self.new_object()?;
        let element = self.schema_element()?;
        self.cursor.expect_word("ON")?;
        let properties = self.index_properties(&element)?;
        let options = match self.cursor.eat_word("OPTIONS") {
            true => {
                let start = self.cursor.peek().span;
                let entries = self.map_entries()?;
                Some(self.expr(ExprKind::Map(entries), start))
            }
            false => None,
        };
        let span = self.cursor.span_from(start);
        Ok(SchemaCommand::CreateIndex {
            name,
            if_not_exists,
            kind,
            element,
            properties,
            options,
            span,
        })
    }

    /// `(n.a, n.b)`, `EACH [n.a, n.b]`, or `EACH labels(n)`, which has no properties.
    fn index_properties(&mut self, element: &SchemaElement) -> Result<Vec<Name>, ParseError> {
        if !self.cursor.eat_word("EACH") {
            return self.schema_properties(element);
        }
        if self.cursor.eat_symbol("[") {
            let properties = self.property_list(element)?;
            self.cursor.expect_symbol("]")?;
            return Ok(properties);
        }
        let function = if element.is_edge { "TYPE" } else { "LABELS" };
        self.cursor.expect_word(function)?;
        self.cursor.expect_symbol("(")?;
        self.element_variable(element)?;
        self.cursor.expect_symbol(")")?;
        Ok(Vec::new())
    }

    /// `n.a` or `(n.a, n.b)`.
    fn schema_properties(&mut self, element: &SchemaElement) -> Result<Vec<Name>, ParseError> {
        if !self.cursor.eat_symbol("(") {
            return Ok(vec![self.schema_property(element)?]);
        }
        let properties = self.property_list(element)?;
        self.cursor.expect_symbol(")")?;
        Ok(properties)
    }

    fn property_list(&mut self, element: &SchemaElement) -> Result<Vec<Name>, ParseError> {
        let mut properties = vec![self.schema_property(element)?];
        while self.cursor.eat_symbol(",") {
            properties.push(self.schema_property(element)?);
        }
        Ok(properties)
    }

    fn schema_property(&mut self, element: &SchemaElement) -> Result<Name, ParseError> {
        self.element_variable(element)?;
        self.cursor.expect_symbol(".")?;
        self.cursor.name()
    }

    fn element_variable(&mut self, element: &SchemaElement) -> Result<(), ParseError> {
        let expected = element.variable.text.as_str();
        let error = self.cursor.unexpected(&[expected]);
        match self.cursor.name()?.text == expected {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// `(n:Label)`, `()-[r:TYPE]-()`.
    fn schema_element(&mut self) -> Result<SchemaElement, ParseError> {
        let start = self.cursor.expect_symbol("(")?;
        if !self.cursor.eat_symbol(")") {
            let (variable, labels) = self.schema_filler()?;
            self.cursor.expect_symbol(")")?;
            let span = self.cursor.span_from(start);
            return Ok(SchemaElement { is_edge: false, variable, labels, span });
        }
        self.cursor.eat_symbol("<");
        self.cursor.expect_symbol("-")?;
        self.cursor.expect_symbol("[")?;
        let (variable, labels) = self.schema_filler()?;
        self.cursor.expect_symbol("]")?;
        self.cursor.expect_symbol("-")?;
        self.cursor.eat_symbol(">");
        self.cursor.expect_symbol("(")?;
        self.cursor.expect_symbol(")")?;
        let span = self.cursor.span_from(start);
        Ok(SchemaElement { is_edge: true, variable, labels, span })
    }

    fn schema_filler(
        &mut self,
    ) -> Result<(Name, Option<crate::parser::pattern::LabelExpr>), ParseError> {
        let variable = self.variable()?;
        let labels = match self.cursor.eat_symbol(":") {
            true => Some(label_expression(&mut self.cursor, true)?),
            false => None,
        };
        Ok((variable, labels))
    }

    fn refuse_options(&self) -> Result<(), ParseError> {
        let span = self.cursor.peek().span;
        match self.cursor.is_word("OPTIONS") {
            true => self.unsupported("OPTIONS of a constraint", span, "Leave them out."),
            false => Ok(()),
        }
    }
}
