//! Tokens, shared by Cypher and SQL/PGQ, and the cursor the recursive-descent parsers walk them with.
//!
//! Both lexers cut arrows into single characters (`<`, `-`, `[`, …), since both languages allow blanks within them and
//! since `<` and `-` also stand in expressions. So one pattern parser reads both.

use super::error::ParseError;
use super::pattern::Name;
use super::span::Span;

/// How deeply brackets, clauses and operators may nest; bounds the parsers' own recursion.
pub(super) const NESTING_MAX: u32 = 128;

/// A lexical unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
    /// For `(`, `[` and `{` only.
    pub(super) bracket: Bracket,
}

/// What is known of an opening bracket without parsing what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bracket {
    /// The index of the closing token; 0 if there is none (no bracket closes at index 0).
    pub(super) close: u32,
    /// A comma stands directly inside, not in an inner bracket.
    pub(super) comma: bool,
    /// A `|` stands directly inside.
    pub(super) bar: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// An unquoted name or keyword; its text is the span's.
    Word,
    /// A quoted name, unescaped.
    QuotedName(String),
    /// The magnitude of an integer; in Cypher at most 2^63, the last being legal only behind a minus sign.
    Integer(u64),
    Float(f64),
    /// A string, unescaped in Cypher.
    String(String),
    /// `$name`, without the `$`.
    Parameter(String),
    Symbol(&'static str),
    /// After the last token; its span is empty.
    End,
}

impl Token {
    pub(super) fn new(kind: TokenKind, span: Span) -> Self {
        Self { kind, span, bracket: Bracket::default() }
    }
}

