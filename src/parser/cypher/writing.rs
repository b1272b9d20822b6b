//! Reads the clauses that write, and checks that their patterns can be written.

use super::ast::{Clause, Create, Delete, Foreach, Merge, Remove, RemoveItem, Set, SetItem};
use super::expr::{Expr, ExprKind};
use super::parser::Parser;
use crate::parser::error::{ParseError, SyntaxDetail};
use crate::parser::pattern::{
    EdgeDirection, EdgePattern, ElementFiller, Name, PathElement, PathPattern, Properties,
};
use crate::parser::pattern_parser::{path_pattern, path_patterns};
use crate::parser::span::Span;

/// Words a writing clause begins with.
const WRITING_WORDS: &[&str] = &["CREATE", "MERGE", "SET", "REMOVE", "DELETE", "DETACH", "FOREACH"];

impl Parser<'_> {
    /// The writing clause that begins here, if one does.
    pub(super) fn writing_clause(&mut self) -> Result<Option<Clause>, ParseError> {
        let start = self.cursor.peek().span;
        let clause = if self.cursor.eat_word("CREATE") || self.cursor.eat_word("INSERT") {
            self.create(start)?
        } else if self.cursor.eat_word("MERGE") {
            self.merge(start)?
        } else if self.cursor.eat_word("SET") {
            let items = self.set_items()?;
            Clause::Set(Set { items, span: self.cursor.span_from(start) })
        } else if self.cursor.eat_word("REMOVE") {
            self.remove(start)?
        } else if self.cursor.eat_words(&["DETACH", "DELETE"]) {
            self.delete(start, true)?
        } else if self.cursor.eat_word("DELETE") || self.cursor.eat_words(&["NODETACH", "DELETE"]) {
            self.delete(start, false)?
        } else if self.cursor.eat_word("FOREACH") {
            self.foreach(start)?
        } else {
            return Ok(None);
        };
        Ok(Some(clause))
    }

    fn create(&mut self, start: Span) -> Result<Clause, ParseError> {
        if self.cursor.is_word("UNIQUE") {
            let span = self.cursor.peek().span;
            return self.unsupported("CREATE UNIQUE", span, "Use MERGE.");
        }
        let paths = path_patterns(self)?;
        paths.iter().try_for_each(|path| check_written(path, Written::Created))?;
        Ok(Clause::Create(Create { paths, span: self.cursor.span_from(start) }))
    }

    fn merge(&mut self, start: Span) -> Result<Clause, ParseError> {
        let path = path_pattern(self)?;
        check_written(&path, Written::Merged)?;
        let (mut on_create, mut on_match) = (Vec::new(), Vec::new());
        while self.cursor.eat_word("ON") {
            let items = if self.cursor.eat_word("CREATE") {
                &mut on_create
            } else if self.cursor.eat_word("MATCH") {
                &mut on_match
            } else {
                return Err(self.cursor.unexpected(&["CREATE", "MATCH"]));
            };
            self.cursor.expect_word("SET")?;
            items.extend(self.set_items()?);
        }
        let span = self.cursor.span_from(start);
        Ok(Clause::Merge(Merge { path, on_create, on_match, span }))
    }

    fn set_items(&mut self) -> Result<Vec<SetItem>, ParseError> {
        let mut items = vec![self.set_item()?];
        while self.cursor.eat_symbol(",") {
            items.push(self.set_item()?);
        }
        Ok(items)
    }

    fn set_item(&mut self) -> Result<SetItem, ParseError> {
        let start = self.cursor.peek().span;
        let target = self.target()?;
        if let ExprKind::HasLabels { .. } = target.kind {
            let (variable, labels) = self.labels_of(target)?;
            return Ok(SetItem::Labels { variable, labels, span: self.cursor.span_from(start) });
        }
        if let ExprKind::Variable(variable) = target.kind {
            let merges = self.cursor.eat_symbol("+=");
            if !merges && !self.cursor.eat_symbol("=") {
                return Err(self.cursor.unexpected(&["=", "+=", ".", ":"]));
            }
            let value = self.value()?;
            let span = self.cursor.span_from(start);
            return Ok(match merges {
                true => SetItem::Merge { variable, value, span },
                false => SetItem::Replace { variable, value, span },
            });
        }
        self.cursor.expect_symbol("=")?;
        let value = self.value()?;
        let span = self.cursor.span_from(start);
        match target.kind {
            ExprKind::Property { base, key } => {
                Ok(SetItem::Property { target: *base, key, value, span })
            }
            ExprKind::Index { base, index } => {
                Ok(SetItem::DynamicProperty { target: *base, key: *index, value, span })
            }
            _ => Err(self.misplaced(target.span, "a variable, a property or labels")),
        }
    }

    fn remove(&mut self, start: Span) -> Result<Clause, ParseError> {
        let mut items = vec![self.remove_item()?];
        while self.cursor.eat_symbol(",") {
            items.push(self.remove_item()?);
        }
        Ok(Clause::Remove(Remove { items, span: self.cursor.span_from(start) }))
    }

    fn remove_item(&mut self) -> Result<RemoveItem, ParseError> {
        let start = self.cursor.peek().span;
        let target = self.target()?;
        let span = self.cursor.span_from(start);
        if let ExprKind::HasLabels { .. } = target.kind {
            let (variable, labels) = self.labels_of(target)?;
            return Ok(RemoveItem::Labels { variable, labels, span });
        }
        match target.kind {
            ExprKind::Property { base, key } => {
                Ok(RemoveItem::Property { target: *base, key, span })
            }
            ExprKind::Index { base, index } => {
                Ok(RemoveItem::DynamicProperty { target: *base, key: *index, span })
            }
            _ => Err(self.misplaced(target.span, "a property or labels")),
        }
    }

    /// What can be set or removed: an expression without operators around it.
    fn target(&mut self) -> Result<Expr, ParseError> {
        self.operand(Self::postfix)
    }

    /// The variable and labels of `n:A:B`; anything but a list of labels is refused.
    fn labels_of(&self, target: Expr) -> Result<(Name, Vec<Name>), ParseError> {
        let span = target.span;
        let ExprKind::HasLabels { operand, labels } = target.kind else {
            return Err(self.misplaced(span, "labels"));
        };
        let ExprKind::Variable(variable) = operand.kind else {
            return Err(self.misplaced(operand.span, "a variable"));
        };
        match labels.conjunction() {
            Some(names) => Ok((variable, names.into_iter().cloned().collect())),
            None => Err(self.misplaced(labels.span(), "labels joined by \":\"")),
        }
    }

    fn misplaced(&self, span: Span, expected: &str) -> ParseError {
        ParseError::unexpected(self.cursor.text_of(span), span)
            .with_hint(format!("Expected {expected}."))
    }

    fn delete(&mut self, start: Span, detach: bool) -> Result<Clause, ParseError> {
        let mut targets = vec![self.delete_target()?];
        while self.cursor.eat_symbol(",") {
            targets.push(self.delete_target()?);
        }
        Ok(Clause::Delete(Delete { detach, targets, span: self.cursor.span_from(start) }))
    }

    fn delete_target(&mut self) -> Result<Expr, ParseError> {
        let target = self.value()?;
        match target.kind {
            ExprKind::HasLabels { .. } => {
                Err(ParseError::syntax("DELETE cannot remove labels or types", target.span)
                    .with_detail(SyntaxDetail::InvalidDelete)
                    .with_hint("Use REMOVE for labels."))
            }
            _ => Ok(target),
        }
    }

    /// `FOREACH (variable IN list | clauses)`.
    fn foreach(&mut self, start: Span) -> Result<Clause, ParseError> {
        self.cursor.expect_symbol("(")?;
        let (variable, list, clauses) = self.bracketed(|parser| {
            let (variable, list) = parser.iteration()?;
            parser.cursor.expect_symbol("|")?;
            let clauses = parser.deeper(Self::foreach_clauses)?;
            Ok((variable, list, clauses))
        })?;
        self.cursor.expect_symbol(")")?;
        let span = self.cursor.span_from(start);
        Ok(Clause::Foreach(Foreach { variable, list, clauses, span }))
    }

    fn foreach_clauses(&mut self) -> Result<Vec<Clause>, ParseError> {
        let mut clauses = Vec::new();
        while let Some(clause) = self.writing_clause()? {
            clauses.push(clause);
        }
        if clauses.is_empty() || !self.cursor.is_symbol(")") {
            let error = self.cursor.unexpected(WRITING_WORDS);
            return Err(error.with_detail(SyntaxDetail::InvalidClauseComposition));
        }
        Ok(clauses)
    }
}

