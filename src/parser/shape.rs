//! The shape of a statement: its text with a parameter in place of each plain literal.
//!
//! ```text
//! UPDATE account SET balance = balance + 7 WHERE id = 42
//! UPDATE account SET balance = balance + $1 WHERE id = $2      7, 42
//! ```
//!
//! Clients that do not prepare send the same few shapes again and again. Only statements are given a shape in which a
//! parameter means what the literal did: `SELECT`, `INSERT`, `UPDATE` and `DELETE` without clauses in which a number
//! stands for something else (`ORDER BY 1`), and only literals behind an operator, a comma or an opening parenthesis.
//! Whatever is unusual, comments and escapes among it, has no shape: it is read in full each time.

use std::fmt::Write as _;

/// A statement's text with its literals taken out.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    /// The text with `$1`, `$2`, … for the literals, without a semicolon at its end. Statements whose literals are of
    /// other types have other texts: a comment behind it tells them.
    pub text: String,
    /// What `$1`, `$2`, … stand for.
    pub literals: Vec<Literal<'a>>,
}

/// A literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal<'a> {
    /// Digits that `integer` holds.
    Int4(&'a str),
    /// Digits that `bigint` holds.
    Int8(&'a str),
    /// What stands between the quotes; without quotes or escapes in it.
    Text(&'a str),
}

/// Longer texts are not worth remembering.
const BYTES_MAX: usize = 4096;
/// More literals than this are data rather than a statement.
const LITERALS_MAX: usize = 64;

/// Words whose clauses give a number another meaning, or that begin what has no short way.
const UNFIT: [&str; 22] = [
    "order",
    "group",
    "limit",
    "offset",
    "fetch",
    "over",
    "partition",
    "union",
    "intersect",
    "except",
    "with",
    "cross",
    "join",
    "having",
    "window",
    "distinct",
    "for",
    "tablesample",
    "match",
    "graph_table",
    "interval",
    "into",
];

/// Words behind which a literal may stand.
const BEFORE: [&str; 14] = [
    "and",
    "or",
    "not",
    "where",
    "values",
    "between",
    "then",
    "else",
    "when",
    "in",
    "select",
    "is",
    "like",
    "returning",
];

impl<'a> Shape<'a> {
    /// The shape of a text, if it has one.
    pub fn of(text: &'a str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let mut reader = Reader {
            text,
            at: 0,
            shape: Self { text: String::with_capacity(text.len() + 16), literals: Vec::new() },
            may_follow: false,
            words: 0,
        };
        while reader.at < text.len() {
            reader.step()?;
        }
        let mut shape = reader.shape;
        if shape.literals.is_empty() || reader.words < 2 {
            return None;
        }
        shape.text.push_str(" /*");
        for literal in &shape.literals {
            shape.text.push(match literal {
                Literal::Int4(_) => '4',
                Literal::Int8(_) => '8',
                Literal::Text(_) => 't',
            });
        }
        shape.text.push_str("*/");
        Some(shape)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    shape: Shape<'a>,
    /// Whether a literal here is a value.
    may_follow: bool,
    words: usize,
}

impl<'a> Reader<'a> {
    /// Reads a token; `None` if the text has no shape.
    fn step(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let next = bytes.get(self.at + 1).copied().unwrap_or(b' ');
        match bytes[self.at] {
            b' ' | b'\t' | b'\n' | b'\r' => self.copy(1),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => return self.word(),
            b'0'..=b'9' => return self.number(),
            b'\'' => return self.string(),
            b'"' => {
                let end = memchr::memchr(b'"', bytes.get(self.at + 1..)?)?;
                self.copy(end + 2);
                self.may_follow = false;
            }
            b';' if self
                .text
                .get(self.at..)?
                .trim_end_matches([';', ' ', '\n', '\r', '\t'])
                .is_empty() =>
            {
                self.at = self.text.len();
            }
            b'-' if next == b'-' => return None,
            b'/' if next == b'*' => return None,
            b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'(' | b',' | b'!' | b'|' => {
                self.copy(1);
                self.may_follow = true;
            }
            b')' | b'.' | b':' => {
                self.copy(1);
                self.may_follow = false;
            }
            // Parameters, other kinds of strings, arrays, rare operators.
            _ => return None,
        }
        Some(())
    }

    fn copy(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        self.shape.text.push_str(self.text.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    fn word(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | 0x80..);
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        // `E'…'`, `B'…'`, `U&'…'`, `a$1`.
        if matches!(rest.get(length), Some(b'\'' | b'&' | b'$')) {
            return None;
        }
        let word = self.text.get(self.at..self.at + length)?;
        let is = |known: &&str| word.eq_ignore_ascii_case(known);
        if self.words == 0 && !["select", "insert", "update", "delete"].iter().any(|one| is(&one)) {
            return None;
        }
        // `INSERT INTO` and nothing else may go into anything.
        let is_insert = self.words == 1 && is(&"into");
        if UNFIT.iter().any(|known| is(known)) && !is_insert {
            return None;
        }
        self.may_follow = BEFORE.iter().any(|known| is(known));
        self.words += 1;
        self.copy(length);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        // A fraction, an exponent, another base.
        let is_whole = !matches!(
            rest.get(length),
            Some(b'.' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'$' | 0x80..)
        );
        if !is_whole || !self.may_follow {
            return None;
        }
        let digits = self.text.get(self.at..self.at + length)?;
        let literal = if digits.parse::<i32>().is_ok() {
            Literal::Int4(digits)
        } else if digits.parse::<i64>().is_ok() {
            Literal::Int8(digits)
        } else {
            return None;
        };
        self.literal(literal, length)
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        let length = memchr::memchr(b'\'', self.text.as_bytes().get(start..)?)?;
        let value = self.text.get(start..start + length)?;
        // A doubled quote, or a string that goes on behind a line break; a typed literal (`date '…'`).
        let after = self.text.get(start + length + 1..)?.trim_start();
        if after.starts_with('\'') || !self.may_follow || value.contains('\0') {
            return None;
        }
        self.literal(Literal::Text(value), length + 2)
    }

    fn literal(&mut self, literal: Literal<'a>, bytes: usize) -> Option<()> {
        if self.shape.literals.len() >= LITERALS_MAX {
            return None;
        }
        self.shape.literals.push(literal);
        // Writing to a string does not fail.
        let _ = write!(self.shape.text, "${}", self.shape.literals.len());
        self.at += bytes;
        self.may_follow = false;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Option<(String, Vec<Literal<'_>>)> {
        Shape::of(text).map(|shape| (shape.text, shape.literals))
    }

    #[test]
    fn literals_are_taken_out() {
        assert_eq!(
            shape("UPDATE t SET a = a + -7 WHERE id = 42;"),
            Some((
                "UPDATE t SET a = a + -$1 WHERE id = $2 /*44*/".to_owned(),
                vec![Literal::Int4("7"), Literal::Int4("42")],
            ))
        );
        assert_eq!(
            shape("insert into t (a, \"B c\") values ('x y', 3000000000)"),
            Some((
                "insert into t (a, \"B c\") values ($1, $2) /*t8*/".to_owned(),
                vec![Literal::Text("x y"), Literal::Int8("3000000000")],
            ))
        );
        let names = shape("select a1, b_2 from t3 where a1=5");
        assert_eq!(
            names.map(|found| found.0).as_deref(),
            Some("select a1, b_2 from t3 where a1=$1 /*4*/")
        );
    }

    #[test]
    fn what_is_unusual_has_no_shape() {
        for text in [
            "",
            "select a from t",
            "begin",
            "select a from t order by 1",
            "select a from t where b = 1 limit 5",
            "select a from t where b = 1 for update",
            "select a from t where b = 1.5",
            "select a from t where b = 1e5",
            "select a from t where b = 0x1F",
            "select a from t where b = 12345678901234567890",
            "select a from t where b = E'x'",
            "select a from t where b = 'it''s'",
            "select a from t where b = 'a'\n'b'",
            "select a from t where b = $1 and c = 2",
            "select a from t where b = $$x$$",
            "select a from t where b = 1 -- c",
            "select a /* c */ from t where b = 1",
            "select date '2020-01-01' from t where b = 1",
            "select 1; select 2",
            "select a[1] from t where b = 1",
            "with x as (select 1) select * from x where a = 1",
            "select a into b from t where c = 1",
            "select a from t where b = 'open",
            "create table t (a varchar(5))",
        ] {
            assert_eq!(shape(text), None, "{text}");
        }
    }

    #[test]
    fn no_text_breaks_it() {
        let pieces =
            ["select ", "'", "\"", "1", "é", "$", ";", "(", "-", "/", "*", "\0", " a", "="];
        let mut seed = 12345_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            let _ = Shape::of(&text);
        }
    }
}
