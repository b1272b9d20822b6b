//! Reads an SQL type name: words, an optional modifier, optional array brackets.

use super::builtin::{builtin_by_name, is_known_elsewhere};
use super::error::TypeError;
use super::pg_type::PgType;

/// A name may not be longer than this; no legal one comes near it.
const NAME_BYTES_MAX: usize = 1024;

pub(super) fn parse(text: &str) -> Result<PgType, TypeError> {
    if text.len() > NAME_BYTES_MAX {
        return Err(TypeError::new("42601", "type name is too long"));
    }
    let tokens = tokenize(text)?;
    let mut reader = Reader { text, tokens: &tokens };
    let ty = reader.type_name()?;
    let ty = reader.array_suffix(ty)?;
    if reader.tokens.is_empty() { Ok(ty) } else { Err(reader.syntax_error()) }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// Lower-cased, as SQL folds it.
    Word(String),
    Quoted(String),
    Number(i64),
    Punct(char),
}

fn tokenize(text: &str) -> Result<Vec<Token>, TypeError> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        if c.is_whitespace() {
            continue;
        }
        if c == '"' {
            tokens.push(Token::Quoted(quoted(text, &mut rest)?));
        } else if c.is_alphabetic() || c == '_' {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            while rest.next_if(|(_, c)| is_word(*c)).is_some() {}
            let end = rest.peek().map_or(text.len(), |(at, _)| *at);
            tokens.push(Token::Word(text[start..end].to_lowercase()));
        } else if c.is_ascii_digit() || c == '-' {
            while rest.next_if(|(_, c)| c.is_ascii_digit()).is_some() {}
            let end = rest.peek().map_or(text.len(), |(at, _)| *at);
            let number = text[start..end].parse().map_err(|_| syntax_error(text))?;
            tokens.push(Token::Number(number));
        } else {
            tokens.push(Token::Punct(c));
        }
    }
    Ok(tokens)
}

fn quoted(
    text: &str,
    rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
) -> Result<String, TypeError> {
    let mut name = String::new();
    while let Some((_, c)) = rest.next() {
        match c {
            '"' if rest.next_if(|(_, c)| *c == '"').is_some() => name.push('"'),
            '"' => return Ok(name),
            c => name.push(c),
        }
    }
    Err(syntax_error(text))
}