/// What a written pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Created,
    Merged,
}

/// Refuses in a written path what only a search can mean.
fn check_written(path: &PathPattern<Expr>, written: Written) -> Result<(), ParseError> {
    if path.prefix.selector.is_some() || path.prefix.mode.is_some() {
        let message = "a path selector or mode is allowed only in MATCH";
        return Err(ParseError::syntax(message, path.prefix.span)
            .with_detail(SyntaxDetail::UnexpectedSyntax));
    }
    for element in &path.elements {
        match element {
            PathElement::Vertex(vertex) => check_filler(&vertex.filler, vertex.span, written)?,
            PathElement::Edge(edge) => check_written_edge(edge, written)?,
            PathElement::Group(group) => {
                let message = "a quantified path pattern is allowed only in MATCH";
                return Err(ParseError::syntax(message, group.span)
                    .with_detail(SyntaxDetail::UnexpectedSyntax));
            }
        }
    }
    Ok(())
}

fn check_filler(
    filler: &ElementFiller<Expr>,
    span: Span,
    written: Written,
) -> Result<(), ParseError> {
    if let Some(condition) = &filler.condition {
        let message = "WHERE inside a pattern is allowed only in MATCH";
        return Err(
            ParseError::syntax(message, condition.span).with_detail(SyntaxDetail::UnexpectedSyntax)
        );
    }
    if let Some(labels) = &filler.labels
        && labels.conjunction().is_none()
    {
        let message = "a label expression is allowed only in MATCH";
        return Err(
            ParseError::syntax(message, labels.span()).with_detail(SyntaxDetail::UnexpectedSyntax)
        );
    }
    match (&filler.properties, written) {
        (Some(Properties::Parameter(_)), Written::Merged) => {
            Err(parameter_misuse(filler, span, "MERGE"))
        }
        _ => Ok(()),
    }
}

