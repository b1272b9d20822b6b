//! Data definition that `sqlparser` does not know, or not in full: its syntax tree, and how it is read.
//!
//! Types, names and expressions inside are `sqlparser`'s. Reading order: [`ast`], then one file for each kind.

mod absent;
mod alter_table;
pub mod ast;
mod comment;
mod domain;
mod maintenance;
mod sequence;
mod user_type;

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::TokenWithSpan;

pub use ast::{
    AbsentKind, AlterAction, AttributeAction, Definition, DomainAction, DomainCondition,
    DomainOption, IdentityChange, LabelPlace, Maintenance, ObjectAction, ObjectKind, ReindexTarget,
    SequenceOption, TypeAction,
};
pub(super) use sequence::identity;

use super::parse::whole;
use super::word::{eat, is_word, word_at};
use crate::parser::error::ParseError;
use crate::parser::span::Span;

/// Reads the rest of a statement whose first words are known.
type Read = fn(&mut Parser<'_>, temporary: bool) -> Result<Definition, ParserError>;

/// The statement, if it is one of these.
pub(super) fn definition(
    text: &str,
    tokens: &[TokenWithSpan],
    end: Span,
) -> Result<Option<Definition>, ParseError> {
    let Some((read, skip, temporary)) = reader(tokens) else { return Ok(None) };
    let mut rest = tokens.get(skip..).unwrap_or_default().to_vec();
    super::rewrite::constraint_columns(&mut rest);
    whole(text, rest, end, |parser| read(parser, temporary)).map(Some)
}

/// What reads the statement, how many tokens it begins with, and whether TEMPORARY is among them.
fn reader(tokens: &[TokenWithSpan]) -> Option<(Read, usize, bool)> {
    let word = |at: usize| word_at(tokens, at);
    let first = word(0);
    let temporary = first == "CREATE" && matches!(word(1).as_str(), "TEMP" | "TEMPORARY");
    let at = 1 + usize::from(temporary);
    match (first.as_str(), word(at).as_str()) {
        ("CREATE", "SEQUENCE") => Some((sequence::create, at + 1, temporary)),
        ("COMMENT", "ON") if word(2) == "CONSTRAINT" => Some((comment::on_constraint, 2, false)),
        ("COMMENT", "ON") if word(2) == "PROPERTY" && word(3) == "GRAPH" => {
            Some((comment::on_graph, 4, false))
        }
        ("VACUUM", _) => Some((maintenance::vacuum, 1, false)),
        ("ANALYZE" | "ANALYSE", _) => Some((maintenance::analyze, 1, false)),
        ("REINDEX", _) => Some((maintenance::reindex, 1, false)),
        ("CLUSTER", _) => Some((maintenance::cluster, 1, false)),
        ("REFRESH", "MATERIALIZED") => Some((maintenance::refresh, 2, false)),
        ("ALTER", "SEQUENCE") => Some((sequence::alter, at + 1, false)),
        ("ALTER", "TABLE") => Some((alter_table::table, at + 1, false)),
        ("ALTER", "INDEX") => Some((alter_table::index, at + 1, false)),
        ("ALTER", "VIEW") => Some((alter_table::view, at + 1, false)),
        ("ALTER", "MATERIALIZED") => Some((alter_table::materialized_view, at + 1, false)),
        ("CREATE", "DOMAIN") => Some((domain::create, 2, false)),
        ("ALTER", "DOMAIN") => Some((domain::alter, 2, false)),
        ("DROP", "DOMAIN") => Some((domain::drop, 2, false)),
        ("DROP", "TRIGGER") => Some((absent::trigger, 2, false)),
        ("DROP", "RULE") => Some((absent::rule, 2, false)),
        ("DROP", "AGGREGATE") => Some((absent::aggregate, 2, false)),
        (
            "DROP",
            "COLLATION" | "CONVERSION" | "LANGUAGE" | "SERVER" | "PUBLICATION" | "STATISTICS"
            | "EVENT" | "FOREIGN",
        ) => Some((absent::named, 1, false)),
        ("ALTER", "TYPE") => Some((user_type::alter, at + 1, false)),
        ("ALTER", "SCHEMA") => Some((alter_table::schema, at + 1, false)),
        _ => None,
    }
}

/// `IF EXISTS`
fn if_exists(parser: &mut Parser<'_>) -> bool {
    parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS])
}

/// `IF NOT EXISTS`
fn if_not_exists(parser: &mut Parser<'_>) -> bool {
    parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS])
}