/// A place in a list of tokens, and the depth of the parser that stands there.
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// Offset of `text` in the client's text, from which all spans count.
    base: u32,
    /// Never empty: the last one is `End`.
    tokens: Vec<Token>,
    position: usize,
    depth: u32,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first token. An `End` is added behind the last one at `end`.
    pub(super) fn new(text: &'a str, base: u32, mut tokens: Vec<Token>, end: u32) -> Self {
        tokens.push(Token::new(TokenKind::End, Span::new(end, end)));
        match_brackets(&mut tokens);
        Self { text, base, tokens, position: 0, depth: 0 }
    }

    /// Lets the end be a token of the surrounding text: the `)` of a `GRAPH_TABLE`, or a `;`.
    pub(super) fn set_end(&mut self, span: Span) {
        if let Some(end) = self.tokens.last_mut() {
            end.span = span;
        }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Moves to a token that the caller has parsed up to by other means.
    pub(super) fn jump(&mut self, position: usize) {
        self.position = position.min(self.tokens.len() - 1);
    }

    /// The token `ahead` of the current one; `End` past the last.
    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        self.token(self.position + ahead)
    }

    /// The token at an index; `End` past the last.
    pub(super) fn token(&self, index: usize) -> &Token {
        &self.tokens[index.min(self.tokens.len() - 1)]
    }

    pub(super) fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    /// Steps over the current token, never past `End`.
    pub(super) fn advance(&mut self) {
        if self.position + 1 < self.tokens.len() {
            self.position += 1;
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    /// The text a span of this text covers.
    pub(super) fn text_of(&self, span: Span) -> &'a str {
        let start = span.start.saturating_sub(self.base) as usize;
        let end = span.end.saturating_sub(self.base) as usize;
        self.text.get(start..end).unwrap_or("")
    }

    /// True if the token `ahead` is this symbol.
    pub(super) fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead).kind, TokenKind::Symbol(found) if found == symbol)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<Span, ParseError> {
        let span = self.peek().span;
        if self.eat_symbol(symbol) { Ok(span) } else { Err(self.unexpected(&[symbol])) }
    }

    /// True if the token `ahead` is this word, unquoted, in any case. `word` is in upper case.
    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek_at(ahead);
        token.kind == TokenKind::Word && self.text_of(token.span).eq_ignore_ascii_case(word)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    /// True if the tokens from here on are these words.
    pub(super) fn are_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.is_word_at(ahead, word))
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Steps over all of these words, or none.
    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.are_words(words);
        if found {
            self.jump(self.position + words.len());
        }
        found
    }

    /// Steps over the first of these words that stands here.
    pub(super) fn eat_any_word(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.eat_word(word))
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<Span, ParseError> {
        let span = self.peek().span;
        if self.eat_word(word) { Ok(span) } else { Err(self.unexpected(&[word])) }
    }

    /// True if the token `ahead` can be a name: a word, reserved or not, or a quoted name.
    pub(super) fn is_name_at(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead).kind, TokenKind::Word | TokenKind::QuotedName(_))
    }

    /// Any name, keywords included.
    pub(super) fn name(&mut self) -> Result<Name, ParseError> {
        let token = self.peek();
        let name = match &token.kind {
            TokenKind::Word => {
                Name { text: self.text_of(token.span).to_owned(), quoted: false, span: token.span }
            }
            TokenKind::QuotedName(text) => {
                Name { text: text.clone(), quoted: true, span: token.span }
            }
            TokenKind::Integer(_)
            | TokenKind::Float(_)
            | TokenKind::String(_)
            | TokenKind::Parameter(_)
            | TokenKind::Symbol(_)
            | TokenKind::End => return Err(self.unexpected(&["a name"])),
        };
        self.advance();
        Ok(name)
    }

    /// `item, item, …`: one or more.
    pub(super) fn names(&mut self) -> Result<Vec<Name>, ParseError> {
        let mut names = vec![self.name()?];
        while self.eat_symbol(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    pub(super) fn integer(&mut self) -> Result<u64, ParseError> {
        match self.peek().kind {
            TokenKind::Integer(value) => {
                self.advance();
                Ok(value)
            }
            _ => Err(self.unexpected(&["an integer"])),
        }
    }

    /// From `start` to the end of the last token stepped over.
    pub(super) fn span_from(&self, start: Span) -> Span {
        let end = match self.position.checked_sub(1) {
            Some(last) => self.token(last).span.end,
            None => start.start,
        };
        Span::new(start.start, end)
    }

    /// `syntax error at or near` the current token, with a hint made from what would have been legal.
    pub(super) fn unexpected(&self, expected: &[&str]) -> ParseError {
        self.unexpected_at(0, expected)
    }

    /// The same for the token `ahead`.
    pub(super) fn unexpected_at(&self, ahead: usize, expected: &[&str]) -> ParseError {
        let span = self.peek_at(ahead).span;
        let near = self.text_of(span);
        ParseError::unexpected(near, span).maybe_hint(super::hint::expectation(near, expected))
    }

    /// One level deeper; every call is paired with [`Cursor::leave`], except where an error ends the parsing.
    pub(super) fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(ParseError::too_complex(self.peek().span));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

/// Finds the partner of each opening bracket, and the commas and bars directly inside. Brackets that do not match are
/// left without one, for the parser to stumble on.
fn match_brackets(tokens: &mut [Token]) {
    let mut open: Vec<usize> = Vec::new();
    for index in 0..tokens.len() {
        let TokenKind::Symbol(symbol) = tokens[index].kind else { continue };
        match symbol {
            "(" | "[" | "{" => open.push(index),
            ")" | "]" | "}" => {
                let Some(start) = open.pop() else { continue };
                let fits = matches!(
                    (&tokens[start].kind, symbol),
                    (TokenKind::Symbol("("), ")")
                        | (TokenKind::Symbol("["), "]")
                        | (TokenKind::Symbol("{"), "}")
                );
                if fits {
                    tokens[start].bracket.close = u32::try_from(index).unwrap_or(0);
                }
            }
            "," | "|" => {
                if let Some(&inner) = open.last() {
                    let bracket = &mut tokens[inner].bracket;
                    bracket.comma |= symbol == ",";
                    bracket.bar |= symbol == "|";
                }
            }
            _ => {}
        }
    }
}
