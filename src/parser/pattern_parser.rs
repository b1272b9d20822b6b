//! Reads graph patterns, for Cypher and SQL/PGQ alike.
//!
//! The two languages differ in what an expression is and in a few forms that one of them lacks; both are behind
//! [`PatternLanguage`].

use super::error::{ParseError, SyntaxDetail};
use super::label_parser::label_expression;
use super::pattern::{
    EdgeDirection, EdgePattern, ElementFiller, GraphPattern, GroupPattern, MatchMode, Name,
    PathElement, PathMode, PathPattern, PathPrefix, PathSelector, Properties, Quantifier,
    QuantifierForm, VertexPattern,
};
use super::span::Span;
use super::token::{Cursor, TokenKind};

/// What a graph pattern takes from the language around it.
pub(super) trait PatternLanguage<'a> {
    /// The expression.
    type Expr;

    /// True for Cypher: `--` is an edge, `*1..3` stands inside brackets, vertices may not be left out.
    const IS_CYPHER: bool;

    fn cursor(&mut self) -> &mut Cursor<'a>;

    /// The expression behind `WHERE`.
    fn condition(&mut self) -> Result<Self::Expr, ParseError>;

    /// The property map of an element, if one stands here.
    fn properties(&mut self) -> Result<Option<Properties<Self::Expr>>, ParseError>;

    /// A name that an expression can use later.
    fn variable(&mut self) -> Result<Name, ParseError>;
}

type Elements<E> = Vec<PathElement<E>>;

const MODES: [(&str, PathMode); 4] = [
    ("WALK", PathMode::Walk),
    ("TRAIL", PathMode::Trail),
    ("ACYCLIC", PathMode::Acyclic),
    ("SIMPLE", PathMode::Simple),
];

/// Words that can stand in front of a path pattern.
const PREFIX_WORDS: [&str; 7] = ["ALL", "ANY", "SHORTEST", "WALK", "TRAIL", "ACYCLIC", "SIMPLE"];

/// What stands behind `MATCH`, up to and including its `WHERE`.
pub(super) fn graph_pattern<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<GraphPattern<L::Expr>, ParseError> {
    let start = language.cursor().peek().span;
    let match_mode = match_mode(language.cursor())?;
    let paths = path_patterns(language)?;
    let keep = match language.cursor().eat_word("KEEP") {
        true => Some(keep(language.cursor())?),
        false => None,
    };
    let condition = match language.cursor().eat_word("WHERE") {
        true => Some(language.condition()?),
        false => None,
    };
    let span = language.cursor().span_from(start);
    Ok(GraphPattern { match_mode, paths, keep, condition, span })
}

/// Path patterns with commas between: one or more.
pub(super) fn path_patterns<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<Vec<PathPattern<L::Expr>>, ParseError> {
    let mut paths = vec![path_pattern(language)?];
    while language.cursor().eat_symbol(",") {
        paths.push(path_pattern(language)?);
    }
    Ok(paths)
}

fn match_mode(cursor: &mut Cursor<'_>) -> Result<Option<MatchMode>, ParseError> {
    if cursor.eat_words(&["DIFFERENT", "EDGE"]) {
        cursor.eat_word("BINDINGS");
        return Ok(Some(MatchMode::DifferentEdges));
    }
    if cursor.eat_words(&["DIFFERENT", "EDGES"])
        || cursor.eat_words(&["DIFFERENT", "RELATIONSHIPS"])
        || cursor.eat_words(&["DIFFERENT", "RELATIONSHIP"])
    {
        return Ok(Some(MatchMode::DifferentEdges));
    }
    if cursor.eat_words(&["REPEATABLE", "ELEMENTS"]) {
        return Ok(Some(MatchMode::RepeatableElements));
    }
    if cursor.eat_words(&["REPEATABLE", "ELEMENT"]) {
        cursor.eat_word("BINDINGS");
        return Ok(Some(MatchMode::RepeatableElements));
    }
    Ok(None)
}

