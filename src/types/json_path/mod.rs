//! SQL/JSON path as PostgreSQL has it: `strict $.items[*] ? (@.price > $limit).name`.
//!
//! Source: PostgreSQL 15, "The SQL/JSON Path Language". Reading order: this file (the tree), `lexer`, `parser`, `print`
//! (a path's own text form). What a path finds in a value is in `functions::lib::json_path`.

mod lexer;
mod parser;
mod print;

use super::error::TypeError;

/// How deep a path may nest; each level is a few frames of the stack.
const DEPTH_MAX: usize = 200;

/// A path that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    /// What does not fit the value's structure is an error, and arrays are not looked into by themselves.
    pub strict: bool,
    /// What it computes.
    pub root: Node,
}

/// An expression or a predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `$`
    Root,
    /// `@`
    Current,
    /// `last`
    Last,
    /// `$name`
    Variable(String),
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// `"text"`
    Text(String),
    /// Steps from what an expression gives.
    Steps(Box<Node>, Vec<Step>),
    /// `+x`, `-x`
    Sign(char, Box<Node>),
    /// `+`, `-`, `*`, `/`, `%`
    Arithmetic(char, Box<Node>, Box<Node>),
    /// `==`, `<>`, `<`, `<=`, `>`, `>=`
    Compare(Comparison, Box<Node>, Box<Node>),
    /// `&&`
    And(Box<Node>, Box<Node>),
    /// `||`
    Or(Box<Node>, Box<Node>),
    /// `!(p)`
    Not(Box<Node>),
    /// `(p) is unknown`
    IsUnknown(Box<Node>),
    /// `exists (x)`
    Exists(Box<Node>),
    /// `x starts with "text"`
    StartsWith(Box<Node>, Box<Node>),
    /// `x like_regex "pattern" flag "i"`
    LikeRegex(Box<Node>, String, String),
}

/// How two items are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.key`
    Member(String),
    /// `.*`
    AnyMember,
    /// `[1, 3 to last]`
    Index(Vec<(Node, Option<Node>)>),
    /// `[*]`
    AnyIndex,
    /// `.**{2 to 3}`: levels; `None` is the last one.
    Levels(Option<u32>, Option<u32>),
    /// `? (p)`
    Filter(Node),
    /// `.size()` and its like.
    Method(Method),
    /// `.datetime()`, with its template.
    Datetime(Option<String>),
}

/// What an item can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Type,
    Size,
    Abs,
    Floor,
    Ceiling,
    Double,
    Keyvalue,
}

impl Method {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("type", Self::Type),
        ("size", Self::Size),
        ("abs", Self::Abs),
        ("floor", Self::Floor),
        ("ceiling", Self::Ceiling),
        ("double", Self::Double),
        ("keyvalue", Self::Keyvalue),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, method)| *method == self).map_or("", |(name, _)| name)
    }
}

impl Node {
    /// Whether it is true, false or unknown, and not items.
    pub fn is_predicate(&self) -> bool {
        matches!(
            self,
            Self::Compare(..)
                | Self::And(..)
                | Self::Or(..)
                | Self::Not(_)
                | Self::IsUnknown(_)
                | Self::Exists(_)
                | Self::StartsWith(..)
                | Self::LikeRegex(..)
        )
    }
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// `42601` for what is no path, `54001` for one that nests too deeply.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        parser::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_postgres_prints() {
        for (text, printed) in [
            ("$", "$"),
            ("strict $.a[*]", "strict $.\"a\"[*]"),
            (
                "$.a.b ? (@.x > 1 && exists (@.y)).size()",
                "$.\"a\".\"b\"?(@.\"x\" > 1 && exists (@.\"y\")).size()",
            ),
            ("$.**{2 to last}.key", "$.**{2 to last}.\"key\""),
            ("1 + 2 * 3 - -4", "(1 + 2 * 3 - -4)"),
            ("(1 + 2) * 3", "((1 + 2) * 3)"),
            ("-$.a + 1", "(-$.\"a\" + 1)"),
            ("$[1, 3 to last]", "$[1,3 to last]"),
            ("!(@ == 1)", ""),
            ("$ ? (@ starts with $\"x y\")", "$?(@ starts with $\"x y\")"),
            ("$ ? (@ like_regex \"^a\" flag \"i\")", "$?(@ like_regex \"^a\" flag \"i\")"),
            ("($ > 1) is unknown", "($ > 1) is unknown"),
        ] {
            let read = JsonPath::parse(text).map(|path| path.to_string());
            assert_eq!(read.unwrap_or_default(), printed, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "$.",
            "$[",
            "@.a",
            "$[last.a",
            "last",
            "1 == 2 == 3",
            "$ ? (1)",
            "$ && $",
            "1a",
            "\"open",
            "$..a",
            "!$",
        ] {
            assert!(JsonPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}$ > 1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(JsonPath::parse(&deep).is_err());
        assert!(JsonPath::parse(&"-".repeat(100_000)).is_err());
    }
}
