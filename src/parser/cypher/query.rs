//! Reads queries: clauses in their order, and unions.

use super::ast::{Clause, GraphReference, Query, SingleQuery, UnionKind, Yield};
use super::parser::Parser;
use crate::parser::error::{ParseError, SyntaxDetail};
use crate::parser::span::Span;

/// Words a clause begins with.
const CLAUSE_WORDS: &[&str] = &[
    "MATCH", "OPTIONAL", "WITH", "RETURN", "UNWIND", "CREATE", "MERGE", "SET", "REMOVE", "DELETE",
    "DETACH", "FOREACH", "CALL", "LOAD", "FINISH", "UNION",
];

/// Where a query stands, which decides how it may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryRole {
    /// A statement, or the body of `CALL { }`: ends with `RETURN`, `FINISH`, writing, or a procedure call.
    Whole,
    /// The body of `EXISTS { }` or `COUNT { }`: only reads; may end anywhere.
    Tested,
    /// The body of `COLLECT { }`: only reads and returns.
    Collected,
}

impl Parser<'_> {
    /// A query up to the end, or to the brace that closes it.
    pub(super) fn query(&mut self, role: QueryRole) -> Result<Query, ParseError> {
        self.deeper(|parser| parser.union_query(role))
    }

    fn union_query(&mut self, role: QueryRole) -> Result<Query, ParseError> {
        let start = self.cursor.peek().span;
        let mut parts = vec![self.single_query(role)?];
        let mut union = None;
        while self.cursor.is_word("UNION") {
            let kind = self.union_kind(union)?;
            union = Some(kind);
            parts.push(self.single_query(role)?);
        }
        let union = union.unwrap_or(UnionKind::Distinct);
        Ok(Query { parts, union, span: self.cursor.span_from(start) })
    }

    fn union_kind(&mut self, before: Option<UnionKind>) -> Result<UnionKind, ParseError> {
        let start = self.cursor.expect_word("UNION")?;
        let kind = match self.cursor.eat_word("ALL") {
            true => UnionKind::All,
            false => UnionKind::Distinct,
        };
        if kind == UnionKind::Distinct {
            self.cursor.eat_word("DISTINCT");
        }
        if before.is_some_and(|before| before != kind) {
            let message = "UNION and UNION ALL cannot be mixed in one query";
            return Err(composition(message, self.cursor.span_from(start)));
        }
        Ok(kind)
    }

    fn single_query(&mut self, role: QueryRole) -> Result<SingleQuery, ParseError> {
        let start = self.cursor.peek().span;
        let graph = match self.cursor.is_word("USE") {
            true => Some(self.use_graph()?),
            false => None,
        };
        let mut clauses: Vec<Clause> = Vec::new();
        while let Some(clause) = self.clause()? {
            check_order(&clauses, &clause, role)?;
            clauses.push(clause);
        }
        let ends =
            self.cursor.at_end() || self.cursor.is_symbol("}") || self.cursor.is_word("UNION");
        if clauses.is_empty() || !ends {
            return Err(self.cursor.unexpected(CLAUSE_WORDS));
        }
        self.check_end(&clauses, role)?;
        check_calls(&clauses)?;
        Ok(SingleQuery { graph, clauses, span: self.cursor.span_from(start) })
    }

    /// `USE a.b`.
    fn use_graph(&mut self) -> Result<GraphReference, ParseError> {
        self.cursor.expect_word("USE")?;
        self.cursor.eat_word("GRAPH");
        let start = self.cursor.peek().span;
        let mut parts = vec![self.cursor.name()?];
        while self.cursor.eat_symbol(".") {
            parts.push(self.cursor.name()?);
        }
        if self.cursor.is_symbol("(") {
            let span = self.cursor.span_from(start);
            return self.unsupported(
                "a graph function in USE",
                span,
                "Write the name of the graph.",
            );
        }
        Ok(GraphReference { parts, span: self.cursor.span_from(start) })
    }

    /// Refuses a query that ends with a clause whose rows go nowhere.
    fn check_end(&self, clauses: &[Clause], role: QueryRole) -> Result<(), ParseError> {
        let Some(last) = clauses.last() else { return Ok(()) };
        let is_complete = match last {
            Clause::Return(_) => true,
            Clause::Finish(_) => role == QueryRole::Whole,
            Clause::Call(call) => {
                role == QueryRole::Tested || clauses.len() == 1 || call.yields == Yield::None
            }
            Clause::Subquery(call) => role == QueryRole::Tested || !returns(&call.query),
            other => role == QueryRole::Tested || other.is_writing(),
        };
        if is_complete {
            return Ok(());
        }
        let word = clause_word(last);
        let span = self.cursor.peek().span;
        let near = self.cursor.text_of(span);
        Err(ParseError::unexpected(near, span)
            .with_detail(SyntaxDetail::InvalidClauseComposition)
            .with_hint(format!("A query cannot end with {word}; add RETURN.")))
    }
}

