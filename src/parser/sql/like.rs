//! `CREATE TABLE t (LIKE s INCLUDING ALL, …)`: `sqlparser` takes one LIKE alone, so each becomes a column of a name that
//! no column has.
//!
//! ```text
//! \u{1}like \u{3} schema \u{2} table \u{3} +all \u{3} -indexes
//! ```

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// What the name of such a column begins with.
const MARK: &str = "\u{1}like";
const PART: char = '\u{3}';
const DOT: char = '\u{2}';

/// A LIKE among the columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLike {
    /// The other table's name, its parts.
    pub name: Vec<String>,
    /// INCLUDING (true) and EXCLUDING, in order, in lower case.
    pub options: Vec<(bool, String)>,
}

impl TableLike {
    /// The LIKE that a column's name stands for.
    pub fn of(column: &str) -> Option<Self> {
        let mut parts = column.strip_prefix(MARK)?.split(PART).skip(1);
        let name = parts.next()?.split(DOT).map(str::to_owned).collect();
        let options = parts.filter_map(|option| {
            let (sign, word) = option.split_at_checked(1)?;
            Some((sign == "+", word.to_owned()))
        });
        Some(Self { name, options: options.collect() })
    }

    /// Whether an option is taken over: the last that names it, or ALL, decides.
    pub fn includes(&self, option: &str) -> bool {
        let named = |(_, word): &&(bool, String)| word == option || word == "all";
        self.options.iter().rev().find(named).is_some_and(|(including, _)| *including)
    }
}

fn word(token: &TokenWithSpan) -> Option<&str> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}

fn is_word(tokens: &[TokenWithSpan], index: usize, expected: &str) -> bool {
    tokens.get(index).and_then(word).is_some_and(|word| word.eq_ignore_ascii_case(expected))
}

/// Puts columns in the place of every LIKE of a `CREATE TABLE`.
pub(super) fn like_columns(tokens: &mut Vec<TokenWithSpan>) {
    let Some(table) = (1..tokens.len().min(5)).find(|at| is_word(tokens, *at, "TABLE")) else {
        return;
    };
    let Some(open) = (table..tokens.len()).find(|at| tokens[*at].token == Token::LParen) else {
        return;
    };
    let (mut depth, mut index) = (0usize, open);
    while index < tokens.len() {
        match &tokens[index].token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
            _ => {}
        }
        let begins = depth == 1 && matches!(tokens[index].token, Token::LParen | Token::Comma);
        if begins
            && is_word(tokens, index + 1, "LIKE")
            && let Some((end, name)) = read(tokens, index + 2)
        {
            let span = tokens[index + 1].span;
            let column = [Token::make_word(&name, Some('"')), Token::make_word("int", None)];
            let column = column.map(|token| TokenWithSpan::new(token, span));
            tokens.splice(index + 1..end, column);
        }
        index += 1;
    }
}

/// What stands behind LIKE: where it ends, and the column's name.
fn read(tokens: &[TokenWithSpan], start: usize) -> Option<(usize, String)> {
    let mut name = format!("{MARK}{PART}");
    let mut at = start;
    loop {
        let Some(Token::Word(part)) = tokens.get(at).map(|token| &token.token) else { return None };
        match part.quote_style {
            Some(_) => name.push_str(&part.value),
            None => name.push_str(&part.value.to_lowercase()),
        }
        at += 1;
        if tokens.get(at).map(|token| &token.token) != Some(&Token::Period) {
            break;
        }
        name.push(DOT);
        at += 1;
    }
    loop {
        let sign = match () {
            () if is_word(tokens, at, "INCLUDING") => '+',
            () if is_word(tokens, at, "EXCLUDING") => '-',
            () => break,
        };
        let option = tokens.get(at + 1).and_then(word)?;
        name.push(PART);
        name.push(sign);
        name.push_str(&option.to_lowercase());
        at += 2;
    }
    let ends =
        matches!(tokens.get(at).map(|token| &token.token), Some(Token::Comma | Token::RParen));
    let reserved = tokens.get(start).is_some_and(
        |token| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::SELECT),
    );
    (ends && !reserved).then_some((at, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_option_decides() {
        let like = TableLike::of("\u{1}like\u{3}s\u{2}t\u{3}+all\u{3}-indexes").unwrap();
        assert_eq!(like.name, ["s", "t"]);
        assert!(like.includes("defaults") && !like.includes("indexes"));
        assert!(!TableLike::of("\u{1}like\u{3}t").unwrap().includes("defaults"));
        assert_eq!(TableLike::of("like"), None);
    }
}