fn syntax_error(text: &str) -> TypeError {
    TypeError::new("42601", format!("syntax error in type name \"{text}\""))
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn syntax_error(&self) -> TypeError {
        syntax_error(self.text)
    }

    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn accept_punct(&mut self, punct: char) -> bool {
        let found = self.tokens.first() == Some(&Token::Punct(punct));
        if found {
            self.next();
        }
        found
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(found)) if found == word);
        if found {
            self.next();
        }
        found
    }

    fn type_name(&mut self) -> Result<PgType, TypeError> {
        let mut first = self.next().cloned();
        if self.accept_punct('.') {
            match first {
                Some(Token::Word(schema) | Token::Quoted(schema)) if schema == "pg_catalog" => {}
                Some(Token::Word(_) | Token::Quoted(_)) => return Err(self.undefined()),
                _ => return Err(self.syntax_error()),
            }
            first = self.next().cloned();
            // A qualified name is a typname, never one of the grammar's words: `pg_catalog.char`
            // is the one-byte type.
            if let Some(Token::Word(name) | Token::Quoted(name)) = first {
                return self.plain(&name);
            }
            return Err(self.syntax_error());
        }
        match first {
            Some(Token::Quoted(name)) => self.plain(&name),
            Some(Token::Word(word)) => self.keyword(&word),
            _ => Err(self.syntax_error()),
        }
    }

    /// A name that the grammar spells with words of its own.
    fn keyword(&mut self, word: &str) -> Result<PgType, TypeError> {
        match word {
            "boolean" => self.without_modifier(PgType::Bool),
            "smallint" => self.without_modifier(PgType::Int2),
            "int" | "integer" => self.without_modifier(PgType::Int4),
            "bigint" => self.without_modifier(PgType::Int8),
            "real" => self.without_modifier(PgType::Float4),
            "double" if self.accept_word("precision") => self.without_modifier(PgType::Float8),
            "float" => self.float(),
            "dec" | "decimal" => self.plain("numeric"),
            "national" if self.accept_word("character") || self.accept_word("char") => {
                self.character()
            }
            "character" | "char" | "nchar" => self.character(),
            "time" => self.date_time(PgType::Time(None), PgType::Timetz(None)),
            "timestamp" => self.date_time(PgType::Timestamp(None), PgType::Timestamptz(None)),
            "interval" => self.interval(),
            other => self.plain(other),
        }
    }

    /// A name as `typname` has it, with its modifier if it takes one.
    fn plain(&mut self, name: &str) -> Result<PgType, TypeError> {
        let (name, is_array) = match name.strip_prefix('_') {
            Some(element) => (element, true),
            None => (name, false),
        };
        let Some(ty) = builtin_by_name(name) else {
            if is_known_elsewhere(name) {
                return Err(TypeError::unsupported(format!("type \"{name}\" is not supported"))
                    .with_hint("Use text and convert on the client."));
            }
            return Err(self.undefined());
        };
        let ty = match ty {
            PgType::Numeric(_) => self.numeric()?,
            PgType::Varchar(_) => PgType::Varchar(self.length("varchar")?),
            PgType::Bpchar(_) => PgType::Bpchar(self.length("bpchar")?),
            PgType::Time(_) | PgType::Timetz(_) | PgType::Timestamp(_) | PgType::Timestamptz(_) => {
                let digits = self.precision()?;
                ty.clone().with_typmod(digits)
            }
            other => self.without_modifier(other.clone())?,
        };
        Ok(if is_array { PgType::array_of(ty) } else { ty })
    }

    fn undefined(&self) -> TypeError {
        let name = self.text.trim();
        TypeError::new("42704", format!("type \"{name}\" does not exist"))
    }

    fn without_modifier(&mut self, ty: PgType) -> Result<PgType, TypeError> {
        if self.tokens.first() != Some(&Token::Punct('(')) {
            return Ok(ty);
        }
        Err(TypeError::new(
            "42601",
            format!("type modifier is not allowed for type \"{}\"", ty.typname()),
        ))
    }

    fn character(&mut self) -> Result<PgType, TypeError> {
        if self.accept_word("varying") {
            return Ok(PgType::Varchar(self.length("varchar")?));
        }
        // SQL gives `char` the length 1; only `bpchar` has none.
        Ok(PgType::Bpchar(Some(self.length("char")?.unwrap_or(1))))
    }

    fn float(&mut self) -> Result<PgType, TypeError> {
        match self.modifier()?.as_deref() {
            None | Some([25..=53]) => Ok(PgType::Float8),
            Some([1..=24]) => Ok(PgType::Float4),
            Some([..=0]) => {
                Err(TypeError::new("22023", "precision for type float must be at least 1 bit"))
            }
            Some([_]) => {
                Err(TypeError::new("22023", "precision for type float must be less than 54 bits"))
            }
            Some(_) => Err(self.syntax_error()),
        }
    }

    fn numeric(&mut self) -> Result<PgType, TypeError> {
        let modifier = self.modifier()?;
        let (precision, scale) = match modifier.as_deref() {
            None => return Ok(PgType::Numeric(None)),
            Some([precision]) => (*precision, 0),
            Some([precision, scale]) => (*precision, *scale),
            Some(_) => return Err(TypeError::new("22023", "invalid NUMERIC type modifier")),
        };
        if !(1..=1000).contains(&precision) {
            return Err(TypeError::new(
                "22023",
                format!("NUMERIC precision {precision} must be between 1 and 1000"),
            ));
        }
        if !(-1000..=1000).contains(&scale) {
            return Err(TypeError::new(
                "22023",
                format!("NUMERIC scale {scale} must be between -1000 and 1000"),
            ));
        }
        match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(p @ 1..=76), Ok(s)) if i64::from(s) <= precision && s > -38 => {
                Ok(PgType::Numeric(Some((p, s))))
            }
            _ => Err(TypeError::unsupported(format!(
                "numeric({precision},{scale}) is not supported"
            ))
            .with_hint("The precision may be at most 76 and the scale from -37 to the precision.")),
        }
    }

    fn date_time(&mut self, without: PgType, with: PgType) -> Result<PgType, TypeError> {
        let digits = self.precision()?;
        let (without, with) = (without.with_typmod(digits), with.with_typmod(digits));
        let zoned = if self.accept_word("with") {
            true
        } else if self.accept_word("without") {
            false
        } else {
            return Ok(without);
        };
        if !(self.accept_word("time") && self.accept_word("zone")) {
            return Err(self.syntax_error());
        }
        Ok(if zoned { with } else { without })
    }

    fn interval(&mut self) -> Result<PgType, TypeError> {
        const FIELDS: &[&str] = &["year", "month", "day", "hour", "minute", "second"];
        if matches!(self.tokens.first(), Some(Token::Word(word)) if FIELDS.contains(&word.as_str()))
        {
            return Err(TypeError::unsupported("interval fields are not supported")
                .with_hint("Use interval without fields."));
        }
        match self.precision()? {
            -1 | 6 => Ok(PgType::Interval),
            _ => Err(TypeError::unsupported(
                "an interval of less than 6 digits of the second is not supported",
            )
            .with_hint("Leave the precision out.")),
        }
    }

    /// The digits of a second's fraction as a type modifier; -1 without one. There are six, so more say nothing more.
    fn precision(&mut self) -> Result<i32, TypeError> {
        match self.modifier()?.as_deref() {
            None => Ok(-1),
            Some([digits]) if *digits >= 0 => Ok(i32::try_from(*digits).unwrap_or(6).min(6)),
            Some(_) => Err(TypeError::new("22023", "invalid type modifier")),
        }
    }

    fn length(&mut self, name: &str) -> Result<Option<u32>, TypeError> {
        const LENGTH_MAX: i64 = 10_485_760;
        match self.modifier()?.as_deref() {
            None => Ok(None),
            Some([..=0]) => {
                Err(TypeError::new("22023", format!("length for type {name} must be at least 1")))
            }
            Some([length]) if *length <= LENGTH_MAX => Ok(u32::try_from(*length).ok()),
            Some([_]) => Err(TypeError::new(
                "22023",
                format!("length for type {name} cannot exceed {LENGTH_MAX}"),
            )),
            Some(_) => Err(TypeError::new("22023", "invalid type modifier")),
        }
    }

    /// `( number [, …] )`, if there is one.
    fn modifier(&mut self) -> Result<Option<Vec<i64>>, TypeError> {
        if !self.accept_punct('(') {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        loop {
            match self.next() {
                Some(Token::Number(number)) => numbers.push(*number),
                _ => return Err(self.syntax_error()),
            }
            if self.accept_punct(')') {
                return Ok(Some(numbers));
            }
            if !self.accept_punct(',') {
                return Err(self.syntax_error());
            }
        }
    }

    fn array_suffix(&mut self, ty: PgType) -> Result<PgType, TypeError> {
        let mut is_array = false;
        if self.accept_word("array") {
            is_array = true;
        }
        while self.accept_punct('[') {
            is_array = true;
            // PostgreSQL does not enforce a declared length either.
            if matches!(self.tokens.first(), Some(Token::Number(_))) {
                self.next();
            }
            if !self.accept_punct(']') {
                return Err(self.syntax_error());
            }
        }
        match ty {
            ty if !is_array => Ok(ty),
            ty @ PgType::Array(_) => Ok(ty),
            ty if ty.array_oid() == 0 => Err(TypeError::new(
                "42704",
                format!("could not find array type for data type {}", ty.name()),
            )),
            ty => Ok(PgType::array_of(ty)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for ty in PgType::builtins() {
            assert_eq!(parse(&ty.name()).as_ref(), Ok(ty), "{}", ty.name());
            assert_eq!(PgType::from_oid(ty.oid(), -1).as_ref(), Some(ty));
            assert_eq!(PgType::from_field(&ty.field("c", true)), *ty);
            if ty.array_oid() != 0 {
                let array = PgType::array_of(ty.clone());
                assert_eq!(parse(&array.name()).as_ref(), Ok(&array), "{}", array.name());
                assert_eq!(PgType::from_oid(array.oid(), -1).as_ref(), Some(&array));
                assert_eq!(PgType::from_field(&array.field("c", true)), array);
            }
        }
    }

    #[test]
    fn spellings() {
        let cases = [
            ("int4", PgType::Int4),
            ("INTEGER", PgType::Int4),
            ("int[]", PgType::array_of(PgType::Int4)),
            ("_int4", PgType::array_of(PgType::Int4)),
            ("int[3][]", PgType::array_of(PgType::Int4)),
            ("integer array", PgType::array_of(PgType::Int4)),
            ("varchar(10)", PgType::Varchar(Some(10))),
            ("character varying ( 10 ) []", PgType::array_of(PgType::Varchar(Some(10)))),
            ("char", PgType::Bpchar(Some(1))),
            ("\"char\"", PgType::InternalChar),
            ("pg_catalog.char", PgType::InternalChar),
            ("bpchar", PgType::Bpchar(None)),
            ("numeric(10,2)", PgType::Numeric(Some((10, 2)))),
            ("decimal(5)", PgType::Numeric(Some((5, 0)))),
            ("numeric(5,-2)", PgType::Numeric(Some((5, -2)))),
            ("float(24)", PgType::Float4),
            ("float", PgType::Float8),
            ("double precision", PgType::Float8),
            ("timestamp(6) with time zone", PgType::Timestamptz(Some(6))),
            ("time without time zone", PgType::Time(None)),
            ("pg_catalog.text", PgType::Text),
        ];
        for (name, expected) in cases {
            assert_eq!(parse(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn refusals() {
        let cases = [
            ("nosuch", "42704"),
            ("public.int4", "42704"),
            ("money", "0A000"),
            ("numeric(80,2)", "0A000"),
            ("numeric(1001)", "22023"),
            ("varchar(0)", "22023"),
            ("int(4)", "42601"),
            ("int[", "42601"),
            ("\"char", "42601"),
            ("", "42601"),
            ("int 4", "42601"),
        ];
        for (name, sqlstate) in cases {
            assert_eq!(parse(name).map_err(|e| e.sqlstate), Err(sqlstate), "{name}");
        }
    }

    #[test]
    fn modifiers_round_trip() {
        for ty in [
            PgType::Numeric(Some((10, 2))),
            PgType::Numeric(Some((5, -2))),
            PgType::Numeric(Some((50, 0))),
            PgType::Varchar(Some(10)),
            PgType::Bpchar(Some(3)),
            PgType::array_of(PgType::Varchar(Some(7))),
        ] {
            assert_eq!(PgType::from_oid(ty.oid(), ty.typmod()), Some(ty.clone()));
            assert_eq!(PgType::from_field(&ty.field("c", true)), ty);
        }
        assert_eq!(PgType::Numeric(Some((10, 2))).typmod(), 655_366);
    }
}