/// Refuses a clause that cannot follow those before it.
fn check_order(before: &[Clause], clause: &Clause, role: QueryRole) -> Result<(), ParseError> {
    let word = clause_word(clause);
    let span = keyword_span(clause, word);
    if let Some(last @ (Clause::Return(_) | Clause::Finish(_))) = before.last() {
        return Err(composition(&format!("{word} cannot follow {}", clause_word(last)), span));
    }
    if role != QueryRole::Whole && clause.is_writing() {
        return Err(composition(&format!("{word} is not allowed in a subquery expression"), span));
    }
    let reads = matches!(
        clause,
        Clause::Match(_)
            | Clause::Unwind(_)
            | Clause::Call(_)
            | Clause::Subquery(_)
            | Clause::LoadCsv(_)
    );
    let written = before.iter().rev().take_while(|clause| !matches!(clause, Clause::With(_)));
    let written = written.filter(|clause| !matches!(clause, Clause::Subquery(_)));
    match written.into_iter().find(|clause| clause.is_writing()) {
        Some(writing) if reads => {
            let message = format!("WITH is required between {} and {word}", clause_word(writing));
            Err(composition(&message, span))
        }
        _ => Ok(()),
    }
}

/// Refuses forms of `CALL` that only a call on its own may have.
fn check_calls(clauses: &[Clause]) -> Result<(), ParseError> {
    if clauses.len() == 1 {
        return Ok(());
    }
    for clause in clauses {
        let Clause::Call(call) = clause else { continue };
        if call.arguments.is_none() {
            let message = "a procedure call inside a query needs its arguments in parentheses";
            return Err(ParseError::syntax(message, call.span)
                .with_detail(SyntaxDetail::InvalidArgumentPassingMode));
        }
        if call.yields == Yield::Star {
            return Err(ParseError::syntax(
                "YIELD * is allowed only in a CALL on its own",
                call.span,
            )
            .with_detail(SyntaxDetail::UnexpectedSyntax)
            .with_hint("Name the columns after YIELD."));
        }
    }
    Ok(())
}

/// True if a query gives rows: its `CALL { }` then is no end of a statement.
fn returns(query: &Query) -> bool {
    query.parts.iter().any(|part| matches!(part.clauses.last(), Some(Clause::Return(_))))
}

fn composition(message: &str, span: Span) -> ParseError {
    ParseError::syntax(message, span).with_detail(SyntaxDetail::InvalidClauseComposition)
}

fn keyword_span(clause: &Clause, word: &str) -> Span {
    let start = clause.span().start;
    let length = u32::try_from(word.len()).unwrap_or(0);
    Span::new(start, start + length.min(clause.span().end - start))
}

fn clause_word(clause: &Clause) -> &'static str {
    match clause {
        Clause::Match(clause) if clause.optional => "OPTIONAL MATCH",
        Clause::Match(_) => "MATCH",
        Clause::Unwind(_) => "UNWIND",
        Clause::With(_) => "WITH",
        Clause::Return(_) => "RETURN",
        Clause::Finish(_) => "FINISH",
        Clause::Create(_) => "CREATE",
        Clause::Merge(_) => "MERGE",
        Clause::Set(_) => "SET",
        Clause::Remove(_) => "REMOVE",
        Clause::Delete(_) => "DELETE",
        Clause::Foreach(_) => "FOREACH",
        Clause::Call(_) | Clause::Subquery(_) => "CALL",
        Clause::LoadCsv(_) => "LOAD CSV",
    }
}
