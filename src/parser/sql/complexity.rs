//! What a statement may look like, so that reading it takes time and depth in proportion to its length.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::place::byte_span;
use crate::parser::error::ParseError;

/// How deeply brackets and `CASE` may nest. Beyond its own bound `sqlparser` may report something else.
const BRACKETS_MAX: usize = 150;

/// How high operators may make the tree, each by one level: what walks or drops the tree goes down all of them.
const OPERATORS_MAX: u32 = 6000;

/// How many joins in a row may wait for their conditions: `a JOIN b JOIN c … ON … ON …`.
const OPEN_JOINS_MAX: usize = 100;

/// How many names may stand in a row, with dots between them: database, schema, table and column.
const NAMES_MAX: usize = 4;

/// Refuses what would take `sqlparser` too deep or too long.
///
/// # Errors
/// `54001` for a tree that would grow too high, `42601` for a name of too many parts.
pub(in crate::parser) fn check_complexity(tokens: &[TokenWithSpan]) -> Result<(), ParseError> {
    check_height(tokens)?;
    check_joins(tokens)?;
    check_names(tokens)
}

/// Refuses joins that nest too deeply. What is in brackets is counted by itself.
fn check_joins(tokens: &[TokenWithSpan]) -> Result<(), ParseError> {
    let mut open = vec![0_usize];
    for token in tokens {
        match &token.token {
            Token::LParen => open.push(0),
            Token::RParen if open.len() > 1 => {
                open.pop();
            }
            Token::Word(word) => {
                let Some(level) = open.last_mut() else { continue };
                match word.keyword {
                    Keyword::JOIN => *level += 1,
                    Keyword::ON | Keyword::USING => *level = level.saturating_sub(1),
                    _ => {}
                }
                if *level > OPEN_JOINS_MAX {
                    return Err(ParseError::too_complex(byte_span(token.span).unwrap_or_default()));
                }
            }
            Token::SemiColon => open = vec![0],
            _ => {}
        }
    }
    Ok(())
}

/// Refuses names of too many parts.
fn check_names(tokens: &[TokenWithSpan]) -> Result<(), ParseError> {
    let mut tokens =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).peekable();
    while let Some(first) = tokens.next() {
        let Token::Word(word) = &first.token else { continue };
        let mut names = vec![word.value.as_str()];
        while tokens.next_if(|token| token.token == Token::Period).is_some() {
            match tokens
                .next_if(|token| matches!(token.token, Token::Word(_)))
                .map(|token| &token.token)
            {
                Some(Token::Word(word)) => names.push(&word.value),
                _ => break,
            }
        }
        if names.len() > NAMES_MAX {
            let span = byte_span(first.span).unwrap_or_default();
            return Err(ParseError::too_many_names(&names, span));
        }
    }
    Ok(())
}

/// Refuses a statement whose tree would grow too high, before it is built.
fn check_height(tokens: &[TokenWithSpan]) -> Result<(), ParseError> {
    let mut levels = vec![Level::default()];
    for token in tokens {
        match nesting(&token.token) {
            Nesting::Opens { is_case } => levels.push(Level { is_case, ..Level::default() }),
            Nesting::Closes { is_case }
                if levels.last().is_some_and(|level| level.is_case == is_case) =>
            {
                let inside = levels.pop().map_or(0, Level::height);
                if let Some(outside) = levels.last_mut() {
                    outside.inside = outside.inside.max(inside);
                } else {
                    levels.push(Level::default());
                }
            }
            Nesting::Closes { .. } => {}
            Nesting::None => {
                if let Some(level) = levels.last_mut() {
                    level.step_over(&token.token);
                }
            }
        }
        let is_too_high = levels.last().is_some_and(|level| level.height() > OPERATORS_MAX);
        if is_too_high || levels.len() > BRACKETS_MAX {
            return Err(ParseError::too_complex(byte_span(token.span).unwrap_or_default()));
        }
    }
    Ok(())
}

enum Nesting {
    Opens { is_case: bool },
    Closes { is_case: bool },
    None,
}

fn nesting(token: &Token) -> Nesting {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Nesting::Opens { is_case: false },
        Token::RParen | Token::RBracket | Token::RBrace => Nesting::Closes { is_case: false },
        Token::Word(word) if word.keyword == Keyword::CASE => Nesting::Opens { is_case: true },
        Token::Word(word) if word.keyword == Keyword::END => Nesting::Closes { is_case: true },
        _ => Nesting::None,
    }
}

/// What is counted between two brackets, or between `CASE` and `END`.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    is_case: bool,
    /// Operators since the last comma.
    operators: u32,
    /// Height of the tallest bracket since the last comma.
    inside: u32,
    /// Height of the tallest part before the last comma.
    tallest: u32,
}

impl Level {
    fn height(self) -> u32 {
        self.operators.saturating_add(self.inside).max(self.tallest)
    }

    fn step_over(&mut self, token: &Token) {
        if *token == Token::Comma {
            let tallest = self.height();
            *self = Level { tallest, is_case: self.is_case, ..Level::default() };
        } else if is_operator(token) {
            self.operators += 1;
        }
    }
}

/// True for tokens that make the tree higher by one each time they follow one another.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::NOT
                | Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::NOTNULL
                | Keyword::OVERLAPS
                | Keyword::OPERATOR
                | Keyword::JOIN
        ),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::LBracket
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::SemiColon => false,
        _ => true,
    }
}
