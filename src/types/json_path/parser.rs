//! From words to the tree, by precedence: `||`, `&&`, comparisons, `+ -`, `* / %`, signs, steps.

use super::lexer::{Token, tokens, wrong};
use super::{Comparison, DEPTH_MAX, JsonPath, Method, Node, Step};
use crate::types::error::TypeError;

/// The most words of a path; each may be a level of the tree.
const TOKENS_MAX: usize = 4000;

pub(super) fn parse(text: &str) -> Result<JsonPath, TypeError> {
    if text.trim().is_empty() {
        let message = format!("invalid input syntax for type jsonpath: \"{text}\"");
        return Err(TypeError::new("22P02", message));
    }
    let tokens = tokens(text)?;
    if tokens.len() > TOKENS_MAX {
        return Err(TypeError::new("54001", "jsonpath is too long"));
    }
    let mut parser = Parser { tokens, at: 0, depth: 0, filters: 0, subscripts: 0 };
    let strict = parser.takes_word("strict");
    if !strict {
        parser.takes_word("lax");
    }
    let root = parser.either()?;
    match parser.peek() {
        None => Ok(JsonPath { strict, root }),
        other => Err(wrong(other)),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Filters and subscripts around this place.
    filters: usize,
    subscripts: usize,
}

type Parsed = Result<Node, TypeError>;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Some(Token::Mark(found)) if *found == mark)
    }

    fn takes(&mut self, mark: &str) -> bool {
        let is = self.is(mark);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, mark: &str) -> Result<(), TypeError> {
        if self.takes(mark) { Ok(()) } else { Err(wrong(self.peek())) }
    }

    fn is_word(&self, word: &str) -> bool {
        // `null`, `true` and `false` are in lower case only.
        let exact = matches!(word, "null" | "true" | "false");
        matches!(self.peek(), Some(Token::Word(found))
            if found == word || !exact && found.eq_ignore_ascii_case(word))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(TypeError::new("54001", "jsonpath nests too deeply"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn either(&mut self) -> Parsed {
        self.deeper(Self::disjunction)
    }

    fn predicate(&mut self) -> Parsed {
        let found = self.either()?;
        if found.is_predicate() { Ok(found) } else { Err(wrong(self.peek())) }
    }

    fn expression(&mut self) -> Parsed {
        self.deeper(Self::sum)
    }

    fn disjunction(&mut self) -> Parsed {
        let mut left = self.conjunction()?;
        while left.is_predicate() && self.is("||") {
            self.at += 1;
            let right = self.conjunction()?;
            if !right.is_predicate() {
                return Err(wrong(self.peek()));
            }
            left = Node::Or(left.into(), right.into());
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed {
        let mut left = self.comparison()?;
        while left.is_predicate() && self.is("&&") {
            self.at += 1;
            let right = self.comparison()?;
            if !right.is_predicate() {
                return Err(wrong(self.peek()));
            }
            left = Node::And(left.into(), right.into());
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Parsed {
        if self.takes("!") {
            return self.deeper(|parser| Ok(Node::Not(parser.delimited()?.into())));
        }
        let left = self.sum()?;
        if left.is_predicate() {
            return Ok(left);
        }
        let comparison = match self.peek() {
            Some(Token::Mark("==")) => Comparison::Equal,
            Some(Token::Mark("!=" | "<>")) => Comparison::NotEqual,
            Some(Token::Mark("<")) => Comparison::Less,
            Some(Token::Mark("<=")) => Comparison::LessOrEqual,
            Some(Token::Mark(">")) => Comparison::Greater,
            Some(Token::Mark(">=")) => Comparison::GreaterOrEqual,
            _ => return self.text_predicate(left),
        };
        self.at += 1;
        let right = self.items()?;
        Ok(Node::Compare(comparison, left.into(), right.into()))
    }

    /// A sum that is no predicate in parentheses.
    fn items(&mut self) -> Parsed {
        let found = self.sum()?;
        if found.is_predicate() { Err(wrong(self.peek())) } else { Ok(found) }
    }

    fn text_predicate(&mut self, left: Node) -> Parsed {
        if self.takes_word("starts") {
            if !self.takes_word("with") {
                return Err(wrong(self.peek()));
            }
            let start = match self.next() {
                Some(Token::Text(text)) => Node::Text(text),
                Some(Token::Variable(name)) => Node::Variable(name),
                other => return Err(wrong(other.as_ref())),
            };
            return Ok(Node::StartsWith(left.into(), start.into()));
        }
        if self.takes_word("like_regex") {
            let pattern = self.text()?;
            let flags = if self.takes_word("flag") { self.text()? } else { String::new() };
            return Ok(Node::LikeRegex(left.into(), pattern, checked_flags(flags)?));
        }
        Ok(left)
    }

    fn text(&mut self) -> Result<String, TypeError> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            other => Err(wrong(other.as_ref())),
        }
    }

    /// `(p)` or `exists (x)`.
    fn delimited(&mut self) -> Parsed {
        if self.takes_word("exists") {
            return self.exists();
        }
        self.expect("(")?;
        let inner = self.predicate()?;
        self.expect(")")?;
        Ok(inner)
    }

    fn exists(&mut self) -> Parsed {
        self.expect("(")?;
        let inner = self.expression()?;
        if inner.is_predicate() {
            return Err(wrong(self.peek()));
        }
        self.expect(")")?;
        Ok(Node::Exists(inner.into()))
    }

    fn sum(&mut self) -> Parsed {
        self.binary(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Parsed {
        self.binary(&["*", "/", "%"], Self::signed)
    }

    fn binary(&mut self, marks: &[&'static str], operand: fn(&mut Self) -> Parsed) -> Parsed {
        let mut left = operand(self)?;
        while !left.is_predicate()
            && let Some(mark) = marks.iter().find(|mark| self.is(mark))
        {
            self.at += 1;
            let right = operand(self)?;
            if right.is_predicate() {
                return Err(wrong(self.peek()));
            }
            let sign = mark.chars().next().unwrap_or('+');
            left = Node::Arithmetic(sign, left.into(), right.into());
        }
        Ok(left)
    }

    fn signed(&mut self) -> Parsed {
        let sign = match self.peek() {
            Some(Token::Mark("+")) => '+',
            Some(Token::Mark("-")) => '-',
            _ => return self.stepped(),
        };
        self.at += 1;
        let inner = self.deeper(Self::signed)?;
        match inner {
            inner if inner.is_predicate() => Err(wrong(self.peek())),
            // A number with a sign is a number.
            Node::Number(digits) if sign == '+' => Ok(Node::Number(digits)),
            Node::Number(digits) => Ok(Node::Number(match digits.strip_prefix('-') {
                Some(digits) => digits.to_owned(),
                None => format!("-{digits}"),
            })),
            inner => Ok(Node::Sign(sign, inner.into())),
        }
    }

    fn stepped(&mut self) -> Parsed {
        let start = self.primary()?;
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        Ok(if steps.is_empty() { start } else { Node::Steps(start.into(), steps) })
    }

    fn primary(&mut self) -> Parsed {
        if self.takes("(") {
            let inner = self.either()?;
            self.expect(")")?;
            if inner.is_predicate() && self.is_word("is") {
                self.at += 1;
                if !self.takes_word("unknown") {
                    return Err(wrong(self.peek()));
                }
                return Ok(Node::IsUnknown(inner.into()));
            }
            return Ok(inner);
        }
        let outside = |what: &'static str| Err(TypeError::new("42601", what));
        match self.next() {
            Some(Token::Mark("$")) => Ok(Node::Root),
            Some(Token::Mark("@")) if self.filters == 0 => {
                outside("@ is not allowed in root expressions")
            }
            Some(Token::Mark("@")) => Ok(Node::Current),
            Some(Token::Text(text)) => Ok(Node::Text(text)),
            Some(Token::Variable(name)) => Ok(Node::Variable(name)),
            Some(Token::Number(digits)) => Ok(Node::Number(digits)),
            Some(Token::Word(word)) => match (word.as_str(), word.to_ascii_lowercase().as_str()) {
                ("null", _) => Ok(Node::Null),
                ("true", _) => Ok(Node::Bool(true)),
                ("false", _) => Ok(Node::Bool(false)),
                (_, "last") if self.subscripts == 0 => {
                    outside("LAST is allowed only in array subscripts")
                }
                (_, "last") => Ok(Node::Last),
                (_, "exists") => self.deeper(Self::exists),
                _ => Err(wrong(Some(&Token::Word(word)))),
            },
            other => Err(wrong(other.as_ref())),
        }
    }

    fn step(&mut self) -> Result<Option<Step>, TypeError> {
        if self.takes("[") {
            return self.subscript().map(Some);
        }
        if self.takes("?") {
            self.expect("(")?;
            self.filters += 1;
            let condition = self.predicate()?;
            self.filters -= 1;
            self.expect(")")?;
            return Ok(Some(Step::Filter(condition)));
        }
        if !self.takes(".") {
            return Ok(None);
        }
        if self.takes("**") {
            return self.levels().map(Some);
        }
        Ok(Some(match self.next() {
            Some(Token::Mark("*")) => Step::AnyMember,
            Some(Token::Text(key)) => Step::Member(key),
            Some(Token::Word(word)) if self.is("(") => self.method(word)?,
            Some(Token::Word(key)) => Step::Member(key),
            other => return Err(wrong(other.as_ref())),
        }))
    }

    fn method(&mut self, word: String) -> Result<Step, TypeError> {
        let name = word.to_ascii_lowercase();
        let method =
            Method::ALL.iter().find(|(known, _)| *known == name).map(|(_, method)| *method);
        let step = match method {
            Some(method) => {
                self.expect("(")?;
                Step::Method(method)
            }
            None if name == "datetime" => {
                self.expect("(")?;
                let template = match self.peek() {
                    Some(Token::Text(text)) => Some(text.clone()),
                    _ => None,
                };
                self.at += usize::from(template.is_some());
                Step::Datetime(template)
            }
            None => return Err(wrong(self.peek())),
        };
        self.expect(")")?;
        Ok(step)
    }

    fn subscript(&mut self) -> Result<Step, TypeError> {
        if self.is("*") && self.tokens.get(self.at + 1) == Some(&Token::Mark("]")) {
            self.at += 2;
            return Ok(Step::AnyIndex);
        }
        self.subscripts += 1;
        let mut found = Vec::new();
        loop {
            let from = self.index()?;
            let to = if self.takes_word("to") { Some(self.index()?) } else { None };
            found.push((from, to));
            if !self.takes(",") {
                break;
            }
        }
        self.subscripts -= 1;
        self.expect("]")?;
        Ok(Step::Index(found))
    }

    fn index(&mut self) -> Parsed {
        let found = self.expression()?;
        if found.is_predicate() { Err(wrong(self.peek())) } else { Ok(found) }
    }

    fn levels(&mut self) -> Result<Step, TypeError> {
        if !self.takes("{") {
            return Ok(Step::Levels(Some(0), None));
        }
        let from = self.level()?;
        let to = if self.takes_word("to") { self.level()? } else { from };
        self.expect("}")?;
        Ok(Step::Levels(from, to))
    }

    fn level(&mut self) -> Result<Option<u32>, TypeError> {
        if self.takes_word("last") {
            return Ok(None);
        }
        match self.next() {
            Some(Token::Number(digits)) if let Ok(level) = digits.parse() => Ok(Some(level)),
            other => Err(wrong(other.as_ref())),
        }
    }
}

/// The flags of `like_regex`, each once.
fn checked_flags(flags: String) -> Result<String, TypeError> {
    if flags.contains('x') && !flags.contains('q') {
        let message = "XQuery \"x\" flag (expanded regular expressions) is not implemented";
        return Err(TypeError::new("0A000", message));
    }
    let known = |c: char| "ismxq".contains(c);
    if let Some(other) = flags.chars().find(|c| !known(*c)) {
        let message = "invalid input syntax for type jsonpath";
        let detail = format!("Unrecognized flag character \"{other}\" in LIKE_REGEX predicate.");
        return Err(TypeError::new("42601", message).with_detail(detail));
    }
    Ok("ismxq".chars().filter(|c| flags.contains(*c)).collect())
}
