//! SQL text to `sqlparser`'s tokens, by PostgreSQL's lexical rules.
//!
//! `sqlparser` has a tokenizer of its own, but it reads `x>-1` as an operator `>-`, loses characters of `$$a$b$$`, takes
//! `1a` for a number and an alias, and words its errors in its own way. Here a place is a byte of the client's text, see
//! [`super::place`]; blanks and comments are left out.

use sqlparser::ast::DollarQuotedString;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::literal;
use super::operator;
use super::place::sqlparser_span;
use crate::parser::error::{ParseError, at_or_near};
use crate::parser::span::Span;

/// Cuts a text into tokens; stays usable after each statement.
pub(in crate::parser) struct SqlLexer<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
}

impl<'a> SqlLexer<'a> {
    /// A lexer at a byte offset of the client's text, whose length fits `u32`.
    pub(in crate::parser) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Byte offset of the next character.
    pub(in crate::parser) fn offset(&self) -> usize {
        self.at
    }

    /// The next token, `None` at the end of the text.
    pub(in crate::parser) fn token(&mut self) -> Result<Option<TokenWithSpan>, ParseError> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let token = self.token_from(first, start)?;
        Ok(Some(TokenWithSpan::new(token, sqlparser_span(self.span(start)))))
    }

    fn token_from(&mut self, first: char, start: usize) -> Result<Token, ParseError> {
        let second = self.rest().as_bytes().get(1).copied().unwrap_or(0);
        match first {
            '\'' => Ok(Token::SingleQuotedString(self.quoted_string(start)?)),
            '"' => Ok(Token::make_word(&self.quoted_name()?, Some('"'))),
            '$' => self.dollar(),
            '0'..='9' => self.number(),
            '.' if second.is_ascii_digit() => self.number(),
            'e' | 'E' if second == b'\'' => self.escaped_string(),
            'b' | 'B' | 'x' | 'X' | 'n' | 'N' if second == b'\'' => self.prefixed_string(first),
            'u' | 'U' if self.rest().as_bytes().get(1..3) == Some(b"&'".as_slice()) => {
                self.unicode_string()
            }
            'u' | 'U' if self.rest().as_bytes().get(1..3) == Some(b"&\"".as_slice()) => {
                self.unicode_name()
            }
            _ if is_name_start(first) => {
                let word = self.take_while(is_name_part);
                Ok(Token::make_word(word, None))
            }
            _ => match operator::token(self.rest()) {
                Some((token, length)) => {
                    self.at += length;
                    Ok(token)
                }
                None => {
                    self.at += first.len_utf8();
                    Err(ParseError::unexpected(self.lexeme(start), self.span(start)))
                }
            },
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn lexeme(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    fn span(&self, start: usize) -> Span {
        let place = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span::new(place(start), place(self.at))
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|c| !test(c)).unwrap_or(rest.len());
        self.lexeme(start)
    }

    /// Steps over white space and comments; true if a line ended among them.
    pub(in crate::parser) fn skip_blanks(&mut self) -> Result<bool, ParseError> {
        let mut line_ended = false;
        loop {
            line_ended |= self.take_while(is_blank).contains(['\n', '\r']);
            if self.rest().starts_with("--") {
                self.take_while(|c| c != '\n' && c != '\r');
            } else if self.rest().starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(line_ended);
            }
        }
    }

    /// Steps over a comment in which others may nest.
    fn skip_comment(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let mut open = 0;
        loop {
            self.take_while(|c| c != '*' && c != '/');
            let rest = self.rest();
            if rest.starts_with("/*") {
                open += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                open -= 1;
                self.at += 2;
                if open == 0 {
                    return Ok(());
                }
            } else if rest.is_empty() {
                return Err(self.unterminated("/* comment", start));
            } else {
                self.at += 1;
            }
        }
    }

    fn unterminated(&self, what: &str, start: usize) -> ParseError {
        let message = format!("unterminated {what} {}", at_or_near(self.lexeme(start)));
        ParseError::syntax(message, self.span(start))
    }

    /// What stands between `quote`s, a doubled one standing for one; the cursor is on the first.
    fn quoted(&mut self, quote: char, what: &str, start: usize) -> Result<String, ParseError> {
        self.at += 1;
        let mut value = String::new();
        loop {
            value.push_str(self.take_while(|c| c != quote));
            if self.rest().is_empty() {
                return Err(self.unterminated(what, start));
            }
            self.at += 1;
            if !self.rest().starts_with(quote) {
                return Ok(value);
            }
            value.push(quote);
            self.at += 1;
        }
    }

    /// `'…'`, with further ones that stand on lines of their own behind it.
    fn quoted_string(&mut self, start: usize) -> Result<String, ParseError> {
        let mut value = self.quoted('\'', "quoted string", start)?;
        while self.continues_string()? {
            value.push_str(&self.quoted('\'', "quoted string", start)?);
        }
        Ok(value)
    }

    /// Moves to the next quote if only blanks with a line end are before it; else stays.
    fn continues_string(&mut self) -> Result<bool, ParseError> {
        let before = self.at;
        let continues = self.skip_blanks()? && self.rest().starts_with('\'');
        if !continues {
            self.at = before;
        }
        Ok(continues)
    }

    fn quoted_name(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        let name = self.quoted('"', "quoted identifier", start)?;
        match name.is_empty() {
            true => {
                let message = "zero-length delimited identifier at or near \"\"\"\"";
                Err(ParseError::syntax(message, self.span(start)))
            }
            false => Ok(name),
        }
    }

    /// `B'…'`, `X'…'`, `N'…'`.
    fn prefixed_string(&mut self, prefix: char) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 1;
        let what = match prefix {
            'b' | 'B' => "bit string literal",
            'x' | 'X' => "hexadecimal string literal",
            _ => "quoted string",
        };
        let value = self.quoted('\'', what, start)?;
        Ok(match prefix {
            'b' | 'B' => Token::SingleQuotedByteStringLiteral(value),
            'x' | 'X' => Token::HexStringLiteral(value),
            _ => Token::NationalStringLiteral(value),
        })
    }

    /// `E'…'` with backslash escapes.
    fn escaped_string(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut value = Vec::new();
        loop {
            self.at += 1;
            self.escaped_part(start, &mut value)?;
            if !self.continues_string()? {
                break;
            }
        }
        let value = String::from_utf8(value)
            .map_err(|error| literal::invalid_bytes(&error, self.span(start)))?;
        Ok(Token::EscapedStringLiteral(value))
    }

    /// Appends what stands up to the closing quote, which it steps over.
    fn escaped_part(&mut self, start: usize, value: &mut Vec<u8>) -> Result<(), ParseError> {
        loop {
            let plain = self.take_while(|c| c != '\'' && c != '\\');
            value.extend_from_slice(plain.as_bytes());
            let rest = self.rest();
            if rest.starts_with("''") {
                value.push(b'\'');
                self.at += 2;
            } else if rest.starts_with('\'') {
                self.at += 1;
                return Ok(());
            } else {
                let at = self.at;
                let Some((bytes, length)) = literal::backslash_escape(rest) else {
                    self.at = self.text.len();
                    return Err(self.unterminated("quoted string", start));
                };
                self.at += length;
                let bytes =
                    bytes.ok_or_else(|| literal::invalid_backslash_escape(self.span(at)))?;
                value.extend_from_slice(&bytes);
            }
        }
    }

    /// `U&'…' [UESCAPE 'c']`.
    fn unicode_string(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 2;
        let raw = self.quoted_string(start)?;
        let value = self.unescaped(&raw, start)?;
        Ok(Token::UnicodeStringLiteral(value))
    }

    /// `U&"…" [UESCAPE 'c']`.
    fn unicode_name(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 2;
        let raw = self.quoted_name()?;
        let value = self.unescaped(&raw, start)?;
        Ok(Token::make_word(&value, Some('"')))
    }

    fn unescaped(&mut self, raw: &str, start: usize) -> Result<String, ParseError> {
        let escape = self.escape_character()?;
        literal::unicode(raw, escape).ok_or_else(|| literal::invalid_escape(self.span(start)))
    }

    fn escape_character(&mut self) -> Result<char, ParseError> {
        let before = self.at;
        self.skip_blanks()?;
        let at = self.at;
        if !self.take_while(is_name_part).eq_ignore_ascii_case("UESCAPE") {
            self.at = before;
            return Ok('\\');
        }
        self.skip_blanks()?;
        let character = match self.rest().starts_with('\'') {
            true => self.quoted_string(at)?,
            false => String::new(),
        };
        let mut characters = character.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None)
                if !c.is_ascii_hexdigit() && !matches!(c, '+' | '\'' | '"') && !is_blank(c) =>
            {
                Ok(c)
            }
            _ => Err(ParseError::syntax("invalid Unicode escape character", self.span(at))),
        }
    }

    /// `$1`, or a dollar-quoted string.
    fn dollar(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += 1;
        let tag = self.take_while(|c| is_name_part(c) && c != '$');
        let is_number = tag.starts_with(|c: char| c.is_ascii_digit());
        if !is_number && self.rest().starts_with('$') {
            self.at += 1;
            let delimiter = self.lexeme(start);
            let rest = self.rest();
            let Some(length) = rest.find(delimiter) else {
                self.at = self.text.len();
                return Err(self.unterminated("dollar-quoted string", start));
            };
            let value = rest.get(..length).unwrap_or("").to_owned();
            self.at += length + delimiter.len();
            let tag = (!tag.is_empty()).then(|| tag.to_owned());
            return Ok(Token::DollarQuotedString(DollarQuotedString { value, tag }));
        }
        if is_number && tag.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Token::Placeholder(format!("${tag}")));
        }
        let (lexeme, span) = (self.lexeme(start), self.span(start));
        Err(match is_number {
            true => {
                let message = format!("trailing junk after parameter at or near \"{lexeme}\"");
                ParseError::syntax(message, span)
            }
            false => ParseError::unexpected(lexeme, span)
                .with_hint("Parameters of SQL statements are $1, $2, …"),
        })
    }

    fn number(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        self.at += literal::number_length(self.rest());
        let number = self.lexeme(start);
        let junk = self.take_while(is_name_part);
        let (lexeme, span) = (self.lexeme(start), self.span(start));
        let value = match junk.is_empty() {
            true => literal::number(number),
            false => None,
        };
        value.map(|value| Token::Number(value, false)).ok_or_else(|| {
            let message = format!("trailing junk after numeric literal at or near \"{lexeme}\"");
            ParseError::syntax(message, span)
        })
    }
}

/// PostgreSQL's white space; what Unicode has beyond is part of names, as there.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit() || c == '$'
}