fn check_written_edge(edge: &EdgePattern<Expr>, written: Written) -> Result<(), ParseError> {
    let refuse = |message: &str, span: Span, detail: SyntaxDetail| {
        Err(ParseError::syntax(message, span).with_detail(detail))
    };
    if let Some(quantifier) = edge.quantifier {
        let message = "a relationship of variable length cannot be created";
        return refuse(message, quantifier.span, SyntaxDetail::CreatingVarLength);
    }
    // An edge that is only a variable may repeat one that is bound, which is another error; the binder knows.
    let has_one_type = match &edge.filler.labels {
        Some(labels) => labels.conjunction().is_some_and(|types| types.len() == 1),
        None => edge.filler.variable.is_some(),
    };
    if !has_one_type {
        let message = "a relationship must be created with exactly one type";
        return refuse(message, edge.span, SyntaxDetail::NoSingleRelationshipType);
    }
    let is_directed = matches!(edge.direction, EdgeDirection::Left | EdgeDirection::Right);
    if written == Written::Created && !is_directed {
        let message = "a relationship must be created with one direction";
        return refuse(message, edge.span, SyntaxDetail::RequiresDirectedRelationship);
    }
    check_filler(&edge.filler, edge.span, written)
}

/// Refuses `(n $parameter)` in a search: a whole map cannot be a filter.
pub(super) fn check_match_parameters(elements: &[PathElement<Expr>]) -> Result<(), ParseError> {
    for element in elements {
        let (filler, span) = match element {
            PathElement::Vertex(vertex) => (&vertex.filler, vertex.span),
            PathElement::Edge(edge) => (&edge.filler, edge.span),
            PathElement::Group(group) => {
                check_match_parameters(&group.elements)?;
                continue;
            }
        };
        if let Some(Properties::Parameter(_)) = filler.properties {
            return Err(parameter_misuse(filler, span, "MATCH"));
        }
    }
    Ok(())
}

fn parameter_misuse(filler: &ElementFiller<Expr>, span: Span, clause: &str) -> ParseError {
    let span = match &filler.properties {
        Some(Properties::Parameter(parameter)) => parameter.span,
        _ => span,
    };
    let message = format!("a parameter cannot stand for all properties in {clause}");
    ParseError::syntax(message, span)
        .with_detail(SyntaxDetail::InvalidParameterUse)
        .with_hint("Write {key: $parameter.key, …}.")
}