fn keep(cursor: &mut Cursor<'_>) -> Result<PathPrefix, ParseError> {
    let prefix = path_prefix(cursor)?;
    match prefix.selector.is_none() && prefix.mode.is_none() {
        true => Err(cursor.unexpected(&PREFIX_WORDS)),
        false => Ok(prefix),
    }
}

/// One path pattern with its variable and prefix, or Cypher's `shortestPath( … )`.
pub(super) fn path_pattern<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<PathPattern<L::Expr>, ParseError> {
    let start = language.cursor().peek().span;
    let variable = path_variable(language)?;
    if L::IS_CYPHER && shortest_path_selector(language.cursor()).is_some() {
        let mut path = shortest_path(language)?;
        path.variable = variable;
        path.span = language.cursor().span_from(start);
        return Ok(path);
    }
    let prefix = path_prefix(language.cursor())?;
    let elements = elements(language)?;
    refuse_alternation(language.cursor(), L::IS_CYPHER)?;
    let span = language.cursor().span_from(start);
    Ok(PathPattern { variable, prefix, elements, span })
}

fn path_variable<'a, L: PatternLanguage<'a>>(language: &mut L) -> Result<Option<Name>, ParseError> {
    let cursor = language.cursor();
    if !(cursor.is_name_at(0) && cursor.is_symbol_at(1, "=")) {
        return Ok(None);
    }
    let name = language.variable()?;
    language.cursor().advance();
    Ok(Some(name))
}

/// Which of Cypher's two functions stands here, if its parenthesis follows.
pub(super) fn shortest_path_selector(cursor: &Cursor<'_>) -> Option<PathSelector> {
    if !cursor.is_symbol_at(1, "(") {
        return None;
    }
    if cursor.is_word("SHORTESTPATH") {
        return Some(PathSelector::ShortestPathFunction);
    }
    cursor.is_word("ALLSHORTESTPATHS").then_some(PathSelector::AllShortestPathsFunction)
}

/// `shortestPath((a)-[*]-(b))`: one edge between two vertices.
pub(super) fn shortest_path<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<PathPattern<L::Expr>, ParseError> {
    let cursor = language.cursor();
    let start = cursor.peek().span;
    let selector = shortest_path_selector(cursor);
    cursor.advance();
    cursor.expect_symbol("(")?;
    let elements = elements(language)?;
    let cursor = language.cursor();
    let is_one_edge = matches!(
        elements.as_slice(),
        [PathElement::Vertex(_), PathElement::Edge(_), PathElement::Vertex(_)]
    );
    if !is_one_edge {
        let message = "a shortest path needs one relationship pattern between two nodes";
        return Err(ParseError::syntax(message, cursor.span_from(start))
            .with_detail(SyntaxDetail::UnexpectedSyntax));
    }
    cursor.expect_symbol(")")?;
    let span = cursor.span_from(start);
    let prefix = PathPrefix { selector, mode: None, span: start };
    Ok(PathPattern { variable: None, prefix, elements, span })
}

/// Selector and mode, in any of the standard's forms; nothing is legal too.
fn path_prefix(cursor: &mut Cursor<'_>) -> Result<PathPrefix, ParseError> {
    let start = cursor.peek().span;
    let selector = selector(cursor)?;
    let mode = MODES.iter().find(|(word, _)| cursor.eat_word(word)).map(|(_, mode)| *mode);
    if selector.is_none() && mode.is_none() {
        return Ok(PathPrefix { selector, mode, span: Span::new(start.start, start.start) });
    }
    if !cursor.eat_word("PATH") {
        cursor.eat_word("PATHS");
    }
    let selector = match selector {
        Some(PathSelector::Shortest { count })
            if cursor.eat_word("GROUPS") || cursor.eat_word("GROUP") =>
        {
            Some(PathSelector::ShortestGroups { count })
        }
        other => other,
    };
    Ok(PathPrefix { selector, mode, span: cursor.span_from(start) })
}

