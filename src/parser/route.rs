//! Which language a statement is in, decided from its first words.
//!
//! SQL begins with words that no Cypher statement begins with, and the other way round, except for `CREATE`, `MERGE`,
//! `WITH`, `CALL` and `EXPLAIN`, where a few more tokens decide.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cypher::shows_graph_object;
use super::pgq::is_property_graph_ddl;
use super::sql::SqlLexer;
use super::statement::QueryLanguage;

/// How many tokens at the start of a statement are looked at.
const TOKENS_AHEAD: usize = 64;

/// Words that begin a Cypher statement and no SQL statement.
const CYPHER_WORDS: &[&str] = &[
    "MATCH", "OPTIONAL", "UNWIND", "RETURN", "FOREACH", "USE", "CYPHER", "PROFILE", "DETACH",
    "NODETACH",
];

/// Words in front of `INDEX` that only Cypher has.
const INDEX_KINDS: &[&str] = &["RANGE", "TEXT", "POINT", "LOOKUP", "FULLTEXT", "VECTOR"];

/// Statements on the session, the same in every language.
const SESSION_WORDS: &[&str] = &[
    "SET",
    "SHOW",
    "RESET",
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
    "DEALLOCATE",
    "DISCARD",
    "FETCH",
    "MOVE",
    "CLOSE",
    "EXECUTE",
    "PREPARE",
    "DECLARE",
    "LISTEN",
    "NOTIFY",
    "UNLISTEN",
    "CHECKPOINT",
    "LOCK",
    "COPY",
    "GRANT",
    "REVOKE",
];

/// Procedures on what a graph has, by the names that Neo4j's have.
pub const CATALOG_PROCEDURES: &[&str] = &[
    "db.labels",
    "db.relationshipTypes",
    "db.propertyKeys",
    "db.schema.nodeTypeProperties",
    "db.schema.relTypeProperties",
    "db.awaitIndexes",
    "db.ping",
    "dbms.components",
];

/// Whether a procedure of this name, its parts joined by dots, is one of Cypher's: those of graph algorithms, and those
/// on what a graph has.
pub fn is_graph_procedure(name: &str) -> bool {
    let of_algorithms =
        name.split_once('.').is_some_and(|(schema, _)| schema.eq_ignore_ascii_case("algo"));
    of_algorithms || CATALOG_PROCEDURES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A language a statement can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Sql,
    Cypher,
}

/// The language of the statement that begins at byte `at`.
pub(super) fn language(
    text: &str,
    at: usize,
    query_language: QueryLanguage,
    is_procedure: &dyn Fn(&str) -> bool,
) -> Language {
    let ahead = Ahead::new(text, at);
    let is_cypher = match query_language {
        QueryLanguage::Sql => false,
        QueryLanguage::Auto => ahead.is_cypher(0, is_procedure),
        QueryLanguage::Cypher => !ahead.is_for_the_session(),
    };
    if is_cypher { Language::Cypher } else { Language::Sql }
}

/// The tokens at the start of a statement, as far as SQL's lexer reads them.
struct Ahead {
    tokens: Vec<TokenWithSpan>,
}

impl Ahead {
    fn new(text: &str, at: usize) -> Self {
        let mut lexer = SqlLexer::new(text, at);
        let mut tokens = Vec::new();
        // What is no SQL token, such as a backtick, ends what can be seen.
        while tokens.len() < TOKENS_AHEAD
            && let Ok(Some(token)) = lexer.token()
            && token.token != Token::SemiColon
        {
            tokens.push(token);
        }
        Self { tokens }
    }

