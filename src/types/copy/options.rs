//! What `COPY … WITH (…)` says about the format.

use crate::types::error::TypeError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CopyFormat {
    #[default]
    Text,
    Csv,
    Binary,
}

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CopyHeader {
    #[default]
    None,
    /// Written; skipped when read.
    Present,
    /// Must name the columns when read.
    Match,
}

/// The options of a COPY, as [`CopyOptions::set`] has taken them and [`CopyOptions::check`] passed them.
///
/// FORCE_QUOTE, FORCE_NOT_NULL and FORCE_NULL name columns; the statement has checked that they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    pub(crate) format: CopyFormat,
    pub(crate) delimiter: u8,
    pub(crate) null: Vec<u8>,
    pub(crate) header: CopyHeader,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    pub(crate) force_quote: CopyColumns,
    pub(crate) force_not_null: CopyColumns,
    pub(crate) force_null: CopyColumns,
}

/// Columns named in an option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum CopyColumns {
    #[default]
    None,
    /// `*`
    #[cfg_attr(not(test), expect(dead_code, reason = "sqlparser 0.62 does not read FORCE_QUOTE *"))]
    All,
    Named(Vec<String>),
}

impl CopyColumns {
    pub(crate) fn contains(&self, column: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == column),
        }
    }
}

/// Option values as the statement has them; `None` where the option was not given.
///
/// `delimiter`, `quote` and `escape` are text of any length here; that they are one byte is checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct CopyOptionTexts {
    pub(crate) format: CopyFormat,
    pub(crate) delimiter: Option<String>,
    pub(crate) null: Option<String>,
    pub(crate) header: CopyHeader,
    pub(crate) quote: Option<String>,
    pub(crate) escape: Option<String>,
    pub(crate) force_quote: CopyColumns,
    pub(crate) force_not_null: CopyColumns,
    pub(crate) force_null: CopyColumns,
    /// Whether the statement is `COPY FROM`.
    pub(crate) reads: bool,
}

impl CopyOptions {
    /// The defaults of a format.
    pub(crate) fn new(format: CopyFormat) -> Self {
        let is_csv = format == CopyFormat::Csv;
        Self {
            format,
            delimiter: if is_csv { b',' } else { b'\t' },
            null: if is_csv { Vec::new() } else { b"\\N".to_vec() },
            header: CopyHeader::None,
            quote: b'"',
            escape: b'"',
            force_quote: CopyColumns::None,
            force_not_null: CopyColumns::None,
            force_null: CopyColumns::None,
        }
    }

    /// Checks the options of a statement against each other.
    ///
    /// # Errors
    /// PostgreSQL's own: `42601`, `22023` or `0A000`.
    pub(crate) fn check(texts: CopyOptionTexts) -> Result<Self, TypeError> {
        let format = texts.format;
        let is_csv = format == CopyFormat::Csv;
        check_for_format(&texts)?;
        let quote = match &texts.quote {
            Some(quote) => one_byte(quote, "COPY quote")?,
            None => b'"',
        };
        let escape = match &texts.escape {
            Some(escape) => one_byte(escape, "COPY escape")?,
            None => quote,
        };
        let defaults = Self::new(format);
        let delimiter = match &texts.delimiter {
            Some(delimiter) => one_byte(delimiter, "COPY delimiter")?,
            None => defaults.delimiter,
        };
        let null = texts.null.map_or(defaults.null, String::into_bytes);
        check_bytes(delimiter, &null, quote, is_csv)?;
        Ok(Self {
            format,
            delimiter,
            null,
            header: texts.header,
            quote,
            escape,
            force_quote: texts.force_quote,
            force_not_null: texts.force_not_null,
            force_null: texts.force_null,
        })
    }
}

fn unsupported(message: &str) -> TypeError {
    TypeError::unsupported(message)
}

/// Options that only some formats and directions have.
fn check_for_format(texts: &CopyOptionTexts) -> Result<(), TypeError> {
    let is_csv = texts.format == CopyFormat::Csv;
    if texts.format == CopyFormat::Binary {
        if texts.delimiter.is_some() {
            return Err(TypeError::new("42601", "cannot specify DELIMITER in BINARY mode"));
        }
        if texts.null.is_some() {
            return Err(TypeError::new("42601", "cannot specify NULL in BINARY mode"));
        }
        if texts.header != CopyHeader::None {
            return Err(unsupported("cannot specify HEADER in BINARY mode"));
        }
    }
    let csv_only = [
        (texts.quote.is_some(), "COPY quote available only in CSV mode"),
        (texts.escape.is_some(), "COPY escape available only in CSV mode"),
        (texts.force_quote != CopyColumns::None, "COPY force quote available only in CSV mode"),
        (
            texts.force_not_null != CopyColumns::None,
            "COPY force not null available only in CSV mode",
        ),
        (texts.force_null != CopyColumns::None, "COPY force null available only in CSV mode"),
    ];
    if let Some((_, message)) = csv_only.iter().find(|(given, _)| *given && !is_csv) {
        return Err(unsupported(message));
    }
    if texts.force_quote != CopyColumns::None && texts.reads {
        return Err(unsupported("COPY force quote only available using COPY TO"));
    }
    if texts.force_not_null != CopyColumns::None && !texts.reads {
        return Err(unsupported("COPY force not null only available using COPY FROM"));
    }
    if texts.force_null != CopyColumns::None && !texts.reads {
        return Err(unsupported("COPY force null only available using COPY FROM"));
    }
    if texts.header == CopyHeader::Match && !texts.reads {
        return Err(TypeError::new("0A000", "cannot use \"match\" with HEADER in COPY TO"));
    }
    Ok(())
}

fn one_byte(text: &str, what: &str) -> Result<u8, TypeError> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(unsupported(&format!("{what} must be a single one-byte character"))),
    }
}

fn check_bytes(delimiter: u8, null: &[u8], quote: u8, is_csv: bool) -> Result<(), TypeError> {
    const NEVER_DELIMITERS: &[u8] = b"\\.abcdefghijklmnopqrstuvwxyz0123456789";
    let invalid = |message: String| TypeError::new("22023", message);
    if matches!(delimiter, b'\n' | b'\r') {
        return Err(invalid("COPY delimiter cannot be newline or carriage return".to_owned()));
    }
    if null.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Err(invalid(
            "COPY null representation cannot use newline or carriage return".to_owned(),
        ));
    }
    if !is_csv && NEVER_DELIMITERS.contains(&delimiter) {
        return Err(invalid(format!("COPY delimiter cannot be \"{}\"", delimiter as char)));
    }
    if is_csv && delimiter == quote {
        return Err(invalid("COPY delimiter and quote must be different".to_owned()));
    }
    if null.contains(&delimiter) {
        return Err(unsupported("COPY delimiter must not appear in the NULL specification"));
    }
    if is_csv && null.contains(&quote) {
        return Err(unsupported("CSV quote character must not appear in the NULL specification"));
    }
    Ok(())
}