fn selector(cursor: &mut Cursor<'_>) -> Result<Option<PathSelector>, ParseError> {
    if cursor.eat_word("ALL") {
        let shortest = cursor.eat_word("SHORTEST");
        return Ok(Some(if shortest { PathSelector::AllShortest } else { PathSelector::All }));
    }
    if cursor.eat_word("ANY") {
        if cursor.eat_word("SHORTEST") {
            return Ok(Some(PathSelector::AnyShortest));
        }
        return Ok(Some(PathSelector::Any { count: path_count(cursor)? }));
    }
    if cursor.eat_word("SHORTEST") {
        return Ok(Some(PathSelector::Shortest { count: path_count(cursor)? }));
    }
    Ok(None)
}

/// A number of paths; 1 where none is written.
fn path_count(cursor: &mut Cursor<'_>) -> Result<u64, ParseError> {
    let span = cursor.peek().span;
    match &cursor.peek().kind {
        TokenKind::Integer(0) => {
            Err(ParseError::syntax("the number of paths must be positive", span))
        }
        TokenKind::Integer(_) => cursor.integer(),
        TokenKind::Parameter(_) => {
            Err(ParseError::unsupported("a parameter cannot be the number of paths", span)
                .with_hint("Write the number itself."))
        }
        _ => Ok(1),
    }
}

/// Elements up to the first token that cannot belong to the path.
fn elements<'a, L: PatternLanguage<'a>>(language: &mut L) -> Result<Elements<L::Expr>, ParseError> {
    let mut elements: Elements<L::Expr> = Vec::new();
    loop {
        let cursor = language.cursor();
        let element = if cursor.is_symbol("(") {
            match is_group(cursor) {
                true => PathElement::Group(group(language)?),
                false => PathElement::Vertex(vertex(language)?),
            }
        } else if is_edge(cursor) {
            PathElement::Edge(edge(language)?)
        } else {
            break;
        };
        check_neighbors::<L>(elements.last(), &element)?;
        elements.push(element);
    }
    let cursor = language.cursor();
    match elements.last() {
        None => Err(cursor.unexpected(&["\"(\" of a vertex"])),
        Some(PathElement::Edge(_)) if L::IS_CYPHER => Err(cursor.unexpected(&["\"(\" of a node"])),
        Some(_) => Ok(elements),
    }
}

/// Refuses elements that cannot stand side by side.
fn check_neighbors<'a, L: PatternLanguage<'a>>(
    before: Option<&PathElement<L::Expr>>,
    element: &PathElement<L::Expr>,
) -> Result<(), ParseError> {
    let refused = match (before, element) {
        (Some(PathElement::Vertex(_)), PathElement::Vertex(_)) => true,
        (None | Some(PathElement::Edge(_)), PathElement::Edge(_)) => L::IS_CYPHER,
        _ => false,
    };
    if !refused {
        return Ok(());
    }
    let span = element.span();
    let near = if matches!(element, PathElement::Vertex(_)) { "(" } else { "-" };
    Err(ParseError::unexpected(near, Span::new(span.start, span.start + 1)))
}

/// True if `(` opens a parenthesized path pattern, not a vertex.
fn is_group(cursor: &Cursor<'_>) -> bool {
    let opens_path =
        |ahead| ["(", "-", "<", "~"].iter().any(|symbol| cursor.is_symbol_at(ahead, symbol));
    let is_prefix = |ahead| PREFIX_WORDS.iter().any(|word| cursor.is_word_at(ahead, word));
    opens_path(1)
        || (cursor.is_name_at(1) && cursor.is_symbol_at(2, "="))
        || (is_prefix(1) && (opens_path(2) || is_prefix(2) || cursor.is_word_at(2, "PATH")))
}

fn is_edge(cursor: &Cursor<'_>) -> bool {
    let dash_at = |ahead| cursor.is_symbol_at(ahead, "-") || cursor.is_symbol_at(ahead, "~");
    dash_at(0) || (cursor.is_symbol("<") && dash_at(1))
}