    fn token(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index).map(|token| &token.token)
    }

    fn is(&self, index: usize, expected: &Token) -> bool {
        self.token(index) == Some(expected)
    }

    /// The unquoted word at an index; empty for other tokens.
    fn word(&self, index: usize) -> &str {
        match self.token(index) {
            Some(Token::Word(word)) if word.quote_style.is_none() => &word.value,
            _ => "",
        }
    }

    fn is_word(&self, index: usize, expected: &str) -> bool {
        self.word(index).eq_ignore_ascii_case(expected)
    }

    fn is_any_word(&self, index: usize, expected: &[&str]) -> bool {
        expected.iter().any(|word| self.is_word(index, word))
    }

    fn is_name(&self, index: usize) -> bool {
        matches!(self.token(index), Some(Token::Word(_)))
    }

    fn is_cypher(&self, at: usize, is_procedure: &dyn Fn(&str) -> bool) -> bool {
        if self.is_any_word(at, CYPHER_WORDS) {
            return true;
        }
        match self.word(at).to_ascii_uppercase().as_str() {
            "LOAD" => self.is_word(at + 1, "CSV"),
            "SHOW" => self.shows_graph_object(at + 1),
            "CREATE" => self.is_cypher_create(at + 1),
            "DROP" => self.is_cypher_drop(at + 1),
            "MERGE" => !self.is_word(at + 1, "INTO"),
            "INSERT" => {
                self.is(at + 1, &Token::LParen)
                    || (self.is_name(at + 1) && self.is(at + 2, &Token::Eq))
            }
            "WITH" => !self.is_common_table_expression(at + 1),
            "CALL" => self.is_cypher_call(at + 1, is_procedure),
            "EXPLAIN" => self.is_cypher(self.behind_explain(at + 1), is_procedure),
            _ => false,
        }
    }

    /// `CREATE (…`, `CREATE p = (…`, `CREATE CONSTRAINT … FOR (`, `CREATE [kind] INDEX … FOR (`.
    fn is_cypher_create(&self, at: usize) -> bool {
        if self.is(at, &Token::LParen) {
            return true;
        }
        if self.is_name(at) && self.is(at + 1, &Token::Eq) {
            return true;
        }
        let is_kind = self.is_any_word(at, INDEX_KINDS);
        let object = if is_kind { at + 1 } else { at };
        if is_kind && self.is_word(object, "INDEX") {
            return true;
        }
        let has_for = || {
            // A name, IF NOT EXISTS, FOR and a parenthesis, and nothing else between.
            (object + 1..object + 6)
                .any(|index| self.is_word(index, "FOR") && self.is(index + 1, &Token::LParen))
        };
        // What older versions of Cypher wrote is refused with a hint to how it is written now.
        let is_old = self.is_word(object, "INDEX")
            && self.is_word(object + 1, "ON")
            && self.is(object + 2, &Token::Colon);
        let is_constraint =
            self.is_word(object, "CONSTRAINT") && !self.is_word(object + 1, "TRIGGER");
        is_old || is_constraint || (self.is_word(object, "INDEX") && has_for())
    }

    /// `x [(columns)] AS [[NOT] MATERIALIZED] (`, or `RECURSIVE x …`.
    fn is_common_table_expression(&self, at: usize) -> bool {
        if self.is_word(at, "RECURSIVE") && self.is_name(at + 1) && !self.is_word(at + 1, "AS") {
            return true;
        }
        let name = at;
        if !self.is_name(name) {
            return false;
        }
        let mut next = name + 1;
        if self.is(next, &Token::LParen) {
            while self.token(next).is_some_and(|token| *token != Token::RParen) {
                next += 1;
            }
            next += 1;
        }
        if !self.is_word(next, "AS") {
            return false;
        }
        next += 1;
        if self.is_word(next, "NOT") {
            next += 1;
        }
        if self.is_word(next, "MATERIALIZED") {
            next += 1;
        }
        self.is(next, &Token::LParen)
    }

    /// `CALL {`, `CALL (x) {`, or `CALL` of a procedure Cypher has.
    fn is_cypher_call(&self, at: usize, is_procedure: &dyn Fn(&str) -> bool) -> bool {
        match self.token(at) {
            Some(Token::LBrace | Token::LParen) => return true,
            Some(Token::Word(_)) => {}
            _ => return false,
        }
        let mut name = String::new();
        let mut index = at;
        while let Some(Token::Word(word)) = self.token(index) {
            name.push_str(&word.value);
            if !self.is(index + 1, &Token::Period) {
                break;
            }
            name.push('.');
            index += 2;
        }
        is_procedure(&name)
    }

    /// The index behind the options of `EXPLAIN`.
    fn behind_explain(&self, at: usize) -> usize {
        let mut index = at;
        if self.is(index, &Token::LParen) {
            while self.token(index).is_some_and(|token| *token != Token::RParen) {
                index += 1;
            }
            return index + 1;
        }
        while self.is_any_word(index, &["ANALYZE", "ANALYSE", "VERBOSE"]) {
            index += 1;
        }
        index
    }

    /// Whether these words name something of a graph that `SHOW` lists.
    fn shows_graph_object(&self, at: usize) -> bool {
        let words: Vec<String> =
            (at..at + 8).map(|index| self.word(index).to_ascii_uppercase()).collect();
        shows_graph_object(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// `DROP CONSTRAINT …`, `DROP INDEX name IF EXISTS`.
    fn is_cypher_drop(&self, at: usize) -> bool {
        let if_exists = || self.is_word(at + 2, "IF") && self.is_word(at + 3, "EXISTS");
        self.is_word(at, "CONSTRAINT")
            || (self.is_word(at, "INDEX") && self.is_name(at + 1) && if_exists())
    }

    /// True for statements that are SQL even where everything else is Cypher.
    fn is_for_the_session(&self) -> bool {
        let words: Vec<&str> = (0..8).map(|index| self.word(index)).collect();
        if self.is_word(0, "SHOW") {
            return !self.shows_graph_object(1);
        }
        self.is_any_word(0, SESSION_WORDS) || is_property_graph_ddl(&words)
    }
}
