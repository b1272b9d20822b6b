//! Reads the element tables of a property graph: keys, end points, labels and properties.

use super::ast::{
    EdgeTable, ElementLabels, ElementTable, EndPoint, LabelDefinition, LabelProperties,
    PropertyDefinition, QualifiedName,
};
use super::parser::Parser;
use crate::parser::error::ParseError;
use crate::parser::pattern::Name;
use crate::parser::span::Span;

/// Words that follow the name of an element table and so cannot be its alias without `AS`.
const FOLLOWING_WORDS: [&str; 7] =
    ["KEY", "LABEL", "DEFAULT", "PROPERTIES", "NO", "SOURCE", "DESTINATION"];

impl Parser<'_> {
    /// `(table, …)` behind `VERTEX TABLES`.
    pub(super) fn vertex_tables(&mut self) -> Result<Vec<ElementTable>, ParseError> {
        self.table_list(Self::vertex_table)
    }

    /// `(table, …)` behind `EDGE TABLES`.
    pub(super) fn edge_tables(&mut self) -> Result<Vec<EdgeTable>, ParseError> {
        self.table_list(Self::edge_table)
    }

    fn table_list<T>(
        &mut self,
        read: fn(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        self.cursor.expect_symbol("(")?;
        let mut tables = vec![read(self)?];
        while self.cursor.eat_symbol(",") {
            tables.push(read(self)?);
        }
        match self.cursor.eat_symbol(")") {
            true => Ok(tables),
            false => Err(self.cursor.unexpected(&["KEY", "LABEL", "PROPERTIES", ",", ")"])),
        }
    }

    fn vertex_table(&mut self) -> Result<ElementTable, ParseError> {
        let start = self.cursor.peek().span;
        let (table, alias, key) = self.table_and_key()?;
        let labels = self.labels()?;
        Ok(ElementTable { table, alias, key, labels, span: self.cursor.span_from(start) })
    }

    fn edge_table(&mut self) -> Result<EdgeTable, ParseError> {
        let start = self.cursor.peek().span;
        let (table, alias, key) = self.table_and_key()?;
        let source = self.end_point("SOURCE")?;
        let destination = self.end_point("DESTINATION")?;
        let labels = self.labels()?;
        let span = self.cursor.span_from(start);
        let element = ElementTable { table, alias, key, labels, span };
        Ok(EdgeTable { element, source, destination, span })
    }

    /// `name [[AS] alias] [KEY (…)]`.
    fn table_and_key(&mut self) -> Result<(QualifiedName, Option<Name>, Vec<Name>), ParseError> {
        let table = self.qualified_name()?;
        let mut alias = self.alias()?;
        let is_alias = self.cursor.is_name_at(0)
            && !FOLLOWING_WORDS.iter().any(|word| self.cursor.is_word(word));
        if alias.is_none() && is_alias {
            alias = Some(self.cursor.name()?);
        }
        let key = match self.cursor.eat_word("KEY") {
            true => self.name_list()?,
            false => Vec::new(),
        };
        Ok((table, alias, key))
    }

    /// `SOURCE [KEY (…) REFERENCES] vertex [(…)]`.
    fn end_point(&mut self, word: &str) -> Result<EndPoint, ParseError> {
        let start = self.cursor.expect_word(word)?;
        let has_key = self.cursor.is_word("KEY") && self.cursor.is_symbol_at(1, "(");
        let mut columns = Vec::new();
        if has_key {
            self.cursor.advance();
            columns = self.name_list()?;
            self.cursor.expect_word("REFERENCES")?;
        }
        let vertex = self.cursor.name()?;
        let referenced = match self.cursor.is_symbol("(") {
            true => self.name_list()?,
            false => Vec::new(),
        };
        let span = self.cursor.span_from(start);
        if !columns.is_empty() && !referenced.is_empty() && columns.len() != referenced.len() {
            let message = "number of columns in the key and in the referenced key must be equal";
            return Err(ParseError::syntax(message, span));
        }
        Ok(EndPoint { columns, vertex, referenced, span })
    }

    fn labels(&mut self) -> Result<ElementLabels, ParseError> {
        let mut labels = Vec::new();
        while self.cursor.is_word("LABEL") || self.cursor.is_word("DEFAULT") {
            labels.push(self.label()?);
        }
        match labels.is_empty() {
            true => Ok(ElementLabels::Implicit(self.properties_of_label()?)),
            false => Ok(ElementLabels::Explicit(labels)),
        }
    }

    fn label(&mut self) -> Result<LabelDefinition, ParseError> {
        let start = self.cursor.peek().span;
        if !self.cursor.eat_word("DEFAULT") {
            return self.named_label();
        }
        self.cursor.expect_word("LABEL")?;
        self.label_definition(None, start)
    }

    /// `LABEL name [properties]`.
    pub(super) fn named_label(&mut self) -> Result<LabelDefinition, ParseError> {
        let start = self.cursor.expect_word("LABEL")?;
        let name = self.cursor.name()?;
        self.label_definition(Some(name), start)
    }

    fn label_definition(
        &mut self,
        name: Option<Name>,
        start: Span,
    ) -> Result<LabelDefinition, ParseError> {
        let properties = self.properties_of_label()?;
        Ok(LabelDefinition { name, properties, span: self.cursor.span_from(start) })
    }

    /// `NO PROPERTIES`, `PROPERTIES …`, or nothing, which is all columns.
    fn properties_of_label(&mut self) -> Result<LabelProperties, ParseError> {
        if self.cursor.eat_words(&["NO", "PROPERTIES"]) {
            return Ok(LabelProperties::None);
        }
        if !self.cursor.eat_word("PROPERTIES") {
            return Ok(LabelProperties::AllColumns { except: Vec::new() });
        }
        if self.cursor.is_symbol("(") {
            return Ok(LabelProperties::List(self.property_list()?));
        }
        self.cursor.eat_word("ARE");
        self.cursor.expect_word("ALL")?;
        self.cursor.expect_word("COLUMNS")?;
        let except = match self.cursor.eat_word("EXCEPT") {
            true => self.name_list()?,
            false => Vec::new(),
        };
        Ok(LabelProperties::AllColumns { except })
    }

    /// `(expr [AS name], …)`.
    pub(super) fn property_list(&mut self) -> Result<Vec<PropertyDefinition>, ParseError> {
        self.cursor.expect_symbol("(")?;
        let mut properties = Vec::new();
        loop {
            let expr = self.expression()?;
            properties.push(PropertyDefinition { expr, name: self.alias()? });
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")")?;
        Ok(properties)
    }
}