/// `( [variable =] [mode] elements [WHERE condition] ) [quantifier]`.
fn group<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<GroupPattern<L::Expr>, ParseError> {
    let start = language.cursor().expect_symbol("(")?;
    language.cursor().enter()?;
    let variable = path_variable(language)?;
    let prefix = path_prefix(language.cursor())?;
    if prefix.selector.is_some() {
        let message = "a path selector is not supported inside a parenthesized path pattern";
        return Err(ParseError::unsupported(message, prefix.span)
            .with_hint("Write the selector in front of the whole path pattern."));
    }
    let elements = elements(language)?;
    refuse_alternation(language.cursor(), L::IS_CYPHER)?;
    let condition = where_condition(language)?;
    language.cursor().leave();
    language.cursor().expect_symbol(")")?;
    let quantifier = quantifier(language.cursor())?;
    let span = language.cursor().span_from(start);
    Ok(GroupPattern { variable, prefix, elements, condition, quantifier, span })
}

fn where_condition<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<Option<L::Expr>, ParseError> {
    match language.cursor().eat_word("WHERE") {
        true => Ok(Some(language.condition()?)),
        false => Ok(None),
    }
}

/// `|` and `|+|` between paths. (In Cypher a bar behind a path belongs to the comprehension around it.)
fn refuse_alternation(cursor: &Cursor<'_>, is_cypher: bool) -> Result<(), ParseError> {
    if is_cypher || !cursor.is_symbol("|") {
        return Ok(());
    }
    let message = "alternatives of path patterns are not supported";
    Err(ParseError::unsupported(message, cursor.peek().span)
        .with_hint("Use a label disjunction, or UNION ALL of two queries."))
}

fn vertex<'a, L: PatternLanguage<'a>>(
    language: &mut L,
) -> Result<VertexPattern<L::Expr>, ParseError> {
    let start = language.cursor().expect_symbol("(")?;
    let (filler, _) = filler(language, false)?;
    language.cursor().expect_symbol(")")?;
    Ok(VertexPattern { filler, span: language.cursor().span_from(start) })
}

fn edge<'a, L: PatternLanguage<'a>>(language: &mut L) -> Result<EdgePattern<L::Expr>, ParseError> {
    let cursor = language.cursor();
    let start = cursor.peek().span;
    let left = cursor.eat_symbol("<");
    let undirected = cursor.eat_symbol("~");
    if !undirected {
        cursor.expect_symbol("-")?;
    }
    let dash = if undirected { "~" } else { "-" };
    let (filler, hops) = if cursor.eat_symbol("[") {
        let inside = filler(language, true)?;
        language.cursor().expect_symbol("]")?;
        language.cursor().expect_symbol(dash)?;
        inside
    } else {
        // Cypher writes `--`; the standard one dash, as `--` starts a comment there.
        if L::IS_CYPHER {
            cursor.expect_symbol(dash)?;
        }
        (ElementFiller::default(), None)
    };
    let cursor = language.cursor();
    let right = cursor.eat_symbol(">");
    let direction = direction(left, right, undirected)
        .ok_or_else(|| ParseError::unexpected(">", cursor.span_from(start)))?;
    let behind = quantifier(cursor)?;
    if let (Some(_), Some(second)) = (hops, behind) {
        let near = cursor.text_of(second.span);
        return Err(ParseError::unexpected(near, second.span));
    }
    let span = cursor.span_from(start);
    Ok(EdgePattern { filler, direction, quantifier: hops.or(behind), span })
}

fn direction(left: bool, right: bool, undirected: bool) -> Option<EdgeDirection> {
    match (left, right, undirected) {
        (false, false, false) => Some(EdgeDirection::Any),
        (false, true, false) => Some(EdgeDirection::Right),
        (true, false, false) => Some(EdgeDirection::Left),
        (true, true, false) => Some(EdgeDirection::LeftOrRight),
        (false, false, true) => Some(EdgeDirection::Undirected),
        (true, false, true) => Some(EdgeDirection::LeftOrUndirected),
        (false, true, true) => Some(EdgeDirection::UndirectedOrRight),
        (true, true, true) => None,
    }
}

