//! Cypher text to tokens.

use super::number;
use crate::error::SqlState;
use crate::parser::error::{ParseError, SyntaxDetail};
use crate::parser::span::Span;
use crate::parser::token::{Token, TokenKind};

/// Symbols of more than one character that never stand inside an arrow.
const COMPOUND: &[&str] = &["..", "<=", ">=", "<>", "=~", "+=", "::", "||", "!="];

/// Symbols of one character.
const SINGLE: &[&str] = &[
    "(", ")", "[", "]", "{", "}", "<", ">", "-", "+", "*", "/", "%", "^", "=", ".", ",", ":", "|",
    "&", "!", "?", "~",
];

/// Cuts one statement, or all of `text` if no `;` stands in it, into tokens.
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
    /// Offset of `text` in the client's text.
    base: u32,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `text`, whose length has been checked to fit `u32` together with `base`.
    pub(super) fn new(text: &'a str, base: u32) -> Self {
        Self { text, at: 0, base }
    }

    /// Tokens up to the next `;`, which is left as the next to read, or to the end of the text.
    pub(super) fn statement(&mut self) -> Result<Vec<Token>, ParseError> {
        let mut tokens = Vec::new();
        loop {
            self.skip_blanks()?;
            match self.rest().chars().next() {
                None | Some(';') => return Ok(tokens),
                Some(first) => tokens.push(self.token(first)?),
            }
        }
    }

    /// Offset of the next character in `text`.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn span(&self, start: usize) -> Span {
        let place =
            |offset: usize| self.base.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        Span::new(place(start), place(self.at))
    }

    fn lexeme(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    /// Steps over characters that satisfy `test`.
    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|c| !test(c)).unwrap_or(rest.len());
        self.lexeme(start)
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(is_blank);
            let start = self.at;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.take_while(|c| c != '\n' && c != '\r');
            } else if let Some(inside) = rest.strip_prefix("/*") {
                let Some(length) = inside.find("*/") else {
                    self.at = self.text.len();
                    return Err(unterminated("/* comment", self.lexeme(start), self.span(start)));
                };
                self.at += length + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self, first: char) -> Result<Token, ParseError> {
        let start = self.at;
        let second_is_digit = self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let kind = match first {
            '\'' | '"' => self.string(first)?,
            '`' => TokenKind::QuotedName(self.backticked()?),
            '$' => self.parameter()?,
            '0'..='9' => self.number()?,
            '.' if second_is_digit => self.number()?,
            _ if is_name_start(first) => {
                self.take_while(is_name_part);
                TokenKind::Word
            }
            _ => self.symbol(first)?,
        };
        Ok(Token::new(kind, self.span(start)))
    }

    fn symbol(&mut self, first: char) -> Result<TokenKind, ParseError> {
        let rest = self.rest();
        let known = COMPOUND.iter().chain(SINGLE).find(|symbol| rest.starts_with(**symbol));
        if let Some(symbol) = known {
            self.at += symbol.len();
            return Ok(TokenKind::Symbol(symbol));
        }
        let start = self.at;
        self.at += first.len_utf8();
        let error = ParseError::unexpected(self.lexeme(start), self.span(start));
        Err(if first.is_ascii() {
            error
        } else {
            error.with_detail(SyntaxDetail::InvalidUnicodeCharacter)
        })
    }

    /// A name in backticks; a doubled backtick stands for one. An empty name is legal.
    fn backticked(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut name = String::new();
        loop {
            name.push_str(self.take_while(|c| c != '`'));
            if self.rest().is_empty() {
                let near = self.lexeme(start);
                return Err(unterminated("quoted identifier", near, self.span(start)));
            }
            self.at += 1;
            if !self.rest().starts_with('`') {
                break;
            }
            name.push('`');
            self.at += 1;
        }
        Ok(name)
    }

    fn parameter(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        self.at += 1;
        if self.rest().starts_with('`') {
            return Ok(TokenKind::Parameter(self.backticked()?));
        }
        let name = self.take_while(is_name_part);
        if name.is_empty() && self.rest().starts_with('(') {
            let message = "labels computed from an expression are not supported";
            let error = ParseError::unsupported(message, self.span(start));
            return Err(error.with_hint("Write the label itself."));
        }
        if name.is_empty() {
            return Err(ParseError::unexpected("$", self.span(start)));
        }
        if name.starts_with(|c: char| c.is_ascii_digit())
            && name.contains(|c: char| !c.is_ascii_digit())
        {
            let message = format!("trailing junk after parameter at or near \"${name}\"");
            return Err(ParseError::syntax(message, self.span(start)));
        }
        Ok(TokenKind::Parameter(name.to_owned()))
    }

    fn number(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        self.at += number::length(self.rest());
        // A name directly behind the digits makes the whole of it an invalid number, as in PostgreSQL.
        let junk = self.take_while(is_name_part);
        let (lexeme, span) = (self.lexeme(start), self.span(start));
        if junk.is_empty() { number::value(lexeme, span) } else { Err(number::junk(lexeme, span)) }
    }

    fn string(&mut self, quote: char) -> Result<TokenKind, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            value.push_str(self.take_while(|c| c != quote && c != '\\'));
            match self.rest().chars().next() {
                Some('\\') => value.push(self.escape()?),
                Some(_) => {
                    self.at += 1;
                    return Ok(TokenKind::String(value));
                }
                None => {
                    let near = self.lexeme(start);
                    return Err(unterminated("quoted string", near, self.span(start)));
                }
            }
        }
    }

    /// One escape sequence; a high surrogate takes the low one behind it along.
    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        self.at += 1;
        let Some(kind) = self.rest().chars().next() else {
            return Err(unterminated("quoted string", self.lexeme(start), self.span(start)));
        };
        self.at += kind.len_utf8();
        match kind {
            '\\' | '\'' | '"' | '`' => Ok(kind),
            'b' | 'B' => Ok('\u{8}'),
            'f' | 'F' => Ok('\u{c}'),
            'n' | 'N' => Ok('\n'),
            'r' | 'R' => Ok('\r'),
            't' | 'T' => Ok('\t'),
            'u' => self.unicode(start, 4),
            'U' => self.unicode(start, 8),
            _ => {
                let message = format!("invalid escape sequence \"{}\"", self.lexeme(start));
                Err(ParseError::new(SqlState::SYNTAX_ERROR, message, self.span(start))
                    .with_detail(SyntaxDetail::UnexpectedSyntax)
                    .with_hint("Escape sequences are \\\\, \\', \\\", \\`, \\b, \\f, \\n, \\r, \\t, \\uXXXX and \\UXXXXXXXX."))
            }
        }
    }

    fn unicode(&mut self, start: usize, digits: usize) -> Result<char, ParseError> {
        let mut code = self.hex(start, digits)?;
        if (0xD800..0xDC00).contains(&code) && self.rest().starts_with("\\u") {
            self.at += 2;
            let low = self.hex(start, 4)?;
            if (0xDC00..0xE000).contains(&low) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
        }
        char::from_u32(code).ok_or_else(|| self.invalid_unicode(start))
    }

    fn hex(&mut self, start: usize, digits: usize) -> Result<u32, ParseError> {
        let end = self.at + digits;
        let code = self
            .text
            .get(self.at..end)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|text| u32::from_str_radix(text, 16).ok());
        let Some(code) = code else {
            return Err(self.invalid_unicode(start));
        };
        self.at = end;
        Ok(code)
    }

    fn invalid_unicode(&self, start: usize) -> ParseError {
        ParseError::syntax("invalid Unicode escape", self.span(start))
            .with_detail(SyntaxDetail::InvalidUnicodeLiteral)
            .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
    }
}

fn unterminated(what: &str, near: &str, span: Span) -> ParseError {
    ParseError::syntax(format!("unterminated {what} at or near \"{near}\""), span)
        .with_detail(SyntaxDetail::UnexpectedSyntax)
}

/// White space as openCypher lists it: Unicode's, and the four separator control characters.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}' | '\u{feff}')
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name_part(c: char) -> bool {
    // Combining marks and the two joiners may stand within a name.
    c == '_' || c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}')
}
