//! SQL's operators and punctuation.

use sqlparser::tokenizer::Token;

/// Characters an operator is made of.
const OPERATOR_CHARACTERS: &str = "+-*/<>=~!@#%^&|`?";

/// Characters that let an operator end in `+` or `-`.
const SPECIAL_CHARACTERS: &str = "~!@#%^&|`?";

/// The token at the start of `text` and its length; `None` if no operator or punctuation stands there.
pub(super) fn token(text: &str) -> Option<(Token, usize)> {
    let first = text.chars().next()?;
    if OPERATOR_CHARACTERS.contains(first) {
        let length = operator_length(text);
        return Some((operator(text.get(..length)?), length));
    }
    if text.starts_with("::") {
        return Some((Token::DoubleColon, 2));
    }
    if text.starts_with(":=") {
        return Some((Token::Assignment, 2));
    }
    let token = match first {
        '(' => Token::LParen,
        ')' => Token::RParen,
        '[' => Token::LBracket,
        ']' => Token::RBracket,
        '{' => Token::LBrace,
        '}' => Token::RBrace,
        ',' => Token::Comma,
        ';' => Token::SemiColon,
        '.' => Token::Period,
        ':' => Token::Colon,
        '\\' => Token::Backslash,
        _ => return None,
    };
    Some((token, 1))
}

/// PostgreSQL's rule: the longest run of operator characters, without a comment's beginning in it, and without `+` or
/// `-` at its end unless a special character is in it.
fn operator_length(text: &str) -> usize {
    let run = text.find(|c| !OPERATOR_CHARACTERS.contains(c)).unwrap_or(text.len());
    let run = text.get(..run).unwrap_or("");
    let comment = [run.find("--"), run.find("/*")].into_iter().flatten().filter(|at| *at > 0).min();
    let mut operator = run.get(..comment.unwrap_or(run.len())).unwrap_or("");
    if !operator.contains(|c| SPECIAL_CHARACTERS.contains(c)) {
        while operator.len() > 1 && operator.ends_with(['+', '-']) {
            operator = operator.get(..operator.len() - 1).unwrap_or("");
        }
    }
    operator.len().max(1)
}

fn operator(text: &str) -> Token {
    match text {
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "=" => Token::Eq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<>" | "!=" => Token::Neq,
        "=>" => Token::RArrow,
        "||" => Token::StringConcat,
        "|" => Token::Pipe,
        "&" => Token::Ampersand,
        "&&" => Token::Overlap,
        "#" => Token::Sharp,
        "##" => Token::DoubleSharp,
        "~" => Token::Tilde,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "!" => Token::ExclamationMark,
        "!!" => Token::DoubleExclamationMark,
        "@" => Token::AtSign,
        "^@" => Token::CaretAt,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "#>" => Token::HashArrow,
        "#>>" => Token::HashLongArrow,
        "#-" => Token::HashMinus,
        "@>" => Token::AtArrow,
        "<@" => Token::ArrowAt,
        "@?" => Token::AtQuestion,
        "@@" => Token::AtAt,
        "?" => Token::Question,
        "?&" => Token::QuestionAnd,
        "?|" => Token::QuestionPipe,
        other => Token::CustomBinaryOperator(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_end_where_postgresql_ends_them() {
        assert_eq!(token(">-1"), Some((Token::Gt, 1)));
        assert_eq!(token("<>-1"), Some((Token::Neq, 2)));
        assert_eq!(token("->-1"), Some((Token::Arrow, 2)));
        assert_eq!(token("=--x"), Some((Token::Eq, 1)));
        assert_eq!(token("*/*x*/"), Some((Token::Mul, 1)));
        assert_eq!(token("@-1"), Some((Token::CustomBinaryOperator("@-".to_owned()), 2)));
        assert_eq!(token("::int"), Some((Token::DoubleColon, 2)));
        assert_eq!(token("a"), None);
    }
}
