//! Reads the statements that `sqlparser` does not know and that have no other form it knows.

use sqlparser::ast::Ident;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lexer::SqlLexer;
use super::parse::{statement, unexpected};
use super::place::byte_span;
use super::{definition, do_block, roles, tenancy};
use crate::parser::error::ParseError;
use crate::parser::span::Span;
use crate::parser::statement::Utility;

/// Statements of PostgreSQL that are known here only to be refused as such, by their first words.
const UNSUPPORTED: &[&[&str]] = &[
    &["ALTER", "SYSTEM"],
    &["COMMIT", "PREPARED"],
    &["CREATE", "AGGREGATE"],
    &["CREATE", "CAST"],
    &["CREATE", "COLLATION"],
    &["CREATE", "EVENT", "TRIGGER"],
    &["CREATE", "FOREIGN"],
    &["CREATE", "LANGUAGE"],
    &["CREATE", "OR", "REPLACE", "RULE"],
    &["CREATE", "PUBLICATION"],
    &["CREATE", "RULE"],
    &["CREATE", "STATISTICS"],
    &["CREATE", "SUBSCRIPTION"],
    &["CREATE", "TABLESPACE"],
    &["IMPORT", "FOREIGN", "SCHEMA"],
    &["PREPARE", "TRANSACTION"],
    &["ROLLBACK", "PREPARED"],
    &["SECURITY", "LABEL"],
];

/// Words a Cypher query begins with and no query of SQL.
const CYPHER_WORDS: &[&str] = &["MATCH", "OPTIONAL", "UNWIND", "RETURN", "USE", "CALL"];

/// The statement, if it is one of these.
pub(in crate::parser) fn utility(
    text: &str,
    tokens: &[TokenWithSpan],
    end: Span,
) -> Result<Option<Utility>, ParseError> {
    if let Some(definition) = definition::definition(text, tokens, end)? {
        return Ok(Some(Utility::Definition(Box::new(definition))));
    }
    if let Some(statement) = roles::role_statement(text, tokens, end)? {
        return Ok(Some(Utility::Roles(Box::new(statement))));
    }
    if let Some(tenancy) = tenancy::tenancy(text, tokens, end)? {
        return Ok(Some(Utility::Tenancy(Box::new(tenancy))));
    }
    let mut reader = Reader { text, tokens, position: 0, end };
    if let Some(block) = do_block::block(tokens, reader.span())? {
        return Ok(Some(block));
    }
    if reader.eat("MOVE") {
        return movement(text, tokens, end).map(Some);
    }
    if reader.eat("CHECKPOINT") {
        reader.finish()?;
        return Ok(Some(Utility::Checkpoint));
    }
    if reader.is_at(0, "SET") && reader.is_at(1, "CONSTRAINTS") {
        reader.position = 2;
        return set_constraints(reader).map(Some);
    }
    let is_here =
        |words: &&&[&str]| words.iter().enumerate().all(|(index, word)| reader.is_at(index, word));
    if let Some(words) = UNSUPPORTED.iter().find(is_here) {
        let message = format!("{} is not supported", words.join(" "));
        return Err(ParseError::unsupported(message, reader.span()));
    }
    match reader.embedded_cypher() {
        Some(index) => with_cypher(text, tokens, index, end).map(Some),
        None => Ok(None),
    }
}

/// `PREPARE … AS` and `DECLARE … FOR` whose query is Cypher, which begins at the token `index`.
fn with_cypher(
    text: &str,
    tokens: &[TokenWithSpan],
    index: usize,
    end: Span,
) -> Result<Utility, ParseError> {
    let place = tokens.get(index).map(|token| token.span);
    let (Some(place), Some(start)) = (place, place.and_then(byte_span)) else {
        return Err(unexpected(text, end, Some("a query")));
    };
    let mut outer: Vec<TokenWithSpan> = tokens.iter().take(index).cloned().collect();
    let one = [Token::make_word("SELECT", None), Token::Number("1".to_owned(), false)];
    outer.extend(one.map(|token| TokenWithSpan::new(token, place)));
    let outer = Box::new(statement(text, outer, end)?);
    let query = text.get(start.start as usize..end.start as usize).unwrap_or_default();
    let query = Box::new(crate::parser::cypher::parse(query, start.start)?);
    Ok(Utility::WithCypher { outer, query })
}

