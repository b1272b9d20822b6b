//! Reads `SHOW`: what a graph has, and what may be called.

use super::ast::{Projection, ProjectionItem, ShowCommand, ShowTarget};
use super::expr::ExprKind;
use super::parser::Parser;
use crate::parser::error::ParseError;
use crate::parser::pattern_parser::PatternLanguage;

const TARGETS: &[(&[&str], ShowTarget)] = &[
    (&["LABELS"], ShowTarget::Labels),
    (&["LABEL"], ShowTarget::Labels),
    (&["RELATIONSHIP", "TYPES"], ShowTarget::RelationshipTypes),
    (&["RELATIONSHIP", "TYPE"], ShowTarget::RelationshipTypes),
    (&["PROPERTY", "KEYS"], ShowTarget::PropertyKeys),
    (&["PROPERTY", "KEY"], ShowTarget::PropertyKeys),
    (&["INDEXES"], ShowTarget::Indexes),
    (&["INDEX"], ShowTarget::Indexes),
    (&["CONSTRAINTS"], ShowTarget::Constraints),
    (&["CONSTRAINT"], ShowTarget::Constraints),
    (&["PROCEDURES"], ShowTarget::Procedures),
    (&["PROCEDURE"], ShowTarget::Procedures),
    (&["FUNCTIONS"], ShowTarget::Functions),
    (&["FUNCTION"], ShowTarget::Functions),
    (&["DATABASES"], ShowTarget::Databases),
    (&["DATABASE"], ShowTarget::Databases),
];

/// Kinds that may stand in front of `INDEXES`, as the column `type` has them.
const INDEX_KINDS: &[(&[&str], &[&str])] = &[
    (&["RANGE"], &["RANGE"]),
    (&["BTREE"], &["RANGE"]),
    (&["TEXT"], &["TEXT"]),
    (&["POINT"], &["POINT"]),
    (&["LOOKUP"], &["LOOKUP"]),
    (&["FULLTEXT"], &["FULLTEXT"]),
    (&["VECTOR"], &["VECTOR"]),
];

const NODE_UNIQUE: &str = "UNIQUENESS";
const EDGE_UNIQUE: &str = "RELATIONSHIP_UNIQUENESS";
const NODE_KEY: &str = "NODE_KEY";
const EDGE_KEY: &str = "RELATIONSHIP_KEY";
const NODE_EXISTENCE: &str = "NODE_PROPERTY_EXISTENCE";
const EDGE_EXISTENCE: &str = "RELATIONSHIP_PROPERTY_EXISTENCE";
const NODE_TYPE: &str = "NODE_PROPERTY_TYPE";
const EDGE_TYPE: &str = "RELATIONSHIP_PROPERTY_TYPE";

/// Kinds that may stand in front of `CONSTRAINTS`, behind `NODE` or `RELATIONSHIP`: with that of nodes, and that of
/// relationships.
const CONSTRAINT_KINDS: &[(&[&str], [&str; 2])] = &[
    (&["PROPERTY", "UNIQUENESS"], [NODE_UNIQUE, EDGE_UNIQUE]),
    (&["PROPERTY", "UNIQUE"], [NODE_UNIQUE, EDGE_UNIQUE]),
    (&["UNIQUENESS"], [NODE_UNIQUE, EDGE_UNIQUE]),
    (&["UNIQUE"], [NODE_UNIQUE, EDGE_UNIQUE]),
    (&["KEY"], [NODE_KEY, EDGE_KEY]),
    (&["PROPERTY", "EXISTENCE"], [NODE_EXISTENCE, EDGE_EXISTENCE]),
    (&["PROPERTY", "EXIST"], [NODE_EXISTENCE, EDGE_EXISTENCE]),
    (&["EXISTENCE"], [NODE_EXISTENCE, EDGE_EXISTENCE]),
    (&["EXIST"], [NODE_EXISTENCE, EDGE_EXISTENCE]),
    (&["PROPERTY", "TYPE"], [NODE_TYPE, EDGE_TYPE]),
];