/// What stands inside a vertex or edge, and an edge's `*1..3`.
fn filler<'a, L: PatternLanguage<'a>>(
    language: &mut L,
    is_edge: bool,
) -> Result<(ElementFiller<L::Expr>, Option<Quantifier>), ParseError> {
    language.cursor().enter()?;
    let variable = match has_variable(language.cursor()) {
        true => Some(language.variable()?),
        false => None,
    };
    let cursor = language.cursor();
    let labels = match cursor.eat_symbol(":") || cursor.eat_word("IS") {
        true => Some(label_expression(cursor, L::IS_CYPHER)?),
        false => None,
    };
    let hops = match is_edge && L::IS_CYPHER && cursor.is_symbol("*") {
        true => Some(hops(cursor)?),
        false => None,
    };
    let properties = language.properties()?;
    let condition = where_condition(language)?;
    language.cursor().leave();
    Ok((ElementFiller { variable, labels, properties, condition }, hops))
}

/// `IS` and `WHERE` may also be names of variables: then nothing follows that they could introduce.
fn has_variable(cursor: &Cursor<'_>) -> bool {
    if !cursor.is_name_at(0) {
        return false;
    }
    let introduces = cursor.is_word("IS") || cursor.is_word("WHERE");
    let ends = [")", "]", ":", "{"].iter().any(|symbol| cursor.is_symbol_at(1, symbol));
    !introduces || ends
}

/// Cypher's `*`, `*2`, `*1..`, `*..3`, `*1..3`.
fn hops(cursor: &mut Cursor<'_>) -> Result<Quantifier, ParseError> {
    let start = cursor.expect_symbol("*")?;
    let first = hop_count(cursor)?;
    let (min, max) = match cursor.eat_symbol("..") {
        true => (first.unwrap_or(1), hop_count(cursor)?),
        false => (first.unwrap_or(1), first),
    };
    let span = cursor.span_from(start);
    Ok(Quantifier { min, max, form: QuantifierForm::VariableLength, span })
}

fn hop_count(cursor: &mut Cursor<'_>) -> Result<Option<u64>, ParseError> {
    match &cursor.peek().kind {
        TokenKind::Integer(_) => cursor.integer().map(Some),
        TokenKind::Parameter(_) => {
            let message = "a parameter cannot be the length of a path";
            Err(ParseError::syntax(message, cursor.peek().span)
                .with_detail(SyntaxDetail::InvalidParameterUse))
        }
        _ => Ok(None),
    }
}

/// `*`, `+`, `?`, `{m}`, `{m,}`, `{,n}`, `{m,n}`.
fn quantifier(cursor: &mut Cursor<'_>) -> Result<Option<Quantifier>, ParseError> {
    let start = cursor.peek().span;
    let postfix = QuantifierForm::Postfix;
    let (min, max, form) = if cursor.eat_symbol("*") {
        (0, None, postfix)
    } else if cursor.eat_symbol("+") {
        (1, None, postfix)
    } else if cursor.eat_symbol("?") {
        (0, Some(1), QuantifierForm::Optional)
    } else if cursor.eat_symbol("{") {
        let (min, max) = braced_counts(cursor)?;
        cursor.expect_symbol("}")?;
        (min, max, postfix)
    } else {
        return Ok(None);
    };
    let span = cursor.span_from(start);
    if max.is_some_and(|max| max < min || max == 0) {
        let message =
            "the upper bound of a quantifier must be positive and not less than the lower bound";
        return Err(ParseError::syntax(message, span));
    }
    Ok(Some(Quantifier { min, max, form, span }))
}

fn braced_counts(cursor: &mut Cursor<'_>) -> Result<(u64, Option<u64>), ParseError> {
    if cursor.eat_symbol(",") {
        return Ok((0, Some(cursor.integer()?)));
    }
    let min = cursor.integer()?;
    if !cursor.eat_symbol(",") {
        return Ok((min, Some(min)));
    }
    let has_max = matches!(cursor.peek().kind, TokenKind::Integer(_));
    Ok((min, if has_max { Some(cursor.integer()?) } else { None }))
}