/// `MOVE` has the grammar of `FETCH`.
fn movement(text: &str, tokens: &[TokenWithSpan], end: Span) -> Result<Utility, ParseError> {
    let mut tokens = tokens.to_vec();
    if let Some(first) = tokens.first_mut() {
        first.token = Token::make_word("FETCH", None);
    }
    Ok(Utility::Move(Box::new(statement(text, tokens, end)?)))
}

/// `SET CONSTRAINTS { ALL | name, … } { DEFERRED | IMMEDIATE }`.
fn set_constraints(mut reader: Reader<'_>) -> Result<Utility, ParseError> {
    let mut names = Vec::new();
    if !reader.eat("ALL") {
        names.push(reader.qualified_name()?);
        while reader.eat_token(&Token::Comma) {
            names.push(reader.qualified_name()?);
        }
    }
    let deferred = reader.eat("DEFERRED");
    if !deferred && !reader.eat("IMMEDIATE") {
        return Err(reader.unexpected("DEFERRED or IMMEDIATE"));
    }
    reader.finish()?;
    Ok(Utility::SetConstraints { names, deferred })
}

/// Whether the text of a statement about a transaction says `DEFERRABLE` or `NOT DEFERRABLE`, the last time it says
/// either. `sqlparser` has no place for it in its tree.
pub fn deferrable(text: &str) -> Option<bool> {
    let word = b"deferrable";
    if !text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)) {
        return None;
    }
    let mut lexer = SqlLexer::new(text, 0);
    let (mut not, mut found) = (false, None);
    while let Ok(Some(token)) = lexer.token() {
        let Token::Word(word) = &token.token else { continue };
        if word.value.eq_ignore_ascii_case("DEFERRABLE") {
            found = Some(!not);
        }
        not = word.keyword == Keyword::NOT;
    }
    found
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [TokenWithSpan],
    position: usize,
    end: Span,
}

impl Reader<'_> {
    fn is_at(&self, index: usize, expected: &str) -> bool {
        match self.tokens.get(index).map(|token| &token.token) {
            Some(Token::Word(word)) => {
                word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected)
            }
            _ => false,
        }
    }

    /// The token Cypher begins with in `PREPARE … AS` or `DECLARE … FOR`, if it does.
    fn embedded_cypher(&self) -> Option<usize> {
        let introduces = match (self.is_at(0, "PREPARE"), self.is_at(0, "DECLARE")) {
            (true, _) => "AS",
            (false, true) => "FOR",
            (false, false) => return None,
        };
        let index = (1..self.tokens.len()).find(|index| self.is_at(*index, introduces))? + 1;
        let is_cypher = CYPHER_WORDS.iter().any(|word| self.is_at(index, word));
        is_cypher.then_some(index)
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.is_at(self.position, word);
        self.position += usize::from(found);
        found
    }

    fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.position).is_some_and(|found| found.token == *token);
        self.position += usize::from(found);
        found
    }

    fn at_end(&self) -> bool {
        self.position >= self.tokens.len()
    }

    fn span(&self) -> Span {
        self.tokens.get(self.position).and_then(|token| byte_span(token.span)).unwrap_or(self.end)
    }

    fn unexpected(&self, expected: &str) -> ParseError {
        unexpected(self.text, self.span(), Some(expected))
    }

    fn finish(&self) -> Result<(), ParseError> {
        match self.at_end() {
            true => Ok(()),
            false => Err(unexpected(self.text, self.span(), None)),
        }
    }

    fn qualified_name(&mut self) -> Result<sqlparser::ast::ObjectName, ParseError> {
        let mut parts = Vec::new();
        loop {
            let Some(token) = self.tokens.get(self.position) else {
                return Err(self.unexpected("a name"));
            };
            let Token::Word(word) = &token.token else {
                return Err(self.unexpected("a name"));
            };
            if word.quote_style.is_none() && word.keyword == Keyword::SELECT {
                return Err(self.unexpected("a name"));
            }
            parts.push(Ident {
                value: word.value.clone(),
                quote_style: word.quote_style,
                span: token.span,
            });
            self.position += 1;
            if !self.eat_token(&Token::Period) {
                return Ok(sqlparser::ast::ObjectName::from(parts));
            }
        }
    }
}