impl Parser<'_> {
    /// `SHOW …`, if that is what stands here.
    pub(super) fn show_command(&mut self) -> Result<Option<ShowCommand>, ParseError> {
        let start = self.cursor.peek().span;
        if !self.cursor.eat_word("SHOW") {
            return Ok(None);
        }
        self.cursor.eat_word("ALL");
        let built_in = match self.cursor.eat_any_word(&["BUILT", "USER"]) {
            Some("BUILT") => {
                self.cursor.expect_word("IN")?;
                Some(true)
            }
            Some(_) => {
                self.cursor.expect_word("DEFINED")?;
                Some(false)
            }
            None => None,
        };
        let (kinds, target) = self.show_target()?;
        if built_in.is_some() && target != ShowTarget::Functions {
            return Err(self.cursor.unexpected(&["FUNCTIONS"]));
        }
        self.executable()?;
        let condition = match self.cursor.eat_word("WHERE") {
            true => Some(self.truth()?),
            false => None,
        };
        let yields = match condition.is_none() && self.cursor.is_word("YIELD") {
            true => Some(self.shown_columns()?),
            false => None,
        };
        let returning = self.cursor.peek().span;
        let returned = match yields.is_some() && self.cursor.eat_word("RETURN") {
            true => Some(self.projection(returning)?),
            false => None,
        };
        let span = self.cursor.span_from(start);
        Ok(Some(ShowCommand { target, kinds, built_in, condition, yields, returned, span }))
    }

    /// What is shown, and of which kinds.
    fn show_target(&mut self) -> Result<(Vec<&'static str>, ShowTarget), ParseError> {
        if let Some((_, target)) = TARGETS.iter().find(|(words, _)| self.cursor.eat_words(words)) {
            return Ok((Vec::new(), *target));
        }
        if let Some((_, kinds)) = INDEX_KINDS.iter().find(|(words, _)| self.cursor.eat_words(words))
        {
            let plural = self.cursor.eat_word("INDEXES");
            if !plural {
                self.cursor.expect_word("INDEX")?;
            }
            return Ok((kinds.to_vec(), ShowTarget::Indexes));
        }
        let of = match self.cursor.eat_any_word(&["NODE", "RELATIONSHIP", "REL"]) {
            Some("NODE") => Some(0),
            Some(_) => Some(1),
            None => None,
        };
        let kind = CONSTRAINT_KINDS.iter().find(|(words, _)| self.cursor.eat_words(words));
        let Some((_, kinds)) = kind else {
            return Err(self.cursor.unexpected(&[
                "LABELS",
                "RELATIONSHIP TYPES",
                "PROPERTY KEYS",
                "INDEXES",
                "CONSTRAINTS",
                "PROCEDURES",
                "FUNCTIONS",
            ]));
        };
        let kinds = match of {
            Some(at) => kinds.iter().skip(at).take(1).copied().collect(),
            None => kinds.to_vec(),
        };
        if !self.cursor.eat_word("CONSTRAINTS") {
            self.cursor.expect_word("CONSTRAINT")?;
        }
        Ok((kinds, ShowTarget::Constraints))
    }

    /// `EXECUTABLE [BY CURRENT USER]`: what is shown may be called by who asks.
    fn executable(&mut self) -> Result<(), ParseError> {
        if !self.cursor.eat_word("EXECUTABLE") || !self.cursor.eat_word("BY") {
            return Ok(());
        }
        if self.cursor.eat_words(&["CURRENT", "USER"]) {
            return Ok(());
        }
        let span = self.cursor.peek().span;
        self.unsupported("EXECUTABLE BY another user", span, "Write EXECUTABLE BY CURRENT USER.")
    }

    /// `YIELD a, b AS c [ORDER BY …] [SKIP …] [LIMIT …] [WHERE …]`.
    fn shown_columns(&mut self) -> Result<Projection, ParseError> {
        let start = self.cursor.expect_word("YIELD")?;
        let star_span = self.cursor.peek().span;
        let star = self.cursor.eat_symbol("*").then_some(star_span);
        let mut items = Vec::new();
        while star.is_none() {
            let from = self.cursor.peek().span;
            let name = self.variable()?;
            let text = name.text.clone();
            let expr = self.expr(ExprKind::Variable(name), from);
            let alias = match self.cursor.eat_word("AS") {
                true => Some(self.variable()?),
                false => None,
            };
            items.push(ProjectionItem { expr, alias, text, span: self.cursor.span_from(from) });
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        let mut projection = self.projection_of(false, star, items, start)?;
        if self.cursor.eat_word("WHERE") {
            projection.condition = Some(self.truth()?);
            projection.span = self.cursor.span_from(start);
        }
        Ok(projection)
    }
}

/// True if `words`, in upper case, begin with something `SHOW` can list.
pub(super) fn is_show_target(words: &[&str]) -> bool {
    const BEFORE: [&str; 21] = [
        "ALL",
        "BUILT",
        "IN",
        "USER",
        "DEFINED",
        "NODE",
        "RELATIONSHIP",
        "REL",
        "PROPERTY",
        "UNIQUE",
        "UNIQUENESS",
        "KEY",
        "EXISTENCE",
        "EXIST",
        "TYPE",
        "RANGE",
        "TEXT",
        "POINT",
        "LOOKUP",
        "FULLTEXT",
        "VECTOR",
    ];
    let mut words = words;
    loop {
        if TARGETS.iter().any(|(target, _)| words.starts_with(target)) {
            return true;
        }
        match words.split_first() {
            Some((first, rest)) if BEFORE.contains(first) => words = rest,
            _ => return false,
        }
    }
}
